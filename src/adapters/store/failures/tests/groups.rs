//! Failures in groups.

use std::collections::BTreeMap;

use super::*;
use crate::console::failures::{By, Group, Retries, Share};

fn placed(stack: &str, runner: &str, failure: Failure) -> Failure {
    Failure { stack: Some(stack.into()), runner: Some(runner.into()), ..failure }
}

async fn groups(store: &Store, by: By, days: i64) -> Vec<Group> {
    store.grouped(&[by], NOW.shifted(-days * DAY)..NOW.shifted(1), NOW.shifted(-DAY)).await.unwrap().remove(0)
}

fn share(key: &str, count: u64) -> Share {
    Share { key: key.into(), count }
}

async fn groups_count_what_is_in_the_range_and_know_what_came_before(ground: &Ground) {
    let store = ground.store().await;
    store
        .put_failures(&[
            placed("e4s", "v3", of_class("no_space", "s1-a", failure(1, 0))),
            placed("e4s", "v4", of_class("no_space", "s1-a", failure(2, 1))),
            placed("ml", "v3", of_class("no_space", "s1-a", failure(3, 2))),
            placed("ml", "v3", of_class("no_space", "s1-b", failure(4, 2))),
            placed("aws", "v5", of_class("oom", "s1-a", failure(5, 3))),
            of_class("no_space", "s1-a", failure(6, 50)),
            bare(7, 1),
        ])
        .await
        .unwrap();
    store
        .put_later_tries(&[
            later(1, TryEnd::Succeeded),
            later(3, TryEnd::Failed),
            later(4, TryEnd::Unknown),
            later(6, TryEnd::Failed),
        ])
        .await
        .unwrap();
    let by = [By::Class, By::Signature];
    let range = NOW.shifted(-7 * DAY)..NOW.shifted(1);
    let mut both = store.grouped(&by, range, NOW.shifted(-DAY)).await.unwrap();
    let (signatures, classes) = (both.remove(1), both.remove(0));
    let no_space = Group {
        key: text("no_space"),
        class: text("no_space"),
        template: None,
        count: 4,
        new: 2,
        newest: NOW,
        oldest: NOW.shifted(-2 * DAY),
        first_seen: Some(NOW.shifted(-50 * DAY)),
        stacks: vec![share("e4s", 2), share("ml", 2)],
        runners: vec![share("v3", 3), share("v4", 1)],
        retries: Retries { succeeded: 1, failed: 1 },
    };
    assert_eq!(classes[0], no_space);
    let names = |groups: &[Group]| -> Vec<(String, String, u64)> {
        let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or("-").to_owned();
        groups.iter().map(|group| (text(&group.class), text(&group.key), group.count)).collect()
    };
    let want = |class: &str, key: &str, count| (class.to_owned(), key.to_owned(), count);
    assert_eq!(names(&classes[1..]), [want("oom", "oom", 1), want("unknown", "unknown", 1)]);
    assert_eq!(
        names(&signatures),
        [want("no_space", "s1-a", 3), want("no_space", "s1-b", 1), want("oom", "s1-a", 1), want("unknown", "-", 1),]
    );
    assert_eq!(signatures[0].template, text("template of s1-a"));
    assert_eq!(signatures[3].first_seen, None);
    assert!(signatures[3].stacks.is_empty(), "an unknown place is no place");
    assert_eq!(groups(&store, By::Class, 90).await[0].count, 5);
    assert!(store.grouped(&[], EVER, NOW).await.unwrap().is_empty());
    assert!(store.grouped(&[By::Class], NOW..NOW, NOW).await.unwrap()[0].is_empty());
}

async fn failures_are_grouped_by_whatever_they_have(ground: &Ground) {
    let store = ground.store().await;
    let rows: Vec<Failure> = (0..60_u64)
        .map(|n| Failure {
            rule: text(&format!("r{}", n % 2)),
            owner: if n % 3 == 0 { Owner::Package } else { Owner::Upstream },
            host: text(&format!("h{}", n % 4)),
            package: (n % 5 != 0).then(|| format!("p{}", n % 5).into()),
            compiler: text(&format!("c{}", n % 6)),
            git_ref: format!("pr{}", n % 10).into(),
            stack: text(&format!("s{}", n % 12)),
            runner: text(&format!("u{}", n % 15)),
            ..failure(n, 0)
        })
        .collect();
    store.put_failures(&rows).await.unwrap();
    for (by, keys, greatest) in [
        (By::Rule, 2, 30),
        (By::Owner, 2, 40),
        (By::Host, 4, 15),
        (By::Package, 5, 12),
        (By::Compiler, 6, 10),
        (By::GitRef, 10, 6),
        (By::Stack, 12, 5),
        (By::Runner, 15, 4),
    ] {
        let alone = groups(&store, by, 1).await;
        assert_eq!((alone.len(), alone[0].count), (keys, greatest), "{by:?}");
        assert!(alone.iter().all(|group| group.class.is_none() && group.first_seen.is_none()));
        // Beside others, each finds its own column.
        let among = store.grouped(&[By::Host, by, By::Package, By::Rule], EVER, NOW).await.unwrap();
        let counts = |groups: &[Group]| -> BTreeMap<Option<Arc<str>>, u64> {
            groups.iter().map(|group| (group.key.clone(), group.count)).collect()
        };
        assert_eq!(counts(&among[1]), counts(&alone), "{by:?}");
    }
    let owners = groups(&store, By::Owner, 1).await;
    assert_eq!(owners[0].key.as_deref(), Some("upstream"));
    assert_eq!(groups(&store, By::Package, 1).await[0].key, None, "those without a package are a group as well");
}

async fn hostile_keys_stay_what_they_are(ground: &Ground) {
    let store = ground.store().await;
    let texts = ["a\0b", "a", "\"],[", "\\u0000", "日本\u{1b}[0m", "null", ""];
    let rows: Vec<Failure> =
        (1..).zip(texts).map(|(job, text)| placed(text, text, of_class(text, text, failure(job, 0)))).collect();
    store.put_failures(&rows).await.unwrap();
    for by in [By::Class, By::Signature, By::Stack, By::Runner] {
        let found = groups(&store, by, 1).await;
        let mut want = texts.map(|text| ground.kept(text));
        want.sort_unstable();
        let keys: Vec<&str> = found.iter().map(|group| group.key.as_deref().unwrap()).collect();
        assert_eq!(keys, want, "{by:?}");
        assert!(found.iter().all(|group| group.stacks == [share(group.key.as_deref().unwrap(), 1)]));
    }
    let seen = groups(&store, By::Signature, 1).await;
    assert!(seen.iter().all(|group| group.first_seen == Some(NOW)), "{seen:?}");
}

async fn more_than_fits_into_one_page_is_counted_once(ground: &Ground) {
    let store = ground.store().await;
    // All at three moments, so that pages end in the middle of one; job ids beyond i64 come first in SQL's order.
    let count = 40_000_u64;
    let rows: Vec<Failure> = (0..count)
        .map(|n| {
            let job = if n % 2 == 0 { n } else { u64::MAX - n };
            of_class(["a", "b"][n as usize % 2], &format!("s1-{}", n % 700), failure(job, n as i64 % 3))
        })
        .collect();
    store.put_failures(&rows).await.unwrap();
    let found = store.grouped(&[By::Class, By::Signature], EVER, NOW.shifted(-DAY)).await.unwrap();
    assert_eq!(found[0].iter().map(|group| group.count).collect::<Vec<_>>(), [count / 2; 2]);
    assert_eq!(found[0].iter().map(|group| group.new).sum::<u64>(), 26_667);
    assert_eq!(found[1].len(), 700);
    assert_eq!(found[1].iter().map(|group| group.count).sum::<u64>(), count);
    assert!(found[1].iter().all(|group| group.first_seen.is_some()));
}

on_both! {
    groups_count_what_is_in_the_range_and_know_what_came_before
    failures_are_grouped_by_whatever_they_have
    hostile_keys_stay_what_they_are
    more_than_fits_into_one_page_is_counted_once
}
