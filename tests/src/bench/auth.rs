//! How requests prove who asks: not at all, in a session, with a key.

use std::{fmt, io, sync::Arc};

use aws_lc_rs::{
    agreement::{PrivateKey, UnparsedPublicKey, X25519, agree},
    hkdf::{HKDF_SHA256, Salt},
};
use serde::Serialize;
use serde_json::{Value, json};
use signer_rules::{
    hex_bytes::HexBytes,
    http_signature::session::{MacKey, SALT},
    timestamp::Timestamp,
};

use super::Error;
use crate::stack::{Client, Stack};

/// How a request proves who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Auth {
    /// Not at all: it is the anonymous client's. Answers that are signatures are not signed then.
    #[serde(rename = "none")]
    None,
    /// With a session's MAC. Answers as without.
    #[serde(rename = "session")]
    Session,
    /// With an Ed25519 key of the bundle. Every answer is signed.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// With a P-256 key of the bundle. Every answer is signed.
    #[serde(rename = "p-256")]
    P256,
}

/// The clients that sign their requests.
pub(super) struct Clients {
    ed25519: Arc<Client>,
    p256: Arc<Client>,
    session: Option<Arc<Client>>,
}

/// The name of the client that opens a session.
const OPENS: &str = "ed25519";
const LIFETIME_S: u32 = 3600;

impl Auth {
    /// Those that cost a verification.
    pub(super) const SIGNED: [Self; 3] = [Self::Session, Self::Ed25519, Self::P256];
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Session => "session",
            Self::Ed25519 => "ed25519",
            Self::P256 => "p-256",
        })
    }
}

impl Clients {
    /// With new keys.
    pub(super) fn new(stack: &Stack) -> Self {
        let authority = stack.configuration.authority.to_string();
        // Whole seconds: what is signed in the second of the boot would be too old for it.
        let ahead = |client| Arc::new(Client { skew_s: 1, ..client });
        Self {
            ed25519: ahead(Client::ed25519("bench-ed25519", &authority, 0x51)),
            p256: ahead(Client::p256("bench-p256", &authority)),
            session: None,
        }
    }

    /// Their entries in a bundle.
    pub(super) fn entries(&self) -> Result<[Value; 2], Error> {
        let mut opens = self.ed25519.entry(OPENS).ok_or("no key")?;
        opens["sessions"] = json!({ "longest_s": LIFETIME_S });
        Ok([opens, self.p256.entry("p-256").ok_or("no key")?])
    }

    /// The client that proves itself so; none for [`Auth::None`].
    pub(super) fn of(&self, auth: Auth) -> Option<Arc<Client>> {
        match auth {
            Auth::None => None,
            Auth::Session => self.session.clone(),
            Auth::Ed25519 => Some(self.ed25519.clone()),
            Auth::P256 => Some(self.p256.clone()),
        }
    }

    /// Opens the session.
    pub(super) async fn open_session(&mut self, stack: &Stack) -> Result<(), Error> {
        let own = PrivateKey::generate(&X25519)?;
        let client_key: HexBytes<32> = HexBytes(own.compute_public_key()?.as_ref().try_into()?);
        let body = json!({"public_key": client_key, "lifetime_s": LIFETIME_S}).to_string();
        let headers = self.ed25519.sign("POST", "/v1/sessions", body.as_bytes());
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
        let opened = stack.request_with("POST", "/v1/sessions", &headers, body.as_bytes()).await?.json;
        let text = |name: &str| opened[name].as_str().ok_or_else(|| format!("no session: {opened}"));
        let (id, enclave_key) = (text("id")?, text("public_key")?.parse::<HexBytes<32>>()?);
        let info = MacKey {
            authority: stack.configuration.authority,
            keyring: &text("keyring")?.parse()?,
            client: &OPENS.parse()?,
            client_key,
            enclave_key,
            expires: text("expires")?.parse::<Timestamp>()?.seconds(),
            id: id.parse()?,
        }
        .info();
        let disagreed = io::Error::other("no key was agreed on");
        let mac_key = agree(&own, UnparsedPublicKey::new(&X25519, enclave_key.0), disagreed, |shared| {
            let mut key = [0; 32];
            Salt::new(HKDF_SHA256, SALT.as_bytes())
                .extract(shared)
                .expand(&[&info], HKDF_SHA256)
                .and_then(|material| material.fill(&mut key))
                .map_err(io::Error::other)?;
            Ok(key)
        })?;
        let session = Client::session(id, text("ticket")?, &mac_key, &self.ed25519.authority);
        self.session = Some(Arc::new(session));
        Ok(())
    }
}
