//! The API's description: sound in itself, served, strict, and complete.
//!
//! That the appliance answers as described is checked in every end-to-end test, by the harness. Here are the answers that
//! no other test asks for.

use std::{collections::BTreeSet, fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use signer_tests::{
    openapi::{Document, Exchange, Node, Violation},
    stack::{KEYRING, Stack, StackOptions, request},
};

fn read(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every place of the document that is no example.
fn walk<'a>(node: &Node<'a>, visit: &mut impl FnMut(&Node<'a>)) {
    visit(node);
    let names: Vec<String> = match node.value {
        Value::Object(members) => members.keys().cloned().collect(),
        Value::Array(items) => (0..items.len()).map(|index| index.to_string()).collect(),
        _ => return,
    };
    for name in names.iter().filter(|name| !["example", "examples"].contains(&name.as_str())) {
        walk(&node.child(name).expect("a member"), visit);
    }
}

fn operations() -> Vec<(String, String, Node<'static>)> {
    let paths = Document::committed().root().member("paths").expect("paths");
    let items = paths.members();
    items
        .flat_map(|(path, item)| {
            let named = move |(method, operation): (String, Node<'static>)| (path.clone(), method, operation);
            item.members().filter(|(name, _)| name != "parameters").map(named).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn references_lead_somewhere_and_schemas_are_schemas() {
    let (mut references, mut schemas) = (0, 0);
    walk(&Document::committed().root(), &mut |node| {
        if let Some(reference) = node.text("$ref") {
            let target = reference.strip_prefix('#').and_then(|pointer| Document::committed().at(pointer));
            assert!(target.is_some(), "{}: {reference}", node.pointer());
            references += 1;
        }
        let parent = node.pointer().rsplit_once('/').map_or("", |(parent, _)| parent);
        if parent == "/components/schemas" || (node.pointer().ends_with("/schema") && node.value.is_object())
        {
            node.is_schema().unwrap_or_else(|error| panic!("{error}"));
            schemas += 1;
        }
    });
    assert!(references > 200 && schemas > 60, "{references} {schemas}");
}

#[test]
fn operations_are_told_apart_and_say_their_parameters() {
    let root = Document::committed().root();
    let tags: BTreeSet<&str> =
        root.value["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations() {
        let id = operation.text("operationId").unwrap_or_else(|| panic!("{method} {path}"));
        assert!(ids.insert(id), "{id} twice");
        assert!(
            operation.value["tags"]
                .as_array()
                .unwrap()
                .iter()
                .all(|tag| tags.contains(tag.as_str().unwrap()))
        );
        assert!(operation.text("summary").is_some_and(|summary| summary.ends_with('.')), "{id}");
        let item = Document::committed().root().member("paths").unwrap().member(&path).unwrap();
        let said: BTreeSet<String> = item
            .member("parameters")
            .iter()
            .flat_map(Node::members)
            .filter(|(_, parameter)| parameter.text("in") == Some("path"))
            .map(|(_, parameter)| parameter.text("name").unwrap().to_owned())
            .collect();
        let there: BTreeSet<String> = path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .map(str::to_owned)
            .collect();
        assert_eq!(said, there, "{path}");
    }
    assert!(ids.len() > 20);
}

#[test]
fn examples_are_of_their_schema() {
    let mut checked = 0;
    let mut check = |schema: &Node<'_>, example: &Value, place: &str| {
        schema.validate(example).unwrap_or_else(|error| panic!("{place}: {error}"));
        checked += 1;
    };
    walk(&Document::committed().root(), &mut |node| {
        let examples = node.member("examples");
        if let Some(schema) = node.child("schema").filter(|schema| schema.value.is_object()) {
            if let Some(example) = node.value.get("example") {
                check(&schema, example, node.pointer());
            }
            for (name, example) in examples.iter().flat_map(Node::members) {
                check(&schema, &example.value["value"], &format!("{} {name}", node.pointer()));
            }
        } else if let Some(examples) = examples.as_ref().and_then(|examples| examples.value.as_array()) {
            for example in examples {
                check(node, example, node.pointer());
            }
        }
    });
    assert!(checked > 60, "{checked}");
}

/// What everybody relies on: an answer that differs in anything from what is described is told.
#[test]
fn the_judge_bites() {
    let wallet = Document::committed().at("/components/examples/Wallet/value").unwrap().value.clone();
    let json_type = ("content-type".to_owned(), "application/json".to_owned());
    let id = ("x-request-id".to_owned(), "a".to_owned());
    let headers = [json_type.clone(), id.clone()];
    let judge = |path: &str, status, headers: &[(String, String)], body: &Value| {
        let body = body.to_string();
        Exchange { method: "GET", path, request: b"", status, headers, body: body.as_bytes() }
            .check(Document::committed())
    };
    let part = |verdict: Result<(), Violation>| verdict.expect_err("a violation").part;
    let path = "/v1/wallets/treasury";
    assert_eq!(judge(path, 200, &headers, &wallet), Ok(()));

    let mut more = wallet.clone();
    more["more"] = json!(1);
    let told = judge(path, 200, &headers, &more).unwrap_err();
    assert_eq!(told.part, "body");
    assert!(told.message.contains("more"), "{told}");
    let mut less = wallet.clone();
    less.as_object_mut().unwrap().remove("keyring");
    assert!(judge(path, 200, &headers, &less).unwrap_err().message.contains("keyring"));
    let mut deep = wallet.clone();
    deep["accounts"][1]["public_key"] = json!("00");
    assert!(judge(path, 200, &headers, &deep).unwrap_err().message.contains("/accounts/1/public_key"));

    assert_eq!(part(judge(path, 201, &headers, &wallet)), "status");
    assert_eq!(part(judge(path, 200, std::slice::from_ref(&id), &wallet)), "content type");
    let text = ("content-type".to_owned(), "text/plain".to_owned());
    assert_eq!(part(judge(path, 200, &[text, id.clone()], &wallet)), "content type");
    assert_eq!(part(judge(path, 200, std::slice::from_ref(&json_type), &wallet)), "headers");
    let foreign = ("server".to_owned(), "x".to_owned());
    assert_eq!(part(judge(path, 200, &[json_type, id.clone(), foreign], &wallet)), "headers");
    assert_eq!(part(judge("/v1/wallets/treasury?a=b", 200, &headers, &wallet)), "accepted request");
    assert_eq!(part(judge("/v1/wallets/Treasury", 200, &headers, &wallet)), "accepted request");
    assert_eq!(part(judge("/v1/nothing", 200, &headers, &wallet)), "status");
}

#[test]
fn problems_and_accepted_requests_are_judged_as_well() {
    let example = |name: &str| {
        let pointer = format!("/components/responses/{name}/content/application~1problem+json/example");
        Document::committed().at(&pointer).unwrap().value.clone()
    };
    let post = |status, kind: &str, request: &Value, body: &Value| {
        let headers = [("content-type", kind), ("x-request-id", "a"), ("retry-after", "1")];
        // Retry-After belongs to what may be tried again, and to nothing else.
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = &headers[..if [408, 429, 503].contains(&status) { 3 } else { 2 }];
        let (request, body) = (request.to_string(), body.to_string());
        let (request, body) = (request.as_bytes(), body.as_bytes());
        Exchange { method: "POST", path: "/v1/wallets", request, status, headers, body }
            .check(Document::committed())
    };
    let problem = "application/problem+json";
    let denied = example("PolicyDenied");
    assert_eq!(post(403, problem, &json!(null), &denied), Ok(()));
    assert_eq!(post(503, problem, &json!(null), &example("Unavailable")), Ok(()));
    assert!(post(403, problem, &json!(null), &example("Overloaded")).is_err(), "another status in the body");
    for (member, value) in [("code", json!("denied")), ("status", json!(404)), ("retryable", json!(true))] {
        let mut other = denied.clone();
        other[member] = value;
        assert!(post(403, problem, &json!(null), &other).is_err(), "{member}");
    }
    let wallet = Document::committed().at("/components/examples/Wallet/value").unwrap().value.clone();
    let create = |request: Value| post(201, "application/json", &request, &wallet);
    assert_eq!(create(json!({"name": "treasury", "kind": "hd"})), Ok(()));
    assert!(create(json!({"name": "treasury", "kind": "hd", "more": 1})).is_err());
    assert!(create(json!({"name": "treasury"})).is_err());
}

#[test]
fn every_code_is_described_and_in_the_table() {
    let codes = Document::committed().at("/components/schemas/ProblemCode").unwrap();
    let described: BTreeSet<&str> =
        codes.value["enum"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    let text = codes.text("description").unwrap();
    let api = read("docs/http-api.md");
    let table: BTreeSet<&str> = api
        .lines()
        .filter(|line| line.starts_with("| 4") || line.starts_with("| 5"))
        .flat_map(|line| line.split('|').nth(2).unwrap_or_default().split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(described, table);
    // The rows of the enclave's codes, as they are written.
    let enclave = read("enclave/src/api/problem.rs");
    let rows: BTreeSet<&str> = enclave
        .split("(4")
        .chain(enclave.split("(5"))
        .filter_map(|row| row.split_once(", \"")?.1.split_once("\", \""))
        .map(|(code, _)| code)
        .filter(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .collect();
    assert!(rows.len() >= 19, "{rows:?}");
    for code in &rows {
        assert!(described.contains(code), "{code} is not in host/openapi.json");
    }
    for code in described {
        assert!(text.contains(&format!("`{code}`")), "{code} is not explained");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_whatever_the_enclave_does() {
    let mut stack = Stack::start(StackOptions::default()).await;
    let committed: Value = serde_json::from_str(&read("host/openapi.json")).unwrap();
    let served = stack.get("/openapi.json").await;
    assert_eq!((served.status, &served.json), (200, &committed));
    stack.kill_enclave();
    stack.wait_for("the enclave to be gone", |status| status["enclave"].is_null()).await;
    assert_eq!(stack.get("/openapi.json").await.json, committed);
    let head = stack.request("HEAD", "/openapi.json", b"").await.unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
    let post = stack.request("POST", "/openapi.json", b"").await.unwrap();
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));

    // Nothing else that needs the enclave is left unanswered.
    for (path, method, _) in operations() {
        let path = path.replace("{wallet}", "treasury").replace("{chain_id}", "1");
        let path = path.replace("{boot_id}", &"0".repeat(32));
        let body: &[u8] = if method == "post" { b"{}" } else { b"" };
        let answer = stack.request(&method.to_ascii_uppercase(), &path, body).await.unwrap();
        let expected = match path.as_str() {
            "/healthz" | "/openapi.json" | "/v1/status" => 200,
            // From the store, where there is none.
            path if path.starts_with("/v1/boots/") => 404,
            _ => 503,
        };
        assert_eq!(answer.status, expected, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_the_hosts_own_paths_answer_as_described() {
    let stack = Stack::start_ready().await;
    for path in ["/healthz", "/readyz", "/v1/status", "/v1/attestation"] {
        assert_eq!(stack.get(path).await.status, 200, "{path}");
        assert_eq!(stack.request("HEAD", path, b"").await.unwrap().status, 200, "{path}");
        assert_eq!(stack.request("PUT", path, b"").await.unwrap().status, 405, "{path}");
    }
    for (path, status) in [("/", 404), ("/v2", 404), ("/v1/x", 404), ("/v1//x", 400), ("/v1/wallets/", 400)] {
        assert_eq!(stack.get(path).await.status, status, "{path}");
    }
    let large = vec![b' '; 2 * 1024 * 1024];
    assert_eq!(stack.request("POST", "/v1/wallets", &large).await.unwrap().status, 413);
    let long = "a".repeat(17_000);
    let many = [("x-a", long.as_str()), ("x-b", long.as_str())];
    let answer = request(&stack.address(), "GET", "/v1/wallets", &many, b"").await.unwrap();
    assert_eq!(answer.status, 431);
    let named = [("x-request-id", "order-1234"), ("authorization", "Bearer x")];
    let answer = request(&stack.address(), "GET", "/v1/wallets", &named, b"").await.unwrap();
    assert_eq!((answer.status, answer.header("x-request-id")), (401, Some("order-1234")));
    assert_eq!(answer.json["request_id"], "order-1234");
    assert_eq!(stack.push(&stack.bundle(2, None, &[], &json!([]))).await.status, 409, "a rival of version 2");
    let again = stack.request("POST", "/v1/keyrings", stack.keyring_request(KEYRING).as_bytes()).await;
    assert_eq!(again.unwrap().status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_signature_is_as_described() {
    let stack = Stack::start(StackOptions::default()).await;
    let fingerprint = stack.create_keyring(KEYRING).await;
    let rules = json!([{"id": "all", "effect": "allow", "operations": [
        "wallet.create", "evm.transaction", "evm.message", "solana.transaction", "raw.digest", "raw.message"
    ]}]);
    let pushed = stack.push(&stack.bundle(2, None, &[(KEYRING, &fingerprint)], &rules)).await;
    assert_eq!(pushed.status, 202, "{pushed:?}");
    stack.wait_for_phase("ready").await;
    let wallet = stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await.json;
    let solana = wallet["accounts"][1]["addresses"]["solana"].as_str().unwrap();
    let to = "0x3535353535353535353535353535353535353535";
    let legacy = json!({"chainId": 1, "nonce": 0, "to": to, "gas": 21000, "gasPrice": "1"});
    let mut unprotected = legacy.clone();
    unprotected["chainId"] = Value::Null;
    // Good on every chain, so it shares its nonces with all of them.
    unprotected["nonce"] = json!(1);
    for request in [
        json!({"type": "evm.transaction", "transaction": legacy}),
        json!({"type": "evm.transaction", "transaction": unprotected}),
        json!({"type": "evm.transaction", "path": "m/44'/60'/0'/0/9", "unsigned": unsigned_legacy()}),
        json!({"type": "evm.message", "message": "0x"}),
        json!({"type": "evm.message", "text": "Grüezi"}),
        json!({"type": "raw.digest", "digest": format!("0x{}", "ab".repeat(32))}),
        json!({"type": "raw.message", "message": "0x00"}),
        json!({"type": "solana.transaction", "transaction": solana_transfer(solana, 1)}),
        json!({"type": "solana.transaction", "transaction": solana_transfer(solana, 2)}),
    ] {
        let signed = stack.post("/v1/wallets/treasury/sign", &request).await;
        assert_eq!(signed.status, 200, "{request}: {signed:?}");
    }
}

/// A transfer of nothing, before EIP-155: six fields of RLP.
fn unsigned_legacy() -> String {
    // nonce 0, gas price 1, gas 21000, to, value 0, no data
    format!("0xdc800182520894{}8080", "35".repeat(20))
}

/// A legacy message that transfers one lamport. With two signers the other one is missing, and pays.
fn solana_transfer(address: &str, signers: u8) -> String {
    let own = bs58::decode(address).into_vec().unwrap();
    let payer = if signers == 1 { Vec::new() } else { vec![0x11; 32] };
    let keys = [payer.as_slice(), &own, &[0x35; 32], &[0; 32]].concat();
    let count = u8::try_from(keys.len() / 32).unwrap();
    let data = [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    let from = signers - 1;
    let instruction = [[1, count - 1, 2, from, from + 1, 12].as_slice(), &data].concat();
    let message = [[signers, 0, 1, count].as_slice(), &keys, &[7; 32], &instruction].concat();
    let signatures = vec![0; 64 * usize::from(signers)];
    STANDARD.encode([[signers].as_slice(), &signatures, &message].concat())
}
