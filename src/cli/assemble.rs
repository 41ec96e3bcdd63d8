//! Puts the program together: from flags, files and variables to a core that can be started.
//!
//! Every face starts here. Nothing is sent and nothing is judged; what the configuration says becomes what the rooms below take as arguments.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use directories::ProjectDirs;
use secrecy::SecretString;
use serde::Deserialize;

use super::args::{Color, Globals};
use super::exit::{Exit, Failure};
use super::journal;
use super::out::Out;
use super::rulebook;
use crate::adapters::clock::{Clock, SystemClock};
use crate::adapters::gitlab::{GitLab, Settings};
use crate::adapters::mirror::{self, Credentials, Reader, S3Access};
use crate::adapters::store::Store;
use crate::config::{self, Ascii, Config, Flag, LoadArgs, Loaded, Mode, Origin, Paths, Role, Rule, TokenSource};
use crate::console::actions::{AutoRetry, Guard, GuardRule, Rules};
use crate::console::fault::{Fault, FaultKind};
use crate::console::filter::Filter;
use crate::console::polling::{Periods, PollRules};
use crate::console::world::World;
use crate::controller::{Core, CoreSetup, HealthLimits, Keyring, Link, Outside, Signers, Spill};
use crate::tui::glyphs::Glyphs;

/// What the command line and its surroundings say, before any file is read.
pub struct Wanted {
    flags: Vec<Flag>,
    color: Option<Color>,
    paths: Paths,
    /// A token that came with an address: from an endpoints file, or from our own practice world.
    token: Option<String>,
    /// A folder that is gone at the end: what the practice world leaves behind.
    scratch: Option<PathBuf>,
    /// Buckets that came with an address.
    buckets: Option<Buckets>,
}

/// Where the buckets of an endpoints file are, and as whom they are read.
#[derive(Clone, Deserialize)]
struct Buckets {
    url: String,
    region: Option<String>,
    access_key: String,
    secret_key: SecretString,
    #[serde(default, rename = "buckets")]
    names: Vec<String>,
    /// Objects have sizes, but are not stored.
    #[serde(default)]
    sparse: bool,
    /// The armored key by which binaries there are signed.
    public_key: Option<String>,
}

/// Clocks that differ by more are worth a word, and stop a prune plan.
const MAX_SKEW: Duration = Duration::from_secs(300);

/// How configuration calls a token that it did not have to look for.
const GIVEN_TOKEN: &str = "GIVEN_TOKEN";

/// The line of `stackhand demo --serve`.
#[derive(Deserialize)]
struct Endpoints {
    gitlab: Endpoint,
    s3: Option<Buckets>,
}

#[derive(Deserialize)]
struct Endpoint {
    url: String,
    project: String,
    token: Option<String>,
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
        let mut wanted =
            Self { flags: Vec::new(), color: globals.color, paths, token: None, scratch: None, buckets: None };
        if let Some(path) = &globals.endpoints {
            wanted = read_endpoints(path, wanted)?;
        }
        wanted.flags.extend(globals.flags());
        Ok(wanted)
    }

    /// Points at everything that a line of endpoints tells of.
    pub fn at_endpoints(self, flag: &str, line: &str) -> Result<Self, String> {
        // The parser's own message could quote a secret.
        let told: Result<Endpoints, _> = serde_json::from_str(line);
        let Endpoints { gitlab: Endpoint { url, project, token }, s3 } =
            told.map_err(|error| format!("no endpoints at column {}", error.column()))?;
        Ok(self.at(flag, &url, &project, token).with_buckets(flag, s3))
    }

    /// Points at a server that `flag` told of.
    fn at(mut self, flag: &str, url: &str, project: &str, token: Option<String>) -> Self {
        self = self.with(flag, "gitlab.url", url).with(flag, "gitlab.project", project);
        if token.is_some() {
            self = self.with(flag, "gitlab.token_env", GIVEN_TOKEN);
        }
        self.token = token;
        self
    }

    /// Looks for binary caches in these buckets, and nowhere else.
    fn with_buckets(mut self, flag: &str, buckets: Option<Buckets>) -> Self {
        let mirrors: Vec<String> =
            buckets.iter().flat_map(|s3| &s3.names).map(|bucket| format!("s3://{bucket}")).collect();
        self = self.with(flag, "cache.mirrors", &mirrors.join(","));
        self.buckets = buckets;
        self
    }

    /// Adds a setting.
    pub fn with(mut self, flag: &str, key: &str, value: &str) -> Self {
        self.flags.push(Flag { name: flag.to_owned(), key: key.to_owned(), value: value.to_owned() });
        self
    }

    /// How far a mirror's clock may be from ours. A practice world has a time of its own, which says nothing about our clock.
    fn max_skew(&self) -> Duration {
        if self.buckets.as_ref().is_some_and(|s3| s3.sparse) { Duration::MAX } else { MAX_SKEW }
    }

    /// The folder of the user's configuration.
    pub fn config_dir(&self) -> Option<&Path> {
        self.paths.config_dir.as_deref()
    }

    /// Keeps database and logs in a folder that the caller removes.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.scratch = Some(folder.to_owned());
        self
    }

    /// The environment as configuration sees it.
    fn variables(&self) -> impl Iterator<Item = (String, String)> + use<> {
        let given = self.token.clone().map(|token| (GIVEN_TOKEN.to_owned(), token));
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
        if let Some(folder) = &state {
            // A journal that cannot be written is no reason not to look at pipelines.
            let _ = journal::begin(folder, token.as_ref());
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let config = &loaded.config;
        check_auto(config, self.paths.config_dir.as_deref())?;
        let mut rules = rules(config)?;
        rules.read_only = read_only(&loaded);
        let gitlab = GitLab::new(Settings { token, ..gitlab_settings(config, &clock) })
            .map_err(|fault| Failure::new(Exit::Config, fault.to_string()))?;
        let config_dir = self.paths.config_dir.clone();
        let project: Arc<str> = project_name(config).into();
        let store = match database(config, self.scratch.as_deref(), state.as_deref(), &project) {
            Some(path) => Store::open(&path, clock.now()).await.map_err(|error| error.to_string()),
            None => Err("there is no state folder; set `store.path`".to_owned()),
        };
        let store = store.map_err(|detail| Fault::new(FaultKind::Local, "open the store", detail));
        let color = match (self.color, config.ui.color) {
            (Some(color), _) => color.word().to_owned(),
            (None, _) => config::Setting::find("ui.color").map(|setting| setting.show(config)).unwrap_or_default(),
        };
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
            },
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
        world.log_budget = Some(self.loaded.config.log.memory_mb as usize * 1_024 * 1_024);
        world
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

fn read_endpoints(path: &Path, wanted: Wanted) -> Result<Wanted, Failure> {
    let trouble = |what: String| {
        Failure::new(
            Exit::Config,
            format!("--endpoints {}: {what}; give it the line of `stackhand demo --serve`", path.display()),
        )
    };
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| trouble(error.to_string()))?;
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    wanted.at_endpoints("--endpoints", line).map_err(trouble)
}

fn gitlab_settings(config: &Config, clock: &Arc<dyn Clock>) -> Settings {
    let clock = Arc::clone(clock);
    let now = Arc::new(move || clock.now());
    Settings {
        in_flight: config.budget.in_flight as usize,
        per_second: f64::from(config.budget.per_second),
        connect: config.budget.connect_timeout,
        request: config.budget.timeout,
        trace: config.budget.trace_timeout,
        ..Settings::new(config.gitlab.url.as_str(), &config.gitlab.project, now)
    }
}

impl Buckets {
    fn access(&self) -> S3Access {
        S3Access {
            endpoint: Some(self.url.clone()),
            region: self.region.clone(),
            credentials: Credentials::Keys {
                id: self.access_key.clone(),
                secret: self.secret_key.clone(),
                session: None,
            },
        }
    }
}

/// Whose signatures count: the configuration's keys, or those that came with an address.
fn keyring(config: &Config, buckets: Option<&Buckets>) -> Keyring {
    let given = || buckets.and_then(|buckets| buckets.public_key.clone()).map_or(Keyring::None, Keyring::Given);
    config.cache.keyring.clone().map_or_else(given, Keyring::File)
}

/// The environment, as far as it is text.
fn variables() -> BTreeMap<String, String> {
    let texts = std::env::vars_os().map(|(name, value)| (name.into_string().ok(), value.into_string().ok()));
    texts.filter_map(|(name, value)| name.zip(value)).collect()
}

fn mirror_settings(config: &Config, s3: S3Access) -> mirror::Settings {
    mirror::Settings {
        s3,
        in_flight: config.cache.in_flight as usize,
        cache: index_cache(),
        ..mirror::Settings::default()
    }
}

/// Where indexes are kept between runs: a protected stack's index changes less often than it is read.
pub fn index_cache() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", "stackhand")?.cache_dir().join("indexes"))
}

fn poll_rules(config: &Config, token: bool) -> PollRules {
    PollRules {
        periods: Periods {
            list: config.poll.pipelines,
            visible: config.poll.visible,
            background: config.poll.background,
        },
        slots: config.budget.in_flight as usize,
        followed: config.pipelines.limit as usize,
        refs: config.pipelines.refs.iter().map(Arc::from).collect(),
        token,
        caches: Some(config.cache.every).filter(|every| !every.is_zero()),
        verdicts: 0,
    }
}

/// The rules of actions. A guardrail that cannot be read is an error: it would guard nothing.
fn rules(config: &Config) -> Result<Rules, Failure> {
    let guards = config.guards.iter().map(|guard| {
        let when = Filter::parse(&guard.matches)
            .map_err(|error| Failure::new(Exit::Config, format!("{}: guard: {error}", guard.origin)))?;
        let rule = match guard.rule {
            Rule::Deny => GuardRule::Deny,
            Rule::Typed { over } => GuardRule::Typed { over: over as usize },
            Rule::MaxBulk { limit } => GuardRule::MaxBulk { limit: limit as usize },
            Rule::Rate { limit, per } => GuardRule::Rate { limit: limit as usize, per },
            Rule::Tries { limit } => GuardRule::Tries { limit },
            Rule::Role { least } => GuardRule::Role { least: access_level(least) },
        };
        Ok(Guard { rule, when, reason: guard.reason.clone() })
    });
    Ok(Rules {
        hold: config.actions.hold,
        wave: config.actions.wave as usize,
        typed_above: config.actions.max_bulk as usize,
        guards: guards.collect::<Result<_, Failure>>()?,
        auto: Vec::new(),
        ..Rules::default()
    })
}

fn auto(auto: &config::AutoRetry) -> AutoRetry {
    AutoRetry {
        class: auto.class.as_str().into(),
        tries: auto.tries,
        limit: u64::from(auto.limit),
        per: auto.per,
        budget: u64::from(auto.budget),
    }
}

/// A class that no rule gives would never be retried, and nobody would know why.
fn check_auto(config: &Config, config_dir: Option<&Path>) -> Result<(), Failure> {
    if config.auto_retries.is_empty() {
        return Ok(());
    }
    let rules = rulebook::read(config_dir, &[])?.rules;
    match config.auto_retries.iter().find(|auto| !rules.rules.iter().any(|rule| *rule.class == *auto.class)) {
        None => Ok(()),
        Some(auto) => Err(Failure::new(
            Exit::Config,
            format!(
                "{}: auto_retry: no rule gives the class `{}`; `stackhand rules list` shows them",
                auto.origin, auto.class
            ),
        )),
    }
}

/// GitLab's number for a role.
const fn access_level(role: Role) -> u8 {
    match role {
        Role::Reporter => 20,
        Role::Developer => 30,
        Role::Maintainer => 40,
        Role::Owner => 50,
    }
}

/// Why nothing may be changed, if so.
fn read_only(loaded: &Loaded) -> Option<String> {
    let origin = loaded.origin("actions.mode");
    match (&loaded.token, loaded.config.actions.mode, origin) {
        (_, Mode::ReadOnly, Origin::Flag(flag)) => Some(format!("read-only: {flag}")),
        (TokenSource::Nowhere, ..) => Some("read-only: no token; name one with --token-env".to_owned()),
        (TokenSource::Withheld(why), ..) => Some(format!("read-only: {why}")),
        (_, Mode::ReadWrite, _) => None,
        (.., origin) => Some(format!("read-only: actions.mode of {origin}")),
    }
}

/// Host and path of the project.
fn project_name(config: &Config) -> String {
    let url = config.gitlab.url.as_str();
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    format!("{host}/{}", config.gitlab.project.trim_matches('/'))
}

/// The database: one per project and server, so that ids of one are never taken for those of another.
fn database(config: &Config, scratch: Option<&Path>, state: Option<&Path>, project: &str) -> Option<PathBuf> {
    match (scratch, &config.store.path) {
        (None, Some(path)) => Some(path.clone()),
        _ => state.map(|folder| folder.join(format!("{}.db", file_name(project)))),
    }
}

/// A name for files about a project: readable, and different for different projects.
fn file_name(project: &str) -> String {
    let readable: String =
        project.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect();
    let mark = project.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{readable}-{mark:08x}")
}

/// A folder for the logs of this process. What processes left behind that ended badly is removed.
fn spill(scratch: Option<&Path>) -> Spill {
    let cache = scratch
        .map(Path::to_owned)
        .or_else(|| ProjectDirs::from("", "", "stackhand").map(|dirs| dirs.cache_dir().to_owned()));
    let cache = cache.unwrap_or_else(|| std::env::temp_dir().join("stackhand"));
    let is_dead = |pid: &str| Path::new("/proc/self").exists() && !Path::new("/proc").join(pid).exists();
    for entry in std::fs::read_dir(&cache).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let left = name.to_str().and_then(|name| name.strip_prefix("logs-"));
        if left.is_some_and(|pid| pid.bytes().all(|b| b.is_ascii_digit()) && is_dead(pid)) {
            // It may be somebody else's; then it stays.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Spill::new(cache.join(format!("logs-{}", std::process::id())))
}

fn who() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "somebody".to_owned())
}

/// Whether output keeps to ASCII. What is not read by a terminal has no locale to fear.
fn is_ascii(config: &Config) -> bool {
    match config.ui.ascii {
        Ascii::Yes => true,
        Ascii::No => false,
        Ascii::Auto => {
            std::io::stdout().is_terminal() && Glyphs::detect(false, &|name| std::env::var(name).ok()).is_ascii()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(flags: &[(&str, &str, &str)], env: &[(&str, &str)]) -> Loaded {
        let flags = flags.iter().map(|(name, key, value)| Flag {
            name: (*name).to_owned(),
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        });
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        config::load(LoadArgs { flags: flags.collect(), env, paths: Paths::default() }).unwrap()
    }

    #[test]
    fn read_only_says_why() {
        let token = [("STACKHAND_GITLAB_TOKEN", "glpat-canary")];
        let readonly = ("--readonly", "actions.mode", "ro");
        assert_eq!(read_only(&loaded(&[], &[])).unwrap(), "read-only: no token; name one with --token-env");
        assert_eq!(read_only(&loaded(&[readonly], &token)).unwrap(), "read-only: --readonly");
        assert_eq!(read_only(&loaded(&[], &token)), None);
        let env = [token[0], ("STACKHAND_ACTIONS_MODE", "ro")];
        assert_eq!(read_only(&loaded(&[], &env)).unwrap(), "read-only: actions.mode of env STACKHAND_ACTIONS_MODE");
        let foreign = read_only(&loaded(&[], &[("GITLAB_TOKEN", "glpat-canary")])).unwrap();
        assert!(foreign.starts_with("read-only: GITLAB_TOKEN may be for another server"), "{foreign}");
        assert!(read_only(&loaded(&[("--x", "actions.mode", "rw")], &[])).unwrap().contains("no token"));
    }

    #[test]
    fn two_projects_never_share_a_file() {
        let names = ["a.example/g/p", "a.example/g_p", "a.example_g/p", "a.example:80/g/p"].map(file_name);
        for (at, name) in names.iter().enumerate() {
            assert!(!names[at + 1..].contains(name) && !name.contains(['/', ':']), "{name}");
        }
        let config = loaded(&[("--gitlab", "gitlab.url", "https://g.example:8443/sub/")], &[]).config;
        assert_eq!(project_name(&config), "g.example:8443/sub/spack/spack-packages");
    }

    #[test]
    fn settings_become_rules() {
        let flags = [("--x", "actions.hold", "9s"), ("--x", "actions.max_bulk", "7"), ("--x", "budget.in_flight", "9")];
        let config = loaded(&flags, &[]).config;
        let rules = rules(&config).unwrap();
        assert_eq!((rules.hold.as_secs(), rules.typed_above, rules.wave), (9, 7, 20));
        let poll = poll_rules(&config, true);
        assert_eq!((poll.slots, poll.followed, poll.periods.list.as_secs(), poll.token), (9, 20, 30, true));
    }
}
