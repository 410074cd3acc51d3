//! JSON-RPC: the protocol, the methods, the paths.

use serde_json::{Value, json};
use signer_tests::stack::{Stack, StackOptions};

use crate::{create, restart, transfer};

async fn call(stack: &Stack, path: &str, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let reply = stack.post(path, &request).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!((&reply.json["jsonrpc"], &reply.json["id"]), (&json!("2.0"), &json!(7)));
    reply.json
}

async fn result(stack: &Stack, path: &str, method: &str, params: Value) -> Value {
    let answer = call(stack, path, method, params).await;
    assert!(answer.get("error").is_none(), "{answer}");
    answer["result"].clone()
}

/// The error's number, our code, and the field.
async fn error(stack: &Stack, path: &str, method: &str, params: Value) -> (i64, String, String) {
    let answer = call(stack, path, method, params).await;
    let error = &answer["error"];
    let text = |name: &str| error["data"][name].as_str().unwrap_or_default().to_owned();
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    (error["code"].as_i64().unwrap(), text("code"), text("field"))
}

fn from(address: &str, nonce: u64) -> Value {
    let mut transaction = transfer(nonce);
    transaction["from"] = json!(address);
    transaction
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_ask_before_they_sign() {
    let stack = Stack::start_ready().await;
    let first = create(&stack, "alpha").await;
    let second = create(&stack, "beta").await;
    assert_eq!(result(&stack, "/rpc/137", "eth_chainId", json!([])).await, "0x89");
    assert_eq!(result(&stack, "/rpc/137", "net_version", json!([])).await, "137");
    let version = result(&stack, "/rpc", "web3_clientVersion", json!([])).await;
    assert!(version.as_str().unwrap().starts_with("nitro-signer/"), "{version}");
    assert_eq!(result(&stack, "/rpc/1", "eth_accounts", json!([])).await, json!([first, second]));
    assert_eq!(result(&stack, "/v1/wallets/beta/rpc/1", "eth_accounts", json!([])).await, json!([second]));
    let without_chain = error(&stack, "/rpc", "eth_chainId", json!([])).await;
    assert_eq!(without_chain, (-32602, "malformed_request".into(), "chain_id".into()));
    for method in ["eth_sendTransaction", "eth_blockNumber", "eth_getBalance", "debug_traceCall", ""] {
        assert_eq!(error(&stack, "/rpc/1", method, json!([])).await.0, -32601, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_signed_as_by_the_api() {
    let stack = Stack::start_ready().await;
    let address = create(&stack, "treasury").await;
    let expected = stack
        .post("/v1/wallets/treasury/sign", &json!({"type": "evm.transaction", "transaction": transfer(0)}))
        .await
        .json;
    let raw = &expected["signed_transaction"];
    let sign = "eth_signTransaction";
    for path in ["/rpc/1", "/rpc", "/v1/wallets/treasury/rpc/1", "/v1/wallets/treasury/rpc"] {
        assert_eq!(result(&stack, path, sign, json!([from(&address, 0)])).await, *raw, "{path}");
    }
    // The wallet in the path says who; without one `from` must. The chain in the path says where.
    assert_eq!(result(&stack, "/v1/wallets/treasury/rpc/1", sign, json!([transfer(0)])).await, *raw);
    let mut bare = from(&address, 0);
    bare.as_object_mut().unwrap().remove("chainId");
    assert_eq!(result(&stack, "/rpc/1", sign, json!([bare])).await, *raw);
    let refused = error(&stack, "/rpc", sign, json!([bare])).await;
    assert_eq!(refused, (-32602, "transaction_rejected".into(), "transaction.chainId".into()));
    let refused = error(&stack, "/rpc/1", sign, json!([transfer(0)])).await;
    assert_eq!(refused, (-32602, "malformed_request".into(), "from".into()));
    let refused = error(&stack, "/rpc/5", sign, json!([from(&address, 0)])).await;
    assert_eq!(refused, (-32602, "transaction_rejected".into(), "transaction.chainId".into()));

    let geth = result(&stack, "/rpc/1/geth", sign, json!([from(&address, 0)])).await;
    assert_eq!(&geth["raw"], raw);
    assert_eq!(geth["tx"]["hash"], expected["transaction_hash"]);
    assert_eq!((&geth["tx"]["type"], &geth["tx"]["chainId"]), (&json!("0x2"), &json!("0x1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_typed_data_are_signed_in_65_bytes() {
    let stack = Stack::start_ready().await;
    let address = create(&stack, "treasury").await;
    let body = json!({"type": "evm.message", "text": "hello"});
    let expected = stack.post("/v1/wallets/treasury/sign", &body).await.json["serialized_signature"].clone();
    assert_eq!(expected.as_str().unwrap().len(), 2 + 130);
    let data = "0x68656c6c6f";
    for params in [json!([data, address]), json!([data, address, "password"]), json!([data, address, ""])] {
        assert_eq!(result(&stack, "/rpc/1", "personal_sign", params).await, expected);
    }
    assert_eq!(result(&stack, "/rpc/1", "eth_sign", json!([address, data])).await, expected);
    let swapped = error(&stack, "/rpc/1", "personal_sign", json!([address, data])).await;
    assert_eq!(swapped, (-32602, "malformed_request".into(), "params[1]".into()));
    let text = error(&stack, "/rpc/1", "personal_sign", json!(["hello", address])).await;
    assert_eq!(text, (-32602, "transaction_rejected".into(), "message".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_found_by_its_address_after_a_restart() {
    let mut stack = Stack::start_ready().await;
    let treasury = create(&stack, "treasury").await;
    create(&stack, "payroll").await;
    let derived = json!({"path": "m/44'/60'/0'/0/5", "curve": "secp256k1"});
    let derived = stack.post("/v1/wallets/treasury/accounts", &derived).await;
    let fifth = derived.json["addresses"]["evm"].as_str().unwrap().to_owned();
    let sign = "eth_signTransaction";
    let expected = [
        result(&stack, "/rpc/1", sign, json!([from(&treasury, 0)])).await,
        result(&stack, "/rpc/1", sign, json!([from(&fifth, 0)])).await,
    ];
    restart(&mut stack).await;
    for (address, expected) in [&treasury, &fifth].into_iter().zip(&expected) {
        assert_eq!(result(&stack, "/rpc/1", sign, json!([from(address, 0)])).await, *expected);
        assert_eq!(
            result(&stack, "/v1/wallets/treasury/rpc/1", sign, json!([from(address, 0)])).await,
            *expected
        );
        let foreign = error(&stack, "/v1/wallets/payroll/rpc/1", sign, json!([from(address, 0)])).await;
        assert_eq!(foreign, (-32602, "malformed_request".into(), "from".into()));
    }
    let nobody = "0x3535353535353535353535353535353535353535";
    let unknown = error(&stack, "/rpc/1", sign, json!([from(nobody, 0)])).await;
    assert_eq!(unknown, (-32001, "wallet_not_found".into(), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_notifications_and_broken_requests() {
    let stack = Stack::start_ready().await;
    let address = create(&stack, "treasury").await;
    let request = |id: Value, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let notification = json!({"jsonrpc": "2.0", "method": "eth_sign", "params": [address, "0x00"]});
    let batch = json!([
        request(json!("a"), "eth_chainId", json!([])),
        request(json!(null), "eth_signTransaction", json!([from(&address, 0)])),
        notification,
        request(json!(2), "eth_unknown", json!([])),
        1,
        request(json!(3), "eth_signTransaction", json!([{"from": address}])),
    ]);
    let reply = stack.post("/rpc/1", &batch).await;
    let answers = reply.json.as_array().unwrap();
    let told: Vec<(&Value, i64)> =
        answers.iter().map(|answer| (&answer["id"], answer["error"]["code"].as_i64().unwrap_or(0))).collect();
    let (null, a, two, three) = (json!(null), json!("a"), json!(2), json!(3));
    assert_eq!(told, [(&a, 0), (&null, 0), (&two, -32601), (&null, -32600), (&three, -32602)], "{reply:?}");
    assert_eq!(answers[4]["error"]["data"]["field"], "transaction.nonce");

    for silent in [notification.clone(), json!([notification])] {
        let reply = stack.request("POST", "/rpc/1", silent.to_string().as_bytes()).await.unwrap();
        assert_eq!((reply.status, reply.body.len()), (204, 0), "{reply:?}");
    }
    let status = stack.wait_for("one signature", |status| status["enclave"]["signatures"] == 1).await;
    assert_eq!(status["enclave"]["signatures"], 1, "notifications sign nothing");

    for (body, code) in [("{", -32700), ("", -32700), ("[]", -32600), ("1", -32600), ("{}", -32600)] {
        let reply = stack.request("POST", "/rpc/1", body.as_bytes()).await.unwrap();
        assert_eq!((reply.status, &reply.json["error"]["code"]), (200, &json!(code)), "{body}: {reply:?}");
        assert_eq!(reply.json["id"], Value::Null);
    }
    for (method, path, status) in [
        ("GET", "/rpc/1", 405),
        ("POST", "/rpc/01", 404),
        ("POST", "/rpc/1/other", 404),
        ("POST", "/rpc/1?a=b", 400),
    ] {
        let body = request(json!(1), "eth_chainId", json!([])).to_string();
        let reply = stack.request(method, path, body.as_bytes()).await.unwrap();
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_bind_every_method() {
    let stack = Stack::start(StackOptions::default()).await;
    let fingerprint = stack.create_keyring("default").await;
    let rules = json!([
        {"id": "create", "effect": "allow", "operations": ["wallet.create"]},
        {"id": "mainnet", "effect": "allow", "operations": ["evm.transaction"], "chain_ids": [1]},
    ]);
    stack.push(&stack.bundle(2, None, &[("default", &fingerprint)], &rules)).await;
    stack.wait_for_phase("ready").await;
    let address = create(&stack, "treasury").await;
    assert_eq!(result(&stack, "/rpc/1", "eth_accounts", json!([])).await, json!([]));
    let denied = (-32003, "policy_denied".to_owned(), String::new());
    let wallet = "/v1/wallets/treasury/rpc/1";
    assert_eq!(error(&stack, wallet, "eth_accounts", json!([])).await, denied);
    assert_eq!(error(&stack, wallet, "eth_sign", json!([address, "0x00"])).await, denied);
    assert_eq!(error(&stack, wallet, "personal_sign", json!(["0x00", address])).await, denied);
    assert_eq!(error(&stack, wallet, "eth_signTypedData_v4", json!([address, {}])).await, denied);
    result(&stack, wallet, "eth_signTransaction", json!([transfer(0)])).await;
    let mut elsewhere = transfer(0);
    elsewhere["chainId"] = json!("0xa");
    let refused =
        error(&stack, "/v1/wallets/treasury/rpc/10", "eth_signTransaction", json!([elsewhere])).await;
    assert_eq!(refused, denied);
}
