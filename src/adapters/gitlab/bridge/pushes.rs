//! When branches were pushed, by GitLab's own record.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::super::client::GitLab;
use super::super::route::Route;
use super::super::wire::moment;
use super::Read;
use crate::ci::Timestamp;
use crate::console::fault::Fault;
use crate::forge::Sha;

/// One push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushSeen {
    pub at: Timestamp,
    /// None for a push of more than three refs, of which GitLab tells no names: it may have been any branch.
    pub branch: Option<Arc<str>>,
    /// What it was pushed to; none where it was deleted, and where no names are told.
    pub head: Option<Sha>,
}

#[derive(Deserialize)]
struct WireEvent {
    id: Option<u64>,
    #[serde(default, deserialize_with = "moment")]
    created_at: Option<Timestamp>,
    push_data: Option<WirePush>,
}

#[derive(Deserialize)]
struct WirePush {
    ref_type: Option<String>,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    commit_to: Option<String>,
}

impl GitLab {
    /// The pushes of branches since a moment.
    pub async fn pushes_since(&self, since: Timestamp) -> Result<Read<PushSeen>, Fault> {
        // GitLab takes a day, by a clock of its own, and leaves that day out.
        const TWO_DAYS: Duration = Duration::from_secs(2 * 86_400);
        let day = since.shifted(-(TWO_DAYS.as_millis() as i64)).to_string();
        let route = Route::pushes(self.project_path(), day.get(..10).unwrap_or(&day).to_owned());
        let list = self.every("list pushes", &route, WireEvent::read, |(key, _)| key.clone()).await?;
        let is_wanted = |push: &PushSeen| push.at >= since;
        let items = list.items.into_iter().filter_map(|(_, push)| push).filter(is_wanted).collect();
        Ok(Read { items, trouble: list.trouble, at: list.at })
    }
}

/// What makes two rows the same event.
type Key = (Option<u64>, Timestamp, Option<Arc<str>>);

impl WireEvent {
    /// None when it cannot be read; a push of a tag is one that nobody asks for.
    fn read(self) -> Option<(Key, Option<PushSeen>)> {
        let (at, push) = (self.created_at?, self.push_data?);
        let branch: Option<Arc<str>> = push.git_ref.map(Arc::from);
        let key = (self.id, at, branch.clone());
        if push.ref_type.as_deref() == Some("tag") {
            return Some((key, None));
        }
        let head = push.commit_to.as_deref().and_then(|sha| Sha::parse(sha).ok());
        Some((key, Some(PushSeen { at, branch, head })))
    }
}
