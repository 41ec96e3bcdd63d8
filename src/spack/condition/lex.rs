//! Cuts a condition into tokens.

use super::error::Fault;

/// Conditions are one line that a person wrote; real ones have up to 120 characters.
const MAX_LENGTH: usize = 4_000;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
    End,
}

impl Token {
    /// How messages name it.
    pub fn label(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Text(_) => "a text".to_owned(),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// The tokens with their columns; the last one is [`Token::End`].
pub(super) fn tokens(expression: &str) -> Result<Vec<(usize, Token)>, Fault> {
    let mut lexer = Lexer { chars: expression.chars().take(MAX_LENGTH + 1).collect(), at: 0 };
    if lexer.chars.len() > MAX_LENGTH {
        return Fault::new(MAX_LENGTH, format!("it is longer than {MAX_LENGTH} characters"));
    }
    let mut found = Vec::new();
    loop {
        let (column, token) = lexer.next()?;
        let is_end = token == Token::End;
        found.push((column, token));
        if is_end {
            return Ok(found);
        }
    }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Result<(usize, Token), Fault> {
        while self.peek(0).is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        let column = self.at + 1;
        let Some(first) = self.peek(0) else { return Ok((column, Token::End)) };
        let token = match first {
            '"' | '\'' => self.text(false)?,
            'r' | 'R' if matches!(self.peek(1), Some('"' | '\'')) => {
                self.at += 1;
                self.text(true)?
            }
            _ if first.is_alphabetic() || first == '_' => {
                let word: String =
                    self.chars.iter().skip(self.at).take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                self.at += word.chars().count();
                if matches!(self.peek(0), Some('"' | '\'')) {
                    return Fault::new(column, format!("texts of the kind `{word}\"…\"` are not supported"));
                }
                Token::Word(word)
            }
            _ => self.sign(first, column)?,
        };
        Ok((column, token))
    }

    fn sign(&mut self, first: char, column: usize) -> Result<Token, Fault> {
        let sign = match (first, self.peek(1)) {
            ('=', Some('=')) => "==",
            ('!', Some('=')) => "!=",
            ('(', _) => "(",
            (')', _) => ")",
            ('[', _) => "[",
            (']', _) => "]",
            (',', _) => ",",
            ('.', _) => ".",
            _ if first.is_ascii_digit() => return Fault::new(column, "numbers are not supported"),
            _ => return Fault::new(column, format!("`{}` is not supported", first.escape_debug())),
        };
        self.at += sign.len();
        Ok(Token::Sign(sign))
    }

    fn text(&mut self, raw: bool) -> Result<Token, Fault> {
        let column = self.at + 1;
        let quote = self.peek(0);
        if self.peek(1) == quote && self.peek(2) == quote {
            return Fault::new(column, "texts in three quotes are not supported");
        }
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.peek(0) else { return Fault::new(column, "this text has no end") };
            self.at += 1;
            if Some(c) == quote {
                return Ok(Token::Text(text));
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            let Some(next) = self.peek(0) else { return Fault::new(column, "this text has no end") };
            self.at += 1;
            match next {
                // In a raw text a backslash keeps the quote from ending it, and stays.
                _ if raw => text.extend(['\\', next]),
                '\\' | '\'' | '"' => text.push(next),
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'a' | 'b' | 'f' | 'r' | 'v' | 'x' | 'u' | 'U' | 'N' | '\n' | '0'..='7' => {
                    return Fault::new(self.at - 1, format!("the escape `\\{}` is not supported", next.escape_debug()));
                }
                // Python leaves what it does not know as it is.
                _ => text.extend(['\\', next]),
            }
        }
    }
}
