//! EIP-712 typed data, as `eth_signTypedData_v4` takes it: `{types, primaryType, domain, message}`.
//!
//! Libraries differ in what they do with members that no type declares, with members that are missing, null or there
//! twice, and with values of another type. Here `domain` and `message` have exactly the declared members, each of its
//! declared type, so that nothing is shown that is not signed and nothing is signed that is not shown: the hash is made
//! of the very values that the facts hold.
//!
//! Two things are accepted for the sake of clients, as they change no meaning: types that the message does not use, which
//! viem and web3.js send, and integers of any length as JSON numbers, which Python writes.
//!
//! What cannot be bounded by the size of the text is counted: types, members, values and depth. A type is hashed once,
//! however often it is used.

mod domain;
mod encode;
#[cfg(test)]
mod tests;
mod types;
mod value;

use super::{keccak256, signature::signed_hash};
use crate::chain::facts::{EvmTypedDataFacts, Facts};
use crate::chain::json::Members;
use crate::chain::{
    Curve, RawSignature, Rejection, SignBody, Signable, Signed, Signer, SigningInput, absent,
};
use types::Types;
use value::Reader;

/// The longest JSON text of `typed_data`, in bytes.
const MAX_LEN: usize = 64 * 1024;
/// The deepest nesting of arrays and structs.
const MAX_DEPTH: usize = 32;

/// The type of `domain`. It is no type of a message: of what would be signed, only the domain separator would be new.
const DOMAIN_TYPE: &str = "EIP712Domain";

struct EvmTypedData {
    facts: Facts,
    signing_hash: [u8; 32],
}

/// Parses `evm.typed_data`.
pub(in crate::chain) fn parse(
    body: &SignBody<'_>,
    _signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    let raw = body.typed_data.ok_or_else(|| absent("typed_data"))?;
    let mut members = Members::parse("typed_data", raw, MAX_LEN)?;
    let types = Types::parse(members.require("types")?)?;
    let primary_type = members.require("primaryType")?;
    let domain = members.require("domain")?;
    let message = members.require("message")?;
    members.finish()?;

    let (domain, domain_separator) = domain::read(&types, domain)?;
    let primary = types.primary(&primary_type)?;
    let (message, message_hash) = Reader::new(&types).structure(primary, message)?;
    let signing_hash = signing_hash(&domain_separator, &message_hash);
    let facts = Facts::EvmTypedData(EvmTypedDataFacts {
        chain_id: domain.chain_id,
        domain,
        primary_type: primary.name.clone(),
        encode_type: primary.encoded.clone(),
        message,
        domain_separator,
        message_hash,
    });
    Ok(Box::new(EvmTypedData { facts, signing_hash }))
}

fn signing_hash(domain_separator: &[u8; 32], message_hash: &[u8; 32]) -> [u8; 32] {
    keccak256(&[&[0x19, 0x01], domain_separator.as_slice(), message_hash].concat())
}

impl Signable for EvmTypedData {
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
        signed_hash(self.signing_hash, signature)
    }
}
