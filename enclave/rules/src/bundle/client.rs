//! Who may ask, how they prove it, and who approves what they ask.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::check::{Check, Problem, bounded, distinct, present};
use crate::{authority::AdminKey, hex_bytes, name::Name};

/// The most keys of a client.
pub const MAX_KEYS: usize = 8;
/// The most roles of a client, and the most roles that a rule names.
pub const MAX_ROLES: usize = 64;
/// The shortest and the longest that a client's sessions may be allowed to last, in seconds.
pub const SESSION_RANGE_S: std::ops::RangeInclusive<u32> = 60..=86_400;

/// The most bytes of a public key: a P-256 point in full.
const MAX_PUBLIC_KEY: usize = 65;

/// Who may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name in rules and records.
    pub id: Name,
    /// How it proves who it is.
    pub auth: ClientAuth,
    /// What rules can call it beside its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Name>,
    /// The sessions it may open; without, none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub sessions: Option<Sessions>,
}

/// How a client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// It does not: requests without a signature are this client's. At most one client of a bundle
    /// is so, and rules bind it like any other.
    None,
    /// Its requests are signed (RFC 9421) with one of these keys, 1 to [`MAX_KEYS`].
    Keys(Vec<ClientKey>),
}

/// A public key of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientKey {
    /// What signatures call it (`keyid` of RFC 9421): the only key of this name in the bundle.
    pub id: Name,
    /// What it is a key of.
    pub algorithm: KeyAlgorithm,
    /// The key: in no other place of the bundle.
    pub public_key: KeyBytes,
}

/// The algorithm of a client's signatures, as RFC 9421 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    /// `EdDSA` on Curve25519 (RFC 8032); the key has 32 bytes.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 with SHA-256; the key is an uncompressed SEC 1 point, 65 bytes.
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
}

impl KeyAlgorithm {
    /// RFC 9421's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
        }
    }
}

/// The bytes of a public key, at most 65; JSON: lower-case hexadecimal without a prefix.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyBytes(pub Vec<u8>);

/// What sessions a client may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// How long one may last, in seconds, within [`SESSION_RANGE_S`].
    pub longest_s: u32,
}

/// Somebody whose approval rules can demand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// Its name in rules.
    pub id: Name,
    /// The Ed25519 key that signs its approvals.
    pub public_key: AdminKey,
}

impl Client {
    /// The keys, none for the client that proves nothing.
    pub fn keys(&self) -> &[ClientKey] {
        match &self.auth {
            ClientAuth::None => &[],
            ClientAuth::Keys(keys) => keys,
        }
    }

    pub(super) fn validate(&self) -> Check {
        bounded("roles", self.roles.len(), MAX_ROLES)?;
        distinct("roles", self.roles.iter())?;
        if let ClientAuth::Keys(keys) = &self.auth {
            if keys.is_empty() {
                return Err(Problem::at("auth.keys", "must have at least one key"));
            }
            bounded("auth.keys", keys.len(), MAX_KEYS)?;
            for (index, key) in keys.iter().enumerate() {
                key.validate().map_err(|problem| problem.within(format_args!("auth.keys[{index}]")))?;
            }
        }
        let Some(sessions) = self.sessions else { return Ok(()) };
        if self.auth == ClientAuth::None {
            let problem = "is not for a client without keys: nothing would tell its sessions from others'";
            return Err(Problem::at("sessions", problem));
        }
        if SESSION_RANGE_S.contains(&sessions.longest_s) {
            Ok(())
        } else {
            Err(Problem::at("sessions.longest_s", "must be from 60 to 86400 seconds"))
        }
    }
}

impl ClientKey {
    /// Length and prefix. Whether a P-256 point is on the curve is for whoever verifies with it.
    fn validate(&self) -> Check {
        let problem = |text: &str| Err(Problem::at("public_key", text));
        match self.algorithm {
            KeyAlgorithm::Ed25519 => {
                let key = <&[u8; 32]>::try_from(self.public_key.0.as_slice());
                match key.map(VerifyingKey::from_bytes) {
                    Ok(Ok(key)) if !key.is_weak() => Ok(()),
                    _ => problem("is not an Ed25519 public key: write its 32 bytes in hexadecimal"),
                }
            }
            KeyAlgorithm::EcdsaP256Sha256 => match self.public_key.0.as_slice() {
                [4, point @ ..] if point.len() == 64 => Ok(()),
                _ => {
                    problem("is not an uncompressed P-256 point: write 04, x and y, 65 bytes in hexadecimal")
                }
            },
        }
    }
}

impl fmt::Display for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex_bytes::encode(&self.0))
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match hex::decode(&text) {
            Ok(bytes) if lower && bytes.len() <= MAX_PUBLIC_KEY => Ok(Self(bytes)),
            _ => Err(de::Error::custom("write a public key in lower-case hexadecimal without a prefix")),
        }
    }
}
