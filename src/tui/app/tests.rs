//! The whole face, key by key, over an invented night: pictures of every screen in every state, and what keys lead to.

mod caches;
mod fleet;
mod loops;
mod night;
mod pulls;

use std::sync::Arc;

use ratatui::layout::Rect;

use super::Wish;
use crate::ci::{FailureReason, Pipeline, PipelineId, Status};
use crate::console::actions::Rules;
use crate::console::event::{Event, Intent};
use crate::console::failures::{Ack, AckId, History, Retries};
use crate::console::input::InputEvent;
use crate::console::text;
use crate::taxonomy::judge::{Zone, success_trend, trend};
use crate::taxonomy::{Failure, Owner, Transient};
use crate::tui::testing::snapshot;
use night::{HDF5, NIGHTLY, Night, ONEAPI, job, spec};

const SIZES: [(u16, u16); 3] = [(100, 30), (80, 24), (60, 20)];

/// Every state in which a screen can be, and the night that leads there. `keys` opens the screen.
fn states(screen: &str, keys: &str) {
    let stale = || {
        let mut night = Night::busy();
        night.press(keys);
        night.pass(190);
        night
    };
    let error = || {
        let mut night = Night::busy();
        night.press(keys);
        night.fails();
        night
    };
    let normal = || {
        let mut night = Night::busy();
        night.hold();
        night
    };
    let cases: [(&str, &dyn Fn() -> Night); 6] = [
        ("normal", &normal),
        ("empty", &Night::empty),
        ("loading", &Night::unknown),
        ("stale", &stale),
        ("error", &error),
        ("huge", &Night::huge),
    ];
    for (case, begin) in cases {
        let mut night = begin();
        night.press(keys);
        for (width, height) in SIZES {
            snapshot(&format!("{screen}-{case}-{width}x{height}"), &night.draw(width, height));
        }
    }
}

#[test]
fn the_overview_in_every_state() {
    states("overview", "1");
}

#[test]
fn the_pipelines_in_every_state() {
    states("pipelines", "2");
}

#[test]
fn the_jobs_in_every_state() {
    states("jobs", "4");
}

#[test]
fn the_audit_in_every_state() {
    states("audit", "g z");
}

#[test]
fn the_messages_in_every_state() {
    states("messages", "g m");
}

/// Pictures of what lies over a screen.
fn over(name: &str, mut night: Night, sizes: &[(u16, u16)]) {
    for (width, height) in sizes {
        snapshot(&format!("{name}-{width}x{height}"), &night.draw(*width, *height));
    }
}

#[test]
fn the_preview_of_a_plan() {
    let mut night = Night::busy();
    night.press("4 Space Space Space r");
    night.now = night.now.shifted(600);
    over("preview-marked", night, &SIZES);
    let mut night = Night::busy();
    night.press("4 Space Space Space r t Space");
    over("preview-rows", night, &[(100, 30)]);
    let mut night = Night::huge();
    night.press("4 * r");
    night.write("retry 24");
    over("preview-typed", night, &[(100, 30), (60, 20)]);
    let mut night = Night::busy();
    let rules =
        Rules { read_only: Some("read-only: no token; name one with --token-env".to_owned()), ..Rules::default() };
    night.tell(Event::RulesChanged(rules.into()));
    night.press("4 r");
    over("preview-read-only", night, &[(100, 30)]);
}

#[test]
fn whatever_lies_over_a_screen() {
    let opened = |keys: &str| {
        let mut night = Night::busy();
        night.press(keys);
        night
    };
    over("explain", opened("4 e"), &[(100, 30)]);
    over("help", opened("4 ?"), &[(100, 30)]);
    let mut palette = opened("1 :");
    palette.write("retr");
    over("palette", palette, &[(100, 30)]);
    let mut filter = opened("4 /");
    filter.write("state:faild dur>1q");
    over("filter-wrong", filter, &[(100, 30)]);
    let mut filter = opened("4 /");
    filter.write("pkg:nothing-of-that-name");
    over("filter-nothing", filter, &[(100, 30)]);
    let mut quit = Night::busy();
    quit.hold();
    quit.press("q");
    over("quit-held", quit, &[(100, 30)]);
    let mut begun = opened("4 g");
    begun.now = begun.now.shifted(500);
    over("which-key-begun", begun, &[(100, 30)]);
    over("pipelines-open", opened("2 ⏎"), &SIZES);
    let mut detail = Night::busy();
    detail.hold();
    detail.pass(6);
    detail.done();
    detail.press("g z ⏎");
    over("audit-detail", detail, &[(100, 30)]);
    over("one-line", Night::busy(), &[(39, 5), (20, 1)]);
}

#[test]
fn keys_typed_ahead_of_the_preview_confirm_nothing() {
    let mut night = Night::busy();
    let wishes = night.press("4 r y y y");
    assert!(!wishes.iter().any(|w| matches!(w, Wish::Intend(Intent::Confirm { .. }))), "{wishes:?}");
    night.now = night.now.shifted(499);
    assert!(night.press("y").is_empty());
    night.now = night.now.shifted(1);
    assert!(matches!(night.press("y").as_slice(), [Wish::Intend(Intent::Confirm { .. })]));
}

#[test]
fn keys_that_arrive_between_two_frames_act_on_the_screen_that_the_first_of_them_opened() {
    let mut night = Night::busy();
    night.draw(100, 30);
    for (keys, seen) in
        [("4 r", "Retry preview"), ("n 2 ⏎ j d", "DAG"), ("4 / s", "/s"), ("Esc Esc g z ⏎ 4 j e", "Explain")]
    {
        night.burst(keys);
        let text = night.text(100, 30);
        assert!(text.contains(seen), "`{keys}`: {text}");
    }
}

#[test]
fn a_retry_is_held_sent_answered_and_kept() {
    let mut night = Night::busy();
    night.hold();
    assert!(night.text(100, 30).contains("retry 1 job in 5s"), "{}", night.text(100, 30));
    assert!(night.acts.is_empty());
    night.pass(5);
    assert_eq!(night.acts.len(), 1);
    night.done();
    let audit = {
        night.press("g z");
        night.text(100, 30)
    };
    let rows = audit.lines().filter_map(|line| line.split_once("jobs.retry"));
    let states: Vec<&str> = rows.filter_map(|(_, rest)| rest.split_whitespace().nth(2)).collect();
    assert_eq!(states, ["done", "sent", "held"], "{audit}");
    assert_eq!(night.core.counts(), night.app.world().counts(), "the face knows what the core knows");
    assert_eq!(night.core.actions.sent_total, night.app.world().actions.sent_total);
}

#[test]
fn a_trigger_job_opens_as_the_failures_of_its_child() {
    let mut night = Night::busy();
    night.press("4 j o");
    let text = night.text(100, 30);
    assert!(text.contains("1082345 e4s-oneapi  2 shown") && text.contains("/state:failed"), "{text}");
    night.press("⏎");
    assert!(night.text(100, 30).contains("Job 19620601"), "{}", night.text(100, 30));
}

#[test]
fn quitting_right_after_confirming_asks() {
    let mut night = Night::busy();
    night.press("4 r");
    night.now = night.now.shifted(600);
    night.burst_unheard("y q");
    assert!(night.text(100, 30).contains("1 plan held and not sent"), "{}", night.text(100, 30));
}

#[test]
fn an_undone_plan_is_never_sent() {
    let mut night = Night::busy();
    night.hold();
    night.press("u");
    night.pass(10);
    assert!(night.acts.is_empty());
    night.press("g z");
    let audit = night.text(100, 30);
    assert!(audit.contains("undone") && !audit.contains(" sent "), "{audit}");
}

#[test]
fn read_only_replaces_the_confirmation() {
    let mut night = Night::busy();
    night.press(":");
    night.write("readonly on");
    night.press("RET 4 r");
    night.now = night.now.shifted(600);
    assert!(night.press("y").is_empty());
    let text = night.text(100, 30);
    assert!(text.contains("read-only") && text.contains(" ro "), "{text}");
}

#[test]
fn marks_and_cursor_stay_on_their_jobs_when_rows_are_sorted_anew() {
    let mut night = Night::busy();
    night.press("4 Space");
    night.press("s s s s");
    let text = night.text(100, 30);
    let marked: Vec<&str> = text.lines().filter(|l| l.contains('▪')).collect();
    assert!(marked.iter().any(|l| l.contains("hdf5")), "{text}");
    night.press("r");
    assert!(night.text(100, 30).contains(&HDF5.to_string()), "{}", night.text(100, 30));
}

#[test]
fn what_vanishes_under_the_cursor_is_not_acted_on_by_the_next_key() {
    let mut night = Night::busy();
    night.press("4 j j");
    let before = night.text(100, 30);
    assert!(before.lines().any(|l| l.contains('▌') && l.contains("kokkos@")), "{before}");
    night.now = night.now.shifted(1_000);
    let rest = vec![job(19_620_602, ONEAPI, &spec("sundials", "7.1.0"), Status::Failed)];
    night.jobs(ONEAPI, rest, Vec::new());
    night.draw(100, 30);
    night.press("r");
    assert!(!night.text(100, 30).contains("preview"), "{}", night.text(100, 30));
    night.now = night.now.shifted(400);
    night.press("r");
    assert!(night.text(100, 30).contains("preview"));
}

#[test]
fn a_frame_is_wanted_only_when_something_moved() {
    for keys in ["1", "2", "4", "g z", "g m", "4 r", "4 g", "4 ?", "1 :"] {
        let mut night = Night::busy();
        night.press(keys);
        night.draw(100, 30);
        assert!(!night.app.wants_frame(night.now), "`{keys}`: drawn, and nothing moved");
        // Within the same second only a box that is due may ask for one more frame.
        night.now = night.now.shifted(600);
        night.draw(100, 30);
        night.now = night.now.shifted(100);
        assert!(!night.app.wants_frame(night.now), "`{keys}`: nothing is due any more");
        night.now = night.now.shifted(1_000);
        assert!(night.app.wants_frame(night.now), "`{keys}`: the clock shows seconds");
    }
}

#[test]
fn every_size_is_drawn_with_everything_over_it() {
    for keys in ["1", "2 ⏎", "4", "g z", "g m", "4 r", "4 r t", "4 g", "4 ?", "1 :", "4 /", "4 e", "0"] {
        let mut night = Night::busy();
        night.hold();
        night.press(keys);
        night.now = night.now.shifted(500);
        for width in [1, 2, 3, 10, 39, 40, 41, 59, 200] {
            for height in [1, 2, 3, 5, 6, 7, 9, 10, 11, 16, 23, 60] {
                let buf = night.draw(width, height);
                assert_eq!(buf.area, Rect::new(0, 0, width, height));
            }
        }
    }
}

#[test]
fn nothing_hostile_reaches_a_cell() {
    let evil = "\u{1b}]0;evil\u{7}\u{1b}[2J\u{202e}rtl\u{2066}\u{0}\r\n\u{9b}31m";
    let mut night = Night::busy();
    let mut odd = job(HDF5.0 + 50, NIGHTLY, &format!("{evil}@1 {evil}"), Status::Failed);
    odd.failure_reason = Some(FailureReason::new(evil));
    odd.tags = [std::sync::Arc::from(evil)].into();
    night.jobs(NIGHTLY, vec![odd], Vec::new());
    let mut pipeline = Pipeline::new(PipelineId(1_099_999), evil, Status::Running);
    (pipeline.user, pipeline.name, pipeline.created_at) = (Some(evil.into()), Some(evil.into()), Some(night.now));
    night.tell(Event::PipelinesFetched { rows: vec![pipeline], at: night.now, whole: true });
    night.tell(Event::Said { error: true, text: evil.into() });
    for keys in ["1", "2", "2 ⏎", "4", "4 e", "4 r", "4 r t", "g m", "1 :", "f", "4 ⏎"] {
        night.press("Esc Esc Esc");
        night.press(keys);
        night.app.input(InputEvent::Paste(evil.to_owned()), night.now);
        for (width, height) in SIZES {
            let buf = night.draw(width, height);
            let bad = buf.content.iter().find(|cell| !text::is_harmless_symbol(cell.symbol()));
            assert!(bad.is_none(), "`{keys}` at {width}x{height}: {bad:?}");
        }
    }
}

/// What the logs of a busy night were judged to say, and what the store remembers.
fn judged() -> Night {
    let mut night = Night::busy();
    let failed: Vec<_> = night.core.jobs().filter(|job| job.status == Status::Failed).map(|job| job.id).collect();
    for (nth, id) in failed.into_iter().enumerate() {
        let (job, home) = (night.core.job(id).unwrap(), night.core.home(id).unwrap());
        let failure = Failure::of(job, &home.pipeline, night.now);
        let (class, owner, transient, text) = [
            ("no_space", Owner::Infrastructure, Transient::Maybe, "cannot write /builds/a: No space left on device"),
            ("build_error", Owner::Package, Transient::No, "H5public.h:27:10: fatal error: hwloc.h: No such file"),
            ("unknown", Owner::Unknown, Transient::Unknown, "==> Error: \x1b[31mthe moon is\x07 full"),
        ][nth % 3];
        let fingerprint = format!("s1-{}", nth % 4);
        night.tell(Event::Judged(Arc::new(Failure {
            class: class.into(),
            rule: (class != "unknown").then(|| class.into()),
            owner,
            transient,
            confidence: 87,
            fingerprint: Some(fingerprint.as_str().into()),
            evidence: Some(text.into()),
            line: Some(9_131),
            host: Some("uo-19".into()),
            ..failure
        })));
    }
    let failures: Vec<Failure> = night.core.failures.iter().map(|failure| (**failure).clone()).collect();
    let now = night.now;
    let day = 86_400_000;
    let covered = [now.shifted(-3 * day)..now];
    let success = [(now.shifted(-day), true), (now.shifted(-day), false), (now, true)];
    let ack = Ack {
        class: "no_space".into(),
        fingerprint: None,
        who: "amy".into(),
        note: "looks at uo-19".into(),
        until: Some(now.shifted(3_600_000)),
        created: now,
    };
    night.tell(Event::HistoryKnown(Arc::new(History {
        retries: [("no_space".into(), Retries { succeeded: 1, failed: 49 })].into(),
        first_seen: [("s1-0".into(), now.shifted(-2 * day))].into(),
        trend: trend(&failures.iter().collect::<Vec<_>>(), now, Zone::hours(0), &covered),
        success: success_trend(&success, now, Zone::hours(0), 7, &covered),
        acks: vec![(AckId(1), ack)],
        covered: vec![now.shifted(-40 * day)..now],
        successes: Vec::new(),
    })));
    night
}

#[test]
fn the_errors_in_every_state() {
    states("errors", "6");
    let mut night = judged();
    night.press("6 l");
    over("errors-judged", night, &SIZES);
    let mut night = judged();
    night.press("6 j l j j j l");
    over("errors-unfolded", night, &[(100, 30), (80, 24)]);
    let mut night = judged();
    night.press("6 e");
    over("errors-explained", night, &[(100, 30)]);
    // The store remembers three days, and nobody knows what was before them.
    let mut night = judged();
    let history = night.core.history.value.as_deref().cloned().unwrap();
    let covered = vec![night.now.shifted(-3 * 86_400_000)..night.now];
    night.tell(Event::HistoryKnown(Arc::new(History { covered, ..history })));
    night.press("6 G l e");
    over("errors-explained-short-memory", night, &[(100, 30)]);
}

#[test]
fn a_group_of_errors_is_retried_with_what_is_known_about_it() {
    let mut night = judged();
    night.press("6 r");
    over("errors-retry", night, &[(100, 30)]);
}

#[test]
fn a_rule_is_taught_from_a_signature() {
    let mut night = judged();
    night.press("6 G l j t");
    over("errors-teach", night, &[(100, 30)]);
    let mut night = judged();
    night.press("6 G l j t");
    night.press("Enter");
    night.write(".moon");
    let wishes = night.press("Enter");
    let saved = wishes.into_iter().find_map(|wish| match wish {
        Wish::Intend(Intent::SaveRule(draft)) => Some(draft),
        _ => None,
    });
    let saved = saved.expect("the second Enter saves");
    assert!(saved.toml.contains("moon"), "{}", saved.toml);
    assert!(!saved.toml.contains('\x1b'), "escapes of a log do not reach a file");
}

#[test]
fn failures_are_acknowledged_with_a_note_and_an_end() {
    let mut night = judged();
    night.press("6 a");
    assert!(night.press("Enter").is_empty(), "a note is needed");
    night.write("2h looks at uo-19");
    let wishes = night.press("Enter");
    let Some(Wish::Intend(Intent::Acknowledge(ack))) = wishes.into_iter().next() else { panic!("nothing was said") };
    assert_eq!((&*ack.note, ack.until.unwrap().since(ack.created).as_secs()), ("looks at uo-19", 7_200));
    assert_eq!(&*ack.who, "hmercer");
}
