//! The graph against a naive oracle, and the shapes that pipelines really have.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn jobs(list: &[(&str, &[&str])]) -> NeedsGraph {
    NeedsGraph::build(list.iter().map(|(name, needs)| {
        let needs = needs.iter().map(|need| Need { name: (*need).into(), optional: false }).collect();
        (Arc::from(*name), needs)
    }))
}

fn state(status: Status, minutes: u64) -> NodeState {
    NodeState { status: Some(status), allow_failure: false, expected_remaining: Duration::from_secs(60 * minutes) }
}

fn put(graph: &mut NeedsGraph, name: &str, status: Status, minutes: u64) {
    let ix = graph.find(name).unwrap();
    graph.set(ix, state(status, minutes));
}

fn names(graph: &NeedsGraph, list: &[NodeIx]) -> Vec<String> {
    list.iter().map(|ix| graph.name(*ix).to_string()).collect()
}

fn hdf5() -> NeedsGraph {
    let mut graph = jobs(&[
        ("netcdf-c", &["hdf5"]),
        ("hdf5", &["openmpi", "zlib-ng"]),
        ("zlib-ng", &["gmake"]),
        ("gmake", &[]),
        ("openmpi", &["gmake"]),
        ("trilinos", &["netcdf-c", "openmpi"]),
    ]);
    for name in ["gmake", "openmpi", "zlib-ng"] {
        put(&mut graph, name, Status::Success, 0);
    }
    for (name, minutes) in [("hdf5", 7), ("netcdf-c", 4), ("trilinos", 90)] {
        put(&mut graph, name, Status::Created, minutes);
    }
    graph
}

#[test]
fn layers_are_longest_chains_and_needs_keep_their_order() {
    let graph = hdf5();
    let layers: Vec<usize> =
        ["gmake", "zlib-ng", "hdf5", "trilinos"].map(|n| graph.layer(graph.find(n).unwrap())).into();
    assert_eq!(layers, [0, 1, 2, 4]);
    let needs: Vec<NodeIx> = graph.needs(graph.find("hdf5").unwrap()).collect();
    assert_eq!(names(&graph, &needs), ["openmpi", "zlib-ng"]);
    assert_eq!(graph.layers().iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1, 1, 1]);
}

#[test]
fn a_failure_blocks_what_waits_for_it_until_it_is_retried() {
    let mut graph = hdf5();
    let at = |graph: &NeedsGraph, name: &str| graph.find(name).unwrap();
    put(&mut graph, "hdf5", Status::Failed, 7);
    put(&mut graph, "netcdf-c", Status::Skipped, 4);
    let (hdf5, trilinos) = (at(&graph, "hdf5"), at(&graph, "trilinos"));
    assert_eq!((graph.blocks(hdf5), graph.blocked_by(trilinos), graph.is_blocked(hdf5)), (2, 1, false));
    assert_eq!(names(&graph, &graph.failed_roots(trilinos)), ["hdf5"]);
    assert_eq!(names(&graph, &graph.critical_path()), ["hdf5", "netcdf-c", "trilinos"]);
    assert_eq!(graph.remaining(), Duration::from_secs(60 * 101));

    put(&mut graph, "hdf5", Status::Running, 7);
    assert!(!graph.is_blocked(trilinos));
    assert_eq!(graph.blocks(hdf5), 2);
    put(&mut graph, "hdf5", Status::Success, 0);
    assert_eq!((graph.blocks(hdf5), graph.remaining()), (0, Duration::from_secs(60 * 94)));
}

#[test]
fn an_allowed_failure_holds_nobody_up() {
    let mut graph = hdf5();
    let (hdf5, netcdf) = (graph.find("hdf5").unwrap(), graph.find("netcdf-c").unwrap());
    graph.set(hdf5, NodeState { allow_failure: true, ..state(Status::Failed, 7) });
    assert!(!graph.is_blocked(netcdf));
    assert_eq!((graph.blocks(hdf5), graph.blocked_by(netcdf)), (0, 0));
}

#[test]
fn circles_and_missing_needs_are_listed_and_the_rest_works() {
    let graph = jobs(&[
        ("a", &["b"]),
        ("b", &["c", "root"]),
        ("c", &["a"]),
        ("self", &["self", "gone"]),
        ("root", &[]),
        ("after", &["a"]),
        ("after", &["root", "a"]),
    ]);
    let cycle = |jobs: &[&str]| Problem::Cycle { jobs: jobs.iter().map(|j| Arc::from(*j)).collect() };
    assert_eq!(
        graph.problems(),
        [Problem::Missing { job: "self".into(), need: "gone".into() }, cycle(&["a", "b", "c"]), cycle(&["self"])]
    );
    assert_eq!(graph.len(), 6);
    let layer = |name| graph.layer(graph.find(name).unwrap());
    assert_eq!(["root", "b", "a", "after"].map(layer), [0, 1, 0, 1]);
}

#[test]
fn optional_needs_may_be_absent_but_hold_when_present() {
    let need = |name: &str, optional| Need { name: name.into(), optional };
    let mut graph = NeedsGraph::build([
        ("index".into(), vec![need("sign", true), need("absent", true)]),
        ("sign".into(), Vec::new()),
    ]);
    assert!(graph.problems().is_empty());
    put(&mut graph, "sign", Status::Canceled, 1);
    let (sign, index) = (graph.find("sign").unwrap(), graph.find("index").unwrap());
    assert!(graph.is_optional(sign, index) && graph.is_blocked(index));
}

#[test]
fn a_very_long_chain_needs_no_stack() {
    let name = |i: usize| Arc::<str>::from(format!("step-{i:05}"));
    let mut graph = NeedsGraph::build((0..8_000).map(|i| {
        let needs = if i == 0 { Vec::new() } else { vec![Need { name: name(i - 1), optional: false }] };
        (name(i), needs)
    }));
    assert_eq!(graph.blocks(graph.find("step-00000").unwrap()), 7_999);
    assert!(graph.critical_path().is_empty(), "no duration is known");
    let all: Vec<_> = graph.nodes().map(|ix| (ix, state(Status::Created, 1))).collect();
    graph.set_all(all);
    assert_eq!(graph.critical_path().len(), 8_000);
}

/// The same answers by definition: look at every path, keep nothing.
struct Oracle<'a> {
    needs: &'a [BTreeSet<usize>],
    states: Vec<NodeState>,
}

impl Oracle<'_> {
    fn roots(&self, job: usize) -> BTreeSet<usize> {
        if !self.states[job].is_waiting() {
            return BTreeSet::new();
        }
        let of = |need: &usize| {
            let own = self.states[*need].is_broken().then_some(*need);
            self.roots(*need).into_iter().chain(own).collect::<Vec<_>>()
        };
        self.needs[job].iter().flat_map(of).collect()
    }

    fn waiters(&self, job: usize) -> BTreeSet<usize> {
        let direct = (0..self.needs.len()).filter(|j| self.needs[*j].contains(&job) && self.states[*j].is_waiting());
        direct.flat_map(|j| self.waiters(j).into_iter().chain([j])).collect()
    }

    fn tail(&self, job: usize) -> Duration {
        if self.states[job].is_done() {
            return Duration::ZERO;
        }
        let after = (0..self.needs.len()).filter(|j| self.needs[*j].contains(&job)).map(|j| self.tail(j)).max();
        self.states[job].expected_remaining + after.unwrap_or_default()
    }
}

fn any_state() -> impl Strategy<Value = NodeState> {
    let status = prop_oneof![
        1 => Just(None),
        4 => Just(Some(Status::Created)),
        2 => Just(Some(Status::Failed)),
        8 => (0..Status::KNOWN.len()).prop_map(|i| Some(Status::KNOWN[i])),
        1 => Just(Some(Status::parse("quantum_pending"))),
    ];
    (status, prop::bool::weighted(0.2), 0_u64..5).prop_map(|(status, allow_failure, minutes)| NodeState {
        status,
        allow_failure,
        expected_remaining: Duration::from_secs(60 * minutes),
    })
}

/// Needs of each job by number; the numbers are mixed, so that input order and layers have nothing in common.
fn any_dag() -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
    (1_usize..14).prop_flat_map(|n| {
        let mixed = Just((0..n).collect::<Vec<_>>()).prop_shuffle();
        (mixed, prop::collection::vec(prop::bool::weighted(0.3), n * n)).prop_map(move |(mixed, arrows)| {
            let mut needs = vec![BTreeSet::new(); n];
            for (early, late) in (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))) {
                if arrows[early * n + late] {
                    needs[mixed[late]].insert(mixed[early]);
                }
            }
            needs
        })
    })
}

proptest! {
    #[test]
    fn repaired_answers_are_the_answers_by_definition(
        needs in any_dag(),
        batches in prop::collection::vec(prop::collection::vec((any::<prop::sample::Index>(), any_state()), 1..5), 1..12),
    ) {
        let name = |i: usize| Arc::<str>::from(format!("j{i}"));
        let mut graph = NeedsGraph::build(needs.iter().enumerate().map(|(i, of)| {
            (name(i), of.iter().map(|n| Need { name: name(*n), optional: false }).collect())
        }));
        let at: Vec<NodeIx> = (0..needs.len()).map(|i| graph.find(&name(i)).unwrap()).collect();
        let mut oracle = Oracle { needs: &needs, states: vec![NodeState::default(); needs.len()] };
        for batch in batches {
            let batch: Vec<_> = batch.into_iter().map(|(which, state)| (which.index(needs.len()), state)).collect();
            let before = oracle.states.clone();
            for (i, state) in &batch {
                oracle.states[*i] = *state;
            }
            let reported = graph.set_all(batch.iter().map(|(i, state)| (at[*i], *state)));
            prop_assert!(reported || before == oracle.states);
            for i in 0..needs.len() {
                let roots: BTreeSet<usize> =
                    graph.failed_roots(at[i]).iter().map(|ix| at.iter().position(|a| a == ix).unwrap()).collect();
                prop_assert_eq!(&roots, &oracle.roots(i));
                prop_assert_eq!(graph.blocked_by(at[i]), roots.len());
                prop_assert_eq!(graph.is_blocked(at[i]), !roots.is_empty());
                let blocks = if oracle.states[i].is_done() { 0 } else { oracle.waiters(i).len() };
                prop_assert_eq!(graph.blocks(at[i]), blocks);
                prop_assert_eq!(graph.remaining_from(at[i]), oracle.tail(i));
            }
            let path = graph.critical_path();
            prop_assert!(path.windows(2).all(|w| graph.needs(w[1]).any(|need| need == w[0])));
            prop_assert!(path.iter().all(|ix| !graph.state(*ix).is_done()));
            let length: Duration = path.iter().map(|ix| graph.state(*ix).expected_remaining).sum();
            prop_assert_eq!(length, graph.remaining());
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(needs in any_dag(), states in prop::collection::vec(any_state(), 14)) {
        let name = |i: usize| Arc::<str>::from(format!("j{i}"));
        let answers = |order: Vec<usize>| {
            let mut graph = NeedsGraph::build(order.iter().map(|i| {
                (name(*i), needs[*i].iter().map(|n| Need { name: name(*n), optional: false }).collect())
            }));
            for (i, state) in states.iter().enumerate().take(needs.len()) {
                graph.set(graph.find(&name(i)).unwrap(), *state);
            }
            let layers: Vec<usize> = (0..needs.len()).map(|i| graph.layer(graph.find(&name(i)).unwrap())).collect();
            (names(&graph, &graph.critical_path()), layers)
        };
        let forward: Vec<usize> = (0..needs.len()).collect();
        prop_assert_eq!(answers(forward.clone()), answers(forward.into_iter().rev().collect()));
    }
}
