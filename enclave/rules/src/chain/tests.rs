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
    assert_eq!(
        rejection.to_string(),
        "type: is not supported: use one of evm.transaction, solana.transaction"
    );
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
        let body = SignBody { transaction: Some(&raw), unsigned: both.then_some("0x") };
        for kind in KINDS {
            let _ = parse(kind.name, &body, &SIGNER);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}", mostly_hex in "(0x)?[0-9a-fx\"]{0,200}") {
        let raw = serde_json::value::to_raw_value(&text).unwrap();
        for kind in KINDS {
            let _ = parse(kind.name, &SignBody { transaction: None, unsigned: Some(&text) }, &SIGNER);
            let _ = parse(kind.name, &SignBody { transaction: None, unsigned: Some(&mostly_hex) }, &SIGNER);
            let _ = parse(kind.name, &SignBody { transaction: Some(&raw), unsigned: None }, &SIGNER);
        }
        if let Ok(raw) = RawValue::from_string(text) {
            let _ = parse("evm.transaction", &SignBody { transaction: Some(&raw), unsigned: None }, &SIGNER);
        }
    }
}
