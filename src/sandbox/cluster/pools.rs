//! What Karpenter may make nodes of, which pools the jobs of a class may go to, and what machines cost.
//!
//! Pools, labels, taints and limits are those of Spack's cluster. Of the many machine types that it allows only a few are made here, and their
//! prices are round guesses.

/// A pool of nodes.
#[derive(Debug, PartialEq, Eq)]
pub struct Pool {
    pub name: &'static str,
    /// Labels of its nodes.
    pub labels: &'static [(&'static str, &'static str)],
    pub is_spot: bool,
    pub arch: &'static str,
    pub os: &'static str,
    /// Families that it may take; none names all.
    pub families: &'static [&'static str],
    pub sizes: &'static [&'static str],
    /// Those that are really made: processor, memory and balanced first.
    pub made: &'static [&'static str],
    pub taints: &'static [&'static str],
    /// Limit of processors and of memory.
    pub limit: Option<(u32, &'static str)>,
    /// How long a node may be empty.
    pub idle_seconds: i64,
    pub node_class: &'static str,
}

const SIZES: &[&str] = &[
    "medium", "large", "xlarge", "2xlarge", "3xlarge", "4xlarge", "6xlarge", "8xlarge", "10xlarge", "12xlarge",
    "16xlarge",
];
const V3: &[&str] = &[
    "c4", "c5", "c5a", "c5n", "c6a", "c6i", "m4", "m5", "m5a", "m5n", "m5zn", "m6a", "m6i", "r4", "r5", "r5a", "r5b",
    "r5n", "r6a", "r6i", "t2", "t3", "t3a", "x1e", "x2iedn", "x2iezn",
];
const V4: &[&str] =
    &["c5", "c5n", "c6i", "m5", "m5n", "m5zn", "m6i", "r5", "r5b", "r5n", "r6i", "t3", "x2iedn", "x2iezn"];
const RUNNER: &[&str] = &["spack.io/runner-taint"];

const LINUX: Pool = Pool {
    name: "",
    labels: &[],
    is_spot: true,
    arch: "amd64",
    os: "linux",
    families: &[],
    sizes: SIZES,
    made: &["c6a", "m6a", "r6a"],
    taints: RUNNER,
    limit: Some((3_840, "15Ti")),
    idle_seconds: 300,
    node_class: "default",
};

/// All pools, by name.
pub const POOLS: &[Pool] = &[
    Pool {
        name: "base",
        labels: &[("spack.io/node-pool", "base")],
        is_spot: false,
        families: &["m4", "t3"],
        sizes: &["medium", "small", "xlarge"],
        made: &["m4"],
        taints: &[],
        limit: Some((128, "")),
        ..LINUX
    },
    Pool {
        name: "beefy",
        labels: &[("spack.io/node-pool", "beefy")],
        is_spot: false,
        families: &["r5"],
        sizes: &["2xlarge"],
        made: &["r5"],
        taints: &[],
        limit: None,
        ..LINUX
    },
    Pool {
        name: "gitlab",
        labels: &[("spack.io/node-pool", "gitlab")],
        is_spot: false,
        made: &["m6a"],
        taints: &[],
        limit: None,
        ..LINUX
    },
    Pool {
        name: "glr-graviton3",
        labels: &[("spack.io/graviton", "3"), ("spack.io/pipeline", "true")],
        arch: "arm64",
        families: &["c7g", "m7g", "r7g"],
        made: &["c7g", "m7g", "r7g"],
        ..LINUX
    },
    Pool {
        name: "glr-graviton4",
        labels: &[("spack.io/graviton", "4"), ("spack.io/pipeline", "true")],
        arch: "arm64",
        families: &["c8g", "m8g", "r8g"],
        made: &["c8g", "m8g", "r8g"],
        ..LINUX
    },
    Pool {
        name: "glr-notary",
        labels: &[("spack.io/notary", "true"), ("spack.io/pipeline", "true"), ("spack.io/x86_64", "v3")],
        families: V3,
        taints: &["spack.io/notary-taint"],
        limit: Some((200, "1280G")),
        ..LINUX
    },
    Pool { name: "glr-x86-64-v2", labels: &[("spack.io/pipeline", "true"), ("spack.io/x86_64", "v2")], ..LINUX },
    Pool {
        name: "glr-x86-64-v3",
        labels: &[("spack.io/pipeline", "true"), ("spack.io/x86_64", "v3")],
        families: V3,
        ..LINUX
    },
    Pool {
        name: "glr-x86-64-v4",
        labels: &[("spack.io/pipeline", "true"), ("spack.io/x86_64", "v4")],
        families: V4,
        made: &["c6i", "m6i", "r6i"],
        ..LINUX
    },
    Pool {
        name: "x86-64-v2-win",
        labels: &[("spack.io/os", "windows"), ("spack.io/pipeline", "true"), ("spack.io/x86_64", "v2")],
        is_spot: false,
        os: "windows",
        families: &["m5"],
        sizes: &["2xlarge"],
        made: &["m5"],
        taints: &["windows", "spack.io/runner-taint"],
        idle_seconds: 7_200,
        node_class: "windows",
        ..LINUX
    },
];

impl Pool {
    /// The pool of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        POOLS.iter().find(|pool| pool.name == name)
    }

    /// `spot` or `on-demand`.
    pub fn capacity_type(&self) -> &'static str {
        if self.is_spot { "spot" } else { "on-demand" }
    }

    /// Its nodes start with a taint until their certificate is approved.
    pub fn is_for_jobs(&self) -> bool {
        !self.taints.is_empty()
    }

    /// The machine that Karpenter would make for such a request.
    pub fn machine_for(&self, cpu: u64, memory: u64, roll: u64) -> Type {
        let per_core = memory * 1_000 / cpu.max(1);
        let lean = usize::from(per_core > 1_600_000_000) + usize::from(per_core > 3_300_000_000);
        let family = self.made.get(lean).or(self.made.last()).copied().unwrap_or("m6a");
        let smallest: u32 = match cpu {
            ..=3_500 if self.sizes.len() > 3 => 8,
            ..=7_000 => 8,
            7_001..=14_500 => 16,
            _ => 32,
        };
        // A batch of pending pods often gets one larger machine.
        let cores =
            if self.sizes.len() > 3 && smallest < 16 && roll.is_multiple_of(3) { smallest * 2 } else { smallest };
        Type { family, cores }
    }
}

/// A type of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Type {
    pub family: &'static str,
    pub cores: u32,
}

impl Type {
    pub fn size(self) -> String {
        match self.cores {
            2 => "large".to_owned(),
            4 => "xlarge".to_owned(),
            cores => format!("{}xlarge", cores / 4),
        }
    }

    pub fn name(self) -> String {
        format!("{}.{}", self.family, self.size())
    }

    /// `c`, `m` or `r`.
    pub fn category(self) -> &'static str {
        self.family.get(..1).unwrap_or("m")
    }

    pub fn generation(self) -> &'static str {
        self.family.get(1..2).unwrap_or("6")
    }

    pub fn manufacturer(self) -> &'static str {
        match self.family.get(2..) {
            Some("a") => "amd",
            Some("g") => "aws",
            _ => "intel",
        }
    }

    /// MiB of memory, as the type promises it.
    pub fn mebibytes(self) -> u64 {
        let per_core = match self.category() {
            "c" => 2_048,
            "r" => 8_192,
            _ => 4_096,
        };
        u64::from(self.cores) * per_core
    }

    /// KiB of memory that the node finds.
    pub fn memory_kib(self) -> u64 {
        self.mebibytes() * 1_024 * 982 / 1_000
    }

    /// Millis of processors that pods may have.
    pub fn allocatable_cpu(self) -> u64 {
        u64::from(self.cores) * 1_000 - 80 - u64::from(self.cores.saturating_sub(4)) * 5 / 2
    }

    /// KiB of memory that pods may have.
    pub fn allocatable_kib(self) -> u64 {
        self.memory_kib().saturating_sub(1_228_800)
    }

    pub fn pods(self) -> u32 {
        if self.cores >= 16 { 234 } else { 58 }
    }

    /// USD an hour.
    pub fn price(self, is_spot: bool, zone: usize) -> f64 {
        let core = match self.category() {
            "c" => 0.0401,
            "r" => 0.0605,
            _ => 0.0463,
        };
        let full = core * f64::from(self.cores);
        let share = if is_spot { 0.36 + 0.02 * zone as f64 } else { 1.0 };
        (full * share * 10_000.0).round() / 10_000.0
    }
}

/// Zone names with their ids.
pub const ZONES: [(&str, &str); 4] =
    [("us-east-1a", "use1-az4"), ("us-east-1b", "use1-az6"), ("us-east-1c", "use1-az1"), ("us-east-1d", "use1-az2")];

/// What a class of runners demands for its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The pools that its pods may go to, the best first.
    pub pools: &'static [&'static str],
    /// The label of nodes that is required, and its values.
    pub affinity: Option<(&'static str, &'static [&'static str])>,
    pub selector: &'static [(&'static str, &'static str)],
    /// How long its pods are kept.
    pub ttl: Option<&'static str>,
}

/// The rule of a class.
pub fn rule(class: &str) -> Rule {
    const V2: &[&str] = &["glr-x86-64-v2", "glr-x86-64-v3", "glr-x86-64-v4"];
    const V3_POOLS: &[&str] = &["glr-x86-64-v3", "glr-x86-64-v4"];
    const WINDOWS: &[(&str, &str)] =
        &[("kubernetes.io/os", "windows"), ("node.kubernetes.io/windows-build", "10.0.26100")];
    let rule = |pools, key, values| Rule { pools, affinity: Some((key, values)), selector: &[], ttl: Some("12h") };
    match class {
        _ if class.ends_with("-windows") => {
            Rule { pools: &["x86-64-v2-win"], affinity: None, selector: WINDOWS, ttl: None }
        }
        _ if class.contains("signing") => Rule {
            selector: &[("kubernetes.io/arch", "amd64")],
            ttl: Some("7h"),
            ..rule(&["glr-notary"], "spack.io/x86_64", &["v3", "v4"])
        },
        _ if class.contains("graviton3") => rule(&["glr-graviton3"], "spack.io/graviton", &["3"]),
        _ if class.contains("graviton4") => rule(&["glr-graviton4"], "spack.io/graviton", &["4"]),
        _ if class.contains("x86-v4") => rule(&["glr-x86-64-v4"], "spack.io/x86_64", &["v4"]),
        _ if class.contains("x86-v3") => rule(V3_POOLS, "spack.io/x86_64", &["v3", "v4"]),
        _ => rule(V2, "spack.io/x86_64", &["v2", "v3", "v4"]),
    }
}

impl Rule {
    /// Its pods are of the signing class, which has nodes of its own.
    pub fn is_signing(&self) -> bool {
        self.pools == ["glr-notary"]
    }

    pub fn is_windows(&self) -> bool {
        self.pools == ["x86-64-v2-win"]
    }

    /// The taints that its pods bear.
    pub fn tolerated(&self) -> &'static [&'static str] {
        self.pools.first().and_then(|name| Pool::named(name)).map_or(&[], |pool| pool.taints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_in_order_and_every_rule_has_some() {
        assert!(POOLS.is_sorted_by_key(|pool| pool.name));
        for class in [
            "runner-x86-v2-pub",
            "runner-x86-v3-prot",
            "runner-x86-v4-pub",
            "runner-graviton3-pub",
            "runner-graviton4-prot",
            "runner-x86-v2-pub-windows",
            "runner-spack-package-signing",
        ] {
            let rule = rule(class);
            for pool in rule.pools {
                let pool = Pool::named(pool).unwrap();
                assert_eq!(pool.taints, rule.tolerated(), "{class}");
                let suits =
                    |(key, values): (&str, &[&str])| pool.labels.iter().any(|(k, v)| *k == key && values.contains(v));
                assert!(rule.affinity.is_none_or(suits), "{class}");
            }
        }
    }

    #[test]
    fn a_machine_holds_what_it_was_made_for() {
        for pool in POOLS.iter().filter(|pool| pool.is_for_jobs()) {
            for (cpu, gigabytes) in [(500, 1), (750, 3), (2_000, 5), (4_000, 17), (8_000, 13), (12_000, 27)] {
                if pool.os == "windows" && cpu > 7_000 {
                    continue;
                }
                for roll in 0..3 {
                    let made = pool.machine_for(cpu, gigabytes * 1_000_000_000, roll);
                    let room = made.allocatable_kib() * 1_024 - (240 << 20);
                    assert!(made.allocatable_cpu() - 150 >= cpu && room >= gigabytes * 1_000_000_000, "{made:?} {cpu}");
                }
            }
        }
    }
}
