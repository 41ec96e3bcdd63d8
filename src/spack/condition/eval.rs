//! What a condition says about a machine.

use regex::RegexBuilder;

use super::error::{ConditionError, Fault};
use super::facts::Facts;
use super::parse::{Expr, Relation, parse};

/// Bytes that a compiled pattern may take.
const MAX_PATTERN: usize = 1 << 20;

/// Whether the condition holds, as Python would answer it.
pub fn holds(expression: &str, facts: &Facts) -> Result<bool, ConditionError> {
    let told = |fault: Fault| fault.of(expression);
    let tree = parse(expression).map_err(told)?;
    Eval { facts }.value(&tree).map(|value| value.is_true(facts)).map_err(told)
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Nothing,
    Bool(bool),
    Text(String),
    List(Vec<Value>),
    /// What `re.search` gives when it finds something.
    Found,
    Env,
    Re,
    Arch,
}

impl Value {
    fn is_true(&self, facts: &Facts) -> bool {
        match self {
            Self::Nothing => false,
            Self::Bool(flag) => *flag,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Env => !facts.env.is_empty(),
            Self::Found | Self::Re | Self::Arch => true,
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Bool(_) => "a yes or no",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Found => "a match",
            Self::Env => "`env`",
            Self::Re => "`re`",
            Self::Arch => "`arch`",
        }
    }
}

struct Eval<'a> {
    facts: &'a Facts,
}

impl Eval<'_> {
    fn value(&self, expr: &Expr) -> Result<Value, Fault> {
        match expr {
            Expr::Text(text) => Ok(Value::Text(text.clone())),
            Expr::Bool(flag) => Ok(Value::Bool(*flag)),
            Expr::Nothing => Ok(Value::Nothing),
            Expr::Name(column, name) => self.name(*column, name),
            Expr::List(items) => items.iter().map(|item| self.value(item)).collect::<Result<_, _>>().map(Value::List),
            Expr::Not(inner) => Ok(Value::Bool(!self.value(inner)?.is_true(self.facts))),
            Expr::All(parts) => self.until(parts, false),
            Expr::Any(parts) => self.until(parts, true),
            Expr::Compare(first, rest) => {
                let mut left = self.value(first)?;
                for (column, relation, right) in rest {
                    let right = self.value(right)?;
                    if !self.relates(*column, &left, *relation, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Expr::Call { column, on, method, args } => {
                let on = self.value(on)?;
                let args = args.iter().map(|arg| self.value(arg)).collect::<Result<Vec<_>, _>>()?;
                self.call(*column, &on, method, &args)
            }
            Expr::Item { column, on, key } => match (self.value(on)?, self.value(key)?) {
                (Value::Env, Value::Text(name)) => match self.facts.env.get(&name) {
                    Some(text) => Ok(Value::Text(text.clone())),
                    None => Fault::new(*column, format!("the variable {name} is not set; ask `env.get(\"{name}\")`")),
                },
                (on, _) => Fault::new(*column, format!("`[…]` on {} is not supported", on.kind())),
            },
        }
    }

    /// The first value that is as true as `wanted`, or the last; what comes later is not asked.
    fn until(&self, parts: &[Expr], wanted: bool) -> Result<Value, Fault> {
        let mut last = Value::Nothing;
        for part in parts {
            last = self.value(part)?;
            if last.is_true(self.facts) == wanted {
                break;
            }
        }
        Ok(last)
    }

    fn name(&self, column: usize, name: &str) -> Result<Value, Fault> {
        let text = |text: &str| Ok(Value::Text(text.to_owned()));
        match name {
            "platform" => text(&self.facts.platform),
            "os" => text(&self.facts.os),
            "target" => text(&self.facts.target),
            "hostname" => text(&self.facts.hostname),
            "arch_str" => Ok(Value::Text(self.facts.arch_text())),
            "arch" | "architecture" => Ok(Value::Arch),
            "env" => Ok(Value::Env),
            "re" => Ok(Value::Re),
            _ => Fault::new(
                column,
                format!(
                    "`{name}` is unknown (known are platform, os, target, hostname, arch, architecture, arch_str, env and re)"
                ),
            ),
        }
    }

    fn relates(&self, column: usize, left: &Value, relation: Relation, right: &Value) -> Result<bool, Fault> {
        match relation {
            Relation::Equal => equal(column, left, right),
            Relation::Unequal => equal(column, left, right).map(|same| !same),
            Relation::In => self.contains(column, right, left),
            Relation::NotIn => self.contains(column, right, left).map(|found| !found),
            Relation::Is | Relation::IsNot if *right != Value::Nothing => {
                Fault::new(column, "`is` is only supported with `None`; write `==`")
            }
            Relation::Is => Ok(*left == Value::Nothing),
            Relation::IsNot => Ok(*left != Value::Nothing),
        }
    }

    fn contains(&self, column: usize, whole: &Value, part: &Value) -> Result<bool, Fault> {
        match (whole, part) {
            (Value::Text(whole), Value::Text(part)) => Ok(whole.contains(part.as_str())),
            (Value::Env, Value::Text(name)) => Ok(self.facts.env.contains_key(name)),
            (Value::List(items), part) => {
                for item in items {
                    if equal(column, item, part)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Fault::new(column, format!("{} cannot be looked for in {}", part.kind(), whole.kind())),
        }
    }

    fn call(&self, column: usize, on: &Value, method: &str, args: &[Value]) -> Result<Value, Fault> {
        match (on, method, args) {
            (Value::Env, "get", [Value::Text(name)]) => {
                Ok(self.facts.env.get(name).cloned().map_or(Value::Nothing, Value::Text))
            }
            (Value::Env, "get", [Value::Text(name), default]) => {
                Ok(self.facts.env.get(name).cloned().map_or_else(|| default.clone(), Value::Text))
            }
            (Value::Re, "search", [Value::Text(pattern), Value::Text(text)]) => found(column, pattern, text),
            (Value::Re, "match", [Value::Text(pattern), Value::Text(text)]) => {
                found(column, &format!(r"\A(?:{pattern})"), text)
            }
            (Value::Re, "fullmatch", [Value::Text(pattern), Value::Text(text)]) => {
                found(column, &format!(r"\A(?:{pattern})\z"), text)
            }
            (Value::Text(text), "startswith", [Value::Text(part)]) => Ok(Value::Bool(text.starts_with(part.as_str()))),
            (Value::Text(text), "endswith", [Value::Text(part)]) => Ok(Value::Bool(text.ends_with(part.as_str()))),
            (Value::Text(text), "lower", []) => Ok(Value::Text(text.to_lowercase())),
            (Value::Text(text), "upper", []) => Ok(Value::Text(text.to_uppercase())),
            (Value::Arch, "satisfies", [Value::Text(wanted)]) => self.satisfies(column, wanted),
            _ => {
                let kinds: Vec<&str> = args.iter().map(Value::kind).collect();
                Fault::new(column, format!("`{method}` on {} with ({}) is not supported", on.kind(), kinds.join(", ")))
            }
        }
    }

    /// Ranges of targets need a table of all microarchitectures, which only Spack has.
    fn satisfies(&self, column: usize, wanted: &str) -> Result<Value, Fault> {
        let facts = self.facts;
        for part in wanted.split_whitespace() {
            let (have, want) = match part.split_once('=') {
                Some(("platform", want)) => (facts.platform.clone(), want),
                Some(("os" | "operating_system", want)) => (facts.os.clone(), want),
                Some(("target", want)) => (facts.target.clone(), want),
                Some(("arch", want)) => (format!("{}-{}-{}", facts.platform, facts.os, facts.target), want),
                _ => return Fault::new(column, format!("`{part}` is not supported in `satisfies`")),
            };
            if want.is_empty() || want.contains([':', ',', '*']) {
                return Fault::new(
                    column,
                    format!("`{part}` is not supported in `satisfies`, only one platform, os or target"),
                );
            }
            if have != want {
                return Ok(Value::Bool(false));
            }
        }
        Ok(Value::Bool(true))
    }
}

fn equal(column: usize, left: &Value, right: &Value) -> Result<bool, Fault> {
    for side in [left, right] {
        if matches!(side, Value::Arch | Value::Env | Value::Re) {
            let what = format!("{} cannot be compared; compare texts such as `target`", side.kind());
            return Fault::new(column, what);
        }
    }
    Ok(left == right)
}

fn found(column: usize, pattern: &str, text: &str) -> Result<Value, Fault> {
    match RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build() {
        Ok(regex) => Ok(if regex.is_match(text) { Value::Found } else { Value::Nothing }),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Fault::new(column, format!("the pattern is not supported ({reason})"))
        }
    }
}
