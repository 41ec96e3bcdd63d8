//! An explanation in short lines.

use super::data::{Answer, Evidence, Explanation, IndexFacts, KeyGroup, OtherJobs, Presence};
use crate::generation::report::{Filter, Lines, commit, few, label, number, origin_in_short, without_final_checks};

/// How far evidence stands in, below the word that it supports.
const INSIDE: &str = "         ";
/// How far it stands in below a heading.
const BELOW: &str = "  ";
/// How many packages, paths and depths are named before the rest is only counted.
const MOST: usize = 4;

impl Explanation {
    /// The explanation as lines of at most 80 columns; only what must be copied whole is longer.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Lines::default();
        let verb = if self.is_rebuilt { "is rebuilt" } else { "is not rebuilt" };
        lines.say("", 2, &format!("{} {verb}", label(&self.spec, &self.hash)));
        if self.is_wanted && !self.is_rebuilt {
            let why =
                if self.only_copies { "the pipeline only copies binaries" } else { "the pipeline has no job for it" };
            lines.say("", 2, &format!("No filter leaves it out, but {why}."));
        }
        for answer in &self.answers {
            answer.write(&mut lines);
        }
        self.write_otherwise(&mut lines);
        self.write_job(&mut lines);
        lines.into_vec()
    }

    fn write_otherwise(&self, lines: &mut Lines) {
        if self.only_copies {
            return;
        }
        let (turning, counting): (Vec<_>, Vec<_>) = self.otherwise.iter().partition(|other| other.rebuilds.is_some());
        let pruning = self.answers.iter().filter(|answer| answer.prunes == Some(true));
        let pruning: Vec<Filter> = pruning.filter_map(|answer| answer.filter).collect();
        let is_external = pruning.contains(&Filter::External);
        let why = match pruning.as_slice() {
            _ if is_external => Some("An external is not built, whatever is asked for.".to_owned()),
            [first, second] => Some(format!(
                "The {first} and the {second} leave it out; without only one of them it would not be rebuilt either."
            )),
            _ => None,
        };
        if why.is_some() || !self.otherwise.is_empty() {
            lines.say("otherwise", 0, "");
        }
        if let Some(why) = why {
            lines.say(BELOW, 4, &why);
        }
        for other in turning {
            lines.say(BELOW, 4, &other.sentence());
        }
        let (depths, filters): (Vec<_>, Vec<_>) =
            counting.into_iter().partition(|other| other.what.starts_with("depth"));
        for other in depths.into_iter().take(MOST).chain(filters) {
            lines.say(BELOW, 4, &other.sentence());
        }
    }

    fn write_job(&self, lines: &mut Lines) {
        let Some(job) = &self.job else { return };
        lines.say("job ", 2, job);
        for group in &self.keys {
            let set_by = group.set_by_in_short(&self.spec);
            lines.say(BELOW, 4, &format!("{}: {set_by}", group.names()));
        }
        if self.keys.is_empty() {
            lines.say(BELOW, 4, "The report does not say what set its keys.");
        }
        if let Some(tag) = &self.type_tag {
            lines.say(BELOW, 4, &format!("The tag `{tag}` comes from the type of the pipeline."));
        }
    }
}

impl Answer {
    fn write(&self, lines: &mut Lines) {
        let mark = match (self.prunes, &self.word) {
            (Some(true), _) => "prune  ",
            (Some(false), _) => "keep   ",
            (None, None) => "skip   ",
            (None, Some(_)) => "also   ",
        };
        let skipped = || Some(format!("{}: {}", self.filter?, self.skipped.as_ref()?));
        lines.say(mark, INSIDE.len(), &self.word.clone().or_else(skipped).unwrap_or_default());
        let is_changed = |evidence: &&Evidence| matches!(evidence, Evidence::Changed { .. });
        let mut packages_left = MOST;
        for evidence in &self.evidence {
            if is_changed(&evidence) {
                if packages_left == 0 {
                    continue;
                }
                packages_left -= 1;
            }
            evidence.write(lines);
        }
        let more = self.evidence.iter().filter(is_changed).count().saturating_sub(MOST);
        if more > 0 {
            lines.say(INSIDE, 11, &format!("Of this stack {} changed as well.", number(more, "more package")));
        }
    }
}

impl Evidence {
    fn write(&self, lines: &mut Lines) {
        let mut say = |text: String| lines.say(INSIDE, INSIDE.len() + 2, &text);
        match self {
            Self::Depth { used, reached_from, own_package } => say(depth(*used, *reached_from, *own_package)),
            Self::Between { base, head } => {
                say(format!("Commits {} to {}:", commit(base), commit(head)));
            }
            Self::Changed { package, paths } => {
                let told = paths.iter().take(MOST).map(|touched| match &touched.commit {
                    Some(newest) => format!("{} ({})", touched.path, commit(newest)),
                    None => format!("{} (commit unknown)", touched.path),
                });
                let told: Vec<String> = told.collect();
                match paths.len().saturating_sub(MOST) {
                    _ if told.is_empty() => say(format!("{package} was named as changed.")),
                    0 => say(format!("{package}: {}", told.join(", "))),
                    more => say(format!("{package}: {} and {more} more", told.join(", "))),
                }
            }
            Self::Elsewhere { count } => {
                let are = if *count == 1 { "is" } else { "are" };
                say(format!("{} {are} not in this stack.", number(*count, "changed package")));
            }
            Self::Index { mirror, presence, layout, index, .. } => {
                let said = match presence {
                    Presence::Binary => "its binary is in",
                    Presence::External => "as an external, which needs no binary, it is in",
                    Presence::WithoutBinary => "without its binary, which counts as not found, it is in",
                    Presence::NotListed => "it is not in",
                };
                let facts =
                    index.as_ref().map_or_else(|| "sha256 unknown, age unknown".to_owned(), IndexFacts::in_short);
                say(format!("{mirror}: {said} the index of layout {layout}, {facts}"));
            }
            Self::Asked { mirror, url, layout } => {
                let url = url.as_deref().unwrap_or("address unknown");
                say(format!("{mirror}: no index lists it, but its manifest of layout {layout} is there, {url}"));
            }
            Self::NoIndex { mirror, url } => say(format!("{mirror}: has no index and counts as empty, {url}")),
            Self::Unread { mirror, url, state, reason } => {
                let reason = reason.as_deref().unwrap_or("reason unknown");
                let state = if state == "failed" { "could not be read" } else { state };
                say(format!("{mirror}: {state} and counts as empty, {url}: {reason}"));
            }
            Self::NoMirror => say("No mirror is configured.".to_owned()),
        }
    }
}

fn depth(used: Option<i64>, reached_from: Option<i64>, own_package: bool) -> String {
    let limit = match used {
        None => "there was no limit".to_owned(),
        Some(depth) if depth < 0 => format!("depth {depth} was used, which counts nothing as affected"),
        Some(depth) => format!("depth {depth} was used"),
    };
    match reached_from {
        None => format!("The change reaches it at no depth; {limit}."),
        Some(_) if own_package => format!("Its own package changed; {limit}."),
        Some(0) => format!("What changed depends on it; {limit}."),
        Some(from) => format!("The change reaches it from depth {from}; {limit}."),
    }
}

impl IndexFacts {
    fn in_short(&self) -> String {
        let sum: String = self.sha256.chars().take(12).collect();
        let sum = if sum.is_empty() { "unknown" } else { &sum };
        format!("{}, sha256 {sum}, {}", self.age, self.source)
    }
}

impl OtherJobs {
    fn sentence(&self) -> String {
        let what = if self.what.starts_with("depth") { format!("with {}", self.what) } else { self.what.clone() };
        let mut chars = what.chars();
        let start = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        let what = format!("{start}{}", chars.as_str());
        let jobs = match self.more_jobs {
            None => None,
            Some(0) => Some("as many jobs".to_owned()),
            Some(more) => {
                let count = usize::try_from(more.unsigned_abs()).unwrap_or(usize::MAX);
                Some(number(count, if more > 0 { "more job" } else { "fewer job" }))
            }
        };
        let fate =
            self.rebuilds.map(|is| if is { "this spec would be rebuilt" } else { "this spec would not be rebuilt" });
        match (fate, jobs) {
            (Some(fate), Some(jobs)) => format!("{what} {fate}: {jobs}."),
            (Some(fate), None) => format!("{what} {fate}."),
            (None, Some(jobs)) => format!("{what}: {jobs}."),
            (None, None) => format!("{what}: jobs unknown."),
        }
    }
}

impl KeyGroup {
    /// The keys, all variables in one place.
    fn names(&self) -> String {
        let keys = self.keys.iter().map(|value| value.key.as_str());
        let (variables, keys): (Vec<&str>, Vec<&str>) = keys.partition(|key| key.starts_with("variables."));
        let variables: Vec<&str> = variables.iter().filter_map(|key| key.strip_prefix("variables.")).collect();
        let collapsed = match variables.as_slice() {
            [] => None,
            [one] => Some(format!("variable {one}")),
            several => Some(format!("variables {}", few(several, 3))),
        };
        let keys = keys.into_iter().map(str::to_owned);
        keys.chain(collapsed).collect::<Vec<_>>().join(", ")
    }

    /// The element that was applied last, and what stood there before.
    fn set_by_in_short(&self, spec: &str) -> String {
        let (set_by, checked) = without_final_checks(&self.set_by);
        let mut elements = set_by.iter().rev().map(|element| origin_in_short(element, spec));
        let Some(last) = elements.next() else { return "set by nothing that the report names".to_owned() };
        let before: Vec<String> = elements.collect();
        let after = if before.is_empty() { String::new() } else { format!(", after {}", few(&before, 3)) };
        let then = if checked.is_empty() { String::new() } else { format!("; then {}", checked.join(", ")) };
        format!("{last}{after}{then}")
    }
}
