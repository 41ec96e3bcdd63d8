//! Python's `re` in the syntax of the crate `regex`. What has no equal is refused with the reason.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// A pattern in our syntax.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub regex: String,
    /// It asked for the start or the end of the whole log; here that is a line.
    pub anchored: bool,
}

/// Translates one pattern. The error says what cannot be said in our syntax.
pub(super) fn translate(python: &str) -> Result<Translated, String> {
    let (body, starts, ends) = without_line_ends(python);
    let mut reader = Reader { rest: body.chars().peekable(), out: String::new(), anchored: false };
    if starts {
        reader.out.push('^');
    }
    reader.run()?;
    if ends {
        reader.out.push('$');
    }
    Ok(Translated { regex: reader.out, anchored: reader.anchored })
}

/// A line end at the edge of a pattern is the edge of a line.
fn without_line_ends(python: &str) -> (&str, bool, bool) {
    let (mut body, mut starts, mut ends) = (python, false, false);
    for end in ["\n", r"\n"] {
        if let Some(inner) = body.strip_suffix(end)
            && (end == "\n" || inner.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 0)
            && !inner.is_empty()
        {
            body = inner.strip_suffix("\r").or_else(|| inner.strip_suffix(r"\r")).unwrap_or(inner);
            ends = true;
            break;
        }
    }
    for start in ["\n", r"\n"] {
        if let Some(inner) =
            body.strip_prefix(start).filter(|inner| !inner.is_empty() && !inner.starts_with(['*', '+', '?', '{']))
        {
            body = inner;
            starts = true;
            break;
        }
    }
    (body, starts, ends)
}

/// What stands before the place that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Item,
    Quantifier,
    Lazy,
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    anchored: bool,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<(), String> {
        let mut before = Before::Item;
        while let Some(c) = self.rest.next() {
            let quantifier = match c {
                '*' | '+' | '?' => Some(String::from(c)),
                '{' => self.count(),
                _ => None,
            };
            if let Some(quantifier) = quantifier {
                before = match (before, quantifier.as_str()) {
                    (Before::Item, _) => Before::Quantifier,
                    (Before::Quantifier, "?") => Before::Lazy,
                    (Before::Quantifier, "+") => return Err("possessive quantifiers have no equal here".to_owned()),
                    _ => return Err("a quantifier follows another".to_owned()),
                };
                self.out.push_str(&quantifier);
                continue;
            }
            before = Before::Item;
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '(' => self.group()?,
                '{' => self.out.push_str(r"\{"),
                '\t' => self.out.push(' '),
                '^' => {
                    self.anchored = true;
                    self.out.push('^');
                }
                c => self.out.push(c),
            }
        }
        Ok(())
    }

    /// The rest of `{2,3}`; without one, the brace is text.
    fn count(&mut self) -> Option<String> {
        let text: String = self.rest.clone().take(24).take_while(|c| *c != '}').collect();
        let closed = self.rest.clone().nth(text.chars().count()) == Some('}');
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let count = match text.split_once(',') {
            Some((low, high)) if digits(low) && digits(high) => {
                format!("{{{},{high}}}", if low.is_empty() { "0" } else { low })
            }
            None if digits(&text) && !text.is_empty() => format!("{{{text}}}"),
            _ => return None,
        };
        if !closed {
            return None;
        }
        for _ in 0..=text.chars().count() {
            self.rest.next();
        }
        Some(count)
    }

    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let Some(c) = self.rest.next() else { return Err("it ends with a backslash".to_owned()) };
        match c {
            '0'..='7' => {
                let mut digits = String::from(c);
                while digits.len() < 3
                    && let Some(digit) = self.rest.next_if(|next| ('0'..='7').contains(next))
                {
                    digits.push(digit);
                }
                if c != '0' && digits.len() < 3 && !in_class {
                    return Err("backreferences have no equal here".to_owned());
                }
                let code = u32::from_str_radix(&digits, 8).unwrap_or_default();
                // Writing to a text cannot fail.
                let _ = write!(self.out, r"\x{{{code:x}}}");
            }
            '8' | '9' => return Err("backreferences have no equal here".to_owned()),
            'b' if in_class => self.out.push_str(r"\x08"),
            'A' if !in_class => {
                self.anchored = true;
                self.out.push_str(r"\A");
            }
            'Z' | 'z' if !in_class => {
                self.anchored = true;
                self.out.push_str(r"\z");
            }
            't' if !in_class => self.out.push(' '),
            'a' | 'f' | 'n' | 'r' | 't' | 'v' | 'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'x' | 'u' | 'U' => {
                self.out.extend(['\\', c]);
            }
            'b' | 'B' if !in_class => self.out.extend(['\\', c]),
            c if c.is_ascii_alphabetic() => return Err(format!(r"`\{c}` has no equal here")),
            '<' | '>' => self.out.push(c),
            c if c.is_ascii_punctuation() || c == ' ' => self.out.extend(['\\', c]),
            c => self.out.push(c),
        }
        Ok(())
    }

    /// `[…]`: in Python only `]`, `\`, `^` and `-` are special in it.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        if self.rest.next_if_eq(&']').is_some() {
            self.out.push_str(r"\]");
        }
        let mut last = ' ';
        loop {
            let Some(c) = self.rest.next() else { return Err("a `[` is not closed".to_owned()) };
            match c {
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                '\\' => self.escape(true)?,
                '[' => self.out.push_str(r"\["),
                '&' | '~' | '-' if last == c => self.out.extend(['\\', c]),
                c => self.out.push(c),
            }
            last = if c == '\\' { ' ' } else { c };
        }
    }

    fn group(&mut self) -> Result<(), String> {
        if self.rest.next_if_eq(&'?').is_none() {
            self.out.push('(');
            return Ok(());
        }
        let no_equal = |what: &str| Err(format!("{what} no equal here"));
        match self.rest.next() {
            Some(':') => self.out.push_str("(?:"),
            Some('P') => match self.rest.next() {
                Some('<') => self.out.push_str("(?P<"),
                _ => return no_equal("backreferences have"),
            },
            Some('=' | '!') => return no_equal("lookahead has"),
            Some('<') => return no_equal("lookbehind has"),
            Some('>') => return no_equal("an atomic group has"),
            Some('(') => return no_equal("a conditional group has"),
            Some('#') => {
                let closed = self.rest.by_ref().any(|c| c == ')');
                if !closed {
                    return Err("a comment is not closed".to_owned());
                }
            }
            Some(c) if c.is_ascii_alphabetic() || c == '-' => self.flags(c)?,
            _ => return Err("`(?` is followed by nothing that is known".to_owned()),
        }
        Ok(())
    }

    /// `(?im)` and `(?i:`. Lines are matched one by one, and classes are ASCII where they can: `m`, `a` and `u` change nothing.
    fn flags(&mut self, first: char) -> Result<(), String> {
        let mut kept = String::new();
        let mut next = Some(first);
        let end = loop {
            match next {
                Some(end @ (')' | ':')) => break end,
                Some('m' | 'a' | 'u') => {}
                Some(flag @ ('i' | 's' | '-')) => kept.push(flag),
                Some(flag) => return Err(format!("the flag `{flag}` has no equal here")),
                None => return Err("flags are not closed".to_owned()),
            }
            next = self.rest.next();
        };
        let kept = kept.trim_end_matches('-');
        match (kept.is_empty(), end) {
            (true, ')') => {}
            (true, _) => self.out.push_str("(?:"),
            (false, end) => {
                self.out.push_str("(?");
                self.out.push_str(kept);
                self.out.push(end);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::Regex;

    use super::*;

    #[test]
    fn what_has_an_equal_is_translated() {
        for (python, ours) in [
            (r"curl: \(6\) Could not", r"curl: \(6\) Could not"),
            (r"(?P<host>\S+) is down\Z", r"(?P<host>\S+) is down\z"),
            (r"a\<b\>c\-d\/e\ f", r"a<b>c\-d\/e\ f"),
            ("[[]a&&b--]", r"[\[]a&&b--]"),
            ("[a&&b]", r"[a&\&b]"),
            ("[]x]", r"[\]x]"),
            (r"[\b\101]", r"[\x08\x{41}]"),
            ("a{,3}b{2}c{x}d{}", r"a{0,3}b{2}c\{x}d\{}"),
            (r"\012\0", r"\x{a}\x{0}"),
            ("(?im)x(?m:y)(?-i:z)(?#why)", "(?i)x(?:y)(?-i:z)"),
            ("done:\n", "done:$"),
            (r"\nERROR\r\n", "^ERROR$"),
            (r"a\\n", r"a\\n"),
            ("col\tumn\\t", "col umn "),
            ("a+?b", "a+?b"),
        ] {
            let translated = translate(python).unwrap();
            assert_eq!(translated.regex, ours, "{python}");
            Regex::new(&translated.regex).unwrap();
        }
        assert!(
            translate("^a").unwrap().anchored
                && translate(r"a\Z").unwrap().anchored
                && !translate("a$").unwrap().anchored
        );
    }

    #[test]
    fn what_has_none_is_refused_with_the_reason() {
        for (python, reason) in [
            ("(?=a)b", "lookahead has no equal here"),
            ("(?!a)b", "lookahead has no equal here"),
            ("(?<=a)b", "lookbehind has no equal here"),
            (r"(a)\1", "backreferences have no equal here"),
            ("(?P<x>a)(?P=x)", "backreferences have no equal here"),
            ("a++b", "possessive quantifiers have no equal here"),
            ("a**", "a quantifier follows another"),
            ("(?>a)", "an atomic group has no equal here"),
            ("(a)?(?(1)b|c)", "a conditional group has no equal here"),
            ("(?x) a", "the flag `x` has no equal here"),
            (r"\pL", r"`\p` has no equal here"),
            (r"a\", "it ends with a backslash"),
            ("[a", "a `[` is not closed"),
        ] {
            assert_eq!(translate(python), Err(reason.to_owned()), "{python}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_panics(any in any::<String>(), near in r"(\\[0-9a-zA-Z<]|[\[\](){}?*+|^$,:=!P<>a-c1&~-]){0,20}") {
            let _ = (translate(&any), translate(&near));
        }
    }
}
