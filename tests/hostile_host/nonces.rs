//! A host or a client against the nonce guard: two payments where one was meant.

use serde_json::{Value, json};
use signer_tests::stack::Client;

use crate::{
    appliance::{Appliance, SIGN, authority, entry, merged, over, payment, rule, signed},
    world::{json_of, problem},
};

/// Refused, because the nonce got another transaction.
fn conflict() -> (u16, String) {
    (409, "nonce_conflict".into())
}

/// One client, and one rule for transactions with these members.
async fn guarded(more: Value) -> (Appliance, Client) {
    let client = Client::ed25519("backend-1", &authority(), 41);
    let rules = json!([rule("pay", &merged(&json!({"operations": ["evm.transaction"]}), &more))]);
    (Appliance::new(json!([entry(&client, "backend")]), rules).await, client)
}

/// A payment with nonce 7.
fn seventh(changes: &Value) -> String {
    payment(&over(&json!({"nonce": 7}), changes))
}

/// Attack: two different transactions of one nonce, to choose later which is sent, or to have both on two forks.
/// Defence: a nonce of an account on a chain gets one transaction.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_nonce_gets_one_transaction() {
    let (mut appliance, client) = guarded(json!({})).await;
    assert_eq!(appliance.try_sign(&client, &seventh(&json!({}))).await, signed());
    let before = appliance.signatures().await;
    for changes in [
        json!({"value": "2"}),
        json!({"to": "0x3636363636363636363636363636363636363636"}),
        json!({"input": "0x00"}),
        json!({"gas": "0x5209"}),
        json!({"maxFeePerGas": "40000000000", "maxPriorityFeePerGas": "2000000000"}),
        json!({"maxFeePerGas": null, "maxPriorityFeePerGas": null, "gasPrice": "40000000000"}),
        json!({"to": null, "input": "0x00"}),
    ] {
        assert_eq!(appliance.try_sign(&client, &seventh(&changes)).await, conflict(), "{changes}");
    }
    assert_eq!(appliance.signatures().await, before);
    for other in [json!({"nonce": 8}), json!({"chainId": 10})] {
        assert_eq!(appliance.try_sign(&client, &seventh(&other)).await, signed(), "{other}");
    }
    let mut elsewhere: Value = serde_json::from_str(&seventh(&json!({"value": "2"}))).expect("JSON");
    elsewhere["path"] = json!("m/44'/60'/0'/0/1");
    assert_eq!(appliance.try_sign(&client, &elsewhere.to_string()).await, signed(), "another account");
}

/// Attack: ask again for what was signed, to see whether it differs. Defence: the same transaction gives the same
/// bytes, however it is written.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_nonce_gives_the_same_bytes_again() {
    let (mut appliance, client) = guarded(json!({})).await;
    let first = json_of(&appliance.sign(&client, &seventh(&json!({}))).await);
    for same in
        [json!({}), json!({"value": "0x1"}), json!({"nonce": "0x7", "gas": 21000}), json!({"input": "0x"})]
    {
        let again = json_of(&appliance.sign(&client, &seventh(&same)).await);
        assert_eq!(again["signed_transaction"], first["signed_transaction"], "{same}");
    }
}

/// Attack: split two transactions of one nonce among batch items, JSON-RPC calls, clients and rules. Defence:
/// there is one memory of nonces.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_nonce_is_one_for_all_ways() {
    let authority = authority();
    let (one, other) = (Client::ed25519("one-1", &authority, 41), Client::ed25519("other-1", &authority, 42));
    let rules = json!([
        rule("one-pays", &json!({"operations": ["evm.transaction"], "clients": ["one"]})),
        rule("other-pays", &json!({"operations": ["evm.transaction"], "clients": ["other"]})),
    ]);
    let mut appliance = Appliance::new(json!([entry(&one, "one"), entry(&other, "other")]), rules).await;
    let item = |value: &str| {
        let mut item: Value = serde_json::from_str(&seventh(&json!({"value": value}))).expect("JSON");
        item["wallet"] = json!("treasury");
        item
    };
    let batch = json!({"items": [item("1"), item("2"), item("1"), item("3")]}).to_string();
    let headers = one.sign("POST", "/v1/batch", batch.as_bytes());
    let answer = json_of(&appliance.answer("POST", "/v1/batch", &headers, &batch).await);
    let statuses: Vec<u64> = answer["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|item| item["status"].as_u64())
        .collect();
    assert_eq!(statuses, [200, 409, 200, 409]);
    assert_eq!(appliance.try_sign(&other, &seventh(&json!({"value": "2"}))).await, conflict());
    let from = answer["items"][0]["result"]["address"].clone();
    let rpc = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_signTransaction", "params": [{
        "from": from, "to": "0x3535353535353535353535353535353535353535", "value": "0x2", "nonce": "0x7",
        "gas": "0x5208", "maxFeePerGas": "0x4a817c800", "maxPriorityFeePerGas": "0x3b9aca00", "chainId": "0x1"
    }]})
    .to_string();
    let path = "/rpc/1";
    let headers = other.sign("POST", path, rpc.as_bytes());
    let answer = json_of(&appliance.answer("POST", path, &headers, &rpc).await);
    assert!(answer["result"].is_null() && answer["error"].is_object(), "{answer}");
    assert_eq!(appliance.try_sign(&other, &seventh(&json!({}))).await, signed(), "the same bytes");
}

/// Attack: another transaction of a nonce that does not pay more, so that the first one is as likely to be mined and
/// the client has two. Defence: replacements are for rules that allow them, and raise both fees above those of all
/// before them. What else they change is up to the rule's conditions: a payment is cancelled by another one.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_nonce_replacement_pays_more() {
    let (mut appliance, client) = guarded(json!({"nonce": "replaceable"})).await;
    let fees = |most: u64, tip: u64| json!({"maxFeePerGas": (most * 1_000_000_000).to_string(), "maxPriorityFeePerGas": (tip * 1_000_000_000).to_string()});
    let other = |fees: Value| merged(&fees, &json!({"value": "2"}));
    assert_eq!(appliance.try_sign(&client, &seventh(&fees(20, 2))).await, signed());
    for changes in [
        fees(40, 2),
        fees(20, 4),
        fees(19, 1),
        fees(40, 1),
        other(fees(20, 2)),
        other(fees(40, 2)),
        other(fees(20, 4)),
        json!({"maxFeePerGas": null, "maxPriorityFeePerGas": null, "gasPrice": "20000000000"}),
    ] {
        assert_eq!(appliance.try_sign(&client, &seventh(&changes)).await, conflict(), "{changes}");
    }
    assert_eq!(appliance.try_sign(&client, &seventh(&other(fees(40, 4)))).await, signed());
    assert_eq!(appliance.try_sign(&client, &seventh(&fees(30, 3))).await, conflict(), "less than the second");
    assert_eq!(
        appliance.try_sign(&client, &seventh(&fees(20, 2))).await,
        conflict(),
        "the first is not remembered"
    );
    assert_eq!(appliance.try_sign(&client, &seventh(&fees(41, 5))).await, signed());
}

/// Attack: the same nonce in a transaction without a chain id, which the chain takes as well. Defence: it shares its
/// nonce with those of every chain.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_nonce_without_a_chain_is_every_chains() {
    let (mut appliance, client) = guarded(json!({})).await;
    // Nonce, gas price 1, gas 21,000, to, value 1, no data.
    let legacy = |nonce: &str| {
        let unsigned = format!("0xdc{nonce}0182520894{}0180", "35".repeat(20));
        json!({"type": "evm.transaction", "unsigned": unsigned}).to_string()
    };
    assert_eq!(appliance.try_sign(&client, &seventh(&json!({}))).await, signed());
    assert_eq!(appliance.try_sign(&client, &legacy("07")).await, conflict());
    assert_eq!(appliance.try_sign(&client, &legacy("08")).await, signed());
    for chain in [1, 10] {
        let eighth = payment(&json!({"nonce": 8, "chainId": chain}));
        assert_eq!(appliance.try_sign(&client, &eighth).await, conflict(), "{chain}");
    }
}

/// Attack: restart the enclave to have another transaction of a nonce. Defence: none within the enclave: the guard is
/// each boot's own. SECURITY.md says so; this test holds it to that.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_nonce_is_forgotten_by_a_restart() {
    let (mut appliance, client) = guarded(json!({})).await;
    assert_eq!(appliance.try_sign(&client, &seventh(&json!({}))).await, signed());
    assert_eq!(appliance.try_sign(&client, &seventh(&json!({"value": "2"}))).await, conflict());
    appliance.restart().await;
    let body = seventh(&json!({"value": "2"}));
    let headers = client.sign("POST", SIGN, body.as_bytes());
    assert_eq!(problem(&appliance.answer("POST", SIGN, &headers, &body).await), signed());
    assert_eq!(appliance.try_sign(&client, &seventh(&json!({}))).await, conflict());
}
