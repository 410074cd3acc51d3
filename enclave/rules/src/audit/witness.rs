//! What an enclave leaves in a log that the host does not own.
//!
//! Every now and then it asks KMS for a data key that it throws away, with the head of its chain in
//! the encryption context: AWS's `CloudTrail` records the context, and the attested image beside it.

use std::collections::BTreeMap;

use crate::{authority::AuthorityId, hex_bytes::HexBytes};

/// The value of `nitro-signer:purpose` in a witness.
pub const PURPOSE: &str = "witness";

const AUTHORITY: &str = "nitro-signer:authority";
const BOOT: &str = "nitro-signer:boot";
const HEAD: &str = "nitro-signer:head";
const PURPOSE_MEMBER: &str = "nitro-signer:purpose";
const SEQUENCE: &str = "nitro-signer:sequence";
const VERSION_MEMBER: &str = "nitro-signer:v";
const VERSION: &str = "1";

/// Where the chain of a boot stood when KMS was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Whose appliance.
    pub authority: AuthorityId,
    /// The boot.
    pub boot_id: HexBytes<16>,
    /// Sequence number of the newest record.
    pub sequence: u64,
    /// SHA-256 of the newest record.
    pub head: HexBytes<32>,
}

/// Why an encryption context that claims to be a witness is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is missing from the witness, or not what an enclave writes")]
pub struct WitnessError(&'static str);

impl Witness {
    /// The encryption context that says it.
    pub fn encryption_context(&self) -> BTreeMap<String, String> {
        [
            (AUTHORITY, self.authority.to_string()),
            (BOOT, self.boot_id.to_string()),
            (HEAD, self.head.to_string()),
            (PURPOSE_MEMBER, PURPOSE.to_owned()),
            (SEQUENCE, self.sequence.to_string()),
            (VERSION_MEMBER, VERSION.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Reads it back. `Ok(None)` if the context is of something else.
    pub fn from_context(context: &BTreeMap<String, String>) -> Result<Option<Self>, WitnessError> {
        if context.get(PURPOSE_MEMBER).map(String::as_str) != Some(PURPOSE) {
            return Ok(None);
        }
        let sequence = member(context, SEQUENCE)?;
        let witness = Self {
            authority: member(context, AUTHORITY)?,
            boot_id: member(context, BOOT)?,
            sequence,
            head: member(context, HEAD)?,
        };
        if witness.encryption_context() == *context {
            Ok(Some(witness))
        } else {
            Err(WitnessError("a member of version 1"))
        }
    }
}

fn member<T: std::str::FromStr>(
    context: &BTreeMap<String, String>,
    name: &'static str,
) -> Result<T, WitnessError> {
    context.get(name).and_then(|value| value.parse().ok()).ok_or(WitnessError(name))
}
