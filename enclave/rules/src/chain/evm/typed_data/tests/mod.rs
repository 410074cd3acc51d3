//! Published examples, facts and the forms of values; malformed input, bounds and comparisons with alloy are beside.

mod against_alloy;
mod bounds;
mod malformed;

use serde_json::json;
use serde_json::value::RawValue;

use super::*;
use crate::chain::facts::{ChainScope, TypedValue};

/// The hash that would be signed, and the facts.
fn read(json: &str) -> Result<([u8; 32], EvmTypedDataFacts), Rejection> {
    let raw = RawValue::from_string(json.to_owned()).unwrap();
    let signable = parse(&SignBody { typed_data: Some(&raw), ..SignBody::default() }, None)?;
    let SigningInput::Prehash(hash) = signable.signing_input() else { panic!("expected a prehash") };
    let Facts::EvmTypedData(facts) = signable.facts() else { panic!("other facts") };
    Ok((hash, facts.clone()))
}

fn digest(value: &serde_json::Value) -> String {
    hex::encode(read(&value.to_string()).unwrap_or_else(|rejection| panic!("{rejection}")).0)
}

/// The example of EIP-712.
fn mail() -> serde_json::Value {
    json!({
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
            "Mail": [
                {"name": "from", "type": "Person"},
                {"name": "to", "type": "Person"},
                {"name": "contents", "type": "string"},
            ],
        },
        "primaryType": "Mail",
        "domain": {
            "name": "Ether Mail",
            "version": "1",
            "chainId": 1,
            "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
        },
        "message": {
            "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
            "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
            "contents": "Hello, Bob!",
        },
    })
}

/// A document whose message has the one member `v`, with `value` as JSON text.
fn one_value(type_name: &str, value: &str) -> String {
    format!(
        r#"{{"types":{{"EIP712Domain":[],"T":[{{"name":"v","type":"{type_name}"}}]}},"primaryType":"T","domain":{{}},"message":{{"v":{value}}}}}"#
    )
}

#[test]
fn the_example_of_eip_712_is_signed_as_published() {
    let (hash, facts) = read(&mail().to_string()).unwrap();
    assert_eq!(hex::encode(hash), "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2");
    assert_eq!(
        serde_json::to_value(Facts::EvmTypedData(facts)).unwrap(),
        json!({
            "type": "evm.typed_data",
            "chain_id": 1,
            "domain": {
                "name": "Ether Mail",
                "version": "1",
                "chain_id": 1,
                "verifying_contract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
                "salt": null,
            },
            "primary_type": "Mail",
            "encode_type": "Mail(Person from,Person to,string contents)Person(string name,address wallet)",
            "message": [
                {"name": "from", "type": "Person", "value": [
                    {"name": "name", "type": "string", "value": "Cow"},
                    {"name": "wallet", "type": "address", "value": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
                ]},
                {"name": "to", "type": "Person", "value": [
                    {"name": "name", "type": "string", "value": "Bob"},
                    {"name": "wallet", "type": "address", "value": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
                ]},
                {"name": "contents", "type": "string", "value": "Hello, Bob!"},
            ],
            "domain_separator": "0xf2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f",
            "message_hash": "0xc52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e",
        })
    );
}

#[test]
fn the_signature_is_that_of_eip_712() {
    use k256::ecdsa::SigningKey;
    let raw = RawValue::from_string(mail().to_string()).unwrap();
    let signable = parse(&SignBody { typed_data: Some(&raw), ..SignBody::default() }, None).unwrap();
    assert_eq!(signable.curve(), Curve::Secp256k1);
    let SigningInput::Prehash(hash) = signable.signing_input() else { panic!("expected a prehash") };
    // The example's account is keccak256("cow").
    let key = SigningKey::from_slice(&keccak256(b"cow")).unwrap();
    let (signature, id) = key.sign_prehash_recoverable(&hash);
    let (r, s) = signature.split_bytes();
    let signature = RawSignature::Secp256k1 { r: r.into(), s: s.into(), y_parity: id.is_y_odd() };
    let Signed::EvmMessage(signed) = signable.finish(&signature).unwrap() else { panic!("another answer") };
    assert_eq!(
        hex::encode(signed.serialized()),
        "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d\
         07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c"
    );
}

#[test]
fn a_domain_without_chain_is_good_everywhere() {
    let mut document = mail();
    assert_eq!(Facts::EvmTypedData(read(&document.to_string()).unwrap().1).chain(), ChainScope::Evm(1));
    document["types"]["EIP712Domain"] = json!([]);
    document["domain"] = json!({});
    let (_, facts) = read(&document.to_string()).unwrap();
    assert_eq!(facts.domain, crate::chain::facts::TypedDataDomain::default());
    assert_eq!(facts.domain_separator, keccak256(&keccak256(b"EIP712Domain()")));
    assert_eq!(Facts::EvmTypedData(facts).chain(), ChainScope::EveryEvm);
}

#[test]
fn order_and_unused_types_do_not_matter() {
    let text = mail().to_string();
    let mut unused = mail();
    unused["types"]["Asset"] = json!([{"name": "of", "type": "Person[3][]"}]);
    assert_eq!(digest(&unused), digest(&mail()));
    let mut lower = text.clone();
    for address in
        ["0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"]
    {
        lower = lower.replace(address, &address.to_lowercase());
    }
    assert_ne!(lower, text);
    assert_eq!(read(&lower), read(&text));
    let message = r#""message":{"contents":"Hello, \u0042ob!","to":{"wallet":"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB","name":"Bob"},"from":{"wallet":"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826","name":"Cow"}}"#;
    let start = text.find(r#""message""#).unwrap();
    let end = text.find(r#","primaryType""#).unwrap();
    assert_eq!(read(&text.replace(&text[start..end], message)), read(&text));
}

#[test]
fn integers_have_the_forms_that_clients_send() {
    let word = |type_name: &str, value: &str| {
        read(&one_value(type_name, value)).unwrap_or_else(|rejection| panic!("{value}: {rejection}")).1
    };
    for value in ["255", "\"255\"", "\"0xff\"", "\"0xFF\"", "\"0x00ff\""] {
        assert_eq!(word("uint8", value), word("uint8", "255"), "{value}");
    }
    for value in ["1000000000000000000000", "\"1000000000000000000000\"", "\"0x3635c9adc5dea00000\""] {
        assert_eq!(word("uint256", value), word("uint256", "1000000000000000000000"), "{value}");
    }
    for (bits, low, high) in [(8, "-128", "127"), (16, "-32768", "32767")] {
        for value in [low, high, "0", "-1"] {
            let facts = word(&format!("int{bits}"), value);
            assert_eq!(facts, word(&format!("int{bits}"), &format!("\"{value}\"")));
            assert_eq!(serde_json::to_value(&facts.message[0].value).unwrap(), json!(value));
        }
    }
    let lowest = format!("-{}", ruint::aliases::U256::ONE << 255);
    assert_eq!(word("int256", &lowest).message, word("int256", &format!("\"{lowest}\"")).message);
}

#[test]
fn words_are_those_of_the_abi() {
    let check = |type_name: &str, value: &str, word: &str| {
        let (_, facts) = read(&one_value(type_name, value)).unwrap();
        let type_hash = keccak256(format!("T({type_name} v)").as_bytes());
        let expected = keccak256(&[type_hash.as_slice(), &hex::decode(word).unwrap()].concat());
        assert_eq!(facts.message_hash, expected, "{type_name} {value}");
    };
    let zeros = |len: usize| "00".repeat(len);
    let address = "11".repeat(20);
    check("bool", "true", &format!("{}01", zeros(31)));
    check("uint16", "258", &format!("{}0102", zeros(30)));
    check("int8", "-2", &format!("{}fe", "ff".repeat(31)));
    check("int256", "-1", &"ff".repeat(32));
    check("bytes2", "\"0xabcd\"", &format!("abcd{}", zeros(30)));
    check("address", &format!("\"0x{address}\""), &format!("{}{address}", zeros(12)));
    check("bytes", "\"0x\"", &hex::encode(keccak256(b"")));
    check("string", "\"ü\"", &hex::encode(keccak256("ü".as_bytes())));
    check("uint8[]", "[]", &hex::encode(keccak256(b"")));
    let pair = hex::decode(format!("{}01{}02", zeros(31), zeros(31))).unwrap();
    check("uint8[2]", "[1,2]", &hex::encode(keccak256(&pair)));
    check("uint8[2][]", "[[1,2]]", &hex::encode(keccak256(&keccak256(&pair))));
}

/// alloy and ethers know no such types; the digest is eth-account's (0.14).
#[test]
fn types_may_refer_to_themselves_through_arrays() {
    let leaf = |label: &str, share: i16| json!({"label": label, "children": [], "owner": {"of": [], "share": share}});
    let document = json!({
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}],
            "Node": [
                {"name": "label", "type": "string"},
                {"name": "children", "type": "Node[]"},
                {"name": "owner", "type": "Owner"},
            ],
            "Owner": [{"name": "of", "type": "Node[]"}, {"name": "share", "type": "int16"}],
        },
        "primaryType": "Node",
        "domain": {"name": "Tree"},
        "message": {
            "label": "root",
            "children": [leaf("leaf", -1)],
            "owner": {"of": [leaf("", 0)], "share": 300},
        },
    });
    assert_eq!(digest(&document), "ac58a8cbb4812b662d4808f8f3dd52497111001c61b566890abf6f916c39e00a");
}

#[test]
fn members_are_found_by_path() {
    let (_, facts) = read(&mail().to_string()).unwrap();
    assert_eq!(facts.field(&["to", "name"]), Some(&TypedValue::String("Bob".to_owned())));
    assert!(matches!(facts.field(&["to"]), Some(TypedValue::Struct(fields)) if fields.len() == 2));
    for path in [&[][..], &["cc"], &["to", "cc"], &["contents", "name"], &["to", "name", "x"]] {
        assert_eq!(facts.field(path), None);
    }
}
