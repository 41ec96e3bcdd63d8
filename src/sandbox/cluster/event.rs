//! Events: who says what about which object, how often, and for how long it is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::rng::{Rng, hash};
use super::objects::{Kind, Objects};
use super::wire::{seconds, uid};
use crate::ci::Timestamp;

/// How long an event is kept after it was last said.
pub const KEPT_MS: i64 = 3_600_000;

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    pub kind: &'static str,
    pub version: &'static str,
    pub namespace: &'static str,
    pub name: Arc<str>,
    pub uid: Arc<str>,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Saying {
    pub from: &'static str,
    pub reason: &'static str,
    pub message: String,
    pub is_warning: bool,
}

impl Saying {
    pub fn usual(from: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { from, reason, message: message.into(), is_warning: false }
    }

    pub fn warning(from: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { is_warning: true, ..Self::usual(from, reason, message) }
    }
}

#[derive(Debug)]
struct Told {
    about: About,
    saying: Saying,
    first: Timestamp,
    last: Timestamp,
    count: u32,
    host: Arc<str>,
}

/// All events that are kept.
#[derive(Debug, Default)]
pub struct Events {
    told: BTreeMap<u64, Told>,
    numbers: BTreeMap<(About, Saying), u64>,
    count: u64,
}

impl Events {
    /// Says something; saying it again counts it. The number is new when somebody has to call [`Self::expire`] for it.
    pub fn say(
        &mut self,
        objects: &mut Objects,
        now: Timestamp,
        about: About,
        saying: Saying,
        host: &str,
    ) -> Option<u64> {
        let key = (about.clone(), saying.clone());
        let known = self.numbers.get(&key).copied();
        let number = known.unwrap_or(self.count);
        let host: Arc<str> = host.into();
        let told = self.told.entry(number).or_insert(Told { about, saying, first: now, last: now, count: 0, host });
        told.count += 1;
        told.last = now;
        objects.put(Kind::Event, told.value(number));
        if known.is_none() {
            self.count += 1;
            self.numbers.insert(key, number);
        }
        known.is_none().then_some(number)
    }

    /// Forgets an event whose time is over; says when to ask again while it is not.
    pub fn expire(&mut self, objects: &mut Objects, now: Timestamp, number: u64) -> Option<Timestamp> {
        let told = self.told.get(&number)?;
        let end = told.last.shifted(KEPT_MS);
        if end > now {
            return Some(end);
        }
        objects.remove(Kind::Event, told.namespace(), &told.name(number));
        if let Some(told) = self.told.remove(&number) {
            self.numbers.remove(&(told.about, told.saying));
        }
        None
    }
}

impl Told {
    /// Events about what has no namespace lie in `default`.
    fn namespace(&self) -> &'static str {
        if self.about.namespace.is_empty() { "default" } else { self.about.namespace }
    }

    fn name(&self, number: u64) -> String {
        format!("{}.{}", self.about.name, Rng::of(hash(&self.about.name), "event", number).hex(16))
    }

    fn value(&self, number: u64) -> Value {
        let name = self.name(number);
        let mut about = json!({
            "kind": self.about.kind,
            "name": &*self.about.name,
            "uid": &*self.about.uid,
            "apiVersion": self.about.version,
        });
        if let Some(about) = about.as_object_mut().filter(|_| !self.about.namespace.is_empty()) {
            about.insert("namespace".to_owned(), self.about.namespace.into());
        }
        let mut source = json!({ "component": self.saying.from });
        if let Some(source) = source.as_object_mut().filter(|_| !self.host.is_empty()) {
            source.insert("host".to_owned(), (*self.host).into());
        }
        json!({
            "metadata": {
                "namespace": self.namespace(),
                "uid": uid("event", &name),
                "name": name,
                "creationTimestamp": seconds(self.first),
            },
            "involvedObject": about,
            "reason": self.saying.reason,
            "message": self.saying.message,
            "source": source,
            "firstTimestamp": seconds(self.first),
            "lastTimestamp": seconds(self.last),
            "count": self.count,
            "type": if self.saying.is_warning { "Warning" } else { "Normal" },
            "eventTime": null,
            "reportingComponent": self.saying.from,
            "reportingInstance": &*self.host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_counted_and_ends_an_hour_after_the_last_time() {
        let (mut events, mut objects) = (Events::default(), Objects::default());
        let about = About { kind: "Node", version: "v1", namespace: "", name: "n".into(), uid: "u".into() };
        let saying = Saying::warning("karpenter", "SpotInterrupted", "Spot interruption warning was triggered");
        let at = |minute: i64| Timestamp::from_millis(minute * 60_000);
        let number = events.say(&mut objects, at(0), about.clone(), saying.clone(), "").unwrap();
        assert_eq!(events.say(&mut objects, at(5), about, saying, ""), None);
        let told = objects.all(Kind::Event).next().unwrap().value();
        assert_eq!((told["count"].as_u64(), told["metadata"]["namespace"].as_str()), (Some(2), Some("default")));
        assert_eq!(events.expire(&mut objects, at(60), number), Some(at(65)));
        assert_eq!(events.expire(&mut objects, at(65), number), None);
        assert_eq!(objects.all(Kind::Event).count(), 0);
    }
}
