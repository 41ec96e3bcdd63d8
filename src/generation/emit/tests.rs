//! What is written, read back.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn document(text: &str) -> Document {
    let Value::Map(map) = Value::parse(text.as_bytes()).unwrap() else { panic!() };
    let mut document = Document::default();
    for (key, value) in map {
        match value {
            Value::Map(job) => document.add(&key.name, job),
            other => drop(document.globals.insert(key.name, other)),
        }
    }
    document
}

#[test]
fn what_repeats_is_written_once() {
    let document = document(
        "b: {script: [x, z], tags: [t]}\na: {script: [x, z], needs: [{job: b, artifacts: false}], tags: [t, u]}\n\
         c: {needs: [{job: b, artifacts: false}], x: []}\nstages: [s]",
    );
    assert_eq!(
        document.text(Form::Yaml),
        "a:\n  needs: &a1\n  - artifacts: false\n    job: b\n  script: &a2\n  - x\n  - z\n  tags:\n  - t\n  - u\n\
         b:\n  script: *a2\n  tags:\n  - t\nc:\n  needs: *a1\n  x: []\nstages:\n- s\n"
    );
}

#[test]
fn without_aliases_the_expanded_size_is_the_size() {
    let text = "j: {a: {b: [x, [y, [z, {c: 1, d: [2]}]], [], {}], e: ~}, f: 1.5, g: -3, h: \"a\\nb\\u2028\", 'yes': 'yes', i: [{k: {l: m}}]}";
    let document = document(text);
    assert_eq!(document.expanded_bytes(), document.text(Form::Yaml).len(), "{}", document.text(Form::Yaml));
}

#[test]
fn numbers_without_an_end_stay_numbers() {
    let mut document = Document::default();
    for (key, number) in [("a", f64::INFINITY), ("b", f64::NEG_INFINITY), ("c", f64::NAN)] {
        document.globals.insert(key.into(), Value::Float(number));
    }
    assert_eq!(document.text(Form::Yaml), "a: .inf\nb: -.inf\nc: .nan\n");
    serde_json::from_str::<serde_json::Value>(&document.text(Form::Json)).unwrap();
}

#[test]
fn both_forms_say_what_the_document_holds() {
    let text = "j: {n: ~, b: true, i: -3, f: 1.5, g: 1.0e20, s: ['1', 'yes', '~', '', ' x', 'a: b', 'c #d', '.5', '...', \"é\\x85\\x7f\", \"a\\nb\"]}";
    let document = document(text);
    for form in [Form::Yaml, Form::Json] {
        assert_eq!(Value::parse(document.text(form).as_bytes()).unwrap(), document.to_value(), "{form:?}");
    }
    serde_json::from_str::<serde_json::Value>(&document.text(Form::Json)).unwrap();
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(|n| Value::Int(n.into())),
        "\\PC{0,12}".prop_map(Value::text),
        "[-a-z0-9:#.'\"{}\\[\\]&*!|>%@`, \\n\\t~=+_]{0,10}".prop_map(Value::text),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::vec(("[a-z~ #:1]{1,4}x", inner), 0..5)
                .prop_map(|entries| Value::Map(entries.into_iter().map(|(k, v)| (Key::from(&*k), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(values in prop::collection::vec(any_value(), 1..5)) {
        let mut document = Document::default();
        for (at, value) in values.into_iter().enumerate() {
            document.globals.insert(format!("g{at}").into(), value.clone());
            document.jobs.insert(format!("j{at}").into(), [("k".into(), Arc::new(value))].into_iter().collect());
        }
        for form in [Form::Yaml, Form::Json] {
            let text = document.text(form);
            prop_assert_eq!(Value::parse(text.as_bytes()).unwrap(), document.to_value(), "{}", text);
        }
        // An alias may be longer than what it stands for, but not by much.
        prop_assert!(document.text(Form::Yaml).len() <= 2 * document.expanded_bytes());
    }
}
