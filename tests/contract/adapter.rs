//! The real adapter against the practice world: both were written from GitLab's contract, neither from the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stackhand::adapters::gitlab::{ChildCursor, GitLab, JobNeeds, PipelineQuery, Settings};
use stackhand::ci::{JobId, Pipeline, Status};
use stackhand::fleet::Runner;
use stackhand::sandbox::{Fault, FaultKind, OPENING, Options, Running, Sandbox};

async fn world(jobs: usize) -> Running {
    Sandbox::start(Options { speed: 0.0, jobs, ..Options::default() }).await.unwrap()
}

fn adapter(running: &Running, token: Option<&str>) -> GitLab {
    let settings = Settings {
        token: token.map(Into::into),
        per_second: 10_000.0,
        ..Settings::new(&running.url, running.project, Arc::new(|| OPENING))
    };
    GitLab::new(settings).unwrap()
}

fn edges(needs: &[JobNeeds]) -> BTreeMap<String, BTreeSet<String>> {
    needs.iter().map(|job| (job.name.to_string(), job.needs.iter().map(|n| n.name.to_string()).collect())).collect()
}

/// The nightly parent with all its children, as the console reads it first.
async fn tree(gitlab: &GitLab) -> (Pipeline, Vec<(JobId, Pipeline)>) {
    let query = PipelineQuery { source: Some("schedule".to_owned()), ..PipelineQuery::default() };
    let parent = gitlab.pipelines(&query, 1).await.unwrap().items.remove(0);
    let triggers = gitlab.trigger_jobs(parent.id).await.unwrap();
    let generators = gitlab.jobs_page(parent.id, 1, &[], false).await.unwrap().items;
    let generate = |trigger: &str| {
        let name = format!("{}-generate", trigger.strip_suffix("-build").unwrap());
        generators.iter().find(|job| *job.name == *name).unwrap().id
    };
    let children = triggers.into_iter().filter_map(|t| Some((generate(&t.job.name), t.child?))).collect();
    (parent, children)
}

/// Loads a 5,000-job night the whole way and gives back how many requests it took.
async fn load(token: bool) -> u64 {
    let running = world(5_000).await;
    let gitlab = adapter(&running, token.then_some(running.token.as_str()));
    gitlab.project().await.unwrap();
    let (_, children) = tree(&gitlab).await;
    let mut left: Vec<ChildCursor> = children
        .iter()
        .map(|(_, child)| ChildCursor { pipeline: child.id, iid: child.iid.unwrap(), after: None })
        .collect();
    let mut jobs = BTreeSet::new();
    while !left.is_empty() {
        let batch = gitlab.jobs_graphql(&left, false, &[]).await.unwrap();
        assert!(batch.failed.is_empty(), "{:?}", batch.failed);
        jobs.extend(batch.pages.iter().flat_map(|page| &page.jobs).map(|job| job.id));
        left.retain_mut(|cursor| {
            let page = batch.pages.iter().find(|page| page.pipeline == cursor.pipeline).unwrap();
            cursor.after.clone_from(&page.next);
            cursor.after.is_some()
        });
    }
    for (generate, child) in &children {
        let stack = running.world(|world| {
            let name = world.name_of(world.job(*generate).unwrap()).clone();
            name.strip_suffix("-generate").unwrap().to_owned()
        });
        assert!(!gitlab.generated_needs(*generate, &stack).await.unwrap().is_empty(), "{}", child.id);
    }
    let there = running.world(|world| children.iter().map(|(_, c)| world.jobs_of(c.id, false).count()).sum::<usize>());
    assert_eq!(jobs.len(), there);
    assert!(there > 3_500, "{there} jobs");
    running.requests()
}

#[tokio::test]
async fn a_night_of_5000_jobs_loads_within_the_promised_requests() {
    let (anonymous, token) = (load(false).await, load(true).await);
    eprintln!("requests: {anonymous} without a token, {token} with one");
    assert!(anonymous <= 120, "{anonymous} requests without a token");
    assert!(token <= 80, "{token} requests with one");
}

#[tokio::test]
async fn the_artifact_and_graphql_tell_the_same_edges() {
    let running = world(600).await;
    let gitlab = adapter(&running, None);
    let (_, children) = tree(&gitlab).await;
    let (generate, e4s) = children
        .iter()
        .find(|(id, _)| running.world(|world| &**world.name_of(world.job(*id).unwrap()) == "e4s-generate"))
        .unwrap();
    let written: BTreeMap<_, _> = edges(&gitlab.generated_needs(*generate, "e4s").await.unwrap());
    let mut told = BTreeMap::new();
    let mut cursor = Some(ChildCursor { pipeline: e4s.id, iid: e4s.iid.unwrap(), after: None });
    while let Some(at) = cursor {
        let mut batch = gitlab.jobs_graphql(std::slice::from_ref(&at), true, &[]).await.unwrap();
        let page = batch.pages.remove(0);
        told.extend(edges(&page.needs));
        cursor = page.next.map(|after| ChildCursor { after: Some(after), ..at });
    }
    assert_eq!(told.keys().collect::<Vec<_>>(), written.keys().collect::<Vec<_>>());
    let inside: BTreeSet<&String> = written.keys().collect();
    for (job, needs) in &told {
        // The file names the generate job of the parent as well; GraphQL tells needs inside the pipeline.
        let of_file: BTreeSet<_> = written[job].iter().filter(|name| inside.contains(name)).cloned().collect();
        assert_eq!(*needs, of_file, "{job}");
    }
}

#[tokio::test]
async fn failures_logs_and_retries_come_through() {
    let running = world(600).await;
    let gitlab = adapter(&running, Some(&running.token));
    let failed = gitlab.active_jobs_page(&[Status::Failed], None).await.unwrap();
    let job = failed.items.iter().find(|job| job.is_failure() && job.name.contains('@')).unwrap();
    assert!(job.failure_reason.is_some() && job.runner.is_some() && job.duration.is_some());
    let mut log = gitlab.trace(job.id, None).await.unwrap().unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = log.next().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    assert!(bytes.windows(14).any(|w| w == b"section_start:"));
    let again = gitlab.retry(job.id).await.unwrap();
    assert!(again.id > job.id && again.name == job.name);
    assert_eq!(gitlab.job(job.id).await.unwrap().status, Status::Failed);
    let refused = gitlab.retry(job.id).await.unwrap_err();
    assert!(refused.to_string().contains("not retryable"), "{refused}");
    let reader = adapter(&running, Some(&running.read_token));
    assert!(reader.retry(again.id).await.is_err());
}

#[tokio::test]
async fn an_older_server_without_trigger_jobs_is_read_all_the_same() {
    let running = world(200).await;
    running.fault(Fault::new(FaultKind::NotFound).on("trigger_jobs"));
    let (_, children) = tree(&adapter(&running, None)).await;
    assert!(!children.is_empty());
}

/// Every field that the adapter's documents select is in the subset of GitLab's schema.
#[test]
fn the_adapters_documents_select_only_known_fields() {
    let known: BTreeSet<String> = crate::graphql::subset().into_values().flat_map(BTreeMap::into_keys).collect();
    let documents = concat!(env!("CARGO_MANIFEST_DIR"), "/src/adapters/gitlab");
    let mut checked = 0;
    for file in std::fs::read_dir(documents).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|e| e != "graphql") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let mut text: String =
            text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
        text = text.replace("query Jobs", "").replace("query Runners", "");
        while let Some(open) = text.find('(') {
            let close = text[open..].find(')').unwrap_or(text.len() - open - 1) + open;
            text.replace_range(open..=close, " ");
        }
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':')).filter(|w| !w.is_empty());
        for word in words.filter(|word| !word.ends_with(':')) {
            assert!(known.contains(word), "{}: {word} is not in the subset", file.display());
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} fields were found");
}

#[tokio::test]
async fn a_runner_is_paused_by_who_may_and_takes_jobs_again() {
    let running = world(600).await;
    let gitlab = adapter(&running, Some(&running.token));
    let by_graphql = gitlab.runners_graphql().await.unwrap();
    let by_rest = gitlab.runners_rest().await.unwrap();
    let ids = |runners: &[Runner]| runners.iter().map(|runner| runner.id).collect::<BTreeSet<_>>();
    assert!(by_graphql.len() > 20, "{}", by_graphql.len());
    assert_eq!(ids(&by_graphql), ids(&by_rest));
    let id = by_rest[0].id;
    assert_eq!(gitlab.set_paused(id, true).await.unwrap().is_paused, Some(true));
    assert_eq!(gitlab.runner(id).await.unwrap().is_paused, Some(true));
    let reader = adapter(&running, Some(&running.read_token));
    assert!(reader.set_paused(id, false).await.is_err(), "who may only read changes nothing");
    assert_eq!(gitlab.runner(id).await.unwrap().is_paused, Some(true));
    assert_eq!(gitlab.set_paused(id, false).await.unwrap().is_paused, Some(false));
}
