//! The way to the enclave: a handful of connections, and what is known of who answers.
//!
//! [`EnclaveLink`] is the handle that HTTP uses. Behind it, each in its own file: `connection`
//! (one stream, many requests), `pool` (keeps the connections up), `heartbeat` (asks for the
//! enclave's state), `provision` (hands a new enclave its configuration and policy), `exchange`
//! (the rounds of one request: objects, listings, writes). The host never starts enclaves; it finds
//! out that there is one, or none, or another.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use signer_shared::{
    address::Address,
    frame::FrameError,
    message::{Phase, Request, Response, Status},
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tracing::{info, warn};

mod connection;
mod exchange;
mod heartbeat;
mod pool;
mod provision;

use crate::last_death::{Deaths, LastDeath};
use connection::Connection;
pub use exchange::ExchangeError;
pub use provision::Provisioner;

/// A handle to the enclave, cheap to clone.
#[derive(Clone, Debug)]
pub struct EnclaveLink {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: Address,
    slots: Mutex<Vec<Option<Slot>>>,
    turn: AtomicUsize,
    state: watch::Sender<LinkState>,
    deaths: Deaths,
    beat_now: Notify,
    provision_now: Notify,
}

/// A connection that has said hello.
#[derive(Clone, Debug)]
struct Slot {
    boot_id: String,
    connection: Arc<Connection>,
}

/// What the host knows of the enclave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkState {
    /// Connections that are up.
    pub connections: usize,
    /// The enclave's last answer; none while there is no connection.
    pub status: Option<Status>,
    /// Why there is no enclave, or why it does not become ready, as far as the host knows.
    pub problem: Option<Problem>,
}

/// Something that keeps the enclave from signing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// For programs.
    pub code: &'static str,
    /// For the operator.
    pub message: String,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection is up.
    #[error("there is no connection to the enclave")]
    NotConnected,
    /// The connection ended while the request was under way: it may have been carried out.
    #[error("the connection to the enclave ended during the request")]
    Lost,
    /// The time is up: the request may have been carried out.
    #[error("the enclave did not answer in time")]
    Deadline,
    /// The request with its objects does not fit a frame.
    #[error("the request cannot be sent: {0}")]
    TooLarge(FrameError),
}

impl LinkState {
    /// Whether the enclave can sign.
    pub fn is_ready(&self) -> bool {
        self.connections > 0 && self.phase() == Some(Phase::Ready)
    }

    /// The enclave's phase, if there is an enclave.
    pub fn phase(&self) -> Option<Phase> {
        self.status.as_ref().map(|status| status.phase)
    }

    fn boot_id(&self) -> Option<&str> {
        self.status.as_ref().map(|status| status.boot_id.as_str())
    }
}

impl EnclaveLink {
    /// A link of `connections` connections to `address`, all of them down until
    /// [`EnclaveLink::keep_connected`] runs.
    pub fn new(address: Address, connections: usize, deaths: Deaths) -> Self {
        let shared = Shared {
            address,
            slots: Mutex::new(vec![None; connections]),
            turn: AtomicUsize::new(0),
            state: watch::Sender::new(LinkState::default()),
            deaths,
            beat_now: Notify::new(),
            provision_now: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What is known of the enclave now.
    pub fn state(&self) -> LinkState {
        self.shared.state.borrow().clone()
    }

    /// How the last enclave ended.
    pub fn last_death(&self) -> Option<LastDeath> {
        self.shared.deaths.last()
    }

    /// Whether the enclave can sign now.
    pub fn is_ready(&self) -> bool {
        self.shared.state.borrow().is_ready()
    }

    /// Whether a request could be sent now.
    pub fn is_connected(&self) -> bool {
        self.shared.state.borrow().connections > 0
    }

    /// Asks for the enclave's state now rather than at the next heartbeat: something changed it.
    pub fn refresh(&self) {
        self.shared.beat_now.notify_one();
    }

    /// Looks for a newer policy bundle now rather than at the next poll: one may have been stored.
    pub fn provision_soon(&self) {
        self.shared.provision_now.notify_one();
    }

    /// One request, one answer, on whichever connection has its turn.
    pub async fn call(&self, request: Request, deadline: Instant) -> Result<Response, CallError> {
        let connection = self.pick().ok_or(CallError::NotConnected)?;
        connection.call(request, deadline).await
    }

    fn watch(&self) -> watch::Receiver<LinkState> {
        self.shared.state.subscribe()
    }

    fn pick(&self) -> Option<Arc<Connection>> {
        let slots = self.slots();
        let turn = self.shared.turn.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(slots.len())?;
        let (before, after) = slots.split_at(first);
        let mut open = after.iter().chain(before).flatten().filter(|slot| slot.connection.is_open());
        open.next().map(|slot| slot.connection.clone())
    }

    /// Takes a connection into service. Those of another boot are of an enclave that is gone.
    fn register(&self, index: usize, slot: Slot) {
        let mut slots = self.slots();
        for other in slots.iter().flatten().filter(|other| other.boot_id != slot.boot_id) {
            other.connection.close();
        }
        self.shared.deaths.met(&slot.boot_id);
        if let Some(place) = slots.get_mut(index) {
            *place = Some(slot);
        }
        self.count(&slots);
        drop(slots);
        self.refresh();
    }

    fn unregister(&self, index: usize) {
        let mut slots = self.slots();
        if let Some(place) = slots.get_mut(index) {
            *place = None;
        }
        self.count(&slots);
    }

    /// Gives up every connection: the enclave behind them does not answer.
    fn drop_connections(&self) {
        let mut slots = self.slots();
        for slot in slots.iter_mut().filter_map(Option::take) {
            slot.connection.close();
        }
        self.count(&slots);
    }

    fn count(&self, slots: &[Option<Slot>]) {
        let connections = slots.iter().flatten().count();
        self.shared.state.send_if_modified(|state| {
            if connections == 0 && state.status.take().is_some() {
                warn!(code = "enclave_lost", "every connection to the enclave is gone");
            }
            if connections == 0 && state.connections > 0 {
                self.shared.deaths.lost();
            }
            let changed = state.connections != connections;
            state.connections = connections;
            changed
        });
    }

    /// The enclave's answer to a heartbeat.
    fn set_status(&self, status: Status) {
        self.shared.state.send_modify(|state| {
            if state.connections == 0 {
                return;
            }
            if (state.boot_id(), state.phase()) != (Some(&status.boot_id), Some(status.phase)) {
                info!(
                    code = "enclave_phase",
                    phase = status.phase.as_str(),
                    boot_id = %shown(&status.boot_id),
                    version = %shown(&status.version),
                    problem = %shown(status.problem.as_deref().unwrap_or_default()),
                    "the enclave is {}", status.phase.as_str(),
                );
            }
            if status.phase == Phase::Ready && state.phase() != Some(Phase::Ready) {
                state.problem = None;
            }
            state.status = Some(status);
        });
    }

    /// Remembers and logs a problem, once for as long as it stays the same.
    fn set_problem(&self, code: &'static str, message: String) {
        self.shared.state.send_if_modified(|state| {
            let problem = Some(Problem { code, message });
            if state.problem == problem {
                return false;
            }
            if let Some(Problem { code, message }) = &problem {
                warn!(code, "{}", shown(message));
            }
            state.problem = problem;
            true
        });
    }

    fn clear_problem(&self) {
        self.shared.state.send_if_modified(|state| state.problem.take().is_some());
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Option<Slot>>> {
        self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Half to all of a delay, so that peers who lost the same enclave do not come back in step.
fn with_jitter(delay: Duration) -> Duration {
    let half = delay / 2;
    let range = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_micros(crate::random::number() % range)
}

/// The enclave's text as a log line may show it: short, without control characters.
fn shown(text: &str) -> String {
    crate::enclave_events::escaped(text, 500)
}

#[cfg(test)]
mod tests {
    use signer_shared::message::AuditStatus;

    use super::*;

    #[test]
    fn without_connections_there_is_no_state() {
        let link = EnclaveLink::new("unix:/nowhere".parse().unwrap(), 2, Deaths::default());
        let status = Status {
            boot_id: "b".to_owned(),
            version: "0".to_owned(),
            phase: Phase::Ready,
            uptime_s: 0,
            time_ms: None,
            authority: None,
            configuration_digest: None,
            policy_version: None,
            policy_digest: None,
            keyrings: Vec::new(),
            signatures: 0,
            audit_head: 0,
            audit: AuditStatus::default(),
            problem: None,
        };
        link.set_status(status.clone());
        assert!(!link.is_ready() && link.pick().is_none());
        let slot = || Slot { boot_id: "b".to_owned(), connection: Connection::new().0 };
        link.register(0, slot());
        link.register(1, slot());
        link.set_status(status);
        assert!(link.is_ready() && link.pick().is_some());
        link.unregister(1);
        assert!(link.is_ready());
        assert!(link.last_death().is_none());
        link.drop_connections();
        assert!(!link.is_ready() && link.state().status.is_none());
        assert!(link.last_death().is_some());
    }

    #[test]
    fn jitter_stays_between_half_and_all() {
        let delay = Duration::from_millis(100);
        for _ in 0..100 {
            assert!((delay / 2..=delay).contains(&with_jitter(delay)));
        }
    }
}
