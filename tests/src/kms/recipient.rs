//! `Recipient`: an enclave's attestation document, judged as KMS judges it.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Deserialize;
use signer_eif::verify::{Document, Root, verify};

use super::envelope::RecipientKey;
use super::error::KmsError;
use super::operations::Base64;
use super::policy::Context;
use super::unsigned;

/// Age at which a document is refused, in milliseconds.
const MAX_AGE_MS: u64 = 5 * 60 * 1_000;

/// The parameter as it comes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RecipientInfo {
    key_encryption_algorithm: Option<String>,
    attestation_document: Option<Base64>,
}

/// Whose documents are believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust {
    pub(super) root: Root,
    /// Those that QEMU makes, too, which nobody signed.
    pub(super) unsigned: bool,
}

/// What a document says.
#[derive(Debug, Default)]
pub(super) struct Attested {
    pub(super) module_id: String,
    pub(super) timestamp_ms: u64,
    pub(super) pcrs: BTreeMap<u8, [u8; 48]>,
    pub(super) public_key: Option<Vec<u8>>,
}

impl From<Document> for Attested {
    fn from(document: Document) -> Self {
        let Document { module_id, timestamp_ms, pcrs, public_key, .. } = document;
        Self { module_id, timestamp_ms, pcrs, public_key }
    }
}

/// A verified enclave with a key to encrypt to.
#[derive(Debug)]
pub(super) struct Recipient {
    pub(super) attested: Attested,
    pub(super) key: RecipientKey,
}

impl Recipient {
    /// Verifies the document at `now_ms`.
    pub(super) fn verify(info: &RecipientInfo, trust: Trust, now_ms: u64) -> Result<Self, KmsError> {
        if info.key_encryption_algorithm.as_deref() != Some("RSAES_OAEP_SHA_256") {
            return Err(KmsError::validation("KeyEncryptionAlgorithm must be RSAES_OAEP_SHA_256."));
        }
        let document =
            info.attestation_document.as_ref().ok_or_else(|| refused("AttestationDocument is missing"))?;
        let attested = match unsigned::read(&document.0).filter(|_| trust.unsigned) {
            Some(attested) if now_ms.abs_diff(attested.timestamp_ms) <= MAX_AGE_MS => attested,
            Some(_) => return Err(refused("the document is too old")),
            None => {
                let document = verify(&document.0, &trust.root).map_err(refused)?;
                document.check_age(now_ms, MAX_AGE_MS).map_err(refused)?;
                document.into()
            }
        };
        let spki = attested.public_key.as_deref().ok_or_else(|| refused("public_key is missing"))?;
        let key = RecipientKey::from_spki(spki)
            .map_err(|_| refused("public_key is not an RSA key of at least 2048 bits"))?;
        Ok(Self { attested, key })
    }

    /// Adds what policies can ask about the enclave.
    pub(super) fn describe(&self, context: &mut Context) {
        for (index, value) in &self.attested.pcrs {
            let value = hex::encode(value);
            if *index == 0 {
                context.add("kms:RecipientAttestation:ImageSha384", value.clone());
            }
            context.add(&format!("kms:RecipientAttestation:PCR{index}"), value);
        }
    }
}

fn refused(reason: impl Display) -> KmsError {
    KmsError::validation(format!("Failed to verify the attestation document: {reason}"))
}
