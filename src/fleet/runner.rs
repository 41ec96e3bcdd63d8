//! Runners: registrations at GitLab, their managers, and the classes that they form.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ci::{RunnerId, RunnerRef, Timestamp};

/// What GitLab says of a runner. It may say online two hours after the last sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum RunnerStatus {
    Online,
    Offline,
    Stale,
    NeverContacted,
    #[default]
    Unknown,
}

impl RunnerStatus {
    /// Reads the word of REST or of GraphQL.
    pub fn parse(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "online" => Self::Online,
            "offline" => Self::Offline,
            "stale" => Self::Stale,
            "never_contacted" => Self::NeverContacted,
            _ => Self::Unknown,
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Stale => "stale",
            Self::NeverContacted => "never_contacted",
            Self::Unknown => "unknown",
        }
    }
}

/// One process that works for a runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manager {
    pub system_id: Arc<str>,
    pub version: Option<Arc<str>>,
    pub contacted_at: Option<Timestamp>,
    pub status: RunnerStatus,
}

/// One runner as GitLab last described it. `None`: the source did not tell (lists tell neither tags nor platform).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    pub id: RunnerId,
    /// Of a runner in the cluster, the name of its manager's pod.
    pub description: Arc<str>,
    pub status: RunnerStatus,
    pub is_paused: Option<bool>,
    pub contacted_at: Option<Timestamp>,
    pub tags: Option<BTreeSet<Arc<str>>>,
    pub runs_untagged: Option<bool>,
    /// It takes jobs of protected refs only.
    pub is_protected: Option<bool>,
    pub platform: Option<Arc<str>>,
    pub architecture: Option<Arc<str>>,
    pub version: Option<Arc<str>>,
    pub managers: Vec<Manager>,
    /// Whom to ask about it.
    pub note: Option<Arc<str>>,
}

/// Where the machine of a runner stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// In the cluster that we see.
    Cluster,
    /// At a site with a known prefix.
    Site,
    Unknown,
}

impl Host {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Site => "site",
            Self::Unknown => "other",
        }
    }
}

/// How hosts are told by the names of their runners. Configuration; the defaults are Spack's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNames {
    pub cluster: Vec<Arc<str>>,
    pub sites: Vec<Arc<str>>,
}

impl Default for HostNames {
    fn default() -> Self {
        Self { cluster: vec!["runner-".into()], sites: vec!["uo-".into()] }
    }
}

impl HostNames {
    /// Where a runner of this description stands.
    pub fn host(&self, description: &str) -> Host {
        let starts = |prefixes: &[Arc<str>]| prefixes.iter().any(|prefix| description.starts_with(&**prefix));
        match () {
            () if starts(&self.cluster) => Host::Cluster,
            () if starts(&self.sites) => Host::Site,
            () => Host::Unknown,
        }
    }
}

impl Runner {
    /// A runner about which only its identity is known.
    pub fn new(id: RunnerId, description: &str) -> Self {
        Self {
            id,
            description: description.into(),
            status: RunnerStatus::Unknown,
            is_paused: None,
            contacted_at: None,
            tags: None,
            runs_untagged: None,
            is_protected: None,
            platform: None,
            architecture: None,
            version: None,
            managers: Vec::new(),
            note: None,
        }
    }

    /// The class: the description without the suffix of the manager's pod; a host that is no pod is a class of its own.
    pub fn class(&self) -> Arc<str> {
        class_of(&self.description)
    }

    /// What the machine is, where platform and architecture tell: `mac`, `power`.
    pub fn machine(&self) -> Option<&'static str> {
        let is = |text: &Option<Arc<str>>, word: &str| text.as_deref() == Some(word);
        match () {
            () if is(&self.platform, "darwin") && is(&self.architecture, "arm64") => Some("mac"),
            () if is(&self.architecture, "ppc64le") => Some("power"),
            () => None,
        }
    }

    /// Whether it would take a job with these tags; `None` where its tags, its protection or those of the job are not known.
    pub fn takes(&self, tags: &BTreeSet<Arc<str>>, is_protected: Option<bool>) -> Option<bool> {
        let fits_tags = match &self.tags {
            Some(_) if tags.is_empty() => self.runs_untagged,
            Some(own) => Some(tags.is_subset(own)),
            None => None,
        };
        let fits_ref = match (self.is_protected, is_protected) {
            (Some(false), _) | (_, Some(true)) => Some(true),
            (Some(true), Some(false)) => Some(false),
            _ => None,
        };
        match (fits_tags, fits_ref) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    /// Whether it takes jobs at all now: online and not paused, by GitLab's word; `None` where that is not known.
    pub fn is_at_work(&self) -> Option<bool> {
        match (self.status, self.is_paused) {
            (_, Some(true)) | (RunnerStatus::Offline | RunnerStatus::Stale | RunnerStatus::NeverContacted, _) => {
                Some(false)
            }
            (RunnerStatus::Online, Some(false)) => Some(true),
            (RunnerStatus::Unknown, _) | (_, None) => None,
        }
    }
}

/// The class of the runner with this description.
pub fn class_of(description: &str) -> Arc<str> {
    let named = RunnerRef { id: RunnerId(0), description: description.into() };
    match named.class() {
        "" => description.into(),
        class => class.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(list: &[&str]) -> BTreeSet<Arc<str>> {
        list.iter().map(|tag| (*tag).into()).collect()
    }

    #[test]
    fn runners_of_one_release_are_one_class_and_hosts_their_own() {
        for (description, class) in [
            ("runner-x86-v3-pub-gitlab-runner-6c9d7b8f5-7x2lp", "runner-x86-v3-pub"),
            ("runner-x86-v2-pub-windows-gitlab-runner-58c6d9bb7-lq4nd", "runner-x86-v2-pub-windows"),
            ("runner-x86-v3-pub", "runner-x86-v3-pub"),
            ("uo-cray-rhel-3", "uo-cray-rhel-3"),
            ("-gitlab-runner-a-b", "-gitlab-runner-a-b"),
            ("", ""),
        ] {
            assert_eq!(&*class_of(description), class, "{description}");
        }
        let names = HostNames::default();
        assert_eq!(
            ["runner-x", "uo-19", "somebody"].map(|d| names.host(d)),
            [Host::Cluster, Host::Site, Host::Unknown]
        );
    }

    #[test]
    fn machines_are_told_by_platform_and_architecture() {
        let of = |platform: &str, architecture: &str| {
            Runner {
                platform: Some(platform.into()),
                architecture: Some(architecture.into()),
                ..Runner::new(RunnerId(1), "x")
            }
            .machine()
        };
        assert_eq!(
            (of("darwin", "arm64"), of("linux", "ppc64le"), of("linux", "amd64")),
            (Some("mac"), Some("power"), None)
        );
        assert_eq!(Runner::new(RunnerId(1), "x").machine(), None);
    }

    #[test]
    fn a_runner_takes_what_its_tags_hold_and_its_protection_allows() {
        let mut runner = Runner::new(RunnerId(1), "x");
        let job = tags(&["spack", "aarch64"]);
        assert_eq!(runner.takes(&job, Some(false)), None, "nothing is known of its tags");
        runner.tags = Some(tags(&["spack", "aarch64", "small"]));
        runner.runs_untagged = Some(false);
        assert_eq!(runner.takes(&job, Some(false)), None, "nothing is known of its protection");
        assert_eq!(runner.takes(&job, Some(true)), Some(true));
        runner.is_protected = Some(true);
        assert_eq!((runner.takes(&job, Some(false)), runner.takes(&job, None)), (Some(false), None));
        runner.is_protected = Some(false);
        assert_eq!(runner.takes(&job, None), Some(true));
        assert_eq!(runner.takes(&tags(&["spack", "x86_64"]), None), Some(false));
        assert_eq!(runner.takes(&tags(&[]), None), Some(false), "it runs no untagged jobs");
    }

    #[test]
    fn paused_is_not_offline_and_unknown_is_neither() {
        let at_work = |status, is_paused| Runner { status, is_paused, ..Runner::new(RunnerId(1), "x") }.is_at_work();
        assert_eq!(at_work(RunnerStatus::parse("ONLINE"), Some(false)), Some(true));
        assert_eq!(at_work(RunnerStatus::Online, Some(true)), Some(false));
        assert_eq!(at_work(RunnerStatus::parse("stale"), None), Some(false));
        assert_eq!(at_work(RunnerStatus::parse("resting"), Some(false)), None);
        assert_eq!(at_work(RunnerStatus::Online, None), None);
    }
}
