//! A difference in short lines.

use serde_json::Value;

use super::data::{
    Difference, KeyChange, KeySide, MirrorChange, MirrorTurn, Named, Rehashed, Renamed, SummaryChange, Turn, Turned,
    Why,
};
use crate::generation::report::{
    Filter, IndexSeen, Lines, cut, few, label, number, origin_in_short, without_final_checks,
};

/// How far details stand in.
const INSIDE: &str = "  ";
/// How many specs, jobs or list items are named before the rest is only counted.
const MOST: usize = 3;
/// How much of a value is shown.
const VALUE: usize = 40;

impl Difference {
    /// The difference as lines of at most 80 columns; only what must be copied whole is longer. Without one, there is one line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Lines::default();
        if self.is_empty() {
            lines.say("", 2, "no difference");
            return lines.into_vec();
        }
        for SummaryChange { what, was, is } in &self.summary {
            let more = if is > was { "more" } else { "fewer" };
            let by = (is - was).abs();
            // Hours are rounded to tenths where they are made; a difference of them is not.
            let by = (by * 10.0).round() / 10.0;
            lines.say("", 2, &format!("{what}: {is}, was {was} ({by} {more})"));
        }
        for setting in &self.settings {
            lines.say("", 2, &format!("{}: {}, was {}", setting.what, setting.is, setting.was));
        }
        for change in &self.mirrors {
            change.write(&mut lines);
        }
        for turned in &self.turned {
            turned.write(&mut lines);
        }
        list(&mut lines, &self.new, "new");
        list(&mut lines, &self.gone, "gone");
        rehashed(&mut lines, &self.rehashed);
        for change in &self.keys {
            change.write(&mut lines);
        }
        self.write_elsewhere(&mut lines);
        if let Some(Renamed { was, is }) = self.renamed.first() {
            let have = if self.renamed.len() == 1 { "has another name" } else { "have other names" };
            let jobs = number(self.renamed.len(), "job");
            lines.say("", 2, &format!("{jobs} {have} now, for example {is} instead of {was}"));
        }
        for (which, warnings) in [("new", &self.warnings_new), ("gone", &self.warnings_gone)] {
            for warning in warnings {
                lines.say("", 2, &format!("warning, {which}: {warning}"));
            }
        }
        lines.into_vec()
    }

    fn write_elsewhere(&self, lines: &mut Lines) {
        for place in self.keys_elsewhere.iter().take(MOST) {
            let (was, is) = (last(&place.was, ""), last(&place.is, ""));
            let keys: Vec<String> = place.keys.iter().map(|key| key_name(key)).collect();
            let jobs = number(place.jobs, "job");
            lines.say("", 2, &format!("same value from another element in {jobs}: {}", few(&keys, MOST)));
            if was == is {
                // What was applied last is the same; what came before it is not.
                lines.say(INSIDE, 4, &format!("still by {is}, but after other elements"));
            } else {
                lines.say(INSIDE, 4, &format!("by {is}, was by {was}"));
            }
        }
        let more = self.keys_elsewhere.len().saturating_sub(MOST);
        if more > 0 {
            lines.say("", 2, &format!("{} of this kind", number(more, "more change")));
        }
        if self.keys_left_out > 0 {
            lines.say(
                "",
                2,
                &format!("{} of keys not shown: there are too many", number(self.keys_left_out, "change")),
            );
        }
    }
}

fn list(lines: &mut Lines, specs: &[Named], which: &str) {
    if specs.is_empty() {
        return;
    }
    let rebuilt = specs.iter().filter(|spec| spec.decision == "rebuild").count();
    let verb = if which == "new" { "to rebuild" } else { "to rebuild before" };
    lines.say("", 2, &format!("{} {} {which}, {rebuilt} {verb}", number(specs.len(), "spec"), are(specs)));
    names(lines, specs);
}

const fn are<T>(list: &[T]) -> &'static str {
    if list.len() == 1 { "is" } else { "are" }
}

fn names(lines: &mut Lines, specs: &[Named]) {
    let labels = specs.iter().take(MOST).map(|named| label(&named.spec, &named.hash));
    lines.list(INSIDE, 4, labels, specs.len().saturating_sub(MOST));
}

fn rehashed(lines: &mut Lines, specs: &[Rehashed]) {
    if specs.is_empty() {
        return;
    }
    let rebuilt = |side: fn(&Rehashed) -> &Vec<Named>| {
        specs.iter().flat_map(side).filter(|named| named.decision == "rebuild").count()
    };
    let (was, is) = (rebuilt(|spec| &spec.was), rebuilt(|spec| &spec.is));
    let have = if specs.len() == 1 { "has another hash" } else { "have other hashes" };
    lines.say("", 2, &format!("{} {have}, {is} to rebuild, {was} before", number(specs.len(), "spec")));
    let shorts = |side: &[Named]| {
        let shorts: Vec<String> = side.iter().map(|named| label("", &named.hash).trim().to_owned()).collect();
        few(&shorts, MOST)
    };
    for spec in specs.iter().take(MOST) {
        lines.say(INSIDE, 4, &format!("{} {}, was {}", spec.spec, shorts(&spec.is), shorts(&spec.was)));
    }
    if specs.len() > MOST {
        lines.say(INSIDE, 4, &format!("and {} more", specs.len() - MOST));
    }
}

impl Turned {
    fn write(&self, lines: &mut Lines) {
        let (count, are) = (number(self.specs.len(), "spec"), are(&self.specs));
        let fate = match self.is.as_str() {
            "rebuild" => "rebuilt",
            "prune" => "left out",
            other => other,
        };
        if self.was == self.is {
            let turns: Vec<String> = self.turns.iter().map(Turn::words).collect();
            lines.say("", 2, &format!("{count} {are} {fate} as before, but {}", turns.join("; ")));
            return;
        }
        let is_idle = self.is == "rebuild" && !self.specs.iter().any(|named| named.has_job);
        let them = if self.specs.len() == 1 { "it" } else { "them" };
        let but = if is_idle { format!(", but the pipeline has no job for {them}") } else { String::new() };
        let verb = if is_idle { "to be rebuilt" } else { fate };
        lines.say("", 2, &format!("{count} {are} {verb} now{but}"));
        for turn in &self.turns {
            lines.say(INSIDE, 4, &turn.words());
            for why in &turn.why {
                lines.say(INSIDE, 4, &format!("because {}", why.reason(turn.filter)));
            }
        }
        if self.turns.is_empty() {
            lines.say(INSIDE, 4, "for a reason that the reports do not hold");
        }
        names(lines, &self.specs);
    }
}

impl Turn {
    fn words(&self) -> String {
        match (&self.was, &self.is) {
            (Some(was), Some(is)) => format!("{is}, was: {was}"),
            (None, Some(is)) => is.clone(),
            (Some(was), None) => format!("no longer: {was}"),
            (None, None) => format!("the {} says nothing", self.filter),
        }
    }
}

impl Why {
    fn reason(&self, filter: Filter) -> String {
        let depth = |depth: Option<i64>| depth.map_or_else(|| "no limit".to_owned(), |depth| depth.to_string());
        match self {
            Self::FilterApplied { was, is } => format!("the {filter} is {is}, was {was}"),
            Self::Depth { was, is } => format!("the depth is {}, was {}", depth(*is), depth(*was)),
            Self::ChangedPackages => "other packages of this stack changed".to_owned(),
            Self::MirrorAdded { mirror } => format!("the mirror {mirror} is configured now"),
            Self::MirrorRemoved { mirror } => format!("the mirror {mirror} is not configured any more"),
            Self::MirrorState { mirror, was, is } => {
                format!("the mirror {mirror} is {}, was {}", state_word(is), state_word(was))
            }
            Self::Index { mirror, layout, was, is } => {
                let sum = |sum: &Option<String>| {
                    sum.as_ref().map_or_else(|| "not there".to_owned(), |sum| sum.chars().take(12).collect())
                };
                format!("the index of {mirror}, layout {layout}, has sha256 {}, was {}", sum(is), sum(was))
            }
            Self::Asked { mirror, layout } => {
                format!("only one time its manifest of layout {layout} was seen on {mirror}, which no index lists")
            }
            Self::Unknown => "of something that the reports do not hold".to_owned(),
        }
    }
}

impl MirrorChange {
    fn write(&self, lines: &mut Lines) {
        for turn in &self.turns {
            let text = match turn {
                MirrorTurn::Added { url, state } => format!("new, {}, {url}", state_word(state)),
                MirrorTurn::Removed { url } => format!("not configured any more, {url}"),
                MirrorTurn::Address { was, is } => format!("at {is}, was at {was}"),
                MirrorTurn::State { was, is, reason } => {
                    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                    format!("{}, was {}{reason}", state_word(is), state_word(was))
                }
                MirrorTurn::Index { layout, was, is, was_age, is_age } => {
                    let side = |index: &Option<IndexSeen>, age: &Option<String>| {
                        let sum: String = index.as_ref()?.sha256.chars().take(12).collect();
                        let sum = if sum.is_empty() { "unknown" } else { &sum };
                        Some(format!("sha256 {sum}, {}", age.as_deref().unwrap_or("age unknown")))
                    };
                    let text = match (side(was, was_age), side(is, is_age)) {
                        (Some(was), Some(is)) => format!("{is}; was {was}"),
                        (None, Some(is)) => format!("{is}; was none"),
                        (Some(was), None) => format!("none; was {was}"),
                        (None, None) => "unknown".to_owned(),
                    };
                    format!("index of layout {layout}: {text}")
                }
            };
            lines.say("", 2, &format!("mirror {}: {text}", self.name));
        }
    }
}

fn state_word(state: &str) -> &str {
    match state {
        "read" => "read",
        "absent" => "without an index",
        "failed" => "not readable",
        other => other,
    }
}

impl KeyChange {
    fn write(&self, lines: &mut Lines) {
        let key = key_name(&self.key);
        lines.say("", 2, &format!("{}: {key} {}", number(self.jobs, "job"), self.values()));
        let spec = self.examples.first().map(|named| named.spec.as_str()).unwrap_or_default();
        let by = |side: &Option<KeySide>| side.as_ref().map(|side| last(&side.set_by, spec));
        let text = match (by(&self.was), by(&self.is)) {
            (Some(was), Some(is)) if was == is => format!("set by {is}"),
            (Some(was), Some(is)) => format!("set by {is}, was set by {was}"),
            (None, Some(is)) => format!("set by {is}"),
            (Some(was), None) => format!("was set by {was}"),
            (None, None) => String::new(),
        };
        lines.say(INSIDE, 4, &text);
        let examples = self.examples.iter().map(|named| label(&named.spec, &named.hash));
        lines.list(INSIDE, 4, examples, self.jobs.saturating_sub(self.examples.len()));
    }

    fn values(&self) -> String {
        match (self.was.as_ref().map(|side| &side.value), self.is.as_ref().map(|side| &side.value)) {
            (Some(Value::Array(was)), Some(Value::Array(is))) => items(was, is),
            (Some(was), Some(is)) => format!("is {}, was {}", value(is), value(was)),
            (None, Some(is)) => format!("is {}, was not set", value(is)),
            (Some(was), None) => format!("is not set, was {}", value(was)),
            (None, None) => "differs".to_owned(),
        }
    }
}

fn items(was: &[Value], is: &[Value]) -> String {
    let texts = |list: &[Value]| -> Vec<String> { list.iter().map(value).collect() };
    let (was, is) = (texts(was), texts(is));
    let without = |list: &[String], other: &[String]| -> Vec<String> {
        let other: std::collections::BTreeSet<&String> = other.iter().collect();
        list.iter().filter(|item| !other.contains(item)).cloned().collect()
    };
    let (added, gone) = (without(&is, &was), without(&was, &is));
    match (added.is_empty(), gone.is_empty()) {
        (false, false) => format!("with {}, without {}", few(&added, MOST), few(&gone, MOST)),
        (false, true) => format!("with {}", few(&added, MOST)),
        (true, false) => format!("without {}", few(&gone, MOST)),
        (true, true) => "in another order or number".to_owned(),
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", cut(text, VALUE)),
        other => format!("`{}`", cut(&other.to_string(), VALUE)),
    }
}

fn key_name(key: &str) -> String {
    key.strip_prefix("variables.").map_or_else(|| key.to_owned(), |name| format!("variable {name}"))
}

/// The element of the configuration that was applied last.
fn last(set_by: &[String], spec: &str) -> String {
    let (set_by, _) = without_final_checks(set_by);
    set_by.last().map_or_else(|| "nothing that the report names".to_owned(), |origin| origin_in_short(origin, spec))
}
