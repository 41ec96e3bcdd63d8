//! Indexes made from a real lock: as many copies of its specs as are wanted, every one with a version of its own and with the hash that Spack would
//! give it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;
use stackhand::spack::{Hash, Lock, dag_hash};

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    concrete_specs: BTreeMap<&'a str, &'a RawValue>,
}

/// An index of so many specs, in the form of version 8.
pub fn index(lock: &[u8], specs: usize) -> String {
    let wire: Wire = serde_json::from_slice(lock).expect("a lock");
    let parsed = Lock::parse(lock).expect("a lock");
    let graph = parsed.graph().expect("no circle");
    let order = petgraph::algo::toposort(&graph, None).expect("no circle");
    // What a spec needs comes before it.
    let names: Vec<Hash> = order.iter().rev().map(|at| graph[*at].hash).collect();
    let mut text = String::from(r#"{"database":{"version":"8","installs":{"#);
    let mut count = 0;
    for copy in 0.. {
        let mut renamed: HashMap<Hash, Hash> = HashMap::new();
        for old in &names {
            if count == specs {
                text.push_str("}}}");
                return text;
            }
            let spec = parsed.get(old).expect("it is of this lock");
            let node = wire.concrete_specs.get(old.as_str()).expect("it is of this lock").get();
            let mut node = node.replacen("\"version\":\"", &format!("\"version\":\"{copy}."), 1);
            for dep in &spec.deps {
                let new = renamed.get(&dep.hash).expect("it came before");
                node = node.replace(dep.hash.as_str(), new.as_str());
            }
            let new = dag_hash(&node).expect("a node");
            node = node.replace(old.as_str(), new.as_str());
            renamed.insert(*old, new);
            let comma = if count == 0 { "" } else { "," };
            let cached = !spec.is_external();
            let _ = write!(text, r#"{comma}"{new}":{{"spec":{node},"ref_count":1,"in_buildcache":{cached}}}"#);
            count += 1;
        }
    }
    text
}
