//! The scene as JSON, `stackhand.dag/1`.
//!
//! The shape is a promise to scripts: fields are added, never renamed or removed, while the number stays. What is not known is `null`.

use std::fmt::Write;

use serde::Serialize;

use crate::ci::{Problem, Status};
use crate::console::state::JobState;

use super::super::scene::{Body, Cell, CellId, Scene};

#[derive(Serialize)]
struct Dag<'a> {
    schema: &'static str,
    lens: &'static str,
    jobs: Jobs,
    layers: Vec<Layer>,
    nodes: Vec<NodeOut<'a>>,
    groups: Vec<GroupOut<'a>>,
    edges: Vec<EdgeOut>,
    problems: Vec<ProblemOut<'a>>,
    critical_path: Critical<'a>,
}

#[derive(Serialize)]
struct Jobs {
    total: usize,
    blocked: usize,
    ghosts: usize,
    hidden: usize,
    withheld: usize,
    states: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct Layer {
    #[serde(rename = "layer")]
    number: usize,
    drawn: usize,
    total: usize,
    states: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct NodeOut<'a> {
    id: usize,
    job: &'a str,
    label: &'a str,
    layer: usize,
    row: usize,
    state: &'static str,
    status: Option<Status>,
    blocks: usize,
    blocked_by: usize,
    beyond: usize,
    is_critical: bool,
    starts_pipeline: bool,
    seconds: Option<u64>,
    note: Option<&'a str>,
    cause: Option<&'a str>,
}

#[derive(Serialize)]
struct GroupOut<'a> {
    id: usize,
    layer: usize,
    row: usize,
    state: &'static str,
    jobs: usize,
    parents: Vec<&'a str>,
}

#[derive(Serialize)]
struct EdgeOut {
    from: usize,
    to: usize,
    is_optional: bool,
    is_critical: bool,
    is_bridge: bool,
    is_implied: bool,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ProblemOut<'a> {
    Missing { job: &'a str, need: &'a str },
    Cycle { jobs: Vec<&'a str> },
}

#[derive(Serialize)]
struct Critical<'a> {
    jobs: Vec<&'a str>,
    seconds: u64,
}

/// The scene as one JSON document. Names are as GitLab has them, with everything but printable ASCII escaped.
pub fn json(scene: &Scene) -> String {
    let layer_of = |cell: &Cell| scene.columns.get(cell.column).map_or(0, |column| column.layer);
    let mut nodes = Vec::new();
    let mut groups = Vec::new();
    for (id, cell) in scene.cells.iter().enumerate() {
        let (layer, row, state) = (layer_of(cell), cell.row, cell.state.map_or("ghost", JobState::name));
        match (&cell.body, &cell.id) {
            (Body::Node(node), CellId::Node(job)) => nodes.push(NodeOut {
                id,
                job,
                label: &node.label,
                layer,
                row,
                state,
                status: node.status,
                blocks: node.blocks,
                blocked_by: node.blocked_by,
                beyond: node.beyond,
                is_critical: node.is_critical,
                starts_pipeline: node.facts.starts_pipeline,
                seconds: node.facts.time.map(|time| time.as_secs()),
                note: node.facts.note.as_deref(),
                cause: node.facts.cause.as_deref(),
            }),
            (Body::Group { jobs }, CellId::Group { parents, .. }) => {
                let parents = parents.iter().map(|parent| &**parent).collect();
                groups.push(GroupOut { id, layer, row, state, jobs: jobs.len(), parents });
            }
            _ => {}
        }
    }
    let states = |counts: &crate::console::state::Counts| {
        counts
            .iter()
            .filter(|(_, jobs)| *jobs > 0)
            .map(|(state, jobs)| (state.name().to_owned(), jobs.into()))
            .collect()
    };
    let dag = Dag {
        schema: "stackhand.dag/1",
        lens: scene.lens,
        jobs: Jobs {
            total: scene.total,
            blocked: scene.blocked,
            ghosts: scene.ghosts,
            hidden: scene.hidden,
            withheld: scene.withheld,
            states: states(&scene.counts),
        },
        layers: scene
            .columns
            .iter()
            .map(|column| Layer {
                number: column.layer,
                drawn: column.drawn,
                total: column.total(),
                states: states(&column.counts),
            })
            .collect(),
        nodes,
        groups,
        edges: scene
            .edges
            .iter()
            .map(|edge| EdgeOut {
                from: edge.from,
                to: edge.to,
                is_optional: edge.is_optional,
                is_critical: edge.is_critical,
                is_bridge: edge.is_bridge,
                is_implied: edge.is_implied,
            })
            .collect(),
        problems: scene
            .problems
            .iter()
            .map(|problem| match problem {
                Problem::Missing { job, need } => ProblemOut::Missing { job, need },
                Problem::Cycle { jobs } => ProblemOut::Cycle { jobs: jobs.iter().map(|job| &**job).collect() },
            })
            .collect(),
        critical_path: Critical {
            jobs: scene.critical.iter().map(|job| &**job).collect(),
            seconds: scene.remaining.as_secs(),
        },
    };
    // A value of our own plain types always has a JSON form.
    only_ascii(&serde_json::to_string_pretty(&dag).unwrap_or_default())
}

/// Escapes what a terminal might obey; a JSON reader gets the same strings.
fn only_ascii(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        if matches!(c, '\n' | ' '..='~') {
            out.push(c);
        } else {
            // Writing to a string cannot fail.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        out
    })
}
