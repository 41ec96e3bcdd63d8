//! How many requests a first load takes.

use std::time::Instant;

use stackhand::ci::PipelineId;
use stackhand::console::effect::Focus;
use stackhand::console::event::Intent;
use stackhand::console::fresh::Completeness;
use stackhand::console::world::{Needs, World};

use crate::night::{Plot, Who, story};

fn is_whole(world: &World, root: PipelineId) -> bool {
    world.pipeline(root).is_some_and(|facts| !facts.children.is_empty())
        && world.tree(root).all(|facts| {
            facts.jobs.completeness == Completeness::Whole
                && (facts.pipeline.parent.is_none() || matches!(facts.needs, Needs::Known { .. }))
        })
}

/// Reads the biggest tree of a night of 5,000 jobs.
fn load(who: Who, most: u64) {
    story(async move {
        let night = Plot { jobs: 5_000, followed: 1, ..Plot::quiet() }.by(who).begin().await;
        let root = night.server().world(|world| {
            let nightly = world.pipelines().filter(|p| p.parent.is_none());
            let size = |p: PipelineId| {
                world.jobs().filter(|j| world.pipeline_of(j).parent.is_some_and(|(id, _)| id == p)).count()
            };
            nightly.map(|p| (size(p.id), p.id)).max().unwrap().1
        });
        let loading = Instant::now();
        night.intents.send(Intent::Focus(Focus { pipeline: Some(root), ..Focus::default() })).await.unwrap();
        night.wait("something to look at", || night.world.borrow().counts().total() > 0).await;
        let first = night.server().requests();
        night.wait("the whole tree", || is_whole(&night.world.borrow(), root)).await;
        let requests = night.server().requests();
        let took = loading.elapsed();
        let (jobs, children) = {
            let world = night.world.borrow();
            (world.jobs_of(root).count(), world.pipeline(root).unwrap().children.len())
        };
        let known = if who == Who::Nobody { "no token" } else { "token" };
        eprintln!(
            "{known}: {jobs} jobs in {children} children: {requests} requests in {took:.1?}, first jobs after {first}"
        );
        assert!(jobs > 3_000 && children >= 20, "{jobs} jobs in {children} children is no big tree");
        assert!(requests <= most, "{known}: {requests} requests, {most} allowed");
        night.end().await;
    });
}

#[test]
fn a_big_tree_without_a_token() {
    load(Who::Nobody, 120);
}

#[test]
fn a_big_tree_with_a_token() {
    load(Who::Operator, 80);
}
