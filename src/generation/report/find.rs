//! Finds the specs that somebody means.

use std::collections::BTreeSet;

use super::{Decision, Report, package};

/// The fewest characters of a hash that name a spec.
const MIN_HASH: usize = 3;
/// How many names are suggested.
const MOST: usize = 3;

impl Report {
    /// The specs that `wanted` names: a hash or its start (with or without `/`), a package, `name@version`, `name@version/hash`, or a job's
    /// name. They are in the order of their specs.
    ///
    /// Where a text can be read in two ways, a name wins over the start of a hash; with a `/` in front it is a hash.
    pub fn find(&self, wanted: &str) -> Vec<(&str, &Decision)> {
        let wanted = wanted.trim();
        let named = |name: &str| -> Vec<(&str, &Decision)> {
            let is_it = |spec: &str| spec == name || package(spec) == name;
            self.sorted(|_, decision| decision.job.as_deref() == Some(name) || is_it(&decision.spec))
        };
        let hashed = |start: &str, name: Option<&str>| -> Vec<(&str, &Decision)> {
            let fits =
                |decision: &Decision| name.is_none_or(|name| decision.spec == name || package(&decision.spec) == name);
            if let Some((hash, decision)) = self.decisions.get_key_value(start) {
                return if fits(decision) { vec![(hash, decision)] } else { Vec::new() };
            }
            if start.len() < MIN_HASH {
                return Vec::new();
            }
            self.sorted(|hash, decision| hash.starts_with(start) && fits(decision))
        };
        if wanted.is_empty() {
            return Vec::new();
        }
        if let Some(start) = wanted.strip_prefix('/') {
            return hashed(start.trim(), None);
        }
        if let Some((hash, decision)) = self.decisions.get_key_value(wanted) {
            return vec![(hash, decision)];
        }
        let mut found = named(wanted);
        if found.is_empty() {
            // A job's name ends with a group, which another run may not have had.
            let parts = wanted.split_once(" /").or_else(|| wanted.rsplit_once('/'));
            found = match parts {
                Some((name, rest)) => hashed(rest.split_whitespace().next().unwrap_or_default(), Some(name.trim())),
                None => hashed(wanted, None),
            };
        }
        found
    }

    /// Up to three names like one that was not found: other versions of the package, or else packages whose names begin alike or contain it.
    pub fn nearest(&self, wanted: &str) -> Vec<String> {
        let wanted = wanted.trim().trim_start_matches('/');
        let name = wanted.split(['@', '/', ' ']).next().unwrap_or_default().to_lowercase().replace('_', "-");
        if name.is_empty() {
            return Vec::new();
        }
        let specs = self.decisions.values().map(|decision| decision.spec.as_str());
        let ranked: BTreeSet<(usize, usize, &str)> = specs
            .filter_map(|spec| {
                let known = package(spec);
                let alike = known.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
                let rank = match () {
                    () if known == name => 0,
                    () if known.len() >= MIN_HASH && (known.starts_with(&name) || name.starts_with(known)) => 1,
                    () if known.len() >= MIN_HASH && (known.contains(&name) || name.contains(known)) => 2,
                    () if alike >= MIN_HASH => 3,
                    () => return None,
                };
                // The package itself is there: then it is the version that was not.
                let shown = if rank == 0 && wanted.contains('@') { spec } else { known };
                Some((rank, known.len().abs_diff(name.len()), shown))
            })
            .collect();
        ranked.into_iter().take(MOST).map(|(_, _, shown)| shown.to_owned()).collect()
    }

    fn sorted(&self, is_meant: impl Fn(&str, &Decision) -> bool) -> Vec<(&str, &Decision)> {
        let all = self.decisions.iter().map(|(hash, decision)| (hash.as_str(), decision));
        let mut found: Vec<_> = all.filter(|(hash, decision)| is_meant(hash, decision)).collect();
        found.sort_by_key(|(hash, decision)| (decision.spec.as_str(), *hash));
        found
    }
}
