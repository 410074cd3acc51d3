//! The cheapest clients that speak HTTP/1.1 and the enclave's wire: the machine is small, and what
//! the client takes the appliance does not get.

use std::{io, path::PathBuf, sync::Arc};

use signer_shared::message::Header;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::kind::Work;
use crate::stack::{Host, Store};

/// The largest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Where requests go.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// The enclave's own socket, past the host, with the host's sealed objects.
    Socket(PathBuf, Arc<Store>),
    /// The host's address.
    Http(String),
}

/// One open connection, one request at a time.
pub(super) enum Connection {
    Socket(Box<Host>),
    Http(HttpConnection),
}

pub(super) struct HttpConnection {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
}

impl Target {
    pub(super) async fn open(&self) -> io::Result<Connection> {
        match self {
            Self::Socket(path, store) => {
                let mut host = Host::connect(path).await?;
                host.store = Store::clone(store);
                Ok(Connection::Socket(Box::new(host)))
            }
            Self::Http(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let buffer = Vec::with_capacity(4096);
                Ok(Connection::Http(HttpConnection { stream, host: address.clone(), buffer }))
            }
        }
    }
}

impl Connection {
    /// Sends a request; returns the answer's status and body.
    pub(super) async fn ask(
        &mut self,
        work: &Work,
        headers: &[Header],
        body: &[u8],
    ) -> io::Result<(u16, Vec<u8>)> {
        match self {
            Self::Socket(host) => {
                let response = host.api_with("POST", &work.path(), headers, body).await?;
                Ok((response.status, response.body.into_vec()))
            }
            Self::Http(connection) => connection.ask(&work.path(), headers, body).await,
        }
    }
}

impl HttpConnection {
    async fn ask(&mut self, path: &str, headers: &[Header], body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let mut request =
            format!("POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n", self.host, body.len())
                .into_bytes();
        for Header { name, value } in headers {
            request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        self.stream.write_all(&request).await?;
        self.buffer.clear();
        let (status, start, length) = loop {
            self.read_some().await?;
            if let Some(head) = parse_head(&self.buffer)? {
                break head;
            }
        };
        while self.buffer.len() < start + length {
            self.read_some().await?;
        }
        Ok((status, self.buffer.split_off(start)))
    }

    async fn read_some(&mut self) -> io::Result<()> {
        if self.buffer.len() > MAX_ANSWER {
            return Err(io::Error::other("the answer is too long"));
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Status, where the body starts, and its length; nothing while the head is not complete.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let unreadable = || io::Error::other("the head cannot be read");
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| unreadable())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(unreadable)?;
    let length = lines
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.parse().ok())
        .ok_or_else(unreadable)?;
    Ok(Some((status, end + 4, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_when_they_are_complete() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: x\r\n\r\n{}";
        assert_eq!(parse_head(answer).unwrap(), Some((200, answer.len() - 2, 2)));
        assert_eq!(parse_head(&answer[..30]).unwrap(), None);
        assert!(parse_head(b"HTTP/1.1 200 OK\r\ndate: x\r\n\r\n").is_err());
    }
}
