//! The client's own program, which signs each request with the client's key.

use ed25519_dalek::SigningKey;
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::Value;
use signer_rules::configuration::SignedConfiguration;
use signer_shared::message::Header;

use super::{
    Error, Site,
    appliance::Appliance,
    policy::{KEY_FILE, KEY_ID},
};
use crate::stack::{Client, Reply, Secret};

/// Where the seed of an Ed25519 key is in PKCS#8 (RFC 8410).
const SEED: std::ops::Range<usize> = 16..48;

/// Sends requests that are signed.
pub(super) struct Backend(Client);

impl Backend {
    /// With the key that `signerctl policy keygen` made.
    pub(super) fn of(site: &Site) -> Result<Self, Error> {
        let operator = site.operator()?;
        let key = PrivatePkcs8KeyDer::from_pem_file(operator.path(KEY_FILE))?;
        let seed = key.secret_pkcs8_der().get(SEED).ok_or("not an Ed25519 key")?.try_into()?;
        let secret = Secret::Ed25519(Box::new(SigningKey::from_bytes(seed)));
        let authority = authority(site)?;
        Ok(Self(Client { key_id: KEY_ID.to_owned(), authority, secret, skew_s: 0, headers: Vec::new() }))
    }

    /// Somebody with another key, who claims to be the backend.
    pub(super) fn impostor(site: &Site) -> Result<Self, Error> {
        Ok(Self(Client::ed25519(KEY_ID, &authority(site)?, 0x66)))
    }

    /// Somebody with a session's ticket, and without its key.
    pub(super) fn thief(site: &Site, id: &str, ticket: &str) -> Result<Self, Error> {
        Ok(Self(Client::session(id, ticket, &[0x66; 32], &authority(site)?)))
    }

    /// The headers of a POST.
    pub(super) fn sign(&self, path: &str, body: &[u8]) -> Vec<Header> {
        self.0.sign("POST", path, body)
    }

    /// A POST of JSON.
    pub(super) async fn post(&self, appliance: &Appliance, path: &str, body: &Value) -> Result<Reply, Error> {
        let body = body.to_string().into_bytes();
        appliance.send("POST", path, &self.sign(path, &body), &body).await
    }
}

/// Whose appliance it is, in hexadecimal.
fn authority(site: &Site) -> Result<String, Error> {
    let envelope = std::fs::read(site.operator()?.path("config.json"))?;
    Ok(SignedConfiguration::verify(&envelope)?.authority.to_string())
}
