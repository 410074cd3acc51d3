//! Exact reads and whole writes of frames.

use std::io::{self, ErrorKind};

use signer_shared::frame::{self, FrameError, HEADER};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Why no frame was read. Each of these ends the connection.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The peer closed the connection between two frames.
    #[error("the connection is closed")]
    Closed,
    /// The connection broke, or ended inside a frame.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The bytes are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Reads a frame's header: the length of the body that follows, already checked against the
/// maximum, so that a reader can reserve memory before it reads on.
pub async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> Result<usize, ReadError> {
    let mut header = [0; HEADER];
    let first = stream.read(&mut header).await?;
    if first == 0 {
        return Err(ReadError::Closed);
    }
    if let Some(rest) = header.get_mut(first..) {
        stream.read_exact(rest).await?;
    }
    Ok(frame::body_length(header)?)
}

/// Reads the body whose length [`read_header`] returned. Memory grows with what arrives, so a
/// peer that announces four megabytes and sends none does not cost four megabytes.
pub async fn read_body(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::with_capacity(length.min(64 * 1024));
    let limit = u64::try_from(length).map_err(|_| FrameError::TooLarge(length))?;
    let read = stream.take(limit).read_to_end(&mut body).await?;
    if read == length { Ok(body) } else { Err(io::Error::from(ErrorKind::UnexpectedEof).into()) }
}

/// Reads one frame's body.
pub async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, ReadError> {
    let length = read_header(stream).await?;
    read_body(stream, length).await
}

/// Writes one frame as [`frame::encode`] made it, whole.
pub async fn write_frame(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    stream.write_all(frame).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_are_read_exactly() {
        let mut bytes = frame::encode(&1u8).unwrap();
        bytes.extend(frame::encode(&2u8).unwrap());
        let mut stream = &bytes[..];
        assert_eq!(read_frame(&mut stream).await.unwrap(), [1]);
        assert_eq!(read_frame(&mut stream).await.unwrap(), [2]);
        assert!(matches!(read_frame(&mut stream).await, Err(ReadError::Closed)));
    }

    #[tokio::test]
    async fn a_frame_cut_short_is_an_error() {
        for bytes in [&[0u8, 0][..], &[0, 0, 0, 2, 1], &[0, 0, 0, 1]] {
            let mut stream = bytes;
            assert!(matches!(read_frame(&mut stream).await, Err(ReadError::Io(_))), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn an_oversized_header_is_refused_before_its_body() {
        let mut stream = &[0xff; 4][..];
        assert!(matches!(read_frame(&mut stream).await, Err(ReadError::Frame(FrameError::TooLarge(_)))));
    }
}
