//! The bridge as a loop of the supervisor: opened by its first round, a pass each.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Bridge, Pass};
use crate::console::fault::Fault;
use crate::controller::supervisor::{Loop, TickContext, Ticked};

/// What `--loops` calls it.
pub const NAME: &str = "bridge";

/// Opens a bridge: its repository, its store, its clients.
type Open = Box<dyn Fn() -> BoxFuture<'static, Result<Bridge, Fault>> + Send>;

/// Passes, one after the other.
pub struct Rounds {
    open: Open,
    every: Duration,
    is_read_only: bool,
    bridge: Option<Bridge>,
}

impl Rounds {
    /// Where nothing may be changed, every pass is a dry one.
    pub const fn new(open: Open, every: Duration, is_read_only: bool) -> Self {
        Self { open, every, is_read_only, bridge: None }
    }

    async fn round(&mut self, cx: &TickContext) -> Result<Ticked, Fault> {
        let bridge = match self.bridge.take() {
            Some(bridge) => bridge,
            None => (self.open)().await?,
        };
        // A pass that fails as a whole lets go of everything: a damaged repository is made again when it is opened.
        let Pass { report, unlisted, .. } =
            bridge.pass(cx.dry_run || self.is_read_only, &|| cx.stop.is_asked()).await?;
        self.bridge = Some(bridge);
        for trouble in &report.troubles {
            tracing::warn!("{trouble}");
        }
        if let Some(fault) = unlisted {
            // The rest was done, but a bridge that does not see its pull requests is not well.
            return Err(fault);
        }
        let pushed = report.would_push.as_ref().unwrap_or(&report.pushed).len() as u64;
        let counts = vec![
            ("prs", report.decisions.len() as u64),
            ("pushed", pushed),
            ("posted", report.statuses.posted as u64),
            ("troubles", report.troubles.len() as u64),
        ];
        Ok(Ticked { summary: report.summary(), counts })
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
