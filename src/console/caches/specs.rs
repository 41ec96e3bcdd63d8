//! The specs of one root as a list: worked out once when somebody looked into it, so that a face only orders and draws.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::cache::{Contents, FindingKind, Health, IndexState, Reading, SignatureState, SpecManifest};
use crate::ci::Timestamp;
use crate::console::filter::{Field, Subject, Value};
use crate::spack::Hash;
use crate::spack::buildcache::Catalogue;

/// What became of a spec, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecState {
    /// What lies there is broken, or somebody tampered.
    Damaged,
    /// It is listed, and its binary is not there.
    Hole,
    /// Nobody could say: something was not listed or read.
    Unknown,
    /// It lies there, and the index does not list it.
    Unindexed,
    /// Something here needs it, and it was never pushed.
    Absent,
    Ok,
}

impl SpecState {
    /// The word of screens and filters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Hole => "hole",
            Self::Unknown => "unknown",
            Self::Unindexed => "unindexed",
            Self::Absent => "absent",
            Self::Ok => "ok",
        }
    }

    /// What a kind of finding makes of the spec that it is about.
    const fn by(kind: FindingKind) -> Option<Self> {
        match kind {
            FindingKind::Forged
            | FindingKind::WrongLength
            | FindingKind::DamagedManifest
            | FindingKind::OddName
            | FindingKind::BadSignature => Some(Self::Damaged),
            FindingKind::MissingManifest | FindingKind::MissingBlob => Some(Self::Hole),
            FindingKind::Unread => Some(Self::Unknown),
            FindingKind::Unindexed => Some(Self::Unindexed),
            FindingKind::NeverPushed => Some(Self::Absent),
            _ => None,
        }
    }
}

/// What is known about who signed a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signed {
    Verified(SignatureState),
    /// It carries a signature that nobody verified.
    Yes,
    No,
    Unknown,
}

impl Signed {
    /// Of a manifest.
    pub fn of(manifest: &SpecManifest) -> Self {
        match (&manifest.signature, &manifest.reading) {
            (Some(signature), _) => Self::Verified(signature.state()),
            (None, Reading::Read { is_signed: true, .. }) => Self::Yes,
            (None, Reading::Read { is_signed: false, .. }) => Self::No,
            (None, _) => Self::Unknown,
        }
    }

    /// The word of screens and filters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Verified(state) => state.word(),
            Self::Yes => "signed",
            Self::No => "unsigned",
            Self::Unknown => "?",
        }
    }
}

/// A spec of a root, or a manifest that is not about one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecId {
    Hash(Hash),
    /// The path of a manifest whose name has no hash, or one that another manifest has as well.
    Path(Arc<str>),
}

/// One spec in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecRow {
    pub id: SpecId,
    pub state: SpecState,
    pub signed: Signed,
    /// Of its manifest and of all blobs that it names; `None` where nothing lies there or it was not read.
    pub bytes: Option<u64>,
    /// When its manifest was written.
    pub written: Option<Timestamp>,
    /// Where its manifest stands among those of the root.
    manifest: Option<u32>,
    text: Range<u32>,
}

/// Every spec of a root: what manifests are about and what indexes list.
#[derive(Debug, Default)]
pub struct Specs {
    /// By name, version and hash.
    rows: Vec<SpecRow>,
    /// The texts of all rows, one after the other: `hdf5@1.14.5 /k3x2fzv`.
    texts: String,
    /// Places of rows, by identity.
    by_id: Vec<u32>,
}

impl Specs {
    pub(super) fn of(contents: &Contents, health: &Health) -> Self {
        let mut making = Making::new(contents, health);
        for (nth, manifest) in contents.manifests.iter().enumerate() {
            making.manifest(nth as u32, manifest);
        }
        let indexes = contents.indexes.iter().filter_map(|index| match &index.state {
            IndexState::Read(catalogue) => Some(&**catalogue),
            _ => None,
        });
        indexes.for_each(|catalogue| making.listed(catalogue));
        making.finish()
    }

    /// All rows, by name.
    pub fn rows(&self) -> &[SpecRow] {
        &self.rows
    }

    /// One row, by its place.
    pub fn row(&self, place: u32) -> Option<&SpecRow> {
        self.rows.get(place as usize)
    }

    /// What a row is called: `hdf5@1.14.5 /k3x2fzv`. From outside: not made harmless.
    pub fn text(&self, row: &SpecRow) -> &str {
        self.texts.get(row.text.start as usize..row.text.end as usize).unwrap_or_default()
    }

    /// The place of a row.
    pub fn find(&self, id: &SpecId) -> Option<u32> {
        let at = |place: &u32| self.row(*place).map(|row| &row.id);
        let found = self.by_id.binary_search_by(|place| at(place).cmp(&Some(id))).ok()?;
        self.by_id.get(found).copied()
    }

    /// The manifest of a row.
    pub fn manifest<'a>(&self, row: &SpecRow, contents: &'a Contents) -> Option<&'a SpecManifest> {
        contents.manifests.get(row.manifest? as usize)
    }

    /// Dresses a row for the filter.
    pub fn subject<'a>(&'a self, row: &'a SpecRow) -> SpecSubject<'a> {
        SpecSubject { row, text: self.text(row) }
    }
}

struct Making<'a> {
    contents: &'a Contents,
    /// The worst finding about a spec, and about a path.
    by_hash: HashMap<Hash, SpecState>,
    by_path: HashMap<&'a str, SpecState>,
    seen: HashSet<Hash>,
    made: Specs,
}

impl<'a> Making<'a> {
    fn new(contents: &'a Contents, health: &'a Health) -> Self {
        let (mut by_hash, mut by_path) = (HashMap::new(), HashMap::new());
        for finding in &health.findings {
            let Some(state) = SpecState::by(finding.kind) else { continue };
            let known = match Hash::parse(&finding.place) {
                Ok(hash) => by_hash.entry(hash).or_insert(state),
                Err(_) => by_path.entry(&*finding.place).or_insert(state),
            };
            *known = state.min(*known);
        }
        let seen = HashSet::with_capacity(contents.manifests.len());
        Self { contents, by_hash, by_path, seen, made: Specs::default() }
    }

    fn manifest(&mut self, nth: u32, manifest: &SpecManifest) {
        let id = match manifest.hash {
            Some(hash) if self.seen.insert(hash) => SpecId::Hash(hash),
            _ => SpecId::Path(Arc::clone(&manifest.path)),
        };
        let told = manifest.hash.and_then(|hash| self.by_hash.get(&hash));
        let worst = told.into_iter().chain(self.by_path.get(&*manifest.path)).min().copied();
        let (unread, bytes) = match &manifest.reading {
            Reading::Unread | Reading::Failed(_) => (Some(SpecState::Unknown), None),
            Reading::Damaged(_) => (None, None),
            Reading::Read { tarball, spec, others, .. } => {
                let blobs = tarball.iter().chain(spec).chain(others);
                let known = blobs.clone().all(|blob| self.contents.blob(blob.sum).is_some());
                // Missing is told by findings; what no finding tells is not known.
                let unread = (!known && worst.is_none()).then_some(SpecState::Unknown);
                (unread, Some(blobs.map(|blob| blob.bytes).fold(manifest.bytes, u64::saturating_add)))
            }
        };
        let entry = manifest.hash.and_then(|hash| self.contents.catalogue()?.get(&hash));
        let text = match (entry, manifest.hash) {
            (Some(entry), Some(hash)) => format!("{}@{} /{}", entry.name, entry.version, hash.short()),
            _ => named(&manifest.path, manifest.hash),
        };
        self.add(
            id,
            worst.into_iter().chain(unread).min().unwrap_or(SpecState::Ok),
            Some((nth, manifest)),
            bytes,
            &text,
        );
    }

    /// What an index lists and no manifest is about.
    fn listed(&mut self, catalogue: &Catalogue) {
        for entry in catalogue.entries().iter().filter(|entry| !entry.listed.external) {
            if !self.seen.insert(entry.hash) {
                continue;
            }
            // Without a finding it is listed, and nobody saw its manifest.
            let state = self.by_hash.get(&entry.hash).copied().unwrap_or(SpecState::Unknown);
            let text = format!("{}@{} /{}", entry.name, entry.version, entry.hash.short());
            self.add(SpecId::Hash(entry.hash), state, None, None, &text);
        }
    }

    fn add(
        &mut self,
        id: SpecId,
        state: SpecState,
        manifest: Option<(u32, &SpecManifest)>,
        bytes: Option<u64>,
        text: &str,
    ) {
        let from = self.made.texts.len() as u32;
        self.made.texts.push_str(text);
        self.made.rows.push(SpecRow {
            id,
            state,
            signed: manifest.map_or(Signed::Unknown, |(_, manifest)| Signed::of(manifest)),
            bytes,
            written: manifest.and_then(|(_, manifest)| manifest.modified),
            manifest: manifest.map(|(nth, _)| nth),
            text: from..self.made.texts.len() as u32,
        });
    }

    fn finish(self) -> Specs {
        let Specs { mut rows, texts, .. } = self.made;
        let text = |row: &SpecRow| texts.get(row.text.start as usize..row.text.end as usize).unwrap_or_default();
        rows.sort_by(|a, b| text(a).cmp(text(b)).then_with(|| a.id.cmp(&b.id)));
        let mut by_id: Vec<u32> = (0..rows.len() as u32).collect();
        by_id.sort_by_key(|place| rows.get(*place as usize).map(|row| &row.id));
        Specs { rows, texts, by_id }
    }
}

/// The name that the path of a manifest tells; the whole file name where it tells none.
fn named(path: &str, hash: Option<Hash>) -> String {
    let mut parts = path.rsplit('/');
    let file = parts.next().unwrap_or(path);
    let package = parts.next().unwrap_or_default();
    let told = || {
        let hash = hash?;
        let rest = file.strip_prefix(package)?.strip_prefix('-')?;
        let (version, _) = rest.split_once(hash.as_str())?;
        Some(format!("{package}@{} /{}", version.trim_end_matches('-'), hash.short()))
    };
    told().unwrap_or_else(|| file.to_owned())
}

/// A spec as the filter reads it.
pub struct SpecSubject<'a> {
    row: &'a SpecRow,
    text: &'a str,
}

impl Subject for SpecSubject<'_> {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        visit(self.text);
        visit(self.row.state.word());
    }

    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::State => Value::Text(self.row.state.word()),
            Field::Spec => Value::Text(self.text),
            Field::Pkg => Value::Text(self.text.split_once('@').map_or(self.text, |(package, _)| package)),
            Field::Hash => match &self.row.id {
                SpecId::Hash(hash) => Value::Text(hash.as_str()),
                SpecId::Path(_) => Value::Absent,
            },
            Field::Size => self.row.bytes.map_or(Value::Unknown, Value::Bytes),
            Field::Age | Field::Since => self.row.written.map_or(Value::Unknown, Value::Time),
            // Who signed is what a signature is about.
            Field::Sig => match self.row.signed {
                Signed::Unknown => Value::Unknown,
                signed => Value::Text(signed.word()),
            },
            _ => Value::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cache::testing::{Files, at, hash, path_of};
    use crate::cache::{Gap, HealthRules};
    use crate::console::filter::Filter;

    fn specs(contents: &Contents) -> Specs {
        let rules = HealthRules { now: at(100), max_index_age: None, max_skew: Duration::from_secs(300) };
        Specs::of(contents, &Health::of(contents, &rules))
    }

    fn state(specs: &Specs, number: usize) -> (SpecState, Option<u64>) {
        let place = specs.find(&SpecId::Hash(hash(number))).unwrap();
        let row = specs.row(place).unwrap();
        (row.state, row.bytes)
    }

    #[test]
    fn every_spec_has_its_state_and_what_is_not_read_stays_unknown() {
        let mut files = Files::default();
        (1..=5).for_each(|number| files.push(number, number, 3));
        files.index(None, &[9], |number| number < 5);
        files.remove(&path_of(2));
        let contents = files.contents();
        let third = contents.manifests.iter().find(|manifest| manifest.hash == Some(hash(3))).unwrap();
        let Reading::Read { tarball: Some(blob), .. } = &third.reading else { panic!() };
        files.remove(&blob.sum.path());
        files.put("v3/manifests/spec/pkg/odd.spec.manifest.json", b"{}");
        let contents = files.contents();
        let made = specs(&contents);
        let states: Vec<SpecState> = [1, 2, 3, 4, 5, 9].map(|number| state(&made, number).0).to_vec();
        let (ok, hole) = (SpecState::Ok, SpecState::Hole);
        assert_eq!(states, [ok, hole, hole, ok, SpecState::Unindexed, SpecState::Absent]);
        assert_eq!(state(&made, 2).1, None, "nothing lies there");
        let odd = made.rows().iter().find(|row| matches!(row.id, SpecId::Path(_))).unwrap();
        assert_eq!((odd.state, made.text(odd)), (SpecState::Damaged, "odd.spec.manifest.json"));
        let text = made.text(made.row(made.find(&SpecId::Hash(hash(5))).unwrap()).unwrap());
        assert_eq!(text, format!("pkg@1.0 /{}", hash(5).short()));
    }

    #[test]
    fn below_a_gap_nothing_is_called_a_hole_and_nothing_is_called_whole() {
        let mut files = Files::default();
        files.push(1, 1, 3);
        files.index(None, &[], |_| true);
        let mut contents = files.contents();
        contents.blobs.clear();
        contents.gaps.push(Gap { place: "blobs/".into(), why: "403".into() });
        assert_eq!(state(&specs(&contents), 1).0, SpecState::Unknown);
        contents.manifests.clear();
        contents.gaps.push(Gap { place: "v3/manifests/spec/".into(), why: "403".into() });
        assert_eq!(state(&specs(&contents), 1), (SpecState::Unknown, None));
    }

    #[test]
    fn specs_are_filtered_by_the_grammar_of_all_lists() {
        let mut files = Files::default();
        files.push(1, 1, 3);
        files.index(None, &[9], |_| true);
        let contents = files.contents();
        let made = specs(&contents);
        let found = |text: &str| {
            let filter = Filter::parse(text).unwrap();
            made.rows().iter().filter(|row| filter.matches(&made.subject(row), at(0))).count()
        };
        let texts =
            ["", "state:absent", "!state:absent", "pkg=pkg", "pkg@1", "size>0", "size:?", "sig:unsigned", "state:hole"];
        assert_eq!(texts.map(found), [2, 1, 1, 2, 2, 1, 1, 1, 0]);
    }
}
