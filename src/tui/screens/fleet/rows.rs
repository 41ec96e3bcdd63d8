//! What a row of the fleet says. What is not known is `?`; what cannot be is `-`; neither is ever `0`.

use std::time::Duration;

use crate::ci::{precise, short};
use crate::console::filter::Filter;
use crate::console::fleet::{GroupRow, NodeRow, RunnerRow, Sums, Tree, node_state, pod_state};
use crate::console::state::JobState;
use crate::console::text::plural;
use crate::fleet::{Dollars, Node, Pending, Phase, Pod, PodState, Runner, price_of};
use crate::tui::glyphs::Glyphs;
use crate::tui::screen::{Cx, FleetId};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Row, Width};

/// The columns, in order; the highest sacrifice goes first when it gets narrow.
pub const COLUMNS: &[Column] = &[
    Column::new("CLASS / RUNNER / NODE", Width::Grow { least: 28, weight: 2 }).cut_middle(),
    Column::new("BUSY/ALL", Width::Fixed(8)).right(),
    Column::new("IDLE", Width::Fixed(4)).right().sacrifice(5),
    Column::new("OFF", Width::Fixed(3)).right().sacrifice(4),
    Column::new("P95", Width::Fixed(4)).right(),
    Column::new("OLDEST", Width::Fixed(6)).right(),
    Column::new("SPOT", Width::Fixed(4)).right().sacrifice(8),
    Column::new("$/h", Width::Fixed(6)).right().sacrifice(7),
    Column::new("FAIL%", Width::Fixed(5)).right(),
    Column::new("TREND", Width::Fixed(8)).sacrifice(6),
    Column::new("NOTE", Width::Grow { least: 12, weight: 3 }),
];

/// Points of a trend.
const POINTS: usize = 8;
/// Ends of jobs that are shown of a runner or a node.
const ENDS: usize = 12;

/// `Fleet  11 runners, 43 nodes`.
pub fn title(tree: &Tree) -> String {
    let runners: usize = tree.groups.iter().map(|group| group.runners.len()).sum();
    if runners == 0 { "Fleet".to_owned() } else { format!("Fleet  {}", plural(runners as u64, "runner")) }
}

fn group<'t>(tree: &'t Tree, name: &str) -> Option<&'t GroupRow> {
    tree.groups.iter().find(|group| &*group.name == name)
}

pub fn runner<'t>(tree: &'t Tree, name: &str) -> Option<&'t RunnerRow> {
    tree.groups.iter().flat_map(|group| &group.runners).find(|runner| &*runner.name == name)
}

fn node<'t>(tree: &'t Tree, of: &str, name: &str) -> Option<&'t NodeRow> {
    runner(tree, of)?.nodes.iter().find(|node| &*node.name == name)
}

/// How a row is, as far as that can be told at a glance.
pub fn state(cx: Cx<'_>, tree: &Tree, id: &FleetId) -> Option<JobState> {
    let (objects, now) = (&cx.world.fleet.objects, cx.server_now());
    match id {
        FleetId::Group(name) => {
            let group = group(tree, name)?;
            Some(if group.outliers > 0 { JobState::Fail } else { JobState::Ok })
        }
        FleetId::Runner(name) => {
            let row = runner(tree, name)?;
            let known = row.id.and_then(|id| objects.runner(id));
            Some(match (row.outlier.is_some(), known.map(Runner::is_at_work)) {
                (true, _) => JobState::Fail,
                (false, Some(Some(false))) => JobState::Warn,
                (false, Some(Some(true))) => JobState::Ok,
                (false, _) => JobState::Unknown,
            })
        }
        FleetId::Node(of, name) => {
            if node(tree, of, name)?.outlier.is_some() {
                return Some(JobState::Fail);
            }
            Some(objects.node(name).map_or(JobState::Unknown, |node| node_state(node, now)))
        }
        FleetId::IdleNode(name) => objects.node(name).map(|node| node_state(node, now)),
        FleetId::Pod(uid) => objects.pod(uid).map(|pod| pod_state(pod, now)),
        FleetId::Idle => None,
    }
}

/// One row; `None` for one that is gone.
pub fn row<'a>(cx: Cx<'a>, tree: &'a Tree, id: &FleetId, is_open: bool, filter: &Filter) -> Option<Row<'a>> {
    let (open, closed) = cx.look.glyphs.fold;
    let fold = if is_open { open } else { closed };
    let state = state(cx, tree, id);
    let objects = &cx.world.fleet.objects;
    let mut cells = match id {
        FleetId::Group(name) => {
            let row = group(tree, name)?;
            let classes = row.classes.iter().filter_map(|class| cx.world.fleet.trends.get(class));
            let trend = trend(cx, &classes.collect::<Vec<_>>(), row.sums.slots);
            sums(cx, format!("{fold} {name}"), Role::TextStrong, &row.sums, trend, group_note(cx, row))
        }
        FleetId::Runner(name) => {
            let row = runner(tree, name)?;
            let shown = short_name(name);
            let glyph = state.map_or(" ", |state| cx.look.glyphs.state(state));
            let role =
                state.map_or(Role::Text, |state| if state == JobState::Ok { Role::Text } else { Role::of(state) });
            let name = format!("  {fold} {glyph} {shown}");
            let mut cells = sums(cx, name, role, &row.sums, String::new(), runner_note(cx, row));
            // Who waits for what is known of classes only.
            for at in [4, 5] {
                if let Some(cell) = cells.get_mut(at) {
                    *cell = Cell::new("-", Role::TextDim);
                }
            }
            cells
        }
        FleetId::Node(of, name) => {
            let row = node(tree, of, name)?;
            let fold = format!("    {fold} ");
            node_cells(cx, &fold, name, objects.node(name), Some(row), state)
        }
        FleetId::IdleNode(name) => node_cells(cx, "      ", name, objects.node(name), None, state),
        FleetId::Idle => {
            let count = tree.idle.as_ref()?.len() as u64;
            let dash = || Cell::new("-", Role::TextDim);
            let cost = dollars(cx, tree.idle_cost, false);
            vec![
                Cell::new(format!("{fold} nodes without jobs"), Role::TextStrong),
                dash(),
                dash(),
                dash(),
                dash(),
                dash(),
                dash(),
                Cell::new(cost, Role::Text),
                dash(),
                Cell::new("", Role::Text),
                Cell::new(plural(count, "node"), Role::TextDim),
            ]
        }
        FleetId::Pod(uid) => pod_cells(cx, objects.pod(uid)?, state?),
    };
    if let Some(cell) = cells.first_mut() {
        cell.matched = filter.highlights(&cell.text);
    }
    Some(Row { cells, ..Row::default() })
}

fn or<T>(known: Option<T>, show: impl FnOnce(T) -> String) -> String {
    known.map_or_else(|| "?".to_owned(), show)
}

/// `71.2`, `≥71.2`, `?`.
fn dollars(cx: Cx<'_>, cost: Option<Dollars>, is_part: bool) -> String {
    or(cost, |cost| {
        let part = if is_part { cx.look.glyphs.at_least } else { "" };
        format!("{part}{:.1}", cost.amount())
    })
}

fn sums<'a>(cx: Cx<'a>, name: String, role: Role, of: &Sums, trend: String, note: (String, Role)) -> Vec<Cell<'a>> {
    let part = if of.is_part { cx.look.glyphs.at_least } else { "" };
    let busy = format!("{part}{}/{}", or(of.busy, |busy| busy.to_string()), or(of.slots, |slots| slots.to_string()));
    let is_full = of.saturation().is_some_and(|part| part >= 0.95);
    let spot = (of.nodes > 0).then(|| format!("{}%", of.spot * 100 / of.nodes));
    let fail = of.fail_rate();
    let fail_role = if fail.is_some_and(|rate| rate >= 0.1) { Role::StateFail } else { Role::Text };
    let off_role = if of.off.is_some_and(|off| off > 0) { Role::StateWarn } else { Role::TextDim };
    let has_nodes = of.nodes > 0 || of.cost.is_some();
    vec![
        Cell::new(name, role),
        Cell::new(busy, if is_full { Role::StateWarn } else { Role::Text }),
        Cell::new(or(of.free(), |free| free.to_string()), Role::TextDim),
        Cell::new(or(of.off, |off| off.to_string()), off_role),
        Cell::new(wait(of.p95, of), Role::Text),
        Cell::new(wait(of.oldest, of), Role::Text),
        Cell::new(spot.unwrap_or_else(|| "-".to_owned()), Role::TextDim),
        Cell::new(if has_nodes { dollars(cx, of.cost, of.is_cost_part) } else { "-".to_owned() }, Role::Text),
        // Where nothing ended there is no share.
        Cell::new(fail.map_or_else(|| "-".to_owned(), |rate| format!("{:.1}", rate * 100.0)), fail_role),
        Cell::new(trend, Role::Plot1),
        Cell::new(note.0, note.1),
    ]
}

/// A wait for a runner; `-` where it is known that nothing waits or waited.
fn wait(known: Option<Duration>, of: &Sums) -> String {
    match (known, of.queued) {
        (Some(wait), _) => short(wait),
        (None, Some(_)) => "-".to_owned(),
        (None, None) => "?".to_owned(),
    }
}

/// A runner in few words: its class and the end of its manager's name.
fn short_name(name: &str) -> String {
    match name.split_once("-gitlab-runner-") {
        Some((class, pod)) => format!("{class} {}", pod.rsplit('-').next().unwrap_or(pod)),
        None if name.is_empty() => "(no runner named)".to_owned(),
        None => name.to_owned(),
    }
}

fn trend(cx: Cx<'_>, classes: &[&crate::console::fleet::ClassTrend], slots: Option<u64>) -> String {
    let mut points: Vec<Option<u64>> = Vec::new();
    for class in classes {
        let own: Vec<Option<u64>> = class.newest(POINTS).collect();
        if points.is_empty() {
            points = own;
        } else {
            // A class that came later has fewer points.
            let more = own.len().saturating_sub(points.len());
            let fewer = points.len().saturating_sub(own.len());
            let own = std::iter::repeat_n(None, fewer).chain(own);
            points = std::iter::repeat_n(None, more).chain(points).zip(own).map(|(a, b)| Some(a? + b?)).collect();
        }
    }
    let most = slots.max(points.iter().flatten().copied().max()).unwrap_or(0).max(1) as f64;
    let step = |point: &Option<u64>| point.map_or(" ", |n| Glyphs::step(cx.look.glyphs.spark, n as f64 / most));
    let blank = " ".repeat(POINTS.saturating_sub(points.len()));
    blank + &points.iter().map(step).collect::<String>()
}

fn pods_note(of: &Sums) -> Option<String> {
    (of.pending > 0).then(|| {
        let oldest = of.pending_oldest.map_or(String::new(), |age| format!(", oldest {}", short(age)));
        format!("{} pending{oldest}", plural(of.pending, "pod"))
    })
}

fn group_note(cx: Cx<'_>, row: &GroupRow) -> (String, Role) {
    let mut notes = Vec::new();
    let mut role = Role::TextDim;
    if row.sums.saturation().is_some_and(|part| part >= 0.95) {
        notes.push("at max".to_owned());
        role = Role::StateWarn;
    }
    if row.outliers > 0 {
        notes.push(plural(row.outliers as u64, "outlier"));
        role = Role::StateFail;
    }
    let (objects, now) = (&cx.world.fleet.objects, cx.server_now());
    let nodes = row.runners.iter().flat_map(|runner| &runner.nodes).filter_map(|node| objects.node(&node.name));
    let sick: std::collections::BTreeSet<&str> =
        nodes.filter(|node| node_state(node, now) == JobState::Fail).map(|node| &*node.name).collect();
    if !sick.is_empty() {
        notes.push(plural(sick.len() as u64, "sick node"));
        role = Role::StateFail;
    }
    if let Some(queued) = row.sums.queued.filter(|queued| *queued > 0) {
        notes.push(format!("{queued} waiting"));
    }
    notes.extend(pods_note(&row.sums));
    if notes.is_empty() { ("-".to_owned(), Role::TextDim) } else { (notes.join(", "), role) }
}

fn runner_note(cx: Cx<'_>, row: &RunnerRow) -> (String, Role) {
    let known = row.id.and_then(|id| cx.world.fleet.objects.runner(id));
    let mut notes = Vec::new();
    let mut role = Role::TextDim;
    if let Some(outlier) = &row.outlier {
        notes.push(format!("fails {:.0} %, others {:.0} %", outlier.rate * 100.0, outlier.median * 100.0));
        role = Role::StateFail;
    }
    match known {
        Some(runner) if runner.is_paused == Some(true) => {
            notes.push("paused".to_owned());
            role = Role::StateWarn;
        }
        Some(runner) if runner.is_at_work() == Some(false) => {
            notes.push(runner.status.word().to_owned());
            role = Role::StateWarn;
        }
        Some(_) => {}
        None if cx.world.fleet.objects.knows_runners() && !row.name.is_empty() => {
            notes.push("not in GitLab's list".to_owned());
        }
        None => {}
    }
    notes.extend(pods_note(&row.sums));
    let ends = ends(cx, |seat| seat.runner == row.name);
    if !ends.is_empty() {
        notes.push(format!("last {ends}"));
    }
    if notes.is_empty() { ("-".to_owned(), Role::TextDim) } else { (notes.join("  "), role) }
}

/// `✓✓✗`: how the last jobs ended there, the newest last.
fn ends(cx: Cx<'_>, is_there: impl Fn(&crate::console::fleet::Seat) -> bool) -> String {
    let glyph = |is_good: bool| cx.look.glyphs.state(if is_good { JobState::Ok } else { JobState::Fail });
    let newest = cx.world.fleet.outcomes.newest().filter(|outcome| is_there(&outcome.seat));
    let mut ends: Vec<&str> = newest.take(ENDS).map(|outcome| glyph(outcome.is_good)).collect();
    ends.reverse();
    ends.concat()
}

fn node_cells<'a>(
    cx: Cx<'a>,
    fold: &str,
    name: &str,
    node: Option<&'a Node>,
    row: Option<&NodeRow>,
    state: Option<JobState>,
) -> Vec<Cell<'a>> {
    let objects = &cx.world.fleet.objects;
    let (now, glyphs) = (cx.server_now(), cx.look.glyphs);
    let glyph = glyphs.state(state.unwrap_or(JobState::Unknown));
    let role = match state {
        Some(JobState::Ok) | None => Role::Text,
        Some(state) => Role::of(state),
    };
    let jobs = row.map(|row| {
        row.pods.iter().filter(|uid| objects.pod(uid).is_some_and(|pod| pod.phase == Phase::Running)).count()
    });
    let mut note = Vec::new();
    let mut note_role = Role::TextDim;
    if let Some(outlier) = row.and_then(|row| row.outlier.as_ref()) {
        note.push(format!("fails {:.0} %, others {:.0} %", outlier.rate * 100.0, outlier.median * 100.0));
        note_role = Role::StateFail;
    }
    let price = node.map(|node| price_of(objects, node));
    match node {
        None => note.push("not in the list of nodes".to_owned()),
        Some(node) => {
            let troubles = node.troubles(now);
            if let Some(trouble) = troubles.first() {
                note.push(trouble.to_string());
                note_role = role;
            }
            note.extend([node.instance_type(), node.zone()].into_iter().flatten().map(ToString::to_string));
        }
    }
    if row.is_some() {
        let ends = ends(cx, |seat| seat.node.as_deref() == Some(name));
        if !ends.is_empty() {
            note.push(format!("last {ends}"));
        }
    }
    let dash = || Cell::new("-", Role::TextDim);
    let spot = node
        .and_then(Node::capacity_type)
        .map_or_else(|| "?".to_owned(), |kind| if &**kind == "spot" { "spot" } else { "-" }.to_owned());
    let cost = price.as_ref().and_then(|price| price.found().copied());
    let age = node.and_then(|node| node.created).map(|at| now.since(at));
    vec![
        Cell::new(format!("{fold}{glyph} {name}"), role),
        Cell::new(jobs.map_or_else(|| "0".to_owned(), |jobs| jobs.to_string()), Role::Text),
        dash(),
        dash(),
        dash(),
        Cell::new(or(age, short), Role::TextDim),
        Cell::new(spot, Role::TextDim),
        Cell::new(or(cost, |cost| format!("{:.2}", cost.amount())), Role::Text),
        dash(),
        Cell::new("", Role::Text),
        Cell::new(note.join("  "), note_role),
    ]
}

fn pod_cells<'a>(cx: Cx<'a>, pod: &'a Pod, state: JobState) -> Vec<Cell<'a>> {
    let facts = &cx.world.fleet;
    let now = cx.server_now();
    let glyph = cx.look.glyphs.state(state);
    let says = &pod.says;
    let name = match (&says.package, &says.version, &says.job_name) {
        (Some(package), Some(version), _) => format!("{}@{version}", package.value),
        (Some(package), None, _) => package.value.to_string(),
        (None, _, Some(name)) => name.to_string(),
        (None, ..) => pod.name.to_string(),
    };
    let stack = says.stack.as_ref().map(|said| &*said.value);
    let pending =
        (pod.phase == Phase::Pending).then(|| Pending::of(&facts.objects, pod, &facts.rules.thresholds, now)).flatten();
    let (note, role) = match &pending {
        Some(pending) => {
            let left = pending.countdown.map_or(String::new(), |countdown| format!("{}: ", countdown.text(now)));
            (format!("{left}{}", pending.words), Role::of(state))
        }
        None => {
            let told = PodState::of(pod, now).to_string();
            let over = pod.overrun(now).map_or(String::new(), |over| format!(", {} over its timeout", precise(over)));
            let role = if over.is_empty() && state == JobState::Run { Role::TextDim } else { Role::of(state) };
            (format!("{told}{over}{}", stack.map_or(String::new(), |stack| format!("  {stack}"))), role)
        }
    };
    let ran: Option<Duration> = pod.run_time(now).or_else(|| pod.created.map(|at| now.since(at)));
    let charge = facts.ledger.charge(&pod.uid).and_then(|charge| charge.cost.clone().ok());
    let dash = || Cell::new("-", Role::TextDim);
    let job = says.job.map_or_else(|| "?".to_owned(), |job| job.to_string());
    vec![
        Cell::new(format!("      {glyph} {name}"), if state == JobState::Run { Role::Text } else { Role::of(state) }),
        Cell::new(job, Role::TextDim),
        dash(),
        dash(),
        dash(),
        Cell::new(or(ran, short), Role::Text),
        dash(),
        Cell::new(or(charge, |cost| format!("{:.2}", cost.amount())), Role::TextDim),
        dash(),
        Cell::new("", Role::Text),
        Cell::new(note, role),
    ]
}
