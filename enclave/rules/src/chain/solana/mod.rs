//! Solana transactions in wire format: signatures, then a legacy or version 0 message; or a version 1 message, then
//! signatures.
//!
//! The message's own bytes are what is signed, so nothing is re-encoded: only our signature slot changes.

mod address;
mod fees;
mod instructions;
mod message;
pub(super) mod offchain;
#[cfg(test)]
mod tests;
mod wire;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::value::RawValue;

pub use address::{SolanaAddress, SolanaAddressError};
pub(crate) use instructions::{SYSTEM, VERIFIERS};

use super::facts::{Facts, SolanaTransactionFacts};
use super::json::Value;
use super::signed::SignedSolanaTransaction;
use super::{Curve, RawSignature, Rejection, SignBody, Signable, Signed, Signer, SigningInput, absent};
use message::{MAX_V1_WIRE_LEN, V1_PREFIX, parse_message, parse_v1_message};
use wire::Reader;

/// The largest legacy or version 0 transaction, in bytes: what fits an IPv6 packet (`PACKET_DATA_SIZE`).
pub const MAX_WIRE_LEN: usize = 1232;
/// The length of the largest transaction in base64, with room for needless JSON escapes.
const MAX_JSON_LEN: usize = 6 * 4 * MAX_V1_WIRE_LEN.div_ceil(3) + 2;

const SIGNATURE_LEN: usize = 64;
const EMPTY_SLOT: [u8; SIGNATURE_LEN] = [0; SIGNATURE_LEN];
/// A Solana transaction that waits for our signature.
struct SolanaTransaction {
    facts: Facts,
    /// The required signers, in the order of their slots.
    signers: Vec<SolanaAddress>,
    signatures: Vec<[u8; SIGNATURE_LEN]>,
    /// `None`: nobody is going to sign.
    our_slot: Option<usize>,
    message: Vec<u8>,
    layout: Layout,
}

/// Where the signatures are in wire format.
#[derive(Clone, Debug)]
enum Layout {
    /// Before the message, preceded by their number in this encoding.
    SignaturesFirst(Vec<u8>),
    /// After the message, which says how many they are.
    MessageFirst,
}

/// Parses `solana.transaction`: `transaction`, the wire format in base64.
pub(super) fn parse_transaction(
    body: &SignBody<'_>,
    signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    let ours = signer.and_then(|signer| signer.ed25519).map(SolanaAddress::new);
    let transaction = body.transaction.ok_or_else(|| absent("transaction"))?;
    Ok(Box::new(SolanaTransaction::parse(&decode_base64(transaction)?, ours)?))
}

impl SolanaTransaction {
    fn parse(wire: &[u8], ours: Option<SolanaAddress>) -> Result<Self, Rejection> {
        // Before version 1 the first byte is a number of signatures, and 0x81 of them do not fit.
        if wire.first() == Some(&V1_PREFIX) {
            Self::parse_v1(wire, ours)
        } else {
            Self::parse_signatures_first(wire, ours)
        }
    }

    fn parse_signatures_first(wire: &[u8], ours: Option<SolanaAddress>) -> Result<Self, Rejection> {
        if wire.len() > MAX_WIRE_LEN {
            return Err(reject("must be at most 1232 bytes, or version 1"));
        }
        let mut reader = Reader::new(wire);
        let signatures = reader.items(|reader, _| reader.array::<SIGNATURE_LEN>());
        let signatures = signatures.map_err(|cause| reject_signatures(cause.to_string()))?;
        let message = reader.rest();
        let facts = parse_message(message)?;
        let prefix_len =
            wire.len().saturating_sub(message.len()).saturating_sub(signatures.as_flattened().len());
        let layout = Layout::SignaturesFirst(wire.iter().take(prefix_len).copied().collect());
        Self::new(facts, signatures, message, layout, ours)
    }

    fn parse_v1(wire: &[u8], ours: Option<SolanaAddress>) -> Result<Self, Rejection> {
        if wire.len() > MAX_V1_WIRE_LEN {
            return Err(reject("must be at most 4096 bytes"));
        }
        let (facts, rest) = parse_v1_message(wire)?;
        let mut reader = Reader::new(rest);
        let slots = facts.signers.iter().map(|_| reader.array::<SIGNATURE_LEN>());
        let signatures = slots.collect::<Result<Vec<_>, _>>().and_then(|signatures| {
            reader.finish()?;
            Ok(signatures)
        });
        let signatures = signatures.map_err(|cause| reject_signatures(cause.to_string()))?;
        let (message, _) = wire.split_at(wire.len().saturating_sub(rest.len()));
        Self::new(facts, signatures, message, Layout::MessageFirst, ours)
    }

    fn new(
        facts: SolanaTransactionFacts,
        signatures: Vec<[u8; SIGNATURE_LEN]>,
        message: &[u8],
        layout: Layout,
        ours: Option<SolanaAddress>,
    ) -> Result<Self, Rejection> {
        check_signature_count(signatures.len(), &facts)?;
        let our_slot = ours.map(|ours| slot_of(ours, &facts)).transpose()?;
        if our_slot.is_some() {
            check_other_signatures(&facts.signers, &signatures, our_slot, message)?;
        }
        let signers = facts.signers.clone();
        let facts = Facts::Solana(facts);
        Ok(Self { facts, signers, signatures, our_slot, message: message.to_vec(), layout })
    }
}

impl Signable for SolanaTransaction {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn curve(&self) -> Curve {
        Curve::Ed25519
    }

    fn signing_input(&self) -> SigningInput<'_> {
        SigningInput::Message(&self.message)
    }

    fn finish(&self, signature: &RawSignature) -> Result<Signed, Rejection> {
        let signature = slot_filler(signature)?;
        let mut signatures = self.signatures.clone();
        match self.our_slot.and_then(|slot| signatures.get_mut(slot)) {
            Some(slot) => *slot = signature,
            None => return Err(reject("has no slot for our signature")),
        }
        let missing = self.signers.iter().zip(&signatures).filter(|(_, slot)| **slot == EMPTY_SLOT);
        Ok(Signed::SolanaTransaction(SignedSolanaTransaction {
            signature,
            signed_transaction: match &self.layout {
                Layout::SignaturesFirst(count) => [count, signatures.as_flattened(), &self.message].concat(),
                Layout::MessageFirst => [&self.message, signatures.as_flattened()].concat(),
            },
            missing_signers: missing.map(|(signer, _)| *signer).collect(),
            transaction_id: signatures.first().copied().filter(|first| *first != EMPTY_SLOT),
        }))
    }
}

/// The bytes of a signature that can be put into a slot.
fn slot_filler(signature: &RawSignature) -> Result<[u8; SIGNATURE_LEN], Rejection> {
    let RawSignature::Ed25519(signature) = *signature else {
        return Err(Rejection::new("signature", "must be made with an Ed25519 key"));
    };
    if signature == EMPTY_SLOT {
        return Err(Rejection::new("signature", "must not be all zeros, which marks an empty slot"));
    }
    Ok(signature)
}

fn slot_of(ours: SolanaAddress, facts: &SolanaTransactionFacts) -> Result<usize, Rejection> {
    let slot = facts.signers.iter().position(|signer| *signer == ours);
    slot.ok_or_else(|| reject(format!("does not ask for a signature of {ours}")))
}

fn decode_base64(transaction: &RawValue) -> Result<Vec<u8>, Rejection> {
    if transaction.get().len() > MAX_JSON_LEN {
        return Err(reject("must be at most 4096 bytes"));
    }
    let text = Value::new("transaction", transaction).string()?;
    STANDARD.decode(text).map_err(|_| reject("must be standard base64 with padding"))
}

fn check_signature_count(count: usize, facts: &SolanaTransactionFacts) -> Result<(), Rejection> {
    let required = facts.signers.len();
    if count == required {
        return Ok(());
    }
    let message =
        format!("has {count} slots where the message requires {required} (fill unused ones with zeros)");
    Err(reject_signatures(message))
}

/// A slot is empty or holds a signature that the chain takes. Rubbish in the fee payer's slot would have us name the
/// transaction by an id that it never gets, and somebody sign it a second time.
fn check_other_signatures(
    signers: &[SolanaAddress],
    signatures: &[[u8; SIGNATURE_LEN]],
    our_slot: Option<usize>,
    message: &[u8],
) -> Result<(), Rejection> {
    for (slot, (signer, signature)) in signers.iter().zip(signatures).enumerate() {
        if Some(slot) == our_slot || *signature == EMPTY_SLOT {
            continue;
        }
        let verified = VerifyingKey::from_bytes(signer.as_bytes())
            .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)));
        verified.map_err(|_| {
            let message =
                format!("is not a signature of {signer} over this message: fill the slot with zeros");
            Rejection::new(format!("transaction.signatures[{slot}]"), message)
        })?;
    }
    Ok(())
}

fn reject_signatures(message: impl Into<String>) -> Rejection {
    Rejection::new("transaction.signatures", message)
}

fn reject(message: impl Into<String>) -> Rejection {
    Rejection::new("transaction", message)
}
