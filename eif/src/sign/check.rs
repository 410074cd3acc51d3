//! Reading a signature section.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, EcdsaVerificationAlgorithm,
    UnparsedPublicKey,
};
use minicbor::{Decoder, data::Type, decode::Error as CborError};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use x509_cert::{
    Certificate,
    der::{
        Decode as _,
        oid::{ObjectIdentifier, db::rfc5912},
    },
};

use super::{CheckError, PROTECTED_ES384, section};
use crate::measure::Pcr;

/// The largest section that is read, in bytes. Real ones have about 2 KiB.
pub(super) const MAX_SECTION: usize = 128 * 1024;

/// Who signed an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The certificate in DER.
    pub certificate: Vec<u8>,
    /// Its subject. Whoever made the certificate chose it.
    pub subject: String,
    /// Before and after these times, in seconds since 1970, the certificate is not valid; `nitro-cli` then refuses to
    /// start the image.
    pub valid: (u64, u64),
}

/// A curve, its algorithm, and the protected header that names it.
type Row = (ObjectIdentifier, &'static EcdsaVerificationAlgorithm, &'static [u8]);

/// The algorithms with which `nitro-cli` signs.
const ALGORITHMS: [Row; 3] = [
    (rfc5912::SECP_256_R_1, &ECDSA_P256_SHA256_FIXED, &[0xa1, 0x01, 0x26]),
    (rfc5912::SECP_384_R_1, &ECDSA_P384_SHA384_FIXED, &PROTECTED_ES384),
    (rfc5912::SECP_521_R_1, &ECDSA_P521_SHA512_FIXED, &[0xa1, 0x01, 0x38, 0x23]),
];

/// The certificate in a signature section, in DER. Whether anything was signed with it is not looked at.
pub fn certificate(section: &[u8]) -> Result<Vec<u8>, CheckError> {
    Parts::read(section)?.certificate()
}

/// Checks that the section's certificate signed an image with this PCR0. Neither the certificate's chain nor its time
/// is judged.
pub fn check(section: &[u8], pcr0: &Pcr) -> Result<Signed, CheckError> {
    let parts = Parts::read(section)?;
    let der = parts.certificate()?;
    let signed = describe(&der)?;
    let key = section::certificate_key(&der)?;
    let (_, algorithm, expected_header) =
        ALGORITHMS.iter().find(|(curve, ..)| *curve == key.curve).ok_or(CheckError::KeyType)?;

    let message = Message::read(&parts.signature).map_err(|error| malformed(&error))?;
    if message.protected != *expected_header {
        return Err(CheckError::Algorithm { actual: hex::encode(message.protected) });
    }
    UnparsedPublicKey::new(*algorithm, &key.point)
        .verify(&section::sig_structure(message.protected, message.payload), message.signature)
        .map_err(|_| CheckError::BadSignature)?;
    if message.payload != section::payload(pcr0) {
        return Err(CheckError::OtherImage { actual: hex::encode(message.payload) });
    }
    Ok(signed)
}

/// The two members of the section's one map.
struct Parts {
    certificate_pem: Vec<u8>,
    signature: Vec<u8>,
}

impl Parts {
    fn read(section: &[u8]) -> Result<Self, CheckError> {
        if section.len() > MAX_SECTION {
            return Err(CheckError::TooLarge { actual: section.len() });
        }
        let mut decoder = Decoder::new(section);
        let count = decoder.array().map_err(|error| malformed(&error))?;
        if count != Some(1) {
            return Err(CheckError::Count { actual: count.unwrap_or_default() });
        }
        Self::read_map(&mut decoder)
            .and_then(|parts| match decoder.position() {
                position if position == section.len() => Ok(parts),
                _ => Err(CborError::message("bytes follow the array")),
            })
            .map_err(|error| malformed(&error))
    }

    fn read_map(decoder: &mut Decoder<'_>) -> Result<Self, CborError> {
        let (mut certificate_pem, mut signature) = (None, None);
        if decoder.map()? != Some(2) {
            return Err(CborError::message("not a map of two members"));
        }
        for _ in 0..2 {
            let slot = match decoder.str()? {
                "signing_certificate" => &mut certificate_pem,
                "signature" => &mut signature,
                _ => return Err(CborError::message("a member that is not known")),
            };
            if slot.replace(bytes_or_numbers(decoder)?).is_some() {
                return Err(CborError::message("a member twice"));
            }
        }
        match (certificate_pem, signature) {
            (Some(certificate_pem), Some(signature)) => Ok(Self { certificate_pem, signature }),
            _ => Err(CborError::message("a member is absent")),
        }
    }

    /// The first certificate of the PEM text: the hypervisor looks at no other.
    fn certificate(&self) -> Result<Vec<u8>, CheckError> {
        let found = CertificateDer::from_pem_slice(&self.certificate_pem);
        let der = found.map_err(|error| CheckError::Certificate { reason: error.to_string() })?;
        Certificate::from_der(&der).map_err(|error| CheckError::Certificate { reason: error.to_string() })?;
        Ok(der.to_vec())
    }
}

/// The parts of an untagged `COSE_Sign1`.
struct Message<'a> {
    protected: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, CborError> {
        let mut decoder = Decoder::new(bytes);
        if decoder.array()? != Some(4) {
            return Err(CborError::message("the signature is no COSE_Sign1"));
        }
        let protected = decoder.bytes()?;
        if decoder.map()? != Some(0) {
            return Err(CborError::message("the signature has an unprotected header"));
        }
        let message = Self { protected, payload: decoder.bytes()?, signature: decoder.bytes()? };
        if decoder.position() != bytes.len() {
            return Err(CborError::message("bytes follow the signature"));
        }
        Ok(message)
    }
}

/// A byte string, or an array of numbers.
fn bytes_or_numbers(decoder: &mut Decoder<'_>) -> Result<Vec<u8>, CborError> {
    if decoder.datatype()? == Type::Bytes {
        return decoder.bytes().map(<[u8]>::to_vec);
    }
    // Each number takes a byte at least, so the section's size bounds them.
    decoder.array_iter::<u8>()?.collect()
}

fn describe(der: &[u8]) -> Result<Signed, CheckError> {
    let certificate =
        Certificate::from_der(der).map_err(|error| CheckError::Certificate { reason: error.to_string() })?;
    let body = certificate.tbs_certificate();
    let validity = body.validity();
    Ok(Signed {
        certificate: der.to_vec(),
        subject: body.subject().to_string(),
        valid: (
            validity.not_before.to_unix_duration().as_secs(),
            validity.not_after.to_unix_duration().as_secs(),
        ),
    })
}

fn malformed(error: &CborError) -> CheckError {
    CheckError::Malformed { reason: error.to_string() }
}
