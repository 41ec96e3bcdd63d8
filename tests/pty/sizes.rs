//! Every size, and sizes that change under way.

use std::time::Duration;

use crate::bytes::assert_left;
use crate::terminal::Launch;

#[test]
fn every_size_has_a_picture() {
    for (width, height) in [(100, 30), (80, 24), (60, 20), (40, 6), (20, 2), (1, 1)] {
        let mut terminal = Launch::demo().size(width, height).start();
        terminal.until("something", |text| !text.trim().is_empty());
        // Each key is answered or ignored; none ends it.
        terminal.keys("1234jkgzgm?\x03:\x03ro\x03]e");
        terminal.stays("it is still there", Duration::from_millis(500), |_| true);
        if width >= 60 {
            terminal.until("a frame", |text| text.starts_with("stackhand demo"));
        }
        terminal.signal("TERM");
        terminal.ended();
        assert_left(&terminal.bytes());
    }
}

#[test]
fn a_storm_of_resizes_ends_with_the_right_picture() {
    let mut terminal = Launch::demo().start();
    terminal.until("the first frame", |text| text.starts_with("stackhand demo"));
    terminal.keys("4");
    for round in 0..40_u16 {
        for (width, height) in [(80, 24), (1, 1), (200, 60), (60, 20), (2, 50), (150, 3)] {
            terminal.resize(width + round % 3, height);
        }
    }
    terminal.resize(100, 30);
    let fits = |text: &str, title: &str| {
        let rows: Vec<&str> = text.lines().collect();
        rows.len() == 30
            && rows[0].starts_with("stackhand demo")
            && rows[2].starts_with(title)
            && rows[2].ends_with('┐')
    };
    terminal.until("the picture of this size", |text| fits(text, "┌ "));
    // A key that came together with a resize may wait in the terminal library until the next one comes; it is not lost.
    terminal.keys("j");
    terminal.until("the screen that was asked for", |text| fits(text, "┌ Jobs"));
    terminal.keys("q");
    assert!(terminal.ended().success());
}
