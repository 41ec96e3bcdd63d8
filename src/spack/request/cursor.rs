//! A place in the text of a request, and the steps that can be taken from it. What stands where is the business of
//! [`super::read`].

use super::error::RequestError;

pub type Read<T> = Result<T, RequestError>;

pub struct Cursor<'a> {
    pub text: &'a str,
    /// A byte of the text, always the first one of a character.
    pub at: usize,
    /// The first thing that a lock cannot answer.
    pub refused: Option<RequestError>,
}

impl<'a> Cursor<'a> {
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0, refused: None }
    }

    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    pub fn take(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = rest.find(|c| !accept(c)).and_then(|end| rest.get(..end)).unwrap_or(rest);
        self.at += taken.len();
        taken
    }

    pub fn blanks(&mut self) {
        self.take(char::is_whitespace);
    }

    pub fn fail<T>(&self, at: usize, what: impl Into<String>) -> Read<T> {
        Err(RequestError::at(self.text, at, what))
    }

    /// Remembers something that is sound but cannot be judged.
    pub fn refuse(&mut self, at: usize, what: impl Into<String>) {
        if self.refused.is_none() {
            self.refused = Some(RequestError::at(self.text, at, what));
        }
    }

    /// A quoted value without its quotes, or a bare one; and whether it was quoted.
    pub fn value(&mut self, at: usize, name: &str) -> Read<(String, bool)> {
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            let start = self.at;
            self.at += 1;
            let mut value = String::new();
            loop {
                match self.peek() {
                    None => return self.fail(start, "the quote is not closed; write the second one"),
                    Some(c) if c == quote && !value.ends_with('\\') => break,
                    Some(c) => {
                        // An escaped quote is one without its backslash.
                        if c == quote {
                            value.pop();
                        }
                        value.push(c);
                        self.at += c.len_utf8();
                    }
                }
            }
            self.at += 1;
            return Ok((value, true));
        }
        let value = self.take(|c| is_name(c) || "+*,:=%^~/\\".contains(c));
        if value.is_empty() {
            return self.fail(at, format!("`{}=` has no value; write one, or `''` for an empty one", brief(name)));
        }
        Ok((value.to_owned(), false))
    }
}

pub const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

pub const fn is_name(c: char) -> bool {
    is_word(c) || c == '-' || c == '.'
}

pub fn is_identifier(text: &str) -> bool {
    text.starts_with(is_word) && text.chars().all(|c| is_word(c) || c == '-')
}

pub fn brief(text: &str) -> String {
    text.chars().take(40).collect()
}
