//! Golden vectors and helpers; tables of malformed inputs and comparisons with alloy are beside.

mod against_alloy;
mod authorization;
mod malformed;
mod malformed_types;
mod types;

use k256::ecdsa::SigningKey;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::*;
use crate::chain::evm::signature::{HALF_ORDER, ORDER};
use crate::chain::facts::{ChainScope, EvmFees, EvmTransactionFacts, EvmTransactionKind};
use crate::chain::parse;

/// EIP-155's example account: private key 0x46…46.
const SIGNER: Signer = Signer {
    evm_address: Some(EvmAddress::new([
        0x9d, 0x8a, 0x62, 0xf6, 0x56, 0xa8, 0xd1, 0x61, 0x5c, 0x12, 0x94, 0xfd, 0x71, 0xe9, 0xcf, 0xb3, 0xe4,
        0x85, 0x5a, 0x4f,
    ])),
    ed25519: None,
};

fn key() -> SigningKey {
    SigningKey::from_slice(&[0x46; 32]).unwrap()
}

fn sign(hash: &[u8; 32]) -> RawSignature {
    sign_with(&key(), hash)
}

fn sign_with(key: &SigningKey, hash: &[u8; 32]) -> RawSignature {
    let (signature, id) = key.sign_prehash_recoverable(hash);
    let (r, s) = signature.split_bytes();
    RawSignature::Secp256k1 { r: r.into(), s: s.into(), y_parity: id.is_y_odd() }
}

fn parse_fields(fields: &serde_json::Value) -> Result<Box<dyn Signable>, Rejection> {
    parse_raw(&to_raw_value(fields).unwrap())
}

fn parse_raw(fields: &RawValue) -> Result<Box<dyn Signable>, Rejection> {
    parse("evm.transaction", &SignBody { transaction: Some(fields), ..SignBody::default() }, &SIGNER)
}

fn parse_unsigned(unsigned: &str) -> Result<Box<dyn Signable>, Rejection> {
    parse("evm.transaction", &SignBody { unsigned: Some(unsigned), ..SignBody::default() }, &SIGNER)
}

fn hash_of(signable: &dyn Signable) -> [u8; 32] {
    match signable.signing_input() {
        SigningInput::Prehash(hash) => hash,
        SigningInput::Message(_) => panic!("expected a prehash"),
    }
}

fn facts_of(signable: &dyn Signable) -> &EvmTransactionFacts {
    let Facts::Evm(facts) = signable.facts() else { panic!("another chain's facts") };
    facts
}

/// The example of EIP-155.
fn eip_155() -> serde_json::Value {
    json!({
        "nonce": 9, "gasPrice": "20000000000", "gas": "0x5208", "to": "0x3535353535353535353535353535353535353535",
        "value": "0xde0b6b3a7640000", "input": "0x", "chainId": "0x1",
    })
}

fn eip_1559() -> serde_json::Value {
    json!({
        "type": "0x2", "chainId": 1, "nonce": "0x0", "maxFeePerGas": "30000000000", "maxPriorityFeePerGas": "1000000000",
        "gas": "90000", "to": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "value": "0x0",
        "data": format!("0xa9059cbb{}", "00".repeat(64)),
        "accessList": [{"address": "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "storageKeys": [format!("0x{}", "11".repeat(32))]}],
    })
}

#[test]
fn the_example_of_eip_155_is_signed_as_published() {
    let unsigned =
        "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080";
    let published = "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340b\
                     d939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc6421\
                     4b297fb1966a3b6d83";
    for signable in [parse_fields(&eip_155()).unwrap(), parse_unsigned(unsigned).unwrap()] {
        let hash = hash_of(&*signable);
        assert_eq!(hex::encode(hash), "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
        let signed = signable.finish(&sign(&hash)).unwrap();
        assert_eq!(
            serde_json::to_value(&signed).unwrap(),
            json!({
                "signature": {
                    "r": "0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276",
                    "s": "0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
                    "yParity": 0,
                    "v": "0x25",
                },
                "signing_hash": "0xdaf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53",
                "signed_transaction": published,
                "transaction_hash": "0x33469b22e9f636356c4160a87eb19df52b7412e8eac32a4a55ffe88ea8350788",
            })
        );
    }
}

/// `eip1559-random-210` of npm `@ethersproject/testcases` 5.8.0 (whose other 2,639 supported vectors agree as well).
#[test]
fn a_published_eip_1559_transaction_is_signed_byte_for_byte() {
    let secret = hex::decode("89d88ace1b5438c454462accaafaea14e3cfb478834b0f01a86df6e2a7473ab9").unwrap();
    let fields = json!({
        "type": 2, "data": "0x52c38d", "gasLimit": "0x3f", "maxPriorityFeePerGas": "0x99", "maxFeePerGas": "0x4b2388a8",
        "nonce": 3, "to": "0x78743f42e85737639fd15f60a48cc98f4d56d6ab", "value": "0x3c", "chainId": 163,
        "accessList": [{"address": "0x66d37bffdb15c06eec5793886a41a2cf48e6c69a", "storageKeys": []}],
    });
    let unsigned = "0x02f83d81a3038199844b2388a83f9478743f42e85737639fd15f60a48cc98f4d56d6ab3c8352c38dd7d69466d37bffdb1\
                    5c06eec5793886a41a2cf48e6c69ac0";
    let published = "02f88081a3038199844b2388a83f9478743f42e85737639fd15f60a48cc98f4d56d6ab3c8352c38dd7d69466d37bffdb15c\
                     06eec5793886a41a2cf48e6c69ac080a05e12e2e24f9b27613769e460ff69a4776764283f507fa461e10472bc80f9f58ea06a\
                     7f8a88d0fb98fb71b91a483ccd5cf97127b0391f7d8ca27393c75535e325be";
    for signable in [parse_fields(&fields).unwrap(), parse_unsigned(unsigned).unwrap()] {
        let signature = sign_with(&SigningKey::from_slice(&secret).unwrap(), &hash_of(&*signable));
        let Signed::EvmTransaction(signed) = signable.finish(&signature).unwrap() else { panic!("not EVM") };
        assert_eq!(hex::encode(signed.signed_transaction), published);
        assert_eq!(signed.v, None);
    }
}

#[test]
fn facts_describe_the_transaction() {
    let signable = parse_fields(&eip_1559()).unwrap();
    assert_eq!(
        (signable.facts().operation(), signable.facts().chain()),
        ("evm.transaction", ChainScope::Evm(1))
    );
    assert_eq!(
        serde_json::to_value(signable.facts()).unwrap(),
        json!({"type": "evm.transaction",
            "kind": "eip1559", "chain_id": 1, "nonce": 0, "to": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "value": "0",
            "gas": 90000, "max_fee_per_gas": "30000000000", "max_priority_fee_per_gas": "1000000000",
            "input": format!("0xa9059cbb{}", "00".repeat(64)), "selector": "0xa9059cbb",
            "access_list": [{
                "address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
                "storage_keys": [format!("0x{}", "11".repeat(32))],
            }],
            "creates_contract": false, "max_cost": "2700000000000000",
        })
    );
}

#[test]
fn a_legacy_transaction_for_every_chain_must_be_asked_for() {
    let mut fields = eip_155();
    fields["chainId"] = json!(null);
    let signable = parse_fields(&fields).unwrap();
    assert_eq!(signable.facts().chain(), ChainScope::EveryEvm);
    let hash = hash_of(&*signable);
    let Signed::EvmTransaction(signed) = signable.finish(&sign(&hash)).unwrap() else { panic!("not EVM") };
    assert!(matches!(signed.v, Some(27 | 28)));
    let unsigned = "0xe9098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080";
    assert_eq!(hash_of(&*parse_unsigned(unsigned).unwrap()), hash);

    fields.as_object_mut().unwrap().remove("chainId");
    assert_eq!(parse_fields(&fields).err().unwrap().field, "transaction.chainId");
}

#[test]
fn a_contract_creation_has_no_selector() {
    let mut fields = eip_1559();
    fields["to"] = json!(null);
    let signable = parse_fields(&fields).unwrap();
    let facts = facts_of(&*signable);
    assert_eq!((facts.to, facts.creates_contract, facts.selector), (None, true, None));
    assert_eq!(facts.kind, EvmTransactionKind::Eip1559);
    // An empty contract has to be asked for, in so many words or in bytes.
    for name in ["input", "data"] {
        fields.as_object_mut().unwrap().remove(name);
    }
    let signable = parse_fields(&fields).unwrap();
    let facts = facts_of(&*signable);
    assert!(facts.creates_contract && facts.input.is_empty());
}

#[test]
fn chain_0_is_a_number_in_types_1_and_2_only() {
    let mut fields = eip_1559();
    fields["chainId"] = json!("0x0");
    let signable = parse_fields(&fields).unwrap();
    assert_eq!(signable.facts().chain(), ChainScope::Evm(0));
    let mut legacy = eip_155();
    legacy["chainId"] = json!(0);
    assert_eq!(parse_fields(&legacy).err().unwrap().field, "transaction.chainId");
}

#[test]
fn aliases_forms_and_optional_members_mean_the_same() {
    let plain = hash_of(&*parse_fields(&eip_155()).unwrap());
    let edits: [(&str, serde_json::Value); 10] = [
        ("gasLimit", json!(21000)),
        ("data", json!("0x")),
        ("input", json!(null)),
        ("type", json!("0x0")),
        ("type", json!("0")),
        ("accessList", json!(null)),
        ("nonce", json!("0x9")),
        ("from", json!("0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f")),
        ("from", json!("0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F")),
        ("value", json!("1000000000000000000")),
    ];
    for (name, value) in edits {
        let mut fields = eip_155();
        fields[name] = value;
        assert_eq!(hash_of(&*parse_fields(&fields).unwrap()), plain, "{name}");
    }
}

#[test]
fn the_largest_chain_id_still_has_a_v() {
    let mut fields = eip_155();
    fields["chainId"] = json!("9223372036854775789"); // 2^63 - 19
    let signable = parse_fields(&fields).unwrap();
    let signature = RawSignature::Secp256k1 { r: [1; 32], s: [1; 32], y_parity: true };
    let Signed::EvmTransaction(signed) = signable.finish(&signature).unwrap() else { panic!("not EVM") };
    assert_eq!(signed.v, Some(u64::MAX - 1));
    fields["chainId"] = json!("9223372036854775790");
    assert_eq!(parse_fields(&fields).err().unwrap().field, "transaction.chainId");
}

#[test]
fn signatures_that_chains_refuse_are_not_put_in() {
    let signable = parse_fields(&eip_1559()).unwrap();
    let order: [u8; 32] = ORDER.to_be_bytes();
    let half: [u8; 32] = HALF_ORDER.to_be_bytes();
    let above_half: [u8; 32] = (HALF_ORDER + U256::ONE).to_be_bytes();
    let below_order: [u8; 32] = (ORDER - U256::ONE).to_be_bytes();
    assert_eq!(HALF_ORDER, ORDER >> 1);
    let finish = |r, s| signable.finish(&RawSignature::Secp256k1 { r, s, y_parity: false });
    assert!(finish(below_order, half).is_ok());
    for (r, s) in [
        ([0; 32], half),
        (order, half),
        (below_order, [0; 32]),
        (below_order, above_half),
        ([0xff; 32], half),
    ] {
        assert_eq!(finish(r, s).unwrap_err().field, "signature");
    }
    assert_eq!(signable.finish(&RawSignature::Ed25519([1; 64])).unwrap_err().field, "signature");
}

#[test]
fn fees_are_capped_by_what_is_offered() {
    let facts = parse_fields(&eip_1559()).unwrap();
    let facts = facts_of(&*facts);
    assert_eq!(facts.fees.cap(), U256::from(30_000_000_000_u64));
    assert!(matches!(facts.fees, EvmFees::Dynamic { .. }));
}
