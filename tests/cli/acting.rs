//! Plans, and what becomes of them.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::stage::{Stage, failed_jobs, send_signal, world};

/// Plans a retry of jobs into a file.
fn plan(stage: &Stage, jobs: &[u64]) -> String {
    let ids: Vec<String> = jobs.iter().map(u64::to_string).collect();
    let line: Vec<&str> = ["retry", "--plan"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    let plan = stage.run(&line).document("stackhand.plan/1");
    assert_eq!(plan["targets"].as_array().unwrap().len(), jobs.len());
    stage.write("plan.json", &plan.to_string());
    stage.path("plan.json")
}

#[test]
fn a_plan_sends_nothing_and_applying_it_sends_exactly_that() {
    let world = world();
    let stage = Stage::facing(&world);
    let jobs = failed_jobs(&stage, 3);
    let before = stage.run(&["jobs", "--json"]).json()["jobs"].clone();
    let file = plan(&stage, &jobs[..2]);
    stage.run(&["retry", "--filter", "state:failed"]).failed(0, "nothing was sent");
    assert_eq!(
        stage.run(&["jobs", "--json"]).json()["jobs"].as_array().unwrap().len(),
        before.as_array().unwrap().len()
    );
    assert_eq!(failed_jobs(&stage, 3), jobs);

    let applied = stage.run(&["retry", "--apply", &file, "--json"]).document("stackhand.retry/1");
    assert_eq!(applied["tally"], serde_json::json!({"done": 2, "skipped": 0, "failed": 0, "uncertain": 0}));
    let outcomes = applied["outcomes"].as_array().unwrap();
    assert!(outcomes.iter().all(|o| o["new_job"].as_u64().is_some_and(|new| !jobs.contains(&new))));
    let left = stage.run(&["jobs", "--filter", "state:failed", "--json"]).json();
    let left: Vec<_> = left["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_u64().unwrap()).collect();
    assert!(!left.contains(&jobs[0]) && !left.contains(&jobs[1]) && left.contains(&jobs[2]));

    let again = stage.run(&["retry", "--apply", &file]);
    assert_eq!(again.code, 7, "{}\n{}", again.out, again.err);
}

#[test]
fn a_plan_comes_through_a_pipe_as_well() {
    let world = world();
    let stage = Stage::facing(&world);
    let file = plan(&stage, &failed_jobs(&stage, 1));
    let mut child = stage.command(&["retry", "--apply", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&std::fs::read(file).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("retry 1 job: 1 done"), "{text}");
}

#[test]
fn what_is_no_plan_of_ours_is_refused() {
    let world = world();
    let stage = Stage::facing(&world);
    stage.run(&["retry", "--apply", "absent.json"]).failed(2, "absent.json");
    stage.write("other.json", "{\"version\":\"stackhand.jobs/1\"}");
    stage.run(&["retry", "--apply", &stage.path("other.json")]).failed(2, "not a plan");
    let file = plan(&stage, &failed_jobs(&stage, 1));
    stage.run(&["cancel", "--apply", &file]).failed(2, "stackhand retry --apply");
    stage.run(&["--readonly", "retry", "--apply", &file]).failed(3, "read-only: --readonly");
    let text = std::fs::read_to_string(&file).unwrap();
    stage.write("elsewhere.json", &text.replace("127.0.0.1", "gitlab.example"));
    stage.run(&["retry", "--apply", &stage.path("elsewhere.json")]).failed(3, "gitlab.example");
    stage.write("newer.json", &text.replace("stackhand.plan/1", "stackhand.plan/9"));
    stage.run(&["retry", "--apply", &stage.path("newer.json")]).failed(2, "stackhand.plan/9");
}

#[test]
fn guardrails_hold_for_plans_made_before_them() {
    let world = world();
    let stage = Stage::facing(&world);
    let jobs = failed_jobs(&stage, 2);
    let file = plan(&stage, &jobs);
    let config =
        stage.write("guards.toml", "[[guard]]\nkind = 'deny'\nmatch = 'state:failed'\nreason = 'not tonight'\n");
    let config = config.to_str().unwrap();
    stage.run(&["--config", config, "retry", "--apply", &file]).failed(3, "guardrail: not tonight");
    stage.run(&["--config", config, "retry", "--filter", "state:failed", "--yes"]).failed(3, "nothing to retry");
    assert_eq!(failed_jobs(&stage, 2), jobs);
}

#[test]
fn many_targets_ask_for_their_words() {
    let world = world();
    let stage = Stage::facing(&world).with("STACKHAND_ACTIONS_MAX_BULK", "1");
    let ids: Vec<String> = failed_jobs(&stage, 2).iter().map(u64::to_string).collect();
    let (a, b) = (ids[0].as_str(), ids[1].as_str());
    stage.run(&["retry", a, b, "--yes"]).failed(3, "--type \"retry 2\"");
    stage.run(&["retry", a, b, "--yes", "--type", "retry 3"]).failed(3, "--type \"retry 2\"");
    let sent = stage.run(&["retry", a, b, "--yes", "--type", "retry 2"]);
    assert_eq!(sent.code, 0, "{}\n{}", sent.out, sent.err);
}

#[test]
fn an_interrupt_during_the_hold_undoes_everything() {
    let world = world();
    let stage = Stage::facing(&world).with("STACKHAND_ACTIONS_HOLD", "60s");
    let jobs = failed_jobs(&stage, 1);
    let mut child = stage.command(&["retry", &jobs[0].to_string(), "--yes"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("retry 1 job held for 60s"));
    send_signal(child.id(), "INT");
    assert_eq!(lines.next().unwrap().unwrap(), "stackhand: undone; nothing was sent");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(failed_jobs(&stage, 1), jobs);
}

#[test]
fn a_pipeline_is_retried_and_canceled_as_a_whole() {
    let world = world();
    let stage = Stage::facing(&world);
    let rows = stage.run(&["jobs", "--filter", "state:failed stack:e4s", "--json"]).json();
    let child = rows["jobs"][0]["pipeline"].to_string();
    let retried = stage.run(&["retry-pipeline", &child, "--yes", "--json"]).document("stackhand.retry-pipeline/1");
    assert_eq!(retried["tally"]["done"], 1);
    stage.run(&["retry-pipeline", &child, "--yes"]).failed(3, "nothing to retry");
    let plan = stage.run(&["cancel", "--pipeline", &child, "--plan"]).document("stackhand.plan/1");
    let statuses = plan["targets"].as_array().unwrap().iter().map(|t| t["status"].as_str().unwrap());
    assert!(statuses.clone().count() > 0 && !statuses.clone().any(|s| s == "success" || s == "failed"));
}
