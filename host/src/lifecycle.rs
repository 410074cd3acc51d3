//! The owner of every task.
//!
//! [`Host::start`] opens everything that can fail for the operator's reasons: the store, and every
//! listener. [`Host::run`] serves until it is told to stop, then goes unready, lets the requests
//! under way end, and ends every task. A task that ends on its own is a failure of the whole: systemd
//! restarts a host that exits, and nothing restarts half a host.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use signer_shared::address::Address;
use signer_transport::Listener;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use tracing::{error, info, warn};

use crate::{
    audit_store::{AuditProgress, AuditStore},
    config::{Config, Store},
    credentials::CredentialsService,
    enclave_events::EventSink,
    enclave_link::{EnclaveLink, Provisioner},
    health::Health,
    http::{self, App},
    kms_tunnel::KmsTunnel,
    last_death::Deaths,
    object_store::{ObjectStore, StoreError},
};

/// For tasks to end once they are told to.
const TASKS_LIMIT: Duration = Duration::from_secs(5);

/// A host whose listeners are open and whose tasks do not run yet.
#[derive(Debug)]
pub struct Host {
    config: Config,
    store: ObjectStore,
    http: TcpListener,
    address: SocketAddr,
    kms_tunnel: Listener,
    credentials: Listener,
    events: Listener,
}

/// Why a host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is taken, or not ours.
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen {
        /// The configuration's key.
        key: &'static str,
        /// The address.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// The store does not open.
    #[error("cannot open the store (store.directory): {0}")]
    Store(#[from] StoreError),
}

/// Why a host stopped without being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A task ended.
    #[error("the task {0:?} ended; this is a defect, please report it")]
    Task(&'static str),
}

impl Host {
    /// Opens the store and the listeners.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let Store::Directory(directory) = &config.store;
        let store = ObjectStore::directory(directory).await?;
        let listen = config.http.listen;
        let refused = |source| StartError::Listen { key: "http.listen", address: listen.to_string(), source };
        let http = TcpListener::bind(listen).await.map_err(refused)?;
        Ok(Self {
            store,
            address: http.local_addr().map_err(refused)?,
            http,
            kms_tunnel: bind("kms_tunnel.listen", &config.kms_tunnel.listen).await?,
            credentials: bind("credentials.listen", &config.credentials.listen).await?,
            events: bind("events.listen", &config.events.listen).await?,
            config,
        })
    }

    /// Where HTTP is served: the real port, if the configuration left it open.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is over, then drains and ends.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), RunError> {
        let Self { config, store, http, address, kms_tunnel, credentials, events } = self;
        info!(
            version = env!("CARGO_PKG_VERSION"),
            listening = %address,
            enclave = %config.enclave.address,
            "signer-host starts",
        );
        let (draining, ending) = (Stopper::default(), Stopper::default());
        let mut tasks = Tasks::default();
        let deaths = Deaths::default();
        let link =
            EnclaveLink::new(config.enclave.address.clone(), config.enclave.connections, deaths.clone());
        for index in 0..config.enclave.connections {
            tasks.spawn("connection", link.clone().keep_connected(index, ending.stop()));
        }
        tasks.spawn("heartbeat", link.clone().watch_over(ending.stop()));
        let provisioner = Provisioner::new(link.clone(), store.clone(), config.authority);
        tasks.spawn("provisioner", provisioner.run(ending.stop()));
        let audit = AuditProgress::default();
        let audit_store = AuditStore::new(link.clone(), store.clone(), audit.clone());
        tasks.spawn("audit_store", audit_store.run(ending.stop()));
        tasks.spawn("kms_tunnel", KmsTunnel::new(config.kms_tunnel).serve(kms_tunnel, ending.stop()));
        let credentials_service = CredentialsService::new(config.credentials.source);
        tasks.spawn("credentials", credentials_service.serve(credentials, ending.stop()));
        let event_sink = EventSink::new(config.events.max_per_second, deaths);
        tasks.spawn("events", event_sink.serve(events, ending.stop()));
        let health = Health::new(link.clone());
        let app = Arc::new(App::new(config.http, link, store, health.clone(), audit));
        tasks.spawn("http", http::serve(http, app, draining.stop()));

        let outcome = tokio::select! {
            () = stop => Ok(()),
            name = tasks.next() => Err(RunError::Task(name)),
        };
        info!(code = "stopping", "signer-host stops: unready, draining");
        health.drain();
        draining.stop_all();
        tasks.wait_for("http").await;
        ending.stop_all();
        if timeout(TASKS_LIMIT, tasks.wait()).await.is_err() {
            warn!(code = "tasks_aborted", "some tasks did not end in time");
        }
        info!(code = "stopped", "signer-host has stopped");
        outcome
    }
}

async fn bind(key: &'static str, address: &Address) -> Result<Listener, StartError> {
    Listener::bind(address).await.map_err(|source| StartError::Listen {
        key,
        address: address.to_string(),
        source,
    })
}

/// Named tasks; dropping them aborts what still runs.
#[derive(Default)]
struct Tasks {
    set: JoinSet<()>,
    names: Vec<(tokio::task::Id, &'static str)>,
}

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.set.spawn(task);
        self.names.push((handle.id(), name));
    }

    /// The name of the next task that ends.
    async fn next(&mut self) -> &'static str {
        let (id, failure) = match self.set.join_next_with_id().await {
            Some(Ok((id, ()))) => (id, None),
            Some(Err(failure)) => (failure.id(), Some(failure)),
            None => return "none",
        };
        let place = self.names.iter().position(|(known, _)| *known == id);
        let name = place.map_or("unknown", |place| self.names.swap_remove(place).1);
        if let Some(failure) = failure {
            error!(code = "task_failed", task = name, "{failure}");
        }
        name
    }

    /// Waits until no task of this name runs.
    async fn wait_for(&mut self, name: &'static str) {
        while self.names.iter().any(|(_, running)| *running == name) {
            self.next().await;
        }
    }

    async fn wait(&mut self) {
        while !self.set.is_empty() {
            self.next().await;
        }
    }
}

/// Tells tasks to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Default for Stopper {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stopper {
    /// A task's end of it.
    pub fn stop(&self) -> Stop {
        Stop(self.0.subscribe())
    }

    /// Tells them.
    pub fn stop_all(&self) {
        self.0.send_replace(true);
    }
}

/// Told when to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Waits to be told; a [`Stopper`] that is gone tells everyone.
    pub async fn requested(&self) {
        let _ = self.0.clone().wait_for(|stop| *stop).await;
    }

    /// Runs something until it is over, or until told to stop: then it is dropped where it waits.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            () = self.requested() => None,
            result = work => Some(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_is_told_also_who_asks_late() {
        let stopper = Stopper::default();
        let early = stopper.stop();
        assert_eq!(early.or(std::future::ready(1)).await, Some(1));
        stopper.stop_all();
        assert_eq!(early.or(std::future::pending::<()>()).await, None);
        stopper.stop().requested().await;
        let orphan = Stopper::default().stop();
        orphan.requested().await;
    }

    #[tokio::test]
    async fn a_task_that_ends_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("long", std::future::pending());
        tasks.spawn("short", async {});
        assert_eq!(tasks.next().await, "short");
        tasks.spawn("broken", async { panic!("as the test wants") });
        assert_eq!(tasks.next().await, "broken");
    }
}
