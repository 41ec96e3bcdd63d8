//! The address of a database. Whatever is wrong with one, a password in it is never shown.

use super::value::{Raw, Value};

/// What may stand behind `?`, as libpq calls it. A password may not.
const PARTS: [&str; 8] = ["host", "port", "user", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/// `postgres://USER@HOST:PORT/DATABASE?…`, without a password.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd)]
pub struct StoreUrl(String);

impl StoreUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Option<StoreUrl> {
    const EXPECTED: &'static str =
        "an address such as postgres://ci@db.example.org/stackhand?sslmode=verify-full, without a password";

    fn read(raw: &Raw) -> Option<Self> {
        let Raw::Text(text) = raw else { return None };
        let text = text.trim();
        if text.is_empty() {
            return Some(None);
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
        let (place, parts) = rest.split_once('?').unwrap_or((rest, ""));
        let user = place.rsplit_once('@').map_or("", |(user, _)| user);
        let is_known = |part: &str| part.split_once('=').is_some_and(|(name, _)| PARTS.contains(&name));
        let clean = !user.contains([':', '/', '@'])
            && rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'\\'))
            && parts.split('&').filter(|part| !part.is_empty()).all(is_known);
        clean.then(|| Some(StoreUrl(text.to_owned())))
    }

    fn show(&self) -> String {
        self.as_ref().map(|url| url.0.clone()).unwrap_or_default()
    }
}

/// What a text of some source looks like in a message: an address without its password, and without what follows `?`.
pub(super) fn veiled(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    // A password may itself hold what ends one elsewhere.
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
    let user = user.map(|user| match user.split_once(':') {
        Some((name, _)) => format!("{name}:…@"),
        None => format!("{user}@"),
    });
    let (place, more) = place.split_once('?').map_or((place, ""), |(place, _)| (place, "?…"));
    format!("{scheme}://{}{place}{more}", user.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<StoreUrl> {
        Option::<StoreUrl>::read(&Raw::Text(text.to_owned()))?
    }

    #[test]
    fn addresses_of_databases_hold_no_password() {
        for good in [
            "postgres://ci@db.example.org/stackhand",
            "postgresql://db.example.org:5433/stackhand?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgres://ci@%2Frun%2Fpostgresql/stackhand",
            "postgres:///stackhand?host=/run/postgresql&user=ci",
        ] {
            assert_eq!(read(good).unwrap().as_str(), good);
        }
        assert!(Option::<StoreUrl>::read(&Raw::Text(" ".to_owned())).is_some_and(|none| none.is_none()));
        for wrong in [
            "mysql://db/stackhand",
            "/var/lib/stackhand.db",
            "postgres://ci:canary@db/stackhand",
            "postgres://ci:can/ary@db/stackhand",
            "postgres://ci:can@ary@db/stackhand",
            "postgres://ci@db/stackhand?password=canary",
            "postgres://ci@db/stackhand?passwd=canary",
            "postgres://ci@db/stackhand?options=-c%20x",
            "postgres://ci@db/stack hand",
            "postgres://ci@db/x#y",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (text, shown) in [
            ("90s", "90s"),
            ("postgres://ci:canary@db/x", "postgres://ci:…@db/x"),
            ("postgres://ci:can/ary@db/x?sslmode=no", "postgres://ci:…@db/x?…"),
            ("postgres://ci:can?a@ry@db/x", "postgres://ci:…@db/x"),
            ("postgres://ci@db/x?password=canary", "postgres://ci@db/x?…"),
            ("https://amy@a", "https://amy@a"),
        ] {
            assert_eq!(veiled(text), shown);
        }
    }
}
