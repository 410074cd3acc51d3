//! One record per decision, denials included, each holding the digest of the one before.
//!
//! The chain begins anew with each boot; its first record says under what the boot runs. The
//! attested statement carries the newest digest, so a record that was handed out cannot be changed
//! unseen.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use signer_rules::{
    authority::AuthorityId,
    bundle::{Operation, WalletId},
    hex_bytes::HexBytes,
    name::Name,
    timestamp::Timestamp,
};

/// Records that are kept for the host to fetch.
const KEPT: usize = 8192;
/// Records that one request gets.
pub const PAGE: usize = 1000;

/// Bytes that most records fit.
const USUAL_RECORD: usize = 1024;

/// The chain of this boot.
pub struct Audit {
    chain: Mutex<Chain>,
}

#[derive(Default)]
struct Chain {
    /// Sequence number of the next record.
    next: u64,
    head: [u8; 32],
    kept: VecDeque<(u64, Vec<u8>)>,
}

/// Where the chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Sequence number of the newest record.
    pub sequence: u64,
    /// SHA-256 of the newest record.
    pub digest: HexBytes<32>,
}

/// What is recorded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry<'a> {
    /// Under what this boot runs.
    Boot {
        /// Whose appliance.
        authority: AuthorityId,
        /// The boot.
        boot_id: HexBytes<16>,
        /// The boot's public key.
        identity_key: HexBytes<32>,
        /// PCR16.
        configuration_pcr: String,
        /// Version of the first policy bundle.
        policy_version: u64,
        /// Digest of the first policy bundle.
        policy_digest: HexBytes<32>,
    },
    /// Another policy bundle came into force.
    Policy {
        /// Its version.
        version: u64,
        /// Its digest.
        digest: HexBytes<32>,
    },
    /// A policy bundle was refused because of its order.
    PolicyRefused {
        /// Its version.
        version: u64,
        /// Its digest.
        digest: HexBytes<32>,
        /// Why.
        reason: &'a str,
    },
    /// A keyring was created on the admins' request.
    KeyringCreated {
        /// Its name.
        keyring: &'a Name,
        /// Its fingerprint.
        fingerprint: HexBytes<32>,
    },
    /// A client asked for something.
    Decision {
        /// Who.
        client: &'a Name,
        /// On which wallet.
        wallet: Option<WalletId>,
        /// What.
        operation: Operation,
        /// The account that signed or was to sign, by its address.
        account: Option<String>,
        /// The EVM chain, where there is one.
        chain_id: Option<u64>,
        /// Whether what was or would have been signed holds on every EVM chain.
        #[serde(skip_serializing_if = "is_false")]
        every_chain: bool,
        /// SHA-256 of method, path and body.
        request_digest: HexBytes<32>,
        /// Yes or no.
        allowed: bool,
        /// The rule that decided, if one did.
        rule: Option<&'a Name>,
        /// The member that could not be understood completely, if that is why nothing was signed.
        #[serde(skip_serializing_if = "Option::is_none")]
        rejected: Option<&'a str>,
        /// What was or would have been signed; where that is long, the part that fits, which says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        facts: Option<&'a RawValue>,
        /// Which part of the request it is, counted from 0, where it has several.
        #[serde(skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// Version of the bundle that decided.
        policy_version: u64,
        /// SHA-256 of what was signed or made, if anything was.
        result_digest: Option<HexBytes<32>>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Serialize)]
struct Record<'a> {
    sequence: u64,
    time: Timestamp,
    previous: HexBytes<32>,
    #[serde(flatten)]
    entry: &'a Entry<'a>,
}

impl Default for Audit {
    fn default() -> Self {
        Self { chain: Mutex::new(Chain::default()) }
    }
}

impl Audit {
    /// Appends a record.
    pub fn record(&self, time: Timestamp, entry: &Entry<'_>) -> Head {
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = chain.next;
        let record = Record { sequence, time, previous: HexBytes(chain.head), entry };
        // Strings, numbers and fixed names always serialise.
        let mut bytes = Vec::with_capacity(USUAL_RECORD);
        if serde_json::to_writer(&mut bytes, &record).is_err() {
            bytes.clear();
        }
        chain.head = Sha256::digest(&bytes).into();
        chain.next = sequence.saturating_add(1);
        if chain.kept.len() >= KEPT {
            chain.kept.pop_front();
        }
        chain.kept.push_back((sequence, bytes));
        Head { sequence, digest: HexBytes(chain.head) }
    }

    /// Where the chain stands. Before the first record: sequence 0 and zeros.
    pub fn head(&self) -> Head {
        let chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        Head { sequence: chain.next.saturating_sub(1), digest: HexBytes(chain.head) }
    }

    /// How many records there are.
    pub fn length(&self) -> u64 {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).next
    }

    /// Up to [`PAGE`] of the records that are still kept, from sequence number `from` on.
    pub fn records(&self, from: u64) -> Vec<Vec<u8>> {
        let chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        chain
            .kept
            .iter()
            .filter(|(sequence, _)| *sequence >= from)
            .take(PAGE)
            .map(|(_, bytes)| bytes.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn entry(version: u64) -> Entry<'static> {
        Entry::Policy { version, digest: HexBytes([0; 32]) }
    }

    #[test]
    fn every_record_holds_the_digest_of_the_one_before() {
        let audit = Audit::default();
        for version in 0..5 {
            audit.record(Timestamp::from_seconds(0), &entry(version));
        }
        let mut previous = HexBytes([0; 32]).to_string();
        for (sequence, bytes) in audit.records(0).iter().enumerate() {
            let record: Value = serde_json::from_slice(bytes).unwrap();
            assert_eq!(record["sequence"], sequence);
            assert_eq!(record["previous"], previous);
            previous = hex::encode(Sha256::digest(bytes));
        }
        assert_eq!(audit.head(), Head { sequence: 4, digest: previous.parse().unwrap() });
        assert_eq!(audit.records(3).len(), 2);
    }

    #[test]
    fn memory_is_bounded() {
        let audit = Audit::default();
        for version in 0..(KEPT as u64 + 10) {
            audit.record(Timestamp::from_seconds(0), &entry(version));
        }
        assert_eq!(audit.chain.lock().unwrap().kept.len(), KEPT);
        assert_eq!(audit.records(0).len(), PAGE);
        assert_eq!(audit.length(), KEPT as u64 + 10);
    }
}
