//! Frames: a `u32` big-endian length, then that many bytes of CBOR.
//!
//! The length is checked against [`MAX_FRAME`] before anything is allocated, and a frame ends where
//! its length says, never at end of stream: half-close is broken in hybrid vsock.

use serde::{Serialize, de::DeserializeOwned};

use crate::cbor::{self, CborError};

/// The most bytes that a frame's body may have: 4 MiB.
pub const MAX_FRAME: usize = 4 * 1024 * 1024;

/// The bytes of a frame before its body.
pub const HEADER: usize = 4;

/// Why bytes are no frame, or a message cannot become one. Any of these ends the connection.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The header announces an empty body.
    #[error("a frame of no bytes")]
    Empty,
    /// The body is larger than [`MAX_FRAME`].
    #[error("a frame of {0} bytes, larger than the {MAX_FRAME} allowed")]
    TooLarge(usize),
    /// The body is not the one strict encoding of a known message.
    #[error(transparent)]
    Body(#[from] CborError),
}

/// Reads a header: how many bytes of body follow.
pub fn body_length(header: [u8; HEADER]) -> Result<usize, FrameError> {
    match usize::try_from(u32::from_be_bytes(header)) {
        Ok(0) => Err(FrameError::Empty),
        Ok(length) if length <= MAX_FRAME => Ok(length),
        Ok(length) => Err(FrameError::TooLarge(length)),
        Err(_) => Err(FrameError::TooLarge(usize::MAX)),
    }
}

/// One message as the bytes of one frame, header included.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    // Most messages fit, so that one allocation is all it takes.
    let mut frame = Vec::with_capacity(1024);
    frame.extend_from_slice(&[0; HEADER]);
    cbor::append(&mut frame, message)?;
    let Some((header, body)) = frame.split_first_chunk_mut::<HEADER>() else { return Err(FrameError::Empty) };
    if body.len() > MAX_FRAME {
        return Err(FrameError::TooLarge(body.len()));
    }
    *header = u32::try_from(body.len()).map_err(|_| FrameError::TooLarge(body.len()))?.to_be_bytes();
    Ok(frame)
}

/// The message in one frame's body, strictly.
pub fn decode<T: DeserializeOwned + Serialize>(body: &[u8]) -> Result<T, FrameError> {
    if body.len() > MAX_FRAME {
        return Err(FrameError::TooLarge(body.len()));
    }
    Ok(cbor::from_slice(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_checked_before_its_body_exists() {
        assert_eq!(body_length([0, 0x40, 0, 0]).unwrap(), MAX_FRAME);
        assert!(matches!(body_length([0, 0x40, 0, 1]), Err(FrameError::TooLarge(_))));
        assert!(matches!(body_length([0xff; 4]), Err(FrameError::TooLarge(_))));
        assert!(matches!(body_length([0; 4]), Err(FrameError::Empty)));
    }

    #[test]
    fn a_message_too_large_for_a_frame_is_an_error() {
        let message = serde_bytes::ByteBuf::from(vec![0; MAX_FRAME]);
        assert!(matches!(encode(&message), Err(FrameError::TooLarge(_))));
    }
}
