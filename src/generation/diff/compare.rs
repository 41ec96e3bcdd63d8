//! Compares two reports, spec by spec.

use std::collections::{BTreeMap, BTreeSet};

use super::data::{Difference, Named, Rehashed, Renamed, Turn, Turned};
use super::keys::Keys;
use super::settings;
use super::why::Sides;
use crate::generation::report::{Decision, Report};

/// What differs between two reports: `a` is what was, `b` is what is. Specs are compared by hash.
pub fn diff(a: &Report, b: &Report) -> Difference {
    let sides = Sides::new(a, b);
    let mut turned: BTreeMap<(u8, String, String, Vec<Turn>), Vec<Named>> = BTreeMap::new();
    let mut renamed = BTreeSet::new();
    let mut keys = Keys::new(a, b);
    for (hash, is) in &b.decisions {
        let Some(was) = a.decisions.get(hash) else { continue };
        let turns = sides.turns(was, is);
        if !turns.is_empty() || was.decision != is.decision {
            let rank = match () {
                () if was.decision == is.decision => 2,
                () if is.is_rebuilt() => 0,
                () => 1,
            };
            let group = (rank, was.decision.clone(), is.decision.clone(), turns);
            turned.entry(group).or_default().push(Named::of(hash, is));
        }
        if let (Some(was), Some(is)) = (&was.job, &is.job)
            && was != is
        {
            renamed.insert((was.clone(), is.clone()));
        }
        keys.add(was, is, hash);
    }
    let strangers = Strangers::of(a, b);
    for (was, (hash, is)) in &strangers.pairs {
        keys.add(was, is, hash);
    }
    let warnings = |report: &Report| report.warnings.iter().cloned().collect::<BTreeSet<String>>();
    let (warned, warns) = (warnings(a), warnings(b));
    let turned = turned.into_iter().map(|((_, was, is, turns), mut specs)| {
        specs.sort();
        Turned { was, is, turns, specs }
    });
    let compared = keys.compare();
    Difference {
        settings: settings::settings(a, b),
        summary: settings::summary(&a.summary, &b.summary),
        gone: strangers.gone,
        new: strangers.new,
        rehashed: strangers.rehashed,
        turned: turned.collect(),
        renamed: renamed.into_iter().map(|(was, is)| Renamed { was, is }).collect(),
        keys: compared.changes,
        keys_elsewhere: compared.elsewhere,
        keys_left_out: compared.left_out,
        mirrors: settings::mirrors(a, b),
        warnings_gone: warned.difference(&warns).cloned().collect(),
        warnings_new: warns.difference(&warned).cloned().collect(),
    }
}

/// Specs that only one of the reports has.
#[derive(Default)]
struct Strangers<'a> {
    gone: Vec<Named>,
    new: Vec<Named>,
    rehashed: Vec<Rehashed>,
    /// What is the same spec under another hash without a doubt.
    pairs: Vec<(&'a Decision, (&'a str, &'a Decision))>,
}

impl<'a> Strangers<'a> {
    fn of(a: &'a Report, b: &'a Report) -> Self {
        type Side<'a> = Vec<(&'a str, &'a Decision)>;
        let mut by_spec: BTreeMap<&str, (Side<'_>, Side<'_>)> = BTreeMap::new();
        for (hash, decision) in a.decisions.iter().filter(|(hash, _)| !b.decisions.contains_key(*hash)) {
            by_spec.entry(&decision.spec).or_default().0.push((hash, decision));
        }
        for (hash, decision) in b.decisions.iter().filter(|(hash, _)| !a.decisions.contains_key(*hash)) {
            by_spec.entry(&decision.spec).or_default().1.push((hash, decision));
        }
        let mut found = Self::default();
        for (spec, (was, is)) in by_spec {
            if let ([(_, was)], [is]) = (was.as_slice(), is.as_slice()) {
                found.pairs.push((was, *is));
            }
            let names = |side: Side<'_>| side.into_iter().map(|(hash, decision)| Named::of(hash, decision)).collect();
            match (was.is_empty(), is.is_empty()) {
                (false, false) => {
                    found.rehashed.push(Rehashed { spec: spec.to_owned(), was: names(was), is: names(is) });
                }
                (false, true) => found.gone.extend::<Vec<Named>>(names(was)),
                (true, _) => found.new.extend::<Vec<Named>>(names(is)),
            }
        }
        found
    }
}
