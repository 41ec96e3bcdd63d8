//! Follows includes.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use percent_encoding::percent_decode_str;

use super::error::{EnvironmentError, EnvironmentFault};
use super::file::{self, Kind, MAX_YAML};
use super::http::Http;
use super::{remote, variables};
use crate::spack::condition::{Facts, holds};
use crate::spack::manifest::path::{is_url, normalised};
use crate::spack::manifest::{Include, IncludeTarget};
use crate::spack::yaml::{Map, Scope, Value};

/// Production has three levels and a dozen files.
const MAX_DEPTH: usize = 32;
const MAX_INCLUDES: usize = 1_000;

/// What a configuration folder may hold: one file per section, named after it.
const SECTIONS: [&str; 17] = [
    "bootstrap",
    "cdash",
    "ci",
    "compilers",
    "concretizer",
    "config",
    "definitions",
    "develop",
    "env_vars",
    "include",
    "mirrors",
    "modules",
    "packages",
    "repos",
    "toolchains",
    "upstreams",
    "view",
];

/// An optional include that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// As it is written.
    pub include: String,
    /// The file that includes it, with those that led there.
    pub within: String,
    pub why: &'static str,
}

/// The way from the first file to the one that is being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail(Vec<Link>);

#[derive(Debug, Clone)]
struct Link {
    label: String,
    /// What it really is: two paths may lead to one file.
    identity: PathBuf,
}

impl Trail {
    /// The way with one more file.
    pub fn to(&self, label: String, identity: PathBuf) -> Self {
        let mut longer = self.clone();
        longer.0.push(Link { label, identity });
        longer
    }

    /// The same way, its last step called otherwise.
    fn called(&self, label: String) -> Self {
        let mut other = self.clone();
        if let Some(last) = other.0.last_mut() {
            last.label = label;
        }
        other
    }

    /// One step further, unless that leads in a circle or too far.
    fn deeper(&self, label: String, identity: PathBuf) -> Result<Self, EnvironmentError> {
        let is_circle = self.0.iter().any(|link| link.identity == identity);
        let longer = self.to(label, identity);
        if is_circle {
            return Err(longer.fault(EnvironmentFault::Circle));
        }
        if longer.0.len() > MAX_DEPTH {
            return Err(longer.fault(EnvironmentFault::TooDeep { limit: MAX_DEPTH }));
        }
        Ok(longer)
    }

    pub fn text(&self) -> String {
        let labels: Vec<&str> = self.0.iter().map(|link| link.label.as_str()).collect();
        labels.join(" → ")
    }

    fn fault(&self, fault: impl Into<EnvironmentFault>) -> EnvironmentError {
        fault.into().at(self.text())
    }
}

/// Collects scopes, the highest precedence first.
pub(super) struct Walk<'a> {
    pub http: &'a Http,
    pub facts: &'a Facts,
    pub env_dir: &'a Path,
    /// Whether includes are followed at all.
    pub follows: bool,
    pub scopes: Vec<Scope>,
    pub skipped: Vec<Skipped>,
    seen: usize,
}

type Walked<'a> = Pin<Box<dyn Future<Output = Result<(), EnvironmentError>> + Send + 'a>>;

impl<'a> Walk<'a> {
    pub fn new(http: &'a Http, facts: &'a Facts, env_dir: &'a Path, follows: bool) -> Self {
        Self { http, facts, env_dir, follows, scopes: Vec::new(), skipped: Vec::new(), seen: 0 }
    }

    pub fn add(&mut self, name: String, sections: Map) {
        self.scopes.push(Scope { name: name.into(), sections });
    }

    /// Follows the includes of one file, in order. `base` is its folder; a remote file has none.
    pub fn follow<'b>(&'b mut self, includes: Vec<Include>, base: Option<&'b Path>, trail: &'b Trail) -> Walked<'b> {
        Box::pin(async move {
            if !self.follows {
                return Ok(());
            }
            for include in includes {
                self.include(&include, base, trail).await?;
            }
            Ok(())
        })
    }

    async fn include(&mut self, include: &Include, base: Option<&Path>, trail: &Trail) -> Result<(), EnvironmentError> {
        if let Some(when) = &include.when
            && !holds(when, self.facts).map_err(|error| trail.fault(error))?
        {
            return Ok(());
        }
        self.seen += 1;
        if self.seen > MAX_INCLUDES {
            return Err(trail.fault(EnvironmentFault::TooMany { limit: MAX_INCLUDES }));
        }
        let written = match &include.target {
            IncludeTarget::Path(path) => path,
            IncludeTarget::Git { url, .. } if include.optional => {
                self.skip(url, trail, "git repositories are not supported");
                return Ok(());
            }
            IncludeTarget::Git { url, .. } => {
                return Err(trail.fault(EnvironmentFault::Git { include: url.clone() }));
            }
        };
        let other = include.override_variable.as_ref().and_then(|name| self.facts.env.get(name));
        let written = other.filter(|path| !path.is_empty()).unwrap_or(written);
        let expanded = variables::expand(written, self.facts, self.env_dir).map_err(|fault| trail.fault(fault))?;
        let bad = |what: &str, hint| EnvironmentFault::Target { include: written.clone(), what: what.to_owned(), hint };
        let found = match expanded.to_str().filter(|text| is_url(text)) {
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
                self.fetched(include, written, url, trail).await?
            }
            Some(url) if url.starts_with("file:///") => {
                let path = percent_decode_str(url.trim_start_matches("file://")).decode_utf8();
                let path = path.map_err(|_| trail.fault(bad("it is not UTF-8", "write it as a path")))?;
                self.local(&normalised(Path::new(&*path)), trail).await?
            }
            Some(_) => {
                let fault = bad("this kind of URL is not supported", "use https:// or a path");
                return Err(trail.fault(fault));
            }
            None => {
                let path = PathBuf::from(expanded);
                let path = match base {
                    Some(base) => base.join(path),
                    None if path.is_absolute() => path,
                    None => {
                        let fault = bad("a file from elsewhere has no folder here", "include it from a local file");
                        return Err(trail.fault(fault));
                    }
                };
                self.local(&normalised(&path), trail).await?
            }
        };
        match found {
            Found::Yes => Ok(()),
            Found::No(_) if include.optional => {
                self.skip(written, trail, "it does not exist");
                Ok(())
            }
            Found::No(trail) => Err(trail.fault(EnvironmentFault::Missing)),
        }
    }

    fn skip(&mut self, include: &str, trail: &Trail, why: &'static str) {
        self.skipped.push(Skipped { include: include.to_owned(), within: trail.text(), why });
    }

    /// Reads a file or a folder, and what it includes.
    pub async fn local(&mut self, path: &Path, trail: &Trail) -> Result<Found, EnvironmentError> {
        let label = path.display().to_string();
        let identity = tokio::fs::canonicalize(path).await.unwrap_or_else(|_| path.to_owned());
        let trail = trail.deeper(label, identity)?;
        match file::kind(path).await.map_err(|fault| trail.fault(fault))? {
            Kind::Nothing => return Ok(Found::No(trail)),
            Kind::Folder => self.folder(path, &trail).await?,
            Kind::File => {
                let bytes = file::read(path, MAX_YAML).await.map_err(|fault| trail.fault(fault))?;
                let Some(bytes) = bytes else { return Ok(Found::No(trail)) };
                self.file(&bytes, path.parent(), &trail).await?;
            }
        }
        Ok(Found::Yes)
    }

    /// A folder is one scope; each of its files holds one section.
    async fn folder(&mut self, path: &Path, trail: &Trail) -> Result<(), EnvironmentError> {
        let mut includes = None;
        for section in SECTIONS {
            let path = path.join(format!("{section}.yaml"));
            let label = path.display().to_string();
            let own = trail.called(label.clone());
            let Some(bytes) = file::read(&path, MAX_YAML).await.map_err(|fault| own.fault(fault))? else { continue };
            let sections = sections(&bytes).map_err(|fault| own.fault(fault))?;
            if let Some((key, _)) = sections.iter().find(|(key, _)| &*key.name != section) {
                let what = format!("it holds the section `{}`, but a file of this name holds `{section}`", key.name);
                return Err(own.fault(EnvironmentFault::Shape(what)));
            }
            if section == "include" {
                includes = Some((listed(&sections).map_err(|fault| own.fault(fault))?, own));
            }
            self.add(label, sections);
        }
        match includes {
            Some((includes, own)) => self.follow(includes, Some(path), &own).await,
            None => Ok(()),
        }
    }

    /// A file is one scope with any sections.
    async fn file(&mut self, bytes: &[u8], base: Option<&Path>, trail: &Trail) -> Result<(), EnvironmentError> {
        let sections = sections(bytes).map_err(|fault| trail.fault(fault))?;
        let includes = listed(&sections).map_err(|fault| trail.fault(fault))?;
        let name = trail.0.last().map(|link| link.label.clone()).unwrap_or_default();
        self.add(name, sections);
        self.follow(includes, base, trail).await
    }

    async fn fetched(
        &mut self,
        include: &Include,
        written: &str,
        url: &str,
        trail: &Trail,
    ) -> Result<Found, EnvironmentError> {
        let trail = trail.deeper(written.to_owned(), PathBuf::from(url))?;
        let found = remote::fetch(self.http, written, url, include.sha256.as_deref()).await;
        let Some(bytes) = found.map_err(|fault| trail.fault(fault))? else { return Ok(Found::No(trail)) };
        self.file(&bytes, None, &trail).await?;
        Ok(Found::Yes)
    }
}

/// Whether there was something at the end of a trail.
pub(super) enum Found {
    Yes,
    No(Trail),
}

/// The sections at the top level of a file.
fn sections(bytes: &[u8]) -> Result<Map, EnvironmentFault> {
    let wrong = |what: String| Err(EnvironmentFault::Shape(what));
    match Value::parse(bytes).map_err(EnvironmentFault::Yaml)? {
        Value::Null => Ok(Map::new()),
        Value::Map(map) if map.contains("spack") => {
            wrong("it is a manifest (its top-level key is `spack`), but configuration sections are expected".to_owned())
        }
        Value::Map(map) => Ok(map),
        other => wrong(format!("it holds {}, but configuration sections are expected", other.kind())),
    }
}

fn listed(sections: &Map) -> Result<Vec<Include>, EnvironmentFault> {
    Ok(Include::list(sections.get("include").unwrap_or(&Value::Null), "include")?)
}
