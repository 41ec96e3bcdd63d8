//! The bridge as a loop of the supervisor: opened by its first round, a pass each.

use std::time::Duration;

use futures_util::future::{BoxFuture, pending};

use super::{Bridge, Pass};
use crate::bridge::Resync;
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::controller::supervisor::{Loop, TickContext, Ticked};
use crate::controller::webhooks::Wakes;

/// What `--loops` calls it.
pub const NAME: &str = "bridge";

/// Opens a bridge, for dry passes or for others: its repository, its store, its clients.
type Open = Box<dyn Fn(bool) -> BoxFuture<'static, Result<Bridge, Fault>> + Send>;

/// Passes, one after the other.
pub struct Rounds {
    open: Open,
    every: Duration,
    is_read_only: bool,
    bridge: Option<Bridge>,
    /// Webhooks, where some are taken.
    wakes: Option<Wakes>,
    /// The last pass left something to do.
    has_more: bool,
    /// What it was asked to push again, and could not yet.
    resyncs: Vec<Resync>,
}

impl Rounds {
    /// Where nothing may be changed, every pass is a dry one.
    pub const fn new(open: Open, every: Duration, is_read_only: bool, wakes: Option<Wakes>) -> Self {
        Self { open, every, is_read_only, bridge: None, wakes, has_more: false, resyncs: Vec::new() }
    }

    async fn round(&mut self, cx: &TickContext) -> Result<Ticked, Fault> {
        let is_dry = cx.dry_run || self.is_read_only;
        let bridge = match self.bridge.take() {
            Some(bridge) => bridge,
            None => (self.open)(is_dry).await?,
        };
        // What comes in from here on may be too late for this pass.
        let wake = match &mut self.wakes {
            Some(wakes) => wakes.waiting().await,
            None => None,
        };
        // A pass that fails as a whole lets go of everything: a damaged repository is made again when it is opened.
        let Pass { report, blind, resyncs, board, .. } = bridge.pass(is_dry, &|| cx.stop.is_asked()).await?;
        // One whose repository is damaged is opened anew.
        self.bridge = (!bridge.is_damaged()).then_some(bridge);
        self.has_more = report.has_more();
        self.resyncs = resyncs;
        for trouble in &report.troubles {
            tracing::warn!("{trouble}");
        }
        // Where one asks to be left alone for a while, nothing is wrong, and the rest goes on.
        if let Some(fault) = blind.filter(|fault| !matches!(fault.kind, FaultKind::RateLimited { .. })) {
            // The rest was done, but a bridge that does not see a side is not well.
            return Err(fault);
        }
        if let (Some(wakes), Some(wake), false) = (&self.wakes, wake, is_dry) {
            let deliveries = wake.deliveries;
            if let Err(error) = wakes.handled(wake).await {
                // They are acted on once more, which changes nothing.
                tracing::warn!(%error, deliveries, "webhooks that were acted on could not be marked");
            }
        }
        let pushed = report.would_push.as_ref().unwrap_or(&report.pushed).len() as u64;
        let counts = vec![
            ("prs", report.decisions.len() as u64),
            ("pushed", pushed),
            ("posted", report.statuses.posted as u64),
            ("troubles", report.troubles.len() as u64),
        ];
        Ok(Ticked { summary: report.summary(), counts, news: board.map(|board| Event::BoardKnown(Some(board)).into()) })
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
        let Self { wakes, bridge, has_more, resyncs, .. } = self;
        Box::pin(async {
            let woken = async {
                match wakes {
                    _ if *has_more => {}
                    Some(wakes) => drop(wakes.next().await),
                    None => pending().await,
                }
            };
            let asked = async {
                match bridge {
                    Some(bridge) => bridge.asked(resyncs).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = woken => {}
                () = asked => {}
            }
        })
    }
}
