//! Makes a scene: cells for the chosen jobs, groups for the rest, and the needs between them.
//!
//! Called by `View`, which has chosen the jobs. Every job of the pipeline ends up in exactly one of four places: a node, a group, the hidden
//! count, the withheld count. Places and wires come from `place` and `route`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::ci::{NeedsGraph, NodeIx};
use crate::console::state::{Counts, JobState};

use super::layout::Layout;
use super::minimap::Minimap;
use super::names::labels;
use super::place::{Placement, Trunk, place};
use super::route::route;
use super::scene::{Body, Cell, CellId, Column, Edge, FOLDED, Facts, Node, Scene, state_of};

/// A group with more parents than this says nothing by its edges; it is drawn without.
const MOST_PARENTS: usize = 6;
/// How many groups of one layer and state are told apart by their parents; smaller ones become one without edges.
const MOST_GROUPS: usize = 2;

/// What a scene is made of.
pub(super) struct Plan<'a> {
    pub graph: &'a NeedsGraph,
    pub layout: &'a Layout,
    pub lens: &'static str,
    pub members: Vec<NodeIx>,
    pub withheld: usize,
    pub facts: &'a dyn Fn(NodeIx) -> Facts,
    pub selection: Option<&'a CellId>,
}

/// Layer and state.
type Kind = (usize, Option<JobState>);
/// A kind, and the drawn jobs that are waited for.
type GroupKey = (usize, Option<JobState>, Vec<usize>);
/// Jobs, and the drawn jobs that they wait for.
type Linked = (Vec<NodeIx>, Vec<usize>);
type Groups = BTreeMap<GroupKey, Vec<NodeIx>>;

/// Makes the scene; `placement` is read for what has a place already and takes the new places.
pub(super) fn build(mut plan: Plan<'_>, placement: &mut Placement) -> Scene {
    let (graph, layout) = (plan.graph, plan.layout);
    plan.members.sort_by_key(|ix| (graph.layer(*ix), layout.rank(*ix)));
    let members = &plan.members;
    let mut slots = vec![None; graph.len()];
    for (slot, ix) in members.iter().enumerate() {
        if let Some(place) = slots.get_mut(ix.index()) {
            *place = Some(slot);
        }
    }
    let slot_of = |ix: NodeIx| slots.get(ix.index()).copied().flatten();

    let layers = count_layers(graph, &slot_of);
    let (groups, beyond) = fold(graph, &slot_of, members.len());
    let mut column_of = vec![None; layers.len()];
    let mut columns = Vec::new();
    for (layer, column) in layers.into_iter().enumerate() {
        let is_drawn = column.drawn > 0 || groups.keys().any(|(l, ..)| *l == layer);
        if let Some(slot) = column_of.get_mut(layer).filter(|_| is_drawn) {
            *slot = Some(columns.len());
            columns.push(column);
        }
    }
    let column_at = |layer: usize| column_of.get(layer).copied().flatten().unwrap_or(0);

    let critical = graph.critical_path();
    let critical_steps: HashSet<(NodeIx, NodeIx)> =
        critical.iter().copied().zip(critical.iter().copied().skip(1)).collect();
    let on_critical: HashSet<NodeIx> = critical.iter().copied().collect();
    let names: Vec<Arc<str>> = members.iter().map(|ix| graph.name(*ix).clone()).collect();
    let mut cells: Vec<Cell> = Vec::with_capacity(members.len() + groups.len());
    for ((ix, label), beyond) in members.iter().zip(labels(&names)).zip(beyond) {
        let facts = (plan.facts)(*ix);
        let state = state_of(graph, *ix);
        let has_cause = facts.cause.is_some() && state == Some(JobState::Fail);
        cells.push(Cell {
            id: CellId::Node(graph.name(*ix).clone()),
            column: column_at(graph.layer(*ix)),
            row: 0,
            height: if has_cause { 2 } else { 1 },
            state,
            body: Body::Node(Box::new(Node {
                label,
                status: graph.status(*ix),
                facts,
                blocks: graph.blocks(*ix),
                blocked_by: graph.blocked_by(*ix),
                is_critical: on_critical.contains(ix),
                beyond,
            })),
        });
    }
    let mut edges = Vec::new();
    for (to, job) in members.iter().enumerate() {
        let is_bridge = cells.get(to).and_then(Cell::node).is_some_and(|node| node.facts.starts_pipeline);
        for (from, need) in graph.needs(*job).filter_map(|need| Some((slot_of(need)?, need))) {
            edges.push(Edge {
                from,
                to,
                is_optional: graph.is_optional(need, *job),
                is_critical: critical_steps.contains(&(need, *job)),
                is_bridge,
                is_implied: false,
            });
        }
    }
    let mut grouped = 0;
    for ((layer, state, parents), jobs) in groups {
        let to = cells.len();
        grouped += jobs.len();
        let jobs = jobs.into_iter().map(|ix| graph.name(ix).clone()).collect();
        let plain = Edge { from: 0, to, is_optional: false, is_critical: false, is_bridge: false, is_implied: false };
        edges.extend(parents.iter().map(|from| Edge { from: *from, ..plain }));
        let parents = parents.iter().filter_map(|slot| names.get(*slot).cloned()).collect();
        let id = CellId::Group { layer, state, parents };
        cells.push(Cell { id, column: column_at(layer), row: 0, height: 1, state, body: Body::Group { jobs } });
    }
    mark_implied(&mut edges, cells.len());

    let (mut trunks, height) = place(&mut cells, &edges, &columns, placement);
    sort_cells(&mut cells, &mut edges, &mut trunks);
    let gutters = route(&cells, &edges, &columns, &trunks, placement);
    let mut counts = Counts::default();
    graph.nodes().filter_map(|ix| state_of(graph, ix)).for_each(|state| counts.add(state));
    Scene {
        lens: plan.lens,
        total: graph.len(),
        blocked: graph.nodes().filter(|ix| graph.is_blocked(*ix)).count(),
        ghosts: graph.len() - counts.total(),
        counts,
        columns,
        selection: plan.selection.and_then(|id| cells.iter().position(|cell| cell.id == *id)),
        hidden: graph.len() - members.len() - grouped,
        withheld: plan.withheld,
        cells,
        edges,
        height,
        problems: graph.problems().to_vec(),
        critical: critical.iter().map(|ix| graph.name(*ix).clone()).collect(),
        remaining: graph.remaining(),
        minimap: Minimap::of(graph, layout),
        trunks,
        gutters,
    }
}

/// Jobs that would be folded into a group of one. They may as well be drawn.
pub(super) fn alone(graph: &NeedsGraph, members: &[NodeIx]) -> Vec<NodeIx> {
    if graph.len() > FOLDED {
        return Vec::new();
    }
    let drawn: HashSet<NodeIx> = members.iter().copied().collect();
    let mut groups: BTreeMap<Kind, Vec<NodeIx>> = BTreeMap::new();
    for ix in graph.nodes().filter(|ix| !drawn.contains(ix)) {
        groups.entry((graph.layer(ix), state_of(graph, ix))).or_default().push(ix);
    }
    groups.into_values().filter(|jobs| jobs.len() == 1).flatten().collect()
}

fn count_layers(graph: &NeedsGraph, slot_of: &dyn Fn(NodeIx) -> Option<usize>) -> Vec<Column> {
    let count = |(layer, jobs): (usize, &Vec<NodeIx>)| {
        let counts: Counts = jobs.iter().filter_map(|ix| state_of(graph, *ix)).collect();
        let drawn = jobs.iter().filter(|ix| slot_of(**ix).is_some()).count();
        Column { layer, drawn, ghosts: jobs.len() - counts.total(), counts }
    };
    graph.layers().iter().enumerate().map(count).collect()
}

/// Folds all jobs that are not drawn into groups, unless there are too many for groups; tells also, per drawn job, how many unfinished jobs
/// need it and are not linked to it by an edge.
fn fold(graph: &NeedsGraph, slot_of: &dyn Fn(NodeIx) -> Option<usize>, drawn: usize) -> (Groups, Vec<usize>) {
    let mut beyond = vec![0; drawn];
    let mut found = Groups::new();
    let mut add_beyond = |slots: &[usize], jobs: usize| {
        for slot in slots {
            if let Some(count) = beyond.get_mut(*slot) {
                *count += jobs;
            }
        }
    };
    for ix in graph.nodes().filter(|ix| slot_of(*ix).is_none()) {
        let mut parents: Vec<usize> = if graph.state(ix).is_done() {
            Vec::new()
        } else {
            graph.needs(ix).filter(|need| !graph.state(*need).is_done()).filter_map(slot_of).collect()
        };
        parents.sort_unstable();
        if graph.len() > FOLDED || parents.len() > MOST_PARENTS {
            add_beyond(&parents, 1);
            parents.clear();
        }
        if graph.len() <= FOLDED {
            found.entry((graph.layer(ix), state_of(graph, ix), parents)).or_default().push(ix);
        }
    }

    let mut linked: BTreeMap<Kind, Vec<Linked>> = BTreeMap::new();
    let mut groups = Groups::new();
    for ((layer, state, parents), jobs) in found {
        if parents.is_empty() {
            groups.insert((layer, state, parents), jobs);
        } else {
            linked.entry((layer, state)).or_default().push((jobs, parents));
        }
    }
    for ((layer, state), mut candidates) in linked {
        candidates.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.1.cmp(&b.1)));
        for (place, (jobs, parents)) in candidates.into_iter().enumerate() {
            if place < MOST_GROUPS && jobs.len() > 1 {
                groups.insert((layer, state, parents), jobs);
            } else {
                add_beyond(&parents, jobs.len());
                groups.entry((layer, state, Vec::new())).or_default().extend(jobs);
            }
        }
    }
    (groups, beyond)
}

/// Marks edges that say nothing new: another way leads from the one end to the other. The critical path is always drawn.
fn mark_implied(edges: &mut [Edge], cells: usize) {
    // Edges lead from a lower to a higher slot, so one pass in slot order sees every way before it is needed.
    let mut into: Vec<Vec<usize>> = vec![Vec::new(); cells];
    for edge in edges.iter() {
        if let Some(list) = into.get_mut(edge.to) {
            list.push(edge.from);
        }
    }
    let width = cells.div_ceil(64);
    let mut before: Vec<Vec<u64>> = Vec::with_capacity(cells);
    let has = |set: &[u64], at: usize| set.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1);
    let mut implied: HashSet<(usize, usize)> = HashSet::new();
    for (to, needs) in into.iter().enumerate() {
        let mut farther = vec![0; width];
        for set in needs.iter().filter_map(|need| before.get(*need)) {
            farther.iter_mut().zip(set).for_each(|(word, more)| *word |= more);
        }
        implied.extend(needs.iter().filter(|need| has(&farther, **need)).map(|need| (*need, to)));
        for need in needs {
            if let Some(word) = farther.get_mut(need / 64) {
                *word |= 1 << (need % 64);
            }
        }
        before.push(farther);
    }
    for edge in edges.iter_mut() {
        edge.is_implied = !edge.is_critical && implied.contains(&(edge.from, edge.to));
    }
}

/// Sorts cells by column and row, and renumbers edges and trunks.
fn sort_cells(cells: &mut Vec<Cell>, edges: &mut [Edge], trunks: &mut [Trunk]) {
    let mut order: Vec<(usize, Cell)> = std::mem::take(cells).into_iter().enumerate().collect();
    order.sort_by_key(|(_, cell)| (cell.column, cell.row));
    let new_place: HashMap<usize, usize> = order.iter().enumerate().map(|(new, (old, _))| (*old, new)).collect();
    let moved = |old: usize| new_place.get(&old).copied().unwrap_or(old);
    for edge in edges.iter_mut() {
        (edge.from, edge.to) = (moved(edge.from), moved(edge.to));
    }
    edges.sort_by_key(|edge| (edge.from, edge.to));
    for trunk in trunks.iter_mut() {
        trunk.from = moved(trunk.from);
    }
    *cells = order.into_iter().map(|(_, cell)| cell).collect();
}
