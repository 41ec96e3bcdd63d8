//! From the terminal library's events to the console's: translates keys, puts escape sequences together again that a slow line tore apart,
//! and takes the answer to the background question out of the stream, early or late. No key is lost on the way: whatever turns out not to be
//! a sequence is handed on as it was typed.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::osc::{self, Answer};
use crate::console::input::{Background, Code, InputEvent, Key};

/// An answer that took longer is not believed: the screen is already drawn in other colours.
const ANSWER_COUNTS: Duration = Duration::from_millis(150);
/// An answer that took longer will not come.
const ANSWER_COMES: Duration = Duration::from_secs(10);
/// The rest of an answer is under way; it waits longer than a lone Esc.
const ANSWER_GAP: Duration = Duration::from_millis(100);

/// What held keys are.
enum Verdict {
    /// Perhaps the start of something.
    More,
    Key(Key),
    Answer(Option<Background>),
    /// Keys that a person typed.
    Typed,
}

/// Puts events together. Time is an argument, so it can be tested without waiting.
pub struct Assembler {
    /// How long a lone Esc waits for the rest of a sequence; zero turns the waiting off.
    esc_timeout: Duration,
    held: Vec<Key>,
    last_at: Duration,
    asked_at: Option<Duration>,
}

impl Assembler {
    pub fn new(esc_timeout: Duration) -> Self {
        Self { esc_timeout, held: Vec::new(), last_at: Duration::ZERO, asked_at: None }
    }

    /// Notes that the background question was sent.
    pub fn asked(&mut self, now: Duration) {
        self.asked_at = Some(now);
    }

    /// When to call [`Assembler::tick`], if nothing arrives before.
    pub fn deadline(&self) -> Option<Duration> {
        let first = self.held.first()?;
        let is_answer = *first != Key::plain(Code::Esc) || self.held.len() > 2;
        Some(self.last_at + if is_answer { ANSWER_GAP.max(self.esc_timeout) } else { self.esc_timeout })
    }

    /// Hands on what waited for too long.
    pub fn tick(&mut self, now: Duration, out: &mut Vec<InputEvent>) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            out.extend(self.held.drain(..).map(InputEvent::Key));
        }
    }

    /// Takes one event of the terminal library.
    pub fn take(&mut self, event: Event, now: Duration, out: &mut Vec<InputEvent>) {
        self.tick(now, out);
        let other = match event {
            Event::Key(key) => {
                if let Some(key) = translate(key) {
                    self.take_key(key, now, out);
                }
                return;
            }
            Event::Paste(text) => InputEvent::Paste(text),
            Event::Resize(width, height) => InputEvent::Resize { width, height },
            Event::FocusGained => InputEvent::Focus(true),
            Event::FocusLost => InputEvent::Focus(false),
            Event::Mouse(_) => return,
        };
        // Order is kept: what was typed before comes before.
        if !matches!(other, InputEvent::Resize { .. }) {
            out.extend(self.held.drain(..).map(InputEvent::Key));
        }
        out.push(other);
    }

    fn take_key(&mut self, key: Key, now: Duration, out: &mut Vec<InputEvent>) {
        let is_asked = self.asked_at.is_some_and(|asked| now.saturating_sub(asked) < ANSWER_COMES);
        self.held.push(key);
        self.last_at = now;
        while !self.held.is_empty() {
            match self.judge(is_asked) {
                Verdict::More => return,
                Verdict::Key(key) => {
                    self.held.clear();
                    out.push(InputEvent::Key(key));
                }
                Verdict::Answer(background) => {
                    self.held.clear();
                    let counts = self.asked_at.take().is_some_and(|asked| now.saturating_sub(asked) <= ANSWER_COUNTS);
                    out.extend(background.filter(|_| counts).map(InputEvent::Background));
                }
                Verdict::Typed => out.push(InputEvent::Key(self.held.remove(0))),
            }
        }
    }

    fn judge(&self, is_asked: bool) -> Verdict {
        let esc = Key::plain(Code::Esc);
        if is_asked {
            match osc::answer(&self.held) {
                Answer::Whole(background) => return Verdict::Answer(background),
                Answer::Begun if self.held.first() != Some(&esc) || self.held.len() > 1 => return Verdict::More,
                Answer::Begun | Answer::No => {}
            }
        }
        match self.held.as_slice() {
            [first, ..] if *first != esc || self.esc_timeout.is_zero() => Verdict::Typed,
            [_] => Verdict::More,
            [_, intro, rest @ ..] if matches!(intro.text(), Some('[' | 'O')) => sequence(*intro, rest),
            [_, key] if !key.has_alt() && *key != esc => {
                Verdict::Key(Key::new(key.code(), key.has_ctrl(), true, key.has_shift()))
            }
            _ => Verdict::Typed,
        }
    }
}

/// Reads the rest of `Esc [` or `Esc O`.
fn sequence(intro: Key, rest: &[Key]) -> Verdict {
    let Some(text) = rest.iter().map(|key| key.text()).collect::<Option<String>>() else { return Verdict::Typed };
    let Some(last) = text.chars().last() else { return Verdict::More };
    if intro.text() == Some('[') && (last.is_ascii_digit() || last == ';') && text.len() < 8 {
        return Verdict::More;
    }
    let mut numbers = text.trim_end_matches(last).split(';').map(|n| n.parse::<u8>().unwrap_or(1));
    let (number, modifiers) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1).saturating_sub(1));
    let code = match last {
        'A' => Code::Up,
        'B' => Code::Down,
        'C' => Code::Right,
        'D' => Code::Left,
        'H' => Code::Home,
        'F' => Code::End,
        'Z' => Code::Tab,
        'P'..='S' => Code::F(last as u8 - b'P' + 1),
        '~' => match number {
            1 | 7 => Code::Home,
            2 => Code::Insert,
            3 => Code::Delete,
            4 | 8 => Code::End,
            5 => Code::PageUp,
            6 => Code::PageDown,
            11..=15 => Code::F(number - 10),
            17..=21 => Code::F(number - 11),
            23..=24 => Code::F(number - 12),
            _ => return Verdict::Typed,
        },
        _ => return Verdict::Typed,
    };
    Verdict::Key(Key::new(code, modifiers & 4 != 0, modifiers & 2 != 0, modifiers & 1 != 0 || last == 'Z'))
}

/// A key of the terminal library as the console knows it; `None` for releases and for keys that no keymap can name.
fn translate(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let code = match event.code {
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Enter => Code::Enter,
        KeyCode::Tab | KeyCode::BackTab => Code::Tab,
        KeyCode::Esc => Code::Esc,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Insert => Code::Insert,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::F(n) => Code::F(n),
        _ => return None,
    };
    let held = |modifier| event.modifiers.intersects(modifier);
    let shift = held(KeyModifiers::SHIFT) || event.code == KeyCode::BackTab;
    Some(Key::new(code, held(KeyModifiers::CONTROL), held(KeyModifiers::ALT | KeyModifiers::META), shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESC: Duration = Duration::from_millis(25);

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    /// Each character is a key press; `^` is a lone Esc, `]` after `M` is `M-]`, `$` is BEL.
    fn press(c: char) -> Event {
        match c {
            '^' => key(KeyCode::Esc, KeyModifiers::NONE),
            '$' => key(KeyCode::Char('g'), KeyModifiers::CONTROL),
            c => key(KeyCode::Char(c), KeyModifiers::NONE),
        }
    }

    fn shown(events: &[InputEvent]) -> String {
        let one = |event: &InputEvent| match event {
            InputEvent::Key(key) => {
                let mods = [(key.has_ctrl(), "C-"), (key.has_alt(), "M-"), (key.has_shift(), "S-")];
                let mods: String = mods.iter().filter(|(held, _)| *held).map(|(_, p)| *p).collect();
                match key.code() {
                    Code::Char(c) => format!("{mods}{c}"),
                    code => format!("{mods}{code:?}"),
                }
            }
            other => format!("{other:?}"),
        };
        events.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// Types `text`, one key every `gap`, then waits for a second.
    fn typed(assembler: &mut Assembler, text: &str, gap: u64) -> String {
        let mut out = Vec::new();
        let mut now = 100;
        for c in text.chars() {
            assembler.take(press(c), millis(now), &mut out);
            now += gap;
        }
        assembler.tick(millis(now + 1000), &mut out);
        shown(&out)
    }

    #[test]
    fn torn_sequences_are_mended_and_typed_ones_stay_typed() {
        for (text, gap, want) in [
            ("^[A", 5, "Up"),
            ("^OB", 5, "Down"),
            ("^[3~x", 5, "Delete x"),
            ("^[1;5C", 5, "C-Right"),
            ("^[15~", 5, "F(5)"),
            ("^[Z", 5, "S-Tab"),
            ("^v", 5, "M-v"),
            ("^v", 40, "Esc v"),
            ("^^", 5, "Esc Esc"),
            ("^^[A", 5, "Esc Up"),
            ("^", 5, "Esc"),
            ("j^", 5, "j Esc"),
            ("^[qj", 5, "Esc [ q j"),
            ("^[12", 5, "Esc [ 1 2"),
            ("^]11;rgb", 5, "M-] 1 1 ; r g b"),
        ] {
            assert_eq!(typed(&mut Assembler::new(ESC), text, gap), want, "{text} every {gap} ms");
        }
        assert_eq!(typed(&mut Assembler::new(Duration::ZERO), "^v^", 1), "Esc v Esc");
    }

    #[test]
    fn the_answer_is_taken_out_of_the_stream() {
        let run = |asked: u64, text: &str| {
            let mut assembler = Assembler::new(ESC);
            assembler.asked(millis(asked));
            typed(&mut assembler, text, 1)
        };
        assert_eq!(run(90, "^]11;rgb:1e1e/1e1e/2e2e$j"), "Background(Dark) j");
        assert_eq!(run(90, "^]11;rgb:ffff/ffff/eeee^\\j"), "Background(Light) j");
        // `asked` lies 1.1 s before the keys: too late to count, still not typed into anything.
        let mut assembler = Assembler::new(ESC);
        assembler.asked(Duration::ZERO);
        let mut out = Vec::new();
        for c in "^]11;rgb:1e1e/1e1e/2e2e$j".chars() {
            assembler.take(press(c), millis(1_100), &mut out);
        }
        assert_eq!(shown(&out), "j");
        // The second one is not an answer to anything.
        assert_eq!(typed(&mut assembler, "^]11", 1), "M-] 1 1");
        // A person who types the same start loses nothing.
        assert_eq!(run(90, "^]e"), "Esc ] e");
        assert_eq!(run(90, "^j"), "M-j");
        assert_eq!(run(90, "]e"), "] e");
    }

    #[test]
    fn other_events_keep_their_order() {
        let mut assembler = Assembler::new(ESC);
        let mut out = Vec::new();
        assembler.take(press('^'), millis(0), &mut out);
        assert_eq!(assembler.deadline(), Some(ESC));
        assembler.take(Event::Paste("rm -rf\n".to_owned()), millis(1), &mut out);
        assembler.take(Event::Resize(80, 24), millis(1), &mut out);
        let release = KeyEvent::new_with_kind(KeyCode::Char('x'), KeyModifiers::NONE, KeyEventKind::Release);
        assembler.take(Event::Key(release), millis(1), &mut out);
        assert_eq!(shown(&out), "Esc Paste(\"rm -rf\\n\") Resize { width: 80, height: 24 }");
    }

    #[test]
    fn keys_of_the_library_become_keys_of_the_console() {
        for (code, modifiers, want) in [
            (KeyCode::BackTab, KeyModifiers::SHIFT, "S-Tab"),
            (KeyCode::Char('G'), KeyModifiers::SHIFT, "G"),
            (KeyCode::Char('7'), KeyModifiers::CONTROL, "C-/"),
            (KeyCode::Char(' '), KeyModifiers::CONTROL, "C- "),
            (KeyCode::Char('v'), KeyModifiers::ALT, "M-v"),
        ] {
            let Event::Key(event) = key(code, modifiers) else { unreachable!() };
            assert_eq!(shown(&[InputEvent::Key(translate(event).unwrap())]), want);
        }
        assert_eq!(translate(KeyEvent::new(KeyCode::CapsLock, KeyModifiers::NONE)), None);
    }
}
