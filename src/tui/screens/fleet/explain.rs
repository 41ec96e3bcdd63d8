//! Why a row of the fleet is as it is: what `e` says. Every gap has a name, every number its reason.

use std::sync::Arc;

use super::rows::runner as runner_row;
use crate::ci::{precise, short};
use crate::console::fleet::{Sums, Tree, architecture};
use crate::console::text::plural;
use crate::fleet::{
    Alive, Evidence, Fleet, JobEvidence, Link, Liveness, Load, Node, Pending, Phase, Place, Pod, PodState, Uid,
    claim_of, pool_of, price_of,
};
use crate::tui::screen::{Cx, FleetId};
use crate::tui::screens::told::{BOX, Lines, line, title, wrapped};
use crate::tui::theme::Role;

/// Events of an object that are told.
const EVENTS: usize = 6;

/// Everything about one row, told anew.
pub fn explain(cx: Cx<'_>, id: &FleetId) -> Lines {
    let objects = &cx.world.fleet.objects;
    let lines = match id {
        FleetId::Group(name) => group(cx, name),
        FleetId::Runner(name) => runner(cx, name),
        FleetId::Node(_, name) | FleetId::IdleNode(name) => node(cx, name),
        FleetId::Pod(uid) => match objects.pod(uid) {
            Some(pod) => self::pod(cx, pod),
            None => gone(uid),
        },
        FleetId::Idle => idle(cx),
    };
    wrapped(lines, BOX)
}

fn gone(uid: &Uid) -> Lines {
    vec![title("this pod is gone"), line(format!("uid {}", uid.0))]
}

fn or<T>(known: Option<T>, show: impl FnOnce(T) -> String) -> String {
    known.map_or_else(|| "?".to_owned(), show)
}

fn group(cx: Cx<'_>, name: &str) -> Lines {
    let tree = Tree::of(cx.world, cx.now);
    let Some(row) = tree.groups.iter().find(|group| &*group.name == name) else {
        return vec![title(format!("{name} is gone"))];
    };
    let mut lines = vec![title(name)];
    let classes: Vec<&str> = row.classes.iter().map(|class| &**class).collect();
    lines.push(line(format!("classes: {}", classes.join(", "))));
    lines.extend(load(&row.sums));
    if row.sums.slots.is_none() {
        lines.push(line(
            "slots are not known: no metric of the runners is scraped, and kubernetes.slots does not name every class",
        ));
    }
    if row.sums.queued.is_none() {
        lines.push(line("who waits for it is not known: no runner told its tags, or no jobs were read"));
    }
    let classes = cx.world.runner_classes();
    for class in classes.iter().filter(|class| *architecture(class, &cx.world.fleet.rules.hosts) == *name) {
        let at_work = or(class.at_work, |count| count.to_string());
        let paused = if class.paused > 0 { format!(", {} paused", class.paused) } else { String::new() };
        lines.push(line(format!(
            "  {}: {at_work} of {} at work{paused}; {} of {} slots",
            class.name,
            plural(class.runners.len() as u64, "runner"),
            or(class.running, |running| running.to_string()),
            or(class.slots, |slots| slots.to_string()),
        )));
    }
    lines
}

fn load(sums: &Sums) -> Lines {
    let mut lines = Vec::new();
    let part = if sums.is_part { "at least " } else { "" };
    let (busy, slots) = (or(sums.busy, |busy| busy.to_string()), or(sums.slots, |slots| slots.to_string()));
    lines.push(line(format!("{part}{busy} jobs run of {slots} slots")));
    if let Some(queued) = sums.queued {
        let oldest = sums.oldest.map_or_else(String::new, |oldest| format!(", the oldest for {}", precise(oldest)));
        lines.push(line(format!("{queued} wait for it{oldest}")));
    }
    if sums.pending > 0 {
        let oldest = or(sums.pending_oldest, precise);
        lines.push(line(format!(
            "{} taken by a runner and not started, the oldest for {oldest}",
            plural(sums.pending, "pod")
        )));
    }
    lines.push(line(match sums.fail_rate() {
        Some(rate) => format!(
            "{} of {} jobs that were seen running failed in 6 h ({:.1} %)",
            sums.failed,
            sums.ended,
            rate * 100.0
        ),
        None => "no job that was seen running on it ended in 6 h".to_owned(),
    }));
    if let Some(cost) = sums.cost {
        let part = if sums.is_cost_part { "at least " } else { "" };
        lines.push(line(format!(
            "{part}{cost} an hour: its part of the nodes that its jobs stand on, by the number of jobs"
        )));
    } else if sums.nodes > 0 {
        lines.push(line("what it costs is not known: no price of its machines is known"));
    }
    lines
}

fn runner(cx: Cx<'_>, name: &str) -> Lines {
    let facts = &cx.world.fleet;
    let tree = Tree::of(cx.world, cx.now);
    let mut lines = vec![title(if name.is_empty() { "pods that name no runner" } else { name })];
    if let Some(row) = runner_row(&tree, name) {
        lines.extend(load(&row.sums));
        if let Some(outlier) = &row.outlier {
            lines.push((
                format!(
                    "an outlier: {} of {} failed, where {:.0} % do in its class; by chance that is seen once in {:.0} looks",
                    outlier.tally.failed,
                    outlier.tally.ended,
                    outlier.median * 100.0,
                    1.0 / outlier.chance.max(1e-9),
                ),
                Role::StateFail,
            ));
        }
    }
    let Some(runner) = facts.objects.runner_named(name) else {
        lines.push(line(if facts.objects.knows_runners() {
            "GitLab's list of runners does not have it"
        } else {
            "GitLab's list of runners was not read yet"
        }));
        return lines;
    };
    let evidence = cx.world.job_evidence().get(&runner.id).copied().unwrap_or_default();
    lines.push(line(alive(cx, runner, evidence)));
    let paused = match runner.is_paused {
        Some(true) => ", paused",
        Some(false) => "",
        None => ", paused or not is not known",
    };
    lines.push(line(format!(
        "GitLab says {}{paused}; it may say online two hours after the last sign of life",
        runner.status.word()
    )));
    if let Some(tags) = &runner.tags {
        lines.push(line(format!("tags: {}", tags.iter().map(|tag| &**tag).collect::<Vec<_>>().join(", "))));
    } else {
        lines.push(line("its tags are not known: the token may not read details of runners"));
    }
    let told = [("version", &runner.version), ("platform", &runner.platform), ("architecture", &runner.architecture)];
    for (what, text) in told.into_iter().filter_map(|(what, text)| Some((what, text.as_ref()?))) {
        lines.push(line(format!("{what} {text}")));
    }
    if let Some(note) = &runner.note {
        lines.push(line(format!("note: {note}")));
    }
    lines
}

fn alive(cx: Cx<'_>, runner: &crate::fleet::Runner, evidence: JobEvidence) -> String {
    let rules = &cx.world.fleet.rules;
    let judged =
        Liveness::of(&cx.world.fleet.objects, runner, evidence, &rules.hosts, &rules.thresholds, cx.server_now());
    let alive = match judged.alive {
        Alive::Yes => "it lives",
        Alive::Doubtful => "it may be dead",
        Alive::No => "it is dead",
        Alive::Unknown => "whether it lives is not known",
    };
    let why = match judged.evidence {
        Evidence::JobRunning => "a job runs on it".to_owned(),
        Evidence::JobEnded(age) => format!("a job ended on it {} ago", short(age)),
        Evidence::ManagerPod { is_ready: true } => "the pod of its manager is ready".to_owned(),
        Evidence::ManagerPod { is_ready: false } => "the pod of its manager is not ready".to_owned(),
        Evidence::NoManagerPod => "no pod of its name is in the cluster".to_owned(),
        Evidence::Contacted(age) => {
            format!("it contacted GitLab {} ago, which is written up to 55 min late", short(age))
        }
        Evidence::NeverContacted => "it never contacted GitLab".to_owned(),
        Evidence::None => "nothing tells".to_owned(),
    };
    format!("{alive}: {why}")
}

fn node(cx: Cx<'_>, name: &Arc<str>) -> Lines {
    let objects = &cx.world.fleet.objects;
    let now = cx.server_now();
    let Some(node) = objects.node(name) else {
        return vec![title(name), line("it is not in the cluster any more, or nodes are not known")];
    };
    let mut lines = vec![title(name)];
    let troubles = node.troubles(now);
    for trouble in &troubles {
        lines.push((trouble.to_string(), Role::StateFail));
    }
    if troubles.is_empty() {
        lines.push(line("ready for pods"));
    }
    let word = |word: Option<&Arc<str>>| word.map_or("?".to_owned(), ToString::to_string);
    lines.push(line(format!(
        "{} {} in {}, {} old",
        word(node.capacity_type()),
        word(node.instance_type()),
        word(node.zone()),
        or(node.created.map(|at| now.since(at)), short),
    )));
    lines.push(line(match price_of(objects, node) {
        Link::Found(price) | Link::Inexact(price) => format!("{price} an hour"),
        Link::Missing(gap) => format!("what it costs is not known: {gap}"),
    }));
    lines.extend(carries(objects, node));
    lines.push(line(match claim_of(objects, node) {
        Link::Found(claim) | Link::Inexact(claim) => format!("claim {}: {}", claim.name, claim.state(now)),
        Link::Missing(gap) => format!("claim: {gap}"),
    }));
    lines.push(line(match pool_of(objects, node) {
        Link::Found(pool) | Link::Inexact(pool) => {
            let share = pool
                .share()
                .map_or_else(String::new, |(what, share)| format!(", {:.0} % of its {what} limit", share * 100.0));
            format!("pool {}{share}", pool.name)
        }
        Link::Missing(gap) => format!("pool: {gap}"),
    }));
    let taken = cx.world.fleet.interruptions.timeline().find(|seen| seen.node.as_ref() == Some(name));
    if let Some(taken) = taken {
        let (lost, unknown) = taken.lost();
        let more =
            if unknown > 0 { format!(" and {} of unknown cost", plural(unknown as u64, "job")) } else { String::new() };
        lines.push((
            format!(
                "{:?} {} ago, {} hit, lost {lost}{more}",
                taken.kind,
                short(now.since(taken.at)),
                plural(taken.hits.len() as u64, "job")
            ),
            Role::StateWarn,
        ));
    }
    lines
}

/// What a node carries, and why it may be idle.
fn carries(fleet: &Fleet, node: &Node) -> Lines {
    if !fleet.knows(crate::fleet::Kind::Pod) {
        return vec![line("what it carries is not known: pods were not listed")];
    }
    let load = Load::of(fleet, node);
    let least = if load.is_whole { "" } else { "at least " };
    let share = |share: Option<f64>| or(share, |share| format!("{:.0} %", share * 100.0));
    let mut lines = vec![line(format!(
        "{} on it, {}; {least}{} of its CPU and {} of its memory are asked for",
        plural(load.jobs as u64, "job"),
        plural(load.builds as u64, "script"),
        share(load.cpu_share()),
        share(load.memory_share()),
    ))];
    if load.jobs == 0 {
        let why = fleet.claim_of(node).map_or("no claim says what becomes of it", |claim| {
            if claim.is_consolidatable() {
                "nothing needs it, and Karpenter takes it away soon"
            } else {
                "Karpenter has not called it empty yet"
            }
        });
        lines.push(line(format!("it is idle: {why}")));
    }
    lines
}

fn pod(cx: Cx<'_>, pod: &Pod) -> Lines {
    let facts = &cx.world.fleet;
    let (objects, now) = (&facts.objects, cx.server_now());
    let mut lines = vec![title(&pod.name)];
    lines.push(line(format!("{}, {} old", PodState::of(pod, now), or(pod.created.map(|at| now.since(at)), precise))));
    if pod.phase == Phase::Pending
        && let Some(pending) = Pending::of(objects, pod, &facts.rules.thresholds, now)
    {
        let class = pending.class.word().replace('_', " ");
        lines.push((format!("pending ({class}): {}", pending.words), Role::StateWarn));
        lines.push(line(match pending.countdown {
            Some(countdown) => format!("its runner waits {} in all: {}", precise(countdown.limit), countdown.text(now)),
            None => "how long its runner still waits is not known: the pod has no age".to_owned(),
        }));
        if let Some(raw) = &pending.raw {
            lines.push((format!("the cluster says: {}", crate::console::text::clean(raw)), Role::TextDim));
        }
    }
    if let Some(over) = pod.overrun(now) {
        lines.push((format!("its script runs {} longer than its job may", precise(over)), Role::StateFail));
    }
    lines.push((String::new(), Role::Text));
    lines.extend(place(&facts.place_of_pod(pod)));
    lines.push(line(match facts.ledger.charge(&pod.uid).map(|charge| (&charge.cost, charge.by_share)) {
        Some((Ok(cost), share)) => {
            let share = share.map_or(String::new(), |share| format!("; by its share of the requested CPU {share}"));
            format!("cost so far {cost}: seconds × its part of the node × price{share}")
        }
        Some((Err(why), _)) => format!("what it costs is not known: {why}"),
        None => "what it costs is not known: it was not looked at yet".to_owned(),
    }));
    let events = objects.events_of_pod(pod);
    if !events.is_empty() {
        lines.push((String::new(), Role::Text));
    }
    for event in events.into_iter().take(EVENTS) {
        lines.push(line(format!(
            "{} ago {}: {} {}",
            short(now.since(event.at)),
            event.from,
            event.reason,
            event.message
        )));
    }
    lines
}

/// The chain that a job stands on; a link that is missing says why.
fn place(place: &Place<'_>) -> Lines {
    let told = [
        ("job", named(&place.job, ToString::to_string)),
        ("spec", named(&place.spec, |spec| format!("{}/{}", spec.package, spec.hash))),
        ("runner", named(&place.runner, |runner| runner.description.to_string())),
        ("node", named(&place.node, |node| node.name.to_string())),
        ("claim", named(&place.claim, |claim| claim.name.to_string())),
        ("pool", named(&place.pool, |pool| pool.name.to_string())),
        ("price", named(&place.price, |price| format!("{price} an hour"))),
    ];
    told.into_iter()
        .map(|(what, (text, role))| (format!("{what:<7}{}", crate::console::text::clean(&text)), role))
        .collect()
}

fn named<T>(link: &Link<T>, show: impl Fn(&T) -> String) -> (String, Role) {
    match link {
        Link::Found(found) => (show(found), Role::Text),
        Link::Inexact(found) => (format!("{} (by a name that may be cut, or a promise)", show(found)), Role::Text),
        Link::Missing(gap) => (format!("- {gap}"), Role::TextDim),
    }
}

fn idle(cx: Cx<'_>) -> Lines {
    let tree = Tree::of(cx.world, cx.now);
    let count = tree.idle.as_ref().map_or(0, Vec::len);
    let mut lines = vec![title(format!("{} without jobs", plural(count as u64, "node")))];
    lines.push(line(match tree.idle_cost {
        Some(cost) => format!("{cost} an hour, of the prices that are known"),
        None => "what they cost is not known".to_owned(),
    }));
    lines.push(line(
        "service nodes are among them; nodes for jobs go when Karpenter has seen them empty for the time of their pool",
    ));
    lines
}
