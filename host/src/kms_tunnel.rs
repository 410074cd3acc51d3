//! The enclave's way to KMS: an HTTP `CONNECT` proxy for an exact list of endpoints.
//!
//! TLS ends in the enclave, so nothing that passes can be read here, and a tunnel to the wrong place
//! is refused there. The list keeps the enclave's host from being anybody's open proxy.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use signer_transport::{Listener, Stream};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, warn};

use crate::{accept, config, enclave_events::escaped, lifecycle::Stop};

const MAX_HEAD: usize = 4096;
const HEAD_LIMIT: Duration = Duration::from_secs(10);
const CHUNK: usize = 16 * 1024;

/// The tunnel service.
#[derive(Clone, Debug)]
pub struct KmsTunnel {
    settings: Arc<config::KmsTunnel>,
}

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("nothing was asked for")]
    Closed,
    #[error("the request for a tunnel is not one: write CONNECT host:port HTTP/1.1")]
    Malformed,
    #[error("the request for a tunnel is longer than {MAX_HEAD} bytes")]
    TooLong,
    #[error("the request for a tunnel did not come in time")]
    Slow,
    #[error("the request for a tunnel broke off: {0}")]
    Io(#[from] io::Error),
    #[error("a tunnel to {0:?} is not allowed: add it to kms_tunnel.allow if it should be")]
    NotAllowed(String),
    #[error("cannot connect to {target}: {source}")]
    Unreachable { target: String, source: io::Error },
}

impl Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Closed | Self::Malformed | Self::TooLong | Self::Slow | Self::Io(_) => "tunnel_malformed",
            Self::NotAllowed(_) => "tunnel_forbidden",
            Self::Unreachable { .. } => "tunnel_unreachable",
        }
    }

    fn status(&self) -> &'static str {
        match self {
            Self::Closed | Self::Malformed | Self::Io(_) => "400 Bad Request",
            Self::TooLong => "431 Request Header Fields Too Large",
            Self::Slow => "408 Request Timeout",
            Self::NotAllowed(_) => "403 Forbidden",
            Self::Unreachable { .. } => "502 Bad Gateway",
        }
    }
}

impl KmsTunnel {
    /// A tunnel service with checked settings.
    pub fn new(settings: config::KmsTunnel) -> Self {
        Self { settings: Arc::new(settings) }
    }

    /// Serves until told to stop.
    pub async fn serve(self, listener: Listener, stop: Stop) {
        let most = self.settings.max_tunnels;
        accept::serve("kms_tunnel", listener, most, stop, |stream| self.clone().tunnel(stream)).await;
    }

    async fn tunnel(self, mut enclave: Stream) {
        match self.open(&mut enclave).await {
            Ok((mut kms, early)) => {
                let begun = async {
                    enclave.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                    kms.write_all(&early).await
                };
                if matches!(timeout(HEAD_LIMIT, begun).await, Ok(Ok(()))) {
                    let end = splice(enclave, kms, self.settings.idle_timeout).await;
                    debug!(end = ?end, "a tunnel ends");
                }
            }
            // Somebody looked whether the address is in use.
            Err(Refusal::Closed) => (),
            Err(refusal) => {
                warn!(code = refusal.code(), "{refusal}");
                let answer = format!(
                    "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                    refusal.status()
                );
                let telling = async {
                    enclave.write_all(answer.as_bytes()).await?;
                    enclave.shutdown().await
                };
                let _ = timeout(HEAD_LIMIT, telling).await;
            }
        }
    }

    /// Reads the request and connects; what came after the request belongs to the tunnel.
    async fn open(&self, enclave: &mut Stream) -> Result<(TcpStream, Vec<u8>), Refusal> {
        let (target, early) = timeout(HEAD_LIMIT, read_head(enclave)).await.map_err(|_| Refusal::Slow)??;
        let Some(route) = self.settings.routes.get(&target) else {
            return Err(Refusal::NotAllowed(escaped(&target, 100)));
        };
        let connected = timeout(self.settings.connect_timeout, TcpStream::connect(route.as_str())).await;
        let kms = connected
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|source| Refusal::Unreachable { target: route.clone(), source })?;
        let _ = kms.set_nodelay(true); // only a matter of speed
        Ok((kms, early))
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<(String, Vec<u8>), Refusal> {
    let mut bytes = Vec::with_capacity(512);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() >= MAX_HEAD {
            return Err(Refusal::TooLong);
        }
        let room = u64::try_from(MAX_HEAD.saturating_sub(bytes.len())).unwrap_or(0);
        if (&mut *stream).take(room).read_buf(&mut bytes).await? == 0 {
            return Err(if bytes.is_empty() { Refusal::Closed } else { Refusal::Malformed });
        }
    };
    let early = bytes.split_off(end.saturating_add(4));
    let head = std::str::from_utf8(&bytes).map_err(|_| Refusal::Malformed)?;
    let line = head.split("\r\n").next().unwrap_or_default();
    let target = line
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.strip_suffix(" HTTP/1.1"))
        .filter(|target| !target.is_empty() && !target.contains(' '))
        .ok_or(Refusal::Malformed)?;
    Ok((target.to_owned(), early))
}

/// Copies both ways until both directions have ended, or nothing has moved for `idle`.
async fn splice(enclave: Stream, kms: TcpStream, idle: Duration) -> io::Result<()> {
    let (enclave_reader, enclave_writer) = tokio::io::split(enclave);
    let (kms_reader, kms_writer) = tokio::io::split(kms);
    let last_move = Mutex::new(Instant::now());
    let copying = async {
        tokio::try_join!(
            copy(enclave_reader, kms_writer, &last_move),
            copy(kms_reader, enclave_writer, &last_move)
        )
        .map(|((), ())| ())
    };
    tokio::select! {
        result = copying => result,
        () = idle_since(&last_move, idle) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// One direction; its end is passed on, so that the other side can finish its own.
async fn copy(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    last_move: &Mutex<Instant>,
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(CHUNK);
    loop {
        buffer.clear();
        if reader.read_buf(&mut buffer).await? == 0 {
            return writer.shutdown().await;
        }
        writer.write_all(&buffer).await?;
        *last_move.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

async fn idle_since(last_move: &Mutex<Instant>, idle: Duration) {
    loop {
        let until = *last_move.lock().unwrap_or_else(PoisonError::into_inner) + idle;
        if until <= Instant::now() {
            return;
        }
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests;
