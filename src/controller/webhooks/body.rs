//! Reads bodies from strangers: no longer, no slower and no more at once than is good.

use std::sync::Arc;

use axum::body::Body;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::tally::Outcome;

/// GitHub's own limit.
pub const LARGEST: usize = 25 << 20;

/// A body, and its share of the memory for bodies.
pub struct Read {
    pub bytes: Vec<u8>,
    pub share: OwnedSemaphorePermit,
}

/// Reads a body. Each piece waits for room, so that what was announced and never sent holds none.
pub async fn read(body: Body, room: &Arc<Semaphore>, mut each: impl FnMut(&[u8])) -> Result<Read, Outcome> {
    // The semaphore is never closed.
    let more = |length: usize| {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        async move { Arc::clone(room).acquire_many_owned(length).await.map_err(|_| Outcome::Away) }
    };
    let mut share = more(0).await?;
    let mut bytes = Vec::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Outcome::Broken)?;
        if bytes.len() + piece.len() > LARGEST {
            return Err(Outcome::TooLarge);
        }
        share.merge(more(piece.len()).await?);
        each(&piece);
        bytes.extend_from_slice(&piece);
    }
    Ok(Read { bytes, share })
}
