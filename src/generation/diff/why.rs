//! Why a filter says something else about a spec.

use std::collections::{BTreeMap, BTreeSet};

use super::data::{Turn, Why};
use crate::generation::report::{Decision, Filter, FoundAt, Report, Skip, cut};

/// Two reports, laid out so that each question is answered by one look.
pub struct Sides<'a> {
    pub a: &'a Report,
    pub b: &'a Report,
    /// What is named for every spec is kept short.
    states: [BTreeMap<&'a str, String>; 2],
    sums: [BTreeMap<(&'a str, u8), String>; 2],
    other_packages: bool,
}

impl<'a> Sides<'a> {
    pub fn new(a: &'a Report, b: &'a Report) -> Self {
        let states = |report: &'a Report| {
            report.mirrors.iter().map(|seen| (seen.name.as_str(), cut(&seen.state, 20))).collect::<BTreeMap<_, _>>()
        };
        let sums = |report: &'a Report| {
            let indexes = report.mirrors.iter().flat_map(|seen| seen.indexes.iter().map(move |index| (seen, index)));
            indexes.map(|(seen, index)| ((seen.name.as_str(), index.layout), cut(&index.sha256, 64))).collect()
        };
        let packages = |report: &'a Report| report.change.as_ref().map(|change| change.packages.keys());
        let other_packages = match (packages(a), packages(b)) {
            (Some(was), Some(is)) => !was.eq(is),
            _ => false,
        };
        Self { a, b, states: [states(a), states(b)], sums: [sums(a), sums(b)], other_packages }
    }

    /// What the filters say differently about a spec that both reports have.
    pub fn turns(&self, was: &Decision, is: &Decision) -> Vec<Turn> {
        let turn = |filter: Filter| {
            let (said, says) = (was.said(filter).map(|(word, _)| word), is.said(filter).map(|(word, _)| word));
            (said != says).then(|| Turn {
                filter,
                was: said.map(str::to_owned),
                is: says.map(str::to_owned),
                why: self.why(filter, was, is),
            })
        };
        Filter::ALL.into_iter().filter_map(turn).collect()
    }

    fn why(&self, filter: Filter, was: &Decision, is: &Decision) -> Vec<Why> {
        if was.said(filter).is_none() || is.said(filter).is_none() {
            return vec![Why::FilterApplied { was: standing(self.a, filter), is: standing(self.b, filter) }];
        }
        let mut why = match filter {
            Filter::Unaffected => self.why_affected(),
            Filter::UpToDate => self.why_found(was, is),
            Filter::External => Vec::new(),
        };
        if why.is_empty() {
            why.push(Why::Unknown);
        }
        why
    }

    fn why_affected(&self) -> Vec<Why> {
        let depth = |report: &Report| report.change.as_ref().and_then(|change| change.depth);
        let (was, is) = (depth(self.a), depth(self.b));
        let deeper = (was != is).then_some(Why::Depth { was, is });
        let others = self.other_packages.then_some(Why::ChangedPackages);
        others.into_iter().chain(deeper).collect()
    }

    /// What changed about the places that have the spec only in one report.
    fn why_found(&self, was: &Decision, is: &Decision) -> Vec<Why> {
        let (had, has) = (place_set(&was.found), place_set(&is.found));
        let why: BTreeSet<Why> = had.symmetric_difference(&has).map(|place| self.why_here(*place)).collect();
        why.into_iter().filter(|why| *why != Why::Unknown).collect()
    }

    fn why_here(&self, (mirror, layout, direct): Place<'_>) -> Why {
        let [was, is] = &self.states;
        let (was, is) = (was.get(mirror), is.get(mirror));
        let name = || mirror.to_owned();
        match (was, is) {
            (None, Some(_)) => return Why::MirrorAdded { mirror: name() },
            (Some(_), None) => return Why::MirrorRemoved { mirror: name() },
            (Some(was), Some(is)) if was != is => {
                return Why::MirrorState { mirror: name(), was: was.clone(), is: is.clone() };
            }
            _ => {}
        }
        if direct {
            return Why::Asked { mirror: name(), layout };
        }
        let [had, has] = &self.sums;
        let (had, has) = (had.get(&(mirror, layout)), has.get(&(mirror, layout)));
        if had == has {
            return Why::Unknown;
        }
        Why::Index { mirror: name(), layout, was: had.cloned(), is: has.cloned() }
    }
}

/// A place where a spec was found: mirror, layout, and whether the mirror was asked for it.
type Place<'a> = (&'a str, u8, bool);

fn place_set(found: &[FoundAt]) -> BTreeSet<Place<'_>> {
    found.iter().map(|at| (at.mirror.as_str(), at.layout, at.direct)).collect()
}

/// How a filter stood in a report.
pub fn standing(report: &Report, filter: Filter) -> String {
    match (report.skipped(filter), filter, &report.change) {
        (Some(Skip::StackChanged { path }), _, _) => Skip::StackChanged { path: cut(&path, 200) }.to_string(),
        (Some(skip), _, _) => skip.to_string(),
        (None, Filter::Unaffected, Some(change)) => match change.depth {
            Some(depth) => format!("on with depth {depth}"),
            None => "on without a depth limit".to_owned(),
        },
        (None, _, _) => "on".to_owned(),
    }
}
