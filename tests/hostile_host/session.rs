//! Sessions as clients have them: the client's half of the key agreement.

use aws_lc_rs::{
    agreement::{PrivateKey, UnparsedPublicKey, X25519, agree},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use serde_json::{Value, json};
use signer_rules::{
    hex_bytes::HexBytes,
    http_signature::session::{MacKey, SALT},
    name::Name,
    timestamp::Timestamp,
};
use signer_shared::message::ApiResponse;
use signer_tests::stack::{Client, KEYRING};

use crate::{
    appliance::{Appliance, authority, merged},
    world::json_of,
};

/// Where sessions are opened.
pub(crate) const SESSIONS: &str = "/v1/sessions";

/// A session that was opened.
pub(crate) struct Session {
    /// What signs its requests.
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) ticket: String,
    pub(crate) mac_key: Vec<u8>,
}

/// A key pair of X25519 made for one session.
pub(crate) struct Agreement(PrivateKey);

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

impl Agreement {
    pub(crate) fn new() -> Self {
        Self(PrivateKey::generate(&X25519).expect("a key"))
    }

    /// The public key in hexadecimal.
    pub(crate) fn public_key(&self) -> String {
        hex::encode(self.0.compute_public_key().expect("a key"))
    }

    /// The session of an answer, for the client of this name in the bundle.
    pub(crate) fn session(&self, name: &str, answer: &Value) -> Session {
        let text =
            |member: &str| answer[member].as_str().unwrap_or_else(|| panic!("{member}: {answer}")).to_owned();
        let expires: Timestamp = serde_json::from_value(answer["expires"].clone()).expect("a time");
        let enclave_key: HexBytes<32> = text("public_key").parse().expect("a key");
        let keyring: Name = KEYRING.parse().expect("a name");
        let client: Name = name.parse().expect("a name");
        let info = MacKey {
            authority: authority().parse().expect("an id"),
            keyring: &keyring,
            client: &client,
            client_key: self.public_key().parse().expect("a key"),
            enclave_key,
            expires: expires.seconds(),
            id: text("id").parse().expect("an id"),
        }
        .info();
        let peer = UnparsedPublicKey::new(&X25519, enclave_key.0);
        let mac_key = agree(&self.0, peer, "no secret", |shared| {
            let mut key = vec![0; 32];
            let extracted = Salt::new(HKDF_SHA256, SALT.as_bytes()).extract(shared);
            let expanded = [info.as_slice()];
            extracted.expand(&expanded, Bytes32).and_then(|out| out.fill(&mut key)).map_err(|_| "no key")?;
            Ok(key)
        })
        .expect("a key");
        let (id, ticket) = (text("id"), text("ticket"));
        Session { client: Client::session(&id, &ticket, &mac_key, &authority()), id, ticket, mac_key }
    }
}

/// A request for a session, with more members.
pub(crate) fn session_request(agreement: &Agreement, more: &Value) -> String {
    merged(&json!({"public_key": agreement.public_key(), "lifetime_s": 600}), more).to_string()
}

impl Appliance {
    /// Asks for a session.
    pub(crate) async fn ask_for_session(&mut self, client: &Client, body: &str) -> ApiResponse {
        let headers = client.sign("POST", SESSIONS, body.as_bytes());
        self.answer("POST", SESSIONS, &headers, body).await
    }

    /// Opens a session for the client of this name in the bundle.
    pub(crate) async fn open_session(&mut self, client: &Client, name: &str, more: &Value) -> Session {
        let agreement = Agreement::new();
        let answer = self.ask_for_session(client, &session_request(&agreement, more)).await;
        assert_eq!(answer.status, 201, "{}", json_of(&answer));
        agreement.session(name, &json_of(&answer))
    }
}
