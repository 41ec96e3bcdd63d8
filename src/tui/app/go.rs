//! Places, history and bookmarks.

use super::overlay::Overlay;
use super::{App, Wish};
use crate::ci::Timestamp;
use crate::console::caches::SpecId;
use crate::console::event::Intent;
use crate::tui::screen::{Explained, Place, Screen};
use crate::tui::screens::{
    AlertsScreen, AuditScreen, CacheScreen, CachesScreen, DagScreen, ErrorsScreen, FleetScreen, JobScreen, JobsScreen,
    LaterScreen, LoopsScreen, MessagesScreen, OverviewScreen, PipelinesScreen, PullsScreen,
};

/// How far back one can go.
const HISTORY: usize = 100;

/// Opens the screen for a place.
pub fn open(place: &Place) -> Box<dyn Screen> {
    match place {
        Place::Overview => Box::new(OverviewScreen::default()),
        Place::Pipelines => Box::new(PipelinesScreen::default()),
        Place::Dag { pipeline, job } => Box::new(DagScreen::new(*pipeline, *job)),
        Place::Jobs { pipeline, filter } => Box::new(JobsScreen::new(*pipeline, filter)),
        Place::Job(job) => Box::new(JobScreen::new(*job)),
        Place::Errors => Box::new(ErrorsScreen::default()),
        Place::Caches { root } => Box::new(CachesScreen::new(*root)),
        Place::Cache { root, spec } => Box::new(CacheScreen::new(*root, spec.clone())),
        Place::Fleet { job, filter } => Box::new(FleetScreen::new(*job, filter)),
        Place::Alerts { filter } => Box::new(AlertsScreen::new(filter)),
        Place::Pulls => Box::new(PullsScreen::default()),
        Place::Loops => Box::new(LoopsScreen::default()),
        Place::Audit => Box::new(AuditScreen::default()),
        Place::Messages => Box::new(MessagesScreen::default()),
        Place::Later(title) => Box::new(LaterScreen::room(title)),
    }
}

impl App {
    /// Goes to a place and remembers where it was.
    pub(super) fn go(&mut self, place: Place, now: Timestamp) -> Vec<Wish> {
        let here = self.screen.place();
        if here == place {
            return Vec::new();
        }
        self.history.push(here.clone());
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
        self.forward.clear();
        self.last = Some(here);
        self.enter(&place, now)
    }

    /// Shows a place without touching the history.
    fn enter(&mut self, place: &Place, now: Timestamp) -> Vec<Wish> {
        self.screen = open(place);
        self.settle(now);
        self.dirty = true;
        self.refocus(now).into_iter().collect()
    }

    /// Tells the core what is on the screen, when that changed.
    pub(super) fn refocus(&mut self, now: Timestamp) -> Option<Wish> {
        let mut focus = self.screen.focus(self.cx(now));
        match &self.overlay {
            Some(Overlay::Explain { what: Explained::Job(job), .. }) => {
                focus.report = self.world.home(*job).map(|facts| facts.pipeline.id);
            }
            Some(Overlay::Explain { what: Explained::Spec(root, SpecId::Hash(hash)), .. }) => {
                focus.binary = Some((*root, *hash));
            }
            _ => {}
        }
        if focus == self.focus {
            return None;
        }
        self.focus = focus;
        Some(Wish::Intend(Intent::Focus(focus)))
    }

    pub(super) fn back(&mut self, now: Timestamp) -> Vec<Wish> {
        match self.history.pop() {
            Some(place) => {
                let here = self.screen.place();
                self.forward.push(here.clone());
                self.last = Some(here);
                self.enter(&place, now)
            }
            None => self.go(Place::Overview, now),
        }
    }

    pub(super) fn forward(&mut self, now: Timestamp) -> Vec<Wish> {
        let Some(place) = self.forward.pop() else { return Vec::new() };
        self.history.push(self.screen.place());
        self.enter(&place, now)
    }

    pub(super) fn last_place(&mut self, now: Timestamp) -> Vec<Wish> {
        match self.last.clone() {
            Some(place) => self.go(place, now),
            None => Vec::new(),
        }
    }

    pub(super) fn bookmark(&mut self, letter: char, now: Timestamp) {
        self.bookmarks.insert(letter, self.screen.place());
        self.say(false, format!("bookmark {letter} set"), now);
    }

    pub(super) fn go_to_bookmark(&mut self, letter: char, now: Timestamp) -> Vec<Wish> {
        match self.bookmarks.get(&letter).cloned() {
            Some(place) => self.go(place, now),
            None => {
                self.say(true, format!("no bookmark {letter}; `m {letter}` sets it"), now);
                Vec::new()
            }
        }
    }
}
