//! Mirrors in a bucket.
//!
//! The client is made when the first bucket is read: it loads TLS roots and configuration. Its own retries are off, since they do not
//! cover the body of an answer; the reader's do.

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::EncodingType;
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fault::{Fault, Object, Pieces, innermost, plain, retry_after};
use super::listed::{Ask, Dated, Listed};
use super::root::key;
use super::settings::{Credentials, MAX_NAMES, S3Access, Settings};
use crate::ci::Timestamp;

/// The client, made when it is first needed.
#[derive(Default)]
pub(super) struct S3(OnceCell<Client>);

impl S3 {
    /// An object; `None` where the bucket has none of that name, or where there is no such bucket.
    pub async fn get(
        &self,
        settings: &Settings,
        bucket: &str,
        key: &str,
        limit: usize,
    ) -> Result<Option<Object>, Fault> {
        let request = self.client(settings).await.get_object().bucket(bucket).key(key);
        let sent = timeout(settings.silence, request.send()).await.map_err(|_| Fault::silence(settings.silence))?;
        let mut output = match sent {
            Ok(output) => output,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(refusal(&settings.s3, &error)),
        };
        let modified = output.last_modified.and_then(|time| time.to_millis().ok()).map(Timestamp::from_millis);
        let tag = output.e_tag.take().map(|tag| tag.trim_matches('"').to_owned());
        let is_packed = output.content_encoding.as_deref().is_some_and(|coding| !matches!(coding, "" | "identity"));
        let expected = output.content_length.and_then(|length| u64::try_from(length).ok());
        let mut pieces = Pieces::new(limit, expected)?;
        loop {
            let next = timeout(settings.silence, output.body.try_next()).await;
            let next = next.map_err(|_| Fault::silence(settings.silence))?;
            match next.map_err(|error| Fault::passing(format!("the answer broke off ({})", innermost(&error))))? {
                Some(piece) => pieces.push(&piece)?,
                None => return Ok(Some(Object { bytes: pieces.into_bytes(), modified, is_packed, tag })),
            }
        }
    }

    /// The names directly below a prefix, sorted.
    pub async fn names(&self, settings: &Settings, bucket: &str, prefix: &str) -> Result<Vec<String>, Fault> {
        let prefix = if prefix.is_empty() { String::new() } else { key(prefix, "") };
        let mut ask = Ask { bucket, prefix, after: None, splits: true, token: None };
        let mut names = Vec::new();
        loop {
            let page = self.page(settings, &ask).await?;
            let objects = page.rows.iter().map(|row| &row.key);
            for name in objects.chain(&page.folders).filter_map(|key| key.strip_prefix(&ask.prefix)) {
                // The prefix itself may be an object, as consoles make folders.
                names.extend(Some(name.trim_end_matches('/')).filter(|name| !name.is_empty()).map(str::to_owned));
            }
            if names.len() > MAX_NAMES {
                return Err(Fault::lasting(format!("it has more than {MAX_NAMES} entries")));
            }
            if !page.is_more {
                names.sort();
                names.dedup();
                return Ok(names);
            }
            if page.token.is_none() || page.token == ask.token {
                return Err(Fault::passing("the server says that there is more, and does not give it"));
            }
            ask.token = page.token;
        }
    }

    /// One page of a listing.
    pub async fn page(&self, settings: &Settings, ask: &Ask<'_>) -> Result<Listed, Fault> {
        let date = Dated::default();
        let request = self.client(settings).await.list_objects_v2().bucket(ask.bucket).prefix(&ask.prefix);
        let request = request
            .set_start_after(ask.after.clone().filter(|_| ask.token.is_none()))
            .set_delimiter(ask.splits.then(|| "/".to_owned()))
            .set_continuation_token(ask.token.clone())
            // Keys may hold what XML cannot.
            .encoding_type(EncodingType::Url)
            .customize()
            .interceptor(date.clone());
        // Reading a page takes longer than asking for it: on any thread but this one.
        let mut sent = JoinSet::new();
        sent.spawn(async move { request.send().await });
        let answer = timeout(settings.silence, sent.join_next()).await.map_err(|_| Fault::silence(settings.silence))?;
        match answer {
            Some(Ok(Ok(page))) => Listed::of(page, ask, date.0.get().copied()),
            Some(Ok(Err(error))) => Err(refusal(&settings.s3, &error)),
            Some(Err(_)) | None => Err(Fault::passing("listing stopped halfway")),
        }
    }

    async fn client(&self, settings: &Settings) -> &Client {
        self.0.get_or_init(|| Box::pin(connect(settings))).await
    }
}

async fn connect(settings: &Settings) -> Client {
    let access = &settings.s3;
    // Not the default chains: they end at instance metadata, which stall where there are none.
    let region = match &access.region {
        Some(region) => Region::new(region.clone()),
        None => {
            let chain = RegionProviderChain::first_try(ProfileFileRegionProvider::new());
            chain.region().await.unwrap_or_else(|| Region::from_static("us-east-1"))
        }
    };
    let timeouts = TimeoutConfig::builder().connect_timeout(settings.connect).read_timeout(settings.silence).build();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    let loader = match &access.credentials {
        Credentials::Anonymous => loader.no_credentials(),
        Credentials::Keys { id, secret, session } => {
            let session = session.as_ref().map(|token| token.expose_secret().to_owned());
            let secret = secret.expose_secret();
            loader.credentials_provider(aws_sdk_s3::config::Credentials::new(id, secret, session, None, "variables"))
        }
        Credentials::Shared => {
            let config = ProviderConfig::without_region().with_region(Some(region));
            let profile = ProfileFileCredentialsProvider::builder().configure(&config).build();
            let identity = WebIdentityTokenCredentialsProvider::builder().configure(&config).build();
            let container = EcsCredentialsProvider::builder().configure(&config).build();
            let chain = CredentialsProviderChain::first_try("variables", EnvironmentVariableCredentialsProvider::new())
                .or_else("profile", profile)
                .or_else("web identity", identity)
                .or_else("container", container);
            loader.credentials_provider(chain)
        }
    };
    let loaded = loader.load().await;
    let mut config = aws_sdk_s3::config::Builder::from(&loaded);
    if let Some(endpoint) = &access.endpoint {
        config = config.endpoint_url(endpoint);
    }
    let is_elsewhere = access.endpoint.is_some() || loaded.endpoint_url().is_some();
    Client::from_conf(config.force_path_style(is_elsewhere).build())
}

type Refused<E> = SdkError<E, aws_sdk_s3::config::http::HttpResponse>;

fn is_absent<E: ProvideErrorMetadata>(error: &Refused<E>) -> bool {
    // Any other 404 comes of a mistyped bucket or endpoint; taking it for an empty cache would rebuild everything.
    error.code() == Some("NoSuchKey")
}

fn refusal<E>(access: &S3Access, error: &Refused<E>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(answer) = error.raw_response() else {
        return match error {
            SdkError::TimeoutError(_) => Fault::passing("no answer in time"),
            // Credentials that cannot be had come as a failure of no kind.
            SdkError::DispatchFailure(failure)
                if failure.is_user() || (failure.is_other() && failure.as_other().is_none()) =>
            {
                Fault::lasting(unusable(error))
            }
            SdkError::ConstructionFailure(_) => Fault::lasting(unusable(error)),
            _ => Fault::passing(format!("no answer ({})", innermost(error))),
        };
    };
    let status = answer.status().as_u16();
    let code = plain(error.code().unwrap_or_default());
    let said = if code.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}, {code}") };
    let region = answer.headers().get("x-amz-bucket-region").map(plain);
    let wait = retry_after(answer.headers().get("retry-after"));
    match (status, code.as_str()) {
        (301 | 307 | 400, _) if region.is_some() => {
            let region = region.unwrap_or_default();
            Fault::lasting(format!("the bucket is in the region {region} ({said}); set AWS_REGION={region}"))
        }
        (401 | 403, _) => {
            let who = match access.credentials {
                Credentials::Anonymous => "; it was asked without credentials",
                _ => "",
            };
            Fault::lasting(format!(
                "access denied ({said}){who}. A bucket that may not be listed says so of what does not exist, too: \
                 allow s3:GetObject and s3:ListBucket"
            ))
        }
        (_, "SlowDown" | "RequestTimeout" | "InternalError" | "ServiceUnavailable" | "ThrottlingException") => {
            Fault { wait, ..Fault::passing(said) }
        }
        (408 | 429 | 500.., _) => Fault { wait, ..Fault::passing(said) },
        (404, "NoSuchBucket") => {
            Fault::lasting("there is no such bucket here; check the URL, and AWS_ENDPOINT_URL if it is set")
        }
        (404 | 410, _) => Fault::lasting(format!(
            "{said}, without the code by which S3 says that something does not exist; check AWS_ENDPOINT_URL"
        )),
        // The answer was fine, yet it could not be read.
        (200..=299, _) => Fault::passing(format!("the answer is garbled ({})", innermost(error))),
        _ => Fault::lasting(said),
    }
}

/// Nothing was sent: nearly always because of credentials that were promised and cannot be had.
fn unusable(error: &(dyn std::error::Error + 'static)) -> String {
    let reason = innermost(error);
    // What follows is a list of everything that was tried.
    let reason = reason.split(". ").next().unwrap_or_default();
    format!("no request could be made ({reason}); check the AWS credentials and the endpoint")
}
