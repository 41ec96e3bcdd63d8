//! Patterns that can never decide, because a rule that ranks higher matches every line that they match.
//!
//! Proven, not tried: every match of the lower pattern holds one of a few texts; the higher pattern looks at nothing around its match; and it
//! matches each of those texts alone. So it matches every line that holds one of them.

use std::cell::OnceCell;

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};

use super::report::{Finding, Lint, LintKind};
use super::set::place;
use super::shape::Shape;
use crate::taxonomy::{Pattern, Rule};

/// In a larger set this is not looked for.
const MOST_PATTERNS: usize = 20_000;
/// Most patterns without text of their own that are tried on everything, and most others that are tried on one text.
const MOST_OPEN: usize = 64;
const MOST_HITS: usize = 1_024;

/// One warning for each pattern that is hidden behind a rule of another class.
pub(super) fn lints(rules: &[Rule]) -> Vec<Lint> {
    let pairs: Vec<(&Rule, &Pattern)> = rules.iter().flat_map(|r| r.any.iter().map(move |p| (r, p))).collect();
    if pairs.len() > MOST_PATTERNS {
        return Vec::new();
    }
    let Some(covers) = Covers::of(&pairs) else { return Vec::new() };
    let mut lints = Vec::new();
    for &(rule, pattern) in &pairs {
        let Ok(shape) = Shape::of(&pattern.regex) else { continue };
        let hides = |at: &usize| pairs.get(*at).is_some_and(|&(other, cover)| hides(other, cover, rule, pattern));
        let mut found: Option<usize> = None;
        for set in shape.texts() {
            found = covers.common(&set, hides).or(found);
            if found.is_some() {
                break;
            }
        }
        if let Some(&(other, cover)) = found.and_then(|at| pairs.get(at)) {
            let (file, line) = (&cover.origin.file, cover.origin.line);
            let what =
                format!("rule `{}` ({file}:{line}) ranks higher and matches every line that it matches", other.id);
            let remedy = "raise this rule's precedence, narrow the other pattern, or remove this one";
            lints.push(place(pattern, Finding::new(LintKind::Shadowed, what, remedy)));
        }
    }
    lints
}

/// Whether a match of `other` on a line always beats one of `rule` on that line.
fn hides(other: &Rule, cover: &Pattern, rule: &Rule, pattern: &Pattern) -> bool {
    let above = (other.strength, other.precedence) > (rule.strength, rule.precedence);
    let within = |outer: &[Box<str>], inner: &[Box<str>]| {
        outer.is_empty() || (!inner.is_empty() && inner.iter().all(|name| outer.contains(name)))
    };
    let (wide, narrow) = (&other.scope, &rule.scope);
    let tail = wide.tail_kb.is_none_or(|wide| narrow.tail_kb.is_some_and(|narrow| narrow <= wide));
    let facts = (other.requires.exit_code.is_empty() && other.requires.failure_reason.is_empty())
        || other.requires == rule.requires;
    above
        && other.class != rule.class
        && !std::ptr::eq(cover, pattern)
        && other.none.is_empty()
        && facts
        && tail
        && within(&wide.sections, &narrow.sections)
        && within(&wide.job_kinds, &narrow.job_kinds)
        && (!other.recovers || rule.recovers)
}

/// Patterns that look at nothing around their matches, found by the texts that they need.
struct Covers<'a> {
    needles: AhoCorasick,
    /// Which pattern a needle belongs to.
    owner: Vec<usize>,
    /// Patterns without needles.
    open: Vec<usize>,
    /// Compiled when they are asked for.
    regexes: Vec<OnceCell<Option<Regex>>>,
    patterns: Vec<&'a Pattern>,
}

impl<'a> Covers<'a> {
    fn of(pairs: &[(&Rule, &'a Pattern)]) -> Option<Self> {
        let (mut needles, mut owner, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (_, pattern)) in pairs.iter().enumerate() {
            let shape = Shape::of(&pattern.regex).ok().filter(|shape| !shape.looks_around());
            let Some(shape) = shape else { continue };
            let rarest = |set: &Vec<Vec<u8>>| set.iter().map(Vec::len).min();
            match shape.texts().into_iter().max_by_key(rarest) {
                Some(set) => {
                    owner.extend(set.iter().map(|_| at));
                    needles.extend(set);
                }
                None if open.len() < MOST_OPEN => open.push(at),
                None => {}
            }
        }
        let regexes = pairs.iter().map(|_| OnceCell::new()).collect();
        let patterns = pairs.iter().map(|(_, pattern)| *pattern).collect();
        Some(Self { needles: AhoCorasick::new(&needles).ok()?, owner, open, regexes, patterns })
    }

    /// The first pattern that `fits` and matches all these texts.
    fn common(&self, texts: &[Vec<u8>], fits: impl Fn(&usize) -> bool) -> Option<usize> {
        let first = texts.first()?;
        let hits = self.needles.find_overlapping_iter(first).filter_map(|hit| self.owner.get(hit.pattern().as_usize()));
        let mut candidates: Vec<usize> = hits.take(MOST_HITS).chain(&self.open).copied().filter(fits).collect();
        candidates.sort_unstable();
        candidates.dedup();
        let covers = |at: &usize| self.regex(*at).is_some_and(|regex| texts.iter().all(|text| regex.is_match(text)));
        candidates.into_iter().find(covers)
    }

    fn regex(&self, at: usize) -> Option<&Regex> {
        let pattern = self.patterns.get(at)?;
        let built = |unicode| RegexBuilder::new(&pattern.regex).unicode(unicode).size_limit(1_000_000).build();
        self.regexes.get(at)?.get_or_init(|| built(false).or_else(|_| built(true)).ok()).as_ref()
    }
}
