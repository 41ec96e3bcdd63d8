//! Cache roots: which kind of cache lies at a prefix of a bucket.

use std::fmt;
use std::sync::Arc;

use crate::ci::pull_request_of;

/// One cache root: a prefix below which `v3/`, `blobs/` or `build_cache/` lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root {
    /// Below the bucket or folder, without `/` at either end; empty for the bucket itself.
    pub prefix: Arc<str>,
    pub kind: RootKind,
}

/// The kinds of caches that Spack's CI has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootKind {
    /// The top level of a protected ref, into which its stacks are published: `develop`, `releases/v2025.11`.
    Top { git_ref: Arc<str> },
    /// One stack of a protected ref: `develop/e4s`.
    Stack { git_ref: Arc<str>, stack: Arc<str> },
    /// A snapshot or a tag, and its stacks: `develop-2025-11-02`, `v0.23.1`.
    Snapshot { name: Arc<str>, stack: Option<Arc<str>> },
    /// A pull request's: `spack-packages/pr1234_branch/e4s`. Without a project where it was made the old way.
    PullRequest { project: Option<Arc<str>>, number: u64, branch: Arc<str>, stack: Option<Arc<str>> },
    /// The shared cache of pull requests, which nothing fills any more.
    SharedPr { stack: Option<Arc<str>> },
    /// Anything else.
    Other,
}

impl Root {
    /// Tells what lies at a prefix.
    pub fn of(prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        let parts: Vec<&str> = prefix.split('/').collect();
        Self { kind: RootKind::of(&parts), prefix: prefix.into() }
    }

    /// Whether it belongs to a pull request, or to all of them.
    pub const fn is_pr(&self) -> bool {
        matches!(self.kind, RootKind::PullRequest { .. } | RootKind::SharedPr { .. })
    }

    /// The stack, where it is that of one.
    pub fn stack(&self) -> Option<&Arc<str>> {
        match &self.kind {
            RootKind::Stack { stack, .. } => Some(stack),
            RootKind::Snapshot { stack, .. } | RootKind::PullRequest { stack, .. } | RootKind::SharedPr { stack } => {
                stack.as_ref()
            }
            RootKind::Top { .. } | RootKind::Other => None,
        }
    }

    /// The mirror that lists show it under: the ref, the snapshot, or all pull requests together.
    pub fn mirror(&self) -> Arc<str> {
        match &self.kind {
            RootKind::Top { git_ref } | RootKind::Stack { git_ref, .. } => git_ref.clone(),
            RootKind::Snapshot { name, .. } => name.clone(),
            RootKind::PullRequest { .. } | RootKind::SharedPr { .. } => "pr".into(),
            RootKind::Other => self.prefix.clone(),
        }
    }
}

impl RootKind {
    /// A word for JSON and for filters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Top { .. } => "top",
            Self::Stack { .. } => "stack",
            Self::Snapshot { .. } => "snapshot",
            Self::PullRequest { .. } => "pr",
            Self::SharedPr { .. } => "shared_pr",
            Self::Other => "other",
        }
    }

    fn of(parts: &[&str]) -> Self {
        if let [first, rest @ ..] = parts
            && *first == "shared_pr_mirror"
            && rest.len() <= 1
        {
            return Self::SharedPr { stack: rest.first().map(|stack| (*stack).into()) };
        }
        if let Some(pr) = Self::pull_request(parts) {
            return pr;
        }
        let (git_ref, rest): (Arc<str>, &[&str]) = match parts {
            ["develop", rest @ ..] => ("develop".into(), rest),
            ["releases", version, rest @ ..] if is_version(version) => (format!("releases/{version}").into(), rest),
            [name, rest @ ..] if is_snapshot(name) && rest.len() <= 1 => {
                return Self::Snapshot { name: (*name).into(), stack: rest.first().map(|stack| (*stack).into()) };
            }
            _ => return Self::Other,
        };
        match rest {
            [] => Self::Top { git_ref },
            [stack] => Self::Stack { git_ref, stack: (*stack).into() },
            _ => Self::Other,
        }
    }

    fn pull_request(parts: &[&str]) -> Option<Self> {
        let at = parts.iter().take(2).position(|part| pull_request_of(part).is_some())?;
        let (number, branch) = pull_request_of(parts.get(at)?)?;
        let project = parts.get(..at)?.first().map(|project| (*project).into());
        // Branches may hold `/`; what stands last is the stack.
        let (more, stack) = match parts.get(at + 1..)? {
            [] => (&[][..], None),
            [more @ .., stack] => (more, Some((*stack).into())),
        };
        let branch = [&[branch], more].concat().join("/").into();
        Some(Self::PullRequest { project, number, branch, stack })
    }
}

/// `v1.2`, `v2025.11.1`.
fn is_version(text: &str) -> bool {
    let Some(numbers) = text.strip_prefix('v') else { return false };
    let mut parts = numbers.split('.');
    parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A tag or a dated copy of develop.
fn is_snapshot(text: &str) -> bool {
    let is_date = |rest: &str| {
        let parts: Vec<&str> = rest.split('-').collect();
        parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    is_version(text) || text.strip_prefix("develop-").is_some_and(is_date)
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if self.prefix.is_empty() { "/" } else { &self.prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_prefix_is_told_apart() {
        let kind = |prefix: &str| Root::of(prefix).kind;
        assert_eq!(kind("develop"), RootKind::Top { git_ref: "develop".into() });
        assert_eq!(kind("/develop/e4s/"), RootKind::Stack { git_ref: "develop".into(), stack: "e4s".into() });
        let release: Arc<str> = "releases/v2025.11".into();
        assert_eq!(kind("releases/v2025.11"), RootKind::Top { git_ref: release.clone() });
        assert_eq!(kind("releases/v2025.11/e4s"), RootKind::Stack { git_ref: release, stack: "e4s".into() });
        assert_eq!(kind("develop-2025-11-02"), RootKind::Snapshot { name: "develop-2025-11-02".into(), stack: None });
        assert!(matches!(kind("v0.23.1/e4s"), RootKind::Snapshot { stack: Some(_), .. }));
        let pr = RootKind::PullRequest {
            project: Some("spack-packages".into()),
            number: 12,
            branch: "foo_bar".into(),
            stack: Some("e4s".into()),
        };
        assert_eq!(kind("spack-packages/pr12_foo_bar/e4s"), pr);
        let slashed = kind("spack-packages/pr12_foo/bar/e4s");
        assert!(matches!(&slashed, RootKind::PullRequest { branch, stack: Some(_), .. } if &**branch == "foo/bar"));
        assert!(matches!(kind("pr12_foo"), RootKind::PullRequest { project: None, number: 12, stack: None, .. }));
        assert!(matches!(kind("shared_pr_mirror/e4s"), RootKind::SharedPr { stack: Some(_) }));
        for other in ["", "spack/prX_foo", "spack/pr_foo", "develop/a/b", "releases", "releases/next", "developer", "v"]
        {
            assert_eq!(kind(other), RootKind::Other, "{other}");
        }
    }

    #[test]
    fn case_48_what_names_no_number_is_no_pull_request() {
        assert!(!Root::of("spack/prX_foo").is_pr());
        assert!(Root::of("spack/pr7_foo").is_pr());
    }
}
