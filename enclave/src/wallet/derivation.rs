//! From a seed to keys: BIP-32 on secp256k1, SLIP-10 on Ed25519.

use std::{fmt, str::FromStr};

use bip32::XPrv;
use hmac::{Hmac, KeyInit, Mac};
use k256::ecdsa;
use sha2::{Digest, Sha256, Sha512};
use signer_rules::chain::{Curve, PublicKey, RawSignature, SigningInput};
use zeroize::Zeroize;

use crate::secret::{CryptoError, Secret};

/// The deepest path.
const MAX_DEPTH: usize = 10;
const HARDENED: u32 = 1 << 31;

/// A derivation path: `m`, then up to ten indexes below 2^31, `'` after those that are hardened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path(Vec<u32>);

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerivationError {
    /// Not a path.
    #[error("a path is m followed by up to {MAX_DEPTH} of /INDEX or /INDEX', such as m/44'/60'/0'/0/0")]
    Path,
    /// Ed25519 has hardened derivation only.
    #[error("every index of an ed25519 path must be hardened, such as m/44'/501'/0'/0'")]
    NotHardened,
    /// One of the 2^-127 of indexes that BIP-32 skips.
    #[error("there is no key at this path; use the next index")]
    NoKey,
}

impl FromStr for Path {
    type Err = DerivationError;

    fn from_str(text: &str) -> Result<Self, DerivationError> {
        let mut parts = text.split('/');
        if parts.next() != Some("m") {
            return Err(DerivationError::Path);
        }
        let indexes = parts.map(index).collect::<Result<Vec<_>, _>>()?;
        if indexes.is_empty() || indexes.len() > MAX_DEPTH {
            return Err(DerivationError::Path);
        }
        Ok(Self(indexes))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m")?;
        for index in &self.0 {
            let mark = if index & HARDENED == 0 { "" } else { "'" };
            write!(f, "/{}{mark}", index & !HARDENED)?;
        }
        Ok(())
    }
}

fn index(text: &str) -> Result<u32, DerivationError> {
    let (digits, hardened) = match text.strip_suffix('\'') {
        Some(digits) => (digits, HARDENED),
        None => (text, 0),
    };
    let canonical = digits == "0" || !digits.starts_with('0');
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse::<u32>() {
        Ok(number) if number < HARDENED && canonical && plain => Ok(number | hardened),
        _ => Err(DerivationError::Path),
    }
}

/// A key at a path. Both variants wipe themselves when dropped.
pub(super) enum DerivedKey {
    Secp256k1(ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

/// A public key in the form that addresses are made from.
pub(super) enum VerifyingKey {
    Secp256k1(ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl DerivedKey {
    pub(super) fn derive(seed: &Secret<64>, curve: Curve, path: &Path) -> Result<Self, DerivationError> {
        match curve {
            Curve::Secp256k1 => secp256k1(seed, &path.0).map(Self::Secp256k1),
            Curve::Ed25519 => ed25519(seed, &path.0).map(Self::Ed25519),
        }
    }

    pub(super) fn public_key(&self) -> VerifyingKey {
        match self {
            Self::Secp256k1(key) => VerifyingKey::Secp256k1(*key.verifying_key()),
            Self::Ed25519(key) => VerifyingKey::Ed25519(key.verifying_key()),
        }
    }

    /// `None` if the input is not for this curve.
    pub(super) fn sign(&self, input: SigningInput<'_>) -> Option<RawSignature> {
        match (self, input) {
            (Self::Secp256k1(key), SigningInput::Prehash(hash)) => {
                let (signature, recovery) = key.sign_prehash_recoverable(&hash);
                let (r, s) = signature.split_bytes();
                Some(RawSignature::Secp256k1 { r: r.into(), s: s.into(), y_parity: recovery.is_y_odd() })
            }
            (Self::Ed25519(key), SigningInput::Message(message)) => {
                Some(RawSignature::Ed25519(ed25519_dalek::Signer::sign(key, message).to_bytes()))
            }
            _ => None,
        }
    }
}

impl VerifyingKey {
    pub(super) fn encoded(&self) -> PublicKey {
        match self {
            Self::Secp256k1(key) => PublicKey::Secp256k1(compressed(key)),
            Self::Ed25519(key) => PublicKey::Ed25519(key.to_bytes()),
        }
    }
}

/// The public keys at the root of a wallet, which name it and to which its objects are bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RootKeys {
    secp256k1: [u8; 33],
    ed25519: [u8; 32],
}

impl RootKeys {
    pub(super) fn of_seed(seed: &Secret<64>) -> Result<Self, CryptoError> {
        let secp256k1 = secp256k1(seed, &[]).map_err(|_| CryptoError)?;
        let ed25519 = ed25519(seed, &[]).map_err(|_| CryptoError)?;
        Ok(Self {
            secp256k1: compressed(secp256k1.verifying_key()),
            ed25519: ed25519.verifying_key().to_bytes(),
        })
    }

    /// The first half of SHA-256("nitro-signer/wallet-id/v1" ‖ secp256k1 ‖ ed25519).
    pub(super) fn digest(&self) -> [u8; 16] {
        let digest = Sha256::new_with_prefix(b"nitro-signer/wallet-id/v1")
            .chain_update(self.secp256k1)
            .chain_update(self.ed25519)
            .finalize();
        let mut half = [0; 16];
        half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        half
    }

    /// Both keys, for associated data.
    pub(super) fn bytes(&self) -> [&[u8]; 2] {
        [&self.secp256k1, &self.ed25519]
    }
}

fn compressed(key: &ecdsa::VerifyingKey) -> [u8; 33] {
    let mut bytes = [0; 33];
    let point = key.to_sec1_point(true);
    bytes.iter_mut().zip(point.as_bytes()).for_each(|(to, from)| *to = *from);
    bytes
}

// Wallets have seeds of 64 bytes. Published cases have shorter ones too, and go through the same code.

fn secp256k1<const N: usize>(seed: &Secret<N>, path: &[u32]) -> Result<ecdsa::SigningKey, DerivationError> {
    let mut key = XPrv::new(seed.expose()).map_err(|_| DerivationError::NoKey)?;
    for index in path {
        key = key.derive_child((*index).into()).map_err(|_| DerivationError::NoKey)?;
    }
    Ok(key.private_key().clone())
}

/// SLIP-10: master `HMAC-SHA512("ed25519 seed", seed)`, children
/// `HMAC-SHA512(chain code, 00 ‖ key ‖ index)`, all hardened.
fn ed25519<const N: usize>(
    seed: &Secret<N>,
    path: &[u32],
) -> Result<ed25519_dalek::SigningKey, DerivationError> {
    let mut node = hmac_sha512(b"ed25519 seed", &[seed.expose()])?;
    for index in path {
        if index & HARDENED == 0 {
            return Err(DerivationError::NotHardened);
        }
        let (key, chain_code) = node.expose().split_at(32);
        node = hmac_sha512(chain_code, &[&[0], key, &index.to_be_bytes()])?;
    }
    let (key, _) = node.expose().split_first_chunk::<32>().ok_or(DerivationError::NoKey)?;
    Ok(ed25519_dalek::SigningKey::from_bytes(key))
}

fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> Result<Secret<64>, DerivationError> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).map_err(|_| DerivationError::NoKey)?;
    for part in parts {
        mac.update(part);
    }
    let mut digest = mac.finalize().into_bytes();
    let secret = Secret::fill(|bytes| {
        bytes.copy_from_slice(&digest);
        Ok(())
    });
    digest.zeroize();
    secret
}

#[cfg(test)]
#[path = "derivation_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "derivation_vectors.rs"]
mod vectors;
