//! What an exporter says: families of samples, by name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use chrono::{DateTime, Utc};
use prometheus_parse::{Scrape, Value as Parsed};

use super::line::{Line, Sample as Written, disguised_name, plain_name, plain_value};
use crate::ci::Timestamp;

/// Labels, by name.
pub type Labels = BTreeMap<String, String>;

/// A whole exposition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exposition {
    pub families: BTreeMap<String, Family>,
}

/// Everything of one name. Its kind is what the exporter declares; a name's ending says nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    pub kind: Kind,
    pub help: Option<String>,
    /// By labels. A family may be declared and have none.
    pub samples: Vec<Sample>,
}

/// The kinds of the text format. What it does not know, or is not declared, is untyped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Untyped,
}

/// What one set of labels has.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub labels: Labels,
    pub value: Value,
    /// When the exporter says that it was measured; most do not.
    pub at: Option<Timestamp>,
}

/// A number, or several that belong together. Any of them may be NaN or infinite.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    /// Buckets are `(upper limit, count up to there)`, by limit.
    Histogram {
        buckets: Vec<(f64, f64)>,
        sum: Option<f64>,
        count: Option<f64>,
    },
    /// Quantiles are `(quantile, value)`, by quantile.
    Summary {
        quantiles: Vec<(f64, f64)>,
        sum: Option<f64>,
        count: Option<f64>,
    },
}

impl Kind {
    fn of(word: &str) -> Result<Self, String> {
        Ok(match word {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "summary" => Self::Summary,
            // The last four are kinds of OpenMetrics.
            "untyped" | "unknown" | "info" | "stateset" | "gaugehistogram" => Self::Untyped,
            other => return Err(format!("there is no type `{}`", super::super::web::cut(other))),
        })
    }
}

impl Exposition {
    /// Reads the text format, or OpenMetrics as far as it says the same. An error names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reading = Reading {
            // Only OpenMetrics ends like this, and its times are seconds.
            is_open: text.trim_end().lines().next_back().is_some_and(|line| line.trim() == "# EOF"),
            ..Reading::default()
        };
        let lines = text.lines().enumerate().map(|(i, line)| {
            reading.disguise(line).map_err(|what| io::Error::other(format!("line {}: {what}", i + 1)))
        });
        let scrape = Scrape::parse_at(lines, DateTime::<Utc>::MIN_UTC).map_err(|error| error.to_string())?;
        reading.families(scrape)
    }

    /// The numbers of a family with their labels; `None` where the exporter has no such family, which is not the same as none.
    pub fn numbers<'e>(&'e self, name: &str) -> Option<impl Iterator<Item = (&'e Labels, f64)> + use<'e>> {
        let family = self.families.get(name)?;
        Some(family.samples.iter().filter_map(|sample| match sample.value {
            Value::Number(number) => Some((&sample.labels, number)),
            _ => None,
        }))
    }
}

/// What is known of the lines so far.
#[derive(Default)]
struct Reading {
    is_open: bool,
    has_ended: bool,
    kinds: HashMap<String, Kind>,
    help: HashMap<String, String>,
    series: HashSet<String>,
    /// How many numbers the crate was given; it must give back as many.
    numbers: usize,
}

impl Reading {
    /// A line in the words that the crate reads rightly.
    fn disguise(&mut self, line: &str) -> Result<String, String> {
        let line = Line::parse(line)?;
        if self.has_ended && line != Line::Nothing {
            return Err("it goes on behind its end".to_owned());
        }
        match line {
            Line::Nothing => {}
            Line::End => self.has_ended = true,
            Line::Help { name, text } => {
                self.help.insert(name.to_owned(), text);
            }
            Line::Type { name, word } => {
                let kind = Kind::of(word)?;
                // OpenMetrics declares a counter without the ending that its samples have.
                let name = match kind {
                    Kind::Counter if self.is_open && !name.ends_with("_total") => format!("{name}_total"),
                    _ => name.to_owned(),
                };
                if self.kinds.get(&name).is_some_and(|other| *other != kind) {
                    return Err(format!("{name} is declared twice"));
                }
                let line = format!("# TYPE {} {word}", disguised_name(&name));
                self.kinds.insert(name, kind);
                return Ok(line);
            }
            Line::Sample(sample) => return self.sample(&sample),
        }
        Ok(String::new())
    }

    fn sample(&mut self, sample: &Written<'_>) -> Result<String, String> {
        let name = sample.name;
        let float = |text: &str| text.parse::<f64>().map_err(|_| format!("`{text}` is no number"));
        float(sample.value)?;
        let kind = |name: &str| self.kinds.get(name).copied();
        if name.strip_suffix("_bucket").and_then(kind) == Some(Kind::Histogram) && kind(name).is_none() {
            float(sample.label("le").ok_or_else(|| format!("{name} has no limit `le`"))?)?;
        }
        if kind(name) == Some(Kind::Summary) {
            float(sample.label("quantile").ok_or_else(|| format!("the summary {name} has no quantile"))?)?;
        }
        if kind(name) == Some(Kind::Histogram) {
            return Err(format!("the histogram {name} has a number instead of buckets"));
        }
        let mut labels: Vec<_> = sample.labels.iter().collect();
        labels.sort_unstable();
        if !self.series.insert(format!("{name}{labels:?}")) {
            return Err(format!("{name} with the same labels is there twice"));
        }
        let at = sample.at.map(|text| self.millis(text)).transpose()?;
        self.numbers += 1;
        Ok(sample.disguised(at))
    }

    fn millis(&self, text: &str) -> Result<i64, String> {
        let wrong = || format!("`{}` is no time", super::super::web::cut(text));
        let millis = if self.is_open {
            let seconds: f64 = text.parse().map_err(|_| wrong())?;
            (seconds * 1000.0).round()
        } else {
            text.parse::<i64>().map_err(|_| wrong())? as f64
        };
        // The crate takes what no calendar has for no time at all.
        let is_real = DateTime::<Utc>::from_timestamp_millis(millis as i64).is_some() && millis.is_finite();
        if is_real { Ok(millis as i64) } else { Err(wrong()) }
    }

    /// Takes the disguise off, and puts together what belongs together.
    fn families(mut self, scrape: Scrape) -> Result<Exposition, String> {
        let mut families: BTreeMap<String, Family> = self
            .kinds
            .iter()
            .map(|(name, kind)| (name.clone(), Family { kind: *kind, help: None, samples: Vec::new() }))
            .collect();
        let mut given = 0;
        let mut parts = Vec::new();
        for sample in scrape.samples {
            let name = plain_name(&sample.metric);
            let labels: Labels = sample.labels.iter().map(|(name, value)| (name.clone(), plain_value(value))).collect();
            let at = (sample.timestamp != DateTime::<Utc>::MIN_UTC)
                .then(|| Timestamp::from_millis(sample.timestamp.timestamp_millis()));
            let value = match sample.value {
                Parsed::Counter(number) | Parsed::Gauge(number) | Parsed::Untyped(number) => {
                    given += 1;
                    if !self.kinds.contains_key(&name)
                        && let Some(part) = Part::of(&name, &self.kinds)
                    {
                        parts.push((part, labels, number, at));
                        continue;
                    }
                    Value::Number(number)
                }
                Parsed::Histogram(counts) => {
                    given += counts.len();
                    let buckets = counts.iter().map(|bucket| (bucket.less_than, bucket.count)).collect();
                    Value::Histogram { buckets: by_first(buckets), sum: None, count: None }
                }
                Parsed::Summary(counts) => {
                    given += counts.len();
                    let quantiles = counts.iter().map(|count| (count.quantile, count.count)).collect();
                    Value::Summary { quantiles: by_first(quantiles), sum: None, count: None }
                }
            };
            let family =
                families.entry(name).or_insert_with(|| Family { kind: Kind::Untyped, help: None, samples: Vec::new() });
            family.samples.push(Sample { labels, value, at });
        }
        if given != self.numbers {
            return Err(format!("{} numbers were there, {given} came out", self.numbers));
        }
        for family in families.values_mut() {
            family.samples.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        for (part, labels, number, at) in parts {
            if let Some(family) = families.get_mut(part.family) {
                part.join(family, labels, number, at);
            }
        }
        for (name, family) in &mut families {
            // OpenMetrics: see above.
            let declared = name.strip_suffix("_total").filter(|_| self.is_open).unwrap_or(name);
            family.help = self.help.remove(name).or_else(|| self.help.remove(declared));
        }
        Ok(Exposition { families })
    }
}

/// `_sum` or `_count` of a histogram or summary.
struct Part<'k> {
    family: &'k str,
    kind: Kind,
    is_sum: bool,
}

impl<'k> Part<'k> {
    fn of(name: &str, kinds: &'k HashMap<String, Kind>) -> Option<Self> {
        let (stem, is_sum) = name
            .strip_suffix("_sum")
            .map(|stem| (stem, true))
            .or_else(|| Some((name.strip_suffix("_count")?, false)))?;
        let (family, kind) = kinds.get_key_value(stem)?;
        matches!(kind, Kind::Histogram | Kind::Summary).then_some(Self { family, kind: *kind, is_sum })
    }

    fn join(&self, family: &mut Family, labels: Labels, number: f64, at: Option<Timestamp>) {
        let place = match family.samples.binary_search_by(|sample| sample.labels.cmp(&labels)) {
            Ok(place) => place,
            Err(place) => {
                let value = match self.kind {
                    Kind::Histogram => Value::Histogram { buckets: Vec::new(), sum: None, count: None },
                    _ => Value::Summary { quantiles: Vec::new(), sum: None, count: None },
                };
                family.samples.insert(place, Sample { labels, value, at });
                place
            }
        };
        let value = family.samples.get_mut(place).map(|sample| &mut sample.value);
        if let Some(Value::Histogram { sum, count, .. } | Value::Summary { sum, count, .. }) = value {
            *(if self.is_sum { sum } else { count }) = Some(number);
        }
    }
}

fn by_first(mut pairs: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs
}
