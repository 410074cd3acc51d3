//! Accepts the enclave's connections to the host's services: a bounded number, each in its own task.

use std::{io, sync::Arc, time::Duration};

use signer_transport::{Listener, Stream};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};
use tracing::warn;

use crate::lifecycle::Stop;

/// After a failed accept, which is most often a process out of file descriptors.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Serves until told to stop; then what is under way is dropped. Beyond `most` connections the rest
/// wait in the backlog.
pub(crate) async fn serve<F>(
    name: &'static str,
    listener: Listener,
    most: usize,
    stop: Stop,
    handle: impl Fn(Stream) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok(stream) => {
                    let work = handle(stream);
                    connections.spawn(async move {
                        work.await;
                        drop(place);
                    });
                }
                Err(error) => after_failure(name, &error).await,
            }
            while connections.try_join_next().is_some() {}
        }
    };
    stop.or(accepting).await;
    connections.shutdown().await;
}

/// Logs a failed accept and waits, so that failing does not become spinning.
pub(crate) async fn after_failure(name: &'static str, error: &io::Error) {
    warn!(code = "accept_failed", listener = name, "cannot accept a connection: {error}");
    sleep(AFTER_FAILURE).await;
}
