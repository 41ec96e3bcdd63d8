//! Reads bodies from strangers: no longer, no slower and no more at once than is good.

use std::sync::Arc;

use axum::body::Body;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::tally::Outcome;

/// GitHub's own limit.
pub const LARGEST: usize = 25 << 20;
/// Up to here, bodies on all connections of the daemon take half of the room. Longer ones of whoever is not known yet take turns.
const SMALL: usize = 256 << 10;
/// So many have their turn at once, and there is room left.
pub const LARGE_AT_ONCE: usize = 2;

/// A body, and its share of the memory for bodies.
pub struct Read {
    pub bytes: Vec<u8>,
    pub share: OwnedSemaphorePermit,
}

/// Reads a body. Each piece waits for room, so that what was announced and never sent holds none. A large body waits for its turn, where there
/// are turns.
pub async fn read(
    body: Body,
    room: &Arc<Semaphore>,
    turns: Option<&Semaphore>,
    mut each: impl FnMut(&[u8]),
) -> Result<Read, Outcome> {
    // The semaphores are never closed.
    let more = |length: usize| {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        async move { Arc::clone(room).acquire_many_owned(length).await.map_err(|_| Outcome::Away) }
    };
    let mut share = more(0).await?;
    let mut turn = None;
    let mut bytes = Vec::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Outcome::Broken)?;
        if bytes.len() + piece.len() > LARGEST {
            return Err(Outcome::TooLarge);
        }
        if turn.is_none()
            && bytes.len() + piece.len() > SMALL
            && let Some(turns) = turns
        {
            turn = Some(turns.acquire().await.map_err(|_| Outcome::Away)?);
        }
        share.merge(more(piece.len()).await?);
        each(&piece);
        bytes.extend_from_slice(&piece);
    }
    Ok(Read { bytes, share })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    const PIECE: usize = 64 << 10;

    /// A body that begins with so many pieces and never ends.
    fn endless(pieces: usize) -> Body {
        let pieces = stream::iter((0..pieces).map(|_| Ok::<_, Infallible>(vec![0_u8; PIECE])));
        Body::from_stream(pieces.chain(stream::pending()))
    }

    #[tokio::test]
    async fn slow_large_bodies_of_strangers_leave_room_for_others() {
        const ROOM: usize = 128 << 20;
        let (room, turns) = (Arc::new(Semaphore::new(ROOM)), Arc::new(Semaphore::new(LARGE_AT_ONCE)));
        for _ in 0..8 {
            let (room, turns) = (Arc::clone(&room), Arc::clone(&turns));
            tokio::spawn(async move { read(endless(300), &room, Some(&turns), |_| {}).await.map(drop) });
        }
        // Until none of them gets any further.
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(ROOM - room.available_permits(), LARGE_AT_ONCE * 300 * PIECE + (8 - LARGE_AT_ONCE) * SMALL);
        let proven = read(Body::from(vec![0_u8; LARGEST]), &room, None, |_| {}).await;
        assert_eq!(proven.map(|read| read.bytes.len()).ok(), Some(LARGEST), "whoever is known needs no turn");
        let small = read(Body::from(vec![0_u8; SMALL]), &room, Some(&turns), |_| {}).await;
        assert!(small.is_ok());
    }
}
