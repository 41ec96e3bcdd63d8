//! What the reader must be told, and the defaults of the whole adapter.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// How long to wait, how often to try, and as whom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Deadline for a connection.
    pub connect: Duration,
    /// The longest silence: until an answer begins, and between two of its pieces.
    pub silence: Duration,
    /// Deadline for one mirror, with all of its requests.
    pub mirror: Duration,
    /// How often a request is sent in all.
    pub tries: u32,
    /// The wait before the second try; it doubles with each further one.
    pub backoff: Duration,
    /// How many requests may be open at once.
    pub in_flight: usize,
    /// Where indexes are kept between runs; `None` to keep none.
    pub cache: Option<PathBuf>,
    /// How many indexes are kept there.
    pub kept: usize,
    pub s3: S3Access,
    pub user_agent: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            mirror: Duration::from_secs(300),
            tries: 4,
            backoff: Duration::from_millis(500),
            in_flight: 16,
            cache: None,
            kept: 32,
            s3: S3Access::default(),
            user_agent: concat!("stackhand/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// A manifest may have this many bytes; real ones have less than a thousand.
pub(super) const MAX_MANIFEST: usize = 1 << 20;
/// The metadata of one binary may have this many.
pub(super) const MAX_METADATA: usize = 64 << 20;
/// So many names are listed below one address.
pub(super) const MAX_NAMES: usize = 100_000;
/// A server that asks for more patience than this is not waited for that long.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(30);
pub(super) const MAX_REDIRECTS: usize = 5;

/// How buckets are reached.
#[derive(Debug, Clone, Default)]
pub struct S3Access {
    /// A server other than that of AWS; its buckets are addressed by path.
    pub endpoint: Option<String>,
    /// `None` for the region of the shared configuration, or else us-east-1.
    pub region: Option<String>,
    pub credentials: Credentials,
}

/// As whom buckets are read.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Requests are not signed: public buckets only.
    #[default]
    Anonymous,
    Keys {
        id: String,
        secret: SecretString,
        session: Option<SecretString>,
    },
    /// What AWS's own library finds: a profile, a web identity, a container's role. Instance metadata are never asked.
    Shared,
}

/// Words in a shared configuration that promise credentials; a configuration may hold nothing but a region.
const PROMISES: [&str; 7] = [
    "aws_access_key_id",
    "credential_process",
    "credential_source",
    "login_session",
    "role_arn",
    "sso_",
    "web_identity_token_file",
];

impl S3Access {
    /// Decides by environment variables, and by the two shared files that they or `HOME` lead to.
    ///
    /// `AWS_ENDPOINT_URL_S3` counts more than `AWS_ENDPOINT_URL`. Keys in variables count most. Otherwise credentials are looked for if
    /// `AWS_PROFILE`, `AWS_WEB_IDENTITY_TOKEN_FILE` or `AWS_CONTAINER_CREDENTIALS_…` is set or a shared file promises some; if not, buckets
    /// are read anonymously. A machine's own role is not looked for: where there is none, that would stall every run.
    pub fn of(env: &BTreeMap<String, String>) -> Self {
        let get = |name: &str| env.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let endpoint = get("AWS_ENDPOINT_URL_S3").or_else(|| get("AWS_ENDPOINT_URL"));
        let is_ignored =
            get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let credentials = match (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => Credentials::Keys {
                id: id.to_owned(),
                secret: secret.to_owned().into(),
                session: get("AWS_SESSION_TOKEN").map(|token| token.to_owned().into()),
            },
            _ => {
                let named = [
                    "AWS_ACCESS_KEY_ID",
                    "AWS_PROFILE",
                    "AWS_WEB_IDENTITY_TOKEN_FILE",
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                ];
                let shared = |variable: &str, name: &str| {
                    let path = get(variable).map(PathBuf::from);
                    let path = path.or_else(|| get("HOME").map(|home| PathBuf::from(home).join(".aws").join(name)));
                    path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
                };
                let promises = |text: String| PROMISES.iter().any(|word| text.contains(word));
                let is_configured = named.iter().any(|name| get(name).is_some())
                    || promises(shared("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
                    || promises(shared("AWS_CONFIG_FILE", "config"));
                if is_configured { Credentials::Shared } else { Credentials::Anonymous }
            }
        };
        Self {
            endpoint: endpoint.filter(|_| !is_ignored).map(str::to_owned),
            region: get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION")).map(str::to_owned),
            credentials,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(variables: &[(&str, &str)]) -> S3Access {
        S3Access::of(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn without_credentials_buckets_are_read_anonymously() {
        assert!(matches!(access(&[]).credentials, Credentials::Anonymous));
        assert!(matches!(access(&[("HOME", "/nowhere"), ("AWS_PROFILE", "")]).credentials, Credentials::Anonymous));
        for name in ["AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"] {
            assert!(matches!(access(&[(name, "x")]).credentials, Credentials::Shared), "{name}");
        }
        assert!(matches!(access(&[("AWS_ACCESS_KEY_ID", "x")]).credentials, Credentials::Shared));
        let keys = access(&[("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_PROFILE", "p")]);
        assert!(matches!(&keys.credentials, Credentials::Keys { id, session: None, .. } if id == "x"));
        assert!(!format!("{keys:?}").contains("hush"));
    }

    #[test]
    fn a_shared_file_must_promise_credentials() {
        let scratch = super::super::tests::Scratch::new();
        let home = scratch.path().display().to_string();
        scratch.write(".aws/config", "[default]\nregion = eu-west-1\n");
        assert!(matches!(access(&[("HOME", &home)]).credentials, Credentials::Anonymous));
        scratch.write(".aws/config", "[profile ci]\nrole_arn = x\n");
        assert!(matches!(access(&[("HOME", &home)]).credentials, Credentials::Shared));
        let other = scratch.write("keys", "[default]\naws_access_key_id = x\n").display().to_string();
        assert!(matches!(access(&[("AWS_SHARED_CREDENTIALS_FILE", &other)]).credentials, Credentials::Shared));
    }

    #[test]
    fn endpoint_and_region_come_from_variables() {
        let both = [("AWS_ENDPOINT_URL", "http://a"), ("AWS_ENDPOINT_URL_S3", "http://b"), ("AWS_REGION", "eu-1")];
        let access = access(&both);
        assert_eq!((access.endpoint.as_deref(), access.region.as_deref()), (Some("http://b"), Some("eu-1")));
    }
}
