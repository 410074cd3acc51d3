//! What a signature costs, stage by stage: bare, in the enclave's service, over its socket, over HTTP.
//!
//! Every stage is measured in the same run on the same machine, so that ratios between stages mean
//! something where times do not. Host, enclave and client are processes of their own, and their CPU
//! is read apart; what a client's own signature takes is the client's. A stage that gets one answer other than a signature fails the run: times of errors
//! are worth nothing.

mod auth;
mod bare;
mod client;
mod cpu;
mod in_process;
mod kind;
mod latency;
mod load;
mod report;

use std::{sync::Arc, time::Duration};

use serde_json::json;
use signer_rules::configuration::PolicyCheck;
use tokio::task::spawn_blocking;

pub use auth::Auth;
pub use kind::Kind;
pub use report::{Measurement, Report};

use crate::stack::{KEYRING, Stack, StackOptions, Store, allow_everything, read_store};
use auth::Clients;
use client::Target;
use cpu::Processes;
use kind::{Form, Work};
use load::{Load, Pace};

/// Any reason why nothing can be measured.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The wallet that signs.
const WALLET: &str = "bench";
/// Connections over HTTP.
const HTTP_CONNECTIONS: [usize; 3] = [1, 8, 64];
/// Connections straight to the enclave's socket.
const SOCKET_CONNECTIONS: [usize; 2] = [1, 16];
/// Connections over HTTP whose requests are signed: for latency, and for what it costs.
const SIGNED_CONNECTIONS: [usize; 2] = [1, 64];
/// The longest stage whose requests are signed: the enclave remembers 500,000 nonces for six minutes.
const SIGNED_LIMIT: Duration = Duration::from_secs(10);

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long each stage is measured.
    pub seconds: Duration,
    /// What is signed.
    pub kinds: Vec<Kind>,
}

/// Measures everything. `progress` is told of each stage before it begins.
pub async fn run(options: &Options, mut progress: impl FnMut(&str)) -> Result<Report, Error> {
    progress("starting KMS, enclave and host");
    let mut report = Report::new(options.seconds);
    let bench = Bench::start().await?;
    for kind in &options.kinds {
        bench.measure(*kind, options.seconds, &mut report, &mut progress).await?;
    }
    report.finish();
    Ok(report)
}

/// A stage of clients side by side.
struct Stage {
    name: &'static str,
    target: Target,
    connections: usize,
    auth: Auth,
}

/// A running appliance with a wallet, and a second enclave in this process.
struct Bench {
    stack: Stack,
    service: in_process::Service,
    processes: Processes,
    /// The host's sealed objects, for clients that go past it.
    store: Arc<Store>,
    /// The wallet's addresses.
    signer: kind::Signer,
    clients: Clients,
}

impl Bench {
    async fn start() -> Result<Self, Error> {
        let options = StackOptions {
            pinned_policy: false,
            policy_check: PolicyCheck::Report,
            ..StackOptions::default()
        };
        let stack = Stack::start(options).await;
        let fingerprint = stack.create_keyring(KEYRING).await;
        let mut clients = Clients::new(&stack);
        let mut bundle = stack.bundle(2, None, &[(KEYRING, &fingerprint)], &allow_everything());
        bundle["clients"].as_array_mut().ok_or("no clients")?.extend(clients.entries()?);
        let bundle = stack.sign_bundle(&bundle);
        let pushed = stack.request("POST", "/v1/policy", bundle.as_bytes()).await?;
        if pushed.status != 202 {
            return Err(format!("the policy is refused: {pushed:?}").into());
        }
        stack.wait_for_phase("ready").await;
        let created = stack.post("/v1/wallets", &json!({"name": WALLET, "kind": "hd"})).await;
        let signer = kind::Signer::of_wallet(&created.json)?;
        clients.open_session(&stack).await?;
        let service = in_process::Service::start(&stack, &bundle).await?;
        let processes = Processes {
            host: stack.host_id().ok_or("there is no host")?,
            enclave: stack.enclave_id().ok_or("there is no enclave")?,
        };
        let store = Arc::new(read_store(&stack.path("store")));
        Ok(Self { stack, service, processes, store, signer, clients })
    }

    async fn measure(
        &self,
        kind: Kind,
        seconds: Duration,
        report: &mut Report,
        progress: &mut impl FnMut(&str),
    ) -> Result<(), Error> {
        progress(&format!("{kind}: bare signature"));
        let bare = spawn_blocking(move || bare::measure(kind, seconds)).await??;
        report.add(bare);

        let single = Work { kind, form: Form::Single, signer: self.signer.clone() };
        progress(&format!("{kind}: the enclave's service, in this process"));
        report.add(self.service.measure(&single, seconds).await?);

        for connections in SOCKET_CONNECTIONS {
            progress(&format!("{kind}: Unix socket, {connections} connections"));
            let target = Target::Socket(self.stack.enclave_socket(), self.store.clone());
            report.add(self.stage("unix socket", target, connections, &single, Pace::Full, seconds).await?);
        }
        let mut highest = 0.0;
        for connections in HTTP_CONNECTIONS {
            progress(&format!("{kind}: HTTP, {connections} connections"));
            let measured = self.stage("http", self.http(), connections, &single, Pace::Full, seconds).await?;
            highest = measured.per_second;
            report.add(measured);
        }
        let connections = HTTP_CONNECTIONS[HTTP_CONNECTIONS.len() - 1];
        progress(&format!("{kind}: HTTP, {connections} connections, half load"));
        let pace = Pace::PerSecond(highest / 2.0);
        report.add(self.stage("http half load", self.http(), connections, &single, pace, seconds).await?);

        progress(&format!("{kind}: HTTP, batches of {}", kind::BATCH));
        let batch = Work { form: Form::Batch, ..single.clone() };
        report.add(self.stage("http batch", self.http(), 1, &batch, Pace::Full, seconds).await?);
        if kind == Kind::EvmTransaction {
            progress(&format!("{kind}: JSON-RPC, 8 connections"));
            let rpc = Work { form: Form::JsonRpc, ..single.clone() };
            report.add(self.stage("http json-rpc", self.http(), 8, &rpc, Pace::Full, seconds).await?);
            self.measure_signed(&single, seconds.min(SIGNED_LIMIT), report, progress).await?;
        }
        Ok(())
    }

    /// What it costs to know who asks.
    async fn measure_signed(
        &self,
        work: &Work,
        seconds: Duration,
        report: &mut Report,
        progress: &mut impl FnMut(&str),
    ) -> Result<(), Error> {
        for auth in Auth::SIGNED {
            progress(&format!("{}: Unix socket, 1 connection, requests signed: {auth}", work.kind));
            let socket = Target::Socket(self.stack.enclave_socket(), self.store.clone());
            let stage = Stage { name: "unix socket", target: socket, connections: 1, auth };
            report.add(self.load(stage, work, Pace::Full, seconds).await?);
            for connections in SIGNED_CONNECTIONS {
                progress(&format!("{}: HTTP, {connections} connections, requests signed: {auth}", work.kind));
                let stage = Stage { name: "http", target: self.http(), connections, auth };
                report.add(self.load(stage, work, Pace::Full, seconds).await?);
            }
        }
        Ok(())
    }

    fn http(&self) -> Target {
        Target::Http(self.stack.address())
    }

    async fn stage(
        &self,
        name: &'static str,
        target: Target,
        connections: usize,
        work: &Work,
        pace: Pace,
        seconds: Duration,
    ) -> Result<Measurement, Error> {
        self.load(Stage { name, target, connections, auth: Auth::None }, work, pace, seconds).await
    }

    async fn load(
        &self,
        stage: Stage,
        work: &Work,
        pace: Pace,
        seconds: Duration,
    ) -> Result<Measurement, Error> {
        let Stage { name, target, connections, auth } = stage;
        let (work, client, processes) = (work.clone(), self.clients.of(auth), self.processes);
        let load = Load { name, target, connections, work, auth, client, pace, seconds, processes };
        // One thread for all connections: the client must leave the machine to what is measured.
        spawn_blocking(move || load.run()).await?
    }
}
