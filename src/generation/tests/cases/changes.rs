//! Cases 19 to 23: what a change affects.

use std::collections::BTreeSet;

use super::*;

const REPO: &str = "repos/spack_repo/builtin";

/// The worked example in a pull request that changed these packages.
fn changed(packages: &[&str], env: &[(&str, &str)]) -> Made {
    let mut made = stack(LOCK, &[CI, TWO_MIRRORS], &[&[PULL_REQUEST, UNTOUCHED], env].concat());
    made.changes = Some(ChangeSet::of_packages(packages));
    made
}

/// The worked example in a pull request that changed these files.
fn touched(paths: &[&str]) -> Made {
    let mut made = changed(&[], &[("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", "1")]);
    let repo = PackageRepo::read(REPO.as_bytes(), b"repo: {namespace: builtin, api: v2.0}").unwrap();
    let path = |path: &&str| ChangedPath { path: path.as_bytes().to_vec(), kind: ChangeKind::Modified, commit: None };
    let paths: Vec<ChangedPath> = paths.iter().map(path).collect();
    made.changes = Some(ChangeSet::of("b", "h", &paths, &[repo], &"stacks/demo/spack.yaml".into()));
    made
}

/// The packages that the filter calls affected, and those that have a job; `None` where there is no filter.
fn affected(made: &Made) -> Option<(String, String)> {
    made.with(|_, made| {
        let made = made.unwrap();
        let mut names = BTreeSet::new();
        for (spec, verdict) in made.specs.iter().zip(&made.verdicts) {
            match verdict.reasons.first() {
                Some(Reason::Affected(true)) => drop(names.insert(&*spec.name)),
                Some(Reason::Affected(false)) => {}
                _ => return None,
            }
        }
        let jobs: BTreeSet<&str> = made.jobs.keys().map(|at| &*made.specs[*at].name).collect();
        let text = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(" ");
        Some((text(names), text(jobs)))
    })
}

#[test]
fn case_19_a_changed_package_that_the_stack_lacks_leaves_nothing_to_do() {
    let made = changed(&["zlib"], &[]);
    assert_noop(&made.document());
    assert_eq!(affected(&made), Some((String::new(), String::new())));
    assert_eq!(reasons(&made, "corelib"), "unaffected by change, not found anywhere, not external");
    assert_eq!(reasons(&made, "sysbits"), "unaffected by change, not found anywhere, external spec");
    // Names are compared whole.
    assert_noop(&changed(&["core", "corelib2", "Corelib"], &[]).document());
}

#[test]
fn case_20_without_a_changed_package_only_what_is_up_to_date_is_pruned() {
    for mut made in [changed(&[], &[]), touched(&["README.md"]), touched(&[])] {
        made.index(1, &[CORE]);
        assert_eq!(affected(&made), None);
        assert_eq!(names(&made.document()), ["genkit@3.0", "midlib@1.4", "rebuild-index", "tinyapp@2.1"]);
        assert_eq!(reasons(&made, "corelib"), "up-to-date [s3://prs/p/pr1_x/demo@v3], not external");
    }
    // Nobody looked, or nobody asked.
    let mut made = changed(&["zlib"], &[]);
    made.changes = None;
    assert_eq!(affected(&made), None);
    let made = changed(&["zlib"], &[("SPACK_PRUNE_UNTOUCHED", "False")]);
    assert_eq!(affected(&made), None);
}

#[test]
fn case_21_a_change_of_the_stack_itself_turns_the_filter_off() {
    let package = format!("{REPO}/packages/corelib/package.py");
    let all = Some(("corelib genkit midlib sysbits".to_owned(), "corelib genkit midlib".to_owned()));
    let mut mine = touched(&["stacks/demo/spack.yaml", &package]);
    assert_eq!(affected(&mine), None);
    assert_eq!(names(&mine.document()).len(), 5);
    mine.options.parity = true;
    assert_eq!(affected(&mine), all, "Spack does not notice");
    let mut pipeline = touched(&[".gitlab-ci.yml", &package]);
    for parity in [true, false] {
        pipeline.options.parity = parity;
        assert_eq!(affected(&pipeline), None);
    }
    for other in ["stacks/other/spack.yaml", "stacks/demo2/spack.yaml", "stacks/demo/README.md"] {
        assert_eq!(affected(&touched(&[other, &package])), all, "{other}");
    }
}

#[test]
fn case_22_how_far_a_change_reaches() {
    let everything = ("corelib genkit midlib sysbits tinyapp", "corelib genkit midlib tinyapp");
    for (package, depth, (specs, jobs)) in [
        ("corelib", "0", ("corelib", "corelib")),
        ("corelib", "1", ("corelib genkit midlib sysbits", "corelib genkit midlib")),
        ("corelib", "2", everything),
        ("corelib", "", everything),
        ("midlib", "0", ("corelib midlib sysbits", "corelib midlib")),
        ("midlib", "1", everything),
        ("midlib", "", everything),
        ("midlib", "-1", ("", "")),
        ("genkit", "0", ("corelib genkit", "corelib genkit")),
        ("sysbits", "0", ("sysbits", "")),
        ("sysbits", "1", ("corelib midlib sysbits", "corelib midlib")),
        ("tinyapp", "0", everything),
    ] {
        let made = changed(&[package], &[("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", depth)]);
        assert_eq!(affected(&made), Some((specs.to_owned(), jobs.to_owned())), "{package} {depth}");
        if jobs.is_empty() {
            assert_noop(&made.document());
        }
    }
}

#[test]
fn case_22_what_is_affected_and_up_to_date_is_still_pruned() {
    let mut made = changed(&["corelib"], &[("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", "1")]);
    made.index(0, &[MID]);
    assert_eq!(names(&made.document()), ["corelib@0.9", "genkit@3.0", "rebuild-index"]);
    assert_eq!(reasons(&made, "midlib"), "affected by change, up-to-date [s3://bin/develop/demo@v3], not external");
    assert_eq!(reasons(&made, "tinyapp"), "unaffected by change, not found anywhere, not external");
}

#[test]
fn case_23_a_depth_that_is_no_number_is_no_limit() {
    let made = changed(&["corelib"], &[("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", "two")]);
    assert_eq!(names(&made.document()).len(), 5, "all four and the index");
}
