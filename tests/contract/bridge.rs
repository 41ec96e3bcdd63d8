//! What the bridge asks GitLab, asked of the practice world.

use std::collections::BTreeSet;
use std::sync::Arc;

use stackhand::adapters::gitlab::{GitLab, Settings};
use stackhand::bridge::Looked;
use stackhand::ci::{Status, Timestamp};
use stackhand::console::fault::FaultKind;
use stackhand::forge::{BranchName, Sha};
use stackhand::sandbox::{Fault, FaultKind as Trouble, OPENING, Options, Running, Sandbox};

async fn world() -> Running {
    Sandbox::start(Options { speed: 0.0, jobs: 300, ..Options::default() }).await.unwrap()
}

fn adapter(running: &Running, token: Option<&str>) -> GitLab {
    let settings = Settings {
        token: token.map(Into::into),
        per_second: 10_000.0,
        ..Settings::new(&running.url, running.project, Arc::new(|| OPENING))
    };
    GitLab::new(settings).unwrap()
}

#[tokio::test]
async fn every_pipeline_of_the_project_is_found_by_when_it_changed() {
    let running = world().await;
    let gitlab = adapter(&running, None);
    let list = gitlab.pipelines_since(Timestamp::from_millis(0)).await.unwrap();
    assert!(list.is_whole() && list.at.is_some(), "{:?}", list.trouble);
    let ids: BTreeSet<u64> = list.items.iter().map(|one| one.id.0).collect();
    let parents: BTreeSet<u64> =
        running.world(|world| world.pipelines().filter(|one| one.parent.is_none()).map(|one| one.id.0).collect());
    assert_eq!(ids, parents, "children have their own list");
    let newest = list.items.iter().filter_map(|one| one.updated_at).max().unwrap();
    let later = gitlab.pipelines_since(newest).await.unwrap();
    assert!(later.items.len() < list.items.len());
    for one in &list.items {
        let of = gitlab.pipelines_of(&one.sha, None).await.unwrap();
        assert!(of.items.iter().any(|found| found.id == one.id), "{}", one.id);
    }
    let nobody = Sha::parse(&"0".repeat(40)).unwrap();
    assert_eq!(gitlab.pipelines_of(&nobody, None).await.unwrap().looked(), Looked::Found(Vec::new()));
}

#[tokio::test]
async fn main_what_runs_and_what_it_started_are_told() {
    let running = world().await;
    let gitlab = adapter(&running, None);
    let main = gitlab.main_pipelines(&BranchName::parse("develop").unwrap()).await.unwrap();
    assert!(!main.is_empty() && main.windows(2).all(|two| two[0].id > two[1].id));
    assert!(main.iter().all(|one| &*one.git_ref == "develop"));
    let runs = gitlab.running_pipelines().await.unwrap();
    assert!(runs.is_whole() && runs.items.iter().all(|one| one.status == Status::Running));
    let parent = &runs.items[0];
    let children = gitlab.children(parent.id).await.unwrap();
    let triggers = gitlab.dead_triggers(parent).await.unwrap();
    let started: Vec<_> = triggers.iter().filter_map(|one| one.child).collect();
    assert_eq!(children, started);
}

#[tokio::test]
async fn a_pipeline_can_be_started_and_then_the_commit_has_it() {
    let running = world().await;
    let gitlab = adapter(&running, Some(&running.token));
    let git_ref = gitlab.pipelines_since(Timestamp::from_millis(0)).await.unwrap().items[0].git_ref.clone();
    let made = gitlab.create_pipeline(&git_ref, &[]).await.unwrap();
    let sha = Sha::parse(&made.sha).unwrap();
    let branch = BranchName::parse(&git_ref).unwrap();
    let found = gitlab.pipelines_of(&sha, Some(&branch)).await.unwrap();
    assert!(found.items.iter().any(|one| one.id == made.id));
    let fault = gitlab.create_pipeline("pr0_gone", &[]).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused { status: 400 });
}

#[tokio::test]
async fn trouble_is_typed_and_passes() {
    let running = world().await;
    let gitlab = adapter(&running, None);
    running.fault(Fault::new(Trouble::BadGateway).on("/pipelines").times(2));
    assert!(gitlab.pipelines_since(OPENING).await.is_ok(), "twice is tried again");
}
