//! Which caches there are when the world begins, and where.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::SandboxError;
use super::super::nodes::Age;
use super::super::people::PullRequest;
use super::super::plan::{Access, Role, choose_change};
use super::super::rng::Rng;
use super::super::stacks::{STACKS, Stack};
use super::super::world::{EPOCH, World};
use super::cache::{Cache, Published, Recipe};
use super::contents::Bytes;
use super::fill::{DAY, HOUR, IN_SNAPSHOT, RELEASED, RELEASES, SNAPSHOT, Source};
use crate::ci::Timestamp;
use crate::spack::Hash;

/// Where published binaries are.
pub const TOP: &str = "develop/";
/// The stack with an older cache beside its own.
const OLD: &str = "tutorial";

/// Where the cache of a stack is.
pub fn develop(about: &Stack) -> String {
    format!("develop/{}/", about.name)
}

/// Where a pull request's cache of a stack is.
pub fn change(git_ref: &str, about: &Stack) -> String {
    format!("spack-packages/{git_ref}/{}/", about.name)
}

/// The protected caches.
pub fn protected(world: &World) -> Result<Vec<Cache>, SandboxError> {
    let mut sources = Vec::with_capacity(STACKS.len());
    for (stack, about) in (0..).zip(STACKS) {
        let missing = Arc::new(tonight(world, stack, about)?);
        sources.push(Source { stack, age: Age::Current, missing });
    }
    let named = |source: &&Source, names: &[&str]| source.about().is_some_and(|about| names.contains(&about.name));
    let released: Vec<Source> = sources
        .iter()
        .filter(|source| named(source, RELEASES))
        .map(|source| Source { age: Age::Release, missing: Arc::default(), ..source.clone() })
        .collect();
    let snapshot = sources.iter().filter(|source| named(source, IN_SNAPSHOT)).cloned().collect();
    let mut caches = Vec::new();
    for source in sources.iter().chain(&released) {
        let Some(about) = source.about() else { continue };
        let prefix = match source.age {
            Age::Release => format!("releases/v2025.11/{}/", about.name),
            _ => develop(about),
        };
        caches.push(Cache::new(prefix, Recipe::Stack(source.clone())));
    }
    let mut collect = |prefix: &str, from, kind| {
        caches.push(Cache::new(prefix.to_owned(), Recipe::Published { from, kind }));
    };
    collect(TOP, sources, Published::Develop);
    collect("releases/v2025.11/", released, Published::Release);
    collect("develop-2026-03-08/", snapshot, Published::Snapshot);
    if let Some((stack, about)) = (0..).zip(STACKS).find(|(_, about)| about.name == OLD) {
        caches.push(Cache::new(format!("{}build_cache/", develop(about)), Recipe::Layout2 { stack }));
    }
    caches.push(foreign());
    Ok(caches)
}

/// What tonight's pipeline builds of a stack, by place in its lock.
pub fn tonight(world: &World, stack: usize, about: &Stack) -> Result<BTreeSet<u16>, SandboxError> {
    let Some(nightly) = world.pipelines().find(|pipeline| pipeline.source == "schedule") else {
        return Ok(BTreeSet::new());
    };
    let variant = about.specs(Age::Current)?;
    let jobs = nightly.jobs.iter().filter_map(|id| world.job(*id));
    let mut generating = jobs.filter(|job| world.entry_of(job).role == Role::Generate);
    let plan = generating.find_map(|job| world.generated(job).filter(|plan| plan.stack == Some(stack)));
    let works = plan.into_iter().flat_map(|plan| &plan.entries).filter_map(|entry| entry.work.as_ref());
    Ok(works.filter_map(|work| variant.find(&Hash::parse(&work.hash).ok()?)).collect())
}

/// Objects that belong to no cache: what people and other programs have left.
fn foreign() -> Cache {
    let mut loose = Cache::new(String::new(), Recipe::Loose);
    let mut put = |key: &str, days: i64, text: &str| loose.put(key, EPOCH.shifted(-days * DAY), Bytes::text(text));
    put("cache_spack_io_index.json", 1, "{}");
    put("index.html", 700, "<!DOCTYPE html><title>binaries</title>");
    put("develop/e4s/README.md", 410, "Moved to the wiki.\n");
    put("develop/e4s/blobs/sha256/tmp-upload-7f3a", 33, "half an upload");
    put("develop/hep/tmp/core.1187", 61, "no core at all\n");
    put("develop/hep/v3/manifests/spec/hdf5/hdf5-1.14.6-copy of copy.spec.manifest.json", 61, "{}");
    put("develop/data-vis-sdk/notes+plans %41.txt", 90, "a plus, a blank and a percent sign\n");
    put("develop/data-vis-sdk/bell\u{7}\u{1b}[31m.txt", 90, "control characters\n");
    put("develop/../etc/passwd", 512, "root:x:0:0\n");
    loose
}

/// The caches of pull requests: those of the last day's pipelines, some that were closed long ago, and what was forgotten.
pub fn pull_requests(world: &World) -> Result<Vec<Cache>, SandboxError> {
    let seed = world.seed();
    let mut caches: Vec<Cache> = Vec::new();
    let mut add = |root: &str, stack: usize, package: &str, at: Timestamp, gone_at: Option<Timestamp>| {
        let Some(about) = STACKS.get(stack) else { return Ok(()) };
        let prefix = format!("{root}/{}/", about.name);
        if caches.iter().any(|cache| cache.prefix == prefix) {
            return Ok(());
        }
        let variant = about.specs(Age::Current)?;
        let shelf = super::super::locks::Shelf::embedded(about.lock)?;
        let chosen = choose_change(stack, package, 3 + Rng::named(seed, "size", &prefix).below(40) as usize)?;
        let specs = chosen.into_iter().filter_map(|place| {
            let hash = variant.rename(&shelf.at(place)?.spec.hash);
            variant.find(&hash)
        });
        let recipe = Recipe::Change { stack, specs: specs.collect(), at };
        caches.push(Cache::new(prefix, recipe).until(gone_at));
        Ok::<(), SandboxError>(())
    };
    let known: BTreeMap<Arc<str>, &str> =
        (0..200).map(|n| PullRequest::nth(seed, n)).map(|pr| (pr.git_ref, pr.package)).collect();
    // Pushed by pipelines before those that the world remembers.
    for pipeline in
        world.pipelines().filter(|pipeline| pipeline.access == Access::Public && pipeline.created_at < EPOCH)
    {
        let mut rng = Rng::named(seed, "closes", &pipeline.git_ref);
        let package = known.get(&pipeline.git_ref).copied().unwrap_or("hdf5");
        let closes = rng.chance(0.3).then(|| EPOCH.shifted(rng.below(12 * HOUR as u64) as i64));
        for entry in pipeline.plan.entries.iter().filter(|entry| entry.role == Role::Generate) {
            let name = entry.name.strip_suffix("-generate").unwrap_or_default();
            let Some(stack) = STACKS.iter().position(|about| about.name == name) else { continue };
            let at = pipeline.created_at.shifted(-(rng.below(40 * HOUR as u64) as i64) - HOUR);
            add(&format!("spack-packages/{}", pipeline.git_ref), stack, package, at, closes)?;
        }
    }
    // Closed long ago, and nobody has swept.
    for n in 0..6 {
        let pr = PullRequest::nth(seed ^ 0xc1_05ed, n);
        let (number, slug) = pr.git_ref.trim_start_matches("pr").split_once('_').unwrap_or(("0", "x"));
        let number: u64 = number.parse::<u64>().unwrap_or_default().saturating_sub(4_300);
        let at = EPOCH.shifted(-(40 + 23 * n as i64) * DAY);
        let mut rng = Rng::of(seed, "closed", n);
        for _ in 0..rng.between(1, 2) {
            add(
                &format!("spack-packages/pr{number}_{slug}"),
                rng.below(STACKS.len() as u64) as usize,
                pr.package,
                at,
                None,
            )?;
        }
    }
    let stack = |name: &str| STACKS.iter().position(|about| about.name == name).unwrap_or_default();
    // One name begins with the other.
    add("spack-packages/pr46012_hdf5", stack("radiuss"), "hdf5", RELEASED, None)?;
    add("spack-packages/pr46012_hdf5-static", stack("radiuss"), "zlib-ng", RELEASED, None)?;
    // Not a number.
    add("spack-packages/prX_foo", stack("build_systems"), "cmake", SNAPSHOT.shifted(-80 * DAY), None)?;
    // Before projects had folders of their own.
    add("pr41877_py-numpy-cleanup", stack("e4s"), "py-numpy", RELEASED.shifted(-300 * DAY), None)?;
    add("shared_pr_mirror", stack("tutorial"), "zlib-ng", RELEASED.shifted(-400 * DAY), None)?;
    Ok(caches)
}
