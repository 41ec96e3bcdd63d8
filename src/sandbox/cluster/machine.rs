//! One machine: ordered, launched, joined, ready, idle, taken away.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::rng::Rng;
use super::pools::{Pool, Type, ZONES};
use super::wire::uid;
use crate::ci::{JobId, Timestamp};

/// How far a machine has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Launched,
    /// The node has appeared.
    Joined,
    Registered,
    Ready,
    /// The taint of the start is off.
    Certified,
    Initialized,
}

impl Stage {
    pub const ALL: [Self; 6] =
        [Self::Launched, Self::Joined, Self::Registered, Self::Ready, Self::Certified, Self::Initialized];

    /// Which part of the way it lies at, in hundredths.
    fn share(self) -> i64 {
        match self {
            Self::Launched => 5,
            Self::Joined => 45,
            Self::Registered => 50,
            Self::Ready => 68,
            Self::Certified => 93,
            Self::Initialized => 100,
        }
    }
}

/// What daemons take of every node: millis of processors, and bytes.
pub const DAEMONS: (u64, u64) = (150, 240 << 20);

/// One machine, from its order to its end.
#[derive(Debug)]
pub struct Machine {
    pub id: u32,
    pub pool: &'static Pool,
    pub made: Type,
    pub zone: usize,
    pub claim: Arc<str>,
    pub node: Arc<str>,
    pub instance: String,
    pub ordered: Timestamp,
    /// What it was ordered for.
    pub ordered_cpu: u64,
    pub ordered_memory: u64,
    /// How long it takes to come.
    pub takes_ms: i64,
    /// The stage that it has reached.
    pub stage: Option<Stage>,
    pub pods: BTreeSet<JobId>,
    /// Pods that wait for it.
    pub promised: BTreeSet<JobId>,
    /// What both of them ask for.
    pub used_cpu: u64,
    pub used_memory: u64,
    /// When a pod last came or went.
    pub touched: Timestamp,
    pub idle_since: Option<Timestamp>,
    pub cordoned: Option<Timestamp>,
    pub pressure: Option<Timestamp>,
    pub pressure_until: Timestamp,
    pub relieved: Option<Timestamp>,
    /// When the cloud takes it back, and the job that goes with it if one does.
    pub doom: Option<(Timestamp, Option<JobId>)>,
    pub leaving: Option<Timestamp>,
    pub is_down: bool,
    /// Belongs to the cluster itself and never goes.
    pub is_fixed: bool,
    /// Somebody wants to look at it: it does not go by itself.
    pub is_kept: bool,
    /// Was made above the limit of its pool, for one pod alone.
    pub is_extra: bool,
}

impl Machine {
    pub fn new(seed: u64, id: u32, pool: &'static Pool, made: Type, ordered: Timestamp) -> Self {
        let mut rng = Rng::of(seed, "machine", u64::from(id));
        let zone = rng.below(ZONES.len() as u64) as usize;
        let claim = format!("{}-{}", pool.name, rng.suffix(5));
        // The number keeps two of them from having one address.
        let node = format!("ip-192-168-{}-{}.ec2.internal", 20 + id / 250, 2 + id % 250);
        Self {
            id,
            pool,
            made,
            zone,
            claim: claim.into(),
            node: node.into(),
            instance: format!("i-0{}", rng.hex(16)),
            ordered,
            ordered_cpu: 0,
            ordered_memory: 0,
            takes_ms: 0,
            stage: None,
            pods: BTreeSet::new(),
            promised: BTreeSet::new(),
            used_cpu: 0,
            used_memory: 0,
            touched: ordered,
            idle_since: None,
            cordoned: None,
            pressure: None,
            pressure_until: ordered,
            relieved: None,
            doom: None,
            leaving: None,
            is_down: false,
            is_fixed: false,
            is_extra: false,
            is_kept: false,
        }
    }

    /// When it reaches a stage.
    pub fn at(&self, stage: Stage) -> Timestamp {
        self.ordered.shifted(self.takes_ms * stage.share() / 100)
    }

    /// When it reached a stage; `None` while that lies ahead.
    pub fn reached(&self, stage: Stage) -> Option<Timestamp> {
        (self.stage >= Some(stage)).then(|| self.at(stage))
    }

    pub fn is_here(&self) -> bool {
        self.stage == Some(Stage::Initialized)
    }

    /// Whether so much still goes on it, and nothing keeps new pods away.
    pub fn has_room(&self, cpu: u64, memory: u64) -> bool {
        let room_cpu = self.made.allocatable_cpu().saturating_sub(DAEMONS.0);
        let room_memory = (self.made.allocatable_kib() * 1_024).saturating_sub(DAEMONS.1);
        self.used_cpu + cpu <= room_cpu && self.used_memory + memory <= room_memory
    }

    /// Something keeps every new pod away from it.
    pub fn is_closed(&self) -> bool {
        self.is_fixed || self.is_extra || self.cordoned.is_some() || self.pressure.is_some() || self.leaving.is_some()
    }

    pub fn provider_id(&self) -> String {
        format!("aws:///{}/{}", ZONES.get(self.zone).map_or("us-east-1a", |(zone, _)| zone), self.instance)
    }

    pub fn address(&self) -> String {
        self.node.trim_start_matches("ip-").split('.').next().unwrap_or_default().replace('-', ".")
    }

    pub fn claim_uid(&self) -> String {
        uid("NodeClaim", &self.instance)
    }

    pub fn node_uid(&self) -> String {
        uid("Node", &self.instance)
    }
}
