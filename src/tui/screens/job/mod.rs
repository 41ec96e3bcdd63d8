//! One job: what it is, what it needs, and its log, opened at the most likely cause.
//!
//! The log's own mind (cursor, folds, search, follow) is `console::log::LogView`; this screen fits it to keys and cells, and wishes for the
//! pages that are not in memory.

mod body;
mod header;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use header::JobHeader;

use crate::ci::JobId;
use crate::console::effect::Focus;
use crate::console::event::Intent;
use crate::console::log::{Frame, LogDoc, LogView, Motion, PageNo, Pattern, Work};
use crate::console::registry::{ActionId, Scope};
use crate::console::text;
use crate::tui::screen::{Ask, Cx, Place, Reaction, Screen, Selection, Wishes};
use crate::tui::widgets::Pen;

/// The screen of one job.
#[derive(Debug)]
pub struct JobScreen {
    job: JobId,
    view: Option<LogView>,
    frame: Frame,
    /// The log was asked for.
    opened: bool,
    /// Pages that were asked for and did not come yet.
    asked: BTreeSet<PageNo>,
    /// Pages that are needed.
    missing: BTreeSet<PageNo>,
    is_working: bool,
}

impl JobScreen {
    /// The screen of a job; its log is asked for as soon as it is settled.
    pub fn new(job: JobId) -> Self {
        Self {
            job,
            view: None,
            frame: Frame::default(),
            opened: false,
            asked: BTreeSet::new(),
            missing: BTreeSet::new(),
            is_working: false,
        }
    }

    /// View and document, when the log is here.
    fn log<'a>(&'a mut self, cx: Cx<'a>) -> Option<(&'a mut LogView, &'a LogDoc)> {
        Some((self.view.as_mut()?, &cx.world.log(self.job)?.doc))
    }

    fn go(&mut self, cx: Cx<'_>, motion: Motion) -> Reaction {
        if let Some((view, doc)) = self.log(cx) {
            view.go(doc, motion);
        }
        Reaction::Done
    }

    fn on_log(&mut self, cx: Cx<'_>, change: impl FnOnce(&mut LogView, &LogDoc)) -> Reaction {
        match self.log(cx) {
            Some((view, doc)) => {
                change(view, doc);
                Reaction::Done
            }
            None => Reaction::say("the log is not here yet"),
        }
    }

    fn landmark(&mut self, cx: Cx<'_>, motion: Motion, end: &str) -> Reaction {
        match self.log(cx).map(|(view, doc)| view.go(doc, motion)) {
            Some(true) => Reaction::Done,
            _ => Reaction::say(end),
        }
    }

    fn next_match(&mut self, cx: Cx<'_>, motion: Motion) -> Reaction {
        match self.log(cx) {
            Some((view, doc)) if view.searched().is_some() => {
                view.go(doc, motion);
                Reaction::Done
            }
            _ => Reaction::say("nothing was searched for yet"),
        }
    }

    /// Another try of the same job.
    fn other_try(&self, cx: Cx<'_>, older: bool) -> Reaction {
        let tries = cx.world.job(self.job).and_then(|job| Some(cx.world.home(job.id)?.jobs.value.tries(&job.name)));
        let tries = tries.unwrap_or_default();
        let other =
            if older { tries.iter().rev().find(|id| **id < self.job) } else { tries.iter().find(|id| **id > self.job) };
        match other {
            Some(id) => Reaction::Go(Place::Job(*id)),
            None if older => Reaction::say("this is the oldest try that is known"),
            None => Reaction::say("this is the newest try"),
        }
    }

    /// Takes back what was put on the log, one thing at a time; then leaves.
    fn back(&mut self, cx: Cx<'_>) -> Reaction {
        match self.log(cx) {
            Some((view, doc)) if view.is_filtered() => view.filter(doc, None, 0, false),
            Some((view, doc)) if view.searched().is_some() => view.search(doc, None),
            Some((view, _)) if view.has_range() => view.toggle_range(),
            _ => return Reaction::Back,
        }
        Reaction::Done
    }

    fn open(&mut self, cx: Cx<'_>) -> Reaction {
        self.on_log(cx, |view, doc| {
            if doc.index().sections().headed_by(view.cursor()).is_some() {
                view.toggle_fold(doc);
            }
        })
    }

    fn copy(&mut self, cx: Cx<'_>) -> Reaction {
        let Some((view, doc)) = self.log(cx) else { return Reaction::say("the log is not here yet") };
        let text = view.copy(doc);
        let what = text::plural(text.lines().count().max(1) as u64, "line");
        Reaction::Copy { text, what: format!("{what} of the log") }
    }
}

impl Screen for JobScreen {
    fn scope(&self) -> Scope {
        Scope::Log
    }

    fn place(&self) -> Place {
        Place::Job(self.job)
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        let Some(facts) = cx.world.log(self.job) else {
            // Not read yet, or it left memory while another log was open: then it is asked for again.
            self.opened &= self.view.is_none();
            (self.view, self.frame) = (None, Frame::default());
            return;
        };
        let live = cx.world.job(self.job).is_some_and(|job| !job.status.is_terminal());
        let view = self.view.get_or_insert_with(|| LogView::new(live));
        let inner = JobHeader::new(cx, self.job).inner(area);
        let room = body::Room::inside(inner, &facts.doc, view.shows_times());
        view.resize(&facts.doc, usize::from(room.columns()), usize::from(room.rows()));
        view.sync(&facts.doc);
        let work = view.work(&facts.doc);
        self.frame = view.frame(&facts.doc);
        self.missing = self.frame.missing.iter().copied().collect();
        self.is_working = work == Work::More;
        if let Work::Missing(pages) = work {
            self.missing.extend(pages);
        }
        self.asked.retain(|page| self.missing.contains(page));
    }

    fn wishes(&mut self, _cx: Cx<'_>) -> Wishes {
        let mut intents = Vec::new();
        if !self.opened {
            self.opened = true;
            intents.push(Intent::OpenLog(self.job));
        }
        let job = self.job;
        let new = self.missing.difference(&self.asked).copied().collect::<Vec<_>>();
        intents.extend(new.iter().map(|page| Intent::ReadLogPage { job, page: *page }));
        self.asked.extend(new);
        Wishes { intents, again: self.is_working }
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let inner = JobHeader::new(cx, self.job).draw(pen, area);
        match (cx.world.log(self.job), &self.view) {
            (Some(facts), Some(view)) if facts.doc.lines() > 0 => {
                body::draw(pen, inner, &facts.doc, view, &self.frame);
            }
            (facts, _) => body::draw_empty(pen, cx, inner, self.job, facts),
        }
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        match action {
            ActionId::ListDown => self.go(cx, Motion::Down),
            ActionId::ListUp => self.go(cx, Motion::Up),
            ActionId::ListHalfDown => self.go(cx, Motion::HalfPageDown),
            ActionId::ListHalfUp => self.go(cx, Motion::HalfPageUp),
            ActionId::ListPageDown => self.go(cx, Motion::PageDown),
            ActionId::ListPageUp => self.go(cx, Motion::PageUp),
            ActionId::ListTop => self.go(cx, Motion::Top),
            ActionId::ListBottom => self.go(cx, Motion::Bottom),
            ActionId::ListOpen | ActionId::ListRight => self.open(cx),
            ActionId::ListLeft | ActionId::ViewBack => self.back(cx),
            ActionId::TroubleNext => self.landmark(cx, Motion::NextLandmark, "no landmark below"),
            ActionId::TroublePrev => self.landmark(cx, Motion::PreviousLandmark, "no landmark above"),
            ActionId::LogSectionNext => self.landmark(cx, Motion::NextSection, "no section below"),
            ActionId::LogSectionPrev => self.landmark(cx, Motion::PreviousSection, "no section above"),
            ActionId::LogFollow => self.on_log(cx, LogView::toggle_follow),
            ActionId::LogWrap => self.on_log(cx, LogView::toggle_wrap),
            ActionId::LogTimes => self.on_log(cx, |view, _| view.toggle_times()),
            ActionId::LogFold => self.on_log(cx, LogView::toggle_fold),
            ActionId::LogFoldAll => self.on_log(cx, |view, doc| view.fold_all(doc, true)),
            ActionId::LogUnfoldAll => self.on_log(cx, |view, doc| view.fold_all(doc, false)),
            ActionId::LogSearch => {
                let text = self.view.as_ref().and_then(LogView::searched).map(|pattern| pattern.text().to_owned());
                Reaction::Ask { what: Ask::Search, text: text.unwrap_or_default() }
            }
            ActionId::LogSearchNext => self.next_match(cx, Motion::NextMatch),
            ActionId::LogSearchPrev => self.next_match(cx, Motion::PreviousMatch),
            ActionId::LogOnly => Reaction::Ask { what: Ask::Only, text: String::new() },
            ActionId::LogWithout => Reaction::Ask { what: Ask::Without, text: String::new() },
            ActionId::LogOlderTry => self.other_try(cx, true),
            ActionId::LogNewerTry => self.other_try(cx, false),
            ActionId::LogCopy => self.copy(cx),
            ActionId::ListMarkRange => self.on_log(cx, |view, _| view.toggle_range()),
            _ => Reaction::Unhandled,
        }
    }

    fn typed(&mut self, what: Ask, text: &str, done: bool, cx: Cx<'_>) -> Result<(), String> {
        let (context, text) = if what == Ask::Only { context_of(text) } else { (0, text) };
        let pattern = Some(text).filter(|text| !text.is_empty()).map(Pattern::parse).transpose();
        let pattern = pattern.map_err(|error| error.to_string())?;
        if let (true, Some((view, doc))) = (done, self.log(cx)) {
            match what {
                Ask::Search => view.search(doc, pattern),
                Ask::Only => view.filter(doc, pattern, context, false),
                Ask::Without => view.filter(doc, pattern, 0, true),
                Ask::Filter | Ask::Note | Ask::Silence => {}
            }
        }
        Ok(())
    }

    fn lines(&self, cx: Cx<'_>) -> Vec<String> {
        let facts = cx.world.log(self.job);
        let picked = self.view.as_ref().zip(facts).map(|(view, facts)| view.copy(&facts.doc));
        picked.map_or_else(Vec::new, |text| text.lines().map(str::to_owned).collect())
    }

    fn selection(&self, cx: Cx<'_>) -> Selection {
        let pipeline = cx.world.home(self.job).map(|facts| facts.pipeline.id);
        Selection { jobs: vec![self.job], pipeline, ..Selection::default() }
    }

    fn focus(&self, cx: Cx<'_>) -> Focus {
        Focus {
            pipeline: cx.world.home(self.job).map(|facts| facts.pipeline.id),
            log: Some(self.job),
            ..Focus::default()
        }
    }
}

/// `3 error` means `error` with three lines of context.
fn context_of(text: &str) -> (u64, &str) {
    let split = text.split_once(' ').and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
    split.filter(|(context, rest)| *context < 1_000 && !rest.is_empty()).unwrap_or((0, text))
}
