//! `POST /v1/batch`.

use serde_json::{Value, json};
use signer_tests::stack::{Stack, StackOptions};

use crate::{create, restart, transfer};

fn item(wallet: &str, nonce: u64) -> Value {
    json!({"wallet": wallet, "type": "evm.transaction", "transaction": transfer(nonce)})
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_is_answered_as_a_request_of_its_own() {
    let stack = Stack::start_ready().await;
    create(&stack, "treasury").await;
    create(&stack, "payroll").await;
    let mut wrong = item("treasury", 2);
    wrong["transaction"]["gas"] = json!("0x");
    let items = json!({"items": [
        item("treasury", 0),
        item("nobody", 0),
        wrong,
        {"wallet": "treasury", "type": "evm.transaction", "transaction": transfer(0), "extra": 1},
        {"type": "evm.transaction", "transaction": transfer(0)},
        {"wallet": "payroll", "type": "evm.message", "text": "hello"},
        1,
    ]});
    let reply = stack.post("/v1/batch", &items).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let answers = reply.json["items"].as_array().unwrap();
    let told: Vec<(u64, &str)> = answers
        .iter()
        .map(|answer| (answer["status"].as_u64().unwrap(), answer["problem"]["code"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(
        told,
        [
            (200, ""),
            (404, "wallet_not_found"),
            (422, "transaction_rejected"),
            (400, "malformed_request"),
            (400, "malformed_request"),
            (200, ""),
            (400, "malformed_request"),
        ]
    );
    assert_eq!(answers[2]["problem"]["field"], "transaction.gas");
    assert_eq!(answers[4]["problem"]["field"], "wallet");
    let single = json!({"type": "evm.transaction", "transaction": transfer(0)});
    assert_eq!(answers[0]["result"], stack.post("/v1/wallets/treasury/sign", &single).await.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_is_decided_by_itself_and_recorded_in_order() {
    let stack = Stack::start(StackOptions::default()).await;
    let fingerprint = stack.create_keyring("default").await;
    let rules = json!([
        {"id": "create", "effect": "allow", "operations": ["wallet.create"]},
        {"id": "mainnet", "effect": "allow", "operations": ["evm.transaction"], "chain_ids": [1]},
    ]);
    stack.push(&stack.bundle(2, None, &[("default", &fingerprint)], &rules)).await;
    stack.wait_for_phase("ready").await;
    create(&stack, "treasury").await;
    let mut elsewhere = item("treasury", 1);
    elsewhere["transaction"]["chainId"] = json!("0xa");
    let message = json!({"wallet": "treasury", "type": "evm.message", "text": "hello"});
    let items = json!({"items": [item("treasury", 0), elsewhere, message, item("treasury", 2)]});
    let reply = stack.post("/v1/batch", &items).await;
    let told: Vec<&Value> =
        reply.json["items"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
    assert_eq!(told, [200, 403, 403, 200], "{reply:?}");
    stack.wait_for("two signatures", |status| status["enclave"]["signatures"] == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_many_wallets_is_found_in_one_round() {
    let mut stack = Stack::start_ready().await;
    for number in 0..40 {
        create(&stack, &format!("wallet-{number}")).await;
    }
    // An enclave that has seen none of them.
    restart(&mut stack).await;
    let items: Vec<Value> = (0..256).map(|number| item(&format!("wallet-{}", number % 40), number)).collect();
    let reply = stack.post("/v1/batch", &json!({"items": items})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let answers = reply.json["items"].as_array().unwrap();
    assert_eq!(answers.len(), 256);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["status"], 200, "{answer}");
        assert_eq!(answer["result"]["name"], format!("wallet-{}", number % 40));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_batches_get_clear_errors() {
    let stack = Stack::start_ready().await;
    let too_many = json!({"items": vec![json!({}); 257]});
    for body in [json!({"items": []}), json!({}), json!([]), json!({"items": {}}), too_many] {
        let reply = stack.post("/v1/batch", &body).await;
        assert_eq!((reply.status, &reply.json["code"]), (400, &json!("malformed_request")), "{reply:?}");
    }
}
