//! `stackhand dag`: the scene that the DAG screen draws, as text, as JSON ([`SHAPE`]) or as Mermaid.

use std::sync::Arc;

use serde_json::{Value, json};

use super::args::{Reach, pipeline_id};
use super::assemble::Setup;
use super::exit::{Exit, Failure};
use super::jobs;
use super::out::{self, Out};
use super::session::{Replica, Wish};
use super::shape::Knowledge;
use crate::ci::{JobKind, NeedsGraph, NodeIx, PipelineId, SpecName};
use crate::console::dag::{self, Facts, Lens, Scene, Stack, Style, View, Zoom};
use crate::console::filter::Filter;
use crate::console::fresh::Completeness;
use crate::console::text::width;
use crate::console::world::{Needs, PipelineFacts, World};

/// What `--json` prints.
pub const SHAPE: &str = "\
JSON `stackhand.dag/1`: `version`, `project`, `complete`, `errors`, `pipeline` {`id`, `ref`, `stack`, `status`}, `lens`, `jobs` {`total`, `blocked`, \
`ghosts`, `hidden`, `withheld`, `states`}, `layers` [{`layer`, `drawn`, `total`, `states`}], `nodes` [{`id`, `job`, `label`, `layer`, `row`, `state`, \
`status`, `blocks`, `blocked_by`, `beyond`, `is_critical`, `starts_pipeline`, `seconds`, `note`, `cause`}], `groups` [{`id`, `layer`, `row`, `state`, \
`jobs`, `parents`}], `edges` [{`from`, `to`, `is_optional`, `is_critical`, `is_bridge`, `is_implied`}], `problems`, `critical_path` {`jobs`, \
`seconds`}. Ids of nodes and groups are places in this document. What is not known is null.

Lenses: failing, critical, running, all, stacks, neighbourhood:NAME, search:FILTER. Without one: failing if anything failed, else running, else all. A \
parent pipeline is drawn as its stacks.";

/// How many needs away a neighbour may be.
const HOPS: u8 = 2;

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The pipeline: a parent, or the child of one stack.
    #[arg(value_parser = pipeline_id)]
    pipeline: PipelineId,
    /// Prints text; this is the default.
    #[arg(long, group = "form")]
    text: bool,
    /// Prints JSON.
    #[arg(long, group = "form")]
    json: bool,
    /// Prints a Mermaid flow chart.
    #[arg(long, group = "form")]
    mermaid: bool,
    /// What to look at.
    #[arg(long, value_name = "LENS", value_parser = Looking::parse)]
    lens: Option<Looking>,
    /// Draws nodes as wide as fit into so many columns.
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    #[command(flatten)]
    pub reach: Reach,
}

/// A lens as it is written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Looking {
    Plain(Lens),
    Stacks,
    Neighbours(String),
    Search(String),
}

impl Looking {
    fn parse(text: &str) -> Result<Self, String> {
        let known = "failing, critical, running, all, stacks, neighbourhood:NAME or search:FILTER";
        match text.split_once(':') {
            Some(("neighbourhood" | "neighbours", name)) if !name.is_empty() => Ok(Self::Neighbours(name.to_owned())),
            Some(("search", query)) if !query.is_empty() => {
                Filter::parse(query).map_err(|error| error.to_string())?;
                Ok(Self::Search(query.to_owned()))
            }
            Some(_) => Err(format!("write {known}")),
            None if text == "stacks" => Ok(Self::Stacks),
            None => Lens::named(text).map(Self::Plain).ok_or_else(|| format!("write {known}")),
        }
    }
}

/// Draws the graph.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<(), Failure> {
    let (mut session, wish) = jobs::open(setup, Some(ask.pipeline)).await?;
    let wish = Wish { reasons: true, ..wish };
    let known = Knowledge::gather(&mut session, wish, ask.reach.within).await?;
    let replica = &session.replica;
    let world = &replica.world;
    let wants_stacks = ask.lens == Some(Looking::Stacks);
    let id = if wants_stacks { world.root_of(ask.pipeline) } else { ask.pipeline };
    let facts = world.pipeline(id).ok_or_else(|| absent(id))?;
    let is_parent = wants_stacks || !facts.children.is_empty();
    let scene = if is_parent { of_stacks(world, facts, ask.lens.as_ref()) } else { of_jobs(replica, facts, ask)? };
    if ask.json {
        out::json(&document(setup, facts, &scene, &known))?;
    } else if ask.mermaid {
        setup.out.text(&dag::mermaid(&scene))?;
    } else {
        let stack = facts.pipeline.stack.as_deref().map(|stack| format!(" {stack}")).unwrap_or_default();
        setup.out.line(&format!("pipeline {id}{stack} on {}, {}", facts.pipeline.git_ref, facts.pipeline.status))?;
        setup.out.text(&fitted(&scene, ask.width, setup.out))?;
        known.tell(setup.out);
    }
    session.close().await;
    Ok(())
}

fn absent(id: PipelineId) -> Failure {
    Failure::new(Exit::Unreachable, format!("pipeline {id} is not there; see `stackhand pipelines`"))
}

fn of_stacks(world: &World, facts: &PipelineFacts, looking: Option<&Looking>) -> Scene {
    let child = |id: &PipelineId| world.pipeline(*id);
    let started: Vec<&PipelineFacts> = facts.children.iter().filter_map(child).collect();
    let mut stacks: Vec<Stack> = started
        .iter()
        .map(|child| Stack {
            name: child.title().into(),
            pipeline: Some(child.pipeline.id),
            status: Some(child.pipeline.status),
            counts: (child.jobs.completeness != Completeness::Unknown).then(|| *child.jobs.value.counts()),
        })
        .collect();
    // Trigger jobs that have not started their pipeline yet.
    let waiting = facts.jobs.value.iter().filter(|job| job.kind == JobKind::Bridge && job.downstream.is_none());
    stacks.extend(waiting.map(|job| Stack {
        name: crate::ci::stack_of(&job.name).unwrap_or(&job.name).into(),
        pipeline: None,
        status: Some(job.status),
        counts: None,
    }));
    let root: Arc<str> = facts.title().into();
    let (graph, notes) = dag::stacks(&root, Some(facts.pipeline.status), &stacks);
    let lens = match looking {
        Some(Looking::Plain(lens)) => lens.clone(),
        Some(Looking::Neighbours(name)) => Lens::Neighbours { of: name.as_str().into(), up: HOPS, down: HOPS },
        Some(Looking::Search(text)) => Lens::Search { hits: names_with(&graph, text) },
        Some(Looking::Stacks) | None => Lens::All,
    };
    View::new(lens).scene(&graph, &|ix| notes.get(ix.index()).cloned().unwrap_or_default(), None)
}

fn of_jobs(replica: &Replica, facts: &PipelineFacts, ask: &Ask) -> Result<Scene, Failure> {
    let id = facts.pipeline.id;
    let graph = match &facts.needs {
        Needs::Known { graph, .. } => graph,
        Needs::Absent(fault) => return Err(Failure::remote(fault, replica.now)),
        Needs::Unknown if facts.pipeline.parent.is_none() => {
            let message = format!(
                "pipeline {id} has no stacks, and its own needs are not read; try `stackhand jobs --pipeline {id}`"
            );
            return Err(Failure::refused(message));
        }
        Needs::Unknown => {
            let message = format!("the needs of pipeline {id} were not read in time; give it longer with --within");
            return Err(Failure::new(Exit::Unreachable, message));
        }
    };
    let lens = match &ask.lens {
        Some(Looking::Plain(lens)) => lens.clone(),
        Some(Looking::Neighbours(name)) => {
            let of = find_job(graph, name).ok_or_else(|| {
                let message =
                    format!("no job of pipeline {id} is called `{name}`; see `stackhand jobs --pipeline {id}`");
                Failure::new(Exit::Usage, message)
            })?;
            Lens::Neighbours { of, up: HOPS, down: HOPS }
        }
        Some(Looking::Search(text)) => {
            let filter = Filter::parse(text)?;
            let hits = jobs::chosen(replica, Some(id), &filter).into_iter().map(|job| Arc::clone(&job.name));
            Lens::Search { hits: hits.collect() }
        }
        Some(Looking::Stacks) | None => Lens::opening(graph),
    };
    Ok(View::new(lens).scene(graph, &|ix| known_of(replica, facts, graph, ix), None))
}

/// What the graph does not know of a job.
fn known_of(replica: &Replica, facts: &PipelineFacts, graph: &NeedsGraph, ix: NodeIx) -> Facts {
    let name = graph.name(ix);
    let Some(job) = facts.jobs.value.latest(name) else { return Facts::default() };
    let expected = || replica.world.durations.expected(SpecName::parse(name).map_or(name, |spec| spec.package));
    Facts {
        time: Some(job.run_time(replica.server_now()).unwrap_or_else(expected)),
        note: None,
        cause: replica.world.cause(job).map(Arc::from),
        starts_pipeline: job.kind == JobKind::Bridge,
    }
}

/// The job of this name, or the only one whose name begins so.
fn find_job(graph: &NeedsGraph, name: &str) -> Option<Arc<str>> {
    if let Some(ix) = graph.find(name) {
        return Some(Arc::clone(graph.name(ix)));
    }
    let mut found = graph.nodes().map(|ix| graph.name(ix)).filter(|known| known.starts_with(name));
    found.next().filter(|_| found.next().is_none()).cloned()
}

fn names_with(graph: &NeedsGraph, text: &str) -> Vec<Arc<str>> {
    graph.nodes().map(|ix| graph.name(ix)).filter(|name| name.contains(text)).cloned().collect()
}

/// The picture with the widest nodes that fit.
fn fitted(scene: &Scene, columns: Option<usize>, out: Out) -> String {
    let draw = |zoom| dag::text(scene, Style { zoom, ascii: out.ascii });
    let Some(columns) = columns else { return draw(Zoom::default()) };
    let mut zoom = Zoom::default().wider();
    loop {
        let text = draw(zoom);
        if zoom.narrower() == zoom || text.lines().all(|line| width(line) <= columns) {
            return text;
        }
        zoom = zoom.narrower();
    }
}

fn document(setup: &Setup, facts: &PipelineFacts, scene: &Scene, known: &Knowledge) -> Value {
    let mut whole = json!({
        "version": "stackhand.dag/1",
        "project": setup.project,
        "complete": known.is_complete,
        "errors": known.errors(),
        "pipeline": {
            "id": facts.pipeline.id,
            "ref": facts.pipeline.git_ref,
            "stack": facts.pipeline.stack,
            "status": facts.pipeline.status,
        },
    });
    // The scene's own document always reads back.
    if let (Some(whole), Ok(Value::Object(mut scene))) =
        (whole.as_object_mut(), serde_json::from_str(&dag::json(scene)))
    {
        scene.remove("schema");
        whole.extend(scene);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenses_are_words() {
        assert_eq!(Looking::parse("critical"), Ok(Looking::Plain(Lens::Critical)));
        assert_eq!(Looking::parse("stacks"), Ok(Looking::Stacks));
        assert_eq!(Looking::parse("neighbourhood:hdf5"), Ok(Looking::Neighbours("hdf5".to_owned())));
        assert_eq!(Looking::parse("search:pkg=hdf5"), Ok(Looking::Search("pkg=hdf5".to_owned())));
        for wrong in ["", "search:", "neighbourhood:", "blurry", "search:pkg=("] {
            assert!(Looking::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_short_name_is_enough_when_it_is_the_only_one() {
        let jobs = ["hdf5@1.14 /aaaaaaa", "hdf5-vol@1 /bbbbbbb", "zlib@1.3 /ccccccc"];
        let graph = NeedsGraph::build(jobs.map(|name| (Arc::from(name), Vec::new())));
        assert_eq!(find_job(&graph, "zlib").as_deref(), Some("zlib@1.3 /ccccccc"));
        assert_eq!(find_job(&graph, "hdf5@").as_deref(), Some("hdf5@1.14 /aaaaaaa"));
        assert_eq!((find_job(&graph, "hdf5"), find_job(&graph, "nope")), (None, None));
    }
}
