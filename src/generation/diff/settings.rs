//! What was asked for, and what was seen of the mirrors.

use std::collections::{BTreeMap, BTreeSet};

use super::data::{MirrorChange, MirrorTurn, Setting, SummaryChange};
use super::why::standing;
use crate::generation::report::{Change, Filter, IndexSeen, MirrorSeen, Report, Summary, age, commit, few};

/// How many changed packages are named.
const MOST: usize = 5;

/// What was asked for differently.
pub fn settings(a: &Report, b: &Report) -> Vec<Setting> {
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "not set".to_owned());
    let parity = |report: &Report| if report.parity { "on" } else { "off" }.to_owned();
    let commits = |report: &Report| report.change.as_ref().map_or_else(not_looked, commits);
    let packages = |report: &Report| report.change.as_ref().map_or_else(not_looked, packages);
    let filter = |report: &Report, filter| standing(report, filter);
    let rows = [
        ("stack", known(&a.stack), known(&b.stack)),
        ("pipeline type", known(&a.pipeline_type), known(&b.pipeline_type)),
        ("parity with Spack", parity(a), parity(b)),
        ("commits", commits(a), commits(b)),
        ("changed packages", packages(a), packages(b)),
        ("unaffected filter", filter(a, Filter::Unaffected), filter(b, Filter::Unaffected)),
        ("up-to-date filter", filter(a, Filter::UpToDate), filter(b, Filter::UpToDate)),
        ("external filter", filter(a, Filter::External), filter(b, Filter::External)),
    ];
    rows.into_iter().filter(|(_, was, is)| was != is).map(|(what, was, is)| Setting { what, was, is }).collect()
}

fn not_looked() -> String {
    "not looked at".to_owned()
}

fn commits(change: &Change) -> String {
    format!("{} to {}", commit(&change.base), commit(&change.head))
}

fn packages(change: &Change) -> String {
    let names: Vec<&String> = change.packages.keys().collect();
    let here = if names.is_empty() { "none of this stack".to_owned() } else { few(&names, MOST) };
    match change.elsewhere {
        0 => here,
        count => format!("{here}; {count} not of this stack"),
    }
}

/// Counts that differ; jobs and hours come first, since they are what it costs.
pub fn summary(a: &Summary, b: &Summary) -> Vec<SummaryChange> {
    let counts = [
        ("jobs", a.jobs, b.jobs),
        ("specs", a.specs, b.specs),
        ("specs to rebuild", a.rebuild, b.rebuild),
        ("specs left out", a.prune, b.prune),
        ("externals", a.external, b.external),
    ];
    let counts = counts.into_iter().filter(|(_, was, is)| was != is);
    let mut rows: Vec<SummaryChange> =
        counts.map(|(what, was, is)| SummaryChange { what, was: was as f64, is: is as f64 }).collect();
    if a.hours.total_cmp(&b.hours).is_ne() {
        let hours = SummaryChange { what: "predicted hours", was: a.hours, is: b.hours };
        rows.insert(rows.len().min(1), hours);
    }
    rows
}

/// Mirrors that differ, in the order of their names.
pub fn mirrors(a: &Report, b: &Report) -> Vec<MirrorChange> {
    let by_name = |report: &'_ Report| -> BTreeMap<String, MirrorSeen> {
        report.mirrors.iter().map(|seen| (seen.name.clone(), seen.clone())).collect()
    };
    let (was, is) = (by_name(a), by_name(b));
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let changes = names.into_iter().map(|name| {
        let turns = match (was.get(name), is.get(name)) {
            (None, Some(is)) => vec![MirrorTurn::Added { url: is.url.clone(), state: is.state.clone() }],
            (Some(was), None) => vec![MirrorTurn::Removed { url: was.url.clone() }],
            (Some(was), Some(is)) => turns(a, was, b, is),
            (None, None) => Vec::new(),
        };
        MirrorChange { name: name.clone(), turns }
    });
    changes.filter(|change| !change.turns.is_empty()).collect()
}

fn turns(a: &Report, was: &MirrorSeen, b: &Report, is: &MirrorSeen) -> Vec<MirrorTurn> {
    let mut turns = Vec::new();
    if was.url != is.url {
        turns.push(MirrorTurn::Address { was: was.url.clone(), is: is.url.clone() });
    }
    if was.state != is.state {
        let reason = is.reason.clone().or_else(|| was.reason.clone());
        turns.push(MirrorTurn::State { was: was.state.clone(), is: is.state.clone(), reason });
    }
    let by_layout = |seen: &MirrorSeen| -> BTreeMap<u8, IndexSeen> {
        seen.indexes.iter().map(|index| (index.layout, index.clone())).collect()
    };
    let (had, has) = (by_layout(was), by_layout(is));
    let layouts: BTreeSet<&u8> = had.keys().chain(has.keys()).collect();
    // The newest layout first, as everywhere.
    for layout in layouts.into_iter().rev() {
        let (was, is) = (had.get(layout), has.get(layout));
        if was.map(|index| &index.sha256) == is.map(|index| &index.sha256) {
            continue;
        }
        turns.push(MirrorTurn::Index {
            layout: *layout,
            was_age: was.map(|index| age(index.modified, a.at)),
            is_age: is.map(|index| age(index.modified, b.at)),
            was: was.cloned(),
            is: is.cloned(),
        });
    }
    turns
}
