//! The scene as a Mermaid flow chart, for issues and chats.

use std::fmt::Write;

use crate::ci::precise;
use crate::console::state::JobState;
use crate::console::text::clean;

use super::super::picture::{glyph, group_word};
use super::super::scene::{Body, Scene};
use super::text::say;

/// Class, fill and stroke of each state, readable on light and on dark pages.
const CLASSES: &[(Option<JobState>, &str)] = &[
    (Some(JobState::Fail), "fill:#c62828,color:#fff,stroke:#7f0000"),
    (Some(JobState::Warn), "fill:#f9a825,color:#000,stroke:#b26a00"),
    (Some(JobState::Run), "fill:#1565c0,color:#fff,stroke:#003c8f"),
    (Some(JobState::Ok), "fill:#2e7d32,color:#fff,stroke:#005005"),
    (Some(JobState::Blocked), "fill:#9e9e9e,color:#000,stroke:#616161"),
];

/// The scene as Mermaid source. Names are escaped, so no job can smuggle in syntax or HTML.
pub fn mermaid(scene: &Scene) -> String {
    let mut out = String::from("flowchart LR\n");
    // Writing to a string cannot fail.
    let _ = write_all(scene, &mut out);
    out
}

fn write_all(scene: &Scene, out: &mut String) -> std::fmt::Result {
    for problem in &scene.problems {
        writeln!(out, "  %% {}", escape(&say(problem)))?;
    }
    for (at, cell) in scene.cells.iter().enumerate() {
        let symbol = glyph(cell.state, false);
        match &cell.body {
            Body::Node(node) => {
                let time = node.facts.time.map(|time| format!(" {}", precise(time))).unwrap_or_default();
                write!(out, "  n{at}[\"{symbol} {}{time}\"]", escape(&node.label))?;
            }
            Body::Group { jobs } => {
                write!(out, "  n{at}([\"{symbol} {} {}\"])", jobs.len(), group_word(cell.state))?;
            }
        }
        match CLASSES.iter().find(|(state, _)| *state == cell.state).and_then(|(state, _)| *state) {
            Some(state) => writeln!(out, ":::{}", state.name())?,
            None => writeln!(out)?,
        }
    }
    for edge in scene.edges.iter().filter(|edge| !edge.is_implied) {
        let arrow = match (edge.is_critical, edge.is_bridge, edge.is_optional) {
            (true, ..) => "==>",
            (_, true, _) => "--o",
            (_, _, true) => "-.->",
            _ => "-->",
        };
        writeln!(out, "  n{} {arrow} n{}", edge.from, edge.to)?;
    }
    for (state, style) in CLASSES {
        if let Some(state) = state.filter(|state| scene.cells.iter().any(|cell| cell.state == Some(*state))) {
            writeln!(out, "  classDef {} {style}", state.name())?;
        }
    }
    Ok(())
}

/// Everything that is not plain in a label becomes a numbered entity.
fn escape(text: &str) -> String {
    clean(text).chars().fold(String::new(), |mut out, c| {
        match c {
            c if c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/' | '@' | '+' | ',') => out.push(c),
            c => {
                let _ = write!(out, "#{};", c as u32);
            }
        }
        out
    })
}
