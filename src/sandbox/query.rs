//! Reads query documents of GraphQL for both forges: one operation of nested fields with aliases, arguments, variables and inline fragments.

use serde_json::{Map, Value};

/// A selected field. Variables in its arguments have been replaced by their values.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key of the answer: the alias, or the name. `...` for an inline fragment, whose name is `... on TYPE`.
    pub key: String,
    pub name: String,
    pub arguments: Map<String, Value>,
    pub fields: Vec<Field>,
}

impl Field {
    /// An argument that was given and is not null.
    pub fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.get(name).filter(|v| !v.is_null())
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.argument(name).and_then(Value::as_str)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.argument(name).and_then(Value::as_u64)
    }
}

/// Reads the one operation of a document.
pub fn parse(text: &str, given: &Map<String, Value>) -> Result<Vec<Field>, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, variables: Map::new() };
    if parser.take_word("query") {
        if parser.peek().is_some_and(|t| !matches!(t.as_str(), "(" | "{")) {
            parser.next()?;
        }
        if parser.take("(") {
            parser.declare(given)?;
        }
    } else if let Some(word @ ("mutation" | "subscription" | "fragment")) = parser.peek().map(String::as_str) {
        return Err(format!("this practice world does not play a GraphQL {word}"));
    }
    let fields = parser.selection()?;
    match parser.peek() {
        None => Ok(fields),
        Some(token) => Err(format!("Expected end of document, actual: {token}")),
    }
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
    variables: Map<String, Value>,
}

impl Parser {
    fn peek(&self) -> Option<&String> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<String, String> {
        let token = self.tokens.get(self.at).cloned().ok_or("Unexpected end of document")?;
        self.at += 1;
        Ok(token)
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.peek().is_some_and(|t| t == token);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.take(word)
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.next()? {
            found if found == token => Ok(()),
            found => Err(format!("Expected {token:?}, actual: {found:?}")),
        }
    }

    /// `$p: ID!, $n: Int! = 20, …)`.
    fn declare(&mut self, given: &Map<String, Value>) -> Result<(), String> {
        while !self.take(")") {
            self.expect("$")?;
            let name = self.next()?;
            self.expect(":")?;
            let mut required = false;
            while self.peek().is_some_and(|t| !matches!(t.as_str(), "$" | ")" | "=")) {
                required = self.next()? == "!";
            }
            let default = if self.take("=") { Some(self.value()?) } else { None };
            let value = given.get(&name).cloned().or(default).unwrap_or(Value::Null);
            if required && value.is_null() {
                return Err(format!(
                    "Variable ${name} of type was provided invalid value: Expected value to not be null"
                ));
            }
            self.variables.insert(name, value);
        }
        Ok(())
    }

    fn selection(&mut self) -> Result<Vec<Field>, String> {
        self.expect("{")?;
        let mut fields = Vec::new();
        while !self.take("}") {
            fields.push(self.field()?);
        }
        Ok(fields)
    }

    fn field(&mut self) -> Result<Field, String> {
        if self.take("...on") || (self.take("...") && self.take("on")) {
            let name = format!("... on {}", self.name()?);
            return Ok(Field { key: "...".to_owned(), name, arguments: Map::new(), fields: self.selection()? });
        }
        let key = self.name()?;
        let name = if self.take(":") { self.name()? } else { key.clone() };
        let mut arguments = Map::new();
        if self.take("(") {
            while !self.take(")") {
                let argument = self.name()?;
                self.expect(":")?;
                let value = self.value()?;
                arguments.insert(argument, value);
            }
        }
        let fields = if self.peek().is_some_and(|t| t == "{") { self.selection()? } else { Vec::new() };
        Ok(Field { key, name, arguments, fields })
    }

    fn name(&mut self) -> Result<String, String> {
        let token = self.next()?;
        if token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            Ok(token)
        } else {
            Err(format!("Expected NAME, actual: {token:?}"))
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        let token = self.next()?;
        Ok(match token.as_str() {
            "$" => {
                let name = self.name()?;
                self.variables
                    .get(&name)
                    .cloned()
                    .ok_or_else(|| format!("Variable ${name} is used but not declared"))?
            }
            "[" => {
                let mut items = Vec::new();
                while !self.take("]") {
                    items.push(self.value()?);
                }
                Value::Array(items)
            }
            "{" => {
                let mut pairs = Map::new();
                while !self.take("}") {
                    let name = self.name()?;
                    self.expect(":")?;
                    let value = self.value()?;
                    pairs.insert(name, value);
                }
                Value::Object(pairs)
            }
            "true" => true.into(),
            "false" => false.into(),
            "null" => Value::Null,
            text if text.starts_with('"') => serde_json::from_str(text).map_err(|e| format!("Expected STRING: {e}"))?,
            // A number, or else an enum value: kept as its word.
            text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        })
    }
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let length = match first {
            '#' => {
                rest = rest.split_once('\n').map_or("", |(_, after)| after).trim_start();
                continue;
            }
            '"' => 2 + string_length(rest).ok_or("Expected STRING, actual: an unterminated one")?,
            c if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at_checked(length).ok_or("Expected STRING")?;
        tokens.push(token.to_owned());
        rest = after.trim_start_matches([' ', '\n', '\r', '\t', ',']);
    }
    Ok(tokens)
}

/// The length between the quotes.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().skip(1).position(|byte| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(text: &str, variables: Value) -> Result<Vec<Field>, String> {
        parse(text, variables.as_object().unwrap())
    }

    #[test]
    fn aliases_arguments_and_variables_are_understood() {
        let text = "# what\nquery Jobs($p: ID!, $n: Int! = 50, $st: [CiJobStatus!]) {\n  a: project(fullPath: $p) { jobs(first: $n, statuses: $st, after: \"x\\\"y\", retried: false, kinds: [BUILD, BRIDGE]) { nodes { id } } } }";
        let fields = parsed(text, json!({"p": "g/p", "st": ["FAILED"]})).unwrap();
        assert_eq!(
            (fields[0].key.as_str(), fields[0].name.as_str(), fields[0].text("fullPath")),
            ("a", "project", Some("g/p"))
        );
        let jobs = &fields[0].fields[0];
        assert_eq!(jobs.number("first"), Some(50));
        assert_eq!(jobs.arguments["after"], json!("x\"y"));
        assert_eq!(jobs.arguments["kinds"], json!(["BUILD", "BRIDGE"]));
        assert_eq!(jobs.arguments["statuses"], json!(["FAILED"]));
        assert_eq!(jobs.fields[0].fields[0].name, "id");
    }

    #[test]
    fn broken_documents_are_errors() {
        for text in [
            "",
            "{",
            "{ a",
            "query { a(b: ) }",
            "{ a } }",
            "query ($x: Int!) { a }",
            "{ a(b: $c) }",
            "mutation { x }",
            "{ a(b: \"c) }",
        ] {
            assert!(parsed(text, json!({})).is_err(), "{text}");
        }
    }
}
