//! EVM transactions of every type: legacy (with and without EIP-155), EIP-2930, EIP-1559, EIP-4844, EIP-7702.
//!
//! Both input forms, fields and unsigned serialization, become unsigned bytes first. These are decoded strictly, judged,
//! and must equal their own re-encoding; the hash that is signed is theirs.

mod address;
pub(super) mod authorization;
mod fields;
pub(super) mod message;
mod payload;
mod rlp;
mod signature;
#[cfg(test)]
mod tests;
pub(super) mod typed_data;

use ruint::aliases::U256;
use sha3::{Digest, Keccak256};

pub use address::{EvmAddress, EvmAddressError, address_from_uncompressed};

use super::facts::Facts;
use super::json::parse_bytes;
use super::signed::SignedEvmTransaction;
use super::{Curve, RawSignature, Rejection, SignBody, Signable, Signed, Signer, SigningInput, absent};
use payload::{FieldError, Payload};
pub(super) use signature::signed_hash;
use signature::{Scalars, scalars};

/// The largest unsigned serialization that is accepted, in bytes: what geth's transaction pool takes.
pub const MAX_UNSIGNED_LEN: usize = 128 * 1024;

/// An unsigned EVM transaction, understood.
struct EvmTransaction {
    facts: Facts,
    payload: Payload,
    signing_hash: [u8; 32],
}

/// Parses `evm.transaction`: `transaction` (fields) or `unsigned` (hex).
pub(super) fn parse_transaction(
    body: &SignBody<'_>,
    signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    let transaction = match (body.transaction, body.unsigned) {
        (Some(fields), _) => {
            let address = signer.and_then(|signer| signer.evm_address);
            let unsigned = fields::read_payload(fields, address, body.chain_id)?.encode_unsigned();
            understand(&unsigned).map_err(in_transaction)?
        }
        (None, Some(text)) => understand(&decode_hex(text)?).map_err(in_unsigned)?,
        (None, None) => return Err(absent("transaction")),
    };
    Ok(Box::new(transaction))
}

/// Keccak-256 (the original padding, not SHA-3's).
pub(crate) fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

impl Signable for EvmTransaction {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn curve(&self) -> Curve {
        Curve::Secp256k1
    }

    fn signing_input(&self) -> SigningInput<'_> {
        SigningInput::Prehash(self.signing_hash)
    }

    fn finish(&self, signature: &RawSignature) -> Result<Signed, Rejection> {
        let Scalars { r, s, y_parity } = scalars(signature)?;
        let (r_value, s_value) = (U256::from_be_bytes(r), U256::from_be_bytes(s));
        let v = self.payload.legacy_v(y_parity);
        let signed_transaction =
            self.payload.encode_signed(v.unwrap_or(u64::from(y_parity)), r_value, s_value);
        Ok(Signed::EvmTransaction(SignedEvmTransaction {
            r,
            s,
            y_parity,
            v,
            signing_hash: self.signing_hash,
            transaction_hash: keccak256(&signed_transaction),
            signed_transaction,
        }))
    }
}

/// The one path of both input forms: from the bytes that will be hashed to their meaning.
fn understand(unsigned: &[u8]) -> Result<EvmTransaction, FieldError> {
    if unsigned.len() > MAX_UNSIGNED_LEN {
        return Err(FieldError::new("", format!("is longer than {MAX_UNSIGNED_LEN} bytes unsigned")));
    }
    let payload = Payload::decode(unsigned)?;
    let facts = payload.facts()?;
    // The strict reader leaves no second encoding; should it ever, nothing is signed.
    if payload.encode_unsigned() != unsigned {
        return Err(FieldError::new("", "is not in canonical encoding"));
    }
    Ok(EvmTransaction { facts: Facts::Evm(facts), payload, signing_hash: keccak256(unsigned) })
}

fn decode_hex(text: &str) -> Result<Vec<u8>, Rejection> {
    if text.len() > MAX_UNSIGNED_LEN.saturating_mul(2).saturating_add(2) {
        let blobs = if text.starts_with("0x03") { ": blobs are added after signing" } else { "" };
        return Err(Rejection::new("unsigned", format!("is longer than {MAX_UNSIGNED_LEN} bytes{blobs}")));
    }
    parse_bytes(text).map_err(|message| Rejection::new("unsigned", message))
}

fn in_transaction(error: FieldError) -> Rejection {
    match &*error.field {
        "" => Rejection::new("transaction", error.message),
        field => Rejection::new(format!("transaction.{field}"), error.message),
    }
}

fn in_unsigned(error: FieldError) -> Rejection {
    match &*error.field {
        "" => Rejection::new("unsigned", error.message),
        field => Rejection::new("unsigned", format!("{field} {}", error.message)),
    }
}
