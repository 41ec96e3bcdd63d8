//! Every loop that a daemon can run, and what becomes of it where it was not chosen.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::cli::assemble::Setup;
use crate::cli::bridge::TELLING;
use crate::cli::exit::{Exit, Failure};
use crate::config::Origin;
use crate::console::fault::{Fault, FaultKind};
use crate::console::fleet::FleetFacts;
use crate::console::loops::{CACHES, FLEET, TAXONOMY};
use crate::console::world::World;
use crate::controller::loops::bridge::{self, Bridge, Rounds};
use crate::controller::loops::{companions, generation};
use crate::controller::supervisor::Maker;
use crate::controller::webhooks::Hooks;

/// Why there is no bridge.
const UNCONFIGURED: &str = "no GitHub is configured: github.repository";

/// Makes a loop of the supervisor from everything that a face has, and webhooks where some are taken.
type Make = fn(&Arc<Setup>, Option<&Arc<Hooks>>) -> Option<Maker>;

/// What runs a loop.
enum Run {
    /// The core, by its schedule of reads.
    Core,
    /// The supervisor; where it is not configured, nothing.
    Supervised(Make),
}

/// All loops, as `--loops` names them. A loop of the supervisor gets its line here, with what makes it.
const LOOPS: &[(&str, Run)] = &[
    (TAXONOMY, Run::Core),
    (CACHES, Run::Core),
    (FLEET, Run::Core),
    (generation::NAME, Run::Supervised(generation_maker)),
    (bridge::NAME, Run::Supervised(bridge_maker)),
    (companions::NAME, Run::Supervised(companions_maker)),
];

/// What looks at generated pipelines.
#[expect(clippy::unnecessary_wraps, reason = "other loops may be without what they need")]
fn generation_maker(setup: &Arc<Setup>, _: Option<&Arc<Hooks>>) -> Option<Maker> {
    let setup = Arc::clone(setup);
    Some(Box::new(move || {
        let opener = Arc::clone(&setup);
        let open = move || opener.generations().map_err(|failure| unopened("open the store", &failure));
        Box::new(generation::Rounds::new(Box::new(open), setup.loaded.config.generation.every))
    }))
}

/// The companions of the bridge, where a GitHub is configured.
fn companions_maker(setup: &Arc<Setup>, _: Option<&Arc<Hooks>>) -> Option<Maker> {
    let setup = setup.has_bridge().then(|| Arc::clone(setup))?;
    Some(Box::new(move || {
        let opener = Arc::clone(&setup);
        let open = move || opener.companions().map_err(|failure| unopened("open the companions", &failure));
        Box::new(companions::Rounds::new(Box::new(open), setup.loaded.config.bridge.companions_every, setup.acting()))
    }))
}

fn unopened(what: &str, failure: &Failure) -> Fault {
    Fault::new(FaultKind::Local, what, failure.to_string())
}

/// The bridge, where a GitHub is configured.
fn bridge_maker(setup: &Arc<Setup>, hooks: Option<&Arc<Hooks>>) -> Option<Maker> {
    let setup = setup.has_bridge().then(|| Arc::clone(setup))?;
    let hooks = hooks.cloned();
    let (every, is_read_only) = (setup.loaded.config.bridge.every, setup.rules.read_only.is_some());
    Some(Box::new(move || {
        let setup = Arc::clone(&setup);
        let open = move |is_dry| -> BoxFuture<'static, Result<Bridge, Fault>> {
            let setup = Arc::clone(&setup);
            Box::pin(async move {
                let opened = setup.bridge(Some(TELLING), is_dry).await;
                opened.map_err(|failure| unopened("open the bridge", &failure))
            })
        };
        Box::new(Rounds::new(Box::new(open), every, is_read_only, hooks.as_ref().map(|hooks| hooks.wakes())))
    }))
}

/// Makes one loop of the supervisor, for a person who starts it by name.
pub fn maker(setup: &Arc<Setup>, name: &str) -> Result<Maker, String> {
    let supervised = || LOOPS.iter().filter(|(_, run)| matches!(run, Run::Supervised(_))).map(|(name, _)| *name);
    match LOOPS.iter().find(|(known, _)| *known == name) {
        Some((_, Run::Supervised(make))) => make(setup, None).ok_or_else(|| UNCONFIGURED.to_owned()),
        Some((_, Run::Core)) => Err("it runs in every console, as far as it is configured".to_owned()),
        None => Err(format!("there is no such loop; there are {}", supervised().collect::<Vec<_>>().join(", "))),
    }
}

/// Loops that nobody has started yet in a console, and what starts them.
pub fn idle(setup: &Setup) -> impl Iterator<Item = (&'static str, &'static str)> {
    let has_bridge = setup.has_bridge();
    LOOPS.iter().filter(|(_, run)| matches!(run, Run::Supervised(_))).map(move |(name, _)| {
        let is_ready = has_bridge || *name == generation::NAME;
        (*name, if is_ready { "not started here; `:loops start NAME` does that" } else { UNCONFIGURED })
    })
}

/// Loops that were chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen(BTreeSet<&'static str>);

impl Chosen {
    /// Looks names up; one that nobody knows is refused, with where it stands.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>, origin: &Origin) -> Result<Self, Failure> {
        let exit = if matches!(origin, Origin::Flag(_)) { Exit::Usage } else { Exit::Config };
        let known: Vec<&str> = LOOPS.iter().map(|(name, _)| *name).collect();
        let mut chosen = BTreeSet::new();
        for name in names {
            let Some((name, _)) = LOOPS.iter().find(|(known, _)| *known == name) else {
                let message = format!("{origin}: there is no loop `{name}`; there are {}", known.join(", "));
                return Err(Failure::new(exit, message));
            };
            chosen.insert(*name);
        }
        if chosen.is_empty() {
            return Err(Failure::new(exit, format!("{origin}: name at least one of {}", known.join(", "))));
        }
        Ok(Self(chosen))
    }

    /// Those of the core.
    pub fn of_the_core(&self) -> BTreeSet<&'static str> {
        LOOPS
            .iter()
            .filter(|(_, run)| matches!(run, Run::Core))
            .map(|(name, _)| *name)
            .filter(|name| self.has(name))
            .collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// What makes those of the supervisor.
    pub fn makers(&self, setup: &Arc<Setup>, hooks: Option<&Arc<Hooks>>) -> Vec<Maker> {
        let made = LOOPS.iter().filter(|(name, _)| self.has(name)).filter_map(|(_, run)| match run {
            Run::Core => None,
            Run::Supervised(make) => make(setup, hooks),
        });
        made.collect()
    }

    /// A world in which only what was chosen is looked at.
    pub fn world(&self, setup: &Setup, is_dry_run: bool) -> World {
        let config = &setup.loaded.config;
        let mut world = setup.world();
        // Nobody reads logs here.
        world.log_budget = None;
        let polling = &mut world.polling.rules;
        polling.verdicts = if self.has(TAXONOMY) { config.taxonomy.logs as usize } else { 0 };
        polling.watched_slots = polling.slots;
        polling.caches = self.has(CACHES).then_some(config.daemon.caches);
        // Whoever runs or fails where is told by GitLab's jobs.
        if !self.has(TAXONOMY) && !self.has(FLEET) {
            polling.slots = 0;
        }
        if !self.has(FLEET) {
            *world.fleet = FleetFacts::of(setup.fleet.clone(), []);
        }
        for (name, _) in LOOPS.iter().filter(|(name, _)| !self.has(name)) {
            world.loops.left_out.insert((*name).into(), "it is not among the chosen loops".into());
        }
        for name in [bridge::NAME, companions::NAME].into_iter().filter(|name| self.has(name) && !setup.has_bridge()) {
            world.loops.left_out.insert(name.into(), UNCONFIGURED.into());
        }
        if is_dry_run {
            let mut rules = (*world.rules).clone();
            rules.dry_run = true;
            world.rules = Arc::new(rules);
        }
        world
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_refused_with_the_list() {
        let (flag, env) = (Origin::Flag("--loops".to_owned()), Origin::Env("STACKHAND_DAEMON_LOOPS".to_owned()));
        let good = Chosen::of(["fleet", "caches", "fleet"], &flag).unwrap();
        assert_eq!(good.of_the_core(), BTreeSet::from([CACHES, FLEET]));
        for (names, origin, exit, word) in [
            (vec!["fleet", "indexx"], &flag, Exit::Usage, "flag --loops: there is no loop `indexx`"),
            (vec!["indexx"], &env, Exit::Config, "env STACKHAND_DAEMON_LOOPS: there is no loop `indexx`"),
            (vec![], &flag, Exit::Usage, "at least one"),
        ] {
            let failure = Chosen::of(names, origin).unwrap_err();
            assert_eq!(failure.exit(), exit);
            let failure = failure.to_string();
            assert!(
                failure.contains(word) && failure.contains("taxonomy, caches, fleet, generation, bridge, companions"),
                "{failure}"
            );
        }
    }
}
