//! Operating system commands: putting text on the clipboard of the terminal's owner, and asking once what colour the background is. Builds
//! and reads byte sequences; sends nothing.

use crate::console::input::{Background, Key};

/// What sits between the console and the real terminal, and has to be asked to pass things on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplexer {
    None,
    Tmux,
    Screen,
}

impl Multiplexer {
    /// Looks for the marks that tmux and screen leave in the environment.
    pub fn detect(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let is_set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
        if is_set("TMUX") {
            Self::Tmux
        } else if is_set("STY") {
            Self::Screen
        } else {
            Self::None
        }
    }
}

/// The most that terminals take as one OSC 52, in base64 characters.
const COPY_LIMIT: usize = 74_000;

/// screen forgets strings that are longer.
const SCREEN_LIMIT: usize = 240;

/// The bytes that put `text` on the clipboard, or `None` when it is too long for terminals.
pub fn copy(text: &str, through: Multiplexer) -> Option<Vec<u8>> {
    if text.len().div_ceil(3) * 4 > COPY_LIMIT {
        return None;
    }
    let plain = format!("\x1b]52;c;{}\x07", base64(text.as_bytes()));
    Some(match through {
        Multiplexer::None => plain.into_bytes(),
        // tmux either keeps a copy of its own or passes it on, as its owner set it up; asking for both costs nothing.
        Multiplexer::Tmux => format!("{plain}\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")).into_bytes(),
        Multiplexer::Screen => plain
            .as_bytes()
            .chunks(SCREEN_LIMIT)
            .flat_map(|part| [b"\x1bP".as_slice(), part, b"\x1b\\"].concat())
            .collect(),
    })
}

/// Asks for the background colour.
pub const ASK_BACKGROUND: &[u8] = b"\x1b]11;?\x1b\\";

/// Terminals known to answer, or to ignore the question without a trace.
const ANSWERING: [&str; 13] = [
    "xterm",
    "tmux",
    "alacritty",
    "foot",
    "wezterm",
    "rxvt-unicode",
    "konsole",
    "gnome",
    "vte",
    "iterm",
    "contour",
    "ghostty",
    "kitty",
];

/// Whether asking is sensible: not through screen, not on a console, and not where the terminal is unknown.
pub fn may_ask(env: &dyn Fn(&str) -> Option<String>) -> bool {
    let term = env("TERM").unwrap_or_default();
    Multiplexer::detect(env) != Multiplexer::Screen && ANSWERING.iter().any(|known| term.starts_with(known))
}

/// What keys that arrived may be the answer to [`ASK_BACKGROUND`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// So far; more must come.
    Begun,
    Whole(Option<Background>),
    No,
}

/// Reads an answer as it comes through a key parser that does not know it: `M-]` (or Esc and `]`), the text, and an end of string.
pub(super) fn answer(keys: &[Key]) -> Answer {
    let alt = |c: char| Key::new(crate::console::input::Code::Char(c), false, true, false);
    let esc = Key::plain(crate::console::input::Code::Esc);
    let rest = match keys {
        [first, rest @ ..] if *first == alt(']') => rest,
        [first, second, rest @ ..] if *first == esc && second.text() == Some(']') => rest,
        [only] if *only == esc => return Answer::Begun,
        _ => return Answer::No,
    };
    let text: String = rest.iter().map_while(|key| key.text()).collect();
    let prefix = "11;rgb:";
    let (head, color) = text.split_at_checked(prefix.len()).unwrap_or((&text, ""));
    if !prefix.starts_with(head) || !color.chars().all(|c| c.is_ascii_hexdigit() || c == '/') || text.len() > 32 {
        return Answer::No;
    }
    match rest.get(text.len()..).unwrap_or_default() {
        [] => Answer::Begun,
        [end] if *end == esc => Answer::Begun,
        [end] if *end == Key::ctrl('g') || *end == alt('\\') => Answer::Whole(brightness(color)),
        [first, second] if *first == esc && second.text() == Some('\\') => Answer::Whole(brightness(color)),
        _ => Answer::No,
    }
}

/// `1e1e/1e1e/2e2e`: one to four hex digits per colour.
fn brightness(color: &str) -> Option<Background> {
    let parts: Vec<f64> = color
        .split('/')
        .map(|hex| {
            let most = 16_u32.checked_pow(u32::try_from(hex.len()).ok()?)?.checked_sub(1).filter(|most| *most > 0)?;
            Some(f64::from(u32::from_str_radix(hex, 16).ok()?) / f64::from(most))
        })
        .collect::<Option<_>>()?;
    let [red, green, blue] = parts.try_into().ok()?;
    let bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    Some(if bright > 0.5 { Background::Light } else { Background::Dark })
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| LETTERS.get(bits as usize & 63).map_or('=', |letter| char::from(*letter));
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().chain([&0, &0]).take(3).fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        text.extend((0..4).map(|i| if i <= group.len() { letter(bits >> (18 - 6 * i)) } else { '=' }));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::input::Code;

    #[test]
    fn base64_is_base64() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar?>", "Zm9vYmFyPz4=")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64("✗".as_bytes()), "4pyX");
    }

    #[test]
    fn a_copy_finds_its_way_through_multiplexers() {
        let shown =
            |text: &str, through| copy(text, through).map(|b| String::from_utf8(b).unwrap().replace('\x1b', "^"));
        assert_eq!(shown("foo", Multiplexer::None).as_deref(), Some("^]52;c;Zm9v\x07"));
        assert_eq!(shown("foo", Multiplexer::Tmux).as_deref(), Some("^]52;c;Zm9v\x07^Ptmux;^^]52;c;Zm9v\x07^\\"));
        let long = shown(&"x".repeat(600), Multiplexer::Screen).unwrap();
        assert_eq!(long.matches("^P").count(), 4);
        assert!(long.split("^\\").all(|part| part.len() <= SCREEN_LIMIT + 2));
        assert!(copy(&"x".repeat(55_000), Multiplexer::None).is_some());
        assert!(copy(&"x".repeat(56_000), Multiplexer::None).is_none());
    }

    #[test]
    fn only_terminals_that_answer_are_asked() {
        for (term, sty, want) in [
            ("xterm-256color", "", true),
            ("screen-256color", "", false),
            ("xterm", "123.pts", false),
            ("linux", "", false),
            ("", "", false),
            ("acme-9000", "", false),
        ] {
            let env = |name: &str| match name {
                "TERM" => Some(term.to_owned()),
                "STY" => Some(sty.to_owned()),
                _ => None,
            };
            assert_eq!(may_ask(&env), want, "{term} {sty}");
        }
    }

    #[test]
    fn answers_are_read_in_every_spelling() {
        let alt = |c| Key::new(Code::Char(c), false, true, false);
        let esc = Key::plain(Code::Esc);
        let typed = |text: &str| text.chars().map(|c| Key::plain(Code::Char(c))).collect::<Vec<_>>();
        let all = |start: &[Key], text: &str, end: &[Key]| [start.to_vec(), typed(text), end.to_vec()].concat();
        let dark = Answer::Whole(Some(Background::Dark));
        assert_eq!(answer(&all(&[alt(']')], "11;rgb:1e1e/1e1e/2e2e", &[alt('\\')])), dark);
        assert_eq!(answer(&all(&[alt(']')], "11;rgb:1e/1e/2e", &[Key::ctrl('g')])), dark);
        let split = all(&[esc, typed("]")[0]], "11;rgb:ffff/ffff/dddd", &[esc, typed("\\")[0]]);
        assert_eq!(answer(&split), Answer::Whole(Some(Background::Light)));
        for n in 1..split.len() {
            assert_eq!(answer(&split[..n]), Answer::Begun, "{n}");
        }
        assert_eq!(answer(&all(&[alt(']')], "11;rgb:zz", &[])), Answer::No);
        assert_eq!(answer(&all(&[alt(']')], "e", &[])), Answer::No);
        assert_eq!(answer(&all(&[alt(']')], "11;rgb:", &[Key::ctrl('g')])), Answer::Whole(None));
    }
}
