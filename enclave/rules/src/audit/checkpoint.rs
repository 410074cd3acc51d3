//! The boot's signature over the chain up to a record.
//!
//! What is signed is the checkpoint's exact text, so nobody has to write JSON the same way twice.

use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{authority::AuthorityId, hex_bytes::HexBytes, timestamp::Timestamp};

/// The value of `format`, and what is put before the text that is signed.
pub const CHECKPOINT_FORMAT: &str = "nitro-signer/checkpoint/v1";

/// How every line with a checkpoint begins, and no record.
const START: &str = "{\"checkpoint\":";
/// The longest line, in bytes.
const MAX_LINE: usize = 1024;

/// Where the chain of a boot stood, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// [`CHECKPOINT_FORMAT`].
    pub format: String,
    /// Whose appliance.
    pub authority: AuthorityId,
    /// The boot.
    pub boot_id: HexBytes<16>,
    /// Sequence number of the last record that it covers.
    pub sequence: u64,
    /// SHA-256 of that record.
    pub head: HexBytes<32>,
    /// When it was made, by the enclave's clock.
    pub time: Timestamp,
}

/// A line with a checkpoint, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    checkpoint: &'a RawValue,
    signature: HexBytes<64>,
}

/// Why a line is no checkpoint of a boot.
#[derive(Debug)]
pub(super) enum LineError {
    Malformed(String),
    Signature,
}

impl Checkpoint {
    /// The line of this checkpoint, without a line break. `sign` makes an Ed25519 signature with the boot's identity
    /// key. `None` only if JSON could not be written, which does not happen.
    pub fn to_line(&self, sign: impl FnOnce(&[u8]) -> HexBytes<64>) -> Option<String> {
        let checkpoint = serde_json::value::to_raw_value(self).ok()?;
        let signature = sign(&message(checkpoint.get()));
        serde_json::to_string(&Line { checkpoint: &checkpoint, signature }).ok()
    }

    /// Whether a line is meant as a checkpoint.
    pub(super) fn is_meant(line: &str) -> bool {
        line.starts_with(START)
    }

    /// Reads a line, in the one spelling that [`Checkpoint::to_line`] writes, and checks its signature.
    pub(super) fn verify(line: &str, key: &VerifyingKey) -> Result<Self, LineError> {
        if line.len() > MAX_LINE {
            return Err(LineError::Malformed(format!("it is longer than {MAX_LINE} bytes")));
        }
        let parsed: Line<'_> = serde_json::from_str(line).map_err(malformed)?;
        if serde_json::to_string(&parsed).map_err(malformed)? != line {
            return Err(LineError::Malformed("it is not spelt as an enclave would".to_owned()));
        }
        let signature = Signature::from_bytes(&parsed.signature.0);
        key.verify_strict(&message(parsed.checkpoint.get()), &signature).map_err(|_| LineError::Signature)?;
        let checkpoint: Self = serde_json::from_str(parsed.checkpoint.get()).map_err(malformed)?;
        if checkpoint.format != CHECKPOINT_FORMAT {
            return Err(LineError::Malformed("its format is another".to_owned()));
        }
        Ok(checkpoint)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn malformed(error: serde_json::Error) -> LineError {
    LineError::Malformed(error.to_string())
}

fn message(text: &str) -> Vec<u8> {
    [CHECKPOINT_FORMAT.as_bytes(), text.as_bytes()].concat()
}
