//! Reads the tokens of a condition into a tree, with Python's precedence.

use super::error::Fault;
use super::lex::{Token, tokens};

/// How deep parentheses, lists and `not` may nest.
const MAX_DEPTH: usize = 40;
/// How many calls may hang on each other: `env.get("X").lower()` has two.
const MAX_CALLS: usize = 8;

#[derive(Debug)]
pub(super) enum Expr {
    Text(String),
    Bool(bool),
    Nothing,
    Name(usize, String),
    List(Vec<Expr>),
    Not(Box<Expr>),
    /// `and` of all: the first one that does not hold, or the last.
    All(Vec<Expr>),
    /// `or` of all: the first one that holds, or the last.
    Any(Vec<Expr>),
    /// `a == b != c` holds when every neighbouring pair does.
    Compare(Box<Expr>, Vec<(usize, Relation, Expr)>),
    Call {
        column: usize,
        on: Box<Expr>,
        method: String,
        args: Vec<Expr>,
    },
    Item {
        column: usize,
        on: Box<Expr>,
        key: Box<Expr>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    Unequal,
    In,
    NotIn,
    Is,
    IsNot,
}

/// Reads a whole expression.
pub(super) fn parse(expression: &str) -> Result<Expr, Fault> {
    let mut parser = Parser { tokens: tokens(expression)?, at: 0, depth: 0 };
    let tree = parser.either()?;
    match parser.next() {
        (_, Token::End) => Ok(tree),
        (column, token) => Fault::new(column, format!("{} is not supported here", token.label())),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, token)| token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(column, _)| *column)
    }

    fn next(&mut self) -> (usize, Token) {
        let found = (self.column(), self.peek().clone());
        self.at += 1;
        found
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(next) if next == word);
        self.at += usize::from(found);
        found
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(next) if *next == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), Fault> {
        if self.takes_sign(sign) {
            return Ok(());
        }
        Fault::new(self.column(), format!("`{sign}` is missing before {}", self.peek().label()))
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == MAX_DEPTH {
            return Fault::new(self.column(), format!("it nests more than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let found = read(self);
        self.depth -= 1;
        found
    }

    fn either(&mut self) -> Result<Expr, Fault> {
        let first = self.both()?;
        self.rest(first, "or", Self::both, Expr::Any)
    }

    fn both(&mut self) -> Result<Expr, Fault> {
        let first = self.negated()?;
        self.rest(first, "and", Self::negated, Expr::All)
    }

    fn rest(
        &mut self,
        first: Expr,
        word: &str,
        read: impl Fn(&mut Self) -> Result<Expr, Fault>,
        join: impl FnOnce(Vec<Expr>) -> Expr,
    ) -> Result<Expr, Fault> {
        let mut parts = vec![first];
        while self.takes_word(word) {
            parts.push(read(self)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { join(parts) })
    }

    fn negated(&mut self) -> Result<Expr, Fault> {
        if self.takes_word("not") {
            return Ok(Expr::Not(Box::new(self.deeper(Self::negated)?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr, Fault> {
        let first = self.called()?;
        let mut rest = Vec::new();
        loop {
            let column = self.column();
            let Some(relation) = self.relation()? else { break };
            rest.push((column, relation, self.called()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(Box::new(first), rest) })
    }

    fn relation(&mut self) -> Result<Option<Relation>, Fault> {
        let found = if self.takes_sign("==") {
            Relation::Equal
        } else if self.takes_sign("!=") {
            Relation::Unequal
        } else if self.takes_word("in") {
            Relation::In
        } else if self.takes_word("is") {
            if self.takes_word("not") { Relation::IsNot } else { Relation::Is }
        } else if self.takes_word("not") {
            if !self.takes_word("in") {
                return Fault::new(self.column(), format!("`in` is missing before {}", self.peek().label()));
            }
            Relation::NotIn
        } else {
            return Ok(None);
        };
        Ok(Some(found))
    }

    fn called(&mut self) -> Result<Expr, Fault> {
        let mut on = self.atom()?;
        for calls in 0.. {
            let column = self.column();
            let is_call = self.takes_sign(".");
            if !is_call && !self.takes_sign("[") {
                break;
            }
            if calls == MAX_CALLS {
                return Fault::new(column, format!("more than {MAX_CALLS} calls hang on each other"));
            }
            on = if is_call {
                let (column, name) = self.next();
                let Token::Word(method) = name else {
                    return Fault::new(column, format!("a name is missing before {}", name.label()));
                };
                self.expect("(")?;
                let args = self.deeper(|parser| parser.list(")").map(|(items, _)| items))?;
                Expr::Call { column, on: Box::new(on), method, args }
            } else {
                let key = self.deeper(Self::either)?;
                self.expect("]")?;
                Expr::Item { column, on: Box::new(on), key: Box::new(key) }
            };
        }
        Ok(on)
    }

    /// The items up to the closing sign, and whether a comma follows the last one.
    fn list(&mut self, close: &str) -> Result<(Vec<Expr>, bool), Fault> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.takes_sign(close) {
            if !items.is_empty() && !comma {
                return Fault::new(self.column(), format!("`{close}` is missing before {}", self.peek().label()));
            }
            items.push(self.either()?);
            comma = self.takes_sign(",");
        }
        Ok((items, comma))
    }

    fn atom(&mut self) -> Result<Expr, Fault> {
        match self.next() {
            (_, Token::Text(text)) => {
                if matches!(self.peek(), Token::Text(_)) {
                    return Fault::new(self.column(), "two texts in a row are not supported");
                }
                Ok(Expr::Text(text))
            }
            (_, Token::Sign("[")) => self.deeper(|parser| parser.list("]")).map(|(items, _)| Expr::List(items)),
            (column, Token::Sign("(")) => {
                let (mut items, comma) = self.deeper(|parser| parser.list(")"))?;
                match items.len() {
                    0 => Fault::new(column, "there is nothing between the parentheses"),
                    1 if !comma => Ok(items.swap_remove(0)),
                    _ => Ok(Expr::List(items)),
                }
            }
            (column, Token::Word(word)) => match word.as_str() {
                "True" => Ok(Expr::Bool(true)),
                "False" => Ok(Expr::Bool(false)),
                "None" => Ok(Expr::Nothing),
                "and" | "or" | "not" | "in" | "is" | "if" | "else" | "for" | "lambda" => {
                    Fault::new(column, format!("`{word}` stands where a value is expected"))
                }
                _ => Ok(Expr::Name(column, word)),
            },
            (column, token) => Fault::new(column, format!("{} stands where a value is expected", token.label())),
        }
    }
}
