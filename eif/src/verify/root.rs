//! The certificate that every chain must start at.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use x509_cert::{Certificate, der::Decode as _};

use super::VerifyError;

/// SHA-256 of the DER form of AWS's root, `aws.nitro-enclaves`, valid from 2019-10-28 to 2049-10-28. (The digest on
/// AWS's page is that of the zip file around it.)
const AWS_NITRO_ROOT_G1: [u8; 32] = [
    0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef, 0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6, 0x06, 0x31, 0x7e,
    0xd7, 0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0, 0x98, 0x93, 0xf3, 0xc6, 0x8f, 0x79, 0xbb, 0x5b,
];

/// A trusted root, pinned by the SHA-256 digest of its DER form. Documents carry the certificate itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Root {
    digest: [u8; 32],
}

impl Root {
    /// The root of all AWS Nitro Enclaves.
    pub const fn aws() -> Self {
        Self { digest: AWS_NITRO_ROOT_G1 }
    }

    /// A root given as one PEM certificate, for emulators and for the option `--root`.
    pub fn from_pem(pem: &str) -> Result<Self, VerifyError> {
        let mut certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
        let Some(certificate) = certificates.next() else {
            return Err(unusable("no certificate in the PEM text"));
        };
        let certificate = certificate.map_err(unusable)?;
        if certificates.next().is_some() {
            return Err(unusable("more than one certificate in the PEM text"));
        }
        Self::from_der(&certificate)
    }

    /// A root given as a DER certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, VerifyError> {
        Certificate::from_der(der).map_err(unusable)?;
        Ok(Self { digest: sha256(der) })
    }

    /// SHA-256 of the DER form.
    pub const fn fingerprint(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether `der` is this root.
    pub(super) fn check(&self, der: &[u8]) -> Result<(), VerifyError> {
        let actual = sha256(der);
        if actual == self.digest {
            return Ok(());
        }
        Err(VerifyError::WrongRoot { expected: hex::encode(self.digest), actual: hex::encode(actual) })
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root({})", hex::encode(self.digest))
    }
}

fn unusable(reason: impl fmt::Display) -> VerifyError {
    VerifyError::UnusableRoot { reason: reason.to_string() }
}

fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, data).as_ref());
    out
}
