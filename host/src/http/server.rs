//! Connections: how many, how long, and how they end.
//!
//! Plain HTTP/1.1 behind a load balancer that ends TLS. Every stage has a limit: heads by size,
//! number of headers and time (which is also the limit for idle connections), bodies in
//! [`super::body`], answers by the time a caller takes to read them. What hyper itself refuses (no
//! HTTP, too many headers) it answers itself, with a status and nothing else.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tracing::{debug, warn};

use super::{App, routes, write_limit::WriteLimit};
use crate::{accept::after_failure, lifecycle::Stop};

const MAX_HEADERS: usize = 64;

/// For a caller to take any part of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until told to stop, then lets the requests under way end, as long as the configuration
/// gives them.
pub async fn serve(listener: TcpListener, app: Arc<App>, stop: Stop) {
    let places = Arc::new(Semaphore::new(app.settings.max_connections));
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            // Without a place nothing is accepted: the backlog is the queue, and it is bounded.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (app, stop) = (app.clone(), stop.clone());
                    connections.spawn(async move {
                        connection(stream, app, stop).await;
                        drop(place);
                    });
                }
                Err(error) => after_failure("http", &error).await,
            }
            while connections.try_join_next().is_some() {}
        }
    };
    stop.or(accepting).await;
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(app.settings.drain, drained).await.is_err() {
        let cut = connections.len();
        warn!(code = "drain_cut", connections = cut, "connections are cut: http.drain_s is over");
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, app: Arc<App>, stop: Stop) {
    let _ = stream.set_nodelay(true); // only a matter of speed
    let header_timeout = app.settings.header_timeout;
    let service = service_fn(move |request| {
        let app = app.clone();
        async move { Ok::<_, Infallible>(routes::answer(&app, request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(routes::MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(WriteLimit::new(stream, WRITE_TIMEOUT)), service);
    let mut serving = pin!(serving);
    let outcome = if let Some(outcome) = stop.or(serving.as_mut()).await {
        outcome
    } else {
        serving.as_mut().graceful_shutdown();
        serving.await
    };
    if let Err(error) = outcome {
        debug!("a connection ends: {error}");
    }
}
