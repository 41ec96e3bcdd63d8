//! Answers of dynamic mappings, from the question to the job.

use super::*;

const SCOPE: &str =
    "ci: {pipeline-gen: [{build-job: {image: top}}, {dynamic-mapping: {endpoint: 'https://x/a', name: gantry}}]}";

fn asked(made: &Made) -> Vec<Query> {
    queries(&made.lock, &made.wanted, &made.layers, &made.options).unwrap()
}

#[test]
fn only_what_may_be_built_is_asked_about() {
    let mut made = worked_below(SCOPE, &[PROTECTED]);
    assert_eq!(asked(&made).len(), 4, "sysbits is external");
    made.options.prune_external = false;
    assert_eq!(asked(&made).len(), 5);
    made.wanted = vec!["genkit".to_owned()];
    assert_eq!(asked(&made).len(), 2);
    assert!(asked(&worked_below(SCOPE, &[COPY_ONLY])).is_empty());
    assert!(asked(&worked_below(SCOPE, &[PROTECTED, ("SPACK_CI_SKIP_DYNAMIC_MAPPING", "gan")])).is_empty());
    assert!(asked(&worked()).is_empty());
}

#[test]
fn an_answer_reaches_its_own_job_and_no_other() {
    let made = worked_below(SCOPE, &[PROTECTED]);
    let mapping = Mapping::read(&made.layers).unwrap();
    let query = asked(&made).into_iter().find(|query| query.hash.as_str() == CORE).unwrap();
    let answer =
        "{image: told, tags: [told, public], variables: {KUBERNETES_CPU_REQUEST: 3, SPACK_JOB_SPEC_PKG_NAME-: x}}";
    let Value::Map(answer) = yaml(answer) else { panic!() };
    let mut answers = Answers::default();
    assert!(mapping.accept(&query, answer, &mut answers).is_empty());
    let document = made.with(|inputs, _| generate(&Inputs { answers: &answers, ..*inputs }).unwrap().document);

    let told = job(&document, "corelib@");
    assert_eq!(*told["image"], Value::text("top"), "what stands above the mapping wins");
    assert_eq!(texts(told.get("tags")), ["told", "small", "x86", "spack", "protected"]);
    let variable = |name: &str| told["variables"].get(name).cloned();
    assert_eq!(variable("KUBERNETES_CPU_REQUEST"), Some(Value::Int(3)));
    assert_eq!(variable("SPACK_JOB_SPEC_PKG_NAME"), Some(Value::text("corelibx")));
    assert_eq!(variable("SPACK_JOB_SPEC_DAG_HASH"), Some(Value::text(CORE)));
    // All others are as without an answer.
    let mut without = made.document();
    let mut with = document;
    for document in [&mut without, &mut with] {
        document.jobs.retain(|name, _| !name.starts_with("corelib@"));
    }
    assert_eq!(with, without);
}

#[test]
fn an_answer_that_is_nonsense_changes_nothing() {
    let made = worked_below(SCOPE, &[PROTECTED]);
    let mapping = Mapping::read(&made.layers).unwrap();
    let mut answers = Answers::default();
    for query in asked(&made) {
        let Value::Map(answer) = yaml("{tags: none, variables: [x], script: ~, before_script: 7}") else { panic!() };
        mapping.accept(&query, answer, &mut answers);
    }
    let document = made.with(|inputs, _| generate(&Inputs { answers: &answers, ..*inputs }).unwrap().document);
    assert_eq!(document, made.document());
}
