//! Without any server: usage, configuration, completions, manual pages, and what cannot work.

use std::time::Duration;

use crate::stage::{Stage, exists};

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    let stage = Stage::bare();
    for line in [
        &["explode"][..],
        &["status", "--json", "--oneline"],
        &["dag", "hdf5"],
        &["dag", "7", "--lens", "blurry"],
        &["retry"],
        &["retry", "7", "--filter", "x"],
        &["retry", "7", "--plan", "--yes"],
        &["retry-pipeline"],
        &["jobs", "--filter", "state:("],
        &["demo", "--speed", "-1"],
        &["demo", "--serve", "--headless"],
        &["--endpoints", "e", "--gitlab", "https://g.example", "status"],
    ] {
        let ended = stage.run(line);
        assert_eq!(ended.code, 2, "{line:?}: {}", ended.err);
        assert!(!ended.err.is_empty() && ended.out.is_empty(), "{line:?}");
    }
}

#[test]
fn help_names_every_verb_and_exit_code() {
    let help = Stage::bare().run(&["--help"]);
    assert_eq!(help.code, 0);
    for word in
        ["status", "retry-pipeline", "watch", "--endpoints", "7    some targets were skipped", "130  interrupted"]
    {
        assert!(help.out.contains(word), "{word}");
    }
    for (verb, version) in
        [("status", "stackhand.status/1"), ("jobs", "stackhand.jobs/1"), ("retry", "stackhand.plan/1")]
    {
        assert!(Stage::bare().run(&[verb, "--help"]).out.contains(version), "{verb}");
    }
}

#[test]
fn settings_say_where_they_come_from_and_never_the_token() {
    let stage = Stage::bare().with("STACKHAND_ACTIONS_WAVE", "7").with("STACKHAND_GITLAB_TOKEN", "glpat-canary");
    let explained = stage.run(&["--readonly", "config", "--explain"]);
    assert_eq!(explained.code, 0);
    assert!(explained.out.contains("actions.wave = 7  (env STACKHAND_ACTIONS_WAVE)"), "{}", explained.out);
    assert!(explained.out.contains("actions.mode = ro  (flag --readonly)"), "{}", explained.out);
    let json = stage.run(&["config", "--json"]);
    let settings = json.document("stackhand.config/1")["settings"].as_array().unwrap().clone();
    assert!(settings.iter().any(|s| s["key"] == "actions.mode" && s["value"] == "rw"));
    assert!(![explained.out, explained.err, json.out, json.err].iter().any(|text| text.contains("canary")));
}

#[test]
fn a_bad_configuration_ends_with_6_and_names_the_line() {
    let stage = Stage::bare();
    let file = stage.write("bad.toml", "[actions]\nwave = 'many'\n");
    stage.run(&["--config", file.to_str().unwrap(), "config"]).failed(6, "bad.toml:2:8");
    stage.run(&["--config", "/nowhere.toml", "config"]).failed(6, "/nowhere.toml");
    stage.run(&["--token-env", "STACKHAND_TEST_UNSET", "status"]).failed(6, "STACKHAND_TEST_UNSET is not set");
    let guard = stage.write("guard.toml", "[[guard]]\nkind = 'deny'\nmatch = 'state:('\nreason = 'x'\n");
    stage.run(&["--config", guard.to_str().unwrap(), "status"]).failed(6, "guard.toml:1: guard: bad filter");
}

#[test]
fn endpoints_that_cannot_be_read_end_with_6_and_keep_their_secret() {
    let stage = Stage::bare();
    stage.run(&["--endpoints", "absent.json", "status"]).failed(6, "absent.json");
    for text in ["", "glpat-canary", r#"{"gitlab":{"token":"glpat-canary"}}"#, r#"{"gitlab":"glpat-canary"}"#] {
        let file = stage.write("endpoints.json", text);
        let ended = stage.run(&["--endpoints", file.to_str().unwrap(), "status"]);
        ended.failed(6, "stackhand demo --serve");
        assert!(!ended.err.contains("canary"), "{}", ended.err);
    }
}

/// `demo --serve > FILE &` and the next command race.
#[test]
fn endpoints_that_are_about_to_be_written_are_waited_for() {
    let stage = Stage::bare();
    let file = stage.write("endpoints.json", "");
    let later = file.clone();
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        std::fs::write(later, r#"{"gitlab":{"url":"http://127.0.0.1:1","project":"spack/spack-packages"}}"#).unwrap();
    });
    stage.run(&["--endpoints", file.to_str().unwrap(), "status"]).failed(4, "check the network");
    writer.join().unwrap();
}

#[test]
fn a_dead_network_ends_with_4_and_says_what_to_do() {
    let stage = Stage::bare();
    let ended = stage.run(&["--gitlab", "http://127.0.0.1:1", "status"]);
    ended.failed(4, "check the network and --gitlab");
    assert!(ended.out.is_empty());
}

#[test]
fn completions_and_manual_pages_are_made_from_the_command_line() {
    let stage = Stage::bare();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stage.run(&["completions", shell]);
        assert!(script.code == 0 && script.out.contains("retry-pipeline"), "{shell}");
    }
    let page = stage.run(&["man"]);
    assert!(page.code == 0 && page.out.contains(".TH stackhand") && page.out.contains("Exit codes"), "{}", page.out);
    let folder = stage.path("man");
    assert_eq!(stage.run(&["man", "--dir", &folder]).code, 0);
    for verb in ["", "-status", "-retry", "-retry-pipeline", "-demo"] {
        assert!(exists(&stage.folder.join(format!("man/stackhand{verb}.1"))), "{verb}");
    }
}
