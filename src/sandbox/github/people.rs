//! What people do by themselves, in virtual time: they push, force, label, close, merge; and checks end.

use std::cmp::Reverse;

use super::super::git::Oid;
use super::super::people::TOUCHED;
use super::super::rng::Rng;
use super::acts::Act;
use super::cast::{PRECHECKS, URGENT};
use super::hub::Hub;
use super::pr::{Judged, Pull};
use crate::ci::Timestamp;

const MINUTE: i64 = 60_000;

/// Something that will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The act of that running number.
    Act(u64),
    CheckEnds(Oid, &'static str, &'static str),
    /// GitHub has found out whether it can be merged.
    Judged(u64),
    /// The API tells of the head that git has.
    CatchesUp(u64),
}

impl Hub {
    /// Lets time pass until `to`. Cutting the way into steps changes nothing that people do.
    pub fn advance_to(&mut self, to: Timestamp) {
        while let Some(Reverse((at, _, event))) = self.events.peek().copied().filter(|Reverse((at, ..))| *at <= to) {
            self.events.pop();
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(to);
    }

    /// People do nothing by themselves any more; what they began goes on.
    pub fn pause(&mut self) {
        self.events.retain(|Reverse((_, _, event))| !matches!(event, Event::Act(_)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(n) => {
                self.something(n);
                let gap = 2 * MINUTE + Rng::of(self.seed, "act gap", n).below(5 * MINUTE as u64) as i64;
                self.plan(self.now.shifted(gap), Event::Act(n + 1));
            }
            Event::CheckEnds(head, name, conclusion) => {
                let runs = self.checks.get(&head).into_iter().flatten();
                if runs.into_iter().any(|check| *check.name == *name && check.ended.is_none()) {
                    self.end_check(head, name, conclusion);
                }
            }
            Event::Judged(number) => {
                if self.pulls.get(&number).is_some_and(|pull| pull.judged == Judged::Slow) {
                    self.judge(number);
                }
            }
            // Closed meanwhile, or told already.
            Event::CatchesUp(number) => drop(self.act(number, Act::CatchUp)),
        }
    }

    fn something(&mut self, n: u64) {
        let mut rng = Rng::of(self.seed, "act", n);
        let fate = rng.unit();
        let open: Vec<&Pull> = self.pulls.values().filter(|pull| pull.is_open()).collect();
        // Those that something has happened to lately are those that something happens to.
        let recent: Vec<u64> = open
            .iter()
            .filter(|pull| self.now.since(pull.updated_at).as_secs() < 48 * 3_600)
            .map(|pull| pull.number)
            .collect();
        let number = *rng.pick(&recent, &open.first().map_or(0, |pull| pull.number));
        let Some(pull) = self.pulls.get(&number) else { return };
        let act = match fate {
            ..0.18 => {
                let package = *rng.pick(TOUCHED, &"hdf5");
                let name = *rng.pick(&["add-version", "fix/build", "wip", "langs", "täglich"], &"change");
                // Develop is there.
                let _ = self.open_pull(&format!("{name}-{n}"), package);
                return;
            }
            ..0.42 => Act::Push,
            ..0.54 => Act::ForcePush,
            ..0.58 => Act::PushUnseen,
            ..0.60 => Act::Conflict,
            ..0.66 if pull.labels.iter().any(|label| **label == *URGENT) => Act::Unlabel(URGENT.into()),
            ..0.66 => Act::Label(URGENT.into()),
            ..0.72 if pull.is_draft => Act::Ready,
            ..0.72 => Act::Draft,
            ..0.77 => Act::Close,
            ..0.88 => Act::Merge,
            ..0.90 => Act::Retarget(Self::release()),
            ..0.91 => Act::DeleteFork,
            ..0.96 => Act::Check { name: PRECHECKS.into(), conclusion: "success" },
            _ => Act::Comment("Could somebody look at this?".into()),
        };
        if act == Act::PushUnseen {
            self.plan(self.now.shifted(MINUTE), Event::CatchesUp(number));
        }
        // A conflict cannot be merged; then nothing happens this time.
        let _ = self.act(number, act);
    }
}
