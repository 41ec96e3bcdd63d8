//! Spack's merge algebra: `spack.config.merge_yaml` and `remove_yaml`.

use super::value::{Key, Map, Mode, Value};

/// Merges `source`, which has precedence, into `dest`.
///
/// Nothing replaces by nothing, lists are prepended without repeating elements, maps merge key by key with those of the source in front, and
/// everything else is replaced. The mode of a key in the source changes that for what stands under it.
pub fn merge(dest: Value, source: &Value) -> Value {
    join(dest, source, Mode::Merge)
}

fn join(dest: Value, source: &Value, mode: Mode) -> Value {
    match (dest, source) {
        (Value::List(old), Value::List(new)) => {
            let mut kept: Vec<Value> = old.into_iter().filter(|item| !new.contains(item)).collect();
            let mut items = Vec::with_capacity(kept.len() + new.len());
            if mode == Mode::Append {
                items.append(&mut kept);
                items.extend_from_slice(new);
            } else {
                items.extend_from_slice(new);
                items.append(&mut kept);
            }
            Value::List(items)
        }
        (Value::Map(old), Value::Map(new)) => Value::Map(join_maps(old, new)),
        (Value::Text(old), Value::Text(new)) => match mode {
            Mode::Prepend => Value::text(format!("{new}{old}")),
            Mode::Append => Value::text(format!("{old}{new}")),
            Mode::Merge | Mode::Replace => source.clone(),
        },
        _ => source.clone(),
    }
}

fn join_maps(mut old: Map, new: &Map) -> Map {
    let mut merged = Map::new();
    for (key, value) in new.iter() {
        let value = match (old.take(&key.name), key.mode) {
            // The mode stays with the key: it acts when this map becomes a source itself.
            (None, _) | (Some(_), Mode::Replace) => value.clone(),
            (Some(before), mode) => join(before, value, mode),
        };
        merged.insert(key.clone(), value);
    }
    for (key, value) in old {
        merged.insert(key, value);
    }
    merged
}

/// Takes `source` out of `dest`: elements from lists, and from maps what the source names. A scalar goes only if its key is in mode
/// [`Mode::Replace`].
pub fn remove(dest: Value, source: &Value) -> Value {
    match (dest, source) {
        (Value::List(old), Value::List(gone)) => {
            Value::List(old.into_iter().filter(|item| !gone.contains(item)).collect())
        }
        (Value::Map(mut old), Value::Map(gone)) => {
            for (key, value) in gone.iter() {
                if let Some(before) = old.take(&key.name)
                    && key.mode != Mode::Replace
                {
                    old.insert(Key::clone(key), remove(before, value));
                }
            }
            Value::Map(old)
        }
        (dest, _) => dest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Value {
        Value::parse(text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn merged(dest: &str, source: &str, want: &str) {
        let got = merge(yaml(dest), &yaml(source));
        assert_eq!(format!("{got:?}"), format!("{:?}", yaml(want)), "{dest} ← {source}");
    }

    #[test]
    fn the_source_has_precedence_and_order_is_kept() {
        merged("[a, b]", "[c, a]", "[c, a, b]");
        merged("{a: 1, b: {x: 1}}", "{b: {y: 2}, c: 3}", "{b: {y: 2, x: 1}, c: 3, a: 1}");
        merged("{a: [1]}", "{a: x}", "{a: x}");
        merged("{a: x}", "{a: [1]}", "{a: [1]}");
        merged("{a: x}", "{a: ~}", "{a: ~}");
        merged("a", "b", "b");
        // Nested lists count as one element.
        merged("[[a, b], c]", "[[a], [a, b]]", "[[a], [a, b], c]");
        // Maps inside of lists are equal whatever their order.
        merged("[{a: 1, b: 2}]", "[{b: 2, a: 1}]", "[{b: 2, a: 1}]");
    }

    #[test]
    fn case_33_the_last_character_of_a_key_says_how() {
        merged("{a: [1, 2]}", "{'a:': [3]}", "{'a:': [3]}");
        merged("{a: [1, 2]}", "{a+: [3]}", "{a+: [3, 1, 2]}");
        merged("{a: [1, 2]}", "{a-: [3, 1]}", "{a-: [2, 3, 1]}");
        merged("{a: x}", "{a+: y}", "{a+: yx}");
        merged("{a: x}", "{a-: y}", "{a-: xy}");
        // New in dest, the mode survives and acts in a later merge.
        let retry = merge(yaml("{}"), &yaml("{retry: {'when:': [api_failure]}}"));
        let got = merge(yaml("{retry: {max: 2, when: [unknown_failure]}}"), &retry);
        assert_eq!(got.get("retry").unwrap(), yaml("{retry: {'when:': [api_failure], max: 2}}").get("retry").unwrap());
    }

    #[test]
    fn case_32_removing_a_scalar_needs_the_replacing_key() {
        let job = "{image: x, tags: [a, b], variables: {A: 1, B: 2}}";
        let gone = |source: &str| remove(yaml(job), &yaml(source));
        assert_eq!(gone("{'image:': x}").get("image"), None);
        assert_eq!(gone("{image: x}").get("image"), Some(&Value::text("x")));
        assert_eq!(gone("{tags: [b, c]}").get("tags"), Some(&yaml("[a]")));
        assert_eq!(gone("{variables: {'A:': ~}}").get("variables"), Some(&yaml("{B: 2}")));
        assert_eq!(gone("{'variables:': {}}").get("variables"), None);
        assert_eq!(gone("~"), yaml(job));
    }
}
