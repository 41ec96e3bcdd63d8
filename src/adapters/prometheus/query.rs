//! What a query brings, and how values are written into one.

use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_json::Value;

use super::exposition::Labels;
use crate::ci::Timestamp;

/// The answer to a query. What the server warns of belongs beside the numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub data: Data,
    /// What may be missing or wrong in the data.
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
}

/// The four kinds of results. Empty ones are answers: there is no such series.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// One moment of each series.
    Vector(Vec<Series>),
    /// Many moments of each series.
    Matrix(Vec<Range>),
    Scalar(Point),
    String {
        at: Timestamp,
        text: String,
    },
}

/// One moment of a series: a number, or a native histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub labels: Labels,
    pub point: Option<Point>,
    pub histogram: Option<(Timestamp, NativeHistogram)>,
}

/// Many moments of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    pub labels: Labels,
    pub points: Vec<Point>,
    pub histograms: Vec<(Timestamp, NativeHistogram)>,
}

/// A number at a moment. It may be NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub at: Timestamp,
    pub value: f64,
}

/// A histogram whose buckets the server chose.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeHistogram {
    pub count: f64,
    pub sum: f64,
    /// `(from, to, count)`.
    pub buckets: Vec<(f64, f64, f64)>,
}

/// Writes a label's value as PromQL wants it, with its quotes.
pub fn quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\0' => quoted.push_str("\\x00"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

impl Data {
    /// Adds the moments of a later piece of the same query.
    pub(super) fn append(&mut self, later: Self) -> Result<(), String> {
        let (Self::Matrix(all), Self::Matrix(later)) = (self, later) else {
            return Err("a piece of a range is no range".to_owned());
        };
        for range in later {
            match all.iter_mut().find(|known| known.labels == range.labels) {
                Some(known) => {
                    known.points.extend(range.points);
                    known.histograms.extend(range.histograms);
                }
                None => all.push(range),
            }
        }
        Ok(())
    }
}

/// `data` of a query.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireData {
    result_type: String,
    result: Value,
}

#[derive(Deserialize)]
struct WireSeries {
    #[serde(default)]
    metric: Labels,
    value: Option<WirePoint>,
    histogram: Option<(Seconds, WireHistogram)>,
    #[serde(default)]
    values: Vec<WirePoint>,
    #[serde(default)]
    histograms: Vec<(Seconds, WireHistogram)>,
}

#[derive(Deserialize)]
struct WirePoint(Seconds, Number);

#[derive(Deserialize)]
struct WireHistogram {
    count: Number,
    sum: Number,
    #[serde(default)]
    buckets: Vec<(u8, Number, Number, Number)>,
}

/// A moment in seconds, with a fraction.
struct Seconds(Timestamp);

/// A number written as text.
pub(super) struct Number(pub f64);

impl TryFrom<WireData> for Data {
    type Error = String;

    fn try_from(wire: WireData) -> Result<Self, String> {
        let shape = |error: serde_json::Error| format!("a {} of another shape: {error}", wire.result_type);
        let series = |result: Value| serde_json::from_value::<Vec<WireSeries>>(result).map_err(shape);
        match wire.result_type.as_str() {
            "vector" => {
                let all = series(wire.result)?.into_iter().map(|series| {
                    let histogram = series.histogram.map(|(at, histogram)| (at.0, histogram.into()));
                    let point = series.value.map(Point::from);
                    if point.is_none() && histogram.is_none() {
                        return Err("a series of a vector has no value".to_owned());
                    }
                    Ok(Series { labels: series.metric, point, histogram })
                });
                all.collect::<Result<_, _>>().map(Self::Vector)
            }
            "matrix" => {
                let all = series(wire.result)?.into_iter().map(|series| Range {
                    labels: series.metric,
                    points: series.values.into_iter().map(Point::from).collect(),
                    histograms: series.histograms.into_iter().map(|(at, histogram)| (at.0, histogram.into())).collect(),
                });
                Ok(Self::Matrix(all.collect()))
            }
            "scalar" => Ok(Self::Scalar(serde_json::from_value::<WirePoint>(wire.result).map_err(shape)?.into())),
            "string" => {
                let (at, text): (Seconds, String) = serde_json::from_value(wire.result).map_err(shape)?;
                Ok(Self::String { at: at.0, text })
            }
            other => Err(format!("there is no result type `{}`", super::super::web::cut(other))),
        }
    }
}

impl From<WirePoint> for Point {
    fn from(wire: WirePoint) -> Self {
        Self { at: wire.0.0, value: wire.1.0 }
    }
}

impl From<WireHistogram> for NativeHistogram {
    fn from(wire: WireHistogram) -> Self {
        let buckets = wire.buckets.into_iter().map(|(_, from, to, count)| (from.0, to.0, count.0)).collect();
        Self { count: wire.count.0, sum: wire.sum.0, buckets }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let millis = f64::deserialize(deserializer)? * 1000.0;
        // Anything beyond a million years is nonsense.
        if millis.abs() > 3e16 {
            return Err(de::Error::custom("a moment that no calendar has"));
        }
        Ok(Self(Timestamp::from_millis(millis.round() as i64)))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| de::Error::custom(format!("`{text}` is no number")))
    }
}
