//! How big caches are: sums that grow while keys arrive, so that no key has to be kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Amount, Contents};
use crate::ci::Timestamp;
use crate::spack::buildcache::{Part, split};

/// What one root holds, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Manifests of binaries: as many specs have one.
    pub specs: Amount,
    /// Manifests of indexes and keys, and `layout.json`.
    pub service: Amount,
    /// Each blob counts once, however many specs share it.
    pub blobs: Amount,
    /// What lies there in layout 2.
    pub v2: Amount,
    /// What belongs to no known layout.
    pub foreign: Amount,
    /// The default index: when it was written, and the server's word for that version.
    pub index: Option<(Option<Timestamp>, Option<Arc<str>>)>,
    /// When the newest object was written.
    pub newest: Option<Timestamp>,
}

impl Sizes {
    /// Adds one object by its path below the root.
    pub fn add(&mut self, part: &Part<'_>, bytes: u64, modified: Option<Timestamp>, tag: Option<&str>) {
        let amount = match part {
            Part::Spec { .. } => &mut self.specs,
            Part::Layout | Part::Index { .. } | Part::Key => &mut self.service,
            Part::Blob(_) => &mut self.blobs,
            Part::V2 { .. } => &mut self.v2,
            Part::Foreign => &mut self.foreign,
        };
        amount.add(bytes);
        if matches!(part, Part::Index { view: None }) {
            self.index = Some((modified, tag.map(Arc::from)));
        }
        self.newest = self.newest.max(modified);
    }

    /// Of what was read of a root.
    pub fn of(contents: &Contents) -> Self {
        let sum = |bytes: &mut dyn Iterator<Item = u64>| bytes.map(|bytes| Amount { objects: 1, bytes }).sum();
        let specs = sum(&mut contents.manifests.iter().map(|manifest| manifest.bytes));
        let indexes: Amount = sum(&mut contents.indexes.iter().map(|index| index.bytes));
        let keys = sum(&mut contents.keys.iter().map(|key| key.bytes));
        let manifests = contents.manifests.iter().map(|manifest| manifest.modified);
        let blobs = contents.blobs.iter().map(|blob| blob.modified);
        let indexed = contents.indexes.iter().map(|index| index.modified);
        Self {
            specs,
            service: [indexes, keys, contents.layout].into_iter().sum(),
            blobs: sum(&mut contents.blobs.iter().map(|blob| blob.bytes)),
            v2: contents.v2,
            foreign: contents.foreign.amount,
            index: contents.index().map(|index| (index.modified, index.tag.clone())),
            newest: manifests.chain(blobs).chain(indexed).max().flatten(),
        }
    }

    /// All of it.
    pub fn total(&self) -> Amount {
        [self.specs, self.service, self.blobs, self.v2, self.foreign].into_iter().sum()
    }
}

impl Amount {
    /// Counts one object more.
    pub fn add(&mut self, bytes: u64) {
        self.objects = self.objects.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), |sum, more| Self {
            objects: sum.objects.saturating_add(more.objects),
            bytes: sum.bytes.saturating_add(more.bytes),
        })
    }
}

/// The sizes of all roots below one address.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    roots: Vec<(Arc<str>, Sizes)>,
    places: HashMap<Arc<str>, usize>,
    /// The root of the key before: keys of one root come together.
    last: Option<usize>,
    /// Objects that belong to no root.
    pub outside: Amount,
    /// Checksum (its first half), root and bytes of every blob: a few bytes each, so that a million make no trouble.
    blobs: Vec<(u64, u32, u64)>,
}

/// Blobs that lie in several roots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplication {
    /// Every blob once.
    pub distinct: Amount,
    /// All copies but the first.
    pub copies: Amount,
    /// By root: blobs that some other root has as well.
    pub elsewhere: BTreeMap<Arc<str>, Amount>,
}

impl Inventory {
    /// Adds one object by its key below the address.
    pub fn add(&mut self, key: &str, bytes: u64, modified: Option<Timestamp>, tag: Option<&str>) {
        let Some((root, path)) = split(key) else {
            self.outside.add(bytes);
            return;
        };
        let place = self.place(root);
        let part = Part::of(path);
        if let Part::Blob(sum) = &part {
            self.blobs.push((sum.prefix(), place as u32, bytes));
        }
        if let Some((_, sizes)) = self.roots.get_mut(place) {
            sizes.add(&part, bytes, modified, tag);
        }
    }

    fn place(&mut self, root: &str) -> usize {
        if let Some(last) = self.last
            && self.roots.get(last).is_some_and(|(name, _)| &**name == root)
        {
            return last;
        }
        let place = match self.places.get(root) {
            Some(place) => *place,
            None => {
                let name: Arc<str> = root.into();
                self.roots.push((Arc::clone(&name), Sizes::default()));
                self.places.insert(name, self.roots.len() - 1);
                self.roots.len() - 1
            }
        };
        self.last = Some(place);
        place
    }

    /// Every root with its sizes, by name.
    pub fn roots(&self) -> BTreeMap<&Arc<str>, &Sizes> {
        self.roots.iter().map(|(root, sizes)| (root, sizes)).collect()
    }

    /// Objects and bytes of everything.
    pub fn total(&self) -> Amount {
        self.roots.iter().map(|(_, sizes)| sizes.total()).chain([self.outside]).sum()
    }

    /// Which blobs lie in several roots.
    pub fn duplication(&self) -> Duplication {
        let mut blobs = self.blobs.clone();
        blobs.sort_unstable();
        let mut found = Duplication::default();
        for same in blobs.chunk_by(|a, b| a.0 == b.0) {
            for (nth, (_, root, bytes)) in same.iter().enumerate() {
                if nth == 0 { &mut found.distinct } else { &mut found.copies }.add(*bytes);
                if same.len() > 1
                    && let Some((root, _)) = self.roots.get(*root as usize)
                {
                    found.elsewhere.entry(Arc::clone(root)).or_default().add(*bytes);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::spack::buildcache::Checksum;

    const HASH: &str = "4cqnjcr7ly34qazkfhrjkd6iv76zflqh";

    #[test]
    fn keys_are_counted_where_they_belong() {
        let mut inventory = Inventory::default();
        let at = Timestamp::parse("2026-03-14T03:00:00Z");
        let blob = Checksum::of(b"x").path();
        for root in ["develop", "develop/e4s"] {
            inventory.add(&format!("{root}/v3/layout.json"), 17, None, None);
            inventory.add(&format!("{root}/v3/manifests/index/index.manifest.json"), 300, at, Some("tag"));
            inventory.add(&format!("{root}/v3/manifests/spec/lz4/lz4-1-{HASH}.spec.manifest.json"), 400, None, None);
            inventory.add(&format!("{root}/{blob}"), 1_000, None, None);
        }
        inventory.add("develop/e4s/build_cache/index.json", 5, None, None);
        inventory.add("develop/e4s/blobs/sha256/zz/no", 7, None, None);
        inventory.add("README", 9, None, None);
        let roots = inventory.roots();
        let e4s = roots[&Arc::<str>::from("develop/e4s")];
        assert_eq!(e4s.index, Some((at, Some("tag".into()))));
        assert_eq!((e4s.specs.objects, e4s.service.bytes, e4s.v2.bytes, e4s.foreign.bytes), (1, 317, 5, 7));
        assert_eq!(e4s.newest, at);
        assert_eq!(inventory.outside, Amount { objects: 1, bytes: 9 });
        assert_eq!(inventory.total(), Amount { objects: 11, bytes: 2 * 1_717 + 21 });
        let twice = inventory.duplication();
        let one = Amount { objects: 1, bytes: 1_000 };
        assert_eq!((twice.distinct, twice.copies), (one, one));
        assert_eq!(twice.elsewhere.into_values().collect::<Vec<_>>(), [one, one]);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_a_naive_recount(objects in proptest::collection::vec((0..4usize, 0..9u8, 1..1_000u64), 0..80)) {
            let roots = ["", "develop", "develop/e4s", "p/pr1_x/e4s"];
            let mut keys: BTreeMap<String, u64> = BTreeMap::new();
            for (root, blob, bytes) in objects {
                let path = Checksum::of(&[blob]).path();
                let key = if roots[root].is_empty() { path } else { format!("{}/{path}", roots[root]) };
                keys.insert(key, bytes + u64::from(blob));
            }
            let mut inventory = Inventory::default();
            for (key, bytes) in &keys {
                inventory.add(key, *bytes, None, None);
            }
            prop_assert_eq!(inventory.total(), Amount { objects: keys.len() as u64, bytes: keys.values().sum() });
            let twice = inventory.duplication();
            let distinct: BTreeSet<&str> = keys.keys().map(|key| key.rsplit('/').next().unwrap()).collect();
            prop_assert_eq!(twice.distinct.objects, distinct.len() as u64);
            prop_assert_eq!(twice.distinct.objects + twice.copies.objects, keys.len() as u64);
            prop_assert_eq!(twice.distinct.bytes + twice.copies.bytes, inventory.total().bytes);
        }
    }
}
