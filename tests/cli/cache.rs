//! Binary caches: sizes against a naive recount, health, signatures by real gpg, and prune plans; over S3 and over folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::stage::{SHARED, Stage, world};

/// The fixtures beside the project, where they are.
fn fixture(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/spack").join(path);
    path.exists().then_some(path)
}

/// A copy that may be changed.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name());
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::write(to.join(name), std::fs::read(&path).unwrap()).unwrap();
        }
    }
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap_or_else(|| panic!("{value}")).iter().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn sizes_are_a_naive_recount_and_are_told_again_without_listing() {
    let stage = Stage::facing(&SHARED);
    stage.run(&["cache", "size"]).failed(3, "nothing was sampled yet");
    let told = stage.run(&["cache", "size", "--fresh", "--mirror", "s3://spack-binaries", "--json"]);
    let told = told.document("stackhand.cache-size/1");
    let objects = SHARED.s3_objects("spack-binaries").unwrap();
    let roots = told["roots"].as_array().unwrap();
    let sum = |field: &str| roots.iter().map(|root| root[field].as_u64().unwrap()).sum::<u64>();
    let inside = |key: &str| {
        ["v3/", "blobs/", "build_cache/"].iter().any(|part| key.starts_with(part) || key.contains(&format!("/{part}")))
    };
    let counted: Vec<_> = objects.iter().filter(|object| inside(&object.key)).collect();
    assert_eq!(sum("objects"), counted.len() as u64);
    assert_eq!(sum("bytes"), counted.iter().map(|object| object.size).sum::<u64>());
    assert!(sum("bytes") > 1_000_000_000_000, "terabytes, as in life");
    let copied = told["duplication"]["copied_bytes"].as_u64().unwrap();
    assert!(copied > 0 && copied < sum("bytes"), "the top level has copies of what its stacks have");

    let again = stage.run(&["cache", "size", "--json"]).document("stackhand.cache-size/1");
    assert_eq!(again["total"]["bytes"], told["total"]["bytes"]);
    assert!(again["roots"][0]["age_s"].as_u64().unwrap() < 3_600, "by the mirror's clock");
    let text = stage.run(&["cache", "size"]);
    assert!(text.out.contains("s3://spack-binaries/develop/e4s") && text.err.contains("objects are not stored"));
}

#[test]
fn a_refresh_costs_what_changed() {
    let running = world();
    let stage = Stage::facing(&running);
    let mirror = ["--mirror", "s3://spack-binaries"];
    let requests = |arguments: &[&str]| {
        let before = running.s3_requests();
        assert_eq!(stage.run(&[&["cache", "size"][..], arguments, &mirror].concat()).code, 0);
        running.s3_requests() - before
    };
    let whole = requests(&["--fresh"]);
    let nothing = requests(&["--changed"]);
    let roots = stage.run(&[&["cache", "ls", "--json"][..], &mirror].concat()).document("stackhand.cache-ls/1");
    let roots = roots["roots"].as_array().unwrap().len() as u64;
    // The walk through folders, one request for each root, and those roots that have no index to tell.
    assert!(nothing < whole && nothing <= 4 * roots, "{nothing} of {whole} for {roots} roots");
}

#[test]
fn roots_are_listed_by_kind() {
    let stage = Stage::facing(&SHARED);
    let listed = stage.run(&["cache", "ls", "--json"]).document("stackhand.cache-ls/1");
    let of = |kind: &str| {
        let rows = listed["roots"].as_array().unwrap().iter().filter(|root| root["kind"] == kind);
        rows.map(|root| root["url"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(of("top").contains(&"s3://spack-binaries/develop".to_owned()));
    assert!(of("stack").contains(&"s3://spack-binaries/releases/v2025.11/e4s".to_owned()));
    assert!(!of("snapshot").is_empty() && !of("pr").is_empty());
    stage.run(&["cache", "ls", "--mirror", "https://127.0.0.1:9/x"]).failed(4, "cannot be listed");
}

#[test]
fn health_names_what_is_wrong_and_knows_what_it_does_not_know() {
    let stage = Stage::facing(&SHARED);
    let url = "s3://spack-binaries/develop/e4s";
    let found = stage.run(&["cache", "health", "--mirror", url, "--json"]).document("stackhand.cache-health/1");
    let objects = SHARED.s3_objects("spack-binaries").unwrap();
    let mine = |part: &str| objects.iter().filter(|o| o.key.starts_with(&format!("develop/e4s/{part}"))).count() as u64;
    assert_eq!(found["specs"], mine("v3/manifests/spec/"));
    assert_eq!((&found["complete"], &found["state"]), (&json!(true), &json!("bad")));
    // Which stack has what wrong follows from the seed; all of it is somewhere.
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    for stack in ["e4s", "e4s-oneapi", "e4s-cray-rhel", "data-vis-sdk", "hep"] {
        let url = format!("s3://spack-binaries/develop/{stack}");
        let found = stage.run(&["cache", "health", "--mirror", &url, "--json"]).document("stackhand.cache-health/1");
        let found = found["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap().to_owned());
        kinds.extend(found);
    }
    for kind in ["missing_manifest", "missing_blob", "unindexed", "orphans"] {
        assert!(kinds.contains(kind), "{kind} is not in {kinds:?}");
    }
    for orphan in texts(&found["orphans"]) {
        assert!(objects.iter().any(|object| object.key == format!("develop/e4s/{orphan}")), "{orphan}");
    }
    stage.run(&["cache", "health", "--mirror", url, "--strict"]).failed(1, "");
    // What cannot be reached is unknown, and never empty.
    let lost = stage.run(&["cache", "health", "--mirror", "s3://no-such-bucket/x", "--json"]);
    assert_eq!(lost.code, 4, "{}", lost.err);
    let lost = lost.json();
    assert_eq!((&lost["specs"], &lost["blobs"], &lost["orphans"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(lost["state"], "unknown");
}

#[test]
fn health_agrees_with_spack_about_a_broken_index() {
    let (Some(mirror), Some(case)) = (fixture("buildcache-v3-signed"), fixture("check-index-case")) else { return };
    let stage = Stage::bare();
    let root = stage.folder.join("mirror");
    copy(&mirror, &root);
    let read = |name: &str| serde_json::from_slice::<Value>(&std::fs::read(case.join(name)).unwrap()).unwrap();
    let input = read("input.json");
    for path in texts(&input["removed"]) {
        std::fs::remove_file(root.join(path)).unwrap();
    }
    let blob = std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let blob = blob.into_iter().find(|name| name.starts_with("index-blob.")).unwrap();
    let sum = blob.split('.').nth(1).unwrap().to_owned();
    std::fs::create_dir_all(root.join("blobs/sha256").join(&sum[..2])).unwrap();
    copy_file(&case.join(&blob), &root.join("blobs/sha256").join(&sum[..2]).join(&sum));
    copy_file(&case.join("index.manifest.json"), &root.join("v3/manifests/index/index.manifest.json"));
    let found = stage.run(&["cache", "health", "--mirror", &root.display().to_string(), "--json"]);
    let found = found.document("stackhand.cache-health/1");
    let expected = read("expected.json");
    let mut holes = texts(&expected["manifests"]["missing"]);
    holes.extend(texts(&expected["blobs"]["missing_for_specs"]));
    holes.sort_unstable();
    let mut told = texts(&found["holes"]);
    told.sort_unstable();
    assert_eq!(told, holes);
    assert_eq!(texts(&found["unindexed"]), texts(&expected["manifests"]["unindexed"]));
}

fn copy_file(from: &Path, to: &Path) {
    std::fs::write(to, std::fs::read(from).unwrap()).unwrap();
}

#[test]
fn signatures_are_verified_against_the_given_keys_only() {
    let stage = Stage::facing(&SHARED);
    let [trusted, building] = SHARED.s3_public_keys().unwrap();
    let (trusted, building) = (stage.write("trusted.pub", &trusted), stage.write("building.pub", &building));
    let (trusted, building) = (trusted.display().to_string(), building.display().to_string());
    let verify = |root: &str, keys: &[&str]| {
        let url = format!("s3://spack-binaries{root}");
        let keys = keys.iter().flat_map(|key| ["--keyring", key]);
        let arguments: Vec<&str> = ["cache", "verify", "--json", "--mirror", &url].into_iter().chain(keys).collect();
        stage.run(&arguments)
    };
    let both = verify("/releases/v2025.11/build_systems", &[&trusted, &building]);
    let both = both.document("stackhand.cache-verify/1");
    let count = |told: &Value, state: &str| told[state]["count"].as_u64().unwrap();
    assert!(count(&both, "good") > 10 && count(&both, "unknown_key") == 0 && count(&both, "unsigned") == 0, "{both}");
    assert_eq!(both["good"]["hashes"].as_array().unwrap().len() as u64, count(&both, "good"));
    let other = verify("/releases/v2025.11/build_systems", &[&building]).document("stackhand.cache-verify/1");
    assert_eq!(count(&other, "good") + count(&other, "unknown_key"), count(&both, "good"));
    assert!(count(&other, "unknown_key") > 0);
    // Nobody signs the binaries of pull requests.
    let prs = verify("-prs/pr41877_py-numpy-cleanup/e4s", &[&trusted]);
    assert_eq!(prs.code, 0, "{}", prs.err);
    assert!(count(&prs.json(), "good") == 0 && count(&prs.json(), "unsigned") > 0);
    verify("/develop/radiuss", &[]).failed(6, "--keyring");
    stage.write("no.pub", "no key");
    verify("/develop/radiuss", &[&stage.path("no.pub")]).failed(6, "no.pub");
}

#[test]
fn a_bad_signature_is_found_and_ends_with_one() {
    let (Some(mirror), Some(cases), Some(key)) =
        (fixture("buildcache-v3-signed"), fixture("signature-cases"), fixture("keys/fixture-key-a.pub"))
    else {
        return;
    };
    let stage = Stage::bare();
    for (case, state, code) in [
        ("good", "good", 0),
        ("swapped", "bad", 1),
        ("tampered-body", "bad", 1),
        ("text-outside", "bad", 1),
        ("truncated", "bad", 1),
        ("empty", "bad", 1),
        ("signed-by-other-key", "unknown_key", 0),
        ("unsigned", "unsigned", 0),
    ] {
        let root = stage.folder.join(case);
        copy(&mirror, &root);
        let file = std::fs::read_dir(cases.join(case)).unwrap().next().unwrap().unwrap();
        copy_file(&file.path(), &root.join("v3/manifests/spec/lz4").join(file.file_name()));
        let (root, key) = (root.display().to_string(), key.display().to_string());
        let ended = stage.run(&["cache", "verify", "--mirror", &root, "--keyring", &key, "--json"]);
        assert_eq!(ended.code, code, "{case}: {}", ended.err);
        let told = ended.json();
        let lz4 = "4cqnjcr7ly34qazkfhrjkd6iv76zflqh";
        assert!(texts(&told[state]["hashes"]).contains(&lz4), "{case}: {told}");
        assert_eq!(told["good"]["count"], if state == "good" { 38 } else { 37 }, "{case}");
    }
}

#[test]
fn plans_are_refused_with_every_reason_or_written_for_review() {
    let stage = Stage::facing(&SHARED);
    let root = "s3://spack-binaries/develop/radiuss";
    let orphans = stage.run(&["cache", "plan-prune", "--mirror", root, "--orphans", "--json"]);
    let plan = orphans.document_of("schema", "stackhand.prune-plan/1");
    assert!(plan["totals"]["blobs"].as_u64().unwrap() > 0 && plan["plan"]["manifests"] == json!([]), "{plan}");
    // Nothing that another run may have been shown is ever written over.
    let file = stage.path("plan.json");
    assert_eq!(stage.run(&["cache", "plan-prune", "--mirror", root, "--orphans", "--output", &file]).code, 0);
    stage
        .run(&["cache", "plan-prune", "--mirror", root, "--orphans", "--output", &file])
        .failed(1, "does not exist yet");
    // From a list: one hash and all that it needs stays, which is more than a third of the cache.
    let health = stage.run(&["cache", "ls", "--json"]);
    assert_eq!(health.code, 0);
    let keep = stage.write("keep.txt", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    let keep = keep.display().to_string();
    let refused = stage.run(&["cache", "plan-prune", "--mirror", root, "--keep", &keep]);
    refused.failed(3, "30 %");
    let damaged = stage.write("damaged.txt", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n").display().to_string();
    stage.run(&["cache", "plan-prune", "--mirror", root, "--keep", &damaged]).failed(3, "line 1");
    // An unreachable bucket is no empty one.
    stage
        .run(&["cache", "plan-prune", "--mirror", "s3://no-such-bucket/x", "--orphans"])
        .failed(3, "could not be listed");
}

#[test]
fn the_locks_of_generate_jobs_say_what_stays() {
    let stage = Stage::facing(&SHARED);
    let root = "s3://spack-binaries/develop/build_systems";
    let ended = stage.run(&["cache", "plan-prune", "--mirror", root, "--json"]);
    // A release beside it has a dangling index: what it still needs is not known.
    ended.failed(3, "release releases/v2025.11/radiuss-aarch64 could not be read");
    let told = ended.json();
    let reasons = texts(&told["refusals"]).join("\n");
    assert!(!reasons.contains("the stack build_systems has no lock"), "its locks were read: {reasons}");
}

#[test]
fn why_tells_what_keeps_a_spec() {
    let stage = Stage::facing(&SHARED);
    let root = "s3://spack-binaries/develop/build_systems";
    let objects = SHARED.s3_objects("spack-binaries").unwrap();
    let manifest = objects.iter().find(|o| o.key.starts_with("develop/build_systems/v3/manifests/spec/")).unwrap();
    let hash = manifest.key.trim_end_matches(".spec.manifest.json").rsplit('-').next().unwrap();
    let told = stage.run(&["cache", "why", &hash[..8], "--mirror", root, "--json"]).document("stackhand.cache-why/1");
    assert_eq!(told["hash"], hash);
    let place = &told["roots"][0];
    assert!(manifest.key.ends_with(place["manifests"][0]["path"].as_str().unwrap()), "{place}");
    assert_eq!(place["manifests"][0]["blobs"].as_array().unwrap().len(), 2);
    stage.run(&["cache", "why", "zzzzzzz", "--mirror", root]).failed(2, "nothing here begins with it");
}
