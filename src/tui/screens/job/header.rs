//! What the job is: title, cause and place, and what it needs.

use ratatui::layout::Rect;

use crate::ci::{Job, JobId, SpecName, precise};
use crate::console::fresh::Freshness;
use crate::console::log::LogState;
use crate::console::state::JobState;
use crate::console::text;
use crate::console::world::{LogFacts, PipelineFacts};
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Panel, Pen};

/// Narrower or lower than this there is one line instead of two.
const WIDE: u16 = 100;
const HIGH: u16 = 18;
/// Lower than this there is no frame.
const FRAMED: u16 = 16;
/// Columns that corners and the state of the log take from the title.
const STATE: usize = 16;
/// Parts of the title that are never left out: id, name, state.
const NEEDED: usize = 3;

/// The frame and header of one job.
pub(super) struct JobHeader<'a> {
    cx: Cx<'a>,
    job: Option<&'a Job>,
    home: Option<&'a PipelineFacts>,
    facts: Option<&'a LogFacts>,
    /// What must be in the title, then what may be.
    title: Vec<String>,
    problem: Option<(String, String)>,
}

impl<'a> JobHeader<'a> {
    pub fn new(cx: Cx<'a>, id: JobId) -> Self {
        let (job, home, facts) = (cx.world.job(id), cx.world.home(id), cx.world.log(id));
        let fault = facts.and_then(|facts| facts.error.as_ref());
        Self {
            cx,
            job,
            home,
            facts,
            title: job.map_or_else(|| vec![format!("Job {id}")], |job| title(cx, job, home)),
            problem: fault.map(|fault| (fault.to_string(), fault.remedy(cx.now))),
        }
    }

    /// What is left for the log.
    pub fn inner(&self, area: Rect) -> Rect {
        let inner = self.panel("", area).inner(area);
        let taken = lines(area).min(inner.height);
        Rect { y: inner.y + taken, height: inner.height - taken, ..inner }
    }

    /// Draws frame and header. Returns what is left for the log.
    pub fn draw(&self, pen: &mut Pen<'_>, area: Rect) -> Rect {
        let inner = self.panel(&self.title_for(area.width), area).draw(pen, area);
        let taken = lines(area).min(inner.height);
        if let (Some(job), true) = (self.job, taken > 0) {
            cause_line(pen, self.cx, job, self.facts, Rect { height: 1, ..inner });
            if taken > 1 {
                needs_line(pen, self.cx, job, self.home, Rect { y: inner.y + 1, height: 1, ..inner });
            }
        }
        self.inner(area)
    }

    /// The title, without the parts that would push its end out of the frame.
    fn title_for(&self, width: u16) -> String {
        let room = usize::from(width).saturating_sub(STATE);
        let mut title = String::new();
        for (nth, part) in self.title.iter().enumerate() {
            if nth < NEEDED || text::width(&title) + text::width(part) + 2 <= room {
                title.push_str(if nth == 0 { "" } else { "  " });
                title.push_str(part);
            }
        }
        title
    }

    fn panel<'p>(&'p self, title: &'p str, area: Rect) -> Panel<'p> {
        let (freshness, progress) = freshness(self.cx, self.facts);
        Panel {
            title,
            freshness,
            progress,
            problem: self.problem.as_ref().map(|(what, remedy)| (what.as_str(), remedy.as_str())),
            is_focused: true,
            is_bare: area.height < FRAMED,
            ..Panel::default()
        }
    }
}

/// Lines between the title and the log.
fn lines(area: Rect) -> u16 {
    match area.height {
        0..=7 => 0,
        _ if area.width >= WIDE && area.height >= HIGH => 2,
        _ => 1,
    }
}

/// `Job 15201234`, `hdf5@1.14.3 /k3x2f`, `✗ failed 6m02`, `try 2 of 2`, `e4s-oneapi`
fn title(cx: Cx<'_>, job: &Job, home: Option<&PipelineFacts>) -> Vec<String> {
    let name = match SpecName::parse(&job.name) {
        Some(spec) => format!("{}@{} /{}", spec.package, spec.version, text::head(spec.hash, 5)),
        None => job.name.to_string(),
    };
    let mut parts = vec![format!("Job {}", job.id), name];
    let state = cx.look.glyphs.state(cx.world.state(job));
    let ran = job.run_time(cx.server_now()).map(|ran| format!(" {}", precise(ran))).unwrap_or_default();
    parts.push(format!("{state} {}{ran}", job.status));
    let tries = home.map(|home| home.jobs.value.tries(&job.name)).unwrap_or_default();
    if let (Some(nth), true) = (tries.iter().position(|id| *id == job.id), tries.len() > 1) {
        parts.push(format!("try {} of {}", nth + 1, tries.len()));
    }
    parts.extend(home.map(|home| home.title().to_owned()));
    parts
}

fn freshness(cx: Cx<'_>, facts: Option<&LogFacts>) -> (Option<Freshness>, &'static str) {
    let Some(facts) = facts else { return (Some(Freshness::Loading), "log") };
    match (facts.doc.state(), facts.read_at) {
        _ if facts.error.is_some() && facts.doc.lines() == 0 => (Some(Freshness::Failed), ""),
        (LogState::Complete, _) => (None, "complete"),
        (LogState::Truncated, _) => (None, "truncated by the server"),
        (LogState::Gone, _) => (None, "gone from the server"),
        (LogState::Growing, None) => (Some(Freshness::Loading), "log"),
        (LogState::Growing, Some(at)) => {
            let age = cx.now.since(at);
            let period = cx.world.polling.rules.periods.visible;
            (Some(if age > period * 2 { Freshness::Stale(age) } else { Freshness::Live(age) }), "")
        }
    }
}

/// `✗ script_failure   runner uo-runner-19   14,233 lines   2.1 MB`
fn cause_line(pen: &mut Pen<'_>, cx: Cx<'_>, job: &Job, facts: Option<&LogFacts>, line: Rect) {
    let state = cx.world.state(job);
    let failed = matches!(state, JobState::Fail | JobState::Warn);
    let cause = match cx.world.cause(job) {
        Some(cause) => cause,
        None if failed => "reason not read yet",
        None => state.word(),
    };
    let mut details = vec![String::new()];
    details.extend(job.runner.as_ref().map(|runner| format!("runner {}", runner.class())));
    if let Some(doc) = facts.map(|facts| &facts.doc).filter(|doc| doc.total() > 0) {
        details.push(text::plural(doc.lines(), "line"));
        details.push(text::size(doc.total()));
    }
    let parts = [(cx.look.glyphs.state(state), Role::of(state)), (" ", Role::Text), (cause, Role::TextStrong)];
    let used = pen.put_all(line.x, line.y, line.width, parts);
    pen.put(line.x + used, line.y, line.width - used, &details.join("   "), Role::TextDim);
}

/// `needs ✗ openmpi ✓ cmake ✓ zlib-ng +3   blocks 188`
fn needs_line(pen: &mut Pen<'_>, cx: Cx<'_>, job: &Job, home: Option<&PipelineFacts>, line: Rect) {
    let Some((home, graph)) = home.and_then(|home| Some((home, home.needs.graph()?))) else {
        pen.put(line.x, line.y, line.width, "needs not read yet", Role::TextDim);
        return;
    };
    let mut needs: Vec<(JobState, &str)> = graph
        .find(&job.name)
        .into_iter()
        .flat_map(|ix| graph.needs(ix))
        .map(|ix| {
            let name = graph.name(ix);
            let state = home.jobs.value.latest(name).map_or(JobState::Unknown, |need| cx.world.state(need));
            (state, SpecName::parse(name).map_or(&**name, |spec| spec.package))
        })
        .collect();
    needs.sort_unstable();
    let blocks = match home.blocks(job) {
        Some(0) => "blocks nothing".to_owned(),
        Some(n) => format!("blocks {}", text::count(n as u64)),
        None => "blocks ?".to_owned(),
    };
    let room = line.width.saturating_sub(text::width(&blocks) as u16 + 3);
    let mut used =
        pen.put(line.x, line.y, room, if needs.is_empty() { "needs nothing" } else { "needs" }, Role::TextDim);
    let all = needs.len();
    for (nth, (state, name)) in needs.into_iter().enumerate() {
        let more = format!(" +{}", all - nth);
        let width = text::width(name) as u16 + 3;
        if used + width + more.len() as u16 > room {
            used += pen.put(line.x + used, line.y, room - used, &more, Role::TextDim);
            break;
        }
        let glyph = cx.look.glyphs.state(state);
        let parts = [(" ", Role::Text), (glyph, Role::of(state)), (" ", Role::Text), (name, Role::Text)];
        used += pen.put_all(line.x + used, line.y, room - used, parts);
    }
    pen.put_all(line.x + used, line.y, line.width - used, [("   ", Role::Text), (&blocks, Role::TextDim)]);
}
