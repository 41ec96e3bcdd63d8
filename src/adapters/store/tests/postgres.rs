//! What only PostgreSQL has: sessions, terms, other programs' schemas, servers that hang or refuse.

use std::time::{Duration, Instant};

use super::super::postgres::{CONNECTIONS, May};
use super::super::sql::query;
use super::ground::{place, server};
use super::*;
use crate::adapters::store::{Bidding, Lease, Place, Store};
use crate::bridge::PushRecord;
use crate::console::failures::{Allowance, Spending};
use crate::forge::{PrNumber, Sha};

fn push(number: u64) -> PushRecord {
    let sha = |digit: &str| Sha::parse(&digit.repeat(40)).unwrap();
    PushRecord {
        pr: PrNumber(number),
        head: sha("a"),
        base_ref: "develop".into(),
        onto: sha("b"),
        commit: sha("c"),
        at: NOW,
    }
}

async fn refused(place: &Place) -> String {
    let error = Store::open_postgres(place, NOW).await.map(|_| ()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn what_does_not_let_us_in_is_named_with_what_to_do_and_without_a_password() {
    let Some(server) = server() else { return };
    let good = Place { password: Some("canary".into()), ..place(server, "refusals") };
    let nowhere = Place { url: "postgres://ci@%2Fnonexistent/stackhand".to_owned(), ..good.clone() };
    let told = refused(&nowhere).await;
    assert!(told.starts_with("postgres://ci@%2Fnonexistent/stackhand: PostgreSQL does not answer ("), "{told}");
    assert!(told.contains("check `store.url`"), "{told}");
    let elsewhere = Place { url: good.url.replace("/postgres", "/elsewhere"), ..good.clone() };
    let told = refused(&elsewhere).await;
    assert!(told.contains("/elsewhere: PostgreSQL does not let us in (") && told.contains("PGPASSFILE"), "{told}");
    server.psql("CREATE ROLE poor LOGIN");
    let poor = Place { url: good.url.replace("ci@", "poor@"), ..good.clone() };
    assert!(refused(&poor).await.contains("give the user the right to create a schema"));
    Store::open_postgres(&good, NOW).await.unwrap();
}

#[tokio::test]
async fn a_password_comes_from_a_file_and_a_wrong_one_is_not_shown() {
    let Some(mut server) = crate::adapters::store::tests::server::Server::start() else { return };
    server.psql("CREATE ROLE guarded LOGIN PASSWORD 'right-canary'; GRANT CREATE ON DATABASE postgres TO guarded");
    server.ask_for_passwords("guarded");
    let with = |password: &str| Place {
        url: server.url().replace("ci@", "guarded@"),
        password: Some(password.into()),
        ..place(&server, "passwords")
    };
    let told = refused(&with("wrong-canary")).await;
    assert!(told.contains("does not let us in") && told.contains("store.password_file"), "{told}");
    Store::open_postgres(&with("right-canary"), NOW).await.unwrap().close().await;
    server.stop();
}

#[tokio::test]
async fn schemas_that_cannot_be_used_stay_as_they_are() {
    let Some(server) = server() else { return };
    let newer = place(server, "newer");
    Store::open_postgres(&newer, NOW).await.unwrap().close().await;
    server.psql(&format!("UPDATE {}.schema_version SET version = 99", newer.schema()));
    assert!(refused(&newer).await.contains("newer stackhand (schema 99, known up to 5)"));
    let foreign = place(server, "foreign");
    let schema = foreign.schema();
    server.psql(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.cookies (name TEXT)"));
    assert!(refused(&foreign).await.contains("another program's database"));
    let tables = format!("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = '{schema}'");
    assert_eq!(server.psql(&tables), "cookies");
}

#[tokio::test]
async fn two_projects_of_one_database_do_not_see_each_other() {
    let Some(server) = server() else { return };
    let one = Store::open_postgres(&place(server, "project/one"), NOW).await.unwrap();
    let other = Store::open_postgres(&place(server, "project/other"), NOW).await.unwrap();
    one.put_meta("bookmark.a", "of one").await.unwrap();
    assert_eq!(other.get_meta("bookmark.a").await.unwrap(), None);
}

#[tokio::test]
async fn a_text_with_a_nul_is_kept_without_it() {
    let Some(server) = server() else { return };
    let store = Store::open_postgres(&place(server, "nul"), NOW).await.unwrap();
    store.put_meta("a\0b", "c\0d").await.unwrap();
    assert_eq!(store.get_meta("a\0b").await.unwrap().as_deref(), Some("c\u{fffd}d"));
}

#[tokio::test]
async fn whoever_keeps_the_writers_waiting_is_told_of_and_readers_go_on() {
    let Some(server) = server() else { return };
    let place = place(server, "turns");
    let store = Store::open_postgres(&place, NOW).await.unwrap();
    store.put_meta("a", "b").await.unwrap();
    let impatient = Place { statement: Duration::from_millis(200), ..place };
    let impatient = Store::open_postgres(&impatient, NOW).await.unwrap();
    let lock = store.db.begin().await.unwrap();
    let error = impatient.put_needs(PipelineId(7), "{}", NOW).await.unwrap_err();
    assert!(matches!(error.fault, StoreFault::Locked(_)), "{error:?}");
    assert_eq!(impatient.get_meta("a").await.unwrap().as_deref(), Some("b"));
    lock.commit().await.unwrap();
    impatient.put_needs(PipelineId(7), "{}", NOW).await.unwrap();
    let mut lock = store.db.begin().await.unwrap();
    query("LOCK TABLE meta").execute(&mut lock).await.unwrap();
    let error = impatient.get_meta("a").await.unwrap_err();
    assert!(matches!(error.fault, StoreFault::Locked(_) | StoreFault::Slow(_)), "{error:?}");
    drop(lock);
    // What was not committed keeps nobody out.
    store.put_needs(PipelineId(8), "{}", NOW).await.unwrap();
}

#[tokio::test]
async fn when_every_connection_is_busy_that_is_what_is_told() {
    let Some(server) = server() else { return };
    let place = Place { connect: Duration::from_secs(2), ..place(server, "busy") };
    let store = Store::open_postgres(&place, NOW).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        held.push(store.db.begin_reading().await.unwrap());
    }
    let error = store.get_meta("a").await.unwrap_err();
    assert!(matches!(error.fault, StoreFault::Busy), "{error:?}");
    for reading in held {
        reading.commit().await.unwrap();
    }
    assert_eq!(store.get_meta("a").await.unwrap(), None);
}

/// Takes connections and never says a word.
#[tokio::test]
async fn a_server_that_hangs_holds_nobody_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = Place {
        url: format!("postgres://ci@127.0.0.1:{port}/stackhand"),
        password: Some("canary".into()),
        project: "silent".to_owned(),
        connect: Duration::from_millis(300),
        statement: Duration::from_millis(300),
    };
    let begun = Instant::now();
    let told = refused(&silent).await;
    assert!(told.contains("no answer within"), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

async fn leads(store: &Store, who: &str) -> Lease {
    match store.lender().unwrap().bid(who, NOW).await.unwrap() {
        Bidding::Leads(lease) => lease,
        Bidding::Follows(other) => panic!("{other} leads"),
    }
}

async fn follows(store: &Store, who: &str) -> String {
    match store.lender().unwrap().bid(who, NOW).await.unwrap() {
        Bidding::Leads(_) => panic!("nobody else leads"),
        Bidding::Follows(other) => other,
    }
}

fn is_deposed<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> bool {
    matches!(answer.unwrap_err().fault, StoreFault::Deposed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_leads_and_the_next_has_a_later_term() {
    let Some(server) = server() else { return };
    let place = place(server, "lead");
    let first = Store::open_postgres(&place, NOW).await.unwrap();
    let second = Store::open_postgres(&place, NOW).await.unwrap();
    assert_eq!(second.lender().unwrap().holder().await.unwrap(), None);
    let lease = leads(&first, "first").await;
    assert!(lease.holds());
    assert_eq!(second.lender().unwrap().holder().await.unwrap().as_deref(), Some("first"));
    assert_eq!(follows(&second, "second").await, "first");
    assert!(is_deposed(second.put_push("p", &push(1)).await), "whoever stands by writes nothing in the leader's place");
    first.put_push("p", &push(1)).await.unwrap();
    first.check_lead().await.unwrap();
    drop(lease);
    assert!(is_deposed(first.put_push("p", &push(2)).await));
    // The server hears of it soon.
    let end = Instant::now() + Duration::from_secs(10);
    let next = loop {
        match second.lender().unwrap().bid("second", NOW).await.unwrap() {
            Bidding::Leads(lease) => break lease,
            Bidding::Follows(_) => assert!(Instant::now() < end, "the lock stays"),
        }
    };
    assert_eq!(next.term(), 2);
    second.put_push("p", &push(2)).await.unwrap();
    assert_eq!(follows(&first, "first").await, "second");
    next.give_back();
    second.put_push("p", &push(3)).await.unwrap();
    assert!(is_deposed(first.put_push("p", &push(4)).await), "whoever was refused still stands by");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lost_the_session_lost_the_lead_at_once() {
    let Some(server) = server() else { return };
    let place = place(server, "session");
    let store = Store::open_postgres(&place, NOW).await.unwrap();
    let lease = leads(&store, "first").await;
    let schema = place.schema();
    let other = Store::open_postgres(&place, NOW).await.unwrap();
    assert_eq!(follows(&other, "other").await, "first");
    // The one session of this schema that holds a lock.
    let key = super::super::postgres::key_of(&format!("{schema} lead"));
    let (high, low) = ((key >> 32) as u32, key as u32);
    let ended = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND classid = {high} AND objid = {low}"
    );
    assert_eq!(server.psql(&ended), "1");
    tokio::time::timeout(Duration::from_secs(5), lease.lost()).await.unwrap();
    assert!(!lease.holds());
    assert!(is_deposed(store.check_lead().await));
    assert_eq!(leads(&other, "other").await.term(), 2);
}

/// Whoever was asleep while somebody else took the lead finds out at its next write, whatever it believes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_term_writes_nothing_even_if_it_never_noticed() {
    let Some(server) = server() else { return };
    let place = place(server, "fence");
    let old = Store::open_postgres(&place, NOW).await.unwrap();
    let new = Store::open_postgres(&place, NOW).await.unwrap();
    drop(leads(&old, "old").await);
    let end = Instant::now() + Duration::from_secs(10);
    let _lease = loop {
        match new.lender().unwrap().bid("new", NOW).await.unwrap() {
            Bidding::Leads(lease) => break lease,
            Bidding::Follows(_) => assert!(Instant::now() < end, "the lock stays"),
        }
    };
    let asleep = || old.fence.lead(1);
    asleep();
    assert!(is_deposed(old.put_push("p", &push(1)).await));
    assert_eq!(old.fence.may(), May::Watch, "it knows now");
    asleep();
    assert!(is_deposed(old.put_decisions("p", &[], NOW).await));
    asleep();
    assert!(is_deposed(old.put_meta_as_leader("bridge.watermark p", "1").await));
    asleep();
    let allowance = Allowance { since: NOW, of_class: 9, in_all: 9 };
    assert!(is_deposed(old.spend_retry(JobId(1), "oom", NOW, &[allowance]).await));
    assert_eq!(new.spend_retry(JobId(1), "oom", NOW, &[allowance]).await.unwrap(), Spending::Granted);
    assert!(new.bridge_memory("p").await.unwrap().pushes.is_empty());
    // What everybody may write is still written: what was done has to be known.
    old.append(&row("done")).await.unwrap();
}
