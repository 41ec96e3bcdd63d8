//! What the console has said: toasts come and go, `:messages` keeps them.

use std::collections::VecDeque;

use crate::ci::Timestamp;

/// How much a message asks of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Info,
    Error,
}

/// One message. The same text again only raises `times`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub level: Level,
    pub text: String,
    pub first: Timestamp,
    pub last: Timestamp,
    pub times: u32,
}

/// The newest 500 messages.
#[derive(Debug, Clone, Default)]
pub struct Messages(VecDeque<Message>);

const KEPT: usize = 500;

impl Messages {
    /// Says something.
    pub fn say(&mut self, level: Level, text: impl Into<String>, now: Timestamp) {
        let text = text.into();
        let recent = self.0.iter().take(8).position(|m| m.text == text && m.level == level);
        if let Some(mut message) = recent.and_then(|i| self.0.remove(i)) {
            message.times += 1;
            message.last = now;
            self.0.push_front(message);
            return;
        }
        self.0.push_front(Message { level, text, first: now, last: now, times: 1 });
        self.0.truncate(KEPT);
    }

    /// Newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.0.iter()
    }
}
