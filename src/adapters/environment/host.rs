//! The machine that generation runs on, as conditions of a configuration ask about it.

use std::collections::BTreeMap;

use crate::spack::condition::Facts;

/// What Spack calls this machine: `linux`, `debian12`, `x86_64`. What cannot be found out is empty and equals nothing.
pub fn facts(env: &BTreeMap<String, String>) -> Facts {
    let platform = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Facts {
        platform: platform.to_owned(),
        os: if platform == "linux" { linux_os(&release) } else { String::new() },
        target: std::env::consts::ARCH.to_owned(),
        hostname: hostname.trim().to_owned(),
        env: env.clone(),
    }
}

/// Name and version from `/etc/os-release`, joined as Spack joins them: Ubuntu keeps its minor version, most others do not.
fn linux_os(release: &str) -> String {
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    let (id, version) = (field("ID"), field("VERSION_ID"));
    let version = if id == "ubuntu" { version.as_str() } else { version.split('.').next().unwrap_or_default() };
    format!("{}{version}", id.replace(['-', ' '], ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_have_the_names_that_spack_gives_them() {
        for (release, name) in [
            ("ID=debian\nVERSION_ID=\"12\"\n", "debian12"),
            ("NAME=x\nID=ubuntu\nVERSION_ID=\"22.04\"\n", "ubuntu22.04"),
            ("ID=\"rhel\"\nVERSION_ID=\"8.10\"\n", "rhel8"),
            ("", ""),
        ] {
            assert_eq!(linux_os(release), name);
        }
    }
}
