//! Rules made ready to match: one slot per rule, and some for what the engine itself looks for.

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

/// One pattern.
#[derive(Debug)]
pub(super) struct Matcher {
    pub regex: Regex,
    /// A candidate of the prefilter's matches for certain.
    pub certain: bool,
}

/// Patterns of which any one is enough.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub any: Vec<Matcher>,
    pub none: Vec<Regex>,
    /// Sections to which it is bound; empty: none.
    pub sections: Vec<Box<str>>,
}

impl Slot {
    /// Whether a pattern matches a shown line, and none of the vetoes does.
    pub fn fits(&self, place: u16, text: &[u8]) -> bool {
        let Some(matcher) = self.any.get(usize::from(place)) else { return false };
        (matcher.certain || matcher.regex.is_match(text)) && !self.none.iter().any(|veto| veto.is_match(text))
    }

    /// What a pattern's named groups are read with, if it has any, or else where it matches.
    pub fn regex(&self, place: u16) -> Option<&Regex> {
        self.any.get(usize::from(place)).map(|matcher| &matcher.regex)
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
            let none = rule.none.iter().map(|p| Ok(compile(&rule.id, p)?.0)).collect::<Result<_, _>>()?;
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
            compile("secondary", pattern)?;
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
        let (regex, unicode) = compile(of, pattern)?;
        let needles = literals::needles(&pattern.regex, unicode);
        let certain = needles.as_ref().is_some_and(|n| n.whole);
        let id = PatternId { slot: u16::try_from(slot).unwrap_or(u16::MAX), place: u16::MAX };
        self.patterns.push((id, pattern.regex.to_string(), unicode, needles));
        Ok(Matcher { regex, certain })
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

/// Compiles a pattern over bytes. Tells whether it had to be one over characters, because it names some that are no ASCII.
fn compile(of: &str, pattern: &Pattern) -> Result<(Regex, bool), CompileError> {
    let build = |unicode| {
        RegexBuilder::new(&pattern.regex).unicode(unicode).size_limit(LARGEST).dfa_size_limit(LARGEST_CACHE).build()
    };
    build(false).map(|regex| (regex, false)).or_else(|_| build(true).map(|regex| (regex, true))).map_err(|error| {
        CompileError {
            of: of.to_owned(),
            regex: pattern.regex.to_string(),
            origin: pattern.origin.clone(),
            reason: error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        }
    })
}
