//! One rules file: its text, and which line a byte of it stands in.

use std::borrow::Cow;
use std::sync::Arc;

use crate::taxonomy::Origin;

/// A rules file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// As messages tell it: a path, or the name of a shipped file.
    pub name: &'a str,
    pub text: &'a str,
}

/// A text that knows its lines.
pub(super) struct Text<'a> {
    name: Arc<str>,
    whole: Cow<'a, str>,
    /// Where each line after the first begins.
    begins: Vec<usize>,
}

impl<'a> Text<'a> {
    /// Line ends become `\n`: a rule means the same on every system.
    pub fn of(source: Source<'a>) -> Self {
        let whole: Cow<'a, str> =
            if source.text.contains("\r\n") { source.text.replace("\r\n", "\n").into() } else { source.text.into() };
        let begins = whole.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect();
        Self { name: source.name.into(), whole, begins }
    }

    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// The place of a byte.
    pub fn origin(&self, offset: usize) -> Origin {
        let line = self.begins.partition_point(|begin| *begin <= offset) + 1;
        Origin { file: Arc::clone(&self.name), line: u32::try_from(line).unwrap_or(u32::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_lines_whatever_ends_them() {
        for text in ["a\nbc\n\nd", "a\r\nbc\r\n\r\nd"] {
            let text = Text::of(Source { name: "x.toml", text });
            let lines: Vec<u32> = (0..8).map(|at| text.origin(at).line).collect();
            assert_eq!(lines, [1, 1, 2, 2, 2, 3, 4, 4]);
        }
    }
}
