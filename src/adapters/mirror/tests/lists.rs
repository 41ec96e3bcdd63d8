//! Lists a mirror as S3 does.

use std::fmt::Write as _;

use axum::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::tag;

const CODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/').remove(b' ');

/// What is asked for.
#[derive(Default)]
pub struct Query {
    prefix: String,
    after: String,
    has_delimiter: bool,
    token: Option<String>,
}

impl Query {
    pub fn of(uri: &Uri) -> Option<Self> {
        let mut query = Self::default();
        let mut is_list = false;
        for pair in uri.query()?.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(&value.replace('+', " ")).decode_utf8().unwrap().into_owned();
            match name {
                "list-type" => is_list = value == "2",
                "prefix" => query.prefix = value,
                "start-after" => query.after = value,
                "delimiter" => query.has_delimiter = value == "/",
                "continuation-token" => query.token = Some(value),
                "encoding-type" => assert_eq!(value, "url"),
                _ => {}
            }
        }
        is_list.then_some(query)
    }

    pub fn name(&self) -> String {
        format!("/m/?{}={}", if self.has_delimiter { "folders" } else { "list" }, self.prefix)
    }

    /// One page of keys that come in order.
    pub fn page<'a>(&self, objects: impl Iterator<Item = (&'a str, &'a [u8])>, size: usize) -> String {
        let coded = |text: &str| utf8_percent_encode(text, CODED).to_string().replace(' ', "+");
        // A token is the last thing on the page before; a folder stands for everything in it.
        let is_after = |key: &str| match &self.token {
            Some(token) if token.ends_with('/') && self.has_delimiter => {
                key > token.as_str() && !key.starts_with(token)
            }
            Some(token) => key > token.as_str(),
            None => key > self.after.as_str(),
        };
        let mut objects = objects.filter(|(key, _)| key.starts_with(&self.prefix) && is_after(key)).peekable();
        let (mut text, mut count, mut last) = (String::new(), 0, String::new());
        while count < size
            && let Some((key, bytes)) = objects.next()
        {
            let folder = key[self.prefix.len()..].find('/').filter(|_| self.has_delimiter);
            if let Some(at) = folder {
                last = key[..=self.prefix.len() + at].to_owned();
                write!(text, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", coded(&last)).unwrap();
                while objects.next_if(|(key, _)| key.starts_with(&last)).is_some() {}
            } else {
                last = key.to_owned();
                write!(
                    text,
                    "<Contents><Key>{}</Key><LastModified>2026-11-23T03:12:07.000Z</LastModified><ETag>&quot;{}&quot;</ETag>\
                     <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                    coded(key),
                    tag(bytes),
                    bytes.len()
                )
                .unwrap();
            }
            count += 1;
        }
        let is_truncated = objects.peek().is_some();
        let token = if is_truncated {
            format!(
                "<NextContinuationToken>{}</NextContinuationToken>",
                last.replace('&', "&amp;").replace('<', "&lt;")
            )
        } else {
            String::new()
        };
        // Tokens that XML cannot hold are not given: whoever walks goes by keys.
        let token = if last.chars().any(char::is_control) { String::new() } else { token };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>m</Name><Prefix>{}</Prefix>\
             <KeyCount>{count}</KeyCount><MaxKeys>{size}</MaxKeys><EncodingType>url</EncodingType>\
             <IsTruncated>{is_truncated}</IsTruncated>{token}{text}</ListBucketResult>",
            coded(&self.prefix)
        )
    }
}
