//! What is too large, too slow or too much.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    client::{Client, get, head, post},
    running::ready,
};

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_however_it_is_announced() {
    let (_folder, enclave, host) = ready(|_| ()).await;
    assert_eq!(post(host.address, "/v1/any", &[b'x'; 2048]).await.status, 418);
    let answer = post(host.address, "/v1/any", &[b'x'; 2049]).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    let mut client = Client::connect(host.address).await;
    client.send("POST /v1/any HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.send(format!("800\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(2048))).await;
    assert_eq!(client.answer().await.status, 413);
    // One that asks before it sends is told at once.
    let mut client = Client::connect(host.address).await;
    let started = Instant::now();
    client.send(head("POST", "/v1/any", "Expect: 100-continue\r\n", 1_000_000)).await;
    assert_eq!(client.answer().await.status, 413);
    assert!(started.elapsed() < Duration::from_millis(500) && client.is_closed().await);
    assert_eq!(enclave.requests().len(), 1);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let (_folder, enclave, host) = ready(|_| ()).await;
    let mut client = Client::connect(host.address).await;
    client.send(head("POST", "/v1/any", "", 10)).await;
    client.send("12345").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"));
    assert!(client.is_closed().await);
    assert!(enclave.requests().is_empty());
}

#[tokio::test]
async fn heads_that_do_not_come_and_idle_connections_are_closed() {
    let (_folder, _enclave, host) = ready(|_| ()).await;
    let mut silent = Client::connect(host.address).await;
    let mut slow = Client::connect(host.address).await;
    slow.send("GET /healthz HTTP/1.1\r\nHost:").await;
    let mut idle = Client::connect(host.address).await;
    idle.send(head("GET", "/healthz", "", 0)).await;
    assert_eq!(idle.answer().await.status, 200);
    idle.send(head("GET", "/healthz", "", 0)).await;
    assert_eq!(idle.answer().await.status, 200, "kept alive");
    assert!(silent.is_closed().await && slow.is_closed().await && idle.is_closed().await);
}

#[tokio::test]
async fn heads_are_bounded() {
    let (_folder, _enclave, host) = ready(|_| ()).await;
    let mut client = Client::connect(host.address).await;
    client.send(head("GET", "/healthz", &format!("X: {}\r\n", "x".repeat(40_000)), 0)).await;
    assert_eq!(client.answer().await.status, 431);
    let many = "X-Many: 1\r\n".repeat(70);
    let mut client = Client::connect(host.address).await;
    client.send(head("GET", "/healthz", &many, 0)).await;
    assert_eq!(client.answer().await.status, 431);
}

#[tokio::test]
async fn beyond_the_queue_requests_are_429_and_then_it_goes_on() {
    let (_folder, _enclave, host) = ready(|config| config.http.queue = 2).await;
    let address = host.address;
    let slow: Vec<_> = (0..2).map(|_| tokio::spawn(get(address, "/v1/slow/600"))).collect();
    sleep(Duration::from_millis(200)).await;
    let answer = get(address, "/v1/any").await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "overloaded"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(get(address, "/v1/attestation").await.status, 429);
    assert_eq!(get(address, "/v1/status").await.json()["host"]["in_flight"], 2);
    for slow in slow {
        assert_eq!(slow.await.unwrap().status, 200);
    }
    assert_eq!(get(address, "/v1/any").await.status, 418);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_503_at_the_deadline() {
    let (_folder, _enclave, host) =
        ready(|config| config.http.request_timeout = Duration::from_millis(300)).await;
    let started = Instant::now();
    let answer = get(host.address, "/v1/slow/5000").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "deadline_exceeded"));
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(get(host.address, "/v1/slow/1").await.status, 200, "the connection is still good");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let (_folder, _enclave, host) = ready(|config| config.http.max_connections = 1).await;
    let mut first = Client::connect(host.address).await;
    first.send(head("GET", "/healthz", "", 0)).await;
    assert_eq!(first.answer().await.status, 200);
    // Accepted only when the first has been idle for too long.
    let started = Instant::now();
    assert_eq!(get(host.address, "/healthz").await.status, 200);
    assert!(started.elapsed() > Duration::from_millis(300));
    assert!(first.is_closed().await);
}
