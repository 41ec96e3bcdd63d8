//! Sharing by class against a literal reading of the rules, one job at a time.

use proptest::prelude::*;

use super::*;
use crate::spack::yaml::{Key, Mode, merge, remove};

/// The job of one spec as the rules say it, section by section, with its real variables from the start.
fn literal(list: &[Value], spec: &Spec, lock: &Lock) -> Value {
    let overrides = yaml("[{any-job-remove: {tags: [public, protected, notary]}}]");
    let defaults =
        yaml("[{build-job: {script: ['cd {env_dir}', 'spack env activate --without-view .', spack ci rebuild]}}]");
    let sections = [overrides.as_list().unwrap(), list, defaults.as_list().unwrap()].concat();
    let mut job = Value::map([(
        "variables",
        Value::map([(OWN[0], Value::text(spec.hash.as_str())), (OWN[1], Value::Text(spec.name.clone()))]),
    )]);
    let change = |job: &mut Value, section: &Value, name: &str| {
        if let Some(gone) = section.get(&format!("{name}-remove")) {
            *job = remove(job.clone(), gone);
        }
        if let Some(add) = section.get(name) {
            *job = merge(job.clone(), add);
        }
    };
    for section in sections.iter().rev() {
        change(&mut job, section, "any-job");
        change(&mut job, section, "build-job");
        let Some(entries) = section.get("submapping").and_then(Value::as_list) else { continue };
        for entry in entries.iter().rev() {
            let mut matches = entry.get("match").unwrap().as_list().unwrap().iter().map(|text| text.as_text().unwrap());
            if matches.any(|text| crate::spack::Request::parse(text).unwrap().matches(spec, lock)) {
                change(&mut job, entry, "build-job");
                if section.get("match_behavior").and_then(Value::as_text) != Some("merge") {
                    break;
                }
            }
        }
    }
    job
}

fn map_of(entries: Vec<(Key, Value)>) -> Value {
    Value::Map(entries.into_iter().collect())
}

fn key(names: &'static [&'static str]) -> impl Strategy<Value = Key> {
    let mode = prop::sample::select(vec![Mode::Merge, Mode::Merge, Mode::Replace, Mode::Prepend, Mode::Append]);
    (prop::sample::select(names), mode).prop_map(|(name, mode)| Key { name: name.into(), mode })
}

fn attributes() -> impl Strategy<Value = Value> {
    let word = || prop::sample::select(&["a", "b", "public", "protected"][..]).prop_map(Value::text);
    let variable = prop_oneof![4 => word(), 1 => (0..3_i64).prop_map(Value::Int)];
    let names = &["SPACK_JOB_SPEC_PKG_NAME", "SPACK_JOB_SPEC_DAG_HASH", "A", "B"];
    let variables = prop::collection::vec((key(names), variable), 0..3).prop_map(map_of);
    let line = || prop_oneof![word(), prop::collection::vec(word(), 1..3).prop_map(Value::List)];
    let list = prop::collection::vec(line(), 0..3).prop_map(Value::List);
    let tags = prop::collection::vec(word(), 0..3).prop_map(Value::List);
    let free = prop_oneof![
        word(),
        Just(Value::Null),
        list.clone(),
        prop::collection::vec((key(&["x", "y"]), word()), 0..2).prop_map(map_of)
    ];
    let entry = prop_oneof![
        (key(&["variables"]), variables),
        (key(&["tags"]), tags),
        (key(&["script", "before_script"]), list),
        (key(&["image", "retry"]), free),
    ];
    prop::collection::vec(entry, 0..4).prop_map(map_of)
}

fn change(name: &'static str) -> impl Strategy<Value = Vec<(Key, Value)>> {
    (prop::option::of(attributes()), prop::option::of(attributes())).prop_map(move |(add, gone)| {
        let both = [(name.to_owned(), add), (format!("{name}-remove"), gone)];
        both.into_iter().filter_map(|(key, value)| Some((Key::from(&*key), value?))).collect()
    })
}

fn element() -> impl Strategy<Value = Value> {
    let named = prop::sample::select(&["any-job", "build-job", "noop-job"][..]).prop_flat_map(change).prop_map(
        |mut entries| {
            if entries.is_empty() {
                entries.push((Key::from("build-job"), Value::Map(Map::new())));
            }
            map_of(entries)
        },
    );
    let matches = prop::collection::vec(
        prop::sample::select(&["tinyapp", "corelib", "@1:2", "@:", "genkit@3", "+shared", "zlib"][..]),
        1..3,
    );
    let entry = (matches, change("build-job")).prop_map(|(texts, mut entries)| {
        entries.push((Key::from("match"), Value::texts(texts)));
        map_of(entries)
    });
    let submapping = (prop::collection::vec(entry, 0..4), any::<bool>()).prop_map(|(entries, merges)| {
        let behaviour = if merges { "merge" } else { "first" };
        Value::map([("submapping", Value::List(entries)), ("match_behavior", Value::text(behaviour))])
    });
    prop_oneof![2 => named, 1 => submapping]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_a_class_shares_is_what_each_job_would_get(list in prop::collection::vec(element(), 0..6)) {
        let ci = Value::map([("pipeline-gen", Value::List(list.clone()))]);
        let sections: Map = [(Key::from("ci"), ci)].into_iter().collect();
        let mapping = Mapping::read(&Layers(vec![Scope { name: "scope".into(), sections }])).unwrap();
        let lock = lock();
        let mut shared: HashMap<Class, Map> = HashMap::new();
        for spec in lock.specs() {
            let class = mapping.class(spec, &lock);
            let job = shared.entry(class.clone()).or_insert_with(|| mapping.build(&class, &OWN)).clone();
            let job = filled(job, spec);
            prop_assert_eq!(&job, &settled(literal(&list, spec, &lock)), "{}", spec);
        }
    }
}
