//! The address of a mirror and of what lies below it.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

use super::fault::plain;

/// Servers differ in what they make of a bare `+`; none mistakes an escape.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Where a mirror is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    Folder(PathBuf),
    Web(Url),
    Bucket {
        bucket: String,
        /// Without `/` at either end.
        prefix: String,
    },
}

impl Root {
    /// Reads an address; the reason names it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("{}: {what}", public(url)));
        if Path::new(url).is_absolute() {
            return Ok(Self::Folder(url.into()));
        }
        if let Some(rest) = url.strip_prefix("s3://") {
            let rest = rest.split(['?', '#']).next().unwrap_or_default();
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            return match bucket {
                "" => wrong("it names no bucket; write s3://BUCKET/PREFIX"),
                _ if bucket.contains('@') => wrong("it holds credentials; put them into the AWS_… variables"),
                _ => Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() }),
            };
        }
        let Ok(parsed) = Url::parse(url) else {
            return wrong("it is no address; write s3://BUCKET/PREFIX, https://…, file:///… or an absolute path");
        };
        match parsed.scheme() {
            "http" | "https" => Ok(Self::Web(parsed)),
            "file" => match parsed.to_file_path() {
                Ok(path) => Ok(Self::Folder(path)),
                Err(()) => wrong("it is no local file; write file:///… with three slashes"),
            },
            scheme => wrong(&format!("mirrors of the kind `{scheme}` cannot be read; use s3, https, http or file")),
        }
    }

    /// The address of what lies at a path below this one, fit to be shown. An empty path is the mirror itself.
    pub fn shown(&self, path: &str) -> String {
        match self {
            Self::Folder(folder) => format!("file://{}", folder.join(path).display()),
            Self::Web(url) => public(below(url, path).as_str()),
            Self::Bucket { bucket, prefix } => format!("s3://{bucket}/{}", key(prefix, path)),
        }
    }
}

/// A path below a web address; what follows `?` there stays.
pub(super) fn below(url: &Url, path: &str) -> Url {
    let mut url = url.clone();
    let folder = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{folder}/{}", utf8_percent_encode(path, ESCAPED)));
    url
}

/// A path below a prefix.
pub(super) fn key(prefix: &str, path: &str) -> String {
    if prefix.is_empty() { path.to_owned() } else { format!("{prefix}/{path}") }
}

/// An address without what may be secret: user, password, and everything from `?` or `#` on.
pub(super) fn public(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return plain(url) };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let host_end = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(host_end).unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    plain(&format!("{scheme}://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address_is_read() {
        assert_eq!(Root::parse("/srv/mirror"), Ok(Root::Folder("/srv/mirror".into())));
        assert_eq!(Root::parse("file:///srv/a%20b"), Ok(Root::Folder("/srv/a b".into())));
        let bucket = |prefix: &str| Ok(Root::Bucket { bucket: "b".into(), prefix: prefix.into() });
        assert_eq!(Root::parse("s3://b/develop/e4s/"), bucket("develop/e4s"));
        assert_eq!(Root::parse("s3://b"), bucket(""));
        assert!(matches!(Root::parse("https://h/x"), Ok(Root::Web(_))));
        for (wrong, reason) in [
            ("s3:///x", "names no bucket"),
            ("s3://id:key@b/x", "s3://b/x: it holds credentials"),
            ("gs://b", "`gs` cannot be read"),
            ("oci://b", "`oci`"),
            ("mirror", "absolute path"),
            ("file://host/x", "three slashes"),
            ("", "no address"),
        ] {
            let error = Root::parse(wrong).unwrap_err();
            assert!(error.contains(reason), "{wrong}: {error}");
        }
    }

    #[test]
    fn paths_are_joined_and_shown_without_secrets() {
        let web = Root::parse("https://me:hush@h:8/m//?token=hush#x").unwrap();
        assert_eq!(web.shown("v3/a+b=1.json"), "https://h:8/m/v3/a%2Bb%3D1.json");
        let Root::Web(url) = &web else { panic!() };
        assert_eq!(below(url, "x").as_str(), "https://me:hush@h:8/m/x?token=hush#x");
        assert_eq!(Root::parse("s3://b/p").unwrap().shown("v3/x"), "s3://b/p/v3/x");
        assert_eq!(Root::parse("s3://b").unwrap().shown("v3/x"), "s3://b/v3/x");
        assert_eq!(Root::parse("/m").unwrap().shown("v3/x"), "file:///m/v3/x");
        assert_eq!(public("https://me:hu@sh@h/p@q?x"), "https://h/p@q");
        assert_eq!(public("/srv/a?b"), "/srv/a?b");
    }
}
