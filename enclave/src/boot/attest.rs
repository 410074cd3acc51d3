//! The attestation statement, and documents that vouch for it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use signer_rules::{
    bundle,
    statement::{FORMAT, Statement, digest},
};
use tokio::sync::Mutex;

use super::{Configured, Enclave, Ready};
use crate::{
    attestation::{DocumentRequest, NsmError},
    auth::SessionKeys,
};

/// How old a document may be that answers a request without a nonce.
const RECENT: Duration = Duration::from_secs(10);
/// The nonces that are taken, in bytes.
const NONCE_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// A document and the statement that it vouches for.
#[derive(Clone, Debug)]
pub struct Attested {
    /// `COSE_Sign1`.
    pub document: Vec<u8>,
    /// The statement's exact bytes.
    pub statement: Vec<u8>,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// The nonce is too short or too long.
    #[error("a nonce has 16 to 64 bytes")]
    Nonce,
    /// The NSM failed, or is busy.
    #[error(transparent)]
    Nsm(#[from] NsmError),
    /// The statement could not be written.
    #[error("the statement cannot be written")]
    Statement,
}

/// The last document that was made without a nonce.
#[derive(Default)]
pub(super) struct RecentDocument(Mutex<Option<(Instant, Arc<Attested>)>>);

impl Enclave {
    /// A document for a client: fresh if there is a nonce, else at most ten seconds old.
    pub async fn attest(&self, ready: &Ready, nonce: Option<Vec<u8>>) -> Result<Arc<Attested>, AttestError> {
        if nonce.as_ref().is_some_and(|nonce| !NONCE_BYTES.contains(&nonce.len())) {
            return Err(AttestError::Nonce);
        }
        if nonce.is_some() {
            return self.make_document(&ready.configured, None, nonce).await.map(Arc::new);
        }
        // Held over the call, so that many who ask at once share one document.
        let mut recent = ready.recent.0.lock().await;
        if let Some((made, attested)) = recent.as_ref()
            && made.elapsed() < RECENT
        {
            return Ok(attested.clone());
        }
        let attested = Arc::new(self.make_document(&ready.configured, None, None).await?);
        *recent = Some((Instant::now(), attested.clone()));
        Ok(attested)
    }

    /// A document for the admins who asked for a keyring: it names the new fingerprint and carries
    /// the request's nonce.
    pub async fn attest_created_keyring(
        &self,
        configured: &Configured,
        created: bundle::Keyring,
        nonce: Vec<u8>,
    ) -> Result<Attested, AttestError> {
        self.make_document(configured, Some(created), Some(nonce)).await
    }

    async fn make_document(
        &self,
        configured: &Configured,
        created_keyring: Option<bundle::Keyring>,
        nonce: Option<Vec<u8>>,
    ) -> Result<Attested, AttestError> {
        let head = self.audit.head();
        let statement = Statement {
            format: FORMAT.to_owned(),
            boot_id: self.identity.boot_id(),
            authority: configured.configuration.authority,
            configuration_digest: configured.configuration.digest,
            policy_version: configured.bundle.bundle.version,
            policy_digest: configured.bundle.digest,
            identity_key: self.identity.public_key(),
            session_key: configured.sessions.as_ref().map(SessionKeys::public_key),
            keyrings: configured
                .keyrings
                .values()
                .map(|keyring| bundle::Keyring {
                    id: keyring.id().clone(),
                    fingerprint: keyring.fingerprint(),
                })
                .collect(),
            created_keyring,
            kms_trust: self.trust.kind(),
            kms_policy_digest: self.kms_policy_digest(),
            audit_sequence: head.sequence,
            audit_head: head.digest,
        };
        let statement = serde_json::to_vec(&statement).map_err(|_| AttestError::Statement)?;
        let request =
            DocumentRequest { user_data: Some(digest(&statement).to_vec()), nonce, public_key: None };
        let document = self.nsm.attest_for_client(request).await?;
        Ok(Attested { document, statement })
    }
}
