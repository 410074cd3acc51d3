//! Whom the enclave believes to be KMS. The answer is part of the measured image.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider, version::TLS13};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use signer_rules::statement::KmsTrust;

use crate::clock::Clock;

/// The roots that certify KMS.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: Arc<RootCertStore>,
    kind: KmsTrust,
}

/// Why there are no roots.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A certificate is not in PEM, or not one that can be a root.
    #[error("the roots are not readable certificates")]
    Unreadable,
    /// There is none.
    #[error("there are no roots")]
    None,
    /// The TLS provider lacks TLS 1.3.
    #[error("the TLS provider lacks TLS 1.3")]
    Protocol,
    /// A built-in root is not the one that Amazon publishes.
    #[error("a built-in root is not Amazon's")]
    NotAmazons,
}

/// SHA-256 of the built-in certificates, in the order of the file: Amazon Root CA 1 to 4, Starfield
/// Services Root Certificate Authority - G2.
const AMAZON: [&str; 5] = [
    "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
    "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
    "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
    "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
    "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
];

impl Trust {
    /// Amazon's roots, which are built in: every production image.
    pub fn amazon() -> Result<Self, TrustError> {
        let certificates = read(include_bytes!("amazon-roots.pem"))?;
        let digests: Vec<String> =
            certificates.iter().map(|certificate| hex::encode(digest(&SHA256, certificate))).collect();
        if digests != AMAZON {
            return Err(TrustError::NotAmazons);
        }
        Self::new(certificates, KmsTrust::Amazon)
    }

    /// The roots of a file that the image holds: a development image, with other measurements, and
    /// a statement that says so.
    pub fn of_image(pem: &[u8]) -> Result<Self, TrustError> {
        Self::new(read(pem)?, KmsTrust::Image)
    }

    /// Which of the two it is, for the attested statement.
    pub fn kind(&self) -> KmsTrust {
        self.kind
    }

    /// TLS 1.3 only, with the hybrid post-quantum key exchange (X25519MLKEM768) offered first.
    pub(super) fn client_config(&self, clock: &Clock) -> Result<Arc<ClientConfig>, TrustError> {
        let provider = Arc::new(default_provider());
        let builder = ClientConfig::builder_with_details(provider, Arc::new(clock.clone()))
            .with_protocol_versions(&[&TLS13])
            .map_err(|_| TrustError::Protocol)?;
        Ok(Arc::new(builder.with_root_certificates(self.roots.clone()).with_no_client_auth()))
    }

    fn new(certificates: Vec<CertificateDer<'static>>, kind: KmsTrust) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(|_| TrustError::Unreadable)?;
        }
        if roots.is_empty() {
            return Err(TrustError::None);
        }
        Ok(Self { roots: Arc::new(roots), kind })
    }
}

fn read(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| TrustError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_roots_are_amazons() {
        let trust = Trust::amazon().unwrap();
        assert_eq!((trust.roots.len(), trust.kind()), (5, KmsTrust::Amazon));
    }

    #[test]
    fn key_exchange_is_post_quantum_first() {
        let config = Trust::amazon().unwrap().client_config(&Clock::default()).unwrap();
        let first = config.crypto_provider().kx_groups.first().unwrap().name();
        assert_eq!(first, rustls::NamedGroup::X25519MLKEM768);
    }

    #[test]
    fn an_image_without_roots_does_not_start() {
        assert!(matches!(Trust::of_image(b""), Err(TrustError::None)));
        assert!(Trust::of_image(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}
