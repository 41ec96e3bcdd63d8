//! `stackhand cache`: how big binary caches are, how healthy, who signed what, what keeps a spec alive, and what could go.

mod health;
mod keep;
mod plan;
mod size;
mod verify;
mod why;

use std::sync::Mutex;
use std::time::Instant;

use super::assemble::Setup;
use super::exit::{Exit, Failure};
use super::out::Progress;
use crate::adapters::mirror::Stage;
use crate::adapters::store::{Store, StoreError};
use crate::cache::{Contents, Root, RootKind};
use crate::ci::Timestamp;
use crate::console::text::count;
use crate::controller::caches;

/// What the verbs print.
pub const SHAPE: &str = "\
Mirrors are s3://BUCKET/PREFIX, file:///… or absolute paths; https://… is read by its index alone, since a web server cannot be listed. Buckets are \
read with the usual AWS variables (AWS_ENDPOINT_URL among them), or anonymously. What could not be read is null, never 0 and never empty.

JSON `stackhand.cache-size/1`: `version`, `roots` [{`url`, `kind`, `stack`, `at`, `age_s`, `bytes`, `objects`, `specs`, `blobs`, `growth_24h`, `index_at`, \
`orphan_bytes`, `holes`, `state`}], `total` {`bytes`, `objects`}, `duplication` {`distinct_bytes`, `copied_bytes`} (after --fresh).
JSON `stackhand.cache-ls/1`: `version`, `roots` [{`url`, `kind`, `mirror`, `stack`}].
JSON `stackhand.cache-health/1`: `version`, `url`, `state`, `complete`, `specs`, `blobs`, `bytes`, `holes` [hash], `orphans` [path], `orphan_bytes`, \
`unindexed` [hash], `index_at`, `findings` [{`kind`, `severity`, `place`, `what`, `remedy`}].
JSON `stackhand.cache-verify/1`: `version`, `url`, `complete`, `good`, `bad`, `unknown_key`, `unsigned` {`count`, `hashes`}, `reasons` [{`hash`, `path`, `why`}] \
(of what is bad), `unread` [{`place`, `why`}]. It ends with code 1 when anything is bad, with 4 when something could not be read.
JSON `stackhand.cache-why/1`: `version`, `hash`, `roots` [{`url`, `fate` (stays, goes, broken, absent, untold, unknown), `manifests` [{`path`, `modified`, `blobs` \
[{`path`, `bytes`, `present`, `shared_with`}]}], `listed` [{`view`, `in_buildcache`}], `kept_by`, `doubts`}].
A plan is `stackhand.prune-plan/1`: `id` (over all that it would delete), `made_at`, `totals`, `steps`, `plan`. A refused one ends with code 3 and every reason.

Examples:
  stackhand cache size
  stackhand cache size --fresh --mirror s3://spack-binaries/develop
  stackhand cache health --mirror s3://spack-binaries/develop/e4s --json
  stackhand cache verify --mirror s3://spack-binaries/develop/e4s --keyring spack-public-binary-key.pub
  stackhand cache why /k3x2fab --mirror s3://spack-binaries/develop/e4s
  stackhand cache plan-prune --mirror s3://spack-binaries/develop/e4s --output plan.json";

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    #[command(subcommand)]
    what: What,
}

/// What can be done with binary caches.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists the cache roots below the mirrors, without listing what is in them.
    Ls(size::List),
    /// Tells how big caches are, at once from what was kept; says how old that is.
    Size(size::Ask),
    /// Compares what the index of one root promises, what its manifests name, and what lies there.
    Health(health::Ask),
    /// Verifies the signature of every binary of a root, that it is about what its name says, and that its spec gives its hash.
    Verify(verify::Ask),
    /// Tells what keeps a spec alive, where it lies, and what would become of it.
    Why(why::Ask),
    /// Plans what could go from one root, with reasons; deletes nothing.
    PlanPrune(plan::Ask),
}

/// Does it.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    match &ask.what {
        What::Ls(ask) => size::list(setup, ask).await,
        What::Size(ask) => size::run(setup, ask).await,
        What::Health(ask) => health::run(setup, ask).await,
        What::Verify(ask) => verify::run(setup, ask).await,
        What::Why(ask) => why::run(setup, ask).await,
        What::PlanPrune(ask) => plan::run(setup, ask).await,
    }
}

/// The mirrors that were named, or those of the configuration.
fn mirrors(setup: &Setup, named: &[String]) -> Result<Vec<String>, Failure> {
    let configured = || setup.loaded.config.cache.mirrors.iter().map(ToOwned::to_owned).collect::<Vec<String>>();
    let mirrors = if named.is_empty() { configured() } else { named.to_vec() };
    if mirrors.is_empty() {
        return Err(Failure::new(Exit::Config, "no mirror is known; name one with --mirror or set `cache.mirrors`"));
    }
    Ok(mirrors)
}

/// Which root an address is: what stands behind the bucket, or the last folders of a path that say so.
fn root_of(url: &str) -> Root {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest).trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let known = (1..parts.len()).map(|skipped| Root::of(&parts.get(skipped..).unwrap_or_default().join("/")));
    known
        .into_iter()
        .find(|root| root.kind != RootKind::Other)
        .unwrap_or_else(|| Root::of(parts.get(1..).unwrap_or_default().join("/").as_str()))
}

fn store(setup: &Setup) -> Result<&Store, Failure> {
    setup.outside.store.as_ref().map_err(|fault| Failure::new(Exit::Failed, fault.to_string()))
}

fn broken(error: StoreError) -> Failure {
    Failure::new(Exit::Failed, error.to_string())
}

/// What lies in a root; says how far the reading is.
async fn looked(setup: &Setup, url: &str) -> Result<Contents, Failure> {
    let progress = Mutex::new((Instant::now(), Progress::new()));
    let told = |stage: Stage| {
        let Ok(mut progress) = progress.lock() else { return };
        if progress.0.elapsed() >= Progress::PATIENCE {
            progress.1.say(&match stage {
                Stage::Listing(listing) => format!("listing {url}: {} keys", count(listing.keys)),
                Stage::Reading { done, all } => {
                    format!("reading {url}: {} of {} manifests", count(done as u64), count(all as u64))
                }
            });
        }
    };
    let outside = &setup.outside;
    caches::look(&outside.mirrors, outside.store.as_ref().ok(), url, &told).await.map_err(unread)
}

/// What the mirror said; the reason names its address.
fn unread(reason: String) -> Failure {
    Failure::new(Exit::Unreachable, reason)
}

fn ago(now: Timestamp, at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| crate::ci::short(now.since(at)))
}
