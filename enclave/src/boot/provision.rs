//! Provisioning: the host hands over what the admins signed and what it keeps for us, and each
//! piece must prove itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use signer_rules::{
    bundle::{BundleError, SignedBundle},
    configuration::{ConfigurationError, SignedConfiguration},
    hex_bytes::HexBytes,
    name::Name,
};
use signer_shared::message::RefusalCode;
use tokio::time::timeout;

use super::{Configured, Enclave, KeyPolicyError, State, open_keyrings::Opening};
use crate::{
    api::objects::{Objects, ObjectsError},
    attestation::{CONFIGURATION_PCR, NsmError},
    audit::{Entry, NotStored},
    authority::{Succession, SuccessionError, succession},
    clock::ClockStale,
    secret::CryptoError,
    wallet::{Keyring, KeyringError},
};

/// For opening all keyrings of a bundle. Every other change of state waits for it.
const OPENING_LIMIT: Duration = Duration::from_secs(50);
/// How long a pushed bundle waits for another change of state to end.
const TURN_LIMIT: Duration = Duration::from_secs(5);
/// Refused bundles that are recorded in one boot.
pub(super) const MAX_REFUSED: usize = 256;

/// What became of a provisioning or of a new bundle.
#[derive(Debug, PartialEq, Eq)]
pub enum Adoption {
    /// Ask again with these objects.
    NeedObjects(Vec<String>),
    /// In force. Keyrings that the host does not have are named.
    InForce {
        /// Keyrings of the bundle without an object.
        missing: Vec<Name>,
    },
}

/// Why it was refused.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The configuration is not the admins'.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// PCR16 holds another configuration.
    #[error("PCR16 holds another configuration; reboot the enclave to change it")]
    ConfigurationFixed,
    /// The bundle is not the admins', or not well formed.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The bundle may not follow the one in force.
    #[error(transparent)]
    Succession(#[from] SuccessionError),
    /// A keyring did not open.
    #[error("keyring {id}: {cause}")]
    Keyring {
        /// Its name.
        id: Name,
        /// Why.
        cause: KeyringError,
    },
    /// A KMS key is open to others, or could not be asked whether it is.
    #[error(transparent)]
    KeyPolicy(#[from] KeyPolicyError),
    /// A new bundle names a keyring that the host does not have; the old bundle stays in force.
    #[error("the bundle names keyring {0}, which the host does not have")]
    KeyringMissing(Name),
    /// The NSM failed.
    #[error(transparent)]
    Nsm(#[from] NsmError),
    /// There is no time to judge by.
    #[error(transparent)]
    Clock(#[from] ClockStale),
    /// The objects are not of the form asked for.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// A primitive failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// What KMS would be asked could not be recorded.
    #[error(transparent)]
    AuditNotStored(#[from] NotStored),
    /// There is no configuration yet.
    #[error("the enclave has no configuration yet")]
    NotConfigured,
    /// KMS took too long, keyrings together.
    #[error("the keyrings could not be opened in time")]
    Slow,
    /// Another provisioning is under way.
    #[error("another change of state is under way")]
    Busy,
}

impl ProvisionError {
    /// The code for the wire.
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::Configuration(_) => RefusalCode::ConfigurationInvalid,
            Self::ConfigurationFixed => RefusalCode::ConfigurationFixed,
            Self::Succession(
                SuccessionError::Rollback { .. }
                | SuccessionError::Rival { .. }
                | SuccessionError::NotAfter { .. }
                | SuccessionError::KeyringChanged(_),
            ) => RefusalCode::PolicyRollback,
            Self::Bundle(_) | Self::Succession(_) => RefusalCode::PolicyInvalid,
            Self::Slow
            | Self::KeyPolicy(_)
            | Self::Keyring { cause: KeyringError::Share { .. } | KeyringError::Kms(_), .. } => {
                RefusalCode::KmsFailed
            }
            Self::Keyring { .. } | Self::KeyringMissing(_) | Self::Crypto(_) => RefusalCode::KeyringInvalid,
            Self::Nsm(_) | Self::Clock(_) => RefusalCode::NsmFailed,
            Self::Objects(_) => RefusalCode::Malformed,
            Self::NotConfigured => RefusalCode::WrongPhase,
            Self::Busy => RefusalCode::Overloaded,
            Self::AuditNotStored(_) => RefusalCode::AuditNotStored,
        }
    }
}

impl Enclave {
    /// Takes a configuration and a bundle. The first configuration that passes is fixed in PCR16
    /// for the life of the enclave; the same one is taken again from any later connection.
    ///
    /// Must not be cancelled half-way: run it in a task of its own.
    pub async fn provision(
        &self,
        configuration: &[u8],
        bundle: &[u8],
        objects: &Objects,
    ) -> Result<Adoption, ProvisionError> {
        let _turn = self.transition.try_lock().map_err(|_| ProvisionError::Busy)?;
        let configuration = SignedConfiguration::verify(configuration)?;
        match self.state().configured() {
            None => self.configure(configuration, bundle).await?,
            Some(configured) if configured.configuration.digest == configuration.digest => {}
            Some(_) => return Err(ProvisionError::ConfigurationFixed),
        }
        self.adopt(bundle, objects).await
    }

    /// Judges a new bundle while running, and opens the keyrings that it adds, without putting it in
    /// force: that happens when the host provisions it, which it does once it is stored. So a bundle
    /// that loses its place in the store to another is never in force anywhere.
    ///
    /// Must not be cancelled half-way: run it in a task of its own.
    pub async fn try_policy(&self, bundle: &[u8], objects: &Objects) -> Result<Adoption, ProvisionError> {
        // The host provisions by itself after each change: an admin's push waits for it.
        let turn = timeout(TURN_LIMIT, self.transition.lock()).await;
        let _turn = turn.map_err(|_| ProvisionError::Busy)?;
        let state = self.state();
        match self.prepare(&state, bundle, objects).await? {
            Prepared::NeedObjects(names) => Ok(Adoption::NeedObjects(names)),
            Prepared::InForce => Ok(Adoption::InForce { missing: Vec::new() }),
            Prepared::Next { configured, missing } => {
                self.keep_candidate(configured.bundle.digest, configured.keyrings);
                Ok(Adoption::InForce { missing })
            }
        }
    }

    /// `Booting` to `Configured`. The bundle is judged first: a configuration that has no bundle to
    /// go with it must not use up PCR16.
    async fn configure(
        &self,
        configuration: SignedConfiguration,
        bundle: &[u8],
    ) -> Result<(), ProvisionError> {
        let bundle = SignedBundle::verify(bundle, &configuration)?;
        let now = self.clock.now()?;
        match succession(None, &bundle, now) {
            Ok(_) => {}
            // It decides nothing any more, and must not keep an enclave from taking its successor.
            Err(SuccessionError::Expired(at)) => self.events.warn("policy_expired", &[("at", &at)]),
            Err(error) => return Err(error.into()),
        }
        if let Err(error) = self.fix_configuration(&configuration).await {
            // The register may have been extended and not locked: nothing can be built on it.
            self.events.error("configuration_pcr_failed", &[("cause", &error)]);
            self.fatal.notify_one();
            return Err(error.into());
        }
        self.audit.record(
            now,
            &Entry::Boot {
                authority: configuration.authority,
                boot_id: self.identity.boot_id(),
                identity_key: self.identity.public_key(),
                configuration_pcr: hex::encode(configuration.pcr16()),
                policy_version: bundle.bundle.version,
                policy_digest: bundle.digest,
            },
        );
        self.events.info(
            "configured",
            &[("authority", &configuration.authority), ("policy_version", &bundle.bundle.version)],
        );
        let configured = Configured::new(Arc::new(configuration), bundle, BTreeMap::new())?;
        self.guards.in_force(self.clock.now_ms()?, &configured.limits);
        self.set_state(State::Configured(Arc::new(configured)));
        Ok(())
    }

    async fn fix_configuration(&self, configuration: &SignedConfiguration) -> Result<(), NsmError> {
        self.nsm.extend_pcr(CONFIGURATION_PCR, configuration.digest.0.to_vec()).await?;
        self.nsm.lock_pcr(CONFIGURATION_PCR).await?;
        let register = self.nsm.describe_pcr(CONFIGURATION_PCR).await?;
        if register.locked && register.value == configuration.pcr16() {
            Ok(())
        } else {
            Err(NsmError::Unexpected("LockPCR"))
        }
    }

    async fn adopt(&self, bundle: &[u8], objects: &Objects) -> Result<Adoption, ProvisionError> {
        let state = self.state();
        let prepared = self.prepare(&state, bundle, objects).await;
        self.set_problem(prepared.as_ref().err().map(ToString::to_string));
        let (configured, missing) = match prepared? {
            Prepared::NeedObjects(names) => return Ok(Adoption::NeedObjects(names)),
            Prepared::InForce => {
                self.forget_candidate();
                return Ok(Adoption::InForce { missing: Vec::new() });
            }
            Prepared::Next { configured, missing } => (*configured, missing),
        };
        self.remember_keyrings(&configured.bundle);
        if state.configured().is_some_and(|current| current.bundle.digest != configured.bundle.digest) {
            let (version, digest) = (configured.bundle.bundle.version, configured.bundle.digest);
            self.audit.record(self.clock.now()?, &Entry::Policy { version, digest });
            self.events.info("policy_adopted", &[("version", &version), ("digest", &digest)]);
        }
        self.guards.in_force(self.clock.now_ms()?, &configured.limits);
        let next = configured.into_state();
        if next.phase() != state.phase() {
            self.events.info("phase", &[("phase", &next.phase().as_str())]);
        }
        self.set_state(next);
        self.forget_candidate();
        Ok(Adoption::InForce { missing })
    }

    /// Everything that putting a bundle in force needs, and nothing that cannot be undone.
    async fn prepare(
        &self,
        state: &State,
        bundle: &[u8],
        objects: &Objects,
    ) -> Result<Prepared, ProvisionError> {
        let current = state.configured().ok_or(ProvisionError::NotConfigured)?;
        let candidate = SignedBundle::verify(bundle, &current.configuration)?;
        let succession = succession(Some(&current.bundle), &candidate, self.clock.now()?)
            .and_then(|succession| self.check_keyring_names(&candidate).map(|()| succession))
            .inspect_err(|error| self.record_refusal(&candidate, error))?;
        if let (Succession::Same, State::Ready(_)) = (succession, state) {
            return Ok(Prepared::InForce);
        }
        let opening = timeout(OPENING_LIMIT, self.open_keyrings(current, &candidate, objects)).await;
        let (keyrings, missing) = match opening.map_err(|_| ProvisionError::Slow)?? {
            Opening::NeedObjects(names) => return Ok(Prepared::NeedObjects(names)),
            Opening::Done { keyrings, missing } => (keyrings, missing),
        };
        if let (State::Ready(_), Some(missing)) = (state, missing.first()) {
            return Err(ProvisionError::KeyringMissing(missing.clone()));
        }
        let configured = Configured::new(current.configuration.clone(), candidate, keyrings)?;
        Ok(Prepared::Next { configured: Box::new(configured), missing })
    }

    /// Within a boot a keyring's name stays with its key, even if a bundle in between dropped it.
    fn check_keyring_names(&self, candidate: &SignedBundle) -> Result<(), SuccessionError> {
        let known = self.known_keyrings.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = candidate
            .bundle
            .keyrings
            .iter()
            .find(|keyring| known.get(&keyring.id).is_some_and(|known| *known != keyring.fingerprint));
        changed.map_or(Ok(()), |keyring| Err(SuccessionError::KeyringChanged(keyring.id.clone())))
    }

    fn remember_keyrings(&self, bundle: &SignedBundle) {
        let mut known = self.known_keyrings.lock().unwrap_or_else(PoisonError::into_inner);
        for keyring in &bundle.bundle.keyrings {
            known.insert(keyring.id.clone(), keyring.fingerprint);
        }
    }

    pub(super) fn keep_candidate(&self, bundle: HexBytes<32>, keyrings: BTreeMap<Name, Arc<Keyring>>) {
        *self.candidate.lock().unwrap_or_else(PoisonError::into_inner) = Some((bundle, keyrings));
    }

    fn forget_candidate(&self) {
        *self.candidate.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn record_refusal(&self, candidate: &SignedBundle, error: &SuccessionError) {
        // Whoever has an old bundle can send it again and again: one record for each is enough.
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= MAX_REFUSED || !refused.insert(candidate.digest) {
            return;
        }
        drop(refused);
        let reason = error.to_string();
        let (version, digest) = (candidate.bundle.version, candidate.digest);
        self.events.warn("policy_refused", &[("version", &version), ("digest", &digest), ("cause", &reason)]);
        if let Ok(now) = self.clock.now() {
            self.audit.record(now, &Entry::PolicyRefused { version, digest, reason: &reason });
        }
    }
}

/// What a bundle would come to.
enum Prepared {
    NeedObjects(Vec<String>),
    /// It is in force.
    InForce,
    Next {
        configured: Box<Configured>,
        missing: Vec<Name>,
    },
}
