//! The scene as lines of text: a summary, what is wrong with the needs, the picture, what was left out, the critical path.

use std::fmt::Write;

use crate::ci::{Problem, short};
use crate::console::text::{ascii, clean, plural};

use super::super::names::labels;
use super::super::picture::{Picture, Style, group_word};
use super::super::scene::Scene;

/// The scene as text, for people without the screen. Ends with a line break; contains nothing that a terminal would obey.
pub fn text(scene: &Scene, style: Style) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(scene, style, &mut out);
    if style.ascii { out.split_inclusive('\n').map(plain_line).collect() } else { out }
}

fn plain_line(line: &str) -> String {
    let end = if line.ends_with('\n') { "\n" } else { "" };
    format!("{}{end}", ascii(line.trim_end_matches('\n')))
}

fn write_all(scene: &Scene, style: Style, out: &mut String) -> std::fmt::Result {
    write!(out, "lens {}, {}", scene.lens, plural(scene.total as u64, "job"))?;
    for (state, jobs) in scene.counts.iter().filter(|(_, jobs)| *jobs > 0) {
        write!(out, ", {jobs} {}", group_word(Some(state)))?;
    }
    if scene.ghosts > 0 {
        write!(out, ", {} {}", scene.ghosts, group_word(None))?;
    }
    writeln!(out)?;
    for problem in &scene.problems {
        writeln!(out, "! {}", say(problem))?;
    }
    if scene.cells.is_empty() {
        let reason = if scene.total == 0 {
            "no job of this pipeline is known yet"
        } else {
            "no job fits this lens; `all` shows more"
        };
        return writeln!(out, "nothing to draw: {reason}");
    }
    let picture = Picture::of(scene, style);
    write!(out, "\n{}{}", picture.heading, picture.body)?;
    writeln!(out)?;
    if scene.withheld > 0 {
        writeln!(out, "+ {} more than the lens has room for", scene.withheld)?;
    }
    if scene.hidden > scene.withheld {
        writeln!(out, "+ {} not drawn", plural((scene.hidden - scene.withheld) as u64, "job"))?;
    }
    if !scene.critical.is_empty() {
        let arrow = if style.ascii { " > " } else { " ▸ " };
        writeln!(out, "critical {}  {}", short(scene.remaining), labels(&scene.critical).join(arrow))?;
    }
    Ok(())
}

/// A problem of the needs in words.
pub fn say(problem: &Problem) -> String {
    match problem {
        Problem::Missing { job, need } => {
            format!("{} needs {}, which this pipeline does not have", clean(job), clean(need))
        }
        Problem::Cycle { jobs } => {
            let jobs: Vec<_> = jobs.iter().map(|job| clean(job)).collect();
            match jobs.as_slice() {
                [job] => format!("{job} needs itself"),
                jobs => format!("{} need each other in a circle", jobs.join(", ")),
            }
        }
    }
}
