//! Sessions: a client that proved itself once with its key signs the next requests with a MAC, which costs less.
//!
//! Client and enclave agree on the MAC key by X25519; the enclave keeps nothing, but hands out a sealed ticket that every
//! enclave of the fleet can open. What both sides must compute alike is here.

use crate::{authority::AuthorityId, hex_bytes::HexBytes, name::Name};

/// RFC 9421's name of the algorithm that sessions sign with.
pub const ALGORITHM: &str = "hmac-sha256";
/// The header that carries the ticket.
pub const TICKET: &str = "signer-session";
/// The salt of [`MacKey::info`]'s HKDF-SHA256 (RFC 5869); its input is the X25519 shared secret.
pub const SALT: &str = "nitro-signer/session/v1";

/// What the `keyid` of a session begins with. No key of a bundle has such a name.
const PREFIX: &str = "session:";

/// What a session's MAC key is bound to.
#[derive(Clone, Copy, Debug)]
pub struct MacKey<'a> {
    /// Whose appliance.
    pub authority: AuthorityId,
    /// The keyring that the enclave's session key comes from.
    pub keyring: &'a Name,
    /// Whose session.
    pub client: &'a Name,
    /// The client's X25519 public key, made for this session.
    pub client_key: HexBytes<32>,
    /// The enclave's X25519 public key, which the attested statement names.
    pub enclave_key: HexBytes<32>,
    /// Unix seconds.
    pub expires: u64,
    /// The ticket's id.
    pub id: HexBytes<16>,
}

impl MacKey<'_> {
    /// The info of the HKDF that gives the 32 bytes of the key: each part after its length in four bytes, big-endian.
    pub fn info(&self) -> Vec<u8> {
        let parts: [&[u8]; 8] = [
            b"session-mac/v1",
            &self.authority.0,
            self.keyring.as_str().as_bytes(),
            self.client.as_str().as_bytes(),
            &self.client_key.0,
            &self.enclave_key.0,
            &self.expires.to_be_bytes(),
            &self.id.0,
        ];
        let mut info = Vec::with_capacity(256);
        for part in parts {
            info.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            info.extend_from_slice(part);
        }
        info
    }
}

/// The `keyid` of a session's signatures.
pub fn keyid(id: HexBytes<16>) -> String {
    format!("{PREFIX}{id}")
}

/// The session that a `keyid` names, if it is one's.
pub fn of_keyid(keyid: &str) -> Option<HexBytes<16>> {
    keyid.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_name_is_no_keys() {
        let id = HexBytes([0xab; 16]);
        assert_eq!(of_keyid(&keyid(id)), Some(id));
        assert!(keyid(id).parse::<Name>().is_err());
        for other in ["payroll", "session:", "session:ab", "session:AB"] {
            assert_eq!(of_keyid(other), None, "{other}");
        }
    }

    #[test]
    fn every_part_is_bound() {
        let (one, other): (Name, Name) = ("one".parse().unwrap(), "other".parse().unwrap());
        let base = MacKey {
            authority: HexBytes([1; 32]),
            keyring: &one,
            client: &one,
            client_key: HexBytes([2; 32]),
            enclave_key: HexBytes([3; 32]),
            expires: 1,
            id: HexBytes([4; 16]),
        };
        for changed in [
            MacKey { authority: HexBytes([0; 32]), ..base },
            MacKey { keyring: &other, ..base },
            MacKey { client: &other, ..base },
            MacKey { client_key: HexBytes([0; 32]), ..base },
            MacKey { enclave_key: HexBytes([0; 32]), ..base },
            MacKey { expires: 2, ..base },
            MacKey { id: HexBytes([0; 16]), ..base },
        ] {
            assert_ne!(changed.info(), base.info());
        }
    }
}
