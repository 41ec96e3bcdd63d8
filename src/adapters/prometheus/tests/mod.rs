use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::adapters::testing::{Reply, http, server};
use crate::console::fault::FaultKind;

mod api;
mod exporter;
mod exposition;
mod own;

/// Quick to ask again, and patient enough for a busy machine.
fn settings(url: &str) -> Settings {
    Settings { backoff: Duration::from_millis(1), request: Duration::from_secs(20), ..Settings::new(url) }
}

/// A small exposition that is kept here, or a large one of the fixtures beside the project.
fn expositions() -> Vec<(String, String)> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folders = [here.join("src/adapters/prometheus/testdata"), here.join("../shared/fixtures/metrics")];
    let mut all = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            println!("skipped: no fixtures beside the project");
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|ending| ending == "prom") {
                all.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(all.len() >= 3, "{all:?}");
    all
}
