//! The checks as a loop of the supervisor: opened by its first round, a pass each.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Generations, Outside};
use crate::console::fault::Fault;
use crate::console::text::clean;
use crate::controller::supervisor::{Loop, TickContext, Ticked};

/// What `--loops` calls it.
pub const NAME: &str = "generation";

/// Finds out what the loop asks.
type Open = Box<dyn Fn() -> Result<Outside, Fault> + Send>;

/// Passes, one after the other.
pub struct Rounds {
    open: Open,
    every: Duration,
    at_work: Option<Generations>,
    /// The last pass left something to look at.
    has_more: bool,
}

impl Rounds {
    pub const fn new(open: Open, every: Duration) -> Self {
        Self { open, every, at_work: None, has_more: false }
    }

    async fn round(&mut self, cx: &TickContext) -> Result<Ticked, Fault> {
        let mut at_work = match self.at_work.take() {
            Some(at_work) => at_work,
            None => Generations::begin((self.open)()?).await?,
        };
        let report = at_work.pass(cx.dry_run, &|| cx.stop.is_asked()).await;
        self.at_work = Some(at_work);
        let report = report?;
        self.has_more = report.left > 0;
        for trouble in &report.troubles {
            tracing::warn!("{}", clean(trouble));
        }
        for row in report.checked.iter().filter(|row| row.outcome.is_broken()) {
            // Names of stacks and jobs are what an artifact says.
            let (stack, what) = (clean(&row.stack), row.outcome.to_string());
            tracing::warn!(job = %row.job, pipeline = %row.pipeline, %stack, "{}", clean(&what));
        }
        Ok(Ticked { summary: report.summary(), counts: report.counts(), news: None })
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

    fn due(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if !self.has_more {
                std::future::pending::<()>().await;
            }
        })
    }
}
