//! Changes of admins: each signed by the quorum before it and by every admin after it.
//!
//! They are links of a chain that begins at the genesis. A link names the authority, its place and
//! the digest of the link before, so links of one chain cannot be left out, exchanged or carried to
//! another. What a chain cannot show is that it has no later links: whoever keeps an old
//! configuration has a chain that was complete once. KMS tells them apart, by PCR16.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    authority::{AdminKey, AuthorityId, Genesis, GenesisError, Quorum},
    dsse::{DsseError, Envelope, MAX_SIGNATURES},
    hex_bytes::HexBytes,
};

/// The DSSE payload type of a transition.
pub const PAYLOAD_TYPE: &str = "application/vnd.nitro-signer.transition.v1+json";

/// The value of `format`.
pub const FORMAT: &str = "nitro-signer/transition/v1";

/// The most transitions of one appliance.
pub const MAX_TRANSITIONS: usize = 64;

/// What the admins before and the admins after sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// [`FORMAT`].
    pub format: String,
    /// Whose admins change.
    pub authority: AuthorityId,
    /// Its place in the chain, counted from 1.
    pub number: u8,
    /// [`digest`] of the transition before; of the first, the authority's id, which is the digest
    /// of the genesis.
    pub previous: HexBytes<32>,
    /// The admins from then on, in ascending order, each once.
    pub admins: Vec<AdminKey>,
    /// How many of them must sign.
    pub threshold: u8,
}

/// Why admins did not change so.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// The quorum before did not sign it.
    #[error("of the admins before: {0}")]
    Before(DsseError),
    /// A new admin did not sign it, so nobody knows that there is a private key.
    #[error("of the new admins, each of whom must sign: {0}")]
    Possession(DsseError),
    /// Not a transition in JSON.
    #[error("not a transition: {0}")]
    Malformed(String),
    /// Keys and threshold of no quorum, or a genesis of none.
    #[error(transparent)]
    Quorum(#[from] GenesisError),
    /// Of another appliance.
    #[error("it belongs to authority {found}, and this is {expected}")]
    ForeignAuthority {
        /// Ours.
        expected: AuthorityId,
        /// The transition's.
        found: AuthorityId,
    },
    /// Out of its place.
    #[error("its number is {found} where {expected} is expected")]
    Number {
        /// Of the place.
        expected: u8,
        /// The transition's.
        found: u8,
    },
    /// Made after something else.
    #[error("it names {found} as its previous, and that is {expected}")]
    Previous {
        /// Of the link before.
        expected: HexBytes<32>,
        /// The transition's.
        found: HexBytes<32>,
    },
}

/// Where a chain ends: what the next transition must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Whose chain it is.
    pub authority: AuthorityId,
    /// How many transitions there are.
    pub number: u8,
    /// Digest of the last one, or the authority's id.
    pub digest: HexBytes<32>,
    /// Who decides.
    pub quorum: Quorum,
}

impl Tip {
    /// A chain without transitions.
    pub fn of_genesis(genesis: &Genesis) -> Result<Self, GenesisError> {
        let authority = genesis.authority_id()?;
        Ok(Self { authority, number: 0, digest: authority, quorum: genesis.quorum()? })
    }

    /// The chain with one more transition, which both sides signed.
    pub fn after(&self, envelope: &Envelope) -> Result<Self, TransitionError> {
        if envelope.signature_count() > MAX_SIGNATURES {
            let problem = DsseError::Malformed(format!("more than {MAX_SIGNATURES} signatures"));
            return Err(TransitionError::Before(problem));
        }
        let before = &self.quorum;
        let payload = envelope
            .verify(PAYLOAD_TYPE, before.admins(), before.threshold())
            .map_err(TransitionError::Before)?;
        let next = self.judge(&payload)?;
        let after = &next.quorum;
        envelope
            .verify(PAYLOAD_TYPE, after.admins(), after.admins().len())
            .map_err(TransitionError::Possession)?;
        Ok(next)
    }

    /// What a statement would lead to if both sides signed it.
    pub fn judge(&self, payload: &[u8]) -> Result<Self, TransitionError> {
        let transition: Transition =
            serde_json::from_slice(payload).map_err(|error| TransitionError::Malformed(error.to_string()))?;
        if transition.format != FORMAT {
            return Err(TransitionError::Malformed(format!("format must be {FORMAT:?}")));
        }
        if transition.authority != self.authority {
            let (expected, found) = (self.authority, transition.authority);
            return Err(TransitionError::ForeignAuthority { expected, found });
        }
        let expected = self.number.saturating_add(1);
        if transition.number != expected {
            return Err(TransitionError::Number { expected, found: transition.number });
        }
        if transition.previous != self.digest {
            let (expected, found) = (self.digest, transition.previous);
            return Err(TransitionError::Previous { expected, found });
        }
        let quorum = Quorum::new(transition.admins, transition.threshold)?;
        Ok(Self { authority: self.authority, number: expected, digest: digest(payload), quorum })
    }
}

/// Follows a chain from its genesis to its end. An error comes with the index of the transition.
pub fn tip(genesis: &Genesis, transitions: &[Envelope]) -> Result<Tip, (usize, TransitionError)> {
    let mut tip = Tip::of_genesis(genesis).map_err(|error| (0, error.into()))?;
    for (index, envelope) in transitions.iter().enumerate() {
        tip = tip.after(envelope).map_err(|error| (index, error))?;
    }
    Ok(tip)
}

/// SHA-256 of a transition's signed bytes.
pub fn digest(payload: &[u8]) -> HexBytes<32> {
    HexBytes(Sha256::digest(payload).into())
}

#[cfg(test)]
mod tests;
