//! EIP-191 messages, version 0x45 ("personal message"): the prefix makes sure that no Ethereum transaction can be hidden in
//! one. (Other chains may take such a message, signed by the same key, for a transaction of their own.)

use super::{keccak256, signature::signed_hash};
use crate::chain::facts::{EvmMessageFacts, Facts};
use crate::chain::json::parse_bytes;
use crate::chain::{
    Curve, RawSignature, Rejection, SignBody, Signable, Signed, Signer, SigningInput, absent,
};

/// The longest message, in bytes.
const MAX_LEN: usize = 64 * 1024;

struct EvmMessage {
    facts: Facts,
    signing_hash: [u8; 32],
}

/// Parses `evm.message`: `message` (hex) or `text`.
pub(in crate::chain) fn parse(
    body: &SignBody<'_>,
    _signer: Option<&Signer>,
) -> Result<Box<dyn Signable>, Rejection> {
    let (member, message) = match (body.message, body.text) {
        (Some(hex), _) => {
            ("message", parse_bytes(hex).map_err(|message| Rejection::new("message", message))?)
        }
        (None, Some(text)) => ("text", text.as_bytes().to_vec()),
        (None, None) => return Err(absent("message")),
    };
    if message.len() > MAX_LEN {
        return Err(Rejection::new(member, format!("must be at most {MAX_LEN} bytes")));
    }
    let signing_hash = hash(&message);
    let text = String::from_utf8(message.clone()).ok();
    let facts = Facts::EvmMessage(EvmMessageFacts { message, text });
    Ok(Box::new(EvmMessage { facts, signing_hash }))
}

/// Keccak-256 of the prefix, the length in decimal, and the message.
fn hash(message: &[u8]) -> [u8; 32] {
    let prefix = format!("\x19Ethereum Signed Message:\n{}", message.len());
    keccak256(&[prefix.as_bytes(), message].concat())
}

impl Signable for EvmMessage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn curve(&self) -> Curve {
        Curve::Secp256k1
    }

    fn signing_input(&self) -> SigningInput<'_> {
        SigningInput::Prehash(self.signing_hash)
    }

    fn finish(&self, signature: &RawSignature) -> Result<Signed, Rejection> {
        signed_hash(self.signing_hash, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts_of(body: &SignBody<'_>) -> Result<Facts, Rejection> {
        parse(body, None).map(|signable| signable.facts().clone())
    }

    #[test]
    fn the_hash_is_that_of_eip_191() {
        // From go-ethereum's accounts/accounts_test.go.
        assert_eq!(
            hex::encode(hash(b"Hello Joe")),
            "a080337ae51c4e064c189e113edd0ba391df9206e2f49db658bb32cf2911730b"
        );
    }

    #[test]
    fn text_and_bytes_are_the_same_message() {
        let text = SignBody { text: Some("Grüezi"), ..SignBody::default() };
        let bytes = SignBody { message: Some("0x4772c3bc657a69"), ..SignBody::default() };
        assert_eq!(facts_of(&text).unwrap(), facts_of(&bytes).unwrap());
        let binary = SignBody { message: Some("0xff"), ..SignBody::default() };
        assert!(matches!(facts_of(&binary).unwrap(), Facts::EvmMessage(EvmMessageFacts { text: None, .. })));
    }

    #[test]
    fn other_messages_are_refused() {
        let long = format!("0x{}", "00".repeat(MAX_LEN + 1));
        for message in ["", "00", "0x0", "0xzz", "hello", &long] {
            let body = SignBody { message: Some(message), ..SignBody::default() };
            assert_eq!(facts_of(&body).unwrap_err().field, "message");
        }
        let text = "x".repeat(MAX_LEN + 1);
        let body = SignBody { text: Some(&text), ..SignBody::default() };
        assert_eq!(facts_of(&body).unwrap_err().field, "text");
    }
}
