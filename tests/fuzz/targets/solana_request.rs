//! Requests for signatures on Solana: no panic, and every message has one reading.
#![no_main]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;
use serde_json::value::to_raw_value;
use signer_rules::chain::{RawSignature, SignBody, Signer, SigningInput, facts, parse};

const KEY: [u8; 32] = [7; 32];

fuzz_target!(init: signer_fuzz::write_if_asked(seeds), |data: &[u8]| {
    let text = STANDARD.encode(data);
    let transaction = to_raw_value(&text).expect("a string is JSON");
    sign(facts::SOLANA_TRANSACTION, &SignBody { transaction: Some(&transaction), ..SignBody::default() }, data);
    sign(facts::SOLANA_OFFCHAIN_MESSAGE, &SignBody { message: Some(&text), ..SignBody::default() }, data);
    sign(facts::RAW_MESSAGE, &SignBody { message: Some(&text), ..SignBody::default() }, data);
});

fn sign(kind: &str, body: &SignBody<'_>, data: &[u8]) {
    let signer = Signer { evm_address: None, ed25519: Some(KEY) };
    let Ok(signable) = parse(kind, body, &signer) else { return };
    assert_eq!(signable.facts().operation(), kind);
    serde_json::to_string(signable.facts()).expect("facts have a JSON");
    let SigningInput::Message(message) = signable.signing_input() else { panic!("Ed25519 signs messages") };
    // What is signed is what was sent, and nothing that was made of it.
    assert!(data.ends_with(message) || kind == facts::RAW_MESSAGE);
    signable.finish(&RawSignature::Ed25519([9; 64])).expect("a signature has a place");
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    // A transfer of one lamport from KEY: one signature, a legacy message, three keys, one instruction.
    let mut message = vec![1, 0, 1, 3];
    message.extend(KEY);
    message.extend([8; 32]);
    message.extend([0; 32]);
    message.extend([5; 32]);
    message.extend([1, 2, 2, 0, 1, 12, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let transaction = |message: &[u8]| [&[1][..], &[0; 64], message].concat();
    let mut versioned = vec![0x80];
    versioned.extend(&message);
    versioned.push(0);
    vec![
        ("transfer", transaction(&message)),
        ("transfer-v0", transaction(&versioned)),
        ("offchain", [&b"\xffsolana offchain\0\0"[..], &[5, 0], b"hello"].concat()),
    ]
}
