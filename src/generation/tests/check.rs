//! The worked example of the reference, and pipelines that somebody bent.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::cases::{CI, LOCK, ONE_MIRROR, PROTECTED, stack};
use super::*;
use crate::generation::check::{Child, Finding, Planned};

const TINYAPP: &str = "tinyapp@2.1 /izhzo6lcaxnr66gaqeqglr24bg5agpmv";
const GENKIT: &str = "genkit@3.0 /htqrn6q33wuc2zpzkhsjxx23rxyoml26";
const CORELIB: &str = "corelib@0.9 /bzrkkjfhqxt53zkta3mujzs3q6pc6jxj";
const MIDLIB: &str = "midlib@1.4 /ajrqahzgjt6vrwwsxkp7r5hc3jk23jki";

fn job(name: &str, needs: &[&str]) -> Planned {
    Planned { name: name.into(), needs: Some(needs.iter().map(|need| Arc::from(*need)).collect()) }
}

/// What is found where these packages are in a cache.
fn findings(planned: &[Planned], cached: &[&str]) -> Vec<String> {
    let lock = Lock::parse(LOCK.as_bytes()).unwrap();
    let child = Child::of(&lock, planned).unwrap();
    let is_there = |hash: &Hash| cached.contains(&&*lock.get(hash).unwrap().name);
    let found = child.findings(is_there);
    let missing = found.iter().filter(|finding| finding.word() == "missing").count();
    assert_eq!(child.missing(is_there).len(), missing);
    found.iter().map(ToString::to_string).collect()
}

/// What generation writes where these packages are in a cache.
fn generated(cached: &BTreeSet<&str>) -> Vec<Planned> {
    let mut made = stack(LOCK, &[CI, ONE_MIRROR], &[PROTECTED]);
    let lock = Lock::parse(LOCK.as_bytes()).unwrap();
    let hashes: Vec<&str> =
        lock.specs().filter(|spec| cached.contains(&*spec.name)).map(|spec| spec.hash.as_str()).collect();
    made.index(0, &hashes);
    let named = |needs: &Arc<Value>| {
        let own = needs.as_list().unwrap().iter().filter(|need| need.get("pipeline").is_none());
        own.map(|need| Arc::from(need.get("job").and_then(Value::as_text).unwrap())).collect()
    };
    let document = made.document();
    let jobs = document.jobs.iter();
    jobs.map(|(name, job)| Planned { name: Arc::clone(name), needs: job.get("needs").map(named) }).collect()
}

fn whole() -> Vec<Planned> {
    vec![
        job(TINYAPP, &[GENKIT, MIDLIB, "demo-generate"]),
        job(GENKIT, &[CORELIB]),
        job(MIDLIB, &[CORELIB]),
        job(CORELIB, &[]),
        Planned { name: "rebuild-index".into(), needs: None },
    ]
}

#[test]
fn what_generation_makes_is_well() {
    assert_eq!(findings(&whole(), &[]), [""; 0]);
    let reduced = [job(TINYAPP, &[GENKIT]), job(GENKIT, &[CORELIB]), job(CORELIB, &[])];
    assert_eq!(findings(&reduced, &["midlib"]), [""; 0], "a need that another implies may be left out");
    assert_eq!(findings(&[], &[]), [""; 0]);
    // Spack 0.23 names seven characters of the hash.
    let short = [job("genkit@3.0 /htqrn6q", &["corelib@0.9 /bzrkkjf"]), job("corelib@0.9 /bzrkkjf", &[])];
    assert_eq!(findings(&short, &[]), [""; 0]);
}

#[test]
fn what_jobs_lack_is_named_with_the_jobs() {
    let planned = [job(TINYAPP, &[GENKIT]), job(GENKIT, &[])];
    assert_eq!(
        findings(&planned, &["midlib"]),
        ["corelib@0.9 /bzrkkjf is neither built nor in a cache: tinyapp@2.1 /izhzo6l, genkit@3.0 /htqrn6q will fail"],
        "externals are on the machine"
    );
    assert_eq!(findings(&planned, &["corelib"]).len(), 1);
    assert_eq!(findings(&planned, &["corelib", "midlib"]), [""; 0]);
}

#[test]
fn a_wait_that_was_lost_is_found_wherever_it_leads() {
    let mut planned = whole();
    planned[2] = job(MIDLIB, &[]);
    assert_eq!(
        findings(&planned, &[]),
        ["midlib@1.4 /ajrqahz does not wait for corelib@0.9 /bzrkkjf, which it installs"]
    );
    // Over what is not built: once lost by Spack (spack/spack#47459).
    let over = [job(TINYAPP, &[]), job(CORELIB, &[])];
    assert_eq!(
        findings(&over, &["midlib", "genkit"]),
        ["tinyapp@2.1 /izhzo6l does not wait for corelib@0.9 /bzrkkjf, which it installs"]
    );
    // Over a join, and by stage.
    let joined = [job(TINYAPP, &["join 1"]), job("join 1", &[CORELIB]), job(CORELIB, &[])];
    assert_eq!(findings(&joined, &["midlib", "genkit"]), [""; 0]);
    let staged = [Planned { name: TINYAPP.into(), needs: None }, job(CORELIB, &[])];
    assert_eq!(findings(&staged, &["midlib", "genkit"]), [""; 0]);
}

#[test]
fn jobs_of_another_lock_and_twins_are_found() {
    let stranger = "zlib@1.3 /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let mut planned = whole();
    planned.extend([job(stranger, &[]), job(&format!("{CORELIB} twin"), &[])]);
    let found = findings(&planned, &[]);
    assert_eq!(
        found,
        [
            "zlib@1.3 /aaaaaaa builds what the lock does not have".to_owned(),
            format!("{CORELIB} and {CORELIB} twin build the same")
        ]
    );
    // Needs in a circle: GitLab says that.
    let circle = [job(GENKIT, &[CORELIB]), job(CORELIB, &[GENKIT])];
    assert_eq!(findings(&circle, &[]), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the caches hold: what our own generation writes for it is well, and without one of its needs it is not.
    #[test]
    fn generated_pipelines_are_well(cached in prop::collection::btree_set(0..4_usize, 0..4), cut in any::<prop::sample::Index>()) {
        let lock = Lock::parse(LOCK.as_bytes()).unwrap();
        let names = ["tinyapp", "genkit", "midlib", "corelib"];
        let cached: BTreeSet<&str> = cached.into_iter().map(|at| names[at]).collect();
        let mut planned = generated(&cached);
        let is_there = |hash: &Hash| cached.contains(&*lock.get(hash).unwrap().name);
        prop_assert_eq!(Child::of(&lock, &planned).unwrap().findings(is_there), []);
        let waits: usize = planned.iter().map(|job| job.needs.as_ref().map_or(0, Vec::len)).sum();
        if waits > 0 {
            let mut left = cut.index(waits);
            for job in planned.iter_mut().filter_map(|job| job.needs.as_mut()) {
                if left < job.len() {
                    job.remove(left);
                    break;
                }
                left -= job.len();
            }
            let found = Child::of(&lock, &planned).unwrap().findings(is_there);
            prop_assert!(matches!(&*found, [Finding::Unordered { .. }]), "{:?}", found);
        }
    }
}
