//! The signature section of an image, from which PCR8 comes.
//!
//! It is a CBOR array with one map `{signing_certificate: PEM, signature: COSE_Sign1}`; what is signed is the CBOR map
//! `{register_index: 0, register_value: PCR0}`. A signature says that the holder of the key approved PCR0; the
//! certificate is self-signed or not, nobody looks at its chain, and the hypervisor puts its digest into PCR8.
//!
//! Byte strings are written as arrays of numbers, as `nitro-cli` does; both are read.

mod check;
mod error;
mod section;
#[cfg(test)]
mod tests;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use minicbor::{Encoder, encode::write::Write};
use p384::{
    SecretKey,
    ecdsa::{Signature, SigningKey, signature::Signer as _},
    pkcs8::DecodePrivateKey as _,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

pub use check::{Signed, certificate, check};
pub use error::{CheckError, SignError};

use crate::measure::Pcr;

/// `{1: -35}`: ES384.
const PROTECTED_ES384: [u8; 4] = [0xa1, 0x01, 0x38, 0x22];

/// A key and its certificate. No `Debug`, no `Clone`; the key is wiped when dropped.
pub struct ImageSigner {
    key: SigningKey,
    certificate_pem: String,
    certificate_der: Vec<u8>,
}

impl ImageSigner {
    /// Takes a P-384 private key (PKCS#8 or SEC 1, in PEM) and one certificate of its public key (PEM).
    pub fn from_pem(key: &[u8], certificate: &[u8]) -> Result<Self, SignError> {
        let key = SigningKey::from(private_key(key)?);
        let (certificate_pem, certificate_der) = one_certificate(certificate)?;
        let public = section::certificate_key(&certificate_der)
            .map_err(|error| SignError::Certificate { reason: error.to_string() })?;
        if public.point != key.verifying_key().to_sec1_point(false).as_bytes() {
            return Err(SignError::OtherKey);
        }
        Ok(Self { key, certificate_pem, certificate_der })
    }

    /// The certificate in DER: PCR8 is made of it.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate_der
    }

    /// The content of the signature section of an image with this PCR0. The same key and PCR0 always give the same bytes.
    pub fn section(&self, pcr0: &Pcr) -> Result<Vec<u8>, SignError> {
        let payload = section::payload(pcr0);
        let signed = section::sig_structure(&PROTECTED_ES384, &payload);
        // Deterministic nonces (RFC 6979), hashed with SHA-384.
        let signature: Signature = self.key.try_sign(&signed).map_err(|_| SignError::Signing)?;

        let message = section::encoded(|e| {
            e.array(4)?.bytes(&PROTECTED_ES384)?.map(0)?.bytes(&payload)?.bytes(&signature.to_bytes())?.ok()
        });
        Ok(section::encoded(|e| {
            e.array(1)?.map(2)?.str("signing_certificate")?;
            numbers(e, self.certificate_pem.as_bytes())?;
            e.str("signature")?;
            numbers(e, &message)
        }))
    }
}

fn private_key(pem: &[u8]) -> Result<SecretKey, SignError> {
    let unusable = |reason: &str| SignError::Key { reason: reason.to_owned() };
    if pem.windows(9).any(|window| window == b"ENCRYPTED") {
        return Err(unusable("it is encrypted; decrypt it with openssl pkey -in FILE -out OTHER"));
    }
    let der = PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| unusable("there is no private key in the PEM text"))?;
    let key = match &der {
        PrivateKeyDer::Pkcs8(der) => SecretKey::from_pkcs8_der(der.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Sec1(der) => SecretKey::from_sec1_der(der.secret_sec1_der()).ok(),
        _ => None,
    };
    key.ok_or_else(|| unusable("it is no P-384 key; make one with openssl ecparam -name secp384r1 -genkey"))
}

/// The one certificate of a PEM text, as PEM of its own and as DER. Of the text itself nothing is kept: it goes into an
/// image that is published, and the file may hold the private key, too.
fn one_certificate(pem: &[u8]) -> Result<(String, Vec<u8>), SignError> {
    let unusable = |reason: &str| SignError::Certificate { reason: reason.to_owned() };
    let mut found = CertificateDer::pem_slice_iter(pem);
    let Some(Ok(der)) = found.next() else {
        return Err(unusable("there is no certificate in the PEM text"));
    };
    if found.next().is_some() {
        return Err(unusable(
            "there is more than one certificate in the PEM text; the image takes the signer's alone",
        ));
    }
    Ok((certificate_pem(&der), der.to_vec()))
}

/// PEM as `openssl` writes it, in lines of 64 columns.
fn certificate_pem(der: &[u8]) -> String {
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    // 48 bytes are 64 digits.
    for line in der.chunks(48) {
        STANDARD.encode_string(line, &mut pem);
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

/// A byte string, as `nitro-cli` writes it: an array of numbers.
fn numbers<W: Write>(
    encoder: &mut Encoder<W>,
    bytes: &[u8],
) -> Result<(), minicbor::encode::Error<W::Error>> {
    encoder.array(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
    for byte in bytes {
        encoder.u8(*byte)?;
    }
    Ok(())
}
