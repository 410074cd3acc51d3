//! EIP-7702 authorizations: vectors, alloy as an oracle, and what is refused.

use alloy_eips::eip7702::Authorization as AlloyAuthorization;
use alloy_primitives::{Address, U256 as AlloyU256};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn parse_authorization(authorization: &Value) -> Result<Box<dyn Signable>, Rejection> {
    parse_text(&authorization.to_string())
}

fn parse_text(authorization: &str) -> Result<Box<dyn Signable>, Rejection> {
    let raw = RawValue::from_string(authorization.to_owned()).unwrap();
    let body = SignBody { authorization: Some(&raw), ..SignBody::default() };
    parse("evm.authorization", &body, &SIGNER)
}

fn sample() -> Value {
    json!({"chainId": "0x1", "address": "0x63c0c19a282a1B52b07dD5a65b58948A07DAE32B", "nonce": "0xa"})
}

/// Signed by viem 2.57 and by ethers 6.17 with the private key 0x46…46.
#[test]
fn an_authorization_is_signed_as_viem_and_ethers_do() {
    let signable = parse_authorization(&sample()).unwrap();
    let hash = hash_of(&*signable);
    assert_eq!(hex::encode(hash), "91725c84737c90053b93eb8b53b0308b11fa07c49e45bd4b4b4a79f2a05af953");
    let signed = serde_json::to_value(signable.finish(&sign(&hash)).unwrap()).unwrap();
    assert_eq!(
        signed["signed_authorization"],
        json!({
            "chainId": "0x1", "address": "0x63c0c19a282a1B52b07dD5a65b58948A07DAE32B", "nonce": "0xa", "yParity": "0x1",
            "r": "0x898c6a6e6dc44546ef996e768bea3c56915924f62d3c42544e4392d42ca71e03",
            "s": "0x931f3fde1401a8337b95b7ba1084093178be6b8644506df8402fe5fe8386989",
        })
    );
    assert_eq!(
        serde_json::to_value(signable.facts()).unwrap(),
        json!({
            "type": "evm.authorization", "chain_id": 1, "address": "0x63c0c19a282a1B52b07dD5a65b58948A07DAE32B",
            "revokes": false, "nonce": 10,
        })
    );

    let mut transaction = types::eip_7702();
    let entry = transaction["authorizationList"][0].clone();
    transaction["authorizationList"][0] = signed["signed_authorization"].clone();
    assert_eq!(transaction["authorizationList"][0], entry);
    assert!(parse_fields(&transaction).is_ok());
}

#[test]
fn chain_id_0_is_every_chain_and_the_zero_address_revokes() {
    let mut fields = sample();
    fields["chainId"] = json!(0);
    fields["address"] = json!("0x0000000000000000000000000000000000000000");
    let signable = parse_authorization(&fields).unwrap();
    assert_eq!(signable.facts().chain(), ChainScope::EveryEvm);
    let Facts::EvmAuthorization(facts) = signable.facts() else { panic!("another kind's facts") };
    assert_eq!((facts.chain_id, facts.revokes), (None, true));
    let signed = serde_json::to_value(signable.finish(&sign(&hash_of(&*signable))).unwrap()).unwrap();
    assert_eq!(signed["signed_authorization"]["chainId"], "0x0");
}

#[test]
fn malformed_authorizations_are_refused_by_name() {
    let cases = [
        ("chainId", json!(null), ".chainId"),
        ("chainId", json!("0x00"), ".chainId"),
        ("chainId", json!(-1), ".chainId"),
        ("chainId", json!("mainnet"), ".chainId"),
        ("chainId", json!("0x10000000000000000"), ".chainId"),
        ("chainId", json!("9223372036854775790"), ".chainId"),
        ("address", json!(null), ".address"),
        ("address", json!("0x63c0c19a282a1B52b07dD5a65b58948A07DAE32b"), ".address"),
        ("address", json!("0x63c0c19a282a1B52b07dD5a65b58948A07DAE3"), ".address"),
        ("address", json!("0x"), ".address"),
        ("address", json!(7), ".address"),
        ("nonce", json!(null), ".nonce"),
        ("nonce", json!("0x0a"), ".nonce"),
        ("nonce", json!("18446744073709551615"), ".nonce"),
        ("nonce", json!("18446744073709551616"), ".nonce"),
        ("nonce", json!([10]), ".nonce"),
        ("contractAddress", json!("0x63c0c19a282a1B52b07dD5a65b58948A07DAE32B"), ".contractAddress"),
        ("yParity", json!("0x0"), ".yParity"),
        ("r", json!("0x1"), ".r"),
        ("x y", json!(1), ""),
    ];
    for (name, value, blamed) in cases {
        let mut fields = sample();
        fields[name] = value.clone();
        let rejection =
            parse_authorization(&fields).err().unwrap_or_else(|| panic!("{name} = {value} was accepted"));
        assert_eq!(rejection.field, format!("authorization{blamed}"), "{name} = {value}: {rejection}");
    }
    let valid = sample().to_string();
    let duplicate = valid.replacen('{', r#"{"nonce":"0xa","#, 1);
    let padded = valid.replacen('{', &format!("{{{}", " ".repeat(4096)), 1);
    for text in [duplicate.as_str(), &padded, "[]", "null", "\"0x05\"", "7", "{}"] {
        let rejection = parse_text(text).err().unwrap();
        assert!(rejection.field.starts_with("authorization"), "{rejection}");
    }
}

proptest! {
    #[test]
    fn the_signing_hash_is_that_of_alloy(
        chain_id in 0_u64..=9_223_372_036_854_775_789, shift in 0_u32..64, address: [u8; 20], nonce in 0..u64::MAX,
    ) {
        let chain_id = chain_id >> shift;
        let theirs = AlloyAuthorization {
            chain_id: AlloyU256::from(chain_id), address: Address::from(address), nonce,
        };
        let fields = json!({
            "chainId": chain_id.to_string(), "address": theirs.address.to_string(), "nonce": format!("{nonce:#x}"),
        });
        let ours = parse_authorization(&fields).unwrap();
        prop_assert_eq!(hash_of(&*ours), theirs.signature_hash().0);
    }
}
