//! The admins' request to create a keyring.
//!
//! Keyrings are never created by booting. A replay makes at most another candidate, which opens
//! nothing until admins sign its fingerprint into a bundle.

use serde::{Deserialize, Serialize};

use crate::{
    authority::AuthorityId,
    configuration::SignedConfiguration,
    dsse::{DsseError, Envelope},
    hex_bytes::HexBytes,
    name::Name,
    timestamp::Timestamp,
};

/// The DSSE payload type of the request.
pub const PAYLOAD_TYPE: &str = "application/vnd.nitro-signer.keyring-request.v1+json";

/// The value of `format`.
pub const FORMAT: &str = "nitro-signer/keyring-request/v1";

/// How far ahead a request may expire, in seconds: a captured request must not be good for ever.
pub const LONGEST_LIFETIME_S: u64 = 86_400;

/// What the admins sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyringRequest {
    /// [`FORMAT`].
    pub format: String,
    /// Whose keyring it will be.
    pub authority: AuthorityId,
    /// Its name.
    pub keyring: Name,
    /// Random; the answer's attestation document carries it as its nonce.
    pub nonce: HexBytes<32>,
    /// Not valid from then on.
    pub expires: Timestamp,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringRequestError {
    /// The envelope is not what the quorum signed.
    #[error(transparent)]
    Envelope(#[from] DsseError),
    /// Not a request in JSON.
    #[error("not a keyring request: {0}")]
    Malformed(String),
    /// Made for another appliance.
    #[error("the request belongs to authority {found}, and this is {expected}")]
    ForeignAuthority {
        /// Ours.
        expected: AuthorityId,
        /// The request's.
        found: AuthorityId,
    },
    /// Too late.
    #[error("the request expired at {0}")]
    Expired(Timestamp),
    /// Valid for longer than [`LONGEST_LIFETIME_S`].
    #[error("the request is valid for more than a day; make one that expires sooner")]
    TooLong,
}

impl KeyringRequest {
    /// Verifies an envelope against the quorum of the configuration.
    pub fn verify(
        envelope: &[u8],
        configuration: &SignedConfiguration,
        now: Timestamp,
    ) -> Result<Self, KeyringRequestError> {
        let quorum = &configuration.quorum;
        let payload =
            Envelope::from_json(envelope)?.verify(PAYLOAD_TYPE, quorum.admins(), quorum.threshold())?;
        let request: Self = serde_json::from_slice(&payload)
            .map_err(|error| KeyringRequestError::Malformed(error.to_string()))?;
        if request.format != FORMAT {
            return Err(KeyringRequestError::Malformed(format!("format must be {FORMAT:?}")));
        }
        if request.authority != configuration.authority {
            return Err(KeyringRequestError::ForeignAuthority {
                expected: configuration.authority,
                found: request.authority,
            });
        }
        if now >= request.expires {
            return Err(KeyringRequestError::Expired(request.expires));
        }
        if request.expires.seconds() > now.seconds().saturating_add(LONGEST_LIFETIME_S) {
            return Err(KeyringRequestError::TooLong);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    fn configuration() -> SignedConfiguration {
        crate::configuration::tests::signed_sample()
    }

    fn verify(
        change: impl Fn(&mut KeyringRequest),
        seeds: &[u8],
    ) -> Result<KeyringRequest, KeyringRequestError> {
        let mut request = KeyringRequest {
            format: FORMAT.into(),
            authority: configuration().authority,
            keyring: "default".parse().unwrap(),
            nonce: HexBytes([1; 32]),
            expires: "2026-01-02T00:00:00Z".parse().unwrap(),
        };
        change(&mut request);
        let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, &serde_json::to_vec(&request).unwrap());
        for seed in seeds {
            envelope.sign(&SigningKey::from_bytes(&[*seed; 32])).unwrap();
        }
        let now = "2026-01-01T23:59:59Z".parse().unwrap();
        KeyringRequest::verify(envelope.to_json().unwrap().as_bytes(), &configuration(), now)
    }

    #[test]
    fn only_the_quorum_of_this_authority_in_time() {
        assert!(verify(|_| {}, &[1, 2]).is_ok());
        assert!(matches!(verify(|_| {}, &[1]), Err(KeyringRequestError::Envelope(DsseError::Quorum { .. }))));
        assert!(matches!(
            verify(|request| request.authority = HexBytes([0; 32]), &[1, 2]),
            Err(KeyringRequestError::ForeignAuthority { .. })
        ));
        assert!(matches!(
            verify(|request| request.expires = "2026-01-01T23:59:59Z".parse().unwrap(), &[1, 2]),
            Err(KeyringRequestError::Expired(_))
        ));
        assert!(matches!(
            verify(|request| request.expires = "2026-01-03T00:00:00Z".parse().unwrap(), &[1, 2]),
            Err(KeyringRequestError::TooLong)
        ));
        assert!(matches!(
            verify(|request| request.format = "x".into(), &[1, 2]),
            Err(KeyringRequestError::Malformed(_))
        ));
    }
}
