//! The API as a client sees it, through the real host and an emulated enclave.

#[path = "api/batch.rs"]
mod batch;
#[path = "api/json_rpc.rs"]
mod json_rpc;
#[path = "api/kinds.rs"]
mod kinds;
#[path = "api/malformed.rs"]
mod malformed;
#[path = "api/signed.rs"]
mod signed;
#[path = "api/solana.rs"]
mod solana;

use serde_json::{Value, json};
use signer_tests::stack::Stack;

/// An EIP-1559 transfer on chain 1.
fn transfer(nonce: u64) -> Value {
    json!({
        "chainId": "0x1", "nonce": format!("{nonce:#x}"), "to": "0x3535353535353535353535353535353535353535",
        "value": "0x1", "gas": "0x5208", "maxFeePerGas": "0x4a817c800", "maxPriorityFeePerGas": "0x3b9aca00",
    })
}

/// Another boot of the enclave, which has seen nothing yet.
async fn restart(stack: &mut Stack) {
    let before = stack.get("/v1/status").await.json["enclave"]["boot_id"].clone();
    stack.kill_enclave();
    stack.start_enclave();
    stack
        .wait_for("another boot that is ready", |status| {
            let enclave = &status["enclave"];
            enclave["boot_id"].is_string() && enclave["boot_id"] != before && status["host"]["ready"] == true
        })
        .await;
}

/// Creates a wallet and returns its EVM address.
async fn create(stack: &Stack, name: &str) -> String {
    let created = stack.post("/v1/wallets", &json!({"name": name, "kind": "hd"})).await;
    assert_eq!(created.status, 201, "{created:?}");
    created.json["accounts"][0]["addresses"]["evm"].as_str().unwrap().to_owned()
}
