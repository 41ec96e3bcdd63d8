//! From text to terms. Every mistake is told with the bytes it concerns.

use std::ops::Range;

use super::FilterError;
use super::field::{Field, Kind};
use super::needle::{Needle, Pattern};
use super::quantity::{Moment, Quantity};
use super::term::{Compare, Node, Op, Operand, States, ends_bare};
use crate::console::fuzzy::Fuzzy;
use crate::console::state::JobState;

/// Finds the text of a saved filter by its name.
pub type Saved<'a> = dyn Fn(&str) -> Option<String> + 'a;

// Together these bound time, memory and stack, whatever the text. What is written from a filter within the other bounds fits `MAX_TEXT`,
// so that it can be read again.
const MAX_TEXT: usize = 512 * 1024;
const MAX_TERMS: usize = 512;
const MAX_TERM: usize = 256;
const MAX_PATTERNS: usize = 32;
const MAX_DEPTH: usize = 32;

type Parsed<T> = Result<T, FilterError>;

/// Parses a whole filter.
pub(super) fn parse(text: &str, saved: &Saved<'_>) -> Parsed<Node> {
    let mut spent = Spent { saved, trail: Vec::new(), terms: 0, patterns: 0, depth: 0 };
    Parser { text, at: 0, spent: &mut spent }.filter()
}

/// What a filter and the saved ones in it use up together.
struct Spent<'s> {
    saved: &'s Saved<'s>,
    /// The saved filters that are being read, outermost first.
    trail: Vec<String>,
    terms: usize,
    patterns: usize,
    depth: usize,
}

struct Parser<'t, 'p, 's> {
    text: &'t str,
    at: usize,
    spent: &'p mut Spent<'s>,
}

impl<'t> Parser<'t, '_, '_> {
    fn filter(mut self) -> Parsed<Node> {
        if self.text.len() > MAX_TEXT {
            let first = self.text.chars().next().map_or(0, char::len_utf8);
            return Err(mistake(0..first, format!("longer than {MAX_TEXT} bytes"), "shorten it"));
        }
        if self.next_sign().is_none() {
            return Ok(Node::default());
        }
        let node = self.any(None)?;
        match self.next_sign() {
            None => Ok(node),
            Some(_) => Err(self.stray()),
        }
    }

    fn stray(&self) -> FilterError {
        mistake(self.at..self.at + 1, "this `)` closes nothing", "remove it, or quote it")
    }

    /// `after` is the sign that asks for what follows: a bar or a parenthesis.
    fn any(&mut self, mut after: Option<usize>) -> Parsed<Node> {
        let mut parts = Vec::new();
        loop {
            parts.push(self.all(after)?);
            if self.next_sign() != Some('|') {
                return Ok(Node::any(parts));
            }
            after = Some(self.at);
            self.at += 1;
        }
    }

    fn all(&mut self, after: Option<usize>) -> Parsed<Node> {
        let mut parts = Vec::new();
        while !matches!(self.next_sign(), None | Some('|' | ')')) {
            parts.push(self.unary()?);
        }
        match (after, self.rest().chars().next()) {
            _ if !parts.is_empty() => Ok(Node::all(parts)),
            (None, Some(')')) => Err(self.stray()),
            (after, _) => {
                let at = after.unwrap_or(self.at);
                let sign = self.text.get(at..at + 1).unwrap_or_default();
                Err(mistake(at..at + 1, format!("a term is missing beside `{sign}`"), "write a word there"))
            }
        }
    }

    fn unary(&mut self) -> Parsed<Node> {
        let mut negated = false;
        let mut mark = None;
        while self.next_sign() == Some('!') {
            mark = Some(self.at);
            negated = !negated;
            self.at += 1;
        }
        if let (Some(mark), None | Some('|' | ')')) = (mark, self.next_sign()) {
            return Err(mistake(mark..mark + 1, "nothing follows `!`", "write what to leave out"));
        }
        let atom = self.atom()?;
        Ok(if negated { atom.not() } else { atom })
    }

    fn atom(&mut self) -> Parsed<Node> {
        let start = self.at;
        let rest = self.rest();
        let mut chars = rest.chars();
        match (chars.next(), chars.next()) {
            (Some('('), _) => self.group(),
            (Some('"'), _) => {
                let text = self.quoted()?;
                self.term(start, &text)?;
                if text.is_empty() {
                    return Err(mistake(start..self.at, "empty quotes", "write the text to find between them"));
                }
                Ok(Node::Quoted(Needle::new(&text)))
            }
            (Some('/'), _) => {
                let source = self.slashed()?;
                self.pattern(start, source).map(Node::Pattern)
            }
            (Some('@'), Some(c)) if c.is_ascii_alphabetic() => self.saved(),
            _ => self.word(),
        }
    }

    fn group(&mut self) -> Parsed<Node> {
        let open = self.at;
        self.deeper(open..open + 1)?;
        self.at += 1;
        let node = self.any(Some(open))?;
        self.spent.depth -= 1;
        if self.next_sign() != Some(')') {
            return Err(mistake(open..open + 1, "this `(` is not closed", "add `)`"));
        }
        self.at += 1;
        Ok(node)
    }

    fn saved(&mut self) -> Parsed<Node> {
        let start = self.at;
        self.at += 1;
        let name = self.bare(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
        self.term(start, name)?;
        let span = start..self.at;
        if self.spent.trail.iter().any(|open| open == name) {
            let way = self.spent.trail.join("` → `@");
            return Err(mistake(span, format!("`@{name}` leads back to itself"), format!("break `@{way}`")));
        }
        let Some(text) = (self.spent.saved)(name) else {
            let reason = format!("no filter is saved as `@{name}`");
            return Err(mistake(span, reason, "save one, or quote it to find the text"));
        };
        self.deeper(span.clone())?;
        self.spent.trail.push(name.to_owned());
        let parsed = Parser { text: &text, at: 0, spent: self.spent }.filter();
        self.spent.trail.pop();
        self.spent.depth -= 1;
        match parsed {
            Ok(node) => Ok(Node::Saved { name: name.into(), node: Box::new(node) }),
            Err(e) => Err(FilterError { reason: format!("in `@{name}`: {}", e.reason), span, ..e }),
        }
    }

    fn word(&mut self) -> Parsed<Node> {
        let start = self.at;
        let letters = self.rest().bytes().take_while(u8::is_ascii_alphabetic).count();
        let (name, after) = self.rest().split_at(letters);
        if let Some(op) = Op::at_start(after) {
            match Field::parse(name) {
                Some(field) => {
                    self.at += letters + op.sign().len();
                    return self.compare(start, field, op);
                }
                // `~mpi` is how Spack writes a variant.
                None if name.is_empty() && op == Op::Matches => {}
                None if name.is_empty() => {
                    let span = start..start + op.sign().len();
                    let reason = format!("a field is missing before `{}`", op.sign());
                    return Err(mistake(span, reason, "write one, such as `state` or `age`, or quote this"));
                }
                None => {
                    let hint = match Field::nearest(name) {
                        Some(field) => format!("did you mean `{field}`?"),
                        None => "press Tab for the fields, or quote it to find the text".to_owned(),
                    };
                    return Err(mistake(start..start + letters, format!("no field is called `{name}`"), hint));
                }
            }
        }
        let text = self.bare(ends_bare);
        self.term(start, text)?;
        Ok(Node::Word(text.into(), Fuzzy::new(text)))
    }

    fn compare(&mut self, start: usize, field: Field, op: Op) -> Parsed<Node> {
        let kind = field.kind();
        if !Op::of(kind).contains(&op) {
            let signs: Vec<_> = Op::of(kind).iter().map(|op| op.sign()).collect();
            let reason = format!("`{}` does not work on `{field}`", op.sign());
            return Err(mistake(start..self.at, reason, format!("use one of {}", signs.join(" "))));
        }
        let operands =
            if op == Op::Matches { vec![self.pattern_operand(start, field)?] } else { self.list(start, field, op)? };
        Ok(Node::Compare(Compare { field, op, operands }))
    }

    fn pattern_operand(&mut self, start: usize, field: Field) -> Parsed<Operand> {
        let value = self.at;
        let source = match self.rest().chars().next() {
            Some('/') => self.slashed()?.to_owned(),
            Some('"') => self.quoted()?,
            _ => self.bare_pattern().to_owned(),
        };
        let pattern = self.pattern(if value == self.at { start } else { value }, &source)?;
        Ok(if field == Field::State {
            let states = States::named(|word| pattern.is_match(word));
            Operand::StatePattern(pattern, states)
        } else {
            Operand::Pattern(pattern)
        })
    }

    fn list(&mut self, start: usize, field: Field, op: Op) -> Parsed<Vec<Operand>> {
        let mut operands = Vec::new();
        loop {
            let value = self.at;
            let is_quoted = self.rest().starts_with('"');
            let text = if is_quoted { self.quoted()? } else { self.bare(|c| ends_bare(c) || c == ',').to_owned() };
            self.term(value, &text)?;
            let comma = self.rest().starts_with(',');
            if text.is_empty() && !(is_quoted && matches!(op, Op::Equals | Op::Differs)) {
                return Err(match (is_quoted, operands.is_empty() && !comma) {
                    (true, _) => mistake(value..self.at, "an empty value", "use `=\"\"` for an empty text"),
                    (_, true) => mistake(start..self.at, "a value is missing", example(field.kind(), field)),
                    (_, false) => {
                        let at = if comma { self.at } else { self.at - 1 };
                        mistake(at..at + 1, "a value is missing beside `,`", "write one, or remove the comma")
                    }
                });
            }
            operands.push(operand(value..self.at, field, op, &text, is_quoted)?);
            if !comma {
                return Ok(operands);
            }
            if !op.takes_list() {
                let reason = format!("`{}` compares with one value", op.sign());
                return Err(mistake(self.at..self.at + 1, reason, "use `:`, `=` or `!=` for lists"));
            }
            self.at += 1;
        }
    }

    /// Counts the term of this text that ends here.
    fn term(&mut self, start: usize, text: &str) -> Parsed<()> {
        // An empty value is told of by who asked for it; here it only has to have a place.
        let span = if self.at > start { start..self.at } else { start - 1..start };
        self.spent.terms += 1;
        if self.spent.terms > MAX_TERMS {
            return Err(mistake(span, format!("more than {MAX_TERMS} terms"), "use a pattern, or fewer words"));
        }
        if text.len() > MAX_TERM {
            return Err(mistake(span, format!("a term is longer than {MAX_TERM} bytes"), "shorten it"));
        }
        Ok(())
    }

    fn pattern(&mut self, start: usize, source: &str) -> Parsed<Pattern> {
        self.term(start, "")?;
        let span = start..self.at;
        if source.is_empty() {
            return Err(mistake(span, "an empty pattern is in every text", "write what to find"));
        }
        self.spent.patterns += 1;
        if self.spent.patterns > MAX_PATTERNS {
            return Err(mistake(span, format!("more than {MAX_PATTERNS} patterns"), "join some of them by `|`"));
        }
        Pattern::new(source, MAX_TERM)
            .map_err(|reason| mistake(span, format!("bad pattern: {reason}"), "quote it to find the text"))
    }

    fn deeper(&mut self, span: Range<usize>) -> Parsed<()> {
        self.spent.depth += 1;
        if self.spent.depth > MAX_DEPTH {
            return Err(mistake(span, format!("nested deeper than {MAX_DEPTH}"), "use fewer parentheses"));
        }
        Ok(())
    }

    /// Reads `"…"` with `\"` and `\\` in it.
    fn quoted(&mut self) -> Parsed<String> {
        let open = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = open + at + 1;
                    return Ok(text);
                }
                '\\' => text.extend(chars.next().map(|(_, c)| c)),
                c => text.push(c),
            }
        }
        Err(mistake(open..self.text.len(), "the quote is not closed", "add `\"`"))
    }

    /// Reads `/…/`; escapes stay for the pattern.
    fn slashed(&mut self) -> Parsed<&'t str> {
        let open = self.at;
        let rest = self.rest();
        let mut chars = rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '/' => {
                    self.at = open + at + 1;
                    return Ok(rest.get(1..at).unwrap_or_default());
                }
                '\\' => {
                    chars.next();
                }
                _ => {}
            }
        }
        Err(mistake(open..self.text.len(), "the pattern is not closed", "add `/`, or quote it to find the text"))
    }

    /// Reads a pattern that stands bare after `~`: parentheses and bars inside its own parentheses are its own.
    fn bare_pattern(&mut self) -> &'t str {
        let mut open = 0_usize;
        let mut escaped = false;
        self.bare(|c| {
            if c.is_whitespace() {
                return true;
            }
            let plain = !escaped;
            escaped = plain && c == '\\';
            match c {
                '(' if plain => open += 1,
                ')' if plain && open > 0 => open -= 1,
                ')' | '|' if plain && open == 0 => return true,
                _ => {}
            }
            false
        })
    }

    fn bare(&mut self, ends: impl FnMut(char) -> bool) -> &'t str {
        let rest = self.rest();
        let text = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
        self.at += text.len();
        text
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Skips blanks and shows what comes next.
    fn next_sign(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }
}

fn operand(span: Range<usize>, field: Field, op: Op, text: &str, is_quoted: bool) -> Parsed<Operand> {
    if !is_quoted && text == "?" {
        return if op.takes_list() {
            Ok(Operand::Unknown)
        } else {
            Err(mistake(span, format!("`{}` has no order with unknown", op.sign()), "use `:?` or `!=?`"))
        };
    }
    if let Some(second) = Op::at_start(text).filter(|_| !is_quoted) {
        let reason = format!("`{}{}` is no operator", op.sign(), second.sign());
        return Err(mistake(span, reason, "use one of : = != < <= > >= ~, or quote the value"));
    }
    let bad = |reason: String| mistake(span.clone(), reason, example(field.kind(), field));
    match field.kind() {
        Kind::Text if field == Field::State => Ok(Operand::State(Needle::new(text), states(op, text))),
        Kind::Text => Ok(Operand::Text(Needle::new(text))),
        Kind::Moment => Moment::parse(text)
            .map(|moment| Operand::Moment(text.into(), moment))
            .ok_or_else(|| bad(format!("`{text}` is not a time"))),
        kind => Quantity::parse(kind, text).map(|quantity| Operand::Quantity(text.into(), quantity)).ok_or_else(|| {
            bad(match kind {
                Kind::Length => format!("`{text}` is not a length of time"),
                Kind::Bytes => format!("`{text}` is not a size"),
                _ => format!("`{text}` is not a number"),
            })
        }),
    }
}

fn mistake(span: Range<usize>, reason: impl Into<String>, hint: impl Into<String>) -> FilterError {
    FilterError { span, reason: reason.into(), hint: hint.into() }
}

/// The states that a word names; while it is being typed, all that it may become.
fn states(op: Op, text: &str) -> States {
    match JobState::parse(text) {
        Some(meant) => States::named(|word| JobState::parse(word) == Some(meant)),
        None if op == Op::Contains => {
            States::named(|word| word.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text)))
        }
        None => States::default(),
    }
}

fn example(kind: Kind, field: Field) -> String {
    match kind {
        Kind::Text => format!("write one, such as `{field}:{}`", if field == Field::State { "failed" } else { "hdf5" }),
        Kind::Number => format!("write a number, such as `{field}>10` or `{field}>2k`"),
        Kind::Length => format!("write a number with its unit s, m, h or d, such as `{field}>30m`"),
        Kind::Bytes => format!("write a number with its unit k, M, G or T, such as `{field}>3G`"),
        Kind::Moment => format!("write a time, such as `{field}:02:30` or `{field}:-6h`"),
    }
}
