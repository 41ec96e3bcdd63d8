//! How a request travels to a small service that speaks HTTP: login, deadline, tries, size, and how many at once.
//!
//! Prometheus, Alertmanager and exporters are reached this way; what their answers mean is for their adapters. A page, or being led
//! elsewhere, is the doing of a login proxy: it is never handed on as an answer.

mod answer;
mod client;
mod settings;

pub(super) use answer::{Answer, Failure, cut, json, refusal, unless_login};
pub(super) use client::{Ask, Body, Web, is_loopback, stay_at_home};
pub use settings::{Login, Settings};
