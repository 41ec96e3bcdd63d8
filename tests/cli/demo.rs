//! The practice world as other programs call it.

use std::io::{BufRead, BufReader, Read};

use crate::stage::{Stage, send_signal};

#[test]
fn serving_prints_one_line_and_ends_well_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let stage = Stage::bare();
        let place = stage.write("t/keep", "").parent().unwrap().to_owned();
        let stage = stage.with("TMPDIR", place.to_str().unwrap());
        let mut child = stage
            .command(&[
                "demo",
                "--serve",
                "--port",
                "0",
                "--jobs",
                "400",
                "--prs",
                "30",
                "--hooks",
                "http://127.0.0.1:9/hooks/",
            ])
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let endpoints: serde_json::Value = serde_json::from_str(&line).unwrap();
        for key in ["url", "token", "project", "git_url"] {
            assert!(endpoints["gitlab"][key].is_string(), "{line}");
        }
        for key in ["url", "token", "repo", "git_url"] {
            assert!(endpoints["github"][key].is_string(), "{line}");
        }
        let hooks = &endpoints["hooks"];
        assert_eq!(hooks["github"]["url"], "http://127.0.0.1:9/hooks/github");
        assert!(hooks["github"]["secret"].is_string() && hooks["gitlab"]["token"].is_string(), "{line}");
        assert!(endpoints["prometheus"]["url"].is_string(), "{line}");
        for key in ["kubeconfig", "read_kubeconfig"] {
            assert!(endpoints["kubernetes"][key].is_string(), "{line}");
        }
        for key in ["url", "region", "access_key", "secret_key"] {
            assert!(endpoints["s3"][key].is_string(), "{line}");
        }
        assert_eq!(endpoints["s3"]["buckets"], serde_json::json!(["spack-binaries", "spack-binaries-prs"]));
        assert_eq!(endpoints["s3"]["sparse"], true);
        let file = stage.write("endpoints.json", &line);
        let status = stage.run(&["--endpoints", file.to_str().unwrap(), "status", "--limit", "2", "--json"]);
        status.document("stackhand.status/1");
        send_signal(child.id(), signal);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line and nothing else");
        let left: Vec<_> = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["keep"], "repositories and kubeconfigs are gone");
    }
}

#[test]
fn headless_ends_with_one_line_that_adds_up() {
    let stage = Stage::bare().with("TMPDIR", "/tmp");
    let ended = stage.run(&["demo", "--headless", "--for", "6s", "--jobs", "600", "--seed", "7"]);
    assert_eq!((ended.code, ended.out.lines().count()), (0, 1), "{}", ended.err);
    let summary = ended.json();
    assert_eq!(summary["seed"], 7);
    let jobs = summary["jobs"].as_object().unwrap();
    let states =
        ["success", "failed", "running", "pending", "blocked", "canceled", "skipped", "manual", "warning", "unknown"];
    let sum: u64 = states.iter().map(|state| jobs[*state].as_u64().unwrap()).sum();
    assert_eq!(sum, jobs["total"].as_u64().unwrap());
    assert!(sum > 100 && summary["pipelines"].as_u64().unwrap() > 10);
    assert_eq!(summary["actions"], serde_json::json!({"sent": 0, "skipped": 0}));
    assert!(summary["requests"]["gitlab"].as_u64().unwrap() > 5);
    assert!(summary["rss_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20));
}

#[test]
fn headless_acts_only_when_it_is_told_to() {
    let ended = Stage::bare().run(&["demo", "--headless", "--for", "12s", "--act", "--seed", "42"]);
    let summary = ended.json();
    assert!(summary["actions"]["sent"].as_u64().unwrap() > 0, "{summary}");
}
