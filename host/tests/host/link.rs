//! Enclaves that come, go, fall silent or speak nonsense; and the host's own end.

use std::time::{Duration, Instant};

use serde_json::json;
use signer_shared::{
    address::Address,
    frame,
    last_words::{Cause, LastWords, Reporter},
    message::Phase,
};
use signer_transport::send_and_forget;
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::{
    client::{Client, SOON, get, head, post},
    enclave::{Enclave, Settings},
    running::{Folder, Running, eventually, ready},
};

#[tokio::test]
async fn without_an_enclave_the_host_says_so() {
    let folder = Folder::new();
    let host = Running::start(folder.config()).await;
    for path in ["/readyz", "/v1/wallets", "/v1/attestation"] {
        let answer = get(host.address, path).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "not_ready"), "{path}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(get(host.address, "/healthz").await.status, 200);
    eventually("a problem", async || {
        let status = get(host.address, "/v1/status").await.json();
        status["enclave"].is_null() && status["problem"]["code"] == "enclave_unreachable"
    })
    .await;
}

#[tokio::test]
async fn a_new_enclave_is_provisioned_and_so_is_its_successor() {
    let (folder, enclave, host) = ready(|_| ()).await;
    let provisions = enclave.provisions();
    assert_eq!(provisions.len(), 1);
    assert_eq!(provisions[0].configuration, b"the configuration");
    assert_eq!(provisions[0].policy_bundle, b"1");
    assert_eq!(provisions[0].objects[0].content, None);

    folder.store().await.put("keyring/default", b"sealed").await.unwrap();
    folder.store().await.put("policy/00000000000000000007", b"7").await.unwrap();
    enclave.kill().await;
    host.until_ready_is(503).await;
    assert_eq!(get(host.address, "/v1/any").await.code(), "not_ready");
    let settings = Settings { boot_id: "boot-2", ..Settings::default() };
    let successor = Enclave::start(&folder.enclave(), settings).await;
    host.until_ready_is(200).await;
    let provisions = successor.provisions();
    assert_eq!(provisions[0].policy_bundle, b"7");
    assert_eq!(provisions[0].objects[0].content.as_ref().unwrap().as_slice(), b"sealed");
    assert_eq!(get(host.address, "/v1/status").await.json()["enclave"]["boot_id"], "boot-2");
}

#[tokio::test]
async fn a_death_without_words_is_lost_first_and_unknown_then() {
    let (folder, enclave, host) = ready(|_| ()).await;
    let death = async || get(host.address, "/v1/status").await.json()["last_death"].clone();
    assert!(death().await.is_null());
    enclave.kill().await;
    eventually("a loss", async || death().await["cause"] == "connection_lost").await;
    let settings = Settings { boot_id: "boot-2", ..Settings::default() };
    let _successor = Enclave::start(&folder.enclave(), settings).await;
    eventually("certainty", async || death().await["cause"] == "unknown").await;
    let death = death().await;
    assert_eq!((&death["boot_id"], &death["detail"]), (&json!("boot-1"), &json!(null)));
}

#[tokio::test]
async fn an_enclave_that_comes_back_had_not_died() {
    let (folder, enclave, host) = ready(|_| ()).await;
    let death = async || get(host.address, "/v1/status").await.json()["last_death"].clone();
    enclave.kill().await;
    eventually("a loss", async || death().await["cause"] == "connection_lost").await;
    let _same = Enclave::start(&folder.enclave(), Settings::default()).await;
    eventually("nothing", async || death().await.is_null()).await;
}

#[tokio::test]
async fn last_words_are_shown_with_the_boot_that_they_are_about() {
    let (folder, enclave, host) = ready(|_| ()).await;
    let death = async || get(host.address, "/v1/status").await.json()["last_death"].clone();
    let events = Address::Unix(folder.0.join("events.sock"));
    let say = async |words: LastWords| {
        let frame = frame::encode(&words.to_event(1)).unwrap();
        let events = events.clone();
        spawn_blocking(move || send_and_forget(&events, &frame, SOON)).await.unwrap().unwrap();
    };
    say(LastWords { reporter: Reporter::Enclave, cause: Cause::Panic, detail: Some("a.rs:1:2".to_owned()) })
        .await;
    enclave.kill().await;
    say(LastWords { reporter: Reporter::Init, cause: Cause::Signal { signal: 6 }, detail: None }).await;
    let settings = Settings { boot_id: "boot-2", ..Settings::default() };
    let _successor = Enclave::start(&folder.enclave(), settings).await;
    host.until_ready_is(200).await;
    let first = death().await;
    assert_eq!(
        (&first["boot_id"], &first["cause"], &first["detail"], &first["signal"]),
        (&json!("boot-1"), &json!("panic"), &json!("a.rs:1:2"), &json!(null))
    );
    say(LastWords { reporter: Reporter::Init, cause: Cause::Exit { code: 3 }, detail: None }).await;
    eventually("another", async || death().await["exit_code"] == 3).await;
    assert_eq!(death().await["boot_id"], "boot-2");
}

#[tokio::test]
async fn a_pushed_policy_reaches_the_enclaves_of_other_hosts() {
    let (folder, enclave, _host) = ready(|_| ()).await;
    // Another host of the fleet has stored a bundle.
    folder.store().await.put("policy/00000000000000000002", b"2").await.unwrap();
    eventually("the new bundle", async || {
        enclave.provisions().last().is_some_and(|last| last.policy_bundle == b"2")
    })
    .await;
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(enclave.provisions().len(), 2, "once is enough");
}

#[tokio::test]
async fn a_bundle_that_a_ready_enclave_refuses_is_not_pressed_on_it() {
    let (folder, enclave, host) = ready(|_| ()).await;
    folder.store().await.put("policy/00000000000000000009", b"9").await.unwrap();
    let problem = async || get(host.address, "/v1/status").await.json()["problem"]["code"].clone();
    eventually("a problem", async || problem().await == "policy_invalid").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(enclave.refused(), 1);
    assert_eq!(problem().await, "policy_invalid", "still shown");
    assert_eq!(get(host.address, "/readyz").await.status, 200, "still signing");
    folder.store().await.put("policy/00000000000000000010", b"10").await.unwrap();
    eventually("a good bundle", async || problem().await.is_null()).await;
}

#[tokio::test]
async fn readiness_follows_a_push_at_once() {
    let folder = Folder::new();
    let settings = Settings { provisioned: Phase::Configured, ..Settings::default() };
    let enclave = Enclave::start(&folder.enclave(), settings).await;
    let host = Running::start(folder.config()).await;
    eventually("provisioning", async || !enclave.provisions().is_empty()).await;
    assert_eq!(get(host.address, "/readyz").await.status, 503);
    eventually("a problem", async || {
        get(host.address, "/v1/status").await.json()["problem"]["code"] == "keyring_missing"
    })
    .await;
    // Not ready, and yet the way is open: the enclave decides.
    assert_eq!(post(host.address, "/v1/policy", b"bundle").await.status, 200);
    let started = Instant::now();
    host.until_ready_is(200).await;
    assert!(started.elapsed() < Duration::from_millis(700), "{:?}", started.elapsed());
}

#[tokio::test]
async fn malformed_bytes_end_one_connection_only() {
    let (_folder, enclave, host) = ready(|config| config.enclave.connections = 4).await;
    eventually("all connections", async || enclave.connections() == 4).await;
    let address = host.address;
    let others: Vec<_> = (0..3).map(|_| tokio::spawn(get(address, "/v1/slow/400"))).collect();
    sleep(Duration::from_millis(100)).await;
    let answer = get(address, "/v1/garbage").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_ready"));
    let mut survivors = 0;
    for other in others {
        survivors += usize::from(other.await.unwrap().status == 200);
    }
    // Heartbeats take turns too, so one of the three may have shared the connection that ended.
    assert!(survivors >= 2, "{survivors}");
    assert_eq!(get(address, "/readyz").await.status, 200);
    eventually("the connection is back", async || enclave.connections() == 5).await;
    assert_eq!(enclave.provisions().len(), 1, "the same boot needs nothing");
}

#[tokio::test]
async fn answers_overtake_each_other() {
    let (_folder, _enclave, host) = ready(|config| config.enclave.connections = 1).await;
    let address = host.address;
    let slow = tokio::spawn(get(address, "/v1/slow/1000"));
    sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    assert_eq!(get(address, "/v1/slow/10").await.text(), "10");
    assert!(started.elapsed() < Duration::from_millis(600));
    assert_eq!(slow.await.unwrap().text(), "1000");
}

#[tokio::test]
async fn a_dead_enclave_fails_its_requests_at_once() {
    let (_folder, enclave, host) = ready(|_| ()).await;
    let waiting = tokio::spawn(get(host.address, "/v1/slow/5000"));
    sleep(Duration::from_millis(200)).await;
    let started = Instant::now();
    enclave.kill().await;
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_ready"));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_silent_enclave_is_noticed() {
    let folder = Folder::new();
    let settings = Settings { silent_after: 6, ..Settings::default() };
    let enclave = Enclave::start(&folder.enclave(), settings).await;
    let host = Running::start(folder.config()).await;
    eventually("silence", async || {
        get(host.address, "/v1/status").await.json()["problem"]["code"] == "enclave_silent"
    })
    .await;
    assert_eq!(get(host.address, "/readyz").await.status, 503);
    assert!(enclave.connections() >= 2);
}

#[tokio::test]
async fn told_to_stop_it_drains() {
    let (_folder, _enclave, host) = ready(|_| ()).await;
    let address = host.address;
    let mut client = Client::connect(address).await;
    client.send(head("GET", "/v1/slow/700", "", 0)).await;
    let mut idle = Client::connect(address).await;
    idle.send(head("GET", "/healthz", "", 0)).await;
    assert_eq!(idle.answer().await.status, 200);
    sleep(Duration::from_millis(200)).await;
    let stopping = host.stop();
    assert!(idle.is_closed().await);
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nothing new is accepted");
    assert_eq!(client.answer().await.text(), "700", "what was under way ends well");
    assert!(client.is_closed().await);
    timeout(SOON, stopping).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn draining_has_an_end() {
    let (_folder, _enclave, host) = ready(|config| config.http.drain = Duration::from_millis(200)).await;
    let mut client = Client::connect(host.address).await;
    client.send(head("GET", "/v1/slow/4000", "", 0)).await;
    sleep(Duration::from_millis(200)).await;
    let started = Instant::now();
    timeout(SOON, host.stop()).await.unwrap().unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(client.is_closed().await);
}
