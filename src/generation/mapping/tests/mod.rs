//! The list of sections as a whole: order, reach, sharing, and what is refused.

mod dynamic;
mod elements;
mod sharing;

use std::collections::HashMap;

use super::*;
use crate::generation::Refusal;
use crate::generation::document::settled;
use crate::spack::yaml::{Layers, Map, Scope, Value};
use crate::spack::{Lock, Spec};

const LOCK: &[u8] = include_bytes!("../../tests/data/worked.lock.json");

/// The variables of the jobs in these tests.
const OWN: [&str; 2] = ["SPACK_JOB_SPEC_DAG_HASH", "SPACK_JOB_SPEC_PKG_NAME"];

fn yaml(text: &str) -> Value {
    Value::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn layers(scopes: &[&str]) -> Layers {
    let scope = |(at, text): (usize, &&str)| {
        let sections = yaml(&format!("{{ci: {{pipeline-gen: {text}}}}}"));
        Scope { name: format!("scope{at}").into(), sections: sections.as_map().unwrap().clone() }
    };
    Layers(scopes.iter().enumerate().map(scope).collect())
}

#[track_caller]
fn mapping(scopes: &[&str]) -> Mapping {
    Mapping::read(&layers(scopes)).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn lock() -> Lock {
    Lock::parse(LOCK).unwrap()
}

fn spec<'a>(lock: &'a Lock, name: &str) -> &'a Spec {
    lock.specs().find(|spec| &*spec.name == name).unwrap()
}

/// What the job of a package is, with its own variables in place.
fn built(mapping: &Mapping, package: &str) -> Value {
    let lock = lock();
    let spec = spec(&lock, package);
    filled(mapping.build(&mapping.class(spec, &lock), &OWN), spec)
}

fn filled(mut job: Map, spec: &Spec) -> Value {
    let values = HashMap::from([(OWN[0], spec.hash.as_str().into()), (OWN[1], spec.name.clone())]);
    if let Some(Value::Map(variables)) = job.take("variables") {
        job.insert("variables", Value::Map(fill(&variables, &values)));
    }
    settled(Value::Map(job))
}

#[track_caller]
fn variables(list: &str, want: &str) {
    let have = built(&mapping(&[list]), "tinyapp");
    assert_eq!(have.get("variables"), Some(&yaml(want)), "{list}");
}

const HASH: &str = "SPACK_JOB_SPEC_DAG_HASH: izhzo6lcaxnr66gaqeqglr24bg5agpmv";
