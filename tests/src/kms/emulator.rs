//! Starting the emulator, and what its owner can do while it runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::{fmt, io};

use rustls_pki_types::CertificateDer;
use serde_json::Value;
use signer_eif::verify::Root;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::envelope::{EnvelopeForm, FormChooser};
use super::error::KmsError;
use super::fault::{Fault, Faults};
use super::http;
use super::principal::PrincipalSpec;
use super::recipient::Trust;
use super::service::Service;
use super::store::{KeySpec, Store};
use super::trail::Trail;
use crate::pki::TlsAuthority;

/// What an emulator is to be.
#[derive(Clone, Debug)]
pub struct KmsOptions {
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// The region: part of ARNs, and the only one that signatures may name.
    pub region: String,
    /// The account that owns keys whose specification names none.
    pub account: String,
    /// Names in the TLS certificate; `kms.<region>.amazonaws.com`, `localhost` and `127.0.0.1` if empty.
    pub dns_names: Vec<String>,
    /// The root that attestation documents must end at, DER.
    pub attestation_root: CertificateDer<'static>,
    /// Whether to believe QEMU's documents, too, which nobody signed. Then anyone can say to be any enclave.
    pub accept_unsigned_documents: bool,
    /// Who issues the TLS certificate.
    pub tls: Arc<TlsAuthority>,
    /// Keys to make at the start, unless the state has them already.
    pub keys: Vec<KeySpec>,
    /// Who may call.
    pub principals: Vec<PrincipalSpec>,
    /// How envelopes are written.
    pub envelope_form: EnvelopeForm,
    /// Milliseconds that KMS's clock is ahead of this machine's.
    pub clock_offset_ms: i64,
    /// A file to append the log to, one JSON object a line.
    pub trail_file: Option<PathBuf>,
    /// A directory that keeps keys, policies and grants across restarts.
    pub state_dir: Option<PathBuf>,
}

impl KmsOptions {
    /// An empty KMS of `us-east-1` and account 111122223333 on a free port of the loopback interface.
    pub fn new(attestation_root: CertificateDer<'static>, tls: Arc<TlsAuthority>) -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            region: "us-east-1".to_owned(),
            account: "111122223333".to_owned(),
            dns_names: Vec::new(),
            attestation_root,
            accept_unsigned_documents: false,
            tls,
            keys: Vec::new(),
            principals: Vec::new(),
            envelope_form: EnvelopeForm::default(),
            clock_offset_ms: 0,
            trail_file: None,
            state_dir: None,
        }
    }
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The listener, the state or the log.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A key's policy.
    #[error("key {0}: {1}")]
    Key(String, KmsError),
    /// The attestation root.
    #[error("the attestation root is not a certificate: {0}")]
    AttestationRoot(String),
}

/// The emulator; [`KmsEmulator::start`] gives the handle of a running one.
#[derive(Debug)]
pub struct KmsEmulator;

impl KmsEmulator {
    /// Starts an emulator on the current Tokio runtime. It is ready when this returns.
    pub async fn start(options: KmsOptions) -> Result<KmsHandle, StartError> {
        let root = Root::from_der(&options.attestation_root)
            .map_err(|error| StartError::AttestationRoot(error.to_string()))?;
        let service = Arc::new(Service {
            attestation: Trust { root, unsigned: options.accept_unsigned_documents },
            principals: Mutex::new(options.principals),
            store: Mutex::new(Store::open(&options.region, options.state_dir.as_deref())?),
            trail: Trail::open(&options.region, options.trail_file.as_deref())?,
            faults: Faults::default(),
            forms: FormChooser::new(options.envelope_form),
            clock_offset_ms: AtomicI64::new(options.clock_offset_ms),
            region: options.region,
        });
        let mut names = options.dns_names;
        if names.is_empty() {
            names = vec![
                format!("kms.{}.amazonaws.com", service.region),
                "localhost".to_owned(),
                "127.0.0.1".to_owned(),
            ];
        }
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        let tls = options.tls.server_config(&names);
        let server = tokio::spawn(http::serve(listener, tls, Arc::clone(&service), stopped));
        let handle = KmsHandle { address, account: options.account, service, stop, server };
        for key in &options.keys {
            let name = || key.key_id.clone().unwrap_or_default();
            handle.create_key(key).map_err(|error| StartError::Key(name(), error))?;
        }
        Ok(handle)
    }
}

/// A running emulator. Dropping it stops the listener and, once their requests are answered, the connections.
pub struct KmsHandle {
    address: SocketAddr,
    account: String,
    service: Arc<Service>,
    // Its drop is the signal.
    stop: watch::Sender<()>,
    server: JoinHandle<()>,
}

impl fmt::Debug for KmsHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KmsHandle").field("address", &self.address).finish_non_exhaustive()
    }
}

impl KmsHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, by a name that is in the certificate unless other names were given.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Stops, and waits until all connections are closed.
    pub async fn shutdown(self) {
        drop(self.stop);
        self.server.await.expect("the server does not panic");
    }

    /// Makes a key and returns its ARN. A key that is there already stays as it is.
    pub fn create_key(&self, spec: &KeySpec) -> Result<String, KmsError> {
        let now = self.service.now_ms() / 1_000;
        self.service.store.lock().expect("no holder panics").create(spec, &self.account, "", now)
    }

    /// Replaces a key's policy, as an administrator to whom nothing is denied.
    pub fn set_key_policy(&self, key: &str, policy: &Value) -> Result<(), KmsError> {
        let mut store = self.service.store.lock().expect("no holder panics");
        let missing = || KmsError::client("NotFoundException", format!("Key '{key}' does not exist"));
        let arn = store.find(key).ok_or_else(missing)?.stored.arn.clone();
        let policy_text = policy.to_string();
        let policy = super::policy::Policy::parse(&policy_text)?;
        store.change(&arn, |key| {
            key.policy = policy;
            key.stored.policy_text = policy_text;
        });
        Ok(())
    }

    /// Adds credentials; those of the same access key id are replaced.
    pub fn set_principal(&self, principal: PrincipalSpec) {
        let mut principals = self.service.principals.lock().expect("no holder panics");
        principals.retain(|known| known.access_key_id != principal.access_key_id);
        principals.push(principal);
    }

    /// Moves KMS's clock to `offset_ms` milliseconds ahead of this machine's.
    pub fn set_clock_offset_ms(&self, offset_ms: i64) {
        self.service.clock_offset_ms.store(offset_ms, Ordering::Relaxed);
    }

    /// Spoils all answers to `operation` (such as `Decrypt`) from now on.
    pub fn inject(&self, operation: &str, fault: Fault) {
        self.service.faults.inject(operation, fault, None);
    }

    /// Spoils the next `times` answers to `operation`.
    pub fn inject_times(&self, operation: &str, fault: Fault, times: usize) {
        self.service.faults.inject(operation, fault, Some(times));
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// All authenticated calls so far, oldest first, in `CloudTrail`'s form.
    pub fn trail(&self) -> Vec<Value> {
        self.service.trail.events()
    }
}
