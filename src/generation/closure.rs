//! The closure of a pipeline: whether every job will find what it has to install.
//!
//! A job builds one spec and installs everything below it from caches only. So whatever lies below a job, however deep, is built in the
//! same pipeline or is on a mirror of the stack already; anything else makes the job fail hours later. Spack does not check this.

use super::dag::Dag;

/// How many jobs are named for each missing spec.
const NAMED: usize = 3;

/// A spec that some job needs, but that is neither built nor on a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The place of the missing spec.
    pub missing: u32,
    /// Up to three jobs that need it, sorted: the first ones among those with no other job on their way to it.
    pub parents: Vec<u32>,
}

/// Finds what is missing, sorted by place. All marks are per place: what is built in this pipeline, what is external (and needs no binary),
/// what is on a mirror. Dependencies of all types count, also those behind externals and binaries. Linear in the size of the graph.
pub fn gaps(dag: &Dag, keep: &[bool], is_external: &[bool], available: &[bool]) -> Vec<Gap> {
    let is_set = |marks: &[bool], node: u32| marks.get(node as usize).copied().unwrap_or(false);
    let mut jobs = vec![Jobs::default(); dag.len()];
    for node in dag.order().iter().rev() {
        let carried =
            if is_set(keep, *node) { Jobs::one(*node) } else { jobs.get(*node as usize).copied().unwrap_or_default() };
        for child in dag.children(*node) {
            if let Some(jobs) = jobs.get_mut(*child as usize) {
                jobs.join(carried);
            }
        }
    }
    let needed = (0..).zip(jobs).filter(|(_, jobs)| !jobs.is_empty());
    needed
        .filter(|(node, _)| ![keep, is_external, available].iter().any(|marks| is_set(marks, *node)))
        .map(|(missing, jobs)| Gap { missing, parents: jobs.places().collect() })
        .collect()
}

/// The first few of a set of jobs, sorted; free slots last.
#[derive(Debug, Clone, Copy, Default)]
struct Jobs([Option<u32>; NAMED]);

impl Jobs {
    fn one(job: u32) -> Self {
        let mut jobs = Self::default();
        jobs.insert(job);
        jobs
    }

    fn places(self) -> impl Iterator<Item = u32> {
        self.0.into_iter().flatten()
    }

    fn is_empty(self) -> bool {
        self.places().next().is_none()
    }

    fn join(&mut self, others: Self) {
        for job in others.places() {
            self.insert(job);
        }
    }

    fn insert(&mut self, job: u32) {
        let mut job = Some(job);
        for slot in &mut self.0 {
            if *slot == job {
                return;
            }
            if slot.is_none() || *slot > job {
                std::mem::swap(slot, &mut job);
            }
            if job.is_none() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn marks(count: usize, places: &[u32]) -> Vec<bool> {
        (0..count as u32).map(|place| places.contains(&place)).collect()
    }

    #[test]
    fn what_is_below_a_job_is_built_external_or_on_a_mirror() {
        // 0 → 1 → 2 → 3 and 0 → 4 → 3
        let dag = Dag::new(5, [(0, 1), (1, 2), (2, 3), (0, 4), (4, 3)]).unwrap();
        let find = |keep: &[u32], external: &[u32], available: &[u32]| {
            gaps(&dag, &marks(5, keep), &marks(5, external), &marks(5, available))
        };
        assert_eq!(find(&[0, 1, 2, 3, 4], &[], &[]), []);
        assert_eq!(find(&[0], &[3], &[1, 2, 4]), []);
        // A binary of 2 is no use without 3; it is missing once, however many ways lead there.
        assert_eq!(find(&[0, 1], &[], &[2, 4]), [Gap { missing: 3, parents: vec![0, 1] }]);
        assert_eq!(find(&[2], &[], &[]), [Gap { missing: 3, parents: vec![2] }]);
        assert_eq!(find(&[], &[], &[]), []);
        assert_eq!(
            find(&[0], &[], &[2]),
            [1, 3, 4].map(|missing| Gap { missing, parents: vec![0] }),
            "in the order of places"
        );
    }

    #[test]
    fn case_07_an_external_in_the_middle_does_not_hide_what_is_below_it() {
        let dag = Dag::new(3, [(0, 1), (1, 2)]).unwrap();
        let found = gaps(&dag, &marks(3, &[0]), &marks(3, &[1]), &[]);
        assert_eq!(found, [Gap { missing: 2, parents: vec![0] }]);
    }

    #[test]
    fn a_gap_names_three_jobs_at_most() {
        let dag = Dag::new(50, (0..49).rev().map(|parent| (parent, 49))).unwrap();
        let found = gaps(&dag, &[true; 49], &[], &[]);
        assert_eq!(found, [Gap { missing: 49, parents: vec![0, 1, 2] }]);
    }

    #[test]
    fn a_deep_chain_of_missing_specs_is_no_stack_and_no_square() {
        let deep = 200_000;
        let dag = Dag::new(deep as usize, (1..deep).map(|child| (child - 1, child))).unwrap();
        let found = gaps(&dag, &[true], &[], &[]);
        assert_eq!(found.len(), deep as usize - 1);
        assert!(found.iter().all(|gap| gap.parents == [0]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn gaps_are_what_a_search_from_every_job_finds(
            edges in prop::collection::vec((0..16_u32, 0..16_u32), 0..50),
            marks in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 16),
        ) {
            // From small to large, so that there is no circle.
            let edges: Vec<_> = edges.into_iter().filter(|(parent, child)| parent < child).collect();
            let dag = Dag::new(16, edges.iter().copied()).unwrap();
            let pick = |which: fn(&(bool, bool, bool)) -> bool| marks.iter().map(which).collect::<Vec<_>>();
            let (keep, external, available) = (pick(|m| m.0), pick(|m| m.1 && m.2), pick(|m| m.1 != m.2));
            let mut expected = BTreeSet::new();
            for job in (0..16_u32).filter(|job| keep[*job as usize]) {
                let mut open = vec![job];
                while let Some(node) = open.pop() {
                    let at = node as usize;
                    if !keep[at] && !external[at] && !available[at] {
                        expected.insert(node);
                    }
                    open.extend(edges.iter().filter(|(parent, _)| *parent == node).map(|(_, child)| *child));
                }
            }
            let found = gaps(&dag, &keep, &external, &available);
            prop_assert_eq!(found.iter().map(|gap| gap.missing).collect::<Vec<_>>(), Vec::from_iter(expected));
            for gap in found {
                prop_assert!(!gap.parents.is_empty() && gap.parents.is_sorted());
                prop_assert!(gap.parents.iter().all(|job| keep[*job as usize]));
            }
        }
    }
}
