//! Reports: read back, searched, explained and compared. The stack is the worked example of the reference.

mod diff;
mod explain;
mod hostile;
mod read;

use super::*;
use crate::generation::report::Report;

const TINYAPP: &str = "izhzo6lcaxnr66gaqeqglr24bg5agpmv";
const GENKIT: &str = "htqrn6q33wuc2zpzkhsjxx23rxyoml26";
const CORELIB: &str = "bzrkkjfhqxt53zkta3mujzs3q6pc6jxj";
const MIDLIB: &str = "ajrqahzgjt6vrwwsxkp7r5hc3jk23jki";
const SYSBITS: &str = "xtua4vinfdpinrcvs3hdzn5vkhobmhse";

const MIRRORS: &str = "
mirrors:
  buildcache-destination: s3://cache/demo
  buildcache-source: s3://cache/develop
cdash: {build-group: Demo}
";

const CI: &str = "
ci:
  target: gitlab
  pipeline-gen:
  - submapping:
    - match: [corelib]
      build-job: {tags: [first]}
    - match: [genkit, corelib]
      build-job: {tags: [small], variables: {CI_JOB_SIZE: small, CI_CPU: '1'}}
  - build-job: {tags: [x86, protected], image: 'img:1', retry: {max: 1}}
  - signing-job: {image: notary, tags: [kms], script: [/sign.sh]}
  - any-job: {tags: [spack], before_script: [[a, b], c]}
  - copy-job: {script: [/copy.sh]}
";

/// The lock of the worked example.
fn lock() -> String {
    let node = |name: &str, version: &str, hash: &str, more: &str, children: &[(&str, &str)]| {
        let children: Vec<String> = children
            .iter()
            .map(|(name, hash)| {
                format!(
                    r#"{{"name":"{name}","hash":"{hash}","parameters":{{"deptypes":["build","link"],"virtuals":[]}}}}"#
                )
            })
            .collect();
        format!(
            r#""{hash}":{{"name":"{name}","version":"{version}","arch":{{"platform":"linux","platform_os":"debian12","target":"x86_64_v4"}},
            "namespace":"demo","parameters":{{"build_system":"generic"}},{more}"dependencies":[{}],"hash":"{hash}"}}"#,
            children.join(",")
        )
    };
    let external = r#""external":{"path":"/usr","module":null,"extra_attributes":{}},"#;
    let nodes = [
        node("tinyapp", "2.1", TINYAPP, "", &[("genkit", GENKIT), ("midlib", MIDLIB)]),
        node("genkit", "3.0", GENKIT, "", &[("corelib", CORELIB)]),
        node("corelib", "0.9", CORELIB, "", &[]),
        node("midlib", "1.4", MIDLIB, "", &[("corelib", CORELIB), ("sysbits", SYSBITS)]),
        node("sysbits", "5", SYSBITS, external, &[]),
    ];
    format!(
        r#"{{"_meta":{{"file-type":"spack-lockfile","lockfile-version":6,"specfile-version":5}},
        "spack":{{"version":"1.2.0.dev0","type":"release"}},
        "roots":[{{"hash":"{TINYAPP}","spec":"tinyapp"}},{{"hash":"{GENKIT}","spec":"genkit"}}],
        "concrete_specs":{{{}}}}}"#,
        nodes.join(",")
    )
}

/// The worked example, built for a protected branch unless `env` says otherwise. No mirror has an index.
fn worked(ci: &str, env: &[(&str, &str)]) -> Made {
    let mut all = vec![
        ("SPACK_PIPELINE_TYPE", "spack_protected_branch"),
        ("SPACK_CI_STACK_NAME", "demo"),
        ("CI_JOB_NAME", "demo-generate"),
        ("CI_PIPELINE_ID", "4242"),
    ];
    all.extend_from_slice(env);
    Made::new(lock().as_bytes(), &[ci, MIRRORS], &all)
}

/// A pull request that changed packages, with a depth of dependents.
fn changed(depth: &str, packages: &[&str]) -> Made {
    let env = [
        ("SPACK_PIPELINE_TYPE", "spack_pull_request"),
        ("SPACK_PRUNE_UNTOUCHED", "True"),
        ("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", depth),
    ];
    let mut made = worked(CI, &env);
    let path = |package: &&str| ChangedPath {
        path: format!("repos/spack_repo/demo/packages/{package}/package.py").into_bytes(),
        kind: ChangeKind::Modified,
        commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
    };
    let packages = packages.iter().map(|name| (Arc::from(*name), vec![path(name)])).collect();
    made.changes =
        Some(ChangeSet { base: "aaaaaaaaaaaaaaa".into(), head: "bbbbbbbbbbbbbbb".into(), packages, stack: None });
    // A change may leave jobs without the binaries of what was not affected; that is not what these tests are about.
    made.options.parity = true;
    made
}

/// Gives a mirror an index that was written twelve minutes before the report.
fn indexed(made: &mut Made, mirror: usize, checksum: char, hashes: &[&str]) {
    made.index(mirror, hashes);
    let MirrorState::Read(listings) = &mut made.views[mirror].state else { panic!("no index") };
    listings[0].source = format!("{}/v3/manifests/index/index.manifest.json", made.mirrors[mirror].fetch).into();
    listings[0].checksum = checksum.to_string().repeat(64).into();
    listings[0].modified = Timestamp::parse("2026-01-17T11:48:00Z");
}

fn report(made: &Made) -> Report {
    made.with(|inputs, made| Report::of(inputs, &made.unwrap()))
}

fn bytes(report: &Report) -> Vec<u8> {
    serde_json::to_vec(report).unwrap()
}

fn told(report: &Report, hash: &str) -> Vec<String> {
    report.explain(hash).unwrap().lines()
}

/// Whether a line holds a text, wherever lines are broken.
#[track_caller]
fn says(lines: &[String], text: &str) {
    let joined = lines.iter().flat_map(|line| line.split_whitespace()).collect::<Vec<_>>().join(" ");
    assert!(joined.contains(text), "`{text}` is not in\n{}", lines.join("\n"));
}

#[track_caller]
fn is_silent_about(lines: &[String], text: &str) {
    let joined = lines.iter().flat_map(|line| line.split_whitespace()).collect::<Vec<_>>().join(" ");
    assert!(!joined.contains(text), "`{text}` is in\n{}", lines.join("\n"));
}

/// Reports of real stacks, by folder; none where the real data is not there.
fn real() -> Vec<(String, Report)> {
    let name = |case: &std::path::Path| {
        let parts: Vec<_> = case.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
        format!("{}/{}", parts[1], parts[0])
    };
    goldens::cases().into_iter().map(|(root, case)| (name(&case), report(&goldens::read(&root, &case)))).collect()
}
