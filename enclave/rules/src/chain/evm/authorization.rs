//! EIP-7702 authorizations: signed by themselves, and, signed by anyone, as entries of a transaction's list.

use ruint::aliases::U256;

use super::payload::{FieldError, MAX_CHAIN_ID};
use super::rlp::{Reader, RlpError, Writer};
use super::signature::{Scalars, in_range, scalars};
use super::{EvmAddress, fields, keccak256};
use crate::chain::facts::{EvmAuthorizationFacts, EvmSignedAuthorization, Facts};
use crate::chain::json::Members;
use crate::chain::signed::SignedAuthorization;
use crate::chain::{
    Curve, RawSignature, Rejection, SignBody, Signable, Signed, Signer, SigningInput, absent,
};

/// `MAGIC` of EIP-7702: no transaction starts with it, so none can be signed by mistake.
const MAGIC: u8 = 5;
/// The longest `authorization`, in bytes of JSON.
const MAX_JSON_LEN: usize = 4096;
/// The most entries of a list: each costs 25,000 gas, and a transaction may use 2^24 (EIP-7825), 21,000 of it for itself.
const MAX_ENTRIES: usize = 670;
/// The list's name in JSON-RPC.
const LIST: &str = "authorizationList";

/// An authorization, understood.
struct Authorization {
    tuple: EvmAuthorizationFacts,
    facts: Facts,
    signing_hash: [u8; 32],
}

/// Parses `evm.authorization`: `authorization` (`chainId`, `address`, `nonce`; chain id 0 is every chain).
pub(in crate::chain) fn parse(
    body: &SignBody<'_>,
    _signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    let raw = body.authorization.ok_or_else(|| absent("authorization"))?;
    let mut members = Members::parse("authorization", raw, MAX_JSON_LEN)?;
    let tuple = read_members(&mut members)?;
    members.finish()?;
    check(&tuple).map_err(|error| Rejection::new(format!("authorization.{}", error.field), error.message))?;
    let facts = Facts::EvmAuthorization(tuple.clone());
    let signing_hash = keccak256(&write_tuple(&tuple).document(&[MAGIC]));
    Ok(Box::new(Authorization { tuple, facts, signing_hash }))
}

impl Signable for Authorization {
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
        Ok(Signed::EvmAuthorization(SignedAuthorization {
            chain_id: self.tuple.chain_id_or_0(),
            delegate: self.tuple.delegate,
            nonce: self.tuple.nonce,
            r,
            s,
            y_parity,
            signing_hash: self.signing_hash,
        }))
    }
}

/// Takes the members of the tuple. An absent chain id is no 0: that would authorize more than was said.
pub(super) fn read_members(members: &mut Members<'_>) -> Result<EvmAuthorizationFacts, Rejection> {
    let chain_id = members.require("chainId")?.quantity_u64()?;
    let delegate = fields::address(&members.require("address")?)?;
    let nonce = members.require("nonce")?.quantity_u64()?;
    Ok(EvmAuthorizationFacts::new(chain_id, delegate, nonce))
}

/// Reads a transaction's list.
pub(super) fn read_list(fields: &mut Reader<'_>) -> Result<Vec<EvmSignedAuthorization>, FieldError> {
    let mut items = fields.list().map_err(|cause| FieldError::new(LIST, cause.to_string()))?;
    let mut list = Vec::new();
    while !items.is_empty() {
        let index = list.len();
        let entry =
            items.list().map_err(|cause| FieldError::new(format!("{LIST}[{index}]"), cause.to_string()))?;
        list.push(read_entry(index, entry)?);
    }
    Ok(list)
}

fn read_entry(index: usize, mut entry: Reader<'_>) -> Result<EvmSignedAuthorization, FieldError> {
    fn at<T>(index: usize, field: &str, result: Result<T, RlpError>) -> Result<T, FieldError> {
        result.map_err(|cause| FieldError::new(format!("{LIST}[{index}]{field}"), cause.to_string()))
    }
    let chain_id = at(index, ".chainId", entry.u64())?;
    let delegate = EvmAddress::new(at(index, ".address", entry.array())?);
    let nonce = at(index, ".nonce", entry.u64())?;
    let y_parity = match at(index, ".yParity", entry.u64())? {
        0 => false,
        1 => true,
        _ => return Err(FieldError::new(format!("{LIST}[{index}].yParity"), "must be 0 or 1")),
    };
    let r = at(index, ".r", entry.u256())?;
    let s = at(index, ".s", entry.u256())?;
    at(index, "", entry.finish())?;
    let authorization = EvmAuthorizationFacts::new(chain_id, delegate, nonce);
    Ok(EvmSignedAuthorization { authorization, y_parity, r, s })
}

/// The contents of a transaction's list.
pub(super) fn write_list(list: &[EvmSignedAuthorization]) -> Writer {
    let mut items = Writer::default();
    for entry in list {
        let mut item = write_tuple(&entry.authorization);
        item.u64(u64::from(entry.y_parity));
        item.uint(entry.r);
        item.uint(entry.s);
        items.list(&item);
    }
    items
}

/// Checks a transaction's list.
///
/// EIP-7702 lets a chain include entries that it will pass over: scalars out of range, the last nonce. Nobody means to
/// send such an entry, so they are refused here.
pub(super) fn check_list(list: &[EvmSignedAuthorization]) -> Result<(), FieldError> {
    if list.is_empty() || list.len() > MAX_ENTRIES {
        let message = format!("must be 1 to {MAX_ENTRIES} signed authorizations");
        return Err(FieldError::new(LIST, message));
    }
    for (index, entry) in list.iter().enumerate() {
        let in_entry = |field: &str| format!("{LIST}[{index}].{field}");
        check(&entry.authorization)
            .map_err(|error| FieldError::new(in_entry(&error.field), error.message))?;
        if !in_range(entry.r, U256::ONE) {
            return Err(FieldError::new(in_entry("r"), "must be above 0 and below the order of secp256k1"));
        }
        if !in_range(U256::ONE, entry.s) {
            let message = "must be above 0 and at most half the order of secp256k1 (EIP-2)";
            return Err(FieldError::new(in_entry("s"), message));
        }
    }
    Ok(())
}

fn check(authorization: &EvmAuthorizationFacts) -> Result<(), FieldError> {
    if authorization.chain_id_or_0() > MAX_CHAIN_ID {
        return Err(FieldError::new("chainId", "must be at most 2^63 - 19"));
    }
    if authorization.nonce == u64::MAX {
        return Err(FieldError::new("nonce", "must be below 2^64 - 1 (EIP-2681)"));
    }
    Ok(())
}

/// The contents of the list that is signed.
fn write_tuple(authorization: &EvmAuthorizationFacts) -> Writer {
    let mut tuple = Writer::default();
    tuple.u64(authorization.chain_id_or_0());
    tuple.bytes(authorization.delegate.as_bytes());
    tuple.u64(authorization.nonce);
    tuple
}
