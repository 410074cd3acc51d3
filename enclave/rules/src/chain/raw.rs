//! Digests and messages that are signed unseen, for chains that the enclave does not know.
//!
//! Nothing can be told of them but the bytes: a rule that allows them gives the key away for everything that a chain
//! would take such a signature for.

use super::evm::signed_hash;
use super::facts::{Facts, RawDigestFacts, RawMessageFacts};
use super::json::parse_bytes;
use super::signed::SignedRawMessage;
use super::{Curve, RawSignature, Rejection, SignBody, Signable, Signed, Signer, SigningInput, absent};

/// The longest raw message, in bytes.
const MAX_MESSAGE_LEN: usize = 64 * 1024;

struct RawDigest(Facts, [u8; 32]);

struct RawMessage(Facts, Vec<u8>);

/// Parses `raw.digest`: `digest`, 32 bytes of hex.
pub(super) fn parse_digest(
    body: &SignBody<'_>,
    _signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    let text = body.digest.ok_or_else(|| absent("digest"))?;
    let wrong = || Rejection::new("digest", "must be 0x followed by 64 hex digits: 32 bytes");
    let bytes = parse_bytes(text).map_err(|_| wrong())?;
    let digest = bytes.try_into().map_err(|_| wrong())?;
    Ok(Box::new(RawDigest(Facts::RawDigest(RawDigestFacts { digest }), digest)))
}

/// Parses `raw.message`: `message`, bytes as hex.
pub(super) fn parse_message(
    body: &SignBody<'_>,
    _signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    let text = body.message.ok_or_else(|| absent("message"))?;
    let message = parse_bytes(text).map_err(|message| Rejection::new("message", message))?;
    if message.is_empty() || message.len() > MAX_MESSAGE_LEN {
        return Err(Rejection::new("message", format!("must be 1 to {MAX_MESSAGE_LEN} bytes")));
    }
    let facts = Facts::RawMessage(RawMessageFacts { message: message.clone() });
    Ok(Box::new(RawMessage(facts, message)))
}

impl Signable for RawDigest {
    fn facts(&self) -> &Facts {
        &self.0
    }

    fn curve(&self) -> Curve {
        Curve::Secp256k1
    }

    fn signing_input(&self) -> SigningInput<'_> {
        SigningInput::Prehash(self.1)
    }

    fn finish(&self, signature: &RawSignature) -> Result<Signed, Rejection> {
        signed_hash(self.1, signature)
    }
}

impl Signable for RawMessage {
    fn facts(&self) -> &Facts {
        &self.0
    }

    fn curve(&self) -> Curve {
        Curve::Ed25519
    }

    fn signing_input(&self) -> SigningInput<'_> {
        SigningInput::Message(&self.1)
    }

    fn finish(&self, signature: &RawSignature) -> Result<Signed, Rejection> {
        let RawSignature::Ed25519(signature) = *signature else {
            return Err(Rejection::new("signature", "must be made with an Ed25519 key"));
        };
        Ok(Signed::RawMessage(SignedRawMessage { signature }))
    }
}
