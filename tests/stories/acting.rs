//! Acting: every road from a key to GitLab, and every way in which nothing is sent.

use std::time::Duration;

use stackhand::ci::{JobId, Status};
use stackhand::console::actions::{Object, Plan};
use stackhand::console::audit::AuditState;
use stackhand::console::event::Intent;

use crate::night::{Night, Plot, Who, now, story};

/// The states of all audit rows, newest first.
fn audit(night: &Night) -> Vec<AuditState> {
    night.world.borrow().audit.value.iter().map(|row| row.state).collect()
}

#[test]
fn from_launch_to_a_finished_retry() {
    story(async {
        let night = Plot::default().begin().await;
        night.until("failures on the first screen", |text| text.contains("script_failure") && text.contains("✗")).await;
        night.loaded().await;
        let lead = night.lead();
        let name = night.server().world(|world| world.name_of(world.job(lead).unwrap()).to_string());
        let package = name.split('@').next().unwrap().to_owned();
        // The worst failure is the first row of the list.
        night.press("4").await;
        night
            .until("the worst failure under the cursor", |text| {
                text.lines().any(|line| line.contains('▌') && line.contains(&package))
            })
            .await;
        night.list_job(lead).await;
        night.press("o").await;
        night.until("the log at its cause", |text| text.contains("landmark 1/") && text.contains('✗')).await;
        let before = night.jobs();
        night.press("r").await;
        night.until("the preview", |text| text.contains("Retry preview") && text.contains(&lead.to_string())).await;
        night.confirm().await;
        night.until("the hold", |text| text.contains("retry 1 job in ") && text.contains("u undo")).await;
        night.wait("a new try", || night.newer(lead).is_some()).await;
        assert_eq!(night.jobs(), before + 1);
        night.press("g z").await;
        night.wait("the audit", || audit(&night) == [AuditState::Done, AuditState::Sent, AuditState::Held]).await;
        night
            .until("the audit on screen", |text| ["held", "sent", "done"].iter().all(|word| text.contains(word)))
            .await;
        let new = night.newer(lead).unwrap();
        night.press("⏎").await;
        night.until("the new job in the audit", |text| text.contains(&format!("new job {new}"))).await;
        night.pass_until("the new try ends", |world| world.job(new).unwrap().status.is_terminal()).await;
        assert_eq!(night.status(new), Status::Success);
        night.list_job(new).await;
        night.until("it turns green", |text| text.lines().any(|line| line.contains('▌') && line.contains('✓'))).await;
        night.end().await;
    });
}

#[test]
fn an_undone_plan_sends_nothing_at_all() {
    story(async {
        let night = Plot::quiet().begin().await;
        night.loaded().await;
        let lead = night.lead();
        night.list_job(lead).await;
        let requests = night.server().requests();
        night.press("r").await;
        night.confirm().await;
        night.until("the hold", |text| text.contains("u undo")).await;
        night.press("u").await;
        night.until("it is undone", |text| text.contains("undone, nothing was sent")).await;
        // Longer than the hold would have been, by the core's own clock.
        let due = now().plus(Duration::from_millis(1_500));
        night.wait("the hold would be over", || now() > due).await;
        assert_eq!(night.server().requests(), requests);
        assert_eq!(night.newer(lead), None);
        assert_eq!(audit(&night), [AuditState::Undone, AuditState::Held]);
        night.end().await;
    });
}

#[test]
fn what_changes_between_preview_and_sending_is_skipped() {
    story(async {
        let night = Plot::default().begin().await;
        night.loaded().await;
        let lead = night.lead();
        night.list_job(lead).await;
        night.press("r").await;
        night.until("the preview", |text| text.contains("Retry preview")).await;
        // A colleague is faster.
        night.server().world(|world| world.retry_job(lead).unwrap());
        let jobs = night.jobs();
        night.confirm().await;
        night.press("g z").await;
        night.until("the reason", |text| text.contains("skipped")).await;
        assert_eq!(audit(&night)[0], AuditState::Skipped);
        assert_eq!(night.jobs(), jobs, "one new try, the colleague's");
        night.press("⏎").await;
        night.until("why", |text| text.contains("changed under you")).await;
        night.end().await;
    });
}

#[test]
fn a_mark_stays_on_its_job_while_the_list_refreshes() {
    story(async {
        let night = Plot::default().begin().await;
        night.loaded().await;
        let (lead, running) = (night.lead(), night.some(Status::Running));
        for job in [lead, running] {
            night.list_job(job).await;
            night.press("Space").await;
        }
        night.until("both are marked", |text| text.contains("2 marked")).await;
        // Everything moves: the running one ends, others fail, new pipelines come.
        night.pass_until("the running one ends", |world| world.job(running).unwrap().status.is_terminal()).await;
        night.server().world(stackhand::sandbox::World::inject_push);
        night
            .wait("the list has it", || night.world.borrow().job(running).is_some_and(|job| job.status.is_terminal()))
            .await;
        night.press("4 r").await;
        night.until("the preview", |text| text.contains("Retry preview  2 targets")).await;
        let ended_well = night.status(running) == Status::Success;
        if ended_well {
            night.until("one is skipped", |text| text.contains("success cannot be retried")).await;
        }
        let wanted: Vec<JobId> = if ended_well { vec![lead] } else { vec![lead, running] };
        night.confirm().await;
        night.wait("the retry is through", || night.world.borrow().actions.done().next().is_some()).await;
        let asked: Vec<Object> = {
            let world = night.world.borrow();
            world.actions.done().next().unwrap().plan.targets.iter().map(|t| t.object.clone()).collect()
        };
        let mut wanted: Vec<Object> = wanted.into_iter().map(Object::Job).collect();
        wanted.sort_unstable();
        assert_eq!(asked, wanted);
        assert!(night.newer(lead).is_some());
        night.end().await;
    });
}

#[test]
fn cancel_and_play_do_what_they_say() {
    story(async {
        let night = Plot::default().begin().await;
        night.loaded().await;
        let running = night.some(Status::Running);
        night.list_job(running).await;
        night.press("x").await;
        night.until("the preview", |text| text.contains("Cancel preview")).await;
        night.confirm().await;
        night
            .wait("it is being canceled", || matches!(night.status(running), Status::Canceling | Status::Canceled))
            .await;
        let manual = night.some(Status::Created);
        night.server().world(|world| world.inject_status(manual, Status::Manual));
        night.list_job(manual).await;
        night.until("it waits for a person", |text| text.lines().any(|l| l.contains('▌') && l.contains('⊡'))).await;
        night.press("p").await;
        night.until("the preview", |text| text.contains("Play preview")).await;
        night.confirm().await;
        night.wait("it waits for a runner", || night.status(manual) != Status::Manual).await;
        night.end().await;
    });
}

#[test]
fn a_whole_pipeline_is_retried_by_gitlab() {
    story(async {
        let night = Plot::default().begin().await;
        night.loaded().await;
        let lead = night.lead();
        let child = night.world.borrow().home(lead).unwrap().pipeline.id;
        let plan = Plan::for_pipeline(&night.world.borrow(), child, now());
        assert_eq!(plan.targets.len(), 1);
        let intent = Intent::Confirm { plan: plan.into(), who: "hmercer".into() };
        night.intents.send(intent).await.unwrap();
        night.until("the hold is on every screen", |text| text.contains("retry 1 pipeline in ")).await;
        night
            .wait("every failed job has a new try", || {
                night.newer(lead).is_some()
                    && night.server().world(|world| {
                        let latest = world.pipeline(child).unwrap().latest.clone();
                        latest.iter().all(|job| world.job(*job).unwrap().status != Status::Failed)
                    })
            })
            .await;
        night.wait("the audit has it", || audit(&night).first() == Some(&AuditState::Done)).await;
        night.end().await;
    });
}

#[test]
fn without_a_token_everything_can_be_read_and_nothing_changed() {
    story(async {
        let night = Plot::default().by(Who::Nobody).begin().await;
        night.loaded().await;
        night.until("it says so", |text| text.lines().next().unwrap().contains(" ro ")).await;
        let lead = night.lead();
        night.list_job(lead).await;
        let jobs = night.jobs();
        night.press("o").await;
        night.until("the log, by the page's own address", |text| text.contains("landmark 1/")).await;
        night.press("r").await;
        night.until("the reason", |text| text.contains("Retry preview") && text.contains("read-only: no token")).await;
        night.press("y").await;
        night.press("Esc").await;
        night.until("the preview is gone", |text| !text.contains("Retry preview")).await;
        assert!(night.world.borrow().actions.held().is_empty());
        assert_eq!(night.jobs(), jobs);
        night.end().await;
    });
}

#[test]
fn a_token_that_may_not_write_is_told_so_in_the_audit() {
    story(async {
        let night = Plot::default().by(Who::Reader).begin().await;
        night.loaded().await;
        night.list_job(night.lead()).await;
        let jobs = night.jobs();
        night.press("r").await;
        night.confirm().await;
        night.wait("it failed", || audit(&night).first() == Some(&AuditState::Failed)).await;
        night.press("g z ⏎").await;
        night.until("why", |text| text.contains("failed: ") && text.to_lowercase().contains("scope")).await;
        assert_eq!(night.jobs(), jobs);
        night.end().await;
    });
}
