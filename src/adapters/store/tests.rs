mod ground;
mod postgres;
#[path = "../../../tests/servers/postgres.rs"]
mod server;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

pub(super) use ground::{Ground, on_both};
use sqlx::SqlitePool;

use super::sql::{Db, query, query_scalar};
use super::*;
use crate::ci::{JobId, PipelineId, Timestamp};
use crate::console::actions::{Object, Outcome, PlanId, Target};
use crate::console::audit::{AuditDetail, AuditRow, AuditState};
use crate::console::durations::Took;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
pub(super) const DAY: i64 = 86_400_000;

/// The connections of a store that is a file.
pub(super) fn pool_of(store: &Store) -> &SqlitePool {
    match &store.db {
        Db::Sqlite(pool) => pool,
        Db::Postgres(_) => panic!("not a file"),
    }
}

/// A folder of its own, gone at the end.
pub(super) struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("stackhand-store-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn db(&self) -> PathBuf {
        self.0.join("state/stackhand.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn row(summary: &str) -> AuditRow {
    let target = Target {
        object: Object::Job(JobId(10_841)),
        pipeline: Some(PipelineId(7)),
        name: "zlib \"x\"".into(),
        status: "failed".into(),
        tries: 2,
        cause: "no_space".into(),
    };
    AuditRow {
        at: NOW,
        who: "amy".into(),
        action: "jobs.retry".into(),
        plan: PlanId("p-17".into()),
        targets: 33,
        state: AuditState::Held,
        summary: summary.into(),
        detail: AuditDetail {
            answers: vec![(target.object.clone(), Outcome::Done { new_job: Some(JobId(10_842)) })],
            targets: vec![target],
            ..AuditDetail::default()
        }
        .into(),
    }
}

fn build(job: u64, package: &str, stack: &str, seconds: u64, finished_at: Timestamp) -> Took {
    let (package, stack) = (package.into(), stack.into());
    Took { job: JobId(job), package, stack, length: Duration::from_secs(seconds), finished_at }
}

async fn summaries(store: &Store) -> Vec<String> {
    store.list(1_000, None).await.unwrap().into_iter().map(|(_, row)| row.summary.to_string()).collect()
}

async fn the_audit_survives_a_restart_in_order_and_whole(ground: &Ground) {
    let store = ground.open(NOW).await;
    let mut ids = Vec::new();
    for (state, _) in [(AuditState::Held, 0), (AuditState::Sent, 1), (AuditState::Done, 2), (AuditState::Refused, 3)] {
        ids.push(store.append(&AuditRow { state, ..row("retry 33 jobs") }).await.unwrap());
    }
    store.close().await;
    let store = ground.open(NOW).await;
    let newest = store.list(2, None).await.unwrap();
    assert_eq!(newest.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ids[3], ids[2]]);
    let older = store.list(10, Some(ids[2])).await.unwrap();
    assert_eq!(older[0], (ids[1], AuditRow { state: AuditState::Sent, ..row("retry 33 jobs") }));
    assert_eq!(older.len(), 2);
}

async fn nothing_can_change_or_thin_the_audit(ground: &Ground) {
    let store = ground.store().await;
    store.append(&row("first")).await.unwrap();
    let of_sqlite = [
        "INSERT OR REPLACE INTO audit (id, at, who, action, plan_id, targets, state, summary, detail) \
         VALUES (1, 0, 'nobody', 'x', 'x', 0, 'done', 'other', '{}')",
        "UPDATE OR REPLACE audit SET id = 2",
    ];
    let of_postgres =
        ["INSERT INTO audit SELECT * FROM audit ON CONFLICT (id) DO UPDATE SET who = 'nobody'", "TRUNCATE audit"];
    let others = if store.db.is_postgres() { of_postgres } else { of_sqlite };
    for attempt in ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"].into_iter().chain(others) {
        let error = query(attempt).execute(&store.db).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{attempt}: {error}");
    }
    assert_eq!(summaries(&store).await, ["first"]);
}

/// The other half of the two tests below: what a second process does. Runs only when one of them starts it.
#[tokio::test]
#[ignore = "started by other tests, as a process of its own"]
async fn second_process() {
    let Some(ground) = Ground::handed_over() else { return };
    let store = ground.open(NOW).await;
    for i in 0..50 {
        store.append(&row(&format!("theirs {i}"))).await.unwrap();
    }
    // No farewell: whatever was acknowledged must already be there.
    std::process::abort();
}

fn start_second_process(ground: &Ground) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    ground.hand_over(&mut command);
    command
        .args(["--exact", "adapters::store::tests::second_process", "--ignored"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

async fn two_processes_write_at_once_and_a_crash_loses_nothing(ground: &Ground) {
    // Nobody has made the file yet: the race for the schema is part of the test.
    let mut other = start_second_process(ground);
    let store = ground.open(NOW).await;
    for i in 0..50 {
        store.append(&row(&format!("ours {i}"))).await.unwrap();
    }
    let status = tokio::task::spawn_blocking(move || other.wait()).await.unwrap().unwrap();
    assert!(!status.success(), "it aborts at its end");
    let all = summaries(&store).await;
    for (whose, count) in [("ours", 50), ("theirs", 50)] {
        assert_eq!(all.iter().filter(|summary| summary.starts_with(whose)).count(), count, "{whose}");
    }
}

#[tokio::test]
async fn a_locked_database_says_so_and_keeps_what_it_has() {
    let scratch = Scratch::new("locked");
    let store = Store::open(&scratch.db(), NOW).await.unwrap();
    let impatient = Store::open_with(&scratch.db(), NOW, Duration::from_millis(1)).await.unwrap();
    let lock = pool_of(&store).begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = impatient.append(&row("late")).await.unwrap_err();
    assert!(matches!(error.fault, StoreFault::Locked(_)), "{error:?}");
    assert!(error.to_string().contains("stackhand.db: another program"), "{error}");
    // Opening and reading need no lock.
    let third = Store::open_with(&scratch.db(), NOW, Duration::from_millis(1)).await.unwrap();
    assert!(summaries(&third).await.is_empty());
    lock.rollback().await.unwrap();
    impatient.append(&row("now")).await.unwrap();
    assert_eq!(summaries(&store).await, ["now"]);
}

/// As SQLite does on a full disk: the transaction is gone, and sqlx cannot end it.
#[tokio::test]
async fn a_transaction_that_ended_behind_our_back_spoils_no_later_one() {
    let scratch = Scratch::new("ended");
    let store = Store::open(&scratch.db(), NOW).await.unwrap();
    for _ in 0..4 {
        let mut transaction = pool_of(&store).begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
        assert!(transaction.commit().await.is_err());
    }
    for nth in 0..8 {
        store.append(&row(&format!("after {nth}"))).await.unwrap();
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_stay_as_they_are() {
    let scratch = Scratch::new("refused");
    let text = scratch.0.join("notes.txt");
    std::fs::write(
        &text,
        "Not a database, but somebody's notes about the outage, long enough to hold a header.".repeat(20),
    )
    .unwrap();
    let foreign = scratch.0.join("browser.db");
    let newer = scratch.0.join("newer.db");
    for (path, statements) in [
        (&foreign, "CREATE TABLE cookies (name TEXT); INSERT INTO cookies VALUES ('a');"),
        (&newer, "PRAGMA application_id = 1400129643; PRAGMA user_version = 99; CREATE TABLE audit (other TEXT);"),
    ] {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql(statements).execute(&pool).await.unwrap();
        pool.close().await;
    }
    let truncated = scratch.0.join("truncated.db");
    let whole = scratch.db();
    let store = Store::open(&whole, NOW).await.unwrap();
    store.append(&row("kept")).await.unwrap();
    store.close().await;
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(&truncated, &bytes[..bytes.len() / 2]).unwrap();
    for (path, said) in [
        (&text, "the database is damaged"),
        (&foreign, "another program's database"),
        (&newer, "newer stackhand (schema 99, known up to 5)"),
        (&truncated, "the database is damaged"),
        (&scratch.0, "cannot be opened"),
    ] {
        let before = std::fs::read(path).ok();
        let error = Store::open(path, NOW).await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(said) && error.starts_with(&path.display().to_string()), "{error}");
        assert_eq!(std::fs::read(path).ok(), before, "{}", path.display());
    }
}

#[tokio::test]
async fn a_read_only_database_can_be_read_but_says_why_it_does_not_write() {
    // One connection, so that the pragma reaches all that follows; as root, file permissions would stop nobody.
    let store = Store::in_memory(NOW).await.unwrap();
    store.append(&row("before")).await.unwrap();
    sqlx::query("PRAGMA query_only = ON").execute(pool_of(&store)).await.unwrap();
    let error = store.append(&row("after")).await.unwrap_err();
    assert!(matches!(error.fault, StoreFault::ReadOnly(_)), "{error:?}");
    assert_eq!(summaries(&store).await, ["before"]);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new("mode");
    Store::open(&scratch.db(), NOW).await.unwrap();
    assert_eq!(std::fs::metadata(scratch.db()).unwrap().permissions().mode() & 0o777, 0o600);
}

async fn needs_are_remembered_for_the_newest_pipelines(ground: &Ground) {
    let store = ground.store().await;
    assert_eq!(store.get_needs(PipelineId(7)).await.unwrap(), None);
    store.put_needs(PipelineId(7), r#"{"a":["b"]}"#, NOW).await.unwrap();
    store.put_needs(PipelineId(7), r#"{"a":["c"]}"#, NOW).await.unwrap();
    assert_eq!(store.get_needs(PipelineId(7)).await.unwrap().as_deref(), Some(r#"{"a":["c"]}"#));
    for i in 0..600 {
        store.put_needs(PipelineId(1_000 + i), "{}", NOW.shifted(1 + i as i64)).await.unwrap();
    }
    assert_eq!(store.get_needs(PipelineId(7)).await.unwrap(), None);
    assert!(store.get_needs(PipelineId(1_000)).await.unwrap().is_some());
}

async fn medians_are_by_package_and_stack_and_follow_the_newest(ground: &Ground) {
    let store = ground.store().await;
    let batch = [
        build(1, "hdf5", "e4s", 100, NOW),
        build(2, "hdf5", "e4s", 900, NOW),
        build(3, "hdf5", "e4s", 200, NOW),
        build(4, "hdf5", "radiuss", 40, NOW),
        build(3, "hdf5", "e4s", 5_000, NOW),
    ];
    store.record_durations(&batch).await.unwrap();
    store.record_durations(&batch).await.unwrap();
    let key = |package: &str, stack: &str| (Arc::<str>::from(package), Arc::<str>::from(stack));
    let medians = store.median_durations().await.unwrap();
    assert_eq!(medians.get(&key("hdf5", "e4s")), Some(&Duration::from_secs(200)));
    assert_eq!(medians.get(&key("hdf5", "radiuss")), Some(&Duration::from_secs(40)));
    assert_eq!(medians.len(), 2);
    // 32 newer builds push all older ones out.
    let newer: Vec<_> = (0..32).map(|i| build(100 + i, "hdf5", "e4s", 50, NOW.shifted(1 + i as i64))).collect();
    store.record_durations(&newer).await.unwrap();
    let count: i64 = query_scalar("SELECT count(*) FROM durations").fetch_one(&store.db).await.unwrap();
    assert_eq!(count, 33);
    assert_eq!(store.median_durations().await.unwrap().get(&key("hdf5", "e4s")), Some(&Duration::from_secs(50)));
}

async fn opening_forgets_what_is_old_but_never_the_audit(ground: &Ground) {
    let store = ground.open(NOW).await;
    store.append(&row("long ago")).await.unwrap();
    store.put_needs(PipelineId(1), "{}", NOW).await.unwrap();
    store.put_needs(PipelineId(2), "{}", NOW.shifted(380 * DAY)).await.unwrap();
    store
        .record_durations(&[build(1, "zlib", "e4s", 9, NOW), build(2, "xz", "e4s", 9, NOW.shifted(300 * DAY))])
        .await
        .unwrap();
    store.close().await;
    let store = ground.open(NOW.shifted(390 * DAY)).await;
    assert_eq!(summaries(&store).await, ["long ago"]);
    assert_eq!(store.get_needs(PipelineId(1)).await.unwrap(), None);
    assert!(store.get_needs(PipelineId(2)).await.unwrap().is_some());
    let medians = store.median_durations().await.unwrap();
    assert_eq!(medians.keys().map(|(package, _)| &**package).collect::<Vec<_>>(), ["xz"]);
}

async fn small_texts_are_kept_by_name(ground: &Ground) {
    let store = ground.open(NOW).await;
    assert_eq!(store.get_meta("bookmark.a").await.unwrap(), None);
    store.put_meta("bookmark.a", "jobs @mine").await.unwrap();
    store.put_meta("bookmark.a", "jobs state:failed ␛ 'quoted'").await.unwrap();
    store.close().await;
    let store = ground.open(NOW).await;
    assert_eq!(store.get_meta("bookmark.a").await.unwrap().as_deref(), Some("jobs state:failed ␛ 'quoted'"));
}

on_both! {
    the_audit_survives_a_restart_in_order_and_whole
    nothing_can_change_or_thin_the_audit
    two_processes_write_at_once_and_a_crash_loses_nothing
    needs_are_remembered_for_the_newest_pipelines
    medians_are_by_package_and_stack_and_follow_the_newest
    opening_forgets_what_is_old_but_never_the_audit
    small_texts_are_kept_by_name
}
