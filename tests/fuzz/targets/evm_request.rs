//! Requests for signatures on EVM chains: no panic, and what is signed says what was read.
//!
//! An input is taken for the unsigned bytes of a transaction, and for the JSON of each member of a sign request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{json, value::RawValue};
use signer_rules::chain::{Facts, RawSignature, SignBody, Signer, evm::EvmAddress, facts, parse};

/// An r and an s that every chain takes.
const SIGNATURE: RawSignature = RawSignature::Secp256k1 { r: [1; 32], s: [1; 32], y_parity: true };

fuzz_target!(init: signer_fuzz::write_if_asked(seeds), |data: &[u8]| {
    let hex = format!("0x{}", hex::encode(data));
    sign(facts::EVM_TRANSACTION, &SignBody { unsigned: Some(&hex), ..SignBody::default() });
    sign(facts::EVM_MESSAGE, &SignBody { message: Some(&hex), ..SignBody::default() });
    let Ok(text) = std::str::from_utf8(data) else { return };
    sign(facts::EVM_MESSAGE, &SignBody { text: Some(text), ..SignBody::default() });
    sign(facts::RAW_DIGEST, &SignBody { digest: Some(text), ..SignBody::default() });
    let Ok(raw) = serde_json::from_str::<&RawValue>(text) else { return };
    sign(facts::EVM_TRANSACTION, &SignBody { transaction: Some(raw), ..SignBody::default() });
    sign(facts::EVM_AUTHORIZATION, &SignBody { authorization: Some(raw), ..SignBody::default() });
    sign(facts::EVM_TYPED_DATA, &SignBody { typed_data: Some(raw), ..SignBody::default() });
});

fn sign(kind: &str, body: &SignBody<'_>) {
    let signer = Signer { evm_address: Some(EvmAddress::new([0x42; 20])), ed25519: None };
    let Ok(signable) = parse(kind, body, &signer) else { return };
    assert_eq!(signable.facts().operation(), kind);
    serde_json::to_string(signable.facts()).expect("facts have a JSON");
    signable.finish(&SIGNATURE).expect("the signature is one that chains take");
    if let Facts::Evm(transaction) = signable.facts() {
        assert_eq!(transaction.creates_contract, transaction.to.is_none());
        assert!(transaction.max_cost >= transaction.value, "the cost has the value in it");
    }
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let transaction = json!({
        "chainId": 1, "nonce": "0x0", "to": "0x3535353535353535353535353535353535353535", "value": "1", "gas": "0x5208",
        "maxFeePerGas": "20000000000", "maxPriorityFeePerGas": "1000000000", "input": "0xa9059cbb",
        "accessList": [{"address": "0x3535353535353535353535353535353535353535", "storageKeys": []}],
    });
    let authorization =
        json!({"chainId": 1, "address": "0x3535353535353535353535353535353535353535", "nonce": "0x1"});
    let typed_data = json!({
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
            "Mail": [{"name": "to", "type": "Person[]"}, {"name": "contents", "type": "string"}],
            "Person": [{"name": "wallet", "type": "address"}, {"name": "age", "type": "int8"}],
        },
        "primaryType": "Mail", "domain": {"name": "Mail", "chainId": 1},
        "message": {"to": [{"wallet": "0x3535353535353535353535353535353535353535", "age": "-1"}], "contents": "x"},
    });
    let legacy = "e9098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080";
    vec![
        ("transaction", transaction.to_string().into_bytes()),
        ("authorization", authorization.to_string().into_bytes()),
        ("typed-data", typed_data.to_string().into_bytes()),
        ("legacy", hex::decode(legacy).expect("hexadecimal")),
    ]
}
