//! Credentials: how they reach `git` without being seen, and how they are kept out of what it says.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

use super::address::Address;
use super::error::MirrorError;
use super::settings::{Credentials, Side, SshKey};
use crate::console::text;
use crate::taxonomy::redact;

/// What one command gets to use a remote with. The key's file is gone when this is.
pub(super) struct Access {
    pub environment: Vec<(&'static str, OsString)>,
    _key: Option<KeyFile>,
}

impl Access {
    /// `keys` is a folder that only we can enter.
    pub fn make(
        side: Side,
        to: &Address,
        credentials: &Credentials,
        ssh: &Path,
        keys: &Path,
    ) -> Result<Self, MirrorError> {
        match credentials {
            Credentials::Nobody => Ok(Self { environment: Vec::new(), _key: None }),
            Credentials::Token { user, token } => {
                let header = format!("Authorization: Basic {}", basic(user, token).expose_secret());
                let environment = vec![
                    ("GIT_CONFIG_COUNT", "1".into()),
                    ("GIT_CONFIG_KEY_0", format!("http.{}.extraHeader", to.url).into()),
                    ("GIT_CONFIG_VALUE_0", header.into()),
                ];
                Ok(Self { environment, _key: None })
            }
            Credentials::Ssh { key, known_hosts } => Self::ssh(side, key, known_hosts, ssh, keys),
        }
    }

    fn ssh(side: Side, key: &SshKey, known_hosts: &Path, ssh: &Path, keys: &Path) -> Result<Self, MirrorError> {
        let wrong = |why: String| MirrorError::Key { side, why };
        let there = |path: &Path, what: &str| match std::fs::File::open(path) {
            Ok(_) => Ok(()),
            Err(error) => Err(wrong(format!("cannot be used: {what} {} is not readable ({error})", path.display()))),
        };
        there(known_hosts, "the file of known hosts")?;
        let mut environment = Vec::new();
        let mut kept = None;
        let identity = match key {
            SshKey::File(path) => path.clone(),
            SshKey::Agent { socket, public } => {
                environment.push(("SSH_AUTH_SOCK", socket.clone().into()));
                public.clone()
            }
            SshKey::Base64(coded) => kept.insert(KeyFile::write(side, coded, keys)?).0.clone(),
        };
        there(&identity, "the key file")?;
        let agent = if matches!(key, SshKey::Agent { .. }) { "SSH_AUTH_SOCK" } else { "none" };
        let command = ssh_command(ssh, &identity, known_hosts, agent).map_err(wrong)?;
        // So that git does not find out by running it which kind of ssh it is.
        environment.extend([("GIT_SSH_COMMAND", command.into()), ("GIT_SSH_VARIANT", "ssh".into())]);
        Ok(Self { environment, _key: kept })
    }
}

/// The command line for the shell by which git starts ssh: nobody's configuration, pinned hosts, this identity and no other, no questions.
fn ssh_command(ssh: &Path, identity: &Path, known_hosts: &Path, agent: &str) -> Result<String, String> {
    let plain = |path: &Path| match path.to_str() {
        // ssh would read these as escapes, tokens and variables, the shell as quotes.
        Some(text) if !text.contains(|c: char| c.is_control() || "\"'\\$%".contains(c)) => Ok(text.to_owned()),
        _ => Err(format!("cannot be used: the path {} has quotes, `\\`, `$`, `%` or worse in it", path.display())),
    };
    let (ssh, identity, known_hosts) = (plain(ssh)?, plain(identity)?, plain(known_hosts)?);
    let options = [
        format!("UserKnownHostsFile=\"{known_hosts}\""),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "UpdateHostKeys=no".to_owned(),
        format!("IdentityFile=\"{identity}\""),
        "IdentitiesOnly=yes".to_owned(),
        format!("IdentityAgent={agent}"),
        "PreferredAuthentications=publickey".to_owned(),
        "BatchMode=yes".to_owned(),
        "ClearAllForwardings=yes".to_owned(),
        "ControlPath=none".to_owned(),
        "LogLevel=ERROR".to_owned(),
        "ConnectTimeout=15".to_owned(),
        "ServerAliveInterval=15".to_owned(),
        "ServerAliveCountMax=3".to_owned(),
    ];
    let options: Vec<String> = options.iter().map(|option| format!("-o '{option}'")).collect();
    Ok(format!("'{ssh}' -F /dev/null {}", options.join(" ")))
}

/// A private key in a file that only we can read; removed when dropped.
struct KeyFile(PathBuf);

impl KeyFile {
    fn write(side: Side, coded: &SecretString, keys: &Path) -> Result<Self, MirrorError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let wrong = |why: &str| MirrorError::Key { side, why: why.to_owned() };
        let key = decoded(coded).ok_or_else(|| wrong("is not in base64; write it with `base64 -w0 KEYFILE`"))?;
        if !key.expose_secret().starts_with("-----BEGIN ") {
            return Err(wrong("is no private key of OpenSSH, in base64; write it with `base64 -w0 KEYFILE`"));
        }
        let path = keys.join(format!("key-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let failed = |error: std::io::Error| MirrorError::Folder { path: keys.to_owned(), why: error.to_string() };
        let mut file = options.open(&path).map_err(failed)?;
        let kept = Self(path);
        file.write_all(key.expose_secret().as_bytes()).map_err(failed)?;
        Ok(kept)
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // The folder is emptied when the mirror is opened, should this fail.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The key as ssh wants it: lines that end with a line feed, the last one too.
fn decoded(coded: &SecretString) -> Option<SecretString> {
    let coded: String = coded.expose_secret().split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(&coded).or_else(|_| STANDARD_NO_PAD.decode(&coded)).ok()?;
    let text = String::from_utf8(bytes).ok()?.replace('\r', "");
    Some(SecretString::from(format!("{}\n", text.trim())))
}

fn basic(user: &str, token: &SecretString) -> SecretString {
    STANDARD.encode(format!("{user}:{}", token.expose_secret())).into()
}

/// Takes secrets out of what programs say.
#[derive(Default)]
pub(super) struct Redactor(Vec<SecretString>);

impl Redactor {
    /// A shorter piece could be part of any word.
    const LEAST: usize = 6;

    pub fn of<'a>(all: impl IntoIterator<Item = &'a Credentials>) -> Self {
        let mut secrets = Vec::new();
        for credentials in all {
            match credentials {
                Credentials::Token { user, token } => {
                    let text = token.expose_secret();
                    let written = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
                    secrets.extend([token.clone(), basic(user, token), written.to_string().into()]);
                }
                Credentials::Ssh { key: SshKey::Base64(coded), .. } => {
                    secrets.push(coded.clone());
                    let lines = decoded(coded).map(|key| key.expose_secret().to_owned()).unwrap_or_default();
                    let body = lines.lines().filter(|line| !line.starts_with("-----"));
                    secrets.extend(body.map(SecretString::from));
                }
                Credentials::Nobody | Credentials::Ssh { .. } => {}
            }
        }
        secrets.retain(|secret| secret.expose_secret().len() >= Self::LEAST);
        // The longest first, so that no rest of it stays.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self(secrets)
    }

    /// What a program said, without secrets and harmless; line breaks stay.
    pub fn clean(&self, said: &[u8]) -> String {
        let mut said = String::from_utf8_lossy(said).into_owned();
        for secret in &self.0 {
            if said.contains(secret.expose_secret()) {
                said = said.replace(secret.expose_secret(), "████");
            }
        }
        let lines = said.split(['\n', '\r']).map(|line| text::clean(&redact(line)).into_owned());
        lines.collect::<Vec<_>>().join("\n")
    }
}
