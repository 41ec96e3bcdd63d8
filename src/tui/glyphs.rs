//! The characters that the console draws with, in two sets: the usual one, and ASCII for terminals and locales that cannot be trusted with
//! it. A state is always told by its glyph or its word; colour only adds to it.

use crate::console::input::Key;
use crate::console::state::JobState;
use crate::tui::keys::{Chord, key_name};

/// Lines of frames, trees and graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    pub horizontal: &'static str,
    pub vertical: &'static str,
    pub top_left: &'static str,
    pub top_right: &'static str,
    pub bottom_left: &'static str,
    pub bottom_right: &'static str,
    pub tee_right: &'static str,
    pub tee_left: &'static str,
    pub tee_down: &'static str,
    pub tee_up: &'static str,
    pub cross: &'static str,
    pub heavy_horizontal: &'static str,
    pub heavy_vertical: &'static str,
    pub double_horizontal: &'static str,
    pub dashed_horizontal: &'static str,
    pub arrow: &'static str,
}

const DRAWN: Lines = Lines {
    horizontal: "─",
    vertical: "│",
    top_left: "┌",
    top_right: "┐",
    bottom_left: "└",
    bottom_right: "┘",
    tee_right: "├",
    tee_left: "┤",
    tee_down: "┬",
    tee_up: "┴",
    cross: "┼",
    heavy_horizontal: "━",
    heavy_vertical: "┃",
    double_horizontal: "═",
    dashed_horizontal: "┄",
    arrow: "▸",
};

const TYPED: Lines = Lines {
    horizontal: "-",
    vertical: "|",
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    tee_right: "+",
    tee_left: "+",
    tee_down: "+",
    tee_up: "+",
    cross: "+",
    heavy_horizontal: "=",
    heavy_vertical: "|",
    double_horizontal: "=",
    dashed_horizontal: ".",
    arrow: ">",
};

/// One set of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    is_ascii: bool,
    pub lines: Lines,
    /// Steps of a sparkline, lowest first.
    pub spark: &'static [&'static str],
    /// Densities of the minimap, lightest first.
    pub shade: &'static [&'static str],
    /// A full cell of a bar.
    pub bar: &'static str,
    /// Before the row under the cursor.
    pub cursor: &'static str,
    /// Before a marked row.
    pub mark: &'static str,
    /// Where text was cut.
    pub ellipsis: &'static str,
    /// Before an open and a closed section.
    pub fold: (&'static str, &'static str),
    /// Before a plan that is held.
    pub hold: &'static str,
    /// Before a count that is at least so high.
    pub at_least: &'static str,
    /// Between parts of a line.
    pub dot: &'static str,
}

impl Glyphs {
    /// The usual set.
    pub const UNICODE: Self = Self {
        is_ascii: false,
        lines: DRAWN,
        spark: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        shade: &["░", "▒", "▓", "█"],
        bar: "▇",
        cursor: "▌",
        mark: "▪",
        ellipsis: "…",
        fold: ("▾", "▸"),
        hold: "⧗",
        at_least: "≥",
        dot: "·",
    };

    /// For locales that are not UTF-8 or draw boxes two cells wide, and for `--ascii`.
    pub const ASCII: Self = Self {
        is_ascii: true,
        lines: TYPED,
        spark: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        shade: &[".", ":", "+", "#"],
        bar: "#",
        cursor: ">",
        mark: "*",
        ellipsis: "~",
        fold: ("v", ">"),
        hold: "@",
        at_least: ">=",
        dot: "-",
    };

    /// Chooses by `--ascii`, the terminal and the locale (`LC_ALL`, else `LC_CTYPE`, else `LANG`).
    pub fn detect(ascii: bool, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| env(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(var).unwrap_or_default();
        let term = var("TERM").unwrap_or_default();
        let is_utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        // There, boxes and blocks are as wide as two letters.
        let is_wide = ["ja", "ko", "zh"].iter().any(|language| locale.starts_with(language));
        let is_plain = term == "linux" || term == "dumb" || term.starts_with("vt");
        if ascii || !is_utf8 || is_wide || is_plain { Self::ASCII } else { Self::UNICODE }
    }

    pub const fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// The glyph of a state. Its word is [`JobState::word`], its colour [`Role::of`](super::theme::Role::of).
    pub const fn state(&self, state: JobState) -> &'static str {
        let (glyph, ascii) = match state {
            JobState::Ok => ("✓", "+"),
            JobState::Fail => ("✗", "X"),
            JobState::Warn => ("!", "!"),
            JobState::Run => ("▸", ">"),
            JobState::Wait => ("⋯", "."),
            JobState::Blocked => ("∘", "o"),
            JobState::Cancel => ("⊘", "-"),
            JobState::Skip => ("↷", "s"),
            JobState::Manual => ("⊡", "m"),
            JobState::Unknown => ("?", "?"),
        };
        if self.is_ascii { ascii } else { glyph }
    }

    /// A chord as this set can write it.
    pub fn chord(&self, chord: &Chord) -> String {
        if self.is_ascii { chord.to_ascii() } else { chord.to_string() }
    }

    /// One key as this set can write it.
    pub fn key(&self, key: Key) -> String {
        key_name(key, self.is_ascii)
    }

    /// The step of `scale` for a part of a whole; anything above nothing shows.
    pub fn step(scale: &'static [&'static str], part: f64) -> &'static str {
        let last = scale.len().saturating_sub(1);
        let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        scale.get((part * last as f64).round() as usize).copied().unwrap_or(" ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn every_glyph_is_one_cell_and_ascii_is_ascii() {
        for set in [Glyphs::UNICODE, Glyphs::ASCII] {
            let l = set.lines;
            let lines = [
                l.horizontal,
                l.vertical,
                l.top_left,
                l.top_right,
                l.bottom_left,
                l.bottom_right,
                l.tee_right,
                l.tee_left,
                l.tee_down,
                l.tee_up,
                l.cross,
                l.heavy_horizontal,
                l.heavy_vertical,
                l.double_horizontal,
                l.dashed_horizontal,
                l.arrow,
            ];
            let marks = [set.bar, set.cursor, set.mark, set.ellipsis, set.fold.0, set.fold.1, set.hold, set.dot];
            let states = JobState::ALL.map(|state| set.state(state));
            for glyph in lines.iter().chain(&marks).chain(&states).chain(set.spark).chain(set.shade) {
                assert_eq!(glyph.width(), 1, "{glyph}");
                assert!(!set.is_ascii() || glyph.is_ascii(), "{glyph}");
            }
            assert_eq!(states.iter().collect::<BTreeSet<_>>().len(), JobState::ALL.len());
        }
        // State glyphs stay one cell wide in East Asian locales as well.
        for state in JobState::ALL {
            assert_eq!(Glyphs::UNICODE.state(state).width_cjk(), 1, "{state:?}");
        }
    }

    #[test]
    fn the_set_follows_flag_terminal_and_locale() {
        for (flag, vars, want) in [
            (false, vec![("LANG", "en_US.UTF-8")], false),
            (false, vec![("LANG", "en_US.utf8"), ("TERM", "xterm-256color")], false),
            (true, vec![("LANG", "en_US.UTF-8")], true),
            (false, vec![("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], true),
            (false, vec![("LC_CTYPE", "C.UTF-8"), ("LANG", "C")], false),
            (false, vec![("LANG", "ja_JP.UTF-8")], true),
            (false, vec![("LANG", "en_US.UTF-8"), ("TERM", "linux")], true),
            (false, vec![], true),
        ] {
            let env = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            assert_eq!(Glyphs::detect(flag, &env).is_ascii(), want, "{flag} {vars:?}");
        }
    }

    #[test]
    fn steps_span_the_scale() {
        let steps: String =
            [0.0, 0.5, 1.0, 7.0, f64::NAN].map(|part| Glyphs::step(Glyphs::UNICODE.spark, part)).concat();
        assert_eq!(steps, "▁▅██▁");
    }
}
