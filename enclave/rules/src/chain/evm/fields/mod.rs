//! EVM transactions given as JSON fields with the names of Ethereum's JSON-RPC.
//!
//! `type`? `chainId` `nonce` `to`? `value`? `gas`|`gasLimit` `input`|`data`? `from`?, fees by type: `gasPrice` |
//! `maxFeePerGas` and `maxPriorityFeePerGas`, and, where the type has it: `accessList`?, `maxFeePerBlobGas` and
//! `blobVersionedHashes`, `authorizationList`. `null` means absent, except that a legacy transaction must say
//! `"chainId": null` to go without replay protection, and one that creates an empty contract `"to": null`. Two names for one field may both be there if they agree.

mod kind;
mod lists;

use serde_json::value::RawValue;

use super::payload::Payload;
use super::{EvmAddress, MAX_UNSIGNED_LEN};
use crate::chain::Rejection;
use crate::chain::facts::{EvmBlobs, EvmFees, EvmTransactionKind};
use crate::chain::json::{Members, Value};

/// JSON takes two characters a byte of input, and less than four a byte of a list.
const MAX_JSON_LEN: usize = 4 * MAX_UNSIGNED_LEN;

/// Reads the fields; whether their values make sense together is checked on the encoded transaction. A transaction
/// without `chainId` is for `default_chain_id`, if that is known.
pub(super) fn read_payload(
    transaction: &RawValue,
    signer: Option<EvmAddress>,
    default_chain_id: Option<u64>,
) -> Result<Payload, Rejection> {
    let mut members = Members::parse("transaction", transaction, MAX_JSON_LEN)?;
    let kind = kind::choose(&mut members)?;
    let to = members.take_nullable("to");
    let payload = Payload {
        kind,
        chain_id: read_chain_id(&mut members, kind, default_chain_id)?,
        nonce: members.require("nonce")?.quantity_u64()?,
        fees: read_fees(&mut members, kind)?,
        gas: either(&mut members, "gas", "gasLimit", Value::quantity_u64)?
            .ok_or_else(|| members.missing("gas"))?,
        to: to.as_ref().filter(|value| !value.is_null()).map(address).transpose()?,
        value: members.take("value").map(|value| value.quantity()).transpose()?.unwrap_or_default(),
        input: either(&mut members, "input", "data", Value::bytes)?.unwrap_or_default(),
        access_list: members.take("accessList").map(lists::access_list).transpose()?.unwrap_or_default(),
        blobs: read_blobs(&mut members, kind)?,
        authorization_list: match kind {
            EvmTransactionKind::Eip7702 => lists::authorizations(members.require("authorizationList")?)?,
            _ => Vec::new(),
        },
    };
    // Most likely a forgotten recipient; the value would be lost in an empty contract.
    let may_create = !matches!(kind, EvmTransactionKind::Eip4844 | EvmTransactionKind::Eip7702);
    if may_create && to.is_none() && payload.input.is_empty() {
        return Err(Rejection {
            message: "must be the init code, since without `to` a contract is created (\"to\": null makes an empty one)"
                .to_owned(),
            ..members.missing("input")
        });
    }
    let from = members.take("from");
    members.finish()?;
    check_from(from.as_ref(), signer)?;
    Ok(payload)
}

pub(super) fn address(value: &Value<'_>) -> Result<EvmAddress, Rejection> {
    value.string()?.parse().map_err(|cause: super::EvmAddressError| value.reject(cause.to_string()))
}

fn read_chain_id(
    members: &mut Members<'_>,
    kind: EvmTransactionKind,
    default: Option<u64>,
) -> Result<Option<u64>, Rejection> {
    match members.take_nullable("chainId") {
        None if default.is_some() => Ok(default),
        Some(value) if value.is_null() && kind == EvmTransactionKind::Legacy => Ok(None),
        Some(value) if value.is_null() => Err(members.missing("chainId")),
        Some(value) => value.quantity_u64().map(Some),
        None if kind == EvmTransactionKind::Legacy => Err(Rejection {
            message:
                "is missing: name the chain, or send null for a transaction that is valid on every chain"
                    .to_owned(),
            ..members.missing("chainId")
        }),
        None => Err(members.missing("chainId")),
    }
}

fn read_fees(members: &mut Members<'_>, kind: EvmTransactionKind) -> Result<EvmFees, Rejection> {
    match kind {
        EvmTransactionKind::Legacy | EvmTransactionKind::Eip2930 => {
            Ok(EvmFees::GasPrice { gas_price: members.require("gasPrice")?.quantity()? })
        }
        EvmTransactionKind::Eip1559 | EvmTransactionKind::Eip4844 | EvmTransactionKind::Eip7702 => {
            Ok(EvmFees::Dynamic {
                max_fee_per_gas: members.require("maxFeePerGas")?.quantity()?,
                max_priority_fee_per_gas: members.require("maxPriorityFeePerGas")?.quantity()?,
            })
        }
    }
}

fn read_blobs(members: &mut Members<'_>, kind: EvmTransactionKind) -> Result<Option<EvmBlobs>, Rejection> {
    if kind != EvmTransactionKind::Eip4844 {
        return Ok(None);
    }
    Ok(Some(EvmBlobs {
        max_fee_per_blob_gas: members.require("maxFeePerBlobGas")?.quantity()?,
        blob_versioned_hashes: lists::words(members.require("blobVersionedHashes")?)?,
    }))
}

fn check_from(from: Option<&Value<'_>>, signer: Option<EvmAddress>) -> Result<(), Rejection> {
    let Some(from) = from else { return Ok(()) };
    let given = address(from)?;
    let Some(signer) = signer.filter(|signer| *signer != given) else { return Ok(()) };
    Err(from.reject(format!("is not the signing account: that is {signer}")))
}

/// A field with two names. Clients that send both send the same; if not, they would not know what they sign.
fn either<'a, T: PartialEq>(
    members: &mut Members<'a>,
    name: &str,
    alias: &str,
    read: impl Fn(&Value<'a>) -> Result<T, Rejection>,
) -> Result<Option<T>, Rejection> {
    let named = members.take(name).map(|value| read(&value)).transpose()?;
    let Some(aliased) = members.take(alias) else { return Ok(named) };
    let value = read(&aliased)?;
    if named.is_some_and(|named| named != value) {
        return Err(aliased.reject(format!("differs from {name}: send one of them")));
    }
    Ok(Some(value))
}
