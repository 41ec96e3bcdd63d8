//! How many colours the terminal has, and the nearest one it has to one it has not.

use std::str::FromStr;

use ratatui::style::Color;

/// How many colours can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Depth {
    /// Attributes only.
    Mono,
    Sixteen,
    Indexed,
    True,
}

/// What `--color` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// What the environment says.
    #[default]
    Auto,
    /// Colours even against `NO_COLOR`, as many as the terminal has.
    Always,
    Never,
    /// Exactly so many.
    Exactly(Depth),
}

impl FromStr for ColorChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word {
            "auto" => Self::Auto,
            "always" => Self::Always,
            "never" => Self::Never,
            "mono" => Self::Exactly(Depth::Mono),
            "16" => Self::Exactly(Depth::Sixteen),
            "256" => Self::Exactly(Depth::Indexed),
            "truecolor" => Self::Exactly(Depth::True),
            _ => return Err(format!("`{word}` is not one of auto, always, never, truecolor, 256, 16, mono")),
        })
    }
}

/// Terminals that name themselves without a number of colours, and have all of them.
const TRUE_TERMS: [&str; 6] = ["alacritty", "foot", "wezterm", "xterm-kitty", "xterm-ghostty", "contour"];

impl Depth {
    /// Asks the choice, then `NO_COLOR`, `COLORTERM` and `TERM`. A `COLORTERM` that leaked into a multiplexer or console that names itself
    /// and has fewer colours is not believed.
    pub fn detect(choice: ColorChoice, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let var = |name| env(name).filter(|value| !value.is_empty());
        match choice {
            ColorChoice::Exactly(depth) => return depth,
            ColorChoice::Never => return Self::Mono,
            ColorChoice::Auto if var("NO_COLOR").is_some() => return Self::Mono,
            ColorChoice::Auto | ColorChoice::Always => {}
        }
        let term = var("TERM").unwrap_or_default();
        let (from_term, is_final) = Self::of_term(&term);
        let is_true = matches!(var("COLORTERM").as_deref(), Some("truecolor" | "24bit"));
        let found = if is_true && !is_final { Self::True } else { from_term };
        if choice == ColorChoice::Always { found.max(Self::Sixteen) } else { found }
    }

    /// The depth that a `TERM` stands for, and whether it is known to have no more.
    fn of_term(term: &str) -> (Self, bool) {
        let starts = |prefix: &str| term.starts_with(prefix);
        if term.is_empty() || term == "dumb" || starts("vt") {
            (Self::Mono, true)
        } else if starts("linux") {
            (Self::Sixteen, true)
        } else if starts("screen") {
            (if term.contains("256color") { Self::Indexed } else { Self::Sixteen }, true)
        } else if term.contains("direct") || TRUE_TERMS.iter().any(|known| starts(known)) {
            (Self::True, false)
        } else if term.contains("256color") {
            (Self::Indexed, false)
        } else {
            (Self::Sixteen, false)
        }
    }

    /// The nearest colour to `color` that this depth has. Named colours stay: the terminal's owner chose what they look like.
    pub(super) fn nearest(self, color: Color) -> Color {
        match (self, color) {
            (Self::Indexed, Color::Rgb(r, g, b)) => Color::Indexed(closest((r, g, b), 16..=255)),
            (Self::Sixteen, Color::Rgb(r, g, b)) => named(closest((r, g, b), 0..=15)),
            (Self::Sixteen, Color::Indexed(i)) => named(if i < 16 { i } else { closest(rgb_of(i), 0..=15) }),
            (_, color) => color,
        }
    }
}

fn closest(to: (u8, u8, u8), among: std::ops::RangeInclusive<u8>) -> u8 {
    let away = |i: &u8| {
        let (r, g, b) = rgb_of(*i);
        let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
        // The eye tells greens apart best, reds worst.
        2 * square(r, to.0) + 4 * square(g, to.1) + 3 * square(b, to.2)
    };
    among.min_by_key(away).unwrap_or(0)
}

/// The sixteen colours as xterm paints them.
const SIXTEEN: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

fn rgb_of(index: u8) -> (u8, u8, u8) {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        232.. => {
            let gray = 8 + 10 * (index - 232);
            (gray, gray, gray)
        }
        16.. => (level((index - 16) / 36), level((index - 16) / 6 % 6), level((index - 16) % 6)),
        _ => SIXTEEN.get(usize::from(index)).copied().unwrap_or_default(),
    }
}

/// The names that theme files use, in the order of their numbers.
pub(super) const NAMES: [(&str, Color); 16] = [
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

fn named(index: u8) -> Color {
    NAMES.get(usize::from(index)).map_or(Color::Reset, |(_, color)| *color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_then_no_color_then_colorterm_then_term_decide() {
        let depth = |flag: &str, vars: &[(&str, &str)]| {
            let env = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            Depth::detect(flag.parse().unwrap(), &env)
        };
        let xterm = ("TERM", "xterm-256color");
        for (flag, vars, want) in [
            ("auto", vec![xterm], Depth::Indexed),
            ("auto", vec![xterm, ("COLORTERM", "truecolor")], Depth::True),
            ("auto", vec![xterm, ("COLORTERM", "truecolor"), ("NO_COLOR", "1")], Depth::Mono),
            ("auto", vec![xterm, ("NO_COLOR", "")], Depth::Indexed),
            ("always", vec![xterm, ("NO_COLOR", "1")], Depth::Indexed),
            ("always", vec![("TERM", "dumb")], Depth::Sixteen),
            ("never", vec![xterm, ("COLORTERM", "24bit")], Depth::Mono),
            ("16", vec![xterm, ("COLORTERM", "24bit")], Depth::Sixteen),
            ("auto", vec![("TERM", "linux"), ("COLORTERM", "truecolor")], Depth::Sixteen),
            ("auto", vec![("TERM", "screen"), ("COLORTERM", "truecolor")], Depth::Sixteen),
            ("auto", vec![("TERM", "screen-256color"), ("COLORTERM", "truecolor")], Depth::Indexed),
            ("auto", vec![("TERM", "tmux-256color"), ("COLORTERM", "truecolor")], Depth::True),
            ("auto", vec![("TERM", "xterm-kitty")], Depth::True),
            ("auto", vec![("TERM", "vt100")], Depth::Mono),
            ("auto", vec![("TERM", "xterm")], Depth::Sixteen),
            ("auto", vec![], Depth::Mono),
        ] {
            assert_eq!(depth(flag, &vars), want, "{flag} {vars:?}");
        }
        assert!("rainbow".parse::<ColorChoice>().is_err());
    }

    #[test]
    fn the_nearest_colour_is_near() {
        let rgb = Color::Rgb(250, 90, 90);
        assert_eq!(Depth::True.nearest(rgb), rgb);
        assert_eq!(Depth::Indexed.nearest(rgb), Color::Indexed(203));
        assert_eq!(Depth::Sixteen.nearest(Color::Rgb(240, 20, 20)), Color::LightRed);
        assert_eq!(Depth::Sixteen.nearest(Color::Indexed(2)), Color::Green);
        assert_eq!(Depth::Sixteen.nearest(Color::Indexed(244)), Color::DarkGray);
        assert_eq!(Depth::Sixteen.nearest(Color::Cyan), Color::Cyan);
    }
}
