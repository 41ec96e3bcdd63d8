//! S3's operations on the buckets: lists and reads. Everything else is denied, as to a user who may only read.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Bytes;
use futures_util::stream;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::{self, ETag, ETagCondition, StreamingBlob};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::listing::{Ask, Entry, after, after_all};
use super::manifest::hex;
use super::server::S3;
use super::{About, BUCKETS, Body, Storage};
use crate::ci::Timestamp;

/// What anybody may do without a signature: both buckets are public to read.
const PUBLIC: &[&str] = &["GetBucketLocation", "GetObject", "HeadBucket", "HeadObject", "ListObjects", "ListObjectsV2"];
/// What a signature is needed for.
const SIGNED: &[&str] = &["ListBuckets"];

/// What S3 lists at most.
const PAGE: i32 = 1_000;

/// Who may do what.
pub struct Gate(pub Arc<S3>);

#[async_trait::async_trait]
impl S3Auth for Gate {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.0.endpoint.access_key {
            Ok(SecretKey::from(self.0.endpoint.secret_key.clone()))
        } else {
            Err(s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records."))
        }
    }
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = cx.s3_op().name();
        if PUBLIC.contains(&operation) || (SIGNED.contains(&operation) && cx.credentials().is_some()) {
            Ok(())
        } else {
            Err(s3_error!(AccessDenied, "Access Denied"))
        }
    }
}

/// The operations.
pub struct Reads(pub Arc<S3>);

#[async_trait::async_trait]
impl s3s::S3 for Reads {
    async fn list_buckets(&self, _: S3Request<dto::ListBucketsInput>) -> S3Result<S3Response<dto::ListBucketsOutput>> {
        let bucket = |name: &&str| dto::Bucket {
            name: Some((*name).to_owned()),
            creation_date: Some(time(Timestamp::from_millis(1_500_000_000_000))),
            ..dto::Bucket::default()
        };
        let buckets = Some(BUCKETS.iter().map(bucket).collect());
        Ok(S3Response::new(dto::ListBucketsOutput { buckets, ..dto::ListBucketsOutput::default() }))
    }

    async fn head_bucket(
        &self,
        request: S3Request<dto::HeadBucketInput>,
    ) -> S3Result<S3Response<dto::HeadBucketOutput>> {
        known(&request.input.bucket)?;
        let bucket_region = Some(self.0.endpoint.region.to_owned());
        Ok(S3Response::new(dto::HeadBucketOutput { bucket_region, ..dto::HeadBucketOutput::default() }))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<dto::GetBucketLocationInput>,
    ) -> S3Result<S3Response<dto::GetBucketLocationOutput>> {
        known(&request.input.bucket)?;
        Ok(S3Response::new(dto::GetBucketLocationOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<dto::ListObjectsV2Input>,
    ) -> S3Result<S3Response<dto::ListObjectsV2Output>> {
        let input = request.input;
        let from = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => read_token(token)?,
            (None, Some(key)) => after_key(key, input.delimiter.as_deref()),
            (None, None) => String::new(),
        };
        let form = Form::of(input.encoding_type.as_ref())?;
        let list =
            self.list(&input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), from, input.max_keys, form)?;
        let written = |text: Option<String>| text.map(|text| form.write(text));
        Ok(S3Response::new(dto::ListObjectsV2Output {
            key_count: Some((list.contents.len() + list.folders.len()) as i32),
            contents: Some(list.contents),
            common_prefixes: Some(list.folders),
            is_truncated: Some(list.next.is_some()),
            next_continuation_token: list.next.map(|next| hex(next.as_bytes())),
            max_keys: Some(list.max),
            name: Some(input.bucket),
            prefix: written(Some(input.prefix.unwrap_or_default())),
            delimiter: written(input.delimiter),
            start_after: written(input.start_after),
            continuation_token: input.continuation_token,
            encoding_type: input.encoding_type,
            ..dto::ListObjectsV2Output::default()
        }))
    }

    async fn list_objects(
        &self,
        request: S3Request<dto::ListObjectsInput>,
    ) -> S3Result<S3Response<dto::ListObjectsOutput>> {
        let input = request.input;
        let from = input.marker.as_deref().map(|key| after_key(key, input.delimiter.as_deref())).unwrap_or_default();
        let form = Form::of(input.encoding_type.as_ref())?;
        let list =
            self.list(&input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), from, input.max_keys, form)?;
        let written = |text: Option<String>| text.map(|text| form.write(text));
        Ok(S3Response::new(dto::ListObjectsOutput {
            contents: Some(list.contents),
            common_prefixes: Some(list.folders),
            is_truncated: Some(list.next.is_some()),
            next_marker: written(list.next.and(list.last).filter(|_| input.delimiter.is_some())),
            max_keys: Some(list.max),
            name: Some(input.bucket),
            prefix: written(Some(input.prefix.unwrap_or_default())),
            delimiter: written(input.delimiter),
            marker: written(Some(input.marker.unwrap_or_default())),
            encoding_type: input.encoding_type,
            ..dto::ListObjectsOutput::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<dto::HeadObjectInput>,
    ) -> S3Result<S3Response<dto::HeadObjectOutput>> {
        let input = request.input;
        let (about, _) = self.look(|storage| find(storage, &input.bucket, &input.key, false))?;
        unless(&about, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let part = part(&about, input.range)?;
        Ok(S3Response::new(dto::HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(part.length as i64),
            content_range: part.range,
            content_type: Some("binary/octet-stream".to_owned()),
            metadata: sparse(&about),
            e_tag: Some(ETag::Strong(about.etag)),
            last_modified: Some(time(about.modified)),
            ..dto::HeadObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<dto::GetObjectInput>) -> S3Result<S3Response<dto::GetObjectOutput>> {
        let input = request.input;
        let (about, part, body) = self.look(|storage| {
            let (about, _) = find(storage, &input.bucket, &input.key, false)?;
            unless(&about, input.if_match.as_ref(), input.if_none_match.as_ref())?;
            let part = part(&about, input.range)?;
            let (_, body) = find(storage, &input.bucket, &input.key, true)?;
            Ok((about, part, body))
        })?;
        let body = match body {
            Body::Zeros => zeros(part.length),
            Body::Bytes(bytes) => {
                let from = part.first as usize;
                let wanted = bytes.get(from..from + part.length as usize).map(Bytes::copy_from_slice);
                // Lengths are known beforehand; were one wrong, a broken answer is better than a short one.
                let wanted =
                    wanted.ok_or_else(|| s3_error!(InternalError, "an object is shorter than it is listed"))?;
                StreamingBlob::from(s3s::Body::from(wanted))
            }
        };
        Ok(S3Response::new(dto::GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(body),
            content_length: Some(part.length as i64),
            content_range: part.range,
            content_type: Some("binary/octet-stream".to_owned()),
            metadata: sparse(&about),
            e_tag: Some(ETag::Strong(about.etag)),
            last_modified: Some(time(about.modified)),
            ..dto::GetObjectOutput::default()
        }))
    }
}

/// A page as both lists give it.
struct List {
    contents: Vec<dto::Object>,
    folders: Vec<dto::CommonPrefix>,
    next: Option<String>,
    /// The last key or folder on the page.
    last: Option<String>,
    max: i32,
}

impl Reads {
    fn list(
        &self,
        bucket: &str,
        prefix: Option<&str>,
        delimiter: Option<&str>,
        from: String,
        max: Option<i32>,
        form: Form,
    ) -> S3Result<List> {
        known(bucket)?;
        let max = max.unwrap_or(PAGE);
        if max < 0 {
            return Err(s3_error!(InvalidArgument, "Argument max-keys must be an integer between 0 and 2147483647"));
        }
        let count = max.min(PAGE);
        let (prefix, delimiter) = (prefix.unwrap_or_default(), delimiter.unwrap_or_default());
        let ask = Ask { prefix, delimiter, from, max: count as usize };
        let page = self.look(|storage| storage.page(bucket, &ask).transpose().map_err(internal))?.unwrap_or_default();
        let mut list = List {
            contents: Vec::with_capacity(page.entries.len()),
            folders: Vec::new(),
            // Asked for nothing, S3 says that there is nothing more.
            next: page.next.filter(|_| count > 0),
            last: None,
            max: count,
        };
        list.last = page.entries.last().map(|entry| match entry {
            Entry::Object(object) => object.key.clone(),
            Entry::Folder(folder) => folder.clone(),
        });
        for entry in page.entries {
            match entry {
                Entry::Object(object) => list.contents.push(dto::Object {
                    key: Some(form.write(object.key)),
                    size: Some(object.size as i64),
                    last_modified: Some(time(object.modified)),
                    e_tag: Some(ETag::Strong(object.etag)),
                    storage_class: Some(dto::ObjectStorageClass::from_static(dto::ObjectStorageClass::STANDARD)),
                    ..dto::Object::default()
                }),
                Entry::Folder(folder) => list.folders.push(dto::CommonPrefix { prefix: Some(form.write(folder)) }),
            }
        }
        Ok(list)
    }

    fn look<R>(&self, look: impl FnOnce(&mut Storage) -> S3Result<R>) -> S3Result<R> {
        self.0.look(look).map_err(internal)?
    }
}

fn find(storage: &mut Storage, bucket: &str, key: &str, with_body: bool) -> S3Result<(About, Body)> {
    known(bucket)?;
    let found = storage.object(bucket, key, with_body).map_err(internal)?;
    found.ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
}

/// How keys are written in a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Url,
}

impl Form {
    fn of(asked: Option<&dto::EncodingType>) -> S3Result<Self> {
        match asked.map(dto::EncodingType::as_str) {
            None => Ok(Self::Plain),
            Some(dto::EncodingType::URL) => Ok(Self::Url),
            Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
        }
    }

    /// As form data is written, with slashes left alone.
    fn write(self, text: String) -> String {
        const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
            .remove(b'-')
            .remove(b'_')
            .remove(b'.')
            .remove(b'*')
            .remove(b'/')
            .remove(b' ');
        match self {
            Self::Plain => text,
            Self::Url => percent_encoding::utf8_percent_encode(&text, KEPT).to_string().replace(' ', "+"),
        }
    }
}

fn known(bucket: &str) -> S3Result<()> {
    if BUCKETS.contains(&bucket) { Ok(()) } else { Err(s3_error!(NoSuchBucket, "The specified bucket does not exist")) }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> s3s::S3Error {
    s3s::S3Error::with_source(s3s::S3ErrorCode::InternalError, Box::new(error))
}

/// A token says where the page begins.
fn read_token(token: &str) -> S3Result<String> {
    let digits = token.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}

/// Where a page begins that comes after a key, or after a folder.
fn after_key(key: &str, delimiter: Option<&str>) -> String {
    let is_folder = delimiter.is_some_and(|delimiter| !delimiter.is_empty() && key.ends_with(delimiter));
    if is_folder { after_all(key) } else { after(key) }
}

/// The part of an object that was asked for.
struct Part {
    first: u64,
    length: u64,
    range: Option<String>,
}

fn part(about: &About, range: Option<dto::Range>) -> S3Result<Part> {
    let Some(range) = range else { return Ok(Part { first: 0, length: about.size, range: None }) };
    let wanted =
        range.check(about.size).map_err(|_| s3_error!(InvalidRange, "The requested range is not satisfiable"))?;
    let header = format!("bytes {}-{}/{}", wanted.start, wanted.end.saturating_sub(1), about.size);
    Ok(Part { first: wanted.start, length: wanted.end - wanted.start, range: Some(header) })
}

/// Refuses when the client has the object already, or wants another one.
fn unless(about: &About, wanted: Option<&ETagCondition>, known: Option<&ETagCondition>) -> S3Result<()> {
    let is = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => tag.value() == about.etag,
    };
    if wanted.is_some_and(|condition| !is(condition)) {
        return Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"));
    }
    if known.is_some_and(is) {
        let mut error = s3_error!(NotModified);
        let mut headers = http::HeaderMap::new();
        for (name, value) in [("etag", format!("\"{}\"", about.etag)), ("last-modified", about.modified.http_date())] {
            headers.extend(
                http::HeaderValue::try_from(value).ok().map(|value| (http::HeaderName::from_static(name), value)),
            );
        }
        error.set_headers(headers);
        return Err(error);
    }
    Ok(())
}

fn sparse(about: &About) -> Option<dto::Metadata> {
    about.is_sparse.then(|| [("sparse".to_owned(), "true".to_owned())].into_iter().collect())
}

/// So many zeros, never held all at once.
fn zeros(length: u64) -> StreamingBlob {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    let chunk = ZEROS.len() as u64;
    let pieces = (0..length.div_ceil(chunk)).map(move |n| {
        let size = chunk.min(length - n * chunk) as usize;
        Ok::<_, std::io::Error>(Bytes::from_static(ZEROS.get(..size).unwrap_or_default()))
    });
    StreamingBlob::wrap(stream::iter(pieces))
}

fn time(at: Timestamp) -> dto::Timestamp {
    dto::Timestamp::from(UNIX_EPOCH + Duration::from_millis(at.millis().max(0) as u64))
}
