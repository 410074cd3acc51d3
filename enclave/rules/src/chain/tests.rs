//! Properties of every kind: no input panics, and kinds are what the table says.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

const SIGNER: Signer = Signer { evm_address: Some(evm::EvmAddress::new([7; 20])), ed25519: Some([7; 32]) };

#[test]
fn kinds_know_their_curve() {
    assert_eq!(curve_of("evm.transaction"), Some(Curve::Secp256k1));
    assert_eq!(curve_of("solana.transaction"), Some(Curve::Ed25519));
    assert_eq!(curve_of("bitcoin.psbt"), None);
    let rejection = parse("EVM.transaction", &SignBody::default(), &SIGNER).err().unwrap();
    assert!(rejection.to_string().starts_with("type: is not supported: use one of evm.transaction, "));
}

#[test]
fn a_request_has_exactly_one_member_of_its_kind() {
    for kind in KINDS {
        let refused = |body: &SignBody<'_>| describe(kind.name, body).err().unwrap().field;
        assert_eq!(refused(&SignBody::default()), kind.members[0]);
        let raw = serde_json::value::to_raw_value("x").unwrap();
        let all = SignBody {
            transaction: Some(&raw),
            unsigned: Some("x"),
            authorization: Some(&raw),
            typed_data: Some(&raw),
            message: Some("x"),
            text: Some("x"),
            digest: Some("x"),
            chain_id: None,
        };
        assert_eq!(all.given().count(), 7);
        assert!(all.given().any(|member| member == refused(&all)));
        let foreign = if kind.name == "raw.digest" {
            SignBody { text: Some("x"), ..SignBody::default() }
        } else {
            SignBody { digest: Some("x"), ..SignBody::default() }
        };
        assert_eq!(refused(&foreign), foreign.given().next().unwrap());
    }
}

#[test]
fn the_account_is_on_the_curve_of_the_kind() {
    for kind in KINDS {
        let other = match kind.curve {
            Curve::Secp256k1 => Signer { evm_address: None, ..SIGNER },
            Curve::Ed25519 => Signer { ed25519: None, ..SIGNER },
        };
        let raw = serde_json::value::to_raw_value("x").unwrap();
        let body = match kind.members[0] {
            "transaction" => SignBody { transaction: Some(&raw), ..SignBody::default() },
            "authorization" => SignBody { authorization: Some(&raw), ..SignBody::default() },
            "typed_data" => SignBody { typed_data: Some(&raw), ..SignBody::default() },
            "digest" => SignBody { digest: Some("x"), ..SignBody::default() },
            _ => SignBody { message: Some("x"), ..SignBody::default() },
        };
        assert_eq!(parse(kind.name, &body, &other).err().unwrap().field, "path", "{}", kind.name);
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,20}".prop_map(Into::into),
        "0x[0-9a-f]{0,70}".prop_map(Into::into),
        "[0-9]{1,80}".prop_map(Into::into),
    ];
    let name = prop_oneof![
        "chainId|nonce|to|value|gas|gasLimit|gasPrice|maxFeePerGas|maxPriorityFeePerGas|type|input|data|accessList|from",
        "blobVersionedHashes|maxFeePerBlobGas|authorizationList|blobs|yParity|v|r|s|sig",
        "address|storageKeys|\\PC{0,8}",
    ];
    leaf.prop_recursive(4, 40, 10, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            vec((name.clone(), inner), 0..12)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_panics(value in json(), both: bool) {
        let raw = serde_json::value::to_raw_value(&value).unwrap();
        let raw = Some(&*raw);
        for kind in KINDS {
            let bodies = [
                SignBody { transaction: raw, unsigned: both.then_some("0x"), ..SignBody::default() },
                SignBody { authorization: raw, ..SignBody::default() },
                SignBody { typed_data: raw, ..SignBody::default() },
            ];
            for body in bodies {
                let _ = parse(kind.name, &body, &SIGNER);
                let _ = describe(kind.name, &body);
            }
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}", mostly_hex in "(0x)?[0-9a-fx\"]{0,200}") {
        let raw = serde_json::value::to_raw_value(&text).unwrap();
        for kind in KINDS {
            for text in [Some(text.as_str()), Some(mostly_hex.as_str())] {
                let bodies = [
                    SignBody { unsigned: text, ..SignBody::default() },
                    SignBody { message: text, ..SignBody::default() },
                    SignBody { text, ..SignBody::default() },
                    SignBody { digest: text, ..SignBody::default() },
                    SignBody { transaction: Some(&raw), ..SignBody::default() },
                ];
                for body in bodies {
                    let _ = parse(kind.name, &body, &SIGNER);
                }
            }
        }
        if let Ok(raw) = RawValue::from_string(text) {
            for kind in KINDS {
                let _ = parse(kind.name, &SignBody { transaction: Some(&raw), ..SignBody::default() }, &SIGNER);
                let _ = parse(kind.name, &SignBody { typed_data: Some(&raw), ..SignBody::default() }, &SIGNER);
            }
        }
    }
}
