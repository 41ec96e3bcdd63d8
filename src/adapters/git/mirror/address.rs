//! Which addresses a remote may have.

use std::net::IpAddr;

use reqwest::Url;

use super::error::MirrorError;
use super::settings::{Credentials, Remote, Side};

/// A checked address.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub url: String,
    /// The transport that git needs for it, and the only one that it gets.
    pub protocol: &'static str,
}

impl Address {
    /// Takes an address, if its transport is safe and fits the credentials.
    pub fn of(side: Side, remote: &Remote) -> Result<Self, MirrorError> {
        let wrong = |why: &str| Err(MirrorError::Address { side, why: why.to_owned() });
        let text = remote.url.trim();
        let url = match Url::parse(text) {
            Ok(url) if text.contains("://") => url,
            _ => return wrong("is no URL; write https://HOST/GROUP/NAME.git or ssh://git@HOST/GROUP/NAME.git"),
        };
        if url.password().is_some() || (url.scheme() != "ssh" && !url.username().is_empty()) {
            return wrong("holds a user or a password, which everybody could read; give them as credentials");
        }
        if url.query().is_some() || url.fragment().is_some() || text.contains(|c: char| c.is_control() || c == ' ') {
            return wrong("has parts that no repository's address has; take away what follows its path");
        }
        let is_here = url.host_str().is_some_and(|host| {
            let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
            host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
        });
        let protocol = match url.scheme() {
            "https" => "https",
            "http" if is_here => "http",
            "http" => return wrong("is plain HTTP, which anybody on the way can read and change; use https"),
            "ssh" if url.host_str().is_some_and(|host| !host.is_empty() && !host.starts_with('-')) => "ssh",
            "ssh" => return wrong("names no host; write ssh://git@HOST/GROUP/NAME.git"),
            "file" if url.host_str().is_none() => "file",
            other => return wrong(&format!("begins with {other}, which is not used; use https or ssh")),
        };
        match (&remote.credentials, protocol) {
            (Credentials::Nobody, "https" | "http" | "file")
            | (Credentials::Token { .. }, "https" | "http")
            | (Credentials::Ssh { .. }, "ssh") => Ok(Self { url: text.to_owned(), protocol }),
            (Credentials::Ssh { .. }, _) => wrong("is not ssh, but an ssh key was given; use ssh:// or give a token"),
            (_, "ssh") => wrong("is ssh, which needs a key and the pinned keys of the host"),
            (Credentials::Token { .. } | Credentials::Nobody, _) => wrong("takes no token; leave it away"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_safe_or_refused_with_what_to_do() {
        let of = |url: &str, credentials: Credentials| {
            let remote = Remote { url: url.to_owned(), credentials };
            Address::of(Side::GitLab, &remote).map(|address| address.protocol).map_err(|error| error.to_string())
        };
        let token = || Credentials::Token { user: "oauth2".into(), token: "glpat-canary".into() };
        let ssh = || Credentials::Ssh { key: super::super::SshKey::File("/k".into()), known_hosts: "/h".into() };
        assert_eq!(of("https://gitlab.spack.io/spack/spack.git", token()).unwrap(), "https");
        assert_eq!(of("ssh://git@ssh.gitlab.spack.io/spack/spack", ssh()).unwrap(), "ssh");
        for url in ["http://127.0.0.1:8080/x.git", "http://[::1]/x.git", "http://localhost/x.git"] {
            assert_eq!(of(url, token()).unwrap(), "http");
        }
        assert_eq!(of("file:///srv/x.git", Credentials::Nobody).unwrap(), "file");
        for (url, credentials, says) in [
            ("https://glpat-canary@gitlab.spack.io/x.git", token(), "give them as credentials"),
            ("https://u:glpat-canary@gitlab.spack.io/x.git", token(), "give them as credentials"),
            ("ssh://git:canary@gitlab.spack.io/x.git", ssh(), "give them as credentials"),
            ("http://gitlab.spack.io/x.git", token(), "use https"),
            ("http://127.0.0.1.evil.example/x.git", token(), "use https"),
            ("git@gitlab.spack.io:spack/spack.git", ssh(), "write https://"),
            ("ext::sh -c id", Credentials::Nobody, "write https://"),
            ("ext://x/y", Credentials::Nobody, "use https or ssh"),
            ("git://gitlab.spack.io/x", Credentials::Nobody, "use https or ssh"),
            ("--upload-pack=x", Credentials::Nobody, "write https://"),
            ("ssh://-oProxyCommand=id/x", ssh(), "names no host"),
            ("ssh://git@-oProxyCommand=id/x", ssh(), "names no host"),
            ("https://h/x?private_token=canary", token(), "take away"),
            ("https://h/x", ssh(), "give a token"),
            ("ssh://git@h/x", token(), "needs a key"),
            ("ssh://git@h/x", Credentials::Nobody, "needs a key"),
            ("file:///x", token(), "takes no token"),
            ("file://elsewhere/x", Credentials::Nobody, "use https or ssh"),
        ] {
            let said = of(url, credentials).unwrap_err();
            assert!(said.contains(says) && said.starts_with("the address of GitLab"), "{url}: {said}");
            assert!(!said.contains("canary"), "{said}");
        }
    }
}
