//! `CiphertextBlob`: the key's name in the clear, the rest bound to the key and to the encryption context.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;

use super::error::KmsError;

/// Non-secret pairs that a ciphertext is bound to.
pub type EncryptionContext = BTreeMap<String, String>;

/// What real blobs start with.
const MAGIC: [u8; 5] = [0x01, 0x02, 0x02, 0x00, 0x78];

/// Encrypts `plaintext` under the key `key_arn`, whose material is `material`.
pub(super) fn seal(
    key_arn: &str,
    material: &[u8; 32],
    context: &EncryptionContext,
    plaintext: &[u8],
) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).expect("the system has randomness");
    let mut sealed = plaintext.to_vec();
    cipher(material)
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated_data(key_arn, context)),
            &mut sealed,
        )
        .expect("KMS plaintexts are short");
    let length = u16::try_from(key_arn.len()).expect("ARNs are short").to_be_bytes();
    [&MAGIC[..], &length, key_arn.as_bytes(), &nonce, &sealed].concat()
}

/// A blob taken apart, nothing of it verified but its form.
#[derive(Debug)]
pub(super) struct Blob<'a> {
    /// The key that it says it was made under.
    pub(super) key_arn: &'a str,
    nonce: [u8; NONCE_LEN],
    sealed: &'a [u8],
}

impl<'a> Blob<'a> {
    pub(super) fn parse(blob: &'a [u8]) -> Result<Self, KmsError> {
        let parse = || {
            let rest = blob.strip_prefix(&MAGIC)?;
            let (length, rest) = rest.split_first_chunk()?;
            let (key_arn, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
            let (nonce, sealed) = rest.split_first_chunk()?;
            Some(Self { key_arn: std::str::from_utf8(key_arn).ok()?, nonce: *nonce, sealed })
        };
        parse().ok_or_else(KmsError::invalid_ciphertext)
    }

    /// Decrypts with the material of the key that the blob names.
    pub(super) fn open(&self, material: &[u8; 32], context: &EncryptionContext) -> Result<Vec<u8>, KmsError> {
        let mut opened = self.sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let length = cipher(material)
            .open_in_place(nonce, Aad::from(associated_data(self.key_arn, context)), &mut opened)
            .map_err(|_| KmsError::invalid_ciphertext())?
            .len();
        opened.truncate(length);
        Ok(opened)
    }
}

fn cipher(material: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, material).expect("32 bytes are an AES-256 key"))
}

/// Key and context, each with its length, so that no two contexts read the same.
fn associated_data(key_arn: &str, context: &EncryptionContext) -> Vec<u8> {
    let pairs = context.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    std::iter::once(key_arn)
        .chain(pairs)
        .flat_map(|text| [&(text.len() as u64).to_be_bytes(), text.as_bytes()].concat())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_blob_opens_only_with_its_key_and_context() {
        let (material, made_with) = ([1; 32], context(&[("a", "b"), ("c", "d")]));
        let sealed = seal(ARN, &material, &made_with, b"data key");
        let blob = Blob::parse(&sealed).expect("our own blob");
        assert_eq!(blob.key_arn, ARN);
        assert_eq!(blob.open(&material, &made_with).expect("the right key"), b"data key");
        assert!(blob.open(&[2; 32], &made_with).is_err());
        for other in [&[][..], &[("a", "b")], &[("a", "b"), ("c", "e")], &[("a", "bc"), ("", "d")]] {
            assert!(blob.open(&material, &context(other)).is_err(), "{other:?}");
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let sealed = seal(ARN, &[1; 32], &context(&[]), b"data key");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            let opened = Blob::parse(&changed).and_then(|blob| blob.open(&[1; 32], &context(&[])));
            assert!(opened.is_err(), "byte {index}");
            assert!(
                Blob::parse(&sealed[..index]).and_then(|blob| blob.open(&[1; 32], &context(&[]))).is_err()
            );
        }
    }
}
