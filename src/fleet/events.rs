//! The memory of events: by object, no more than so many, no older than an hour.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::event::{About, KubeEvent};
use super::wire::Uid;
use crate::ci::Timestamp;

/// Events that are kept.
const MOST: usize = 5_000;
/// For how long.
const KEPT: Duration = Duration::from_hours(1);

/// Events by object and by time.
#[derive(Debug, Clone, Default)]
pub(super) struct Events {
    known: HashMap<Uid, Arc<KubeEvent>>,
    times: BTreeSet<(Timestamp, Uid)>,
    objects: HashMap<About, BTreeSet<Uid>>,
}

impl Events {
    pub fn put(&mut self, event: Arc<KubeEvent>) {
        self.take(&event.uid);
        self.times.insert((event.at, event.uid.clone()));
        self.objects.entry(event.about.clone()).or_default().insert(event.uid.clone());
        self.known.insert(event.uid.clone(), event);
        while self.known.len() > MOST {
            let Some((_, oldest)) = self.times.first().cloned() else { break };
            self.take(&oldest);
        }
    }

    pub fn take(&mut self, uid: &Uid) {
        let Some(event) = self.known.remove(uid) else { return };
        self.times.remove(&(event.at, uid.clone()));
        if let Some(same) = self.objects.get_mut(&event.about) {
            same.remove(uid);
            if same.is_empty() {
                self.objects.remove(&event.about);
            }
        }
    }

    /// Forgets what is older than an hour.
    pub fn forget(&mut self, now: Timestamp) {
        while let Some((at, uid)) = self.times.first().cloned()
            && now.since(at) > KEPT
        {
            self.take(&uid);
        }
    }

    /// The events about an object, the newest first. Where its uid is known, events that name another are about a namesake.
    pub fn about(&self, kind: &str, name: &Arc<str>, uid: Option<&Uid>) -> Vec<&KubeEvent> {
        let about = About { kind: kind.into(), name: name.clone() };
        let events =
            self.objects.get(&about).into_iter().flatten().filter_map(|uid| self.known.get(uid).map(|event| &**event));
        let mut events: Vec<&KubeEvent> = events
            .filter(|event| uid.is_none_or(|uid| event.about_uid.as_ref().is_none_or(|about| about == uid)))
            .collect();
        events.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.uid.cmp(&b.uid)));
        events
    }

    /// All events, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = &KubeEvent> {
        self.times.iter().rev().filter_map(|(_, uid)| self.known.get(uid).map(|event| &**event))
    }

    pub fn uids(&self) -> impl Iterator<Item = &Uid> {
        self.known.keys()
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: i64, minute: i64, name: &str) -> KubeEvent {
        let at = Timestamp::from_millis(minute * 60_000);
        KubeEvent {
            uid: Uid(format!("e{n}").into()),
            about: About { kind: "Pod".into(), name: name.into() },
            about_uid: None,
            reason: "Nominated".into(),
            message: "".into(),
            from: "karpenter".into(),
            at,
            first: at,
            count: 1,
            is_warning: false,
        }
    }

    #[test]
    fn a_repeated_event_stands_once_and_old_ones_go() {
        let mut events = Events::default();
        events.put(event(1, 0, "p").into());
        events.put(event(1, 5, "p").into());
        events.put(event(2, 70, "p").into());
        assert_eq!((events.len(), events.times.len()), (2, 2));
        events.forget(Timestamp::from_millis(70 * 60_000));
        let left = events.about("Pod", &"p".into(), Some(&Uid("x".into())));
        assert_eq!(left.iter().map(|e| &*e.uid.0).collect::<Vec<_>>(), ["e2"]);
        events.take(&Uid("e2".into()));
        assert!(events.objects.is_empty() && events.times.is_empty());
    }

    #[test]
    fn a_flood_pushes_the_oldest_out() {
        let mut events = Events::default();
        for n in 0..6_000 {
            events.put(event(n, n, &format!("p{}", n % 7)).into());
        }
        assert_eq!((events.len(), events.times.len()), (MOST, MOST));
        assert_eq!(&*events.iter().last().unwrap().uid.0, "e1000");
    }

    #[test]
    fn events_of_a_namesake_are_not_ours() {
        let mut events = Events::default();
        events.put(Arc::new(KubeEvent { about_uid: Some(Uid("old".into())), ..event(1, 0, "p") }));
        assert!(events.about("Pod", &"p".into(), Some(&Uid("new".into()))).is_empty());
    }
}
