//! A whole appliance on one machine: the real host and `signerctl`, an emulated enclave as a process
//! of its own, and a KMS emulator in this process, whose faults a test can choose.

mod client;
mod http;
mod process;
mod recover;
mod wire;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use signer_rules::{
    authority::{AdminKey, Genesis},
    bundle,
    configuration::{
        self, Audit, Clock, Configuration, Kms, KmsKey, PolicyCheck, Share, SignedConfiguration,
    },
    dsse::Envelope,
    hex_bytes::HexBytes,
    keyring_request::{self, KeyringRequest},
    timestamp::Timestamp,
};
use tokio::time::sleep;

pub use client::{Client, Exchanged, Secret};
pub use http::{Reply, request, request_elsewhere};
pub use process::{Process, binary};
pub use recover::recover_evm_address;
pub use wire::{Host, Store};

use crate::{
    kms::{KeySpec, KmsEmulator, KmsHandle, KmsOptions, PrincipalSpec},
    pki::{AttestationAuthority, TlsAuthority},
};

/// The account of the instances and of the KMS keys.
pub const ACCOUNT: &str = "111122223333";
/// The instances' role.
pub const ROLE: &str = "arn:aws:iam::111122223333:role/signer-instance";
/// The name of the keyring that [`Stack::make_ready`] makes.
pub const KEYRING: &str = "default";

/// A test that plays the host need not store the log at once.
pub const PATIENT_AUDIT: Audit =
    Audit { longest_unstored_s: 600, witness_s: 60, longest_unwitnessed_s: 3600 };

const REGION: &str = "us-east-1";
/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a [`Stack`] is made of.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// Shares of a keyring.
    pub shares: usize,
    /// KMS keys of each share.
    pub keys_per_share: usize,
    /// Whether the KMS keys get the policy that `signerctl kms-policy` prints. Without it, the enclave
    /// should do no more than report what it thinks of theirs.
    pub pinned_policy: bool,
    /// What the enclave does if a key policy is not as it should be.
    pub policy_check: PolicyCheck,
    /// More flags for the enclave.
    pub enclave_flags: Vec<String>,
    /// How the audit log leaves the enclave.
    pub audit: Audit,
    /// Whether to leave out the host, for a test that stands in its place: the enclave has just been
    /// started when [`Stack::start`] returns.
    pub without_host: bool,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self {
            shares: 1,
            keys_per_share: 1,
            pinned_policy: true,
            policy_check: PolicyCheck::Enforce,
            enclave_flags: Vec::new(),
            audit: PATIENT_AUDIT,
            without_host: false,
        }
    }
}

/// A running appliance. Everything ends, and its folder goes, when it is dropped.
pub struct Stack {
    /// The KMS emulator.
    pub kms: KmsHandle,
    /// The admins' keys; two of the three make a quorum.
    pub admins: [SigningKey; 3],
    /// The configuration.
    pub configuration: SignedConfiguration,
    /// The configuration as it was signed.
    pub configuration_envelope: String,
    enclave: Option<Process>,
    host: Option<Process>,
    options: StackOptions,
    folder: PathBuf,
}

impl Stack {
    /// Starts KMS, enclave and host, with a first bundle that has no keyring: the enclave gets as far
    /// as being configured.
    pub async fn start(options: StackOptions) -> Self {
        let folder = new_folder();
        let attestation = AttestationAuthority::load_or_create(&folder).expect("an attestation authority");
        let tls = Arc::new(TlsAuthority::load_or_create(&folder).expect("a TLS authority"));
        fs::write(folder.join("kms-roots.pem"), tls.root_pem()).expect("a writable folder");
        let mut kms_options = KmsOptions::new(attestation.root_der().clone(), tls);
        kms_options.principals = vec![PrincipalSpec::permanent("AKIAROLE", "role-secret", ROLE)];
        let kms = KmsEmulator::start(kms_options).await.expect("the KMS emulator starts");
        let admins = [1u8, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        // Each share's keys are of an account of their own, as the configuration demands.
        let keys: Vec<Vec<String>> = (0..options.shares)
            .map(|share| {
                let account = (share > 0).then(|| format!("{:012}", 444_455_556_666 + share));
                let spec = KeySpec { account, ..KeySpec::default() };
                (0..options.keys_per_share).map(|_| kms.create_key(&spec).expect("a KMS key")).collect()
            })
            .collect();
        let (configuration, configuration_envelope) =
            sign_configuration(&admins, &keys, 7, options.audit, options.policy_check);
        let mut stack = Self {
            kms,
            admins,
            configuration,
            configuration_envelope,
            enclave: None,
            host: None,
            options,
            folder,
        };
        fs::write(stack.path("configuration.dsse.json"), &stack.configuration_envelope).expect("written");
        let first = stack.sign_bundle(&stack.bundle(1, None, &[], &json!([])));
        fs::write(stack.path("policy.dsse.json"), first).expect("written");
        if stack.options.pinned_policy {
            for key in keys.iter().flatten() {
                let policy = stack.pinned_policy(key.split(':').nth(4).expect("an ARN"));
                stack.kms.set_key_policy(key, &policy).expect("a well-formed policy");
            }
        }
        stack.start_enclave();
        if !stack.options.without_host {
            stack.start_host();
            stack.wait_for_phase("configured").await;
        }
        stack
    }

    /// Starts a stack whose enclave is ready: one keyring, one client, and rules that allow it all.
    pub async fn start_ready() -> Self {
        let stack = Self::start(StackOptions::default()).await;
        stack.make_ready().await;
        stack
    }

    /// Creates the keyring, and pushes a bundle that allows everything.
    pub async fn make_ready(&self) {
        let fingerprint = self.create_keyring(KEYRING).await;
        let reply = self.push(&self.bundle(2, None, &[(KEYRING, &fingerprint)], &allow_everything())).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        self.wait_for_phase("ready").await;
    }

    /// A file of the stack's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The enclave's socket, for a test that plays the host.
    pub fn enclave_socket(&self) -> PathBuf {
        self.path("enclave.sock")
    }

    /// The host's address.
    pub fn address(&self) -> String {
        fs::read_to_string(self.path("ready")).unwrap_or_default().trim().to_owned()
    }

    /// The enclave's process id, while there is one.
    pub fn enclave_id(&self) -> Option<u32> {
        self.enclave.as_ref().map(Process::id)
    }

    /// The host's process id, while there is one.
    pub fn host_id(&self) -> Option<u32> {
        self.host.as_ref().map(Process::id)
    }

    /// Starts the enclave.
    pub fn start_enclave(&mut self) {
        let mut command = Command::new(binary("emulated-enclave"));
        for flag in ["--authority-dir", "--sockets"] {
            command.arg(flag).arg(&self.folder);
        }
        command.arg("--kms-roots").arg(self.path("kms-roots.pem")).args(&self.options.enclave_flags);
        self.enclave = Some(Process::start(command, &self.path("enclave.log")));
    }

    /// Kills the enclave with SIGKILL, and waits until it is gone.
    pub fn kill_enclave(&mut self) {
        drop(self.enclave.take());
    }

    /// Waits for the enclave to end by itself. Returns whether it did so with success.
    pub async fn enclave_exit(&mut self) -> bool {
        let enclave = self.enclave.as_mut().expect("a started enclave");
        enclave.wait(PATIENCE).await.expect("the enclave ends").success()
    }

    /// Starts the host.
    pub fn start_host(&mut self) {
        fs::write(self.path("host.toml"), self.host_configuration()).expect("written");
        drop(fs::remove_file(self.path("ready")));
        let mut command = Command::new(binary("signer-host"));
        command.arg("--config").arg(self.path("host.toml"));
        command.arg("--ready-file").arg(self.path("ready"));
        self.host = Some(Process::start(command, &self.path("host.log")));
    }

    /// Stops the host with SIGTERM, and waits until it is gone.
    pub async fn stop_host(&mut self) {
        if let Some(mut host) = self.host.take() {
            host.terminate();
            host.wait(PATIENCE).await.expect("the host stops");
        }
    }

    /// Waits until `/v1/status` says that the enclave is in a phase.
    pub async fn wait_for_phase(&self, phase: &str) {
        self.wait_for(&format!("phase {phase}"), |status| status["enclave"]["phase"] == phase).await;
    }

    /// Waits until `/v1/status` satisfies a condition.
    pub async fn wait_for(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.try_get("/v1/status").await;
            if let Ok(reply) = &reply
                && condition(&reply.json)
            {
                return reply.json.clone();
            }
            assert!(Instant::now() < deadline, "waited for {what}: {reply:?}\n{}", self.logs());
            sleep(Duration::from_millis(25)).await;
        }
    }

    /// What host and enclave said, for a test that fails.
    pub fn logs(&self) -> String {
        ["host.log", "enclave.log"]
            .map(|name| fs::read_to_string(self.path(name)).unwrap_or_default())
            .join("\n")
    }

    /// Sends a request to the host.
    pub async fn request(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
        http::request(&self.address(), method, path, &[("content-type", "application/json")], body).await
    }

    /// Sends a request with headers of its own.
    pub async fn request_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        http::request(&self.address(), method, path, headers, body).await
    }

    /// A GET that must be answered.
    pub async fn get(&self, path: &str) -> Reply {
        self.try_get(path).await.unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.logs()))
    }

    /// A GET.
    pub async fn try_get(&self, path: &str) -> io::Result<Reply> {
        self.request("GET", path, b"").await
    }

    /// A POST of JSON that must be answered.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.request("POST", path, body.to_string().as_bytes())
            .await
            .unwrap_or_else(|error| panic!("POST {path}: {error}\n{}", self.logs()))
    }

    /// Creates a keyring as the admins; returns its fingerprint.
    pub async fn create_keyring(&self, name: &str) -> String {
        let reply = self.request("POST", "/v1/keyrings", self.keyring_request(name).as_bytes()).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 201, "{reply:?}\n{}", self.logs());
        reply.json["keyring"]["fingerprint"].as_str().expect("a fingerprint").to_owned()
    }

    /// The admins' signed request for a keyring.
    pub fn keyring_request(&self, name: &str) -> String {
        let request = KeyringRequest {
            format: keyring_request::FORMAT.into(),
            authority: self.configuration.authority,
            keyring: name.parse().expect("a name"),
            nonce: HexBytes([3; 32]),
            expires: in_seconds(600),
        };
        self.sign(keyring_request::PAYLOAD_TYPE, &serde_json::to_vec(&request).expect("JSON"))
    }

    /// Pushes a bundle that the admins sign.
    pub async fn push(&self, bundle: &Value) -> Reply {
        let envelope = self.sign_bundle(bundle);
        self.request("POST", "/v1/policy", envelope.as_bytes()).await.expect("an answer")
    }

    /// A bundle of this authority, with one client without authentication.
    pub fn bundle(
        &self,
        version: u64,
        previous: Option<&str>,
        keyrings: &[(&str, &str)],
        rules: &Value,
    ) -> Value {
        let keyrings: Vec<Value> =
            keyrings.iter().map(|(id, fingerprint)| json!({"id": id, "fingerprint": fingerprint})).collect();
        let previous = previous.map(str::to_owned).or_else(|| self.first_bundle_digest(version));
        json!({
            "format": bundle::FORMAT,
            "authority": self.configuration.authority,
            "version": version,
            "previous": previous,
            "not_before": in_seconds(-60),
            "expires": in_seconds(86_400),
            "least_configuration_epoch": 0,
            "keyrings": keyrings,
            "clients": [{"id": "backend", "auth": "none"}],
            "wallet_groups": [],
            "rules": rules,
        })
    }

    /// Signs a bundle with two admins.
    pub fn sign_bundle(&self, bundle: &Value) -> String {
        self.sign(bundle::PAYLOAD_TYPE, bundle.to_string().as_bytes())
    }

    /// Signs anything with two admins.
    pub fn sign(&self, payload_type: &str, payload: &[u8]) -> String {
        let [first, second, _] = &self.admins;
        seal(payload_type, payload, &[first, second])
    }

    /// The key policy that `signerctl` makes for an account's keys, this enclave and this
    /// configuration.
    pub fn pinned_policy(&self, account: &str) -> Value {
        let measurements = self.path("measurements.json");
        let output = Command::new(binary("emulated-enclave")).arg("--measurements").output();
        fs::write(&measurements, output.expect("measurements").stdout).expect("written");
        let policy = Command::new(binary("signerctl"))
            .args(["kms-policy", "--account", account, "--role", ROLE, "--config"])
            .arg(self.path("configuration.dsse.json"))
            .arg("--measurements")
            .arg(measurements)
            .output()
            .expect("signerctl runs");
        let problem = String::from_utf8_lossy(&policy.stderr).into_owned();
        serde_json::from_slice(&policy.stdout).unwrap_or_else(|_| panic!("a policy: {problem}"))
    }

    fn first_bundle_digest(&self, version: u64) -> Option<String> {
        let envelope = fs::read(self.path("policy.dsse.json")).ok().filter(|_| version == 2)?;
        let payload = Envelope::from_json(&envelope).ok()?.unverified_payload().ok()?;
        Some(bundle::digest(&payload).to_string())
    }

    fn host_configuration(&self) -> String {
        let socket = |name: &str| format!("unix:{}", self.path(name).display());
        format!(
            r#"
[http]
listen = "127.0.0.1:0"
[enclave]
address = "{enclave}"
[authority]
configuration = "configuration.dsse.json"
policy_bundle = "policy.dsse.json"
policy_poll_s = 1
[store]
directory = "store"
[kms_tunnel]
listen = "{tunnel}"
allow = ["kms.{REGION}.amazonaws.com:443"]
connect_to = {{ "kms.{REGION}.amazonaws.com:443" = "{kms}" }}
[credentials]
listen = "{credentials}"
source = "static"
access_key_id = "AKIAROLE"
secret_access_key = "role-secret"
[events]
listen = "{events}"
"#,
            enclave = socket("enclave.sock"),
            tunnel = socket("kms.sock"),
            credentials = socket("credentials.sock"),
            events = socket("events.sock"),
            kms = self.kms.address(),
        )
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop((self.host.take(), self.enclave.take()));
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Rules that allow the client everything, authorizations for every chain among it, and different transactions of one
/// nonce.
pub fn allow_everything() -> Value {
    let operations: Vec<&str> = bundle::Operation::ALL.iter().map(|operation| operation.as_str()).collect();
    json!([
        {"id": "everything", "effect": "allow", "operations": operations, "nonce": "unguarded"},
        {"id": "every-chain", "effect": "allow", "operations": ["evm.authorization"], "chain_ids": [0]},
    ])
}

/// A configuration of these admins, signed by two of them. `appliance` tells appliances apart.
pub fn sign_configuration(
    admins: &[SigningKey; 3],
    keys: &[Vec<String>],
    appliance: u8,
    audit: Audit,
    policy_check: PolicyCheck,
) -> (SignedConfiguration, String) {
    let mut admin_keys: Vec<AdminKey> = admins.iter().map(|admin| admin.verifying_key().into()).collect();
    admin_keys.sort_by_key(|admin| admin.key().to_bytes());
    let key = |arn: &String| KmsKey { arn: arn.clone(), endpoint: format!("kms.{REGION}.amazonaws.com") };
    let configuration = Configuration {
        format: configuration::FORMAT.into(),
        epoch: 0,
        genesis: Genesis { appliance_id: HexBytes([appliance; 32]), admins: admin_keys, threshold: 2 },
        transitions: Vec::new(),
        kms: Kms {
            shares: keys.iter().map(|keys| Share { keys: keys.iter().map(key).collect() }).collect(),
            policy_check,
        },
        longest_bundle_lifetime_days: 90,
        clock: Clock { resynchronise_s: 60, longest_drift_ms: 1000 },
        audit,
    };
    let payload = serde_json::to_vec(&configuration).expect("JSON");
    let [first, second, _] = admins;
    let envelope = seal(configuration::PAYLOAD_TYPE, &payload, &[first, second]);
    let signed = SignedConfiguration::verify(envelope.as_bytes()).expect("a valid configuration");
    (signed, envelope)
}

/// A DSSE envelope with the signatures of some keys.
pub fn seal(payload_type: &str, payload: &[u8], keys: &[&SigningKey]) -> String {
    let mut envelope = Envelope::unsigned(payload_type, payload);
    for key in keys {
        envelope.sign(key).expect("a payload");
    }
    envelope.to_json().expect("JSON")
}

/// A point in time relative to now.
pub fn in_seconds(seconds: i64) -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_seconds(now.as_secs().saturating_add_signed(seconds))
}

/// The objects in a store's folder, by name.
pub fn read_store(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, prefix: &str, objects: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let name = format!("{prefix}{name}");
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), objects);
            } else {
                objects.insert(name, fs::read(entry.path()).unwrap_or_default());
            }
        }
    }
    let mut objects = BTreeMap::new();
    walk(folder, "", &mut objects);
    objects
}

/// Short, because socket paths have to be.
fn new_folder() -> PathBuf {
    let mut random = [0; 6];
    aws_lc_rs::rand::fill(&mut random).expect("randomness");
    let folder = std::env::temp_dir().join(format!("signer-{}", hex::encode(random)));
    fs::create_dir_all(&folder).expect("a writable temporary folder");
    folder
}
