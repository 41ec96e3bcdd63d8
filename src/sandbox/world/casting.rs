//! Who will fail. Chance alone would give a dull night or a hopeless one, so the opening of the play is cast.
//!
//! A busy night has a failure of another kind in most stacks, one package that is broken everywhere it is built, and, in the biggest stack,
//! a passing upstream fault that holds back a third of the graph: the first thing a newcomer should retry, and it will work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::Scenario;
use super::super::mishaps::MishapId;
use super::super::plan::{Plan, Role};
use super::super::rng::Rng;

/// What will happen in a pipeline.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    /// The children that its trigger entries start.
    pub children: BTreeMap<u32, Child>,
    /// Entries that will fail, and how.
    pub cast: BTreeMap<u32, Part>,
    /// Entries that the queue lets pass, so that the play is where it should be when the doors open.
    pub hurried: BTreeSet<u32>,
    /// How often any other entry fails on its first run.
    pub rate: f64,
    /// Only entries that block at most this many others may fail by chance.
    pub spare: u32,
}

/// A child that a trigger job will start.
#[derive(Debug, Clone)]
pub(super) struct Child {
    pub plan: Arc<Plan>,
    pub script: Script,
}

/// The part of an entry that will fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub mishap: MishapId,
    /// Fails on every run, not only on the first.
    pub lasting: bool,
    /// Run time of every run, when the play depends on it.
    pub seconds: Option<u64>,
}

impl Part {
    /// A failure that stays.
    pub fn lasting(mishap: MishapId) -> Self {
        Self { mishap, lasting: true, seconds: None }
    }

    fn of(mishap: MishapId) -> Self {
        Self { mishap, lasting: !mishap.get().transient, seconds: None }
    }
}

/// Passing and lasting failures in turn, so that any dozen of them is a mix.
struct Repertoire {
    passing: Vec<MishapId>,
    lasting: Vec<MishapId>,
    next: usize,
}

impl Repertoire {
    fn new(seed: u64) -> Self {
        let shuffled = |transient| {
            let mut all = MishapId::all(Role::Build, transient);
            let mut rng = Rng::of(seed, "repertoire", u64::from(transient));
            for i in (1..all.len()).rev() {
                all.swap(i, rng.below(i as u64 + 1) as usize);
            }
            all
        };
        Self { passing: shuffled(true), lasting: shuffled(false), next: 0 }
    }

    fn next(&mut self) -> Option<MishapId> {
        let list = if self.next.is_multiple_of(2) { &self.passing } else { &self.lasting };
        let mishap = list.get(self.next / 2 % list.len().max(1)).copied();
        self.next += 1;
        mishap
    }
}

/// Casts the children of a develop pipeline.
pub(super) fn cast_night(seed: u64, scenario: Scenario, children: &mut BTreeMap<u32, Child>) {
    if scenario == Scenario::Calm {
        return;
    }
    let mut repertoire = Repertoire::new(seed);
    let few = usize::from(children.len() < 16);
    let biggest = children.iter().max_by_key(|(_, c)| c.plan.entries.len()).map(|(trigger, _)| *trigger);
    let broken = broken_package(seed, children);
    for (trigger, child) in children {
        let plan = child.plan.clone();
        let builds = plan.entries.iter().filter(|e| e.role == Role::Build).count();
        child.script.rate = 0.004;
        child.script.spare = 10;
        let mut out_of_reach = BTreeSet::new();
        let mut limit = (builds / 20).max(1) as u32;
        if biggest == Some(*trigger)
            && let Some((lead, part)) = leading_part(&plan, builds)
        {
            let blocks = plan.entry(lead).blocks;
            child.script.cast.insert(lead, part);
            child.script.spare = child.script.spare.min(blocks.saturating_sub(1));
            limit = limit.min(blocks.saturating_sub(1));
            child.script.hurried = plan.needed_by(lead);
            out_of_reach = plan.blocked_by(lead);
            out_of_reach.insert(lead);
        }
        let mut early: Vec<u32> = plan
            .numbers()
            .filter(|n| {
                let entry = plan.entry(*n);
                entry.role == Role::Build && entry.stage <= 4 && entry.seconds <= 300 && entry.blocks <= limit
            })
            .collect();
        if let Some(package) = &broken {
            let is_broken = |n: &&u32| plan.entry(**n).work.as_ref().is_some_and(|w| w.package == *package);
            let mishap = MishapId::all(Role::Build, false).first().copied();
            for (number, mishap) in early.iter().filter(is_broken).zip(std::iter::repeat(mishap).flatten()) {
                child.script.cast.entry(*number).or_insert(Part::lasting(mishap));
            }
        }
        let mut rng = Rng::of(seed, "cast", u64::from(*trigger));
        for _ in 0..=builds / 90 + few {
            early.retain(|n| !out_of_reach.contains(n) && !child.script.cast.contains_key(n));
            let Some(number) = early.get(rng.below(early.len() as u64) as usize).copied() else { break };
            let Some(mishap) = repertoire.next() else { break };
            child.script.cast.insert(number, Part::of(mishap));
            out_of_reach.extend(plan.blocked_by(number));
        }
    }
}

/// A package that several stacks build early and that blocks next to nothing.
fn broken_package(seed: u64, children: &BTreeMap<u32, Child>) -> Option<Arc<str>> {
    let mut stacks: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for child in children.values() {
        let harmless = |e: &&super::super::plan::Entry| e.stage <= 4 && e.blocks <= 2 && e.seconds <= 300;
        let names: BTreeSet<&Arc<str>> =
            child.plan.entries.iter().filter(harmless).filter_map(|e| e.work.as_ref().map(|w| &w.package)).collect();
        for name in names {
            *stacks.entry(name).or_default() += 1;
        }
    }
    let mut names: Vec<_> = stacks.into_iter().filter(|(_, n)| (3..=6).contains(n)).collect();
    names.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), (*name).clone()));
    names.truncate(5);
    let choice = Rng::of(seed, "broken package", 0).below(names.len() as u64);
    names.get(choice as usize).map(|(name, _)| (*name).clone())
}

/// The entry whose passing failure holds back about a third of the stack, early and quick.
fn leading_part(plan: &Plan, builds: usize) -> Option<(u32, Part)> {
    let third = builds as u32 * 3 / 10;
    // When each entry would be done if there were a runner for everybody.
    let mut ready: Vec<u64> = Vec::with_capacity(plan.entries.len());
    for entry in &plan.entries {
        let needs = entry.needs.iter().flatten().filter_map(|n| ready.get(*n as usize));
        ready.push(needs.max().unwrap_or(&0) + entry.seconds);
    }
    let number = plan
        .numbers()
        .filter(|n| {
            let entry = plan.entry(*n);
            entry.role == Role::Build
                && entry.blocks > 0
                && ready.get(*n as usize).is_some_and(|seconds| *seconds <= 700)
        })
        .min_by_key(|n| plan.entry(*n).blocks.abs_diff(third))?;
    let mishap = MishapId::of_cause("5XX")?;
    Some((number, Part { mishap, lasting: false, seconds: Some(105) }))
}

/// Casts one child of a pull request: the change works, breaks its own package, or meets a passing fault.
pub(super) fn cast_change(seed: u64, scenario: Scenario, key: u64, package: &str, child: &mut Child) {
    if scenario == Scenario::Calm {
        return;
    }
    child.script.rate = 0.01;
    child.script.spare = u32::MAX;
    let mut rng = Rng::of(seed, "change", key);
    let own = child.plan.numbers().find(|n| child.plan.entry(*n).work.as_ref().is_some_and(|w| &*w.package == package));
    let fate = rng.unit();
    let choices = match fate {
        ..0.3 => MishapId::all(Role::Build, false),
        0.3..0.45 => MishapId::all(Role::Build, true),
        _ => return,
    };
    let mishap = choices.get(rng.below(choices.len() as u64) as usize);
    if let (Some(own), Some(mishap)) = (own, mishap) {
        child.script.cast.insert(own, Part::of(*mishap));
    }
}
