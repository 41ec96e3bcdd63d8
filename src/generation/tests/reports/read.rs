//! A report is written, read back and searched.

use super::*;
use crate::generation::report::{MAX_BYTES, ReportError, VERSION};

fn error(bytes: &[u8]) -> String {
    Report::read(bytes).unwrap_err().to_string()
}

#[test]
fn what_was_written_reads_back() {
    let mut made = changed("1", &["corelib", "zlib"]);
    indexed(&mut made, 0, 'a', &[MIDLIB]);
    for report in
        [report(&made), report(&worked(CI, &[]))].into_iter().chain(real().into_iter().map(|(_, report)| report))
    {
        assert_eq!(Report::read(&bytes(&report)).unwrap(), report);
        assert_eq!(Report::read(&serde_json::to_vec_pretty(&report).unwrap()).unwrap(), report);
    }
}

#[test]
fn the_form_of_the_file_is_as_its_readers_know_it() {
    let json = serde_json::to_value(report(&worked(CI, &[]))).unwrap();
    let genkit = &json["decisions"][GENKIT];
    assert_eq!((&genkit["decision"], &genkit["spec"]), (&"rebuild".into(), &"genkit@3.0".into()));
    assert_eq!(genkit["reasons"], serde_json::json!(["not found anywhere", "not external"]));
    let class = usize::try_from(genkit["class"].as_u64().unwrap()).unwrap();
    assert_eq!(json["classes"][class]["variables.CI_JOB_SIZE"]["value"], "small");
    assert_eq!(json["filters"], serde_json::json!({"unaffected": false, "up_to_date": true, "external": true}));
}

#[test]
fn another_version_is_refused_by_name() {
    let with = |version: serde_json::Value| {
        let mut json = serde_json::to_value(report(&worked(CI, &[]))).unwrap();
        json["version"] = version;
        // Whatever else a later version holds.
        json["decisions"] = serde_json::json!([1, 2]);
        error(json.to_string().as_bytes())
    };
    for (version, found) in [
        ("stackhand.generation/2".into(), "\"stackhand.generation/2\""),
        ("stackhand.jobs/1".into(), "\"stackhand.jobs/1\""),
        (1.into(), "1"),
        (1.5.into(), "1.5"),
    ] {
        let error = with(version);
        assert!(
            error.contains(&format!("version {found}, ")) && error.contains(&format!("version {VERSION};")),
            "{error}"
        );
    }
    assert!(with(serde_json::Value::Null).contains("no version"));
    assert!(with("x".repeat(10_000).into()).len() < 300);
    assert!(error(b"{}").contains("no version"));
}

#[test]
fn damage_is_one_clear_error() {
    let whole = bytes(&report(&worked(CI, &[])));
    for end in 1..whole.len() {
        let error = Report::read(&whole[..end]).unwrap_err();
        assert!(matches!(error, ReportError::CutOff { line: 1, .. }), "{end}: {error}");
    }
    assert_eq!(Report::read(b" \n"), Err(ReportError::Empty));
    for (garbage, what) in [
        (&b"\x1f\x8b\x08"[..], "line 1 column 1"),
        (b"<html>502</html>", "line 1 column 1"),
        (b"[]", "no report"),
        (b"{\"version\": \"stackhand.generation/1\"}", "missing field"),
        (b"{\"version\": \"stackhand.generation/1\"} []", "trailing"),
        (b"{\"version\": 1, \"version\": 1}", "duplicate"),
        (b"\xff\xfe{", "line 1"),
    ] {
        let error = error(garbage);
        assert!(error.contains(what) && error.contains("give the file"), "{error}");
    }
    assert!(error("[".repeat(100_000).as_bytes()).len() < 400);
    let huge = vec![b' '; MAX_BYTES + 1];
    assert_eq!(Report::read(&huge), Err(ReportError::TooLong { size: huge.len() }));
}

#[test]
fn unknown_keys_are_left_alone() {
    let report = report(&worked(CI, &[]));
    let mut json = serde_json::to_value(&report).unwrap();
    json["later"] = serde_json::json!({"deep": [1, {"er": null}]});
    json["summary"]["later"] = 1.into();
    json["decisions"][GENKIT]["later"] = "x".into();
    assert_eq!(Report::read(json.to_string().as_bytes()).unwrap(), report);
}

#[test]
fn what_is_short_as_a_file_and_endless_when_told_is_refused() {
    let mut report = report(&worked(CI, &[]));
    let key = report.classes[0].values_mut().next().unwrap();
    key.set_by = vec![0; 100_000];
    report.origins[0] = "x".repeat(100_000);
    assert!(error(&bytes(&report)).contains("bytes of text"));
    report.origins[0] = String::new();
    report.mirrors[0].url = "x".repeat(10_000);
    assert!(error(&bytes(&report)).contains("10000 bytes"));
    report.mirrors = vec![report.mirrors[1].clone(); 2_000];
    assert!(error(&bytes(&report)).contains("2000 mirrors"));
}

fn found(report: &Report, wanted: &str) -> Vec<String> {
    report.find(wanted).into_iter().map(|(hash, decision)| format!("{} {}", decision.spec, &hash[..4])).collect()
}

#[test]
fn specs_are_found_by_whatever_people_have_at_hand() {
    let report = report(&worked(CI, &[]));
    let job = format!("genkit@3.0 /{GENKIT} Demo");
    let other_group = format!("genkit@3.0 /{GENKIT} Another Group");
    let no_group = format!(" genkit@3.0 /{GENKIT}\n");
    let slashed = format!("/{GENKIT}");
    for wanted in [
        GENKIT,
        &slashed,
        "htq",
        "/htq",
        "/htqrn6q",
        "genkit",
        "genkit@3.0",
        "genkit@3.0/htqrn6q",
        "genkit/htqrn6q",
        "genkit@3.0 /htqrn6q",
        &job,
        &other_group,
        &no_group,
    ] {
        assert_eq!(found(&report, wanted), ["genkit@3.0 htqr"], "{wanted}");
    }
    // A pruned spec has no job, but a job of an earlier pipeline names it all the same.
    assert_eq!(found(&report, &format!("sysbits@5 /{SYSBITS} Demo")), ["sysbits@5 xtua"]);
    for wanted in
        ["", " ", "/", "ht", "/ht", "gen", "genkit@3", "corelib/htqrn6q", "Genkit", &format!("{GENKIT}x"), "ünï"]
    {
        assert_eq!(found(&report, wanted), [""; 0], "{wanted}");
    }
}

#[test]
fn a_name_wins_over_the_start_of_a_hash_and_several_are_in_order() {
    let mut report = report(&worked(CI, &[]));
    let mut add = |hash: &str, spec: &str| {
        let decision = report::Decision { spec: spec.to_owned(), job: None, ..report.decisions[GENKIT].clone() };
        report.decisions.insert(hash.to_owned(), decision);
    };
    add("zzzaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "htqrn@1");
    add("yyyaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "genkit@2.0");
    add("xxxaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "genkit@git.feature/x=3.1");
    assert_eq!(found(&report, "htqrn"), ["htqrn@1 zzza"]);
    assert_eq!(found(&report, "/htqrn"), ["genkit@3.0 htqr"]);
    assert_eq!(found(&report, "genkit"), ["genkit@2.0 yyya", "genkit@3.0 htqr", "genkit@git.feature/x=3.1 xxxa"]);
    assert_eq!(found(&report, "genkit@git.feature/x=3.1"), ["genkit@git.feature/x=3.1 xxxa"]);
    assert_eq!(found(&report, "genkit@git.feature/x=3.1/xxx"), ["genkit@git.feature/x=3.1 xxxa"]);
}

#[test]
fn what_is_not_found_has_near_names() {
    let report = report(&worked(CI, &[]));
    for (wanted, near) in [
        ("genkit@2.9", &["genkit@3.0"][..]),
        ("genkit /aaaaaaa", &["genkit"]),
        ("Genkit", &["genkit"]),
        ("gen", &["genkit"]),
        ("genkits", &["genkit"]),
        ("kit", &["genkit"]),
        ("py-genkit", &["genkit"]),
        ("genkti", &["genkit"]),
        ("lib", &["midlib", "corelib"]),
        ("quux", &[]),
        ("", &[]),
        ("/", &[]),
    ] {
        assert_eq!(report.nearest(wanted), near, "{wanted}");
    }
}
