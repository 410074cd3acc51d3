//! Which key is whose, by the policy bundle in force. Built once for each bundle.

use std::collections::HashMap;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use signer_rules::{
    bundle::{Bundle, Client, ClientAuth, ClientKey, KeyAlgorithm},
    hex_bytes::HexBytes,
    name::Name,
};

/// Clients and their keys.
pub struct Directory {
    keys: HashMap<Name, KeyEntry>,
    clients: HashMap<Name, ClientEntry>,
    anonymous: Option<Name>,
}

/// A client's key.
pub(super) struct KeyEntry {
    /// Whose.
    pub client: Name,
    /// A digest of the key: its id alone may become another key's.
    pub digest: HexBytes<32>,
    /// The only algorithm that it verifies.
    pub algorithm: KeyAlgorithm,
    key: Key,
}

enum Key {
    Ed25519(Box<VerifyingKey>),
    EcdsaP256(Box<ParsedPublicKey>),
}

struct ClientEntry {
    roles: Vec<Name>,
    longest_session_s: Option<u32>,
}

/// What a client's sessions may be.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits<'a> {
    /// How long one may last, in seconds.
    pub longest_s: u32,
    /// The roles that one may have.
    pub roles: &'a [Name],
}

impl Directory {
    /// Of a bundle that came from [`Bundle::from_json`].
    pub fn new(bundle: &Bundle) -> Self {
        let clients = bundle.clients.iter();
        let keys = clients.clone().flat_map(|client| {
            client.keys().iter().filter_map(|key| Some((key.id.clone(), KeyEntry::new(client, key)?)))
        });
        let anonymous = clients.clone().find(|client| client.auth == ClientAuth::None);
        Self {
            keys: keys.collect(),
            anonymous: anonymous.map(|client| client.id.clone()),
            clients: clients
                .map(|client| {
                    let longest_session_s = client.sessions.map(|sessions| sessions.longest_s);
                    (client.id.clone(), ClientEntry { roles: client.roles.clone(), longest_session_s })
                })
                .collect(),
        }
    }

    /// The key of this `keyid`.
    pub(super) fn key(&self, keyid: &str) -> Option<&KeyEntry> {
        self.keys.get(&keyid.parse::<Name>().ok()?)
    }

    /// What a client's sessions may be; none if it may not have any.
    pub fn session_limits(&self, client: &Name) -> Option<SessionLimits<'_>> {
        let client = self.clients.get(client)?;
        Some(SessionLimits { longest_s: client.longest_session_s?, roles: &client.roles })
    }

    /// The client whose requests carry no proof, if the quorum wrote one.
    pub(super) fn anonymous(&self) -> Option<&Name> {
        self.anonymous.as_ref()
    }
}

impl KeyEntry {
    /// A key that is no point of its curve verifies nothing, and is left out.
    fn new(client: &Client, key: &ClientKey) -> Option<Self> {
        let bytes = key.public_key.0.as_slice();
        let parsed = match key.algorithm {
            KeyAlgorithm::Ed25519 => {
                Key::Ed25519(Box::new(VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?))
            }
            KeyAlgorithm::EcdsaP256Sha256 => {
                Key::EcdsaP256(Box::new(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).ok()?))
            }
        };
        let digest = HexBytes(Sha256::digest(bytes).into());
        Some(Self { client: client.id.clone(), digest, algorithm: key.algorithm, key: parsed })
    }

    /// Whether the signature is this key's.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::Ed25519(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Key::EcdsaP256(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}
