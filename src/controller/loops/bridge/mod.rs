//! The bridge between one GitHub repository and one GitLab project.
//!
//! [`Bridge::pass`] is one round: `gather` lists both sides and recalls what earlier passes found, `look` finds out what decisions want, `push` and
//! `tell` do what was decided, and everything that a crash may not lose is in the store before it is relied on.
//!
//! * What was pushed is found again on GitLab, since equal merges are equal commits: a pass that died during a push is simply made again.
//! * A status is written down as uncertain before it is sent. What is uncertain is read from GitHub before it is sent again.
//! * The watermark of GitLab's pipelines passes none whose status GitHub was not told.
//! * A fault of one pull request, ref or status is its own; a source that does not answer leaves unknown what it would have told.

mod gather;
mod look;
mod memory;
mod push;
mod report;
mod rounds;
mod tell;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub use memory::board_key;
use report::Done;
pub use report::{PassReport, Requests, Shown, Told};
pub use rounds::{NAME, Rounds};

use crate::adapters::clock::Clock;
use crate::adapters::git::mirror::{Mirror, Wanted};
use crate::adapters::github::GitHub;
use crate::adapters::gitlab::GitLab;
use crate::adapters::store::{Store, StoreError};
use crate::bridge::{Board, Decided, PassInput, PassOutput, Recording, Resync, Rules, Watermark};
use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};
use crate::forge::PrNumber;

/// What a bridge stands between, and what it is told.
pub struct Outside {
    /// The project on GitLab; what is remembered goes by this name.
    pub name: Arc<str>,
    pub github: GitHub,
    pub gitlab: GitLab,
    pub mirror: Mirror,
    pub store: Store,
    pub rules: Rules,
    /// What GitLab protects besides GitHub's protected branches: names, or patterns with `*`.
    pub protected: Vec<Arc<str>>,
    /// Pushes go by a key, which may do more than the token.
    pub pushes_by_key: bool,
    /// How long one pass may post statuses; the rest waits for the next. None: until all are posted.
    pub telling: Option<Duration>,
    pub clock: Arc<dyn Clock>,
}

impl Outside {
    /// What the time is on GitHub, against whose moments everything is judged.
    fn now(&self) -> Timestamp {
        self.github.server_now()
    }
}

/// A bridge at work.
pub struct Bridge {
    outside: Outside,
}

/// What a pass knew, decided and did.
pub struct Pass {
    pub input: PassInput,
    pub output: PassOutput,
    pub report: PassReport,
    /// Why the pull requests or a whole side could not be read, if so. Everything else was done.
    pub blind: Option<Fault>,
    /// What somebody wants pushed again, and what is still waited for.
    pub resyncs: Vec<Resync>,
    /// How everything stands, as it was written down; a dry pass writes nothing.
    pub board: Option<Arc<Board>>,
}

impl Pass {
    /// The pass, to be decided again some other day.
    pub fn recording(&self) -> Recording {
        Recording::new(env!("CARGO_PKG_VERSION"), self.input.clone(), self.output.clone())
    }
}

impl Bridge {
    pub const fn new(outside: Outside) -> Self {
        Self { outside }
    }

    /// One pass. A dry one looks and decides; it changes nothing on either side, and writes nothing down. `is_asked_to_stop` is asked between
    /// two things that change something.
    pub async fn pass(&self, dry_run: bool, is_asked_to_stop: &(dyn Fn() -> bool + Sync)) -> Result<Pass, Fault> {
        let begun = std::time::Instant::now();
        let outside = &self.outside;
        let before = self.requests();
        let mut memory = memory::Memory::read(outside).await?;
        let gathered = gather::gather(outside, &mut memory, dry_run).await?;
        let mut troubles = gathered.troubles;
        let mut input = gathered.input;
        let output = look::decide(outside, &mut input).await;
        let mut told = Told { unchanged: output.statuses.unchanged, ..Told::default() };
        let (mut pushed, mut resyncs, mut board) = (Vec::new(), memory.resyncs.clone(), None);
        if !dry_run {
            memory.note(outside, &input, gathered.is_listed).await?;
            let decided = Decided::all(&output, input.now);
            outside.store.put_decisions(&outside.name, &decided, input.now).await.map_err(|error| local(&error))?;
            if !output.pushes.is_empty() || !output.statuses.post.is_empty() {
                // That may take a while, and people look meanwhile.
                memory::put_board(outside, &input, &output, gathered.is_listed).await?;
            }
            let sent = push::push(outside, &mut memory, &input, &output, &mut troubles, is_asked_to_stop).await?;
            resyncs = memory.settle_resyncs(outside, &output, &sent, gathered.is_listed).await?;
            pushed = sent.names;
            let unposted =
                tell::tell(outside, &input, &output.statuses.post, &mut told, &mut troubles, is_asked_to_stop).await?;
            let (before, held) = (gathered.watermark, &output.statuses.held);
            let pipelines = input.pipelines.found().map_or(&[][..], Vec::as_slice);
            let mark = Watermark::past(before, pipelines, held, &unposted, gathered.is_whole);
            memory::put_watermark(outside, mark).await?;
            board = Some(memory::put_board(outside, &input, &output, gathered.is_listed).await?.into());
            self.tidy(&input, gathered.is_listed, &mut troubles).await?;
        }
        let done = Done {
            are_prs_known: gathered.unlisted.is_none(),
            pushed,
            told,
            troubles,
            requests: self.requests().since(before),
            took: begun.elapsed(),
            dry_run,
        };
        let report = PassReport::of(&input, &output, done);
        Ok(Pass { input, output, report, blind: gathered.blind, resyncs, board })
    }

    /// Waits until somebody wants something pushed again that is not among these. It may be dropped at any `await`.
    pub async fn asked(&self, known: &[Resync]) {
        /// Of a store that others may write to.
        const LOOK: Duration = Duration::from_secs(2);
        loop {
            tokio::time::sleep(LOOK).await;
            match self.outside.store.resyncs(&self.outside.name).await {
                Ok(resyncs) if resyncs.iter().any(|one| !known.contains(one)) => return,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "what somebody wants pushed again cannot be read"),
            }
        }
    }

    /// Once a day, whichever process comes by, lets go of pull requests that are no longer open, and packs the mirror.
    async fn tidy(&self, input: &PassInput, is_listed: bool, troubles: &mut Vec<String>) -> Result<(), Fault> {
        const DAY: Duration = Duration::from_hours(24);
        let outside = &self.outside;
        let (key, now) = (format!("bridge.tidied {}", outside.name), outside.clock.now());
        let last = outside.store.get_meta(&key).await.map_err(|error| local(&error))?;
        let last = last.and_then(|text| text.parse().ok()).map(Timestamp::from_millis);
        if last.is_some_and(|last| now.since(last) < DAY) {
            return Ok(());
        }
        // Before, so that what is cut off every time is not begun with every pass.
        outside.store.put_meta(&key, &now.millis().to_string()).await.map_err(|error| local(&error))?;
        let open: HashSet<PrNumber> = input.prs.iter().map(|one| one.pr.number).collect();
        let is_open = |wanted: &Wanted| match wanted {
            Wanted::PrHead(pr) | Wanted::TestMerge(pr) => !is_listed || open.contains(pr),
            Wanted::Branch(_) | Wanted::Tag(_) => true,
        };
        let tidied = async {
            outside.mirror.prune(is_open).await?;
            outside.mirror.tidy().await
        };
        if let Err(error) = tidied.await {
            troubles.push(error.to_string());
        }
        Ok(())
    }

    /// Whether its repository has to be made again: that happens when it is opened the next time.
    pub fn is_damaged(&self) -> bool {
        self.outside.mirror.is_damaged()
    }

    /// What each side was asked so far.
    fn requests(&self) -> Requests {
        Requests {
            github: self.outside.github.requests(),
            gitlab: self.outside.gitlab.stats().requests,
            git: self.outside.mirror.git_runs(),
        }
    }
}

/// The store's failure ends a pass: what cannot be remembered must not be done.
fn local(error: &StoreError) -> Fault {
    Fault::new(FaultKind::Local, "remember what the bridge does", error.to_string())
}
