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
    // `null` where there is none: some cases make an empty contract, which has to be asked for.
    fields.insert("to".to_owned(), json!(recipient(transaction)));
    Ok(fields)
}

fn recipient(transaction: &Map<String, Value>) -> Option<&str> {
    transaction.get("to").and_then(Value::as_str).filter(|to| !matches!(*to, "" | "0x"))
}

/// The kind of refusal that the fields call for.
pub(super) fn refusal(transaction: &Map<String, Value>) -> Result<Option<&'static str>, Error> {
    Ok((digits(transaction.get("gasLimit"))?.len() > 16).then_some(GAS))
}

pub(super) const GAS: &str = "gas of 2^64 or more";
pub(super) const GAS_WHY: &str = "no block has so much gas, and geth takes no such number";
