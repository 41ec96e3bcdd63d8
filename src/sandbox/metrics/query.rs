//! The part of PromQL that is played: a selector of one metric (a name, and matchers of its labels), its increase over a time, and the sum, least
//! or most of either, whole or by labels.

use regex::Regex;

use super::series::Labels;

/// Why a query is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("invalid parameter \"query\": {0}")]
    Bad(String),
    #[error(
        "the practice world's Prometheus answers metric{{label=\"value\"}}, increase(…[15m]) of it, and sum, min or max by (label) of either; over a time only what containers use; and nothing else of PromQL"
    )]
    NotPlayed,
}

#[derive(Debug)]
enum Matcher {
    Is(String, bool),
    Like(Regex, bool),
}

/// A name, and what its labels have to be.
#[derive(Debug)]
pub struct Selector {
    pub name: String,
    matchers: Vec<(String, Matcher)>,
}

/// What is asked.
#[derive(Debug)]
pub struct Query {
    pub selector: Selector,
    /// How much it grew in this time, in milliseconds, in place of what it is.
    pub increase_ms: Option<i64>,
    pub fold: Option<Fold>,
}

/// What becomes of many series.
#[derive(Debug)]
pub struct Fold {
    pub kind: FoldKind,
    /// The labels that stay.
    pub by: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldKind {
    Sum,
    Min,
    Max,
}

impl FoldKind {
    pub fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Sum => a + b,
            Self::Min => a.min(b),
            Self::Max => a.max(b),
        }
    }
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let text = text.trim();
        let kinds = [("sum", FoldKind::Sum), ("min", FoldKind::Min), ("max", FoldKind::Max)];
        let folded = kinds.into_iter().find_map(|(word, kind)| {
            let rest = text.strip_prefix(word)?.trim_start();
            (rest.starts_with('(') || rest.starts_with("by")).then_some((kind, rest))
        });
        let Some((kind, rest)) = folded else { return Self::inner(text) };
        let (by, rest) = match rest.strip_prefix("by") {
            Some(rest) => {
                let list = rest.trim_start().strip_prefix('(').ok_or(QueryError::NotPlayed)?;
                let (list, rest) = list.split_once(')').ok_or_else(|| bad("parse error: unclosed left parenthesis"))?;
                (list.split(',').map(|label| label.trim().to_owned()).collect(), rest.trim_start())
            }
            None => (Vec::new(), rest),
        };
        let inner = rest.strip_prefix('(').and_then(|rest| rest.trim_end().strip_suffix(')'));
        let inner = inner.ok_or(QueryError::NotPlayed)?;
        Ok(Self { fold: Some(Fold { kind, by }), ..Self::inner(inner)? })
    }

    fn inner(text: &str) -> Result<Self, QueryError> {
        let text = text.trim();
        let Some(ranged) = text.strip_prefix("increase(").and_then(|rest| rest.strip_suffix("])")) else {
            return Ok(Self { selector: Selector::parse(text)?, increase_ms: None, fold: None });
        };
        let (selector, range) = ranged.rsplit_once('[').ok_or(QueryError::NotPlayed)?;
        let (number, unit) = range.split_at(range.len().saturating_sub(1));
        let unit = match unit {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(QueryError::NotPlayed),
        };
        let number: i64 = number.parse().map_err(|_| QueryError::NotPlayed)?;
        Ok(Self { selector: Selector::parse(selector)?, increase_ms: Some(number * unit), fold: None })
    }
}

fn bad(why: &str) -> QueryError {
    QueryError::Bad(why.to_owned())
}

/// A quoted value, and what follows it.
fn quoted(text: &str) -> Result<(String, &str), QueryError> {
    let mut chars = text.char_indices();
    let quote = chars.next().map(|(_, c)| c).filter(|c| matches!(c, '"' | '\''));
    let quote = quote.ok_or_else(|| bad("a label's value has to be quoted"))?;
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some(c @ ('\\' | '"' | '\'')) => value.push(c),
                _ => return Err(bad("unknown escape sequence")),
            },
            c if c == quote => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            c => value.push(c),
        }
    }
    Err(bad("unterminated quoted string"))
}

fn is_name(text: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.starts_with(is_first) && text.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

impl Selector {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(bad("1:1: parse error: no expression found in input"));
        }
        let (name, rest) = text.split_once('{').map_or((text, None), |(name, rest)| (name.trim(), Some(rest)));
        if !is_name(name) {
            return Err(QueryError::NotPlayed);
        }
        let mut matchers = Vec::new();
        let Some(mut rest) = rest.map(str::trim_start) else { return Ok(Self { name: name.to_owned(), matchers }) };
        loop {
            if let Some(end) = rest.strip_prefix('}') {
                // More follows: a range, an operator, an offset.
                return if end.trim().is_empty() {
                    Ok(Self { name: name.to_owned(), matchers })
                } else {
                    Err(QueryError::NotPlayed)
                };
            }
            let at = rest.find(['=', '!']).ok_or_else(|| bad("parse error: unexpected end of input inside braces"))?;
            let (label, after) = rest.split_at(at);
            let label = label.trim();
            if !is_name(label) {
                return Err(bad("parse error: unexpected character inside braces"));
            }
            let sign = ["=~", "!~", "!=", "="].into_iter().find(|sign| after.starts_with(sign));
            let sign = sign.ok_or_else(|| bad("parse error: unexpected character after '!' inside braces"))?;
            let (value, after) = quoted(after.get(sign.len()..).unwrap_or_default().trim_start())?;
            let is_wanted = sign.starts_with('=');
            let matcher = if sign.ends_with('~') {
                let whole = Regex::new(&format!("^(?s:{value})$")).map_err(|error| bad(&error.to_string()))?;
                Matcher::Like(whole, is_wanted)
            } else {
                Matcher::Is(value, is_wanted)
            };
            matchers.push((label.to_owned(), matcher));
            rest = after.trim_start();
            rest = match rest.strip_prefix(',') {
                Some(rest) => rest.trim_start(),
                None if rest.starts_with('}') => rest,
                None => return Err(bad("parse error: unexpected text inside braces, expected \",\" or \"}\"")),
            };
        }
    }

    /// Whether a series is meant. A label that it lacks is empty.
    pub fn takes(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|(label, matcher)| {
            let found = labels.get(label.as_str()).map_or("", String::as_str);
            match matcher {
                Matcher::Is(value, is_wanted) => (found == value) == *is_wanted,
                Matcher::Like(value, is_wanted) => value.is_match(found) == *is_wanted,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_and_the_rest_is_refused_in_two_ways() {
        let labels: Labels = [("zone", "us-east-1a".to_owned()), ("kind", "a\"b".to_owned())].into();
        for (query, takes) in [
            ("m", true),
            (" m{} ", true),
            (r#"m{zone="us-east-1a"}"#, true),
            (r#"m{zone=~"us-.*", kind!="x",}"#, true),
            (r#"m{kind="a\"b"}"#, true),
            (r#"m{zone=~"east"}"#, false),
            (r#"m{other=""}"#, true),
            (r#"m{zone!~"us.*"}"#, false),
        ] {
            let selector = Selector::parse(query).unwrap();
            assert_eq!((selector.name.as_str(), selector.takes(&labels)), ("m", takes), "{query}");
        }
        for (query, increase_ms, by) in [
            ("increase(m[15m])", Some(900_000), None),
            ("sum(m)", None, Some(0)),
            ("max by (a, b)(m{a=\"b\"})", None, Some(2)),
            ("sum(increase(m{a=\"b\"}[2h]))", Some(7_200_000), Some(0)),
        ] {
            let read = Query::parse(query).unwrap();
            assert_eq!((read.increase_ms, read.fold.map(|fold| fold.by.len())), (increase_ms, by), "{query}");
        }
        for query in ["avg(m)", "sum(m) + 1", "increase(m[15])", "increase(m)", "sum(rate(m[5m]))"] {
            assert_eq!(Query::parse(query).unwrap_err(), QueryError::NotPlayed, "{query}");
        }
        for query in ["sum(m)", "m[5m]", "m{} + 1", "1", "m{a=\"b\"}[5m]", "rate(m{a=\"b\"}[5m])"] {
            assert_eq!(Selector::parse(query).unwrap_err(), QueryError::NotPlayed, "{query}");
        }
        for query in ["", "m{", "m{a}", "m{a=b}", "m{a=\"b}", "m{a=\"b\" c=\"d\"}", "m{a=~\"(\"}"] {
            assert!(matches!(Selector::parse(query), Err(QueryError::Bad(_))), "{query}");
        }
    }
}
