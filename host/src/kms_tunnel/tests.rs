use std::collections::BTreeMap;

use signer_shared::address::Address;
use signer_transport::dial;
use tokio::net::TcpListener;

use super::*;
use crate::{lifecycle::Stopper, random};

const TARGET: &str = "kms.us-east-1.amazonaws.com:443";
const SOON: Duration = Duration::from_secs(5);

struct Running {
    address: Address,
    stopper: Stopper,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(route: &str, most: usize, idle: Duration) -> Self {
        let path = std::env::temp_dir().join(format!("signer-tunnel-{}", random::hex()));
        let address = Address::Unix(path);
        let listener = Listener::bind(&address).await.unwrap();
        let stopper = Stopper::default();
        let tunnel = KmsTunnel::new(config::KmsTunnel {
            listen: address.clone(),
            routes: BTreeMap::from([(TARGET.to_owned(), route.to_owned())]),
            max_tunnels: most,
            connect_timeout: SOON,
            idle_timeout: idle,
        });
        let task = tokio::spawn(tunnel.serve(listener, stopper.stop()));
        Self { address, stopper, task }
    }

    /// Sends a request; the connection, and what was answered up to the empty line.
    async fn request(&self, head: &str) -> (Stream, String) {
        let mut stream = dial(&self.address, SOON).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(timeout(SOON, stream.read_u8()).await.unwrap().unwrap());
        }
        (stream, String::from_utf8(answer).unwrap())
    }

    async fn stop(self) {
        self.stopper.stop_all();
        timeout(SOON, self.task).await.unwrap().unwrap();
        let _ = std::fs::remove_file(self.address.socket_file().unwrap());
    }
}

fn connect(target: &str) -> String {
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
}

/// Answers each connection with what it read, once it has read everything.
async fn echo_at_end() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).await.unwrap();
                let _ = stream.write_all(&bytes).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn bytes_pass_both_ways_and_so_does_the_end() {
    let running = Running::start(&echo_at_end().await, 4, SOON).await;
    let (mut stream, answer) = running.request(&format!("{}early ", connect(TARGET))).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let large = vec![b'x'; 300_000];
    stream.write_all(&large).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut echoed = Vec::new();
    timeout(SOON, stream.read_to_end(&mut echoed)).await.unwrap().unwrap();
    assert_eq!(echoed.len(), 6 + large.len());
    assert!(echoed.starts_with(b"early x"));
    running.stop().await;
}

#[tokio::test]
async fn only_what_is_listed_is_connected() {
    let running = Running::start(&echo_at_end().await, 4, SOON).await;
    for target in [
        "169.254.169.254:80",
        "kms.us-east-1.amazonaws.com:80",
        "kms.us-east-1.amazonaws.com",
        "KMS.us-east-1.amazonaws.com:443",
        "kms.us-east-1.amazonaws.com.:443",
        "kms.us-east-1.amazonaws.com:0443",
        "x@kms.us-east-1.amazonaws.com:443",
    ] {
        let (_, answer) = running.request(&connect(target)).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{target}: {answer}");
    }
    running.stop().await;
}

#[tokio::test]
async fn other_requests_are_refused() {
    let running = Running::start(&echo_at_end().await, 4, SOON).await;
    for (head, status) in [
        (format!("GET http://{TARGET}/ HTTP/1.1\r\n\r\n"), "400"),
        (format!("CONNECT {TARGET} HTTP/1.0\r\n\r\n"), "400"),
        (format!("CONNECT  {TARGET} HTTP/1.1\r\n\r\n"), "400"),
        ("\u{1}\r\n\r\n".to_owned(), "400"),
        (format!("CONNECT {TARGET} HTTP/1.1\r\nX: {}", "x".repeat(MAX_HEAD)), "431"),
    ] {
        let (_, answer) = running.request(&head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    running.stop().await;
}

#[tokio::test]
async fn an_upstream_that_refuses_is_502_and_the_service_goes_on() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let running = Running::start(&unused.to_string(), 4, SOON).await;
    for _ in 0..3 {
        let (_, answer) = running.request(&connect(TARGET)).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    }
    running.stop().await;
}

#[tokio::test]
async fn idle_tunnels_end_and_make_room_for_those_that_wait() {
    let running = Running::start(&echo_at_end().await, 1, Duration::from_millis(200)).await;
    let (mut first, _) = running.request(&connect(TARGET)).await;
    // The second waits in the backlog until the first is idle too long.
    let (_second, answer) = running.request(&connect(TARGET)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(timeout(SOON, first.read(&mut [0; 8])).await.unwrap().unwrap(), 0);
    running.stop().await;
}
