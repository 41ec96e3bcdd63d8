//! Replaces variables in include paths.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::error::EnvironmentFault;
use crate::spack::condition::Facts;

/// The path with `$name`, `${name}` and a leading `~` replaced: Spack's own names first, in any case, then environment variables.
///
/// Spack leaves unknown variables as they are and then does not find the file; here they are an error.
pub(super) fn expand(text: &str, facts: &Facts, env_dir: &Path) -> Result<OsString, EnvironmentFault> {
    let unknown = |(variable, hint): (String, String)| EnvironmentFault::Variable {
        include: text.to_owned(),
        variable: format!("`{variable}`"),
        hint,
    };
    let mut found = OsString::new();
    let mut rest = text;
    if let Some(after) = rest.strip_prefix('~') {
        let user = after.split('/').next().unwrap_or_default();
        if !user.is_empty() {
            return Err(unknown((format!("~{user}"), "write the folder out".to_owned())));
        }
        found.push(variable(facts, "HOME").map_err(|(_, hint)| unknown(("~".to_owned(), hint)))?);
        rest = after;
    }
    while let Some((before, after)) = rest.split_once('$') {
        found.push(before);
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, next) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, next)) => (name, next),
            None => after.split_at(after.find(|c| !is_word(c)).unwrap_or(after.len())),
        };
        // A lone dollar is a dollar.
        if name.is_empty() {
            found.push("$");
            rest = after;
            continue;
        }
        match known(&name.to_ascii_lowercase(), facts, env_dir) {
            Some(value) => found.push(value.map_err(|(_, hint)| unknown((format!("${name}"), hint)))?),
            None => found.push(variable(facts, name).map_err(unknown)?),
        }
        rest = next;
    }
    found.push(rest);
    Ok(found)
}

/// A variable that is missing, and what to do about it.
type Unknown = (String, String);

fn variable(facts: &Facts, name: &str) -> Result<OsString, Unknown> {
    match facts.env.get(name) {
        Some(value) => Ok(value.into()),
        None => Err((format!("${name}"), format!("set {name}, or write the path out"))),
    }
}

/// A name that belongs to Spack.
fn known(name: &str, facts: &Facts, env_dir: &Path) -> Option<Result<OsString, Unknown>> {
    let text = |text: &str| Some(Ok(OsString::from(text)));
    match name {
        "env" => Some(absolute(env_dir)),
        "platform" => text(&facts.platform),
        "os" | "operating_system" => text(&facts.os),
        "target" => text(&facts.target),
        "arch" | "architecture" => text(&format!("{}-{}-{}", facts.platform, facts.os, facts.target)),
        "spack" => Some(variable(facts, "SPACK_ROOT")),
        "user_cache_path" => Some(variable(facts, "SPACK_USER_CACHE_PATH")),
        "user" => Some(variable(facts, "USER").or_else(|_| variable(facts, "LOGNAME"))),
        "tempdir" => Some(Ok(variable(facts, "TMPDIR").unwrap_or_else(|_| OsStr::new("/tmp").to_owned()))),
        "date"
        | "target_family"
        | "spack_short_version"
        | "spack_instance_id"
        | "default_install_root"
        | "default_envs_root"
        | "modules_base"
        | "data_home"
        | "cache_home"
        | "state_home"
        | "spack_home" => Some(Err((String::new(), "only Spack knows it; write the path out".to_owned()))),
        _ => None,
    }
}

fn absolute(dir: &Path) -> Result<OsString, Unknown> {
    let found = std::path::absolute(dir).map(|path| crate::spack::manifest::path::normalised(&path).into_os_string());
    found.map_err(|error| (String::new(), format!("the working folder is unknown ({error})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let env = [("HOME", "/home/ci"), ("SPACK_ROOT", "/opt/spack"), ("X", "x y"), ("LOGNAME", "ci"), ("OS", "no")];
        Facts {
            platform: "linux".to_owned(),
            os: "debian12".to_owned(),
            target: "zen4".to_owned(),
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..Facts::default()
        }
    }

    #[test]
    fn known_variables_are_replaced() {
        for (text, want) in [
            ("../a", "../a"),
            ("~", "/home/ci"),
            ("~/a", "/home/ci/a"),
            ("a~", "a~"),
            ("$spack/etc", "/opt/spack/etc"),
            ("${SPACK}/etc", "/opt/spack/etc"),
            ("$os-${target}/$PLATFORM", "debian12-zen4/linux"),
            ("$arch", "linux-debian12-zen4"),
            ("$OS", "debian12"),
            ("$tempdir/$user", "/tmp/ci"),
            ("$X/${X}z", "x y/x yz"),
            ("a$/b$", "a$/b$"),
            ("$env/a", "/stacks/e4s/a"),
            ("${X", "${X"),
            ("ä$X", "äx y"),
        ] {
            let got = expand(text, &facts(), Path::new("/stacks/x/../e4s"));
            assert_eq!(got.map_err(|e| e.to_string()), Ok(want.into()), "{text}");
        }
    }

    #[test]
    fn unknown_variables_are_named() {
        for (text, name) in [
            ("$NONE/a", "`$NONE`"),
            ("a/${NONE}", "set NONE"),
            ("$date/a", "`$date`, which is not known here; only Spack"),
            ("~root/a", "`~root`"),
            ("$user_cache_path", "set SPACK_USER_CACHE_PATH"),
            ("$x", "`$x`"),
        ] {
            let error = expand(text, &facts(), Path::new("/")).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(text), "{error}");
        }
        assert!(expand("~", &Facts::default(), Path::new("/")).unwrap_err().to_string().contains("`~`"));
    }
}
