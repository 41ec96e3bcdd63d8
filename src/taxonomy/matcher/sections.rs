//! Where in a job a line stands: the runner's sections, and the phase of the job that they tell.

use std::sync::Arc;

/// More names and deeper nests than any real log has; a hostile one stops here.
const MAX_NAMES: usize = 512;
const MAX_DEPTH: usize = 64;

/// A phase of a job, as the runner's own sections tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(in crate::taxonomy) enum Phase {
    /// Outside of all sections of the runner's.
    #[default]
    Outside,
    /// Before the job's script: pod, sources, artifacts.
    Setup,
    /// The job's script.
    Script,
    /// What follows the script in any case; it follows a failure and rarely holds its cause.
    Epilogue,
    /// What follows a script that succeeded.
    Harvest,
}

impl Phase {
    /// The phase that a section of the runner's belongs to; `None` for sections that a script opened.
    fn of(section: &str) -> Option<Self> {
        Some(match section {
            "prepare_executor" | "prepare_script" | "get_sources" | "restore_cache" | "download_artifacts"
            | "resolve_secrets" => Self::Setup,
            "step_script" | "build_script" | "release" | "user_script" => Self::Script,
            "archive_cache" | "upload_artifacts_on_success" => Self::Harvest,
            "after_script" | "archive_cache_on_failure" | "upload_artifacts_on_failure" | "cleanup_file_variables" => {
                Self::Epilogue
            }
            _ => return None,
        })
    }
}

/// The name of a section, by the order in which names appeared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::taxonomy) struct SectionName(u16);

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::taxonomy) struct Place {
    /// The innermost section.
    pub section: Option<SectionName>,
    /// The innermost section of the runner's own.
    pub owner: Option<SectionName>,
    pub phase: Phase,
}

/// The sections that are open while a log is read.
#[derive(Debug, Clone, Default)]
pub(in crate::taxonomy) struct Sections {
    names: Vec<Arc<str>>,
    open: Vec<(SectionName, Option<Phase>)>,
    place: Place,
    /// The last section of the runner's before the epilogue.
    main: Option<SectionName>,
    /// The script succeeded: its harvest was brought in.
    harvested: bool,
}

impl Sections {
    /// Where the next text stands.
    pub fn place(&self) -> Place {
        self.place
    }

    pub fn name(&self, section: SectionName) -> Option<&Arc<str>> {
        self.names.get(usize::from(section.0))
    }

    pub fn main(&self) -> Option<SectionName> {
        self.main
    }

    pub fn is_harvested(&self) -> bool {
        self.harvested
    }

    /// Takes note of a start marker. Says whether the job came to a new phase before its epilogue.
    pub fn open(&mut self, name: &str) -> bool {
        let phase = Phase::of(name);
        if phase.is_some() {
            // The runner's own sections do not nest: one that was never closed ends where the next begins.
            let outer = self.open.iter().position(|(_, p)| p.is_some()).unwrap_or(self.open.len());
            self.open.truncate(outer);
        }
        let Some(section) = self.intern(name) else { return false };
        if self.open.len() < MAX_DEPTH {
            self.open.push((section, phase));
        }
        let onward = matches!(phase, Some(Phase::Setup | Phase::Script));
        if onward {
            self.main = Some(section);
        }
        self.harvested |= phase == Some(Phase::Harvest);
        self.settle();
        onward
    }

    /// Takes note of an end marker: closes the innermost open section of that name, and what is still open inside it.
    pub fn close(&mut self, name: &str) {
        let depth = self.open.iter().rposition(|(section, _)| self.name(*section).is_some_and(|n| **n == *name));
        if let Some(depth) = depth {
            self.open.truncate(depth);
            self.settle();
        }
    }

    fn intern(&mut self, name: &str) -> Option<SectionName> {
        if let Some(place) = self.names.iter().position(|n| **n == *name) {
            return u16::try_from(place).ok().map(SectionName);
        }
        if self.names.len() >= MAX_NAMES {
            return None;
        }
        self.names.push(name.into());
        u16::try_from(self.names.len() - 1).ok().map(SectionName)
    }

    fn settle(&mut self) {
        let owner = self.open.iter().rev().find_map(|(section, phase)| phase.map(|phase| (*section, phase)));
        self.place = Place {
            section: self.open.last().map(|(section, _)| *section),
            owner: owner.map(|(section, _)| section),
            phase: owner.map_or(Phase::Outside, |(_, phase)| phase),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(marks: &str) -> (Option<String>, Phase) {
        let mut sections = Sections::default();
        for mark in marks.split(' ') {
            match mark.strip_prefix('/') {
                Some(name) => sections.close(name),
                None => {
                    sections.open(mark);
                }
            }
        }
        let place = sections.place();
        (place.section.and_then(|s| sections.name(s)).map(ToString::to_string), place.phase)
    }

    #[test]
    fn unclosed_and_misnested_sections_do_not_shift_others() {
        assert_eq!(after("step_script mine"), (Some("mine".into()), Phase::Script));
        assert_eq!(after("step_script mine after_script"), (Some("after_script".into()), Phase::Epilogue));
        assert_eq!(after("step_script after_script /after_script"), (None, Phase::Outside));
        assert_eq!(after("step_script a b /a"), (Some("step_script".into()), Phase::Script));
        assert_eq!(after("step_script a b /a /b /never"), (Some("step_script".into()), Phase::Script));
        assert_eq!(
            after("get_sources /get_sources step_script /get_sources"),
            (Some("step_script".into()), Phase::Script)
        );
    }

    #[test]
    fn hostile_sections_stay_bounded() {
        let mut sections = Sections::default();
        for n in 0..100_000 {
            sections.open(&format!("s{n}"));
        }
        assert!(sections.names.len() <= MAX_NAMES && sections.open.len() <= MAX_DEPTH);
    }
}
