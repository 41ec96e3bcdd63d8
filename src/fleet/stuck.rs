//! Pods that do nothing: no CPU, no change of memory, no bytes in or out, for five minutes. The rule is that of production's recording rule,
//! except that every interface of the pod has to be idle, not any one of them: who acts on this deletes pods.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Knob, Thresholds, number};
use crate::ci::Timestamp;

/// Samples of one pod that are kept.
const MOST: usize = 64;

/// What a pod has used by a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub at: Timestamp,
    /// Seconds of CPU of the script's container since its start.
    #[serde(deserialize_with = "number")]
    pub cpu: f64,
    /// Its memory, in bytes.
    #[serde(deserialize_with = "number")]
    pub memory: f64,
    /// Bytes over all interfaces of the pod.
    #[serde(deserialize_with = "number")]
    pub received: f64,
    #[serde(deserialize_with = "number")]
    pub sent: f64,
}

/// What a judgement of standstill rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standstill {
    /// Since when the rule holds without a gap.
    pub since: Timestamp,
    /// The last use, which has not changed since.
    pub last: Usage,
}

/// Whether a pod is stuck.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stuck {
    /// Too few samples, too old ones, or ones that are no numbers.
    Unknown,
    Active,
    /// It does nothing, and not for long enough.
    Quiet(Standstill),
    Stuck(Standstill),
}

/// The last uses of one pod.
#[derive(Debug, Clone, Default)]
pub struct Uses(VecDeque<Usage>);

impl Uses {
    /// Takes a sample in; one that is not newer than the last is dropped.
    pub fn push(&mut self, usage: Usage) {
        if self.0.back().is_some_and(|last| last.at >= usage.at) {
            return;
        }
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(usage);
    }

    /// The oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Usage> {
        self.0.iter()
    }

    pub fn last(&self) -> Option<&Usage> {
        self.0.back()
    }

    /// Judges the pod by its samples.
    pub fn judge(&self, thresholds: &Thresholds, now: Timestamp) -> Stuck {
        let window = thresholds.time(Knob::StuckWindow);
        let Some(last) = self.0.back().filter(|last| now.since(last.at) <= window) else { return Stuck::Unknown };
        let mut since = None;
        for at in (0..self.0.len()).rev() {
            match self.is_quiet(at, window) {
                Some(true) => since = self.0.get(at).map(|usage| usage.at),
                Some(false) => break,
                // A gap ends what is known; at the end of the samples nothing is known at all.
                None if since.is_none() => return Stuck::Unknown,
                None => break,
            }
        }
        let Some(since) = since else { return Stuck::Active };
        let standstill = Standstill { since, last: *last };
        if now.since(since) >= thresholds.time(Knob::StuckFor) {
            Stuck::Stuck(standstill)
        } else {
            Stuck::Quiet(standstill)
        }
    }

    /// Whether the rule holds at a sample; `None` where it has no neighbour within the window or is no number.
    fn is_quiet(&self, at: usize, window: Duration) -> Option<bool> {
        let here = self.0.get(at)?;
        let before = self.0.get(at.checked_sub(1)?).filter(|before| here.at.since(before.at) <= window)?;
        let first = self.0.iter().find(|first| here.at.since(first.at) <= window)?;
        let numbers =
            [here.cpu, here.memory, here.received, here.sent, before.cpu, before.received, before.sent, first.memory];
        if numbers.iter().any(|number| !number.is_finite()) {
            return None;
        }
        // Counters are compared as they are: one that began anew is no standstill.
        let is_same = |a: f64, b: f64| a.total_cmp(&b).is_eq();
        let is_idle =
            is_same(here.cpu, before.cpu) && is_same(here.received, before.received) && is_same(here.sent, before.sent);
        // The rule needs the whole window: a pod that just began has not stood still for it.
        let spans = self.0.front().is_some_and(|oldest| here.at.since(oldest.at) >= window);
        Some(spans && is_idle && is_same(here.memory, first.memory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    /// The series of production's own rule test: busy for ten minutes, then nothing.
    fn usage(minute: i64) -> Usage {
        let busy = minute.min(10) as f64;
        Usage { at: at(minute), cpu: busy * 60.0, memory: busy * 1_000.0, received: busy * 100.0, sent: busy * 100.0 }
    }

    fn judge(uses: impl IntoIterator<Item = Usage>, now: i64) -> Stuck {
        let mut all = Uses::default();
        for usage in uses {
            all.push(usage);
        }
        all.judge(&Thresholds::default(), at(now))
    }

    #[test]
    fn a_pod_is_stuck_when_productions_alert_fires() {
        assert!(matches!(judge((0..=9).map(usage), 9), Stuck::Active));
        assert!(matches!(judge((0..=12).map(usage), 12), Stuck::Active), "memory still moved within the window");
        assert!(matches!(judge((0..=16).map(usage), 16), Stuck::Quiet(_)), "production does not fire at 16 min");
        let Stuck::Stuck(stuck) = judge((0..=19).map(usage), 19) else { panic!("production fires at 19 min") };
        assert_eq!((stuck.since, stuck.last.memory), (at(13), 10_000.0));
    }

    #[test]
    fn any_sign_of_life_begins_the_count_anew() {
        let change: [fn(&mut Usage); 4] =
            [|u| u.cpu += 1.0, |u| u.memory -= 1.0, |u| u.received += 1.0, |u| u.sent = 0.0];
        for change in change {
            let uses = (0..=19).map(|minute| {
                let mut one = usage(minute);
                if minute >= 17 {
                    change(&mut one);
                }
                one
            });
            assert!(!matches!(judge(uses, 19), Stuck::Stuck(_)));
        }
    }

    #[test]
    fn too_little_is_unknown_and_never_stuck() {
        assert_eq!(judge([], 0), Stuck::Unknown);
        assert_eq!(judge([usage(20)], 20), Stuck::Unknown);
        assert_eq!(judge((0..=19).map(usage), 23), Stuck::Unknown, "the samples are old");
        assert_eq!(judge((0..=3).map(|n| usage(n * 10)), 30), Stuck::Unknown, "too far apart");
        assert_eq!(judge((0..=19).map(|n| Usage { cpu: f64::NAN, ..usage(n) }), 19), Stuck::Unknown);
        let gap = (0..=12).chain(17..=21).map(usage);
        assert!(matches!(judge(gap, 21), Stuck::Quiet(_)), "a gap ends what is known");
        let turned = (0..=19).rev().map(usage);
        assert_eq!(judge(turned, 19), Stuck::Unknown, "older samples are dropped");
    }
}
