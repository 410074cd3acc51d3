//! The key to which KMS encrypts its answers: made for one opening of a keyring, attested, gone.

use aws_lc_rs::{
    cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey},
    digest::{SHA256, digest},
    encoding::{AsDer, PublicKeyX509Der},
    error::Unspecified,
    iv::FixedLength,
    rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey},
};
use aws_sdk_kms::{
    primitives::Blob,
    types::{KeyEncryptionMechanism, RecipientInfo},
};
use tokio::task::spawn_blocking;
use zeroize::{Zeroize, Zeroizing};

use super::envelope::{Envelope, EnvelopeError, KEY_BYTES};
use crate::{
    attestation::{DocumentRequest, Nsm, NsmError},
    secret::Secret,
};

/// An RSA-2048 key whose public half KMS reads in an attestation document.
///
/// The private half lives in aws-lc, which wipes it when this is dropped.
pub struct Recipient {
    key: OaepPrivateDecryptingKey,
    key_digest: [u8; 32],
    document: Vec<u8>,
}

/// Why there is no recipient.
#[derive(Debug, thiserror::Error)]
pub enum RecipientError {
    /// aws-lc could not make the key.
    #[error("the recipient key could not be made")]
    Key,
    /// The NSM did not attest it.
    #[error(transparent)]
    Nsm(#[from] NsmError),
}

impl Recipient {
    /// Makes a key and has the NSM attest it.
    pub async fn generate(nsm: &Nsm) -> Result<Self, RecipientError> {
        // Tens to hundreds of milliseconds of arithmetic.
        let (key, public_key) = spawn_blocking(generate_key)
            .await
            .map_err(|_| RecipientError::Key)?
            .map_err(|_| RecipientError::Key)?;
        let mut key_digest = [0; 32];
        key_digest.copy_from_slice(digest(&SHA256, &public_key).as_ref());
        let request = DocumentRequest { public_key: Some(public_key), ..DocumentRequest::default() };
        let document = nsm.attest(request).await?;
        Ok(Self { key, key_digest, document })
    }

    /// The recipient as requests name it.
    pub(super) fn info(&self) -> RecipientInfo {
        RecipientInfo::builder()
            .key_encryption_algorithm(KeyEncryptionMechanism::RsaesOaepSha256)
            .attestation_document(Blob::new(self.document.clone()))
            .build()
    }

    /// Opens a `CiphertextForRecipient` to the 32 bytes of a data key.
    ///
    /// CBC with PKCS#7 is not authenticated, so every failure to decrypt is the same error: what
    /// went wrong inside must not tell a forger anything.
    pub(super) fn open(&self, envelope: &[u8]) -> Result<Secret<32>, EnvelopeError> {
        let envelope = self.own(envelope)?;
        self.decrypt(&envelope).map_err(|_| EnvelopeError::Undecryptable)
    }

    /// Whether an envelope is for this key, without opening it.
    pub(super) fn recognise(&self, envelope: &[u8]) -> Result<(), EnvelopeError> {
        self.own(envelope).map(drop)
    }

    fn own(&self, envelope: &[u8]) -> Result<Envelope, EnvelopeError> {
        let envelope = Envelope::parse(envelope)?;
        if envelope.key_identifier == self.key_digest { Ok(envelope) } else { Err(EnvelopeError::ForeignKey) }
    }

    fn decrypt(&self, envelope: &Envelope) -> Result<Secret<32>, Unspecified> {
        let mut content_key = Zeroizing::new([0u8; KEY_BYTES]);
        let content_key = self.key.decrypt(
            &OAEP_SHA256_MGF1SHA256,
            &envelope.encrypted_key,
            content_key.as_mut_slice(),
            None,
        )?;
        let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, content_key)?)?;
        let mut content = Zeroizing::new(envelope.content.clone());
        let cbc = DecryptionContext::Iv128(FixedLength::from(envelope.iv));
        let plaintext: &mut [u8] = cipher.decrypt(&mut content, cbc)?;
        Secret::fill(|secret| {
            let data_key = <&[u8; 32]>::try_from(&*plaintext).map_err(|_| Unspecified)?;
            secret.copy_from_slice(data_key);
            plaintext.zeroize();
            Ok(())
        })
    }
}

fn generate_key() -> Result<(OaepPrivateDecryptingKey, Vec<u8>), Unspecified> {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048)?;
    let public_key: PublicKeyX509Der<'_> = key.public_key().as_der()?;
    let public_key = public_key.as_ref().to_vec();
    Ok((OaepPrivateDecryptingKey::new(key)?, public_key))
}
