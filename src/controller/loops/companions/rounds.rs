//! The companions as one loop of the supervisor: a pass of each duty, one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Duty, Outside};
use crate::console::fault::Fault;
use crate::controller::supervisor::{Loop, TickContext, Ticked};

/// What `--loops` calls it.
pub const NAME: &str = "companions";

/// Finds out what the companions stand between.
type Open = Box<dyn Fn() -> Result<Outside, Fault> + Send>;

/// Passes of every duty.
pub struct Rounds {
    open: Open,
    every: Duration,
    /// The duties that may change something; the others say what they would do.
    acting: BTreeSet<Duty>,
    outside: Option<Arc<Outside>>,
}

impl Rounds {
    pub const fn new(open: Open, every: Duration, acting: BTreeSet<Duty>) -> Self {
        Self { open, every, acting, outside: None }
    }

    async fn round(&mut self, cx: &TickContext) -> Result<Ticked, Fault> {
        let outside = match &self.outside {
            Some(outside) => Arc::clone(outside),
            None => Arc::clone(self.outside.insert(Arc::new((self.open)()?))),
        };
        let asked = || cx.stop.is_asked();
        let (mut told, mut acted, mut troubles, mut first) = (Vec::new(), 0, 0, None);
        for duty in Duty::ALL {
            if asked() {
                break;
            }
            match duty.pass(&outside, cx.dry_run || !self.acting.contains(&duty), &asked).await {
                Ok(report) => {
                    for trouble in &report.troubles {
                        tracing::warn!(%duty, "{trouble}");
                    }
                    (acted, troubles) = (acted + report.acted(), troubles + report.troubles.len());
                    told.push(format!("{}{}", report.summary(), if report.dry_run { " (dry)" } else { "" }));
                }
                // One that fails keeps no other from its work.
                Err(fault) => drop(first.get_or_insert(fault)),
            }
        }
        match first {
            Some(fault) => Err(fault),
            None => Ok(Ticked {
                summary: told.join("; "),
                counts: vec![("acted", acted as u64), ("troubles", troubles as u64)],
                news: None,
            }),
        }
    }
}

impl Loop for Rounds {
    fn name(&self) -> &'static str {
        NAME
    }

    fn period(&self) -> Duration {
        self.every
    }

    fn tick<'a>(&'a mut self, cx: &'a TickContext) -> BoxFuture<'a, Result<Ticked, Fault>> {
        Box::pin(self.round(cx))
    }
}
