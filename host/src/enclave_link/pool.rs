//! Keeps one connection up: dial, say hello, serve, dial again.

use std::time::Duration;

use signer_shared::message::{PROTOCOL, Request, Response};
use signer_transport::dial;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::{
    CallError, EnclaveLink, Slot,
    connection::{Connection, End},
    with_jitter,
};
use crate::lifecycle::Stop;

const DIAL_LIMIT: Duration = Duration::from_secs(2);
const HELLO_LIMIT: Duration = Duration::from_secs(2);
const SHORTEST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// A connection that lasted this long shows that the enclave is well: the next dial is soon.
const GOOD_RUN: Duration = Duration::from_secs(5);

/// Why a connection never came into service.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("cannot connect to the enclave: {0}")]
    Dial(std::io::Error),
    #[error("the enclave closed the connection before its first answer: {0}")]
    Ended(End),
    #[error("no answer to the first message: {0}")]
    Hello(CallError),
    #[error(
        "the enclave speaks protocol {0}, this host speaks {PROTOCOL}: run versions that belong together"
    )]
    Protocol(u16),
    #[error("the enclave refuses this host: {0}")]
    Refused(String),
    #[error("the enclave's first answer is not a hello")]
    Answer,
}

impl OpenError {
    fn code(&self) -> &'static str {
        match self {
            Self::Dial(_) | Self::Ended(_) => "enclave_unreachable",
            Self::Hello(_) | Self::Answer => "enclave_silent",
            Self::Protocol(_) | Self::Refused(_) => "protocol_mismatch",
        }
    }
}

impl EnclaveLink {
    /// Keeps connection number `index` up until the host stops.
    pub async fn keep_connected(self, index: usize, stop: Stop) {
        let keeping = async {
            let mut delay = SHORTEST_DELAY;
            loop {
                let started = Instant::now();
                let outcome = self.serve_one(index).await;
                self.unregister(index);
                match outcome {
                    Ok(end @ (End::Closed | End::GivenUp)) => {
                        info!(code = "connection_ended", connection = index, "{end}");
                    }
                    Ok(end) => warn!(code = "connection_ended", connection = index, "{end}"),
                    Err(error) if self.is_connected() => debug!(connection = index, "{error}"),
                    Err(error) => self.set_problem(error.code(), error.to_string()),
                }
                if started.elapsed() >= GOOD_RUN {
                    delay = SHORTEST_DELAY;
                }
                sleep(with_jitter(delay)).await;
                delay = (delay * 2).min(LONGEST_DELAY);
            }
        };
        stop.or(keeping).await;
    }

    /// One connection from its dial to its end.
    async fn serve_one(&self, index: usize) -> Result<End, OpenError> {
        let stream = dial(&self.shared.address, DIAL_LIMIT).await.map_err(OpenError::Dial)?;
        let (connection, queue) = Connection::new();
        let driving = connection.drive(stream, queue);
        tokio::pin!(driving);
        let boot_id = tokio::select! {
            boot_id = hello(&connection) => boot_id?,
            end = &mut driving => return Err(OpenError::Ended(end)),
        };
        debug!(connection = index, "connected to the enclave");
        self.register(index, Slot { boot_id, connection: connection.clone() });
        Ok(driving.await)
    }
}

/// Agrees on the protocol, and learns who answers.
async fn hello(connection: &Connection) -> Result<String, OpenError> {
    let request = Request::Hello { protocol: PROTOCOL };
    match connection.call(request, Instant::now() + HELLO_LIMIT).await.map_err(OpenError::Hello)? {
        Response::Hello { protocol: PROTOCOL, boot_id, .. } => Ok(boot_id),
        Response::Hello { protocol, .. } => Err(OpenError::Protocol(protocol)),
        Response::Refused { code, message } => {
            Err(OpenError::Refused(format!("{}: {}", code.as_str(), super::shown(&message))))
        }
        _ => Err(OpenError::Answer),
    }
}
