//! Real runs of `spack ci generate`: the same inputs must give the same pipeline, the same verdicts and the same list of copies.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// The folder of real data beside the repository; `None` where it is not there.
fn fixtures() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/spack");
    folder.is_dir().then_some(folder)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&text(path)).unwrap()
}

/// The index in a case's buckets, if the mirror has one there.
fn view(case: &Path, mirror: &Mirror) -> MirrorView {
    let root = case.join("input/s3").join(mirror.fetch.trim_start_matches("s3://"));
    let mut view = absent(&mirror.name, &mirror.fetch);
    let manifest = root.join("v3/manifests/index/index.manifest.json");
    if !manifest.exists() {
        return view;
    }
    let checksum = json(&manifest)["data"][0]["checksum"].as_str().unwrap().to_owned();
    let index = json(&root.join("blobs/sha256").join(&checksum[..2]).join(&checksum));
    let installs = index["database"]["installs"].as_object().unwrap();
    let listed = installs.iter().map(|(hash, record)| {
        let listed = Listed {
            in_buildcache: record["in_buildcache"] == true,
            external: !record["spec"]["external"].is_null(),
        };
        (Hash::parse(hash).unwrap(), listed)
    });
    view.state = MirrorState::Read(vec![listing(listed.collect())]);
    view
}

pub(super) fn read(root: &Path, case: &Path) -> Made {
    let about = json(&case.join("input/case.json"));
    let env: Vec<(&str, &str)> =
        about["env"].as_object().unwrap().iter().map(|(name, value)| (&**name, value.as_str().unwrap())).collect();
    let scopes: Vec<String> = ["ci", "cdash", "mirrors"]
        .iter()
        .map(|section| text(&case.join(format!("input/{section}.merged.yaml"))))
        .collect();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let lock = fs::read(root.join(about["lock"].as_str().unwrap())).unwrap();
    let mut made = Made::new(&lock, &scopes, &env);
    made.options.parity = true;
    made.views = made.mirrors.iter().map(|mirror| view(case, mirror)).collect();
    if let Some(packages) = about["change"]["affected_packages"].as_array() {
        made.changes = Some(ChangeSet::of_packages(packages.iter().map(|name| name.as_str().unwrap())));
    }
    made
}

/// Needs as sets, everything else as it is.
fn settled(value: &Value) -> BTreeMap<String, Value> {
    let jobs = value.as_map().unwrap().iter().map(|(name, job)| {
        let mut job = job.clone();
        if let Value::Map(keys) = &mut job
            && let Some(Value::List(mut needs)) = keys.take("needs")
        {
            needs.sort_by_key(|need| need.get("job").and_then(Value::as_text).map(str::to_owned));
            keys.insert("needs", Value::List(needs));
        }
        (name.name.to_string(), job)
    });
    jobs.collect()
}

pub(super) fn cases() -> Vec<(PathBuf, PathBuf)> {
    let Some(root) = fixtures() else {
        println!("skipped: no real data beside the repository");
        return Vec::new();
    };
    let mut found = Vec::new();
    for stack in fs::read_dir(root.join("generate")).unwrap() {
        for case in fs::read_dir(stack.unwrap().path()).unwrap() {
            found.push((root.clone(), case.unwrap().path()));
        }
    }
    found.sort();
    found
}

#[test]
fn pipelines_equal_those_of_spack() {
    for (root, case) in cases() {
        let made = read(&root, &case);
        let expected = Value::parse(text(&case.join("expected/cloud-ci-pipeline.yml")).as_bytes()).unwrap();
        let document = made.document();
        // What is written is what is compared: aliases and quotes included.
        let written = Value::parse(document.text(Form::Yaml).as_bytes()).unwrap();
        let (want, have) = (settled(&expected), settled(&written));
        for (name, job) in &want {
            assert_eq!(Some(job), have.get(name), "{}: {name}", case.display());
        }
        assert_eq!(want.len(), have.len(), "{}", case.display());
    }
}

#[test]
fn verdicts_are_in_the_words_of_spack() {
    for (root, case) in cases() {
        let expected = json(&case.join("expected/decisions.json"));
        let report = read(&root, &case).with(|inputs, made| report::Report::of(inputs, &made.unwrap()));
        let report = serde_json::to_value(&report).unwrap();
        let decisions = report["decisions"].as_object().unwrap();
        assert_eq!(decisions.len(), expected.as_object().unwrap().len(), "{}", case.display());
        for (hash, have) in decisions {
            let want = &expected[&hash[..7]];
            for key in ["decision", "reasons", "spec"] {
                assert_eq!(want[key], have[key], "{}: {hash}", case.display());
            }
        }
    }
}

#[test]
fn copies_equal_those_of_spack() {
    for (root, case) in cases() {
        let Some(folder) = fs::read_dir(case.join("expected/specs_to_copy")).ok() else { continue };
        let expected = json(&folder.into_iter().next().unwrap().unwrap().path());
        let copies = read(&root, &case).with(|_, made| made.unwrap().copies.unwrap());
        let have: serde_json::Map<_, _> =
            copies.iter().map(|copy| (copy.hash.to_string(), serde_json::to_value(copy).unwrap())).collect();
        assert_eq!(expected, serde_json::Value::Object(have), "{}", case.display());
    }
}
