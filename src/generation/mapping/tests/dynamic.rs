//! Dynamic mappings: what is asked, and what is kept of an answer.

use percent_encoding::percent_decode_str;

use super::*;

fn queries(list: &str, skip: Option<&str>) -> Vec<(String, Query)> {
    let lock = lock();
    let mapping = mapping(&[list]);
    let specs: Vec<&Spec> = lock.specs().collect();
    let queries = mapping.queries(&specs, skip).unwrap();
    let decoded = |query: &Query| percent_decode_str(&query.url).decode_utf8().unwrap().into_owned();
    queries.into_iter().map(|query| (decoded(&query), query)).collect()
}

#[test]
fn a_query_describes_the_spec_as_spack_does() {
    let asked = queries("[{dynamic-mapping: {endpoint: 'https://gantry.example/v1/allocation'}}]", None);
    assert_eq!(asked.len(), 5);
    let text = "https://gantry.example/v1/allocation?spec=corelib@0.9 +shared build_system=generic arch=linux-debian12-x86_64_v4%none@none";
    let (found, query) = asked.iter().find(|(text, _)| text.contains("corelib")).unwrap();
    assert_eq!(found, text);
    assert_eq!(
        query.url.matches(['?', '%', '&', '#', '+', ' ', '@']).collect::<String>().replace('%', ""),
        "?",
        "{}",
        query.url
    );
    assert!(query.url.contains("%20%2Bshared%20build"), "{}", query.url);
    assert_eq!((query.timeout.as_secs(), query.verify), (60, true));
}

#[test]
fn a_query_names_the_compiler_of_the_spec() {
    let lock = String::from_utf8(LOCK.to_vec()).unwrap().replacen(
        r#""deptypes":["build"],"virtuals":[]"#,
        r#""deptypes":["build"],"virtuals":["c"]"#,
        1,
    );
    let lock = Lock::parse(lock.as_bytes()).unwrap();
    let mapping = mapping(&["[{dynamic-mapping: {endpoint: e}}]"]);
    let asked = mapping.queries(&[spec(&lock, "tinyapp")], None).unwrap();
    let text = percent_decode_str(&asked[0].url).decode_utf8().unwrap().into_owned();
    assert_eq!(text, "e?spec=tinyapp@2.1 build_system=generic arch=linux-debian12-x86_64_v4%genkit@3.0");
}

#[test]
fn the_query_takes_the_place_of_one_that_the_endpoint_has() {
    for endpoint in
        ["https://x/a?old=1&b=2", "https://x/a", "https://x/a?", "https://x/a?old=1#part", "https://x/a#part"]
    {
        let (_, query) = queries(&format!("[{{dynamic-mapping: {{endpoint: '{endpoint}'}}}}]"), None).remove(0);
        assert!(query.url.starts_with("https://x/a?spec=tinyapp"), "{}", query.url);
    }
}

#[test]
fn a_query_carries_what_the_request_needs() {
    let list = "[{build-job: {}}, {dynamic-mapping: {endpoint: e, name: first, timeout: 5, verify_ssl: false, header: {Authorization: Bearer $TOKEN, X: 1}}},
        {dynamic-mapping: {endpoint: f, timeout: 0}}]";
    let asked = queries(list, None);
    assert_eq!(asked.len(), 10);
    let first = &asked[0].1;
    assert_eq!((first.timeout.as_secs(), first.verify), (5, false));
    assert_eq!(first.headers, [("Authorization".into(), "Bearer $TOKEN".into()), ("X".into(), "1".into())]);
    assert_ne!(first.step, asked[9].1.step);
    assert_eq!(asked[9].1.timeout.as_secs(), 60, "no patience at all is no way to ask");
}

#[test]
fn named_mappings_can_be_skipped() {
    let list = "[{dynamic-mapping: {endpoint: a, name: gantry-dev}}, {dynamic-mapping: {endpoint: b, name: other}}, {dynamic-mapping: {endpoint: c}}]";
    for (skip, count) in [
        (None, 15),
        (Some("gantry"), 10),
        (Some("dev"), 15),
        (Some(".*dev$"), 10),
        (Some(".*"), 5),
        (Some("gantry|other"), 5),
    ] {
        assert_eq!(queries(list, skip).len(), count, "{skip:?}");
    }
    let lock = lock();
    let specs: Vec<&Spec> = lock.specs().collect();
    let refusal = mapping(&[list]).queries(&specs, Some("(")).unwrap_err().to_string();
    assert!(
        refusal.starts_with("SPACK_CI_SKIP_DYNAMIC_MAPPING ") && refusal.contains("scope0 pipeline-gen[0]"),
        "{refusal}"
    );
}

/// What is kept of `{tags: [t], image: i, variables: {A: b}}`, and which keys are missed.
fn accepted(rules: &str) -> (Vec<String>, Vec<String>) {
    let lock = lock();
    let mapping = mapping(&[&format!("[{{dynamic-mapping: {{endpoint: e{rules}}}}}]")]);
    let spec = spec(&lock, "tinyapp");
    let query = mapping.queries(&[spec], None).unwrap().remove(0);
    let mut answers = Answers::default();
    let Value::Map(answer) = yaml("{tags: [t], image: i, variables: {A: b}}") else { panic!() };
    let missing = mapping.accept(&query, answer, &mut answers);
    let mut kept: Vec<String> = answers
        .get(query.step, spec.hash)
        .unwrap()
        .as_map()
        .unwrap()
        .iter()
        .map(|(key, _)| key.name.to_string())
        .collect();
    kept.sort();
    (kept, missing.iter().map(ToString::to_string).collect())
}

#[test]
fn an_answer_is_cut_down_to_what_the_mapping_may_say() {
    for (rules, kept, missing) in [
        ("", vec!["image", "tags", "variables"], vec![]),
        (", allow: [tags]", vec!["tags"], vec![]),
        (", allow: []", vec!["image", "tags", "variables"], vec![]),
        (", require: [tags, retry]", vec!["tags"], vec!["retry"]),
        (", allow: [image], require: [tags]", vec!["image", "tags"], vec![]),
        (", ignore: [image]", vec!["tags", "variables"], vec![]),
        (", allow: [image, tags], ignore: [image]", vec!["tags"], vec![]),
        (", allow: [nothing]", vec![], vec![]),
    ] {
        assert_eq!(
            accepted(rules),
            (kept.into_iter().map(str::to_owned).collect(), missing.into_iter().map(str::to_owned).collect()),
            "{rules}"
        );
    }
}

#[test]
fn an_answer_is_merged_where_the_mapping_stands() {
    let lock = lock();
    let list = "[{build-job: {image: top}}, {dynamic-mapping: {endpoint: e}}, {build-job: {image: low, tags: [low], variables: {A: low, B: low}}}]";
    let mapping = mapping(&[list]);
    let spec = spec(&lock, "tinyapp");
    let query = mapping.queries(&[spec], None).unwrap().remove(0);
    let mut answers = Answers::default();
    assert!(!answers.knows(spec.hash) && answers.is_empty());
    let Value::Map(answer) = yaml("{image: told, tags: [told], variables: {A: told}}") else { panic!() };
    mapping.accept(&query, answer, &mut answers);
    assert!(answers.knows(spec.hash));
    let class = mapping.class(spec, &lock);
    let job = filled(mapping.build_one(&class, &OWN, spec.hash, &answers), spec);
    assert_eq!((job.get("image"), job.get("tags")), (Some(&Value::text("top")), Some(&yaml("[told, low]"))));
    assert_eq!(
        job.get("variables"),
        Some(&yaml(&format!("{{A: told, B: low, {HASH}, SPACK_JOB_SPEC_PKG_NAME: tinyapp}}")))
    );
    // Without an answer the job is that of its class.
    let other = filled(mapping.build_one(&class, &OWN, spec.hash, &Answers::default()), spec);
    assert_eq!(other, filled(mapping.build(&class, &OWN), spec));
}
