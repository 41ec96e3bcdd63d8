//! `stackhand fleet`: runner classes, nodes, pods and pools, how they hang together, and why pods do not start.

mod gather;
mod json;

use std::path::PathBuf;

use gather::{Seen, gather};

use super::args::Globals;
use super::exit::{Exit, Failure};
use super::out::{self, Out};
use crate::adapters::kube::Access;
use crate::ci::short;
use crate::console::text::plural;
use crate::fleet::{Busy, HostNames, Pending, PodState, RunnerClass, classes};

/// What `fleet` prints.
pub const SHAPE: &str = "\
Read from a Kubernetes API alone; nothing is changed there. What may not be read is named, and what hangs on it is null, as pools and claims are where \
there is no Karpenter (`karpenter` is false). Ages and what is left are by the cluster's own clock.

JSON `stackhand.fleet/1`: `version`, `at`, `complete`, `karpenter`, `sources` [{`source`, `objects`, `unreadable`, `error`}], `classes` [{`name`, `host`, `running`, `slots`, \
`pending`}], `nodes` [{`name`, `pool`, `claim`, `instance_type`, `capacity_type`, `zone`, `age_s`, `jobs`, `cpu`, `memory` {`requested`, `allocatable`}, `troubles`, \
`missing`}], `pools` [{`name`, `nodes`, `cpu`, `memory` {`used`, `limit`}, `share`}], `pods` [{`name`, `namespace`, `state`, `reason`, `age_s`, `job`, `job_name`, \
`stack`, `package`, `hash`, `runner`, `class`, `node`, `claim`, `pool`, `pending` {`class`, `words`, `deadline`, `left_s`, `claim`}, `missing` [{`link`, `why`}]}]. \
`left_s` is negative when the runner has given up. What is `requested` of a node is a lower bound: pods of other namespaces \
are not read. Quantities are those of Kubernetes (`3500m`). It ends with code 4 when something could not be read.

Examples:
  stackhand fleet --kubeconfig ~/.kube/config
  stackhand fleet --kubeconfig admin.conf --context spack --json | jq '.pods[] | select(.pending)'";

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The kubeconfig; without it, the service account of the pod in which this runs.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; else its current one.
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    context: Option<String>,
    /// Lets the kubeconfig run a program to log in.
    #[arg(long, requires = "kubeconfig")]
    allow_login: bool,
    /// The namespace of job pods.
    #[arg(long, value_name = "NAMESPACE", default_value = "pipeline")]
    namespace: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Tells what there is.
pub async fn run(globals: &Globals, ask: &Ask) -> Result<Exit, Failure> {
    let out = Out { ascii: globals.ascii };
    let access = match &ask.kubeconfig {
        Some(path) => Access::File { path: path.clone(), context: ask.context.clone() },
        None => Access::InCluster,
    };
    let seen = gather(access, ask.allow_login, &ask.namespace).await?;
    if ask.json {
        out::json(&json::document(&seen))?;
    } else {
        tell(out, &seen)?;
    }
    if seen.has_karpenter == Some(false) {
        out.note("this cluster has no Karpenter, so pools and claims are not known");
    }
    for source in &seen.sources {
        match &source.outcome {
            Err(fault) => out.note(&format!("{}: {fault}", source.what)),
            Ok(read) if read.unreadable > 0 => {
                out.note(&format!("{}: {} could not be read", source.what, plural(read.unreadable as u64, "object")));
            }
            Ok(_) => {}
        }
    }
    Ok(if seen.is_complete() { Exit::Ok } else { Exit::Unreachable })
}

/// Runner classes as far as pods tell of them.
fn seen_classes(seen: &Seen) -> Vec<RunnerClass> {
    classes(&seen.fleet, &Busy::default(), &HostNames::default())
}

fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}

fn tell(out: Out, seen: &Seen) -> Result<(), Failure> {
    let (fleet, now) = (&seen.fleet, seen.at);
    let age = |at: Option<crate::ci::Timestamp>| at.map_or("?".to_owned(), |at| short(now.since(at)));
    let rows: Vec<Vec<String>> = seen_classes(seen)
        .iter()
        .map(|class| vec![class.name.to_string(), known(class.running), seen.pending_of(class).to_string()])
        .collect();
    out.table(&["CLASS", "JOBS", "PENDING"], &rows)?;
    out.line("")?;
    let rows: Vec<Vec<String>> = seen
        .nodes()
        .into_iter()
        .map(|node| {
            let load = seen.load(node);
            // Pods of other namespaces are on it as well.
            let asked = load.and_then(|load| load.cpu_share());
            let asked = asked.map_or("?".to_owned(), |share| format!("{}{:.0} %", out.at_least(), share * 100.0));
            let troubles: Vec<String> = node.troubles(now).iter().map(ToString::to_string).collect();
            vec![
                node.name.to_string(),
                known(node.pool()),
                known(node.instance_type()),
                known(node.zone()),
                asked,
                known(load.map(|load| load.jobs)),
                age(node.created),
                if troubles.is_empty() { "ok".to_owned() } else { troubles.join(", ") },
            ]
        })
        .collect();
    out.table(&["NODE", "POOL", "TYPE", "ZONE", "CPU ASKED", "JOBS", "AGE", "STATE"], &rows)?;
    out.line("")?;
    let rows: Vec<Vec<String>> = seen
        .pods()
        .into_iter()
        .map(|pod| {
            let pending = Pending::of(fleet, pod, &seen.thresholds, now);
            let left = pending.as_ref().and_then(|pending| pending.countdown).map(|countdown| countdown.text(now));
            vec![
                known(pod.says.job),
                PodState::of(pod, now).to_string(),
                pod.node.as_ref().map_or("-".to_owned(), ToString::to_string),
                left.unwrap_or_else(|| "-".to_owned()),
                pending.map_or_else(|| known(pod.says.job_name.as_ref()), |pending| pending.words),
            ]
        })
        .collect();
    out.table(&["JOB", "POD", "NODE", "RUNNER WAITS", "WHAT"], &rows)
}
