//! What a generation is asked for: the environment variables of Spack's generate job, and the flags that stand for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{StackRule, Warning};

/// What kind of pipeline is made. It decides tags, signing and copying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineType {
    /// `develop` and releases: jobs run on protected runners, binaries are signed.
    Protected,
    /// Pull requests: jobs run on public runners, binaries are not signed.
    PullRequest,
    /// Builds nothing; copies what another cache holds.
    CopyOnly,
}

impl PipelineType {
    /// Reads `SPACK_PIPELINE_TYPE`, which Spack knows in two spellings.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "spack_protected_branch" | "PROTECTED_BRANCH" => Some(Self::Protected),
            "spack_pull_request" | "PULL_REQUEST" => Some(Self::PullRequest),
            "spack_copy_only" | "COPY_ONLY" => Some(Self::CopyOnly),
            _ => None,
        }
    }

    /// The name that Spack writes into a document.
    pub const fn canonical(self) -> &'static str {
        match self {
            Self::Protected => "PROTECTED_BRANCH",
            Self::PullRequest => "PULL_REQUEST",
            Self::CopyOnly => "COPY_ONLY",
        }
    }

    /// The tag that every build job of this type ends with.
    pub const fn tag(self) -> Option<&'static str> {
        match self {
            Self::Protected => Some("protected"),
            Self::PullRequest => Some("public"),
            Self::CopyOnly => None,
        }
    }
}

/// How far a document may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Entries in one job's `needs`; GitLab's default is 50 (`ci_needs_size_limit`).
    pub needs: usize,
    /// Whether jobs that pass that limit are helped by join jobs; otherwise generation is refused.
    pub joins: bool,
    /// Bytes of the file that a trigger job may include; GitLab's default is 5 MiB (`max_artifacts_content_include_size`).
    pub included_bytes: usize,
    /// Bytes of the document with its aliases written out; gitlab.spack.io allows 50 MiB (`max_yaml_size_bytes`).
    pub expanded_bytes: usize,
    /// Build jobs; more than that is a rebuild storm.
    pub jobs: usize,
    /// Predicted hours of building; more than that is a rebuild storm.
    pub hours: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { needs: 50, joins: true, included_bytes: 5 << 20, expanded_bytes: 50 << 20, jobs: 2_000, hours: 1_500.0 }
    }
}

/// Everything that is asked for, apart from the lock, the configuration and what the outside answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `SPACK_PIPELINE_TYPE` as it was given.
    pub type_text: Option<Arc<str>>,
    pub pipeline_type: Option<PipelineType>,
    pub prune_up_to_date: bool,
    pub prune_untouched: bool,
    pub prune_external: bool,
    /// How many levels of dependents of a changed package count as affected; `None` is all.
    pub depth: Option<i64>,
    pub stack: Option<Arc<str>>,
    pub require_signing: bool,
    /// `CI_JOB_NAME` of the generate job, and `CI_PIPELINE_ID` of its pipeline: every build job needs them.
    pub generate_job: Arc<str>,
    pub pipeline_id: Arc<str>,
    /// Relative to the project's directory, with forward slashes.
    pub artifacts_root: Arc<str>,
    /// Variables that are handed on, with what they hold.
    pub forwarded: Vec<(Arc<str>, Arc<str>)>,
    /// `SPACK_COPY_BUILDCACHE`: where specs are copied to afterwards.
    pub copy_to: Option<Arc<str>>,
    pub cdash_stamp: Option<Arc<str>>,
    /// `SPACK_CI_SKIP_DYNAMIC_MAPPING`: the names of dynamic mappings that are left out, as a regular expression.
    pub skip_dynamic: Option<Arc<str>>,
    /// Exactly Spack's answer: needs are not reduced, and what only stackhand refuses becomes a warning.
    pub parity: bool,
    /// Mirrors whose index may be missing for any reason.
    pub allow_missing_index: Vec<Arc<str>>,
    pub limits: Limits,
}

/// Variables that Spack's generate job hands on to the jobs that it makes.
pub const FORWARDED: [&str; 4] =
    ["SPACK_CHECKOUT_VERSION", "SPACK_CHECKOUT_REPO", "SPACK_CI_PACKAGES_ROOT", "SPACK_CI_SPACK_ROOT"];

impl Options {
    /// Reads the environment variables that Spack's own generation reads. Flags are set on the result.
    pub fn of(env: &BTreeMap<String, String>) -> (Self, Vec<Warning>) {
        let mut warnings = Vec::new();
        let text = |name: &str| env.get(name).filter(|value| !value.is_empty()).map(|value| Arc::from(value.as_str()));
        let is_true = |name: &str| env.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let type_text: Option<Arc<str>> = text("SPACK_PIPELINE_TYPE");
        let pipeline_type = type_text.as_deref().and_then(PipelineType::parse);
        if let (Some(text), None) = (&type_text, pipeline_type) {
            warnings.push(Warning::new(format!(
                "SPACK_PIPELINE_TYPE is `{text}`, which is no type of pipeline: jobs get neither `public` nor `protected`; use \
                 spack_protected_branch, spack_pull_request or spack_copy_only"
            )));
        }
        let depth = text("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH").and_then(|value| {
            let depth = value.trim().parse().ok();
            if depth.is_none() {
                warnings.push(Warning::new(format!(
                    "SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH is `{value}`, not a whole number: dependents of every level count as affected"
                )));
            }
            depth
        });
        let stack: Option<Arc<str>> = text("SPACK_CI_STACK_NAME");
        let artifacts_root = stack
            .as_deref()
            .map_or_else(|| Arc::from("jobs_scratch_dir"), |name| format!("jobs_scratch_dir/{name}").into());
        let options = Self {
            pipeline_type,
            type_text,
            prune_up_to_date: !env.contains_key("SPACK_PRUNE_UP_TO_DATE") || is_true("SPACK_PRUNE_UP_TO_DATE"),
            prune_untouched: is_true("SPACK_PRUNE_UNTOUCHED"),
            prune_external: true,
            depth,
            stack,
            require_signing: is_true("SPACK_REQUIRE_SIGNING"),
            generate_job: text("CI_JOB_NAME").unwrap_or_else(|| "job-does-not-exist".into()),
            pipeline_id: text("CI_PIPELINE_ID").unwrap_or_else(|| "pipeline-does-not-exist".into()),
            artifacts_root,
            forwarded: Vec::new(),
            copy_to: text("SPACK_COPY_BUILDCACHE"),
            cdash_stamp: text("SPACK_CDASH_BUILD_STAMP"),
            skip_dynamic: text("SPACK_CI_SKIP_DYNAMIC_MAPPING"),
            parity: false,
            allow_missing_index: Vec::new(),
            limits: Limits::default(),
        };
        (options, warnings)
    }

    /// Sets the variables that are handed on. Those that are not set are left out, with a warning where somebody asked for them by name.
    pub fn forward(&mut self, names: &[String], env: &BTreeMap<String, String>) -> Vec<Warning> {
        let asked: Vec<&str> =
            if names.is_empty() { FORWARDED.to_vec() } else { names.iter().map(String::as_str).collect() };
        let mut warnings = Vec::new();
        self.forwarded.clear();
        for name in asked {
            match env.get(name) {
                Some(value) => self.forwarded.push((name.into(), value.as_str().into())),
                None if names.is_empty() => {}
                None => warnings.push(Warning::new(format!("cannot forward {name}: it is not set"))),
            }
        }
        warnings
    }

    /// Neither the caches nor the change set leave anything out.
    pub const fn rebuilds_everything(&self) -> bool {
        !self.prune_up_to_date && !self.prune_untouched
    }

    /// Which changes of the stack turn the unaffected filter off.
    pub const fn stack_rule(&self) -> StackRule {
        if self.parity { StackRule::AsSpack } else { StackRule::Intended }
    }

    /// A path below the artifacts' root.
    pub fn artifact(&self, name: &str) -> String {
        format!("{}/{name}", forward_slashes(&self.artifacts_root).trim_end_matches('/'))
    }
}

/// The form in which paths stand in a document, whatever system generation runs on.
pub fn forward_slashes(path: &str) -> String {
    path.replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> (Options, Vec<String>) {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (options, warnings) = Options::of(&env);
        (options, warnings.into_iter().map(|w| w.to_string()).collect())
    }

    #[test]
    fn defaults_are_those_of_spack() {
        let (options, warnings) = read(&[]);
        assert!(options.prune_up_to_date && !options.prune_untouched && options.prune_external && warnings.is_empty());
        assert_eq!((&*options.generate_job, &*options.pipeline_id), ("job-does-not-exist", "pipeline-does-not-exist"));
        assert_eq!((options.pipeline_type, &*options.artifacts_root), (None, "jobs_scratch_dir"));
        assert!(!read(&[("SPACK_PRUNE_UP_TO_DATE", "no")]).0.prune_up_to_date);
        assert!(read(&[("SPACK_PRUNE_UP_TO_DATE", "TRUE")]).0.prune_up_to_date);
        assert!(read(&[("SPACK_PRUNE_UNTOUCHED", "True")]).0.prune_untouched);
        assert!(!read(&[("SPACK_PRUNE_UNTOUCHED", "1")]).0.prune_untouched);
    }

    #[test]
    fn case_23_a_depth_that_is_no_number_is_unlimited_and_warned_about() {
        let (options, warnings) = read(&[("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", "two")]);
        assert_eq!(options.depth, None);
        assert!(warnings[0].contains("`two`"), "{warnings:?}");
        assert_eq!(read(&[("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", "-1")]).0.depth, Some(-1));
    }

    #[test]
    fn case_45_paths_of_windows_get_forward_slashes() {
        let (mut options, _) = read(&[]);
        options.artifacts_root = "jobs_scratch_dir\\windows-vis".into();
        assert_eq!(options.artifact("logs"), "jobs_scratch_dir/windows-vis/logs");
    }
}
