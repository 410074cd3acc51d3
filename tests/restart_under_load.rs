//! The enclave is killed again and again while clients create wallets and sign.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use signer_tests::stack::{self, Stack};
use tokio::{task::JoinSet, time::sleep};

const ROUNDS: usize = 20;
const CLIENTS: usize = 4;

/// What the clients were promised: the address of every wallet whose creation was acknowledged.
#[derive(Default)]
struct Promises {
    wallets: Mutex<BTreeMap<String, String>>,
    signed: AtomicU64,
    refused: AtomicU64,
    stop: AtomicBool,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_it_comes_back_with_every_promise() {
    let mut stack = Stack::start_ready().await;
    let promises = Arc::new(Promises::default());
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(work(stack.address(), client, promises.clone()));
    }
    let mut outages = Vec::new();
    for _ in 0..ROUNDS {
        sleep(Duration::from_millis(150)).await;
        stack.kill_enclave();
        let killed = Instant::now();
        let refusal = loop {
            let reply = stack.get("/readyz").await;
            if reply.status == 503 {
                break killed.elapsed();
            }
        };
        assert!(refusal < Duration::from_secs(1), "503 after {refusal:?}");
        stack.start_enclave();
        stack.wait_for_phase("ready").await;
        outages.push(killed.elapsed());
    }
    sleep(Duration::from_millis(300)).await;
    promises.stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.expect("no client saw a broken promise");
    }
    let wallets = promises.wallets.lock().unwrap().clone();
    for (name, address) in &wallets {
        let reply = stack.get(&format!("/v1/wallets/{name}")).await;
        assert_eq!(reply.json["accounts"][0]["addresses"]["evm"], address.as_str(), "{reply:?}");
        let signed = stack.post(&format!("/v1/wallets/{name}/sign"), &transfer(0)).await;
        assert_eq!(signed.json["address"], address.as_str(), "{signed:?}");
    }
    outages.sort();
    println!(
        "{ROUNDS} kills; {} wallets kept, {} signatures checked, {} requests refused; outage {:?} to {:?}, median {:?}",
        wallets.len(),
        promises.signed.load(Ordering::Relaxed),
        promises.refused.load(Ordering::Relaxed),
        outages[0],
        outages[ROUNDS - 1],
        outages[ROUNDS / 2],
    );
    assert!(wallets.len() >= CLIENTS && promises.signed.load(Ordering::Relaxed) > 0);
}

/// Creates wallets and signs with them; every answer is either right or says that it is none.
async fn work(address: String, client: usize, promises: Arc<Promises>) {
    let mut number = 0;
    while !promises.stop.load(Ordering::Relaxed) {
        number += 1;
        let name = format!("w{client}-{number}");
        let create = json!({"name": name, "kind": "hd"});
        let Some(created) = post(&address, "/v1/wallets", &create, &promises).await else { continue };
        let wallet = if created["code"] == "wallet_exists" { created["wallet"].clone() } else { created };
        let address_promised =
            wallet["accounts"][0]["addresses"]["evm"].as_str().expect("an address").to_owned();
        promises.wallets.lock().unwrap().insert(name.clone(), address_promised.clone());
        for nonce in 0..5 {
            let path = format!("/v1/wallets/{name}/sign");
            if let Some(signed) = post(&address, &path, &transfer(nonce), &promises).await {
                assert_eq!(signed["address"], address_promised.as_str());
                assert_eq!(stack::recover_evm_address(&signed), address_promised.to_ascii_lowercase());
                promises.signed.fetch_add(1, Ordering::Relaxed);
            }
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// An answer, or `None` if the service said that it cannot answer now.
async fn post(address: &str, path: &str, body: &Value, promises: &Promises) -> Option<Value> {
    let headers = [("content-type", "application/json")];
    let reply = stack::request(address, "POST", path, &headers, body.to_string().as_bytes()).await;
    let reply = reply.expect("the host always answers");
    match reply.status {
        200 | 201 | 409 => Some(reply.json),
        503 => {
            assert!(reply.header("retry-after").is_some(), "{reply:?}");
            promises.refused.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(20)).await;
            None
        }
        _ => panic!("{path}: {reply:?}"),
    }
}

fn transfer(nonce: u64) -> Value {
    json!({"type": "evm.transaction", "transaction": {
        "chainId": 1, "nonce": nonce, "to": "0x3535353535353535353535353535353535353535", "value": "1",
        "gas": "0x5208", "maxFeePerGas": "20000000000", "maxPriorityFeePerGas": "1000000000"
    }})
}
