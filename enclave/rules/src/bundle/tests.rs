use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use super::*;
use crate::configuration;

fn configuration() -> SignedConfiguration {
    configuration::tests::signed_sample()
}

fn sample() -> Value {
    json!({
        "format": FORMAT,
        "authority": configuration().authority.to_string(),
        "version": 1,
        "previous": null,
        "not_before": "2026-01-01T00:00:00Z",
        "expires": "2026-03-01T00:00:00Z",
        "least_configuration_epoch": 0,
        "keyrings": [{"id": "default", "fingerprint": "ab".repeat(32)}],
        "clients": [{"id": "backend", "auth": "none"}],
        "wallet_groups": [{"id": "hot", "wallets": [format!("w_{}", "cd".repeat(16))]}],
        "rules": [{
            "id": "pay", "effect": "allow", "operations": ["evm.transaction"], "clients": ["backend"],
            "wallets": ["@hot", format!("w_{}", "ef".repeat(16))], "chain_ids": [1]
        }]
    })
}

fn sign(payload: &Value, seeds: &[u8]) -> String {
    let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, payload.to_string().as_bytes());
    for seed in seeds {
        envelope.sign(&SigningKey::from_bytes(&[*seed; 32])).unwrap();
    }
    envelope.to_json().unwrap()
}

#[test]
fn a_quorums_bundle_is_accepted() {
    let signed = SignedBundle::verify(sign(&sample(), &[1, 2]).as_bytes(), &configuration()).unwrap();
    assert_eq!(signed.digest, digest(sample().to_string().as_bytes()));
    let again: Bundle = serde_json::from_value(serde_json::to_value(&signed.bundle).unwrap()).unwrap();
    assert_eq!(again, signed.bundle);
}

#[test]
fn foreign_or_unsigned_bundles_are_refused() {
    let one = SignedBundle::verify(sign(&sample(), &[1]).as_bytes(), &configuration());
    assert!(matches!(one, Err(BundleError::Envelope(DsseError::Quorum { .. }))));
    let mut foreign = sample();
    foreign["authority"] = json!("00".repeat(32));
    let foreign = SignedBundle::verify(sign(&foreign, &[1, 2]).as_bytes(), &configuration());
    assert!(matches!(foreign, Err(BundleError::ForeignAuthority { .. })));
    let mut later = sample();
    later["least_configuration_epoch"] = json!(1);
    let later = SignedBundle::verify(sign(&later, &[1, 2]).as_bytes(), &configuration());
    assert!(matches!(later, Err(BundleError::ConfigurationTooOld { least: 1, epoch: 0 })));
    let mut long = sample();
    long["expires"] = json!("2027-01-01T00:00:00Z");
    let long = SignedBundle::verify(sign(&long, &[1, 2]).as_bytes(), &configuration());
    assert!(matches!(long, Err(BundleError::Field { field, .. }) if field == "expires"));
}

#[test]
fn bad_fields_are_named() {
    let cases = [
        ("/format", json!("x"), "format"),
        ("/version", json!(0), "version"),
        ("/expires", json!("2025-01-01T00:00:00Z"), "expires"),
        ("/rules/0/operations", json!([]), "rules[0].operations"),
        ("/rules/0/clients", json!([]), "rules[0].clients"),
        ("/rules/0/clients", json!(["nobody"]), "rules[0].clients"),
        ("/rules/0/wallets", json!(["@nothing"]), "rules[0].wallets"),
        ("/rules/0/wallets", json!([]), "rules[0].wallets"),
        ("/rules/0/chain_ids", json!([]), "rules[0].chain_ids"),
        ("/rules/0/operations", json!(["evm.transaction", "wallet.create"]), "rules[0].chain_ids"),
        ("/wallet_groups/0/wallets", json!([]), "wallet_groups"),
        ("/clients", json!([{"id": "a", "auth": "none"}, {"id": "b", "auth": "none"}]), "clients"),
        ("/clients", json!([{"id": "a", "auth": "none"}, {"id": "a", "auth": "none"}]), "clients"),
    ];
    for (pointer, value, expected) in cases {
        let mut bundle = sample();
        *bundle.pointer_mut(pointer).unwrap() = value;
        match Bundle::from_json(bundle.to_string().as_bytes()) {
            Err(BundleError::Field { field, .. }) => assert_eq!(field, expected),
            other => panic!("{pointer}: {other:?}"),
        }
    }
}

#[test]
fn the_schema_is_closed() {
    let text = sample().to_string();
    for bad in [
        text.replacen("\"version\"", "\"extra\":1,\"version\"", 1),
        text.replacen("\"version\"", "\"version\":2,\"version\"", 1),
        text.replace("evm.transaction", "evm.everything"),
        text.replace("\"auth\":\"none\"", "\"auth\":\"password\""),
        text.replace("\"allow\"", "\"maybe\""),
    ] {
        assert_ne!(bad, text);
        assert!(matches!(Bundle::from_json(bad.as_bytes()), Err(BundleError::Malformed(_))), "{bad}");
    }
}
