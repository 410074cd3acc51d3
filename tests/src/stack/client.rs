//! A client with a key: it signs its requests, and checks the answers that are signed.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use signer_rules::http_signature::{self as request, content_digest, response};
use signer_shared::message::Header;

/// Distinguishes requests of one process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A client that signs.
pub struct Client {
    /// The `keyid` of its signatures.
    pub key_id: String,
    /// The authority that its requests are for, in hexadecimal.
    pub authority: String,
    /// What makes its signatures.
    pub secret: Secret,
    /// How far its clock is ahead, in seconds.
    pub skew_s: i64,
    /// More headers, which no signature covers.
    pub headers: Vec<Header>,
}

/// What makes a client's signatures.
pub enum Secret {
    /// An Ed25519 key.
    Ed25519(Box<SigningKey>),
    /// A P-256 key.
    P256(Box<EcdsaKeyPair>),
    /// The MAC key of a session.
    Session(Box<hmac::Key>),
}

impl Client {
    /// A client whose Ed25519 key follows from a number.
    pub fn ed25519(key_id: &str, authority: &str, seed: u8) -> Self {
        Self::new(key_id, authority, Secret::Ed25519(Box::new(SigningKey::from_bytes(&[seed; 32]))))
    }

    /// A client with a new P-256 key.
    pub fn p256(key_id: &str, authority: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self::new(key_id, authority, Secret::P256(Box::new(pair)))
    }

    /// A session: its ticket's id, the ticket itself, and its MAC key.
    pub fn session(id: &str, ticket: &str, mac_key: &[u8], authority: &str) -> Self {
        let secret = Secret::Session(Box::new(hmac::Key::new(hmac::HMAC_SHA256, mac_key)));
        let mut client = Self::new(&format!("session:{id}"), authority, secret);
        client.headers.push(Header { name: "signer-session".to_owned(), value: ticket.to_owned() });
        client
    }

    fn new(key_id: &str, authority: &str, secret: Secret) -> Self {
        let (key_id, authority) = (key_id.to_owned(), authority.to_owned());
        Self { key_id, authority, secret, skew_s: 0, headers: Vec::new() }
    }

    /// Its entry among the clients of a bundle; `None` for a session.
    pub fn entry(&self, id: &str) -> Option<Value> {
        let (algorithm, public_key) = match &self.secret {
            Secret::Ed25519(key) => ("ed25519", hex::encode(key.verifying_key().to_bytes())),
            Secret::P256(pair) => ("ecdsa-p256-sha256", hex::encode(pair.public_key())),
            Secret::Session(_) => return None,
        };
        let key = json!({"id": self.key_id, "algorithm": algorithm, "public_key": public_key});
        Some(json!({"id": id, "auth": {"keys": [key]}}))
    }

    /// The headers of a request, signed now with a nonce of its own.
    pub fn sign(&self, method: &str, path: &str, body: &[u8]) -> Vec<Header> {
        let nonce = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.sign_with_nonce(method, path, body, &nonce)
    }

    /// The same with a nonce that the caller chooses.
    pub fn sign_with_nonce(&self, method: &str, path: &str, body: &[u8], nonce: &str) -> Vec<Header> {
        let digest = content_digest(body);
        let (plain, query) = split(path);
        let signing = request::Signing {
            created: now_s().saturating_add_signed(self.skew_s),
            expires: None,
            keyid: &self.key_id,
            nonce,
            tag: &self.authority,
            alg: None,
        };
        let unsigned = signing.prepare(method, plain, query, &digest).expect("plain parameters");
        let header = |name: &str, value: String| Header { name: name.to_owned(), value };
        let mut headers = vec![
            header("content-type", "application/json".to_owned()),
            header("content-digest", digest),
            header("signature-input", unsigned.signature_input),
            header("signature", request::signature_header(&self.signature(unsigned.base.as_bytes()))),
        ];
        headers.extend(self.headers.iter().cloned());
        headers
    }

    /// A signature over any bytes.
    pub fn signature(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Secret::P256(pair) => {
                pair.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec()
            }
            Secret::Session(key) => hmac::sign(key, message).as_ref().to_vec(),
        }
    }
}

/// An answer and the request that it claims to answer, as a client has them.
#[derive(Clone, Copy, Debug)]
pub struct Exchanged<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's path and query.
    pub path: &'a str,
    /// The request's headers.
    pub request: &'a [Header],
    /// The answer's status.
    pub status: u16,
    /// The answer's headers.
    pub answer: &'a [Header],
    /// The answer's body.
    pub body: &'a [u8],
}

impl Exchanged<'_> {
    /// Whether the boot with this identity key gave this answer to this request, under this authority.
    pub fn verify(&self, identity_key: &[u8; 32], boot_id: &str, authority: &str) -> io::Result<()> {
        let wrong = |what: &str| Err(io::Error::other(what.to_owned()));
        let find = |headers: &[Header], name: &str| {
            headers.iter().find(|header| header.name == name).map(|header| header.value.clone())
        };
        let (Some(input), Some(signature), Some(digest)) = (
            find(self.answer, "signature-input"),
            find(self.answer, "signature"),
            find(self.answer, "content-digest"),
        ) else {
            return wrong("the answer is not signed");
        };
        let presented = response::read(&input, &signature).map_err(io::Error::other)?;
        if presented.keyid != boot_id || presented.tag != authority {
            return wrong("another boot or authority");
        }
        if digest != content_digest(self.body) {
            return wrong("another body");
        }
        let (path, query) = split(self.path);
        let (asked_digest, asked_signature) =
            (find(self.request, "content-digest"), find(self.request, "signature"));
        let receipt = find(self.answer, response::RECEIPT);
        let request = response::Request {
            method: self.method,
            path,
            query,
            content_digest: asked_digest.as_deref(),
            signature: asked_signature.as_deref(),
        };
        let answer =
            response::Answer { status: self.status, content_digest: &digest, receipt: receipt.as_deref() };
        let base = presented.base(&request, &answer).map_err(io::Error::other)?;
        let key = VerifyingKey::from_bytes(identity_key).map_err(io::Error::other)?;
        let signature = Signature::from_slice(&presented.signature).map_err(io::Error::other)?;
        key.verify_strict(base.as_bytes(), &signature).map_err(io::Error::other)
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
