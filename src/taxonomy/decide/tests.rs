//! Decisions over small logs: each test is one point of the order in which causes are weighed.

use crate::ci::{FailureReason, Status};
use crate::taxonomy::matcher::sample::{but, chosen, compiled, judged, rule};
use crate::taxonomy::{JobFacts, Owner, Rule, Strength, Verdict, classify};

fn rules() -> Vec<Rule> {
    let symptom = |r: &mut Rule| r.strength = Strength::Symptom;
    vec![
        but(rule("oom", &["Killed signal terminated", "exit code 137$"]), |r| r.precedence = 900),
        rule("build", &["error: ", "undefined reference"]),
        but(rule("network", &["onnection reset", "404"]), |r| r.recovers = true),
        but(rule("space", &["No space left"]), |r| (r.precedence, r.owner) = (800, Owner::Infrastructure)),
        but(rule("spack", &["Package was not installed"]), symptom),
        but(rule("word", &["Killed"]), |r| r.strength = Strength::Hint),
        but(rule("pull", &["failed to pull image"]), |r| r.strength = Strength::Decisive),
        but(rule("stuck", &[]), |r| r.requires.failure_reason = vec!["stuck_or_timeout_failure".into()]),
        but(rule("push", &["Failed to push"]), |r| r.requires.exit_code = vec![100]),
        but(rule("upload", &["Uploading artifacts.*too large"]), |r| r.precedence = 600),
        but(rule("generate", &["in generate"]), |r| r.scope.job_kinds = vec!["generate".into()]),
    ]
}

fn script(body: &str, last: &str) -> String {
    format!(
        "section_start:1:get_sources\r\x1b[0KGetting\nsection_end:2:get_sources\r\x1b[0Ksection_start:2:step_script\r\x1b[0KScript\n\
         $ spack ci rebuild\n{body}\nsection_end:3:step_script\r\x1b[0Ksection_start:3:after_script\r\x1b[0KAfter\n\
         error: no such tool in the after script\nsection_end:4:after_script\r\x1b[0K\n{last}\n"
    )
}

fn failed(body: &str) -> Verdict {
    judged(rules(), &script(body, "ERROR: Job failed: command terminated with exit code 1"))
}

fn with(facts: &JobFacts, log: &str) -> Verdict {
    classify(&compiled(rules()), log.as_bytes(), facts)
}

fn reason(word: &str) -> JobFacts {
    JobFacts { status: Some(Status::Failed), failure_reason: Some(FailureReason::new(word)), ..JobFacts::default() }
}

#[test]
fn a_job_that_ended_well_has_no_cause() {
    let log = script("error: x\nNo space left", "Job succeeded");
    let verdict = judged(rules(), &log);
    assert_eq!((chosen(&verdict), verdict.evidence.len(), verdict.signature.clone()), ("-", 0, None));
    assert!(verdict.also.iter().all(|a| a.recovered) && verdict.also.len() == 2, "{:?}", verdict.also);
    let good = JobFacts { status: Some(Status::Success), ..JobFacts::default() };
    assert_eq!(chosen(&with(&good, "error: x\n")), "-");
    // A script may print the words.
    assert_eq!(chosen(&failed("Job succeeded\nerror: x")), "build");
    // GitLab knows better, and the doubt is told.
    let verdict = with(&reason("script_failure"), &log);
    assert_eq!(chosen(&verdict), "space");
    assert_eq!(verdict.missing, ["the log says that the job succeeded, GitLab says that it failed"]);
    assert!(verdict.confidence < 80);
}

#[test]
fn what_the_job_went_on_after_is_no_cause() {
    let verdict = failed("onnection reset\n==> Installing zlib\na.c:1: error: x");
    assert_eq!(chosen(&verdict), "build");
    assert_eq!(verdict.also[0].rule.as_ref(), "network");
    assert!(verdict.also[0].recovered);
    assert_eq!(chosen(&failed("a.c:1: error: x\nonnection reset")), "build");
    assert_eq!(chosen(&failed("==> Installing zlib\nonnection reset")), "network");
    // Even of higher precedence.
    assert_eq!(chosen(&failed("No space left\n==> Installing zlib\na.c:1: error: x")), "build");
    // When nothing else explains the end, it is the best guess, and told as a guess.
    let verdict = failed("No space left\n==> Installing zlib\nx");
    assert_eq!(chosen(&verdict), "space");
    assert!(verdict.confidence <= 60);
    assert_eq!(chosen(&failed("onnection reset\n==> Installing zlib\nx")), "?");
}

#[test]
fn of_equals_the_first_is_the_cause() {
    let verdict = failed("a.c:1: error: first\nb.c:1: error: second\nundefined reference");
    assert_eq!((chosen(&verdict), verdict.evidence[0].text.as_str()), ("build", "a.c:1: error: first"));
    let verdict = failed("a.c:1: error: x\ng++: Killed signal terminated program\nmake: *** [all] Error 1");
    assert_eq!(chosen(&verdict), "oom");
}

#[test]
fn weaker_words_count_when_stronger_are_missing() {
    assert_eq!(chosen(&failed("Killed\nPackage was not installed\na.c:1: error: x")), "build");
    assert_eq!(chosen(&failed("Killed\nPackage was not installed")), "spack");
    assert_eq!(chosen(&failed("rank 3: Killed")), "word");
    assert!(failed("rank 3: Killed").confidence < 40);
    assert_eq!(chosen(&failed("nothing")), "?");
}

#[test]
fn the_epilogue_and_other_sections_are_not_to_blame() {
    let verdict = failed("nothing");
    assert_eq!(chosen(&verdict), "?");
    assert_eq!(verdict.also.iter().map(|a| &*a.rule).collect::<Vec<_>>(), ["build"]);
    let log =
        "section_start:1:get_sources\r\nerror: x\nsection_end:1:get_sources\r\nsection_start:1:step_script\r\nfine\n";
    assert_eq!(chosen(&judged(rules(), log)), "?");
}

#[test]
fn a_script_that_succeeded_is_not_to_blame() {
    let log = "section_start:1:step_script\r\nerror: x\nsection_end:1:step_script\r\nsection_start:1:upload_artifacts_on_success\r\n\
        ERROR: Uploading artifacts as archive: too large\nsection_end:1:upload_artifacts_on_success\r\nERROR: Job failed: exit code 1\n";
    assert_eq!(chosen(&judged(rules(), log)), "upload");
}

#[test]
fn when_the_runner_gives_up_the_script_is_not_to_blame() {
    let body = "a.c:1: error: x\nKilled signal terminated program";
    let verdict = judged(rules(), &script(body, "ERROR: Job failed (system failure): pod \"p\" is gone: error"));
    assert_eq!(chosen(&verdict), "?");
    assert_eq!(verdict.evidence[0].text, "ERROR: Job failed (system failure): pod \"p\" is gone: error");
    assert!(verdict.signature.is_some());
    assert_eq!(verdict.also.len(), 3);
    // What is wrong with the machine may have shown there first; that is a guess.
    let verdict = judged(rules(), &script("No space left", "ERROR: Job failed (system failure): pod \"p\" is gone"));
    assert_eq!((chosen(&verdict), verdict.confidence), ("space", 45));
    let verdict = judged(rules(), &script(body, "ERROR: Job failed: failed to pull image \"x\""));
    assert_eq!(chosen(&verdict), "pull");
    assert_eq!(chosen(&judged(rules(), &script(body, "ERROR: Job failed: exit code 137"))), "oom");
}

#[test]
fn facts_decide_where_they_are_asked_for() {
    let log = "section_start:1:prepare_script\r\nWaiting\n";
    let verdict = with(&reason("stuck_or_timeout_failure"), log);
    assert_eq!((chosen(&verdict), verdict.evidence.len()), ("stuck", 0));
    assert_eq!(chosen(&with(&reason("script_failure"), log)), "?");
    let body = "Failed to push x";
    assert_eq!(chosen(&failed(body)), "?");
    // The runner's last line tells the exit code as well.
    let verdict = judged(rules(), &script(body, "ERROR: Job failed: exit code 100"));
    assert_eq!(chosen(&verdict), "push");
    assert_eq!(verdict.evidence.last().unwrap().text, "ERROR: Job failed: exit code 100");
}

#[test]
fn rules_for_other_kinds_of_jobs_do_not_fit() {
    let facts = |kind: &str| JobFacts { job_kind: Some(kind.into()), ..JobFacts::default() };
    assert_eq!(chosen(&with(&facts("generate"), "in generate\n")), "generate");
    assert_eq!(chosen(&with(&facts("build"), "in generate\n")), "?");
    assert_eq!(chosen(&with(&JobFacts::default(), "in generate\n")), "generate");
}

#[test]
fn unknown_failures_have_the_most_telling_line() {
    let body = "Traceback (most recent call last):\n  File \"x\", line 1\njson.decoder.JSONDecodeError: Expecting value\nmake: *** [all] Error 1";
    let verdict = failed(body);
    assert_eq!((chosen(&verdict), verdict.confidence), ("?", 0));
    assert_eq!(verdict.evidence[0].text, "json.decoder.JSONDecodeError: Expecting value");
    assert!(verdict.signature.is_some());
    assert!(failed("all is well").evidence.is_empty());
}

#[test]
fn what_is_missing_is_told() {
    let missing = |facts: &JobFacts, log: &str| with(facts, log).missing;
    let none = JobFacts::default();
    assert_eq!(missing(&none, ""), ["the log is empty"]);
    assert_eq!(missing(&none, "a\nb"), ["the log ends in the middle of a line"]);
    assert_eq!(missing(&none, "a\nb\n"), ["the runner's last line is missing"]);
    assert_eq!(missing(&none, "\x1b[0m\n\n"), ["the log shows nothing"]);
    let garbage: String = (0..4_000_u32).map(|n| char::from((n * 7 % 32) as u8)).collect();
    assert!(missing(&none, &garbage).contains(&"the log is not text".to_owned()));
    let facts = JobFacts { exit_code: Some(137), ..reason("script_failure") };
    let verdict = with(&facts, &script("a.c:1: error: x", "ERROR: Job failed: exit code 1"));
    assert_eq!(verdict.missing, ["the log says exit code 1, GitLab says 137"]);
    assert!(verdict.confidence < failed("a.c:1: error: x").confidence);
    assert!(failed("a.c:1: error: x").missing.is_empty());
}

#[test]
fn secrets_in_evidence_are_black() {
    let verdict =
        failed("TOKEN=abcdef123456\na.c:1: error: https://u:geheim@host/ glpat-abcdefghijklmnopqrst\npassword=hunter2");
    let evidence = &verdict.evidence[0];
    let all = format!("{evidence:?}");
    assert!(["abcdef123456", "geheim", "glpat-a", "hunter2"].iter().all(|secret| !all.contains(secret)), "{all}");
    assert_eq!(evidence.line, 5);
}

#[test]
fn what_stands_far_before_the_end_has_rarely_stopped_the_job() {
    let quiet = "a plain line\n".repeat(3_000);
    assert_eq!(chosen(&failed(&format!("No space left\n{quiet}a.c:1: error: x"))), "build");
    let verdict = failed(&format!("No space left\n{quiet}"));
    assert_eq!(chosen(&verdict), "space");
    assert!(verdict.confidence < failed("No space left").confidence);
    // A machine that is full says so again.
    let log = format!("No space left\n{quiet}a.c:1: error: x\nNo space left");
    assert_eq!((chosen(&failed(&log)), failed(&log).evidence[0].line), ("space", 4));
}

#[test]
fn a_log_of_another_job_is_told() {
    let facts = JobFacts { job_kind: Some("generate".into()), ..reason("script_failure") };
    let body = script("a.c:1: error: x", "ERROR: Job failed: exit code 1");
    assert_eq!(with(&facts, &body).missing, ["the log is one of a build job, this is a generate job"]);
    let twice = format!("Running with gitlab-runner 18.1\n{body}Running with gitlab-runner 18.1\n{body}");
    assert_eq!(with(&reason("script_failure"), &twice).missing, ["the log holds more than one job"]);
}
