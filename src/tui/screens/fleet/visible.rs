//! Which rows are shown, and in which order.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;

use super::{Fold, Sort, fold};
use crate::console::filter::Filter;
use crate::console::fleet::{GroupRow, NodeSubject, PodSubject, RunnerRow, RunnerSubject, Sums, Tree};
use crate::fleet::{Pending, Phase, Uid};
use crate::tui::screen::{Cx, FleetId};

/// Orders groups and the runners in them.
pub fn order(tree: &mut Tree, sort: Sort, is_reversed: bool) {
    tree.groups.sort_by(|a, b| compare(sort, &a.sums, &b.sums).then_with(|| a.name.cmp(&b.name)));
    for group in &mut tree.groups {
        group.runners.sort_by(|a, b| {
            b.outlier
                .is_some()
                .cmp(&a.outlier.is_some())
                .then_with(|| compare(sort, &a.sums, &b.sums))
                .then_with(|| a.name.cmp(&b.name))
        });
        if is_reversed {
            group.runners.reverse();
        }
    }
    if is_reversed {
        tree.groups.reverse();
    }
}

/// What is not known comes last.
fn compare(sort: Sort, a: &Sums, b: &Sums) -> Ordering {
    let by = |of: fn(&Sums) -> Option<f64>| {
        let (a, b) = (of(a), of(b));
        b.is_some().cmp(&a.is_some()).then_with(|| b.unwrap_or(0.0).total_cmp(&a.unwrap_or(0.0)))
    };
    match sort {
        Sort::Pressure => b.pressure().total_cmp(&a.pressure()).then_with(|| b.busy.cmp(&a.busy)),
        Sort::Fails => by(Sums::fail_rate),
        Sort::Cost => by(|sums| sums.cost.map(crate::fleet::Dollars::amount)),
        Sort::Idle => Reverse(a.free()).cmp(&Reverse(b.free())),
        Sort::Name => Ordering::Equal,
    }
}

/// The rows from top to bottom.
pub fn ids(cx: Cx<'_>, tree: &Tree, filter: &Filter, unfolded: &BTreeSet<Fold>) -> Vec<FleetId> {
    let mut ids = Vec::new();
    let look = Look { cx, filter, unfolded };
    for group in &tree.groups {
        look.group(group, &mut ids);
    }
    if let Some(idle) = tree.idle.as_ref().filter(|idle| !idle.is_empty()) {
        let shown: Vec<FleetId> =
            idle.iter().filter(|name| look.passes_node(name)).map(|name| FleetId::IdleNode(name.clone())).collect();
        if !shown.is_empty() {
            ids.push(FleetId::Idle);
            if look.is_open(&FleetId::Idle) {
                ids.extend(shown);
            }
        }
    }
    ids
}

struct Look<'a> {
    cx: Cx<'a>,
    filter: &'a Filter,
    unfolded: &'a BTreeSet<Fold>,
}

impl Look<'_> {
    fn is_open(&self, id: &FleetId) -> bool {
        !self.filter.is_empty() || fold(id).is_some_and(|fold| self.unfolded.contains(&fold))
    }

    fn group(&self, group: &GroupRow, ids: &mut Vec<FleetId>) {
        let id = FleetId::Group(group.name.clone());
        if self.filter.is_empty() && !self.is_open(&id) {
            ids.push(id);
            return;
        }
        let mut inside = Vec::new();
        for runner in &group.runners {
            self.runner(runner, &mut inside);
        }
        if self.filter.is_empty() || !inside.is_empty() {
            ids.push(id);
            ids.append(&mut inside);
        }
    }

    fn runner(&self, runner: &RunnerRow, ids: &mut Vec<FleetId>) {
        let id = FleetId::Runner(runner.name.clone());
        if self.filter.is_empty() && !self.is_open(&id) {
            ids.push(id);
            return;
        }
        let known = runner.id.and_then(|id| self.cx.world.fleet.objects.runner(id));
        let is_named = !self.filter.is_empty()
            && self.filter.matches(&RunnerSubject::new(&runner.name, known), self.cx.server_now());
        let mut inside = Vec::new();
        inside.extend(self.pods(&runner.unplaced));
        for node in &runner.nodes {
            let id = FleetId::Node(runner.name.clone(), node.name.clone());
            let is_closed = self.filter.is_empty() && !self.is_open(&id);
            let pods: Vec<FleetId> = if is_closed { Vec::new() } else { self.pods(&node.pods).collect() };
            if self.filter.is_empty() || !pods.is_empty() || self.passes_node(&node.name) {
                inside.push(id);
                inside.extend(pods);
            }
        }
        if self.filter.is_empty() || is_named || !inside.is_empty() {
            ids.push(id);
            ids.append(&mut inside);
        }
    }

    fn pods<'p>(&'p self, uids: &'p [Uid]) -> impl Iterator<Item = FleetId> + 'p {
        uids.iter().filter(|uid| self.passes_pod(uid)).map(|uid| FleetId::Pod(uid.clone()))
    }

    fn passes_pod(&self, uid: &Uid) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let facts = &self.cx.world.fleet;
        let Some(pod) = facts.objects.pod(uid) else { return false };
        let server_now = self.cx.server_now();
        let pending = (pod.phase == Phase::Pending)
            .then(|| Pending::of(&facts.objects, pod, &facts.rules.thresholds, server_now))
            .flatten();
        self.filter.matches(&PodSubject { facts, pod, server_now, pending: pending.as_ref() }, server_now)
    }

    fn passes_node(&self, name: &str) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let server_now = self.cx.server_now();
        let node = self.cx.world.fleet.objects.node(name);
        node.is_some_and(|node| self.filter.matches(&NodeSubject { node, server_now }, server_now))
    }
}

/// The rows that a pod lies in, from the outside.
pub fn path(tree: &Tree, uid: &Uid) -> Vec<FleetId> {
    for group in &tree.groups {
        for runner in &group.runners {
            let above = || vec![FleetId::Group(group.name.clone()), FleetId::Runner(runner.name.clone())];
            if runner.unplaced.contains(uid) {
                return above();
            }
            if let Some(node) = runner.nodes.iter().find(|node| node.pods.contains(uid)) {
                let mut path = above();
                path.push(FleetId::Node(runner.name.clone(), node.name.clone()));
                return path;
            }
        }
    }
    Vec::new()
}

/// The row that one lies in.
pub fn parent(tree: &Tree, id: &FleetId) -> Option<FleetId> {
    match id {
        FleetId::Group(_) | FleetId::Idle => None,
        FleetId::IdleNode(_) => Some(FleetId::Idle),
        FleetId::Node(runner, _) => Some(FleetId::Runner(runner.clone())),
        FleetId::Runner(name) => {
            let home = tree.groups.iter().find(|group| group.runners.iter().any(|runner| runner.name == *name))?;
            Some(FleetId::Group(home.name.clone()))
        }
        FleetId::Pod(uid) => path(tree, uid).pop(),
    }
}
