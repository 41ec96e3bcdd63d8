//! Generated pipelines: the golden ones, every spelling, and the malicious ones.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use super::*;

fn by_name(text: &str) -> HashMap<String, JobNeeds> {
    read(text.as_bytes()).unwrap().into_iter().map(|job| (job.name.to_string(), job)).collect()
}

#[test]
fn every_way_to_write_a_job_is_read() {
    let jobs = by_name(
        "
stages: [a, b]
variables: {X: y}
workflow: {rules: [{when: always}]}
default: {retry: 2}
.hidden: &hidden {stage: a, tags: [spack]}
zlib@1.3.1 /5c4lpytnize5rfe3yiou5vyxysenfls6 E4S:
  <<: *hidden
  needs:
  - job: e4s-generate
    pipeline: '1234567'
cmake:
  tags: [[spack, large], service]
  stage: b
  script: &script [echo]
  needs: &needs
  - zlib@1.3.1 /5c4lpytnize5rfe3yiou5vyxysenfls6 E4S
  - {job: gmake, artifacts: false, optional: true}
  - - job: ninja
  - {project: other/group, job: far, ref: main}
hdf5: {script: *script, needs: *needs, tags: one}
rebuild-index: {stage: b, needs: null}
rebuild-all: {stage: b}
123: {stage: b, needs: [456]}
scalar: 7
list: [a]
nothing:
",
    );
    let names: Vec<_> = {
        let mut names: Vec<_> = jobs.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    };
    let zlib = "zlib@1.3.1 /5c4lpytnize5rfe3yiou5vyxysenfls6 E4S";
    assert_eq!(names, ["123", "cmake", "hdf5", "rebuild-all", "rebuild-index", zlib]);
    assert_eq!((jobs[zlib].needs.len(), jobs[zlib].by_stage, &*jobs[zlib].stage), (0, false, "a"));
    let edges: Vec<_> = jobs["cmake"].needs.iter().map(|need| (&*need.name, need.optional)).collect();
    assert_eq!(edges, [(zlib, false), ("gmake", true), ("ninja", false)]);
    assert_eq!(jobs["cmake"].needs, jobs["hdf5"].needs);
    assert_eq!(jobs["cmake"].tags.iter().map(|t| &**t).collect::<Vec<_>>(), ["spack", "large", "service"]);
    assert!(Arc::ptr_eq(&jobs["cmake"].needs[0].name, &jobs[zlib].name), "names are kept once");
    assert!(jobs["rebuild-all"].by_stage && !jobs["cmake"].by_stage);
    assert_eq!((&*jobs["hdf5"].stage, &*jobs["123"].needs[0].name), ("test", "456"));
}

#[test]
fn a_job_that_is_written_twice_counts_once_and_as_written_last() {
    let jobs = read(b"a: {stage: x}\nb: {}\na: {stage: y}\n").unwrap();
    assert_eq!(jobs.iter().map(|j| (&*j.name, &*j.stage)).collect::<Vec<_>>(), [("a", "y"), ("b", "test")]);
}

#[test]
fn every_golden_pipeline_is_read_with_its_edges() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures/spack/generate"));
    let mut files = Vec::new();
    for stack in std::fs::read_dir(&root).into_iter().flatten().flatten() {
        for case in std::fs::read_dir(stack.path()).into_iter().flatten().flatten() {
            files.push(case.path().join("expected/cloud-ci-pipeline.yml"));
        }
    }
    if files.is_empty() {
        eprintln!("SKIPPED: no golden pipelines below {}", root.display());
        return;
    }
    let mut largest = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let jobs = read(text.as_bytes()).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        // Jobs are the lines without indentation that are no keywords.
        let keys = text.lines().filter(|l| l.ends_with(':') && !l.starts_with([' ', '#', '-']));
        let keys = keys.filter(|l| !KEYWORDS.contains(&l.trim_end_matches(':'))).count();
        assert_eq!(jobs.len(), keys, "{}", file.display());
        largest = largest.max(jobs.len());
        let names: HashSet<_> = jobs.iter().map(|job| job.name.clone()).collect();
        let stage: HashMap<_, _> = jobs.iter().map(|job| (job.name.clone(), job.stage.clone())).collect();
        for job in &jobs {
            assert!(!job.tags.is_empty(), "{}", job.name);
            assert!(job.needs.iter().all(|need| !need.name.ends_with("-generate")), "{}", job.name);
            for need in &job.needs {
                assert!(names.contains(&need.name), "{} needs {}", job.name, need.name);
                assert_ne!(stage[&need.name], job.stage);
            }
        }
        if file.ends_with("build_systems/pr-zlib-ng/expected/cloud-ci-pipeline.yml") {
            let cmake = jobs.iter().find(|job| job.name.starts_with("cmake@")).unwrap();
            assert_eq!(cmake.needs.len(), 1);
            assert_eq!(&*cmake.needs[0].name, "gmake@4.4.1 /lqrw2p5ny6ss3wavwwogzfoqhcc5dojb Build Systems");
        }
    }
    assert!(largest > 100, "only {largest} jobs in the largest golden pipeline");
}

/// A pipeline as Spack writes it, with `n` jobs that need the eight before them.
fn spack_like(n: usize) -> String {
    let script: String = (0..40).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "  - echo step {i} of a script that every job shares, at its usual length");
        text
    });
    let mut text = String::new();
    for i in 0..n {
        let _ = writeln!(text, "package-{i}@1.0 /abcdefghijklmnopqrstuvwxyz{i:06} E4S:\n  variables:");
        for v in 0..18 {
            let _ = writeln!(text, "    SPACK_VARIABLE_{v}: a value of some length for job {i}");
        }
        if i == 0 {
            let _ = write!(text, "  script: &id001\n{script}  before_script: &id002\n{script}");
        } else {
            let _ = writeln!(text, "  script: *id001\n  before_script: *id002");
        }
        text.push_str("  stage: stage-1\n  tags: [spack, large]\n  needs:\n");
        for need in i.saturating_sub(8)..i {
            let _ = writeln!(
                text,
                "  - job: package-{need}@1.0 /abcdefghijklmnopqrstuvwxyz{need:06} E4S\n    artifacts: false"
            );
        }
        text.push_str("  - {job: e4s-generate, pipeline: '1'}\n");
    }
    text
}

#[test]
fn pipelines_of_spacks_shape_are_well_within_the_limits() {
    let text = spack_like(600);
    let start = Instant::now();
    let jobs = read(text.as_bytes()).unwrap();
    println!("{} KB, {} ms", text.len() >> 10, start.elapsed().as_millis());
    assert_eq!((jobs.len(), jobs[599].needs.len()), (600, 8));
    // The limits grow with the file: no second size has to be tried.
    let one = options(0).alias_limits.max_total_replayed_events;
    assert_eq!(options(9 << 20).alias_limits.max_total_replayed_events, one + (9 << 20));
}

#[test]
fn bombs_end_early() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let _ = writeln!(laughs, "a{i}: &a{i} [{}]", vec![format!("*a{}", i - 1); 10].join(", "));
    }
    let deep = format!("job: {{needs: {}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let selfish = "job: &a {needs: [*a]}".to_owned();
    for (name, bomb) in [("laughs", laughs), ("deep", deep), ("selfish", selfish)] {
        let start = Instant::now();
        assert!(read(bomb.as_bytes()).is_err(), "{name}");
        println!("{name}: {} ms", start.elapsed().as_millis());
    }
    for nonsense in ["", "- a\n- b\n", "just text", "\u{0}\u{1}", "a: b: c"] {
        assert!(read(nonsense.as_bytes()).map_or(true, |jobs| jobs.is_empty()), "{nonsense}");
    }
    assert!(read(&[0xff, 0xfe, b'a']).is_err());
}
