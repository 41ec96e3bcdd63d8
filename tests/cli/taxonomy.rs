//! Why jobs failed: from logs, from the store, and from GitLab.

use serde_json::{Value, json};

use crate::stage::{SHARED, Stage};

const OOM: &str = "Running with gitlab-runner 18.3.0\n==> zlib: Executing phase: 'build'\n\
    g++: fatal error: Killed signal terminated program cc1plus\ncompilation terminated.\n\
    make: *** [Makefile:7: a.o] Error 1\n\x1b[31;1mERROR: Job failed: command terminated with exit code 1\n\x1b[0;m";
const MOON: &str = "Running with gitlab-runner 18.3.0\n==> Error: the moon is full and the tide is high\n\
    ERROR: Job failed: exit code 1\n";
const GOOD: &str = "x.c:1:1: error: only a probe\nJob succeeded\n";

fn judged(stage: &Stage, more: &[&str]) -> Vec<Value> {
    let ended = stage.run(&[&["classify", "--json"][..], more].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn logs_are_classified_one_object_per_file_in_order() {
    let stage = Stage::bare();
    for (name, log) in [("oom.log", OOM), ("moon.log", MOON), ("good.log", GOOD), ("empty.log", "")] {
        stage.write(name, log);
    }
    let facts = "file\tstatus\tother\tfailure_reason\texit_code\tjob_kind\n\
        oom.log\tfailed\tx\tscript_failure\t1\tbuild\nempty.log\tfailed\t\trunner_system_failure\t\tbuild\n";
    stage.write("facts.tsv", facts);
    let files = ["oom.log", "moon.log", "good.log", "empty.log"];
    let found = judged(&stage, &[&["--facts", "facts.tsv"][..], &files].concat());
    assert_eq!(found.iter().map(|row| row["file"].as_str().unwrap()).collect::<Vec<_>>(), files);
    let [oom, moon, good, empty] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (&oom["class"], &oom["owner"], &oom["status"]),
        (&json!("oom"), &json!("infrastructure"), &json!("failed"))
    );
    let evidence = &oom["evidence"][0];
    assert_eq!(evidence["line"], 3);
    let offset = evidence["offset"].as_u64().unwrap() as usize;
    assert!(OOM[offset..].starts_with("g++: fatal error: Killed signal"));
    assert!(oom["confidence"].as_f64().unwrap() > 0.5 && oom["rules"].is_string());
    assert_eq!((&moon["class"], &moon["status"]), (&json!("unknown"), &json!("failed")));
    assert!(moon["signature"].as_str().unwrap().starts_with("s1-"));
    assert_eq!((&good["class"], &good["owner"], &good["evidence"]), (&Value::Null, &Value::Null, &json!([])));
    assert!(!empty["missing"].as_array().unwrap().is_empty(), "{empty}");
    let again = judged(&stage, &["moon.log"]);
    assert_eq!(again[0]["signature"], moon["signature"], "a signature depends on its log alone");
    let text = stage.run(&["classify", "oom.log", "moon.log"]);
    assert!(
        text.out.contains("oom.log: oom (infrastructure") && text.out.contains("unknown to every rule"),
        "{}",
        text.out
    );
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_judged() {
    let stage = Stage::bare();
    stage.write("moon.log", MOON);
    let ended = stage.run(&["classify", "--json", "none.log", "moon.log"]);
    ended.failed(1, "none.log");
    assert_eq!(ended.out.lines().count(), 1);
    stage.write("facts.tsv", "name\nmoon.log\n");
    stage.run(&["classify", "--facts", "facts.tsv", "moon.log"]).failed(2, "line 1: there is no column `file`");
    stage.write("facts.tsv", "file\texit_code\nmoon.log\tmany\n");
    stage.run(&["classify", "--facts", "facts.tsv", "moon.log"]).failed(2, "line 2: `many` is no exit code");
}

const RULE: &str = "format = 1\n[[rule]]\nid = \"moon.full\"\ntitle = \"The moon\"\nowner = \"upstream\"\nseverity = \"low\"\n\
    transient = \"yes\"\nrunbook = \"wait\"\nnew_class = true\nany = [ \"the moon is full\" ]\n[[rule.example]]\n\
    log = \"==> Error: the moon is full\"\nmatch = true\n";

#[test]
fn own_rules_are_checked_and_judge() {
    let stage = Stage::bare();
    stage.write("moon.log", MOON);
    let listed = stage.run(&["rules", "list", "--json"]).document("stackhand.rules/1");
    let rules = listed["rules"].as_array().unwrap();
    assert!(rules.len() > 50 && rules.iter().any(|rule| rule["class"] == "no_space"));
    assert_eq!(stage.run(&["rules", "check"]).code, 0);
    stage.write("mine.toml", RULE);
    assert_eq!(judged(&stage, &["--rules", "mine.toml", "moon.log"])[0]["class"], "moon");
    let tested = stage.run(&["rules", "test", "--rules", "mine.toml", "moon.log"]);
    assert!(tested.out.starts_with("moon.log:2: moon.full: "), "{}", tested.out);
    // The same, without being named.
    stage.write("config/stackhand/rules.toml", RULE);
    assert_eq!(judged(&stage, &["moon.log"])[0]["class"], "moon");
    stage.write("config/stackhand/rules.toml", &RULE.replace("\"upstream\"", "\"the tide\""));
    let ended = stage.run(&["rules", "check"]);
    ended.failed(6, "rules.toml:5: ");

    stage.run(&["classify", "moon.log"]).failed(6, "rules.toml:5: ");
}

#[test]
fn the_production_taxonomy_is_imported_with_its_faults() {
    let stage = Stage::bare();
    let yaml = "taxonomy:\n  version: 0.0.0\n  error_classes:\n    no_space:\n      grep_for:\n      - 'No space left on device'\n    \
        5XX:\n      grep_for:\n      - 'HTTP Error 5[00|02|03]'\n    aws:\n      grep_for:\n      - 'error occurred (AccessDenied)'\n  \
        deconflict_order: [no_space, 5XX, aws]\n";
    stage.write("error_taxonomy.yaml", yaml);
    let ended = stage.run(&["rules", "import", "error_taxonomy.yaml"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("error_taxonomy.yaml:9") || ended.err.contains(":9:"), "{}", ended.err);
    assert!(ended.out.contains("[[rule]]") && ended.out.contains("No space left on device"));
    // Rules that were imported judge alone.
    stage.write("theirs.toml", &ended.out);
    stage.write("disk.log", "collect2: error: ld returned 1 exit status\nNo space left on device\n");
    let judged = judged(&stage, &["--rules", "theirs.toml", "disk.log"]);
    assert_eq!((&judged[0]["class"], &judged[0]["also"]), (&"no_space".into(), &serde_json::json!([])));
    stage.write("error_taxonomy.yaml", "taxonomy: [");
    stage.run(&["rules", "import", "error_taxonomy.yaml"]).failed(6, "error_taxonomy.yaml");
}

#[test]
fn the_past_is_read_from_gitlab_once_and_causes_are_known_from_then_on() {
    let stage = Stage::facing(&SHARED);
    let first = stage.run(&["errors", "--since", "2d", "--fill", "20", "--json"]).document("stackhand.errors/1");
    assert_eq!(first["complete"], false, "twenty requests are too few");
    let ended = stage.run(&["errors", "--since", "2d", "--fill", "--json"]);
    let all = ended.document("stackhand.errors/1");
    assert_eq!(all["complete"], true);
    let jobs =
        |errors: &Value| errors["groups"].as_array().unwrap().iter().map(|g| g["jobs"].as_u64().unwrap()).sum::<u64>();
    assert!(jobs(&all) > jobs(&first) && jobs(&first) > 0);
    let by_runner = stage.run(&["errors", "--since", "2d", "--by", "runner", "--json"]).document("stackhand.errors/1");
    assert_eq!(jobs(&by_runner), jobs(&all), "without --fill it answers from what is kept");
    assert!(all["groups"].as_array().unwrap().iter().all(|group| group["past"].is_null()));
    let signed = ["errors", "--since", "2d", "--by", "signature"];
    let by_signature = stage.run(&[&signed[..], &["--json"]].concat()).document("stackhand.errors/1");
    let pasts: Vec<&Value> = by_signature["groups"].as_array().unwrap().iter().map(|group| &group["past"]).collect();
    // Two days were read: what was before them is not known, and so nothing is called new.
    assert!(!pasts.is_empty() && pasts.iter().all(|past| past["is_new"] != true), "{pasts:?}");
    let first = pasts.iter().find(|past| past["is_new"].is_null() && past["first"].is_object()).unwrap();
    assert!(first["first"]["job"].is_u64() && first["first"]["commit"].is_string(), "{first}");
    assert!(first["refs"].is_string() || first["refs"].is_u64(), "{first}");
    assert!(pasts.iter().all(|past| past["flaky"].is_u64()));
    assert!(stage.run(&signed).out.contains("new? "));
    let again = stage.run(&["errors", "--since", "2d", "--fill"]);
    assert!(again.err.contains("judged 0 logs"), "{}", again.err);
    let failed = stage.run(&["jobs", "--filter", "state:failed", "--json"]).document("stackhand.jobs/1");
    let is_class = |job: &&Value| job["cause"] == "build_error";
    let build_errors = failed["jobs"].as_array().unwrap().iter().filter(is_class).count();
    assert!(build_errors > 0);
    let plan = |class: &str| stage.run(&["retry", "--class", class, "--since", "2d", "--plan"]).json();
    let refused = plan("build_error");
    assert_eq!(
        (refused["targets"].as_array().unwrap().len(), refused["skips"].as_array().unwrap().len()),
        (0, build_errors)
    );
    let retried = plan("5XX");
    assert!(retried["targets"].as_array().unwrap().iter().all(|target| target["cause"] == "5XX"));
    assert!(!retried["targets"].as_array().unwrap().is_empty());
    stage.run(&["retry", "--since", "1h"]).failed(2, "--class");
}
