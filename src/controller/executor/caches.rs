//! Binary caches: what was sampled before, listings of mirrors, and a look into one root.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Hands;
use crate::adapters::store::Store;
use crate::cache::{Health, Sample};
use crate::ci::Timestamp;
use crate::console::caches::{Inside, RootId};
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::controller::caches::{address, list, look};
use crate::controller::verify::{Binary, verify_one};

/// Samples that are read back at the start.
const RECALLED: Duration = Duration::from_hours(60 * 24);

impl Hands {
    /// Reads back what was sampled before.
    pub(super) async fn recall_caches(&self, store: &Store) {
        let since = self.clock.now().shifted(-i64::try_from(RECALLED.as_millis()).unwrap_or(i64::MAX));
        match store.samples(since).await {
            Ok(samples) if samples.is_empty() => {}
            Ok(samples) => self.say(Event::CachesRecalled(samples)).await,
            Err(error) => self.complain(format!("samples of binary caches not read: {error}")).await,
        }
    }

    pub(super) async fn list_caches(&self, mirrors: &[Arc<str>], at: Timestamp) -> Result<(), Fault> {
        let fault = |detail: String| Fault::new(FaultKind::Unreachable, "list binary caches", detail);
        let mut missed: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
        for mirror in mirrors {
            let answers = self.answers.clone();
            // Telling may lag behind; nobody waits for it.
            let mut told = |listing| drop(answers.try_send(Event::CachesListing(listing)));
            let listed = list(&self.outside.mirrors, mirror, self.clock.now(), &mut told).await.map_err(fault)?;
            self.keep_samples(&listed.samples).await;
            if listed.gaps.is_empty() {
                let (mirror, samples) = (Arc::clone(mirror), listed.samples);
                self.say(Event::CachesListed { mirror, samples, duplication: listed.duplication, at }).await;
            } else {
                self.say(Event::CachesRecalled(listed.samples)).await;
                missed.extend(listed.gaps.into_iter().map(|gap| (address(mirror, &gap.place).into(), gap.why)));
            }
        }
        match missed.first_key_value() {
            None => Ok(()),
            Some((_, why)) => Err(fault(format!("{why} ({} places could not be listed)", missed.len()))),
        }
    }

    pub(super) async fn look_into(&self, root: RootId, url: &str, at: Timestamp) -> Result<(), Fault> {
        let fault = |detail: String| Fault::new(FaultKind::Unreachable, format!("look into {url}"), detail);
        let contents =
            look(&self.outside.mirrors, self.outside.store.as_ref().ok(), url, &|_| {}).await.map_err(fault)?;
        let now = self.clock.now();
        let health = Health::of(&contents, &self.outside.health.at(now));
        let sample = Sample::of(url, &contents, &health, now);
        self.keep_samples(std::slice::from_ref(&sample)).await;
        self.say(Event::CacheRead { root, inside: Arc::new(Inside::new(contents, health)), sample, at }).await;
        Ok(())
    }

    pub(super) async fn verify_binary(
        &self,
        root: RootId,
        url: &str,
        binary: Binary,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let fault =
            |kind, detail: String| Fault::new(kind, format!("verify /{} of {url}", binary.hash.short()), detail);
        let verifier = self.outside.signers.verifier().await.map_err(|detail| fault(FaultKind::Local, detail))?;
        let verified = verify_one(&self.outside.mirrors, verifier, url, &binary).await;
        let signature = verified.map_err(|detail| fault(FaultKind::Unreachable, detail))?;
        self.say(Event::BinaryVerified { root, hash: binary.hash, signature, at }).await;
        Ok(())
    }

    async fn keep_samples(&self, samples: &[Sample]) {
        if let Ok(store) = &self.outside.store
            && let Err(error) = store.put_samples(samples).await
        {
            self.complain(format!("samples of binary caches not kept: {error}")).await;
        }
    }
}
