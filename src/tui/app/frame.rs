//! The frame around the screen: status row, tabs, toast row, hints; and what lies over it.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};

use super::overlay::{Overlay, sigil};
use super::{App, explain};
use crate::ci::{Timestamp, short};
use crate::console::fleet::{Loudness, System};
use crate::console::fresh::{Completeness, Freshness};
use crate::console::messages::Level;
use crate::console::registry::{ActionId, Scope};
use crate::console::state::JobState;
use crate::console::text::{count_short, plural, width};
use crate::tui::screen::Place;
use crate::tui::screens::{ages, state_of};
use crate::tui::theme::Role;
use crate::tui::widgets::{Panel, Pen, Prompt, Toast, help, help_lines, hints, palette, popup, toast, which_key};

/// After this long a chord that was begun shows how it may go on.
pub const WHICH_KEY_AFTER: Duration = Duration::from_millis(400);
/// Notes go by themselves.
const INFO_FOR: Duration = Duration::from_secs(4);

/// The screens of this version, by the key that opens them.
const TABS: [(&str, &str, ActionId); 11] = [
    ("1", "Over", ActionId::ScreenOverview),
    ("2", "Pipes", ActionId::ScreenPipelines),
    ("3", "DAG", ActionId::ScreenDag),
    ("4", "Jobs", ActionId::ScreenJobs),
    ("5", "Fleet", ActionId::ScreenFleet),
    ("6", "Errors", ActionId::ScreenErrors),
    ("7", "Caches", ActionId::ScreenCaches),
    ("8", "PRs", ActionId::ScreenBridge),
    ("0", "Loops", ActionId::ScreenLoops),
    ("ga", "Alerts", ActionId::ScreenAlerts),
    ("gz", "Audit", ActionId::ScreenAudit),
];

impl App {
    /// Draws a frame; returns where the text cursor stands.
    pub fn draw(&mut self, now: Timestamp, buf: &mut Buffer) -> Option<Position> {
        let screen = buf.area;
        self.said.retain(|s| s.level == Level::Error || now.since(s.at) < INFO_FOR);
        let parts = split(screen, self.has_toast());
        // The screen comes first: settling may move its cursor, and hints follow it.
        self.body = parts.body;
        self.settle(now);
        let mut cursor = None;
        {
            let mut pen = Pen::new(buf, self.look());
            if screen.height < 6 || screen.width < 40 {
                self.one_line(now, screen, &mut pen);
            } else {
                self.status_row(now, parts.status, &mut pen);
                self.tab_row(parts.tabs, &mut pen);
                self.screen.draw(self.cx(now), parts.body, &mut pen);
                self.toast_row(now, parts.toast, &mut pen);
                cursor = self.hint_row(now, parts.hints, &mut pen);
                cursor = self.draw_overlay(now, screen, &mut pen).or(cursor);
            }
        }
        if let Some(Overlay::Preview(preview)) = &mut self.overlay {
            preview.seen(now);
        }
        self.dirty = false;
        self.drawn = Some(self.drawable(now));
        cursor
    }

    /// Too small for a frame: the worst state and its age, and the keys that always work.
    fn one_line(&self, now: Timestamp, screen: Rect, pen: &mut Pen<'_>) {
        let counts = self.world.counts();
        let worst = counts.worst().unwrap_or(JobState::Unknown);
        let known = self.world.jobs_known();
        let count = if known == Completeness::Whole && counts.total() == 0 {
            "no jobs".to_owned()
        } else {
            format!("{} {}", pen.look.glyphs.state(worst), known.count(counts.get(worst)))
        };
        let age = self.world.pipelines.age(now).map_or("?".to_owned(), short);
        let text = format!("{count} {age}");
        pen.put(screen.x, screen.y, screen.width, &text, Role::of(worst));
        let hold = self.world.actions.held().first().map(|h| format!("{} u undo", h.plan.summary()));
        let second = hold.or_else(|| self.said.front().map(|s| s.text.clone()));
        if let (Some(text), true) = (second, screen.height > 1) {
            pen.put(screen.x, screen.y + 1, screen.width, &text, Role::TextStrong);
        }
    }

    fn status_row(&self, now: Timestamp, row: Rect, pen: &mut Pen<'_>) {
        let glyphs = pen.look.glyphs;
        let narrow = row.width < 100;
        let world = &self.world;
        let mut x = row.x;
        let room = |x: u16| row.right().saturating_sub(x);
        let (context, role) = self.context(now, narrow);
        x += pen.put_all(x, row.y, room(x), [("stackhand ", Role::TextStrong), (&context, role)]);
        x += 1;
        let known = world.jobs_known();
        if known == Completeness::Partial {
            x += 1 + pen.put(x, row.y, room(x), glyphs.at_least, Role::TextDim);
        }
        for state in [JobState::Fail, JobState::Run, JobState::Wait, JobState::Ok] {
            if narrow && state == JobState::Ok {
                continue;
            }
            let n = world.counts().get(state);
            let is_unknown = known == Completeness::Unknown;
            let count = if is_unknown { "?".to_owned() } else { count_short(n as u64) };
            let role = if n == 0 || is_unknown { Role::TextDim } else { Role::of(state) };
            x += 1 + pen.put(x, row.y, room(x), &format!("{}{count}", glyphs.state(state)), role);
        }
        let (age, role) = source_age(world.pipelines.freshness(now, world.polling.rules.periods.list));
        let limited = world.server.limited_until.filter(|until| *until > now);
        let limit = limited.map_or(String::new(), |until| format!(" limit {}", short(until.since(now))));
        x += 1 + pen.put_all(
            x + 1,
            row.y,
            room(x + 1),
            [("gl ", Role::TextDim), (age.as_str(), role), (limit.as_str(), Role::FreshStale)],
        );
        let cx = self.cx(now);
        for system in [System::Kubernetes, System::Prometheus, System::Alertmanager] {
            let Some((age, role)) = state_of(cx, system).map(ages) else { continue };
            // Where there is little room, what is well says nothing, and the rest must leave room for the mode.
            if narrow && (role == Role::FreshLive || room(x) < 26) {
                continue;
            }
            x += 1 + pen.put_all(
                x + 1,
                row.y,
                room(x + 1),
                [(system.short(), Role::TextDim), (" ", Role::TextDim), (age.as_str(), role)],
            );
        }
        if let (firing @ 1.., Some(worst)) = world.fleet.firing() {
            let role = if worst == Loudness::Page { Role::SevPage } else { Role::SevWarn };
            x += 1 + pen.put(x + 1, row.y, room(x + 1), &format!("!{firing}"), role);
        }
        let mode = if world.read_only(now).is_some() {
            "ro"
        } else if world.rules.dry_run {
            "dry"
        } else {
            "rw"
        };
        let offset = self.setup.utc_offset;
        let clock = world.server_time(now).shifted(offset * 60_000).clock();
        let clock = if narrow { clock.get(..5).unwrap_or(&clock).to_owned() } else { clock };
        let right = format!("{mode}  {clock}{}", if offset == 0 { "Z" } else { "" });
        if x + width(&right) as u16 + 1 < row.right() {
            pen.put_right(row.x, row.y, row.width, &right, Role::TextDim);
        }
    }

    /// Whose world this is, and how long ago its daemon was heard if it no longer is.
    fn context(&self, now: Timestamp, narrow: bool) -> (String, Role) {
        let Some(attachment) = &self.world.attachment else { return (self.setup.context.clone(), Role::Title) };
        let pid = attachment.pid;
        match &attachment.lost {
            None if narrow => (format!("@{pid}"), Role::Title),
            None => (format!("attached to pid {pid}"), Role::Title),
            Some((since, _)) if narrow => (format!("lost {}", short(now.since(*since))), Role::FreshError),
            Some((since, _)) => (format!("lost pid {pid}, as of {} ago", short(now.since(*since))), Role::FreshError),
        }
    }

    fn tab_row(&self, row: Rect, pen: &mut Pen<'_>) {
        if row.height == 0 {
            return;
        }
        let here = self.screen.place();
        let is_here = |action: ActionId| {
            matches!(
                (action, &here),
                (ActionId::ScreenOverview, Place::Overview)
                    | (ActionId::ScreenPipelines, Place::Pipelines)
                    | (ActionId::ScreenDag, Place::Dag { .. })
                    | (ActionId::ScreenJobs, Place::Jobs { .. } | Place::Job(_))
                    | (ActionId::ScreenErrors, Place::Errors)
                    | (ActionId::ScreenCaches, Place::Caches { .. } | Place::Cache { .. })
                    | (ActionId::ScreenFleet, Place::Fleet { .. })
                    | (ActionId::ScreenAlerts, Place::Alerts { .. })
                    | (ActionId::ScreenBridge, Place::Pulls)
                    | (ActionId::ScreenLoops, Place::Loops)
                    | (ActionId::ScreenAudit, Place::Audit)
            )
        };
        let mut x = row.x + 1;
        for (key, title, action) in TABS {
            let role = if is_here(action) { Role::Title } else { Role::TextDim };
            x += 1 + pen.put_all(x, row.y, row.right().saturating_sub(x), [(key, Role::TextDim), (title, role)]);
        }
        let room = row.right().saturating_sub(x + 1);
        if room > 12 {
            pen.put_right(x + 1, row.y, room, &self.world.project, Role::TextDim);
        }
    }

    fn has_toast(&self) -> bool {
        !self.world.actions.held().is_empty() || !self.said.is_empty() || self.world.actions.running().next().is_some()
    }

    fn toast_row(&self, now: Timestamp, row: Rect, pen: &mut Pen<'_>) {
        if row.height == 0 {
            return;
        }
        let undo = self.chord(ActionId::HoldUndo);
        let held = self.world.actions.held().into_iter().map(|h| Toast::Hold {
            what: h.plan.summary(),
            seconds: h.due.since(now).as_secs_f64().ceil() as u64,
            undo: undo.clone(),
        });
        let running = self
            .world
            .actions
            .running()
            .map(|r| Toast::Info { what: format!("{}: {}", r.plan.summary(), r.report()), times: 1 });
        let said = self.said.iter().map(|s| match s.level {
            Level::Error => Toast::Error { what: s.text.clone(), times: s.times },
            Level::Info => Toast::Info { what: s.text.clone(), times: s.times },
        });
        let toasts: Vec<Toast> = held.chain(running).chain(said).collect();
        toast(pen, row, &toasts);
    }

    fn hint_row(&self, now: Timestamp, row: Rect, pen: &mut Pen<'_>) -> Option<Position> {
        if let Some(Overlay::Prompt { what, line, error, .. }) = &self.overlay {
            let note = error.as_deref().unwrap_or("Enter keeps it, Esc takes it back");
            return Some(Prompt { sigil: sigil(*what), line, wrong: None, note }.draw(pen, row));
        }
        if self.perf {
            let world = &self.world;
            let text = format!(
                "revision {}  requests {}  skew {} ms  said {}  marks {}",
                world.revision,
                world.server.requests,
                world.server.skew_ms,
                world.messages.iter().count(),
                self.marks.len()
            );
            pen.put(row.x, row.y, row.width, &text, Role::TextDim);
            return None;
        }
        let scope = match &self.overlay {
            Some(Overlay::Preview(_)) => Scope::Preview,
            _ => self.screen.scope(),
        };
        let wanted: &[ActionId] = match scope {
            Scope::Log => &[
                ActionId::TroubleNext,
                ActionId::LogFollow,
                ActionId::LogFold,
                ActionId::LogSearch,
                ActionId::JobsRetry,
                ActionId::ViewBack,
                ActionId::AppHelp,
            ],
            Scope::Dag => &[
                ActionId::TroubleNext,
                ActionId::JobsLog,
                ActionId::JobsRetry,
                ActionId::DagFailing,
                ActionId::DagCritical,
                ActionId::ListFilter,
                ActionId::AppHelp,
            ],
            Scope::Caches => match self.screen.place() {
                Place::Cache { spec: None, .. } => &[
                    ActionId::ListOpen,
                    ActionId::CachesView,
                    ActionId::JobsExplain,
                    ActionId::ListFilter,
                    ActionId::ListSort,
                    ActionId::CachesList,
                    ActionId::ViewBack,
                    ActionId::AppHelp,
                ],
                Place::Cache { .. } => &[
                    ActionId::JobsExplain,
                    ActionId::CopyId,
                    ActionId::CopySpec,
                    ActionId::CopyLink,
                    ActionId::ViewBack,
                    ActionId::AppHelp,
                ],
                _ => &[
                    ActionId::ListOpen,
                    ActionId::CachesList,
                    ActionId::JobsExplain,
                    ActionId::ListFilter,
                    ActionId::ListSort,
                    ActionId::AppCommand,
                    ActionId::AppHelp,
                ],
            },
            Scope::Fleet => match self.screen.place() {
                Place::Alerts { .. } => &[
                    ActionId::ListOpen,
                    ActionId::JobsExplain,
                    ActionId::AlertsAck,
                    ActionId::AlertsSilence,
                    ActionId::ListFilter,
                    ActionId::ViewBack,
                    ActionId::AppHelp,
                ],
                _ => &[
                    ActionId::ListOpen,
                    ActionId::JobsExplain,
                    ActionId::RunnersPause,
                    ActionId::NodesCordon,
                    ActionId::ListFilter,
                    ActionId::ListSort,
                    ActionId::AppHelp,
                ],
            },
            Scope::Controller => match self.screen.place() {
                Place::Loops if self.world.attachment.is_some() => &[
                    ActionId::ListOpen,
                    ActionId::LoopsRun,
                    ActionId::TroubleNext,
                    ActionId::AppCommand,
                    ActionId::AppHelp,
                ],
                Place::Loops => &[
                    ActionId::ListOpen,
                    ActionId::LoopsRun,
                    ActionId::LoopsSwitch,
                    ActionId::TroubleNext,
                    ActionId::AppCommand,
                    ActionId::AppHelp,
                ],
                _ => &[
                    ActionId::ListOpen,
                    ActionId::BridgeResync,
                    ActionId::TroubleNext,
                    ActionId::ListFilter,
                    ActionId::ListSort,
                    ActionId::AppCommand,
                    ActionId::AppHelp,
                ],
            },
            Scope::Preview => &[ActionId::PreviewConfirm, ActionId::PreviewRows, ActionId::PreviewCancel],
            _ => match self.screen.place() {
                Place::Overview => &[
                    ActionId::ListOpen,
                    ActionId::JobsDag,
                    ActionId::JobsRetry,
                    ActionId::ScreenJobs,
                    ActionId::AppCommand,
                    ActionId::AppHelp,
                ],
                Place::Fleet { .. } => &[
                    ActionId::ListOpen,
                    ActionId::ListRight,
                    ActionId::JobsExplain,
                    ActionId::ListFilter,
                    ActionId::ListSort,
                    ActionId::TroubleNext,
                    ActionId::AppHelp,
                ],
                Place::Alerts { .. } => &[
                    ActionId::ListOpen,
                    ActionId::JobsExplain,
                    ActionId::ListFilter,
                    ActionId::AppCommand,
                    ActionId::AppHelp,
                ],
                Place::Audit => {
                    &[ActionId::ListOpen, ActionId::AuditCompensate, ActionId::AppCommand, ActionId::AppHelp]
                }
                Place::Pulls => &[
                    ActionId::ListOpen,
                    ActionId::TroubleNext,
                    ActionId::ListFilter,
                    ActionId::ListSort,
                    ActionId::AppHelp,
                ],
                Place::Loops => &[ActionId::ListOpen, ActionId::TroubleNext, ActionId::AppCommand, ActionId::AppHelp],
                Place::Messages | Place::Later(_) => &[ActionId::HistoryBack, ActionId::AppCommand, ActionId::AppHelp],
                _ => &[
                    ActionId::ListOpen,
                    ActionId::JobsDag,
                    ActionId::JobsLog,
                    ActionId::ListMark,
                    ActionId::JobsRetry,
                    ActionId::ListFilter,
                    ActionId::AppCommand,
                    ActionId::AppHelp,
                ],
            },
        };
        let pairs: Vec<(String, String)> = wanted
            .iter()
            .map(|id| (self.chord(*id), id.action().title.to_lowercase()))
            .filter(|(chord, _)| !chord.is_empty())
            .collect();
        let marked = self.marked_note(now);
        hints(pen, row, pairs.iter().map(|(chord, word)| (chord.as_str(), word.as_str())), &marked);
        None
    }

    /// `37 marked`, wherever they are.
    fn marked_note(&self, _now: Timestamp) -> String {
        if self.marks.is_empty() { String::new() } else { format!("{} marked", self.marks.len()) }
    }

    pub(super) fn chord(&self, action: ActionId) -> String {
        self.setup.keymap.shortest(action).map_or(String::new(), |c| self.setup.glyphs.chord(c))
    }

    fn draw_overlay(&self, now: Timestamp, screen: Rect, pen: &mut Pen<'_>) -> Option<Position> {
        if self.is_which_key_due(now) {
            let scope = self.scope();
            let begun: Vec<String> = self.pending.keys().iter().map(|k| self.setup.glyphs.key(*k)).collect();
            which_key(pen, screen, &begun.join(" "), &self.setup.keymap.continuations(scope, &self.pending));
        }
        match &self.overlay {
            None | Some(Overlay::Prompt { .. }) => None,
            Some(Overlay::Palette(open)) => {
                Some(palette(pen, screen, &open.line, &open.entries, &open.ranked(), open.chosen, open.is_command()))
            }
            Some(Overlay::Help { line, chosen }) => {
                let lines = help_lines(&self.setup.keymap, self.screen.scope(), &self.setup.glyphs, line.text());
                Some(help(pen, screen, line, &lines, *chosen))
            }
            Some(Overlay::Preview(preview)) => preview.draw(pen, screen, &self.world, now),
            Some(Overlay::Quit) => {
                let inner = popup(pen, screen, Size::new(64, 5), &Panel { title: "Quit?", ..Panel::default() });
                let text = match (self.held() as u64, self.world.actions.running().count() as u64) {
                    (0, running) => {
                        format!("{} still being sent; what was not sent will not be.", plural(running, "plan"))
                    }
                    (held, _) => format!("{} held and not sent: quitting takes it back.", plural(held, "plan")),
                };
                pen.put(inner.x, inner.y, inner.width, &text, Role::Text);
                pen.put(inner.x, inner.y + 1, inner.width, "q quits   u undoes   Esc stays", Role::TextStrong);
                None
            }
            Some(Overlay::Teach(teach)) => teach.draw(pen, screen),
            Some(Overlay::Explain { what, top }) => {
                explain::draw(pen, screen, self.cx(now), what, *top);
                None
            }
        }
    }

    /// The innermost scope of keys.
    pub(super) fn scope(&self) -> Scope {
        match &self.overlay {
            Some(Overlay::Preview(preview)) if preview.wants_typing() => Scope::Prompt,
            Some(Overlay::Preview(_)) => Scope::Preview,
            Some(Overlay::Prompt { .. } | Overlay::Palette(_) | Overlay::Help { .. } | Overlay::Teach(_)) => {
                Scope::Prompt
            }
            Some(Overlay::Quit) => Scope::Global,
            Some(Overlay::Explain { .. }) => Scope::List,
            None => self.screen.scope(),
        }
    }
}

/// `4s`, `loading`, `STALE 3m`, `ERROR`.
fn source_age(freshness: Freshness) -> (String, Role) {
    match freshness {
        Freshness::Live(age) => (short(age), Role::FreshLive),
        Freshness::Partial => ("partial".to_owned(), Role::FreshPartial),
        Freshness::Loading => ("loading".to_owned(), Role::FreshPartial),
        Freshness::Stale(age) => (format!("STALE {}", short(age)), Role::FreshStale),
        Freshness::Failed => ("ERROR".to_owned(), Role::FreshError),
    }
}

struct Parts {
    status: Rect,
    tabs: Rect,
    body: Rect,
    toast: Rect,
    hints: Rect,
}

/// Rows by height: low screens lose the tabs, and the toast row while there is no toast.
fn split(screen: Rect, has_toast: bool) -> Parts {
    let row = |y: u16, height: u16| Rect { y: screen.y + y, height, ..screen };
    let tabs = u16::from(screen.height >= 10);
    let toast = u16::from(screen.height >= 24 || has_toast);
    let used = 1 + tabs + toast + 1;
    let body = screen.height.saturating_sub(used);
    Parts {
        status: row(0, 1.min(screen.height)),
        tabs: row(1, tabs),
        body: row(1 + tabs, body),
        toast: row(1 + tabs + body, toast),
        hints: row(screen.height.saturating_sub(1), 1.min(screen.height)),
    }
}
