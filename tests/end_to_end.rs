//! The real programs, from an HTTP request to a signature.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signer_tests::stack::{Stack, StackOptions, allow_everything, read_store, recover_evm_address};

fn transfer(nonce: u64) -> Value {
    json!({"type": "evm.transaction", "transaction": {
        "chainId": 1, "nonce": nonce, "to": "0x3535353535353535353535353535353535353535", "value": "1",
        "gas": "0x5208", "maxFeePerGas": "20000000000", "maxPriorityFeePerGas": "1000000000"
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_created_once_and_signs() {
    let stack = Stack::start_ready().await;
    let created = stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    assert_eq!(created.status, 201, "{created:?}");
    let wallet = created.json;

    let again = stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    assert_eq!((again.status, &again.json["code"]), (409, &json!("wallet_exists")));
    assert_eq!(again.json["wallet"], wallet);

    let by_name = stack.get("/v1/wallets/treasury").await;
    let by_full_name = stack.get("/v1/wallets/default.treasury").await;
    let by_id = stack.get(&format!("/v1/wallets/{}", wallet["id"].as_str().unwrap())).await;
    for shown in [by_name, by_full_name, by_id] {
        assert_eq!((shown.status, &shown.json), (200, &wallet));
    }

    let signed = stack.post("/v1/wallets/treasury/sign", &transfer(0)).await;
    assert_eq!(signed.status, 200, "{signed:?}");
    let address = wallet["accounts"][0]["addresses"]["evm"].as_str().unwrap();
    assert_eq!(signed.json["address"], address);
    assert_eq!(recover_evm_address(&signed.json), address.to_ascii_lowercase());
    let retried = stack.post("/v1/wallets/treasury/sign", &transfer(0)).await;
    assert_eq!(retried.json, signed.json, "a retry gives the same bytes");
    assert!(signed.header("x-request-id").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_are_listed_in_pages() {
    let stack = Stack::start_ready().await;
    for name in ["alpha", "beta", "gamma"] {
        assert_eq!(stack.post("/v1/wallets", &json!({"name": name, "kind": "hd"})).await.status, 201);
    }
    let names = |page: &Value| -> Vec<String> {
        page["wallets"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = stack.get("/v1/wallets?limit=2").await.json;
    assert_eq!(
        (names(&first), &first["next"]),
        (vec!["alpha".into(), "beta".into()], &json!("default.beta"))
    );
    let second = stack.get("/v1/wallets?limit=2&after=default.beta").await.json;
    assert_eq!((names(&second), &second["next"]), (vec!["gamma".into()], &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_follow_from_their_path() {
    let stack = Stack::start_ready().await;
    stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    let path = "m/44'/60'/0'/0/7";
    let request = json!({"path": path, "curve": "secp256k1"});
    let first = stack.post("/v1/wallets/treasury/accounts", &request).await;
    assert_eq!(first.status, 201, "{first:?}");
    let second = stack.post("/v1/wallets/treasury/accounts", &request).await;
    assert_eq!((second.status, &second.json), (200, &first.json));
    let mut sign = transfer(0);
    sign["path"] = json!(path);
    sign["address"] = first.json["addresses"]["evm"].clone();
    let signed = stack.post("/v1/wallets/treasury/sign", &sign).await;
    assert_eq!(signed.json["address"], first.json["addresses"]["evm"], "{signed:?}");
    sign["address"] = json!("0x3535353535353535353535353535353535353535");
    let wrong = stack.post("/v1/wallets/treasury/sign", &sign).await;
    assert_eq!((wrong.status, &wrong.json["field"]), (422, &json!("address")));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_get_clear_errors() {
    let stack = Stack::start_ready().await;
    stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    let cases = [
        ("POST", "/v1/wallets", json!({"name": "Bad Name", "kind": "hd"}), 400, "malformed_request"),
        ("POST", "/v1/wallets", json!({"name": "a", "kind": "hd", "extra": 1}), 400, "malformed_request"),
        ("POST", "/v1/wallets", json!({"name": "a", "kind": "hd", "keyring": "b"}), 400, "malformed_request"),
        ("GET", "/v1/wallets/nobody", json!(null), 404, "wallet_not_found"),
        ("GET", "/v1/wallets?limit=0", json!(null), 400, "malformed_request"),
        ("GET", "/v1/other", json!(null), 404, "not_found"),
        ("DELETE", "/v1/wallets/treasury", json!(null), 405, "method_not_allowed"),
        ("POST", "/v1/wallets/treasury/sign", json!({"type": "evm.dance"}), 422, "transaction_rejected"),
        (
            "POST",
            "/v1/wallets/treasury/sign",
            json!({"type": "evm.transaction"}),
            422,
            "transaction_rejected",
        ),
        ("POST", "/v1/policy", json!({}), 422, "policy_invalid"),
        ("POST", "/v1/keyrings", json!({}), 422, "policy_invalid"),
        ("GET", "/v1/attestation?nonce=zz", json!(null), 400, "malformed_request"),
    ];
    for (method, path, body, status, code) in cases {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let reply = stack.request(method, path, &body).await.unwrap();
        assert_eq!((reply.status, &reply.json["code"]), (status, &json!(code)), "{method} {path}: {reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(reply.json["request_id"].as_str(), reply.header("x-request-id"), "{reply:?}");
        assert!(reply.json["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_decide_and_records_tell() {
    let stack = Stack::start(StackOptions::default()).await;
    let fingerprint = stack.create_keyring("default").await;
    let rules = json!([
        {"id": "create", "effect": "allow", "operations": ["wallet.create"]},
        {"id": "mainnet", "effect": "allow", "operations": ["evm.transaction"], "chain_ids": [1]},
    ]);
    stack.push(&stack.bundle(2, None, &[("default", &fingerprint)], &rules)).await;
    stack.wait_for_phase("ready").await;
    stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    assert_eq!(stack.post("/v1/wallets/treasury/sign", &transfer(0)).await.status, 200);
    let mut elsewhere = transfer(0);
    elsewhere["transaction"]["chainId"] = json!(10);
    let denied = stack.post("/v1/wallets/treasury/sign", &elsewhere).await;
    assert_eq!((denied.status, &denied.json["code"]), (403, &json!("policy_denied")));
    assert_eq!(stack.get("/v1/wallets/treasury").await.status, 403, "reading is an operation of its own");

    let status = stack.wait_for("a signature", |status| status["enclave"]["signatures"] == 1).await;
    // Boot, keyring made and opened, policy, create, sign, denied sign, denied read.
    assert_eq!(status["enclave"]["audit_head"], 7, "{status}");
    let records = audit_chain(&stack).await;
    let decisions: Vec<(&Value, &Value)> = records
        .iter()
        .filter_map(|record| record.get("decision"))
        .map(|decision| (&decision["operation"], &decision["allowed"]))
        .collect();
    let (yes, no) = (json!(true), json!(false));
    let signed = json!("evm.transaction");
    assert_eq!(
        decisions,
        [(&json!("wallet.create"), &yes), (&signed, &yes), (&signed, &no), (&json!("wallet.read"), &no)]
    );
    let attested = statement(&stack).await;
    assert_eq!(attested["audit_sequence"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyring_of_two_accounts_needs_both() {
    let options = StackOptions { shares: 2, keys_per_share: 2, ..StackOptions::default() };
    let stack = Stack::start(options).await;
    stack.make_ready().await;
    assert_eq!(stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await.status, 201);
    let accounts: std::collections::BTreeSet<String> = stack
        .kms
        .trail()
        .iter()
        .filter(|event| event["eventName"] == "Decrypt")
        .map(|event| event["requestParameters"]["keyId"].to_string())
        .collect();
    assert_eq!(accounts.len(), 2, "{accounts:?}");

    // The second account's policy editor says no: neither its keys nor the others open the keyring.
    for key in &stack.configuration.configuration.kms.shares[1].keys {
        let nobody = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:PutKeyPolicy", "Resource": "*"},
        ]});
        stack.kms.set_key_policy(&key.arn, &nobody).unwrap();
    }
    let mut stack = stack;
    stack.kill_enclave();
    stack.start_enclave();
    let refused =
        |status: &Value| status["enclave"]["problem"].as_str().is_some_and(|text| text.contains("share 2"));
    let status = stack.wait_for("share 2 to be refused", refused).await;
    assert_eq!(status["enclave"]["phase"], "configured");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_follows_one_push() {
    let stack = Stack::start_ready().await;
    let status = stack.get("/v1/status").await.json;
    let digest = status["enclave"]["policy_digest"].as_str().unwrap();
    let fingerprint = stack.post("/v1/wallets", &json!({"name": "a", "kind": "hd"})).await;
    assert_eq!(fingerprint.status, 201);
    let keyring = statement(&stack).await["keyrings"][0]["fingerprint"].as_str().unwrap().to_owned();
    let bundle = stack.bundle(3, Some(digest), &[("default", &keyring)], &allow_everything());
    let pushed = stack.push(&bundle).await;
    assert_eq!((pushed.status, &pushed.json["in_force"]), (202, &json!(false)), "{pushed:?}");
    stack.wait_for("policy 3", |status| status["enclave"]["policy_version"] == 3).await;
    let again = stack.push(&bundle).await;
    assert_eq!((again.status, &again.json["in_force"]), (200, &json!(true)), "{again:?}");
    let attested = statement(&stack).await;
    assert_eq!(attested["policy_version"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_enclave_has_no_last_words() {
    let mut stack = Stack::start(StackOptions::default()).await;
    let status = stack.get("/v1/status").await.json;
    assert_eq!(status["last_death"], json!(null), "{status}");
    let boot_id = status["enclave"]["boot_id"].clone();
    stack.kill_enclave();
    let lost = stack.wait_for("a loss", |status| !status["last_death"].is_null()).await;
    assert_eq!(lost["last_death"]["cause"], "connection_lost", "{lost}");
    stack.start_enclave();
    let certain = stack.wait_for("a successor", |status| status["last_death"]["cause"] == "unknown").await;
    let death = &certain["last_death"];
    assert_eq!((&death["boot_id"], &death["detail"]), (&boot_id, &json!(null)), "{death}");
    assert!(stack.logs().contains("enclave_died"), "{}", stack.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_tells_its_place_and_nothing_else() {
    let trigger = std::env::temp_dir().join(format!("signer-panic-{}", std::process::id()));
    let flags = vec!["--panic-at".to_owned(), trigger.to_str().unwrap().to_owned()];
    let mut stack = Stack::start(StackOptions { enclave_flags: flags, ..StackOptions::default() }).await;
    let boot_id = stack.get("/v1/status").await.json["enclave"]["boot_id"].clone();
    std::fs::write(&trigger, "").unwrap();
    assert!(!stack.enclave_exit().await);
    std::fs::remove_file(&trigger).unwrap();
    let is_panic = |status: &Value| status["last_death"]["cause"] == "panic";
    let death = stack.wait_for("last words", is_panic).await["last_death"].clone();
    assert_eq!(death["boot_id"], boot_id);
    let place = death["detail"].as_str().unwrap();
    assert!(place.starts_with("tests/src/bin/emulated-enclave.rs:"), "{place}");
    stack.start_enclave();
    stack.wait_for_phase("configured").await;
    assert_eq!(stack.get("/v1/status").await.json["last_death"], death, "until the next");
    let logs = stack.logs();
    assert!(logs.contains("enclave_died") && !logs.contains("could hold anything"), "{logs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enclave_that_does_not_start_says_why() {
    let options = StackOptions {
        enclave_flags: vec!["--debug-mode".to_owned()],
        without_host: true,
        ..StackOptions::default()
    };
    let mut stack = Stack::start(options).await;
    stack.enclave_exit().await;
    stack.start_host();
    stack.wait_for("a host", |status| status["host"]["version"].is_string()).await;
    stack.start_enclave();
    let death = stack.wait_for("last words", |status| !status["last_death"].is_null()).await;
    let death = &death["last_death"];
    assert_eq!((&death["boot_id"], &death["cause"]), (&json!(null), &json!("error")), "{death}");
    assert!(death["detail"].as_str().unwrap().contains("debug mode"), "{death}");
}

/// The records of this boot as the host stored them, each checked to hold the digest of the one before.
async fn audit_chain(stack: &Stack) -> Vec<Value> {
    let stored = stack
        .wait_for("a stored log", |status| status["audit"]["stored"] == status["enclave"]["audit_head"])
        .await;
    let prefix = format!("audit/{}/", stored["enclave"]["boot_id"].as_str().unwrap());
    let segments = read_store(&stack.path("store"));
    let segments = segments.iter().filter(|(name, _)| name.starts_with(&prefix));
    let lines = segments.flat_map(|(_, content)| content.split(|byte| *byte == b'\n'));
    let records = lines.filter(|line| !line.is_empty() && !line.starts_with(b"{\"checkpoint\""));
    let mut previous = "00".repeat(32);
    let mut chain = Vec::new();
    for bytes in records {
        let record: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(record["previous"], previous, "{record}");
        previous = hex::encode(Sha256::digest(bytes));
        chain.push(record);
    }
    assert_eq!(statement(stack).await["audit_head"], previous);
    chain
}

async fn statement(stack: &Stack) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let reply = stack.get(&format!("/v1/attestation?nonce={}", "ab".repeat(16))).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_slice(&STANDARD.decode(reply.json["statement"].as_str().unwrap()).unwrap()).unwrap()
}
