//! A client for one request, which has the answer held against the API's description.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

use crate::openapi::Exchange;

const LIMIT: Duration = Duration::from_mins(1);

/// An HTTP response.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The body as JSON, or null.
    pub json: Value,
}

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Sends one request to `address`, over a connection of its own. Panics if `host/openapi.json` does not describe request
/// and answer.
pub async fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let reply = request_elsewhere(address, method, path, headers, body).await?;
    let exchange = Exchange {
        method,
        path,
        request: body,
        status: reply.status,
        headers: &reply.headers,
        body: &reply.body,
    };
    exchange.expect_documented();
    Ok(reply)
}

/// Sends one request to something else than the host, whose answers `host/openapi.json` does not describe.
pub async fn request_elsewhere(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    timeout(LIMIT, exchange(address, method, path, headers, body))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn exchange(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let driver = tokio::spawn(connection);
    let mut builder = Request::builder().method(method).uri(path).header("host", address);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let request = builder.body(Full::new(Bytes::copy_from_slice(body))).map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    driver.abort();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(Reply { status, headers, body, json })
}
