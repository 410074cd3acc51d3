//! Provisioning: the host hands over what the admins signed and what it keeps for us, and each
//! piece must prove itself.

use std::{collections::BTreeMap, sync::Arc};

use signer_rules::{
    bundle::{BundleError, SignedBundle},
    configuration::{ConfigurationError, SignedConfiguration},
    name::Name,
    policy::Policy,
};
use signer_shared::message::RefusalCode;

use super::{Configured, Enclave, State};
use crate::{
    api::objects::{Objects, ObjectsError, Stored},
    attestation::{CONFIGURATION_PCR, NsmError},
    audit::Entry,
    authority::{Succession, SuccessionError, succession},
    clock::ClockStale,
    wallet::{KeyringError, keyring},
};

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
    /// There is no configuration yet.
    #[error("the enclave has no configuration yet")]
    NotConfigured,
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
                | SuccessionError::NotAfter { .. },
            ) => RefusalCode::PolicyRollback,
            Self::Bundle(_) | Self::Succession(_) => RefusalCode::PolicyInvalid,
            Self::Keyring { cause: KeyringError::Share { .. } | KeyringError::Kms(_), .. } => {
                RefusalCode::KmsFailed
            }
            Self::Keyring { .. } | Self::KeyringMissing(_) => RefusalCode::KeyringInvalid,
            Self::Nsm(_) | Self::Clock(_) => RefusalCode::NsmFailed,
            Self::Objects(_) => RefusalCode::Malformed,
            Self::NotConfigured => RefusalCode::WrongPhase,
            Self::Busy => RefusalCode::Overloaded,
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

    /// Takes a new bundle while running.
    ///
    /// Must not be cancelled half-way: run it in a task of its own.
    pub async fn push_policy(&self, bundle: &[u8], objects: &Objects) -> Result<Adoption, ProvisionError> {
        let _turn = self.transition.try_lock().map_err(|_| ProvisionError::Busy)?;
        self.adopt(bundle, objects).await
    }

    /// `Booting` to `Configured`. The bundle is judged first: a configuration that has no bundle to
    /// go with it must not use up PCR16.
    async fn configure(
        &self,
        configuration: SignedConfiguration,
        bundle: &[u8],
    ) -> Result<(), ProvisionError> {
        let bundle = SignedBundle::verify(bundle, &configuration)?;
        succession(None, &bundle, self.clock.now()?)?;
        if let Err(error) = self.fix_configuration(&configuration).await {
            // The register may have been extended and not locked: nothing can be built on it.
            self.events.error("configuration_pcr_failed", &[("cause", &error)]);
            self.fatal.notify_one();
            return Err(error.into());
        }
        self.audit.record(
            self.clock.now()?,
            &Entry::Boot {
                authority: configuration.authority,
                boot_id: self.identity.boot_id(),
                identity_key: self.identity.public_key(),
                configuration_pcr: hex::encode(configuration.pcr16()),
                policy_digest: bundle.digest,
            },
        );
        self.events.info(
            "configured",
            &[("authority", &configuration.authority), ("policy_version", &bundle.bundle.version)],
        );
        let policy = Policy::new(&bundle.bundle);
        let configured =
            Configured { configuration: Arc::new(configuration), bundle, policy, keyrings: BTreeMap::new() };
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
        let current = state.configured().ok_or(ProvisionError::NotConfigured)?;
        let candidate = SignedBundle::verify(bundle, &current.configuration)?;
        let now = self.clock.now()?;
        let succession = succession(Some(&current.bundle), &candidate, now)
            .inspect_err(|error| self.record_refusal(&candidate, error))?;
        let outcome = self.open_keyrings(current, &candidate, objects).await;
        self.set_problem(match &outcome {
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        });
        let (keyrings, missing) = match outcome? {
            Opening::NeedObjects(names) => return Ok(Adoption::NeedObjects(names)),
            Opening::Done { keyrings, missing } => (keyrings, missing),
        };
        if let (State::Ready(_), Some(missing)) = (&state, missing.first()) {
            return Err(ProvisionError::KeyringMissing(missing.clone()));
        }
        if succession == Succession::Successor {
            let (version, digest) = (candidate.bundle.version, candidate.digest);
            self.audit.record(now, &Entry::Policy { version, digest });
            self.events.info("policy_adopted", &[("version", &version), ("digest", &digest)]);
        } else if matches!(state, State::Ready(_)) {
            // The same bundle again changes nothing.
            return Ok(Adoption::InForce { missing });
        }
        let next = Configured {
            configuration: current.configuration.clone(),
            policy: Policy::new(&candidate.bundle),
            bundle: candidate,
            keyrings,
        }
        .into_state();
        self.events.info("phase", &[("phase", &next.phase().as_str())]);
        self.set_state(next);
        Ok(Adoption::InForce { missing })
    }

    /// Opens the keyrings that a bundle names and that are not open yet.
    async fn open_keyrings(
        &self,
        current: &Configured,
        candidate: &SignedBundle,
        objects: &Objects,
    ) -> Result<Opening, ProvisionError> {
        let mut keyrings = BTreeMap::new();
        let mut to_open = Vec::new();
        for wanted in &candidate.bundle.keyrings {
            match current.keyrings.get(&wanted.id) {
                Some(open) if open.fingerprint() == wanted.fingerprint => {
                    keyrings.insert(wanted.id.clone(), open.clone());
                }
                _ => to_open.push(wanted),
            }
        }
        let unknown: Vec<String> = to_open
            .iter()
            .map(|wanted| keyring::object_name(&wanted.id))
            .filter(|name| matches!(objects.get(name), Stored::Unknown))
            .collect();
        if !unknown.is_empty() {
            return Ok(Opening::NeedObjects(unknown));
        }
        let mut missing = Vec::new();
        for wanted in to_open {
            let Stored::Present(object) = objects.get(&keyring::object_name(&wanted.id)) else {
                missing.push(wanted.id.clone());
                continue;
            };
            let opened = keyring::open(&self.kms, &current.configuration, wanted, object).await;
            let opened = opened.map_err(|cause| {
                self.events.error("keyring_not_opened", &[("keyring", &wanted.id), ("cause", &cause)]);
                ProvisionError::Keyring { id: wanted.id.clone(), cause }
            })?;
            self.events.info("keyring_opened", &[("keyring", &wanted.id)]);
            keyrings.insert(wanted.id.clone(), Arc::new(opened));
        }
        Ok(Opening::Done { keyrings, missing })
    }

    fn record_refusal(&self, candidate: &SignedBundle, error: &SuccessionError) {
        let reason = error.to_string();
        let (version, digest) = (candidate.bundle.version, candidate.digest);
        self.events.warn("policy_refused", &[("version", &version), ("digest", &digest), ("cause", &reason)]);
        if let Ok(now) = self.clock.now() {
            self.audit.record(now, &Entry::PolicyRefused { version, digest, reason: &reason });
        }
    }
}

enum Opening {
    NeedObjects(Vec<String>),
    Done { keyrings: BTreeMap<Name, Arc<keyring::Keyring>>, missing: Vec<Name> },
}
