//! Curves, public keys and raw signatures: what chains and wallets exchange.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// The curve of an account's key. In JSON and text: `secp256k1`, `ed25519`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Curve {
    /// SEC 2 secp256k1, ECDSA.
    Secp256k1,
    /// RFC 8032 Ed25519.
    Ed25519,
}

impl Curve {
    /// The name used in JSON and text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secp256k1 => "secp256k1",
            Self::Ed25519 => "ed25519",
        }
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Curve {
    type Err = UnknownCurve;

    fn from_str(text: &str) -> Result<Self, UnknownCurve> {
        match text {
            "secp256k1" => Ok(Self::Secp256k1),
            "ed25519" => Ok(Self::Ed25519),
            _ => Err(UnknownCurve),
        }
    }
}

/// A text that names no [`Curve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown curve: use secp256k1 or ed25519")]
pub struct UnknownCurve;

/// An account's public key. In JSON and text: lower-case hex without prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// SEC 1 compressed point, 33 bytes.
    Secp256k1([u8; 33]),
    /// RFC 8032 encoded point, 32 bytes.
    Ed25519([u8; 32]),
}

impl PublicKey {
    /// The curve the key is on.
    pub const fn curve(&self) -> Curve {
        match self {
            Self::Secp256k1(_) => Curve::Secp256k1,
            Self::Ed25519(_) => Curve::Ed25519,
        }
    }

    /// The encoded key: 33 bytes on secp256k1, 32 on Ed25519.
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Secp256k1(bytes) => bytes,
            Self::Ed25519(bytes) => bytes,
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A signature as the key made it, before any chain's encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawSignature {
    /// ECDSA, big-endian scalars; `s` must be in the lower half of the order.
    Secp256k1 {
        /// The x coordinate of the nonce point, modulo the order.
        r: [u8; 32],
        /// The signature scalar.
        s: [u8; 32],
        /// Whether the y coordinate of the nonce point is odd (after `s` was lowered).
        y_parity: bool,
    },
    /// RFC 8032, 64 bytes.
    Ed25519([u8; 64]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curve_names_agree_in_text_and_json() {
        for curve in [Curve::Secp256k1, Curve::Ed25519] {
            assert_eq!(curve.to_string().parse(), Ok(curve));
            assert_eq!(serde_json::to_string(&curve).unwrap(), format!("\"{curve}\""));
            assert_eq!(serde_json::from_str::<Curve>(&format!("\"{curve}\"")).unwrap(), curve);
        }
        assert_eq!("Secp256k1".parse::<Curve>(), Err(UnknownCurve));
    }

    #[test]
    fn public_keys_are_lower_case_hex() {
        let key = PublicKey::Ed25519([0xab; 32]);
        assert_eq!(serde_json::to_string(&key).unwrap(), format!("\"{}\"", "ab".repeat(32)));
        assert_eq!(key.curve(), Curve::Ed25519);
    }
}
