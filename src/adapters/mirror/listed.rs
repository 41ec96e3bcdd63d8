//! Pages of bucket listings, checked before anybody believes them.
//!
//! Walks go on behind the last key of a page, so that a page which is cut off, out of order, or says that nothing follows although something
//! does, would make objects vanish. Such a page is a fault.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object};
use percent_encoding::percent_decode_str;

use super::fault::Fault;
use super::walk::{Row, Rows};
use crate::ci::Timestamp;

/// What servers give at most, unless they say otherwise.
const USUAL_PAGE: usize = 1_000;

/// What is asked of a bucket.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub bucket: &'a str,
    pub prefix: String,
    /// Only what comes after this key.
    pub after: Option<String>,
    /// Only what lies directly below the prefix: what lies deeper is given as a folder.
    pub splits: bool,
    /// Goes on where a page ended.
    pub token: Option<String>,
}

/// A page.
#[derive(Debug)]
pub(super) struct Listed {
    /// In order.
    pub rows: Rows,
    /// Prefixes with `/` at their ends.
    pub folders: Vec<String>,
    /// There is more behind the last of them.
    pub is_more: bool,
    pub token: Option<String>,
    /// The server's clock.
    pub date: Option<Timestamp>,
}

impl Listed {
    pub fn of(page: ListObjectsV2Output, ask: &Ask<'_>, date: Option<Timestamp>) -> Result<Self, Fault> {
        let garbled = |what: &str| Fault::passing(format!("the listing is garbled: {what}"));
        let is_coded = page.encoding_type == Some(EncodingType::Url);
        let objects = page.contents.unwrap_or_default();
        let folders = page.common_prefixes.unwrap_or_default().into_iter().filter_map(|folder| folder.prefix);
        let folders: Vec<String> = folders.map(|folder| decoded(folder, is_coded)).collect();
        let found = objects.len() + folders.len();
        let promised = page.key_count.and_then(|count| usize::try_from(count).ok());
        if promised.is_some_and(|promised| found < promised) {
            return Err(garbled("it is cut off"));
        }
        let rows = objects.into_iter().map(|object| row(object, is_coded)).collect::<Option<Rows>>();
        let rows = rows.ok_or_else(|| garbled("an object has no key or no size"))?;
        let is_inside = |key: &str| key.starts_with(&ask.prefix);
        if !rows.iter().all(|row| is_inside(&row.key)) || !folders.iter().all(|folder| is_inside(folder)) {
            return Err(garbled("it holds what was not asked for"));
        }
        let limit = page.max_keys.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
        let is_full = found >= limit.unwrap_or(USUAL_PAGE);
        // A full page that says it is the last one is not believed: to ask once more costs little.
        let is_more =
            page.is_truncated == Some(true) || page.next_continuation_token.is_some() || (is_full && !ask.splits);
        Ok(Self { rows, folders, is_more, token: page.next_continuation_token, date })
    }

    /// Whether every key comes after the one before it, as walks need it.
    pub fn is_in_order(&self, ask: &Ask<'_>) -> bool {
        let first = self.rows.first().map(|row| row.key.as_str());
        let is_after =
            ask.token.is_some() || first.zip(ask.after.as_deref()).is_none_or(|(first, after)| first > after);
        is_after && self.rows.is_sorted_by(|a, b| a.key < b.key)
    }
}

fn row(object: Object, is_coded: bool) -> Option<Row> {
    Some(Row {
        key: decoded(object.key?, is_coded),
        bytes: object.size.and_then(|size| u64::try_from(size).ok())?,
        modified: object.last_modified.and_then(|time| time.to_millis().ok()).map(Timestamp::from_millis),
        tag: object.e_tag.map(unquoted),
    })
}

fn unquoted(mut tag: String) -> String {
    if tag.len() > 1 && tag.starts_with('"') && tag.ends_with('"') {
        tag.pop();
        tag.remove(0);
    }
    tag
}

/// A key as it is. One that is no text stays in its escapes, so that it is still told from others.
fn decoded(key: String, is_coded: bool) -> String {
    if !is_coded || !key.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return key;
    }
    let spaced = key.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(Cow::Owned(decoded)) => decoded,
        Ok(Cow::Borrowed(_)) => spaced,
        Err(_) => key,
    }
}

/// Catches the server's clock, which the answer itself does not hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Dated(pub Arc<OnceLock<Timestamp>>);

impl Intercept for Dated {
    fn name(&self) -> &'static str {
        "Dated"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date").and_then(Timestamp::parse_http_date) {
            // Only the first answer to a request counts.
            let _ = self.0.set(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_out_as_they_are() {
        for (coded, key) in [
            ("a/b-c_1.0", "a/b-c_1.0"),
            ("a+b%2Bc%20d", "a b+c d"),
            ("%2541", "%41"),
            ("..%2F..//%00%0A", "../..//\0\n"),
            ("g%C3%A9", "gé"),
            ("%FF+", "%FF+"),
        ] {
            assert_eq!(decoded(coded.to_owned(), true), key);
            assert_eq!(decoded(coded.to_owned(), false), coded);
        }
        assert_eq!(unquoted("\"x-2\"".to_owned()), "x-2");
        assert_eq!(unquoted("\"".to_owned()), "\"");
    }
}
