//! Our own numbers: kept in memory, written as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::exposition::Kind;
use super::names::{Declared, FAMILIES, declared};

/// So many lines of samples there may be in all.
pub const MOST_SERIES: usize = 2_000;

/// What is exported. A number that is not known is not there; it is never 0.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// By place in [`FAMILIES`], then by the values of the labels.
    families: BTreeMap<usize, BTreeMap<Vec<String>, Kept>>,
    series: usize,
}

#[derive(Debug, Clone)]
enum Kept {
    Number(f64),
    Histogram { counts: Vec<u64>, above: u64, sum: f64 },
}

/// Why a number is not exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    #[error("there is no family {0}")]
    Unknown(String),
    #[error("{name} is a {is:?}, and is not counted that way")]
    Kind { name: &'static str, is: Kind },
    #[error("{name} has the labels {wants:?}, and {given} values were given")]
    Labels { name: &'static str, wants: &'static [&'static str], given: usize },
    #[error("{0} cannot have that value")]
    Value(&'static str),
    #[error("{name} has a new series, but {MOST_SERIES} is the most")]
    Full { name: &'static str },
}

impl Metrics {
    /// What the answer is, for its `Content-Type`.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Sets a gauge; `None` takes it away. `labels` are values, in the order in which the family declares them.
    pub fn set(&mut self, name: &str, labels: &[&str], value: Option<f64>) -> Result<(), Unwritten> {
        let (at, family) = find(name, labels, Kind::Gauge)?;
        let Some(value) = value else {
            let removed = self.families.get_mut(&at).and_then(|kept| kept.remove(&owned(labels)));
            self.series -= usize::from(removed.is_some());
            return Ok(());
        };
        *self.number(at, family, labels, value)? = value;
        Ok(())
    }

    /// Adds to a counter.
    pub fn add(&mut self, name: &str, labels: &[&str], more: f64) -> Result<(), Unwritten> {
        let (at, family) = find(name, labels, Kind::Counter)?;
        if more < 0.0 {
            return Err(Unwritten::Value(family.name));
        }
        *self.number(at, family, labels, more)? += more;
        Ok(())
    }

    /// Counts a value into a histogram.
    pub fn observe(&mut self, name: &str, labels: &[&str], value: f64) -> Result<(), Unwritten> {
        let (at, family) = find(name, labels, Kind::Histogram)?;
        if !value.is_finite() {
            return Err(Unwritten::Value(family.name));
        }
        let empty = Kept::Histogram { counts: vec![0; family.buckets.len()], above: 0, sum: 0.0 };
        // Every bucket is a line, the infinite one too, and so are sum and count.
        let kept = self.place(at, family, labels, family.buckets.len() + 3, empty)?;
        if let Kept::Histogram { counts, above, sum } = kept {
            let place = family.buckets.iter().position(|limit| value <= *limit);
            *place.and_then(|place| counts.get_mut(place)).unwrap_or(above) += 1;
            *sum += value;
        }
        Ok(())
    }

    /// Takes a whole family away, before it is told anew or because it is not known any more.
    pub fn forget(&mut self, name: &str) {
        if let Some((at, family)) = declared(name) {
            let lines = if family.kind == Kind::Histogram { family.buckets.len() + 3 } else { 1 };
            self.series -= self.families.remove(&at).map_or(0, |kept| kept.len() * lines);
        }
    }

    /// How many lines of samples there are.
    pub fn series(&self) -> usize {
        self.series
    }

    /// Everything, in the text format 0.0.4.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(128 * self.series);
        for (at, kept) in &self.families {
            let Some(family) = FAMILIES.get(*at).filter(|_| !kept.is_empty()) else { continue };
            write_family(&mut text, family, kept);
        }
        text
    }

    fn number(
        &mut self,
        at: usize,
        family: &'static Declared,
        labels: &[&str],
        value: f64,
    ) -> Result<&mut f64, Unwritten> {
        if !value.is_finite() {
            return Err(Unwritten::Value(family.name));
        }
        match self.place(at, family, labels, 1, Kept::Number(0.0))? {
            Kept::Number(number) => Ok(number),
            Kept::Histogram { .. } => Err(Unwritten::Kind { name: family.name, is: family.kind }),
        }
    }

    fn place(
        &mut self,
        at: usize,
        family: &'static Declared,
        labels: &[&str],
        lines: usize,
        empty: Kept,
    ) -> Result<&mut Kept, Unwritten> {
        let kept = self.families.entry(at).or_default();
        let labels = owned(labels);
        if !kept.contains_key(&labels) {
            if self.series + lines > MOST_SERIES {
                return Err(Unwritten::Full { name: family.name });
            }
            self.series += lines;
        }
        Ok(kept.entry(labels).or_insert(empty))
    }
}

fn find(name: &str, labels: &[&str], kind: Kind) -> Result<(usize, &'static Declared), Unwritten> {
    let (at, family) = declared(name).ok_or_else(|| Unwritten::Unknown(name.to_owned()))?;
    if family.kind != kind {
        return Err(Unwritten::Kind { name: family.name, is: family.kind });
    }
    if family.labels.len() != labels.len() {
        return Err(Unwritten::Labels { name: family.name, wants: family.labels, given: labels.len() });
    }
    Ok((at, family))
}

fn owned(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|value| (*value).to_owned()).collect()
}

fn write_family(text: &mut String, family: &Declared, kept: &BTreeMap<Vec<String>, Kept>) {
    let name = family.name;
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
        Kind::Untyped => "untyped",
    };
    // Writing to a string cannot fail; nor can it below.
    let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
    for (values, kept) in kept {
        match kept {
            Kept::Number(number) => write_sample(text, name, "", family.labels, values, None, *number),
            Kept::Histogram { counts, above, sum } => {
                let mut so_far = 0;
                let limits = family.buckets.iter().copied().chain([f64::INFINITY]);
                for (limit, count) in limits.zip(counts.iter().chain([above])) {
                    so_far += count;
                    write_sample(text, name, "_bucket", family.labels, values, Some(limit), so_far as f64);
                }
                write_sample(text, name, "_sum", family.labels, values, None, *sum);
                write_sample(text, name, "_count", family.labels, values, None, so_far as f64);
            }
        }
    }
}

fn write_sample(
    text: &mut String,
    name: &str,
    ending: &str,
    labels: &[&str],
    values: &[String],
    limit: Option<f64>,
    number: f64,
) {
    let _ = write!(text, "{name}{ending}");
    let mut before = '{';
    for (label, value) in labels.iter().zip(values) {
        let _ = write!(text, "{before}{label}=\"{}\"", escaped(value));
        before = ',';
    }
    if let Some(limit) = limit {
        let limit = if limit.is_finite() { limit.to_string() } else { "+Inf".to_owned() };
        let _ = write!(text, "{before}le=\"{limit}\"");
        before = ',';
    }
    let _ = writeln!(text, "{} {number}", if before == ',' { "}" } else { "" });
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
