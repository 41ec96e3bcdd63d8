//! Sections of a log: what gitlab-runner marks with `section_start` and `section_end`, and the phases of a Spack build inside them.
//!
//! A section's first line is its header: the marker and the title stand on it. Only lines that carry a needle arrive here.

use std::ops::Range;
use std::time::Duration;

use memchr::memmem;

use crate::ci::Timestamp;
use crate::ci::log::Marker;
use crate::console::text;

/// Literals that every line of interest contains.
pub(super) const NEEDLES: [&str; 5] = [
    "section_start:",
    "section_end:",
    "Executing phase: '",
    "Successfully installed ",
    "To reproduce this build locally",
];
/// More sections than any real log has; a hostile one stops here.
const MAX_SECTIONS: usize = 4_096;
const MAX_DEPTH: usize = 8;
const TITLE_COLUMNS: usize = 80;

/// A section, by its order of appearance. Stays the same while the log grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionId(u32);

/// One section of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub id: SectionId,
    /// The marker's name (`step_script`), or the package and phase (`hdf5: build`).
    pub name: String,
    /// What the log calls it, harmless and short.
    pub title: String,
    pub parent: Option<SectionId>,
    pub depth: usize,
    /// The runner asks to show it folded.
    pub collapsed: bool,
    /// The header's line.
    pub start: u64,
    /// The first line after it; `None` while it is open.
    pub end: Option<u64>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

impl Section {
    /// Its lines, header included, in a log of so many lines.
    pub fn lines(&self, total: u64) -> Range<u64> {
        self.start..self.end.unwrap_or(total).max(self.start)
    }

    /// How long it took. `None` while it is open, or when the log does not tell.
    pub fn duration(&self) -> Option<Duration> {
        Some(self.ended_at?.since(self.started_at?))
    }

    fn contains(&self, line: u64) -> bool {
        self.start <= line && self.end.is_none_or(|end| line < end)
    }
}

/// All sections of a log, in order of their first lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sections {
    all: Vec<Section>,
    open: Vec<SectionId>,
}

impl Sections {
    /// Every section, by first line.
    pub fn all(&self) -> &[Section] {
        &self.all
    }

    /// One section.
    pub fn get(&self, id: SectionId) -> Option<&Section> {
        self.all.get(id.0 as usize)
    }

    /// The innermost section that a line lies in.
    pub fn at(&self, line: u64) -> Option<&Section> {
        let mut section = self.all.get(self.all.partition_point(|s| s.start <= line).checked_sub(1)?)?;
        while !section.contains(line) {
            section = self.get(section.parent?)?;
        }
        Some(section)
    }

    /// The section whose header a line is.
    pub fn headed_by(&self, line: u64) -> Option<&Section> {
        self.at(line).filter(|s| s.start == line)
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.all.capacity() * size_of::<Section>()
            + self.all.iter().map(|s| s.name.len() + s.title.len()).sum::<usize>()
    }

    /// Takes note of a line: `raw` with its escapes, `plain` as it is shown in the end, `time` from its stamp.
    pub(super) fn see(&mut self, line: u64, raw: &[u8], plain: &[u8], time: Option<Timestamp>) {
        let mut rest = raw;
        while let Some(at) = memmem::find(rest, b"section_") {
            rest = rest.get(at..).unwrap_or_default();
            let Some((marker, after)) = Marker::read(rest) else {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            };
            rest = after;
            if marker.opens {
                let title = text::clean_bytes(plain.trim_ascii()).into_owned();
                self.open(line, marker.name, &title, marker.collapsed, marker.time);
            } else {
                // Text behind the marker, or a section that starts there, does not belong to this one any more.
                let last = plain.trim_ascii().is_empty() && memmem::find(rest, b"section_").is_none();
                self.close(marker.name, line + u64::from(last), marker.time);
            }
        }
        if let Some(step) = plain.strip_prefix(b"==> ") {
            self.see_spack(line, step, time);
        } else if plain.starts_with(b"To reproduce this build locally") {
            self.close_phase(line, time);
        }
    }

    fn see_spack(&mut self, line: u64, step: &[u8], time: Option<Timestamp>) {
        const PHASE: &[u8] = b": Executing phase: '";
        if let Some(at) = memmem::find(step, PHASE) {
            self.close_phase(line, time);
            let (package, phase) = step.split_at_checked(at).unwrap_or_default();
            let phase = phase.strip_prefix(PHASE).unwrap_or_default().split(|b| *b == b'\'').next().unwrap_or_default();
            let name = format!("{}: {}", text::clean_bytes(package), text::clean_bytes(phase));
            let name = text::cut_end(&name, TITLE_COLUMNS).into_owned();
            self.open(line, &name, &name, false, time);
        } else if memmem::find(step, b"Successfully installed ").is_some() {
            self.close_phase(line + 1, time);
        }
    }

    fn open(&mut self, line: u64, name: &str, title: &str, collapsed: bool, time: Option<Timestamp>) {
        if self.all.len() >= MAX_SECTIONS || self.open.len() >= MAX_DEPTH {
            return;
        }
        let id = SectionId(self.all.len() as u32);
        let title = text::cut_end(if title.is_empty() { name } else { title }, TITLE_COLUMNS).into_owned();
        self.all.push(Section {
            id,
            name: name.to_owned(),
            title,
            parent: self.open.last().copied(),
            depth: self.open.len(),
            collapsed,
            start: line,
            end: None,
            started_at: time,
            ended_at: None,
        });
        self.open.push(id);
    }

    /// Closes the innermost open section of that name, and what is still open inside it.
    fn close(&mut self, name: &str, end: u64, time: Option<Timestamp>) {
        let Some(depth) = self.open.iter().rposition(|id| self.get(*id).is_some_and(|s| s.name == name)) else {
            return;
        };
        for id in self.open.split_off(depth) {
            if let Some(section) = self.all.get_mut(id.0 as usize) {
                section.end = Some(end.max(section.start));
                section.ended_at = time;
            }
        }
    }

    /// Closes the phase that is open, if any. Phases are told from runner sections by the colon, which no marker's name contains.
    fn close_phase(&mut self, end: u64, time: Option<Timestamp>) {
        let phase = self.open.last().and_then(|id| self.get(*id)).filter(|s| s.name.contains(':'));
        if let Some(name) = phase.map(|s| s.name.clone()) {
            self.close(&name, end, time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::log::plain_into;

    fn seen(lines: &[&str]) -> Sections {
        let mut sections = Sections::default();
        let mut plain = Vec::new();
        for (n, line) in lines.iter().enumerate() {
            plain_into(line.as_bytes(), &mut plain);
            sections.see(n as u64, line.as_bytes(), &plain, None);
        }
        sections
    }

    fn shape(sections: &Sections) -> Vec<(&str, usize, u64, Option<u64>)> {
        sections.all().iter().map(|s| (&*s.title, s.depth, s.start, s.end)).collect()
    }

    #[test]
    fn markers_open_and_close_and_take_their_title_from_the_line() {
        let sections = seen(&[
            "section_start:1764126998:prepare_executor[collapsed=true]\r\x1b[0K\x1b[36;1mPreparing\x1b[0;m",
            "text",
            "section_end:1764127009:prepare_executor\r\x1b[0Ksection_start:1764127009:step_script\r\x1b[0K\x1b[0KRunning\x07",
            "text",
            "section_end:1764127010:step_script\r\x1b[0K",
            "tail",
        ]);
        assert_eq!(shape(&sections), [("Preparing", 0, 0, Some(2)), ("Running", 0, 2, Some(5))]);
        assert!(sections.all()[0].collapsed);
        assert_eq!(sections.all()[0].duration(), Some(Duration::from_secs(11)));
        assert_eq!(sections.at(1).unwrap().name, "prepare_executor");
        assert_eq!(sections.headed_by(2).unwrap().name, "step_script");
        assert_eq!(sections.at(5), None);
    }

    #[test]
    fn spack_phases_lie_inside_the_script() {
        let sections = seen(&[
            "section_start:1:step_script\r\x1b[0Kscript",
            "\x1b[1;34m==>\x1b[0m hdf5: Executing phase: 'cmake'",
            "\x1b[1;34m==>\x1b[0m hdf5: Executing phase: 'build'",
            "     1    ==> hdf5: Executing phase: 'install'",
            "==> hdf5: Successfully installed hdf5-1.14.5-abc",
            "==> Pushed",
            "section_end:9:step_script\r\x1b[0K",
        ]);
        assert_eq!(
            shape(&sections),
            [("script", 0, 0, Some(7)), ("hdf5: cmake", 1, 1, Some(2)), ("hdf5: build", 1, 2, Some(5))]
        );
        assert_eq!(sections.at(5).unwrap().name, "step_script");
    }

    #[test]
    fn hostile_markers_stay_bounded() {
        let forged = "section_start:1:a\r".repeat(50_000);
        let sections =
            seen(&[&forged, "section_start:99999999999999999:x\r", "section_end:1:never\r", "section_start:1:\r"]);
        assert_eq!(sections.all().len(), MAX_DEPTH);
        assert!(sections.at(2).is_some());
    }
}
