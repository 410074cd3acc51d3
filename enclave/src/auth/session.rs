//! Sessions: keys that every enclave of the fleet derives from the keyring, and tickets that any of them opens.
//!
//! ```text
//! ticket: "NST1" ‖ length of the keyring's id ‖ keyring's id ‖ ticket's id (16) ‖ AES-256-GCM ciphertext and tag
//! ```

use aws_lc_rs::{
    agreement::{PrivateKey, UnparsedPublicKey, X25519, agree},
    hmac,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use signer_rules::{
    authority::AuthorityId,
    hex_bytes::HexBytes,
    http_signature::session::{MacKey, SALT},
    name::Name,
};
use zeroize::Zeroizing;

use super::{Unauthenticated, directory::Directory};
use crate::{
    secret::{CryptoError, Info, Secret, derive},
    wallet::{Keyring, decrypt, encrypt},
};

const MAGIC: &[u8] = b"NST1";
/// The longest ticket, in characters.
const MAX_TICKET: usize = 1024;
/// Each ticket has a key of its own.
const NONCE: [u8; 12] = [0; 12];

/// What sessions need of a keyring.
pub struct SessionKeys {
    authority: AuthorityId,
    keyring: Name,
    agreement: PrivateKey,
    public_key: HexBytes<32>,
    tickets: Secret<32>,
}

/// What a client asks for.
pub struct Opening<'a> {
    /// Who.
    pub client: &'a Name,
    /// The only role that the session has, if not all of the client's.
    pub role: Option<&'a Name>,
    /// Digest and id of the key that asked: the session ends with it.
    pub key: &'a KeyRef,
    /// The client's X25519 public key.
    pub public_key: HexBytes<32>,
    /// Now, in Unix seconds.
    pub opened: u64,
    /// Unix seconds.
    pub expires: u64,
}

/// A key of the bundle that a request was signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRef {
    /// Its id.
    pub id: Name,
    /// SHA-256 of the public key.
    pub digest: HexBytes<32>,
}

/// A session that was opened.
pub struct Opened {
    /// For the `signer-session` header.
    pub ticket: String,
    /// Its id.
    pub id: HexBytes<16>,
}

/// What a ticket says.
pub(super) struct Ticket {
    pub(super) client: Name,
    pub(super) role: Option<Name>,
    key: KeyRef,
    opened: u64,
    expires: u64,
    mac_key: Secret<32>,
}

impl SessionKeys {
    /// Derives them. They follow from the keyring alone, so every enclave has the same.
    pub fn new(keyring: &Keyring) -> Result<Self, CryptoError> {
        let parts: [&[u8]; 2] = [&keyring.authority().0, keyring.id().as_str().as_bytes()];
        let of = |label| keyring.derive("nitro-signer/session/v1", &Info::new(label, &parts));
        let private = of("session-x25519/v1")?;
        let agreement = PrivateKey::from_private_key(&X25519, private.expose()).map_err(|_| CryptoError)?;
        let public_key = agreement.compute_public_key()?;
        Ok(Self {
            authority: *keyring.authority(),
            keyring: keyring.id().clone(),
            public_key: HexBytes(public_key.as_ref().try_into().map_err(|_| CryptoError)?),
            agreement,
            tickets: of("session-ticket/v1")?,
        })
    }

    /// The X25519 public key, which the attested statement names.
    pub fn public_key(&self) -> HexBytes<32> {
        self.public_key
    }

    /// The keyring's id.
    pub fn keyring(&self) -> &Name {
        &self.keyring
    }

    /// Opens a session. Fails for a public key whose shared secret everybody knows.
    pub fn open(&self, opening: &Opening<'_>) -> Result<Opened, CryptoError> {
        let mut id = HexBytes([0; 16]);
        aws_lc_rs::rand::fill(&mut id.0)?;
        let info = MacKey {
            authority: self.authority,
            keyring: &self.keyring,
            client: opening.client,
            client_key: opening.public_key,
            enclave_key: self.public_key,
            expires: opening.expires,
            id,
        };
        let info = Info::of_parts(info.info());
        let peer = UnparsedPublicKey::new(&X25519, opening.public_key.0);
        let mac_key: Secret<32> = agree(&self.agreement, peer, CryptoError, |shared| {
            if shared.iter().all(|byte| *byte == 0) {
                return Err(CryptoError);
            }
            derive(SALT, &[shared], &info)
        })?;
        let ticket = Ticket {
            client: opening.client.clone(),
            role: opening.role.cloned(),
            key: opening.key.clone(),
            opened: opening.opened,
            expires: opening.expires,
            mac_key,
        };
        Ok(Opened { ticket: self.seal(id, &ticket)?, id })
    }

    /// The ticket in the header, if this keyring sealed it and it has this id.
    fn unseal(&self, text: &str, id: HexBytes<16>) -> Option<Ticket> {
        if text.len() > MAX_TICKET {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let sealed = bytes.strip_prefix(self.header(id)?.as_slice())?;
        let content = decrypt(&self.ticket_key(id).ok()?, NONCE, &self.associated_data(id), sealed).ok()?;
        Ticket::from_bytes(&Zeroizing::new(content))
    }

    fn seal(&self, id: HexBytes<16>, ticket: &Ticket) -> Result<String, CryptoError> {
        let mut bytes = self.header(id).ok_or(CryptoError)?;
        let content = ticket.to_bytes().ok_or(CryptoError)?;
        bytes.extend(encrypt(&self.ticket_key(id)?, NONCE, &self.associated_data(id), &content)?);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn header(&self, id: HexBytes<16>) -> Option<Vec<u8>> {
        let keyring = self.keyring.as_str().as_bytes();
        Some([MAGIC, &[u8::try_from(keyring.len()).ok()?], keyring, &id.0].concat())
    }

    fn ticket_key(&self, id: HexBytes<16>) -> Result<Secret<32>, CryptoError> {
        derive(SALT, &[self.tickets.expose()], &Info::new("session-ticket-key/v1", &[&id.0]))
    }

    fn associated_data(&self, id: HexBytes<16>) -> Info {
        Info::new("session-ticket/v1", &[&self.authority.0, self.keyring.as_str().as_bytes(), &id.0])
    }

    /// The session that a ticket is for: one that the bundle in force still allows.
    pub(super) fn session(
        &self,
        directory: &Directory,
        ticket: &str,
        id: HexBytes<16>,
        now_ms: u64,
    ) -> Result<Ticket, Unauthenticated> {
        let ticket = self.unseal(ticket, id).ok_or(Unauthenticated)?;
        let limits = directory.session_limits(&ticket.client).ok_or(Unauthenticated)?;
        let longest_s = u64::from(limits.longest_s);
        let key = directory.key(ticket.key.id.as_str()).ok_or(Unauthenticated)?;
        let same_key = key.client == ticket.client && key.digest == ticket.key.digest;
        let in_time = now_ms < ticket.expires.saturating_mul(1000)
            && ticket.expires.saturating_sub(ticket.opened) <= longest_s;
        let has_role = ticket.role.as_ref().is_none_or(|role| limits.roles.contains(role));
        if same_key && in_time && has_role { Ok(ticket) } else { Err(Unauthenticated) }
    }
}

impl Ticket {
    /// Whether the MAC is this session's. In constant time.
    pub(super) fn verifies(&self, message: &[u8], mac: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.mac_key.expose());
        hmac::verify(&key, message, mac).is_ok()
    }

    fn to_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        // With room for all of it: growing would leave a copy of the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(512));
        bytes.extend_from_slice(self.mac_key.expose());
        bytes.extend_from_slice(&self.key.digest.0);
        bytes.extend_from_slice(&self.opened.to_be_bytes());
        bytes.extend_from_slice(&self.expires.to_be_bytes());
        let role = self.role.as_ref().map(Name::as_str).unwrap_or_default();
        for name in [self.client.as_str(), self.key.id.as_str(), role] {
            bytes.push(u8::try_from(name.len()).ok()?);
            bytes.extend_from_slice(name.as_bytes());
        }
        Some(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (mac_key, rest) = bytes.split_first_chunk::<32>()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let (opened, rest) = rest.split_first_chunk::<8>()?;
        let (expires, rest) = rest.split_first_chunk::<8>()?;
        let (client, rest) = short_text(rest)?;
        let (key, rest) = short_text(rest)?;
        let (role, rest) = short_text(rest)?;
        let role = if role.is_empty() { None } else { Some(role.parse().ok()?) };
        rest.is_empty().then_some(Self {
            client: client.parse().ok()?,
            role,
            key: KeyRef { id: key.parse().ok()?, digest: HexBytes(*digest) },
            opened: u64::from_be_bytes(*opened),
            expires: u64::from_be_bytes(*expires),
            mac_key: Secret::copied_from(mac_key),
        })
    }
}

fn short_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}
