//! The house, as a test: which room may know which. This is the only list of allowed arrows; a new room gets its line here.
//!
//! It reads the sources as text. Paths are found wherever they stand, in `use` lines and in the middle of code, so an arrow cannot hide.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed, as it should")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every room, and the rooms it may know. Arrows never run back up, and there are no circles.
const ARROWS: &[(&str, &[&str])] = &[
    // Nouns know nothing but the words of their own trade.
    ("spack", &[]),
    ("ci", &[]),
    // For moments only.
    ("forge", &["ci"]),
    // Judgements know the nouns.
    ("generation", &["spack", "ci"]),
    ("taxonomy", &["spack", "ci"]),
    ("cache", &["spack", "ci"]),
    ("fleet", &["spack", "ci"]),
    ("bridge", &["ci", "forge"]),
    // Plain data: any floor above the judgements may read it.
    ("config", &[]),
    ("console", &["spack", "ci", "forge", "generation", "taxonomy", "cache", "fleet", "bridge", "config"]),
    ("adapters", &["spack", "ci", "forge", "generation", "taxonomy", "cache", "fleet", "bridge", "console", "config"]),
    (
        "controller",
        &[
            "spack",
            "ci",
            "forge",
            "generation",
            "taxonomy",
            "cache",
            "fleet",
            "bridge",
            "console",
            "adapters",
            "config",
        ],
    ),
    // A face knows the mind, never the outside: it cannot tell whether its core is in-process.
    ("tui", &["spack", "ci", "forge", "generation", "taxonomy", "cache", "fleet", "bridge", "console", "config"]),
    // Writes wire JSON with types of its own, so that a mistake in an adapter is not mirrored.
    ("sandbox", &["spack", "ci", "forge", "generation"]),
    (
        "cli",
        &[
            "spack",
            "ci",
            "forge",
            "generation",
            "taxonomy",
            "cache",
            "fleet",
            "bridge",
            "console",
            "adapters",
            "controller",
            "tui",
            "config",
            "sandbox",
        ],
    ),
];

/// Rooms without I/O, without a clock, without a screen.
const PURE: &[&str] = &["spack", "ci", "forge", "generation", "taxonomy", "cache", "fleet", "bridge", "console"];

/// What a pure room must not name.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "axum",
    "sqlx",
    "ratatui",
    "crossterm",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "Utc::now",
    "Local::now",
    "chrono::Utc::now",
    "chrono::Local::now",
];

/// What may lie beside `src`.
const TOP: &[&str] = &[
    ".ci",
    ".git",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "clippy.toml",
    "deny.toml",
    "keymaps",
    "rustfmt.toml",
    "scripts",
    "snapshots",
    "src",
    "target",
    "tests",
    "themes",
];

#[test]
fn no_arrow_is_forbidden() {
    let wrong: Vec<String> = sources().iter().flat_map(Source::forbidden_arrows).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_name_nothing_of_the_outside() {
    let wrong: Vec<String> = sources().iter().flat_map(Source::impurities).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn screens_name_roles_and_keys_are_read_in_one_place() {
    let wrong: Vec<String> = sources().iter().flat_map(Source::literals).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_door_is_small() {
    let main = fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(main.lines().count() < 60, "main.rs chooses a face; everything else has a room");
    let known = paths(&main).into_iter().filter(|p| p.path.starts_with("stackhand::")).map(|p| p.path);
    let strangers: Vec<String> = known.filter(|path| path.split("::").nth(1) != Some("cli")).collect();
    assert!(strangers.is_empty(), "main.rs knows only cli: {strangers:?}");
}

#[test]
fn every_room_has_its_line_and_the_top_level_stays_tidy() {
    let rooms: BTreeSet<String> = entries(&root().join("src"))
        .into_iter()
        .filter_map(|path| path.file_name()?.to_str().map(|name| name.trim_end_matches(".rs").to_owned()))
        .filter(|name| !matches!(name.as_str(), "lib" | "main"))
        .collect();
    let listed: BTreeSet<String> = ARROWS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(rooms, listed);
    let odd: Vec<PathBuf> = entries(&root())
        .into_iter()
        .filter(|path| !path.file_name().and_then(|name| name.to_str()).is_some_and(|name| TOP.contains(&name)))
        .collect();
    assert!(odd.is_empty(), "does not belong beside src: {odd:?}");
}

#[test]
fn arrows_run_downwards_only() {
    for (room, knows) in ARROWS {
        for known in *knows {
            let back = ARROWS.iter().find(|(other, _)| other == known).map(|(_, knows)| *knows).unwrap();
            assert!(!back.contains(room), "{room} and {known} know each other");
        }
    }
}

mod the_checker {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.to_owned() }
    }

    fn arrows(path: &str, text: &str) -> Vec<String> {
        source(path, text).forbidden_arrows()
    }

    #[test]
    fn finds_arrows_however_they_are_written() {
        for text in [
            "use crate::tui::app::App;",
            "use crate::{ci::Job, tui::screen::Place};",
            "use crate::{\n    ci::{Job, JobId},\n    tui,\n};",
            "fn f() -> crate::tui::theme::Role { loop {} }",
            "pub use crate::tui as face;",
            "fn f() { let _ = $crate::tui::run(); }",
            "use super::super::tui::app::App;",
            "#[cfg(test)]\nmod tests {\n    use super::super::super::tui::app::App;\n}\n",
        ] {
            let found = arrows("console/fuzzy.rs", text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains("console must not know tui"), "{found:?}");
        }
        assert!(arrows("console/fuzzy.rs", "\n\nuse crate::tui::App;")[0].starts_with("src/console/fuzzy.rs:3:"));
        assert_eq!(arrows("sandbox/server.rs", "use crate::adapters::gitlab::GitLab;").len(), 1);
        assert_eq!(arrows("tui/list.rs", "use crate::{controller::Core, adapters::store::Store};").len(), 2);
        assert_eq!(arrows("ci/job.rs", "use crate::attic::Box;").len(), 1, "a room that nobody listed");
    }

    #[test]
    fn lets_what_is_allowed_pass() {
        for (path, text) in [
            ("console/fuzzy.rs", "use crate::ci::{Job, JobId};\nuse crate::console::text;\nuse super::state::Counts;"),
            ("console/fuzzy.rs", "// use crate::tui::App;\n//! [`crate::tui`] draws it\nlet tui = 3;"),
            ("console/world/jobs.rs", "use super::super::state::Counts;"),
            ("console/fuzzy.rs", "mod tests {\n    use super::super::state::Counts;\n}\n"),
            ("cli/demo.rs", "use crate::sandbox::Sandbox;\nuse crate::tui::app::App;"),
            ("tui/list.rs", "use crate::console::world::World; fn f(x: crate::ci::Job) {}"),
        ] {
            assert_eq!(arrows(path, text), Vec::<String>::new(), "{path}: {text}");
        }
    }

    #[test]
    fn finds_the_outside_in_pure_rooms_but_not_in_their_tests() {
        let found = |path: &str, text: &str| source(path, text).impurities().len();
        for text in [
            "use std::fs;",
            "use std::{fs::File, sync::Arc};",
            "use std::time::{Duration, Instant};",
            "let now = std::time::SystemTime::now();",
            "use tokio::sync::mpsc;",
            "use ratatui::layout::Rect;",
            "let now = chrono::Utc::now();",
        ] {
            assert_eq!(found("console/polling.rs", text), 1, "{text}");
            assert_eq!(found("adapters/clock/mod.rs", text), 0, "{text}");
            assert_eq!(found("console/log/tests.rs", text), 0, "{text}");
            let inline = format!("use std::sync::Arc;\n#[cfg(test)]\nmod tests {{\n    {text}\n}}\n");
            assert_eq!(found("console/polling.rs", &inline), 0, "{text}");
        }
        assert_eq!(found("console/polling.rs", "use std::time::Duration;"), 0);
    }

    #[test]
    fn finds_colours_in_screens_and_key_codes_anywhere_else() {
        let found = |path: &str, text: &str| source(path, text).literals().len();
        assert_eq!(found("tui/screens/jobs/rows.rs", "let red = Color::Red;"), 1);
        assert_eq!(found("tui/screens/jobs/rows.rs", "use ratatui::style::{Color, Modifier};"), 1);
        assert_eq!(found("tui/theme/ansi.rs", "let red = Color::Red;"), 0);
        assert_eq!(found("tui/app/keys.rs", "match key { KeyCode::Enter => 1 }"), 1);
        assert_eq!(found("adapters/terminal/input.rs", "KeyCode::Enter"), 0);
    }
}

/// One file of `src`.
struct Source {
    /// Below `src`.
    path: PathBuf,
    text: String,
}

impl Source {
    fn room(&self) -> &str {
        let first = self.path.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    /// How many modules deep this file is: `console/world/jobs.rs` is 3, and so is `console/world/jobs/mod.rs`.
    fn depth(&self) -> usize {
        let is_folder = self.path.file_name().is_some_and(|name| name == "mod.rs");
        self.path.iter().count() - usize::from(is_folder)
    }

    fn says(&self, line: usize, what: &str) -> String {
        format!("src/{}:{line}: {what}", self.path.display())
    }

    /// Paths to rooms that this one must not know.
    fn forbidden_arrows(&self) -> Vec<String> {
        let room = self.room();
        if matches!(room, "lib" | "main") {
            return Vec::new();
        }
        let knows = ARROWS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, knows)| *knows);
        let target = |found: &Found| -> Option<String> {
            let mut parts = found.path.split("::");
            let ups = found.path.split("::").take_while(|part| *part == "super").count();
            let climbs_out = ups > 0 && ups >= self.depth() + found.inline;
            let is_absolute = parts.next() == Some("crate");
            let known = if is_absolute { parts.next() } else { found.path.split("::").nth(ups) };
            (is_absolute || climbs_out).then(|| known.unwrap_or_default().to_owned())
        };
        let strangers = paths(&self.text).into_iter().filter_map(|found| target(&found).map(|to| (found.line, to)));
        strangers
            .filter(|(_, to)| to != room && !knows.contains(&to.as_str()))
            .map(|(line, to)| self.says(line, &format!("{room} must not know {to}")))
            .collect()
    }

    /// I/O, time and screens in a pure room. Its tests may read fixtures.
    fn impurities(&self) -> Vec<String> {
        let name = self.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_test = name.ends_with("tests") || self.path.iter().any(|part| part == "tests");
        if is_test || !PURE.contains(&self.room()) {
            return Vec::new();
        }
        let is_impure = |path: &str| {
            IMPURE
                .iter()
                .any(|word| path.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
        };
        let found = paths(&self.text).into_iter().filter(|found| found.inline == 0 && is_impure(&found.path));
        found.map(|found| self.says(found.line, &format!("a pure room names {}", found.path))).collect()
    }

    /// Colours in screens; key codes where no keys are read.
    fn literals(&self) -> Vec<String> {
        let below = |folder: &str| self.path.starts_with(folder);
        let forbidden = |path: &str| {
            let has = |word: &str| path.split("::").any(|part| part == word);
            (has("Color") && below("tui/screens"))
                || (has("KeyCode") && !below("adapters/terminal") && !below("tui/keys"))
        };
        let found = paths(&self.text).into_iter().filter(|found| forbidden(&found.path));
        found.map(|found| self.says(found.line, &format!("names {}", found.path))).collect()
    }
}

/// A path in the text.
struct Found {
    line: usize,
    path: String,
    /// Inline modules around it.
    inline: usize,
}

/// Every `a::b::c` of a text; groups are taken apart. Comments are no code.
fn paths(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let code: String = text.lines().map(|line| without_comment(line).to_owned() + "\n").collect();
    let bytes = code.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if is_word(bytes[at]) {
            let mut ends = Vec::new();
            let begin = at;
            at = read_path(&code, at, String::new(), &mut ends);
            found.extend(ends.into_iter().filter(|(_, path)| path.contains("::")).map(|(place, path)| Found {
                line: code[..place].matches('\n').count() + 1,
                path,
                inline: inline_modules(&code[..begin]),
            }));
        } else {
            at += 1;
        }
    }
    found
}

/// Reads a path that begins at `at`; pushes where each of its ends begins, and returns where it is over.
fn read_path(code: &str, mut at: usize, mut prefix: String, ends: &mut Vec<(usize, String)>) -> usize {
    let bytes = code.as_bytes();
    let begin = at;
    loop {
        let length = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
        prefix.push_str(&code[at..at + length]);
        at += length;
        if !code[at..].starts_with("::") {
            ends.push((begin, prefix));
            return at;
        }
        at += 2;
        match bytes.get(at) {
            Some(byte) if is_word(*byte) => prefix.push_str("::"),
            Some(b'{') => {
                prefix.push_str("::");
                at += 1;
                while at < bytes.len() && bytes[at] != b'}' {
                    if is_word(bytes[at]) {
                        at = read_path(code, at, prefix.clone(), ends);
                        // `as name`
                        at += code[at..].find([',', '}']).unwrap_or(code.len() - at);
                    } else {
                        at += 1;
                    }
                }
                return (at + 1).min(bytes.len());
            }
            _ => {
                ends.push((begin, prefix));
                return at;
            }
        }
    }
}

/// How many `mod name {` are open at the end of a text, by indentation: the sources are formatted.
fn inline_modules(before: &str) -> usize {
    let mut open: Vec<usize> = Vec::new();
    for line in before.lines() {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(super) ");
        if words.starts_with("mod ") && words.ends_with('{') {
            open.push(indent);
        } else if line.trim_start().starts_with('}') && open.last() == Some(&indent) {
            open.pop();
        }
    }
    open.len()
}

fn without_comment(line: &str) -> &str {
    let starts = line.match_indices("//").map(|(at, _)| at);
    let comment = starts.into_iter().find(|at| *at == 0 || line.as_bytes()[at - 1].is_ascii_whitespace());
    comment.map_or(line, |at| &line[..at])
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut all = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                all.push(Source { path: path.strip_prefix(&src).unwrap().to_owned(), text });
            }
        }
    }
    assert!(all.len() > 100, "the sources were not found");
    all
}
