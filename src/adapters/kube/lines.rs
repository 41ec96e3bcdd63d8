//! Cuts a stream into lines. What a broken stream leaves behind is no line.

use bytes::{Buf, Bytes, BytesMut};

/// A line is longer than is read.
pub(super) struct TooLong;

pub(super) struct Lines {
    pile: BytesMut,
    /// So far no end of a line was found.
    searched: usize,
    most: usize,
}

impl Lines {
    pub fn new(most: usize) -> Self {
        Self { pile: BytesMut::new(), searched: 0, most }
    }

    pub fn push(&mut self, piece: &[u8]) {
        self.pile.extend_from_slice(piece);
    }

    /// The next whole line that is not empty.
    pub fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        loop {
            let rest = self.pile.get(self.searched..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.searched = self.pile.len();
                return if self.searched > self.most { Err(TooLong) } else { Ok(None) };
            };
            let line = self.pile.split_to(self.searched + end).freeze();
            self.pile.advance(1);
            self.searched = 0;
            if line.len() > self.most {
                return Err(TooLong);
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// Whether something is left that is no whole line.
    pub fn has_rest(&self) -> bool {
        !self.pile.trim_ascii().is_empty()
    }
}
