//! The command line: what can be written, and which settings its flags stand for.
//!
//! Descriptions of verbs come from `console::registry`, where every action is described once. Completions, man pages and help are made from what
//! is declared here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use super::exit::Exit;
use super::{act, config, dag, demo, jobs, pipelines, status};
use crate::ci::{JobId, PipelineId};
use crate::config::Flag;
use crate::console::registry::ActionId;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "stackhand",
    version,
    about = "The console that every Spack CI on-call engineer opens first.",
    long_about = "The console that every Spack CI on-call engineer opens first.\n\nWithout a command it opens the console; where there is no \
                  screen (a pipe, TERM=dumb) it prints one line per change instead. Without configuration it shows Spack's public GitLab, \
                  read-only. Where a daemon of the project runs on this machine, the console attaches to it and reads nothing by itself.",
    after_help = Exit::table(),
    max_term_width = 100,
    subcommand_help_heading = "Commands",
    disable_help_subcommand = true
)]
pub struct Args {
    #[command(flatten)]
    pub globals: Globals,
    /// Opens the console by itself, though a daemon of the project runs here.
    #[arg(long)]
    pub no_attach: bool,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Where and how")]
pub struct Globals {
    /// Address of the GitLab instance.
    #[arg(long, global = true, value_name = "URL")]
    pub gitlab: Option<String>,
    /// The project whose pipelines are shown.
    #[arg(long, global = true, value_name = "PATH")]
    pub project: Option<String>,
    /// The environment variable that holds the token.
    #[arg(long, global = true, value_name = "VAR")]
    pub token_env: Option<String>,
    /// A file with the line that `stackhand demo --serve` prints; `-` reads it from standard input.
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["gitlab", "project", "token_env"])]
    pub endpoints: Option<PathBuf>,
    /// Changes nothing, whatever the token may do.
    #[arg(long, global = true)]
    pub readonly: bool,
    /// Reads this file in place of your configuration.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The console's theme.
    #[arg(long, global = true, value_name = "NAME")]
    pub theme: Option<String>,
    /// The console's keys: vim, emacs or one of your own.
    #[arg(long, global = true, value_name = "NAME")]
    pub keymap: Option<String>,
    /// How many colours the console uses.
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<Color>,
    /// Writes and draws with ASCII only.
    #[arg(long, global = true)]
    pub ascii: bool,
}

/// What `--color` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    /// Even against NO_COLOR.
    Always,
    Never,
    Truecolor,
    #[value(name = "256")]
    C256,
    #[value(name = "16")]
    C16,
    Mono,
}

impl Color {
    /// The word, as themes and settings spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
            Self::Truecolor => "truecolor",
            Self::C256 => "256",
            Self::C16 => "16",
            Self::Mono => "mono",
        }
    }
}

impl Globals {
    /// The settings that the flags stand for.
    pub fn flags(&self) -> Vec<Flag> {
        let flag = |name: &str, key: &str, value: &str| Flag {
            name: name.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let text = |name, key, value: &Option<String>| value.as_deref().map(|value| flag(name, key, value));
        // `always` is about NO_COLOR and has no setting; the face asks for it by itself.
        let color = match self.color {
            None | Some(Color::Always) => None,
            Some(Color::Never) => Some(Color::Mono.word()),
            Some(color) => Some(color.word()),
        };
        [
            text("--gitlab", "gitlab.url", &self.gitlab),
            text("--project", "gitlab.project", &self.project),
            text("--token-env", "gitlab.token_env", &self.token_env),
            text("--theme", "ui.theme", &self.theme),
            text("--keymap", "ui.keymap", &self.keymap),
            color.map(|word| flag("--color", "ui.color", word)),
            self.ascii.then(|| flag("--ascii", "ui.ascii", "yes")),
            self.readonly.then(|| flag("--readonly", "actions.mode", "ro")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// How much is read before a command answers.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Reach {
    /// How many of the newest parent pipelines are read.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: Option<u32>,
    /// Answers after this time with what is known by then.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = length)]
    pub within: Duration,
}

/// One verb of the command line.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(about = help(ActionId::ScreenOverview), after_long_help = status::SHAPE)]
    Status(status::Ask),
    #[command(about = help(ActionId::ScreenPipelines), after_long_help = pipelines::SHAPE)]
    Pipelines(pipelines::Ask),
    #[command(about = help(ActionId::ScreenJobs), after_long_help = jobs::SHAPE)]
    Jobs(jobs::Ask),
    #[command(about = help(ActionId::ScreenDag), after_long_help = dag::SHAPE)]
    Dag(dag::Ask),
    #[command(about = help(ActionId::JobsLog))]
    Log(super::log::Ask),
    #[command(about = help(ActionId::JobsRetry), after_long_help = act::SHAPE)]
    Retry(act::Ask),
    #[command(about = help(ActionId::JobsCancel), after_long_help = act::SHAPE)]
    Cancel(act::Ask),
    #[command(about = help(ActionId::JobsPlay), after_long_help = act::SHAPE)]
    Play(act::Ask),
    /// Plans to have GitLab retry all failed and canceled jobs of a pipeline.
    #[command(after_long_help = act::SHAPE)]
    RetryPipeline(act::AskPipeline),
    /// Prints one line per change, in words: for screen readers, pipes and plain terminals.
    Watch(super::watch::Ask),
    /// Makes the child pipeline of a stack from its lock, the caches and what changed; says why, and compares.
    #[command(after_long_help = super::generate::SHAPE)]
    Generate(Box<super::generate::Ask>),
    #[command(about = help(ActionId::ScreenErrors), after_long_help = super::errors::SHAPE)]
    Errors(super::errors::Ask),
    /// Says why jobs failed, from their logs: class, owner, evidence, and whether a new try may help.
    #[command(after_long_help = super::classify::SHAPE)]
    Classify(super::classify::Ask),
    /// Looks after the rules by which logs are judged: lists, checks, imports and tests them.
    #[command(after_long_help = super::rules::SHAPE)]
    Rules(super::rules::Ask),
    #[command(about = help(ActionId::ScreenCaches), after_long_help = super::cache::SHAPE)]
    Cache(super::cache::Ask),
    /// Says why a job does not start, or why it stopped.
    #[command(after_long_help = super::why::SHAPE)]
    Why(super::why::Ask),
    /// Shows runner classes, nodes, pods and pools, how they hang together, and why pods do not start.
    #[command(after_long_help = super::fleet::SHAPE)]
    Fleet(super::fleet::Ask),
    /// Copies pull requests from GitHub to GitLab and statuses back; says what it decides and why.
    #[command(after_long_help = super::bridge::SHAPE)]
    Bridge(super::bridge::Ask),
    /// Runs the controller without a screen: loops that read, judge and act by themselves, with health and metrics.
    #[command(after_long_help = super::daemon::SHAPE)]
    Daemon(super::daemon::Ask),
    /// Shows the effective settings, and where each came from.
    #[command(after_long_help = config::SHAPE)]
    Config(config::Ask),
    /// Opens the console on a practice world of its own, or serves that world to others.
    #[command(after_long_help = demo::SHAPE)]
    Demo(demo::Ask),
    /// Prints completions for a shell.
    Completions { shell: clap_complete::Shell },
    /// Prints the manual page, or writes those of all commands into a folder.
    Man {
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

const fn help(action: ActionId) -> &'static str {
    action.action().help
}

/// Reads a length of time with its unit: `500ms`, `20s`, `5m`, `1h`.
pub fn length(text: &str) -> Result<Duration, String> {
    let wrong = || "write a length of time such as 500ms, 20s, 5m or 1h".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).map(Duration::from_millis).ok_or_else(wrong)
}

/// A length of time, days among the units.
pub fn days(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()) {
        Some(days) => Ok(Duration::from_hours(24) * days),
        None => length(text).map_err(|_| "write a length of time such as 90m, 6h or 7d".to_owned()),
    }
}

/// Reads a job's id, or the address of its page.
pub fn job_id(text: &str) -> Result<JobId, String> {
    id(text, "jobs").map(JobId).ok_or_else(|| "write a job's id or the address of its page".to_owned())
}

/// Reads a pipeline's id, or the address of its page.
pub fn pipeline_id(text: &str) -> Result<PipelineId, String> {
    id(text, "pipelines").map(PipelineId).ok_or_else(|| "write a pipeline's id or the address of its page".to_owned())
}

fn id(text: &str, page: &str) -> Option<u64> {
    let text = text.trim();
    let number = match text.split_once("://") {
        Some((_, address)) => {
            let (_, after) = address.split_once(&format!("/-/{page}/"))?;
            after.split(['/', '?', '#']).next()?
        }
        None => text.strip_prefix('#').unwrap_or(text),
    };
    number.parse().ok().filter(|id| *id > 0)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::console::registry::ACTIONS;

    fn flags(line: &str) -> Vec<String> {
        let args = Args::try_parse_from(line.split(' ')).unwrap();
        args.globals.flags().into_iter().map(|f| format!("{} {}={}", f.name, f.key, f.value)).collect()
    }

    #[test]
    fn flags_are_settings() {
        assert_eq!(
            flags("stackhand --gitlab https://g.example --project a/b status --token-env TOK --readonly --ascii"),
            [
                "--gitlab gitlab.url=https://g.example",
                "--project gitlab.project=a/b",
                "--token-env gitlab.token_env=TOK",
                "--ascii ui.ascii=yes",
                "--readonly actions.mode=ro",
            ]
        );
        assert_eq!(flags("stackhand --color never --theme dusk"), ["--theme ui.theme=dusk", "--color ui.color=mono"]);
        assert_eq!(flags("stackhand --color 256 --keymap emacs"), ["--keymap ui.keymap=emacs", "--color ui.color=256"]);
        assert!(flags("stackhand --color always").is_empty());
    }

    #[test]
    fn every_flag_names_a_setting_that_exists() {
        let all =
            "stackhand --gitlab https://g --project p --token-env T --readonly --theme t --keymap k --color 16 --ascii";
        let flags = Args::try_parse_from(all.split(' ')).unwrap().globals.flags();
        assert_eq!(flags.len(), 8);
        assert!(flags.iter().all(|flag| crate::config::Setting::find(&flag.key).is_some()));
    }

    #[test]
    fn verbs_are_described_by_the_registry() {
        let command = Args::command();
        command.clone().debug_assert();
        for action in ACTIONS {
            let Some(verb) = action.cli else { continue };
            let sub = command.find_subcommand(verb).unwrap_or_else(|| panic!("no verb {verb}"));
            assert_eq!(sub.get_about().unwrap().to_string(), action.help, "{verb}");
        }
    }

    #[test]
    fn ids_come_as_numbers_or_addresses() {
        assert_eq!(job_id("#77"), Ok(JobId(77)));
        assert_eq!(job_id("https://gitlab.spack.io/spack/spack-packages/-/jobs/77/raw"), Ok(JobId(77)));
        assert_eq!(pipeline_id("https://g.example/a/b/-/pipelines/9?x=1"), Ok(PipelineId(9)));
        for wrong in ["", "0", "zlib", "-1", "https://g.example/a/-/pipelines/9"] {
            assert!(job_id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_need_their_unit() {
        assert_eq!(length("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(length("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "20", "s", "20 s", "-1s", "99999999999999999999h"] {
            assert!(length(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn endpoints_stand_alone() {
        let error = Args::try_parse_from(["stackhand", "--endpoints", "e.json", "--gitlab", "https://g"]).unwrap_err();
        assert_eq!(error.exit_code(), i32::from(Exit::Usage.number()));
    }
}
