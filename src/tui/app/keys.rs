//! From a key to what happens: the overlay first, then the screen, then the app itself.

use std::time::Duration;

use super::overlay::{Overlay, sigil};
use super::preview::Preview;
use super::{App, Bookmark, Wish};
use crate::ci::{JobId, Timestamp};
use crate::console::actions::{Object, Plan, Verb};
use crate::console::effect::Fetch;
use crate::console::event::Intent;
use crate::console::fleet::System;
use crate::console::input::{InputEvent, Key};
use crate::console::loops::{DAEMON_CHOOSES, Phase};
use crate::console::messages::Level;
use crate::console::registry::{ActionId, Kind, Scope};
use crate::console::state::JobState;
use crate::console::text::plural;
use crate::tui::keys::Step;
use crate::tui::list::jobs_for;
use crate::tui::screen::{Ask, Cx, Place, Reaction};
use crate::tui::widgets::{Line, Look};

/// Lines that leave the console in one go.
const PLAIN_LINES: u64 = 50_000;
/// Two interrupts within this offer to quit.
const TWICE: Duration = Duration::from_secs(1);

impl App {
    /// Takes what the terminal sent.
    pub fn input(&mut self, event: InputEvent, now: Timestamp) -> Vec<Wish> {
        self.dirty = true;
        match event {
            InputEvent::Key(key) => self.key(key, now),
            InputEvent::Paste(text) => {
                // Pasted text is typed into a line; it never runs commands.
                if let Some(line) = self.line() {
                    line.insert(&text);
                    self.line_changed(now);
                }
                Vec::new()
            }
            // It may have had yet another size meanwhile, and lost what did not fit.
            InputEvent::Resize { .. } => vec![Wish::Repaint],
            InputEvent::Focus(_) | InputEvent::Background(_) => Vec::new(),
            InputEvent::Closed => vec![Wish::Quit],
        }
    }

    fn key(&mut self, key: Key, now: Timestamp) -> Vec<Wish> {
        // Errors stay until a key was pressed after they were seen.
        self.said.retain(|s| s.level != Level::Error || now.since(s.at) < Duration::from_secs(1));
        if let Some(awaited) = self.awaited.take() {
            return match (key.text(), awaited) {
                (Some(letter), Bookmark::Set) => {
                    self.bookmark(letter, now);
                    Vec::new()
                }
                (Some(letter), Bookmark::Go) => self.go_to_bookmark(letter, now),
                (None, _) => Vec::new(),
            };
        }
        let scope = self.scope();
        if scope == Scope::Prompt
            && self.pending.is_empty()
            && let Some(c) = key.text()
        {
            if let Some(line) = self.line() {
                line.insert(c.encode_utf8(&mut [0; 4]));
            }
            self.line_changed(now);
            return Vec::new();
        }
        match self.setup.keymap.step(scope, &mut self.pending, key) {
            Step::Run(action) => {
                self.pending_since = None;
                let mut wishes = self.run_action(action, now);
                self.settle(now);
                wishes.extend(self.refocus(now));
                wishes
            }
            Step::Pending => {
                self.pending_since.get_or_insert(now);
                Vec::new()
            }
            Step::Unbound | Step::Cancelled => {
                self.pending_since = None;
                Vec::new()
            }
        }
    }

    /// Does what an action asks.
    pub fn run_action(&mut self, action: ActionId, now: Timestamp) -> Vec<Wish> {
        if let Some(wishes) = self.overlay_action(action, now) {
            return wishes;
        }
        if action.action().kind == Kind::Mutate && self.screen.is_startled(now) {
            self.say(true, "the row under the cursor vanished; look, then press again", now);
            return Vec::new();
        }
        let look = Look { theme: &self.setup.theme, glyphs: &self.setup.glyphs };
        let cx = Cx { world: &self.world, look, now, marks: &self.marks };
        let reaction = self.screen.act(action, cx);
        match reaction {
            Reaction::Unhandled => self.app_action(action, now),
            other => self.react(other, now),
        }
    }

    fn react(&mut self, reaction: Reaction, now: Timestamp) -> Vec<Wish> {
        match reaction {
            Reaction::Unhandled | Reaction::Done => Vec::new(),
            Reaction::Go(place) => self.go(place, now),
            Reaction::Back => self.back(now),
            Reaction::Mark { jobs, on } => {
                for job in jobs {
                    if on {
                        self.marks.insert(job);
                    } else {
                        self.marks.remove(&job);
                    }
                }
                Vec::new()
            }
            Reaction::Ask { what, text } => {
                let mut line = self.lines.remove(sigil(what)).unwrap_or_default();
                line.set(&text);
                self.overlay = Some(Overlay::Prompt { what, line, before: text, error: None });
                Vec::new()
            }
            Reaction::Say { error, text } => {
                self.say(error, text, now);
                Vec::new()
            }
            Reaction::Explain(what) => {
                self.overlay = Some(Overlay::Explain { what, top: 0 });
                Vec::new()
            }
            Reaction::Copy { text, what } => vec![Wish::Copy { text, what }],
            Reaction::Intend(intent) => vec![Wish::Intend(intent)],
            Reaction::Command(text) => {
                let mut palette = self.palette(false);
                palette.line.set(&text);
                self.overlay = Some(Overlay::Palette(palette));
                Vec::new()
            }
            Reaction::All(parts) => parts.into_iter().flat_map(|part| self.react(part, now)).collect(),
        }
    }

    /// What the app itself knows; screens did not want it.
    fn app_action(&mut self, action: ActionId, now: Timestamp) -> Vec<Wish> {
        match action {
            ActionId::ScreenOverview => self.go(Place::Overview, now),
            ActionId::ScreenPipelines => self.go(Place::Pipelines, now),
            ActionId::ScreenDag => {
                let pipeline = self.screen.selection(self.cx(now)).pipeline.or_else(|| self.worst_pipeline());
                self.go(Place::Dag { pipeline, job: None }, now)
            }
            ActionId::ScreenJobs => {
                let pipeline = match self.screen.place() {
                    Place::Dag { pipeline, .. } => pipeline,
                    _ => None,
                };
                self.go(Place::Jobs { pipeline, filter: String::new() }, now)
            }
            ActionId::ScreenErrors => self.go(Place::Errors, now),
            // It is open already, wherever its cursor is.
            ActionId::ScreenCaches if matches!(self.screen.place(), Place::Caches { .. }) => Vec::new(),
            ActionId::ScreenCaches => self.go(Place::Caches { root: None }, now),
            ActionId::CachesList => self.list_caches(now),
            ActionId::ScreenLoops => self.go(Place::Loops, now),
            ActionId::ScreenAudit => self.go(Place::Audit, now),
            ActionId::AppMessages => self.go(Place::Messages, now),
            ActionId::ScreenFleet if matches!(self.screen.place(), Place::Fleet { .. }) => Vec::new(),
            ActionId::ScreenFleet => self.go(Place::Fleet { job: None, filter: String::new() }, now),
            ActionId::ScreenAlerts if matches!(self.screen.place(), Place::Alerts { .. }) => Vec::new(),
            ActionId::ScreenAlerts => self.go(Place::Alerts { filter: String::new() }, now),
            ActionId::JobsPod => self.go_to_pod(now),
            ActionId::ScreenBridge => self.go(Place::Pulls, now),
            ActionId::ScreenBot | ActionId::JobsWatch => {
                self.say(false, format!("{}: not in this version yet", action.action().title), now);
                Vec::new()
            }
            ActionId::ViewBack | ActionId::HistoryBack => self.back(now),
            ActionId::HistoryForward => self.forward(now),
            ActionId::ScreenLast => self.last_place(now),
            ActionId::BookmarkSet => {
                self.awaited = Some(Bookmark::Set);
                Vec::new()
            }
            ActionId::BookmarkGo => {
                self.awaited = Some(Bookmark::Go);
                Vec::new()
            }
            ActionId::ListMarkNone => {
                self.marks.clear();
                Vec::new()
            }
            ActionId::FindAnywhere => {
                self.overlay = Some(Overlay::Palette(self.palette(true)));
                Vec::new()
            }
            ActionId::AppCommand => {
                self.overlay = Some(Overlay::Palette(self.palette(false)));
                Vec::new()
            }
            ActionId::AppHelp => {
                self.overlay = Some(Overlay::Help { line: Line::default(), chosen: 0 });
                Vec::new()
            }
            ActionId::JobsRetry => self.plan(Verb::Retry, action, now),
            ActionId::JobsCancel => self.plan(Verb::Cancel, action, now),
            ActionId::JobsPlay => self.plan(Verb::Play, action, now),
            ActionId::ErrorsTeach => {
                self.teach(now);
                Vec::new()
            }
            ActionId::AlertsAck => {
                if self.screen.failures(self.cx(now)).is_none() {
                    self.say(false, "acknowledge a class, a signature or an alert: `6` and `g a` list them", now);
                    return Vec::new();
                }
                self.react(Reaction::Ask { what: Ask::Note, text: String::new() }, now)
            }
            ActionId::RunnersPause | ActionId::NodesCordon | ActionId::PodsDelete | ActionId::AlertsSilence => {
                self.plan_fleet(action, now)
            }
            ActionId::BridgeResync => self.plan_resync(now),
            ActionId::LoopsAll if self.world.attachment.is_some() => {
                self.react(Reaction::complain(DAEMON_CHOOSES), now)
            }
            ActionId::LoopsAll => {
                let verb = if self.world.loops.switched().any(|state| state.phase != Phase::Stopped) {
                    "stop"
                } else {
                    "start"
                };
                self.react(Reaction::Command(format!("loops {verb} all")), now)
            }
            ActionId::JobsExplain => {
                self.explain(now);
                // The report of its generation may have to be read first.
                self.refocus(now).into_iter().collect()
            }
            ActionId::HoldUndo => match self.world.actions.held().first().map(|h| h.plan.id.clone()) {
                Some(plan) => vec![Wish::Intend(Intent::Undo { plan, who: std::sync::Arc::clone(&self.setup.who) })],
                None => {
                    self.say(false, "nothing is held", now);
                    Vec::new()
                }
            },
            ActionId::AuditCompensate => self.compensate(now),
            ActionId::AppReadonly | ActionId::AppDryRun => self.switch(action, "", now),
            ActionId::LogPlain | ActionId::LogPager => self.plain_log(now),
            ActionId::AppPerf => {
                self.perf = !self.perf;
                Vec::new()
            }
            ActionId::AppRedraw => vec![Wish::Redraw],
            ActionId::AppSuspend => vec![Wish::Suspend],
            ActionId::AppInterrupt => {
                let again = self.interrupted_at.is_some_and(|at| now.since(at) < TWICE);
                self.interrupted_at = Some(now);
                if again {
                    return self.quit();
                }
                self.say(false, "press again to quit", now);
                Vec::new()
            }
            ActionId::AppQuit => self.quit(),
            _ => Vec::new(),
        }
    }

    /// Goes to the pod of the job under the cursor; where there is none, says why.
    fn go_to_pod(&mut self, now: Timestamp) -> Vec<Wish> {
        let selected = self.screen.selection(self.cx(now)).jobs.first().copied();
        let Some(job) = selected.and_then(|id| self.world.job(id)) else {
            self.say(false, "no job is under the cursor", now);
            return Vec::new();
        };
        let place = self.world.place_of(job);
        match place.pod.gap() {
            None => {
                let job = Some(job.id);
                self.go(Place::Fleet { job, filter: String::new() }, now)
            }
            Some(gap) => {
                let why = if self.world.fleet.is_configured(System::Kubernetes) {
                    gap.to_string()
                } else {
                    "no cluster is configured (kubernetes.kubeconfig)".to_owned()
                };
                self.say(false, format!("job {} has no pod here: {why}", job.id), now);
                Vec::new()
            }
        }
    }

    /// Lists the mirrors of binary caches, unless that is under way.
    fn list_caches(&mut self, now: Timestamp) -> Vec<Wish> {
        let mirrors = self.world.caches.mirrors.len() as u64;
        if mirrors == 0 {
            self.say(true, "no mirror of binary caches is configured; name some in `cache.mirrors`", now);
            return Vec::new();
        }
        if self.world.polling.is_in_flight(Fetch::Caches) {
            self.say(false, "the mirrors are being listed already", now);
        } else {
            self.say(false, format!("listing {}", plural(mirrors, "mirror")), now);
        }
        vec![Wish::Intend(Intent::ListCaches)]
    }

    /// The log on the screen as plain lines, as far as it is in memory.
    fn plain_log(&mut self, now: Timestamp) -> Vec<Wish> {
        let log = self.screen.focus(self.cx(now)).log.and_then(|job| self.world.log(job));
        let Some(log) = log else { return Vec::new() };
        let rows = log.doc.rows(0..log.doc.lines().min(PLAIN_LINES)).rows;
        let mut text = String::new();
        for row in rows.iter().filter(|row| !row.loading) {
            text.extend(row.spans.iter().map(|span| span.text.as_str()));
            text.push('\n');
        }
        vec![Wish::Plain(text)]
    }

    /// Plans that quitting would take back; one confirmed a moment ago is among them.
    pub(super) fn held(&self) -> usize {
        self.world.actions.held().len() + self.confirmed.len()
    }

    pub(super) fn quit(&mut self) -> Vec<Wish> {
        // A daemon sends what was confirmed whoever leaves.
        let is_kept = self.world.attachment.is_some();
        if is_kept || self.held() == 0 && self.world.actions.running().next().is_none() {
            return vec![Wish::Quit];
        }
        self.overlay = Some(Overlay::Quit);
        Vec::new()
    }

    /// The pipeline with most failures: what `3` shows when nothing is selected.
    fn worst_pipeline(&self) -> Option<crate::ci::PipelineId> {
        let failed = |f: &&crate::console::world::PipelineFacts| f.jobs.value.counts().get(JobState::Fail);
        let children = self.world.pipelines.value.values().filter(|f| f.pipeline.parent.is_some());
        children.max_by_key(failed).or_else(|| self.world.parents().next()).map(|f| f.pipeline.id)
    }

    /// Opens the preview of a plan for the marks, or for the selection when nothing is marked.
    fn plan(&mut self, verb: Verb, action: ActionId, now: Timestamp) -> Vec<Wish> {
        let selection = self.screen.selection(self.cx(now));
        let is_group = selection.is_group && self.marks.is_empty();
        let jobs: Vec<JobId> = if !self.marks.is_empty() {
            self.marks.iter().copied().collect()
        } else if !selection.jobs.is_empty() {
            selection.jobs
        } else {
            selection.pipeline.map_or_else(Vec::new, |p| jobs_for(action, &self.world, p))
        };
        if jobs.is_empty() {
            self.say(false, format!("nothing here to {}", verb.word()), now);
            return Vec::new();
        }
        let plan = match verb {
            Verb::Retry if is_group => Plan::retry_group(&self.world, jobs, now),
            _ => Plan::for_jobs(&self.world, verb, jobs, now),
        };
        self.overlay = Some(Overlay::Preview(Box::new(Preview::new(plan))));
        Vec::new()
    }

    /// Opens the preview of a plan for what of the fleet is under the cursor.
    fn plan_fleet(&mut self, action: ActionId, now: Timestamp) -> Vec<Wish> {
        let objects = self.screen.selection(self.cx(now)).objects;
        let fleet = &self.world.fleet.objects;
        let verb_of = |object: &Object| match (action, object) {
            (ActionId::RunnersPause, Object::Runner(id)) => {
                let is_paused = fleet.runner(*id).and_then(|runner| runner.is_paused);
                Some(if is_paused == Some(true) { Verb::Resume } else { Verb::Pause })
            }
            (ActionId::NodesCordon, Object::Node(node)) => {
                let is_cordoned = fleet.node(&node.name).is_some_and(|node| node.is_cordoned);
                Some(if is_cordoned { Verb::Uncordon } else { Verb::Cordon })
            }
            (ActionId::PodsDelete, Object::Pod(_)) => Some(Verb::Delete),
            (ActionId::AlertsSilence, Object::Silence(_)) => Some(Verb::Silence),
            _ => None,
        };
        let Some((verb, object)) = objects.into_iter().find_map(|object| Some((verb_of(&object)?, object))) else {
            let what = match action {
                ActionId::RunnersPause => "no runner of GitLab's list",
                ActionId::NodesCordon => "no node",
                ActionId::PodsDelete => "no pod of a job",
                _ => "no alert of Alertmanager's",
            };
            self.say(false, format!("{what} is under the cursor"), now);
            return Vec::new();
        };
        if verb == Verb::Silence {
            return self.react(Reaction::Ask { what: Ask::Silence, text: String::new() }, now);
        }
        self.preview_fleet(verb, vec![object], now)
    }

    /// Opens the preview of a plan for the pull request under the cursor.
    fn plan_resync(&mut self, now: Timestamp) -> Vec<Wish> {
        let objects = self.screen.selection(self.cx(now)).objects;
        let number = objects.into_iter().find_map(|object| match object {
            Object::PullRequest(number) => Some(number),
            _ => None,
        });
        match number {
            Some(number) => {
                let plan = Plan::resync(&self.world, [number], now);
                self.overlay = Some(Overlay::Preview(Box::new(Preview::new(plan))));
            }
            None => self.say(false, "no pull request is under the cursor; `8` lists them", now),
        }
        Vec::new()
    }

    /// Opens the preview of a plan for the fleet.
    pub(super) fn preview_fleet(&mut self, verb: Verb, objects: Vec<Object>, now: Timestamp) -> Vec<Wish> {
        let plan = Plan::for_fleet(&self.world, verb, objects, now);
        self.overlay = Some(Overlay::Preview(Box::new(Preview::new(plan))));
        Vec::new()
    }

    /// Plans to cancel what a retry made: the one under the cursor in the audit, or the newest.
    fn compensate(&mut self, now: Timestamp) -> Vec<Wish> {
        let selected = self.screen.selection(self.cx(now)).plan;
        let newest = || self.world.actions.done().next().map(|r| r.plan.id.clone());
        let made = selected.or_else(newest).map_or_else(Vec::new, |plan| self.world.actions.made_by(&plan));
        if made.is_empty() {
            self.say(false, "nothing to compensate: no retry of this session made a job here", now);
            return Vec::new();
        }
        let plan = Plan::for_jobs(&self.world, Verb::Cancel, made, now);
        self.overlay = Some(Overlay::Preview(Box::new(Preview::new(plan))));
        Vec::new()
    }
}
