//! Beside Spack 1.2's own answers about a cache that it made itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use super::made::{INDEXED, LISTED, at, no_limits};
use crate::cache::keep::KeepList;
use crate::cache::plan::{Limits, PrunePlan, PruneRefusal};
use crate::cache::{Blob, BlobRef, Contents, IndexManifest, IndexState, KeyManifest, Reading, Root, SpecManifest};
use crate::spack::buildcache::{Catalogue, Checksum, Part};

#[derive(Deserialize)]
struct Recorded {
    manifests: Vec<(String, u64, Vec<String>)>,
    keys: Vec<(String, u64, Vec<String>)>,
    index: Vec<(String, u64, Vec<String>)>,
    blobs: Vec<(String, u64)>,
    database: serde_json::Value,
    keep: Vec<String>,
    pruned_by_list: Vec<String>,
    lost: Vec<String>,
    pruned_orphans: Vec<String>,
}

fn recorded() -> Recorded {
    let mut recorded: Recorded = serde_json::from_str(include_str!("../../testdata/spack-prune.json")).unwrap();
    for record in recorded.database["database"]["installs"].as_object_mut().unwrap().values_mut() {
        // Most of each node was left out: of a form in which nobody could tell.
        record["spec"]["annotations"] = serde_json::json!({"original_specfile_version": 4});
    }
    recorded
}

impl Recorded {
    /// What a reader makes of the cache, without the objects that were lost.
    fn contents(&self, lost: &[String]) -> Contents {
        let is_there = |path: &str| !lost.iter().any(|gone| gone == path);
        let old = Some(at(100));
        let blobs = self.blobs.iter().map(|(sum, bytes)| (Checksum::parse(sum).unwrap(), *bytes));
        let mut blobs: Vec<Blob> = blobs
            .filter(|(sum, _)| is_there(&sum.path()))
            .map(|(sum, bytes)| Blob { sum, bytes, modified: old })
            .collect();
        blobs.sort_by_key(|blob| blob.sum);
        let named = |sum: &String| BlobRef { sum: Checksum::parse(sum).unwrap(), bytes: 1 };
        let manifests = self.manifests.iter().filter(|(path, ..)| is_there(path)).map(|(path, bytes, names)| {
            let Part::Spec { hash, .. } = Part::of(path) else { panic!("{path}") };
            let (tarball, spec) = (names.first().map(named), names.get(1).map(named));
            SpecManifest {
                path: path.as_str().into(),
                hash,
                bytes: *bytes,
                modified: old,
                tag: None,
                reading: Reading::Read { tarball, spec, others: Vec::new(), is_signed: true },
                signature: None,
            }
        });
        let keys = self.keys.iter().map(|(path, bytes, names)| KeyManifest {
            path: path.as_str().into(),
            bytes: *bytes,
            modified: old,
            blobs: Some(names.iter().map(named).collect()),
        });
        let catalogue = Catalogue::read(self.database.to_string().as_bytes()).unwrap();
        let indexes = self.index.iter().map(|(path, bytes, names)| IndexManifest {
            tag: None,
            others: Vec::new(),
            path: path.as_str().into(),
            view: None,
            modified: Some(at(INDEXED)),
            bytes: *bytes,
            blob: names.first().map(named),
            state: IndexState::Read(Arc::new(catalogue.clone())),
        });
        Contents {
            manifests: manifests.collect(),
            indexes: indexes.collect(),
            keys: keys.collect(),
            blobs,
            listed_at: Some(at(LISTED)),
            ..Contents::default()
        }
    }

    /// The same index, in which nothing depends on anything.
    fn without_dependencies(mut self) -> Self {
        for record in self.database["database"]["installs"].as_object_mut().unwrap().values_mut() {
            record["spec"]["dependencies"] = serde_json::json!([]);
        }
        self
    }

    fn list(&self) -> KeepList {
        KeepList::read("keeplist.txt", self.keep.join("\n").as_bytes()).unwrap()
    }
}

fn make(contents: &Contents, list: Option<&KeepList>, limits: &Limits) -> Result<PrunePlan, Vec<PruneRefusal>> {
    PrunePlan::make(&Root::of(""), contents, list, limits, at(LISTED))
}

fn paths(plan: &PrunePlan) -> BTreeSet<String> {
    let manifests = plan.manifests.iter().map(|doomed| doomed.path.to_string());
    manifests.chain(plan.blobs.iter().map(|doomed| doomed.sum.path())).collect()
}

#[test]
fn without_dependencies_the_plan_is_what_spack_pruned() {
    let recorded = recorded().without_dependencies();
    let plan = make(&recorded.contents(&[]), Some(&recorded.list()), &no_limits()).unwrap();
    assert_eq!(paths(&plan), recorded.pruned_by_list.iter().cloned().collect());
    assert_eq!((plan.manifests.len(), plan.blobs.len(), plan.leave_out.len()), (18, 36, 18));
}

/// The difference that safety demands: Spack takes the dependencies of what it keeps.
#[test]
fn case_28_with_dependencies_thirteen_binaries_more_stay() {
    let recorded = recorded();
    let contents = recorded.contents(&[]);
    let plan = make(&contents, Some(&recorded.list()), &no_limits()).unwrap();
    let theirs: BTreeSet<String> = recorded.pruned_by_list.iter().cloned().collect();
    assert!(paths(&plan).is_subset(&theirs));
    assert_eq!((plan.manifests.len(), plan.blobs.len()), (5, 10));
    let packages: Vec<&str> = plan.manifests.iter().filter_map(|doomed| doomed.path.split('/').nth(3)).collect();
    assert_eq!(packages, ["cmake", "hdf5", "py-pip", "py-setuptools", "python-venv"]);
    let catalogue = contents.catalogue().unwrap();
    let stays = |hash| !plan.leave_out.contains(hash);
    for entry in catalogue.entries().iter().filter(|entry| recorded.list().contains(&entry.hash)) {
        assert!(entry.deps.iter().all(stays), "{} lost a dependency", entry.name);
    }
}

#[test]
fn case_31_spack_took_47_percent_and_the_default_refuses_that() {
    let recorded = recorded().without_dependencies();
    let refusals = make(&recorded.contents(&[]), Some(&recorded.list()), &Limits::default()).unwrap_err();
    assert!(
        matches!(&refusals[..], [PruneRefusal::TooMuch(share)] if share.manifests == 18 && share.all_manifests == 38)
    );
}

#[test]
fn without_a_list_the_plan_is_what_spack_takes_for_orphans() {
    let recorded = recorded();
    let plan = make(&recorded.contents(&recorded.lost), None, &no_limits()).unwrap();
    assert_eq!(paths(&plan), recorded.pruned_orphans.iter().cloned().collect());
    assert_eq!(plan.leave_out.len(), 1, "zstd lost its tarball; lz4's manifest was gone before");
}

/// Spack deletes the blobs of a manifest that it cannot read.
#[test]
fn case_23_an_empty_manifest_costs_no_blob() {
    let recorded = recorded();
    let mut contents = recorded.contents(&recorded.lost);
    contents.manifests[0].reading = Reading::Damaged("the manifest is empty".into());
    let plan = make(&contents, None, &no_limits()).unwrap();
    assert_eq!((plan.manifests.len(), plan.blobs.len(), plan.withheld.len()), (1, 0, 1));
}
