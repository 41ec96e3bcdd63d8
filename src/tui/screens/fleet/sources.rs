//! How fresh what is shown is, source by source, and what stands in the way.

use ratatui::layout::Rect;

use crate::ci::short;
use crate::console::fleet::{Phase, Source, SourceFacts, System};
use crate::console::fresh::Freshness;
use crate::console::text::plural;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::Pen;

/// The worst of a system's sources.
pub fn state_of(cx: Cx<'_>, system: System) -> Option<Freshness> {
    let known = cx.world.fleet.of_system(system).filter(|(_, facts)| !facts.is_absent());
    known.map(|(source, facts)| facts.freshness(source, cx.now)).max_by_key(|fresh| weight(*fresh))
}

fn weight(fresh: Freshness) -> (u8, std::time::Duration) {
    match fresh {
        Freshness::Live(age) => (0, age),
        Freshness::Partial => (1, std::time::Duration::ZERO),
        Freshness::Loading => (2, std::time::Duration::ZERO),
        Freshness::Stale(age) => (3, age),
        Freshness::Failed => (4, std::time::Duration::ZERO),
    }
}

/// The worst system of all, for the title.
pub fn worst(cx: Cx<'_>) -> Option<(&'static str, Freshness)> {
    let states = System::ALL.into_iter().filter_map(|system| Some((system.short(), state_of(cx, system)?)));
    // Of equals the first counts: the cluster.
    states.fold(None, |worst: Option<(&'static str, Freshness)>, one| match worst {
        Some(known) if weight(known.1).0 >= weight(one.1).0 => Some(known),
        _ => Some(one),
    })
}

/// A system's age in a word: `live`, `12s`, `STALE 3m`, `ERROR`.
pub fn ages(fresh: Freshness) -> (String, Role) {
    match fresh {
        Freshness::Live(age) if age.is_zero() => ("live".to_owned(), Role::FreshLive),
        Freshness::Live(age) => (short(age), Role::FreshLive),
        Freshness::Partial | Freshness::Loading => ("loading".to_owned(), Role::FreshPartial),
        Freshness::Stale(age) => (format!("STALE {}", short(age)), Role::FreshStale),
        Freshness::Failed => ("ERROR".to_owned(), Role::FreshError),
    }
}

/// The line below the rows: every source that is not as it should be, else every system with its age.
pub fn footer(cx: Cx<'_>, line: Rect, pen: &mut Pen<'_>) {
    let mut x = line.x;
    for system in System::ALL {
        let Some(fresh) = state_of(cx, system) else { continue };
        let (text, role) = ages(fresh);
        let room = line.right().saturating_sub(x);
        x += 2 + pen.put_all(
            x,
            line.y,
            room,
            [(system.short(), Role::TextDim), (" ", Role::TextDim), (text.as_str(), role)],
        );
    }
    for (source, facts) in &cx.world.fleet.sources {
        let Some((text, role)) = told(cx, *source, facts) else { continue };
        let room = line.right().saturating_sub(x);
        x += 2 + pen.put_all(
            x,
            line.y,
            room,
            [(source.word(), Role::TextDim), (" ", Role::TextDim), (text.as_str(), role)],
        );
    }
}

/// What is to be said of one source besides the age of its system.
fn told(cx: Cx<'_>, source: Source, facts: &SourceFacts) -> Option<(String, Role)> {
    let unreadable = facts.state.unreadable as u64;
    match (&facts.state.phase, facts.freshness(source, cx.now)) {
        (Phase::Absent, _) => Some(("none here".to_owned(), Role::TextDim)),
        (Phase::Denied { .. }, _) => Some(("denied".to_owned(), Role::FreshError)),
        (_, Freshness::Stale(age)) => Some((format!("STALE {}", short(age)), Role::FreshStale)),
        (_, Freshness::Failed) => Some(("ERROR".to_owned(), Role::FreshError)),
        _ if unreadable > 0 => Some((format!("{} unreadable", plural(unreadable, "object")), Role::StateWarn)),
        _ => None,
    }
}

/// What failed first, in words, and what helps.
pub fn problem(cx: Cx<'_>) -> Option<(String, String)> {
    let sources = cx.world.fleet.sources.iter();
    let denied = sources.clone().find_map(|(source, facts)| match &facts.state.phase {
        Phase::Denied { right } => {
            let what = facts
                .state
                .fault
                .as_ref()
                .map_or_else(|| format!("{} may not be read", source.word()), ToString::to_string);
            Some((what, format!("missing right: {right}; it is looked for again every minute")))
        }
        _ => None,
    });
    let failed = || {
        cx.world.fleet.sources.iter().find_map(|(source, facts)| {
            let fault = facts
                .state
                .fault
                .as_ref()
                .filter(|_| matches!(facts.freshness(*source, cx.now), Freshness::Stale(_) | Freshness::Failed))?;
            Some((fault.to_string(), "it is tried again by itself; what was known before stays".to_owned()))
        })
    };
    denied.or_else(failed)
}

/// What an empty list means.
pub fn calm(cx: Cx<'_>, filter: &str) -> (String, Option<(&'static str, &'static str)>) {
    if !filter.is_empty() {
        return (format!("nothing here passes `{filter}`"), Some(("Esc", "clears the filter")));
    }
    match worst(cx).map(|(_, fresh)| fresh) {
        Some(Freshness::Loading) | None => ("the fleet is being read…".to_owned(), None),
        Some(Freshness::Failed) => ("nothing is known of the fleet yet".to_owned(), None),
        Some(_) => {
            let why = "no runner is known, and no pod of a job is there".to_owned();
            (why, Some(("kubernetes.namespace", "says where job pods are looked for")))
        }
    }
}

/// Nothing is configured: what to write, and where.
pub fn how_to_configure(pen: &mut Pen<'_>, area: Rect) {
    let lines = [
        (
            "nothing is configured that tells of the fleet; `stackhand config --explain` names your configuration file. Write:",
            Role::TextDim,
        ),
        ("", Role::Text),
        ("[kubernetes]", Role::TextStrong),
        ("kubeconfig = \"/path/to/kubeconfig\"      # or: in_cluster = true", Role::Text),
        ("[prometheus]", Role::TextStrong),
        ("url = \"https://prometheus.example.org\"   # prices, failed launches, reclaims", Role::Text),
        ("[alertmanager]", Role::TextStrong),
        ("url = \"https://alertmanager.example.org\" # alerts of others", Role::Text),
        ("", Role::Text),
        ("each works without the others; runners come from GitLab, with a token", Role::TextDim),
    ];
    for ((text, role), y) in lines.into_iter().zip(area.y..area.bottom()) {
        pen.put(area.x, y, area.width, text, role);
    }
}
