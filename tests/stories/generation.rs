//! The loop that looks at generated pipelines, on the practice world with its real S3.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use stackhand::adapters::clock::{Clock, SystemClock};
use stackhand::adapters::gitlab::{self, GitLab};
use stackhand::adapters::mirror::{Credentials, Reader, S3Access, Settings};
use stackhand::adapters::store::Store;
use stackhand::controller::loops::generation::{Caches, Generations, Outside, Report, recall};
use stackhand::generation::check::Outcome;
use stackhand::sandbox::{Fault, FaultKind, Options, Running, Sandbox};

async fn world() -> Running {
    Sandbox::start(Options { speed: 0.0, jobs: 400, ..Options::default() }).await.unwrap()
}

/// The loop, whose protected caches lie there.
async fn at_work(running: &Running, store: &Store, protected: &str) -> Generations {
    let now = Arc::new(|| SystemClock.now());
    let gitlab = GitLab::new(gitlab::Settings {
        token: Some(SecretString::from(running.token.clone())),
        per_second: 10_000.0,
        backoff: Duration::from_millis(5),
        ..gitlab::Settings::new(running.url.clone(), running.project, now)
    });
    let s3 = &running.s3;
    let (id, secret) = (s3.access_key.clone(), SecretString::from(s3.secret_key.clone()));
    let credentials = Credentials::Keys { id, secret, session: None };
    let access = S3Access { endpoint: Some(s3.url.clone()), region: Some(s3.region.to_string()), credentials };
    let mirrors = Reader::new(Settings { s3: access, backoff: Duration::from_millis(5), ..Settings::default() });
    Generations::begin(Outside {
        name: running.project.into(),
        gitlab: gitlab.unwrap(),
        mirrors: Arc::new(mirrors),
        store: store.clone(),
        caches: Caches { protected: protected.into(), prs: "s3://spack-binaries-prs".into(), target: "develop".into() },
        window: Duration::from_hours(6),
    })
    .await
    .unwrap()
}

/// Passes until nothing is left.
async fn all(generations: &mut Generations) -> Report {
    let mut whole = Report::default();
    loop {
        let report = generations.pass(false, &|| false).await.unwrap();
        whole.checked.extend(report.checked);
        whole.troubles.extend(report.troubles);
        if report.left == 0 {
            return whole;
        }
    }
}

fn count(report: &Report, word: &str) -> usize {
    report.checked.iter().filter(|row| row.outcome.word() == word).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_generation_is_looked_at_once_and_what_lacks_binaries_is_named() {
    let running = world().await;
    let store = Store::in_memory(SystemClock.now()).await.unwrap();
    let mut generations = at_work(&running, &store, "s3://spack-binaries").await;
    let first = all(&mut generations).await;
    assert!(first.checked.len() > 5 && first.troubles.is_empty(), "{:?}", first.troubles);
    // What the practice world breaks in its caches is all that is broken: a binary here and there, and one index that was cut off.
    let unwell = first.checked.iter().filter(|row| row.outcome.word() == "unknown");
    assert!(unwell.clone().all(|row| &*row.stack == "ml-darwin-aarch64-mps"), "{:?}", first.checked);
    assert!(count(&first, "ok") > 5 && count(&first, "broken") <= 2, "{}", first.summary());
    let before = running.requests();
    let idle = generations.pass(false, &|| false).await.unwrap();
    assert!(idle.checked.is_empty());
    assert!(running.requests() - before <= 1 + idle.open as u64, "an idle pass asks for what changed");
    // Another process goes on where this one was.
    let mut next = at_work(&running, &store, "s3://spack-binaries").await;
    assert!(all(&mut next).await.checked.is_empty());
    assert!(running.writes().is_empty(), "nothing outside is changed");

    // Binaries of develop lie elsewhere: whatever is not built is missing.
    let other = Store::in_memory(SystemClock.now()).await.unwrap();
    let mut lost = at_work(&running, &other, "s3://spack-binaries/nowhere").await;
    let report = all(&mut lost).await;
    assert!(count(&report, "broken") > 3, "{}", report.summary());
    let ledger = recall(&other, running.project).await.unwrap().unwrap();
    let row = ledger.rows().find(|row| row.outcome.is_broken()).unwrap();
    let Outcome::Judged { findings, .. } = &row.outcome else { panic!("{row:?}") };
    assert!(findings[0].to_string().contains("is neither built nor in a cache"), "{row:?}");
    let text = report.summary();
    assert!(text.contains("checked") && text.contains("will fail"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_unknown_and_looked_at_again() {
    let running = world().await;
    let store = Store::in_memory(SystemClock.now()).await.unwrap();
    let mut generations = at_work(&running, &store, "s3://spack-binaries").await;
    running.s3_fault(Fault::new(FaultKind::ServerError));
    let blind = all(&mut generations).await;
    let judged = count(&blind, "ok") + count(&blind, "broken");
    assert!(count(&blind, "unknown") > 5 && judged == 0, "{}", blind.summary());
    running.heal();
    running.fault(Fault::new(FaultKind::BadGateway));
    assert!(generations.pass(false, &|| false).await.is_err(), "a pass that saw nothing is no good one");
    running.heal();
    assert!(all(&mut generations).await.checked.is_empty(), "it is left alone for a while");
    running.let_pass(Duration::from_mins(3));
    // What the time is there is told with an answer.
    all(&mut generations).await;
    let healed = all(&mut generations).await;
    assert!(count(&healed, "ok") > 5 && count(&healed, "unknown") <= 2, "{}", healed.summary());
}
