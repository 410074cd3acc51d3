//! A whole appliance whose rules allow everything, for programs that test clients. `scripts/test-clients` runs it.
//!
//! Beside the client that needs no proof it has one that signs its requests, whose private keys it gives away.

use std::{
    io::{self, Read as _, Write as _},
    thread,
};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use signer_tests::stack::{KEYRING, Stack, StackOptions, allow_everything};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// The client that signs its requests.
const CLIENT: &str = "payroll";

/// Prints one line of JSON with the appliance's URL, and runs until standard input ends or SIGTERM.
#[tokio::main]
async fn main() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let keys = keys();
    let mut stack = Stack::start(StackOptions::default()).await;
    let fingerprint = stack.create_keyring(KEYRING).await;
    let mut bundle = stack.bundle(2, None, &[(KEYRING, &fingerprint)], &allow_everything());
    let public: Vec<&Value> = keys.iter().map(|key| &key.public).collect();
    let client =
        json!({"id": CLIENT, "auth": {"keys": public}, "roles": [], "sessions": {"longest_s": 3600}});
    bundle["clients"].as_array_mut().expect("clients").push(client);
    let pushed = stack.push(&bundle).await;
    assert_eq!(pushed.status, 202, "{pushed:?}");
    stack.wait_for_phase("ready").await;
    let created = stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    let wallet = created.json;
    let url = format!("http://{}", stack.address());
    let private: Vec<Value> = keys.into_iter().map(|key| key.private).collect();
    let client = json!({"id": CLIENT, "authority": stack.configuration.authority, "keys": private});
    writeln!(io::stdout(), "{}", json!({"url": url, "wallet": wallet, "client": client}))?;
    tokio::select! {
        _ = input_ended() => {}
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    stack.stop_host().await;
    Ok(())
}

/// A key as the bundle names it, and as its owner has it.
struct ClientKey {
    public: Value,
    private: Value,
}

/// One of each algorithm.
fn keys() -> [ClientKey; 2] {
    let seed = [0x51; 32];
    let ed25519 = SigningKey::from_bytes(&seed).verifying_key();
    // RFC 8410.
    let document =
        [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &seed].concat();
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("randomness");
    let p256_document = p256.to_pkcs8v1().expect("a key in PKCS #8");
    [
        key("payroll-ed25519", "ed25519", ed25519.as_bytes(), &document),
        key("payroll-p256", "ecdsa-p256-sha256", p256.public_key().as_ref(), p256_document.as_ref()),
    ]
}

fn key(id: &str, algorithm: &str, public_key: &[u8], document: &[u8]) -> ClientKey {
    let body = STANDARD.encode(document);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64")).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    ClientKey {
        public: json!({"id": id, "algorithm": algorithm, "public_key": hex::encode(public_key)}),
        private: json!({"id": id, "algorithm": algorithm, "pem": pem}),
    }
}

/// On a thread of its own: the runtime would wait for a read that never ends.
fn input_ended() -> oneshot::Receiver<()> {
    let (ended, receiver) = oneshot::channel();
    thread::spawn(move || {
        drop(io::stdin().read_to_end(&mut Vec::new()));
        ended.send(())
    });
    receiver
}
