//! The layers laid over each other. Pure: texts and pairs come in, a [`Loaded`] goes out.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::auto;
use super::error::ConfigError;
use super::file::{self, Entry};
use super::guard;
use super::nearest::nearest;
use super::origin::{Origin, Warning};
use super::table::{Config, SETTINGS, Setting};
use super::token::TokenSource;
use super::value::{Mode, Raw};

/// A flag of the command line that sets a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// As the user typed it: `--gitlab`.
    pub name: String,
    /// The setting: `gitlab.url`.
    pub key: String,
    pub value: String,
}

/// One file, farthest first.
pub struct SourceFile {
    pub path: Arc<Path>,
    pub text: String,
    /// The file came with the project.
    pub project: bool,
}

/// Everything that can say something.
pub struct Sources {
    pub files: Vec<SourceFile>,
    pub variables: HashMap<String, String>,
    pub flags: Vec<Flag>,
}

/// The effective configuration and its history.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<Warning>,
    /// Where the token comes from; the token itself is not here.
    pub token: TokenSource,
    /// Only of what is not built in.
    origins: BTreeMap<&'static str, Origin>,
}

/// One line of `config --explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    pub key: String,
    /// As one would write it; of secrets only whether they are there.
    pub value: String,
    pub origin: Origin,
    pub help: String,
}

/// The variables that may hold a secret.
fn secret_names(config: &Config) -> impl Iterator<Item = &str> {
    let Config { gitlab, github, prometheus, alertmanager, hooks, .. } = config;
    let tokens = [&gitlab.token_env, &github.token_env, &prometheus.token_env, &alertmanager.token_env];
    tokens.into_iter().chain([&hooks.github_env, &hooks.gitlab_env]).flat_map(super::value::Names::iter)
}

impl Loaded {
    /// Where the value of a setting came from.
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::BuiltIn)
    }

    /// Every effective value with its origin, in the order of the table; then the token and the guards.
    pub fn explain(&self) -> Vec<Explained> {
        let settings = SETTINGS.iter().map(|setting| Explained {
            key: setting.key.to_owned(),
            value: setting.show(&self.config),
            origin: self.origin(setting.key).clone(),
            help: setting.help.to_owned(),
        });
        let guards = self.config.guards.iter().enumerate().map(|(i, guard)| Explained {
            key: format!("guard[{}]", i + 1),
            value: guard.show(),
            origin: guard.origin.clone(),
            help: guard.reason.clone(),
        });
        let auto = self.config.auto_retries.iter().enumerate().map(|(i, auto)| Explained {
            key: format!("auto_retry[{}]", i + 1),
            value: auto.show(),
            origin: auto.origin.clone(),
            help: "Failures that are retried without being asked.".to_owned(),
        });
        settings.chain([self.explain_token()]).chain(guards).chain(auto).collect()
    }

    fn explain_token(&self) -> Explained {
        let (value, origin) = match &self.token {
            TokenSource::Nowhere => ("none".to_owned(), Origin::BuiltIn),
            TokenSource::Variable(name) => ("set (not shown)".to_owned(), Origin::Env(name.clone())),
            TokenSource::File(_) => ("in a file (not shown)".to_owned(), self.origin("gitlab.token_file").clone()),
            TokenSource::Withheld(why) => (format!("withheld: {why}"), self.origin("gitlab.url").clone()),
        };
        Explained {
            key: "gitlab.token".to_owned(),
            value,
            origin,
            help: "The token; it cannot be set here, only where gitlab.token_env or gitlab.token_file point."
                .to_owned(),
        }
    }

    fn set(&mut self, setting: &'static Setting, raw: &Raw, origin: Origin) -> Result<(), ConfigError> {
        setting.assign(&mut self.config, raw).map_err(|expected| ConfigError::Value {
            place: match &origin {
                Origin::File { place, .. } => place.to_string(),
                other => other.to_string(),
            },
            key: setting.key.to_owned(),
            found: raw.to_string(),
            expected,
        })?;
        self.origins.insert(setting.key, origin);
        Ok(())
    }

    fn lay_file(&mut self, source: &SourceFile, home: Option<&str>) -> Result<(), ConfigError> {
        let file = file::read(&source.path, &source.text)?;
        for Entry { key, raw, place } in file.entries {
            match Setting::find(&key) {
                Some(setting) if setting.owner_only && source.project => {
                    self.warnings.push(Warning::OwnerOnly { place, key: setting.key });
                }
                Some(setting) => {
                    let raw = if setting.is_path { settled(raw, &source.path, home) } else { raw };
                    self.set(setting, &raw, Origin::File { place, project: source.project })?;
                }
                None => {
                    let nearest = nearest(&key, SETTINGS.iter().map(|s| s.key));
                    self.warnings.push(Warning::UnknownKey { place, key, nearest });
                }
            }
        }
        for table in &file.lists {
            match table.name {
                "guard" => self.config.guards.push(guard::read(table, source.project, &mut self.warnings)?),
                // It comes with a clone, from people who must not spend our machines' time.
                name if source.project => {
                    self.warnings.push(Warning::OwnerOnly { place: table.place.clone(), key: name });
                }
                _ => self.config.auto_retries.push(auto::read(table, &mut self.warnings)?),
            }
        }
        Ok(())
    }

    fn lay_variables(&mut self, variables: &HashMap<String, String>) -> Result<(), ConfigError> {
        let mut ours: Vec<_> = variables.iter().filter(|(name, _)| name.starts_with("STACKHAND_")).collect();
        ours.sort_unstable();
        let mut unknown = Vec::new();
        for (name, value) in ours {
            match SETTINGS.iter().find(|setting| setting.variable() == *name) {
                Some(setting) => self.set(setting, &Raw::Text(value.clone()), Origin::Env(name.clone()))?,
                None => unknown.push(name),
            }
        }
        let built_in = Config::default();
        for name in unknown {
            if !secret_names(&self.config).chain(secret_names(&built_in)).any(|token| token == name) {
                let nearest = nearest(name, SETTINGS.iter().map(Setting::variable));
                self.warnings.push(Warning::UnknownVariable { name: name.clone(), nearest });
            }
        }
        Ok(())
    }

    fn lay_flags(&mut self, flags: Vec<Flag>) -> Result<(), ConfigError> {
        for Flag { name, key, value } in flags {
            let Some(setting) = Setting::find(&key) else {
                let nearest = nearest(&key, SETTINGS.iter().map(|s| s.key));
                return Err(ConfigError::UnknownSetting { flag: name, key, nearest });
            };
            self.set(setting, &Raw::Text(value), Origin::Flag(name))?;
        }
        Ok(())
    }
}

/// Paths in a file start at that file, or at home after `~/`. (Those of variables and flags start where the user stands.)
fn settled(raw: Raw, file: &Path, home: Option<&str>) -> Raw {
    let Raw::Text(text) = &raw else { return raw };
    let start = match (text.strip_prefix("~/"), home) {
        _ if text.is_empty() => return raw,
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => file.parent().unwrap_or(file).join(text),
    };
    Raw::Text(start.to_string_lossy().into_owned())
}

/// Lays all sources over the built-in values.
pub fn merge(mut sources: Sources) -> Result<Loaded, ConfigError> {
    // An empty variable is how a shell says "not this one".
    sources.variables.retain(|_, value| !value.is_empty());
    let home = sources.variables.get("HOME").map(String::as_str);
    let mut loaded = Loaded {
        config: Config::default(),
        warnings: Vec::new(),
        token: TokenSource::Nowhere,
        origins: BTreeMap::new(),
    };
    for file in &sources.files {
        loaded.lay_file(file, home)?;
    }
    loaded.lay_variables(&sources.variables)?;
    loaded.lay_flags(sources.flags)?;
    loaded.token = TokenSource::choose(
        &loaded.config.gitlab,
        loaded.origin("gitlab.url"),
        loaded.origin("gitlab.token_env"),
        |name| sources.variables.contains_key(name),
    );
    if let TokenSource::Withheld(why) = &loaded.token {
        loaded.warnings.push(Warning::TokenWithheld(why.clone()));
    }
    if loaded.config.actions.mode == Mode::Auto {
        let has_token = matches!(loaded.token, TokenSource::Variable(_) | TokenSource::File(_));
        loaded.config.actions.mode = if has_token { Mode::ReadWrite } else { Mode::ReadOnly };
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests;
