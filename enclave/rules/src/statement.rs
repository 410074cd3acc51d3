//! What an attestation document vouches for beyond the image: one JSON object, by its digest.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha384};

use crate::{authority::AuthorityId, bundle::Keyring, hex_bytes::HexBytes};

/// The value of `format`.
pub const FORMAT: &str = "nitro-signer/statement/v1";

/// Who this enclave is, under whose authority, with which keys and rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`FORMAT`].
    pub format: String,
    /// Random for each boot.
    pub boot_id: HexBytes<16>,
    /// Whose appliance it is.
    pub authority: AuthorityId,
    /// SHA-384 of the configuration; PCR16 is its extension.
    pub configuration_digest: HexBytes<48>,
    /// Version of the policy bundle in force.
    pub policy_version: u64,
    /// SHA-256 of the policy bundle in force.
    pub policy_digest: HexBytes<32>,
    /// Ed25519 public key made for this boot, which signs what the enclave says of itself.
    pub identity_key: HexBytes<32>,
    /// X25519 public key that sessions are opened with: of the policy bundle's first keyring, the same for all enclaves that
    /// have it open.
    pub session_key: Option<HexBytes<32>>,
    /// The keyrings that are open.
    pub keyrings: Vec<Keyring>,
    /// The keyring that the request in hand created; only in the answer to that request.
    pub created_keyring: Option<Keyring>,
    /// Whom the enclave believes to be KMS.
    pub kms_trust: KmsTrust,
    /// Digest of the KMS key policies as the enclave read them, once it does.
    pub kms_policy_digest: Option<HexBytes<32>>,
    /// Sequence number of the newest audit record of this boot.
    pub audit_sequence: u64,
    /// SHA-256 of the newest audit record of this boot.
    pub audit_head: HexBytes<32>,
}

/// Whom an enclave believes to be KMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KmsTrust {
    /// Servers with certificates of Amazon's roots, which are built in.
    Amazon,
    /// Servers with certificates of roots that a file of the image holds: a development image.
    Image,
}

/// `SHA-384("nitro-signer/attest/v1" ‖ statement)`: the document's `user_data`.
pub fn digest(statement: &[u8]) -> [u8; 48] {
    Sha384::new_with_prefix(b"nitro-signer/attest/v1").chain_update(statement).finalize().into()
}
