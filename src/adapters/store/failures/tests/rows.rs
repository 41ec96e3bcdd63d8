//! Failures as rows: written, read, judged again.

use super::*;
use crate::adapters::store::StoreFault;
use crate::console::failures::{DayCount, Kind, Retries};

async fn failures_read_back_as_they_were_newest_first(ground: &Ground) {
    let store = ground.store().await;
    let odd = Failure {
        job: JobId(u64::MAX),
        pipeline: PipelineId(u64::MAX - 1),
        line: Some(u64::MAX),
        exit_code: Some(-1),
        confidence: 255,
        owner: Owner::SpackCore,
        transient: Transient::Yes,
        ..bare(1, 3)
    };
    store.put_failures(&[failure(1, 2), bare(2, 1), odd.clone(), failure(3, 2)]).await.unwrap();
    assert_eq!(all(&store).await, [bare(2, 1), failure(3, 2), failure(1, 2), odd]);
    store.put_failures(&[]).await.unwrap();
    // Twice in one batch: the later verdict holds, as with two batches.
    let again = of_class("oom", "s1-b", failure(1, 2));
    store.put_failures(&[of_class("dns_error", "s1-a", failure(1, 2)), again.clone()]).await.unwrap();
    assert_eq!(all(&store).await[2], again);
}

async fn batches_of_any_size_are_written_whole(ground: &Ground) {
    let store = ground.store().await;
    let mut written = 0;
    for size in [1, 31, 32, 33, 64, 100, 257] {
        let batch: Vec<Failure> =
            (written..written + size).map(|job| of_class("oom", &format!("s1-{job}"), failure(job, 1))).collect();
        store.put_failures(&batch).await.unwrap();
        written += size;
        let fingerprints: Vec<&str> = batch.iter().filter_map(|failure| failure.fingerprint.as_deref()).collect();
        assert_eq!(store.first_seen(&fingerprints).await.unwrap().len(), batch.len());
    }
    assert_eq!(all(&store).await.len() as u64, written);
}

async fn texts_from_outside_are_data_and_nothing_else(ground: &Ground) {
    let store = ground.store().await;
    let hostile = [
        "'; DROP TABLE failures; --",
        "\" OR 1=1 --",
        "nul\0inside",
        "%_*?[a]",
        "\u{1b}[31mred\u{7}",
        "[\"json\", {\"a\": null}]\\u0000\\",
        "\u{202e}evil \u{feff}é 日本 🧨",
        "",
        "line\nbreak\r\tand ?1 :name $x @y",
    ];
    let everywhere = |(job, text): (u64, &str)| Failure {
        name: text.into(),
        package: Some(text.into()),
        hash: Some(text.into()),
        compiler: Some(text.into()),
        stack: Some(text.into()),
        git_ref: text.into(),
        sha: Some(text.into()),
        runner: Some(text.into()),
        host: Some(text.into()),
        failure_reason: Some(FailureReason::new(text)),
        class: text.into(),
        rule: Some(text.into()),
        fingerprint: Some(text.into()),
        template: Some(text.into()),
        evidence: Some(text.into()),
        rules: text.into(),
        ..failure(job, 0)
    };
    let rows: Vec<Failure> = (1..).zip(hostile).map(everywhere).collect();
    store.put_failures(&rows).await.unwrap();
    let mut read = all(&store).await;
    read.reverse();
    let kept = hostile.map(|text| ground.kept(text));
    assert_eq!(read, (1..).zip(kept.iter().map(String::as_str)).map(everywhere).collect::<Vec<_>>());
    for (job, hostile) in (1..).zip(hostile) {
        for filter in [
            FailureFilter { class: text(hostile), ..FailureFilter::default() },
            FailureFilter { fingerprint: text(hostile), ..FailureFilter::default() },
            FailureFilter { rule: text(hostile), ..FailureFilter::default() },
            FailureFilter { package: text(hostile), ..FailureFilter::default() },
            FailureFilter { stack: text(hostile), ..FailureFilter::default() },
            FailureFilter { runner: text(hostile), ..FailureFilter::default() },
            FailureFilter { host: text(hostile), ..FailureFilter::default() },
            FailureFilter { git_ref: text(hostile), ..FailureFilter::default() },
        ] {
            assert_eq!(jobs(&store, filter.clone()).await, [job], "{filter:?}");
        }
    }
    let seen = store.first_seen(&hostile).await.unwrap();
    assert_eq!(seen.len(), hostile.len());
    assert!(seen.iter().all(|(key, seen)| seen.template.as_ref() == Some(key)));
}

async fn a_list_is_read_in_pieces_and_by_filter(ground: &Ground) {
    let store = ground.store().await;
    // Three at each moment, so that pieces end in the middle of one.
    let rows: Vec<Failure> = (0..30).map(|job| failure(job, job as i64 / 3)).collect();
    store.put_failures(&rows).await.unwrap();
    let mut after = None;
    let mut read = Vec::new();
    loop {
        let piece = Piece { limit: 4, after };
        let found = store.failures_since(EVER, &FailureFilter::default(), piece).await.unwrap();
        let Some(last) = found.last() else { break };
        after = Some((last.at, last.job));
        read.extend(found.iter().map(|failure| failure.job.0));
    }
    let want: Vec<u64> = (0..10).flat_map(|day| (0..3).rev().map(move |n| day * 3 + n)).collect();
    assert_eq!(read, want);
    // The end of a range is no part of it.
    let two_days = NOW.shifted(-2 * DAY)..NOW;
    let found = store.failures_since(two_days, &FailureFilter::default(), Piece::newest(100)).await.unwrap();
    assert_eq!(found.iter().map(|failure| failure.job.0).collect::<Vec<_>>(), [5, 4, 3, 8, 7, 6]);
    let filter = FailureFilter {
        class: text("no_space"),
        package: text("hdf5"),
        pipeline: Some(PipelineId(901)),
        ..FailureFilter::default()
    };
    assert_eq!(jobs(&store, filter.clone()).await.len(), 10);
    assert_eq!(jobs(&store, FailureFilter { host: text("elsewhere"), ..filter }).await, [0; 0]);
}

async fn a_new_verdict_takes_the_place_of_the_old_and_makes_nothing_look_new(ground: &Ground) {
    let store = ground.store().await;
    let old = of_class("unknown", "s1-a", failure(1, 60));
    store.put_failures(&[old, of_class("unknown", "s1-a", failure(2, 3))]).await.unwrap();
    store.put_later_tries(&[later(1, TryEnd::Succeeded)]).await.unwrap();
    let judged = Failure { rules: "ba9876543210".into(), ..of_class("dns_error", "s1-b", failure(1, 60)) };
    store.put_failures(std::slice::from_ref(&judged)).await.unwrap();
    assert_eq!(all(&store).await[1], judged);
    let seen = store.first_seen(&["s1-a", "s1-b", "s1-c"]).await.unwrap();
    // The new signature is as old as its failure; the old one is not forgotten with it.
    assert_eq!(seen["s1-b"].first, NOW.shifted(-60 * DAY));
    assert_eq!(seen["s1-a"].first, NOW.shifted(-60 * DAY));
    assert_eq!(seen["s1-a"].last, NOW.shifted(-3 * DAY));
    assert!(!seen.contains_key("s1-c"));
    // What became of the job stays with it.
    let retries = store.retry_history(Kind::Class("dns_error"), NOW.shifted(-90 * DAY)).await.unwrap();
    assert_eq!(retries, Retries { succeeded: 1, failed: 0 });
    // What is read later may be older.
    store.put_failures(&[of_class("dns_error", "s1-b", failure(3, 80))]).await.unwrap();
    assert_eq!(store.first_seen(&["s1-b"]).await.unwrap()["s1-b"].first, NOW.shifted(-80 * DAY));
    let known = store.judged(&[JobId(1), JobId(2), JobId(77)]).await.unwrap();
    let known: Vec<(u64, &str)> = known.iter().map(|(job, rules)| (job.0, &**rules)).collect();
    assert_eq!(known, [(1, "ba9876543210"), (2, "0123456789ab")]);
}

async fn later_tries_may_be_known_before_the_failure_and_are_never_unlearned(ground: &Ground) {
    let store = ground.store().await;
    store
        .put_later_tries(&[later(1, TryEnd::Failed), later(2, TryEnd::Unknown), later(3, TryEnd::Unknown)])
        .await
        .unwrap();
    let rows: Vec<Failure> =
        (1..=5).map(|job| of_class("dns_error", if job < 4 { "s1-a" } else { "s1-b" }, failure(job, 1))).collect();
    store.put_failures(&rows).await.unwrap();
    let history = async |of| store.retry_history(of, NOW.shifted(-2 * DAY)).await.unwrap();
    assert_eq!(history(Kind::Class("dns_error")).await, Retries { succeeded: 0, failed: 1 });
    let moved = |job, ended, millis| LaterTry { at: NOW.shifted(millis), ..later(job, ended) };
    let news = [
        moved(1, TryEnd::Unknown, 9),
        moved(1, TryEnd::Succeeded, -1),
        moved(2, TryEnd::Succeeded, -9),
        later(4, TryEnd::Failed),
        moved(4, TryEnd::Succeeded, 1),
        later(5, TryEnd::Failed),
    ];
    store.put_later_tries(&news).await.unwrap();
    // 1 stays failed: what says otherwise is unknown, or older. 2 is known now. 4 was tried once more.
    assert_eq!(history(Kind::Class("dns_error")).await, Retries { succeeded: 2, failed: 2 });
    assert_eq!(history(Kind::Signature("s1-a")).await, Retries { succeeded: 1, failed: 1 });
    assert_eq!(history(Kind::Signature("s1-b")).await, Retries { succeeded: 1, failed: 1 });
    assert_eq!(history(Kind::Class("s1-b")).await, Retries::default());
    assert_eq!(store.retry_history(Kind::Class("dns_error"), NOW).await.unwrap(), Retries::default());
    assert_eq!((Retries { succeeded: 2, failed: 1 }).ok_percent(), Some(67));
    assert_eq!(Retries::default().ok_percent(), None);
}

async fn days_begin_at_midnight_also_before_1970(ground: &Ground) {
    let store = ground.store().await;
    let at =
        |job, millis, class| Failure { at: Timestamp::from_millis(millis), ..of_class(class, "s1-a", failure(job, 0)) };
    let rows =
        [at(1, -1, "b"), at(2, 0, "b"), at(3, DAY - 1, "a"), at(4, DAY - 2, "b"), at(5, DAY, "a"), at(6, 9 * DAY, "a")];
    store.put_failures(&rows).await.unwrap();
    let counts = store.daily_counts(Timestamp::from_millis(-DAY)..Timestamp::from_millis(2 * DAY)).await.unwrap();
    let day = |days: i64, class: &str, count| DayCount {
        day: Timestamp::from_millis(days * DAY),
        class: class.into(),
        count,
    };
    assert_eq!(counts, [day(-1, "b", 1), day(0, "a", 1), day(0, "b", 2), day(1, "a", 1)]);
}

async fn a_word_that_this_version_does_not_know_is_damage_not_a_guess(ground: &Ground) {
    let store = ground.store().await;
    store.put_failures(&[failure(1, 0)]).await.unwrap();
    query("UPDATE failures SET owner = 'nobody'").execute(&store.db).await.unwrap();
    let found = store.failures_since(EVER, &FailureFilter::default(), Piece::newest(9)).await;
    assert!(matches!(found.unwrap_err().fault, StoreFault::Damaged(_)));
}

on_both! {
    failures_read_back_as_they_were_newest_first
    batches_of_any_size_are_written_whole
    texts_from_outside_are_data_and_nothing_else
    a_list_is_read_in_pieces_and_by_filter
    a_new_verdict_takes_the_place_of_the_old_and_makes_nothing_look_new
    later_tries_may_be_known_before_the_failure_and_are_never_unlearned
    days_begin_at_midnight_also_before_1970
    a_word_that_this_version_does_not_know_is_damage_not_a_guess
}
