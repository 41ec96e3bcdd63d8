//! Plans for pull requests: that the bridge takes one up anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::{Draft, Object, Plan, Target, Verb};
use crate::bridge::Verdict;
use crate::ci::{Timestamp, short};
use crate::console::world::World;
use crate::forge::PrNumber;

impl Plan {
    /// Makes a plan that has pull requests pushed again, as the bridge left them and the world shows them at `now`.
    pub fn resync(world: &World, prs: impl IntoIterator<Item = PrNumber>, now: Timestamp) -> Self {
        let mut draft = Draft::default();
        let mut is_again = false;
        for number in prs.into_iter().collect::<BTreeSet<PrNumber>>() {
            let object = Object::PullRequest(number);
            let Some(row) = world.board.value.as_ref().and_then(|board| board.row(number)) else {
                draft.skip(object, format!("#{number}").into(), "the bridge knows no open pull request of this number");
                continue;
            };
            let name: Arc<str> = format!("#{number} {}", row.title).into();
            if let Some(plan) = world.actions.pending_for(&object) {
                draft.skip(object, name, format!("already part of {plan}"));
                continue;
            }
            // A draft cannot go, whoever asks; what nobody has touched for long can.
            if row.verdict == Verdict::Refuse || row.is_idle && &*row.reason != "stale" {
                draft.skip(object, name, &*row.told);
                continue;
            }
            is_again |= row.verdict == Verdict::Pushed;
            draft.targets.push(Target {
                object,
                pipeline: None,
                name,
                status: row.head.as_str().into(),
                tries: 1,
                cause: Arc::clone(&row.reason),
            });
        }
        if !draft.targets.is_empty() {
            let heard = world.board.value.as_ref().and_then(|board| board.silence(world.server_time(now)));
            if let Some(age) = heard.map(short) {
                draft.notes.push(format!("no bridge was heard of for {age}: until one runs, nothing comes of this"));
            }
            draft
                .notes
                .push("the bridge decides anew at once: what failed before, and its age, hold nothing up".to_owned());
        }
        if is_again {
            draft
                .notes
                .push("a head that GitLab has is merged anew; where that differs, a new pipeline starts".to_owned());
        }
        draft.finish(world, Verb::Resync, &world.rules, now)
    }
}
