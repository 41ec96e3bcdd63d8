//! What the configuration says, as the rooms below take it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Buckets;
use super::places::index_cache;
use crate::adapters::clock::Clock;
use crate::adapters::gitlab::Settings;
use crate::adapters::mirror::{self, S3Access};
use crate::cli::exit::{Exit, Failure};
use crate::cli::rulebook;
use crate::config::{self, Ascii, Config, Loaded, Mode, Origin, Role, Rule, TokenSource};
use crate::console::actions::{AutoRetry, FleetMay, Guard, GuardRule, Rules};
use crate::console::filter::Filter;
use crate::console::polling::{Periods, PollRules};
use crate::controller::{Keyring, webhooks};
use crate::tui::glyphs::Glyphs;

pub(super) fn gitlab_settings(config: &Config, clock: &Arc<dyn Clock>) -> Settings {
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

/// Whose signatures count: the configuration's keys, or those that came with an address.
pub(super) fn keyring(config: &Config, buckets: Option<&Buckets>) -> Keyring {
    let given = || buckets.and_then(|buckets| buckets.public_key.clone()).map_or(Keyring::None, Keyring::Given);
    config.cache.keyring.clone().map_or_else(given, Keyring::File)
}

/// Whose webhooks are taken.
pub(super) fn hooks(config: &Config, env: &[(String, String)]) -> Result<webhooks::Settings, Failure> {
    let hooks = &config.hooks;
    let secrets =
        |names, file: &Option<PathBuf>, setting| config::hook_secrets(names, file.as_deref(), setting, env.to_vec());
    let named = |name: &str| (!name.is_empty()).then(|| name.into());
    Ok(webhooks::Settings {
        github_secrets: secrets(&hooks.github_env, &hooks.github_file, "hooks.github_file")?,
        gitlab_tokens: secrets(&hooks.gitlab_env, &hooks.gitlab_file, "hooks.gitlab_file")?,
        repository: named(&config.github.repository),
        project: named(config.gitlab.project.trim_matches('/')),
    })
}

pub(super) fn mirror_settings(config: &Config, s3: S3Access) -> mirror::Settings {
    mirror::Settings {
        s3,
        in_flight: config.cache.in_flight as usize,
        cache: index_cache(),
        ..mirror::Settings::default()
    }
}

pub(super) fn poll_rules(config: &Config, token: bool) -> PollRules {
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
        watched_slots: 0,
        verdicts: 0,
    }
}

/// The rules of actions. A guardrail that cannot be read is an error: it would guard nothing.
pub(super) fn rules(config: &Config) -> Result<Rules, Failure> {
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
        fleet: fleet_may(config),
        ..Rules::default()
    })
}

/// What of the fleet may be changed: what is turned on, where anything may be.
pub(super) fn fleet_may(config: &Config) -> FleetMay {
    let config::Actions { mode, runners, nodes, pods, silences, .. } = config.actions;
    if mode == Mode::ReadOnly { FleetMay::default() } else { FleetMay { runners, nodes, pods, silences } }
}

pub(super) fn auto(auto: &config::AutoRetry) -> AutoRetry {
    AutoRetry {
        class: auto.class.as_str().into(),
        tries: auto.tries,
        limit: u64::from(auto.limit),
        per: auto.per,
        budget: u64::from(auto.budget),
    }
}

/// A class that no rule gives would never be retried, and nobody would know why.
pub(super) fn check_auto(config: &Config, config_dir: Option<&Path>) -> Result<(), Failure> {
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
pub(super) const fn access_level(role: Role) -> u8 {
    match role {
        Role::Reporter => 20,
        Role::Developer => 30,
        Role::Maintainer => 40,
        Role::Owner => 50,
    }
}

/// Why nothing may be changed, if so.
pub(super) fn read_only(loaded: &Loaded) -> Option<String> {
    let origin = loaded.origin("actions.mode");
    match (&loaded.token, loaded.config.actions.mode, origin) {
        (_, Mode::ReadOnly, Origin::Flag(flag)) => Some(format!("read-only: {flag}")),
        (TokenSource::Nowhere, ..) => Some("read-only: no token; name one with --token-env".to_owned()),
        (TokenSource::Withheld(why), ..) => Some(format!("read-only: {why}")),
        (_, Mode::ReadWrite, _) => None,
        (.., origin) => Some(format!("read-only: actions.mode of {origin}")),
    }
}

/// Whether output keeps to ASCII. What is not read by a terminal has no locale to fear.
pub(super) fn is_ascii(config: &Config) -> bool {
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
    use super::super::testing::loaded;
    use super::*;

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
    fn settings_become_rules() {
        let flags = [("--x", "actions.hold", "9s"), ("--x", "actions.max_bulk", "7"), ("--x", "budget.in_flight", "9")];
        let config = loaded(&flags, &[]).config;
        let rules = rules(&config).unwrap();
        assert_eq!((rules.hold.as_secs(), rules.typed_above, rules.wave), (9, 7, 20));
        let poll = poll_rules(&config, true);
        assert_eq!((poll.slots, poll.followed, poll.periods.list.as_secs(), poll.token), (9, 20, 30, true));
    }
}
