//! What the issue promises a newcomer, key by key.

use std::time::Duration;

use crate::terminal::{Launch, Terminal};

/// The row of a list under its first title row, wherever the cursor is.
fn first_row(text: &str) -> &str {
    text.lines().nth(4).unwrap_or_default()
}

/// Longer than a preview must have been on the screen.
pub const READ: Duration = Duration::from_millis(650);

/// How many jobs wait for the one under the cursor, as the list says.
fn blocks(row: &str) -> usize {
    row.split_whitespace().nth(7).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Opens the list of jobs and waits until the worst failure of the night stands under the cursor.
pub fn worst_failure(terminal: &mut Terminal) -> String {
    terminal.until("the first frame", |text| text.starts_with("stackhand demo"));
    terminal.keys("4");
    terminal.stays("a failed job that others wait for", Duration::from_millis(300), |text| {
        text.contains(" Jobs ") && blocks(first_row(text)) >= 5
    });
    first_row(&terminal.text()).to_owned()
}

#[test]
fn a_newcomer_finds_the_cause_and_a_retry_turns_green() {
    let mut terminal = Launch::demo().start();
    let row = worst_failure(&mut terminal);
    let name = row.split_whitespace().nth(3).unwrap();
    let hash = name.rsplit('/').next().unwrap().to_owned();
    terminal.keys("o");
    terminal.until("the log at its cause", |text| text.contains("landmark 1/"));
    assert!(terminal.row().contains('✗'), "the cursor stands on the cause: {}", terminal.row());

    terminal.keys("r");
    terminal.stays("the preview", READ, |text| text.contains("Retry preview") && text.contains("[y]"));
    terminal.keys("y");
    terminal.until("the hold counts down", |text| text.contains("retry 1 job in ") && text.contains("u undo"));
    terminal.keys("u");
    terminal.until("it is undone", |text| text.contains("undone, nothing was sent"));

    terminal.keys("r");
    terminal.stays("the preview again", READ, |text| text.contains("Retry preview") && text.contains("[y]"));
    terminal.keys("y");
    terminal.until("the hold again", |text| text.contains("retry 1 job in "));
    terminal.keys("gz");
    terminal.until("the audit", |text| {
        text.contains("Audit") && ["undone", "held", "sent", "1 done"].iter().all(|word| text.contains(word))
    });

    terminal.keys(&format!("4/hash:{hash}\r"));
    terminal.until("the job alone", |text| text.contains(&format!("/hash:{hash}")));
    terminal.wait("it turns green", Duration::ZERO, |terminal| terminal.row().contains(" ✓ "));
    terminal.keys("q");
    assert!(terminal.ended().success());
}

#[test]
fn keys_typed_ahead_of_the_preview_confirm_nothing() {
    let mut terminal = Launch::demo().start();
    worst_failure(&mut terminal);
    terminal.keys("ryyyyyy");
    terminal.stays("the preview, unconfirmed", READ, |text| text.contains("Retry preview") && !text.contains("u undo"));
    terminal.keys("n");
    terminal.until("it is gone", |text| !text.contains("Retry preview"));
    terminal.keys("gz");
    terminal.until("an empty audit", |text| text.contains("nothing was done yet"));
    terminal.keys("q");
    assert!(terminal.ended().success());
}

#[test]
fn failures_are_walked_and_the_graph_shows_them() {
    let mut terminal = Launch::demo().start();
    let first = worst_failure(&mut terminal);
    terminal.keys("]e");
    terminal
        .wait("the next failure", Duration::ZERO, |terminal| terminal.row().contains('✗') && terminal.row() != first);
    terminal.keys("3");
    terminal.until("the graph", |text| text.contains("DAG") && text.contains("lens"));
    terminal.keys("q");
    assert!(terminal.ended().success());
}

/// A rule as a person writes it into the file, in another terminal.
const OWN_RULE: &str = "format = 1\n[[rule]]\nid = \"moon.full\"\ntitle = \"The moon\"\nowner = \"upstream\"\nseverity = \"low\"\n\
    transient = \"yes\"\nrunbook = \"wait\"\nnew_class = true\nany = [ \"the moon is full\" ]\n[[rule.example]]\n\
    log = \"==> Error: the moon is full\"\nmatch = true\n";

#[test]
fn rules_that_are_edited_elsewhere_hold_without_a_restart_and_bad_ones_do_not() {
    let config = std::env::temp_dir().join(format!("stackhand-pty-rules-{}", std::process::id()));
    let rules = config.join("stackhand/rules.toml");
    std::fs::create_dir_all(rules.parent().unwrap()).unwrap();
    let mut terminal = Launch::demo().env("XDG_CONFIG_HOME", config.to_str().unwrap()).start();
    terminal.until("the first frame", |text| text.starts_with("stackhand demo"));
    std::fs::write(&rules, OWN_RULE.replace("upstream", "the tide")).unwrap();
    terminal.until("the fault with its place", |text| text.contains("rules.toml:5: "));
    std::fs::write(&rules, OWN_RULE).unwrap();
    terminal.keys("gm");
    terminal.until("the news, and what still held before them", |text| {
        text.contains("judge from now on") && text.contains("rules.toml:5: ")
    });
    terminal.keys("q");
    assert!(terminal.ended().success());
    std::fs::remove_dir_all(&config).unwrap();
}
