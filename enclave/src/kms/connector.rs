//! HTTPS for the AWS SDK, through the host's tunnel: `CONNECT`, then TLS that ends here.
//!
//! KMS is called a few times in a boot, so each call has a connection of its own: nothing is
//! pooled, nothing outlives its call.

use std::{fmt, io, sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use http::{HeaderValue, Request, Response, header::HOST};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use signer_shared::address::Address;
use signer_transport::{Stream, dial};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The largest answer that is read. KMS's are a few kilobytes.
const MAX_ANSWER: usize = 256 * 1024;
/// The largest answer of the tunnel to `CONNECT`.
const MAX_TUNNEL_ANSWER: usize = 2 * 1024;
/// Used where the SDK sets no limit of its own.
const DEFAULT_LIMIT: Duration = Duration::from_secs(8);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The SDK's HTTP client.
#[derive(Clone)]
pub(super) struct TunnelClient {
    tunnel: Address,
    tls: Arc<ClientConfig>,
}

impl TunnelClient {
    pub(super) fn new(tunnel: Address, tls: Arc<ClientConfig>) -> Self {
        Self { tunnel, tls }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, BoxError> {
        let request = request.try_into_http1x()?;
        let host = request.uri().host().ok_or("the request names no host")?.to_owned();
        let stream = self.connect(&host).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let exchanging = async {
            let response = sender.send_request(in_origin_form(request, &host)?).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            Ok::<_, BoxError>(Response::from_parts(head, SdkBody::from(body)))
        };
        tokio::pin!(exchanging);
        // The connection is driven here and dropped with the call, so it needs no task.
        let response = tokio::select! {
            biased;
            response = &mut exchanging => response,
            _ = connection => exchanging.await,
        }?;
        Ok(HttpResponse::try_from(response)?)
    }

    /// A TLS connection to `host`, port 443, as the tunnel allows it.
    async fn connect(&self, host: &str) -> Result<TlsStream<Stream>, BoxError> {
        let mut stream = dial(&self.tunnel, DEFAULT_LIMIT).await?;
        open_tunnel(&mut stream, host).await?;
        let name = ServerName::try_from(host.to_owned())?;
        Ok(TlsConnector::from(self.tls.clone()).connect(name, stream).await?)
    }
}

impl HttpConnector for TunnelClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.clone();
        HttpConnectorFuture::new(async move {
            match timeout(DEFAULT_LIMIT, client.exchange(request)).await {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(error)) => Err(ConnectorError::io(error)),
                Err(elapsed) => Err(ConnectorError::timeout(elapsed.into())),
            }
        })
    }
}

impl HttpClient for TunnelClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl fmt::Debug for TunnelClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TunnelClient({})", self.tunnel)
    }
}

/// Asks the tunnel for `host:443` and waits for its consent. The other end speaks only when spoken
/// to, so bytes after the tunnel's answer are not part of any TLS session of ours.
async fn open_tunnel(stream: &mut Stream, host: &str) -> Result<(), BoxError> {
    stream.write_all(format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MAX_TUNNEL_ANSWER {
            return Err("the tunnel's answer is too long".into());
        }
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Err(format!("the host's tunnel refused {host}: {}", String::from_utf8_lossy(line)).into())
}

/// Path and query in the request line, the host in its header, as a server expects them.
fn in_origin_form(request: Request<SdkBody>, host: &str) -> Result<Request<SdkBody>, BoxError> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    head.uri = path.parse()?;
    head.headers.insert(HOST, HeaderValue::from_str(host)?);
    Ok(Request::from_parts(head, body))
}
