//! Alerts: our own findings and what Alertmanager holds, in one list; each opens the screen that explains it, and may be acknowledged or silenced.

mod explain;
mod rows;

use std::sync::Arc;

use ratatui::layout::Rect;

use crate::ci::Timestamp;
use crate::console::actions::{Object, Silence};
use crate::console::effect::Focus;
use crate::console::fleet::{Alarm, AlarmId, AlarmState, Source};
use crate::console::fresh::Freshness;
use crate::console::registry::{ActionId, Scope};
use crate::fleet::Alert;
use crate::tui::list::List;
use crate::tui::screen::{Ask, Cx, Explained, Place, Reaction, Screen, Selection};
use crate::tui::screens::filtered::{Filtered, Order};
use crate::tui::theme::Role;
use crate::tui::widgets::{Panel, Pen, Table, empty};

/// What the rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sort {
    /// What needs somebody, the loudest, the oldest.
    #[default]
    Severity,
    Since,
    Name,
}

impl Order for Sort {
    const ALL: &'static [Self] = &[Self::Severity, Self::Since, Self::Name];

    fn word(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Since => "since",
            Self::Name => "name",
        }
    }
}

/// The screen.
#[derive(Debug, Default)]
pub struct AlertsScreen {
    filtered: Filtered<Sort>,
    list: List<AlarmId>,
    worked_out: Option<(u64, u64)>,
}

impl AlertsScreen {
    /// Opens the list, narrowed by a filter.
    pub fn new(filter: &str) -> Self {
        let mut screen = Self::default();
        // One that cannot be read narrows nothing, and the title shows it.
        let _ = screen.filtered.typed(filter);
        screen
    }

    fn title(cx: Cx<'_>) -> String {
        match cx.world.fleet.firing() {
            (0, _) => "Alerts".to_owned(),
            (firing, _) => format!("Alerts  {firing} firing"),
        }
    }
}

/// The alert with this id, as it is now.
fn find<'a>(alarms: &'a [Alarm<'_>], id: &AlarmId) -> Option<&'a Alarm<'a>> {
    // The lifetime of what they point to is longer than that of the list.
    alarms.iter().find(|alarm| alarm.id() == *id)
}

/// The screen that explains an alert, with what narrows it to the subject.
fn place_of(cx: Cx<'_>, alarm: &Alarm<'_>) -> Place {
    let fleet = |filter: String| Place::Fleet { job: None, filter };
    let quoted = |word: &str| format!("\"{}\"", word.replace('"', ""));
    let subject = alarm.subject();
    match alarm {
        Alarm::Own { finding, .. } => match finding.alert {
            Alert::RunnerClassUnavailable => Place::Jobs { pipeline: None, filter: "state:pending".to_owned() },
            Alert::RunnerClassSaturated | Alert::RunnerOnPremSilent => fleet(format!("runner:{}", quoted(subject))),
            Alert::PodPendingDeadline | Alert::PodNeverFits | Alert::PodStuck | Alert::CertificatePendingTaint => {
                fleet(quoted(subject))
            }
            Alert::NodePoolNearLimit => fleet(format!("class={}", quoted(subject))),
            Alert::JobOOMKilled => fleet(format!("pkg={}", quoted(subject))),
            Alert::InfraFailureRate => Place::Errors,
            Alert::SpotCapacityMissing | Alert::SpotReclaimBurst | Alert::KarpenterUnsynced | Alert::SourceStale => {
                fleet(String::new())
            }
        },
        Alarm::Told(told) => {
            let is_of_fleet = ["pod", "node"].into_iter().find_map(|label| told.labels.get(label));
            match is_of_fleet {
                Some(name) if cx.world.fleet.objects.pod_named(name).is_some() => fleet(quoted(name)),
                Some(name) if cx.world.fleet.objects.node(name).is_some() => fleet(format!("node:{}", quoted(name))),
                _ => fleet(String::new()),
            }
        }
    }
}

impl Screen for AlertsScreen {
    fn scope(&self) -> Scope {
        Scope::Fleet
    }

    fn place(&self) -> Place {
        Place::Alerts { filter: self.filtered.text().to_owned() }
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        let rows = parts(cx, area);
        let now = (cx.world.revision, self.filtered.changes());
        if self.worked_out == Some(now) {
            self.list.resettle(rows, cx.now);
            return;
        }
        self.worked_out = Some(now);
        let mut alarms = cx.world.fleet.alarms();
        match self.filtered.sort {
            // What somebody looks after comes last among its like.
            Sort::Severity => {
                alarms.sort_by_key(|alarm| {
                    (alarm.state(), alarm.loudness(), rows::ack(cx, alarm).is_some(), alarm.since())
                });
            }
            Sort::Since => alarms.sort_by_key(Alarm::since),
            Sort::Name => alarms.sort_by(|a, b| (a.name(), a.subject()).cmp(&(b.name(), b.subject()))),
        }
        if self.filtered.is_reversed {
            alarms.reverse();
        }
        let filter = self.filtered.filter();
        let server_now = cx.server_now();
        let shown =
            alarms.iter().filter(|alarm| filter.is_empty() || filter.matches(&rows::AlarmSubject(alarm), server_now));
        self.list.settle(shown.map(Alarm::id).collect(), rows, cx.now);
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let problem = problem(cx);
        let (title, narrowed) = (Self::title(cx), self.filtered.narrowed());
        let panel = Panel { title: &title, narrowed: &narrowed, ..panel(cx, area, problem.as_ref()) };
        let inside = panel.draw(pen, area);
        let place = parts(cx, area);
        let alarms = cx.world.fleet.alarms();
        if self.list.ids().is_empty() {
            let (why, widen) = calm(cx, self.filtered.text());
            empty(pen, place, &why, widen);
        } else {
            let table = Table {
                columns: rows::COLUMNS,
                cursor: self.list.cursor_on_screen(),
                is_startled: self.list.is_startled(cx.now),
                is_dim: panel.is_dim(),
            };
            let shown = self.list.visible().iter().filter_map(|id| find(&alarms, id));
            table.draw(pen, place, shown.map(|alarm| rows::row(cx, alarm, self.filtered.filter())));
        }
        if place.height < inside.height {
            let line = Rect { y: place.bottom(), height: 1, ..inside };
            pen.put(line.x, line.y, line.width, &unknown(cx), Role::TextDim);
        }
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        if self.list.act(action) || self.filtered.act(action) {
            return Reaction::Done;
        }
        let alarms = cx.world.fleet.alarms();
        let here = self.list.id().and_then(|id| find(&alarms, id));
        match (action, here) {
            (ActionId::ListFilter, _) => self.filtered.ask(),
            (ActionId::ListLeft, _) => Reaction::Back,
            (ActionId::ListOpen | ActionId::ListRight, Some(alarm)) => Reaction::Go(place_of(cx, alarm)),
            (ActionId::JobsExplain, Some(alarm)) => Reaction::Explain(Explained::Told(explain::alarm(cx, alarm))),
            (ActionId::TroubleNext | ActionId::TroublePrev, _) => {
                let firing: Vec<AlarmId> =
                    alarms.iter().filter(|alarm| alarm.state() == AlarmState::Firing).map(Alarm::id).collect();
                if self.list.seek(action == ActionId::TroubleNext, |id| firing.contains(id)) {
                    Reaction::Done
                } else {
                    Reaction::say("no other alert fires")
                }
            }
            (ActionId::CopyId, Some(alarm)) => {
                Reaction::Copy { text: format!("{} {}", alarm.name(), alarm.subject()), what: "alert".to_owned() }
            }
            _ => Reaction::Unhandled,
        }
    }

    fn typed(&mut self, _what: Ask, text: &str, _done: bool, _cx: Cx<'_>) -> Result<(), String> {
        self.filtered.typed(text)
    }

    fn selection(&self, cx: Cx<'_>) -> Selection {
        // How long and why is asked before it is planned.
        let objects = match self.list.id() {
            Some(AlarmId::Told(fingerprint)) => {
                let (fingerprint, until) = (fingerprint.clone(), cx.now);
                vec![Object::Silence(Silence { fingerprint, until, why: "".into() })]
            }
            _ => Vec::new(),
        };
        Selection { objects, ..Selection::default() }
    }

    fn failures(&self, cx: Cx<'_>) -> Option<(Arc<str>, Option<Arc<str>>)> {
        let alarms = cx.world.fleet.alarms();
        let alarm = find(&alarms, self.list.id()?)?;
        Some((alarm.name().into(), Some(alarm.subject().into())))
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus::default()
    }

    fn is_startled(&self, now: Timestamp) -> bool {
        self.list.is_startled(now)
    }
}

/// What is wrong with Alertmanager itself.
fn problem(cx: Cx<'_>) -> Option<(String, String)> {
    let facts = cx.world.fleet.sources.get(&Source::Alerts)?;
    let fault = facts.state.fault.as_ref()?;
    let what = match facts.freshness(Source::Alerts, cx.now) {
        Freshness::Live(_) => return None,
        _ => fault.to_string(),
    };
    Some((what, "its alerts are as old as the title says; our own go on".to_owned()))
}

fn panel<'a>(cx: Cx<'_>, area: Rect, problem: Option<&'a (String, String)>) -> Panel<'a> {
    let told = cx.world.fleet.sources.get(&Source::Alerts).map(|facts| facts.freshness(Source::Alerts, cx.now));
    Panel {
        freshness: told,
        source: if told.is_some() { "am" } else { "" },
        progress: if told.is_none() { "own only" } else { "" },
        problem: problem.map(|(what, remedy)| (what.as_str(), remedy.as_str())),
        is_focused: true,
        is_bare: area.height < 16,
        ..Panel::default()
    }
}

/// The rows; below them a line about what could not be judged, where there is room.
fn parts(cx: Cx<'_>, area: Rect) -> Rect {
    let problem = problem(cx);
    let inside = panel(cx, area, problem.as_ref()).inner(area);
    if inside.height < 6 || cx.world.fleet.findings.unknown().next().is_none() {
        return inside;
    }
    Rect { height: inside.height - 1, ..inside }
}

/// `not judged: PodStuck (the use of pods), …`
fn unknown(cx: Cx<'_>) -> String {
    let told: Vec<String> =
        cx.world.fleet.findings.unknown().map(|(alert, why)| format!("{} ({why})", alert.word())).collect();
    format!("not judged: {}", told.join(", "))
}

/// What an empty list means.
fn calm(cx: Cx<'_>, filter: &str) -> (String, Option<(&'static str, &'static str)>) {
    let fleet = &cx.world.fleet;
    if !filter.is_empty() {
        return (format!("no alert passes `{filter}`"), Some(("Esc", "clears the filter")));
    }
    if fleet.sources.is_empty() {
        let why = "nothing is judged: no cluster, no Prometheus and no Alertmanager is configured".to_owned();
        return (why, Some(("5", "shows what to write where")));
    }
    let own = fleet.findings.unknown().count();
    let judged = Alert::ALL.len() - own;
    let told = match fleet.sources.get(&Source::Alerts).map(|facts| facts.freshness(Source::Alerts, cx.now)) {
        None => "; Alertmanager is not configured",
        Some(Freshness::Live(_)) => "; Alertmanager holds none",
        Some(_) => "; what Alertmanager holds is not known",
    };
    (format!("no alert: {judged} of our own {} can be judged, and hold for nothing{told}", Alert::ALL.len()), None)
}
