//! Makes keys and signatures.

use std::path::Path;
use std::process::{Command, Stdio};

use super::super::folder::Folder;
use super::KeyFile;

/// A home of gpg with secret keys; its agent ends with it.
pub struct Maker(Folder);

impl Maker {
    pub fn new() -> Self {
        Self(Folder::new().unwrap())
    }

    pub fn home(&self) -> &Path {
        self.0.path()
    }

    pub fn gpg(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""]).args(arguments);
        command.env("GNUPGHOME", self.home()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A key that can sign from the beginning of 2020 on; gives its fingerprint.
    pub fn key(&self, name: &str, expires: &str) -> String {
        let who = format!("{name} <{name}@example.invalid>");
        self.gpg(&["--faked-system-time", "20200101T000000", "--quick-gen-key", &who, "ed25519", "sign", expires], b"");
        let listed = self.gpg(&["--with-colons", "--list-keys", name], b"");
        let listed = String::from_utf8(listed).unwrap();
        let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap();
        fingerprint.trim_end_matches(':').to_owned()
    }

    /// Signs at the beginning of January 2020, or with other options.
    pub fn sign(&self, name: &str, options: &[&str], text: &str) -> Vec<u8> {
        let mut arguments = vec!["--faked-system-time", "20200110T000000", "-u", name];
        arguments.extend(options);
        arguments.push("--clearsign");
        self.gpg(&arguments, text.as_bytes())
    }

    pub fn public(&self, name: &str) -> KeyFile {
        KeyFile { name: format!("{name}.pub"), bytes: self.gpg(&["--armor", "--export", name], b"") }
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        let ended = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", self.home()).status();
        assert!(ended.is_ok_and(|status| status.success()));
    }
}
