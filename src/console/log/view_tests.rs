//! The view: where it opens, what moves it and what never does.

use proptest::prelude::*;

use super::tests::{COMPILER, SUCCESS, doc};
use super::*;

fn complete(bytes: &[u8]) -> LogDoc {
    let mut doc = doc(bytes);
    doc.set_state(LogState::Complete);
    doc
}

fn view(doc: &LogDoc, live: bool, height: usize) -> LogView {
    let mut view = LogView::new(live);
    view.resize(doc, 80, height);
    view.sync(doc);
    view
}

/// The frame as text: `▌` cursor, `✗` landmark, `▾`/`▸` headers.
fn picture(view: &LogView, doc: &LogDoc) -> Vec<String> {
    let rows = view.frame(doc).rows;
    let draw = |row: &FrameRow| {
        let text: String = row.spans.iter().map(|s| s.text.as_str()).collect();
        let body = match &row.header {
            Some(h) => format!(
                "{}{} {} {:?} {}",
                "  ".repeat(h.depth),
                if h.folded { "▸" } else { "▾" },
                h.title,
                h.state,
                h.lines
            ),
            None => format!("{}{}", if row.landmark.is_some() { "✗ " } else { "" }, text),
        };
        format!("{}{}", if row.cursor { "▌" } else { "" }, body.chars().take(60).collect::<String>().trim_end())
    };
    rows.iter().map(draw).collect()
}

fn under_cursor(view: &LogView, doc: &LogDoc) -> String {
    doc.rows([view.cursor()]).rows[0].text()
}

fn sectioned() -> Vec<u8> {
    let sections = [("prepare", "quiet"), ("script", "a.c:1:1: error: no"), ("upload", "quiet")].map(|(name, text)| {
        let body: String = (0..5).map(|n| format!("{name} {n}\n")).collect::<Vec<_>>().concat();
        format!("section_start:100:{name}\r\x1b[0KThe {name}\n{body}{text}\nsection_end:111:{name}\r\x1b[0K\n")
    });
    [sections.concat(), "ERROR: Job failed: exit code 1\n".to_owned()].concat().into_bytes()
}

#[test]
fn a_failed_log_opens_at_its_cause_with_the_rest_folded() {
    let doc = complete(&sectioned());
    let view = view(&doc, false, 12);
    assert_eq!(
        picture(&view, &doc),
        [
            "▸ The prepare Ok 8",
            "▾ The script Failed 8",
            "script 0",
            "script 1",
            "script 2",
            "script 3",
            "script 4",
            "▌✗ a.c:1:1: error: no",
            "",
            "▸ The upload Ok 8",
            "ERROR: Job failed: exit code 1",
        ]
    );
    assert_eq!(view.status(&doc), "landmark 1/1 · follow: ended · wrap off · times off");
}

#[test]
fn real_logs_open_where_they_should() {
    let doc = complete(COMPILER);
    let mut compiler = view(&doc, false, 20);
    assert!(under_cursor(&compiler, &doc).contains("hwloc.h: No such file"));
    let screen = picture(&compiler, &doc).join("\n");
    assert!(screen.contains("▌✗"), "{screen}");
    compiler.go(&doc, Motion::Top);
    let screen = picture(&compiler, &doc).join("\n");
    assert!(screen.contains("▸ Preparing environment Ok"), "{screen}");
    assert!(screen.contains("▾ Executing \"step_script\" stage of the job script Failed"), "{screen}");

    let doc = complete(SUCCESS);
    let success = view(&doc, false, 20);
    assert!(under_cursor(&success, &doc).contains("Job succeeded"));
}

#[test]
fn a_held_view_never_moves_and_counts_what_is_new() {
    let line = |n: u32| format!("line {n}\n").into_bytes();
    let mut doc = doc(&(0..100).flat_map(line).collect::<Vec<u8>>());
    let mut view = view(&doc, true, 10);
    assert_eq!(view.follow(&doc), Follow::Following);
    assert_eq!(under_cursor(&view, &doc), "line 99");
    view.go(&doc, Motion::HalfPageUp);
    view.go(&doc, Motion::Up);
    let before = picture(&view, &doc);
    for n in 100..512 {
        doc.feed(doc.total(), &line(n));
        view.sync(&doc);
    }
    assert_eq!(picture(&view, &doc), before);
    assert_eq!(view.follow(&doc), Follow::Held(412));
    assert!(view.status(&doc).contains("held · +412 new, G resumes"));
    view.go(&doc, Motion::Bottom);
    assert_eq!(view.follow(&doc), Follow::Following);
    doc.feed(doc.total(), b"the end\n");
    doc.set_state(LogState::Complete);
    view.sync(&doc);
    assert_eq!(picture(&view, &doc).last().unwrap(), "▌the end");
    assert_eq!(view.follow(&doc), Follow::Ended);
}

#[test]
fn sections_that_close_while_the_user_looks_stay_open() {
    let log = sectioned();
    let half = log.len() / 2;
    let mut doc = doc(&log[..half]);
    let mut view = view(&doc, true, 30);
    view.go(&doc, Motion::Up);
    let lines = |view: &LogView, doc: &LogDoc| view.frame(doc).rows.iter().map(|row| row.line).collect::<Vec<_>>();
    let before = lines(&view, &doc);
    doc.feed(half as u64, &log[half..]);
    doc.set_state(LogState::Complete);
    view.sync(&doc);
    assert!(lines(&view, &doc).starts_with(&before));
    assert!(lines(&view, &doc).len() > before.len());
}

#[test]
fn folds_follow_the_keys() {
    let doc = complete(&sectioned());
    let mut view = view(&doc, false, 30);
    view.fold_all(&doc, true);
    assert_eq!(picture(&view, &doc).len(), 4);
    assert_eq!(picture(&view, &doc)[1], "▌▸ The script Failed 8");
    view.toggle_fold(&doc);
    assert_eq!(picture(&view, &doc).len(), 11);
    view.go(&doc, Motion::NextSection);
    assert_eq!(under_cursor(&view, &doc), "The upload");
    view.go(&doc, Motion::PreviousSection);
    view.go(&doc, Motion::PreviousSection);
    assert_eq!(under_cursor(&view, &doc), "The prepare");
    view.fold_all(&doc, false);
    assert_eq!(picture(&view, &doc).len(), 25);
    view.fold_all(&doc, true);
    view.go(&doc, Motion::Line(3));
    assert_eq!(under_cursor(&view, &doc), "prepare 2");
}

#[test]
fn search_goes_round_and_unfolds() {
    let doc = complete(&sectioned());
    let mut view = view(&doc, false, 10);
    view.search(&doc, Some(Pattern::parse("upload 3").unwrap()));
    assert_eq!(under_cursor(&view, &doc), "upload 3");
    let hit = view.frame(&doc).rows.iter().find(|row| row.cursor).unwrap().matches.clone();
    assert_eq!((hit.len(), hit[0].clone()), (1, 0..8));
    view.search(&doc, Some(Pattern::parse("quiet").unwrap()));
    assert!(view.status(&doc).contains("match 2/2 \"quiet\""), "{}", view.status(&doc));
    view.go(&doc, Motion::NextMatch);
    assert!(view.status(&doc).contains("match 1/2 \"quiet\""));
    view.go(&doc, Motion::PreviousMatch);
    assert!(view.status(&doc).contains("match 2/2"));
    view.search(&doc, Some(Pattern::parse("nowhere").unwrap()));
    assert!(view.status(&doc).contains("match 0/0"));
}

#[test]
fn filters_show_context_or_the_rest_and_can_be_left() {
    let doc = complete(&sectioned());
    let mut view = view(&doc, false, 30);
    let before = picture(&view, &doc);
    view.filter(&doc, Some(Pattern::parse("1: error:").unwrap()), 1, false);
    assert_eq!(picture(&view, &doc), ["script 4", "▌✗ a.c:1:1: error: no", ""]);
    view.filter(&doc, Some(Pattern::parse("/^(prepare|script|upload)/").unwrap()), 0, true);
    assert_eq!(picture(&view, &doc).len(), 25 - 15);
    view.filter(&doc, None, 0, false);
    assert_eq!(picture(&view, &doc), before);
}

#[test]
fn wrapped_lines_are_walked_piece_by_piece() {
    let log = format!("{}\nshort\n", "0123456789".repeat(100));
    let doc = complete(log.as_bytes());
    let mut view = view(&doc, false, 5);
    view.toggle_wrap(&doc);
    view.resize(&doc, 20, 5);
    view.go(&doc, Motion::Top);
    assert!(picture(&view, &doc).iter().all(|row| row == "▌01234567890123456789"));
    for _ in 0..45 {
        view.go(&doc, Motion::Down);
    }
    assert_eq!(under_cursor(&view, &doc).len(), 1_000);
    view.go(&doc, Motion::Down);
    assert_eq!(picture(&view, &doc).last().unwrap(), "▌short");
}

#[test]
fn copies_have_no_numbers_and_no_borders() {
    let doc = complete(&sectioned());
    let mut view = view(&doc, false, 10);
    assert_eq!(view.copy(&doc), "a.c:1:1: error: no");
    view.toggle_range();
    view.go(&doc, Motion::Up);
    assert_eq!(view.copy(&doc), "script 4\na.c:1:1: error: no");
}

#[test]
fn a_reset_keeps_wishes_and_forgets_places() {
    let mut doc = complete(&sectioned());
    let mut view = view(&doc, false, 10);
    view.toggle_wrap(&doc);
    view.search(&doc, Some(Pattern::parse("fresh").unwrap()));
    doc.reset();
    doc.feed(0, b"fresh text\n");
    view.sync(&doc);
    while view.work(&doc) == Work::More {}
    assert!(view.wraps());
    assert_eq!(picture(&view, &doc), ["▌fresh text"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_cursor_is_always_on_screen(moves in proptest::collection::vec(0u8..18, 0..60), height in 1usize..12, cols in 1usize..40) {
        let doc = complete(&sectioned());
        let mut view = LogView::new(false);
        view.sync(&doc);
        view.resize(&doc, cols, height);
        for step in moves {
            match step {
                0 => { view.go(&doc, Motion::Down); }
                1 => { view.go(&doc, Motion::Up); }
                2 => { view.go(&doc, Motion::HalfPageDown); }
                3 => { view.go(&doc, Motion::HalfPageUp); }
                4 => { view.go(&doc, Motion::Top); }
                5 => { view.go(&doc, Motion::Bottom); }
                6 => { view.go(&doc, Motion::Line(13)); }
                7 => { view.go(&doc, Motion::NextLandmark); }
                8 => { view.go(&doc, Motion::PreviousSection); }
                9 => { view.go(&doc, Motion::NextSection); }
                10 => view.toggle_fold(&doc),
                11 => view.fold_all(&doc, true),
                12 => view.fold_all(&doc, false),
                13 => view.toggle_wrap(&doc),
                14 => view.filter(&doc, Pattern::parse("script").ok(), 1, false),
                15 => view.filter(&doc, None, 0, false),
                16 => view.filter(&doc, Pattern::parse("prepare").ok(), 0, true),
                _ => view.search(&doc, Pattern::parse("quiet").ok()),
            }
            let rows = view.frame(&doc).rows;
            prop_assert!(rows.len() <= height);
            prop_assert!(rows.iter().any(|row| row.cursor), "after {step}: {:?}", picture(&view, &doc));
        }
    }
}
