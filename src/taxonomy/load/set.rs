//! Files become one rule set, or a list of faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::example;
use super::fault::{Faults, RuleFault};
use super::file;
use super::hash::hash;
use super::nearest::nearest;
use super::rule::ReadRule;
use super::shipped::shipped;
use super::source::Source;
use super::table::shown;
use crate::taxonomy::lint::{Lint, lint};
use crate::taxonomy::{Origin, RuleSet};

/// Most rules of a set.
pub const MOST_RULES: usize = 2_000;
/// Most states of all patterns together.
pub const MOST_STATES: usize = 2_000_000;
const MOST_EXAMPLES: usize = 10_000;
/// In `off`: every rule of earlier files.
const EVERY: &str = "*";
/// Most unknown ids of one `off` that are told.
const MOST_STRANGE: usize = 20;

/// A rule set, with what is probably wrong in it.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub rules: RuleSet,
    /// By file and line.
    pub lints: Vec<Lint>,
}

/// Reads rules files as one set; later files may switch off rules of earlier ones. All faults are told at once.
pub fn load(files: &[Source<'_>]) -> Result<RuleSet, Vec<RuleFault>> {
    assemble(files, true).map(|(rules, _)| rules)
}

/// The shipped rules alone. Their examples are judged by the tests of this program, and not again each time that it starts: that would compile
/// every pattern twice.
pub fn load_shipped() -> Result<RuleSet, Vec<RuleFault>> {
    assemble(&shipped(), false).map(|(rules, _)| rules)
}

/// As [`load`], and tells what the files may do and probably should not.
pub fn load_with_lints(files: &[Source<'_>]) -> Result<Loaded, Vec<RuleFault>> {
    let (rules, mut lints) = assemble(files, true)?;
    lints.extend(lint(&rules));
    let order = |file: &str| files.iter().position(|source| source.name == file);
    lints.sort_by(|a, b| (order(&a.at.file), a.at.line, &a.what).cmp(&(order(&b.at.file), b.at.line, &b.what)));
    Ok(Loaded { rules, lints })
}

/// A rule with the number of its file.
pub(super) struct Member {
    pub file: usize,
    pub read: ReadRule,
}

fn assemble(files: &[Source<'_>], has_trials: bool) -> Result<(RuleSet, Vec<Lint>), Vec<RuleFault>> {
    let mut faults = Faults::default();
    let mut members: Vec<Member> = Vec::new();
    let mut ids = Ids::default();
    let mut set = RuleSet::default();
    let mut weight = 0;
    for (number, source) in files.iter().enumerate() {
        let hard = faults.hard_count();
        let file = file::read(*source, MOST_RULES.saturating_sub(members.len()), &mut faults);
        ids.switch_off(&file.off, &mut members, &mut faults);
        // An id of a rule that could not be read is not known; whoever names it must not be blamed.
        ids.incomplete |= faults.hard_count() > hard;
        weight += file.weight;
        set.progress.extend(file.progress);
        set.secondary.extend(file.secondary);
        for read in file.rules {
            weight += read.weight;
            if ids.take(&read, &mut faults) {
                members.push(Member { file: number, read });
            }
        }
        if weight > MOST_STATES {
            let at = Origin { file: source.name.into(), line: 1 };
            faults.hard(&at, "all patterns together are too large", "use smaller counts in { } and fewer patterns");
            break;
        }
        if members.iter().map(|member| member.read.examples.len()).sum::<usize>() > MOST_EXAMPLES {
            let at = Origin { file: source.name.into(), line: 1 };
            faults.hard(&at, format!("there are more than {MOST_EXAMPLES} examples"), "keep those that differ");
            break;
        }
    }
    let mut lints = Vec::new();
    // Without every rule as it was meant, an example would blame the wrong one.
    if faults.hard_count() == 0 {
        set.rules = members.iter().map(|member| member.read.rule.clone()).collect();
        set.hash = hash(&set);
        if has_trials {
            example::judge(&set, &members, &mut faults, &mut lints);
        }
    }
    if faults.is_empty() {
        return Ok((set, lints));
    }
    let names: Vec<Arc<str>> = files.iter().map(|source| source.name.into()).collect();
    Err(faults.into_vec(&names))
}

/// Every id that was met, and where.
#[derive(Default)]
struct Ids {
    on: BTreeMap<Arc<str>, Origin>,
    off: BTreeMap<Arc<str>, Origin>,
    /// Some rule could not be read.
    incomplete: bool,
}

impl Ids {
    fn take(&mut self, read: &ReadRule, faults: &mut Faults) -> bool {
        let (id, at) = (&read.rule.id, &read.rule.origin);
        if let Some(first) = self.on.get(id) {
            let what = format!("the id `{id}` is taken by the rule in {}:{}", first.file, first.line);
            faults.hard(at, what, "name this one differently, or switch off the rule of an earlier file with `off`");
            return false;
        }
        self.on.insert(Arc::clone(id), at.clone());
        true
    }

    fn switch_off(&mut self, off: &[(String, Origin)], members: &mut Vec<Member>, faults: &mut Faults) {
        let mut strange = 0;
        for (id, at) in off {
            if id == EVERY {
                self.off.append(&mut self.on);
                members.clear();
            } else if let Some((id, place)) = self.on.remove_entry(id.as_str()) {
                members.retain(|member| member.read.rule.id != id);
                self.off.insert(id, place);
            } else if !self.off.contains_key(id.as_str()) && !self.incomplete && strange < MOST_STRANGE {
                strange += 1;
                let near = nearest(id, self.on.keys().map(AsRef::as_ref));
                let remedy = near.map_or_else(
                    || "remove it from `off`; `off` knows the rules of earlier files only".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                faults.soft(at, format!("`off` names `{}`, which no earlier file has", shown(id)), remedy);
            }
        }
    }
}
