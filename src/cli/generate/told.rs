//! What `stackhand generate` says when it is done.

use std::fmt::Write;

use super::write::Places;
use crate::generation::{Generation, Inputs, MirrorState};

/// A few lines: how much is rebuilt, how much is not and why, and where it was written.
pub fn summary(inputs: &Inputs<'_>, made: &Generation<'_>, places: &Places) -> String {
    let mut text = String::new();
    let stack = inputs.options.stack.as_deref().map_or_else(String::new, |stack| format!("{stack}: "));
    let specs = made.specs.len();
    let _ = match made.jobs.len() {
        // Writing to a string cannot fail, here and below.
        0 => writeln!(text, "{stack}nothing to rebuild of {specs} specs"),
        jobs => writeln!(text, "{stack}{jobs} jobs for {specs} specs, about {:.1} hours of building", made.hours),
    };
    let mut reasons: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for reason in made.verdicts.iter().flat_map(|verdict| verdict.reasons.iter().filter(|reason| reason.prunes())) {
        *reasons.entry(reason.word()).or_default() += 1;
    }
    if !reasons.is_empty() {
        let shown: Vec<String> = reasons.iter().map(|(word, count)| format!("{count} {word}")).collect();
        let _ = writeln!(text, "left out: {}", shown.join(", "));
    }
    for view in inputs.views {
        let state = match &view.state {
            MirrorState::Read(listings) => {
                let known = listings.iter().map(|listing| listing.listed.len()).sum::<usize>();
                format!("index read, lists {known} of these specs")
            }
            MirrorState::Absent => "no index".to_owned(),
            MirrorState::Failed { reason, .. } => format!("not read: {reason}"),
        };
        let _ = writeln!(text, "mirror {}: {} ({state})", view.name, view.url);
    }
    if let Some(path) = places.pipeline() {
        let _ = writeln!(text, "wrote {}", path.display());
    }
    if let Some(path) = places.report() {
        let _ = writeln!(text, "why: stackhand generate explain NAME --report {}", path.display());
    }
    text
}
