//! What Spack itself made of real locks: the same jobs must get the same needs and stages, and the same specs must be affected.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::{Dag, affected};
use crate::generation::gaps;
use crate::spack::yaml::Value;
use crate::spack::{Lock, Spec};

struct Golden {
    name: String,
    folder: PathBuf,
    lock: Lock,
}

/// Every golden run; none where the fixtures are not.
fn goldens() -> Vec<Golden> {
    let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures/spack"));
    let folders = |path: &Path| -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
        found.sort();
        found
    };
    let cases = folders(&shared.join("generate")).into_iter().flat_map(|stack| folders(&stack));
    let read = |folder: PathBuf| {
        let case: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("input/case.json")).unwrap()).unwrap();
        let lock = std::fs::read(shared.join(case["lock"].as_str().unwrap())).unwrap();
        Golden { name: folder.display().to_string(), folder, lock: Lock::parse(&lock).unwrap() }
    };
    let found: Vec<Golden> = cases.map(read).collect();
    if found.is_empty() {
        eprintln!("SKIPPED: no golden pipelines below {}", shared.display());
    }
    found
}

impl Golden {
    fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.folder.join(path)).unwrap()).unwrap()
    }

    /// Which specs Spack rebuilt, and why it kept or pruned each.
    fn decisions(&self) -> BTreeMap<String, (bool, Vec<String>)> {
        let decisions = self.json("expected/decisions.json");
        let read = |(hash, spec): (&String, &serde_json::Value)| {
            let reasons = spec["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap().to_owned());
            (hash.clone(), (spec["decision"] == "rebuild", reasons.collect()))
        };
        decisions.as_object().unwrap().iter().map(read).collect()
    }

    /// Needs and stage of every build job, by hash.
    fn jobs(&self) -> BTreeMap<String, (BTreeSet<String>, u32)> {
        let text = std::fs::read(self.folder.join("expected/cloud-ci-pipeline.yml")).unwrap();
        let document = Value::parse(&text).unwrap();
        let hash = |job: &str| job.split_once(" /").map(|(_, rest)| rest[..32].to_owned());
        let entries = document.as_map().unwrap().iter();
        let builds = entries.filter_map(|(key, job)| Some((hash(&key.to_string())?, job)));
        builds
            .map(|(own, job)| {
                let needs = job.get("needs").unwrap().as_list().unwrap().iter();
                let needs = needs.filter_map(|need| hash(need.get("job")?.as_text()?)).collect();
                let stage =
                    job.get("stage").unwrap().as_text().unwrap().strip_prefix("stage-").unwrap().parse().unwrap();
                (own, (needs, stage))
            })
            .collect()
    }
}

#[test]
fn case_01_needs_and_stages_are_those_of_spack() {
    let mut jobs = 0;
    for golden in goldens().into_iter().filter(|golden| !golden.name.ends_with("copy-only")) {
        let graph = golden.lock.graph().unwrap();
        let specs: Vec<&Spec> = graph.node_weights().copied().collect();
        let dag = Dag::of(&graph).unwrap();
        let decisions = golden.decisions();
        let keep: Vec<bool> = specs.iter().map(|spec| decisions[spec.hash.short()].0).collect();
        let kept = dag.pruned(&keep).unwrap();
        let hash = |place: &u32| specs[*place as usize].hash.as_str().to_owned();
        let made: BTreeMap<_, _> = kept
            .order()
            .iter()
            .map(|node| (hash(node), (kept.children(*node).iter().map(hash).collect(), kept.level(*node))))
            .collect();
        assert_eq!(made, golden.jobs(), "{}", golden.name);
        assert!(dag.reduced(&keep).unwrap() == kept.reduced(), "{}", golden.name);
        jobs += kept.len();

        // Spack's own filters leave no gap.
        // An empty cache has no list.
        let listed = std::fs::read_to_string(golden.folder.join("input/cached_hashes.json")).unwrap_or_default();
        let available: Vec<bool> = specs.iter().map(|spec| listed.contains(spec.hash.as_str())).collect();
        let external: Vec<bool> = specs.iter().map(|spec| spec.is_external()).collect();
        assert_eq!(gaps(&dag, &keep, &external, &available), [], "{}", golden.name);
    }
    assert!(jobs == 0 || jobs > 500, "{jobs}");
}

#[test]
fn case_22_affected_specs_are_those_of_spack() {
    for golden in goldens() {
        let Some(changed) = golden.json("input/case.json").pointer("/change/affected_packages").cloned() else {
            continue;
        };
        let graph = golden.lock.graph().unwrap();
        let specs: Vec<&Spec> = graph.node_weights().copied().collect();
        let names: BTreeSet<&str> = changed.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let places: Vec<u32> =
            (0..).zip(&specs).filter(|(_, spec)| names.contains(&*spec.name)).map(|(place, _)| place).collect();
        let marks = affected(&Dag::of(&graph).unwrap(), &places, Some(1));
        for (spec, mark) in specs.iter().zip(marks) {
            let (_, reasons) = &golden.decisions()[spec.hash.short()];
            let expected = if mark { "affected by change" } else { "unaffected by change" };
            assert!(reasons.iter().any(|reason| reason == expected), "{}: {}", golden.name, spec.label());
        }
    }
}
