//! Rules made ready to match: one slot per rule, and some for what the engine itself looks for.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::literals::{self, Needles};
use super::looks;
use super::prefilter::{PatternId, Prefilter};
use crate::taxonomy::{Origin, Pattern, RuleSet};

/// Most bytes that one pattern may take when it is compiled, and when it is matched.
const LARGEST: usize = 1024 * 1024;
const LARGEST_CACHE: usize = 256 * 1024;

/// A pattern that cannot be matched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: the pattern `{regex}` of {of} cannot be compiled: {reason}; mend or remove it", origin.file, origin.line)]
pub struct CompileError {
    /// The rule's id, or `progress` or `secondary`.
    pub of: String,
    pub regex: String,
    pub origin: Origin,
    pub reason: String,
}

/// What the engine looks for beside the rules, in the order of its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// The job went on.
    Progress,
    /// The runner's last word.
    Succeeded,
    Failed,
    /// The runner's banner.
    Host,
    /// The runner's first words about a job.
    Greeting,
    /// What the script asks Spack to do.
    Command,
    /// Looks like an error.
    Looks,
}

impl Own {
    pub const ALL: [Self; 7] =
        [Self::Progress, Self::Succeeded, Self::Failed, Self::Host, Self::Greeting, Self::Command, Self::Looks];

    fn patterns(self) -> &'static [&'static str] {
        match self {
            // Before each command of a script the runner writes the command.
            Self::Progress => &[r"^\$ \S"],
            Self::Succeeded => &["^Job succeeded"],
            Self::Failed => &["^ERROR: Job failed"],
            Self::Host => &[r"^Running on (?:\S+ via )?(?<host>\S+?)\.\.\.$"],
            Self::Greeting => &["^Running with gitlab-runner "],
            Self::Command => &[r"^\$ spack\b.* ci (?<kind>rebuild|generate)\b"],
            Self::Looks => looks::NEEDLES,
        }
    }
}

/// A pattern that compiles, and is compiled when a line first asks for it: a log meets few of all patterns, and they are large.
#[derive(Debug)]
pub(super) struct Lazy {
    regex: Box<str>,
    unicode: bool,
    compiled: OnceLock<Option<Regex>>,
}

impl Lazy {
    fn of(of: &str, pattern: &Pattern) -> Result<Self, CompileError> {
        let build = |unicode| build(&pattern.regex, unicode).map(|_| unicode);
        let unicode = build(false).or_else(|_| build(true)).map_err(|error| CompileError {
            of: of.to_owned(),
            regex: pattern.regex.to_string(),
            origin: pattern.origin.clone(),
            reason: error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        })?;
        Ok(Self { regex: (&*pattern.regex).into(), unicode, compiled: OnceLock::new() })
    }

    fn get(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| build(&self.regex, self.unicode).ok()).as_ref()
    }

    fn is_match(&self, text: &[u8]) -> bool {
        self.get().is_some_and(|regex| regex.is_match(text))
    }
}

/// Compiles a pattern over bytes, or over characters, as it must be when it names some that are no ASCII.
fn build(regex: &str, unicode: bool) -> Result<Regex, regex::Error> {
    RegexBuilder::new(regex).unicode(unicode).size_limit(LARGEST).dfa_size_limit(LARGEST_CACHE).build()
}

/// One pattern.
#[derive(Debug)]
pub(super) struct Matcher {
    pattern: Lazy,
    /// A candidate of the prefilter's matches for certain.
    certain: bool,
}

/// Patterns of which any one is enough.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub any: Vec<Matcher>,
    pub none: Vec<Lazy>,
    /// Sections to which it is bound; empty: none.
    pub sections: Vec<Box<str>>,
}

impl Slot {
    /// Whether a pattern matches a shown line, and none of the vetoes does.
    pub fn fits(&self, place: u16, text: &[u8]) -> bool {
        let Some(matcher) = self.any.get(usize::from(place)) else { return false };
        (matcher.certain || matcher.pattern.is_match(text)) && !self.none.iter().any(|veto| veto.is_match(text))
    }

    /// What a pattern's named groups are read with, if it has any, or else where it matches.
    pub fn regex(&self, place: u16) -> Option<&Regex> {
        self.any.get(usize::from(place)).and_then(|matcher| matcher.pattern.get())
    }
}

/// A rule set that is ready to match. Made once and shared by all classifiers.
#[derive(Debug)]
pub struct Compiled {
    rules: RuleSet,
    slots: Vec<Slot>,
    pub(super) prefilter: Prefilter,
    secondary: RegexSet,
}

struct Build {
    patterns: Vec<(PatternId, String, bool, Option<Needles>)>,
}

impl Compiled {
    /// Compiles every pattern of a rule set.
    pub fn of(rules: &RuleSet) -> Result<Self, CompileError> {
        let mut build = Build { patterns: Vec::new() };
        let mut slots = Vec::new();
        for rule in &rules.rules {
            let slot = slots.len();
            let any = rule.any.iter().map(|p| build.matcher(slot, &rule.id, p)).collect::<Result<_, _>>()?;
            let none = rule.none.iter().map(|p| Lazy::of(&rule.id, p)).collect::<Result<_, _>>()?;
            slots.push(Slot { any, none, sections: rule.scope.sections.clone() });
            build.number(slot, slots.last());
        }
        for own in Own::ALL {
            let slot = slots.len();
            let given =
                own.patterns().iter().map(|regex| Pattern { regex: (*regex).into(), origin: Origin::default() });
            let progress = if own == Own::Progress { rules.progress.as_slice() } else { &[] };
            let all: Vec<Pattern> = given.chain(progress.iter().cloned()).collect();
            let any = all.iter().map(|p| build.matcher(slot, "progress", p)).collect::<Result<_, _>>()?;
            slots.push(Slot { any, ..Slot::default() });
            build.number(slot, slots.last());
        }
        for pattern in &rules.secondary {
            Lazy::of("secondary", pattern)?;
        }
        let whole = |reason: String| CompileError {
            of: "all rules together".to_owned(),
            regex: "…".to_owned(),
            origin: Origin::default(),
            reason,
        };
        let secondary = RegexSetBuilder::new(rules.secondary.iter().map(|p| &*p.regex)).size_limit(8 * LARGEST).build();
        let patterns = build
            .patterns
            .iter()
            .map(|(id, regex, unicode, needles)| (*id, regex.as_str(), *unicode, needles.as_ref()));
        Ok(Self {
            prefilter: Prefilter::of(patterns).map_err(whole)?,
            secondary: secondary.map_err(|error| whole(error.to_string()))?,
            rules: rules.clone(),
            slots,
        })
    }

    /// The rules as they were loaded.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn slot(&self, slot: usize) -> Option<&Slot> {
        self.slots.get(slot)
    }

    /// The slot of something that the engine itself looks for.
    pub(super) fn own(&self, own: Own) -> usize {
        self.rules.rules.len() + own as usize
    }

    /// A line that only repeats others.
    pub(super) fn is_secondary(&self, text: &[u8]) -> bool {
        self.secondary.is_match(text)
    }
}

impl Build {
    fn matcher(&mut self, slot: usize, of: &str, pattern: &Pattern) -> Result<Matcher, CompileError> {
        let lazy = Lazy::of(of, pattern)?;
        let needles = literals::needles(&pattern.regex, lazy.unicode);
        let certain = needles.as_ref().is_some_and(|n| n.whole);
        let id = PatternId { slot: u16::try_from(slot).unwrap_or(u16::MAX), place: u16::MAX };
        self.patterns.push((id, pattern.regex.to_string(), lazy.unicode, needles));
        Ok(Matcher { pattern: lazy, certain })
    }

    /// Numbers the patterns of the slot that was built last.
    fn number(&mut self, _slot: usize, built: Option<&Slot>) {
        let count = built.map_or(0, |slot| slot.any.len());
        let from = self.patterns.len() - count;
        for (place, (id, ..)) in (0..).zip(self.patterns.iter_mut().skip(from)) {
            id.place = place;
        }
    }
}
