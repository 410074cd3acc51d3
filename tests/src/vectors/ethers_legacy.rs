//! `@ethersproject/testcases`, transactions: each without EIP-155 and for chain 5.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json, value::to_raw_value};
use signer_rules::chain::SignBody;

use super::{
    Error, Refusal, Tally, bytes,
    fields::{self, GAS, GAS_WHY},
    key::Key,
    read,
};

// 83 transactions, each without a chain and for chain 5.
const TABLE: &[Refusal] = &[Refusal { kind: GAS, count: 166, says: "gas", why: GAS_WHY }];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    private_key: String,
    account_address: String,
    unsigned_transaction: String,
    signed_transaction: String,
    unsigned_transaction_chain_id5: String,
    signed_transaction_chain_id5: String,
    #[serde(flatten)]
    transaction: Map<String, Value>,
}

/// As unsigned serializations.
pub(super) fn unsigned(folder: &Path) -> Result<Tally, Error> {
    judge(folder, "ethers transactions, unsigned bytes", |key, case, chain_id| {
        let unsigned = match chain_id {
            None => &case.unsigned_transaction,
            Some(_) => &case.unsigned_transaction_chain_id5,
        };
        Ok(key.sign_transaction(&SignBody { unsigned: Some(unsigned), ..SignBody::default() }))
    })
}

/// As JSON fields.
pub(super) fn fields(folder: &Path) -> Result<Tally, Error> {
    judge(folder, "ethers transactions, fields", |key, case, chain_id| {
        let mut fields = fields::common(&case.transaction)?;
        fields.insert("gasPrice".to_owned(), fields::quantity(case.transaction.get("gasPrice"))?);
        fields.insert("chainId".to_owned(), json!(chain_id));
        let transaction = to_raw_value(&fields)?;
        Ok(key.sign_transaction(&SignBody { transaction: Some(&transaction), ..SignBody::default() }))
    })
}

type Outcome = Result<Result<Vec<u8>, String>, Error>;

fn judge(
    folder: &Path,
    name: &'static str,
    sign: impl Fn(&Key, &Case, Option<u64>) -> Outcome,
) -> Result<Tally, Error> {
    let mut tally = Tally::new(name, TABLE);
    for case in read::<Vec<Case>>(folder, "ethers/transactions.json")? {
        let key = Key::parse(&case.private_key)?;
        if key.address()?.as_bytes().as_slice() != bytes(&case.account_address)? {
            return Err(format!("{}: another address", case.name).into());
        }
        let expected = fields::refusal(&case.transaction)?;
        for (chain_id, published) in
            [(None, &case.signed_transaction), (Some(5), &case.signed_transaction_chain_id5)]
        {
            let label = chain_id.map_or("no chain".to_owned(), |id: u64| format!("chain {id}"));
            let label = format!("{}, {label}", case.name);
            tally.judge(label, expected, sign(&key, &case, chain_id)?, &bytes(published)?);
        }
    }
    Ok(tally)
}
