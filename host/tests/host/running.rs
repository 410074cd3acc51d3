//! A host with short limits, a folder of its own, and a way to stop it.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use signer_host::{
    config::{
        Authority, Config, Credentials, CredentialsSource, Enclave, Events, Http, KmsTunnel, Log, LogFormat,
        Secret, Store,
    },
    lifecycle::{Host, RunError},
    object_store::ObjectStore,
    random,
};
use signer_shared::address::Address;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    client::{SOON, get},
    enclave::{self, Settings},
};

/// Folder of one test: sockets, store, files.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("signer-host-{}", random::hex()));
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("configuration"), "the configuration").unwrap();
        std::fs::write(path.join("policy"), "1").unwrap();
        Self(path)
    }

    pub fn enclave(&self) -> PathBuf {
        self.0.join("enclave.sock")
    }

    pub async fn store(&self) -> ObjectStore {
        ObjectStore::directory(&self.0.join("store")).await.unwrap()
    }

    pub fn config(&self) -> Config {
        let unix = |name: &str| Address::Unix(self.0.join(name));
        Config {
            http: Http {
                listen: "127.0.0.1:0".parse().unwrap(),
                max_connections: 64,
                max_body_bytes: 2048,
                queue: 8,
                header_timeout: Duration::from_millis(500),
                body_timeout: Duration::from_millis(300),
                request_timeout: Duration::from_secs(5),
                drain: Duration::from_secs(5),
            },
            enclave: Enclave { address: Address::Unix(self.enclave()), connections: 2 },
            authority: Authority {
                configuration: self.0.join("configuration"),
                policy_bundle: self.0.join("policy"),
                policy_poll: Duration::from_millis(200),
            },
            store: Store::Directory(self.0.join("store")),
            kms_tunnel: KmsTunnel {
                listen: unix("kms.sock"),
                routes: BTreeMap::new(),
                max_tunnels: 4,
                connect_timeout: Duration::from_secs(1),
                idle_timeout: Duration::from_secs(1),
            },
            credentials: Credentials {
                listen: unix("credentials.sock"),
                source: CredentialsSource::Static {
                    access_key_id: "id".to_owned(),
                    secret_access_key: Secret::new("secret"),
                    session_token: None,
                },
            },
            events: Events { listen: unix("events.sock"), max_per_second: 100 },
            log: Log { format: LogFormat::Text, level: tracing::Level::INFO },
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Running {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    pub async fn start(config: Config) -> Self {
        let host = Host::start(config).await.unwrap();
        let address = host.address();
        let (stop, stopping) = oneshot::channel();
        let task = tokio::spawn(host.run(async {
            let _ = stopping.await;
        }));
        Self { address, stop, task }
    }

    /// Waits until `/readyz` has this status.
    pub async fn until_ready_is(&self, status: u16) {
        eventually("readiness", async || get(self.address, "/readyz").await.status == status).await;
    }

    /// Tells it to stop; the task ends when it has.
    pub fn stop(self) -> JoinHandle<Result<(), RunError>> {
        let _ = self.stop.send(());
        self.task
    }
}

/// A folder, an enclave that is ready, and a host in front of it.
pub async fn ready(change: impl FnOnce(&mut Config)) -> (Folder, enclave::Enclave, Running) {
    let folder = Folder::new();
    let enclave = enclave::Enclave::start(&folder.enclave(), Settings::default()).await;
    let mut config = folder.config();
    change(&mut config);
    let host = Running::start(config).await;
    host.until_ready_is(200).await;
    (folder, enclave, host)
}

pub async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let end = Instant::now() + SOON;
    while !condition().await {
        assert!(Instant::now() < end, "never: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
