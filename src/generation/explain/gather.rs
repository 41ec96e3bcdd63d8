//! Gathers from a report what concerns one spec.

use std::collections::{BTreeMap, BTreeSet};

use super::data::{Answer, Evidence, Explanation, IndexFacts, KeyGroup, KeyValue, Presence};
use crate::generation::PipelineType;
use crate::generation::report::{Change, Decision, Filter, FoundAt, IndexSeen, MirrorSeen, Report, Skip, age, package};

impl Report {
    /// Says why a spec is rebuilt or not; `None` when the report has no such hash. [`Report::find`] finds the hash.
    pub fn explain(&self, hash: &str) -> Option<Explanation> {
        let (hash, decision) = self.decisions.get_key_value(hash)?;
        let kind = self.pipeline_type.as_deref().and_then(PipelineType::parse);
        let job = decision.job.as_ref();
        let known = Filter::ALL.into_iter().map(|filter| self.answer(filter, decision));
        // Nothing that a report says is passed over.
        let strange = decision.reasons.iter().filter(|word| Filter::of_word(word).is_none()).map(|word| Answer {
            filter: None,
            word: Some(word.clone()),
            prunes: None,
            skipped: None,
            evidence: Vec::new(),
        });
        Some(Explanation {
            hash: hash.clone(),
            spec: decision.spec.clone(),
            is_rebuilt: decision.is_rebuilt() && job.is_some(),
            is_wanted: decision.is_rebuilt(),
            only_copies: kind == Some(PipelineType::CopyOnly),
            job: job.cloned(),
            answers: known.chain(strange).collect(),
            otherwise: self.other_jobs(decision),
            keys: self.keys(decision),
            type_tag: job.and(kind).and_then(PipelineType::tag).map(str::to_owned),
        })
    }

    fn answer(&self, filter: Filter, decision: &Decision) -> Answer {
        let Some((word, prunes)) = decision.said(filter) else {
            let skipped = Some(self.skipped(filter).unwrap_or(Skip::Unknown));
            return Answer { filter: Some(filter), word: None, prunes: None, skipped, evidence: Vec::new() };
        };
        let evidence = match filter {
            Filter::Unaffected => self.change.as_ref().map(|change| reached(change, decision)).unwrap_or_default(),
            Filter::UpToDate if prunes => self.presences(&decision.found),
            Filter::UpToDate => self.absence(decision),
            Filter::External => Vec::new(),
        };
        Answer { filter: Some(filter), word: Some(word.to_owned()), prunes: Some(prunes), skipped: None, evidence }
    }

    /// What mirrors say about a spec that they have.
    fn presences(&self, found: &[FoundAt]) -> Vec<Evidence> {
        let mut told = BTreeSet::new();
        let mut evidence = Vec::new();
        for at in found {
            if told.insert((&at.mirror, at.layout, at.direct, at.in_buildcache)) {
                evidence.push(self.presence(at));
            }
        }
        evidence
    }

    fn presence(&self, found: &FoundAt) -> Evidence {
        let FoundAt { mirror, layout, direct, in_buildcache } = found;
        let seen = self.mirrors.iter().find(|seen| seen.name == *mirror);
        let url = seen.map(|seen| seen.url.clone());
        if *direct {
            return Evidence::Asked { mirror: mirror.clone(), url, layout: *layout };
        }
        let index = seen.and_then(|seen| seen.indexes.iter().find(|index| index.layout == *layout));
        let index = index.map(|index| self.facts(index));
        let presence = if *in_buildcache { Presence::Binary } else { Presence::External };
        Evidence::Index { mirror: mirror.clone(), url, presence, layout: *layout, index }
    }

    fn facts(&self, index: &IndexSeen) -> IndexFacts {
        IndexFacts {
            source: index.source.clone(),
            sha256: index.sha256.clone(),
            modified: index.modified,
            age: age(index.modified, self.at),
        }
    }

    /// Where a spec that was found nowhere was looked for.
    fn absence(&self, decision: &Decision) -> Vec<Evidence> {
        if self.mirrors.is_empty() {
            return vec![Evidence::NoMirror];
        }
        let known = decision.without_binary.iter();
        let known: BTreeSet<(&str, u8)> = known.map(|at| (at.mirror.as_str(), at.layout)).collect();
        let looked = |seen: &MirrorSeen| -> Vec<Evidence> {
            let (mirror, url) = (seen.name.clone(), seen.url.clone());
            match seen.state.as_str() {
                "absent" => vec![Evidence::NoIndex { mirror, url }],
                "read" if seen.indexes.is_empty() => vec![Evidence::NoIndex { mirror, url }],
                "read" => {
                    let said = |index: &IndexSeen| {
                        let is_known = known.contains(&(seen.name.as_str(), index.layout));
                        Evidence::Index {
                            mirror: mirror.clone(),
                            url: Some(url.clone()),
                            presence: if is_known { Presence::WithoutBinary } else { Presence::NotListed },
                            layout: index.layout,
                            index: Some(self.facts(index)),
                        }
                    };
                    seen.indexes.iter().map(said).collect()
                }
                state => vec![Evidence::Unread { mirror, url, state: state.to_owned(), reason: seen.reason.clone() }],
            }
        };
        self.mirrors.iter().flat_map(looked).collect()
    }

    fn keys(&self, decision: &Decision) -> Vec<KeyGroup> {
        let Some(class) = decision.class.and_then(|class| self.classes.get(class)) else { return Vec::new() };
        let mut groups: BTreeMap<&[usize], Vec<KeyValue>> = BTreeMap::new();
        for (key, set) in class {
            let value = KeyValue { key: key.clone(), value: set.value.clone() };
            groups.entry(&set.set_by).or_default().push(value);
        }
        let groups = groups.into_iter().map(|(set_by, keys)| KeyGroup { keys, set_by: self.origins_of(set_by) });
        let mut groups: Vec<KeyGroup> = groups.collect();
        groups.sort_by(|a, b| {
            let first = |group: &KeyGroup| group.keys.first().map(|value| value.key.clone());
            first(a).cmp(&first(b))
        });
        groups
    }

    /// The elements of the configuration that these places stand for.
    pub(in crate::generation) fn origins_of(&self, places: &[usize]) -> Vec<String> {
        let unknown = || "an element that the report does not name".to_owned();
        places.iter().map(|place| self.origins.get(*place).cloned().unwrap_or_else(unknown)).collect()
    }
}

/// How a change reaches a spec, or does not.
fn reached(change: &Change, decision: &Decision) -> Vec<Evidence> {
    let own = package(&decision.spec);
    let mut evidence = vec![Evidence::Depth {
        used: change.depth,
        reached_from: decision.affected_from_depth,
        own_package: change.packages.contains_key(own),
    }];
    if !change.base.is_empty() || !change.head.is_empty() {
        evidence.push(Evidence::Between { base: change.base.clone(), head: change.head.clone() });
    }
    let mut packages: Vec<_> = change.packages.iter().collect();
    // Its own package is what somebody looks for first.
    packages.sort_by_key(|(name, _)| *name != own);
    let changed = packages.into_iter();
    evidence.extend(changed.map(|(name, paths)| Evidence::Changed { package: name.clone(), paths: paths.clone() }));
    if change.elsewhere > 0 {
        evidence.push(Evidence::Elsewhere { count: change.elsewhere });
    }
    evidence
}
