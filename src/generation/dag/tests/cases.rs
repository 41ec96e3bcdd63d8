//! The cases of the behaviour, and graphs that somebody might make on purpose.

use super::super::{Dag, DagError, JoinTree, MOST_NEEDS, Need, affected, joins};
use super::{dag, marks, needs};

const TINYAPP: u32 = 0;
const GENKIT: u32 = 1;
const MIDLIB: u32 = 2;
const CORELIB: u32 = 3;
const SYSBITS: u32 = 4;

/// tinyapp → midlib, genkit; midlib → corelib, sysbits; genkit → corelib. All edges twice: a lock may repeat them.
fn demo() -> Dag {
    let edges = [(TINYAPP, MIDLIB), (TINYAPP, GENKIT), (MIDLIB, CORELIB), (MIDLIB, SYSBITS), (GENKIT, CORELIB)];
    dag(5, &[edges, edges].concat())
}

#[test]
fn case_01_nothing_pruned_but_the_external() {
    let kept = demo().pruned(&marks(5, &[TINYAPP, GENKIT, MIDLIB, CORELIB])).unwrap();
    let expected =
        [(CORELIB, vec![]), (GENKIT, vec![CORELIB]), (MIDLIB, vec![CORELIB]), (TINYAPP, vec![GENKIT, MIDLIB])];
    assert_eq!(needs(&kept), expected);
    assert_eq!(kept.order().iter().map(|node| kept.level(*node)).collect::<Vec<_>>(), [0, 1, 1, 2]);
    assert_eq!((kept.height(), kept.len(), kept.needs()), (3, 4, 4));
    assert!(kept.contains(TINYAPP) && !kept.contains(SYSBITS) && !kept.contains(99));
    assert_eq!(kept.reduced(), kept);
}

#[test]
fn case_02_a_pruned_dependency_leaves_its_own_dependencies() {
    let graph = demo();
    let keep = marks(5, &[TINYAPP, GENKIT, CORELIB]);
    let kept = graph.pruned(&keep).unwrap();
    assert_eq!(kept.children(TINYAPP), [GENKIT, CORELIB]);
    assert_eq!((kept.level(CORELIB), kept.level(GENKIT), kept.level(TINYAPP)), (0, 1, 2));
    let reduced = kept.reduced();
    assert_eq!(reduced.children(TINYAPP), [GENKIT]);
    assert_eq!((reduced.order(), reduced.level(TINYAPP)), (kept.order(), 2));
    assert_eq!(graph.reduced(&keep).unwrap(), reduced);
}

#[test]
fn case_03_nothing_is_left() {
    let kept = demo().pruned(&marks(5, &[])).unwrap();
    assert!(kept.is_empty() && kept.order().is_empty());
    assert_eq!((kept.height(), kept.needs()), (0, 0));
    assert_eq!(kept.reduced(), kept);
}

#[test]
fn case_04_levels_are_counted_after_pruning() {
    let kept = demo().pruned(&marks(5, &[TINYAPP, GENKIT])).unwrap();
    assert_eq!(needs(&kept), [(GENKIT, vec![]), (TINYAPP, vec![GENKIT])]);
    assert_eq!((kept.level(GENKIT), kept.level(TINYAPP), kept.height()), (0, 1, 2));
}

#[test]
fn case_05_the_middle_of_a_chain_is_pruned() {
    let kept = dag(3, &[(0, 1), (1, 2)]).pruned(&marks(3, &[0, 2])).unwrap();
    assert_eq!(needs(&kept), [(2, vec![]), (0, vec![2])]);
}

#[test]
fn case_06_both_middles_of_a_diamond_are_pruned() {
    let kept = dag(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]).pruned(&marks(4, &[0, 3])).unwrap();
    assert_eq!(needs(&kept), [(3, vec![]), (0, vec![3])]);
}

#[test]
fn case_07_externals_alone_in_the_middle_and_kept() {
    assert!(dag(1, &[]).pruned(&[false]).unwrap().is_empty());
    let middle = dag(4, &[(0, 1), (1, 2), (1, 3)]);
    assert_eq!(middle.pruned(&marks(4, &[0, 2, 3])).unwrap().children(0), [2, 3]);
    assert_eq!(middle.pruned(&[true; 4]).unwrap().children(0), [1]);
}

#[test]
fn case_08_an_empty_graph_is_an_empty_pipeline() {
    let empty = dag(0, &[]);
    assert!(empty.is_empty() && empty.pruned(&[]).unwrap().is_empty());
    assert_eq!(affected(&empty, &[0, 7], None), [] as [bool; 0]);
}

#[test]
fn case_11_a_cycle_is_an_error_that_lists_it() {
    let circle = |nodes, edges: &[(u32, u32)]| match Dag::new(nodes, edges.iter().copied()) {
        Err(DagError::Cycle { places }) => places,
        other => panic!("{other:?}"),
    };
    assert_eq!(circle(1, &[(0, 0)]), [0, 0]);
    // 0 and 1 only lead there, 5 only comes from there.
    assert_eq!(circle(6, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 2), (4, 5)]), [2, 3, 4, 2]);
    let long = circle(200_000, &(0..200_000).map(|n| (n, (n + 1) % 200_000)).collect::<Vec<_>>());
    assert_eq!((long.len(), long[0], long[200_000]), (200_001, 0, 0));
    let said = DagError::Cycle { places: long }.to_string();
    assert!(said.contains("200000 places in all") && said.len() < 200, "{said}");
}

#[test]
fn an_edge_that_leads_out_is_an_error() {
    let found = Dag::new(3, [(0, 1), (2, 3)]);
    assert_eq!(found, Err(DagError::Outside { parent: 2, child: 3, nodes: 3 }));
    assert!(Dag::new(3, [(u32::MAX, 0)]).is_err());
}

#[test]
fn case_19_nothing_changed_here_reaches_nothing() {
    assert_eq!(affected(&demo(), &[], Some(1)), [false; 5]);
}

#[test]
fn case_22_how_far_a_change_reaches() {
    let reach = |changed: u32, depth| affected(&demo(), &[changed], depth);
    assert_eq!(reach(CORELIB, Some(1)), marks(5, &[CORELIB, GENKIT, MIDLIB, SYSBITS]));
    assert_eq!(reach(MIDLIB, Some(1)), [true; 5]);
    assert_eq!(reach(MIDLIB, Some(0)), marks(5, &[MIDLIB, CORELIB, SYSBITS]));
    assert_eq!(reach(MIDLIB, Some(-1)), [false; 5]);
    assert_eq!(reach(CORELIB, Some(0)), marks(5, &[CORELIB]));
    assert_eq!(reach(CORELIB, Some(2)), [true; 5]);
    assert_eq!(reach(CORELIB, None), [true; 5]);
    assert_eq!(reach(SYSBITS, Some(i64::MAX)), [true; 5]);
    assert_eq!(reach(SYSBITS, Some(i64::MIN)), [false; 5]);
    // A place that the stack does not have.
    assert_eq!(reach(77, None), [false; 5]);
    assert_eq!(demo().within([SYSBITS], None), [vec![SYSBITS], vec![MIDLIB], vec![TINYAPP]]);
    assert_eq!(demo().within([CORELIB, CORELIB], Some(1)), [vec![CORELIB], vec![GENKIT, MIDLIB]]);
}

#[test]
fn case_36_73_needs_where_50_are_allowed() {
    // The job needs the first of 24 chains of three and one more; only the chains' heads are left after reduction.
    let mut edges: Vec<(u32, u32)> = (1..74).map(|need| (0, need)).collect();
    edges.extend((1..73).filter(|need| need % 3 != 0).map(|need| (need, need + 1)));
    let kept = dag(74, &edges).pruned(&[true; 74]).unwrap();
    assert_eq!(kept.children(0).len(), 73);
    assert_eq!(kept.reduced().children(0).len(), 25);
    assert_eq!(kept.reduced().level(0), 3);

    // Where nothing can be reduced, one join is enough: 48 direct needs, the join, and the need of the generate job make 50.
    let all: Vec<u32> = (1..74).collect();
    let JoinTree { groups, needs } = joins(&all, 49).unwrap().unwrap();
    assert_eq!(groups, [(1..26).map(Need::Node).collect::<Vec<_>>()]);
    assert_eq!(needs, (26..74).map(Need::Node).chain([Need::Join(0)]).collect::<Vec<_>>());

    assert_eq!(joins(&all, 73), Ok(None));
    assert_eq!(joins(&[], 0), Ok(None));
    for limit in [0, 1] {
        assert_eq!(joins(&all, limit), Err(DagError::NoJoin { needs: 73, limit }));
    }
}

#[test]
fn case_36_joins_of_joins() {
    let node = Need::Node;
    let tree = joins(&[1, 2, 3, 4, 5, 6, 7], 2).unwrap().unwrap();
    let pair = |a, b| vec![a, b];
    let join = Need::Join;
    let groups = [
        pair(node(1), node(2)),
        pair(node(3), node(4)),
        pair(node(5), node(6)),
        pair(node(7), join(0)),
        pair(join(1), join(2)),
    ];
    assert_eq!(tree.groups, groups);
    assert_eq!(tree.needs, [join(3), join(4)]);
    let large = joins(&(0..1_000_000).collect::<Vec<_>>(), 49).unwrap().unwrap();
    assert_eq!((large.groups.len(), large.needs.len()), ((1_000_000_usize - 49).div_ceil(48), 49));
}

#[test]
fn case_43_the_order_of_edges_means_nothing() {
    let mut edges: Vec<(u32, u32)> = (0..40).flat_map(|p| (p + 1..40).step_by(3).map(move |c| (p, c))).collect();
    let keep: Vec<bool> = (0..40).map(|n| n % 4 != 1).collect();
    let once = dag(40, &edges);
    edges.reverse();
    edges.rotate_left(7);
    let again = dag(40, &edges);
    assert_eq!(once, again);
    assert_eq!(once.pruned(&keep), again.pruned(&keep));
}

#[test]
fn case_44_deep_chains_need_no_stack() {
    let deep = 200_000;
    let chain = Dag::new(deep, (1..deep as u32).map(|child| (child - 1, child))).unwrap();
    let keep: Vec<bool> = (0..deep).map(|node| node % 2 == 0).collect();
    let kept = chain.pruned(&keep).unwrap();
    assert_eq!((kept.height(), kept.needs()), (deep as u32 / 2, deep / 2 - 1));
    assert!(kept.reduced() == kept && chain.reduced(&keep).unwrap() == kept);
    let ends = chain.pruned(&marks_of_ends(deep)).unwrap();
    assert_eq!(ends.children(0), [deep as u32 - 1]);
    assert!(affected(&chain, &[deep as u32 - 1], None).iter().all(|mark| *mark));
}

fn marks_of_ends(count: usize) -> Vec<bool> {
    (0..count).map(|node| node == 0 || node == count - 1).collect()
}

/// So many parents above one node above so many children.
fn hub(arms: u32) -> (Dag, Vec<bool>) {
    let edges = (0..arms).flat_map(|n| [(n, 2 * arms), (2 * arms, arms + n)]);
    let graph = Dag::new(2 * arms as usize + 1, edges).unwrap();
    let keep = (0..=2 * arms).map(|node| node != 2 * arms).collect();
    (graph, keep)
}

#[test]
fn case_44_a_pruned_hub_of_two_thousand_by_two_thousand_survives() {
    let (graph, keep) = hub(2_000);
    let kept = graph.pruned(&keep).unwrap();
    assert_eq!((kept.needs(), kept.height()), (4_000_000, 2));
    assert_eq!(kept.children(1_999), (2_000..4_000).collect::<Vec<_>>());
    assert!(graph.reduced(&keep).unwrap() == kept);
}

#[test]
fn case_44_more_needs_than_memory_are_refused_before_they_are_stored() {
    let (graph, keep) = hub(4_100);
    assert_eq!(graph.pruned(&keep).err(), Some(DagError::TooManyNeeds { limit: MOST_NEEDS }));
    assert_eq!(graph.reduced(&keep).err(), Some(DagError::TooManyNeeds { limit: MOST_NEEDS }));
    // A hundred of the parents in a row: too many needs only before reduction.
    let row = (0..4_099).map(|n| (n, n + 1));
    let edges = (0..4_100).flat_map(|n| [(n, 8_200), (8_200, 4_100 + n)]).chain(row);
    let graph = Dag::new(8_201, edges).unwrap();
    assert!(graph.pruned(&keep).is_err());
    assert_eq!(graph.reduced(&keep).unwrap().needs(), 4_099 + 4_100);
}

#[test]
fn marks_that_are_missing_mean_pruned() {
    assert_eq!(needs(&demo().pruned(&[true]).unwrap()), [(TINYAPP, vec![])]);
    assert_eq!(demo().pruned(&[true; 500]).unwrap().len(), 5);
}
