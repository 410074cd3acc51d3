//! The encodings that signing and checking share.

use minicbor::Encoder;
use x509_cert::{
    Certificate,
    der::{
        Decode as _,
        oid::{ObjectIdentifier, db::rfc5912},
    },
};

use super::CheckError;
use crate::measure::Pcr;

/// A public key on a NIST curve.
pub(super) struct CurveKey {
    pub(super) curve: ObjectIdentifier,
    /// Uncompressed.
    pub(super) point: Vec<u8>,
}

/// What is signed for an image with this PCR0, as `nitro-cli` encodes it.
pub(super) fn payload(pcr0: &Pcr) -> Vec<u8> {
    encoded(|e| {
        e.map(2)?.str("register_index")?.u8(0)?.str("register_value")?;
        super::numbers(e, &pcr0.0)
    })
}

/// What a `COSE_Sign1` signs (RFC 9052, section 4.4).
pub(super) fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    encoded(|e| e.array(4)?.str("Signature1")?.bytes(protected)?.bytes(&[])?.bytes(payload)?.ok())
}

/// What `write` writes. Writing to memory does not fail.
pub(super) fn encoded(
    write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<std::convert::Infallible>>,
) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    match write(&mut encoder) {
        Ok(()) => encoder.into_writer(),
        Err(_) => Vec::new(),
    }
}

/// The public key of a certificate.
pub(super) fn certificate_key(der: &[u8]) -> Result<CurveKey, CheckError> {
    let certificate =
        Certificate::from_der(der).map_err(|error| CheckError::Certificate { reason: error.to_string() })?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    let parameters = key.algorithm.parameters.as_ref();
    let curve = parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
    match (curve, key.subject_public_key.as_bytes()) {
        (Some(curve), Some(point)) if key.algorithm.oid == rfc5912::ID_EC_PUBLIC_KEY => {
            Ok(CurveKey { curve, point: point.to_vec() })
        }
        _ => Err(CheckError::KeyType),
    }
}
