//! Selectors of one metric: a name, and matchers of its labels.

use regex::Regex;

use super::series::Labels;

/// Why a query is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("invalid parameter \"query\": {0}")]
    Bad(String),
    #[error(
        "the practice world's Prometheus answers selectors of one metric at this moment, like metric{{label=\"value\"}}, and nothing else of PromQL"
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
        for query in ["sum(m)", "m[5m]", "m{} + 1", "1", "m{a=\"b\"}[5m]", "rate(m{a=\"b\"}[5m])"] {
            assert_eq!(Selector::parse(query).unwrap_err(), QueryError::NotPlayed, "{query}");
        }
        for query in ["", "m{", "m{a}", "m{a=b}", "m{a=\"b}", "m{a=\"b\" c=\"d\"}", "m{a=~\"(\"}"] {
            assert!(matches!(Selector::parse(query), Err(QueryError::Bad(_))), "{query}");
        }
    }
}
