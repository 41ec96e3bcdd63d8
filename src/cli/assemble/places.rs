//! Where files are, and what they and those who use them are called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use secrecy::SecretString;

use crate::adapters::store::Place;
use crate::cli::exit::Failure;
use crate::config::{self, Config, Names, Paths};
use crate::controller::Spill;

/// Where indexes are kept between runs: a protected stack's index changes less often than it is read.
pub fn index_cache() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", "stackhand")?.cache_dir().join("indexes"))
}

/// Host and path of the project.
pub(super) fn project_name(config: &Config) -> String {
    let url = config.gitlab.url.as_str();
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    format!("{host}/{}", config.gitlab.project.trim_matches('/'))
}

/// The database: one per project and server, so that ids of one are never taken for those of another.
pub(super) fn database(
    config: &Config,
    scratch: Option<&Path>,
    state: Option<&Path>,
    project: &str,
) -> Option<PathBuf> {
    match (scratch, &config.store.path) {
        (None, Some(path)) => Some(path.clone()),
        _ => state.map(|folder| folder.join(format!("{}.db", file_name(project)))),
    }
}

/// The database of PostgreSQL, where one is named. What a practice world leaves behind is gone with its folder.
pub(super) fn shared_database(
    config: &Config,
    scratch: Option<&Path>,
    project: &str,
) -> Result<Option<Place>, Failure> {
    let (None, Some(url)) = (scratch, &config.store.url) else { return Ok(None) };
    let file = config.store.password_file.as_deref();
    Ok(Some(Place {
        url: url.as_str().to_owned(),
        password: config::service_secret(&Names::default(), file, "store.password_file", [])?,
        project: project.to_owned(),
        connect: config.budget.connect_timeout,
        statement: config.budget.timeout,
    }))
}

/// What libpq's variable holds.
pub(super) fn libpq_password() -> Option<SecretString> {
    std::env::var("PGPASSWORD").ok().filter(|password| !password.is_empty()).map(Into::into)
}

/// The file whose lock is the lead among the daemons of a project.
pub fn daemon_lock(paths: &Paths, project: &str) -> Option<PathBuf> {
    Some(paths.state_dir.as_ref()?.join(format!("{}.lock", file_name(project))))
}

/// Where the consoles of a project attach, the best place first: a daemon listens at the first, a console knocks at each, because not everybody
/// has the same environment (`sudo` leaves no runtime folder). Names are short, since a socket's path must fit into 108 bytes.
pub fn attach_sockets(paths: &Paths, project: &str) -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let runtime = runtime.map(|folder| folder.join("stackhand"));
    let state = paths.state_dir.as_ref().map(|folder| folder.join("attach"));
    let name = format!("{:08x}.sock", mark(project));
    runtime.into_iter().chain(state).map(|folder| folder.join(&name)).collect()
}

/// What this machine is called.
pub fn host() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    let told = told.or_else(|| std::env::var("HOSTNAME").ok());
    told.filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".to_owned())
}

/// A name for files about a project: readable, and different for different projects.
pub(super) fn file_name(project: &str) -> String {
    let readable: String =
        project.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect();
    format!("{readable}-{:08x}", mark(project))
}

fn mark(project: &str) -> u32 {
    project.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A folder for the logs of this process. What processes left behind that ended badly is removed.
pub(super) fn spill(scratch: Option<&Path>) -> Spill {
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

pub(super) fn who() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "somebody".to_owned())
}

/// The environment, as far as it is text.
pub(super) fn variables() -> BTreeMap<String, String> {
    let texts = std::env::vars_os().map(|(name, value)| (name.into_string().ok(), value.into_string().ok()));
    texts.filter_map(|(name, value)| name.zip(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::loaded;
    use super::*;

    #[test]
    fn two_projects_never_share_a_file() {
        let names = ["a.example/g/p", "a.example/g_p", "a.example_g/p", "a.example:80/g/p"].map(file_name);
        for (at, name) in names.iter().enumerate() {
            assert!(!names[at + 1..].contains(name) && !name.contains(['/', ':']), "{name}");
        }
        let config = loaded(&[("--gitlab", "gitlab.url", "https://g.example:8443/sub/")], &[]).config;
        assert_eq!(project_name(&config), "g.example:8443/sub/spack/spack-packages");
    }
}
