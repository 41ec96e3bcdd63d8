//! The numbered cases of the reference, each through the whole of [`generate`].
//!
//! Most start from the worked example: `tinyapp → genkit, midlib`, both of them `→ corelib`, and `midlib → sysbits`,
//! which is external. The rest are invented stacks of a few packages, made by [`lock_of`].

mod broken;
mod changes;
mod dynamic;
mod graph;
mod jobs;
mod limits;
mod mirrors;
mod needs;
mod order;
mod service;
mod worked;

use super::*;
use crate::generation::document::Job;

pub const APP: &str = "izhzo6lcaxnr66gaqeqglr24bg5agpmv";
pub const KIT: &str = "htqrn6q33wuc2zpzkhsjxx23rxyoml26";
pub const CORE: &str = "bzrkkjfhqxt53zkta3mujzs3q6pc6jxj";
pub const MID: &str = "ajrqahzgjt6vrwwsxkp7r5hc3jk23jki";
pub const SYS: &str = "xtua4vinfdpinrcvs3hdzn5vkhobmhse";

pub const LOCK: &str = include_str!("../data/worked.lock.json");

/// The `ci` section of the worked example.
pub const CI: &str = r#"
ci:
  pipeline-gen:
  - submapping:
    - match: [corelib]
      build-job: {tags: [first]}
    - match: [genkit, corelib]
      build-job: {tags: [small], variables: {CI_JOB_SIZE: small}}
  - build-job: {tags: [x86, protected], image: "img:1", retry: {max: 1}}
  - signing-job: {image: notary, tags: [kms], script: [/sign.sh]}
  - any-job: {tags: [spack], before_script: [[a, b], c]}
  - copy-job: {script: [/copy.sh]}
"#;

/// One mirror, which is pushed to by another way than it is fetched from.
pub const ONE_MIRROR: &str =
    "mirrors: {buildcache-destination: {fetch: 's3://bin/develop/demo', push: 's3://in/develop/demo'}}";
pub const FETCH: &str = "s3://bin/develop/demo";

/// The two mirrors of a pull request: place 0 is the source, place 1 the destination.
pub const TWO_MIRRORS: &str =
    "mirrors: {buildcache-source: 's3://bin/develop/demo', buildcache-destination: 's3://prs/p/pr1_x/demo'}";

pub const PROTECTED: (&str, &str) = ("SPACK_PIPELINE_TYPE", "spack_protected_branch");
pub const PULL_REQUEST: (&str, &str) = ("SPACK_PIPELINE_TYPE", "spack_pull_request");
pub const COPY_ONLY: (&str, &str) = ("SPACK_PIPELINE_TYPE", "spack_copy_only");
pub const UNTOUCHED: (&str, &str) = ("SPACK_PRUNE_UNTOUCHED", "True");

const JOB: [(&str, &str); 3] =
    [("CI_JOB_NAME", "demo-generate"), ("CI_PIPELINE_ID", "4242"), ("SPACK_CI_STACK_NAME", "demo")];

/// The worked example, on a protected branch with an empty mirror.
pub fn worked() -> Made {
    stack(LOCK, &[CI, ONE_MIRROR], &[PROTECTED])
}

/// A stack of these scopes, in the generate job of the worked example with more variables.
pub fn stack(lock: &str, scopes: &[&str], env: &[(&str, &str)]) -> Made {
    Made::new(lock.as_bytes(), scopes, &[&JOB[..], env].concat())
}

/// The worked example with another scope above its own.
pub fn worked_below(scope: &str, env: &[(&str, &str)]) -> Made {
    stack(LOCK, &[scope, CI, ONE_MIRROR], env)
}

/// An invented stack on a protected branch whose configuration says nothing about jobs.
pub fn plain(lock: &str) -> Made {
    stack(lock, &["ci: {}", ONE_MIRROR], &[PROTECTED])
}

/// The hash of the package at this place of an invented stack. The first seven characters differ already.
pub fn hash(at: usize) -> String {
    let digit = |n: usize| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[n % 32]);
    let head: String = [at, at / 32, at / 1024, at / 32_768].map(digit).iter().collect();
    format!("{head:a<32}")
}

/// A lock of version 6: packages by place, edges from parent to child, and which places are external and which are roots.
pub fn lock_of(names: &[&str], edges: &[(usize, usize)], externals: &[usize], roots: &[usize]) -> String {
    let arch = r#"{"platform":"linux","platform_os":"debian12","target":"x86_64_v3"}"#;
    let nodes = names.iter().enumerate().map(|(at, name)| {
        let deps = edges.iter().filter(|(parent, _)| *parent == at).map(|(_, child)| {
            let types = r#"{"deptypes":["build","link"],"virtuals":[]}"#;
            format!(r#"{{"name":"{}","hash":"{}","parameters":{types}}}"#, names[*child], hash(*child))
        });
        let deps: Vec<String> = deps.collect();
        let external = if externals.contains(&at) { r#""external":{"path":"/usr","module":null},"# } else { "" };
        format!(
            r#""{hash}":{{"name":"{name}","version":"1.{at}","arch":{arch},{external}"dependencies":[{}],"hash":"{hash}"}}"#,
            deps.join(","),
            hash = hash(at),
        )
    });
    let nodes: Vec<String> = nodes.collect();
    let root = |at: &usize| format!(r#"{{"hash":"{}","spec":"{}@1.{at}"}}"#, hash(*at), names[*at]);
    let roots: Vec<String> = roots.iter().map(root).collect();
    format!(
        r#"{{"_meta":{{"file-type":"spack-lockfile","lockfile-version":6,"specfile-version":5}},"roots":[{}],"concrete_specs":{{{}}}}}"#,
        roots.join(","),
        nodes.join(",")
    )
}

/// The part of a build job's name before its hash.
pub fn short(name: &str) -> &str {
    name.split(" /").next().unwrap()
}

/// The job whose name begins so.
#[track_caller]
pub fn job<'d>(document: &'d Document, start: &str) -> &'d Job {
    let mut found = document.jobs.iter().filter(|(name, _)| name.starts_with(start));
    let first = found.next().unwrap_or_else(|| panic!("no job {start}: {:?}", document.jobs.keys()));
    assert!(found.next().is_none(), "several jobs begin with {start}");
    first.1
}

/// The names of the jobs, without their hashes.
pub fn names(document: &Document) -> Vec<&str> {
    document.jobs.keys().map(|name| short(name)).collect()
}

pub fn texts(value: Option<&Arc<Value>>) -> Vec<&str> {
    value.map_or_else(Vec::new, |list| list.as_list().unwrap().iter().map(|item| item.as_text().unwrap()).collect())
}

/// The jobs that a job needs, as they stand; the generate job, which comes last, is checked and left out.
#[track_caller]
pub fn needs(job: &Job) -> Vec<&str> {
    let entries = job["needs"].as_list().unwrap();
    let generate = entries.iter().position(|need| need.get("pipeline").is_some());
    if let Some(at) = generate {
        assert_eq!(at, entries.len() - 1, "the generate job comes last");
        assert_eq!(entries[at], yaml("{job: demo-generate, pipeline: '4242'}"));
    }
    let others = entries.iter().filter(|need| need.get("pipeline").is_none());
    others
        .map(|need| {
            assert_eq!(need.as_map().unwrap().len(), 2, "{need:?}");
            assert_eq!(need.get("artifacts"), Some(&Value::Bool(false)));
            need.get("job").and_then(Value::as_text).unwrap()
        })
        .collect()
}

/// The table of a document: one line per job, with needs but for the generate job.
pub fn table(document: &Document) -> Vec<String> {
    let line = |(name, job): (&Arc<str>, &Job)| {
        let stage = job["stage"].as_text().unwrap();
        let needs: Vec<&str> =
            if job.contains_key("needs") { needs(job).into_iter().map(short).collect() } else { vec!["none"] };
        format!("{} | {stage} | {} | {}", short(name), texts(job.get("tags")).join(", "), needs.join(", "))
    };
    document.jobs.iter().map(line).collect()
}

/// The reasons for and against a package, as Spack lists them.
pub fn reasons(made: &Made, package: &str) -> String {
    made.with(|_, made| {
        let made = made.unwrap();
        let at = made.specs.iter().position(|spec| &*spec.name == package).unwrap();
        let reasons = made.verdicts[at].reasons.iter().map(ToString::to_string);
        reasons.collect::<Vec<_>>().join(", ")
    })
}

pub fn warnings(made: &Made) -> Vec<String> {
    made.with(|_, made| made.unwrap().warnings.iter().map(ToString::to_string).collect())
}

/// Whether a document is the one that says that there is nothing to do.
#[track_caller]
pub fn assert_noop(document: &Document) {
    assert_eq!(names(document), ["no-specs-to-rebuild"]);
    assert_eq!(document.globals.keys().map(|key| &**key).collect::<Vec<_>>(), ["workflow"]);
}

pub fn yaml(text: &str) -> Value {
    Value::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}
