//! Requests that are signed, sessions, and signed answers.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    agreement::{PrivateKey, UnparsedPublicKey, X25519, agree},
    hkdf, hmac,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use signer_rules::{
    hex_bytes::HexBytes,
    http_signature::{self, Signing, check_content_digest, content_digest, response, session},
    timestamp::Timestamp,
};
use signer_tests::stack::{KEYRING, Reply, Stack, StackOptions, allow_everything};

const SIGN: &str = "/v1/wallets/treasury/sign";

/// What signs: a key, or a session.
enum Key {
    Own(SigningKey),
    Session { id: HexBytes<16>, ticket: String, mac_key: Vec<u8> },
}

/// An appliance with one client, which has a key and nobody else's.
async fn start(client: &Value) -> Stack {
    let stack = Stack::start(StackOptions::default()).await;
    let fingerprint = stack.create_keyring(KEYRING).await;
    let mut bundle = stack.bundle(2, None, &[(KEYRING, &fingerprint)], &allow_everything());
    bundle["clients"] = json!([client]);
    let pushed = stack.push(&bundle).await;
    assert_eq!(pushed.status, 202, "{pushed:?}");
    stack.wait_for_phase("ready").await;
    // What was signed in the second of the boot may have been signed before it, and is refused.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    stack
}

fn own() -> SigningKey {
    SigningKey::from_bytes(&[0x51; 32])
}

fn payroll() -> Value {
    let public_key = HexBytes(own().verifying_key().to_bytes());
    let key = json!({"id": "payroll-1", "algorithm": "ed25519", "public_key": public_key});
    json!({"id": "payroll", "auth": {"keys": [key]}, "roles": ["payer"], "sessions": {"longest_s": 600}})
}

/// The headers of a request that is signed with a nonce of its own.
fn headers(stack: &Stack, key: &Key, method: &str, target: &str, body: &[u8]) -> Vec<(String, String)> {
    static NONCE: AtomicU64 = AtomicU64::new(0);
    let nonce = NONCE.fetch_add(1, Ordering::Relaxed).to_string();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let keyid = match key {
        Key::Own(_) => "payroll-1".to_owned(),
        Key::Session { id, .. } => session::keyid(*id),
    };
    let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let tag = stack.configuration.authority.to_string();
    let signing = Signing { created, expires: None, keyid: &keyid, nonce: &nonce, tag: &tag, alg: None };
    let digest = content_digest(body);
    let unsigned = signing.prepare(method, path, query, &digest).unwrap();
    let mut headers = Vec::new();
    let signature = match key {
        Key::Own(key) => key.sign(unsigned.base.as_bytes()).to_bytes().to_vec(),
        Key::Session { ticket, mac_key, .. } => {
            headers.push((session::TICKET.to_owned(), ticket.clone()));
            let key = hmac::Key::new(hmac::HMAC_SHA256, mac_key);
            hmac::sign(&key, unsigned.base.as_bytes()).as_ref().to_vec()
        }
    };
    headers.push(("content-digest".to_owned(), digest));
    headers.push(("signature-input".to_owned(), unsigned.signature_input));
    headers.push(("signature".to_owned(), http_signature::signature_header(&signature)));
    headers
}

async fn send(stack: &Stack, method: &str, path: &str, headers: &[(String, String)], body: &[u8]) -> Reply {
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    stack.request_with(method, path, &headers, body).await.unwrap()
}

async fn ask(stack: &Stack, key: &Key, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let headers = headers(stack, key, method, path, &body);
    let reply = send(stack, method, path, &headers, &body).await;
    if let Key::Own(_) = key {
        assert!(is_the_enclaves(stack, method, path, &headers, &reply).await, "{reply:?}");
    }
    reply
}

async fn statement(stack: &Stack) -> Value {
    let attested = stack.get("/v1/attestation").await.json;
    serde_json::from_slice(&STANDARD.decode(attested["statement"].as_str().unwrap()).unwrap()).unwrap()
}

/// Whether the answer is signed by the boot that the statement names, with this very request.
async fn is_the_enclaves(
    stack: &Stack,
    method: &str,
    target: &str,
    headers: &[(String, String)],
    reply: &Reply,
) -> bool {
    let statement = statement(stack).await;
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let (Some(input), Some(signature)) = (reply.header("signature-input"), reply.header("signature")) else {
        return false;
    };
    let presented = response::read(input, signature).unwrap();
    assert_eq!(statement["boot_id"], presented.keyid);
    assert_eq!(stack.configuration.authority.to_string(), presented.tag);
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let request = response::Request {
        method,
        path,
        query,
        content_digest: header("content-digest"),
        signature: header("signature"),
    };
    let content_digest = reply.header("content-digest").unwrap();
    let answer =
        response::Answer { status: reply.status, content_digest, receipt: reply.header(response::RECEIPT) };
    let Ok(base) = presented.base(&request, &answer) else { return false };
    let key: HexBytes<32> = statement["identity_key"].as_str().unwrap().parse().unwrap();
    let key = VerifyingKey::from_bytes(&key.0).unwrap();
    let signature = Signature::from_slice(&presented.signature).unwrap();
    check_content_digest(content_digest, &reply.body)
        && key.verify_strict(base.as_bytes(), &signature).is_ok()
}

async fn open(stack: &Stack, lifetime_s: u32, role: Option<&str>) -> Result<Key, Reply> {
    let private = PrivateKey::generate(&X25519).unwrap();
    let client_key = HexBytes::<32>(private.compute_public_key().unwrap().as_ref().try_into().unwrap());
    let mut body = json!({"public_key": client_key, "lifetime_s": lifetime_s});
    if let Some(role) = role {
        body["role"] = json!(role);
    }
    let reply = ask(stack, &Key::Own(own()), "POST", "/v1/sessions", &body).await;
    if reply.status != 201 {
        return Err(reply);
    }
    let text = |name: &str| reply.json[name].as_str().unwrap();
    assert_eq!(statement(stack).await["session_key"], reply.json["public_key"]);
    let id = text("id").parse().unwrap();
    let enclave_key: HexBytes<32> = text("public_key").parse().unwrap();
    let info = session::MacKey {
        authority: stack.configuration.authority,
        keyring: &text("keyring").parse().unwrap(),
        client: &"payroll".parse().unwrap(),
        client_key,
        enclave_key,
        expires: text("expires").parse::<Timestamp>().unwrap().seconds(),
        id,
    }
    .info();
    let peer = UnparsedPublicKey::new(&X25519, enclave_key.0);
    let mac_key = agree(&private, peer, (), |shared| {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, session::SALT.as_bytes()).extract(shared);
        let mut key = vec![0; 32];
        extracted.expand(&[&info], hkdf::HKDF_SHA256).unwrap().fill(&mut key).unwrap();
        Ok(key)
    });
    Ok(Key::Session { id, ticket: text("ticket").to_owned(), mac_key: mac_key.unwrap() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_is_good_once_and_its_answer_is_the_enclaves() {
    let stack = start(&payroll()).await;
    let key = Key::Own(own());
    let wallet = json!({"name": "treasury", "kind": "hd"});
    assert_eq!(stack.post("/v1/wallets", &wallet).await.status, 401, "nobody is the anonymous client");
    // In several rounds, and with something to store.
    assert_eq!(ask(&stack, &key, "POST", "/v1/wallets", &wallet).await.status, 201);
    assert_eq!(ask(&stack, &key, "POST", "/v1/wallets", &wallet).await.status, 409);
    let account = json!({"path": "m/44'/60'/0'/0/7", "curve": "secp256k1"});
    assert_eq!(ask(&stack, &key, "POST", "/v1/wallets/treasury/accounts", &account).await.status, 201);
    assert_eq!(ask(&stack, &key, "GET", "/v1/wallets?limit=5", &Value::Null).await.status, 200);
    assert_eq!(ask(&stack, &key, "GET", "/v1/wallets/treasury", &Value::Null).await.status, 200);
    let accounts = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_accounts", "params": []});
    let listed = ask(&stack, &key, "POST", "/rpc/1", &accounts).await;
    assert_eq!(listed.json["result"].as_array().unwrap().len(), 1, "{listed:?}");

    let message = json!({"type": "evm.message", "text": "hello"});
    assert_eq!(ask(&stack, &key, "POST", SIGN, &message).await.status, 200);
    let body = message.to_string().into_bytes();
    let signed = headers(&stack, &key, "POST", SIGN, &body);
    let first = send(&stack, "POST", SIGN, &signed, &body).await;
    assert!(first.status == 200 && is_the_enclaves(&stack, "POST", SIGN, &signed, &first).await);
    let copy = send(&stack, "POST", SIGN, &signed, &body).await;
    assert!(copy.status == 401 && is_the_enclaves(&stack, "POST", SIGN, &signed, &copy).await);
    // The answer to another request does not pass for this one's.
    let other = headers(&stack, &key, "POST", SIGN, &body);
    assert!(!is_the_enclaves(&stack, "POST", SIGN, &other, &first).await);
    let changed = send(&stack, "POST", SIGN, &other, b"{}").await;
    assert_eq!((changed.status, &changed.json["code"]), (401, &json!("unauthenticated")));
    // What a wrong body cost was nothing.
    assert_eq!(send(&stack, "POST", SIGN, &other, &body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_asks_as_its_client_until_the_quorum_says_otherwise() {
    let mut stack = start(&payroll()).await;
    let key = Key::Own(own());
    assert_eq!(
        ask(&stack, &key, "POST", "/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await.status,
        201
    );
    let session = open(&stack, 600, Some("payer")).await.ok().unwrap();
    let message = json!({"type": "evm.message", "text": "hello"});
    let signed = ask(&stack, &session, "POST", SIGN, &message).await;
    assert_eq!((signed.status, signed.header("signature")), (200, None), "it proves itself");
    assert!(ask(&stack, &session, "GET", "/v1/wallets", &Value::Null).await.header("signature").is_some());
    let nested = json!({"public_key": "09".to_owned() + &"00".repeat(31), "lifetime_s": 60});
    assert_eq!(ask(&stack, &session, "POST", "/v1/sessions", &nested).await.status, 403);
    for (lifetime_s, role, status) in [(601, None, 400), (59, None, 400), (60, Some("admin"), 403)] {
        assert_eq!(open(&stack, lifetime_s, role).await.err().unwrap().status, status);
    }
    // Another boot opens the ticket as well.
    crate::restart(&mut stack).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(ask(&stack, &session, "POST", SIGN, &message).await.status, 200);

    let status = stack.get("/v1/status").await.json;
    let previous = status["enclave"]["policy_digest"].as_str().unwrap().to_owned();
    let fingerprint = statement(&stack).await["keyrings"][0]["fingerprint"].as_str().unwrap().to_owned();
    let mut bundle = stack.bundle(3, Some(&previous), &[(KEYRING, &fingerprint)], &allow_everything());
    bundle["clients"] = json!([payroll()]);
    bundle["clients"][0]["roles"] = json!([]);
    assert_eq!(stack.push(&bundle).await.status, 202);
    stack.wait_for("the new bundle", |status| status["enclave"]["policy_version"] == 3).await;
    assert_eq!(ask(&stack, &session, "POST", SIGN, &message).await.status, 401);
    assert_eq!(ask(&stack, &key, "POST", SIGN, &message).await.status, 200);
}
