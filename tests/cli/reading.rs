//! What the reading verbs print about a world that stands still.

use std::io::Read;

use crate::stage::{SHARED, Stage, failed_jobs};

fn stage() -> Stage {
    Stage::facing(&SHARED)
}

/// A child pipeline with failures in it.
fn failing_child(stage: &Stage) -> String {
    let jobs = stage.run(&["jobs", "--filter", "state:failed stack:e4s", "--json"]).json();
    jobs["jobs"][0]["pipeline"].to_string()
}

#[test]
fn documents_have_their_version_and_agree_with_each_other() {
    let stage = stage();
    let status = stage.run(&["status", "--json"]).document("stackhand.status/1");
    assert_eq!((&status["complete"], &status["read_only"]), (&true.into(), &serde_json::Value::Null));
    let failed = status["jobs"]["fail"].as_u64().unwrap();
    let jobs = stage.run(&["jobs", "--filter", "state=fail", "--json"]).document("stackhand.jobs/1");
    let jobs = jobs["jobs"].as_array().unwrap();
    assert_eq!(jobs.len() as u64, failed);
    assert!(jobs.iter().all(|job| job["state"] == "fail" && job["status"] == "failed" && job["cause"].is_string()));
    let causes: u64 = status["causes"].as_array().unwrap().iter().map(|cause| cause["jobs"].as_u64().unwrap()).sum();
    assert!(causes <= failed && causes > 0);

    let pipelines = stage.run(&["pipelines", "--limit", "3", "--json"]).document("stackhand.pipelines/1");
    assert_eq!(pipelines["pipelines"].as_array().unwrap().len(), 3);
    let develop = stage.run(&["pipelines", "--filter", "ref=develop", "--json"]).json();
    assert!(develop["pipelines"].as_array().unwrap().iter().all(|row| row["ref"] == "develop"));
}

#[test]
fn nothing_that_was_not_read_is_a_number() {
    let rows = stage().run(&["pipelines", "--filter", "state:ok", "--json"]).json();
    let rows = rows["pipelines"].as_array().unwrap();
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| row["jobs"]["total"].is_null() && row["jobs"]["complete"] == false));
    let table = stage().run(&["pipelines", "--filter", "state:ok"]);
    assert!(table.out.lines().skip(1).all(|line| line.ends_with('?')), "{}", table.out);
}

#[test]
fn the_graph_comes_in_three_forms() {
    let stage = stage();
    let child = failing_child(&stage);
    let dag = stage.run(&["dag", &child, "--json"]).document("stackhand.dag/1");
    assert_eq!((&dag["lens"], &dag["pipeline"]["stack"]), (&"failing".into(), &"e4s".into()));
    let nodes = dag["nodes"].as_array().unwrap();
    assert!(nodes.iter().any(|node| node["state"] == "fail" && node["cause"].is_string()));
    let text = stage.run(&["dag", &child]);
    assert!(text.out.starts_with(&format!("pipeline {child} e4s on develop")), "{}", text.out);
    let narrow = stage.run(&["dag", &child, "--width", "60", "--ascii"]);
    assert!(narrow.out.is_ascii() && narrow.out.lines().count() > 3);
    assert!(stage.run(&["dag", &child, "--mermaid"]).out.starts_with("flowchart LR\n"));
    let stacks = stage.run(&["dag", &child, "--lens", "stacks", "--json"]).document("stackhand.dag/1");
    assert!(stacks["nodes"].as_array().unwrap().iter().any(|node| node["job"] == "e4s"));
    let near = stage.run(&["dag", &child, "--lens", "search:state:failed", "--json"]).document("stackhand.dag/1");
    assert_eq!(near["lens"], "search");
    stage.run(&["dag", &child, "--lens", "neighbourhood:no-such-job"]).failed(2, "no job of pipeline");
    stage.run(&["dag", "99"]).failed(4, "pipeline 99");
}

#[test]
fn a_log_is_harmless_unless_it_is_raw() {
    let stage = stage();
    let job = failed_jobs(&stage, 1)[0].to_string();
    let log = stage.run(&["log", &job]);
    assert_eq!(log.code, 0, "{}", log.err);
    assert!(log.out.contains("Job failed") && !log.out.chars().any(|c| c.is_control() && c != '\n'));
    let raw = stage.run(&["log", &job, "--raw"]);
    assert!(raw.out.contains('\u{1b}') && raw.out.contains("section_start"), "{}", raw.out);
    let followed = stage.run(&["log", &job, "--follow"]);
    assert_eq!((followed.code, &followed.out), (0, &log.out), "a job that is over ends the following");
    stage.run(&["log", "5"]).failed(4, "log of job 5");
}

#[test]
fn plain_output_has_no_escape_byte() {
    let stage = stage();
    let child = failing_child(&stage);
    for line in [
        &["status"][..],
        &["status", "--oneline"],
        &["pipelines"],
        &["jobs"],
        &["dag", &child],
        &["watch", "--for", "2s"],
        &["retry", "--filter", "state:failed"],
    ] {
        for term in ["dumb", "xterm-256color"] {
            let output = stage.command(line).env("TERM", term).output().unwrap();
            assert!(!output.stdout.is_empty(), "{line:?}");
            assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{line:?} with {term}");
        }
    }
    assert_eq!(stage.run(&["status", "--oneline"]).out.lines().count(), 1);
}

#[test]
fn without_a_screen_the_console_is_the_watch() {
    let stage = stage();
    let mut child = stage.command(&[]).env("TERM", "xterm-256color").spawn().unwrap();
    let mut first = [0; 9];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"127.0.0.1");
    crate::stage::send_signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let stage = stage();
    let mut child = stage.command(&["jobs", "--json"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn a_token_that_is_no_good_ends_with_5() {
    let stage = Stage::bare().with("WRONG", "glpat-canary");
    let ended = stage.run(&["--gitlab", &SHARED.url, "--project", SHARED.project, "--token-env", "WRONG", "status"]);
    ended.failed(5, "--token-env");
    assert!(!ended.err.contains("canary"));
}

#[test]
fn without_a_token_everything_public_is_shown_and_nothing_can_be_sent() {
    let stage = Stage::bare().with("STACKHAND_BUDGET_PER_SECOND", "100");
    let place = ["--gitlab", SHARED.url.as_str(), "--project", SHARED.project];
    let run = |rest: &[&str]| stage.run(&[&place[..], rest].concat());
    let status = run(&["status", "--json"]).document("stackhand.status/1");
    assert_eq!(status["read_only"], "read-only: no token; name one with --token-env");
    assert!(status["jobs"]["fail"].as_u64().unwrap() > 0);
    let plan = run(&["retry", "--filter", "state:failed", "--plan"]);
    plan.failed(3, "no token");
    assert!(!plan.json()["targets"].as_array().unwrap().is_empty(), "the plan is shown all the same");
    run(&["retry", "--filter", "state:failed", "--yes"]).failed(3, "no token");
}
