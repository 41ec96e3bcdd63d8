//! Puts the program together: from flags, files and variables to a core that can be started.
//!
//! Every face starts here. Nothing is sent and nothing is judged; what the configuration says becomes what the rooms below take as arguments.

mod bridge;
mod endpoints;
mod fleet;
mod places;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use endpoints::{Buckets, read_endpoints};
pub use places::{attach_sockets, daemon_lock, host, index_cache};
use places::{database, libpq_password, project_name, shared_database, spill, variables, who};
use settings::{
    auto, check_auto, gitlab_settings, hooks, is_ascii, keyring, mirror_settings, poll_rules, read_only, rules,
};

use super::args::{Color, Globals};
use super::exit::{Exit, Failure};
use super::journal::{self, Lines};
use super::out::Out;
use super::rulebook;
use crate::adapters::clock::{Clock, SystemClock};
use crate::adapters::gitlab::{GitLab, Settings};
use crate::adapters::mirror::{Reader, S3Access};
use crate::adapters::store::{Place, Store, StoreError, StoreFault};
use crate::config::{self, Flag, LoadArgs, Loaded, Paths};
use crate::console::actions::Rules;
use crate::console::fault::{Fault, FaultKind};
use crate::console::fleet::{FleetFacts, FleetRules};
use crate::console::polling::PollRules;
use crate::console::world::World;
use crate::controller::supervisor::StopSign;
use crate::controller::webhooks;
use crate::controller::{Core, CoreSetup, HealthLimits, Link, Outside, Signers};

/// How long after a try a store that does not answer is tried again.
const STORE_AGAIN: Duration = Duration::from_secs(2);

/// What the command line and its surroundings say, before any file is read.
pub struct Wanted {
    flags: Vec<Flag>,
    color: Option<Color>,
    paths: Paths,
    /// Secrets that came with an address: from an endpoints file, or from our own practice world. By the variable in which they are looked for.
    given: BTreeMap<&'static str, String>,
    /// A folder that is gone at the end: what the practice world leaves behind.
    scratch: Option<PathBuf>,
    /// Buckets that came with an address.
    buckets: Option<Buckets>,
    /// Where log lines go.
    lines: Lines,
    /// Set for whoever waits for a store that does not answer, until this asks for the end.
    waits: Option<StopSign>,
}

impl Wanted {
    /// Takes the flags, and reads the endpoints file if one is named.
    pub fn new(globals: &Globals) -> Result<Self, Failure> {
        let cwd = std::env::current_dir().unwrap_or_default();
        let paths = Paths { explicit: globals.config.clone(), ..Paths::discover(&cwd) };
        if let Some(name) = globals.token_env.as_deref()
            && std::env::var_os(name).is_none_or(|value| value.is_empty())
        {
            let message = format!("--token-env: the variable {name} is not set; put the token into it and export it");
            return Err(Failure::new(Exit::Config, message));
        }
        let mut wanted = Self {
            flags: Vec::new(),
            color: globals.color,
            paths,
            given: BTreeMap::new(),
            scratch: None,
            buckets: None,
            lines: Lines::default(),
            waits: None,
        };
        if let Some(path) = &globals.endpoints {
            wanted = read_endpoints(path, wanted)?;
        }
        wanted.flags.extend(globals.flags());
        Ok(wanted)
    }

    /// Adds a setting.
    pub fn with(mut self, flag: &str, key: &str, value: &str) -> Self {
        self.flags.push(Flag { name: flag.to_owned(), key: key.to_owned(), value: value.to_owned() });
        self
    }

    /// The folder of the user's configuration.
    pub fn config_dir(&self) -> Option<&Path> {
        self.paths.config_dir.as_deref()
    }

    /// Writes log lines so.
    pub const fn telling(mut self, lines: Lines) -> Self {
        self.lines = lines;
        self
    }

    /// Waits for a store that does not answer until the end is asked for: without it nothing is done, and it may come up later.
    pub fn waiting(mut self, stop: StopSign) -> Self {
        self.waits = Some(stop);
        self
    }

    /// Keeps database and logs in a folder that the caller removes.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.scratch = Some(folder.to_owned());
        self.paths.state_dir = Some(folder.to_owned());
        self
    }

    /// The environment as configuration sees it.
    fn variables(&self) -> impl Iterator<Item = (String, String)> + use<> {
        let given: Vec<_> = self.given.iter().map(|(name, secret)| ((*name).to_owned(), secret.clone())).collect();
        config::environment().filter(|(name, _)| name != journal::VARIABLE).chain(given)
    }

    /// Reads all layers of the configuration.
    pub fn load(&self) -> Result<Loaded, Failure> {
        Ok(config::load(LoadArgs { flags: self.flags.clone(), env: self.variables(), paths: self.paths.clone() })?)
    }

    /// Puts everything together. Sends nothing.
    pub async fn assemble(self) -> Result<Setup, Failure> {
        let loaded = self.load()?;
        let token = config::secret(&loaded, self.variables())?;
        let state = self.scratch.clone().or_else(|| self.paths.state_dir.clone());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let config = &loaded.config;
        let tokens = fleet::tokens(config, self.variables())?;
        let github_token = bridge::token(config, self.variables())?;
        let project: Arc<str> = project_name(config).into();
        let shared = shared_database(config, self.scratch.as_deref(), &project)?;
        let passwords = shared.as_ref().map(|shared| [shared.password.clone(), libpq_password()]);
        let secrets = [&token, &github_token, &tokens.prometheus, &tokens.alertmanager].into_iter().flatten().cloned();
        let hooks = hooks(config, &self.variables().collect::<Vec<_>>())?;
        let secrets = secrets.chain(hooks.github_secrets.iter().chain(&hooks.gitlab_tokens).cloned());
        let secrets = secrets.chain(passwords.into_iter().flatten().flatten());
        let secrets = secrets.chain(self.buckets.as_ref().map(|buckets| buckets.secret_key.clone()));
        // A journal that cannot be written is no reason not to look at pipelines.
        let _ = journal::begin(self.lines, state.as_deref(), secrets.collect());
        check_auto(config, self.paths.config_dir.as_deref())?;
        let mut rules = rules(config)?;
        rules.read_only = read_only(&loaded);
        let bridge = bridge::Ends::of(&loaded, github_token, token.clone(), state.as_deref())?;
        let gitlab = GitLab::new(Settings { token, ..gitlab_settings(config, &clock) })
            .map_err(|fault| Failure::new(Exit::Config, fault.to_string()))?;
        let config_dir = self.paths.config_dir.clone();
        let file = database(config, self.scratch.as_deref(), state.as_deref(), &project);
        let store = match (&shared, file) {
            (Some(shared), _) => {
                Box::pin(open_shared(shared, &*clock, self.waits.as_ref())).await.map_err(|error| error.to_string())
            }
            (None, Some(path)) => Store::open(&path, clock.now()).await.map_err(|error| error.to_string()),
            (None, None) => Err("there is no state folder; set `store.path`".to_owned()),
        };
        let store = store.map_err(|detail| Fault::new(FaultKind::Local, "open the store", detail));
        let color = match (self.color, config.ui.color) {
            (Some(color), _) => color.word().to_owned(),
            (None, _) => config::Setting::find("ui.color").map(|setting| setting.show(config)).unwrap_or_default(),
        };
        let fleet = fleet::outside(config, tokens)?;
        let s3 = self.buckets.as_ref().map_or_else(|| S3Access::of(&variables()), Buckets::access);
        Ok(Setup {
            is_sparse: self.buckets.as_ref().is_some_and(|s3| s3.sparse),
            out: Out { ascii: is_ascii(config) },
            poll: poll_rules(config, gitlab.has_token()),
            outside: Outside {
                project: Arc::clone(&project),
                gitlab,
                store,
                mirrors: Arc::new(Reader::timed(mirror_settings(config, s3), Arc::clone(&clock))),
                signers: Arc::new(Signers::new(keyring(config, self.buckets.as_ref()))),
                health: HealthLimits { index_age: config.cache.index_age, skew: self.max_skew() },
                spill: spill(self.scratch.as_deref()),
                keep: Duration::from_hours(24) * config.taxonomy.keep_days,
                rules: rulebook::book(config_dir),
                fleet,
                desk: None,
            },
            fleet: fleet::rules(config)?,
            bridge,
            hooks,
            who: who().into(),
            paths: self.paths,
            project,
            rules,
            clock,
            color,
            loaded,
        })
    }
}

/// Opens the database that daemons share. Whoever waits tries again while it does not answer.
async fn open_shared(shared: &Place, clock: &dyn Clock, waits: Option<&StopSign>) -> Result<Store, StoreError> {
    loop {
        let opened = Store::open_postgres(shared, clock.now()).await;
        match (&opened, waits) {
            (Err(error @ StoreError { fault: StoreFault::NoServer(_), .. }), Some(stop)) if !stop.is_asked() => {
                tracing::warn!(%error, "waiting for the store");
                tokio::select! {
                    () = tokio::time::sleep(STORE_AGAIN) => {}
                    () = stop.asked() => {}
                }
            }
            _ => return opened,
        }
    }
}

/// Everything that a face needs to run.
pub struct Setup {
    pub loaded: Loaded,
    pub paths: Paths,
    /// Host and path: `gitlab.spack.io/spack/spack-packages`.
    pub project: Arc<str>,
    /// Who acts, for the audit.
    pub who: Arc<str>,
    pub rules: Rules,
    pub poll: PollRules,
    /// What the fleet is judged by.
    pub fleet: FleetRules,
    /// Between what a bridge would stand, where a GitHub is configured.
    bridge: Option<bridge::Ends>,
    /// Whose webhooks a daemon takes.
    pub hooks: webhooks::Settings,
    pub outside: Outside,
    pub clock: Arc<dyn Clock>,
    /// Objects of binary caches have sizes, but are not stored.
    pub is_sparse: bool,
    /// What `--color` or `ui.color` asks for.
    pub color: String,
    pub out: Out,
}

impl Setup {
    /// A world in which nothing is known yet, of a core that stays: it retries without being asked what the configuration says. A command that
    /// looks once makes a world of its own, which does not.
    pub fn world(&self) -> World {
        let rules = Rules { auto: self.loaded.config.auto_retries.iter().map(auto).collect(), ..self.rules.clone() };
        let mut world = World::new(&self.project, rules, self.poll.clone());
        world.caches.mirrors = self.loaded.config.cache.mirrors.iter().map(Arc::from).collect();
        world.caches.is_sparse = self.is_sparse;
        world.fleet = Box::new(self.fleet());
        world.log_budget = Some(self.loaded.config.log.memory_mb as usize * 1_024 * 1_024);
        world
    }

    /// A fleet of which nothing is known yet, with everything that is configured to tell of it.
    pub fn fleet(&self) -> FleetFacts {
        FleetFacts::of(self.fleet.clone(), self.outside.fleet.sources(&self.outside.gitlab))
    }

    /// Why this person wants nothing to be changed, if so; that there is no token forbids nothing to a daemon that has one.
    pub fn forbids_writing(&self) -> Option<String> {
        let is_wanted = self.loaded.config.actions.mode == config::Mode::ReadOnly;
        is_wanted.then(|| format!("read-only: actions.mode of {}", self.loaded.origin("actions.mode")))
    }

    /// Starts a core over a world.
    pub fn start(&self, world: World) -> (Core, Link) {
        Core::start(CoreSetup { world, outside: self.outside.clone(), clock: Arc::clone(&self.clock) })
    }

    /// Writes what is left to be written.
    pub async fn close(&self) {
        if let Ok(store) = &self.outside.store {
            store.close().await;
        }
    }
}

#[cfg(test)]
mod testing {
    use super::*;

    /// A configuration of flags and variables alone.
    pub fn loaded(flags: &[(&str, &str, &str)], env: &[(&str, &str)]) -> Loaded {
        let flags = flags.iter().map(|(name, key, value)| Flag {
            name: (*name).to_owned(),
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        });
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        config::load(LoadArgs { flags: flags.collect(), env, paths: Paths::default() }).unwrap()
    }
}
