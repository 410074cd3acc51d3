//! One signature for each nonce: an account that signs two transactions with the same nonce lets others choose which of
//! them happens.
//!
//! What is remembered is what this enclave signed since it booted, and is forgotten only when nothing was signed after all.
//! A transaction without a chain id is valid on every chain, so it shares its nonce with those of every chain.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ruint::aliases::U256;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chain::evm::EvmAddress;

/// The most nonces that are remembered. One takes 104 bytes, and about 150 with the tree's spare room: 150 MB when full.
pub const MAX_NONCES: usize = 1_000_000;

/// What a rule says about nonces that were used before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonceUse {
    /// One transaction for each nonce. The same one may be signed again.
    #[default]
    Guarded,
    /// As [`Self::Guarded`], but a transaction may replace one if its fee cap and its priority fee are both higher than
    /// those of all before it, whatever else differs: to cancel a transaction is to replace it by another.
    Replaceable,
    /// Anything. What is signed is still remembered, as far as there is room, for rules that guard.
    Unguarded,
}

/// Whose nonce, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonceKey {
    /// The account.
    pub account: EvmAddress,
    /// The chain; `None` is every chain, and so is 0, which no chain has.
    pub chain_id: Option<u64>,
    /// The account's transaction count.
    pub nonce: u64,
}

/// What a nonce is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The hash that would be signed.
    pub hash: [u8; 32],
    /// The fee cap per gas, in wei: the gas price before EIP-1559.
    pub fee_cap: U256,
    /// The priority fee per gas, in wei: the gas price before EIP-1559.
    pub priority: U256,
}

/// What a use of a nonce is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first.
    New,
    /// The same transaction again.
    Same,
    /// Another transaction instead of the one before.
    Replaced,
}

/// Why a nonce may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NonceError {
    /// Another transaction has it.
    #[error("another transaction was signed with this nonce: send that one, or use the next nonce")]
    Conflict,
    /// [`MAX_NONCES`].
    #[error("no more nonces can be remembered until the enclave restarts")]
    Full,
}

/// A use of a nonce that was granted. Dropping it leaves it remembered: [`NonceGuard::undo`] is only for what was certainly
/// not signed.
#[derive(Debug)]
#[must_use = "what is not signed is to be undone"]
pub struct Claim {
    outcome: Outcome,
    place: Place,
    /// The record's; `None` if there was no room for one.
    serial: Option<u64>,
    previous: Option<Record>,
}

/// The nonces that were used.
#[derive(Debug)]
pub struct NonceGuard {
    /// A tree: it never stands still to grow.
    records: BTreeMap<Place, Record>,
    next_serial: u64,
    capacity: usize,
}

/// A digest of account and nonce, then the chain, 0 for all of them: those of one account and nonce are neighbours. With
/// 128 bits, the worst of a collision is that a nonce is refused.
type Place = ([u8; 16], u64);

#[derive(Clone, Debug)]
struct Record {
    hash: [u8; 32],
    /// The highest there were. A fee beyond 128 bits is held for the highest of all: it cannot be outbid.
    fee_cap: [u8; 16],
    priority: [u8; 16],
    /// Distinct for all records there ever were.
    serial: u64,
    /// Those that were granted it and did not undo it.
    claims: u32,
    /// Whether another record was in this place before.
    replaces: bool,
}

impl NonceGuard {
    /// One that remembers nothing yet.
    pub fn new() -> Self {
        Self::with_capacity(MAX_NONCES)
    }

    fn with_capacity(capacity: usize) -> Self {
        Self { records: BTreeMap::new(), next_serial: 0, capacity }
    }

    /// Whether the nonce may be used so; if it may, that is remembered.
    pub fn check(
        &mut self,
        key: &NonceKey,
        candidate: &Candidate,
        nonce_use: NonceUse,
    ) -> Result<Claim, NonceError> {
        let place = key.place();
        if let Some(record) = self.records.get_mut(&place)
            && record.hash == candidate.hash
        {
            record.claims = record.claims.saturating_add(1);
            let serial = Some(record.serial);
            return Ok(Claim { outcome: Outcome::Same, place, serial, previous: None });
        }
        let mut first = true;
        for record in rivals(&self.records, place) {
            first = false;
            let allowed = match nonce_use {
                NonceUse::Guarded => false,
                NonceUse::Replaceable => record.is_outbid_by(candidate),
                NonceUse::Unguarded => true,
            };
            if !allowed {
                return Err(NonceError::Conflict);
            }
        }
        let outcome = if first { Outcome::New } else { Outcome::Replaced };
        if !self.records.contains_key(&place) && self.records.len() >= self.capacity {
            if nonce_use == NonceUse::Unguarded {
                return Ok(Claim { outcome, place, serial: None, previous: None });
            }
            return Err(NonceError::Full);
        }
        Ok(self.remember(outcome, place, candidate))
    }

    /// Forgets a use of a nonce for which nothing was signed, unless the same transaction was granted again meanwhile.
    pub fn undo(&mut self, claim: Claim) {
        let Some(record) = self.records.get_mut(&claim.place) else { return };
        if Some(record.serial) != claim.serial {
            return;
        }
        record.claims = record.claims.saturating_sub(1);
        match (record.claims, claim.previous) {
            (0, Some(previous)) => *record = previous,
            (0, None) if !record.replaces => drop(self.records.remove(&claim.place)),
            // Whoever replaced the record before was not the last to undo, and what was before is not known any more. Its
            // fees stay, and no transaction is the same as this: that forbids too much, not too little.
            (0, None) => record.hash = [0; 32],
            _ => {}
        }
    }

    /// How many nonces are remembered.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn remember(&mut self, outcome: Outcome, place: Place, candidate: &Candidate) -> Claim {
        self.next_serial = self.next_serial.saturating_add(1);
        let (fee_cap, priority) = (narrow(candidate.fee_cap), narrow(candidate.priority));
        let mut record = Record {
            hash: candidate.hash,
            fee_cap: fee_cap.to_ne_bytes(),
            priority: priority.to_ne_bytes(),
            serial: self.next_serial,
            claims: 1,
            replaces: false,
        };
        if let Some(before) = self.records.get(&place) {
            record.fee_cap = before.fee_cap().max(fee_cap).to_ne_bytes();
            record.priority = before.priority().max(priority).to_ne_bytes();
            record.replaces = true;
        }
        let serial = Some(record.serial);
        let previous = self.records.insert(place, record);
        Claim { outcome, place, serial, previous }
    }
}

impl Default for NonceGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl Claim {
    /// What the use is.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }
}

impl NonceKey {
    fn place(&self) -> Place {
        let digest = Sha256::new_with_prefix(b"nitro-signer/nonce/v1")
            .chain_update(self.account.as_bytes())
            .chain_update(self.nonce.to_be_bytes())
            .finalize();
        let short = <[u8; 32]>::from(digest).first_chunk().copied().unwrap_or_default();
        (short, self.chain_id.unwrap_or(EVERY_CHAIN))
    }
}

const EVERY_CHAIN: u64 = 0;

/// What shares the nonce on some chain: the record of the same place, and that of every chain; or, for every chain, all.
fn rivals(records: &BTreeMap<Place, Record>, (digest, chain): Place) -> impl Iterator<Item = &Record> {
    let last = if chain == EVERY_CHAIN { u64::MAX } else { EVERY_CHAIN };
    let own = records.get(&(digest, chain)).filter(|_| chain != EVERY_CHAIN);
    records.range((digest, EVERY_CHAIN)..=(digest, last)).map(|(_, record)| record).chain(own)
}

impl Record {
    fn is_outbid_by(&self, candidate: &Candidate) -> bool {
        narrow(candidate.fee_cap) > self.fee_cap() && narrow(candidate.priority) > self.priority()
    }

    fn fee_cap(&self) -> u128 {
        u128::from_ne_bytes(self.fee_cap)
    }

    fn priority(&self) -> u128 {
        u128::from_ne_bytes(self.priority)
    }
}

/// All that is above 128 bits is one: more wei than there are.
fn narrow(fee: U256) -> u128 {
    u128::try_from(fee).unwrap_or(u128::MAX)
}
