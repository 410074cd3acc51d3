//! The real programs, from an HTTP request to a signature.

use serde_json::json;
use signer_tests::stack::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_signs() {
    let stack = Stack::start_ready().await;
    let created = stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    assert_eq!(created.status, 201, "{created:?}");
    println!("{}", created.json);
    let signed = stack
        .post(
            "/v1/wallets/treasury/sign",
            &json!({"type": "evm.transaction", "transaction": {
                "chainId": 1, "nonce": "0x0", "to": "0x3535353535353535353535353535353535353535", "value": "1",
                "gas": "0x5208", "maxFeePerGas": "20000000000", "maxPriorityFeePerGas": "1000000000"
            }}),
        )
        .await;
    assert_eq!(signed.status, 200, "{signed:?}");
    println!("{}", signed.json);
}
