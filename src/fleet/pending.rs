//! Why a pod does not start, in words, and how long its runner will still wait.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::claim::ClaimState;
use super::fit::Fit;
use super::node::CERTIFICATE_PENDING;
use super::pod::{Doing, Phase};
use super::predicates::{Nomination, PredicateKind, RefusalKind, nominated, predicates, refusals};
use super::{Claim, Fleet, Kind, KubeEvent, Node, Pod, Thresholds};
use crate::ci::{Timestamp, precise};

/// The longest that a nomination is believed without its claim: Karpenter gives up on claims after that.
const NOMINATION_KEPT: Duration = Duration::from_mins(15);
/// The taint of the start is taken away once a minute; this late, its controller is at fault.
const CERTIFICATE_LATE: Duration = Duration::from_mins(3);

/// The kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PendingClass {
    /// It asks for more than any machine has.
    NeverFits,
    /// Machines are not to be had, or nothing here makes them.
    NoCapacity,
    /// The limit of its pool is reached.
    PoolLimit,
    /// No pool and no node is one that it may go to.
    TaintOrAffinity,
    /// Its image does not come.
    Image,
    /// A machine is on its way, or there.
    CapacityComing,
    /// It has a node, and its containers are being made.
    Starting,
    Unknown,
}

impl PendingClass {
    /// Its word in JSON, filters and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NeverFits => "never_fits",
            Self::NoCapacity => "no_capacity",
            Self::PoolLimit => "pool_limit",
            Self::TaintOrAffinity => "taint_or_affinity",
            Self::Image => "image",
            Self::CapacityComing => "capacity_coming",
            Self::Starting => "starting",
            Self::Unknown => "unknown",
        }
    }
}

/// Until when the runner waits for a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Countdown {
    pub deadline: Timestamp,
    /// The whole of it.
    pub limit: Duration,
}

impl Countdown {
    /// How long is left; `Err` is how long it is over.
    pub fn left(&self, now: Timestamp) -> Result<Duration, Duration> {
        if now > self.deadline { Err(now.since(self.deadline)) } else { Ok(self.deadline.since(now)) }
    }

    /// Seconds that are left; negative when it is over.
    pub fn left_s(&self, now: Timestamp) -> i64 {
        match self.left(now) {
            Ok(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            Err(over) => i64::try_from(over.as_secs()).map_or(i64::MIN, |over| -over),
        }
    }

    /// For people: `2m10 left`, `over by 5m12`.
    pub fn text(&self, now: Timestamp) -> String {
        match self.left(now) {
            Ok(left) => format!("{} left", precise(left)),
            Err(over) => format!("over by {}", precise(over)),
        }
    }
}

/// Why a pod is pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub class: PendingClass,
    /// A sentence without its full stop.
    pub words: String,
    /// What the cluster wrote, as it is.
    pub raw: Option<Arc<str>>,
    /// The claim that it waits for, by name.
    pub claim: Option<Arc<str>>,
    /// The node that it was given or promised.
    pub node: Option<Arc<str>>,
    /// `None` where nothing tells when the pod was made.
    pub countdown: Option<Countdown>,
}

type Reason = (PendingClass, String);

impl Pending {
    /// Tells why; `None` for pods that are not pending.
    pub fn of(fleet: &Fleet, pod: &Pod, thresholds: &Thresholds, now: Timestamp) -> Option<Self> {
        if pod.phase != Phase::Pending || pod.deleted.is_some() {
            return None;
        }
        let limit = thresholds.poll_timeout(pod);
        let countdown = pod.created.map(|created| Countdown { deadline: created.plus(limit), limit });
        let events = fleet.events_of_pod(pod);
        let look = Look { fleet, pod, events: &events, now };
        let unscheduled = pod.condition("PodScheduled").filter(|c| c.status == Some(false)).map(|c| c.message.clone());
        let Nomination { claim, node } = promise(&events).map(|(_, promised)| promised).unwrap_or_default();
        let (class, words) = if pod.node.is_some() { look.scheduled() } else { look.unscheduled() };
        let raw = if pod.node.is_some() { look.waiting_message() } else { unscheduled };
        Some(Self {
            class,
            words,
            raw: raw.filter(|raw| !raw.is_empty()),
            claim,
            node: pod.node.clone().or(node),
            countdown,
        })
    }
}

struct Look<'a> {
    fleet: &'a Fleet,
    pod: &'a Pod,
    /// The newest first.
    events: &'a [&'a KubeEvent],
    now: Timestamp,
}

impl<'a> Look<'a> {
    /// A container's own reason to wait; a real trouble before the usual.
    fn waits(&self) -> Vec<(&'a str, &'a Arc<str>)> {
        let waits = self.pod.containers.iter().filter_map(|container| match &container.doing {
            Doing::Waiting { reason, message } => Some((&**reason, message)),
            _ => None,
        });
        waits.collect()
    }

    fn waiting_message(&self) -> Option<Arc<str>> {
        self.waits().into_iter().map(|(_, message)| message.clone()).find(|message| !message.is_empty())
    }

    /// It has a node: images, configuration, or the usual making of containers.
    fn scheduled(&self) -> Reason {
        let waits = self.waits();
        let is_image = |reason: &str| {
            matches!(
                reason,
                "ImagePullBackOff"
                    | "ErrImagePull"
                    | "ErrImageNeverPull"
                    | "InvalidImageName"
                    | "ImageInspectError"
                    | "RegistryUnavailable"
            )
        };
        if let Some((reason, _)) = waits.iter().find(|(reason, _)| is_image(reason)) {
            let told = self.events.iter().find(|e| &*e.reason == "Failed" && e.message.contains("pull image"));
            let why = told.map_or_else(String::new, |event| format!(": {}", event.message));
            return (PendingClass::Image, format!("its image does not come ({reason}){why}"));
        }
        let usual = |reason: &str| matches!(reason, "" | "ContainerCreating" | "PodInitializing");
        if let Some((reason, _)) = waits.iter().find(|(reason, _)| !usual(reason)) {
            return (PendingClass::Unknown, format!("a container cannot be made ({reason})"));
        }
        (PendingClass::Starting, "it has a node, and its containers are being made".to_owned())
    }

    fn unscheduled(&self) -> Reason {
        if let Some((at, Nomination { claim, node })) = promise(self.events)
            && let Some(reason) = self.promised(at, claim.as_ref(), node.as_ref())
        {
            return reason;
        }
        if let Some(event) = refusal(self.events)
            && let Some(reason) = refused(event)
        {
            return reason;
        }
        self.by_pools().unwrap_or_else(|| self.by_predicates())
    }

    /// Follows a nomination; `None` where it leads nowhere any more.
    fn promised(&self, at: Timestamp, claim_name: Option<&Arc<str>>, node_name: Option<&Arc<str>>) -> Option<Reason> {
        let node = node_name.and_then(|name| self.fleet.node(name));
        let claim = claim_name.and_then(|name| self.fleet.claim(name)).or_else(|| self.fleet.claim_of(node?));
        let node = node.or_else(|| self.fleet.node(claim?.node.as_ref()?));
        if let Some(node) = node
            && let Some(reason) = self.on_a_node(node)
        {
            return Some(reason);
        }
        if let Some(claim) = claim {
            return Some(self.by_claim(claim));
        }
        let name = claim_name.or(node_name)?;
        if let Some(event) =
            self.fleet.events_of_claim_named(name).iter().find(|e| &*e.reason == "InsufficientCapacityError")
        {
            return Some((PendingClass::NoCapacity, format!("no machine was to be had for {name}: {}", event.message)));
        }
        // A node that is there and has no claim: the nomination stands.
        if node.is_some() {
            return Some((PendingClass::CapacityComing, format!("it should go to node {name}, which is there")));
        }
        let is_known_gone = claim_name.is_some() && self.fleet.knows(Kind::Claim);
        (!is_known_gone && self.now.since(at) <= NOMINATION_KEPT)
            .then(|| (PendingClass::CapacityComing, format!("it should go to {name}, which nobody here has seen yet")))
    }

    fn on_a_node(&self, node: &Node) -> Option<Reason> {
        let untolerated = self.pod.wants.untolerated(&node.taints).next()?;
        let age = node.created.map(|at| self.now.since(at));
        if &*untolerated.key != CERTIFICATE_PENDING {
            return Some((
                PendingClass::CapacityComing,
                format!("node {} is there, and its taint {untolerated} is still on", node.name),
            ));
        }
        let since = age.map_or_else(String::new, |age| format!(" for {}", precise(age)));
        let late = if age.is_some_and(|age| age > CERTIFICATE_LATE) {
            "; the controller that takes it off is late"
        } else {
            ""
        };
        Some((PendingClass::CapacityComing, format!("node {} waits for its certificate{since}{late}", node.name)))
    }

    fn by_claim(&self, claim: &Claim) -> Reason {
        let name = &claim.name;
        let events = self.fleet.events_of_claim(claim);
        let short = events.iter().find(|event| &*event.reason == "InsufficientCapacityError");
        let state = claim.state(self.now);
        if matches!(state, ClaimState::Launching { .. }) && (claim.lacks_capacity() || short.is_some()) {
            let told = claim.condition("Launched").map(|c| c.message.clone()).filter(|message| !message.is_empty());
            let told = told.or_else(|| short.map(|event| event.message.clone())).unwrap_or_else(|| "".into());
            return (PendingClass::NoCapacity, format!("no machine is to be had for {name}: {told}"));
        }
        match state {
            ClaimState::Terminating | ClaimState::Disrupted { .. } => {
                (PendingClass::Unknown, format!("the machine that was promised, {name}, is {state}"))
            }
            ClaimState::Ready => (PendingClass::CapacityComing, format!("its machine {name} is ready")),
            _ => {
                (PendingClass::CapacityComing, format!("its machine {name} is {state} ({})", claim.age_text(self.now)))
            }
        }
    }

    /// What the pools could do, where all of them are known.
    fn by_pools(&self) -> Option<Reason> {
        let pools = self.fleet.pools();
        // Of pools that were not all seen nothing follows.
        if pools.is_empty() || !self.fleet.knows(Kind::Pool) {
            return None;
        }
        let fits: Vec<(&Arc<str>, Fit)> =
            pools.iter().map(|pool| (&pool.name, Fit::of(self.fleet, pool, self.pod))).collect();
        let suited: Vec<&(&Arc<str>, Fit)> = fits.iter().filter(|(_, fit)| !matches!(fit, Fit::Unsuited(_))).collect();
        if suited.is_empty() {
            let is_elsewhere = self.fleet.nodes().any(|node| {
                self.pod.wants.admits(&node.labels) && self.pod.wants.untolerated(&node.taints).next().is_none()
            });
            let why = || {
                fits.iter().find_map(|(pool, fit)| match fit {
                    Fit::Unsuited(why) => Some(format!("{pool}: {why}")),
                    _ => None,
                })
            };
            return (!is_elsewhere && self.fleet.knows(Kind::Node)).then(|| {
                (
                    PendingClass::TaintOrAffinity,
                    format!("no pool makes a node that it may go to ({})", why().unwrap_or_default()),
                )
            });
        }
        let too_large = suited.iter().map(|(pool, fit)| match fit {
            Fit::TooLarge(largest) => Some((pool, largest)),
            _ => None,
        });
        // Every one of them, or none counts.
        if let Some(too_large) = too_large.collect::<Option<Vec<_>>>() {
            let (pool, largest) = too_large.last()?;
            let asked = self.pod.requests.text();
            return Some((
                PendingClass::NeverFits,
                format!("it asks for {asked}; the largest machine of {pool} is {largest}"),
            ));
        }
        // Some pool may have room, or may be large enough: only when all that could be are full is it the limit.
        let could = suited.iter().filter(|(_, fit)| !matches!(fit, Fit::TooLarge(_)));
        let full = could.map(|(pool, fit)| match fit {
            Fit::AtLimit(resource) => Some((pool, resource)),
            _ => None,
        });
        let full = full.collect::<Option<Vec<_>>>()?;
        let (pool, resource) = full.last()?;
        Some((PendingClass::PoolLimit, format!("the {resource} limit of pool {pool} is reached")))
    }

    /// Only what the scheduler counts is left.
    fn by_predicates(&self) -> Reason {
        let counted = self
            .pod
            .condition("PodScheduled")
            .map(|condition| predicates(&condition.message))
            .filter(|counted| !counted.is_empty())
            .or_else(|| self.events.iter().map(|event| predicates(&event.message)).find(|counted| !counted.is_empty()))
            .unwrap_or_default();
        if counted.is_empty() {
            return (PendingClass::Unknown, "nothing says why".to_owned());
        }
        let told: Vec<String> = counted.iter().map(|p| format!("{} {}", p.nodes, p.reason)).collect();
        let told = told.join(", ");
        if counted.iter().all(|p| p.kind == PredicateKind::Unsuited) {
            return (PendingClass::TaintOrAffinity, format!("no node is one that it may go to: {told}"));
        }
        let has_makers = self.fleet.claims().next().is_some() || !self.fleet.pools().is_empty();
        let wants_room = counted.iter().any(|p| p.kind == PredicateKind::Room);
        if wants_room && !has_makers && self.fleet.knows(Kind::Node) && !self.fleet.knows(Kind::Pool) {
            return (PendingClass::NoCapacity, format!("no node has room, and nothing here makes nodes: {told}"));
        }
        (PendingClass::Unknown, format!("no node takes it, and nobody says that one comes: {told}"))
    }
}

/// What Karpenter promised a pod by the newest of its events, and when, unless it failed to place the pod since.
pub(super) fn promise(events: &[&KubeEvent]) -> Option<(Timestamp, Nomination)> {
    let newest = events.iter().find(|event| &*event.reason == "Nominated")?;
    let is_refused = refusal(events).is_some_and(|event| event.at > newest.at);
    nominated(&newest.message).filter(|_| !is_refused).map(|promised| (newest.at, promised))
}

fn refusal<'a>(events: &[&'a KubeEvent]) -> Option<&'a KubeEvent> {
    let is_refusal = |event: &&&KubeEvent| &*event.reason == "FailedScheduling" && !refusals(&event.message).is_empty();
    events.iter().find(is_refusal).copied()
}

/// What Karpenter's last word on the pod amounts to.
fn refused(event: &KubeEvent) -> Option<Reason> {
    let told = refusals(&event.message);
    let has = |kind: RefusalKind| told.iter().find(|refusal| refusal.kind == kind);
    let of = |name: &str| if name.is_empty() { String::new() } else { format!(" of pool {name}") };
    if let Some(limit) = has(RefusalKind::Limit) {
        return Some((PendingClass::PoolLimit, format!("the limit{} is reached", of(&limit.pool))));
    }
    if has(RefusalKind::NoOffer).is_some() {
        return Some((PendingClass::NoCapacity, "no machine that would do is to be had now".to_owned()));
    }
    if has(RefusalKind::Other).is_some() {
        return None;
    }
    if let Some(small) = has(RefusalKind::TooLarge) {
        return Some((PendingClass::NeverFits, format!("no machine{} is large enough", of(&small.pool))));
    }
    let unsuited = has(RefusalKind::Unsuited)?;
    Some((PendingClass::TaintOrAffinity, format!("labels or taints{} do not go together with it", of(&unsuited.pool))))
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
