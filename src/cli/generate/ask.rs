//! The command line of `stackhand generate`. Flags are named as those of `spack ci generate` where both have them.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::generation::{Form, Mirror};

/// What can be asked for.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Ask {
    #[command(flatten)]
    pub request: Request,
    #[command(flatten)]
    pub output: Output,
    #[command(subcommand)]
    pub what: Option<What>,
}

/// What a pipeline is made from.
#[derive(Debug, Clone, clap::Args)]
pub struct Request {
    /// The folder of the stack, with its spack.yaml and spack.lock.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub env: PathBuf,
    /// The lock, where it is not spack.lock in that folder; `.gz` is unpacked.
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Leaves out what the manifest includes.
    #[arg(long)]
    pub no_includes: bool,
    /// Adds a configuration file below the manifest; the first one named has the highest precedence.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub config_scope: Vec<PathBuf>,
    /// Adds a mirror, or puts this address in the place of a configured one.
    #[arg(long, value_name = "NAME=URL", num_args = 1.., value_parser = super::mirror)]
    pub mirror: Vec<Mirror>,
    /// Goes on although the indexes of this mirror cannot be read: only what was read of them counts.
    #[arg(long, value_name = "NAME")]
    pub allow_missing_index: Vec<String>,
    /// Looks only into the indexes of mirrors. This is what happens anyway.
    #[arg(long, alias = "index-only", conflicts_with = "check_binaries")]
    pub check_index_only: bool,
    /// Asks mirrors for every binary that their index does not list.
    #[arg(long)]
    pub check_binaries: bool,
    /// A package that changed; git is not asked then.
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "git")]
    pub changed_package: Vec<String>,
    /// The repository whose changes decide what is affected.
    #[arg(long, value_name = "DIR")]
    pub git: Option<PathBuf>,
    /// Leaves out what no change affects, whatever SPACK_PRUNE_UNTOUCHED says.
    #[arg(long, overrides_with = "no_prune_unaffected")]
    pub prune_unaffected: bool,
    #[arg(long, hide_short_help = true, help = "Keeps what no change affects.")]
    pub no_prune_unaffected: bool,
    /// Leaves out what a mirror holds, whatever SPACK_PRUNE_UP_TO_DATE says.
    #[arg(long, alias = "prune-dag", overrides_with = "no_prune_up_to_date")]
    pub prune_up_to_date: bool,
    #[arg(long, alias = "no-prune-dag", hide_short_help = true, help = "Keeps what mirrors hold.")]
    pub no_prune_up_to_date: bool,
    /// Leaves out externals, as by default.
    #[arg(long, overrides_with = "no_prune_externals")]
    pub prune_externals: bool,
    #[arg(long, hide_short_help = true, help = "Makes jobs for externals too.")]
    pub no_prune_externals: bool,
    /// Hands a variable on to the jobs; without any, the four that Spack's generate job hands on.
    #[arg(long, value_name = "VAR")]
    pub forward_variable: Vec<String>,
    /// The folder of everything that jobs leave behind, below CI_PROJECT_DIR.
    #[arg(long, value_name = "DIR")]
    pub artifacts_root: Option<PathBuf>,
    /// Makes exactly what Spack makes: needs are not reduced, and what only stackhand refuses is a warning.
    #[arg(long)]
    pub parity: bool,
    /// Entries that one job's needs may have.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=10_000))]
    pub needs_limit: Option<u32>,
    /// Refuses jobs that need more than that instead of adding join jobs.
    #[arg(long)]
    pub no_joins: bool,
    /// Bytes of the file that are allowed.
    #[arg(long, value_name = "BYTES")]
    pub max_size: Option<usize>,
    /// Bytes that are allowed with all aliases written out.
    #[arg(long, value_name = "BYTES")]
    pub max_expanded: Option<usize>,
    /// Build jobs that are allowed.
    #[arg(long, value_name = "N")]
    pub max_jobs: Option<usize>,
    /// Predicted hours of building that are allowed.
    #[arg(long, value_name = "HOURS")]
    pub max_hours: Option<f64>,
    /// Usual seconds of building by package, as a JSON map; for the prediction.
    #[arg(long, value_name = "FILE")]
    pub durations: Option<PathBuf>,
    /// The spack that concretizes where the lock is missing or older than the manifest.
    #[arg(long, value_name = "FILE")]
    pub spack: Option<PathBuf>,
    /// Concretizer processes; taken for the sake of Spack's command line.
    #[arg(short = 'j', long, hide = true)]
    pub jobs: Option<u32>,
}

/// Where the results go.
#[derive(Debug, Clone, clap::Args)]
pub struct Output {
    /// The pipeline's file; `-` prints it. Without this, cloud-ci-pipeline.yml below the artifacts' root.
    #[arg(long = "output-file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Writes why every spec is or is not rebuilt; `-` or `json` prints it.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// How the pipeline is written.
    #[arg(long, value_enum, default_value_t = FormName::Yaml)]
    pub format: FormName,
}

impl Output {
    pub fn form(&self) -> Form {
        match self.format {
            FormName::Yaml => Form::Yaml,
            FormName::Json => Form::Json,
        }
    }
}

/// How the pipeline is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormName {
    /// With anchors for what repeats.
    Yaml,
    /// JSON, which GitLab reads as YAML.
    Json,
}

/// What else can be done.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Says why a spec is or is not rebuilt, what would change that, and which configuration set each key of its job.
    Explain(Box<Explain>),
    /// Says in what two generations differ, and why.
    Diff(Differ),
    /// Says which stacks a push generates, with which variables, and by which rule of the root pipeline.
    Stacks(Stacks),
    /// Says what the daemon's loop `generation` found out about the newest child pipelines. Sends nothing.
    Checks(Checks),
}

/// What the daemon found.
#[derive(Debug, clap::Args)]
pub struct Checks {
    /// Also those that are well.
    #[arg(long)]
    pub all: bool,
    /// Prints JSON.
    #[arg(long)]
    pub json: bool,
}

/// A question about one spec.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// A package, name@version, hash, or the beginning of a hash.
    #[arg(value_name = "HASH|NAME")]
    pub wanted: String,
    /// Answers from this report instead of generating again.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub request: Request,
}

/// Two generations.
#[derive(Debug, clap::Args)]
pub struct Differ {
    /// The report of the earlier one.
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// The report of the later one.
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Prints JSON.
    #[arg(long)]
    pub json: bool,
}

/// A push. What is not named comes from the variables of a GitLab job.
#[derive(Debug, clap::Args)]
pub struct Stacks {
    /// Stacks to judge; without any, the folders below `stacks/` of the repository.
    #[arg(value_name = "STACK")]
    pub names: Vec<String>,
    /// A clone of spack-packages at the pushed commit: its stacks, and what differs from HEAD~1.
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// `spack` or `spack-packages`.
    #[arg(long, value_name = "NAME", env = "CI_PROJECT_NAME", default_value = "spack-packages")]
    pub project: String,
    /// The branch or tag: develop, releases/v2026.06, pr123_fix.
    #[arg(long = "ref", value_name = "REF", env = "CI_COMMIT_REF_NAME")]
    pub git_ref: String,
    /// The ref is a tag.
    #[arg(long)]
    pub tag: bool,
    /// Prints JSON.
    #[arg(long)]
    pub json: bool,
}
