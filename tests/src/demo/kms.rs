//! The emulated KMS as a process.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use aws_sdk_kms::Client;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Error, Site,
    instance_role::{self, ACCOUNT, REGION},
};
use crate::{
    kms::sdk_client,
    stack::{Process, binary},
};

/// The id of the one key; a configuration has to name it before there is a KMS.
const KEY_ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const PATIENCE: Duration = Duration::from_secs(20);

/// Which attestation documents KMS believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Documents {
    /// Those that the attestation authority signed.
    Signed,
    /// Those of QEMU, too, which nobody signed.
    SignedOrNot,
}

/// The ARN of the one key.
pub(super) fn key_arn() -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}")
}

/// A running KMS, which ends with this.
#[derive(Debug)]
pub(super) struct Kms {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Where it writes down every call, as `CloudTrail` does.
    trail: PathBuf,
    root: CertificateDer<'static>,
    _process: Process,
}

impl Kms {
    /// Starts it, with one key under `policy`, and the instances' role.
    pub(super) async fn start(site: &Site, policy: &Value, documents: Documents) -> Result<Self, Error> {
        let folder = site.folder("kms")?;
        let caller = instance_role::credentials();
        let configuration = json!({
            "region": REGION,
            "account": ACCOUNT,
            "keys": [{"key_id": KEY_ID, "policy": policy}],
            "principals": [{
                "access_key_id": caller.access_key_id,
                "secret_access_key": caller.secret_access_key,
                "session_token": caller.session_token,
                "arn": caller.arn,
            }],
        });
        let (file, log, trail) =
            (folder.join("kms.json"), folder.join("kms.log"), folder.join("trail.jsonl"));
        fs::write(&file, configuration.to_string())?;
        let mut command = Command::new(binary("emulated-kms"));
        command.args(["--listen", "127.0.0.1:0", "--attestation-root"]).arg(site.attestation_root());
        command.arg("--tls-dir").arg(site.aws()).arg("--config").arg(file).arg("--trail").arg(&trail);
        if documents == Documents::SignedOrNot {
            command.arg("--accept-unsigned-documents");
        }
        let mut process = start_apart(command, &log);
        let address = listening(&mut process, &log).await?;
        let root = CertificateDer::from_pem_file(site.aws().join("tls-root.pem"))?;
        Ok(Self { address, trail, root, _process: process })
    }

    /// AWS's client with the credentials of the instances' role.
    pub(super) fn client_of_instance(&self) -> Result<Client, Error> {
        sdk_client(self.address, &self.root, instance_role::credentials(), REGION)
    }

    /// The file that has every call, one a line.
    pub(super) fn trail(&self) -> &Path {
        &self.trail
    }

    /// Calls that were refused so far, oldest first.
    pub(super) fn refusals(&self) -> Vec<Value> {
        let trail = fs::read_to_string(&self.trail).unwrap_or_default();
        let calls = trail.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        calls.filter(|call| call["errorCode"].is_string()).collect()
    }
}

/// Starts a process in a group of its own, so that Ctrl-C reaches the demo alone, which then stops
/// things in order.
pub(super) fn start_apart(mut command: Command, log: &Path) -> Process {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
    Process::start(command, log)
}

async fn listening(process: &mut Process, log: &Path) -> Result<SocketAddr, Error> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let said = fs::read_to_string(log).unwrap_or_default();
        let mut ready = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        if let Some(address) = ready.find_map(|line| line["address"].as_str()?.parse().ok()) {
            return Ok(address);
        }
        if let Some(status) = process.wait(Duration::from_millis(1)).await {
            return Err(format!("emulated-kms ended ({status}): {said}").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err("emulated-kms does not listen".into())
}
