//! Case 36: more needs than GitLab allows.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// `top` at place 0, and so many children.
fn fan(children: usize) -> String {
    let names: Vec<String> =
        (0..=children).map(|at| if at == 0 { "top".to_owned() } else { format!("low{at}") }).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let edges: Vec<(usize, usize)> = (1..=children).map(|child| (0, child)).collect();
    lock_of(&names, &edges, &[], &[0])
}

/// All entries of `needs`, the generate job included.
fn entries(job: &Job) -> usize {
    job.get("needs").map_or(0, |needs| needs.as_list().unwrap().len())
}

/// For every build job the build jobs that it waits for, over whatever stands between. Checks what GitLab checks: needs name jobs of no
/// later stage, and there are no circles.
fn waits(document: &Document) -> BTreeMap<String, BTreeSet<String>> {
    let stages: Vec<&str> = document.globals["stages"].as_list().unwrap().iter().filter_map(Value::as_text).collect();
    let stage = |job: &Job| stages.iter().position(|known| Some(*known) == job["stage"].as_text()).unwrap();
    let builds = |name: &str| name.contains(" /");
    let mut waits = BTreeMap::new();
    for (name, job) in document.jobs.iter().filter(|(name, _)| builds(name)) {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut open: Vec<(&Job, usize)> = vec![(job, 0)];
        while let Some((job, depth)) = open.pop() {
            assert!(depth < 500, "a circle at {name}");
            for need in needs(job) {
                let needed =
                    document.jobs.get(need).unwrap_or_else(|| panic!("{name} needs {need}, which is not there"));
                assert!(stage(needed) <= stage(job), "{need} comes in a later stage");
                if seen.insert(need.to_owned()) {
                    open.push((needed, depth + 1));
                }
            }
        }
        waits.insert(name.to_string(), seen.into_iter().filter(|need| builds(need)).collect());
    }
    waits
}

#[test]
fn case_36_reduction_is_often_enough() {
    // 73 dependencies, of which one needs all the others.
    let mut edges: Vec<(usize, usize)> = (1..=73).map(|child| (0, child)).collect();
    edges.extend((2..=73).map(|child| (1, child)));
    // And these stand in two rows.
    edges.extend((2..=40).map(|child| (child, child + 33)));
    let names: Vec<String> = (0..=73).map(|at| format!("p{at}x")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut made = plain(&lock_of(&names, &edges, &[], &[0]));
    let document = made.document();
    assert_eq!(needs(job(&document, "p0x@")), [format!("p1x@1.1 /{}", hash(1))]);
    assert_eq!(document.jobs.len(), 75, "no join is needed");
    assert!(document.jobs.values().all(|job| entries(job) <= 50));
    made.options.parity = true;
    let spack = made.document();
    assert_eq!(entries(job(&spack, "p0x@")), 74);
    assert_eq!(waits(&spack), waits(&document));
    assert!(
        warnings(&made)
            .iter()
            .any(|warning| warning.contains("p0x@1.0") && warning.contains("74") && warning.contains("50"))
    );
}

#[test]
fn case_36_joins_help_where_reduction_does_not() {
    let made = plain(&fan(73));
    let document = made.document();
    let all = waits(&document);
    let top = format!("top@1.0 /{}", hash(0));
    let wanted: BTreeSet<String> = (1..=73).map(|at| format!("low{at}@1.{at} /{}", hash(at))).collect();
    assert_eq!(all[&top], wanted);
    assert!(document.jobs.values().all(|job| entries(job) <= 50));
    let joins: Vec<(&Arc<str>, &Job)> = document.jobs.iter().filter(|(name, _)| name.starts_with("join-")).collect();
    assert_eq!(joins.len(), 1, "as few as possible");
    assert_eq!(entries(job(&document, "top@")), 50, "49 and the generate job");
    // A join is a small job that waits and nothing else.
    let (name, join) = joins[0];
    assert_eq!(&**name, "join-1 top@1.0 aaaaaaa");
    assert!(join["needs"].as_list().unwrap().iter().all(|need| need.get("pipeline").is_none()));
    assert_eq!(join["stage"], Arc::new(Value::text("stage-0")));
    assert_eq!(texts(join.get("script")).len(), 1);
    assert!(
        !made.with(|_, made| made.unwrap().jobs.values().any(|name| name.starts_with("join"))),
        "it builds no spec"
    );
}

#[test]
fn case_36_the_limit_is_met_exactly() {
    // 49 and the generate job are 50.
    for (children, joins) in [(49, 0), (50, 1)] {
        let document = plain(&fan(children)).document();
        assert_eq!(document.jobs.len(), children + 2 + joins, "{children}");
    }
}

#[test]
fn case_36_without_joins_generation_is_refused() {
    let mut made = plain(&fan(73));
    made.options.limits.joins = false;
    let refusal = made.refusal();
    for part in [&format!("top@1.0 /{}", hash(0)), "74 jobs", "50", "--needs-limit"] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
    made.options.limits.needs = 74;
    assert_eq!(entries(job(&made.document(), "top@")), 74);
    made.options.limits.needs = 50;
    made.options.parity = true;
    assert_eq!(entries(job(&made.document(), "top@")), 74);
    assert_eq!(warnings(&made).iter().filter(|warning| **warning == refusal).count(), 1);
}

#[test]
fn case_36_limits_that_no_join_can_meet_are_refused() {
    for limit in [0, 1, 2] {
        let mut made = plain(&fan(3));
        made.options.limits.needs = limit;
        assert!(made.refusal().contains(&format!("the limit is {limit}")));
    }
}

#[test]
fn case_36_joins_take_the_attributes_of_jobs_that_do_nothing() {
    let scope = "ci: {pipeline-gen: [{noop-job: {tags: [service], image: busybox, 'before_script:': []}}, {any-job: {tags: [spack], before_script: [x]}}]}";
    let made = stack(&fan(60), &[scope, ONE_MIRROR], &[PULL_REQUEST]);
    let document = made.document();
    let join = job(&document, "join-1 ");
    assert_eq!(texts(join.get("tags")), ["service", "spack"]);
    assert_eq!((&*join["image"], &*join["before_script"]), (&Value::text("busybox"), &Value::List(Vec::new())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn case_36_whatever_the_limit_jobs_wait_for_what_they_must(
        edges in prop::collection::vec((0..16_usize, 0..16_usize), 0..90),
        cached in prop::collection::vec(0..16_usize, 0..6),
        externals in prop::collection::vec(0..16_usize, 0..3),
        limit in 3..7_usize,
    ) {
        let names: Vec<String> = (0..16).map(|at| format!("p{at}x")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let edges: BTreeSet<(usize, usize)> = edges.into_iter().filter(|(parent, child)| parent < child).collect();
        let edges: Vec<(usize, usize)> = edges.into_iter().collect();
        let roots: Vec<usize> = (0..16).collect();
        let mut made = plain(&lock_of(&names, &edges, &externals, &roots));
        let cached_hashes: Vec<String> = cached.iter().map(|at| hash(*at)).collect();
        made.index(0, &cached_hashes.iter().map(String::as_str).collect::<Vec<_>>());
        made.options.limits.needs = limit;
        let is_kept = |at: &usize| !cached.contains(at) && !externals.contains(at);
        let name = |at: usize| format!("p{at}x@1.{at} /{}", hash(at));
        let mut expected = BTreeMap::new();
        for job in (0..16).filter(is_kept) {
            let (mut below, mut open) = (BTreeSet::new(), vec![job]);
            while let Some(at) = open.pop() {
                open.extend(edges.iter().filter(|(parent, child)| *parent == at && below.insert(*child)).map(|(_, child)| *child));
            }
            expected.insert(name(job), below.into_iter().filter(is_kept).map(name).collect::<BTreeSet<_>>());
        }
        if expected.is_empty() {
            assert_noop(&made.document());
            return Ok(());
        }
        let ours = made.document();
        prop_assert_eq!(&waits(&ours), &expected);
        prop_assert!(ours.jobs.values().all(|job| entries(job) <= limit));
        made.options.parity = true;
        prop_assert_eq!(&waits(&made.document()), &expected);
    }
}
