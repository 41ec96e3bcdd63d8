//! Cases 38 and 44, and the storm guard: how far a pipeline may go.

use super::*;

#[test]
fn case_38_a_file_that_no_trigger_job_could_include_is_refused() {
    let mut made = worked();
    let size = made.document().text(Form::Yaml).len();
    made.options.limits.included_bytes = size;
    made.document();
    made.options.limits.included_bytes = size - 1;
    let refusal = made.refusal();
    for part in
        [format!("{size} bytes"), format!("but {} are", size - 1), "--max-size".to_owned(), "variables ".to_owned()]
    {
        assert!(refusal.contains(&part), "{part}: {refusal}");
    }
    made.options.parity = true;
    made.options.limits.included_bytes = 1_000;
    assert_eq!(
        warnings(&made).iter().filter(|warning| warning.contains("--max-size")).count(),
        1,
        "Spack would write it"
    );
}

#[test]
fn case_38_the_size_is_that_of_the_file_however_it_is_escaped_or_nested() {
    // Every character of this takes six bytes when it is written, and every blank of depth is written as well.
    let escapes = "\\u2028".repeat(3_000);
    let nested = format!("{}x{}", "[".repeat(30), "]".repeat(30));
    let scope = format!(
        "ci: {{pipeline-gen: [{{build-job: {{image: \"{escapes}\", services: [{}]}}}}]}}",
        vec![nested; 40].join(", ")
    );
    let mut made = worked_below(&scope, &[PROTECTED]);
    let size = made.document().text(Form::Yaml).len();
    for limit in [size - 1, size / 2 + 1] {
        made.options.limits.included_bytes = limit;
        let refusal = made.refusal();
        assert!(refusal.contains(&format!("{size} bytes")) && refusal.contains("image"), "{refusal}");
    }
    made.options.limits.included_bytes = size;
    made.document();
}

#[test]
fn case_38_what_aliases_hide_is_counted_too() {
    let lines = vec!["a line that all jobs share"; 1_000].join(", ");
    let mut made =
        worked_below(&format!("ci: {{pipeline-gen: [{{build-job: {{after_script: [{lines}]}}}}]}}"), &[PROTECTED]);
    assert!(made.document().text(Form::Yaml).len() < 60_000);
    made.options.limits.expanded_bytes = 100_000;
    let refusal = made.refusal();
    for part in ["aliases", "100000", "--max-expanded", "after_script"] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
    let first = refusal.split("most of it: ").nth(1).unwrap();
    assert!(first.starts_with("after_script "), "the biggest comes first: {refusal}");
}

#[test]
fn a_rebuild_storm_is_refused_with_its_reason() {
    let mut made = worked();
    made.options.limits.jobs = 3;
    let refusal = made.refusal();
    for part in ["4 build jobs", "the 3 that", "the index of buildcache-destination is missing", "--max-jobs"] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
    made.index(0, &[]);
    assert!(made.refusal().contains("most specs are in no cache"));
    made.options.prune_up_to_date = false;
    assert!(made.refusal().contains("nothing is pruned"));
    made.options.parity = true;
    assert_eq!(warnings(&made).iter().filter(|warning| warning.contains("--max-jobs")).count(), 1);
    made.options.parity = false;
    made.options.limits.jobs = 4;
    assert_eq!(made.document().jobs.len(), 6, "the limit itself is allowed");
    // What is pruned does not count.
    let mut made = worked();
    made.options.limits.jobs = 3;
    made.index(0, &[CORE]);
    made.document();
}

#[test]
fn a_storm_is_also_one_of_hours() {
    let mut made = worked();
    // Two small packages of 4 minutes, two unknown ones of 8.
    let hours = made.with(|_, made| made.unwrap().hours);
    assert!((hours - 0.4).abs() < 1e-9, "{hours}");
    made.options.limits.hours = 0.3;
    let refusal = made.refusal();
    assert!(refusal.contains("hours of building") && refusal.contains("--max-hours"), "{refusal}");
    // What is known about a package counts for more than its size.
    let durations = HashMap::from([("corelib".into(), 7_200.0), ("zlib".into(), 1e9)]);
    let hours = worked().with(|inputs, _| generate(&Inputs { durations: &durations, ..*inputs }).unwrap().hours);
    assert!((hours - 2.0 - 20.0 / 60.0).abs() < 1e-9, "{hours}");
}

/// The budget is one second for a release; what is built for tests is some ten times slower, and machines are busy.
#[test]
fn case_44_a_stack_of_four_thousand_specs_is_made() {
    let count = 4_000;
    let names: Vec<String> = (0..count).map(|at| format!("p{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let edges: Vec<(usize, usize)> = (0..count)
        .flat_map(|parent| (0..15).map(move |n| (parent, parent + 1 + (parent * 31 + n * 97) % 260)))
        .filter(|(_, child)| *child < count)
        .collect();
    let mut by_parent: HashMap<usize, Vec<(usize, usize)>> = HashMap::new();
    for edge in &edges {
        by_parent.entry(edge.0).or_default().push(*edge);
    }
    assert!(edges.len() > 57_000, "{}", edges.len());
    let lock = lock_of_many(&names, &by_parent);
    let mut made = plain(&lock);
    let cached: Vec<String> = (0..count).filter(|at| at % 3 == 0).map(hash).collect();
    made.index(0, &cached.iter().map(String::as_str).collect::<Vec<_>>());
    made.options.limits.jobs = count;
    let text = made.with(|_, made| {
        let made = made.unwrap();
        assert_eq!(made.jobs.len(), made.verdicts.iter().filter(|verdict| verdict.is_rebuilt()).count());
        assert!(made.specs.len() > 3_990 && made.jobs.len() < 2_700);
        made.document.text(Form::Yaml)
    });
    assert!(text.len() > 1_000_000);
}

/// [`lock_of`] for many packages, with their edges by parent.
fn lock_of_many(names: &[&str], edges: &HashMap<usize, Vec<(usize, usize)>>) -> String {
    let whole = lock_of(&[], &[], &[], &[]);
    let nodes: Vec<String> = (0..names.len())
        .map(|at| {
            let deps: Vec<String> = edges
                .get(&at)
                .into_iter()
                .flatten()
                .map(|(_, child)| {
                    format!(r#"{{"name":"{}","hash":"{}","parameters":{{"deptypes":["link"],"virtuals":[]}}}}"#, names[*child], hash(*child))
                })
                .collect();
            format!(
                r#""{hash}":{{"name":"{}","version":"1","arch":{{"platform":"linux","platform_os":"x","target":"y"}},"dependencies":[{}],"hash":"{hash}"}}"#,
                names[at],
                deps.join(","),
                hash = hash(at)
            )
        })
        .collect();
    let roots: Vec<String> = (0..40).map(|at| format!(r#"{{"hash":"{}","spec":"{}"}}"#, hash(at), names[at])).collect();
    whole
        .replace(r#""roots":[]"#, &format!(r#""roots":[{}]"#, roots.join(",")))
        .replace(r#""concrete_specs":{}"#, &format!(r#""concrete_specs":{{{}}}"#, nodes.join(",")))
}
