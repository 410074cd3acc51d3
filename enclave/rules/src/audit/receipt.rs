//! What a client gets with an answer: which record says what was decided.

use std::{fmt, str::FromStr};

use crate::hex_bytes::HexBytes;

/// Names one record of one boot, by its digest too. Written `BOOT:SEQUENCE:DIGEST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The boot.
    pub boot_id: HexBytes<16>,
    /// The record's sequence number.
    pub sequence: u64,
    /// SHA-256 of the record.
    pub digest: HexBytes<32>,
}

/// Why a text is no [`Receipt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a receipt as BOOT:SEQUENCE:DIGEST, as the answer had it")]
pub struct ReceiptError;

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.boot_id, self.sequence, self.digest)
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, ReceiptError> {
        let mut parts = text.split(':');
        let (Some(boot), Some(sequence), Some(digest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ReceiptError);
        };
        let number: u64 = sequence.parse().map_err(|_| ReceiptError)?;
        if number.to_string() != sequence {
            return Err(ReceiptError);
        }
        Ok(Self {
            boot_id: boot.parse().map_err(|_| ReceiptError)?,
            sequence: number,
            digest: digest.parse().map_err(|_| ReceiptError)?,
        })
    }
}
