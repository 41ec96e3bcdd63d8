//! Case 43: the order in which maps come means nothing.

use super::*;

/// A small generator of numbers, so that a failure can be repeated from its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Writes JSON with the keys of every object in any order. Lists keep theirs.
fn shuffled_json(value: &serde_json::Value, dice: &mut Dice, out: &mut String) {
    match value {
        serde_json::Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            dice.shuffle(&mut entries);
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                out.push_str(&serde_json::to_string(key).unwrap());
                out.push(':');
                shuffled_json(value, dice, out);
            }
            out.push('}');
        }
        serde_json::Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                shuffled_json(item, dice, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn shuffled(value: &Value, dice: &mut Dice) -> Value {
    match value {
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.clone(), shuffled(value, dice))).collect();
            dice.shuffle(&mut entries);
            Value::Map(entries.into_iter().collect())
        }
        Value::List(items) => Value::List(items.iter().map(|item| shuffled(item, dice)).collect()),
        scalar => scalar.clone(),
    }
}

/// A configuration in which much could depend on an order.
const RICH: &str = r#"
ci:
  pipeline-gen:
  - submapping:
    - match: [p1, p2]
      build-job-remove: {tags: [x86], variables: {"A:": x}}
      build-job: {tags: [small], image: {name: img, entrypoint: ['']}, variables: {A: 1, B: b, C: 2.5}}
    - match: ['@:']
      build-job: {variables: {B: low, SPACK_JOB_SPEC_ARCH-: -x}, image: {name: any, pull_policy: always}}
    match_behavior: merge
  - build-job: {tags: [x86], rules: [{if: a, when: never, variables: {Z: z, Y: y}}], retry: {max: 1, "when:": [api_failure]}}
  - any-job: {tags: [spack], before_script: [[a, b], c], variables: {Q: q, R: r}}
  rebuild-index: true
  target: gitlab
cdash: {build-group: Demo, url: https://x, project: p, site: s}
"#;

fn texts_of(made: &Made) -> (String, String, report::Report) {
    made.with(|inputs, made| {
        let made = made.unwrap();
        (made.document.text(Form::Yaml), made.document.text(Form::Json), report::Report::of(inputs, &made))
    })
}

fn assert_order_means_nothing(lock: &str, scopes: &[&str], prepare: impl Fn(&mut Made)) {
    let mut first = stack(lock, scopes, &[PROTECTED]);
    prepare(&mut first);
    let expected = texts_of(&first);
    assert_eq!(texts_of(&first), expected, "twice the same");
    let json: serde_json::Value = serde_json::from_str(lock).unwrap();
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let mut text = String::new();
        shuffled_json(&json, &mut dice, &mut text);
        let mut other = stack(&text, scopes, &[PROTECTED]);
        for scope in &mut other.layers.0 {
            let Value::Map(sections) = shuffled(&Value::Map(scope.sections.clone()), &mut dice) else { panic!() };
            scope.sections = sections;
        }
        prepare(&mut other);
        let have = texts_of(&other);
        assert!(have.0 == expected.0, "seed {seed}:\n{}\n{}", expected.0, have.0);
        assert!(have.1 == expected.1, "seed {seed}, JSON");
        assert_eq!(have.2, expected.2, "seed {seed}, report");
    }
}

#[test]
fn case_43_the_worked_example_in_any_order() {
    assert_order_means_nothing(LOCK, &[RICH, CI, ONE_MIRROR], |_| {});
    assert_order_means_nothing(LOCK, &[CI, ONE_MIRROR], |made| {
        made.index(0, &[MID, KIT]);
    });
}

#[test]
fn case_43_a_tangled_stack_with_joins_in_any_order() {
    let names: Vec<String> = (0..60).map(|at| format!("p{}", at % 50)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let edges: Vec<(usize, usize)> = (0..60)
        .flat_map(|parent| {
            (parent + 1..60).filter(move |child| (parent * 7 + child * 13) % 5 == 0).map(move |child| (parent, child))
        })
        .collect();
    let lock = lock_of(&names, &edges, &[7, 21], &[0, 1, 2, 3]);
    assert_order_means_nothing(&lock, &[RICH, ONE_MIRROR], |made| {
        made.options.limits.needs = 3;
        made.index(0, &[&hash(11), &hash(30), &hash(31)]);
    });
}
