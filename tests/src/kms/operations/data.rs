//! Operations on data: those that take a `Recipient`, and those that cannot.

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Base64, Call, answer, base64};
use crate::kms::blob::{self, Blob, EncryptionContext};
use crate::kms::envelope::RecipientKey;
use crate::kms::error::KmsError;
use crate::kms::fault::Fault;
use crate::kms::recipient::{Recipient, RecipientInfo};
use crate::kms::store::Store;

const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";
/// Longest plaintext of `Encrypt`.
const PLAINTEXT_LIMIT: usize = 4_096;
/// Longest ciphertext of `Decrypt` and `ReEncrypt`.
const CIPHERTEXT_LIMIT: usize = 6_144;
/// Longest data key, and longest answer of `GenerateRandom`.
const RANDOM_LIMIT: usize = 1_024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Decrypt {
    ciphertext_blob: Base64,
    key_id: Option<String>,
    #[serde(default)]
    encryption_context: EncryptionContext,
    encryption_algorithm: Option<String>,
    recipient: Option<RecipientInfo>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GenerateDataKey {
    key_id: String,
    key_spec: Option<String>,
    number_of_bytes: Option<usize>,
    #[serde(default)]
    encryption_context: EncryptionContext,
    recipient: Option<RecipientInfo>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GenerateRandom {
    number_of_bytes: Option<usize>,
    recipient: Option<RecipientInfo>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Encrypt {
    key_id: String,
    plaintext: Base64,
    #[serde(default)]
    encryption_context: EncryptionContext,
    encryption_algorithm: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReEncrypt {
    ciphertext_blob: Base64,
    source_key_id: Option<String>,
    #[serde(default)]
    source_encryption_context: EncryptionContext,
    destination_key_id: String,
    #[serde(default)]
    destination_encryption_context: EncryptionContext,
}

impl Call<'_> {
    pub(super) fn decrypt(&mut self, request: &Decrypt) -> Result<Answer, KmsError> {
        symmetric(request.encryption_algorithm.as_deref())?;
        self.entry.parameter("encryptionAlgorithm", SYMMETRIC);
        self.log_context(&request.encryption_context);
        let recipient = self.recipient(request.recipient.as_ref())?;
        let store = self.service.store.lock().expect("no holder panics");
        let (arn, plaintext) = self.open(
            &store,
            &request.ciphertext_blob,
            request.key_id.as_deref(),
            "kms:Decrypt",
            &request.encryption_context,
            recipient.as_ref(),
        )?;
        let mut answer = answer([("KeyId", arn.into()), ("EncryptionAlgorithm", SYMMETRIC.into())]);
        self.release(&mut answer, &plaintext, recipient.as_ref());
        Ok(answer)
    }

    pub(super) fn generate_data_key(&mut self, request: &GenerateDataKey) -> Result<Answer, KmsError> {
        let length = match (request.key_spec.as_deref(), request.number_of_bytes) {
            (Some("AES_256"), None) => 32,
            (Some("AES_128"), None) => 16,
            (None, Some(length @ 1..=RANDOM_LIMIT)) => length,
            _ => return Err(KmsError::validation("Give either KeySpec or NumberOfBytes (1 to 1024).")),
        };
        self.entry.parameter("numberOfBytes", length);
        self.log_context(&request.encryption_context);
        let recipient = self.recipient(request.recipient.as_ref())?;
        let store = self.service.store.lock().expect("no holder panics");
        let key = self.key(&store, &request.key_id)?;
        self.authorize(key, "kms:GenerateDataKey", &request.encryption_context, recipient.as_ref())?;
        let plaintext = random_bytes(length);
        let sealed =
            blob::seal(&key.stored.arn, &key.stored.material, &request.encryption_context, &plaintext);
        let mut answer =
            answer([("KeyId", key.stored.arn.clone().into()), ("CiphertextBlob", base64(&sealed))]);
        self.release(&mut answer, &plaintext, recipient.as_ref());
        Ok(answer)
    }

    /// Has no key, hence no key policy: every known principal may.
    pub(super) fn generate_random(&mut self, request: &GenerateRandom) -> Result<Answer, KmsError> {
        let Some(length @ 1..=RANDOM_LIMIT) = request.number_of_bytes else {
            return Err(KmsError::validation("NumberOfBytes must be 1 to 1024."));
        };
        self.entry.parameter("numberOfBytes", length);
        let recipient = self.recipient(request.recipient.as_ref())?;
        let mut answer = Answer::new();
        self.release(&mut answer, &random_bytes(length), recipient.as_ref());
        Ok(answer)
    }

    pub(super) fn encrypt(&mut self, request: &Encrypt) -> Result<Answer, KmsError> {
        symmetric(request.encryption_algorithm.as_deref())?;
        if !(1..=PLAINTEXT_LIMIT).contains(&request.plaintext.0.len()) {
            return Err(KmsError::validation("Plaintext must have 1 to 4096 bytes."));
        }
        self.log_context(&request.encryption_context);
        let store = self.service.store.lock().expect("no holder panics");
        let key = self.key(&store, &request.key_id)?;
        self.authorize(key, "kms:Encrypt", &request.encryption_context, None)?;
        let sealed = blob::seal(
            &key.stored.arn,
            &key.stored.material,
            &request.encryption_context,
            &request.plaintext.0,
        );
        Ok(answer([
            ("KeyId", key.stored.arn.clone().into()),
            ("CiphertextBlob", base64(&sealed)),
            ("EncryptionAlgorithm", SYMMETRIC.into()),
        ]))
    }

    pub(super) fn re_encrypt(&mut self, request: &ReEncrypt) -> Result<Answer, KmsError> {
        let store = self.service.store.lock().expect("no holder panics");
        let (source, plaintext) = self.open(
            &store,
            &request.ciphertext_blob,
            request.source_key_id.as_deref(),
            "kms:ReEncryptFrom",
            &request.source_encryption_context,
            None,
        )?;
        let context = &request.destination_encryption_context;
        let key = self.key(&store, &request.destination_key_id)?;
        self.authorize(key, "kms:ReEncryptTo", context, None)?;
        let sealed = blob::seal(&key.stored.arn, &key.stored.material, context, &plaintext);
        Ok(answer([
            ("SourceKeyId", source.into()),
            ("KeyId", key.stored.arn.clone().into()),
            ("CiphertextBlob", base64(&sealed)),
            ("SourceEncryptionAlgorithm", SYMMETRIC.into()),
            ("DestinationEncryptionAlgorithm", SYMMETRIC.into()),
        ]))
    }

    /// Opens a ciphertext for `action`, if its key is the one asked for and lets the caller. Returns the key's ARN too.
    fn open(
        &mut self,
        store: &Store,
        ciphertext: &Base64,
        key_id: Option<&str>,
        action: &str,
        context: &EncryptionContext,
        recipient: Option<&Recipient>,
    ) -> Result<(String, Vec<u8>), KmsError> {
        if !(1..=CIPHERTEXT_LIMIT).contains(&ciphertext.0.len()) {
            return Err(KmsError::validation("CiphertextBlob must have 1 to 6144 bytes."));
        }
        let blob = Blob::parse(&ciphertext.0)?;
        if let Some(key_id) = key_id
            && self.key(store, key_id)?.stored.arn != blob.key_arn
        {
            let message =
                "The key ID in the request does not identify a CMK that can perform this operation.";
            return Err(KmsError::client("IncorrectKeyException", message));
        }
        let key = store.find(blob.key_arn).ok_or_else(|| {
            let message = "The ciphertext refers to a customer master key that does not exist, does not exist in this \
                           region, or you are not allowed to access.";
            KmsError::client("AccessDeniedException", message)
        })?;
        self.entry.key_arn = Some(key.stored.arn.clone());
        self.authorize(key, action, context, recipient)?;
        let plaintext = blob.open(&key.stored.material, context)?;
        Ok((key.stored.arn.clone(), plaintext))
    }

    /// Puts `plaintext` into the answer: in the clear, or for the recipient alone. And with whatever fault is set.
    fn release(&self, answer: &mut Answer, plaintext: &[u8], recipient: Option<&Recipient>) {
        let Some(recipient) = recipient else {
            answer.insert("Plaintext".to_owned(), base64(plaintext));
            return;
        };
        let has = |fault: &Fault| self.faults.contains(fault);
        let sends_plaintext = has(&Fault::PlaintextBesideEnvelope) || has(&Fault::PlaintextInsteadOfEnvelope);
        let sends_envelope = !has(&Fault::PlaintextInsteadOfEnvelope) && !has(&Fault::OmitEnvelope);
        answer.insert("Plaintext".to_owned(), if sends_plaintext { base64(plaintext) } else { Value::Null });
        if sends_envelope {
            answer.insert("CiphertextForRecipient".to_owned(), base64(&self.envelope(plaintext, recipient)));
        }
    }

    fn envelope(&self, plaintext: &[u8], recipient: &Recipient) -> Vec<u8> {
        let has = |fault: &Fault| self.faults.contains(fault);
        let constructed = self.service.forms.next_is_constructed();
        if has(&Fault::GarbageEnvelope) {
            random_bytes(493)
        } else if has(&Fault::GarbageContent) {
            recipient.key.seal_garbage(plaintext.len(), constructed)
        } else if has(&Fault::EnvelopeForAnotherKey) {
            another_key().seal(plaintext, constructed)
        } else if has(&Fault::ForeignKeyIdentifier) {
            recipient.key.seal_for_stranger(plaintext, constructed)
        } else if has(&Fault::WrongDataKey) {
            recipient.key.seal(&random_bytes(plaintext.len()), constructed)
        } else {
            recipient.key.seal(plaintext, constructed)
        }
    }
}

fn symmetric(algorithm: Option<&str>) -> Result<(), KmsError> {
    match algorithm {
        None | Some(SYMMETRIC) => Ok(()),
        Some(_) => Err(KmsError::client("InvalidKeyUsageException", "The key is symmetric.")),
    }
}

/// A recipient whose private key nobody has.
fn another_key() -> &'static RecipientKey {
    static KEY: OnceLock<RecipientKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("the system has randomness");
        let spki = private.public_key().as_der().expect("the key is exportable");
        RecipientKey::from_spki(spki.as_ref()).expect("the key has 2,048 bits")
    })
}

fn random_bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rand::fill(&mut bytes).expect("the system has randomness");
    bytes
}
