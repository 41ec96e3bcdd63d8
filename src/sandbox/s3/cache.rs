//! One cache at one prefix: what it begins with, and what happens to it.
//!
//! A cache is closed until somebody looks into it; what happens before is only noted.

use super::super::SandboxError;
use super::super::nodes::Age;
use super::super::rng::Rng;
use super::super::stacks::STACKS;
use super::super::world::EPOCH;
use super::contents::{Bytes, Contents, Damage, Held, Lane, Signed, SpecRef};
use super::fill::{DAY, HOUR, MINUTE, RELEASED, SNAPSHOT, Source, write_keys};
use super::pgp::Keys;
use super::{legacy, listing};
use crate::ci::Timestamp;

/// What a cache begins with.
#[derive(Debug)]
pub enum Recipe {
    /// A stack of a protected branch.
    Stack(Source),
    /// What was published from these, as it was at some moment; they offer in this order.
    Published { from: Vec<Source>, kind: Published },
    /// What pipelines of a pull request had pushed before the world began: places in the current lock.
    Change { stack: usize, specs: Vec<u16>, at: Timestamp },
    /// The cache in layout 2 beside a newer one.
    Layout2 { stack: usize },
    /// Objects that belong to no cache.
    Loose,
}

/// How binaries came to a cache that collects those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// Every three hours.
    Develop,
    /// Once, when the branch was released.
    Release,
    /// Once, all that was there on that day.
    Snapshot,
}

/// What happens to a cache.
#[derive(Debug)]
pub enum Event {
    Push(Held),
    Sign(Timestamp),
    Index(Timestamp),
    /// What others offer; what is there already stays.
    Publish(Vec<Held>, Timestamp),
}

/// A cache.
#[derive(Debug)]
pub struct Cache {
    /// Ends with a slash; empty for the bucket itself.
    pub prefix: String,
    pub recipe: Recipe,
    /// When it is deleted.
    pub gone_at: Option<Timestamp>,
    noted: Vec<Event>,
    contents: Option<Contents>,
}

impl Cache {
    pub fn new(prefix: String, recipe: Recipe) -> Self {
        Self { prefix, recipe, gone_at: None, noted: Vec::new(), contents: None }
    }

    /// The same, deleted at that moment.
    pub fn until(self, gone_at: Option<Timestamp>) -> Self {
        Self { gone_at, ..self }
    }

    /// What is in it; nothing while it is closed.
    pub fn contents(&self) -> Option<&Contents> {
        self.contents.as_ref()
    }

    /// The folder that holds a lane; a lane that the cache cannot have has none.
    pub fn folder(&self, lane: Lane) -> Option<&'static str> {
        match (&self.recipe, lane) {
            (Recipe::Loose | Recipe::Layout2 { .. }, Lane::Others) => Some(""),
            (Recipe::Loose | Recipe::Layout2 { .. }, _) => None,
            _ => Some(listing::folder(lane)),
        }
    }

    /// There is something in that lane, whatever happens.
    pub fn is_never_empty(&self, lane: Lane) -> bool {
        match self.recipe {
            Recipe::Stack(_) | Recipe::Published { .. } | Recipe::Layout2 { .. } => true,
            Recipe::Change { .. } => lane == Lane::Others,
            Recipe::Loose => false,
        }
    }

    /// Lets something happen to it.
    pub fn happen(&mut self, event: Event) {
        match &mut self.contents {
            Some(contents) => apply(contents, event),
            None => self.noted.push(event),
        }
    }

    /// Puts an object of no cache into it.
    pub fn put(&mut self, key: &str, at: Timestamp, bytes: Bytes) {
        self.contents.get_or_insert_default().put_other(key, at, bytes);
    }

    /// Looks into it.
    pub fn open(&mut self, seed: u64, keys: &Keys) -> Result<(), SandboxError> {
        if self.contents.is_some() {
            return Ok(());
        }
        let mut contents = match &self.recipe {
            Recipe::Stack(source) => source.contents(seed, keys)?,
            Recipe::Published { from, kind } => published(seed, keys, from, *kind)?,
            Recipe::Change { stack, specs, at } => change(seed, &self.prefix, *stack, specs, *at)?,
            Recipe::Layout2 { stack } => legacy::contents(seed, keys, *stack)?,
            Recipe::Loose => Contents::default(),
        };
        for event in self.noted.drain(..) {
            apply(&mut contents, event);
        }
        self.contents = Some(contents);
        Ok(())
    }
}

fn apply(contents: &mut Contents, event: Event) {
    match event {
        Event::Push(held) => contents.push(held),
        Event::Sign(at) => contents.sign(at),
        Event::Index(at) => contents.index(at),
        Event::Publish(offered, at) => {
            let mut is_changed = false;
            for held in offered {
                if !contents.has(held.spec) {
                    is_changed = true;
                    contents.push(copied(held, at));
                }
            }
            if is_changed {
                contents.index(at.shifted(8 * MINUTE));
            }
        }
    }
}

/// The same bytes, written at another time.
fn copied(held: Held, at: Timestamp) -> Held {
    Held { pushed: at, written: at.shifted(900), ..held }
}

/// The publisher runs at the full hours that three divides, and needs a while.
pub fn publication_after(at: Timestamp) -> Timestamp {
    let period = 3 * HOUR;
    let delay = 15 * MINUTE;
    Timestamp::from_millis(((at.millis() - delay).div_euclid(period) + 1) * period + delay)
}

fn published(seed: u64, keys: &Keys, from: &[Source], kind: Published) -> Result<Contents, SandboxError> {
    let (mut all, mut known) = (Vec::new(), std::collections::HashSet::new());
    let mut last = RELEASED;
    for source in from {
        for held in source.stock(seed)?.held {
            // What cannot be read or verified is not published.
            if held.signed != Signed::Reputational || held.damage.is_some() {
                continue;
            }
            let at = match kind {
                Published::Develop => publication_after(held.written),
                Published::Release => RELEASED.shifted(2 * DAY),
                Published::Snapshot => SNAPSHOT.shifted(80 * MINUTE),
            };
            let is_there = match kind {
                Published::Develop => at <= EPOCH,
                Published::Release => true,
                Published::Snapshot => held.written <= SNAPSHOT,
            };
            if is_there && known.insert(held.spec.hash()) {
                last = last.max(at);
                all.push(copied(held, at));
            }
        }
    }
    let mut contents = Contents::default();
    contents.fill(all);
    contents.index(last.shifted(8 * MINUTE));
    write_keys(&mut contents, &[&keys.reputational], RELEASED.shifted(-20 * DAY));
    Ok(contents)
}

fn change(seed: u64, prefix: &str, stack: usize, specs: &[u16], at: Timestamp) -> Result<Contents, SandboxError> {
    let mut contents = Contents::default();
    write_keys(&mut contents, &[], at);
    let Some(about) = STACKS.get(stack) else { return Ok(contents) };
    let variant = about.specs(Age::Current)?;
    let mut rng = Rng::named(seed, "pull request's cache", prefix);
    let mut last = at;
    let mut held = Vec::with_capacity(specs.len());
    for spec in specs.iter().map(|at| SpecRef { variant, at: *at }) {
        last = last.shifted(rng.between(40_000, 900_000) as i64);
        held.push(Held::fresh(spec, rng.next(), last, Signed::Nobody));
    }
    if let Some(held) = held.last_mut().filter(|_| rng.chance(0.1)) {
        held.damage = Some(Damage::NoTarball);
    }
    let is_indexed = !held.is_empty() && rng.chance(0.85);
    contents.fill(held);
    if is_indexed {
        contents.index(last.shifted(4 * MINUTE));
    }
    Ok(contents)
}
