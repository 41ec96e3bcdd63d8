//! Runners: the list every minute, in one or two requests; where it does not tell tags, each runner now and then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::follower::Teller;
use super::{Pace, Unheard, tell_answer};
use crate::adapters::gitlab::GitLab;
use crate::ci::RunnerId;
use crate::console::fault::{Fault, FaultKind};
use crate::console::fleet::News;
use crate::fleet::{Runner, RunnerStatus};

const RIGHT: &str = "read runners: scope read_api, and the role Maintainer in the project";
/// How long what a runner tells of itself is good.
const KEPT: Duration = Duration::from_mins(15);
/// After this, GraphQL is tried again where it was refused.
const GRAPHQL_AGAIN: Duration = Duration::from_hours(1);
/// Details that are told at once.
const TOLD: usize = 10;

/// What one runner told, and in which state it was then.
struct Detail {
    runner: Runner,
    read: Instant,
    state: (RunnerStatus, Option<bool>),
}

/// Lists runners until nobody listens.
pub(super) async fn follow(gitlab: GitLab, teller: Teller, pace: Pace) -> Result<(), Unheard> {
    let mut list = List { gitlab, details: HashMap::new(), by_rest: None, knows_details: true };
    loop {
        let next = Instant::now() + pace.runners;
        match list.read().await {
            Ok(rows) => {
                tell_answer(&teller, Ok(list.told(&rows)), RIGHT).await?;
                list.fill(&rows, &teller, pace, next).await?;
            }
            Err(fault) => tell_answer(&teller, Err(fault), RIGHT).await?,
        }
        sleep_until(next).await;
    }
}

struct List {
    gitlab: GitLab,
    details: HashMap<RunnerId, Detail>,
    /// GraphQL was refused then.
    by_rest: Option<Instant>,
    /// Details were not refused.
    knows_details: bool,
}

impl List {
    async fn read(&mut self) -> Result<Vec<Runner>, Fault> {
        if self.by_rest.is_none_or(|at| at.elapsed() >= GRAPHQL_AGAIN) {
            match self.gitlab.runners_graphql().await {
                Ok(runners) => {
                    self.by_rest = None;
                    return Ok(runners);
                }
                // What is in the way of every request is in the way of the next one, too.
                Err(fault) if is_common(&fault) => return Err(fault),
                Err(_) => {
                    self.by_rest = Some(Instant::now());
                    self.knows_details = true;
                }
            }
        }
        self.gitlab.runners_rest().await
    }

    /// The rows with what details are known.
    fn told(&self, rows: &[Runner]) -> News {
        let one = |row: &Runner| match self.details.get(&row.id) {
            Some(Detail { runner, .. }) if row.tags.is_none() => Arc::new(Runner {
                status: row.status,
                is_paused: row.is_paused,
                contacted_at: row.contacted_at.max(runner.contacted_at),
                ..runner.clone()
            }),
            _ => Arc::new(row.clone()),
        };
        News::Runners(rows.iter().map(one).collect())
    }

    /// Reads details one by one until the next list is due.
    async fn fill(&mut self, rows: &[Runner], teller: &Teller, pace: Pace, next: Instant) -> Result<(), Unheard> {
        self.details.retain(|id, _| rows.iter().any(|row| row.id == *id));
        let mut untold = 0;
        for row in rows.iter().filter(|row| row.tags.is_none()) {
            let state = (row.status, row.is_paused);
            let is_known =
                self.details.get(&row.id).is_some_and(|known| known.state == state && known.read.elapsed() < KEPT);
            if is_known || !self.knows_details {
                continue;
            }
            if Instant::now() + pace.detail >= next {
                break;
            }
            sleep(pace.detail).await;
            match self.gitlab.runner(row.id).await {
                Ok(runner) => {
                    self.details.insert(row.id, Detail { runner, read: Instant::now(), state });
                    untold += 1;
                }
                // A token without the scope is refused for each of them; the next list tries again.
                Err(fault) if matches!(fault.kind, FaultKind::Forbidden | FaultKind::Unauthorized) => {
                    tracing::info!(%fault, "runners tell no tags");
                    self.knows_details = false;
                }
                Err(fault) if is_common(&fault) => break,
                Err(_) => {}
            }
            if untold >= TOLD {
                teller.say(self.told(rows)).await?;
                untold = 0;
            }
        }
        if untold > 0 {
            teller.say(self.told(rows)).await?;
        }
        Ok(())
    }
}

/// It concerns the server or the way there, not the question.
fn is_common(fault: &Fault) -> bool {
    matches!(
        fault.kind,
        FaultKind::Unreachable | FaultKind::Timeout | FaultKind::RateLimited { .. } | FaultKind::Firewall
    ) || matches!(fault.kind, FaultKind::Unauthorized)
}
