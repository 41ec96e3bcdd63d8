//! Frames: four bytes of length, then JSON. A frame that is longer than it may be is refused before it is read, and memory grows only with what
//! has come.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Longest frame of a console: a plan with thousands of targets.
pub const FROM_CONSOLE: usize = 4 << 20;
/// Longest frame of a daemon: all jobs of a large pipeline, or all failures of three months.
pub const FROM_DAEMON: usize = 256 << 20;

/// Reads one frame; `None` at the end of the stream.
pub async fn read(from: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    if from.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..]).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > most {
        let message = format!("a frame of {length} bytes, where {most} are the most");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut frame = Vec::new();
    if from.take(length as u64).read_to_end(&mut frame).await? < length {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream ended in the middle of a frame"));
    }
    Ok(Some(frame))
}

/// Writes one frame.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length =
        u32::try_from(frame.len()).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a frame too long"))?;
    to.write_all(&length.to_be_bytes()).await?;
    to.write_all(frame).await
}
