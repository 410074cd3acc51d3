//! Judging the KMS keys before a keyring is opened or made under them.
//!
//! A keyring under a key that others can use is no secret. Refusing to open it does not undo that; it
//! tells before more is entrusted to it, and where the admins chose so, nobody can go on regardless.

use std::sync::PoisonError;

use signer_rules::{
    configuration::{KmsKey, PolicyCheck, SignedConfiguration},
    hex_bytes::HexBytes,
};
use tokio::task::JoinSet;

use super::Enclave;
use crate::{
    audit::KeyPolicies,
    kms::{
        ATTEMPTS, KmsError,
        key_policy::{Deviation, DeviationCode, KeyState, Known, Pins, digest},
    },
};

/// Which keys must be readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// One of each share, to open a keyring: losing a Region must not lose the keyring.
    OneOfEachShare,
    /// All of them, to make a keyring.
    EveryKey,
}

/// Why no keyring is opened or made. The text is for callers too, so it has no ARN.
#[derive(Debug, thiserror::Error)]
pub enum KeyPolicyError {
    /// A key is not as it should be, or does not say whether it is.
    #[error("kms_policy_refused: {place}: {}, {}; {others} more, see the events", code.as_str(), code.meaning())]
    Refused {
        /// The first key and statement, counted as the configuration and the policy have them.
        place: String,
        /// What the first deviation is.
        code: DeviationCode,
        /// How many more there are.
        others: usize,
    },
    /// A key that is needed did not answer.
    #[error("share {} cannot be opened: {cause}", share.saturating_add(1))]
    Unreachable {
        /// Counted from zero.
        share: usize,
        /// What happened.
        cause: Box<KmsError>,
    },
}

/// What keyrings may be opened or made with.
pub struct Usable {
    /// ARNs of KMS keys.
    pub keys: Vec<String>,
    /// What was found.
    pub found: KeyPolicies,
}

/// A key of the configuration, and what became of asking about it.
struct Asked {
    share: usize,
    position: usize,
    key: KmsKey,
    state: Result<KeyState, KmsError>,
}

impl Enclave {
    /// Digest of what KMS last said about its keys.
    pub fn kms_policy_digest(&self) -> Option<HexBytes<32>> {
        *self.kms_policy_digest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what KMS says about the configuration's keys, reports every deviation, and returns the
    /// keys that keyrings may be opened or made with.
    pub async fn check_key_policies(
        &self,
        configuration: &SignedConfiguration,
        need: Need,
    ) -> Result<Usable, KeyPolicyError> {
        let asked = self.ask_about_keys(configuration, need).await;
        let known: Vec<Known> = asked
            .iter()
            .map(|one| Known { key: one.key.arn.clone(), state: one.state.as_ref().ok().cloned() })
            .collect();
        let digest = digest(&known).ok();
        *self.kms_policy_digest.lock().unwrap_or_else(PoisonError::into_inner) = digest;

        let pins = Pins { pcr16: HexBytes(configuration.pcr16()) };
        let deviations: Vec<(&Asked, Deviation)> =
            asked.iter().flat_map(|one| one.deviations(&pins).into_iter().map(move |it| (one, it))).collect();
        for (one, deviation) in &deviations {
            self.report_deviation(one, deviation);
        }
        let found = KeyPolicies { digest, deviations: deviations.len() };
        if configuration.configuration.kms.policy_check == PolicyCheck::Report {
            return Ok(Usable { keys: asked.into_iter().map(|one| one.key.arn).collect(), found });
        }
        if let Some((one, deviation)) = deviations.first() {
            let error = KeyPolicyError::Refused {
                place: one.place(deviation),
                code: deviation.code,
                others: deviations.len().saturating_sub(1),
            };
            self.events.error("kms_policy_refused", &[("cause", &error)]);
            return Err(error);
        }
        Ok(Usable { keys: self.readable(asked, need)?, found })
    }

    /// All at once: a Region that does not answer delays no other.
    async fn ask_about_keys(&self, configuration: &SignedConfiguration, need: Need) -> Vec<Asked> {
        let mut asking = JoinSet::new();
        for (share, keys) in configuration.configuration.kms.shares.iter().enumerate() {
            let alone = need == Need::EveryKey || keys.keys.len() == 1;
            let attempts = if alone { ATTEMPTS } else { 1 };
            for (position, key) in keys.keys.iter().cloned().enumerate() {
                let kms = self.kms.clone();
                asking.spawn(async move {
                    let state = kms.key_state(&key, attempts).await;
                    Asked { share, position, key, state }
                });
            }
        }
        let mut asked = asking.join_all().await;
        asked.sort_by_key(|one| (one.share, one.position));
        asked
    }

    fn report_deviation(&self, one: &Asked, deviation: &Deviation) {
        let (place, arn) = (one.place(deviation), &one.key.arn);
        let (code, meaning) = (deviation.code.as_str(), deviation.code.meaning());
        let cause = one.state.as_ref().err().map(KmsError::operator_text).unwrap_or_default();
        self.events.warn(
            "kms_policy_deviation",
            &[
                ("deviation", &code),
                ("key", arn),
                ("place", &place),
                ("meaning", &meaning),
                ("cause", &cause),
            ],
        );
    }

    /// The keys that were read, none of which deviates, if they are enough.
    fn readable(&self, asked: Vec<Asked>, need: Need) -> Result<Vec<String>, KeyPolicyError> {
        let read: Vec<usize> = asked.iter().filter(|one| one.state.is_ok()).map(|one| one.share).collect();
        let mut usable = Vec::new();
        for Asked { share, key, state, .. } in asked {
            let Err(cause) = state else {
                usable.push(key.arn);
                continue;
            };
            let text = cause.operator_text();
            self.events.warn("kms_policy_not_read", &[("key", &key.arn), ("cause", &text)]);
            if need == Need::EveryKey || !read.contains(&share) {
                return Err(KeyPolicyError::Unreachable { share, cause: Box::new(cause) });
            }
        }
        Ok(usable)
    }
}

impl Asked {
    fn deviations(&self, pins: &Pins) -> Vec<Deviation> {
        match &self.state {
            Ok(state) => state.judge(pins),
            // The network's doing, not KMS's word.
            Err(KmsError::Unreachable { .. }) => Vec::new(),
            Err(_) => vec![Deviation { code: DeviationCode::StateUnreadable, statement: None }],
        }
    }

    fn place(&self, deviation: &Deviation) -> String {
        // As everything else counts that names them.
        let (share, key) = (self.share.saturating_add(1), self.position.saturating_add(1));
        let key = format!("share {share}, key {key}");
        deviation.statement.map_or_else(|| key.clone(), |number| format!("{key}, statement {number}"))
    }
}
