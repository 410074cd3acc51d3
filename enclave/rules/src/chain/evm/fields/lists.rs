//! The lists among the fields of a transaction.

use ruint::aliases::U256;

use super::address;
use crate::chain::Rejection;
use crate::chain::evm::authorization;
use crate::chain::facts::{AccessListItem, EvmSignedAuthorization};
use crate::chain::json::{Members, Value};

/// `accessList`: objects of `address` and `storageKeys`.
pub(super) fn access_list(value: Value<'_>) -> Result<Vec<AccessListItem>, Rejection> {
    value.array()?.map(access_list_item).collect()
}

/// `authorizationList`: objects of `chainId`, `address`, `nonce`, `yParity`, `r`, `s`, as `evm.authorization` is answered.
pub(super) fn authorizations(value: Value<'_>) -> Result<Vec<EvmSignedAuthorization>, Rejection> {
    value.array()?.map(signed_authorization).collect()
}

/// Strings of 32 bytes.
pub(super) fn words(value: Value<'_>) -> Result<Vec<[u8; 32]>, Rejection> {
    value.array()?.map(|word| word_of(&word)).collect()
}

fn access_list_item(value: Value<'_>) -> Result<AccessListItem, Rejection> {
    let mut members = value.object()?;
    let address = address(&members.require("address")?)?;
    let keys = members.require("storageKeys")?;
    members.finish()?;
    Ok(AccessListItem { address, storage_keys: words(keys)? })
}

fn word_of(value: &Value<'_>) -> Result<[u8; 32], Rejection> {
    value.bytes()?.try_into().map_err(|_| value.reject("must be 32 bytes"))
}

fn signed_authorization(value: Value<'_>) -> Result<EvmSignedAuthorization, Rejection> {
    let mut members = value.object()?;
    let authorization = authorization::read_members(&mut members)?;
    let y_parity = read_parity(&mut members)?;
    let r = scalar(&members.require("r")?)?;
    let s = scalar(&members.require("s")?)?;
    members.finish()?;
    Ok(EvmSignedAuthorization { authorization, y_parity, r, s })
}

/// A quantity, or exactly 32 bytes: libraries show signatures in the latter form, and refusing it would refuse one
/// signature in a hundred, the ones whose scalar starts with a zero.
fn scalar(value: &Value<'_>) -> Result<U256, Rejection> {
    match value.bytes().ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
        Some(bytes) => Ok(U256::from_be_bytes(bytes)),
        None => value.quantity(),
    }
}

/// `yParity`. viem sends `v` where a signature has only that, and some nodes list both.
fn read_parity(members: &mut Members<'_>) -> Result<bool, Rejection> {
    let parity = members.take("yParity").map(|value| bit(&value, 0)).transpose()?;
    let Some(v) = members.take("v") else { return parity.ok_or_else(|| members.missing("yParity")) };
    let of_v = bit(&v, 27)?;
    if parity.is_some_and(|parity| parity != of_v) {
        return Err(v.reject("differs from yParity: send yParity alone"));
    }
    Ok(of_v)
}

/// Whether a quantity is `zero` or one more.
fn bit(value: &Value<'_>, zero: u64) -> Result<bool, Rejection> {
    match value.quantity_u64()?.checked_sub(zero) {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(value.reject(format!("must be {zero} or one more"))),
    }
}
