//! Names of branches and tags, as git allows them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// What stays as it is in URLs, by RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Git keeps a loose ref in a file, and writes it as `<name>.lock` first; files have names of 255 bytes.
const MOST: usize = 250;

/// A name that git takes for a branch or a tag; the bytes are kept as they are. It may begin with `-` and hold `$`, `;` or `%`, so it goes into
/// commands as a full ref only and into URLs by [`BranchName::in_url`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchName(Arc<str>);

/// Why git would refuse a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadName {
    #[error("a name is not empty and has no empty part between slashes")]
    Empty,
    #[error("no part of a name begins with a dot")]
    LeadingDot,
    #[error("no name ends with a dot")]
    TrailingDot,
    #[error("no part of a name ends with .lock")]
    Lock,
    #[error("no name holds two dots in a row")]
    TwoDots,
    #[error("no name holds @{{")]
    AtBrace,
    #[error("no name holds a blank, a control character or one of ~ ^ : ? * [ \\")]
    Character,
    #[error("no part of a name is longer than {MOST} bytes")]
    TooLong,
}

impl BranchName {
    /// Takes a name by git's own rules (`git check-ref-format`).
    pub fn parse(name: &str) -> Result<Self, BadName> {
        let is_forbidden = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
        if name.contains(is_forbidden) {
            return Err(BadName::Character);
        }
        if name.contains("..") {
            return Err(BadName::TwoDots);
        }
        if name.contains("@{") {
            return Err(BadName::AtBrace);
        }
        for part in name.split('/') {
            match part {
                "" => return Err(BadName::Empty),
                _ if part.starts_with('.') => return Err(BadName::LeadingDot),
                _ if part.as_bytes().ends_with(b".lock") => return Err(BadName::Lock),
                _ if part.len() > MOST => return Err(BadName::TooLong),
                _ => {}
            }
        }
        if name.ends_with('.') {
            return Err(BadName::TrailingDot);
        }
        Ok(Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as one part of an URL's path, or as a value of its query.
    pub fn in_url(&self) -> String {
        utf8_percent_encode(&self.0, UNRESERVED).to_string()
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for BranchName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BranchName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&name).map_err(|why| serde::de::Error::custom(format!("{name:?} is no branch: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_judged_as_git_does() {
        for good in [
            "develop",
            "a/b/c",
            "-f",
            "--upload-pack=x",
            "$(id)",
            ";rm",
            "%2F",
            "föö",
            "🚀-x",
            "@",
            "a@b",
            "a.b",
            "x.locked",
        ] {
            assert_eq!(BranchName::parse(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        let long = "x".repeat(251);
        for (bad, why) in [
            ("", BadName::Empty),
            ("/a", BadName::Empty),
            ("a//b", BadName::Empty),
            ("a/", BadName::Empty),
            (".a", BadName::LeadingDot),
            ("a/.b", BadName::LeadingDot),
            ("a.", BadName::TrailingDot),
            ("a.lock", BadName::Lock),
            ("a.lock/b", BadName::Lock),
            ("a..b", BadName::TwoDots),
            ("a@{1}", BadName::AtBrace),
            ("a b", BadName::Character),
            ("a\u{1b}[31m", BadName::Character),
            ("a\u{7f}", BadName::Character),
            ("a\nb", BadName::Character),
            ("a:b", BadName::Character),
            ("a\\b", BadName::Character),
            ("refs/*", BadName::Character),
            (&long, BadName::TooLong),
        ] {
            assert_eq!(BranchName::parse(bad), Err(why), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn an_url_holds_the_name_and_nothing_else(name in "\\PC{1,20}") {
            let Ok(name) = BranchName::parse(&name) else { return Ok(()) };
            let written = name.in_url();
            prop_assert!(written.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{}", written);
            prop_assert_eq!(percent_encoding::percent_decode_str(&written).decode_utf8().unwrap(), name.as_str());
        }
    }
}
