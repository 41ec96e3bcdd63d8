use std::collections::{BTreeMap, BTreeSet};

use super::super::plan::Role;
use super::*;

fn at_opening(seed: u64, scenario: Scenario, jobs: usize) -> World {
    let mut world = World::new(seed, scenario, jobs).unwrap();
    world.advance_to(OPENING);
    world
}

/// Jobs of a world by status, retried ones left out.
fn count(world: &World) -> BTreeMap<Status, usize> {
    let mut counts = BTreeMap::new();
    for job in world.jobs().filter(|j| !j.retried && world.pipeline_of(j).created_at >= EPOCH) {
        *counts.entry(job.status).or_default() += 1;
    }
    counts
}

fn failed(world: &World) -> Vec<&Job> {
    let builds = |j: &&Job| j.status == Status::Failed && !j.retried && world.entry_of(j).role == Role::Build;
    world.jobs().filter(builds).collect()
}

/// The failed job of the biggest child that blocks most.
fn first_retry(world: &World) -> &Job {
    let biggest = world.pipelines().filter(|p| p.parent.is_some()).max_by_key(|p| p.latest.len()).unwrap().id;
    failed(world).into_iter().filter(|j| j.pipeline == biggest).max_by_key(|j| world.entry_of(j).blocks).unwrap()
}

#[test]
fn a_busy_night_offers_a_mix_and_a_first_retry_that_works() {
    for (seed, jobs) in (0..12).map(|n| (n * 7 + 1, [200, 1_200, 5_000][n as usize % 3])) {
        let mut world = at_opening(seed, Scenario::Busy, jobs);
        let all = failed(&world);
        eprintln!("seed {seed} jobs {jobs}: {:?} failed builds {}", count(&world), all.len());
        let stacks: BTreeSet<_> = all.iter().map(|j| world.pipeline_of(j).plan.stack).collect();
        let causes: BTreeSet<_> = all.iter().filter_map(|j| j.failure()).map(|m| m.get().cause).collect();
        let (least, spread) = if jobs < 600 { (4, 3) } else { (12, 5) };
        assert!(
            all.len() >= least && stacks.len() >= spread && causes.len() >= spread,
            "{} {} {causes:?}",
            all.len(),
            stacks.len()
        );
        let lead = first_retry(&world);
        assert!(lead.failure().unwrap().get().transient, "seed {seed}");
        assert!(world.entry_of(lead).blocks > 0);
        let id = lead.id;
        let new = world.retry_job(id).unwrap();
        world.advance_to(OPENING.shifted(600_000));
        assert_eq!(world.job(new).unwrap().status, Status::Success, "seed {seed} jobs {jobs}");
    }
}

#[test]
fn worlds_have_the_size_that_was_asked_for() {
    for jobs in [200, 1_200, 5_000] {
        let mut world = World::new(3, Scenario::Busy, jobs).unwrap();
        world.advance_to(OPENING);
        let live: Vec<_> = world.pipelines().filter(|p| p.created_at >= EPOCH).collect();
        let total: usize = live.iter().map(|p| p.latest.len()).sum();
        let children = live.iter().filter(|p| p.parent.is_some()).count();
        eprintln!("{jobs}: {total} jobs, {children} children, {} pipelines", live.len());
        assert!(total.abs_diff(jobs) <= jobs / 4, "{jobs} asked, {total} made");
        assert!((10..=48).contains(&children), "{children} children");
    }
}

#[test]
fn however_time_is_cut_the_world_is_the_same_to_the_byte() {
    let night = |steps: u64| {
        let mut world = World::new(11, Scenario::Busy, 300).unwrap();
        for hour in 0..4 {
            for step in 1..=steps {
                world.advance_to(EPOCH.shifted((hour * 3_600_000 + 3_600_000 * step / steps) as i64));
            }
            // The same calls at the same moments, found the same way.
            let job = world.jobs().rfind(|j| j.status == Status::Failed && !j.retried).map(|j| j.id);
            assert!(job.is_none_or(|job| world.retry_job(job).is_ok()));
            let running = world.jobs().find(|j| j.status == Status::Running).map(|j| j.id);
            assert!(running.is_none_or(|job| world.cancel_job(job, false).is_ok()));
        }
        world.dump()
    };
    let once = night(1);
    assert_eq!(once, night(1));
    assert!(once == night(777), "small steps led to another world");
    assert_ne!(once, World::new(12, Scenario::Busy, 300).unwrap().dump());
}

#[test]
fn an_action_changes_only_what_it_touches() {
    let plain = at_opening(5, Scenario::Busy, 400);
    let mut touched = World::new(5, Scenario::Busy, 400).unwrap();
    touched.advance_to(EPOCH.shifted(60_000));
    let noise = touched.pipelines().find(|p| &*p.git_ref != "develop" && p.status == Status::Success).unwrap().id;
    let job = touched.pipeline(noise).unwrap().latest[0];
    touched.retry_job(job).unwrap();
    touched.advance_to(OPENING);
    let names = |world: &World| {
        let develop = world.pipelines().filter(|p| p.access == Access::Protected && p.created_at >= EPOCH);
        develop
            .flat_map(|p| &p.latest)
            .map(|j| world.jobs.at(*j))
            .map(|j| (world.name_of(j).clone(), j.mishap))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&plain), names(&touched));
}

#[test]
fn a_calm_night_ends_green() {
    let mut world = World::new(2, Scenario::Calm, 300).unwrap();
    world.advance_to(EPOCH.shifted(4 * 3_600_000));
    assert!(failed(&world).is_empty());
    let nightly = world.pipelines().find(|p| p.source == "schedule").unwrap();
    assert_eq!(nightly.status, Status::Success, "{:?}", count(&world));
}

#[test]
fn one_bad_machine_makes_an_outage() {
    let world = at_opening(2, Scenario::Outage, 1_200);
    let bad: Vec<_> = failed(&world).into_iter().filter(|j| j.failure().unwrap().get().cause == "no_space").collect();
    assert!(bad.len() >= 15, "{}", bad.len());
    let on_bad_host = bad.iter().filter(|j| &*world.runners[j.runner.unwrap()].description == "uo-19").count();
    assert!(on_bad_host + 3 > bad.len());
}

#[test]
fn a_failure_skips_what_waits_and_a_retry_brings_it_back() {
    let mut world = at_opening(4, Scenario::Busy, 1_200);
    let lead = first_retry(&world);
    let (id, pipeline, entry) = (lead.id, lead.pipeline, lead.entry);
    let plan = world.pipelines.at(pipeline).plan.clone();
    let status =
        |world: &World, number: u32| world.jobs.at(world.pipelines.at(pipeline).latest[number as usize]).status;
    let skipped: Vec<u32> =
        plan.blocked_by(entry).into_iter().filter(|n| status(&world, *n) == Status::Skipped).collect();
    assert!(!skipped.is_empty());
    let new = world.retry_job(id).unwrap();
    assert!(new > id && world.jobs.at(id).retried && world.jobs.at(new).attempt == 1);
    assert!(skipped.iter().all(|n| status(&world, *n) == Status::Created));
    assert_eq!(world.retry_job(id), Err(Refusal::NotRetryable));
    assert!(world.jobs_of(pipeline, false).all(|j| j.id != id) && world.jobs_of(pipeline, true).any(|j| j.id == id));
    // Only needs that are all done let a dependent go.
    for job in world.jobs_of(pipeline, false).filter(|j| matches!(j.status, Status::Running | Status::Success)) {
        for need in plan.entry(job.entry).needs.iter().flatten() {
            assert_eq!(status(&world, *need), Status::Success);
        }
    }
}

#[test]
fn a_lasting_failure_fails_again() {
    let mut world = at_opening(4, Scenario::Busy, 1_200);
    let job = failed(&world).into_iter().find(|j| !j.failure().unwrap().get().transient).unwrap().id;
    let new = world.retry_job(job).unwrap();
    world.advance_to(OPENING.shifted(3_600_000));
    assert_eq!(world.jobs.at(new).status, Status::Failed);
}

#[test]
fn canceling_takes_time_when_a_job_runs_and_none_when_it_waits() {
    let mut world = at_opening(4, Scenario::Busy, 1_200);
    let find = |world: &World, status| {
        world.jobs().find(|j| j.status == status && world.entry_of(j).role == Role::Build).unwrap().id
    };
    let (running, created) = (find(&world, Status::Running), find(&world, Status::Created));
    let busy = |world: &World| world.runners.iter().map(|r| r.busy).sum::<u32>();
    let before = busy(&world);
    world.cancel_job(running, false).unwrap();
    world.cancel_job(created, false).unwrap();
    assert_eq!((world.jobs.at(running).status, world.jobs.at(created).status), (Status::Canceling, Status::Canceled));
    assert_eq!(world.cancel_job(running, false), Err(Refusal::NotCancelable));
    assert_eq!(busy(&world), before);
    world.advance_to(OPENING.shifted(20_000));
    assert_eq!(world.jobs.at(running).status, Status::Canceled);
    assert_eq!(world.cancel_job(JobId(1), false), Err(Refusal::NotFound));
}

#[test]
fn parents_follow_their_children() {
    let mut world = at_opening(4, Scenario::Busy, 400);
    let parent = world.pipelines().find(|p| p.source == "schedule").unwrap().id;
    assert_eq!(world.pipelines.at(parent).status, Status::Running);
    world.cancel_pipeline(parent).unwrap();
    world.advance_to(OPENING.shifted(60_000));
    assert!(world.pipelines.at(parent).status.is_terminal(), "{}", world.pipelines.at(parent).status);
    // A retry in a child wakes the trigger job and the parent.
    let child = world
        .pipelines()
        .find(|p| p.parent.is_some_and(|(id, _)| id == parent) && p.status == Status::Canceled)
        .unwrap();
    let (child, bridge) = (child.id, child.parent.unwrap().1);
    world.retry_pipeline(child).unwrap();
    assert_eq!(world.jobs.at(bridge).status, Status::Running);
    assert_eq!(world.pipelines.at(parent).status, Status::Running);
}

#[test]
fn a_retried_trigger_job_starts_another_child() {
    let mut world = at_opening(4, Scenario::Calm, 200);
    world.advance_to(EPOCH.shifted(6 * 3_600_000));
    let bridge = world.jobs().find(|j| j.downstream.is_some() && j.status == Status::Success).unwrap();
    let (id, old) = (bridge.id, bridge.downstream);
    let new = world.retry_job(id).unwrap();
    let later = world.now().shifted(10_000);
    world.advance_to(later);
    let child = world.jobs.at(new).downstream;
    assert!(child.is_some() && child != old);
    assert_eq!(world.pipelines.at(child.unwrap()).parent, Some((world.jobs.at(new).pipeline, new)));
}

#[test]
fn slots_are_never_overbooked_and_all_come_back() {
    let mut world = World::new(9, Scenario::Busy, 300).unwrap();
    for minute in 0..400 {
        world.advance_to(EPOCH.shifted(minute * 60_000));
        for runner in &world.runners {
            assert!(runner.busy <= runner.slots, "{}", runner.description);
        }
        let held = world.jobs().filter(|j| j.reserved.is_some()).count();
        assert_eq!(held as u32, world.runners.iter().map(|r| r.busy).sum::<u32>());
    }
    // Counts kept on the way are those that counting gives.
    for pipeline in world.pipelines() {
        let mut tally = Tally::default();
        for job in pipeline.latest.iter().map(|j| world.jobs.at(*j)) {
            tally.add(job.status, pipeline.plan.entry(job.entry).allow_failure);
        }
        assert_eq!(tally, pipeline.tally);
        assert_eq!(tally.composite(), pipeline.status);
    }
}

#[test]
fn branches_get_new_pipelines_and_unknown_ones_do_not() {
    let mut world = at_opening(4, Scenario::Busy, 200);
    assert_eq!(world.create_pipeline("no-such-branch"), Err(Refusal::NoSuchRef));
    let id = world.create_pipeline("develop").unwrap();
    assert_eq!((world.pipelines.at(id).source, world.pipelines.at(id).user.username), ("api", "oncall"));
}

#[test]
fn manual_jobs_play_and_finished_ones_are_erased() {
    let mut world = at_opening(4, Scenario::Busy, 200);
    let waiting = world.jobs().find(|j| j.status == Status::Created).unwrap().id;
    assert_eq!(world.play_job(waiting), Err(Refusal::NotPlayable));
    assert_eq!(world.erase_job(waiting), Err(Refusal::NotErasable));
    world.inject_status(waiting, Status::Manual);
    world.play_job(waiting).unwrap();
    assert_eq!(world.jobs.at(waiting).status, Status::Pending);
    let done = failed(&world)[0].id;
    world.erase_job(done).unwrap();
    assert_eq!(world.erase_job(done), Err(Refusal::NotErasable));
}
