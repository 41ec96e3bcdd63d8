//! Below the graph: what is selected, what it needs, the critical path, what is not drawn, and the minimap.

use ratatui::layout::Rect;

use super::DagScreen;
use super::source::Source;
use crate::ci::{NodeIx, SpecName, short};
use crate::console::dag::{Body, Cell, CellId, Minimap, Picture, Scene, group_word};
use crate::console::state::JobState;
use crate::console::text::{count, plural};
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::Pen;

/// From this width on there is a minimap.
const MAPPED: u16 = 86;
/// From this height on, the footer has all its lines.
const TALL: u16 = 14;
/// How many names of needs and of the critical path are spelled out.
const NAMES: usize = 3;

/// Rows of the footer in a panel of this inside.
pub(super) fn height(inner: Rect) -> u16 {
    match inner.height {
        0..6 => 0,
        6..TALL => 1,
        _ if inner.width < MAPPED => 2,
        _ => 1 + Minimap::HEIGHT as u16,
    }
}

pub(super) fn draw(
    screen: &DagScreen,
    cx: Cx<'_>,
    source: &Source<'_>,
    (scene, picture): (&Scene, &Picture),
    area: Rect,
    pen: &mut Pen<'_>,
) {
    let mut area = area;
    let mut lines = selection(cx, source, scene);
    if area.height > Minimap::HEIGHT as u16 {
        draw_rule(screen, scene, source, area, pen);
        area = Rect { y: area.y + 1, height: area.height - 1, ..area };
        let width = Minimap::WIDTH as u16 + 2;
        let map = Rect { x: area.right() - width, width, ..area };
        draw_map(screen, (scene, picture), map, pen);
        area.width -= width + 2;
    } else if let (Some(hidden), true) = (hidden(scene, source), area.height > 1) {
        lines.truncate(1);
        lines.push(vec![(hidden, Role::TextDim)]);
    }
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        let line = line.iter().map(|(text, role)| (text.as_str(), *role));
        pen.put_all(area.x, y, area.width, line);
    }
}

type Line = Vec<(String, Role)>;

fn selection(cx: Cx<'_>, source: &Source<'_>, scene: &Scene) -> Vec<Line> {
    let Some(cell) = scene.selected() else { return Vec::new() };
    let glyph = cell.state.map_or(cx.look.glyphs.dot, |state| cx.look.glyphs.state(state));
    let role = cell.state.map_or(Role::GraphGhost, Role::of);
    let mut first = vec![("SEL ".to_owned(), Role::TextDim), (format!("{glyph} "), role)];
    let mut lines = Vec::new();
    match (&cell.id, &cell.body) {
        (CellId::Node(name), Body::Node(node)) => {
            first.push((full_name(name), Role::TextStrong));
            if let Some(child) = source.child(name) {
                first.push((format!("   pipeline {child}"), Role::Text));
                first.push((stack_counts(cx, source, name), Role::Text));
            } else if source.is_parent() {
                let is_root = source.graph.find(name).is_some_and(|ix| source.graph.layer(ix) == 0);
                let what = if is_root {
                    format!("   pipeline {}", source.pipeline.pipeline.id)
                } else {
                    "   not started".to_owned()
                };
                first.push((what, Role::Text));
            } else {
                first.push((format!("   blocks {}", count(node.blocks as u64)), Role::Text));
                first.push((job_facts(cx, source, name), Role::Text));
            }
            if let Some(ix) = source.graph.find(name).filter(|_| !source.is_parent()) {
                lines.push(needs(source, ix, cell));
            }
        }
        (_, Body::Group { jobs }) => {
            first.push((format!("{} {}", plural(jobs.len() as u64, "job"), group_word(cell.state)), Role::TextStrong));
            let some: Vec<String> = jobs.iter().take(NAMES).map(|name| short_name(name)).collect();
            lines.push(vec![(format!("{}{}", some.join(" "), more(jobs.len())), Role::Text)]);
        }
        _ => {}
    }
    lines.insert(0, first);
    lines.push(critical(cx, scene));
    lines
}

/// `hdf5@1.14.3/k3x2fzv e4s`; other names as they are.
fn full_name(name: &str) -> String {
    SpecName::parse(name).map_or_else(
        || name.to_owned(),
        |spec| {
            let hash = spec.hash.get(..7).unwrap_or(spec.hash);
            format!("{}@{}/{hash} {}", spec.package, spec.version, spec.group).trim_end().to_owned()
        },
    )
}

fn short_name(name: &str) -> String {
    SpecName::parse(name).map_or(name, |spec| spec.package).to_owned()
}

fn more(names: usize) -> String {
    if names > NAMES { format!(" +{}", names - NAMES) } else { String::new() }
}

fn stack_counts(cx: Cx<'_>, source: &Source<'_>, name: &str) -> String {
    let child = source.child(name).and_then(|id| cx.world.pipeline(id));
    let Some(jobs) = child.map(|child| &child.jobs).filter(|jobs| jobs.fetched_at.is_some()) else {
        return "   jobs not read yet".to_owned();
    };
    let counts = jobs.value.counts().iter().filter(|(_, n)| *n > 0);
    let counts: Vec<String> = counts.map(|(state, n)| format!("{}{n}", cx.look.glyphs.state(state))).collect();
    format!("   {}", counts.join(" "))
}

fn job_facts(cx: Cx<'_>, source: &Source<'_>, name: &str) -> String {
    let Some(job) = source.job(name) else { return "   not seen yet".to_owned() };
    let tries = match cx.world.tries(job) {
        0 | 1 => String::new(),
        tries => format!("   tries {tries}"),
    };
    let runner = job.runner.as_ref().map(|runner| format!("   on {}", runner.class())).unwrap_or_default();
    tries + &runner
}

fn needs(source: &Source<'_>, ix: NodeIx, cell: &Cell) -> Line {
    let graph = &source.graph;
    let names: Vec<String> = graph.needs(ix).map(|need| short_name(graph.name(need))).collect();
    let mut line = if names.is_empty() {
        vec![("needs nothing".to_owned(), Role::TextDim)]
    } else {
        let some: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
        vec![("needs ".to_owned(), Role::TextDim), (format!("{}{}", some.join(" "), more(names.len())), Role::Text)]
    };
    if cell.state == Some(JobState::Fail) {
        if let Some(cause) = cell.node().and_then(|node| node.facts.cause.as_deref()) {
            line.extend([("   cause ".to_owned(), Role::TextDim), (cause.to_owned(), Role::StateFail)]);
        }
    } else if let Some(root) = graph.failed_roots(ix).first() {
        let others = graph.blocked_by(ix).saturating_sub(1);
        let others = if others > 0 { format!(" +{others}") } else { String::new() };
        line.push(("   waits for ".to_owned(), Role::TextDim));
        line.push((format!("{}{others}", short_name(graph.name(*root))), Role::StateFail));
    }
    line
}

fn critical(cx: Cx<'_>, scene: &Scene) -> Line {
    if scene.critical.is_empty() {
        return Vec::new();
    }
    let arrow = format!(" {} ", cx.look.glyphs.lines.arrow);
    let names: Vec<String> = scene.critical.iter().take(NAMES).map(|name| short_name(name)).collect();
    let path = format!("{}{}", names.join(&arrow), more(scene.critical.len()));
    vec![
        ("critical ".to_owned(), Role::TextDim),
        (path, Role::GraphCritical),
        (format!("  {} ({})", short(scene.remaining), cx.look.glyphs.lines.heavy_horizontal), Role::Text),
    ]
}

fn hidden(scene: &Scene, source: &Source<'_>) -> Option<String> {
    let noun = if source.is_parent() { "stack" } else { "job" };
    match (scene.withheld, scene.hidden) {
        (0, 0) => None,
        (0, hidden) => Some(format!("{} not drawn", plural(hidden as u64, noun))),
        (withheld, hidden) => Some(format!(
            "{} not drawn, {} of this lens for lack of room",
            plural(hidden as u64, noun),
            count(withheld as u64)
        )),
    }
}

fn draw_rule(screen: &DagScreen, scene: &Scene, source: &Source<'_>, area: Rect, pen: &mut Pen<'_>) {
    pen.repeat(area.x, area.y, area.width, pen.look.glyphs.lines.horizontal, Role::Border);
    if let Some(hidden) = hidden(scene, source) {
        pen.put(area.x + 2, area.y, area.width.saturating_sub(16), &format!(" {hidden} "), Role::TextDim);
    }
    let (word, role) = if screen.on_map { (" map: h j k l jump ", Role::TextStrong) } else { (" map ", Role::TextDim) };
    pen.put_right(area.x, area.y, area.width.saturating_sub(3), word, role);
}

/// Draws the map with the window in brackets: one column more on each side of it.
fn draw_map(screen: &DagScreen, (scene, picture): (&Scene, &Picture), area: Rect, pen: &mut Pen<'_>) {
    let map = &scene.minimap;
    let shade = pen.look.glyphs.shade;
    let columns = picture.columns_in(screen.window.x..screen.window.x + usize::from(screen.room.width));
    let layer = |column: usize| scene.columns.get(column).map_or(0, |column| column.layer);
    let (first, last) = (map.column_of(layer(columns.start)), map.column_of(layer(columns.end.saturating_sub(1))));
    let rows = |y: usize| y * Minimap::HEIGHT / scene.height.max(1);
    let seen = rows(screen.window.y)..=rows(screen.window.y + usize::from(screen.room.height).max(1) - 1);
    for (row, (y, spots)) in (area.y..area.bottom()).zip(&map.spots).enumerate() {
        let is_seen = seen.contains(&row);
        let mut x = area.x;
        for (at, spot) in spots.iter().enumerate() {
            if at == first {
                pen.glyph(x, y, if is_seen { "[" } else { " " }, Role::TextStrong);
                x += 1;
            }
            let role = if spot.is_broken { Role::StateFail } else { Role::GraphEdge };
            if let Some(shade) = usize::from(spot.density).checked_sub(1).and_then(|step| shade.get(step)) {
                pen.glyph(x, y, shade, role);
            }
            x += 1;
            if at == last.max(first) {
                pen.glyph(x, y, if is_seen { "]" } else { " " }, Role::TextStrong);
                x += 1;
            }
        }
    }
}
