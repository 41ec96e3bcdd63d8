//! Several writers, crashes, older files, and what queries cost.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::super::tests::{Scratch, pool_of};
use super::*;
use crate::adapters::store::StoreFault;
use crate::console::backfill::Covered;
use crate::console::failures::{Allowance, By, Spending};

const FIRST_SCHEMA: &str = include_str!("../../migrations/0001_first.sql");

/// What a second process does in the test below: writes, says what is done, and dies in the middle of a write.
#[tokio::test]
#[ignore = "started by another test, as a process of its own"]
async fn second_process() {
    let Some(ground) = Ground::handed_over() else { return };
    let store = ground.open(NOW).await;
    for batch in 0..40_u64 {
        let rows: Vec<Failure> = (0..50).map(|n| failure(100_000 + batch * 50 + n, 1)).collect();
        store.put_failures(&rows).await.unwrap();
        writeln!(std::io::stderr(), "done {batch}").unwrap();
    }
    let mut transaction = store.db.begin().await.unwrap();
    query("UPDATE failures SET class = 'half done'").execute(&mut transaction).await.unwrap();
    std::process::abort();
}

async fn two_processes_write_at_once_and_a_crash_loses_nothing_that_was_done(ground: &Ground) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    ground.hand_over(&mut command);
    let mut other = command
        .args(["--exact", "adapters::store::failures::tests::together::second_process", "--ignored", "--nocapture"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(other.stderr.take().unwrap());
    let store = ground.open(NOW).await;
    for batch in 0..40_u64 {
        let rows: Vec<Failure> = (0..50).map(|n| failure(batch * 50 + n, 2)).collect();
        store.put_failures(&rows).await.unwrap();
    }
    let done = tokio::task::spawn_blocking(move || {
        let done = said.lines().map_while(Result::ok).filter(|line| line.starts_with("done ")).count();
        assert!(!other.wait().unwrap().success(), "it aborts at its end");
        done
    });
    assert_eq!(done.await.unwrap(), 40);
    let found = all(&store).await;
    let theirs = found.iter().filter(|failure| failure.job.0 >= 100_000).count();
    assert_eq!((theirs, found.len() - theirs), (2_000, 2_000));
    assert!(found.iter().all(|failure| &*failure.class == "no_space"), "what was not finished did not happen");
}

async fn writers_of_all_kinds_do_not_lose_each_others_work(ground: &Ground) {
    let mut tasks = Vec::new();
    for writer in 0..4_u64 {
        // Each as another process would: with connections of its own.
        let store = ground.open(NOW).await;
        tasks.push(tokio::spawn(async move {
            let mut granted = 0;
            for n in 0..15_u64 {
                let job = writer * 1_000 + n;
                // All judge the same jobs again, and each brings some of its own.
                store.put_failures(&[failure(job, 1), of_class("oom", "s1-b", failure(77_777, 5))]).await.unwrap();
                store.put_later_tries(&[later(job, TryEnd::Succeeded)]).await.unwrap();
                let hour = |hours: u64| NOW.shifted(-(hours as i64) * 3_600_000);
                let span = Covered { from: hour(writer * 15 + n + 1), to: hour(writer * 15 + n), next: None };
                store.add_covered("failed jobs", span).await.unwrap();
                let allowance = Allowance { since: NOW.shifted(-DAY), of_class: 20, in_all: 20 };
                let spending = store.spend_retry(JobId(n), "oom", NOW, &[allowance]).await.unwrap();
                granted += u32::from(spending == Spending::Granted);
                store.forget_before(NOW.shifted(-90 * DAY)).await.unwrap();
            }
            granted
        }));
    }
    let mut granted = 0;
    for task in tasks {
        granted += task.await.unwrap();
    }
    // The same fifteen jobs were wanted by all four.
    assert_eq!(granted, 15);
    let store = ground.open(NOW).await;
    assert_eq!(all(&store).await.len(), 61);
    let covered = store.covered("failed jobs").await.unwrap();
    assert_eq!(covered, [Covered { from: NOW.shifted(-60 * 3_600_000), to: NOW, next: None }]);
    let groups = store.grouped(&[By::Class], EVER, NOW).await.unwrap();
    assert_eq!(groups[0][0].retries.succeeded, 60);
}

#[tokio::test]
async fn a_lock_is_waited_for_and_then_told() {
    let scratch = Scratch::new("failures-locked");
    let store = Store::open(&scratch.db(), NOW).await.unwrap();
    store.put_failures(&[failure(1, 0)]).await.unwrap();
    let impatient = Store::open_with(&scratch.db(), NOW, Duration::from_millis(1)).await.unwrap();
    let lock = pool_of(&store).begin_with("BEGIN IMMEDIATE").await.unwrap();
    for fault in [
        impatient.put_failures(&[failure(2, 0)]).await.unwrap_err().fault,
        impatient.put_later_tries(&[later(1, TryEnd::Failed)]).await.unwrap_err().fault,
        impatient.forget_before(NOW).await.unwrap_err().fault,
        impatient.expire_acks(NOW).await.unwrap_err().fault,
    ] {
        assert!(matches!(fault, StoreFault::Locked(_)), "{fault:?}");
    }
    // Readers are not kept waiting.
    assert_eq!(all(&impatient).await.len(), 1);
    assert_eq!(impatient.grouped(&[By::Class], EVER, NOW).await.unwrap()[0].len(), 1);
    lock.rollback().await.unwrap();
    impatient.put_failures(&[failure(2, 0)]).await.unwrap();
}

#[tokio::test]
async fn a_file_of_the_first_schema_keeps_what_it_has() {
    let scratch = Scratch::new("failures-first");
    std::fs::create_dir_all(scratch.db().parent().unwrap()).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scratch.db()).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(FIRST_SCHEMA).execute(&pool).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO audit (at, who, action, plan_id, targets, state, summary, detail) \
         VALUES (1780000000000, 'amy', 'jobs.retry', 'p-17', 33, 'done', 'retry 33 jobs', '{\"targets\": []}'); \
         INSERT INTO needs VALUES (7, 1780000000000, '{\"a\": [\"b\"]}'); \
         INSERT INTO durations VALUES (1, 'hdf5', 'e4s', 100.0, 1780000000000); \
         INSERT INTO meta VALUES ('filter', 'state:failed');",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    for _ in 0..2 {
        let store = Store::open(&scratch.db(), NOW).await.unwrap();
        assert_eq!(store.list(9, None).await.unwrap()[0].1.summary, "retry 33 jobs".into());
        assert_eq!(store.get_needs(PipelineId(7)).await.unwrap().as_deref(), Some("{\"a\": [\"b\"]}"));
        assert_eq!(store.median_durations().await.unwrap().len(), 1);
        assert_eq!(store.get_meta("filter").await.unwrap().as_deref(), Some("state:failed"));
        store.put_failures(&[failure(1, 0)]).await.unwrap();
        assert_eq!(all(&store).await, [failure(1, 0)]);
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(pool_of(&store)).await.unwrap();
        assert_eq!(version, 5);
        store.close().await;
    }
}

#[tokio::test]
async fn no_query_walks_through_a_whole_table() {
    let store = Store::in_memory(NOW).await.unwrap();
    for (query, index) in [
        ("SELECT * FROM failures WHERE at >= 1 AND at < 2 ORDER BY at DESC, job DESC LIMIT 9", "failures_by_time"),
        (
            "SELECT * FROM failures WHERE at >= 1 AND at < 2 AND class = 'a' AND (at, job) < (2, 3) \
             ORDER BY at DESC, job DESC LIMIT 9",
            "failures_by_class",
        ),
        (
            "SELECT * FROM failures WHERE at >= 1 AND at < 2 AND fingerprint = 'a' ORDER BY at DESC, job DESC LIMIT 9",
            "failures_by_fingerprint",
        ),
        (
            "SELECT * FROM failures WHERE at >= 1 AND at < 2 AND package = 'a' ORDER BY at DESC, job DESC LIMIT 9",
            "failures_by_package",
        ),
        (
            "SELECT * FROM failures WHERE at >= 1 AND at < 2 AND pipeline = 1 ORDER BY at DESC, job DESC LIMIT 9",
            "failures_by_pipeline",
        ),
        (
            "SELECT at, job, class, fingerprint, stack, runner, later FROM failures WHERE at >= 1 AND at < 2 AND (at \
             > 1 OR job > 5) \
             ORDER BY at, job LIMIT 9",
            "COVERING INDEX failures_by_time",
        ),
        (
            "SELECT class, count(*) FROM failures WHERE at >= 1 AND at < 2 GROUP BY class",
            "COVERING INDEX failures_by_time",
        ),
        (
            "SELECT count(*) FILTER (WHERE later = 'failed') FROM failures WHERE class = 'a' AND at >= 1 AND later IS \
             NOT NULL",
            "COVERING INDEX failures_tried_by_class",
        ),
        (
            "SELECT count(*) FILTER (WHERE later = 'failed') FROM failures WHERE fingerprint = 'a' AND at >= 1 AND \
             later IS NOT NULL",
            "COVERING INDEX failures_tried_by_fingerprint",
        ),
        ("SELECT first FROM first_seen WHERE kind = 'class' AND key IN ('a', 'b')", "PRIMARY KEY"),
        (
            "SELECT * FROM pipeline_ends WHERE finished_at >= 1 ORDER BY finished_at DESC, id DESC LIMIT 9",
            "pipeline_ends_by_time",
        ),
        (
            "SELECT * FROM pipeline_ends WHERE git_ref = 'a' AND finished_at >= 1 ORDER BY finished_at DESC, id DESC \
             LIMIT 9",
            "pipeline_ends_by_ref",
        ),
        ("SELECT count(*) FROM auto_retries WHERE class = 'a' AND at >= 1", "auto_retries_by_class"),
        (
            "SELECT key, first, template FROM first_seen WHERE kind = 'signature' AND last >= 1 AND first < 2",
            "first_seen_by_age",
        ),
        (
            "SELECT kind, key FROM first_seen WHERE kind = 'class' AND last < 1 ORDER BY last LIMIT 9",
            "first_seen_by_age",
        ),
        ("SELECT job FROM later_tries WHERE at < 1 ORDER BY at LIMIT 9", "later_tries_by_age"),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(pool_of(&store)).await.unwrap();
        let plan: Vec<String> = plan.into_iter().map(|(.., step)| step).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{query}: {plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN") || step.contains("ORDER BY")), "{query}: {plan:?}");
    }
}

on_both! {
    two_processes_write_at_once_and_a_crash_loses_nothing_that_was_done
    writers_of_all_kinds_do_not_lose_each_others_work
}
