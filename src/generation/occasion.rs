//! Whether a stack is generated at all for a push, and with which variables: the rules of the root pipeline, first match wins.
//!
//! Facts: `.ci/gitlab/.gitlab-ci.yml` of spack/spack-packages and spack/spack, 2026-07; the same rules stand over the generate job and the
//! trigger job of every stack. What GitLab would quietly take for "no match" is an error here.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde::Serialize;

use super::Document;
use super::document::always;
use crate::ci::pull_request_of;
use crate::spack::yaml::Value;

/// A push, as the root pipeline sees it.
#[derive(Debug, Clone, Copy)]
pub struct Push<'a> {
    /// `CI_PROJECT_NAME`: `spack` or `spack-packages`.
    pub project: &'a str,
    /// `CI_COMMIT_REF_NAME`.
    pub git_ref: &'a str,
    /// `CI_COMMIT_TAG` is set.
    pub is_tag: bool,
    /// Paths that differ from `HEAD~1`, as GitLab compares; `None` where nobody has asked git.
    pub changed: Option<&'a [Vec<u8>]>,
}

/// Which stacks are wanted: `SPACK_CI_ENABLE_STACKS` and `SPACK_CI_DISABLE_STACKS`.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    enable: Option<Regex>,
    disable: Option<Regex>,
}

/// A variable that is no expression between slashes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variable} is `{text}`: {why}; GitLab would quietly match no stack with it. Write an expression between slashes, as in /^e4s/"
)]
pub struct ChoiceError {
    variable: &'static str,
    text: String,
    why: String,
}

/// What the root pipeline does for one stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Turn {
    /// There are no jobs for it.
    Absent { why: &'static str },
    /// A child with one fixed job, so that the statuses are there.
    Noop { why: &'static str },
    /// It is generated, with these variables.
    Generate { why: &'static str, variables: BTreeMap<&'static str, String> },
    /// It depends on the changed paths, which nobody has read.
    Unknown { why: &'static str },
}

impl Turn {
    /// Its word and its reason.
    pub const fn told(&self) -> (&'static str, &'static str) {
        match self {
            Self::Absent { why } => ("absent", why),
            Self::Noop { why } => ("noop", why),
            Self::Generate { why, .. } => ("generate", why),
            Self::Unknown { why } => ("unknown", why),
        }
    }
}

impl Choice {
    /// Reads the two variables; one that is empty or not set chooses nothing.
    ///
    /// # Errors
    ///
    /// A value that is no regular expression between slashes.
    pub fn of(env: &BTreeMap<String, String>) -> Result<Self, ChoiceError> {
        Ok(Self {
            enable: expression(env, "SPACK_CI_ENABLE_STACKS")?,
            disable: expression(env, "SPACK_CI_DISABLE_STACKS")?,
        })
    }
}

/// GitLab's `/…/flags`, with the flags that it knows.
fn expression(env: &BTreeMap<String, String>, variable: &'static str) -> Result<Option<Regex>, ChoiceError> {
    let Some(text) = env.get(variable).filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = |why: String| ChoiceError { variable, text: text.chars().take(200).collect(), why };
    let inner = text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    let (pattern, flags) = inner.ok_or_else(|| wrong("it does not stand between slashes".to_owned()))?;
    if let Some(flag) = flags.chars().find(|flag| !"ims".contains(*flag)) {
        return Err(wrong(format!("`{flag}` is no flag of an expression")));
    }
    let built = RegexBuilder::new(&pattern.replace("\\/", "/"))
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'))
        .size_limit(1 << 20)
        .build();
    built.map(Some).map_err(|error| wrong(error.to_string().lines().last().unwrap_or_default().to_owned()))
}

/// Judges one stack.
pub fn turn(push: &Push<'_>, choice: &Choice, stack: &str) -> Turn {
    if choice.disable.as_ref().is_some_and(|disable| disable.is_match(stack)) {
        return Turn::Absent { why: "SPACK_CI_DISABLE_STACKS matches it" };
    }
    if choice.enable.as_ref().is_some_and(|enable| !enable.is_match(stack)) {
        return Turn::Absent { why: "SPACK_CI_ENABLE_STACKS does not match it" };
    }
    let is_release = push.git_ref.starts_with("releases/v");
    if push.project == "spack" && is_release {
        return Turn::Absent { why: "caches of releases come from spack-packages only" };
    }
    if push.git_ref == "develop" || is_release {
        return Turn::Generate { why: "a protected branch", variables: protected(push.git_ref) };
    }
    if push.is_tag && (push.git_ref.starts_with('v') || is_snapshot(push.git_ref)) {
        return Turn::Noop { why: "a tag: its specs were built on the branch" };
    }
    if pull_request_of(push.git_ref).is_some() {
        return match (push.project, push.changed) {
            ("spack", _) => Turn::Generate { why: "a pull request of Spack", variables: pull_request(false) },
            ("spack-packages", None) => Turn::Unknown { why: "it depends on the changed paths; name the repository" },
            ("spack-packages", Some(paths)) if paths.iter().any(|path| is_watched(path, stack)) => {
                Turn::Generate { why: "a pull request that changes a watched path", variables: pull_request(true) }
            }
            ("spack-packages", Some(_)) => Turn::Absent { why: "the pull request changes no watched path" },
            _ => Turn::Absent { why: "no rule fits this project" },
        };
    }
    Turn::Absent { why: "no rule fits this ref" }
}

/// The child pipeline of a [`Turn::Noop`], which a generate job gets told by `NOOP_JOB`: one job that succeeds, so that the pipeline has a
/// status without building anything.
pub fn noop() -> Document {
    let texts = |texts: &[&str]| Value::texts(texts.iter().map(|text| (*text).to_owned()));
    let job = Value::map([
        ("image", Value::text("busybox@sha256:37f7b378a29ceb4c551b1b5582e27747b855bbfaa73fa11914fe0df028dc581f")),
        ("tags", texts(&["service_noop", "spack"])),
        ("script", texts(&["echo \"This ref is a tag: its specs were built on the branch.\""])),
        ("retry", Value::Int(0)),
        ("allow_failure", Value::Bool(true)),
    ]);
    let mut document = Document::default();
    if let Value::Map(job) = job {
        document.add("noop", job);
    }
    document.globals.insert("workflow".into(), always());
    document
}

/// `develop-2026-01-04`.
fn is_snapshot(tag: &str) -> bool {
    tag.strip_prefix("develop-").is_some_and(|date| {
        date.len() == 10
            && date.bytes().zip(*b"0000-00-00").all(
                |(byte, shape)| {
                    if shape == b'0' { byte.is_ascii_digit() } else { byte == shape }
                },
            )
    })
}

fn is_watched(path: &[u8], stack: &str) -> bool {
    let below = |folder: &[u8]| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"));
    path == b".ci/env"
        || below(b".ci/gitlab")
        || below(b"repos/spack_repo")
        || below(format!("stacks/{stack}").as_bytes())
}

fn protected(git_ref: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("SPACK_PIPELINE_TYPE", "spack_protected_branch".to_owned()),
        ("SPACK_PRUNE_UNTOUCHED", "False".to_owned()),
        ("SPACK_COPY_BUILDCACHE", format!("${{PROTECTED_MIRROR_PUSH_DOMAIN}}/{git_ref}")),
        ("SPACK_REQUIRE_SIGNING", "True".to_owned()),
        ("OIDC_TOKEN_AUDIENCE", "protected_binary_mirror".to_owned()),
    ])
}

fn pull_request(prunes_untouched: bool) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("SPACK_PIPELINE_TYPE", "spack_pull_request".to_owned()),
        ("SPACK_PRUNE_UNTOUCHED", if prunes_untouched { "True" } else { "False" }.to_owned()),
        ("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", "1".to_owned()),
        // The branch name does not carry the target.
        ("PR_TARGET_REF_NAME", "develop".to_owned()),
        ("PIPELINE_MIRROR_TEMPLATE", "multi-src-mirrors.yaml.in".to_owned()),
        ("OIDC_TOKEN_AUDIENCE", "pr_binary_mirror".to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACKS: [&str; 5] = ["e4s", "e4s-cray-rhel", "hep", "radiuss", "tools-sdk"];

    fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn word(push: &Push<'_>, stack: &str) -> &'static str {
        turn(push, &Choice::default(), stack).told().0
    }

    fn variables(push: &Push<'_>) -> BTreeMap<&'static str, String> {
        match turn(push, &Choice::default(), "e4s") {
            Turn::Generate { variables, .. } => variables,
            other => panic!("{other:?}"),
        }
    }

    const DEVELOP: Push<'_> = Push { project: "spack-packages", git_ref: "develop", is_tag: false, changed: None };

    #[test]
    fn case_41_tags_get_a_noop_child_and_releases_are_built_by_one_project() {
        for (git_ref, want) in [
            ("develop-2026-01-04", "noop"),
            ("v2025.11.1", "noop"),
            ("develop-2026-01-4", "absent"),
            ("develop-2026-01-04-x", "absent"),
        ] {
            assert_eq!(word(&Push { git_ref, is_tag: true, ..DEVELOP }, "e4s"), want, "{git_ref}");
            assert_eq!(word(&Push { git_ref, ..DEVELOP }, "e4s"), "absent", "a branch of that name");
        }
        let release = Push { git_ref: "releases/v2026.06", ..DEVELOP };
        assert_eq!(word(&Push { project: "spack", ..release }, "e4s"), "absent");
        let set = variables(&release);
        assert_eq!(set["SPACK_PIPELINE_TYPE"], "spack_protected_branch");
        assert_eq!(set["SPACK_COPY_BUILDCACHE"], "${PROTECTED_MIRROR_PUSH_DOMAIN}/releases/v2026.06");
        assert_eq!(word(&Push { git_ref: "releases/2026.06", ..DEVELOP }, "e4s"), "absent");
    }

    #[test]
    fn case_42_stacks_are_enabled_and_disabled_by_name() {
        let chosen = |variables: &[(&str, &str)]| {
            let choice = Choice::of(&env(variables)).unwrap();
            STACKS.into_iter().filter(|stack| turn(&DEVELOP, &choice, stack).told().0 == "generate").collect::<Vec<_>>()
        };
        let both = [("SPACK_CI_DISABLE_STACKS", "/^.*(cray).*$/"), ("SPACK_CI_ENABLE_STACKS", "/e4s/")];
        assert_eq!(chosen(&both), ["e4s"]);
        assert_eq!(chosen(&[("SPACK_CI_ENABLE_STACKS", "/E4S/i")]), ["e4s", "e4s-cray-rhel"]);
        assert_eq!(chosen(&[("SPACK_CI_DISABLE_STACKS", "")]), STACKS);
    }

    #[test]
    fn an_expression_that_gitlab_would_ignore_is_an_error() {
        for (text, why) in
            [("e4s", "between slashes"), ("/e4s", "between slashes"), ("/(/", "unclosed group"), ("/e/x", "`x`")]
        {
            let error = Choice::of(&env(&[("SPACK_CI_ENABLE_STACKS", text)])).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("SPACK_CI_ENABLE_STACKS"), "{error}");
        }
    }

    #[test]
    fn pull_requests_go_by_project_and_watched_paths() {
        let paths = |list: &[&str]| list.iter().map(|path| path.as_bytes().to_vec()).collect::<Vec<_>>();
        let request = Push { git_ref: "pr17_fix", ..DEVELOP };
        assert_eq!(word(&request, "e4s"), "unknown");
        for (path, want) in [
            (".ci/env", "generate"),
            (".ci/environment", "absent"),
            (".ci/gitlab/x/y.yml", "generate"),
            ("repos/spack_repo/builtin/packages/zlib/package.py", "generate"),
            ("stacks/e4s/spack.yaml", "generate"),
            ("stacks/e4s-cray-rhel/spack.yaml", "absent"),
            ("README.md", "absent"),
        ] {
            let changed = paths(&["docs/x", path]);
            assert_eq!(word(&Push { changed: Some(&changed), ..request }, "e4s"), want, "{path}");
        }
        let changed = paths(&[".ci/env"]);
        assert_eq!(variables(&Push { changed: Some(&changed), ..request })["SPACK_PRUNE_UNTOUCHED"], "True");
        assert_eq!(variables(&Push { project: "spack", ..request })["SPACK_PRUNE_UNTOUCHED"], "False");
        for git_ref in ["pr_fix", "pr17", "prx_1", "main", ""] {
            assert_eq!(word(&Push { git_ref, project: "spack", ..DEVELOP }, "e4s"), "absent", "{git_ref}");
        }
    }
}
