//! The envelope: an untagged `COSE_Sign1` with ES384 (RFC 9052, section 4.2).

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use minicbor::{Decoder, Encoder, data::Type, decode::Error as CborError};

use super::VerifyError;

/// Where malformed CBOR is the envelope's.
pub(crate) const ENVELOPE: &str = "COSE_Sign1";

/// `{1: -35}`: the algorithm is ES384, and there is no other header.
pub(super) const PROTECTED_ES384: [u8; 4] = [0xa1, 0x01, 0x38, 0x22];

/// An ES384 signature: r and s, 48 bytes each.
pub(super) const SIGNATURE_LENGTH: usize = 96;

/// The parts of a message, as received.
pub(super) struct Message<'a> {
    protected: &'a [u8],
    pub(super) payload: &'a [u8],
    signature: &'a [u8],
}

/// Takes the envelope apart. Nothing is authenticated yet.
pub(super) fn parse(bytes: &[u8]) -> Result<Message<'_>, VerifyError> {
    let mut decoder = Decoder::new(bytes);
    match decoder.datatype().map_err(malformed)? {
        Type::Array => {}
        Type::Tag => return Err(VerifyError::Tagged),
        other => return Err(not_cose(format!("found {other}"))),
    }
    match decoder.array().map_err(malformed)? {
        Some(4) => {}
        length => return Err(not_cose(format!("found an array of {length:?} items"))),
    }

    let protected = decoder.bytes().map_err(malformed)?;
    if protected != PROTECTED_ES384 {
        return Err(VerifyError::ProtectedHeader { actual: hex::encode(protected) });
    }
    if decoder.map().map_err(malformed)? != Some(0) {
        return Err(VerifyError::UnprotectedHeader);
    }
    let payload = decoder.bytes().map_err(malformed)?;
    let signature = decoder.bytes().map_err(malformed)?;
    if signature.len() != SIGNATURE_LENGTH {
        return Err(VerifyError::SignatureLength { actual: signature.len() });
    }

    let left = bytes.len().saturating_sub(decoder.position());
    if left != 0 {
        return Err(VerifyError::TrailingBytes { count: left });
    }
    if bytes.len() != shortest(payload.len()) {
        return Err(VerifyError::NotShortestForm);
    }
    Ok(Message { protected, payload, signature })
}

/// Checks the signature with `key`, an uncompressed point on P-384. High and low s are both accepted: AWS sends both.
pub(super) fn verify_signature(message: &Message<'_>, key: &[u8]) -> Result<(), VerifyError> {
    let signed = sig_structure(message.protected, message.payload)?;
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
        .verify(&signed, message.signature)
        .map_err(|_| VerifyError::BadSignature)
}

/// What is signed: `["Signature1", protected, h'', payload]`, over the bytes as received.
pub(super) fn sig_structure(protected: &[u8], payload: &[u8]) -> Result<Vec<u8>, VerifyError> {
    let mut encoder = Encoder::new(Vec::new());
    encoder
        .array(4)
        .and_then(|e| e.str("Signature1"))
        .and_then(|e| e.bytes(protected))
        .and_then(|e| e.bytes(&[]))
        .and_then(|e| e.bytes(payload))
        .map_err(|e| VerifyError::Malformed { place: ENVELOPE, reason: e.to_string() })?;
    Ok(encoder.into_writer())
}

/// The length of an envelope whose lengths are all written in the fewest bytes. The envelope's own framing is not
/// signed; with this, one document has one framing.
fn shortest(payload: usize) -> usize {
    let head = match payload {
        0..24 => 1_usize,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        _ => 5,
    };
    // array(4), bstr head, protected, map(0), payload head, payload, signature head, signature
    [1, 1, PROTECTED_ES384.len(), 1, head, payload, 2, SIGNATURE_LENGTH]
        .into_iter()
        .fold(0, usize::saturating_add)
}

fn not_cose(reason: String) -> VerifyError {
    VerifyError::NotCoseSign1 { reason }
}

// Used as a function by `map_err`, which passes the error by value.
#[allow(clippy::needless_pass_by_value)]
fn malformed(error: CborError) -> VerifyError {
    VerifyError::Malformed { place: ENVELOPE, reason: error.to_string() }
}
