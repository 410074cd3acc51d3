//! Opening the keyrings of a bundle: from sealed objects, through KMS, with a record of what KMS gave.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use signer_rules::{
    bundle::{self, SignedBundle},
    configuration::SignedConfiguration,
    name::Name,
    timestamp::Timestamp,
};

use super::{Configured, Enclave, Need, ProvisionError, Usable};
use crate::{
    api::objects::{Objects, Stored},
    audit::{Audit, Entry, KeyPolicies, KmsRequest},
    wallet::keyring,
};

/// What came of it.
pub(super) enum Opening {
    NeedObjects(Vec<String>),
    Done { keyrings: BTreeMap<Name, Arc<keyring::Keyring>>, missing: Vec<Name> },
}

impl Enclave {
    /// Opens the keyrings that a bundle names and that are not open yet.
    pub(super) async fn open_keyrings(
        &self,
        current: &Configured,
        candidate: &SignedBundle,
        objects: &Objects,
    ) -> Result<Opening, ProvisionError> {
        let mut keyrings = BTreeMap::new();
        let mut to_open = Vec::new();
        let tried = self.candidate.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let tried = tried.filter(|(digest, _)| *digest == candidate.digest).map(|(_, keyrings)| keyrings);
        for wanted in &candidate.bundle.keyrings {
            let open = current.keyrings.get(&wanted.id);
            match open.or_else(|| tried.as_ref()?.get(&wanted.id)) {
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
        let present = |wanted: &&bundle::Keyring| {
            matches!(objects.get(&keyring::object_name(&wanted.id)), Stored::Present(_))
        };
        let missing =
            to_open.iter().filter(|wanted| !present(wanted)).map(|wanted| wanted.id.clone()).collect();
        if !to_open.iter().any(present) {
            return Ok(Opening::Done { keyrings, missing });
        }
        // Whoever asks KMS leaves a record: none can be left behind, nor made without end.
        self.may_record(current)?;
        let usable = self.check_key_policies(&current.configuration, Need::OneOfEachShare).await?;
        for wanted in to_open {
            let Stored::Present(object) = objects.get(&keyring::object_name(&wanted.id)) else { continue };
            let opened = self.open_keyring(&current.configuration, &usable, (wanted, object)).await?;
            keyrings.insert(wanted.id.clone(), Arc::new(opened));
            // Kept for the next attempt, should the next keyring fail.
            self.keep_candidate(candidate.digest, keyrings.clone());
        }
        Ok(Opening::Done { keyrings, missing })
    }

    /// Opens one, and records what KMS gave for it, whether it opened or not.
    async fn open_keyring(
        &self,
        configuration: &SignedConfiguration,
        usable: &Usable,
        (wanted, object): (&bundle::Keyring, &[u8]),
    ) -> Result<keyring::Keyring, ProvisionError> {
        let mut opening = Attempt {
            audit: &self.audit,
            time: self.clock.now()?,
            wanted,
            granted: Vec::new(),
            kms_policy: usable.found,
            problem: Some("it took too long".to_owned()),
        };
        let place = (wanted, object);
        let opened = keyring::open(&self.kms, configuration, &usable.keys, place, &mut opening.granted).await;
        opening.problem = opened.as_ref().err().map(ToString::to_string);
        drop(opening);
        match opened {
            Ok(opened) => {
                self.events.info("keyring_opened", &[("keyring", &wanted.id)]);
                Ok(opened)
            }
            Err(cause) => {
                let text = cause.operator_text();
                self.events.error("keyring_not_opened", &[("keyring", &wanted.id), ("cause", &text)]);
                Err(ProvisionError::Keyring { id: wanted.id.clone(), cause })
            }
        }
    }
}

/// An attempt to open a keyring. What KMS gave for it is recorded when it is over, be it by a deadline: KMS's log has it.
struct Attempt<'a> {
    audit: &'a Audit,
    time: Timestamp,
    wanted: &'a bundle::Keyring,
    granted: Vec<KmsRequest>,
    kms_policy: KeyPolicies,
    /// Why it is not open.
    problem: Option<String>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.granted.is_empty() {
            let entry = Entry::KeyringOpened {
                keyring: &self.wanted.id,
                fingerprint: self.wanted.fingerprint,
                requests: &self.granted,
                kms_policy: self.kms_policy,
                problem: self.problem.as_deref(),
            };
            self.audit.record(self.time, &entry);
        }
    }
}
