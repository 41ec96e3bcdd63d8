//! Reads everything that a generation is made from: the environment, the mirrors, what changed, what dynamic mappings say.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::super::assemble::index_cache;
use super::ask::Request;
use super::durations;
use crate::adapters::clock::{Clock, SystemClock};
use crate::adapters::environment::{self, Environment, Http, LockAge};
use crate::adapters::mirror::{Reader, S3Access, Settings};
use crate::adapters::{dynamic_mapping, git, spack_cli};
use crate::ci::Timestamp;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out::{Out, Progress};
use crate::config::Generation as Configured;
use crate::console::text::plural;
use crate::generation::{
    self, Answers, ChangeSet, Generation, Inputs, Limits, Mirror, MirrorState, MirrorView, Options, PipelineType,
    Refusal, Warning,
};
use crate::spack::yaml::Value;
use crate::spack::{Hash, Spec};

/// Direct questions to one mirror that are under way at once.
const AT_ONCE: usize = 16;
/// Mirrors that are read at once.
const MIRRORS_AT_ONCE: usize = 4;

/// Everything that was read.
pub struct Gathered {
    pub environment: Environment,
    pub options: Options,
    wanted: Vec<String>,
    mirrors: Vec<Mirror>,
    views: Vec<MirrorView>,
    changes: Option<ChangeSet>,
    answers: Answers,
    broken: BTreeMap<Hash, String>,
    durations: HashMap<Arc<str>, f64>,
    warnings: Vec<Warning>,
    now: Timestamp,
}

impl Gathered {
    /// Reads the outside. Nothing is changed there, but that a lock may be concretized when somebody configured a Spack for that.
    pub async fn read(out: Out, configured: &Configured, request: &Request) -> Result<Self, Failure> {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let (mut options, mut warnings) = Options::of(&env);
        warnings.extend(options.forward(&request.forward_variable, &env));
        request.apply(configured, &mut options, &env)?;
        let durations = durations(request.durations.as_ref())?;

        let http = Http::default();
        let environment = environment(out, configured, request, &env, &http).await?;
        if let Some(first) = environment.forged.first() {
            let (lock, count) = (environment.lock_path.display(), plural(environment.forged.len() as u64, "spec"));
            warnings.push(Warning::new(format!(
                "{lock}: the hashes of {count} are not what their nodes give, for example /{}: it was changed after Spack wrote it; \
                 concretize again",
                first.short()
            )));
        }
        let wanted = wanted(&environment, &options, &mut warnings)?;
        let refused = |refusal: Refusal| failed(Exit::Refused, &refusal);
        let mirrors = Mirror::configured(&environment.layers, &request.mirror).map_err(refused)?;
        let graph = generation::graph(&environment.lock, &wanted).map_err(refused)?;
        let specs: Vec<&Spec> = graph.node_weights().copied().collect();
        let hashes: HashSet<Hash> = specs.iter().map(|spec| spec.hash).collect();

        let reader = Reader::new(Settings { s3: S3Access::of(&env), cache: index_cache(), ..Settings::default() });
        let mut progress = Progress::new();
        let mut views = {
            let view = |mirror: &Mirror| {
                let (name, url) = (mirror.name.clone(), mirror.fetch.clone());
                let (reader, hashes) = (&reader, &hashes);
                async move { reader.view(&name, &url, hashes).await }
            };
            let mut reading =
                Box::pin(stream::iter(mirrors.iter().map(view)).buffered(MIRRORS_AT_ONCE).collect::<Vec<_>>());
            tokio::select! {
                views = &mut reading => views,
                () = tokio::time::sleep(Progress::PATIENCE) => {
                    progress.say("reading the indexes of the mirrors …");
                    reading.await
                }
            }
        };
        if request.check_binaries && options.prune_up_to_date {
            progress.say("asking the mirrors for what their indexes do not list …");
            for (view, mirror) in views.iter_mut().zip(&mirrors) {
                look_for_binaries(&reader, view, mirror, &specs).await;
            }
        }
        let changes = changes(request, &environment, &options, &env, &mut warnings).await?;
        let answers = ask_mappings(&environment, &wanted, &options, &env, &http, &mut warnings).await?;
        let broken = broken(&reader, &environment, &options, &hashes, &mut warnings).await?;
        drop(progress);
        let now = SystemClock.now();
        Ok(Self { environment, options, wanted, mirrors, views, changes, answers, broken, durations, warnings, now })
    }

    /// Generates, and hands over what was made with what it was made from.
    pub fn with<T>(
        &self,
        then: impl FnOnce(&Inputs<'_>, Generation<'_>, &[Warning]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let inputs = Inputs {
            lock: &self.environment.lock,
            wanted: &self.wanted,
            layers: &self.environment.layers,
            mirrors: &self.mirrors,
            views: &self.views,
            changes: self.changes.as_ref(),
            options: &self.options,
            answers: &self.answers,
            broken: &self.broken,
            durations: &self.durations,
            now: self.now,
        };
        let made = generation::generate(&inputs).map_err(|refusal| failed(Exit::Refused, &refusal))?;
        then(&inputs, made, &self.warnings)
    }

    /// The manifest as it reads from another folder.
    pub fn manifest_in(&self, folder: &Path) -> Result<String, Failure> {
        // Jobs see the project elsewhere, but everything in it keeps its place relative to the rest.
        self.environment.manifest_in(folder).map_err(|error| failed(Exit::Failed, &error))
    }
}

impl Request {
    /// Puts the flags on top of what the environment variables said.
    fn apply(
        &self,
        configured: &Configured,
        options: &mut Options,
        env: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let flag = |yes: bool, no: bool, was: bool| if yes { true } else { was && !no };
        options.prune_untouched = flag(self.prune_unaffected, self.no_prune_unaffected, options.prune_untouched);
        options.prune_up_to_date = flag(self.prune_up_to_date, self.no_prune_up_to_date, options.prune_up_to_date);
        options.prune_external = flag(self.prune_externals, self.no_prune_externals, options.prune_external);
        options.parity = self.parity;
        options.allow_missing_index = self.allow_missing_index.iter().map(|name| Arc::from(name.as_str())).collect();
        let kilobytes = |count: u32| count as usize * 1_024;
        options.limits = Limits {
            needs: self.needs_limit.unwrap_or(configured.needs) as usize,
            joins: !self.no_joins,
            included_bytes: self.max_size.unwrap_or_else(|| kilobytes(configured.file_kb)),
            expanded_bytes: self.max_expanded.unwrap_or_else(|| kilobytes(configured.expanded_kb)),
            jobs: self.max_jobs.unwrap_or(configured.max_jobs as usize),
            hours: self.max_hours.unwrap_or_else(|| f64::from(configured.max_hours)),
        };
        if let Some(root) = &self.artifacts_root {
            let text = root.to_str().ok_or_else(|| {
                Failure::usage(format!(
                    "--artifacts-root {}: is not UTF-8; jobs get it as a variable, so name another folder",
                    root.display()
                ))
            })?;
            let project = env.get("CI_PROJECT_DIR").filter(|project| !project.is_empty());
            let here = std::env::current_dir().unwrap_or_default();
            let project = project.map_or(here, PathBuf::from);
            let relative = root.strip_prefix(&project).ok().and_then(Path::to_str).unwrap_or(text);
            if Path::new(relative).is_absolute() {
                let project = project.display();
                return Err(Failure::usage(format!(
                    "--artifacts-root {text}: lies outside of {project}, where jobs do not see it; name a folder inside"
                )));
            }
            options.artifacts_root = relative.trim_matches('/').into();
        }
        Ok(())
    }
}

fn failed(exit: Exit, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(exit, error.to_string())
}

/// Reads the environment; where its lock cannot be used, a configured Spack makes a new one.
async fn environment(
    out: Out,
    configured: &Configured,
    request: &Request,
    env: &BTreeMap<String, String>,
    http: &Http,
) -> Result<Environment, Failure> {
    let wanted = environment::Wanted {
        dir: request.env.clone(),
        lock: request.lock.clone(),
        includes: !request.no_includes,
        scopes: request.config_scope.clone(),
        facts: environment::facts(env),
    };
    let spack = request.spack.as_ref().or(configured.spack.as_ref()).filter(|_| request.lock.is_none());
    let first = environment::read(&wanted, http).await;
    let Some(spack) = spack else { return first.map_err(|error| failed(Exit::Config, &error)) };
    let is_usable = match &first {
        Ok(read) => read.lock_age == LockAge::Fresh,
        Err(error) if error.is_about_missing_lock() => false,
        Err(_) => true,
    };
    if is_usable {
        return first.map_err(|error| failed(Exit::Config, &error));
    }
    out.note(&format!("concretizing {} with {}", request.env.display(), spack.display()));
    let ask = spack_cli::Concretize {
        spack: spack.clone(),
        environment: request.env.clone(),
        ..spack_cli::Concretize::default()
    };
    let ended = spack_cli::concretize(&ask, |line| out.note(&String::from_utf8_lossy(line))).await;
    ended.map_err(|fault| failed(Exit::Failed, &fault))?;
    environment::read(&wanted, http).await.map_err(|error| failed(Exit::Config, &error))
}

/// The abstract specs whose roots are built. A lock that is older than its manifest is refused; parity takes all of its roots instead.
fn wanted(environment: &Environment, options: &Options, warnings: &mut Vec<Warning>) -> Result<Vec<String>, Failure> {
    let what = match &environment.lock_age {
        LockAge::Fresh => return Ok(environment.specs.clone()),
        LockAge::Unclear { why } => format!("{}: {why}", environment.manifest_path.display()),
        LockAge::OlderThanManifest { missing } => {
            let shown = missing.iter().take(3).map(|spec| format!("`{spec}`")).collect::<Vec<_>>().join(", ");
            format!(
                "{} is older than its manifest: it has no root for {shown}{}; run `spack -e {} concretize --force`, or configure \
                 `generation.spack`",
                environment.lock_path.display(),
                if missing.len() > 3 { format!(" and {} more", missing.len() - 3) } else { String::new() },
                environment.manifest_path.parent().unwrap_or(Path::new(".")).display(),
            )
        }
    };
    if !options.parity {
        return Err(Failure::new(Exit::Refused, what));
    }
    warnings.push(Warning::new(format!("{what}; all roots of the lock are taken")));
    Ok(environment.lock.roots().iter().map(|root| root.spec.to_string()).collect())
}

async fn look_for_binaries(reader: &Reader, view: &mut MirrorView, mirror: &Mirror, specs: &[&Spec]) {
    let is_listed = |spec: &Spec| {
        view.state.listings().iter().any(|l| l.listed.get(&spec.hash).is_some_and(|listed| listed.is_present()))
    };
    let asked: Vec<&Spec> = specs.iter().filter(|spec| !spec.is_external() && !is_listed(spec)).copied().collect();
    let answers = stream::iter(asked)
        .map(|spec| async move { (spec.hash, reader.find(&mirror.fetch, spec, true).await) })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    for (hash, answer) in answers {
        match answer {
            Ok(Some(layout)) => {
                view.direct.insert(hash, layout);
            }
            Ok(None) => {}
            // Unknown is not absent.
            Err(reason) => {
                let listings = view.state.listings().to_vec();
                view.state = MirrorState::Failed { reason: reason.into(), listings };
                return;
            }
        }
    }
}

/// Paths are ours, while git counts from its repository.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

async fn changes(
    request: &Request,
    environment: &Environment,
    options: &Options,
    env: &BTreeMap<String, String>,
    warnings: &mut Vec<Warning>,
) -> Result<Option<ChangeSet>, Failure> {
    // Spack filters what a copy-only pipeline does not build anyway.
    let builds = options.pipeline_type != Some(PipelineType::CopyOnly);
    if !options.prune_untouched || !(builds || options.parity) {
        return Ok(None);
    }
    if !request.changed_package.is_empty() {
        return Ok(Some(ChangeSet::of_packages(&request.changed_package)));
    }
    let wanted = git::Wanted {
        repo: request.git.clone().unwrap_or_else(|| request.env.clone()),
        target: env.get("PR_TARGET_REF_NAME").filter(|name| !name.is_empty()).cloned(),
        manifest: absolute(&request.env.join("spack.yaml")),
        // A change of what the manifest includes is a change of the stack.
        configuration: environment.layers.0.iter().skip(1).map(|scope| absolute(Path::new(&*scope.name))).collect(),
    };
    match git::change_set(&wanted).await {
        Ok((changes, told)) => {
            warnings.extend(told.into_iter().map(Warning::new));
            Ok(Some(changes))
        }
        // Spack goes on without the filter when there is no repository.
        Err(error) if options.parity && request.git.is_none() => {
            warnings.push(Warning::new(format!("the unaffected filter is off: {error}")));
            Ok(None)
        }
        Err(error) => Err(failed(Exit::Failed, &error)),
    }
}

async fn ask_mappings(
    environment: &Environment,
    wanted: &[String],
    options: &Options,
    env: &BTreeMap<String, String>,
    http: &Http,
    warnings: &mut Vec<Warning>,
) -> Result<Answers, Failure> {
    let refused = |refusal: Refusal| failed(Exit::Refused, &refusal);
    let queries = generation::queries(&environment.lock, wanted, &environment.layers, options).map_err(refused)?;
    let mut answers = Answers::default();
    if queries.is_empty() {
        return Ok(answers);
    }
    let mapping = generation::Mapping::read(&environment.layers).map_err(refused)?;
    let client = http.client().map_err(|error| failed(Exit::Failed, &error))?;
    for (query, answer) in dynamic_mapping::ask(client, queries, env).await {
        match answer {
            Ok(Value::Map(map)) => {
                let missing = mapping.accept(&query, map, &mut answers);
                if !missing.is_empty() {
                    warnings.push(Warning::new(format!(
                        "the dynamic mapping for {} did not say {}",
                        query.hash.short(),
                        missing.join(", ")
                    )));
                }
            }
            Ok(other) => warnings.push(Warning::new(format!(
                "a dynamic mapping answered with {} for {}",
                other.kind(),
                query.hash.short()
            ))),
            Err(reason) => warnings
                .push(Warning::new(format!("a dynamic mapping said nothing about {}: {reason}", query.hash.short()))),
        }
    }
    Ok(answers)
}

async fn broken(
    reader: &Reader,
    environment: &Environment,
    options: &Options,
    hashes: &HashSet<Hash>,
    warnings: &mut Vec<Warning>,
) -> Result<BTreeMap<Hash, String>, Failure> {
    let ci = environment.layers.section("ci");
    let Some(url) = ci.get("broken-specs-url").and_then(Value::as_text) else { return Ok(BTreeMap::new()) };
    if options.pipeline_type == Some(PipelineType::CopyOnly) {
        return Ok(BTreeMap::new());
    }
    if url.starts_with("http://") || url.starts_with("https://") {
        warnings.push(Warning::new(format!(
            "broken-specs-url {url} is ignored, as Spack does: a web server cannot list its files; use s3:// or file://"
        )));
        return Ok(BTreeMap::new());
    }
    let entries = reader.names(url).await.map_err(|reason| {
        Failure::new(
            Exit::Unreachable,
            format!("cannot list broken-specs-url {url}: {reason}; try again, or take it out of the configuration"),
        )
    })?;
    let known = entries.iter().filter_map(|entry| {
        let stem = entry.trim_end_matches('/').rsplit('/').next()?.split('.').next()?;
        let hash = Hash::parse(stem).ok().filter(|hash| hashes.contains(hash))?;
        Some((hash, format!("see {}/{entry}", url.trim_end_matches('/'))))
    });
    Ok(known.collect())
}
