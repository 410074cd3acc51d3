//! `@ethersproject/testcases`, eip712: digests of typed data, as ethers sends them.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json, value::to_raw_value};

use super::{Error, Tally, bytes, key::Key, read};

/// The members of a domain, in the order of EIP-712.
const DOMAIN: [(&str, &str); 5] = [
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
];

/// For the cases that name no key: the digest is what is compared.
const ANY_KEY: &str = "0x0000000000000000000000000000000000000000000000000000000000000001";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    domain: Map<String, Value>,
    types: Map<String, Value>,
    primary_type: String,
    data: Value,
    digest: String,
    private_key: Option<String>,
    signature: Option<String>,
}

/// Digests, and the signature where there is one.
pub(super) fn digests(folder: &Path) -> Result<Tally, Error> {
    let mut tally = Tally::new("ethers eip712", &[]);
    for case in read::<Vec<Case>>(folder, "ethers/eip712.json")? {
        let key = Key::parse(case.private_key.as_deref().unwrap_or(ANY_KEY))?;
        let signed = key.sign_typed_data(&to_raw_value(&typed_data(&case))?);
        let made = signed.map(|(digest, signature)| {
            (digest.to_vec(), case.signature.is_some().then(|| signature.to_vec()))
        });
        let signature = case.signature.as_deref().map(bytes).transpose()?;
        tally.judge(&case.name, None, made, &(bytes(&case.digest)?, signature));
    }
    Ok(tally)
}

/// The object that ethers makes of a domain, types and a value: the domain's type from the members that are there.
fn typed_data(case: &Case) -> Value {
    let domain: Vec<Value> = DOMAIN
        .iter()
        .filter(|(name, _)| case.domain.contains_key(*name))
        .map(|(name, of)| json!({"name": name, "type": of}))
        .collect();
    let mut types = case.types.clone();
    types.insert("EIP712Domain".to_owned(), json!(domain));
    json!({"types": types, "domain": case.domain, "primaryType": case.primary_type, "message": case.data})
}
