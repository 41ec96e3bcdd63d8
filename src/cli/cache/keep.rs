//! What to keep in a root: from files, or from what Spack's CI says that it still needs.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::cache::keep::{KeepList, KeepReason, OtherSource};
use crate::cache::{Contents, Root, RootKind};
use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out::Progress;
use crate::console::text::count;
use crate::controller::{caches, keep};
use crate::spack::Hash;

/// Where a keep list comes from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What to keep")]
pub struct From {
    /// Files with one DAG hash on each line, as Spack writes them; without one, the locks of the last days' generate jobs are read from GitLab.
    #[arg(long = "keep", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// DAG hashes that are kept as well, besides `cache.pins`.
    #[arg(long = "pin", value_name = "HASH")]
    pins: Vec<String>,
    /// Requests that may be sent to GitLab for locks; what was read is kept, so that the next run goes on.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    requests: u32,
}

impl From {
    /// Whether a list was named.
    pub fn is_given(&self) -> bool {
        !self.files.is_empty()
    }

    /// Gathers the list of a root.
    pub async fn list(&self, setup: &Setup, url: &str, root: &Root, contents: &Contents) -> Result<KeepList, Failure> {
        let pins = self.pinned(setup)?;
        if !self.files.is_empty() {
            return self.read(pins);
        }
        let git_ref = match &root.kind {
            RootKind::Top { git_ref } | RootKind::Stack { git_ref, .. } => git_ref.clone(),
            _ => {
                let what = format!(
                    "{root} is the cache of no protected ref, so that no locks tell what it needs; give a list with --keep"
                );
                return Err(Failure::new(Exit::Refused, what));
            }
        };
        let outside = &setup.outside;
        // The server's clock decides what is old.
        outside.gitlab.project().await.map_err(|fault| Failure::remote(&fault, setup.clock.now()))?;
        let now = setup.clock.now().shifted(outside.gitlab.stats().skew_ms.unwrap_or(0));
        let window = Duration::from_hours(24) * setup.loaded.config.cache.keep_days;
        let wanted = keep::Wanted { git_ref, now, window, requests: self.requests };
        let progress = Mutex::new((Instant::now(), Progress::new()));
        let mut told = |done: usize, all: usize| {
            let Ok(mut progress) = progress.lock() else { return };
            if progress.0.elapsed() >= Progress::PATIENCE {
                progress.1.say(&format!("reading locks: {} of {}", count(done as u64), count(all as u64)));
            }
        };
        let mut evidence = keep::evidence(&outside.gitlab, outside.store.as_ref().ok(), &wanted, &mut told).await;
        drop(progress);
        evidence.others.extend(self.beside(setup, url, root, contents).await);
        evidence.others.push(OtherSource { reason: KeepReason::Pin("pinned".into()), outcome: Ok(pins) });
        Ok(KeepList::gather(&evidence, root))
    }

    /// What releases and snapshots beside the root have.
    async fn beside(&self, setup: &Setup, url: &str, root: &Root, contents: &Contents) -> Vec<OtherSource> {
        let Some(mirror) = url.trim_end_matches('/').strip_suffix(&*root.prefix) else { return Vec::new() };
        let mirror = mirror.trim_end_matches('/');
        let here = contents.manifests.iter().filter_map(|manifest| manifest.hash);
        let reader = &setup.outside.mirrors;
        match reader.roots(mirror, caches::DEPTH).await {
            Ok(found) => {
                let mut sources = keep::neighbours(reader, mirror, &found.roots, root, here).await;
                let gaps = found.gaps.into_iter().map(|gap| OtherSource {
                    reason: KeepReason::Release(gap.place),
                    outcome: Err(gap.why.to_string()),
                });
                sources.extend(gaps);
                sources
            }
            Err(why) => vec![OtherSource { reason: KeepReason::Release(mirror.into()), outcome: Err(why) }],
        }
    }

    fn read(&self, pins: Vec<Hash>) -> Result<KeepList, Failure> {
        let mut list = KeepList::default();
        for file in &self.files {
            let name = file.display().to_string();
            let bytes = std::fs::read(file)
                .map_err(|error| Failure::new(Exit::Config, format!("{name}: {error}; name a readable file")))?;
            let read = KeepList::read(&name, &bytes).map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
            list.add(KeepReason::File(name.into()), read.hashes());
        }
        list.add(KeepReason::Pin("pinned".into()), pins);
        Ok(list)
    }

    fn pinned(&self, setup: &Setup) -> Result<Vec<Hash>, Failure> {
        let configured = setup.loaded.config.cache.pins.iter().map(ToOwned::to_owned);
        let all = configured.chain(self.pins.iter().cloned());
        all.map(|text| {
            let text = text.trim().trim_start_matches('/').to_owned();
            Hash::parse(&text).map_err(|error| Failure::new(Exit::Config, format!("pins: {error}")))
        })
        .collect()
    }
}
