//! Draws the screen: the panel, problems of the needs, the heading, the visible part of the picture.

use ratatui::layout::{Rect, Size};
use ratatui::style::Modifier;

use super::source::Source;
use super::{DagScreen, footer};
use crate::console::dag::{self, Canvas, Picture, Scene};
use crate::console::state::JobState;
use crate::console::text::count;
use crate::console::world::PipelineFacts;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cut, Panel, Pen, empty};

/// Below this height there are no frames.
const FRAMED: u16 = 16;
/// How many problems of the needs are listed; the others are counted.
const PROBLEMS: usize = 3;

/// How the inside of the panel is shared.
struct Parts {
    problems: Rect,
    heading: Rect,
    graph: Rect,
    footer: Rect,
}

impl Parts {
    fn of(inner: Rect, scene: &Scene) -> Self {
        let footer = footer::height(inner);
        let problems = (scene.problems.len().min(PROBLEMS) as u16).min(inner.height / 4);
        let mut y = inner.y;
        let mut next = |height: u16| {
            let part = Rect { y, height: height.min(inner.bottom().saturating_sub(y)), ..inner };
            y = part.bottom();
            part
        };
        let problems = next(problems);
        let heading = next(1);
        let graph = next(inner.height.saturating_sub(problems.height + 1 + footer));
        Self { problems, heading, graph, footer: next(footer) }
    }
}

/// How much of the picture fits.
pub(super) fn graph_room(cx: Cx<'_>, area: Rect, source: &Source<'_>, scene: &Scene) -> Size {
    // The same sums as `Panel::draw` makes.
    let (sides, frame) = if area.height < FRAMED || area.width < 4 { (0, 1) } else { (4, 2) };
    let problem = if source.fault(cx).is_some() { 2 } else { 0 };
    let height = area.height.saturating_sub(frame + problem);
    Parts::of(Rect::new(0, 0, area.width.saturating_sub(sides), height), scene).graph.as_size()
}

pub(super) fn draw(screen: &DagScreen, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
    let is_bare = area.height < FRAMED;
    let source = match Source::read(cx.world, screen.pipeline) {
        Ok(source) => source,
        Err(absence) => {
            let title = absence.pipeline.map_or("DAG".to_owned(), |pipeline| title(pipeline, pen));
            let panel = Panel {
                title: &title,
                freshness: Some(absence.freshness),
                is_focused: true,
                is_bare,
                ..Panel::default()
            };
            let inner = panel.draw(pen, area);
            empty(pen, inner, &absence.why, Some(absence.instead));
            return;
        }
    };
    let title = title(source.pipeline, pen);
    let narrowed = screen.shown.as_ref().map(|(scene, _)| narrowed(screen, scene, &source, pen)).unwrap_or_default();
    let fault = source.fault(cx);
    let panel = Panel {
        title: &title,
        narrowed: &narrowed,
        freshness: Some(source.pipeline.jobs.freshness(cx.now, cx.world.polling.rules.periods.visible)),
        problem: fault.as_ref().map(|(what, remedy)| (what.as_str(), remedy.as_str())),
        is_focused: true,
        is_bare,
        ..Panel::default()
    };
    let inner = panel.draw(pen, area);
    let Some((scene, picture)) = screen.shown.as_ref().filter(|(scene, _)| !scene.cells.is_empty()) else {
        empty(pen, inner, &format!("no job fits the lens {}", screen.view.lens().name()), Some(("z a", "shows all")));
        return;
    };
    let parts = Parts::of(inner, scene);
    draw_problems(scene, parts.problems, pen);
    let from = screen.window.x;
    draw_canvas(&picture.heading, (from, 0), parts.heading, pen);
    draw_canvas(&picture.body, (from, screen.window.y), parts.graph, pen);
    draw_marks(screen, cx, &source, (scene, picture), parts.graph, pen);
    draw_selection(screen, cx, (scene, picture), parts.graph, pen);
    if panel.is_dim() {
        pen.modify(parts.graph, Modifier::DIM);
    }
    footer::draw(screen, cx, &source, (scene, picture), parts.footer, pen);
}

fn title(facts: &PipelineFacts, pen: &Pen<'_>) -> String {
    match facts.pipeline.parent {
        Some(parent) => format!("DAG  {parent} {} {}", pen.look.glyphs.fold.1, facts.title()),
        None => format!("DAG  {} {}", facts.pipeline.id, facts.title()),
    }
}

fn narrowed(screen: &DagScreen, scene: &Scene, source: &Source<'_>, pen: &Pen<'_>) -> String {
    let glyphs = pen.look.glyphs;
    let noun = if source.is_parent() { "stacks" } else { "jobs" };
    let total = if source.is_parent() { scene.total.saturating_sub(1) } else { scene.total };
    // Jobs that were not seen yet may have failed as well.
    let least = if scene.ghosts > 0 { glyphs.at_least } else { "" };
    let failed = scene.counts.get(JobState::Fail);
    let mut parts = vec![format!("lens: {}", lens(screen)), format!("{} {noun}", count(total as u64))];
    if scene.ghosts < scene.total {
        let failed = format!("{least}{failed}{}", glyphs.state(JobState::Fail));
        let blocked = if source.is_parent() { String::new() } else { format!(" {least}{} blocked", scene.blocked) };
        parts.push(failed + &blocked);
    }
    parts.join("  ")
}

fn lens(screen: &DagScreen) -> String {
    match screen.view.lens() {
        dag::Lens::Neighbours { up, .. } => format!("neighbours {up}"),
        dag::Lens::Search { .. } => format!("/{}", screen.searched),
        lens => lens.name().to_owned(),
    }
}

fn draw_problems(scene: &Scene, area: Rect, pen: &mut Pen<'_>) {
    for (row, problem) in (0..area.height).zip(&scene.problems) {
        let left = scene.problems.len().saturating_sub(usize::from(area.height));
        let more = if row + 1 == area.height && left > 0 { format!("  + {left} more") } else { String::new() };
        let text = format!("! {}{more}", dag::say(problem));
        pen.put(area.x, area.y + row, area.width, &text, Role::StateWarn);
    }
}

/// Draws the part of a canvas that starts at `from` (column, row) into an area.
fn draw_canvas(canvas: &Canvas, from: (usize, usize), area: Rect, pen: &mut Pen<'_>) {
    let mut text = String::new();
    for row in 0..area.height {
        let glyphs = canvas.row(from.1 + usize::from(row));
        let seen = glyphs.get(from.0..glyphs.len().min(from.0 + usize::from(area.width))).unwrap_or_default();
        let mut at = 0;
        for run in seen.chunk_by(|a, b| a.role == b.role) {
            text.clear();
            // The right half of a wide character is drawn with its left half; at the edge there is none.
            text.extend(run.iter().enumerate().filter_map(|(i, g)| g.symbol.or((at + i == 0).then_some(' '))));
            let room = area.width - at as u16;
            if run.iter().any(|glyph| glyph.symbol != Some(' ')) {
                pen.put_cut(area.x + at as u16, area.y + row, room, &text, role(run), Cut::Clip);
            }
            at += run.len();
        }
    }
}

fn role(run: &[dag::Glyph]) -> Role {
    match run.first().map_or(dag::Role::Blank, |glyph| glyph.role) {
        dag::Role::Blank | dag::Role::Label => Role::Text,
        dag::Role::Heading | dag::Role::Detail => Role::TextDim,
        dag::Role::State(Some(state)) => Role::of(state),
        dag::Role::State(None) => Role::GraphGhost,
        dag::Role::Group => Role::GraphGroup,
        dag::Role::Edge => Role::GraphEdge,
        dag::Role::Linked | dag::Role::Cursor => Role::TextStrong,
        dag::Role::Critical => Role::GraphCritical,
    }
}

/// Where a cell of the picture is on the screen, if its first column is.
fn on_screen(screen: &DagScreen, place: (usize, usize), area: Rect) -> Option<(u16, u16)> {
    let x = place.0.checked_sub(screen.window.x)?;
    let y = place.1.checked_sub(screen.window.y)?;
    (x < usize::from(area.width) && y < usize::from(area.height)).then(|| (area.x + x as u16, area.y + y as u16))
}

fn draw_marks(
    screen: &DagScreen,
    cx: Cx<'_>,
    source: &Source<'_>,
    (scene, picture): (&Scene, &Picture),
    area: Rect,
    pen: &mut Pen<'_>,
) {
    if cx.marks.is_empty() || picture.cell_width() < 2 {
        return;
    }
    for cell in &scene.cells {
        let is_marked = cell.id.job().and_then(|name| source.job(name)).is_some_and(|job| cx.marks.contains(&job.id));
        let place = on_screen(screen, picture.place_of(cell), area);
        if let Some((x, y)) = place.filter(|(x, _)| is_marked && x + 1 < area.right()) {
            pen.glyph(x + 1, y, pen.look.glyphs.mark, Role::Mark);
        }
    }
}

/// Lays the cursor over the selected cell, up to its mark.
fn draw_selection(screen: &DagScreen, cx: Cx<'_>, (scene, picture): (&Scene, &Picture), area: Rect, pen: &mut Pen<'_>) {
    let Some(cell) = scene.selected() else { return };
    let place = picture.place_of(cell);
    let Some((x, y)) = on_screen(screen, place, area) else { return };
    let row = picture.body.row(place.1).iter().skip(place.0).take(picture.cell_width());
    let width = row.take_while(|glyph| glyph.role != dag::Role::Cursor).count() as u16 + 1;
    let width = width.min(picture.cell_width() as u16).min(area.right() - x);
    let is_startled = crate::tui::screen::Screen::is_startled(screen, cx.now);
    pen.paint(Rect::new(x, y, width, 1), if is_startled { Role::Match } else { Role::Cursor });
}
