//! `@ethersproject/testcases`, typed-transactions: EIP-2930 and EIP-1559.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json, value::to_raw_value};
use signer_rules::chain::SignBody;

use super::{Error, Refusal, Tally, bytes, fields, key::Key, read};

const TABLE: &[Refusal] = &[];

#[derive(Deserialize)]
struct Case {
    name: String,
    key: String,
    address: String,
    unsigned: String,
    signed: String,
    tx: Map<String, Value>,
}

/// As unsigned serializations.
pub(super) fn unsigned(folder: &Path) -> Result<Tally, Error> {
    judge(folder, "ethers typed-transactions, unsigned bytes", |key, case| {
        let body = SignBody { unsigned: Some(&case.unsigned), ..SignBody::default() };
        Ok(key.sign_transaction(&body))
    })
}

/// As JSON fields.
pub(super) fn fields(folder: &Path) -> Result<Tally, Error> {
    judge(folder, "ethers typed-transactions, fields", |key, case| {
        let transaction = to_raw_value(&fields_of(&case.tx)?)?;
        Ok(key.sign_transaction(&SignBody { transaction: Some(&transaction), ..SignBody::default() }))
    })
}

fn fields_of(tx: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let mut fields = fields::common(tx)?;
    let fees: &[&str] = match tx.get("type").and_then(Value::as_u64) {
        Some(1) => &["gasPrice"],
        // Where a case gives a gas price, ethers takes it for both.
        Some(2) => &["maxFeePerGas", "maxPriorityFeePerGas"],
        other => return Err(format!("type {other:?}").into()),
    };
    for fee in fees {
        let value = tx.get(*fee).or_else(|| tx.get("gasPrice"));
        fields.insert((*fee).to_owned(), fields::quantity(value)?);
    }
    fields.insert("type".to_owned(), fields::quantity(tx.get("type"))?);
    fields.insert("chainId".to_owned(), fields::quantity(tx.get("chainId"))?);
    fields.insert("accessList".to_owned(), tx.get("accessList").cloned().unwrap_or_else(|| json!([])));
    Ok(fields)
}

fn judge(
    folder: &Path,
    name: &'static str,
    sign: impl Fn(&Key, &Case) -> Result<Result<Vec<u8>, String>, Error>,
) -> Result<Tally, Error> {
    let mut tally = Tally::new(name, TABLE);
    for case in read::<Vec<Case>>(folder, "ethers/typed-transactions.json")? {
        let key = Key::parse(&case.key)?;
        if key.address()?.as_bytes().as_slice() != bytes(&case.address)? {
            return Err(format!("{}: another address", case.name).into());
        }
        let expected = fields::refusal(&case.tx)?;
        tally.judge(&case.name, expected, sign(&key, &case)?, &bytes(&case.signed)?);
    }
    Ok(tally)
}
