//! Judges failed jobs, and asks the store what it remembers of others.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::Hands;
use crate::adapters::store::{Store, StoreError};
use crate::ci::Timestamp;
use crate::console::effect::Wish;
use crate::console::event::Event;
use crate::console::failures::{Ack, By, FailureFilter, History, LIST, LaterTry, Piece, PipelineEnd, Spending};
use crate::console::fault::{Fault, FaultKind};
use crate::console::text::plural;
use crate::controller::judge;
use crate::taxonomy::judge::{Zone, success_trend, trend};
use crate::taxonomy::{Draft, Failure, JobFacts};

/// Failures that are read back at the start, the newest first.
const RECALLED: u32 = 20_000;
/// Failures that a trend counts; a week against the week before.
const COUNTED: u32 = 50_000;
const WEEK: Duration = Duration::from_hours(7 * 24);

impl Hands {
    /// Reads back what was judged in the last days.
    pub(super) async fn recall_failures(&self, store: &Store) {
        // The server's clock is not known yet: the newest ones, whenever they were.
        let ever = Timestamp::from_millis(i64::MIN)..Timestamp::from_millis(i64::MAX);
        match store.failures_since(ever, &FailureFilter::default(), Piece::newest(RECALLED)).await {
            Ok(failures) => self.say(Event::FailuresKnown(failures.into_iter().map(Arc::new).collect())).await,
            Err(error) => {
                self.complain(format!("failures not read: {error}")).await;
                self.say(Event::FailuresKnown(Vec::new())).await;
            }
        }
    }

    pub(super) async fn save_rule(&self, draft: Arc<Draft>) {
        let id = draft.id.clone();
        match self.outside.rules.add(draft).await {
            Ok((place, rules)) => {
                self.say(Event::TaxonomyChanged(Arc::new(rules.rules().clone()))).await;
                let text = format!("rule {id} saved in {place}; what was unknown is judged again").into();
                self.say(Event::Said { error: false, text }).await;
            }
            Err(fault) => self.complain(fault.to_string()).await,
        }
    }

    /// Rules that changed on disk. What was saved by the console itself is known already, and nothing is said about it.
    pub(super) async fn reread_rules(&self) {
        match self.outside.rules.reread().await {
            Ok(Some(rules)) => {
                self.say(Event::TaxonomyChanged(Arc::new(rules.rules().clone()))).await;
                let count = plural(rules.rules().rules.len() as u64, "rule");
                let text = format!("the rules changed: {count} judge from now on; what was unknown is judged again");
                self.say(Event::Said { error: false, text: text.into() }).await;
            }
            Ok(None) => {}
            Err(fault) => self.complain(fault.detail).await,
        }
    }

    pub(super) async fn store_ack(&self, ack: &Ack) {
        let stored = match &self.outside.store {
            Ok(store) => store.add_ack(ack).await.map(|_| ()).map_err(|error| error.to_string()),
            Err(fault) => Err(fault.to_string()),
        };
        match stored {
            Ok(()) => {
                let text = format!("{} acknowledged by {}", ack.class, ack.who).into();
                self.say(Event::Said { error: false, text }).await;
            }
            Err(error) => self.complain(format!("not acknowledged: {error}")).await,
        }
    }

    /// What the store cannot count is not granted.
    pub(super) async fn ask_retries(&self, wishes: Vec<Wish>) {
        let store = match &self.outside.store {
            Ok(store) => store,
            Err(fault) => return self.complain(format!("nothing is retried without being asked: {fault}")).await,
        };
        let mut granted = Vec::new();
        let mut spent: BTreeSet<Arc<str>> = BTreeSet::new();
        for wish in wishes {
            match store.spend_retry(wish.job, &wish.class, wish.at, &wish.allowances).await {
                Ok(Spending::Granted) => granted.push(wish.job),
                Ok(Spending::Again) => {}
                Ok(Spending::UsedUp { .. }) => {
                    spent.insert(wish.class);
                }
                Err(error) => self.complain(format!("nothing is retried without being asked: {error}")).await,
            }
        }
        for class in spent {
            let text = format!("{class}: the automatic retries are used up for now").into();
            self.say(Event::Said { error: false, text }).await;
        }
        if !granted.is_empty() {
            self.say(Event::RetriesGranted(granted)).await;
        }
    }

    pub(super) async fn store_later_tries(&self, tries: &[LaterTry]) {
        if let Ok(store) = &self.outside.store
            && let Err(error) = store.put_later_tries(tries).await
        {
            tracing::warn!(%error, "ends of new tries not stored");
        }
    }

    pub(super) async fn store_pipeline_ends(&self, ends: &[PipelineEnd]) {
        if let Ok(store) = &self.outside.store
            && let Err(error) = store.put_pipeline_ends(ends).await
        {
            tracing::warn!(%error, "ends of pipelines not stored");
        }
    }

    /// Asks how retries fared, since when signatures are known, and how the week went.
    pub(super) async fn read_history(&self, now: Timestamp) -> Result<(), Fault> {
        let store = self.outside.store.as_ref().map_err(Clone::clone)?;
        if let Err(error) = store.forget_before(now.shifted(-millis(self.outside.keep))).await {
            tracing::warn!(%error, "old failures not forgotten");
        }
        let history = history(store, now).await;
        let history = history
            .map_err(|error| Fault::new(FaultKind::Local, "read the failures of the last days", error.to_string()))?;
        self.say(Event::HistoryKnown(Arc::new(history))).await;
        Ok(())
    }

    /// Reads a log once, keeps the verdict and tells it.
    pub(super) async fn judge(&self, failure: &Failure, facts: &JobFacts, web_url: Option<&str>) -> Result<(), Fault> {
        let rules = self.outside.rules.get().await?;
        let failure = judge(&self.outside.gitlab, &rules, failure.clone(), facts, web_url).await?;
        if let Ok(store) = &self.outside.store
            && let Err(error) = store.put_failures(std::slice::from_ref(&failure)).await
        {
            tracing::warn!(%error, "failure not stored");
        }
        self.say(Event::Judged(Arc::new(failure))).await;
        Ok(())
    }
}

async fn history(store: &Store, now: Timestamp) -> Result<History, StoreError> {
    let (week, fortnight) = (before(now, WEEK), before(now, WEEK * 2));
    let groups = store.grouped(&[By::Class, By::Signature], week, now).await?;
    let mut groups = groups.into_iter();
    let (classes, signatures) = (groups.next().unwrap_or_default(), groups.next().unwrap_or_default());
    let failures = store.failures_since(fortnight.clone(), &FailureFilter::default(), Piece::newest(COUNTED)).await?;
    let ends = store.pipeline_ends(fortnight, None, COUNTED).await?;
    let ended: Vec<(Timestamp, bool)> = ends.iter().map(|end| (end.finished_at, end.ok)).collect();
    let covered: Vec<Range<Timestamp>> =
        store.covered(LIST).await?.into_iter().map(|read| read.from..read.to).collect();
    let zone = Zone::hours(0);
    Ok(History {
        retries: classes.into_iter().filter_map(|group| Some((group.key?, group.retries))).collect(),
        first_seen: signatures.into_iter().filter_map(|group| group.key.zip(group.first_seen)).collect(),
        trend: trend(&failures.iter().collect::<Vec<_>>(), now, zone, &covered),
        success: success_trend(&ended, now, zone, 7, &covered),
        acks: store.acks(now).await?,
        successes: store.later_successes(now.shifted(-millis(WEEK)), COUNTED).await?,
        covered,
    })
}

/// The time before a moment, the moment itself included.
fn before(now: Timestamp, length: Duration) -> Range<Timestamp> {
    now.shifted(-millis(length))..now.shifted(1)
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
