//! Prometheus from three sides: expositions of others are read ([`Exporter`], [`Exposition`]), a server is asked ([`Prometheus`]), and our own
//! numbers are written ([`Metrics`]).
//!
//! Whatever cannot be read exactly is an error that says where; nothing is skipped and nothing becomes zero. An answer without series is an
//! answer. A page or a redirect is a missing login and never "no data".

mod api;
mod exporter;
mod exposition;
mod line;
mod names;
mod own;
mod query;
mod rules;
#[cfg(test)]
mod tests;

pub use api::{BuildInfo, Prometheus};
pub use exporter::Exporter;
pub use exposition::{Exposition, Family, Kind, Sample, Value};
pub use names::FAMILIES;
pub use own::{Metrics, Unwritten};
pub use query::{Answer, Data, NativeHistogram, Point, Range, Series, quote};
pub use rules::{Alert, AlertState, Rule, RuleGroup, RuleKind};

pub use super::web::{Login, Settings};
