//! What a person's terminal can tell the console: plain data, so that the terminal adapter can send it and the screen can read it without
//! either knowing the other. Nothing here decides what a key means; `tui::keys` does.

/// A key without its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// A printable character, as typed: upper case says that shift was held.
    Char(char),
    Enter,
    Tab,
    Esc,
    Backspace,
    Delete,
    Insert,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    /// A function key.
    F(u8),
}

/// A key as pressed. Two presses that no terminal can tell apart are equal, whatever the terminal library called them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    code: Code,
    ctrl: bool,
    alt: bool,
    shift: bool,
}

impl Key {
    /// Makes a key and folds the spellings that reach a program as the same byte: `C-i` is Tab, `C-m` Enter, `C-[` Esc, `C-7` and `C-_`
    /// are `C-/`. Shift is kept only where the character does not already show it.
    pub fn new(code: Code, ctrl: bool, alt: bool, shift: bool) -> Self {
        let (code, ctrl) = match code {
            Code::Char(c) if ctrl => match c.to_ascii_lowercase() {
                'i' => (Code::Tab, false),
                'm' => (Code::Enter, false),
                '[' | '3' => (Code::Esc, false),
                '7' | '_' | '/' => (Code::Char('/'), true),
                '4' => (Code::Char('\\'), true),
                '5' => (Code::Char(']'), true),
                '6' => (Code::Char('^'), true),
                '2' | '@' => (Code::Char(' '), true),
                lower => (Code::Char(lower), true),
            },
            other => (other, ctrl),
        };
        let shift = shift && !matches!(code, Code::Char(_));
        Self { code, ctrl, alt, shift }
    }

    /// A key without modifiers.
    pub fn plain(code: Code) -> Self {
        Self::new(code, false, false, false)
    }

    /// A character with control held.
    pub fn ctrl(c: char) -> Self {
        Self::new(Code::Char(c), true, false, false)
    }

    /// What was pressed, without modifiers.
    pub fn code(self) -> Code {
        self.code
    }

    pub fn has_ctrl(self) -> bool {
        self.ctrl
    }

    pub fn has_alt(self) -> bool {
        self.alt
    }

    pub fn has_shift(self) -> bool {
        self.shift
    }

    /// The character that this key types into a prompt, if it types one.
    pub fn text(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

/// Whether the terminal paints dark letters on light or light on dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Background {
    Dark,
    Light,
}

/// One thing that arrived from the terminal, in the order in which it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputEvent {
    Key(Key),
    /// Bracketed paste: text, never commands.
    Paste(String),
    Resize {
        width: u16,
        height: u16,
    },
    Focus(bool),
    /// The answer to the one question asked at the start.
    Background(Background),
    /// The terminal is gone or cannot be read; the session should end.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_byte_are_one_key() {
        let pressed = |c, ctrl, shift| Key::new(Code::Char(c), ctrl, false, shift);
        assert_eq!(pressed('i', true, false), Key::plain(Code::Tab));
        assert_eq!(pressed('7', true, false), Key::ctrl('/'));
        assert_eq!(pressed('G', false, true), Key::plain(Code::Char('G')));
        assert_ne!(Key::new(Code::Tab, false, false, true), Key::plain(Code::Tab));
        assert_eq!(pressed('G', false, true).text(), Some('G'));
        assert_eq!(pressed('g', true, false).text(), None);
    }
}
