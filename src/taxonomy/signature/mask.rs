//! From a line to its template: everything that differs between two runs of the same failure becomes a hole.
//!
//! One pass over at most [`LONGEST_LINE`] bytes; the template has at most [`LONGEST_TEMPLATE`]. Forms decide (a path, a spec, a number), and a
//! few words before a word: an exit code or an HTTP status is part of the cause, a byte count is not.

use super::shape::{ANY, NAME, PACKAGE, PATH, REF, SPEC, TIME, shape, url, without_numbers};

/// What is read of a line, in bytes.
const LONGEST_LINE: usize = 4_096;
/// What a template can hold, in bytes.
pub(super) const LONGEST_TEMPLATE: usize = 400;
/// How far the end of a quotation is looked for, in bytes.
const LONGEST_QUOTE: usize = 256;

/// Quoted words after these are kept: they are what is wrong.
const TELLING: &[&str] = &["named", "reason", "module", "option"];
/// Small numbers after these are kept.
const CODES: &[&str] = &["errno", "code", "status", "signal", "curl"];
/// HTTP statuses after these are kept.
const ANSWERS: &[&str] = &["returned", "error", "code", "status", "http"];
/// A plain word after these is the name of a package, unless it is one of `LINKS`.
const PACKAGE_VERBS: &[&str] =
    &["install", "installing", "uninstall", "uninstalling", "stage", "staging", "concretize", "concretizing"];
const LINKS: &[&str] = &[
    "a",
    "all",
    "an",
    "and",
    "any",
    "because",
    "by",
    "dependencies",
    "dependency",
    "directory",
    "due",
    "environment",
    "failed",
    "fails",
    "for",
    "from",
    "if",
    "in",
    "is",
    "it",
    "its",
    "method",
    "not",
    "of",
    "on",
    "one",
    "or",
    "package",
    "packages",
    "path",
    "phase",
    "prefix",
    "request",
    "root",
    "some",
    "source",
    "spec",
    "specs",
    "step",
    "target",
    "that",
    "the",
    "this",
    "to",
    "was",
    "with",
    "without",
];
const REFS: &[&str] = &["branch", "ref"];

/// Masks one shown line.
pub(super) fn mask(line: &str) -> String {
    let end = (0..=LONGEST_LINE.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let line = without_number(line.get(..end).unwrap_or(line).trim());
    let (line, spack) = line.strip_prefix("==> ").map_or((line, false), |rest| (rest, true));
    let mut masker = Masker { rest: line, before: ' ', prev: String::new(), target: false, out: Out::default() };
    if spack {
        masker.package_first();
    }
    while masker.out.text.len() < LONGEST_TEMPLATE && masker.step() {}
    without_time(&masker.out.finish()).to_owned()
}

/// Takes off the line number under which Spack repeats a line of a build log: `  >> 20    error: …`.
fn without_number(line: &str) -> &str {
    let (marked, rest) = line.strip_prefix(">>").map_or((false, line), |rest| (true, rest.trim_start()));
    let text = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let gap = text.len() - text.trim_start().len();
    if text.len() < rest.len() && (gap > 2 || (marked && gap > 0)) { text.trim_start() } else { line }
}

/// Takes off the time that a tool puts before its lines; whether it does is a setting, not a cause.
fn without_time(template: &str) -> &str {
    let bare = [format!("[{TIME}]"), TIME.to_owned()].iter().find_map(|stamp| template.strip_prefix(stamp.as_str()));
    bare.map_or(template, |rest| rest.trim_start_matches([' ', ':', '-']))
}

struct Masker<'a> {
    rest: &'a str,
    /// The character before `rest`.
    before: char,
    /// The last word, in lower case.
    prev: String,
    /// The next word is the target of a make rule.
    target: bool,
    out: Out,
}

impl<'a> Masker<'a> {
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.before = taken.chars().next_back().unwrap_or(self.before);
        self.rest = rest;
        taken
    }

    /// `==> zlib: Executing phase: 'install'`.
    fn package_first(&mut self) {
        let Some((name, _)) = self.rest.split_once(": ") else { return };
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if plain && !name.is_empty() && !matches!(name, "error" | "warning" | "note" | "info") {
            let len = name.len();
            self.take(len);
            self.out.hole(PACKAGE);
        }
    }

    /// Takes the next piece; `false` at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if first.is_whitespace() || first.is_control() {
            self.take(first.len_utf8());
            self.out.space();
        } else if is_quote(first) && !self.before.is_alphanumeric() && self.quoted(first) {
        } else if is_mark(first) || is_quote(first) {
            self.take(first.len_utf8());
            if first == '['
                && matches!(self.prev.as_str(), "make" | "gmake")
                && self.out.ends_with_word()
                && self.depth()
            {
                return true;
            }
            self.out.text.push(if is_quote(first) { '\'' } else { first });
        } else {
            self.word();
        }
        true
    }

    /// Swallows the depth of a make: `make[2]` is `make`.
    fn depth(&mut self) -> bool {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let is_depth = digits > 0 && self.rest.get(digits..).is_some_and(|rest| rest.starts_with(']'));
        if is_depth {
            self.take(digits + 1);
        }
        is_depth
    }

    /// Takes a quotation of at most two words as one piece. A longer one is a sentence, and read like the rest of the line.
    fn quoted(&mut self, open: char) -> bool {
        let Some(body) = self.rest.get(open.len_utf8()..) else { return false };
        let closes = |c: char| match open {
            '`' => matches!(c, '`' | '\''),
            '‘' => c == '’',
            '“' => c == '”',
            other => c == other,
        };
        let mut end = None;
        for (at, c) in body.char_indices().take_while(|(at, _)| *at <= LONGEST_QUOTE) {
            let next = body.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
            if closes(c) && next.is_none_or(|n| !n.is_alphanumeric()) {
                end = Some((at, c.len_utf8()));
                break;
            }
        }
        let Some((len, close)) = end else { return false };
        let Some(content) = body.get(..len) else { return false };
        let sentence = content.split_whitespace().count() > 2 && shape(content).is_none();
        if sentence {
            return false;
        }
        self.take(open.len_utf8() + len + close);
        if TELLING.contains(&self.prev.as_str()) || is_symbol(content) {
            self.out.text.push('\'');
            without_numbers(content.trim(), &mut self.out.text);
            self.out.text.push('\'');
        } else {
            self.out.hole(shape(content.trim()).unwrap_or(NAME));
        }
        self.prev.clear();
        true
    }

    fn word(&mut self) {
        let run = self
            .rest
            .split(|c: char| c.is_whitespace() || c.is_control() || is_quote(c) || matches!(c, '<' | '>'))
            .next();
        if let Some((address, hole)) = run.and_then(|run| Some((run, url(run)?))) {
            let address = address.trim_end_matches(['.', ',', ':', ';', ')', ']', '}', '!', '?']);
            self.take(address.len());
            self.out.hole(hole);
            self.prev.clear();
            return;
        }
        let mut chars = self.rest.char_indices().peekable();
        let (mut end, mut last) = (self.rest.len(), ' ');
        while let Some((at, c)) = chars.next() {
            let inside = c == '\'' && last.is_alphanumeric() && chars.peek().is_some_and(|(_, n)| n.is_alphanumeric());
            if c.is_whitespace() || c.is_control() || is_mark(c) || (is_quote(c) && !inside) {
                end = at;
                break;
            }
            last = c;
        }
        let opened = self.before == '[';
        let run = self.take(end);
        let core = run.trim_end_matches(['.', ':', '!', '?', '…']);
        let tail = run.get(core.len()..).unwrap_or_default();
        if core.is_empty() {
            self.out.text.push_str(tail);
            return;
        }
        // `[Makefile:12: target]`: the word after the place is as free as the place.
        let place = opened && tail == ":" && core.contains(':') && core.ends_with(|c: char| c.is_ascii_digit());
        if place {
            self.out.hole(PATH);
        } else {
            self.core(if core == "gmake" { "make" } else { core });
        }
        self.target = place;
        self.out.text.push_str(tail);
        self.prev.clear();
        self.prev.extend(core.chars().take(32).map(|c| c.to_ascii_lowercase()));
    }

    fn core(&mut self, word: &str) {
        if std::mem::take(&mut self.target) {
            return self.out.hole(NAME);
        }
        if self.is_code(word) {
            return self.out.text.push_str(word);
        }
        let prev = self.prev.as_str();
        let plain = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if plain && !LINKS.contains(&word) && PACKAGE_VERBS.contains(&prev) {
            return self.out.hole(PACKAGE);
        }
        if REFS.contains(&prev) && !LINKS.contains(&word) {
            return self.out.hole(REF);
        }
        let assigned = word.split_once('=').filter(|(key, _)| is_key(key));
        if self.out.after_hole(SPEC) {
            let sigil = word.strip_prefix(['+', '~', '^', '%']).or(word.strip_prefix('/'));
            let goes_on =
                sigil.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"@.:-_=+~%".contains(&b)));
            if goes_on || assigned.is_some() {
                return self.out.hole(SPEC);
            }
        }
        if let Some((key, value)) = assigned {
            without_numbers(key, &mut self.out.text);
            self.out.text.push('=');
            return self.pieces(value);
        }
        if let Some(hole) = shape(word) {
            return self.out.hole(hole);
        }
        self.pieces(word);
    }

    fn pieces(&mut self, word: &str) {
        if let Some(hole) = shape(word) {
            return self.out.hole(hole);
        }
        for (index, piece) in word.split(':').enumerate() {
            if index > 0 {
                self.out.text.push(':');
            }
            match shape(piece) {
                Some(hole) => self.out.hole(hole),
                None => without_numbers(piece, &mut self.out.text),
            }
        }
    }

    /// A number that names the fault: an exit code, an errno, an HTTP status.
    fn is_code(&self, word: &str) -> bool {
        let prev = self.prev.rsplit([':', '=']).next().unwrap_or_default();
        let Some(number) = word.parse::<u16>().ok().filter(|n| *n < 1_000 && word.len() <= 3) else { return false };
        CODES.contains(&prev) || ((400..600).contains(&number) && ANSWERS.contains(&prev))
    }
}

/// A symbol version (`GLIBC_2.34`): which library is too old is the cause.
fn is_symbol(content: &str) -> bool {
    content.split_once('_').is_some_and(|(name, version)| {
        name.len() > 3
            && name.bytes().all(|b| b.is_ascii_uppercase())
            && version.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// What may stand before `=`: an option, a variable, a field.
fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"' | '`' | '‘' | '’' | '“' | '”')
}

fn is_mark(c: char) -> bool {
    matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | ',' | ';' | '|')
}

/// The template as it grows. Holes that follow each other are one: lists of any length look alike.
#[derive(Default)]
struct Out {
    text: String,
    hole: Option<Hole>,
}

#[derive(Clone, Copy)]
struct Hole {
    start: usize,
    end: usize,
    kind: &'static str,
}

impl Out {
    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
        }
    }

    fn ends_with_word(&self) -> bool {
        self.text.ends_with(|c: char| c.is_alphanumeric())
    }

    /// The last hole, when only separators stand after it.
    fn open_hole(&self) -> Option<Hole> {
        self.hole
            .filter(|hole| self.text.get(hole.end..).is_some_and(|tail| tail.chars().all(|c| matches!(c, ' ' | ','))))
    }

    fn after_hole(&self, kind: &str) -> bool {
        self.open_hole().is_some_and(|hole| hole.kind == kind)
    }

    fn hole(&mut self, kind: &'static str) {
        let (start, kind) = match self.open_hole() {
            Some(hole) => {
                self.text.truncate(hole.start);
                (hole.start, if hole.kind == kind { kind } else { ANY })
            }
            None => (self.text.len(), kind),
        };
        self.text.push_str(kind);
        self.hole = Some(Hole { start, end: self.text.len(), kind });
    }

    fn finish(mut self) -> String {
        let end =
            (0..=LONGEST_TEMPLATE.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        self.text.truncate(end);
        self.text.truncate(self.text.trim_end().len());
        self.text
    }
}
