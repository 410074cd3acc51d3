//! Signed statements: the Dead Simple Signing Envelope (DSSE v1.0.2) with Ed25519 signatures.
//!
//! One payload type for each kind of statement, so that no signature over one kind means anything
//! over another. Signatures are counted by distinct public key.

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{authority::AdminKey, hex_bytes::HexBytes};

/// The largest envelope that is read, in bytes.
pub const MAX_ENVELOPE: usize = 1024 * 1024;

/// The most signatures that an envelope may carry.
pub const MAX_SIGNATURES: usize = 64;

/// A payload with its signatures, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Envelope {
    /// The signed bytes, in base64.
    payload: String,
    /// What the bytes are.
    payload_type: String,
    /// Who signed them.
    signatures: Vec<EnvelopeSignature>,
}

/// One signature of an [`Envelope`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    /// SHA-256 of the public key: [`AdminKey::id`].
    keyid: HexBytes<32>,
    /// The Ed25519 signature, in base64.
    sig: String,
}

/// Why an envelope is not what a quorum signed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// Larger than [`MAX_ENVELOPE`].
    #[error("the envelope has {0} bytes, more than the {MAX_ENVELOPE} allowed")]
    TooLarge(usize),
    /// Not an envelope.
    #[error("not a DSSE envelope: {0}")]
    Malformed(String),
    /// The payload is of another kind.
    #[error("the envelope holds {found:?} where {expected:?} is expected")]
    WrongType {
        /// The type asked for.
        expected: &'static str,
        /// The type of the envelope.
        found: String,
    },
    /// A signature that claims an admin key does not verify.
    #[error("the signature of key {0} does not verify")]
    BadSignature(String),
    /// A key signed twice.
    #[error("key {0} appears twice among the signatures")]
    DuplicateKey(String),
    /// Fewer admins signed than the threshold.
    #[error("{found} of the {required} required admin signatures are there")]
    Quorum {
        /// The threshold.
        required: usize,
        /// Distinct admin keys whose signatures verify.
        found: usize,
    },
}

impl Envelope {
    /// An envelope that nobody has signed yet.
    pub fn unsigned(payload_type: &str, payload: &[u8]) -> Self {
        Self {
            payload: STANDARD.encode(payload),
            payload_type: payload_type.to_owned(),
            signatures: Vec::new(),
        }
    }

    /// Reads an envelope from JSON, strictly.
    pub fn from_json(json: &[u8]) -> Result<Self, DsseError> {
        if json.len() > MAX_ENVELOPE {
            return Err(DsseError::TooLarge(json.len()));
        }
        let envelope: Self =
            serde_json::from_slice(json).map_err(|error| DsseError::Malformed(error.to_string()))?;
        if envelope.signatures.len() > MAX_SIGNATURES {
            return Err(DsseError::Malformed(format!("more than {MAX_SIGNATURES} signatures")));
        }
        Ok(envelope)
    }

    /// The envelope as indented JSON with a line feed at its end.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }

    /// What the payload claims to be.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// How many signatures there are, verified or not.
    pub fn signature_count(&self) -> usize {
        self.signatures.len()
    }

    /// The payload without any check of who signed it: for display and for signing, never for use.
    pub fn unverified_payload(&self) -> Result<Vec<u8>, DsseError> {
        STANDARD.decode(&self.payload).map_err(|_| DsseError::Malformed("payload is not base64".into()))
    }

    /// Adds a signature, in place of an earlier one by the same key.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), DsseError> {
        let payload = self.unverified_payload()?;
        let signature = key.sign(&pre_authentication_encoding(&self.payload_type, &payload));
        let keyid = AdminKey::from(key.verifying_key()).id();
        self.signatures.retain(|existing| existing.keyid != keyid);
        self.signatures.push(EnvelopeSignature { keyid, sig: STANDARD.encode(signature.to_bytes()) });
        self.signatures.sort_by_key(|signature| signature.keyid);
        Ok(())
    }

    /// The payload, if it is of this type and `threshold` distinct keys of `admins` signed it.
    ///
    /// Signatures of other keys are passed over (a statement may carry those of an earlier quorum);
    /// a signature that names an admin key and does not verify is an error.
    pub fn verify(
        &self,
        payload_type: &'static str,
        admins: &[AdminKey],
        threshold: usize,
    ) -> Result<Vec<u8>, DsseError> {
        self.verify_signers(payload_type, admins, threshold).map(|(payload, _)| payload)
    }

    /// As [`Self::verify`], and which of `admins` signed, by their places.
    pub fn verify_signers(
        &self,
        payload_type: &'static str,
        admins: &[AdminKey],
        threshold: usize,
    ) -> Result<(Vec<u8>, Vec<usize>), DsseError> {
        if self.payload_type != payload_type {
            return Err(DsseError::WrongType { expected: payload_type, found: self.payload_type.clone() });
        }
        let payload = self.unverified_payload()?;
        let signed = pre_authentication_encoding(payload_type, &payload);
        let ids: Vec<HexBytes<32>> = admins.iter().map(AdminKey::id).collect();
        let mut valid: Vec<usize> = Vec::new();
        for signature in &self.signatures {
            // The first of equal keys: a key that is listed twice is one signer.
            let Some(place) = ids.iter().position(|id| *id == signature.keyid) else { continue };
            if valid.contains(&place) {
                return Err(DsseError::DuplicateKey(signature.keyid.to_string()));
            }
            if !admins.get(place).is_some_and(|admin| verifies(admin.key(), &signed, &signature.sig)) {
                return Err(DsseError::BadSignature(signature.keyid.to_string()));
            }
            valid.push(place);
        }
        // A threshold of zero would accept everything; configurations cannot have one, and neither
        // can a mistake here.
        let required = threshold.max(1);
        if valid.len() < required {
            return Err(DsseError::Quorum { required, found: valid.len() });
        }
        Ok((payload, valid))
    }
}

/// `DSSEv1 SP len(type) SP type SP len(payload) SP payload`: the bytes that are signed.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn verifies(key: &VerifyingKey, message: &[u8], signature: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(signature) else { return false };
    let Ok(signature) = Signature::from_slice(&bytes) else { return false };
    // Strict: no small-order keys, no malleable encodings.
    key.verify_strict(message, &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "application/vnd.test+json";

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn admins(seeds: &[u8]) -> Vec<AdminKey> {
        seeds.iter().map(|seed| key(*seed).verifying_key().into()).collect()
    }

    fn signed(seeds: &[u8]) -> Envelope {
        let mut envelope = Envelope::unsigned(TYPE, b"{}");
        for seed in seeds {
            envelope.sign(&key(*seed)).unwrap();
        }
        envelope
    }

    #[test]
    fn the_encoding_is_the_specifications() {
        let encoding = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoding, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn a_quorum_is_of_distinct_admin_keys() {
        let (_, signers) = signed(&[3, 1]).verify_signers(TYPE, &admins(&[1, 2, 3]), 2).unwrap();
        assert!(signers.len() == 2 && signers.contains(&0) && signers.contains(&2));
        let listed_twice = signed(&[1]).verify_signers(TYPE, &admins(&[1, 1]), 2);
        assert_eq!(listed_twice, Err(DsseError::Quorum { required: 2, found: 1 }));
        assert_eq!(signed(&[1, 2]).verify(TYPE, &admins(&[1, 2, 3]), 2).unwrap(), b"{}");
        let once = signed(&[1]);
        assert_eq!(
            once.verify(TYPE, &admins(&[1, 2, 3]), 2),
            Err(DsseError::Quorum { required: 2, found: 1 })
        );
        let stranger = signed(&[1, 9]);
        assert_eq!(
            stranger.verify(TYPE, &admins(&[1, 2, 3]), 2),
            Err(DsseError::Quorum { required: 2, found: 1 })
        );
        let mut twice = signed(&[1]);
        twice.signatures.push(twice.signatures[0].clone());
        assert!(matches!(twice.verify(TYPE, &admins(&[1, 2]), 2), Err(DsseError::DuplicateKey(_))));
        assert_eq!(
            signed(&[]).verify(TYPE, &admins(&[1]), 0),
            Err(DsseError::Quorum { required: 1, found: 0 })
        );
    }

    #[test]
    fn a_signature_covers_type_and_payload() {
        let mut other_payload = signed(&[1]);
        other_payload.payload = STANDARD.encode(b"{ }");
        assert!(matches!(other_payload.verify(TYPE, &admins(&[1]), 1), Err(DsseError::BadSignature(_))));
        let mut other_type = signed(&[1]);
        other_type.payload_type = "application/other".into();
        assert!(matches!(other_type.verify(TYPE, &admins(&[1]), 1), Err(DsseError::WrongType { .. })));
        assert!(matches!(
            other_type.verify("application/other", &admins(&[1]), 1),
            Err(DsseError::BadSignature(_))
        ));
    }

    #[test]
    fn json_is_strict() {
        let json = signed(&[1]).to_json().unwrap();
        assert!(Envelope::from_json(json.as_bytes()).is_ok());
        let unknown = json.replacen('{', "{\"extra\":1,", 1);
        let duplicate = json.replacen('{', "{\"payload\":\"e30=\",", 1);
        let trailing = format!("{json}{{}}");
        for bad in [unknown, duplicate, trailing] {
            assert!(matches!(Envelope::from_json(bad.as_bytes()), Err(DsseError::Malformed(_))), "{bad}");
        }
        assert!(matches!(Envelope::from_json(&vec![b' '; MAX_ENVELOPE + 1]), Err(DsseError::TooLarge(_))));
    }
}
