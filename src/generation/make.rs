//! The whole way from a lock to a document.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::build_job::{self, Builder};
use super::closure;
use super::dag::Dag;
use super::document::{Document, always};
use super::mapping::{Answers, Mapping, Query};
use super::mirrors::{DESTINATION, Mirror, SOURCE};
use super::service_job;
use super::verdict::{self, Verdict};
use super::{ChangeSet, Form, MirrorState, MirrorView, Options, PipelineType, Refusal, Warning};
use crate::ci::Timestamp;
use crate::spack::buildcache;
use crate::spack::yaml::{Layers, Value};
use crate::spack::{Hash, Lock, Root, Spec, SpecGraph};

/// Everything that a pipeline is made from. The outside has been read before.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    pub lock: &'a Lock,
    /// The abstract specs that the manifest asks for; roots of the lock that are not among them are left out.
    pub wanted: &'a [String],
    pub layers: &'a Layers,
    /// The configured mirrors, and what was seen of each, in the same order.
    pub mirrors: &'a [Mirror],
    pub views: &'a [MirrorView],
    /// What changed; `None` when nobody looked.
    pub changes: Option<&'a ChangeSet>,
    pub options: &'a Options,
    pub answers: &'a Answers,
    /// Specs that are known not to build, with what is known.
    pub broken: &'a BTreeMap<Hash, String>,
    /// Usual seconds of building, by package.
    pub durations: &'a HashMap<Arc<str>, f64>,
    pub now: Timestamp,
}

/// A generated pipeline, and why it is what it is.
#[derive(Debug)]
pub struct Generation<'a> {
    pub document: Document,
    /// Every spec that the roots reach, in the order of the lock's graph.
    pub specs: Vec<&'a Spec>,
    /// One per spec.
    pub verdicts: Vec<Verdict>,
    /// The names of the build jobs, by place of their spec.
    pub jobs: BTreeMap<usize, Arc<str>>,
    pub dag: Dag,
    pub mapping: Mapping,
    /// What is copied elsewhere afterwards, when that is asked for.
    pub copies: Option<Vec<Copy>>,
    /// Predicted hours of building, all jobs added up.
    pub hours: f64,
    pub warnings: Vec<Warning>,
}

/// One spec that is copied to another cache.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Copy {
    #[serde(skip)]
    pub hash: Hash,
    pub src: String,
    pub dest: String,
}

/// What has to be asked of dynamic mappings before [`generate`] can be called. What no filter could leave in is not asked about.
pub fn queries(lock: &Lock, wanted: &[String], layers: &Layers, options: &Options) -> Result<Vec<Query>, Refusal> {
    let mapping = Mapping::read(layers)?;
    let graph = graph(lock, wanted)?;
    let builds = options.pipeline_type != Some(PipelineType::CopyOnly);
    let is_built = |spec: &&Spec| builds && !(options.prune_external && spec.is_external());
    let specs: Vec<&Spec> = graph.node_weights().copied().filter(is_built).collect();
    mapping.queries(&specs, options.skip_dynamic.as_deref())
}

/// What the roots that are still wanted reach.
pub fn graph<'a>(lock: &'a Lock, wanted: &[String]) -> Result<SpecGraph<'a>, Refusal> {
    let roots: Vec<&Root> = lock.roots_in(wanted);
    Ok(lock.graph_from(roots)?)
}

/// Makes the child pipeline, or says why there must not be one.
pub fn generate<'a>(inputs: &Inputs<'a>) -> Result<Generation<'a>, Refusal> {
    let options = inputs.options;
    let mut made = Gathered::default();
    check_target(inputs.layers)?;
    let mapping = Mapping::read(inputs.layers)?;
    mapping.check(inputs.lock)?;
    let destination = mirror(inputs.mirrors, DESTINATION)?;
    for view in inputs.views {
        made.check_mirror(view, options)?;
    }
    let graph = graph(inputs.lock, inputs.wanted)?;
    if graph.node_count() == 0 {
        made.warn("empty stack: no root of the lock is asked for, so there is nothing to build".to_owned());
    }
    let dag = Dag::of(&graph)?;
    let specs: Vec<&Spec> = graph.node_weights().copied().collect();
    let affected = verdict::unaffected_filter(options, inputs.changes, &specs, &dag);
    let verdicts = verdict::judge(options, &specs, inputs.views, affected.as_deref());
    // A copy-only pipeline builds nothing, whatever the filters say.
    let builds = options.pipeline_type != Some(PipelineType::CopyOnly);
    let keep: Vec<bool> = verdicts.iter().map(|verdict| builds && verdict.is_rebuilt()).collect();
    made.check_closure(inputs, &dag, &specs, &keep)?;
    if builds {
        made.check_broken(inputs, &specs, &keep)?;
    }

    let mut document = Document::default();
    let kept = if options.parity { dag.pruned(&keep)? } else { dag.reduced(&keep)? };
    let builder = Builder::new(inputs, &mapping, &specs);
    let jobs = builder.add_jobs(&kept, &mut document, &mut made)?;
    made.check_storm(inputs, jobs.len(), builder.hours(&jobs, &document))?;
    let mut stages: Vec<String> = (0..kept.height()).map(|level| format!("stage-{level}")).collect();
    if !builds {
        stages.push("copy".to_owned());
        service_job::copy(&mut document, &mapping, options, destination, mirror(inputs.mirrors, SOURCE)?);
    }
    if document.jobs.is_empty() {
        service_job::noop(&mut document, &mapping);
    } else {
        service_job::closing(&mut document, &mapping, inputs, destination, &mut stages);
        document.globals.insert("stages".into(), Value::texts(stages));
        document.globals.insert("variables".into(), service_job::variables(inputs));
    }
    made.check_scripts(&document, options)?;
    document.globals.insert("workflow".into(), always());
    made.check_size(&document, options)?;

    let copies = options.copy_to.as_deref().map(|to| {
        let copied = |at: usize, spec: &&Spec| {
            if builds { keep.get(at) == Some(&true) } else { !spec.is_external() }
        };
        let chosen = specs.iter().enumerate().filter(|(at, spec)| copied(*at, spec));
        chosen.map(|(_, spec)| copy_of(spec, &destination.fetch, to)).collect()
    });
    let hours = made.hours;
    Ok(Generation { document, specs, verdicts, jobs, dag, mapping, copies, hours, warnings: made.warnings })
}

fn mirror<'a>(mirrors: &'a [Mirror], name: &'static str) -> Result<&'a Mirror, Refusal> {
    mirrors.iter().find(|mirror| &*mirror.name == name).ok_or(Refusal::NoMirror { name })
}

fn check_target(layers: &Layers) -> Result<(), Refusal> {
    let wrong = |what: String| Err(Refusal::Config { place: "ci".to_owned(), what });
    match layers.section("ci") {
        Value::Null => wrong(
            "is missing: the environment says nothing about its jobs; add a `ci` section or an include that has one"
                .into(),
        ),
        Value::Map(ci) => match ci.get("target").map(Value::as_text) {
            None | Some(Some("gitlab")) => Ok(()),
            Some(other) => wrong(format!(
                "has the target {}; only `gitlab` is supported",
                other.map_or_else(|| "that is no text".to_owned(), |text| format!("`{text}`"))
            )),
        },
        other => wrong(format!("is {}; write a map", other.kind())),
    }
}

fn copy_of(spec: &Spec, from: &str, to: &str) -> Copy {
    let path = buildcache::v3::spec_manifest(&spec.name, &spec.version, &spec.hash);
    Copy { hash: spec.hash, src: format!("{from}/{path}"), dest: format!("{}/{path}", to.trim_end_matches('/')) }
}

/// What comes up on the way: warnings, and the checks that may refuse.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub warnings: Vec<Warning>,
    hours: f64,
}

impl Gathered {
    pub fn warn(&mut self, text: String) {
        self.warnings.push(Warning::new(text));
    }

    /// A refusal that Spack does not know is only a warning in parity.
    pub fn refuse(&mut self, refusal: Refusal, options: &Options) -> Result<(), Refusal> {
        if options.parity && refusal.is_ours() {
            self.warn(refusal.to_string());
            return Ok(());
        }
        Err(refusal)
    }

    fn check_mirror(&mut self, view: &MirrorView, options: &Options) -> Result<(), Refusal> {
        match &view.state {
            MirrorState::Read(_) => Ok(()),
            MirrorState::Absent => {
                self.warn(format!("the mirror `{}` ({}) has no index: it counts as empty", view.name, view.url));
                Ok(())
            }
            MirrorState::Failed { reason, listings } if options.allow_missing_index.contains(&view.name) => {
                let MirrorView { name, url, .. } = view;
                let counts = if listings.is_empty() { "as empty" } else { "with what was read of it" };
                self.warn(format!("the mirror `{name}` ({url}) counts {counts}, as you allowed: {reason}"));
                Ok(())
            }
            MirrorState::Failed { reason, .. } => self.refuse(
                Refusal::Mirror { name: view.name.to_string(), url: view.url.to_string(), reason: reason.to_string() },
                options,
            ),
        }
    }

    fn check_closure(&mut self, inputs: &Inputs<'_>, dag: &Dag, specs: &[&Spec], keep: &[bool]) -> Result<(), Refusal> {
        let external: Vec<bool> = specs.iter().map(|spec| spec.is_external()).collect();
        let gaps = closure::gaps(dag, keep, &external, &verdict::available(inputs.views, specs));
        if gaps.is_empty() {
            return Ok(());
        }
        let label = |at: u32| specs.get(at as usize).map(|spec| spec.label()).unwrap_or_default();
        let shown: Vec<String> = gaps
            .iter()
            .take(3)
            .map(|gap| {
                let parents: Vec<String> = gap.parents.iter().take(2).map(|at| label(*at)).collect();
                format!("{} (needed by {})", label(gap.missing), parents.join(", "))
            })
            .collect();
        self.refuse(Refusal::Gaps { count: gaps.len(), shown: shown.join("; ") }, inputs.options)
    }

    /// Specs that would be built again although they are known to fail.
    fn check_broken(&mut self, inputs: &Inputs<'_>, specs: &[&Spec], keep: &[bool]) -> Result<(), Refusal> {
        let section = inputs.layers.section("ci");
        if let Some(url) =
            section.get("broken-specs-url").and_then(Value::as_text).filter(|url| url.starts_with("http"))
        {
            self.warn(format!(
                "`broken-specs-url` is {url}: over http(s) nothing can be listed, so no spec counts as broken; use s3:// or file://"
            ));
            return Ok(());
        }
        let built = specs.iter().zip(keep).filter(|(_, keep)| **keep);
        let hits = built.filter_map(|(spec, _)| Some(format!("{} ({})", spec.label(), inputs.broken.get(&spec.hash)?)));
        let hits: Vec<String> = hits.collect();
        if hits.is_empty() {
            return Ok(());
        }
        let refusal = Refusal::Broken { count: hits.len(), shown: hits.join("; ") };
        if inputs.options.rebuilds_everything() {
            self.warn(refusal.to_string());
            return Ok(());
        }
        Err(refusal)
    }

    fn check_storm(&mut self, inputs: &Inputs<'_>, jobs: usize, hours: f64) -> Result<(), Refusal> {
        self.hours = hours;
        let limits = inputs.options.limits;
        let absent: Vec<&str> = inputs
            .views
            .iter()
            .filter(|view| !matches!(view.state, MirrorState::Read(_)))
            .map(|view| &*view.name)
            .collect();
        let reason = || match absent.as_slice() {
            _ if inputs.options.rebuilds_everything() => "nothing is pruned".to_owned(),
            [] => "most specs are in no cache, as after a change of the compiler or of a package that all depend on"
                .to_owned(),
            names => format!("the index of {} is missing", names.join(" and ")),
        };
        if jobs > limits.jobs {
            let what = format!("{jobs} build jobs");
            let limit = limits.jobs.to_string();
            self.refuse(Refusal::Storm { what, limit, reason: reason(), flag: "--max-jobs" }, inputs.options)?;
        }
        if hours > limits.hours {
            let what = format!("{hours:.0} predicted hours of building");
            let limit = format!("{:.0}", limits.hours);
            self.refuse(Refusal::Storm { what, limit, reason: reason(), flag: "--max-hours" }, inputs.options)?;
        }
        Ok(())
    }

    /// Build jobs have been looked at; the configuration may have left a service job without anything to run.
    fn check_scripts(&mut self, document: &Document, options: &Options) -> Result<(), Refusal> {
        for (name, job) in &document.jobs {
            let is_list = job.get("script").and_then(|script| script.as_list()).is_some_and(|lines| !lines.is_empty());
            let is_text = job.get("script").is_some_and(|script| script.as_text().is_some());
            if !is_list && !is_text {
                let section = service_job::section(name);
                self.refuse(Refusal::NoScript { job: name.to_string(), section }, options)?;
            }
        }
        Ok(())
    }

    fn check_size(&mut self, document: &Document, options: &Options) -> Result<(), Refusal> {
        let (expanded, size) = (document.expanded_bytes(), document.size(Form::Yaml));
        let biggest = || {
            let keys = document.heaviest(3).into_iter();
            keys.map(|(key, bytes)| format!("{key} {bytes} bytes over all jobs")).collect::<Vec<_>>().join(", ")
        };
        if expanded > options.limits.expanded_bytes {
            let form = " with its aliases written out";
            let (limit, flag) = (options.limits.expanded_bytes, "--max-expanded");
            self.refuse(Refusal::Size { size: expanded, form, limit, biggest: biggest(), flag }, options)?;
        }
        if size > options.limits.included_bytes {
            let (limit, flag) = (options.limits.included_bytes, "--max-size");
            self.refuse(Refusal::Size { size, form: "", limit, biggest: biggest(), flag }, options)?;
        }
        Ok(())
    }
}

/// The name of a build job: what the spec is, its whole hash, and the CDash group. GitLab takes 255 characters.
pub fn job_name(spec: &Spec, group: Option<&str>) -> String {
    build_job::name(spec, group)
}
