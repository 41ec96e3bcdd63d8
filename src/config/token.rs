//! Which source may give the token, decided without looking at the token itself.

use std::path::PathBuf;

use super::origin::Origin;
use super::table::Gitlab;

/// The variable that many tools share; it may hold a token for quite another server.
const SHARED: &str = "GITLAB_TOKEN";

/// Where the token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// There is none: everything is read anonymously.
    Nowhere,
    /// An environment variable.
    Variable(String),
    File(PathBuf),
    /// There is one, but sending it could give it to the wrong people; the text says why and how to allow it.
    Withheld(String),
}

impl TokenSource {
    /// Chooses by the settings, their origins and the names of the variables that are set.
    pub(super) fn choose(gitlab: &Gitlab, url: &Origin, names: &Origin, is_set: impl Fn(&str) -> bool) -> Self {
        let own_names = *names != Origin::BuiltIn;
        let mut shared = false;
        let mut found = None;
        for name in gitlab.token_env.iter().filter(|name| is_set(name)) {
            // Unless the user pointed somewhere, a token of some other GitLab would go to Spack's public one.
            if name == SHARED && *url == Origin::BuiltIn && !own_names {
                shared = true;
                continue;
            }
            found = Some(Self::Variable(name.to_owned()));
            break;
        }
        let found = found.or_else(|| gitlab.token_file.clone().map(Self::File));
        match (found, url) {
            (Some(_), Origin::File { project: true, place }) => Self::Withheld(format!(
                "{place} comes with the project and sets gitlab.url = {}; set gitlab.url in your own configuration if you trust it",
                gitlab.url
            )),
            (Some(source), _) => source,
            (None, _) if shared => Self::Withheld(format!(
                "{SHARED} may be for another server than {}; set gitlab.url, or put the token into STACKHAND_GITLAB_TOKEN",
                gitlab.url
            )),
            (None, _) => Self::Nowhere,
        }
    }
}
