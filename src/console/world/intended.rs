//! What a person wants, and what it asks of the outside.

use std::sync::Arc;

use super::World;
use crate::ci::{PipelineId, Timestamp};
use crate::console::actions::Rules;
use crate::console::effect::{Effect, Fetch, Focus};
use crate::console::event::Intent;
use crate::console::failures::Ack;
use crate::console::loops::Switch;
use crate::console::messages::Level;

impl World {
    pub(super) fn intended(&mut self, intent: Intent, now: Timestamp) -> Vec<Effect> {
        let server_now = self.server_time(now);
        match intent {
            Intent::Focus(focus) => {
                self.polling.focus = focus;
                Vec::new()
            }
            Intent::Watch(foci) => {
                self.polling.watched = foci;
                Vec::new()
            }
            Intent::ListCaches => {
                self.polling.want(Fetch::Caches);
                let foci: Vec<Focus> = self.polling.foci().copied().collect();
                for focus in foci {
                    if let Some(root) = focus.cache {
                        self.polling.want(Fetch::Cache(root));
                    }
                    if let Some((root, hash)) = focus.binary {
                        self.polling.want(Fetch::Signature(root, hash));
                    }
                }
                Vec::new()
            }
            Intent::SwitchLoop(order) => {
                let acts = matches!(order.switch, Switch::Start { dry_run: false });
                match self.rules.read_only.as_ref().filter(|_| acts) {
                    Some(why) => {
                        let text = format!("loop {} not started: {why}; with --dry-run it only looks", order.name);
                        self.messages.say(Level::Error, text, now);
                        Vec::new()
                    }
                    None => vec![Effect::SwitchLoop(order)],
                }
            }
            Intent::Refresh(Some(pipeline)) => vec![Effect::Refresh(pipeline)],
            Intent::Refresh(None) => {
                let all: Vec<PipelineId> = self.followed(self.polling.rules.followed).map(|f| f.pipeline.id).collect();
                all.into_iter().map(Effect::Refresh).collect()
            }
            Intent::Hint(pipeline) => {
                let all = self.followed(self.polling.rules.followed).map(|f| f.pipeline.id);
                let changed: Vec<PipelineId> = pipeline.map_or_else(|| all.collect(), |id| vec![id]);
                for fetch in changed.into_iter().flat_map(|id| self.reads_of(id)).collect::<Vec<_>>() {
                    self.polling.hint(fetch);
                }
                Vec::new()
            }
            Intent::Confirm { plan, who } => {
                let mut rules = Arc::clone(&self.rules);
                let refused = if self.attachment.is_some() {
                    // The daemon has admitted it; what this console may not do by itself says nothing about the plans of others.
                    rules = Arc::new(Rules { dry_run: false, ..(*rules).clone() });
                    None
                } else if plan.project == self.project {
                    self.read_only(now)
                } else {
                    Some(format!("the plan is for {}, this is {}", plan.project, self.project))
                };
                let (summary, is_mine) = (plan.summary(), self.concerns_me(&who));
                match self.actions.hold(plan, who, &rules, refused, now, server_now) {
                    Ok(effects) => effects,
                    Err(reason) => {
                        if is_mine {
                            self.messages.say(Level::Error, format!("not sent: {summary}: {reason}"), now);
                        }
                        Vec::new()
                    }
                }
            }
            Intent::SaveRule(draft) => vec![Effect::SaveRule(draft)],
            Intent::ReadRules => vec![Effect::ReadRules],
            Intent::Acknowledge(ack) => {
                self.polling.want(Fetch::History);
                vec![Effect::StoreAck(Ack { created: server_now, ..ack })]
            }
            Intent::Undo { plan, who } => match self.actions.undo(&plan, &who, server_now) {
                Some(effects) => {
                    let by = if self.concerns_me(&who) { String::new() } else { format!(" by {who}") };
                    self.messages.say(Level::Info, format!("{plan} undone{by}, nothing was sent"), now);
                    effects
                }
                None => {
                    if self.concerns_me(&who) {
                        self.messages.say(Level::Error, format!("{plan} can no longer be undone: it was sent"), now);
                    }
                    Vec::new()
                }
            },
            Intent::OpenLog(job) => {
                self.open_log(job);
                self.polling.want_log(job);
                Vec::new()
            }
            Intent::ChangeRules(rules) => {
                self.rules = rules;
                Vec::new()
            }
            Intent::ReadLogPage { job, page } => vec![Effect::ReadLogPage { job, page }],
        }
    }
}
