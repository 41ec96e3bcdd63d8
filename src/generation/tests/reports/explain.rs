//! Why a spec is rebuilt or not, in the words that people read.

use super::*;
use crate::generation::explain::{Evidence, Presence};

/// The lines below the answer of a filter that starts with a mark and a word.
fn below(lines: &[String], start: &str) -> Vec<String> {
    let rest = lines.iter().skip_while(|line| !line.starts_with(start)).skip(1);
    rest.take_while(|line| line.starts_with("         ")).cloned().collect()
}

#[test]
fn case_01_a_spec_in_no_cache_is_rebuilt_and_absent_mirrors_are_said_to_be_absent() {
    let lines = told(&report(&worked(CI, &[])), GENKIT);
    assert_eq!(
        lines,
        [
            "genkit@3.0 /htqrn6q is rebuilt",
            "skip   unaffected filter: off",
            "keep   not found anywhere",
            "         buildcache-destination: has no index and counts as empty,",
            "           s3://cache/demo",
            "         buildcache-source: has no index and counts as empty, s3://cache/develop",
            "keep   not external",
            "job genkit@3.0 /htqrn6q33wuc2zpzkhsjxx23rxyoml26 Demo",
            "  before_script: scope0 pipeline-gen[3]",
            "  image, retry: scope0 pipeline-gen[1]",
            "  script: built in pipeline-gen[4]",
            "  tags: scope0 pipeline-gen[0] submapping[1] (match genkit, …), after scope0",
            "    pipeline-gen[1], scope0 pipeline-gen[3]; then built in pipeline-gen[3]",
            "  variables CI_CPU, CI_JOB_SIZE: scope0 pipeline-gen[0] submapping[1] (match",
            "    genkit, …)",
            "  The tag `protected` comes from the type of the pipeline.",
        ]
    );
}

#[test]
fn case_02_a_spec_in_an_index_names_the_index_and_its_age() {
    let mut made = worked(CI, &[]);
    indexed(&mut made, 0, 'a', &[MIDLIB]);
    let report = report(&made);
    let lines = told(&report, MIDLIB);
    assert_eq!(lines[0], "midlib@1.4 /ajrqahz is not rebuilt");
    assert_eq!(
        below(&lines, "prune  up-to-date [s3://cache/demo@v3]"),
        [
            "         buildcache-destination: its binary is in the index of layout 3, 12m",
            "           old, sha256 aaaaaaaaaaaa,",
            "           s3://cache/demo/v3/manifests/index/index.manifest.json",
        ]
    );
    says(&lines, "Without the up-to-date filter this spec would be rebuilt: 1 more job.");
    // What is in no index was looked for in this one.
    says(
        &told(&report, CORELIB),
        "buildcache-destination: it is not in the index of layout 3, 12m old, sha256 aaaaaaaaaaaa",
    );
    says(&told(&report, CORELIB), "buildcache-source: has no index and counts as empty");
    assert_eq!(report.explain("quux"), None);
}

#[test]
fn ages_that_are_unknown_or_in_the_future_are_told_as_such() {
    let mut made = worked(CI, &[]);
    indexed(&mut made, 0, 'a', &[MIDLIB]);
    let with = |made: &mut Made, modified: Option<&str>| {
        let MirrorState::Read(listings) = &mut made.views[0].state else { panic!("no index") };
        listings[0].modified = modified.map(|text| Timestamp::parse(text).unwrap());
        told(&report(made), MIDLIB)
    };
    says(&with(&mut made, None), "layout 3, age unknown, sha256");
    says(&with(&mut made, Some("2026-01-17T12:00:01Z")), "layout 3, newer than this report, sha256");
    says(&with(&mut made, Some("2025-12-17T12:00:00Z")), "layout 3, 31d old, sha256");
}

#[test]
fn case_03_everything_in_the_index_leaves_nothing_to_set_keys_of() {
    let mut made = worked(CI, &[]);
    indexed(&mut made, 0, 'a', &[MIDLIB, CORELIB, GENKIT, TINYAPP]);
    let lines = told(&report(&made), TINYAPP);
    says(&lines, "Without the up-to-date filter this spec would be rebuilt: 4 more jobs.");
    assert!(!lines.iter().any(|line| line.starts_with("job")), "{lines:#?}");
}

#[test]
fn case_07_an_external_is_never_built() {
    let mut made = changed("0", &["midlib"]);
    made.index(0, &[]);
    let MirrorState::Read(listings) = &mut made.views[0].state else { panic!("no index") };
    let listed =
        [SYSBITS, MIDLIB].map(|hash| (Hash::parse(hash).unwrap(), Listed { in_buildcache: false, external: true }));
    listings[0].listed = listed.into();
    let report = report(&made);
    let lines = told(&report, SYSBITS);
    says(&lines, "sysbits@5 /xtua4vi is not rebuilt");
    says(&lines, "keep affected by change What changed depends on it; depth 0 was used.");
    says(&lines, "as an external, which needs no binary, it is in the index of layout 3");
    says(&lines, "prune external spec");
    says(&lines, "An external is not built, whatever is asked for.");
    let evidence = &report.explain(SYSBITS).unwrap().answers[1].evidence;
    assert!(matches!(evidence[..], [Evidence::Index { presence: Presence::External, .. }]), "{evidence:?}");
}

#[test]
fn case_19_packages_that_changed_elsewhere_are_counted() {
    let lines = told(&report(&changed("1", &["quux", "zlib"])), GENKIT);
    assert_eq!(
        below(&lines, "prune  unaffected by change"),
        [
            "         The change reaches it at no depth; depth 1 was used.",
            "         Commits aaaaaaaaa to bbbbbbbbb:",
            "         2 changed packages are not in this stack.",
        ]
    );
    says(&lines, "Without the unaffected filter this spec would be rebuilt: 4 more jobs.");
    is_silent_about(&lines, "depth 0");
}

#[test]
fn case_20_and_21_a_filter_that_was_skipped_says_why() {
    let mut made = changed("1", &[]);
    says(&told(&report(&made), GENKIT), "skip unaffected filter: skipped, because no package changed");
    let path = ChangedPath { path: b"stacks/demo/spack.yaml".to_vec(), kind: ChangeKind::Modified, commit: None };
    let changes = made.changes.as_mut().unwrap();
    changes.stack = Some(StackChange { change: path, part: StackPart::Manifest, seen_by_spack: true });
    let lines = told(&report(&made), GENKIT);
    says(&lines, "unaffected filter: skipped, because the stack itself changed: stacks/demo/spack.yaml");
    is_silent_about(&lines, "reaches");
    made.changes = None;
    says(&told(&report(&made), GENKIT), "skip unaffected filter: skipped, because nobody looked at what changed");
    made.options.prune_untouched = false;
    made.options.prune_up_to_date = false;
    let lines = told(&report(&made), GENKIT);
    says(&lines, "skip unaffected filter: off skip up-to-date filter: off keep not external");
    is_silent_about(&lines, "otherwise");
}

#[test]
fn case_22_depths_say_from_which_on_a_spec_is_reached() {
    let lines = told(&report(&changed("0", &["corelib", "zlib"])), TINYAPP);
    assert_eq!(
        below(&lines, "prune  unaffected by change"),
        [
            "         The change reaches it from depth 2; depth 0 was used.",
            "         Commits aaaaaaaaa to bbbbbbbbb:",
            "         corelib: repos/spack_repo/demo/packages/corelib/package.py (012345678)",
            "         1 changed package is not in this stack.",
        ]
    );
    let otherwise: Vec<&String> = lines.iter().skip_while(|line| *line != "otherwise").skip(1).collect();
    assert_eq!(
        otherwise,
        [
            "  With depth 2 this spec would be rebuilt: 3 more jobs.",
            "  Without the unaffected filter this spec would be rebuilt: 3 more jobs.",
            "  With depth 1: 2 more jobs.",
            "  Without a depth limit: 3 more jobs.",
        ]
    );
    let lines = told(&report(&changed("1", &["corelib"])), GENKIT);
    says(&lines, "keep affected by change The change reaches it from depth 1; depth 1 was used.");
    says(&lines, "With depth 0 this spec would not be rebuilt: 2 fewer jobs. Without a depth limit: 1 more job.");
    says(&told(&report(&changed("x", &["corelib"])), CORELIB), "Its own package changed; there was no limit.");
    let lines = told(&report(&changed("-1", &["corelib"])), CORELIB);
    says(&lines, "depth -1 was used, which counts nothing as affected");
    says(&lines, "With depth 0 this spec would be rebuilt: 1 more job.");
}

#[test]
fn two_filters_at_once_are_named() {
    let mut made = changed("0", &["corelib"]);
    indexed(&mut made, 0, 'a', &[MIDLIB]);
    let lines = told(&report(&made), MIDLIB);
    says(
        &lines,
        "The unaffected filter and the up-to-date filter leave it out; without only one of them it would not be rebuilt",
    );
    is_silent_about(&lines, "would be rebuilt:");
}

#[test]
fn case_25_a_mirror_that_could_not_be_read_says_why() {
    let mut made = worked(CI, &[]);
    made.views[1].state = MirrorState::failed("403 from s3://cache/develop");
    made.options.parity = true;
    let lines = told(&report(&made), GENKIT);
    says(
        &lines,
        "buildcache-source: could not be read and counts as empty, s3://cache/develop: 403 from s3://cache/develop",
    );
}

#[test]
fn case_26_every_mirror_that_has_it_is_named_also_when_it_was_asked_for() {
    let mut made = worked(CI, &[]);
    indexed(&mut made, 0, 'a', &[MIDLIB]);
    indexed(&mut made, 1, 'b', &[]);
    made.views[1].direct.insert(Hash::parse(MIDLIB).unwrap(), 2);
    let lines = told(&report(&made), MIDLIB);
    says(&lines, "buildcache-destination: its binary is in the index of layout 3");
    says(&lines, "buildcache-source: no index lists it, but its manifest of layout 2 is there, s3://cache/develop");
}

#[test]
fn case_27_listed_without_its_binary_is_told() {
    let mut made = worked(CI, &[]);
    indexed(&mut made, 0, 'a', &[]);
    let MirrorState::Read(listings) = &mut made.views[0].state else { panic!("no index") };
    listings[0].listed.insert(Hash::parse(MIDLIB).unwrap(), Listed { in_buildcache: false, external: false });
    let lines = told(&report(&made), MIDLIB);
    says(&lines, "midlib@1.4 /ajrqahz is rebuilt");
    says(&lines, "without its binary, which counts as not found, it is in the index of layout 3, 12m old");
}

#[test]
fn case_40_a_pipeline_that_only_copies_builds_nothing() {
    let lines = told(&report(&worked(CI, &[("SPACK_PIPELINE_TYPE", "spack_copy_only")])), GENKIT);
    assert_eq!(lines[0], "genkit@3.0 /htqrn6q is not rebuilt");
    says(&lines, "No filter leaves it out, but the pipeline only copies binaries.");
    is_silent_about(&lines, "otherwise");
}

#[test]
fn unknown_is_never_told_as_zero() {
    let mut report = report(&changed("0", &["corelib"]));
    let genkit = report.decisions.get_mut(GENKIT).unwrap();
    genkit.reasons = vec!["up-to-date [s3://gone@v3]".into(), "blessed".into()];
    genkit.found = vec![report::FoundAt { mirror: "gone".into(), layout: 3, in_buildcache: true, direct: false }];
    genkit.job = Some("genkit".into());
    genkit.class = Some(99);
    let lines = told(&report, GENKIT);
    says(&lines, "skip unaffected filter: unknown; the report has no word of it");
    says(&lines, "gone: its binary is in the index of layout 3, sha256 unknown, age unknown");
    says(&lines, "also blessed");
    says(&lines, "The report does not say what set its keys.");
    is_silent_about(&lines, " 0 ");
}

#[test]
fn real_explanations_fit_the_width_and_are_data_too() {
    for (name, report) in real() {
        for hash in report.decisions.keys() {
            let explanation = report.explain(hash).unwrap();
            let lines = explanation.lines();
            for line in &lines {
                let is_one_word = line.split_whitespace().count() == 1;
                assert!(line.chars().count() <= 80 || is_one_word, "{name}: {line}");
            }
            let json = serde_json::to_value(&explanation).unwrap();
            assert_eq!(json["is_rebuilt"] == true, lines[0].ends_with(" is rebuilt"), "{name}: {json}");
        }
    }
}
