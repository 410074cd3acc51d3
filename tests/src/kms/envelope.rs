//! `CiphertextForRecipient`: CMS `EnvelopedData` (RFC 5652) in BER, byte for byte in the shape that KMS gives it.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use serde::Deserialize;

use super::ber::{
    INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, context, context_constructed, definite,
    indefinite,
};

const ENVELOPED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03];
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const RSAES_OAEP: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07];
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];

/// Smallest RSA modulus that KMS encrypts to, in bits.
const MINIMUM_MODULUS: usize = 2_048;

/// How the encrypted content is written; KMS uses both.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum EnvelopeForm {
    /// `A0 80 04 nn … 00 00`
    Constructed,
    /// `80 nn …`
    Primitive,
    /// One, then the other.
    #[default]
    Alternating,
}

/// Chooses the form of each envelope.
#[derive(Debug)]
pub(super) struct FormChooser(EnvelopeForm, AtomicBool);

impl FormChooser {
    pub(super) fn new(form: EnvelopeForm) -> Self {
        Self(form, AtomicBool::new(false))
    }

    /// Whether the next envelope's content is constructed.
    pub(super) fn next_is_constructed(&self) -> bool {
        match self.0 {
            EnvelopeForm::Constructed => true,
            EnvelopeForm::Primitive => false,
            EnvelopeForm::Alternating => !self.1.fetch_xor(true, Ordering::Relaxed),
        }
    }
}

/// The key was not an RSA public key of at least 2,048 bits.
#[derive(Debug)]
pub(super) struct UnusableKey;

/// An enclave's RSA key, ready to encrypt to.
#[derive(Debug)]
pub(super) struct RecipientKey {
    key: PublicEncryptingKey,
    identifier: Vec<u8>,
}

impl RecipientKey {
    /// Reads a `SubjectPublicKeyInfo` in DER.
    pub(super) fn from_spki(spki: &[u8]) -> Result<Self, UnusableKey> {
        let key = PublicEncryptingKey::from_der(spki).map_err(|_| UnusableKey)?;
        if key.key_size_bits() < MINIMUM_MODULUS {
            return Err(UnusableKey);
        }
        Ok(Self { key, identifier: digest(&SHA256, spki).as_ref().to_vec() })
    }

    /// Encrypts `plaintext` under a fresh AES key, and that key to the recipient.
    pub(super) fn seal(&self, plaintext: &[u8], constructed: bool) -> Vec<u8> {
        let (content_key, iv, content) = encrypt_content(plaintext);
        self.envelope(&content_key, &iv, &content, constructed)
    }

    /// An envelope that this key opens, and that names another.
    pub(super) fn seal_for_stranger(&self, plaintext: &[u8], constructed: bool) -> Vec<u8> {
        let stranger = Self { key: self.key.clone(), identifier: random_bytes(self.identifier.len()) };
        stranger.seal(plaintext, constructed)
    }

    /// An envelope that opens to a content key, under which the content is noise.
    pub(super) fn seal_garbage(&self, length: usize, constructed: bool) -> Vec<u8> {
        let content = random_bytes((length / 16 + 1) * 16);
        self.envelope(&random_bytes(32), &random_bytes(16), &content, constructed)
    }

    fn envelope(&self, content_key: &[u8], iv: &[u8], content: &[u8], constructed: bool) -> Vec<u8> {
        let oaep = OaepPublicEncryptingKey::new(self.key.clone()).expect("the key was checked when read");
        let mut encrypted_key = vec![0; oaep.ciphertext_size()];
        let encrypted_key = oaep
            .encrypt(&OAEP_SHA256_MGF1SHA256, content_key, &mut encrypted_key, None)
            .expect("32 bytes fit into any modulus that was accepted");
        encode(&Parts { key_identifier: &self.identifier, encrypted_key, iv, content }, constructed)
    }
}

fn encrypt_content(plaintext: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let content_key = random_bytes(32);
    let key = UnboundCipherKey::new(&AES_256, &content_key).expect("32 bytes are an AES-256 key");
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).expect("AES has a CBC mode");
    let mut content = plaintext.to_vec();
    let used = key.encrypt(&mut content).expect("padding makes any length valid");
    let DecryptionContext::Iv128(iv) = &used else { unreachable!("CBC uses an IV of one block") };
    (content_key, iv.as_ref().to_vec(), content)
}

fn random_bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rand::fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// What differs between envelopes.
pub(crate) struct Parts<'a> {
    /// SHA-256 of the recipient's public key in DER.
    pub(crate) key_identifier: &'a [u8],
    /// The content key, encrypted to the recipient.
    pub(crate) encrypted_key: &'a [u8],
    /// The initialisation vector.
    pub(crate) iv: &'a [u8],
    /// The encrypted content.
    pub(crate) content: &'a [u8],
}

/// Writes an envelope.
pub(crate) fn encode(parts: &Parts<'_>, constructed: bool) -> Vec<u8> {
    let version = definite(INTEGER, &[&[2]]);
    let recipient = definite(
        SEQUENCE,
        &[
            &version,
            &definite(context(0), &[parts.key_identifier]),
            &rsaes_oaep_sha256(),
            &definite(OCTET_STRING, &[parts.encrypted_key]),
        ],
    );
    let cipher = definite(SEQUENCE, &[&oid(AES_256_CBC), &definite(OCTET_STRING, &[parts.iv])]);
    let content = if constructed {
        indefinite(context_constructed(0), &[&definite(OCTET_STRING, &[parts.content])])
    } else {
        definite(context(0), &[parts.content])
    };
    let content_info = indefinite(SEQUENCE, &[&oid(DATA), &cipher, &content]);
    let enveloped = indefinite(SEQUENCE, &[&version, &definite(SET, &[&recipient]), &content_info]);
    indefinite(SEQUENCE, &[&oid(ENVELOPED_DATA), &indefinite(context_constructed(0), &[&enveloped])])
}

fn rsaes_oaep_sha256() -> Vec<u8> {
    let sha256 = definite(SEQUENCE, &[&oid(SHA_256), &NULL]);
    let mgf1 = definite(SEQUENCE, &[&oid(MGF1), &sha256]);
    let hash = definite(context_constructed(0), &[&sha256]);
    let mask = definite(context_constructed(1), &[&mgf1]);
    definite(SEQUENCE, &[&oid(RSAES_OAEP), &definite(SEQUENCE, &[&hash, &mask])])
}

fn oid(value: &[u8]) -> Vec<u8> {
    definite(OBJECT_IDENTIFIER, &[value])
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::path::PathBuf;

    use aws_lc_rs::cipher::PaddedBlockDecryptingKey;
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};

    use super::*;

    // Where the variable parts lie in an envelope to a 2,048-bit key.
    const KEY_IDENTIFIER: std::ops::Range<usize> = 33..65;
    const ENCRYPTED_KEY: std::ops::Range<usize> = 131..387;
    const IV: std::ops::Range<usize> = 415..431;

    /// Opens an envelope to a 2,048-bit key by the places of its parts.
    pub(in crate::kms) fn open(private: &PrivateDecryptingKey, envelope: &[u8]) -> Option<Vec<u8>> {
        let oaep = OaepPrivateDecryptingKey::new(private.clone()).ok()?;
        let mut content_key = vec![0; oaep.min_output_size()];
        let encrypted_key = envelope.get(ENCRYPTED_KEY)?;
        let content_key =
            oaep.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted_key, &mut content_key, None).ok()?;
        let key = UnboundCipherKey::new(&AES_256, content_key).ok()?;
        let iv: [u8; 16] = envelope.get(IV)?.try_into().ok()?;
        let (start, closing) = if envelope[IV.end] == 0xa0 { (IV.end + 4, 10) } else { (IV.end + 2, 8) };
        let mut content = envelope[start..envelope.len() - closing].to_vec();
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
        Some(key.decrypt(&mut content, DecryptionContext::Iv128(iv.into())).ok()?.to_vec())
    }

    fn real_sample(name: &str) -> Option<Vec<u8>> {
        let directory = std::env::var_os("NITRO_SIGNER_VECTORS").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
            PathBuf::from,
        );
        let sample = fs::read(directory.join("kms").join(name)).ok();
        if sample.is_none() {
            assert!(std::env::var_os("NITRO_SIGNER_VECTORS").is_none(), "{name} is not there");
            println!("skipped: no {name}; set NITRO_SIGNER_VECTORS to the folder of real samples");
        }
        sample
    }

    fn rewritten(sample: &[u8], content: std::ops::Range<usize>, constructed: bool) -> Vec<u8> {
        let parts = Parts {
            key_identifier: &sample[KEY_IDENTIFIER],
            encrypted_key: &sample[ENCRYPTED_KEY],
            iv: &sample[IV],
            content: &sample[content],
        };
        encode(&parts, constructed)
    }

    #[test]
    fn the_constructed_form_is_that_of_a_real_envelope() {
        let Some(sample) = real_sample("ciphertext-for-recipient-form-a.ber") else { return };
        assert_eq!(hex::encode(rewritten(&sample, 435..483, true)), hex::encode(&sample));
    }

    #[test]
    fn the_primitive_form_is_that_of_a_real_envelope() {
        let Some(sample) = real_sample("ciphertext-for-recipient-form-b.ber") else { return };
        assert_eq!(hex::encode(rewritten(&sample, 433..449, false)), hex::encode(&sample));
    }

    #[test]
    fn the_recipient_opens_what_was_sealed() {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("an RSA key");
        let spki = private.public_key().as_der().expect("an SPKI");
        let recipient = RecipientKey::from_spki(spki.as_ref()).expect("2,048 bits are enough");
        for (plaintext, constructed) in [(&[7_u8; 32][..], true), (&[8; 32], false), (&[9; 5], false)] {
            let envelope = recipient.seal(plaintext, constructed);
            assert_eq!(&envelope[KEY_IDENTIFIER], digest(&SHA256, spki.as_ref()).as_ref());
            let opened = open(&private, &envelope).expect("sealed to our key");
            assert_eq!(opened, plaintext);
        }
    }

    #[test]
    fn only_rsa_keys_are_recipients() {
        let elliptic = crate::pki::p384_key();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&elliptic);
        assert!(RecipientKey::from_spki(&spki).is_err());
        assert!(RecipientKey::from_spki(b"").is_err());
    }

    #[test]
    fn the_forms_alternate_unless_one_is_chosen() {
        let four = |form| -> Vec<bool> {
            let chooser = FormChooser::new(form);
            (0..4).map(|_| chooser.next_is_constructed()).collect()
        };
        assert_eq!(four(EnvelopeForm::Alternating), [true, false, true, false]);
        assert_eq!(four(EnvelopeForm::Constructed), [true; 4]);
        assert_eq!(four(EnvelopeForm::Primitive), [false; 4]);
    }
}
