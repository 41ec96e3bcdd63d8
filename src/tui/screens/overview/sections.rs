//! The lines below the causes: queue, runners, pipelines, reads, actions. Each says what is known and leads to the screen that knows more.

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::layout::Rect;

use crate::cache::Severity;
use crate::ci::{JobKind, Status, Timestamp, short};
use crate::console::caches::{self, Caches, MirrorRow};
use crate::console::fleet::{System, node_state};
use crate::console::fresh::{Completeness, Freshness};
use crate::console::state::JobState;
use crate::console::text::{plural, size};
use crate::fleet::{Dollars, Host, Hourly, Kind, Phase, hourly};
use crate::tui::screen::{Cx, Place};
use crate::tui::screens::caches::{growth, index, progress};
use crate::tui::screens::state_of;
use crate::tui::theme::Role;
use crate::tui::widgets::Pen;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Queue,
    Runners,
    Pipelines,
    Caches,
    Reads,
    Duty,
}

impl Section {
    pub const ALL: [Self; 6] = [Self::Queue, Self::Runners, Self::Pipelines, Self::Caches, Self::Reads, Self::Duty];

    fn title(self, has_fleet: bool) -> &'static str {
        match self {
            Self::Queue => "QUEUE",
            Self::Runners if has_fleet => "FLEET",
            Self::Runners => "RUNNERS",
            Self::Pipelines => "PIPELINES",
            Self::Caches => "CACHE",
            Self::Reads => "READS",
            Self::Duty => "DUTY",
        }
    }

    /// The screen that knows more.
    pub fn place(self, cx: Cx<'_>) -> Place {
        match self {
            Self::Runners if has_fleet(cx) => Place::Fleet { job: None, filter: String::new() },
            Self::Queue => Place::Jobs { pipeline: None, filter: "state:pending".to_owned() },
            Self::Runners => Place::Jobs { pipeline: None, filter: "state:running".to_owned() },
            Self::Pipelines => Place::Pipelines,
            Self::Caches => Place::Caches { root: None },
            Self::Reads => Place::Messages,
            Self::Duty => Place::Audit,
        }
    }
}

/// What the line about binary caches tells, worked out when the world moved.
#[derive(Debug, Default)]
pub struct Mirrors {
    /// The mirror that matters most: develop, or else the worst.
    first: Option<MirrorRow>,
    /// Others with something bad in them.
    bad: usize,
}

impl Mirrors {
    /// Looks at the caches as they are known now.
    pub fn of(caches: &Caches) -> Self {
        let mut rows = caches::rows(caches);
        let develop = rows.iter().position(|row| &*row.name == "develop").unwrap_or(0);
        let first = (develop < rows.len()).then(|| rows.remove(develop));
        Self { first, bad: rows.iter().filter(|row| row.state == Some(Severity::Bad)).count() }
    }

    fn line(&self, cx: Cx<'_>) -> String {
        let caches = &cx.world.caches;
        let listing = caches.listing.map_or(String::new(), |listing| format!("   {}", progress(cx, listing)));
        let Some(row) = &self.first else {
            return match (caches.mirrors.is_empty(), &caches.roots.error, caches.roots.completeness) {
                (true, ..) => "no mirror is configured (cache.mirrors)".to_owned(),
                _ if !listing.is_empty() => listing.trim_start().to_owned(),
                (false, Some(_), _) => "? the mirrors could not be listed".to_owned(),
                (false, None, Completeness::Unknown) => "? never listed".to_owned(),
                (false, None, _) => "no binary cache lies below the mirrors".to_owned(),
            };
        };
        let (age, _) = index(cx, row.index, row.has_index(), row.index_state());
        let age = age.replacen(' ', if row.index.is_some() { " ago " } else { " " }, 1);
        let is_part = if caches.roots.completeness == Completeness::Partial { cx.look.glyphs.at_least } else { "" };
        let fault = if caches.roots.error.is_some() { "   last listing failed" } else { "" };
        let bad = match self.bad {
            0 => String::new(),
            n => format!("   {} {}", cx.look.glyphs.state(JobState::Fail), plural(n as u64, "other mirror")),
        };
        let sampled = row.roots.iter().map(|root| root.at).min().map(|at| cx.server_now().since(at));
        let old =
            sampled.filter(|age| *age > OLD).map_or(String::new(), |age| format!("   sizes of {} ago", short(age)));
        let size = size(row.total.bytes);
        format!("{} {is_part}{size}  {}/d  index {age}{bad}{old}{listing}{fault}", row.name, growth(row.growth))
    }
}

/// Whether a cluster is configured: then the fleet is told, and not only what jobs say of runners.
fn has_fleet(cx: Cx<'_>) -> bool {
    cx.world.fleet.is_configured(System::Kubernetes)
}

/// What the line about the fleet tells, worked out when the world moved.
#[derive(Debug)]
pub struct FleetLine {
    slots: Option<u64>,
    pending_since: Option<Timestamp>,
    sick: usize,
    /// Nodes that were closed from here a while ago and still are: how many, and for how long the first.
    forgotten: Option<(usize, Duration)>,
    cost: Option<Dollars>,
    is_cost_part: bool,
}

impl FleetLine {
    /// Looks at the fleet as it is known now; `None` where no cluster is configured.
    pub fn of(cx: Cx<'_>) -> Option<Self> {
        if !has_fleet(cx) {
            return None;
        }
        let objects = &cx.world.fleet.objects;
        let classes = cx.world.runner_classes();
        let mut slots = classes.iter().filter(|class| class.host == Host::Cluster).map(|class| class.slots);
        let pending = objects.job_pods().filter(|pod| pod.phase == Phase::Pending);
        let sums: Vec<Hourly> = hourly(objects).into_values().collect();
        let known = sums.iter().any(|sum| sum.unpriced < sum.nodes);
        Some(Self {
            slots: slots.try_fold(0, |sum: u64, slots| Some(sum + slots?)).filter(|slots| *slots > 0),
            pending_since: pending.filter_map(|pod| pod.created).min(),
            sick: objects.nodes().filter(|node| node_state(node, cx.server_now()) == JobState::Fail).count(),
            forgotten: forgotten(cx),
            cost: known.then(|| sums.iter().fold(Dollars::ZERO, |all, sum| all.plus(sum.known))),
            is_cost_part: sums.iter().any(|sum| sum.unpriced > 0),
        })
    }

    fn line(&self, cx: Cx<'_>) -> String {
        let fleet = &cx.world.fleet;
        let knows = |kind| fleet.objects.knows(kind);
        let glyphs = cx.look.glyphs;
        let slots = self.slots.map_or_else(|| "?".to_owned(), |slots| slots.to_string());
        let mut parts = Vec::new();
        if knows(Kind::Pod) {
            let oldest = self.pending_since.map(|at| format!(", oldest {}", short(cx.server_now().since(at))));
            parts.push(format!("busy {}/{slots}", fleet.counts.busy));
            parts.push(format!("pending {}{}", fleet.counts.pending, oldest.unwrap_or_default()));
        } else {
            parts.push(format!("busy ?/{slots}  pending ?"));
        }
        parts.push(match (knows(Kind::Node), self.sick) {
            (false, _) => "nodes ?".to_owned(),
            (true, 0) => "no sick node".to_owned(),
            (true, sick) => format!("{} {}", glyphs.state(JobState::Fail), plural(sick as u64, "sick node")),
        });
        if let Some((nodes, longest)) = self.forgotten {
            parts.push(format!("{} closed here for {}", plural(nodes as u64, "node"), short(longest)));
        }
        if knows(Kind::Event) {
            let hour_ago = cx.server_now().shifted(-3_600_000);
            parts.push(format!("reclaims {}/h", fleet.interruptions.reclaims_since(hour_ago)));
        }
        let part = if self.is_cost_part { glyphs.at_least } else { "" };
        parts.push(self.cost.map_or_else(|| "$?/h".to_owned(), |cost| format!("{part}${:.1}/h", cost.amount())));
        if let Some(Freshness::Stale(age)) = state_of(cx, System::Kubernetes) {
            parts.push(format!("STALE {}", short(age)));
        }
        parts.join("  ")
    }
}

/// A node that was closed is meant to be opened again: after this, it is said.
const CLOSED: Duration = Duration::from_hours(2);

fn forgotten(cx: Cx<'_>) -> Option<(usize, Duration)> {
    let closed: Vec<Duration> = cx.world.our_cordons(cx.now).into_iter().map(|(_, age)| age).collect();
    let longest = closed.iter().max().copied().filter(|longest| *longest >= CLOSED)?;
    Some((closed.len(), longest))
}

/// Sizes that are older say so.
const OLD: Duration = Duration::from_hours(24);

/// Draws the sections, one line each.
pub fn draw(
    cx: Cx<'_>,
    area: Rect,
    pen: &mut Pen<'_>,
    chosen: Option<Section>,
    mirrors: &Mirrors,
    fleet: Option<&FleetLine>,
) {
    for (section, y) in Section::ALL.into_iter().zip(area.y..area.bottom()) {
        let line = Rect::new(area.x, y, area.width, 1);
        if chosen == Some(section) {
            pen.glyph(line.x, y, cx.look.glyphs.cursor, Role::BorderFocus);
        }
        pen.put(line.x + 2, y, 10, section.title(has_fleet(cx)), Role::Title);
        let text = match section {
            Section::Queue => queue(cx),
            Section::Runners => fleet.map_or_else(|| runners(cx), |fleet| fleet.line(cx)),
            Section::Pipelines => pipelines(cx),
            Section::Caches => mirrors.line(cx),
            Section::Reads => reads(cx),
            Section::Duty => duty(cx),
        };
        pen.put(line.x + 13, y, line.width.saturating_sub(13), &text, Role::Text);
    }
}

/// What an empty list of causes means.
pub fn calm(cx: Cx<'_>) -> (String, Option<(&'static str, &'static str)>) {
    let pipelines = &cx.world.pipelines;
    match (pipelines.completeness, pipelines.error.is_some()) {
        (Completeness::Unknown, true) => ("nothing is known yet: GitLab could not be read".to_owned(), None),
        (Completeness::Unknown, false) => ("reading the pipelines…".to_owned(), None),
        (_, true) => {
            ("no failures were known when GitLab was last read".to_owned(), Some(("g m", "shows what was said")))
        }
        (_, false) => {
            let followed = cx.world.parents().take(cx.world.polling.rules.followed);
            let unread = followed
                .filter(|f| f.pipeline.status == Status::Failed && f.jobs.completeness == Completeness::Unknown)
                .count();
            if unread > 0 {
                (format!("{unread} failed pipelines are being read…"), None)
            } else {
                ("no failed job in the pipelines that are followed".to_owned(), Some(("2", "shows them")))
            }
        }
    }
}

fn queue(cx: Cx<'_>) -> String {
    let server_now = cx.server_now();
    let mut waits: Vec<Duration> = Vec::new();
    let mut tags: BTreeMap<&str, usize> = BTreeMap::new();
    for job in cx.world.jobs().filter(|j| j.status == Status::Pending) {
        waits.extend(job.wait_time(server_now));
        // The most telling tag: the last one that is no size and no switch.
        let told = job.tags.iter().find(|t| !matches!(&***t, "spack" | "public" | "protected" | "aws"));
        *tags.entry(told.map_or("other", |t| t)).or_insert(0) += 1;
    }
    waits.sort_unstable();
    let waiting = cx.world.jobs_known().count(cx.world.counts().get(JobState::Wait));
    let Some(oldest) = waits.last() else { return format!("{} {waiting}", cx.look.glyphs.state(JobState::Wait)) };
    let at =
        |part: usize| waits.get((waits.len() * part / 100).min(waits.len() - 1)).map_or("?".to_owned(), |d| short(*d));
    let mut by_count: Vec<_> = tags.into_iter().collect();
    by_count.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let tags: Vec<String> = by_count.into_iter().take(4).map(|(tag, n)| format!("{tag} {n}")).collect();
    format!(
        "{} {waiting}  oldest {}  p50 {}  p95 {}   {}",
        cx.look.glyphs.state(JobState::Wait),
        short(*oldest),
        at(50),
        at(95),
        tags.join("  ")
    )
}

fn runners(cx: Cx<'_>) -> String {
    let mut classes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut unknown = 0;
    for job in cx.world.jobs().filter(|j| j.kind == JobKind::Build) {
        match (&job.runner, job.status) {
            (Some(runner), Status::Running) => classes.entry(runner.class().to_owned()).or_default().0 += 1,
            (Some(runner), Status::Failed) => classes.entry(runner.class().to_owned()).or_default().1 += 1,
            (None, Status::Running) => unknown += 1,
            _ => {}
        }
    }
    let running = cx.world.jobs_known().count(cx.world.counts().get(JobState::Run));
    let mut by_count: Vec<_> = classes.into_iter().collect();
    by_count.sort_by(|a, b| (b.1.0 + b.1.1).cmp(&(a.1.0 + a.1.1)).then_with(|| a.0.cmp(&b.0)));
    let mut parts: Vec<String> = by_count
        .into_iter()
        .take(4)
        .map(|(class, (busy, failed))| match failed {
            0 => format!("{class} {busy}"),
            n => format!("{class} {busy} ({n}{})", cx.look.glyphs.state(JobState::Fail)),
        })
        .collect();
    if unknown > 0 {
        parts.push(format!("runner not read {unknown}"));
    }
    format!("{} {running}   {}", cx.look.glyphs.state(JobState::Run), parts.join("  "))
}

fn pipelines(cx: Cx<'_>) -> String {
    let count = |wanted: fn(Status) -> bool| cx.world.parents().filter(|f| wanted(f.pipeline.status)).count();
    let pipelines = &cx.world.pipelines;
    let blocked: usize = cx.world.parents().map(|f| cx.world.blocked(f.pipeline.id)).sum();
    let blocked = cx.world.graphs_known().count(blocked);
    format!(
        "running {}  failed {}  ok {}   {blocked} jobs wait for failed ones",
        pipelines.count(count(Status::is_alive)),
        pipelines.count(count(|s| s == Status::Failed)),
        pipelines.count(count(|s| s == Status::Success)),
    )
}

fn reads(cx: Cx<'_>) -> String {
    let server = cx.world.server;
    let followed = cx.world.followed(cx.world.polling.rules.followed);
    let (mut whole, mut all) = (0, 0);
    for facts in followed.filter(|f| f.pipeline.status.is_alive() || f.pipeline.status == Status::Failed) {
        all += 1;
        whole += usize::from(facts.jobs.completeness == Completeness::Whole);
    }
    let limited =
        server.limited_until.map_or(String::new(), |until| format!("   rate limit for {}", short(until.since(cx.now))));
    format!("{whole}/{all} pipelines read whole   {} requests{limited}", server.requests)
}

fn duty(cx: Cx<'_>) -> String {
    let actions = &cx.world.actions;
    let held = actions.held().len();
    let running = actions.running().count();
    let mode = cx.world.read_only(cx.now).unwrap_or_else(|| "read-write".to_owned());
    format!(
        "{mode}   {held} held  {running} being sent  {} sent  {} skipped",
        actions.sent_total, actions.skipped_total
    )
}
