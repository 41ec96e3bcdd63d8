//! The PRs screen over an invented night: pull requests at every step, and what it says while nothing is known.

use std::sync::Arc;
use std::time::Duration;

use super::night::Night;
use crate::bridge::{Board, BoardPipeline, BoardPush, BoardRow, Budget, Decided, Verdict};
use crate::ci::{PipelineId, Status, Timestamp};
use crate::console::effect::Fetch;
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::console::loops::LoopState;
use crate::forge::{CommitState, PrNumber, Sha};
use crate::tui::glyphs::Glyphs;
use crate::tui::testing::snapshot;
use crate::tui::theme::{Depth, Theme};

const MINUTE: i64 = 60_000;

fn sha(letter: char) -> Sha {
    Sha::parse(&letter.to_string().repeat(40)).unwrap()
}

fn row(now: Timestamp, pr: u64, title: &str, (verdict, reason, told): (Verdict, &str, &str), minutes: i64) -> BoardRow {
    BoardRow {
        pr: PrNumber(pr),
        title: title.into(),
        head: sha('4'),
        branch: Some(format!("pr{pr}_branch").into()),
        verdict,
        reason: reason.into(),
        told: told.into(),
        is_idle: reason == "draft",
        since: now.shifted(-minutes * MINUTE),
        pushed: None,
        pipeline: None,
        shown: None,
        is_untold: false,
    }
}

fn pushed(mut row: BoardRow, now: Timestamp, id: u64, status: Status, shown: CommitState) -> BoardRow {
    let at = row.since;
    row.pushed = Some(BoardPush { at, commit: sha('c'), onto: sha('d'), base: "develop".into() });
    let updated_at = Some(now.shifted(-3 * MINUTE));
    row.pipeline = Some(BoardPipeline { id: PipelineId(id), sha: sha('c'), status: Some(status), updated_at });
    row.shown = Some(shown);
    row
}

fn board(now: Timestamp) -> Board {
    let has = (Verdict::Pushed, "already_pushed", "GitLab has this head");
    let conflict = (Verdict::Refuse, "conflict", "it conflicts with develop: merge develop into it");
    let draft = (Verdict::Wait, "draft", "GitLab CI is disabled for draft PRs");
    let checks = (Verdict::Wait, "prerequisites", "all-prechecks has not succeeded");
    let mut untold =
        pushed(row(now, 51_300, "zlib-ng: new version", has, 60), now, 12, Status::Failed, CommitState::Pending);
    untold.is_untold = true;
    let rows = vec![
        pushed(row(now, 51_234, "hdf5: add 1.14.4", has, 220), now, 10, Status::Failed, CommitState::Error),
        row(now, 51_290, "llvm: split\u{1b}[2J runtimes", conflict, 5),
        untold,
        pushed(row(now, 51_302, "docs: typo", has, 2), now, 11, Status::Running, CommitState::Pending),
        row(now, 51_299, "wip", draft, 400),
        row(now, 51_111, "gcc: 15.2, and a title that is much longer than any column of any screen", checks, 9 * 1_440),
    ];
    let quota = Some(Budget { left: 4_120, of: 5_000 });
    Board { at: now.shifted(-11_000), is_whole: true, quota, rows }
}

fn busy() -> Night {
    let mut night = Night::busy();
    let board = board(night.now);
    night.press("8");
    night.tell(Event::BoardKnown(Some(Arc::new(board))));
    night
}

#[test]
fn pull_requests_at_every_step() {
    let mut never = Night::busy();
    never.press("8");
    never.tell(Event::BoardKnown(None));
    let mut unknown = Night::unknown();
    unknown.press("8");
    let mut failed = busy();
    let fault = Fault::new(FaultKind::Local, "read what the bridge wrote down", "database is locked");
    failed.tell(Event::Fetched { fetch: Fetch::Board, at: failed.now, result: Err(fault) });
    let mut stale = busy();
    stale.pass(600);
    let mut first = Night::busy();
    first.press("8");
    first.tell(Event::BoardKnown(None));
    let bridge = LoopState::new("bridge", Some(Duration::from_secs(30)), false, first.now);
    first.tell(Event::LoopTold(Arc::new(bridge)));
    let cases = vec![
        ("normal", busy()),
        ("never", never),
        ("first", first),
        ("unknown", unknown),
        ("failed", failed),
        ("stale", stale),
    ];
    for (case, mut night) in cases {
        snapshot(&format!("pulls-{case}-100x30"), &night.draw(100, 30));
        snapshot(&format!("pulls-{case}-80x24"), &night.draw(80, 24));
        if case == "normal" {
            night.app.set_theme(Theme::distinct(Depth::Mono));
            night.app.setup.glyphs = Glyphs::ASCII;
            night.draw(90, 30);
            snapshot("pulls-normal-100x30-mono-ascii", &night.draw(100, 30));
        }
    }
}

#[test]
fn the_story_of_a_pull_request_is_one_key_away() {
    let mut night = busy();
    night.press("/");
    night.write("hdf5");
    night.press("⏎ ⏎");
    let decided = |minutes: i64, verdict: &str, reason: &str, told: &str| Decided {
        at: night.now.shifted(-minutes * MINUTE),
        subject: "pr 51234".to_owned(),
        head: sha('4'),
        verdict: verdict.into(),
        reason: reason.into(),
        told: told.into(),
    };
    let decisions = [
        decided(219, "pushed", "already_pushed", "GitLab has this head"),
        decided(220, "push", "first_push", "GitLab has nothing of it yet"),
        decided(300, "wait", "prerequisites", "all-prechecks has not succeeded"),
    ];
    night.tell(Event::StoryKnown { pr: PrNumber(51_234), decisions: decisions.into() });
    snapshot("pulls-story-100x30", &night.draw(100, 30));
    night.press("Esc");
    assert!(!night.text(100, 30).contains("first_push") && night.text(100, 30).contains("/hdf5"));
    night.press("Esc");
    assert!(night.text(100, 30).contains("llvm: split"));
}

#[test]
fn trouble_is_jumped_to_and_rows_are_ordered() {
    let mut night = busy();
    let first = |night: &mut Night| {
        let text = night.text(100, 30);
        text.lines().find(|line| line.contains('#')).unwrap().to_owned()
    };
    // A status that waits for an hour is the farthest beyond what it takes as a rule, but for checks of nine days.
    assert!(first(&mut night).contains("#51111"), "{}", first(&mut night));
    night.press("] e");
    assert!(night.text(100, 30).lines().any(|line| line.contains('▌') && !line.contains("#51111")));
    night.press("s s");
    assert!(first(&mut night).contains("#51302"), "by number, the newest first");
}

#[test]
fn a_resync_is_previewed_with_what_it_would_do() {
    let mut night = busy();
    night.press("/");
    night.write("hdf5");
    night.press("⏎ R");
    snapshot("pulls-resync-100x30", &night.draw(100, 30));
    for (what, why) in [("llvm", "it conflicts with develop"), ("draft", "GitLab CI is disabled for draft PRs")] {
        night.press("Esc Esc /");
        night.write(what);
        night.press("⏎ R");
        let text = night.text(100, 30);
        assert!(text.contains("skip 1") && text.contains(why), "{text}");
    }
}
