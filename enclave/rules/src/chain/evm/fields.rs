//! EVM transactions given as JSON fields with the names of Ethereum's JSON-RPC.
//!
//! `type`? `chainId` `nonce` `to`? `value`? `gas`|`gasLimit` `gasPrice` | `maxFeePerGas` and `maxPriorityFeePerGas`
//! `input`|`data`? `accessList`? `from`?. `null` means absent, except that a legacy transaction must say `"chainId": null`
//! to go without replay protection. Two names for one field may both be there if they agree.

use serde_json::value::RawValue;

use super::payload::Payload;
use super::{EvmAddress, MAX_UNSIGNED_LEN};
use crate::chain::Rejection;
use crate::chain::facts::{AccessListItem, EvmFees};
use crate::chain::json::{Members, Value};

/// JSON takes two characters a byte of input, and less than three a byte of an access list.
const MAX_JSON_LEN: usize = 4 * MAX_UNSIGNED_LEN;

/// Reads the fields; whether they make sense together is checked on the encoded transaction.
pub(super) fn read_payload(
    transaction: &RawValue,
    signer: Option<EvmAddress>,
    default_chain_id: Option<u64>,
) -> Result<Payload, Rejection> {
    let mut members = Members::parse("transaction", transaction, MAX_JSON_LEN)?;
    let typed = members.take("type");
    let chain_id = members.take_nullable("chainId");
    let default_chain_id = default_chain_id.filter(|_| chain_id.is_none());
    let nonce = members.require("nonce")?.quantity_u64()?;
    let fees = read_fees(&mut members)?;
    let gas = either(&mut members, "gas", "gasLimit", Value::quantity_u64)?
        .ok_or_else(|| members.missing("gas"))?;
    let to = members.take("to").map(|value| address(&value)).transpose()?;
    let value = members.take("value").map(|value| value.quantity()).transpose()?.unwrap_or_default();
    let input = either(&mut members, "input", "data", Value::bytes)?.unwrap_or_default();
    let access_list = members.take("accessList");
    let from = members.take("from");
    let no_chain_id = members.missing("chainId");
    members.finish()?;

    check_type(typed.as_ref(), fees)?;
    check_from(from.as_ref(), signer)?;
    Ok(Payload {
        chain_id: match default_chain_id {
            Some(chain_id) => Some(chain_id),
            None => read_chain_id(chain_id.as_ref(), fees, no_chain_id)?,
        },
        nonce,
        fees,
        gas,
        to,
        value,
        input,
        access_list: read_access_list(access_list, fees)?,
    })
}

fn read_fees(members: &mut Members<'_>) -> Result<EvmFees, Rejection> {
    let gas_price = members.take("gasPrice");
    let max_fee = members.take("maxFeePerGas");
    let max_priority_fee = members.take("maxPriorityFeePerGas");
    match (gas_price, max_fee, max_priority_fee) {
        (Some(price), None, None) => Ok(EvmFees::GasPrice { gas_price: price.quantity()? }),
        (None, Some(max), Some(priority)) => Ok(EvmFees::Dynamic {
            max_fee_per_gas: max.quantity()?,
            max_priority_fee_per_gas: priority.quantity()?,
        }),
        (Some(price), ..) => {
            Err(price.reject("excludes maxFeePerGas and maxPriorityFeePerGas: send one or the others"))
        }
        (None, Some(_), None) => Err(members.missing("maxPriorityFeePerGas")),
        (None, None, _) => Err(members.missing("maxFeePerGas")),
    }
}

/// `type` is optional, but may not contradict the fees.
fn check_type(typed: Option<&Value<'_>>, fees: EvmFees) -> Result<(), Rejection> {
    let Some(typed) = typed else { return Ok(()) };
    match (typed.quantity_u64()?, fees) {
        (0, EvmFees::GasPrice { .. }) | (2, EvmFees::Dynamic { .. }) => Ok(()),
        (0, _) => {
            Err(typed.reject("is 0x0, which takes gasPrice instead of maxFeePerGas and maxPriorityFeePerGas"))
        }
        (2, _) => {
            Err(typed.reject("is 0x2, which takes maxFeePerGas and maxPriorityFeePerGas instead of gasPrice"))
        }
        _ => Err(typed.reject("is not supported yet: use 0x2 (EIP-1559) or 0x0 (legacy)")),
    }
}

fn check_from(from: Option<&Value<'_>>, signer: Option<EvmAddress>) -> Result<(), Rejection> {
    let Some(from) = from else { return Ok(()) };
    let given = address(from)?;
    let Some(signer) = signer.filter(|signer| *signer != given) else { return Ok(()) };
    Err(from.reject(format!("is not the signing account: that is {signer}")))
}

fn read_chain_id(
    value: Option<&Value<'_>>,
    fees: EvmFees,
    missing: Rejection,
) -> Result<Option<u64>, Rejection> {
    match (value, fees) {
        (Some(value), _) if !value.is_null() => value.quantity_u64().map(Some),
        (Some(_), EvmFees::GasPrice { .. }) => Ok(None),
        (None, EvmFees::GasPrice { .. }) => Err(Rejection {
            message:
                "is missing: name the chain, or send null for a transaction that is valid on every chain"
                    .to_owned(),
            ..missing
        }),
        (_, EvmFees::Dynamic { .. }) => Err(missing),
    }
}

fn read_access_list(value: Option<Value<'_>>, fees: EvmFees) -> Result<Vec<AccessListItem>, Rejection> {
    match (value, fees) {
        (None, _) => Ok(Vec::new()),
        (Some(value), EvmFees::GasPrice { .. }) => Err(value.reject(
            "is not supported yet with gasPrice (EIP-2930): send maxFeePerGas and maxPriorityFeePerGas",
        )),
        (Some(value), EvmFees::Dynamic { .. }) => value.array()?.map(read_access_list_item).collect(),
    }
}

fn read_access_list_item(value: Value<'_>) -> Result<AccessListItem, Rejection> {
    let mut members = value.object()?;
    let address = address(&members.require("address")?)?;
    let keys = members.require("storageKeys")?;
    members.finish()?;
    let storage_keys = keys.array()?.map(|key| storage_key(&key)).collect::<Result<_, _>>()?;
    Ok(AccessListItem { address, storage_keys })
}

fn storage_key(value: &Value<'_>) -> Result<[u8; 32], Rejection> {
    value.bytes()?.try_into().map_err(|_| value.reject("must be 32 bytes"))
}

fn address(value: &Value<'_>) -> Result<EvmAddress, Rejection> {
    value.string()?.parse().map_err(|cause: super::EvmAddressError| value.reject(cause.to_string()))
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
