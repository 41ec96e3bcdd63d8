//! The only file of this room that touches the disk: finds the layers, reads them, and reads a token when one is asked for.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use secrecy::SecretString;

use super::error::ConfigError;
use super::layers::{Flag, Loaded, SourceFile, Sources, merge};
use super::token::TokenSource;
use super::value::Names;

/// Where files may lie.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    pub system: Option<PathBuf>,
    /// The user's file.
    pub user: Option<PathBuf>,
    /// The file that comes with the project.
    pub project: Option<PathBuf>,
    /// The user's folder; `themes` and `keymaps` lie in it.
    pub config_dir: Option<PathBuf>,
    /// Where the database lies unless `store.path` says otherwise.
    pub state_dir: Option<PathBuf>,
    /// A file that was named on the command line: takes the place of the user's file and must exist.
    pub explicit: Option<PathBuf>,
}

impl Paths {
    /// The usual places, seen from a working directory.
    pub fn discover(cwd: &Path) -> Self {
        let dirs = ProjectDirs::from("", "", "stackhand");
        let config_dir = dirs.as_ref().map(|dirs| dirs.config_dir().to_owned());
        let state_dir = dirs.as_ref().map(|dirs| dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned());
        Self {
            system: Some(PathBuf::from("/etc/stackhand/config.toml")),
            user: config_dir.as_ref().map(|dir| dir.join("config.toml")),
            project: project_file(cwd),
            config_dir,
            state_dir,
            explicit: None,
        }
    }
}

/// `.stackhand.toml` from here up to the root of the repository; outside of a repository only right here, since a folder farther up
/// may be anybody's.
fn project_file(cwd: &Path) -> Option<PathBuf> {
    let root = cwd.ancestors().position(|folder| folder.join(".git").exists()).unwrap_or(0);
    cwd.ancestors().take(root + 1).map(|folder| folder.join(".stackhand.toml")).find(|file| file.is_file())
}

/// The process's variables, without those that are not Unicode.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// What [`load`] needs to know.
pub struct LoadArgs<E> {
    pub flags: Vec<Flag>,
    pub env: E,
    pub paths: Paths,
}

/// Reads every layer that exists and lays them over each other.
pub fn load<E: IntoIterator<Item = (String, String)>>(args: LoadArgs<E>) -> Result<Loaded, ConfigError> {
    let LoadArgs { flags, env, paths } = args;
    let user = paths.explicit.clone().or(paths.user);
    let layers = [(paths.system, false), (user, false), (paths.project, true)];
    let mut files = Vec::new();
    for (path, project) in layers.into_iter().filter_map(|(path, project)| Some((path?, project))) {
        match fs::read_to_string(&path) {
            Ok(text) => files.push(SourceFile { path: path.into(), text, project }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && paths.explicit.as_ref() != Some(&path) => {}
            Err(source) => return Err(ConfigError::Read { path, source }),
        }
    }
    merge(Sources { files, variables: env.into_iter().collect(), flags })
}

/// Reads the token from where the configuration found it. `None` when there is none or it is withheld.
pub fn secret(
    loaded: &Loaded,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Option<SecretString>, ConfigError> {
    match &loaded.token {
        TokenSource::Nowhere | TokenSource::Withheld(_) => Ok(None),
        TokenSource::Variable(name) => {
            let variables: HashMap<_, _> = env.into_iter().collect();
            let text = variables.get(name).cloned().unwrap_or_default();
            token(&text, format!("env {name}")).map(Some)
        }
        TokenSource::File(path) => from_file(path, "gitlab.token_file").map(Some),
    }
}

/// Reads the token of another service: from the first of these variables that is set, else from the file. `setting` names the file in errors.
pub fn service_secret(
    names: &Names,
    file: Option<&Path>,
    setting: &'static str,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Option<SecretString>, ConfigError> {
    match set(names, env).into_iter().next() {
        Some(token) => token.map(Some),
        None => file.map(|path| from_file(path, setting)).transpose(),
    }
}

/// Secrets of which any will do: of all variables of these names, or else all lines of the file.
pub fn hook_secrets(
    names: &Names,
    file: Option<&Path>,
    setting: &'static str,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<SecretString>, ConfigError> {
    let set: Vec<SecretString> = set(names, env).into_iter().collect::<Result<_, _>>()?;
    let Some(path) = file.filter(|_| set.is_empty()) else { return Ok(set) };
    let text = read(path, setting)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let all: Vec<SecretString> = lines.map(|line| token(line, path.display().to_string())).collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Err(ConfigError::TokenText { origin: path.display().to_string() });
    }
    Ok(all)
}

/// What the variables of these names hold, in the order of the names.
fn set(names: &Names, env: impl IntoIterator<Item = (String, String)>) -> Vec<Result<SecretString, ConfigError>> {
    let variables: HashMap<_, _> = env.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let held = names.iter().filter_map(|name| Some((name, variables.get(name)?)));
    held.map(|(name, text)| token(text, format!("env {name}"))).collect()
}

fn from_file(path: &Path, setting: &'static str) -> Result<SecretString, ConfigError> {
    let text = read(path, setting)?;
    token(text.lines().next().unwrap_or_default(), path.display().to_string())
}

fn read(path: &Path, setting: &'static str) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::TokenFile { path: path.to_owned(), setting, source })
}

fn token(text: &str, origin: String) -> Result<SecretString, ConfigError> {
    let token = text.trim();
    // Anything else could not stand in a header, and would show up in the error that says so.
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ConfigError::TokenText { origin });
    }
    Ok(SecretString::from(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    /// A folder of its own, gone at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("stackhand-config-{}-{name}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn load_paths(paths: Paths) -> Result<Loaded, ConfigError> {
        load(LoadArgs { flags: vec![], env: [], paths })
    }

    #[test]
    fn a_project_file_counts_up_to_the_root_of_the_repository() {
        let scratch = Scratch::new("project");
        let outside = scratch.write(".stackhand.toml", "");
        scratch.write("repo/.git/HEAD", "");
        scratch.write("repo/stacks/e4s/spack.yaml", "");
        let deep = scratch.0.join("repo/stacks/e4s");
        assert_eq!(project_file(&deep), None, "what lies above the repository does not concern it");
        let inside = scratch.write("repo/.stackhand.toml", "");
        assert_eq!(project_file(&deep), Some(inside));
        assert_eq!(project_file(&scratch.0), Some(outside), "without a repository, right here");
    }

    #[test]
    fn absent_layers_are_fine_but_a_named_file_must_exist() {
        let scratch = Scratch::new("layers");
        let mut paths = Paths {
            system: Some(scratch.0.join("none.toml")),
            user: Some(scratch.write("config.toml", "actions.wave = 7")),
            ..Paths::default()
        };
        assert_eq!(load_paths(paths.clone()).unwrap().config.actions.wave, 7);
        paths.explicit = Some(scratch.write("other.toml", "ui.utc = false"));
        assert_eq!(load_paths(paths.clone()).unwrap().config.actions.wave, 20, "it takes the place of the user's file");
        paths.explicit = Some(scratch.0.join("typo.toml"));
        let error = load_paths(paths).unwrap_err().to_string();
        assert!(error.contains("typo.toml: the configuration cannot be read"), "{error}");
    }

    #[test]
    fn a_token_file_gives_its_first_line_or_an_error_without_it() {
        let scratch = Scratch::new("token");
        let config = |token: &str| {
            scratch.write("token", token);
            load_paths(Paths {
                user: Some(scratch.write("config.toml", "gitlab.token_file = 'token'")),
                ..Paths::default()
            })
            .unwrap()
        };
        let token = secret(&config("glpat-canary \nsecond line"), []).unwrap().unwrap();
        assert_eq!(token.expose_secret(), "glpat-canary");
        for wrong in ["", "\n", "canary two words", "canary\u{7}"] {
            let error = secret(&config(wrong), []).unwrap_err().to_string();
            assert!(error.contains("store it anew") && !error.contains("canary"), "{error}");
        }
        let loaded = config("x");
        fs::remove_file(scratch.0.join("token")).unwrap();
        assert!(secret(&loaded, []).unwrap_err().to_string().contains("correct `gitlab.token_file`"));
    }

    #[test]
    fn all_secrets_of_a_hook_count_and_none_is_told() {
        let scratch = Scratch::new("hooks");
        let names = Names::of(&["NEW", "OLD", "NEVER"]);
        let env =
            || [("OLD", "canary-1"), ("NEW", "canary-2"), ("OTHER", "x")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let told = |all: Result<Vec<SecretString>, ConfigError>| -> Vec<String> {
            all.unwrap().iter().map(|one| one.expose_secret().to_owned()).collect()
        };
        let file = scratch.write("hooks", "canary-3\n\n canary-4 \n");
        assert_eq!(told(hook_secrets(&names, Some(&file), "hooks.github_file", env())), ["canary-2", "canary-1"]);
        assert_eq!(told(hook_secrets(&names, Some(&file), "hooks.github_file", [])), ["canary-3", "canary-4"]);
        assert!(told(hook_secrets(&names, None, "hooks.github_file", [])).is_empty());
        for wrong in ["", " \n", "canary\ncanary two"] {
            let file = scratch.write("hooks", wrong);
            let error = hook_secrets(&names, Some(&file), "hooks.github_file", []).unwrap_err().to_string();
            assert!(error.contains("store it anew") && !error.contains("canary"), "{error}");
        }
        let none = hook_secrets(&names, Some(&scratch.0.join("none")), "hooks.github_file", []).unwrap_err();
        assert!(none.to_string().contains("correct `hooks.github_file`"));
    }

    #[test]
    fn a_variable_gives_the_token_only_when_asked() {
        let env = || [("STACKHAND_GITLAB_TOKEN".to_owned(), "glpat-canary".to_owned())];
        let loaded = load(LoadArgs { flags: vec![], env: env(), paths: Paths::default() }).unwrap();
        let token = secret(&loaded, env()).unwrap().unwrap();
        assert_eq!(token.expose_secret(), "glpat-canary");
        assert!(!format!("{loaded:?} {token:?}").contains("canary"));
        let nobody = load(LoadArgs { flags: vec![], env: [], paths: Paths::default() }).unwrap();
        assert!(secret(&nobody, env()).unwrap().is_none());
    }
}
