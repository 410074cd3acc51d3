//! Who asks.
//!
//! A request that carries proof of who sent it must have that proof checked; a request without any is the anonymous
//! client's, if the quorum wrote one. A proof that does not hold is refused, never passed over.
//!
//! A signature holds once. Its nonce is looked up when the request comes, and used up just before the request is decided,
//! because the host asks the same request again until it has brought everything that is needed.

mod directory;
mod session;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use signer_rules::{
    authority::AuthorityId,
    hex_bytes::HexBytes,
    http_signature::{self, Presented, session as profile},
    name::Name,
    replay::{MAX_REQUESTS, Replay, ReplayError},
};
use signer_shared::message::Header;

pub use directory::{Directory, SessionLimits};
pub use session::{KeyRef, Opened, Opening, SessionKeys};

use crate::secret::Info;

/// Headers by which a request claims to be somebody's.
const PROOFS: [&str; 4] = ["authorization", "signature", "signature-input", profile::TICKET];

/// The oldest signature that is taken, in milliseconds.
const OLDEST_MS: u64 = 300_000;
/// How far a client's clock may be ahead, in milliseconds.
const AHEAD_MS: u64 = 60_000;

/// The request is nobody's. One error for every reason, so that it tells a forger nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is not authenticated")]
pub struct Unauthenticated;

/// Why a request's nonce cannot be used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpendError {
    /// It was used before.
    #[error(transparent)]
    Unauthenticated(#[from] Unauthenticated),
    /// No more nonces can be remembered now.
    #[error("too many signed requests in the last minutes")]
    Full,
}

/// A request, as it was signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Each name once.
    pub headers: &'a [Header],
    /// The method.
    pub method: &'a str,
    /// The raw path.
    pub path: &'a str,
    /// What follows the `?` of the path.
    pub query: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// A digest of all of these but the headers.
    pub digest: HexBytes<32>,
}

/// Under what requests are judged.
#[derive(Clone, Copy)]
pub struct Realm<'a> {
    /// Whose appliance.
    pub authority: AuthorityId,
    /// Clients and keys.
    pub directory: &'a Directory,
    /// The keys of sessions, if there are any.
    pub sessions: Option<&'a SessionKeys>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The client.
    pub client: Name,
    /// The only role that it has now, if its session has one; else it has all of the bundle's.
    pub role: Option<Name>,
    /// How it proved that.
    pub proof: Proof,
    nonce: Option<Nonce>,
}

/// How a client proved who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Not at all: it is the anonymous client.
    None,
    /// With a key of the bundle.
    Key(KeyRef),
    /// With the key of a session.
    Session,
}

/// What makes a signed request one of its kind.
#[derive(Clone, Copy, Debug)]
struct Nonce {
    /// A digest of key id and nonce.
    digest: [u8; 32],
    /// A digest of the request.
    request: [u8; 32],
    /// When the signature is too old anyway.
    expires_ms: u64,
}

/// What a boot remembers of requests.
pub struct Authenticator {
    boot_ms: u64,
    replay: Mutex<Replay>,
}

impl Authenticator {
    /// For a boot at this time, in Unix milliseconds. What was signed before may have been used before.
    pub fn new(boot_ms: u64) -> Self {
        Self { boot_ms, replay: Mutex::new(Replay::new(MAX_REQUESTS)) }
    }

    /// The client that a request is from. Uses up nothing: see [`Self::spend`].
    pub fn authenticate(
        &self,
        realm: &Realm<'_>,
        request: &Request<'_>,
        now_ms: u64,
    ) -> Result<Caller, Unauthenticated> {
        if !request.headers.iter().any(|header| PROOFS.contains(&header.name.as_str())) {
            let client = realm.directory.anonymous().ok_or(Unauthenticated)?.clone();
            return Ok(Caller { client, role: None, proof: Proof::None, nonce: None });
        }
        if request.header("authorization").is_some() {
            return Err(Unauthenticated);
        }
        let input = request.header("signature-input").ok_or(Unauthenticated)?;
        let signature = request.header("signature").ok_or(Unauthenticated)?;
        let presented = http_signature::read(input, signature).map_err(|_| Unauthenticated)?;
        let nonce = self.check_parameters(realm, request, &presented, now_ms)?;
        // The cheap checks first. A digest is not secret: comparing it tells nothing.
        let digest = request.header("content-digest").ok_or(Unauthenticated)?;
        if !http_signature::check_content_digest(digest, request.body) {
            return Err(Unauthenticated);
        }
        let base = http_signature::base(&presented, request.method, request.path, request.query, digest)
            .map_err(|_| Unauthenticated)?;
        match request.header(profile::TICKET) {
            Some(ticket) => by_session(realm, &presented, ticket, &base, now_ms, nonce),
            None => by_key(realm, &presented, &base, nonce),
        }
    }

    /// Uses up a request's nonce, just before the request is decided. A `repeatable` request, whose answer has to be stored
    /// first, may come again, but no other with its nonce.
    pub fn spend(&self, caller: &Caller, now_ms: u64, repeatable: bool) -> Result<(), SpendError> {
        let Some(Nonce { digest, request, expires_ms }) = caller.nonce else { return Ok(()) };
        self.replay().consume(now_ms, digest, request, expires_ms, repeatable).map_err(|error| match error {
            ReplayError::Replayed => Unauthenticated.into(),
            ReplayError::Full => SpendError::Full,
        })
    }

    fn replay(&self) -> MutexGuard<'_, Replay> {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time, appliance, and whether the nonce is unused.
    fn check_parameters(
        &self,
        realm: &Realm<'_>,
        request: &Request<'_>,
        presented: &Presented<'_>,
        now_ms: u64,
    ) -> Result<Nonce, Unauthenticated> {
        let created_ms = presented.created.saturating_mul(1000);
        let expires_ms = presented.expires.map_or(u64::MAX, |expires| expires.saturating_mul(1000));
        let in_time = created_ms >= self.boot_ms
            && now_ms <= created_ms.saturating_add(OLDEST_MS)
            && created_ms <= now_ms.saturating_add(AHEAD_MS)
            && now_ms < expires_ms;
        if !in_time || presented.tag != realm.authority.to_string() {
            return Err(Unauthenticated);
        }
        let parts = [presented.keyid.as_bytes(), presented.nonce.as_bytes()];
        let digest = sha256(Info::new("nitro-signer/request-nonce/v1", &parts).as_bytes());
        let expires_ms = created_ms.saturating_add(OLDEST_MS).saturating_add(AHEAD_MS);
        let nonce = Nonce { digest, request: request.digest.0, expires_ms };
        self.replay().peek(now_ms, &nonce.digest, &nonce.request, expires_ms).map_err(|_| Unauthenticated)?;
        Ok(nonce)
    }
}

impl<'a> Request<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
    }
}

fn by_key(
    realm: &Realm<'_>,
    presented: &Presented<'_>,
    base: &str,
    nonce: Nonce,
) -> Result<Caller, Unauthenticated> {
    let key = realm.directory.key(presented.keyid).ok_or(Unauthenticated)?;
    let named = presented.alg.is_none_or(|alg| alg == key.algorithm.as_str());
    if !named || !key.verifies(base.as_bytes(), &presented.signature) {
        return Err(Unauthenticated);
    }
    let id = presented.keyid.parse().map_err(|_| Unauthenticated)?;
    Ok(Caller {
        client: key.client.clone(),
        role: None,
        proof: Proof::Key(KeyRef { id, digest: key.digest }),
        nonce: Some(nonce),
    })
}

fn by_session(
    realm: &Realm<'_>,
    presented: &Presented<'_>,
    ticket: &str,
    base: &str,
    now_ms: u64,
    nonce: Nonce,
) -> Result<Caller, Unauthenticated> {
    let id = profile::of_keyid(presented.keyid).ok_or(Unauthenticated)?;
    let sessions = realm.sessions.ok_or(Unauthenticated)?;
    let session = sessions.session(realm.directory, ticket, id, now_ms)?;
    let named = presented.alg.is_none_or(|alg| alg == profile::ALGORITHM);
    if !named || !session.verifies(base.as_bytes(), &presented.signature) {
        return Err(Unauthenticated);
    }
    Ok(Caller { client: session.client, role: session.role, proof: Proof::Session, nonce: Some(nonce) })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}
