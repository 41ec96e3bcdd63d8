//! How the screens of binary caches say things: severities, sizes, growth, the age of an index, and how fresh all of it is.

use std::time::Duration;

use crate::cache::Severity;
use crate::ci::{Timestamp, short};
use crate::console::caches::{Listing, SpecState};
use crate::console::fresh::{Completeness, Freshness};
use crate::console::state::JobState;
use crate::console::text::{count_short, size};
use crate::tui::screen::Cx;
use crate::tui::theme::Role;

/// Mirrors are listed when somebody asks: what is older than twice this is old.
const BY_HAND: Duration = Duration::from_hours(12);

/// The glyph and the role of how bad something is.
pub fn severity(cx: Cx<'_>, severity: Option<Severity>) -> (&'static str, Role) {
    let state = match severity {
        Some(Severity::Bad) => JobState::Fail,
        Some(Severity::Unknown) | None => JobState::Unknown,
        Some(Severity::Warn) => JobState::Warn,
        Some(Severity::Info) => return (cx.look.glyphs.dot, Role::SevInfo),
        Some(Severity::Ok) => JobState::Ok,
    };
    (cx.look.glyphs.state(state), Role::of(state))
}

/// The same of a spec.
pub fn spec_state(cx: Cx<'_>, state: SpecState) -> (&'static str, Role) {
    let state = match state {
        SpecState::Damaged | SpecState::Hole => JobState::Fail,
        SpecState::Unknown => JobState::Unknown,
        SpecState::Unindexed => JobState::Warn,
        SpecState::Absent => JobState::Blocked,
        SpecState::Ok => JobState::Ok,
    };
    (cx.look.glyphs.state(state), Role::of(state))
}

/// `+310 GB`, `-2.1 GB`, `0`, `?`.
pub fn growth(bytes: Option<i64>) -> String {
    match bytes {
        None => "?".to_owned(),
        Some(0) => "0".to_owned(),
        Some(bytes) => format!("{}{}", if bytes < 0 { "-" } else { "+" }, size(bytes.unsigned_abs())),
    }
}

/// A number that may not be known, or only in part.
pub fn some(cx: Cx<'_>, known: Option<String>, is_part: bool) -> String {
    match known {
        None => "?".to_owned(),
        Some(text) if is_part => format!("{} {text}", cx.look.glyphs.at_least),
        Some(text) => text,
    }
}

/// `22m ✗`: the age of an index and what is wrong with it. Without one: `none`, or `-` where there is nothing to list.
pub fn index(cx: Cx<'_>, written: Option<Timestamp>, there: bool, state: Option<Severity>) -> (String, Role) {
    let (glyph, role) = severity(cx, state);
    let age = match (there, written) {
        (false, _) if state.is_none() => return ("-".to_owned(), Role::TextDim),
        (false, _) => "none".to_owned(),
        (true, None) => "?".to_owned(),
        (true, Some(at)) => short(cx.server_now().since(at)),
    };
    (format!("{age} {glyph}"), role)
}

/// How far a listing is: `listing 61 % ≥`; without knowing how much there is, what was counted so far.
pub fn progress(cx: Cx<'_>, listing: Listing) -> String {
    let so_far = match listing.percent() {
        Some(percent) => format!("{percent} %"),
        None => format!("{} keys", count_short(listing.objects)),
    };
    format!("listing {so_far} {}", cx.look.glyphs.at_least)
}

/// How fresh the sizes are; `None` while nobody has asked and nothing is remembered.
pub fn freshness(cx: Cx<'_>) -> Option<Freshness> {
    let caches = &cx.world.caches;
    let period = cx.world.polling.rules.caches.unwrap_or(BY_HAND);
    let newest = || caches.roots.value.values().filter_map(|facts| facts.newest()).map(|sample| sample.at).max();
    match caches.roots.completeness {
        // What the store remembers is as old as its newest sample.
        Completeness::Unknown => match newest().map(|at| cx.server_now().since(at)) {
            Some(age) if age > period * 2 => Some(Freshness::Stale(age)),
            Some(age) => Some(Freshness::Live(age)),
            None if caches.roots.error.is_some() => Some(Freshness::Failed),
            None if caches.listing.is_some() || will_be_listed(cx) => Some(Freshness::Loading),
            None => None,
        },
        _ => Some(caches.roots.freshness(cx.now, period)),
    }
}

/// The mirrors are being listed, or will be without being asked.
pub fn will_be_listed(cx: Cx<'_>) -> bool {
    use crate::console::effect::Fetch;
    let polling = &cx.world.polling;
    !cx.world.caches.mirrors.is_empty() && (polling.rules.caches.is_some() || polling.is_in_flight(Fetch::Caches))
}
