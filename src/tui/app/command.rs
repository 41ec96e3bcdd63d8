//! What the palette's words do with what follows them.

use std::sync::Arc;

use super::overlay::Overlay;
use super::palette::{Typed, job_or_pipeline};
use super::preview::Preview;
use super::{App, Wish};
use crate::ci::{JobId, Timestamp};
use crate::console::actions::{Plan, Verb};
use crate::console::event::Intent;
use crate::console::filter::Filter;
use crate::console::loops::LoopOrder;
use crate::console::registry::ActionId;
use crate::tui::screen::{Ask, Cx, Place};
use crate::tui::widgets::Look;

impl App {
    /// Runs a palette command with its argument.
    pub(super) fn command(&mut self, typed: Typed, now: Timestamp) -> Vec<Wish> {
        let Typed { action, argument } = typed;
        if argument.is_empty() {
            return match action {
                ActionId::AppTheme => self.switch_theme("", now),
                ActionId::AppKeymap => self.switch_keymap("", now),
                other => self.run_action(other, now),
            };
        }
        match action {
            ActionId::ScreenJobs | ActionId::ListFilter => {
                match Filter::parse(&argument) {
                    Ok(_) => return self.go(Place::Jobs { pipeline: None, filter: argument }, now),
                    Err(error) => self.say(true, format!("filter: {error}"), now),
                }
                Vec::new()
            }
            ActionId::JobsRetry => self.plan_filter(Verb::Retry, &argument, now),
            ActionId::JobsCancel => self.plan_filter(Verb::Cancel, &argument, now),
            ActionId::JobsPlay => self.plan_filter(Verb::Play, &argument, now),
            ActionId::GoPipeline => match job_or_pipeline(&argument) {
                Some((_, pipeline)) if self.world.pipeline(pipeline).is_some() => {
                    self.go(Place::Dag { pipeline: Some(pipeline), job: None }, now)
                }
                _ => {
                    self.say(true, format!("no pipeline `{argument}` is known; `2` lists those that are"), now);
                    Vec::new()
                }
            },
            ActionId::ScreenLoops => match LoopOrder::read(&argument) {
                Ok(order) => {
                    let mut wishes = self.go(Place::Loops, now);
                    let orders = self.world.loops.meant(&order);
                    if orders.is_empty() {
                        self.say(false, "there is no loop about which that would change anything", now);
                    }
                    wishes.extend(orders.into_iter().map(|order| Wish::Intend(Intent::SwitchLoop(order))));
                    wishes
                }
                Err(error) => {
                    self.say(true, error, now);
                    Vec::new()
                }
            },
            ActionId::AppTheme => self.switch_theme(&argument, now),
            ActionId::AppKeymap => self.switch_keymap(&argument, now),
            ActionId::AppReadonly | ActionId::AppDryRun => self.switch(action, &argument, now),
            other => {
                let mut wishes = self.run_action(other, now);
                let look = Look { theme: &self.setup.theme, glyphs: &self.setup.glyphs };
                let cx = Cx { world: &self.world, look, now, marks: &self.marks };
                if let Err(error) = self.screen.typed(Ask::Filter, &argument, true, cx) {
                    self.say(true, error, now);
                }
                wishes.extend(self.refocus(now));
                wishes
            }
        }
    }

    fn plan_filter(&mut self, verb: Verb, text: &str, now: Timestamp) -> Vec<Wish> {
        let filter = match Filter::parse(text) {
            Ok(filter) => filter,
            Err(error) => {
                self.say(true, format!("filter: {error}"), now);
                return Vec::new();
            }
        };
        let server_now = self.world.server_time(now);
        let jobs: Vec<JobId> = self
            .world
            .jobs()
            .filter(|j| filter.matches(&self.world.subject(j, now), server_now))
            .map(|j| j.id)
            .collect();
        if jobs.is_empty() {
            self.say(false, format!("no job passes `{text}`"), now);
            return Vec::new();
        }
        let plan = Plan::for_jobs(&self.world, verb, jobs, now);
        self.overlay = Some(Overlay::Preview(Box::new(Preview::new(plan))));
        Vec::new()
    }

    fn switch_theme(&mut self, name: &str, now: Timestamp) -> Vec<Wish> {
        if name.is_empty() {
            self.say(false, format!("theme {}; `:theme dusk` changes it", self.setup.theme.name()), now);
        } else {
            match (self.setup.load.theme)(name) {
                Ok(theme) => self.set_theme(theme),
                Err(error) => self.say(true, error, now),
            }
        }
        Vec::new()
    }

    fn switch_keymap(&mut self, name: &str, now: Timestamp) -> Vec<Wish> {
        if name.is_empty() {
            self.say(false, format!("keymap {}; `:keymap emacs` changes it", self.setup.keymap.name()), now);
        } else {
            match (self.setup.load.keymap)(name) {
                Ok(keymap) => self.set_keymap(keymap),
                Err(error) => self.say(true, error, now),
            }
        }
        Vec::new()
    }

    /// `:readonly` and `:dry-run`: `on`, `off`, or nothing to toggle. Read-only can be lifted only where the configuration allowed writing.
    pub(super) fn switch(&mut self, action: ActionId, argument: &str, now: Timestamp) -> Vec<Wish> {
        let rules = &self.world.rules;
        let is_readonly = action == ActionId::AppReadonly;
        let is_on = if is_readonly { rules.read_only.is_some() } else { rules.dry_run };
        let on = match argument {
            "on" => true,
            "off" => false,
            "" => !is_on,
            other => {
                self.say(true, format!("`{other}`: say on or off"), now);
                return Vec::new();
            }
        };
        let mut rules = (**rules).clone();
        if is_readonly {
            let by_hand = "read-only: `:readonly off` lifts it";
            match (&rules.read_only, on) {
                (Some(reason), false) if reason != by_hand => {
                    self.say(true, format!("cannot be lifted here: {reason}"), now);
                    return Vec::new();
                }
                _ => rules.read_only = on.then(|| by_hand.to_owned()),
            }
        } else {
            rules.dry_run = on;
        }
        self.say(false, format!("{} {}", action.action().title, if on { "on" } else { "off" }), now);
        vec![Wish::Intend(Intent::ChangeRules(Arc::new(rules)))]
    }
}
