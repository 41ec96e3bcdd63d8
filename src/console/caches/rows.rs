//! The rows of lists: mirrors with their roots, with sizes, growth and the worst that is known about each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Caches, Inside, RootId};
use crate::cache::{Amount, FindingKind, Severity, growth};
use crate::ci::Timestamp;
use crate::console::filter::{Field, Subject, Value};

/// A day.
const DAY: Duration = Duration::from_hours(24);

/// One root in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRow {
    pub id: RootId,
    /// What it is called below its mirror: the stack, or the whole prefix.
    pub name: Arc<str>,
    pub total: Amount,
    /// Manifests of binaries.
    pub specs: u64,
    /// Bytes that came in a day; `None` where samples do not tell.
    pub growth: Option<i64>,
    /// When the index was written; `None` where there is none.
    pub index: Option<Timestamp>,
    /// There is an index at all.
    pub has_index: bool,
    /// What is wrong with the index; `None` while nobody looked inside.
    pub index_state: Option<Severity>,
    /// Of the newest look inside, which may be older than the sizes.
    pub orphans: Option<Amount>,
    pub holes: Option<u64>,
    /// `None` while nobody looked inside.
    pub state: Option<Severity>,
    /// When somebody looked inside.
    pub looked_at: Option<Timestamp>,
    /// When this was sampled.
    pub at: Timestamp,
}

/// A mirror with its roots: a ref, a snapshot, or all pull requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorRow {
    pub name: Arc<str>,
    /// By size, the largest first.
    pub roots: Vec<RootRow>,
    pub total: Amount,
    pub specs: u64,
    /// `None` as soon as one root does not tell.
    pub growth: Option<i64>,
    /// Of those roots that tell.
    pub orphans: Option<Amount>,
    pub holes: Option<u64>,
    pub state: Option<Severity>,
    /// When the oldest index of its roots was written.
    pub index: Option<Timestamp>,
}

/// A root as the filter reads it.
pub struct RootSubject<'a> {
    pub mirror: &'a str,
    pub row: &'a RootRow,
}

impl Subject for RootSubject<'_> {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.row.name);
        visit(self.mirror);
    }

    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::State => self.row.state.map_or(Value::Unknown, |state| Value::Text(state.word())),
            Field::Stack => Value::Text(&self.row.name),
            Field::Ref => Value::Text(self.mirror),
            Field::Size => Value::Bytes(self.row.total.bytes),
            Field::Age | Field::Since => match self.row.index {
                Some(at) => Value::Time(at),
                None if self.row.has_index => Value::Unknown,
                None => Value::Absent,
            },
            _ => Value::Absent,
        }
    }
}

/// Every mirror, the worst first, then the largest.
pub fn rows(caches: &Caches) -> Vec<MirrorRow> {
    let mut mirrors: BTreeMap<Arc<str>, Vec<RootRow>> = BTreeMap::new();
    for (id, facts) in &caches.roots.value {
        let Some(newest) = facts.newest() else { continue };
        let inside = facts.inside.value.as_deref();
        // A listing tells sizes and nothing else: what an earlier look found is not forgotten over it.
        let looked = facts.looked();
        let has_index = newest.sizes.index.is_some();
        // Without an index Spack sees nothing of what lies there; that much a listing tells.
        let unlisted = !has_index && newest.sizes.specs.objects > 0;
        let mirror = facts.root.mirror();
        let name = if facts.root.is_pr() {
            Arc::clone(&facts.root.prefix)
        } else {
            facts.root.stack().cloned().unwrap_or_else(|| "(top level)".into())
        };
        mirrors.entry(mirror).or_default().push(RootRow {
            id: *id,
            name,
            total: newest.sizes.total(),
            specs: newest.sizes.specs.objects,
            growth: growth(&facts.samples, DAY),
            index: newest.sizes.index.as_ref().and_then(|(at, _)| *at),
            has_index,
            index_state: inside.and_then(Inside::index_state).or(unlisted.then_some(FindingKind::NoIndex.severity())),
            orphans: looked.and_then(|sample| sample.orphans),
            holes: looked.and_then(|sample| sample.holes),
            state: inside.map(|inside| inside.health.state()).or(looked.and_then(|sample| sample.state)),
            looked_at: facts.inside.fetched_at.or(looked.map(|sample| sample.at)),
            at: newest.at,
        });
    }
    let mut rows: Vec<MirrorRow> = mirrors.into_iter().map(|(name, roots)| MirrorRow::of(name, roots)).collect();
    rows.sort_by(|a, b| {
        let worst = |row: &MirrorRow| row.state.filter(|state| *state < Severity::Info).unwrap_or(Severity::Ok);
        (worst(a), b.total.bytes).cmp(&(worst(b), a.total.bytes)).then_with(|| a.name.cmp(&b.name))
    });
    rows
}

impl MirrorRow {
    /// Any of its roots has an index.
    pub fn has_index(&self) -> bool {
        self.roots.iter().any(|root| root.has_index)
    }

    /// The worst of its indexes; good only where somebody looked at all of them.
    pub fn index_state(&self) -> Option<Severity> {
        let is_told = |root: &RootRow| root.index_state.is_some() || (!root.has_index && root.specs == 0);
        let worst = self.roots.iter().filter_map(|root| root.index_state).min();
        worst.filter(|worst| *worst <= Severity::Warn || self.roots.iter().all(is_told))
    }

    /// The worst of its roots; good only where somebody looked into all of them.
    pub fn known_state(&self) -> Option<Severity> {
        self.state.filter(|worst| *worst <= Severity::Warn || self.roots.iter().all(|root| root.state.is_some()))
    }

    fn of(name: Arc<str>, mut roots: Vec<RootRow>) -> Self {
        roots.sort_by(|a, b| b.total.bytes.cmp(&a.total.bytes).then_with(|| a.name.cmp(&b.name)));
        let told = |amount: fn(&RootRow) -> Option<Amount>| {
            let mut known = roots.iter().filter_map(amount).peekable();
            known.peek().is_some().then(|| known.sum())
        };
        Self {
            name,
            total: roots.iter().map(|root| root.total).sum(),
            specs: roots.iter().map(|root| root.specs).sum(),
            growth: roots.iter().map(|root| root.growth).sum(),
            orphans: told(|root| root.orphans),
            holes: roots.iter().filter_map(|root| root.holes).reduce(|sum, more| sum + more),
            state: roots.iter().filter_map(|root| root.state).min(),
            index: roots.iter().filter_map(|root| root.index).min(),
            roots,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Duplication, Sample, Sizes};

    fn sample(url: &str, hours: i64, bytes: u64) -> Sample {
        Sample {
            url: url.into(),
            at: Timestamp::from_millis(hours * 3_600_000),
            skew_ms: 0,
            sizes: Sizes { blobs: Amount { objects: 1, bytes }, ..Sizes::default() },
            orphans: None,
            holes: None,
            state: None,
        }
    }

    fn caches() -> Caches {
        Caches { mirrors: vec!["s3://b".into(), "s3://prs".into()], ..Caches::default() }
    }

    #[test]
    fn roots_are_grouped_by_their_mirror_and_unknown_growth_stays_unknown() {
        let mut caches = caches();
        caches.sampled(vec![
            sample("s3://b/develop/e4s", 24, 300),
            sample("s3://b/develop/e4s", 0, 100),
            sample("s3://b/develop", 24, 50),
            sample("s3://prs/spack/pr7_x/e4s", 24, 7),
            sample("s3://elsewhere/develop", 24, 7),
        ]);
        let rows = rows(&caches);
        let names: Vec<&str> = rows.iter().map(|row| &*row.name).collect();
        assert_eq!(names, ["develop", "pr"]);
        let develop = &rows[0];
        assert_eq!((develop.total.bytes, develop.growth), (350, None), "the top level was sampled once");
        assert_eq!(develop.roots.iter().map(|root| root.growth).collect::<Vec<_>>(), [Some(200), None]);
        assert_eq!(&*rows[1].roots[0].name, "spack/pr7_x/e4s");
    }

    #[test]
    fn a_mirror_is_good_only_where_somebody_looked_into_all_of_it() {
        let mut caches = caches();
        let fine = Sample {
            state: Some(Severity::Ok),
            orphans: Some(Amount::default()),
            ..sample("s3://b/develop/e4s", 1, 3)
        };
        caches.sampled(vec![fine.clone(), sample("s3://b/develop", 1, 3)]);
        assert_eq!(rows(&caches)[0].known_state(), None);
        // What a later listing leaves out is still what the look told.
        caches.sampled(vec![
            sample("s3://b/develop/e4s", 2, 4),
            Sample { state: Some(Severity::Info), ..sample("s3://b/develop", 1, 3) },
        ]);
        let row = &rows(&caches)[0];
        assert_eq!((row.known_state(), row.total.bytes), (Some(Severity::Info), 7));
        assert_eq!(row.roots[0].orphans, Some(Amount::default()));
    }

    #[test]
    fn what_is_bad_comes_first_and_what_vanished_goes() {
        let mut caches = caches();
        let bad = Sample { state: Some(Severity::Bad), ..sample("s3://b/releases/v1.1/e4s", 1, 1) };
        let first = vec![sample("s3://b/develop/e4s", 1, 300), bad.clone()];
        caches.listed("s3://b", first, Duplication::default());
        assert_eq!(&*rows(&caches)[0].name, "releases/v1.1");
        caches.sampled(vec![sample("s3://prs/spack/pr7_x/e4s", 1, 7)]);
        caches.listed("s3://b", vec![bad], Duplication::default());
        let names: Vec<String> = rows(&caches).iter().map(|row| row.name.to_string()).collect();
        assert_eq!(names, ["releases/v1.1", "pr"]);
    }
}
