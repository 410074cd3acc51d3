//! Sealed objects: what the host stores for us and cannot read, change, or pass off as another.
//!
//! [`SealedObject`] is their layout. Each object has a key of its own, derived from the keyring and the object's name, and associated
//! data that repeats where it belongs and which public keys it is about.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use signer_rules::{name::Name, sealed_object::SealedObject};

use super::keyring::Keyring;
use crate::secret::{CryptoError, Info, Secret, derive};

/// Why an object is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// Not a sealed object, or of another keyring.
    #[error("not a sealed object of keyring {0}")]
    Foreign(Name),
    /// Changed, moved, renamed, or made under another key.
    #[error("a sealed object does not authenticate under its name")]
    NotAuthentic,
    /// A primitive failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// What an object is bound to.
pub(super) struct Binding<'a> {
    /// Its name in the store.
    pub object: &'a str,
    /// What kind of content it has.
    pub kind: &'static str,
    /// The public keys that it is about.
    pub public_keys: &'a [&'a [u8]],
}

pub(super) fn seal(keyring: &Keyring, binding: &Binding<'_>, content: &[u8]) -> Result<Vec<u8>, SealedError> {
    let mut nonce = [0; NONCE_LEN];
    aws_lc_rs::rand::fill(&mut nonce).map_err(CryptoError::from)?;
    let key = object_key(keyring, binding)?;
    let ciphertext = encrypt(&key, nonce, &associated_data(keyring, binding), content)?;
    let object = SealedObject { keyring: keyring.id().as_str(), nonce, ciphertext: &ciphertext };
    object.write().ok_or(SealedError::Crypto(CryptoError))
}

pub(super) fn open(keyring: &Keyring, binding: &Binding<'_>, object: &[u8]) -> Result<Vec<u8>, SealedError> {
    let sealed = SealedObject::read(object).ok_or(SealedError::NotAuthentic)?;
    if sealed.keyring != keyring.id().as_str() {
        return Err(SealedError::Foreign(keyring.id().clone()));
    }
    let key = object_key(keyring, binding)?;
    decrypt(&key, sealed.nonce, &associated_data(keyring, binding), sealed.ciphertext)
        .map_err(|_| SealedError::NotAuthentic)
}

/// The keyring whose id an object carries. Only says which keyring to try.
pub(super) fn keyring_hint(object: &[u8]) -> Option<&str> {
    SealedObject::read(object).map(|object| object.keyring)
}

/// AES-256-GCM with a nonce that the key has never seen.
pub(crate) fn encrypt(
    key: &Secret<32>,
    nonce: [u8; NONCE_LEN],
    associated_data: &Info,
    content: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.expose())?);
    // With room for the tag: growing would leave a copy of the content behind.
    let mut bytes = Vec::with_capacity(content.len().saturating_add(AES_256_GCM.tag_len()));
    bytes.extend_from_slice(content);
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(associated_data.as_bytes()),
        &mut bytes,
    )?;
    Ok(bytes)
}

/// The inverse of [`encrypt`].
pub(crate) fn decrypt(
    key: &Secret<32>,
    nonce: [u8; NONCE_LEN],
    associated_data: &Info,
    ciphertext: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.expose())?);
    let mut bytes = ciphertext.to_vec();
    let length = key
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated_data.as_bytes()),
            &mut bytes,
        )?
        .len();
    bytes.truncate(length);
    Ok(bytes)
}

fn object_key(keyring: &Keyring, binding: &Binding<'_>) -> Result<Secret<32>, CryptoError> {
    let parts: [&[u8]; 3] =
        [&keyring.authority().0, keyring.id().as_str().as_bytes(), binding.object.as_bytes()];
    derive("nitro-signer/sealed-object/v1", &[keyring.key().expose()], &Info::new("object-key/v1", &parts))
}

fn associated_data(keyring: &Keyring, binding: &Binding<'_>) -> Info {
    let mut parts: Vec<&[u8]> = vec![
        &keyring.authority().0,
        keyring.id().as_str().as_bytes(),
        binding.object.as_bytes(),
        binding.kind.as_bytes(),
    ];
    parts.extend_from_slice(binding.public_keys);
    Info::new("sealed-object/v1", &parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: Binding<'static> =
        Binding { object: "wallet/treasury", kind: "hd", public_keys: &[b"one", b"two"] };

    #[test]
    fn an_object_opens_where_it_belongs_and_nowhere_else() {
        let keyring = Keyring::for_tests(1);
        let object = seal(&keyring, &BINDING, b"content").unwrap();
        assert_eq!(open(&keyring, &BINDING, &object).unwrap(), b"content");
        for other in [
            Binding { object: "wallet/other", ..BINDING },
            Binding { kind: "imported", ..BINDING },
            Binding { public_keys: &[b"one"], ..BINDING },
        ] {
            assert!(matches!(open(&keyring, &other, &object), Err(SealedError::NotAuthentic)));
        }
        assert!(open(&Keyring::for_tests(2), &BINDING, &object).is_err());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let keyring = Keyring::for_tests(1);
        let object = seal(&keyring, &BINDING, b"content").unwrap();
        for at in 0..object.len() {
            let mut changed = object.clone();
            changed[at] ^= 1;
            assert!(open(&keyring, &BINDING, &changed).is_err(), "byte {at}");
            assert!(open(&keyring, &BINDING, &object[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn hints_never_panic() {
        for bytes in [&b""[..], b"NSO1", b"NSO1\xff", b"NSO1\x03ab", b"NSO1\x02\xff\xff"] {
            assert_eq!(keyring_hint(bytes), None);
        }
        let keyring = Keyring::for_tests(1);
        let object = seal(&keyring, &BINDING, b"").unwrap();
        assert_eq!(keyring_hint(&object), Some(keyring.id().as_str()));
    }
}
