//! One record per decision, denials included, each holding the digest of the one before.
//!
//! The chain begins anew with each boot; its first record says under what the boot runs. The
//! attested statement carries the newest digest, so a record that was handed out cannot be changed
//! unseen. The host stores the records, under checkpoints that the boot's identity key signs, and
//! says what it has; while it lags too far behind, nothing is decided. `signer_rules::audit` is the
//! format, and what checks it.

mod chain;
mod checkpoint;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use serde_json::value::RawValue;
use signer_rules::{
    audit::Receipt,
    authority::AuthorityId,
    bundle::{Operation, WalletId},
    hex_bytes::HexBytes,
    name::Name,
    timestamp::Timestamp,
};

use chain::Chain;
pub use chain::{NeverGiven, NotStored};
use checkpoint::Sealed;

/// Records that the host has not stored, at which nothing is decided any more. The requests under way then are still
/// recorded.
const KEPT: usize = 8192;
/// Records that one request gets.
const PAGE: usize = 1000;
/// Bytes of records that one request gets, so that a page and its checkpoint fit an object of the host's store.
const PAGE_BYTES: usize = 768 * 1024;

/// Bytes that most records fit.
const USUAL_RECORD: usize = 1024;

/// The chain of this boot.
pub struct Audit {
    boot_id: HexBytes<16>,
    chain: Mutex<Chain>,
    /// The last checkpoint that was made. Taken before the chain, and never while a record is made.
    sealed: Mutex<Sealed>,
}

/// Where the chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Sequence number of the newest record.
    pub sequence: u64,
    /// SHA-256 of the newest record.
    pub digest: HexBytes<32>,
}

/// Records for the host to store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Sequence number of the first record.
    pub first: u64,
    /// Records in JSON, in order.
    pub records: Vec<Vec<u8>>,
    /// The line of a checkpoint over the last of them. None if there are no records, or none yet that are due for one.
    pub checkpoint: Option<String>,
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
        /// What KMS said of its keys at the time.
        kms_policy: KeyPolicies,
    },
    /// KMS was asked to open a keyring, and gave at least one of its data keys. KMS's own log has each of these requests:
    /// one that no boot recorded was made for an enclave whose log is kept back.
    KeyringOpened {
        /// Its name.
        keyring: &'a Name,
        /// Its fingerprint in the policy bundle.
        fingerprint: HexBytes<32>,
        /// What KMS gave.
        requests: &'a [KmsRequest],
        /// What KMS said of its keys at the time.
        kms_policy: KeyPolicies,
        /// Why it is not open for all that.
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<&'a str>,
    },
    /// A client asked for a session.
    Session {
        /// Who.
        client: &'a Name,
        /// The id of the key that signed the request, if one did.
        key: Option<&'a Name>,
        /// The only role asked for, if one was.
        role: Option<&'a Name>,
        /// SHA-256 of method, path and body.
        request_digest: HexBytes<32>,
        /// Yes or no.
        allowed: bool,
        /// The session's id, if there is one.
        id: Option<HexBytes<16>>,
        /// Its end.
        expires: Option<Timestamp>,
        /// Version of the bundle that decided.
        policy_version: u64,
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
        /// What the rule demands and was not there, if that is why nothing was signed.
        #[serde(skip_serializing_if = "Option::is_none")]
        obstacle: Option<&'static str>,
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

/// A request that KMS granted, as its own log names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KmsRequest {
    /// The KMS key.
    pub key_arn: String,
    /// `x-amzn-RequestId` of the answer, which `CloudTrail` has as `requestID`. None if it was none.
    pub request_id: Option<String>,
}

/// What came of looking at the policies of the configuration's KMS keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KeyPolicies {
    /// SHA-256 over everything that was read; the attested statement has the newest.
    pub digest: Option<HexBytes<32>>,
    /// How many deviations there were.
    pub deviations: usize,
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

impl Audit {
    /// The chain of a boot, without a record.
    pub fn new(boot_id: HexBytes<16>) -> Self {
        Self { boot_id, chain: Mutex::default(), sealed: Mutex::default() }
    }

    /// Appends a record. It is kept until the host has stored it.
    pub fn record(&self, time: Timestamp, entry: &Entry<'_>) -> Receipt {
        let Head { sequence, digest } = self.chain().append(|sequence, previous| {
            let record = Record { sequence, time, previous, entry };
            // Strings, numbers and fixed names always serialise.
            let mut bytes = Vec::with_capacity(USUAL_RECORD);
            if serde_json::to_writer(&mut bytes, &record).is_err() {
                bytes.clear();
            }
            bytes
        });
        Receipt { boot_id: self.boot_id, sequence, digest }
    }

    /// Whether there is room and time for more records: the host must not lag behind by `KEPT` records, nor by longer
    /// than `longest_unstored`.
    pub fn may_sign(&self, longest_unstored: Duration) -> Result<(), NotStored> {
        self.chain().may_grow(longest_unstored)
    }

    /// Where the chain stands. Before the first record: sequence 0 and zeros.
    pub fn head(&self) -> Head {
        self.chain().head()
    }

    /// How many records there are.
    pub fn length(&self) -> u64 {
        self.chain().length()
    }

    /// The last record that the host says it has stored.
    pub fn stored(&self) -> Option<Head> {
        self.chain().stored()
    }

    /// What KMS's log should be told of: the last record that the host says it has stored, so that a log which lacks it
    /// was cut, whatever happened to the enclave. But if the host lags behind by more than `patience`: the newest record.
    pub fn to_witness(&self, patience: Duration) -> Option<Head> {
        let chain = self.chain();
        match chain.waiting() {
            Some(waiting) if waiting > patience => Some(chain.head()),
            _ => chain.stored(),
        }
    }

    /// The host says that it has stored all records up to `after`: they are forgotten, and the next ones returned.
    ///
    /// `seal` makes the line of a checkpoint; it is asked at most once a second, or for every full page.
    pub fn page(
        &self,
        after: Option<u64>,
        seal: impl FnOnce(Head) -> Option<String>,
    ) -> Result<Page, NeverGiven> {
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chain = self.chain();
        if let Some(after) = after {
            if sealed.sequence().is_none_or(|given| after > given) {
                return Err(NeverGiven(after));
            }
            chain.forget(after);
        }
        let waiting = chain.first(PAGE, PAGE_BYTES);
        // Nobody waits for a signature to append a record.
        drop(chain);
        Ok(sealed.page(waiting, seal))
    }

    fn chain(&self) -> std::sync::MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
