//! What differs between two reports, in the words that people read.

use super::*;
use crate::generation::diff::{Difference, Why, diff};

fn lines(a: &Report, b: &Report) -> Vec<String> {
    diff(a, b).lines()
}

/// With `midlib`, or whatever else, in an index of the destination.
fn cached(checksum: char, hashes: &[&str]) -> Report {
    let mut made = worked(CI, &[]);
    indexed(&mut made, 0, checksum, hashes);
    report(&made)
}

#[test]
fn case_43_identical_reports_differ_in_nothing() {
    let mut reports = vec![report(&worked(CI, &[])), cached('a', &[MIDLIB]), report(&changed("1", &["corelib"]))];
    reports.extend(real().into_iter().map(|(_, report)| report));
    for report in &reports {
        assert_eq!(lines(report, report), ["no difference"]);
        // When it was written is no difference.
        let later = Report { at: report.at.shifted(60_000), ..report.clone() };
        assert_eq!(diff(report, &later), Difference::default());
    }
}

#[test]
fn case_02_an_index_that_appeared_explains_what_is_left_out() {
    assert_eq!(
        lines(&report(&worked(CI, &[])), &cached('a', &[MIDLIB])),
        [
            "jobs: 3, was 4 (1 fewer)",
            "predicted hours: 0.3, was 0.4 (0.1 fewer)",
            "specs to rebuild: 3, was 4 (1 fewer)",
            "specs left out: 2, was 1 (1 more)",
            "mirror buildcache-destination: read, was without an index",
            "mirror buildcache-destination: index of layout 3: sha256 aaaaaaaaaaaa, 12m old;",
            "  was none",
            "1 spec is left out now",
            "  up-to-date [s3://cache/demo@v3], was: not found anywhere",
            "  because the mirror buildcache-destination is read, was without an index",
            "  midlib@1.4 /ajrqahz",
            "warning, gone: the mirror `buildcache-destination` (s3://cache/demo) has no",
            "  index: it counts as empty",
        ]
    );
}

#[test]
fn an_index_with_other_contents_explains_both_ways() {
    let difference = diff(&cached('a', &[MIDLIB, GENKIT]), &cached('b', &[CORELIB, GENKIT]));
    let lines = difference.lines();
    says(&lines, "1 spec is rebuilt now not found anywhere, was: up-to-date [s3://cache/demo@v3]");
    says(&lines, "because the index of buildcache-destination, layout 3, has sha256 bbbbbbbbbbbb, was aaaaaaaaaaaa");
    says(&lines, "1 spec is left out now");
    says(&lines, "index of layout 3: sha256 bbbbbbbbbbbb, 12m old; was sha256 aaaaaaaaaaaa, 12m old");
    // What is rebuilt now comes first, since it costs.
    assert_eq!(difference.turned.iter().map(|turned| &*turned.is).collect::<Vec<_>>(), ["rebuild", "prune"]);
    // As many jobs, but the one builds for longer.
    assert_eq!(difference.summary.iter().map(|change| change.what).collect::<Vec<_>>(), ["predicted hours"]);
}

#[test]
fn what_the_reports_do_not_hold_is_called_unknown() {
    let a = cached('a', &[MIDLIB]);
    let mut b = a.clone();
    let midlib = b.decisions.get_mut(MIDLIB).unwrap();
    midlib.decision = "rebuild".to_owned();
    midlib.reasons[0] = "not found anywhere".to_owned();
    midlib.found.clear();
    let difference = diff(&a, &b);
    assert_eq!(difference.turned[0].turns[0].why, [Why::Unknown]);
    says(&difference.lines(), "because of something that the reports do not hold");
    says(&difference.lines(), "1 spec is to be rebuilt now, but the pipeline has no job for it");
}

#[test]
fn case_26_mirrors_that_come_and_go_are_told() {
    let mut made = worked(CI, &[]);
    indexed(&mut made, 1, 'a', &[MIDLIB]);
    let with = report(&made);
    made.mirrors.pop();
    made.views.pop();
    let without = report(&made);
    says(&lines(&with, &without), "mirror buildcache-source: not configured any more, s3://cache/develop");
    says(&lines(&with, &without), "because the mirror buildcache-source is not configured any more");
    says(&lines(&without, &with), "mirror buildcache-source: new, read, s3://cache/develop");
    says(&lines(&without, &with), "because the mirror buildcache-source is configured now");
}

#[test]
fn case_25_a_mirror_that_failed_says_why() {
    let mut made = worked(CI, &[]);
    indexed(&mut made, 1, 'a', &[MIDLIB]);
    let before = report(&made);
    made.views[1].state = MirrorState::failed("503 Slow Down");
    made.options.parity = true;
    let after = report(&made);
    says(&lines(&before, &after), "mirror buildcache-source: not readable, was read: 503 Slow Down");
    says(&lines(&before, &after), "parity with Spack: on, was off");
    says(&lines(&before, &after), "1 spec is rebuilt now");
}

#[test]
fn case_22_another_depth_and_other_packages_are_reasons() {
    let (shallow, deep) = (report(&changed("0", &["corelib"])), report(&changed("1", &["corelib"])));
    let told = lines(&shallow, &deep);
    says(&told, "unaffected filter: on with depth 1, was on with depth 0");
    says(&told, "2 specs are rebuilt now affected by change, was: unaffected by change because the depth is 1, was 0");
    says(&told, "genkit@3.0 /htqrn6q, midlib@1.4 /ajrqahz");
    says(&told, "1 spec is left out as before, but affected by change, was: unaffected by change");

    let told = lines(&shallow, &report(&changed("0", &["genkit", "zlib"])));
    says(&told, "changed packages: genkit; 1 not of this stack, was corelib");
    says(
        &told,
        "1 spec is rebuilt now affected by change, was: unaffected by change because other packages of this stack",
    );
}

#[test]
fn case_20_a_filter_that_was_applied_only_once_is_the_reason() {
    let (with, mut made) = (report(&changed("0", &["corelib"])), changed("0", &["corelib"]));
    made.options.prune_untouched = false;
    let without = report(&made);
    let told = lines(&with, &without);
    says(&told, "unaffected filter: off, was on with depth 0");
    says(&told, "3 specs are rebuilt now no longer: unaffected by change because the unaffected filter is off, was on");
    says(&told, "commits: not looked at, was aaaaaaaaa to bbbbbbbbb");
    let told = lines(&without, &with);
    says(
        &told,
        "3 specs are left out now unaffected by change because the unaffected filter is on with depth 0, was off",
    );
    says(&told, "1 spec is rebuilt as before, but affected by change");
}

#[test]
fn keys_with_other_values_or_from_other_places_are_told() {
    let before = report(&worked(CI, &[]));
    let ci = CI
        .replace("tags: [small]", "tags: [large]")
        .replace("CI_CPU: '1'", "CI_MEMORY: 4G")
        .replace("img:1", "img:2")
        .replace("  - any-job", "  - build-job: {interruptible: false}\n  - any-job");
    assert_eq!(
        lines(&before, &report(&worked(&ci, &[]))),
        [
            "4 jobs: image is `img:2`, was `img:1`",
            "  set by scope0 pipeline-gen[1]",
            "  corelib@0.9 /bzrkkjf, midlib@1.4 /ajrqahz, tinyapp@2.1 /izhzo6l and 1 more",
            "4 jobs: interruptible is `false`, was not set",
            "  set by scope0 pipeline-gen[3]",
            "  corelib@0.9 /bzrkkjf, midlib@1.4 /ajrqahz, tinyapp@2.1 /izhzo6l and 1 more",
            "2 jobs: tags with `large`, without `small`",
            "  set by scope0 pipeline-gen[0] submapping[1] (match corelib, …)",
            "  corelib@0.9 /bzrkkjf, genkit@3.0 /htqrn6q",
            "2 jobs: variable CI_CPU is not set, was `1`",
            "  was set by scope0 pipeline-gen[0] submapping[1] (match corelib, …)",
            "  corelib@0.9 /bzrkkjf, genkit@3.0 /htqrn6q",
            "2 jobs: variable CI_MEMORY is `4G`, was not set",
            "  set by scope0 pipeline-gen[0] submapping[1] (match corelib, …)",
            "  corelib@0.9 /bzrkkjf, genkit@3.0 /htqrn6q",
            "same value from another element in 4 jobs: before_script",
            "  by scope0 pipeline-gen[4], was by scope0 pipeline-gen[3]",
            "same value from another element in 2 jobs: tags",
            "  still by scope0 pipeline-gen[1], but after other elements",
        ]
    );
}

#[test]
fn specs_that_come_go_or_have_another_hash_are_told() {
    let before = report(&worked(CI, &[]));
    let rename = |report: &Report, renames: &[(&str, &str)]| {
        let text = renames.iter().fold(String::from_utf8(bytes(report)).unwrap(), |text, (a, b)| text.replace(a, b));
        Report::read(text.as_bytes()).unwrap()
    };
    let (other, newer) = ("aaaakjfhqxt53zkta3mujzs3q6pc6jxj", "bbbbzo6lcaxnr66gaqeqglr24bg5agpmv");
    let after = rename(&before, &[(CORELIB, other), (TINYAPP, newer), ("tinyapp@2.1", "tinyapp@2.2")]);
    assert_eq!(
        lines(&before, &after),
        [
            "1 spec is new, 1 to rebuild",
            "  tinyapp@2.2 /bbbbzo6",
            "1 spec is gone, 1 to rebuild before",
            "  tinyapp@2.1 /izhzo6l",
            "1 spec has another hash, 1 to rebuild, 1 before",
            "  corelib@0.9 /aaaakjf, was /bzrkkjf",
        ]
    );
    // The job of a spec with another hash is compared all the same.
    let mut image = after.clone();
    let class = image.decisions[other].class.unwrap();
    image.classes[class].get_mut("image").unwrap().value = "img:9".into();
    says(&lines(&before, &image), "2 jobs: image is `img:9`, was `img:1`");
    let renamed = rename(&before, &[(" Demo", " Other")]);
    assert_eq!(renamed.decisions.len(), before.decisions.len());
    says(&lines(&before, &renamed), "4 jobs have other names now, for example corelib@0.9");
}

#[test]
fn real_differences_fit_the_width_and_count_every_flip() {
    let reports = real();
    for (name, a) in &reports {
        for (other, b) in &reports {
            let difference = diff(a, b);
            let flips: usize = difference
                .turned
                .iter()
                .filter(|turned| turned.was != turned.is)
                .map(|turned| turned.specs.len())
                .sum();
            let common = a.decisions.iter().filter_map(|(hash, was)| Some((was, b.decisions.get(hash)?)));
            assert_eq!(flips, common.filter(|(was, is)| was.decision != is.decision).count(), "{name} {other}");
            for line in difference.lines() {
                let is_one_word = line.split_whitespace().count() == 1;
                assert!(line.chars().count() <= 80 || is_one_word, "{name} {other}: {line}");
            }
            let back = diff(b, a);
            assert_eq!(
                (&difference.new, &difference.gone, &difference.warnings_new),
                (&back.gone, &back.new, &back.warnings_gone)
            );
            let jobs = |difference: &Difference| difference.keys.iter().map(|change| change.jobs).sum::<usize>();
            assert_eq!(jobs(&difference), jobs(&back), "{name} {other}");
            assert_eq!(serde_json::to_value(&difference).unwrap(), serde_json::to_value(diff(a, b)).unwrap());
        }
    }
}
