//! The runners of the practice world.
//!
//! Classes, tags and manager pods are those of Spack's cluster plus the machines that stand elsewhere; the slots are scaled to the size of
//! the world, so that a small world has a queue as well. Every manager pod registers as a runner of its own, as Spack's chart makes it.

use std::sync::Arc;

use crate::ci::{RunnerId, Timestamp};

use super::Scenario;
use super::rng::Rng;

/// One registered runner.
#[derive(Debug)]
pub struct Runner {
    pub id: RunnerId,
    /// Class, chart suffix and pod suffix, as GitLab shows it.
    pub description: Arc<str>,
    /// The first nine characters of its token, as logs show them.
    pub token: Arc<str>,
    pub system_id: Arc<str>,
    pub tags: &'static [&'static str],
    pub slots: u32,
    pub busy: u32,
    pub protected: bool,
    pub platform: &'static str,
    pub architecture: &'static str,
    pub executor: &'static str,
    pub created_at: Timestamp,
    pub paused: bool,
    /// Its machine says nothing any more, and takes nothing; this was the last time.
    pub silent_since: Option<Timestamp>,
    /// The class, without the suffixes of chart and pod.
    pub class: &'static str,
    pub host: Host,
}

impl Runner {
    /// Has a free slot for a job with these tags.
    pub fn takes(&self, tags: &[&str]) -> bool {
        tags.iter().all(|tag| self.tags.contains(tag))
    }

    pub fn free(&self) -> u32 {
        if self.paused || self.silent_since.is_some() { 0 } else { self.slots.saturating_sub(self.busy) }
    }
}

struct Class {
    name: &'static str,
    managers: u32,
    /// Slots of the whole class in Spack's cluster, of 1,340.
    slots: u32,
    tags: &'static [&'static str],
    host: Host,
}

/// What kind of machine a class stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// Pods of the cluster.
    Cluster,
    WindowsCluster,
    Cray,
    Mac,
    Bench,
}

/// The on-premises machine that turns bad in the outage scenario.
pub const BAD_HOST: &str = "uo-19";
/// The on-premises machine that is gone in the outage scenario.
const SILENT_HOST: &str = "uo-mac-m2-11";
/// The classes whose jobs meet a full disk in the outage scenario: a part of their names.
pub const SICK_CLASSES: &str = "x86-v3";

const CLASSES: &[Class] = &[
    Class {
        name: "runner-x86-v2-pub",
        managers: 3,
        slots: 120,
        tags: &[
            "spack",
            "aws",
            "public",
            "x86_64",
            "x86_64_v2",
            "small",
            "medium",
            "large",
            "huge",
            "service",
            "service_noop",
        ],
        host: Host::Cluster,
    },
    Class {
        name: "runner-x86-v2-prot",
        managers: 3,
        slots: 120,
        tags: &["spack", "aws", "protected", "x86_64", "x86_64_v2", "small", "medium", "large", "huge"],
        host: Host::Cluster,
    },
    Class {
        name: "runner-x86-v3-pub",
        managers: 3,
        slots: 240,
        tags: &[
            "spack",
            "aws",
            "public",
            "x86_64",
            "x86_64_v2",
            "x86_64_v3",
            "avx",
            "avx2",
            "small",
            "medium",
            "large",
            "huge",
        ],
        host: Host::Cluster,
    },
    Class {
        name: "runner-x86-v3-prot",
        managers: 3,
        slots: 560,
        tags: &[
            "spack",
            "aws",
            "protected",
            "x86_64",
            "x86_64_v2",
            "x86_64_v3",
            "avx",
            "avx2",
            "small",
            "medium",
            "large",
            "huge",
        ],
        host: Host::Cluster,
    },
    Class {
        name: "runner-x86-v4-pub",
        managers: 2,
        slots: 60,
        tags: &[
            "spack",
            "aws",
            "public",
            "x86_64",
            "x86_64_v3",
            "x86_64_v4",
            "avx512",
            "small",
            "medium",
            "large",
            "huge",
        ],
        host: Host::Cluster,
    },
    Class {
        name: "runner-x86-v4-prot",
        managers: 2,
        slots: 70,
        tags: &["spack", "aws", "protected", "x86_64", "x86_64_v4", "avx512", "small", "medium", "large", "huge"],
        host: Host::Cluster,
    },
    Class {
        name: "runner-graviton3-pub",
        managers: 2,
        slots: 60,
        tags: &[
            "spack",
            "aws",
            "public",
            "arm",
            "aarch64",
            "graviton",
            "graviton3",
            "neoverse_v1",
            "small",
            "medium",
            "large",
            "huge",
        ],
        host: Host::Cluster,
    },
    Class {
        name: "runner-graviton3-prot",
        managers: 2,
        slots: 90,
        tags: &[
            "spack",
            "aws",
            "protected",
            "arm",
            "aarch64",
            "graviton",
            "graviton3",
            "neoverse_v1",
            "small",
            "medium",
            "large",
            "huge",
        ],
        host: Host::Cluster,
    },
    Class {
        name: "runner-graviton4-pub",
        managers: 2,
        slots: 60,
        tags: &[
            "spack",
            "aws",
            "public",
            "arm",
            "aarch64",
            "graviton4",
            "neoverse_v2",
            "small",
            "medium",
            "large",
            "huge",
        ],
        host: Host::Cluster,
    },
    Class {
        name: "runner-graviton4-prot",
        managers: 2,
        slots: 120,
        tags: &[
            "spack",
            "aws",
            "protected",
            "arm",
            "aarch64",
            "graviton4",
            "neoverse_v2",
            "small",
            "medium",
            "large",
            "huge",
        ],
        host: Host::Cluster,
    },
    Class {
        name: "runner-x86-v2-pub-windows",
        managers: 1,
        slots: 30,
        tags: &["spack", "aws", "public", "win64", "x86_64-win", "x86_64_v2-win", "small", "medium", "large", "huge"],
        host: Host::WindowsCluster,
    },
    Class {
        name: "runner-x86-v2-prot-windows",
        managers: 1,
        slots: 30,
        tags: &[
            "spack",
            "aws",
            "protected",
            "win64",
            "x86_64-win",
            "x86_64_v2-win",
            "small",
            "medium",
            "large",
            "huge",
        ],
        host: Host::WindowsCluster,
    },
    Class {
        name: "runner-spack-package-signing",
        managers: 1,
        slots: 20,
        tags: &["spack", "aws", "notary", "protected"],
        host: Host::Cluster,
    },
    Class {
        name: "uo-cray-rhel-frontera",
        managers: 1,
        slots: 70,
        tags: &["cray-rhel-x86_64_v3", "public", "protected", "small", "medium", "large", "huge"],
        host: Host::Cray,
    },
    Class {
        name: "uo-mac-m2-07",
        managers: 1,
        slots: 40,
        tags: &[
            "macos-tahoe",
            "apple-clang-17",
            "aarch64-macos",
            "public",
            "protected",
            "small",
            "medium",
            "large",
            "huge",
        ],
        host: Host::Mac,
    },
    Class {
        name: "uo-mac-m2-11",
        managers: 1,
        slots: 40,
        tags: &[
            "macos-tahoe",
            "apple-clang-17",
            "aarch64-macos",
            "public",
            "protected",
            "small",
            "medium",
            "large",
            "huge",
        ],
        host: Host::Mac,
    },
    Class {
        name: BAD_HOST,
        managers: 1,
        slots: 240,
        tags: &["spack", "public", "protected", "x86_64", "x86_64_v3", "small"],
        host: Host::Bench,
    },
];

/// The classes whose pool is at its limit in the outage scenario: a part of their names.
pub const SHORT_CLASSES: &str = "graviton4";

/// All runners for a world of that many jobs.
pub fn runners(seed: u64, scenario: Scenario, jobs: usize, epoch: Timestamp) -> Vec<Runner> {
    let mut all = Vec::new();
    for class in CLASSES {
        // So few that the nightly rebuild is half done when the sandbox opens its doors.
        let slots = (class.slots as usize * jobs / 38_000).max(1) as u32;
        let managers = class.managers.min(slots);
        let mut rng = Rng::named(seed, "runner class", class.name);
        let chart = rng.hex(9);
        for manager in 0..managers {
            let (platform, architecture, executor) = match class.host {
                Host::Cluster if class.tags.contains(&"arm") => ("linux", "arm64", "kubernetes"),
                Host::Cluster => ("linux", "amd64", "kubernetes"),
                Host::WindowsCluster => ("windows", "amd64", "kubernetes"),
                Host::Cray => ("linux", "amd64", "shell"),
                Host::Mac => ("darwin", "arm64", "shell"),
                Host::Bench => ("linux", "amd64", "docker"),
            };
            let description = match class.host {
                Host::Cluster | Host::WindowsCluster => {
                    format!("{}-gitlab-runner-{chart}-{}", class.name, rng.suffix(5))
                }
                _ => class.name.to_owned(),
            };
            all.push(Runner {
                id: RunnerId(21_300 + all.len() as u64),
                description: description.into(),
                token: rng.word(b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789", 9).into(),
                system_id: format!("r_{}", rng.suffix(12)).into(),
                tags: class.tags,
                slots: slots / managers + u32::from(manager < slots % managers),
                busy: 0,
                protected: class.tags.contains(&"protected") && !class.tags.contains(&"public"),
                platform,
                architecture,
                executor,
                created_at: epoch.shifted(-(rng.between(3, 60) as i64) * 86_400_000),
                paused: false,
                silent_since: (scenario == Scenario::Outage && class.name == SILENT_HOST)
                    .then(|| epoch.shifted(-(rng.between(190, 260) as i64) * 60_000)),
                class: class.name,
                host: class.host,
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::locks::Shelf;
    use crate::sandbox::plan::{Access, Plan, choose_stack};
    use crate::sandbox::stacks::STACKS;

    #[test]
    fn every_job_of_every_stack_finds_a_runner() {
        for jobs in [200, 5_000] {
            let all = runners(1, Scenario::Busy, jobs, Timestamp::default());
            for access in [Access::Protected, Access::Public] {
                let every: Vec<usize> = (0..STACKS.len()).collect();
                let mut plans = vec![Plan::parent(&every, access), Plan::parent(&[], access)];
                for (i, stack) in STACKS.iter().enumerate() {
                    let chosen = choose_stack(1, i, 300).unwrap();
                    plans.extend(Plan::child(i, Shelf::embedded(stack.lock).unwrap(), &chosen, access));
                }
                for entry in plans.iter().flat_map(|p| &p.entries).filter(|e| !e.tags.is_empty()) {
                    assert!(
                        all.iter().any(|r| r.takes(&entry.tags) && r.free() > 0),
                        "{}: {:?}",
                        entry.name,
                        entry.tags
                    );
                }
            }
        }
    }

    #[test]
    fn slots_grow_with_the_world() {
        let slots = |jobs| runners(1, Scenario::Busy, jobs, Timestamp::default()).iter().map(|r| r.slots).sum::<u32>();
        assert!(slots(200) < 40 && slots(5_000) > 150);
    }
}
