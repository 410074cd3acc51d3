//! Secrets are named types that are filled in place, cannot be printed, copied or serialised, and
//! are zeroized when dropped; and the key derivation that makes one from another.

use aws_lc_rs::hkdf;
use zeroize::Zeroize;

/// `N` secret bytes. (`Zeroizing<[u8; N]>` alone would print its content with `{:?}`.) On the heap,
/// so that moving a secret leaves no copy behind.
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Fills a secret in place.
    pub fn fill<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self(Box::new([0; N]));
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// Takes a copy of bytes that their owner wipes.
    pub fn copied_from(bytes: &[u8; N]) -> Self {
        let mut secret = Self(Box::new([0; N]));
        secret.0.copy_from_slice(bytes);
        secret
    }

    /// The bytes, for the primitive that needs them.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The primitive failed, which its preconditions exclude.
#[derive(Debug, thiserror::Error)]
#[error("a cryptographic primitive failed")]
pub struct CryptoError;

impl From<aws_lc_rs::error::Unspecified> for CryptoError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// HKDF-SHA256 (RFC 5869): extracts `secrets` with `salt`, expands with `info`.
pub fn derive<const N: usize>(salt: &str, secrets: &[&[u8]], info: &Info) -> Result<Secret<N>, CryptoError> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut material = secrets.concat();
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt.as_bytes()).extract(&material);
    material.zeroize();
    Secret::fill(|out| {
        extracted.expand(&[&info.0], Length(N))?.fill(out)?;
        Ok(())
    })
}

/// What derived keys and associated data are bound to: a label and parts, each preceded by its
/// length, so that no two lists of parts give the same bytes.
pub struct Info(Vec<u8>);

impl Info {
    /// The bytes for a label and its parts.
    pub fn new(label: &str, parts: &[&[u8]]) -> Self {
        let mut bytes = Vec::with_capacity(128);
        for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
            // Nothing that is bound is longer than a frame, so the length always fits.
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Self(bytes)
    }

    /// Bytes that [`signer_rules`] made in the same way, for what others must compute too.
    pub fn of_parts(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivation_binds_every_input() {
        let base: Secret<32> = derive("salt", &[b"one", b"two"], &Info::new("label", &[b"a"])).unwrap();
        let others: [Secret<32>; 4] = [
            derive("tlas", &[b"one", b"two"], &Info::new("label", &[b"a"])).unwrap(),
            derive("salt", &[b"one"], &Info::new("label", &[b"a"])).unwrap(),
            derive("salt", &[b"one", b"two"], &Info::new("lebal", &[b"a"])).unwrap(),
            derive("salt", &[b"one", b"two"], &Info::new("label", &[b"b"])).unwrap(),
        ];
        assert!(others.iter().all(|other| other.expose() != base.expose()));
    }

    #[test]
    fn parts_cannot_be_shifted() {
        let bytes = |parts: &[&[u8]]| Info::new("label", parts).as_bytes().to_vec();
        assert_ne!(bytes(&[b"ab", b"c"]), bytes(&[b"a", b"bc"]));
        assert_ne!(bytes(&[b"ab"]), bytes(&[b"ab", b""]));
    }

    #[test]
    fn hkdf_matches_rfc_5869() {
        // Test case 1, with its raw info.
        let info = Info(hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap());
        let salt = String::from_utf8((0..=0x0c).collect()).unwrap();
        let derived: Secret<42> = derive(&salt, &[&[0x0b; 22]], &info).unwrap();
        assert_eq!(
            hex::encode(derived.expose()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }
}
