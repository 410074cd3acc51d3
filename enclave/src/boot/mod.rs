//! From power-on to signing: `Booting`, `Configured`, `Ready`, each made from the one before.

mod attest;
mod audit_log;
mod key_policy;
mod open_keyrings;
mod phase;
mod provision;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use signer_rules::{
    bundle::SignedBundle, configuration::SignedConfiguration, hex_bytes::HexBytes, name::Name, policy::Policy,
};
use signer_shared::message::{KeyringStatus, Phase, Status};
use tokio::sync::{Notify, Semaphore};

pub use attest::{AttestError, Attested};
pub use audit_log::PageError;
pub use key_policy::{KeyPolicyError, Need, Usable};
pub use phase::{Kind, is_allowed};
pub use provision::{Adoption, ProvisionError};

use crate::{
    attestation::{CONFIGURATION_PCR, Identity, Nsm, NsmError},
    audit::Audit,
    auth::{Authenticator, Directory, Realm, SessionKeys},
    clock::Clock,
    events::Events,
    guards::{Guards, LimitIds},
    kms::{Kms, Trust},
    secret::CryptoError,
    wallet::Keyring,
};
use attest::RecentDocument;
use audit_log::Witnessed;

/// One boot of the enclave: what every connection works on.
pub struct Enclave {
    nsm: Nsm,
    clock: Clock,
    events: Events,
    identity: Identity,
    audit: Audit,
    authenticator: Authenticator,
    guards: Guards,
    witnessed: Mutex<Witnessed>,
    kms: Kms,
    trust: Trust,
    state: RwLock<State>,
    /// Held over every change of state, so that there is one at a time.
    transition: tokio::sync::Mutex<()>,
    problem: Mutex<Option<String>>,
    /// Keyrings that were opened for a bundle which is being stored, by the bundle's digest.
    candidate: Mutex<Option<Candidate>>,
    /// What KMS last said about the keys that protect keyrings.
    kms_policy_digest: Mutex<Option<HexBytes<32>>>,
    /// Fingerprints of the keyrings of all bundles that were in force in this boot.
    known_keyrings: Mutex<BTreeMap<Name, HexBytes<32>>>,
    /// One keyring is created at a time: each is an RSA key and several calls to KMS, and a request
    /// can be replayed while the host hides what came of it.
    creating: Semaphore,
    /// Digests of bundles that were refused because of their order.
    refused: Mutex<HashSet<HexBytes<32>>>,
    signatures: AtomicU64,
    started: Instant,
    fatal: Notify,
}

type Candidate = (HexBytes<32>, BTreeMap<Name, Arc<Keyring>>);

/// Where the enclave is. Values of the later states can only be made from the earlier ones.
#[derive(Clone)]
pub enum State {
    /// It knows no configuration.
    Booting,
    /// PCR16 holds its configuration.
    Configured(Arc<Configured>),
    /// Every keyring of its bundle is open.
    Ready(Arc<Ready>),
}

/// An enclave that knows whose it is.
pub struct Configured {
    /// What PCR16 holds.
    pub configuration: Arc<SignedConfiguration>,
    /// The bundle in force.
    pub bundle: SignedBundle,
    /// The bundle, ready to decide.
    pub policy: Policy,
    /// The bundle's clients and their keys.
    pub directory: Directory,
    /// The limits of the bundle's rules.
    pub limits: LimitIds,
    /// The keyrings that are open, by name.
    pub keyrings: BTreeMap<Name, Arc<Keyring>>,
    /// The keys of sessions, if the bundle's first keyring is open.
    pub sessions: Option<SessionKeys>,
}

/// An enclave that signs.
pub struct Ready {
    /// What it is configured as.
    pub configured: Configured,
    recent: RecentDocument,
}

/// Why an enclave does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The NSM failed.
    #[error(transparent)]
    Nsm(#[from] NsmError),
    /// The enclave runs in debug mode, where its memory can be read.
    #[error("PCR{0} is zero: the enclave is in debug mode, and will hold no keys")]
    DebugMode(u16),
    /// Something before us used our register.
    #[error("PCR16 was extended or locked before: reboot the enclave")]
    ConfigurationPcrTouched,
}

impl Enclave {
    /// Checks that this is a place to hold keys in, and makes the boot's identity.
    pub async fn start(
        nsm: Nsm,
        clock: Clock,
        events: Events,
        kms: Kms,
        trust: Trust,
    ) -> Result<Self, StartError> {
        for index in 0..=2 {
            if nsm.describe_pcr(index).await?.is_zero() {
                return Err(StartError::DebugMode(index));
            }
        }
        let register = nsm.describe_pcr(CONFIGURATION_PCR).await?;
        if register.locked || !register.is_zero() {
            return Err(StartError::ConfigurationPcrTouched);
        }
        let boot_ms = nsm.time_ms().await?;
        clock.set(boot_ms);
        if let Err(error) = nsm.seed_kernel().await {
            events.warn("kernel_pool_not_seeded", &[("cause", &error)]);
        }
        let identity = Identity::generate(&nsm).await?;
        events.info("started", &[("boot_id", &identity.boot_id()), ("version", &env!("CARGO_PKG_VERSION"))]);
        Ok(Self {
            nsm,
            clock,
            events,
            audit: Audit::new(identity.boot_id()),
            witnessed: Mutex::default(),
            identity,
            authenticator: Authenticator::new(boot_ms),
            guards: Guards::new(boot_ms),
            kms,
            trust,
            state: RwLock::new(State::Booting),
            transition: tokio::sync::Mutex::new(()),
            problem: Mutex::new(None),
            candidate: Mutex::new(None),
            kms_policy_digest: Mutex::new(None),
            known_keyrings: Mutex::new(BTreeMap::new()),
            creating: Semaphore::new(1),
            refused: Mutex::new(HashSet::new()),
            signatures: AtomicU64::new(0),
            started: Instant::now(),
            fatal: Notify::new(),
        })
    }

    /// Who this boot is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The log.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The audit chain.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// What this boot remembers of requests.
    pub fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// What this boot remembers of what it signed.
    pub fn guards(&self) -> &Guards {
        &self.guards
    }

    /// The NSM.
    pub fn nsm(&self) -> &Nsm {
        &self.nsm
    }

    /// The KMS client.
    pub fn kms(&self) -> &Kms {
        &self.kms
    }

    /// The place of the one keyring creation at a time.
    pub fn creating(&self) -> &Semaphore {
        &self.creating
    }

    /// Counts a signature.
    pub fn count_signature(&self) {
        self.signatures.fetch_add(1, Ordering::Relaxed);
    }

    /// The present state.
    pub fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the enclave can no longer be trusted to go on, and must be rebooted.
    pub async fn failed(&self) {
        self.fatal.notified().await;
    }

    /// What the host may know.
    pub fn status(&self) -> Status {
        let state = self.state();
        let configured = state.configured();
        Status {
            boot_id: self.identity.boot_id().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            phase: state.phase(),
            uptime_s: self.started.elapsed().as_secs(),
            time_ms: self.clock.now_ms().ok(),
            authority: configured.map(|it| it.configuration.authority.to_string()),
            configuration_digest: configured.map(|it| it.configuration.digest.to_string()),
            policy_version: configured.map(|it| it.bundle.bundle.version),
            policy_digest: configured.map(|it| it.bundle.digest.to_string()),
            keyrings: configured.map(Configured::keyring_statuses).unwrap_or_default(),
            signatures: self.signatures.load(Ordering::Relaxed),
            audit_head: self.audit.head().sequence,
            audit: self.audit_status(configured),
            problem: self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn set_state(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn set_problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

impl State {
    /// The phase that this is.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Booting => Phase::Booting,
            Self::Configured(_) => Phase::Configured,
            Self::Ready(_) => Phase::Ready,
        }
    }

    /// What is configured, from [`Phase::Configured`] on.
    pub fn configured(&self) -> Option<&Configured> {
        match self {
            Self::Booting => None,
            Self::Configured(configured) => Some(configured),
            Self::Ready(ready) => Some(&ready.configured),
        }
    }
}

impl Configured {
    /// Makes a bundle ready to decide.
    fn new(
        configuration: Arc<SignedConfiguration>,
        bundle: SignedBundle,
        keyrings: BTreeMap<Name, Arc<Keyring>>,
    ) -> Result<Self, CryptoError> {
        let first = bundle.bundle.keyrings.first().and_then(|keyring| keyrings.get(&keyring.id));
        Ok(Self {
            policy: Policy::new(&bundle.bundle),
            directory: Directory::new(&bundle.bundle),
            limits: LimitIds::of(&bundle.bundle),
            sessions: first.map(|keyring| SessionKeys::new(keyring)).transpose()?,
            configuration,
            bundle,
            keyrings,
        })
    }

    /// Under what requests are judged.
    pub fn realm(&self) -> Realm<'_> {
        Realm {
            authority: self.configuration.authority,
            directory: &self.directory,
            sessions: self.sessions.as_ref(),
        }
    }

    /// Ready, if the bundle has keyrings and all of them are open.
    fn into_state(self) -> State {
        let wanted = &self.bundle.bundle.keyrings;
        let complete =
            !wanted.is_empty() && wanted.iter().all(|keyring| self.keyrings.contains_key(&keyring.id));
        if complete {
            State::Ready(Arc::new(Ready { configured: self, recent: RecentDocument::default() }))
        } else {
            State::Configured(Arc::new(self))
        }
    }

    fn keyring_statuses(&self) -> Vec<KeyringStatus> {
        self.bundle
            .bundle
            .keyrings
            .iter()
            .map(|keyring| KeyringStatus {
                id: keyring.id.to_string(),
                open: self.keyrings.contains_key(&keyring.id),
            })
            .collect()
    }
}
