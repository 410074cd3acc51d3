//! HTTP as bytes: what is sent is exactly what the test writes.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

pub const SOON: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of a problem, after checking its shape.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        let keys: Vec<_> = problem.as_object().unwrap().keys().cloned().collect();
        for key in ["type", "title", "status", "code", "detail", "retryable", "request_id"] {
            assert!(keys.iter().any(|found| found == key), "{key} is missing in {problem}");
        }
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["request_id"], self.header("x-request-id").unwrap());
        assert_eq!(problem["retryable"], self.header("retry-after").is_some());
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// A connection that can be written to piece by piece.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads one answer, by its Content-Length.
    pub async fn answer(&mut self) -> Answer {
        timeout(SOON, self.read_answer()).await.expect("no answer").expect("the connection ended")
    }

    /// Whether the other side closes the connection without another byte.
    pub async fn is_closed(&mut self) -> bool {
        !matches!(timeout(SOON, self.stream.read(&mut [0; 1])).await.expect("still open"), Ok(1))
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        answer.body = vec![0; length];
        self.stream.read_exact(&mut answer.body).await.ok()?;
        Some(answer)
    }
}

pub async fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, "", b"").await
}

pub async fn post(address: SocketAddr, path: &str, body: &[u8]) -> Answer {
    request(address, "POST", path, "", body).await
}

/// One request on a connection of its own; `headers` are whole lines.
pub async fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut client = Client::connect(address).await;
    client.send(head(method, path, headers, body.len())).await;
    client.send(body).await;
    client.answer().await
}

pub fn head(method: &str, path: &str, headers: &str, length: usize) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: signer\r\nContent-Length: {length}\r\n{headers}\r\n")
}
