//! Pipelines that run for too long: what is canceled and started anew, and what is owed when a pass dies between the two.

use super::*;

/// Children, then the parent, and only then a new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_pipeline_is_canceled_from_below_and_then_started_anew() {
    let night = Night::begin("stuck").await;
    let stuck_after = Duration::from_secs(3_600);
    let outside = night.outside(|outside| outside.rules.stuck_after = stuck_after).await;
    let (old, children) = night.running.world(|world| {
        let old = world
            .pipelines()
            .find(|one| one.parent.is_none() && &*one.git_ref == "develop" && one.status == Status::Running)
            .unwrap();
        let of = world.pipelines().filter(|one| one.parent.is_some_and(|(parent, _)| parent == old.id));
        let alive = of.filter(|one| one.status.is_cancelable());
        (old.id, alive.map(|one| one.id).collect::<Vec<_>>())
    });
    assert!(!children.is_empty());
    // What was canceled needs some time to end.
    let pass = Duty::Stuck.pass(&outside, false, &|| false);
    let ageing = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if !night.writes().is_empty() {
                night.wait(5_000);
            }
        }
    };
    let report = tokio::select! {
        report = pass => report.unwrap(),
        () = ageing => unreachable!(),
    };
    let one = item(&report, &format!("{old} develop"));
    assert!(one.verdict == "restart" && done(one), "{report:?}");
    let project = "POST /api/v4/projects/spack%2Fspack-packages";
    let place = |write: String| {
        let found: Vec<usize> =
            night.writes().iter().enumerate().filter(|(_, one)| **one == write).map(|(at, _)| at).collect();
        let [at] = found[..] else { panic!("{write}: {found:?} of {:?}", night.writes()) };
        at
    };
    let parent = place(format!("{project}/pipelines/{old}/cancel"));
    for child in children {
        let is_running_by_then = night.writes().iter().any(|one| one.contains(&format!("/{child}/")));
        assert!(!is_running_by_then || place(format!("{project}/pipelines/{child}/cancel")) < parent);
    }
    assert!(place(START.to_owned()) > parent);
    let newest = night.running.world(|world| {
        let newest = world.pipelines().rev().find(|one| one.parent.is_none() && &*one.git_ref == "develop").unwrap();
        assert!(!world.pipeline(old).unwrap().status.is_cancelable());
        newest.id
    });
    assert!(newest > old);
    let rows = night.audit().await;
    assert!(rows.iter().all(|row| &*row.who == "bridge.stuck" && row.state != AuditState::Failed), "{rows:?}");
    let again = Duty::Stuck.pass(&night.outside(|_| ()).await, false, &|| false).await.unwrap();
    assert_eq!(again.acted(), 0, "{again:?}");
}

/// Killed between the cancel and the new one: what is owed is not forgotten, and is started once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_canceled_gets_its_pipeline_though_the_pass_was_killed() {
    let night = Night::begin("owed").await;
    let change = |outside: &mut Outside| outside.rules.stuck_after = Duration::from_secs(3_600);
    let develop = |night: &Night| {
        night.running.world(|world| {
            world.pipelines().filter(|one| one.parent.is_none() && &*one.git_ref == "develop").map(|one| one.id).max()
        })
    };
    let old = develop(&night).unwrap();
    let killed = {
        let outside = night.outside(change).await;
        tokio::spawn(async move { Duty::Stuck.pass(&outside, false, &|| false).await })
    };
    let canceled = format!("/pipelines/{old}/cancel");
    night.until_written(&canceled, 1_000).await;
    killed.abort();
    let _ = killed.await;
    assert_eq!(develop(&night), Some(old), "it was killed too late");
    night.wait(60_000);
    let outside = night.outside(change).await;
    let dry = Duty::Stuck.pass(&outside, true, &|| false).await.unwrap();
    assert_eq!(item(&dry, "develop").verdict, "start");
    let next = Duty::Stuck.pass(&outside, false, &|| false).await.unwrap();
    assert!(next.items.iter().any(|one| one.verdict == "start" && one.subject == "develop" && done(one)), "{next:?}");
    let new = develop(&night).unwrap();
    assert!(new > old);
    let last = Duty::Stuck.pass(&outside, false, &|| false).await.unwrap();
    assert!(last.items.iter().all(|one| one.verdict != "start") && develop(&night) == Some(new), "{last:?}");
}

/// What GitLab refuses to cancel is owed nothing, whatever becomes of it later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_is_refused_owes_no_pipeline() {
    let night = Night::begin("refused").await;
    let outside = night.outside(|outside| outside.rules.stuck_after = Duration::from_secs(3_600)).await;
    night.running.fault(Fault::new(FaultKind::Forbidden).on("/cancel"));
    let report = Duty::Stuck.pass(&outside, false, &|| false).await.unwrap();
    assert!(report.verdicts["restart"] > 0 && report.acted() > 0, "{report:?}");
    let mut outcomes = report.items.iter().filter_map(|one| one.outcome.as_ref());
    assert!(outcomes.all(|outcome| matches!(outcome, Outcome::Failed { .. })), "{report:?}");
    assert!(outside.store.companion_notes::<Value>("practice/spack stuck").await.unwrap().is_empty());
}

/// Killed before anybody heard of the cancel: whether it arrived is seen by what was canceled. What has ended by itself or is gone is owed nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_canceled_is_owed_no_pipeline() {
    let night = Night::begin("unheard").await;
    let outside = night.outside(|_| ()).await;
    let (old, sha) = night.running.world(|world| {
        let of_develop = world.pipelines().filter(|one| one.parent.is_none() && &*one.git_ref == "develop");
        let newest = of_develop.max_by_key(|one| one.id).unwrap();
        (newest.id.0, newest.commit.sha.to_string())
    });
    let owed = json!({"pipeline": old, "git_ref": "develop", "sha": sha});
    note(&outside, Duty::Stuck, &old.to_string(), owed).await;
    let answer = |route: &str, body: Value| {
        let kind = FaultKind::Reply { status: 200, content_type: "application/json", body: body.to_string() };
        night.running.fault(Fault::new(kind).on(route));
    };
    let verdict = async |status: &str, triggers: Value, jobs: Value| {
        night.running.heal();
        answer("status=running", json!([]));
        answer(&format!("/pipelines/{old}/trigger_jobs"), triggers);
        answer(&format!("/pipelines/{old}/jobs"), jobs);
        answer(&format!("/pipelines/{old}"), json!({"id": old, "status": status, "ref": "develop"}));
        let dry = Duty::Stuck.pass(&outside, true, &|| false).await.unwrap();
        item(&dry, "develop").verdict
    };
    let job = |status: &str| json!([{"id": 7, "name": "e4s", "status": status, "pipeline": {"id": old}}]);
    let none = || json!([]);
    assert_eq!(verdict("failed", job("failed"), none()).await, "settled");
    assert_eq!(verdict("failed", job("canceled"), none()).await, "start");
    assert_eq!(verdict("failed", job("failed"), job("canceled")).await, "start");
    assert_eq!(verdict("canceled", none(), none()).await, "start");
    assert_eq!(verdict("pending", none(), none()).await, "not_yet");
    night.running.heal();
    answer("status=running", json!([]));
    night.running.fault(Fault::new(FaultKind::NotFound).on(&format!("/pipelines/{old}")));
    let gone = Duty::Stuck.pass(&outside, false, &|| false).await.unwrap();
    assert_eq!((item(&gone, "develop").verdict, night.writes().len()), ("settled", 0), "{gone:?}");
    assert!(outside.store.companion_notes::<Value>("practice/spack stuck").await.unwrap().is_empty());
}
