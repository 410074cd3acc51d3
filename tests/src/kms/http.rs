//! HTTPS in front of the service: HTTP/1.1 over TLS, JSON in and out.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::error::KmsError;
use super::service::{Answer, Service};

/// Longest request body.
const BODY_LIMIT: usize = 256 * 1024;
/// Time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time for connections to end when the emulator stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until the sender of `stopped` is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    service: Arc<Service>,
    mut stopped: watch::Receiver<()>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection(stream, acceptor.clone(), Arc::clone(&service), stopped.clone()));
            },
            _ = connections.join_next(), if !connections.is_empty() => {}
            _ = stopped.changed() => break,
        }
    }
    // What is left after the time is aborted by the drop of the set.
    let _ = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    service: Arc<Service>,
    mut stopped: watch::Receiver<()>,
) {
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(exchange(&service, request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn exchange(service: &Service, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        let too_long = KmsError { status: 413, ..KmsError::validation("The request is too long.") };
        return response(&Answer { request_id: String::new(), result: Err(too_long), delay: Duration::ZERO });
    };
    let answer = service.answer(&parts, &body.to_bytes());
    sleep(answer.delay).await;
    response(&answer)
}

fn response(answer: &Answer) -> Response<Full<Bytes>> {
    let (status, body) = match &answer.result {
        // Operations without a result answer with nothing at all.
        Ok(value) if value.as_object().is_some_and(serde_json::Map::is_empty) => (200, String::new()),
        Ok(value) => (200, value.to_string()),
        Err(error) => (error.status, error.body().to_string()),
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .header("cache-control", "no-cache, no-store, must-revalidate, private")
        .header("x-amzn-requestid", &answer.request_id)
        .body(Full::from(body))
        .expect("all parts are valid")
}
