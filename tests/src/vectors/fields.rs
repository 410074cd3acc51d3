//! ethers' transactions as the fields of a sign request.

use serde_json::{Map, Value, json};

use super::Error;

/// A number of a case: absent, `"0x"`, hex with any leading zeros, or a JSON number.
pub(super) fn digits(value: Option<&Value>) -> Result<String, Error> {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::Number(number)) => format!("{:x}", number.as_u64().ok_or("not a natural number")?),
        Some(Value::String(text)) => {
            text.strip_prefix("0x").ok_or_else(|| format!("{text}: no 0x"))?.to_ascii_lowercase()
        }
        Some(other) => return Err(format!("{other}: not a number").into()),
    };
    Ok(text.trim_start_matches('0').to_owned())
}

/// The number as JSON-RPC writes it.
pub(super) fn quantity(value: Option<&Value>) -> Result<Value, Error> {
    let digits = digits(value)?;
    Ok(json!(format!("0x{}", if digits.is_empty() { "0" } else { &digits })))
}

/// What all types have in common. A number that a case leaves out is 0.
pub(super) fn common(transaction: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let mut fields = Map::new();
    fields.insert("nonce".to_owned(), quantity(transaction.get("nonce"))?);
    fields.insert("gas".to_owned(), quantity(transaction.get("gasLimit"))?);
    fields.insert("value".to_owned(), quantity(transaction.get("value"))?);
    fields.insert("input".to_owned(), transaction.get("data").cloned().unwrap_or_else(|| json!("0x")));
    if let Some(to) = recipient(transaction) {
        fields.insert("to".to_owned(), json!(to));
    }
    Ok(fields)
}

fn recipient(transaction: &Map<String, Value>) -> Option<&str> {
    transaction.get("to").and_then(Value::as_str).filter(|to| !matches!(*to, "" | "0x"))
}

/// The kind of refusal that the fields call for, in the order in which they are read.
pub(super) fn refusal(
    transaction: &Map<String, Value>,
    chain_id: Option<&Value>,
) -> Result<Option<&'static str>, Error> {
    let no_code =
        transaction.get("data").and_then(Value::as_str).is_none_or(|data| matches!(data, "" | "0x"));
    Ok(if digits(transaction.get("gasLimit"))?.len() > 16 {
        Some(GAS)
    } else if chain_id.is_some() && digits(chain_id)?.is_empty() {
        Some(CHAIN_0)
    } else if recipient(transaction).is_none() && no_code {
        Some(NO_INIT_CODE)
    } else {
        None
    })
}

pub(super) const GAS: &str = "gas of 2^64 or more";
pub(super) const GAS_WHY: &str = "no block has so much gas, and geth takes no such number";
pub(super) const CHAIN_0: &str = "chain id 0";
pub(super) const CHAIN_0_WHY: &str = "there is no such chain, and in EIP-7702 the number means every chain: not a word for rules to be unsure about";
pub(super) const NO_INIT_CODE: &str = "contract creation without init code";
pub(super) const NO_INIT_CODE_WHY: &str =
    "a forgotten recipient: it would make an empty contract and lose the value for good";
