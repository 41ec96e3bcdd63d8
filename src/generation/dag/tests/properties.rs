//! What holds for every graph and every set of pruned nodes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::{Dag, Kept, Need, affected, joins};
use super::dag;
use super::oracle::{self, Edges, Made, closure, made, pairs};

fn edges_of(kept: &Kept) -> Edges {
    kept.order().iter().map(|node| (*node, kept.children(*node).iter().copied().collect())).collect()
}

fn levels_of(kept: &Kept) -> BTreeMap<u32, u32> {
    kept.order().iter().map(|node| (*node, kept.level(*node))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn case_05_pruning_is_splicing_in_any_order(made in made(20)) {
        let kept = dag(made.nodes, &made.edges).pruned(&made.keep).unwrap();
        let spliced = oracle::spliced(&made);
        prop_assert_eq!(&edges_of(&kept), &spliced);
        prop_assert_eq!(levels_of(&kept), oracle::levels(&spliced));
        prop_assert_eq!(kept.order(), oracle::queue_order(&spliced));
        prop_assert_eq!(kept.height(), oracle::levels(&spliced).values().max().map_or(0, |level| level + 1));
        for node in 0..made.nodes as u32 {
            prop_assert!(kept.children(node).is_sorted());
            prop_assert_eq!(kept.contains(node), made.keep[node as usize]);
        }
    }

    #[test]
    fn case_05_kept_nodes_reach_each_other_exactly_as_before(made in made(20)) {
        let kept = dag(made.nodes, &made.edges).pruned(&made.keep).unwrap();
        let before = closure(made.nodes, made.edges.iter().copied());
        let after = closure(made.nodes, pairs(&edges_of(&kept)));
        for (from, to) in kept.order().iter().flat_map(|from| kept.order().iter().map(move |to| (*from, *to))) {
            prop_assert_eq!(before[from as usize][to as usize], after[from as usize][to as usize]);
        }
    }

    #[test]
    fn case_36_reduction_keeps_every_wait_and_is_minimal(made in made(20)) {
        let graph = dag(made.nodes, &made.edges);
        let kept = graph.pruned(&made.keep).unwrap();
        let reduced = kept.reduced();
        let edges = edges_of(&reduced);
        prop_assert_eq!(&edges, &oracle::reduced(made.nodes, &edges_of(&kept)));
        prop_assert_eq!(&graph.reduced(&made.keep).unwrap(), &reduced);
        prop_assert_eq!(&reduced.reduced(), &reduced);

        let reach = closure(made.nodes, pairs(&edges));
        prop_assert_eq!(&reach, &closure(made.nodes, pairs(&edges_of(&kept))));
        for gone in pairs(&edges) {
            let fewer = pairs(&edges).filter(|edge| *edge != gone);
            prop_assert_ne!(&closure(made.nodes, fewer), &reach, "{:?} is not needed", gone);
        }

        // What the levels and the order were, the fewest needs still say.
        prop_assert_eq!(levels_of(&reduced), oracle::levels(&edges));
        prop_assert_eq!(reduced.order(), oracle::queue_order(&edges));
        prop_assert_eq!((levels_of(&reduced), reduced.order()), (levels_of(&kept), kept.order()));
    }

    #[test]
    fn case_22_affected_is_what_the_definition_says(made in made(20), depth in prop::option::of(-1..6_i64)) {
        let changed = &made.prune[..made.prune.len().min(3)];
        let distance = distances(&made, changed);
        let reach = closure(made.nodes, made.edges.iter().copied());
        let visited: Vec<usize> = (0..made.nodes)
            .filter(|node| distance[*node].is_some_and(|distance| depth.is_none_or(|depth| distance <= depth)))
            .collect();
        let expected: Vec<bool> =
            (0..made.nodes).map(|node| visited.iter().any(|from| *from == node || reach[*from][node])).collect();
        prop_assert_eq!(affected(&dag(made.nodes, &made.edges), changed, depth), expected);
    }

    #[test]
    fn case_36_joins_keep_every_wait_and_the_limit(count in 0..400_u32, limit in 2..60_usize) {
        let needs: Vec<u32> = (0..count).map(|n| n * 3).collect();
        match joins(&needs, limit).unwrap() {
            None => prop_assert!(needs.len() <= limit),
            Some(tree) => {
                prop_assert!(needs.len() > limit);
                prop_assert_eq!(tree.groups.len(), (needs.len() - limit).div_ceil(limit - 1), "as few as possible");
                let mut waits: Vec<BTreeSet<u32>> = Vec::new();
                let mut used = BTreeSet::new();
                let mut follow = |list: &[Need], waits: &[BTreeSet<u32>]| {
                    let mut all = BTreeSet::new();
                    for need in list {
                        assert!(used.insert(*need), "{need:?} is waited for twice");
                        match need {
                            Need::Node(node) => all.extend([*node]),
                            // Only joins before this one exist yet.
                            Need::Join(join) => all.extend(&waits[*join as usize]),
                        }
                    }
                    all
                };
                for group in &tree.groups {
                    prop_assert!((2..=limit).contains(&group.len()));
                    let all = follow(group, &waits);
                    waits.push(all);
                }
                prop_assert!(tree.needs.len() <= limit);
                prop_assert_eq!(follow(&tree.needs, &waits), needs.iter().copied().collect::<BTreeSet<_>>());
                prop_assert_eq!(joins(&needs, limit).unwrap(), Some(tree));
            }
        }
    }

    #[test]
    fn case_11_every_circle_that_is_reported_is_one(edges in prop::collection::vec((0..12_u32, 0..12_u32), 0..30)) {
        let reach = closure(12, edges.iter().copied());
        match Dag::new(12, edges.iter().copied()) {
            Ok(graph) => {
                prop_assert!((0..12).all(|node| !reach[node][node]));
                prop_assert_eq!(graph.edges(), edges.iter().collect::<BTreeSet<_>>().len());
                for node in 0..12 {
                    let children: BTreeSet<u32> = edges.iter().filter(|edge| edge.0 == node).map(|edge| edge.1).collect();
                    prop_assert_eq!(graph.children(node).to_vec(), Vec::from_iter(children));
                    let parents: BTreeSet<u32> = edges.iter().filter(|edge| edge.1 == node).map(|edge| edge.0).collect();
                    prop_assert_eq!(graph.parents(node).to_vec(), Vec::from_iter(parents));
                }
            }
            Err(super::super::DagError::Cycle { places }) => {
                prop_assert!(places.len() >= 2 && places.first() == places.last());
                prop_assert!(places.windows(2).all(|step| edges.contains(&(step[0], step[1]))));
                prop_assert_eq!(BTreeSet::from_iter(&places).len(), places.len() - 1, "no place twice");
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}

/// How far above the changed nodes each node is.
fn distances(made: &Made, changed: &[u32]) -> Vec<Option<i64>> {
    let mut distance = vec![None; made.nodes];
    for node in changed {
        distance[*node as usize] = Some(0);
    }
    for round in 0..made.nodes as i64 {
        for (parent, child) in &made.edges {
            if distance[*child as usize] == Some(round) && distance[*parent as usize].is_none() {
                distance[*parent as usize] = Some(round + 1);
            }
        }
    }
    distance
}

/// More parents than one block takes: each is followed alone here, without marks.
#[test]
fn case_44_blocks_of_parents_do_not_mix() {
    let nodes = 2_300_u32;
    let mut state = 7_u64;
    let mut dice = move |end: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % end
    };
    for percent in [30, 70, 97] {
        // Small numbers come before large ones, then places are mixed.
        let mixed = |n: u32| (n * 1_201) % nodes;
        let edges: Vec<(u32, u32)> = (0..nodes * 3)
            .map(|_| (dice(nodes), dice(nodes)))
            .filter(|(a, b)| a != b && a.abs_diff(*b) < 300)
            .map(|(a, b)| (mixed(a.min(b)), mixed(a.max(b))))
            .collect();
        let graph = dag(nodes as usize, &edges);
        let keep: Vec<bool> = (0..nodes).map(|_| dice(100) < percent).collect();
        let follow = |from: &[u32], stops: bool| {
            let mut found = BTreeSet::new();
            let mut open: Vec<u32> = from.iter().flat_map(|node| graph.children(*node)).copied().collect();
            while let Some(node) = open.pop() {
                if found.insert(node) && !(stops && keep[node as usize]) {
                    open.extend(graph.children(node));
                }
            }
            found.retain(|node| keep[*node as usize]);
            found
        };
        let kept = graph.pruned(&keep).unwrap();
        let reduced = graph.reduced(&keep).unwrap();
        assert!(kept.len() > 600 && kept.needs() > reduced.needs());
        assert!(kept.reduced() == reduced);
        for node in kept.order() {
            let near = Vec::from_iter(follow(&[*node], true));
            assert_eq!(kept.children(*node), near);
            let far = follow(&near, false);
            let fewest: Vec<u32> = near.into_iter().filter(|child| !far.contains(child)).collect();
            assert_eq!(reduced.children(*node), fewest);
        }
    }
}
