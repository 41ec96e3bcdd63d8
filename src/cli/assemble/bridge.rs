//! The bridge, as the configuration describes it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::Setup;
use super::places::file_name;
use crate::adapters::git::mirror::{self, Credentials, Mirror, MirrorError, Remote, SshKey};
use crate::adapters::github::{self, Access, GitHub};
use crate::adapters::store::Store;
use crate::bridge::Rules;
use crate::cli::exit::{Exit, Failure};
use crate::config::{self, Config, Loaded};
use crate::controller::loops::bridge::{Bridge, Outside};
use crate::controller::loops::companions::{self, Duty};
use crate::controller::loops::generation;
use crate::forge::BranchName;

/// Whom GitLab's and GitHub's git take a token from, whatever its kind.
const GITLAB_USER: &str = "oauth2";
const GITHUB_USER: &str = "x-access-token";

/// Between what a bridge stands.
pub(super) struct Ends {
    owner: String,
    repository: String,
    access: Option<Access>,
    github: Remote,
    gitlab: Remote,
    folder: Option<PathBuf>,
    rules: Rules,
    /// Companions that may act by themselves.
    acting: BTreeSet<Duty>,
}

impl Ends {
    /// Reads the settings; nothing is opened and nothing is sent. `None` where no GitHub is configured.
    pub fn of(
        loaded: &Loaded,
        token: Option<SecretString>,
        gitlab_token: Option<SecretString>,
        state: Option<&Path>,
    ) -> Result<Option<Self>, Failure> {
        let config = &loaded.config;
        let Config { gitlab, github, bridge, .. } = config;
        if github.repository.is_empty() {
            return Ok(None);
        }
        let wrong = |message: String| Failure::new(Exit::Config, message);
        let (owner, repository) = github
            .repository
            .split_once('/')
            .filter(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
            .ok_or_else(|| wrong(format!("github.repository: `{}` is no OWNER/NAME", github.repository)))?;
        let access = access(config, token.clone())?;
        let remote = |url: &str, usual: String, user: &str, token: Option<SecretString>| Remote {
            url: if url.is_empty() { usual } else { url.to_owned() },
            credentials: match token {
                Some(token) => Credentials::Token { user: user.to_owned(), token },
                None => Credentials::Nobody,
            },
        };
        let usual = format!("https://github.com/{}.git", github.repository);
        let project = gitlab.project.trim_matches('/');
        let mut to = remote(&bridge.git_url, format!("{}/{project}.git", gitlab.url), GITLAB_USER, gitlab_token);
        if let Some(key) = &bridge.ssh_key {
            let known_hosts = bridge.known_hosts.clone().ok_or_else(|| {
                wrong("bridge.known_hosts: name the file with GitLab's host keys; no key is sent to a host that is not pinned".to_owned())
            })?;
            to.credentials = Credentials::Ssh { key: SshKey::File(key.clone()), known_hosts };
        }
        Ok(Some(Self {
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            access,
            github: remote(&github.git_url, usual, GITHUB_USER, token),
            gitlab: to,
            folder: bridge.folder.clone().or_else(|| Some(state?.join("bridge"))),
            rules: rules(config)?,
            acting: acting(config)?,
        }))
    }
}

/// The token for GitHub, if one is configured.
pub(super) fn token(
    config: &Config,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Option<SecretString>, Failure> {
    let github = &config.github;
    Ok(config::service_secret(&github.token_env, github.token_file.as_deref(), "github.token_file", env)?)
}

/// As whom GitHub is asked.
fn access(config: &Config, token: Option<SecretString>) -> Result<Option<Access>, Failure> {
    let github = &config.github;
    if github.app == 0 {
        return Ok(token.map(Access::Token));
    }
    let wrong =
        |what: String| Failure::new(Exit::Config, format!("github.app_key: {what}; name the App's private key as PEM"));
    let path = github.app_key.as_deref().ok_or_else(|| wrong("there is none".to_owned()))?;
    let key = std::fs::read_to_string(path).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
    let (id, installation) = (u64::from(github.app), u64::from(github.installation));
    Ok(Some(Access::App { id, installation, key: key.into() }))
}

fn acting(config: &Config) -> Result<BTreeSet<Duty>, Failure> {
    let duty = |word| {
        Duty::of(word).ok_or_else(|| {
            let known = Duty::ALL.map(Duty::word).join(", ");
            Failure::new(Exit::Config, format!("bridge.companions: there is no `{word}`; there are {known}"))
        })
    };
    config.bridge.companions.iter().map(duty).collect()
}

fn rules(config: &Config) -> Result<Rules, Failure> {
    let bridge = &config.bridge;
    let main = match bridge.main.as_str() {
        "" => None,
        name => Some(BranchName::parse(name).map_err(|why| {
            Failure::new(Exit::Config, format!("bridge.main: git takes no branch of the name `{name}`: {why}"))
        })?),
    };
    Ok(Rules {
        main,
        sync_drafts: bridge.drafts,
        sync_protected: bridge.branches,
        sync_tags: bridge.tags,
        prerequisites: bridge.prerequisites.iter().map(Arc::from).collect(),
        required_label: Some(&*bridge.required_label).filter(|label| !label.is_empty()).map(Arc::from),
        urgent_label: bridge.urgent_label.as_str().into(),
        stale_after: bridge.stale_after,
        post_statuses: bridge.statuses,
        status_context: bridge.context.as_str().into(),
        refresh: bridge.refresh,
        force_protected: bridge.force_branches,
        force_tags: bridge.force_tags,
        ..Rules::default()
    })
}

impl Setup {
    /// Whether there is anything between which a bridge could stand.
    pub const fn has_bridge(&self) -> bool {
        self.bridge.is_some()
    }

    /// What to do where there is none.
    pub fn no_bridge() -> Failure {
        let what = "no GitHub is configured; set github.repository = \"OWNER/NAME\" and give a token in STACKHAND_GITHUB_TOKEN";
        Failure::new(Exit::Config, what)
    }

    /// Opens the bridge. Nothing is sent yet. `telling` is how long a pass may post statuses; without it, it is opened for a single pass.
    ///
    /// Whoever only looks must hold up nobody who acts: for long it looks in a git repository of its own, and for a pass where the other is in use.
    pub async fn bridge(&self, telling: Option<Duration>, is_dry: bool) -> Result<Bridge, Failure> {
        let ends = self.ends()?;
        let config = &self.loaded.config;
        let github = self.github(ends)?;
        let store = self.store()?;
        let wrong = |message: &str| Failure::new(Exit::Config, message.to_owned());
        let folder = ends.folder.as_ref().ok_or_else(|| wrong("there is no state folder; set bridge.folder"))?;
        let name = file_name(&self.project);
        let settings = |place| mirror::Settings {
            seed: seed(),
            ..mirror::Settings::new(folder.join(place), ends.github.clone(), ends.gitlab.clone())
        };
        let (own, aside) = (settings(name.clone()), settings(format!("{name}.dry")));
        let opened = match Mirror::open(if is_dry && telling.is_some() { aside.clone() } else { own }).await {
            Err(MirrorError::InUse { .. }) if is_dry => Mirror::open(aside).await,
            opened => opened,
        };
        let mirror = opened.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        for note in mirror.notes() {
            self.out.note(note);
        }
        Ok(Bridge::new(Outside {
            name: Arc::clone(&self.project),
            github,
            gitlab: self.outside.gitlab.clone(),
            mirror,
            store,
            rules: ends.rules.clone(),
            protected: config.bridge.protected.iter().map(Arc::from).collect(),
            pushes_by_key: config.bridge.ssh_key.is_some(),
            telling,
            clock: Arc::clone(&self.clock),
        }))
    }

    /// The companions that may act by themselves; none where nothing may be changed.
    pub fn acting(&self) -> BTreeSet<Duty> {
        let ends = self.bridge.as_ref().filter(|_| self.rules.read_only.is_none());
        ends.map(|ends| ends.acting.clone()).unwrap_or_default()
    }

    /// What the companions of the bridge stand between. Nothing is sent yet, and no git repository is needed.
    pub fn companions(&self) -> Result<companions::Outside, Failure> {
        Ok(companions::Outside {
            name: Arc::clone(&self.project),
            gitlab: self.outside.gitlab.clone(),
            github: self.github(self.ends()?)?,
            store: self.store()?,
            rules: companions::Rules {
                stuck_after: self.loaded.config.bridge.stuck_after,
                ..companions::Rules::default()
            },
            guards: self.rules.clone(),
            clock: Arc::clone(&self.clock),
            dry: companions::DryNotes::default(),
        })
    }

    /// What looks at generated pipelines asks, and where it writes. Nothing is sent yet.
    pub fn generations(&self) -> Result<generation::Outside, Failure> {
        let config = &self.loaded.config.generation;
        Ok(generation::Outside {
            name: Arc::clone(&self.project),
            gitlab: self.outside.gitlab.clone(),
            mirrors: Arc::clone(&self.outside.mirrors),
            store: self.store()?,
            caches: generation::Caches {
                protected: config.protected_cache.as_str().into(),
                prs: config.pr_cache.as_str().into(),
                target: config.pr_target.as_str().into(),
            },
            window: config.window,
        })
    }

    fn ends(&self) -> Result<&Ends, Failure> {
        self.bridge.as_ref().ok_or_else(Self::no_bridge)
    }

    fn store(&self) -> Result<Store, Failure> {
        self.outside.store.clone().map_err(|fault| Failure::new(Exit::Failed, fault.to_string()))
    }

    fn github(&self, ends: &Ends) -> Result<GitHub, Failure> {
        let config = &self.loaded.config;
        let access = ends.access.clone().ok_or_else(|| {
            let what = "GitHub takes nobody without a token; put one into STACKHAND_GITHUB_TOKEN, or set github.app";
            Failure::new(Exit::Config, what)
        })?;
        let clock = Arc::clone(&self.clock);
        let settings = github::Settings {
            connect: config.budget.connect_timeout,
            request: config.budget.timeout,
            ..github::Settings::new(
                config.github.url.as_str(),
                &ends.owner,
                &ends.repository,
                access,
                Arc::new(move || clock.now()),
            )
        };
        GitHub::new(settings, seed()).map_err(|fault| Failure::new(Exit::Config, fault.to_string()))
    }
}

/// Different for processes that run at the same time.
fn seed() -> u64 {
    u64::from(std::process::id())
}
