//! What can be said about a file before `gpg` is asked.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::cache::Signature;
use crate::spack::buildcache::{clearsign, unpack};

/// Signed metadata of layout 2 have some hundred kilobytes.
const MAX_FILE: usize = 16 << 20;

/// A file, looked at.
pub(super) enum Screened<'a> {
    /// There is nothing to ask.
    Known(Signature),
    /// It has the form of one signed block and nothing else.
    Signed(Cow<'a, [u8]>),
}

/// Looks at the form of a file. GnuPG would take more for a signed message than we do, Spack more for an unsigned one.
pub(super) fn screen(bytes: &[u8]) -> Screened<'_> {
    let bad = |why: String| Screened::Known(Signature::Bad(Arc::from(why)));
    let bytes = match unpack(bytes, MAX_FILE) {
        Ok(bytes) => bytes,
        Err(error) => return bad(error.to_string()),
    };
    match clearsign::open(&bytes) {
        Err(why) => return bad(why.to_owned()),
        Ok((_, true)) => {}
        Ok((text, false)) if text.trim().is_empty() => return bad("it is empty".to_owned()),
        // As with signed files, what it says is another matter; but half a file is no file.
        Ok((text, false)) => {
            return match serde_json::from_str::<IgnoredAny>(&text) {
                Ok(_) if text.trim_start().starts_with('{') => Screened::Known(Signature::Unsigned),
                _ => bad("it is neither signed nor whole JSON".to_owned()),
            };
        }
    }
    Screened::Signed(bytes)
}
