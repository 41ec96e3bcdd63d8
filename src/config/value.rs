//! The types of values: how each is read from what a source holds, and how it is written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::database::veiled;

/// A value as a source holds it. Files have types, variables and flags only text; text is therefore good for every type.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    Text(String),
    Whole(i64),
    Flag(bool),
    List(Vec<String>),
    /// Something that no setting takes; the name of its type.
    Other(&'static str),
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "`{}`", veiled(text)),
            Self::Whole(n) => write!(f, "`{n}`"),
            Self::Flag(flag) => write!(f, "`{flag}`"),
            Self::List(items) => write!(f, "a list of {}", items.len()),
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

/// A type that a setting can have.
pub trait Value: Sized + PartialOrd {
    /// What is accepted, as it reads after "expected".
    const EXPECTED: &'static str;

    /// Relative ones start at the file that holds them.
    const IS_PATH: bool = false;

    /// The value, if this is one.
    fn read(raw: &Raw) -> Option<Self>;

    /// The value as one would write it.
    fn show(&self) -> String;
}

/// What is accepted, with the range when there is one.
pub fn expected<T: Value>(range: Option<&RangeInclusive<T>>) -> String {
    match range {
        Some(range) => format!("{} from {} to {}", T::EXPECTED, range.start().show(), range.end().show()),
        None => T::EXPECTED.to_owned(),
    }
}

/// Reads a value and holds it against its range; the error says what was expected.
pub fn accept<T: Value>(raw: &Raw, range: Option<&RangeInclusive<T>>) -> Result<T, String> {
    T::read(raw).filter(|value| range.is_none_or(|range| range.contains(value))).ok_or_else(|| expected(range))
}

impl Value for String {
    const EXPECTED: &'static str = "a text";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Text(text) => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for u32 {
    const EXPECTED: &'static str = "a whole number";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Whole(n) => Self::try_from(*n).ok(),
            Raw::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Flag(flag) => Some(*flag),
            Raw::Text(text) => match text.trim() {
                "true" | "yes" | "1" => Some(true),
                "false" | "no" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Units of lengths of time with their milliseconds, the longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Value for Duration {
    const EXPECTED: &'static str = "a length of time such as 500ms, 5s, 10m or 1h30m";

    /// A number alone is refused: whether `5` means seconds or minutes is not ours to guess.
    fn read(raw: &Raw) -> Option<Self> {
        let Raw::Text(text) = raw else { return None };
        let mut rest = text.trim();
        let mut millis = 0_u64;
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
            millis = number.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(millis)?;
            rest = after;
        }
        Some(Self::from_millis(millis))
    }

    fn show(&self) -> String {
        let mut millis = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let mut parts = Vec::new();
        for (unit, factor) in UNITS {
            if millis >= factor {
                parts.push(format!("{}{unit}", millis / factor));
                millis %= factor;
            }
        }
        if parts.is_empty() { "0s".to_owned() } else { parts.concat() }
    }
}

impl Value for Option<PathBuf> {
    const EXPECTED: &'static str = "a path";
    const IS_PATH: bool = true;

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Text(text) if text.is_empty() => Some(None),
            Raw::Text(text) => Some(Some(PathBuf::from(text))),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    }
}

/// A few names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Default)]
pub struct Names(Vec<Arc<str>>);

impl Names {
    pub(super) fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).into()).collect())
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

impl Value for Names {
    const EXPECTED: &'static str = "names: a list, or a text with commas";

    fn read(raw: &Raw) -> Option<Self> {
        let names: Vec<&str> = match raw {
            Raw::Text(text) => text.split(',').map(str::trim).collect(),
            Raw::List(items) => items.iter().map(|item| item.trim()).collect(),
            _ => return None,
        };
        Some(Self(names.into_iter().filter(|name| !name.is_empty()).map(Into::into).collect()))
    }

    fn show(&self) -> String {
        self.iter().collect::<Vec<_>>().join(",")
    }
}

/// The address of a server: `http` or `https`, no user, no query, no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Spack's public GitLab.
    pub(super) fn spack() -> Self {
        Self("https://gitlab.spack.io".to_owned())
    }

    /// The API of github.com.
    pub(super) fn github() -> Self {
        Self("https://api.github.com".to_owned())
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for BaseUrl {
    const EXPECTED: &'static str = "an address such as https://gitlab.example.org, without user, query or fragment";

    fn read(raw: &Raw) -> Option<Self> {
        let Raw::Text(text) = raw else { return None };
        let text = text.trim().trim_end_matches('/');
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let host = rest.split('/').next().filter(|host| !host.is_empty())?;
        // A password in an address would end up in every log line that names the server.
        let clean =
            !host.contains('@') && rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\'));
        clean.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Value for Option<BaseUrl> {
    const EXPECTED: &'static str = BaseUrl::EXPECTED;

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Text(text) if text.trim().is_empty() => Some(None),
            raw => BaseUrl::read(raw).map(Some),
        }
    }

    fn show(&self) -> String {
        self.as_ref().map(BaseUrl::show).unwrap_or_default()
    }
}

/// Where somebody may call in: an address and a port, or nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub struct Listen(Option<SocketAddr>);

impl Listen {
    /// A port that only this machine reaches.
    pub(super) const fn loopback(port: u16) -> Self {
        Self(Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)))
    }

    /// The address; `None`: nowhere.
    pub const fn address(self) -> Option<SocketAddr> {
        self.0
    }
}

impl Value for Listen {
    const EXPECTED: &'static str = "an address with a port such as 127.0.0.1:9797 or [::1]:9797, or none";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Text(text) if text.trim() == "none" => Some(Self(None)),
            Raw::Text(text) => text.trim().parse().ok().map(|address| Self(Some(address))),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.0.map_or_else(|| "none".to_owned(), |address| address.to_string())
    }
}

macro_rules! words {
    ($(#[$about:meta])* $Name:ident, $expected:literal { $( $(#[$note:meta])* $Variant:ident = $word:literal, )* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
        pub enum $Name { $( $(#[$note])* $Variant, )* }

        impl $crate::config::value::Value for $Name {
            const EXPECTED: &'static str = $expected;

            fn read(raw: &$crate::config::value::Raw) -> Option<Self> {
                match raw {
                    $crate::config::value::Raw::Text(text) => match text.trim() {
                        $( $word => Some(Self::$Variant), )*
                        _ => None,
                    },
                    // `color = 256` needs no quotes.
                    $crate::config::value::Raw::Whole(n) => {
                        Self::read(&$crate::config::value::Raw::Text(n.to_string()))
                    }
                    _ => None,
                }
            }

            fn show(&self) -> String {
                match self { $( Self::$Variant => $word, )* }.to_owned()
            }
        }
    };
}
pub(super) use words;

words! {
    /// Whether anything may be changed.
    Mode, "auto, ro or rw" {
        /// Not decided yet; a loaded configuration never holds it.
        Auto = "auto",
        ReadOnly = "ro",
        ReadWrite = "rw",
    }
}

words! {
    /// How many colours the terminal has.
    Color, "auto, truecolor, 256, 16 or mono" {
        Auto = "auto",
        True = "truecolor",
        C256 = "256",
        C16 = "16",
        Mono = "mono",
    }
}

words! {
    /// Whether to draw with ASCII only.
    Ascii, "auto, yes or no" {
        Auto = "auto",
        Yes = "yes",
        No = "no",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<T: Value>(text: &str) -> Option<T> {
        T::read(&Raw::Text(text.to_owned()))
    }

    #[test]
    fn lengths_of_time_carry_their_unit() {
        for (text, millis) in
            [("5s", 5_000), ("10m", 600_000), ("2h", 7_200_000), ("1h30m", 5_400_000), ("25ms", 25), ("0s", 0)]
        {
            assert_eq!(read::<Duration>(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "5", "s", "5 s", "-5s", "5sec", "1.5h", "99999999999999999999s", "999999999999999d", "5s3"] {
            assert_eq!(read::<Duration>(wrong), None, "{wrong}");
        }
        assert_eq!(Duration::read(&Raw::Whole(5)), None);
    }

    #[test]
    fn addresses_hide_nothing() {
        assert_eq!(read::<BaseUrl>(" https://gitlab.example.org/ ").unwrap().as_str(), "https://gitlab.example.org");
        assert_eq!(read::<BaseUrl>("http://127.0.0.1:8080/gitlab").unwrap().as_str(), "http://127.0.0.1:8080/gitlab");
        for wrong in [
            "",
            "gitlab.example.org",
            "ftp://a",
            "https://",
            "https:///x",
            "https://amy:pw@a",
            "https://a?b",
            "https://a#b",
            "https://a b",
            "https://a\\@b",
            "https://a\u{1b}[2J",
        ] {
            assert_eq!(read::<BaseUrl>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_are_part_of_what_is_expected() {
        let range = Some(1..=64);
        assert_eq!(accept::<u32>(&Raw::Whole(64), range.as_ref()), Ok(64));
        for wrong in [Raw::Whole(0), Raw::Whole(-1), Raw::Text("65".into()), Raw::Flag(true)] {
            let error = accept::<u32>(&wrong, range.as_ref()).unwrap_err();
            assert_eq!(error, "a whole number from 1 to 64");
        }
    }

    #[test]
    fn names_come_as_a_list_or_with_commas() {
        let list = Names::read(&Raw::List(vec!["develop".into(), " pr* ".into()])).unwrap();
        assert_eq!(read::<Names>("develop, pr*,"), Some(list));
        assert_eq!(read::<Names>(""), Some(Names::default()));
    }

    #[test]
    fn words_are_words() {
        assert_eq!(Color::read(&Raw::Whole(256)), Some(Color::C256));
        assert_eq!(read::<Mode>("rw"), Some(Mode::ReadWrite));
        assert_eq!(read::<Mode>("RW"), None);
    }

    proptest! {
        #[test]
        fn lengths_read_back_as_written(millis in 0..u64::MAX / 2) {
            let length = Duration::from_millis(millis);
            prop_assert_eq!(read::<Duration>(&length.show()), Some(length));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = (read::<Duration>(&text), read::<BaseUrl>(&text), read::<Names>(&text), read::<u32>(&text));
        }
    }
}
