//! What KMS says about a key that protects keyrings, and whether that is as it should be.
//!
//! The key policy is what stands between the host and the data keys, and the host cannot be asked
//! about it. So the enclave reads it itself, over TLS that ends inside, and puts a digest of what it
//! read into its statement. It reads what was true a moment ago: who may change the policy may do so
//! afterwards, and the digest of the next opening tells.
//!
//! Pure but for `read`: what KMS said in, deviations out.

mod actions;
mod document;
mod judge;
mod read;

use serde::Serialize;
use sha2::{Digest, Sha256};
use signer_rules::hex_bytes::HexBytes;

pub use judge::{Deviation, DeviationCode, Pins};

/// What KMS says about one key: all that is judged, and all that goes into the digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyState {
    /// The key's ARN.
    pub key: String,
    /// What it is.
    pub metadata: KeyMetadata,
    /// The text of its key policy, exactly as KMS gave it.
    pub policy: String,
    /// Permissions beside the key policy, in the order of their ids.
    pub grants: Vec<Grant>,
}

/// What a key is, in the words of KMS's `KeyMetadata`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyMetadata {
    /// `Enabled`, and `KeyState`.
    pub enabled: bool,
    /// `KeyState`.
    pub state: String,
    /// `KeySpec`.
    pub spec: String,
    /// `KeyUsage`.
    pub usage: String,
    /// `Origin`.
    pub origin: String,
    /// `KeyManager`.
    pub manager: String,
    /// ARNs of the same key in other Regions, each under a key policy of its own.
    pub elsewhere: Vec<String>,
}

/// A permission that takes no attestation document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Grant {
    /// `GrantId`.
    pub id: String,
    /// `GranteePrincipal`.
    pub grantee: String,
    /// `Operations`.
    pub operations: Vec<String>,
}

/// A key of the configuration, and what is known about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The key's ARN.
    pub key: String,
    /// `None`: it could not be read.
    pub state: Option<KeyState>,
}

/// `SHA-256("nitro-signer/kms-policy/v1" ‖ JSON of the list)`, in the configuration's order.
pub fn digest(known: &[Known]) -> Result<HexBytes<32>, serde_json::Error> {
    let list = serde_json::to_vec(known)?;
    Ok(HexBytes(Sha256::new_with_prefix(b"nitro-signer/kms-policy/v1").chain_update(list).finalize().into()))
}

impl KeyState {
    /// Everything about the key that is not as it should be for an enclave with these pins.
    pub fn judge(&self, pins: &Pins) -> Vec<Deviation> {
        judge::judge(self, pins)
    }
}

#[cfg(test)]
mod tests;
