//! An enclave with its host, as two processes.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::time::sleep;

use signer_shared::{address::port, message::Header};

use super::{
    Error, Site,
    guest::{Guest, Started},
    instance_role::{self, REGION},
    kms::{Kms, start_apart},
    policy::{KEY_FILE, KEY_ID},
    setup::ROOT,
};
use crate::stack::{Process, Reply, binary, request};

/// For the host to drain.
const STOPPING: Duration = Duration::from_secs(3);

/// What an appliance is made of.
#[derive(Debug)]
pub(super) struct Plan {
    /// The name of its folder, short because sockets are in it.
    pub(super) name: &'static str,
    /// The enclave.
    pub(super) guest: Guest,
    /// The signed configuration.
    pub(super) configuration: PathBuf,
    /// The first signed policy bundle.
    pub(super) policy: PathBuf,
    /// The sealed objects.
    pub(super) store: PathBuf,
    /// Where HTTP is served.
    pub(super) listen: SocketAddr,
}

/// A running appliance; its processes end with it.
#[derive(Debug)]
pub(super) struct Appliance {
    folder: PathBuf,
    guest: Guest,
    host: Process,
    enclave: Option<Started>,
    address: String,
}

impl Appliance {
    /// Starts enclave and host, and waits until the host listens.
    pub(super) async fn start(site: &Site, kms: &Kms, plan: Plan) -> Result<Self, Error> {
        let folder = site.folder(plan.name)?;
        fs::write(folder.join("host.toml"), host_configuration(&folder, kms, &plan))?;
        let ready = folder.join("ready");
        let mut command = Command::new(binary("signer-host"));
        command.arg("--config").arg(folder.join("host.toml")).arg("--ready-file").arg(&ready);
        let host = start_apart(command, &folder.join("host.log"));
        let (guest, address) = (plan.guest, String::new());
        let mut appliance = Self { folder, guest, host, enclave: None, address };
        appliance.start_enclave();
        appliance.address = appliance.listening(&ready).await?;
        Ok(appliance)
    }

    /// Starts the enclave.
    pub(super) fn start_enclave(&mut self) {
        // One at a time: they would share sockets.
        self.enclave = None;
        self.enclave = Some(self.guest.start(&self.folder));
    }

    /// Kills the enclave with SIGKILL.
    pub(super) fn kill_enclave(&mut self) {
        self.enclave = None;
    }

    /// Waits until the enclave ends by itself. A host that ends is an error.
    pub(super) async fn ended(&mut self) -> Result<ExitStatus, Error> {
        const A_LITTLE: Duration = Duration::from_millis(200);
        let enclave = self.enclave.as_mut().ok_or("no enclave was started")?;
        loop {
            if let Some(status) = enclave.wait(A_LITTLE).await {
                return Ok(status);
            }
            if let Some(status) = self.host.wait(Duration::from_millis(1)).await {
                return Err(format!("signer-host ended ({status}): see {}", self.folder.display()).into());
            }
        }
    }

    /// The base of all its URLs.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The flags with which `signerctl` believes its answers, in the operator's folder.
    pub(super) fn proof(&self) -> String {
        let checked = if self.guest.proves_itself() {
            format!("--measurements eif.json --root {ROOT}")
        } else {
            "--unverified".to_owned()
        };
        format!("--config config.json {checked}")
    }

    /// The flags with which `signerctl` asks it as the client, in the operator's folder.
    pub(super) fn as_client(&self) -> String {
        format!("--url {} --client-key {KEY_FILE} --key-id {KEY_ID} {}", self.url(), self.proof())
    }

    /// The longest that anything is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.guest.patience()
    }

    /// A file of its folder.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A GET.
    pub(super) async fn get(&self, path: &str) -> Result<Reply, Error> {
        Ok(request(&self.address, "GET", path, &[], b"").await?)
    }

    /// A POST of JSON that nobody signed.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Reply, Error> {
        let headers = [("content-type", "application/json")];
        Ok(request(&self.address, "POST", path, &headers, body.to_string().as_bytes()).await?)
    }

    /// A request with headers of the caller's.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[Header],
        body: &[u8],
    ) -> Result<Reply, Error> {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
        Ok(request(&self.address, method, path, &headers, body).await?)
    }

    /// Waits until the enclave is in a phase. Returns the host's status.
    pub(super) async fn wait_for_phase(&self, phase: &str) -> Result<Value, Error> {
        self.wait_for(&format!("phase {phase}"), |status| status["enclave"]["phase"] == phase).await
    }

    /// Waits until the host's status satisfies a condition.
    pub(super) async fn wait_for(
        &self,
        what: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value, Error> {
        let deadline = Instant::now() + self.patience();
        loop {
            let answer = self.get("/v1/status").await;
            if let Ok(reply) = &answer
                && condition(&reply.json)
            {
                return Ok(reply.json.clone());
            }
            if Instant::now() >= deadline {
                let last = answer.map_or_else(|error| error.to_string(), |reply| reply.json.to_string());
                return Err(format!("waited for {what} in vain; the last status was {last}").into());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops the host with SIGTERM, then the enclave.
    pub(super) async fn stop(mut self) {
        self.host.terminate();
        self.host.wait(STOPPING).await;
    }

    async fn listening(&mut self, ready: &Path) -> Result<String, Error> {
        let deadline = Instant::now() + self.patience();
        while Instant::now() < deadline {
            if let Ok(address) = fs::read_to_string(ready)
                && !address.trim().is_empty()
            {
                return Ok(address.trim().to_owned());
            }
            if let Some(status) = self.host.wait(Duration::from_millis(20)).await {
                let log = fs::read_to_string(self.folder.join("host.log")).unwrap_or_default();
                return Err(format!("signer-host ended ({status}): {log}").into());
            }
        }
        Err("signer-host does not listen".into())
    }
}

fn host_configuration(folder: &Path, kms: &Kms, plan: &Plan) -> String {
    let meet = |port| plan.guest.address(folder, port);
    let text = |path: &Path| path.display().to_string();
    let caller = instance_role::credentials();
    format!(
        r#"
[http]
listen = "{listen}"
[enclave]
address = {enclave:?}
[authority]
configuration = {configuration:?}
policy_bundle = {policy:?}
[store]
directory = {store:?}
[kms_tunnel]
listen = {tunnel:?}
allow = ["kms.{REGION}.amazonaws.com:443"]
connect_to = {{ "kms.{REGION}.amazonaws.com:443" = "{kms}" }}
[credentials]
listen = {credentials:?}
source = "static"
access_key_id = {key:?}
secret_access_key = {secret:?}
session_token = {token:?}
[events]
listen = {events:?}
"#,
        listen = plan.listen,
        enclave = meet(port::API),
        configuration = text(&plan.configuration),
        policy = text(&plan.policy),
        store = text(&plan.store),
        tunnel = meet(port::KMS_TUNNEL),
        kms = kms.address,
        credentials = meet(port::CREDENTIALS),
        key = caller.access_key_id,
        secret = caller.secret_access_key,
        token = caller.session_token.unwrap_or_default(),
        events = meet(port::EVENTS),
    )
}
