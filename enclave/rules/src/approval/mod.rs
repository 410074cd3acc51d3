//! Approvals: what people outside the enclave sign so that one request passes a rule that asks for them.
//!
//! The statement names everything it depends on: the appliance, the client, the request down to its last byte, the rule
//! and the bundle that the rule is part of. It approves nothing else, and not for long. It does not count how often: a
//! request is good once by itself (see [`crate::replay`]).

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    authority::{AdminKey, AuthorityId},
    dsse::{DsseError, Envelope},
    hex_bytes::HexBytes,
    name::Name,
    timestamp::Timestamp,
};

/// The DSSE payload type of an approval.
pub const PAYLOAD_TYPE: &str = "application/vnd.nitro-signer.approval.v1+json";

/// The value of `format`.
pub const FORMAT: &str = "nitro-signer/approval/v1";

/// The largest envelope of an approval, in bytes: it travels in a header, and has room for 64 signatures.
pub const MAX_APPROVAL: usize = 16 * 1024;

/// What approvers sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// [`FORMAT`].
    pub format: String,
    /// The appliance that is asked.
    pub authority: AuthorityId,
    /// The client that asks.
    pub client: Name,
    /// What it asks: [`crate::request_digest::request_digest`].
    pub request_digest: HexBytes<32>,
    /// The rule that asks for the approval.
    pub rule: Name,
    /// SHA-256 of the bundle that the rule is part of.
    pub policy_digest: HexBytes<32>,
    /// Not valid from then on.
    pub not_after: Timestamp,
}

/// One who may approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The name in the bundle.
    pub id: Name,
    /// The key.
    pub key: AdminKey,
}

/// What an approval has to say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// This appliance.
    pub authority: AuthorityId,
    /// Who asks.
    pub client: &'a Name,
    /// What is asked.
    pub request_digest: HexBytes<32>,
    /// The rule that would allow it.
    pub rule: &'a Name,
    /// The bundle in force.
    pub policy_digest: HexBytes<32>,
    /// The time.
    pub now: Timestamp,
    /// How far ahead of now the approval may end, in seconds.
    pub longest_s: u64,
}

/// Why a request is not approved.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// Larger than [`MAX_APPROVAL`].
    #[error("the approval has {0} bytes, more than the {MAX_APPROVAL} allowed")]
    TooLarge(usize),
    /// Fewer approvers signed than the rule asks for.
    #[error("{found} of the {required} required approvals are there: ask another approver to sign")]
    Quorum {
        /// The threshold.
        required: usize,
        /// Distinct approvers of the rule whose signatures verify.
        found: usize,
    },
    /// The envelope is not what approvers signed.
    #[error(transparent)]
    Envelope(DsseError),
    /// Not an approval in JSON.
    #[error("not an approval: {0}")]
    Malformed(String),
    /// About something else than this request.
    #[error("the approval has another {0} than this request: approve exactly this request")]
    Differs(&'static str),
    /// Too late.
    #[error("the approval expired at {0}: ask for a new one")]
    Expired(Timestamp),
    /// Good for longer than the rule accepts.
    #[error("the approval lasts until {found}, and may last until {latest}: sign a shorter one")]
    TooLong {
        /// The approval's.
        found: Timestamp,
        /// The latest that is accepted now.
        latest: Timestamp,
    },
}

impl Approval {
    /// An envelope with this approval, for approvers to sign.
    pub fn unsigned(&self) -> Result<Envelope, serde_json::Error> {
        Ok(Envelope::unsigned(PAYLOAD_TYPE, &serde_json::to_vec(self)?))
    }

    /// The approvers who signed, at least `threshold` of `approvers` and at least one, if what they signed is exactly what
    /// is `expected`. Signatures of others are passed over; one that claims an approver's key and does not verify is not.
    pub fn verify(
        envelope_json: &[u8],
        approvers: &[Approver],
        threshold: usize,
        expected: &Expected<'_>,
    ) -> Result<Vec<Name>, ApprovalError> {
        if envelope_json.len() > MAX_APPROVAL {
            return Err(ApprovalError::TooLarge(envelope_json.len()));
        }
        check_object(envelope_json)?;
        let envelope = Envelope::from_json(envelope_json).map_err(ApprovalError::Envelope)?;
        let keys: Vec<AdminKey> = approvers.iter().map(|approver| approver.key.clone()).collect();
        let (payload, signers) =
            envelope.verify_signers(PAYLOAD_TYPE, &keys, threshold).map_err(|error| match error {
                DsseError::Quorum { required, found } => ApprovalError::Quorum { required, found },
                other => ApprovalError::Envelope(other),
            })?;
        check_object(&payload)?;
        let approval: Self =
            serde_json::from_slice(&payload).map_err(|error| ApprovalError::Malformed(error.to_string()))?;
        approval.check(expected)?;
        Ok(approvers
            .iter()
            .enumerate()
            .filter(|(place, _)| signers.contains(place))
            .map(|(_, approver)| approver.id.clone())
            .collect())
    }

    fn check(&self, expected: &Expected<'_>) -> Result<(), ApprovalError> {
        let same = [
            ("format", self.format == FORMAT),
            ("authority", self.authority == expected.authority),
            ("client", self.client == *expected.client),
            ("request_digest", self.request_digest == expected.request_digest),
            ("rule", self.rule == *expected.rule),
            ("policy_digest", self.policy_digest == expected.policy_digest),
        ];
        if let Some((member, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(ApprovalError::Differs(member));
        }
        if self.not_after <= expected.now {
            return Err(ApprovalError::Expired(self.not_after));
        }
        let latest = Timestamp::from_seconds(expected.now.seconds().saturating_add(expected.longest_s));
        if self.not_after > latest {
            return Err(ApprovalError::TooLong { found: self.not_after, latest });
        }
        Ok(())
    }
}

/// A derived reader takes an array of the members' values too, which nobody means.
fn check_object(json: &[u8]) -> Result<(), ApprovalError> {
    match json.trim_ascii_start().first() {
        Some(b'{') => Ok(()),
        _ => Err(ApprovalError::Malformed("it must be an object".to_owned())),
    }
}
