//! Every type of signature, verified by libraries that are not the enclave's.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use serde_json::{Value, json};
use sha3::{Digest, Keccak256};
use signer_tests::stack::{Stack, StackOptions, recover_evm_address};

use crate::{create, solana, transfer};

async fn sign(stack: &Stack, body: Value) -> Value {
    let reply = stack.post("/v1/wallets/treasury/sign", &body).await;
    assert_eq!(reply.status, 200, "{body}: {reply:?}");
    assert_eq!(reply.json["type"], body["type"]);
    reply.json
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap()
}

/// The signer of `hash`, in lower case, by libsecp256k1.
fn recovered(answer: &Value, hash: &[u8; 32]) -> String {
    let signature = &answer["signature"];
    let compact = [bytes(&signature["r"]), bytes(&signature["s"])].concat();
    let parity = i32::try_from(signature["yParity"].as_u64().unwrap()).unwrap();
    let id = RecoveryId::try_from(parity).unwrap();
    let signature = RecoverableSignature::from_compact(&compact, id).unwrap();
    let key = secp256k1::Secp256k1::new().recover_ecdsa(Message::from_digest(*hash), &signature).unwrap();
    let digest = Keccak256::digest(&key.serialize_uncompressed()[1..]);
    format!("0x{}", hex::encode(&digest[12..]))
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    Keccak256::digest(parts.concat()).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn evm_transactions_of_every_type() {
    let stack = Stack::start_ready().await;
    let address = create(&stack, "treasury").await.to_ascii_lowercase();
    let base = transfer(0);
    let changed = |changes: Value| {
        let mut transaction = base.clone();
        for (name, value) in changes.as_object().unwrap() {
            transaction[name] = value.clone();
        }
        transaction.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        transaction
    };
    let no_fees = json!({"maxFeePerGas": null, "maxPriorityFeePerGas": null, "gasPrice": "0x4a817c800"});
    let mut access = no_fees.clone();
    access["accessList"] =
        json!([{"address": base["to"], "storageKeys": [format!("0x{}", "11".repeat(32))]}]);
    let blob =
        json!({"maxFeePerBlobGas": "0x1", "blobVersionedHashes": [format!("0x01{}", "22".repeat(31))]});
    let delegation = sign(
        &stack,
        json!({"type": "evm.authorization", "authorization": {
            "chainId": "0x1", "address": base["to"], "nonce": "0x1"
        }}),
    )
    .await;
    let authorized = json!({"authorizationList": [delegation["signed_authorization"]]});
    let all = [
        (changed(no_fees), "0xf8"),
        (changed(access), "0x01"),
        (base.clone(), "0x02"),
        (changed(blob), "0x03"),
        (changed(authorized), "0x04"),
    ];
    for (transaction, prefix) in all {
        let answer = sign(&stack, json!({"type": "evm.transaction", "transaction": transaction})).await;
        let signed = &answer["signed_transaction"];
        assert!(signed.as_str().unwrap().starts_with(prefix), "{answer}");
        assert_eq!(recover_evm_address(&answer), address, "{transaction}");
        assert_eq!(bytes(&answer["transaction_hash"]), keccak(&[&bytes(signed)]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evm_messages_typed_data_authorizations_and_digests() {
    let stack = Stack::start_ready().await;
    let address = create(&stack, "treasury").await.to_ascii_lowercase();
    let text = sign(&stack, json!({"type": "evm.message", "text": "hello"})).await;
    let hash = keccak(&[b"\x19Ethereum Signed Message:\n5hello"]);
    assert_eq!(recovered(&text, &hash), address);
    let serialized = bytes(&text["serialized_signature"]);
    assert_eq!(serialized.len(), 65);
    assert_eq!(u64::from(serialized[64]), 27 + text["signature"]["yParity"].as_u64().unwrap());

    // The example of EIP-712, with its published digest.
    let party = json!([{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}]);
    let mail = json!({
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
            ],
            "Person": party,
            "Mail": [
                {"name": "from", "type": "Person"}, {"name": "to", "type": "Person"}, {"name": "contents", "type": "string"},
            ],
        },
        "primaryType": "Mail",
        "domain": {
            "name": "Ether Mail", "version": "1", "chainId": 1,
            "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
        },
        "message": {
            "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
            "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
            "contents": "Hello, Bob!",
        },
    });
    let typed = sign(&stack, json!({"type": "evm.typed_data", "typed_data": mail})).await;
    let digest = "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2";
    assert_eq!(typed["signing_hash"], format!("0x{digest}"));
    assert_eq!(recovered(&typed, &hex::decode(digest).unwrap().try_into().unwrap()), address);

    let to = "35".repeat(20);
    let authorization = json!({"chainId": "0x1", "address": format!("0x{to}"), "nonce": "0x2"});
    let delegated = sign(&stack, json!({"type": "evm.authorization", "authorization": authorization})).await;
    let hash = keccak(&[&hex::decode(format!("05d70194{to}02")).unwrap()]);
    assert_eq!(recovered(&delegated, &hash), address);

    let raw = sign(&stack, json!({"type": "raw.digest", "digest": format!("0x{}", "5a".repeat(32))})).await;
    assert_eq!(recovered(&raw, &[0x5a; 32]), address);
}

#[tokio::test(flavor = "multi_thread")]
async fn solana_transactions_offchain_messages_and_raw_messages() {
    let stack = Stack::start_ready().await;
    let created = stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    let address = created.json["accounts"][1]["addresses"]["solana"].as_str().unwrap();
    let key: [u8; 32] = bs58::decode(address).into_vec().unwrap().try_into().unwrap();
    let verify = |message: &[u8], signature: &[u8]| {
        UnparsedPublicKey::new(&ED25519, key).verify(message, signature).expect("a signature of the wallet");
    };
    let base58 = |value: &Value| bs58::decode(value.as_str().unwrap()).into_vec().unwrap();

    let message = solana::transfer(&key);
    let wire = STANDARD.encode([&[1][..], &[0; 64], &message].concat());
    let answer = sign(&stack, json!({"type": "solana.transaction", "transaction": wire})).await;
    verify(&message, &base58(&answer["signature"]));
    assert_eq!(answer["missing_signers"], json!([]));

    let text = b"hello";
    let head = [&b"\xffsolana offchain"[..], &[0], &[3; 32], &[0, 1], &key].concat();
    let message = [&head[..], &[5, 0], text].concat();
    let body = json!({"type": "solana.offchain_message", "message": STANDARD.encode(&message)});
    let answer = sign(&stack, body).await;
    let signature = base58(&answer["signature"]);
    verify(&message, &signature);
    let envelope = STANDARD.decode(answer["signed_message"].as_str().unwrap()).unwrap();
    assert_eq!(envelope, [&[1][..], &signature, &message].concat());

    let answer = sign(&stack, json!({"type": "raw.message", "message": "0x00ff"})).await;
    verify(&[0, 255], &bytes(&answer["signature"]));
}

/// Whoever may sign transactions may not sign anything else.
#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_denied_unless_a_rule_names_it() {
    let stack = Stack::start(StackOptions::default()).await;
    let fingerprint = stack.create_keyring("default").await;
    let rules = json!([{"id": "few", "effect": "allow", "operations": [
        "wallet.create", "evm.transaction", "solana.transaction"
    ]}]);
    stack.push(&stack.bundle(2, None, &[("default", &fingerprint)], &rules)).await;
    stack.wait_for_phase("ready").await;
    create(&stack, "treasury").await;
    let bodies = [
        json!({"type": "evm.message", "text": "x"}),
        json!({"type": "evm.typed_data", "typed_data": {}}),
        json!({"type": "evm.authorization", "authorization": {}}),
        json!({"type": "solana.offchain_message", "message": ""}),
        json!({"type": "raw.digest", "digest": "0x"}),
        json!({"type": "raw.message", "message": "0x"}),
    ];
    for body in bodies {
        let reply = stack.post("/v1/wallets/treasury/sign", &body).await;
        assert_eq!((reply.status, &reply.json["code"]), (403, &json!("policy_denied")), "{body}: {reply:?}");
    }
}

/// An authorization for every chain needs a rule that says so.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_not_handed_over_on_every_chain_by_a_general_rule() {
    let stack = Stack::start(StackOptions::default()).await;
    let fingerprint = stack.create_keyring("default").await;
    let rules =
        json!([{"id": "few", "effect": "allow", "operations": ["wallet.create", "evm.authorization"]}]);
    stack.push(&stack.bundle(2, None, &[("default", &fingerprint)], &rules)).await;
    stack.wait_for_phase("ready").await;
    create(&stack, "treasury").await;
    for (chain, status) in [("0x1", 200), ("0x0", 403)] {
        let authorization =
            json!({"chainId": chain, "address": format!("0x{}", "35".repeat(20)), "nonce": "0x0"});
        let body = json!({"type": "evm.authorization", "authorization": authorization});
        let reply = stack.post("/v1/wallets/treasury/sign", &body).await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
}
