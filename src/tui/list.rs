//! What every list screen does alike: a cursor on an identity, the keys that move it, the range that is visible.

use std::ops::Range;

use ratatui::layout::Rect;

use super::screen::{Cx, Reaction};
use super::widgets::{Cursor, Table};
use crate::ci::{Job, JobId, PipelineId, Timestamp};
use crate::console::registry::ActionId;
use crate::console::state::JobState;
use crate::console::world::{PipelineFacts, World};

/// Rows by identity.
#[derive(Debug)]
pub struct List<Id> {
    ids: Vec<Id>,
    cursor: Cursor<Id>,
    height: usize,
    /// Nobody has moved the cursor yet: it stays on the first row, whatever row that is.
    is_fresh: bool,
}

impl<Id> Default for List<Id> {
    fn default() -> Self {
        Self { ids: Vec::new(), cursor: Cursor::default(), height: 1, is_fresh: true }
    }
}

impl<Id: Clone + PartialEq> List<Id> {
    /// Takes the rows as they are now; the cursor stays on its identity.
    pub fn settle(&mut self, ids: Vec<Id>, rows: Rect, now: Timestamp) {
        self.ids = ids;
        self.resettle(rows, now);
    }

    /// The same rows in an area that may have changed.
    pub fn resettle(&mut self, rows: Rect, now: Timestamp) {
        self.height = Table::height(rows).max(1);
        if self.is_fresh {
            self.cursor.go(&self.ids, 0);
        }
        self.cursor.settle(&self.ids, self.height, 1, now);
    }

    /// Moves the cursor; false when the action is no movement.
    pub fn act(&mut self, action: ActionId) -> bool {
        let (half, page) = ((self.height / 2).max(1) as isize, self.height.max(1) as isize);
        let step = match action {
            ActionId::ListDown => 1,
            ActionId::ListUp => -1,
            ActionId::ListHalfDown => half,
            ActionId::ListHalfUp => -half,
            ActionId::ListPageDown => page,
            ActionId::ListPageUp => -page,
            ActionId::ListTop => isize::MIN + 1,
            ActionId::ListBottom => isize::MAX,
            _ => return false,
        };
        self.is_fresh = false;
        self.cursor.step(&self.ids, step);
        true
    }

    /// Goes to the next row after the cursor, or before it, for which `wanted` holds; around the end.
    pub fn seek(&mut self, forward: bool, wanted: impl Fn(&Id) -> bool) -> bool {
        let (n, here) = (self.ids.len(), self.cursor.row());
        let order = (1..=n).map(|i| if forward { (here + i) % n } else { (here + n - i) % n });
        let found = order.filter(|row| self.ids.get(*row).is_some_and(&wanted)).find(|row| *row != here);
        if let Some(row) = found {
            self.is_fresh = false;
            self.cursor.go(&self.ids, row);
        }
        found.is_some()
    }

    /// Puts the cursor on a row by identity.
    pub fn choose(&mut self, id: Id) {
        self.is_fresh = false;
        self.cursor.choose(id);
    }

    /// What the cursor is on, if that is still a row.
    pub fn id(&self) -> Option<&Id> {
        self.cursor.id().filter(|_| !self.ids.is_empty())
    }

    /// All rows.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// The rows on screen.
    pub fn visible(&self) -> &[Id] {
        let Range { start, end } = self.cursor.top()..(self.cursor.top() + self.height).min(self.ids.len());
        self.ids.get(start..end).unwrap_or_default()
    }

    /// The row under the cursor, counted from the first on screen.
    pub fn cursor_on_screen(&self) -> Option<usize> {
        (!self.ids.is_empty()).then(|| self.cursor.row().saturating_sub(self.cursor.top()))
    }

    /// Whether the row under the cursor vanished a moment ago.
    pub fn is_startled(&self, now: Timestamp) -> bool {
        self.cursor.is_startled(now)
    }
}

/// Copies something of a job, for the copy chords; `None` when the action copies nothing.
pub fn copy_job(action: ActionId, cx: Cx<'_>, job: &Job) -> Option<Reaction> {
    let (text, what) = match action {
        ActionId::CopyId => (job.id.to_string(), "id"),
        ActionId::CopySpec => (job.name.to_string(), "spec"),
        ActionId::CopyLink | ActionId::LinkOpen => (job_link(cx.world, job)?, "link"),
        ActionId::CopyCurl => (curl(cx.world, &format!("jobs/{}", job.id)), "curl command"),
        _ => return None,
    };
    Some(Reaction::Copy { text, what: what.to_owned() })
}

/// Copies something of a pipeline.
pub fn copy_pipeline(action: ActionId, cx: Cx<'_>, facts: &PipelineFacts) -> Option<Reaction> {
    let id = facts.pipeline.id;
    let (text, what) = match action {
        ActionId::CopyId => (id.to_string(), "id"),
        ActionId::CopySpec => (facts.pipeline.git_ref.to_string(), "ref"),
        ActionId::CopyLink | ActionId::LinkOpen => (facts.pipeline.web_url.as_ref()?.to_string(), "link"),
        ActionId::CopyCurl => (curl(cx.world, &format!("pipelines/{id}")), "curl command"),
        _ => return None,
    };
    Some(Reaction::Copy { text, what: what.to_owned() })
}

/// The page of a job in GitLab; derived from its pipeline's where the source left it out.
pub fn job_link(world: &World, job: &Job) -> Option<String> {
    if let Some(url) = &job.web_url {
        return Some(url.to_string());
    }
    let pipeline = world.home(job.id)?.pipeline.web_url.as_ref()?;
    let (project, _) = pipeline.split_once("/-/")?;
    Some(format!("{project}/-/jobs/{}", job.id))
}

/// A command that reads something again; the token stays in the variable.
fn curl(world: &World, path: &str) -> String {
    let (host, project) = world.project.split_once('/').unwrap_or((&world.project, ""));
    // As the server's own links say it: a practice world speaks plain http.
    let link = world.parents().find_map(|f| f.pipeline.web_url.as_deref()).and_then(|url| url.split_once("://"));
    let scheme = link.map_or("https", |(scheme, _)| scheme);
    format!(
        "curl -fsS -H \"Authorization: Bearer $GITLAB_TOKEN\" {scheme}://{host}/api/v4/projects/{}/{path}",
        project.replace('/', "%2F")
    )
}

/// Failed jobs of a tree, or those that can be canceled: what an action on a pipeline's row means.
pub fn jobs_for(action: ActionId, world: &World, pipeline: PipelineId) -> Vec<JobId> {
    let jobs = world.jobs_of(pipeline).filter(|j| j.downstream.is_none());
    match action {
        ActionId::JobsRetry => jobs.filter(|j| j.is_failure()).map(|j| j.id).collect(),
        ActionId::JobsCancel => jobs.filter(|j| j.status.is_active()).map(|j| j.id).collect(),
        ActionId::JobsPlay => jobs.filter(|j| world.state(j) == JobState::Manual).map(|j| j.id).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeking_goes_around_and_never_stays() {
        let mut list = List::default();
        let area = Rect::new(0, 0, 10, 5);
        list.settle(vec![1, 2, 3, 4], area, Timestamp::default());
        assert!(list.seek(true, |id| *id == 1 || *id == 3));
        assert_eq!(list.id(), Some(&3));
        assert!(list.seek(true, |id| *id == 1 || *id == 3));
        assert_eq!(list.id(), Some(&1));
        assert!(list.seek(false, |id| *id == 4));
        assert_eq!(list.id(), Some(&4));
        assert!(!list.seek(true, |id| *id == 4));
    }

    #[test]
    fn page_keys_stay_inside() {
        let mut list = List::default();
        list.settle((0..20).collect(), Rect::new(0, 0, 10, 6), Timestamp::default());
        for (action, want) in [
            (ActionId::ListBottom, 19),
            (ActionId::ListDown, 19),
            (ActionId::ListPageUp, 14),
            (ActionId::ListHalfUp, 12),
            (ActionId::ListTop, 0),
            (ActionId::ListUp, 0),
        ] {
            assert!(list.act(action));
            assert_eq!(list.id(), Some(&want), "{action:?}");
        }
        assert!(!list.act(ActionId::ListOpen));
    }
}
