//! What is kept beside failures, and what is forgotten.

use super::*;
use crate::console::backfill::Covered;
use crate::console::failures::{Ack, Allowance, By, Kind, PipelineEnd, RETENTION, Spending};

fn ack(class: &str, fingerprint: Option<&str>, hours: Option<i64>) -> Ack {
    Ack {
        class: class.into(),
        fingerprint: fingerprint.map(Into::into),
        who: "amy'; --".into(),
        note: "uo-19 is drained \u{1b}[1m".into(),
        until: hours.map(|hours| NOW.shifted(hours * 3_600_000)),
        created: NOW,
    }
}

fn end(id: u64, git_ref: &str, ok: bool, days_ago: i64) -> PipelineEnd {
    let finished_at = NOW.shifted(-days_ago * DAY);
    PipelineEnd { id: PipelineId(id), git_ref: git_ref.into(), stack: Some("e4s".into()), ok, finished_at }
}

fn covered(from_days: i64, to_days: i64, next: Option<&str>) -> Covered {
    Covered { from: NOW.shifted(-from_days * DAY), to: NOW.shifted(-to_days * DAY), next: next.map(Into::into) }
}

async fn acknowledgements_hold_until_they_end_or_give_way(ground: &Ground) {
    let store = ground.store().await;
    let (first, none) = store.add_ack(&ack("no_space", None, Some(1))).await.unwrap();
    assert_eq!(none, None);
    let (second, _) = store.add_ack(&ack("no_space", Some("s1-a"), None)).await.unwrap();
    let later = Ack { created: NOW.shifted(1), ..ack("no_space", None, Some(2)) };
    let (third, replaced) = store.add_ack(&later).await.unwrap();
    assert_eq!(replaced, Some(ack("no_space", None, Some(1))));
    assert_eq!(store.acks(NOW).await.unwrap(), [(third, later.clone()), (second, ack("no_space", Some("s1-a"), None))]);
    // What somebody saw is not what has taken its place.
    assert_eq!(store.remove_ack(first).await.unwrap(), None);
    let end = NOW.shifted(2 * 3_600_000);
    assert_eq!(store.expire_acks(end.shifted(-1)).await.unwrap(), []);
    // It no longer holds at its end, whether or not anybody has cleared it away.
    assert_eq!(store.acks(end).await.unwrap().len(), 1);
    assert_eq!(store.expire_acks(end).await.unwrap(), [(third, later)]);
    assert_eq!(store.expire_acks(end).await.unwrap(), []);
    assert_eq!(store.remove_ack(second).await.unwrap(), Some(ack("no_space", Some("s1-a"), None)));
    assert!(store.acks(NOW).await.unwrap().is_empty());
    // A number is never used twice.
    let (fourth, _) = store.add_ack(&ack("oom", None, None)).await.unwrap();
    assert!(fourth > third);
}

async fn a_new_try_that_succeeded_has_the_inputs_of_the_try_before(ground: &Ground) {
    let store = ground.store().await;
    let failed = Failure { hash: Some("k3x2fzv".into()), sha: Some("c0ffee".into()), ..failure(1, 0) };
    store.put_failures(&[failed.clone(), failure(2, 0), failure(3, 0)]).await.unwrap();
    let later = |job, ended, days_ago: i64| LaterTry { job: JobId(job), ended, at: NOW.shifted(-days_ago * DAY) };
    let tries = [later(1, TryEnd::Succeeded, 1), later(2, TryEnd::Failed, 1), later(3, TryEnd::Succeeded, 8)];
    store.put_later_tries(&tries).await.unwrap();
    let found = store.later_successes(NOW.shifted(-7 * DAY), 10).await.unwrap();
    let success = &found[0];
    assert_eq!((found.len(), success.at, &success.name), (1, NOW.shifted(-DAY), &failed.name));
    assert_eq!((success.hash.as_deref(), success.sha.as_deref()), (Some("k3x2fzv"), Some("c0ffee")));
}

async fn pipelines_have_their_latest_end(ground: &Ground) {
    let store = ground.store().await;
    let parent = PipelineEnd { stack: None, ..end(4, "develop", true, 2) };
    store.put_pipeline_ends(&[end(1, "develop", false, 3), end(2, "pr1_x", true, 2), parent.clone()]).await.unwrap();
    // Retried: it ended again, and well. What is told late of an earlier end is not news.
    store.put_pipeline_ends(&[end(1, "develop", true, 1), end(2, "pr1_x", false, 9)]).await.unwrap();
    let ends = store.pipeline_ends(EVER, None, 10).await.unwrap();
    assert_eq!(ends, [end(1, "develop", true, 1), parent.clone(), end(2, "pr1_x", true, 2)]);
    let range = NOW.shifted(-2 * DAY)..NOW.shifted(-DAY);
    assert_eq!(store.pipeline_ends(range, Some("develop"), 10).await.unwrap(), [parent]);
    assert_eq!(store.pipeline_ends(EVER, None, 1).await.unwrap().len(), 1);
    assert!(store.pipeline_ends(EVER, Some("' OR 1=1 --"), 10).await.unwrap().is_empty());
}

async fn retries_cost_what_is_allowed_and_each_job_has_one_turn(ground: &Ground) {
    let store = ground.store().await;
    let allowance = Allowance { since: NOW.shifted(-DAY), of_class: 2, in_all: 3 };
    let spend = async |job: u64, class: &str, at| store.spend_retry(JobId(job), class, at, &[allowance]).await.unwrap();
    // Yesterday's no longer count.
    assert_eq!(spend(1, "dns_error", NOW.shifted(-2 * DAY)).await, Spending::Granted);
    assert_eq!(spend(2, "dns_error", NOW).await, Spending::Granted);
    assert_eq!(spend(2, "dns_error", NOW).await, Spending::Again);
    assert_eq!(spend(1, "oom", NOW).await, Spending::Again);
    assert_eq!(spend(3, "dns_error", NOW).await, Spending::Granted);
    assert_eq!(spend(4, "dns_error", NOW).await, Spending::UsedUp { of_class: 2, in_all: 2 });
    assert_eq!(spend(4, "oom", NOW).await, Spending::Granted);
    assert_eq!(spend(5, "oom", NOW).await, Spending::UsedUp { of_class: 1, in_all: 3 });
    assert_eq!(store.retries_spent("dns_error", NOW.shifted(-DAY)).await.unwrap(), 2);
    assert_eq!(store.retries_spent("dns_error", NOW.shifted(-3 * DAY)).await.unwrap(), 3);
}

async fn what_was_read_of_a_list_is_merged_and_kept_apart_from_other_lists(ground: &Ground) {
    let store = ground.open(NOW).await;
    assert!(store.covered("failed jobs").await.unwrap().is_empty());
    store.add_covered("failed jobs", covered(20, 10, Some("a"))).await.unwrap();
    store.add_covered("failed jobs", covered(5, 1, Some("b"))).await.unwrap();
    store.add_covered("other", covered(7, 1, None)).await.unwrap();
    let two = [covered(5, 1, Some("b")), covered(20, 10, Some("a"))];
    assert_eq!(store.covered("failed jobs").await.unwrap(), two);
    let one = [covered(20, 1, Some("a"))];
    assert_eq!(store.add_covered("failed jobs", covered(11, 4, Some("c"))).await.unwrap(), one);
    store.add_covered("failed jobs", covered(3, 3, Some("empty"))).await.unwrap();
    store.close().await;
    let store = ground.open(NOW).await;
    assert_eq!(store.covered("failed jobs").await.unwrap(), one);
    assert_eq!(store.covered("other").await.unwrap(), [covered(7, 1, None)]);
}

async fn what_is_old_is_forgotten_but_not_since_when_it_was_known(ground: &Ground) {
    let store = ground.store().await;
    // More than one batch is old.
    let mut rows: Vec<Failure> = (0..1_300).map(|job| of_class("no_space", "s1-a", failure(job, 100))).collect();
    rows.extend([of_class("no_space", "s1-a", failure(5_001, 90)), of_class("no_space", "s1-a", failure(5_002, 1))]);
    rows.push(of_class("retired", "s1-old", failure(5_003, 400)));
    rows.push(of_class("ancient", "s1-ancient", failure(5_004, 500)));
    store.put_failures(&rows).await.unwrap();
    let tries = [(1, 100), (5_001, 90), (5_002, 1)];
    let tries = tries.map(|(job, days)| LaterTry { at: NOW.shifted(-days * DAY), ..later(job, TryEnd::Succeeded) });
    store.put_later_tries(&tries).await.unwrap();
    store.put_pipeline_ends(&[end(1, "develop", true, 91), end(2, "develop", true, 89)]).await.unwrap();
    let allowance = Allowance { since: NOW, of_class: 9, in_all: 9 };
    store.spend_retry(JobId(1), "no_space", NOW.shifted(-91 * DAY), &[allowance]).await.unwrap();
    store.add_ack(&ack("retired", None, None)).await.unwrap();
    store.add_covered("failed jobs", covered(200, 80, Some("a"))).await.unwrap();
    store.add_covered("failed jobs", covered(300, 201, Some("b"))).await.unwrap();

    let before = NOW.shifted(-i64::try_from(RETENTION.as_millis()).unwrap());
    assert_eq!(store.forget_before(before).await.unwrap(), 1_302);
    assert_eq!(store.forget_before(before).await.unwrap(), 0);
    // What is exactly as old as remembering goes is still there.
    assert_eq!(all(&store).await.into_iter().map(|failure| failure.job.0).collect::<Vec<_>>(), [5_002, 5_001]);
    let retries = store.retry_history(Kind::Class("no_space"), EVER.start).await.unwrap();
    assert_eq!(retries.succeeded, 2);
    assert_eq!(store.pipeline_ends(EVER, None, 9).await.unwrap(), [end(2, "develop", true, 89)]);
    assert_eq!(store.retries_spent("no_space", EVER.start).await.unwrap(), 0);
    assert_eq!(store.acks(NOW).await.unwrap().len(), 1, "people's words are not forgotten");
    // Nothing is claimed to be known that is not there.
    assert_eq!(store.covered("failed jobs").await.unwrap(), [covered(90, 80, None)]);
    let seen = store.first_seen(&["s1-a", "s1-old", "s1-ancient"]).await.unwrap();
    assert_eq!(seen["s1-a"].first, NOW.shifted(-100 * DAY));
    assert!(seen.contains_key("s1-old"));
    assert!(!seen.contains_key("s1-ancient"), "more than a year without a failure");
    let groups = store.grouped(&[By::Signature], EVER, NOW).await.unwrap();
    assert_eq!(groups[0][0].first_seen, Some(NOW.shifted(-100 * DAY)));
    // It comes back, and is still no news.
    store.put_failures(&[of_class("retired", "s1-old", failure(9_000, 0))]).await.unwrap();
    assert_eq!(store.first_seen(&["s1-old"]).await.unwrap()["s1-old"].first, NOW.shifted(-400 * DAY));
}

on_both! {
    acknowledgements_hold_until_they_end_or_give_way
    a_new_try_that_succeeded_has_the_inputs_of_the_try_before
    pipelines_have_their_latest_end
    retries_cost_what_is_allowed_and_each_job_has_one_turn
    what_was_read_of_a_list_is_merged_and_kept_apart_from_other_lists
    what_is_old_is_forgotten_but_not_since_when_it_was_known
}
