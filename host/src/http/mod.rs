//! HTTP in front of the enclave.
//!
//! `server` owns connections and their limits, `routes` is the one match over paths, `forward`
//! turns a client's request into the enclave's and back. What the host itself has to say to a
//! caller is a `problem`.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use tokio::sync::Semaphore;

use crate::{
    audit_store::AuditProgress, config, enclave_link::EnclaveLink, health::Health, object_store::ObjectStore,
};

mod body;
mod forward;
mod problem;
mod request_id;
mod routes;
mod server;
mod write_limit;

pub use server::serve;

type Response = http::Response<Full<Bytes>>;

/// What every request needs.
#[derive(Debug)]
pub struct App {
    settings: config::Http,
    link: EnclaveLink,
    store: ObjectStore,
    health: Health,
    audit: AuditProgress,
    /// Places for requests under way to the enclave.
    queue: Arc<Semaphore>,
}

impl App {
    /// The parts of the host that answer requests.
    pub fn new(
        settings: config::Http,
        link: EnclaveLink,
        store: ObjectStore,
        health: Health,
        audit: AuditProgress,
    ) -> Self {
        let queue = Arc::new(Semaphore::new(settings.queue));
        Self { settings, link, store, health, audit, queue }
    }

    fn in_flight(&self) -> usize {
        self.settings.queue.saturating_sub(self.queue.available_permits())
    }
}
