//! The certificate chain: pinned root > regional > zonal > instance > signing certificate.
//!
//! webpki builds and checks the path (names, signatures, validity, CA flag, path lengths, critical extensions). What it
//! leaves out is checked here first: algorithms, key usage, the root's own limits, and that nothing in the bundle is
//! unused or out of order.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    Cert, EndEntityCert, Error as WebpkiError, KeyUsage as ExtendedKeyUsage, VerifiedPath,
    anchor_from_trusted_cert, aws_lc_rs::ECDSA_P384_SHA384,
};
use x509_cert::{
    Certificate,
    der::{Decode as _, asn1::ObjectIdentifier},
    ext::pkix::{BasicConstraints, KeyUsage},
};

use super::{Position, Root, VerifyError, document::Payload};

const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// A P-384 point without compression: 04, x, y.
const POINT_LENGTH: usize = 97;

/// anyExtendedKeyUsage (2.5.29.37.0): AWS's certificates have no extended key usage, and one that is restricted to some
/// other use is not for signing documents.
const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];

/// Verifies the chain at the document's own timestamp. Returns the signing certificate's key, an uncompressed point.
pub(super) fn verify(payload: &Payload<'_>, root: &Root) -> Result<Vec<u8>, VerifyError> {
    let time = Duration::from_millis(payload.document.timestamp_ms);
    let Some((&root_der, intermediates)) = payload.cabundle.split_first() else {
        return Err(VerifyError::BundleEmpty);
    };
    root.check(root_der)?;

    check_root(root_der, intermediates.len(), time)?;
    for (der, number) in intermediates.iter().zip(1..) {
        check_ca(der, Position::Bundle(number))?;
    }
    let key = check_leaf(&payload.document.certificate)?;
    check_path(&payload.document.certificate, root_der, intermediates, time)?;
    Ok(key)
}

/// webpki takes a trust anchor on faith, but for its name and key.
fn check_root(der: &[u8], intermediates: usize, time: Duration) -> Result<(), VerifyError> {
    let position = Position::Bundle(0);
    let constraints = check_ca(der, position)?;
    if let Some(limit) = constraints.path_len_constraint
        && intermediates > usize::from(limit)
    {
        return Err(VerifyError::PathLength);
    }
    let certificate = parse(der, position)?;
    let validity = certificate.tbs_certificate().validity();
    if time < validity.not_before.to_unix_duration() || time > validity.not_after.to_unix_duration() {
        return Err(VerifyError::CertificateTime { reason: format!("{position} is not valid") });
    }
    Ok(())
}

fn check_ca(der: &[u8], position: Position) -> Result<BasicConstraints, VerifyError> {
    let certificate = parse(der, position)?;
    check_algorithms(&certificate, position)?;
    if !key_usage(&certificate, position)?.is_some_and(|usage| usage.key_cert_sign()) {
        return Err(VerifyError::KeyUsage { position, needed: "keyCertSign" });
    }
    match basic_constraints(&certificate, position)? {
        Some(constraints) if constraints.ca => Ok(constraints),
        _ => Err(VerifyError::NotCa { position }),
    }
}

fn check_leaf(der: &[u8]) -> Result<Vec<u8>, VerifyError> {
    let position = Position::Leaf;
    let certificate = parse(der, position)?;
    let key = check_algorithms(&certificate, position)?;
    if basic_constraints(&certificate, position)?.is_some_and(|constraints| constraints.ca) {
        return Err(VerifyError::LeafIsCa);
    }
    if !key_usage(&certificate, position)?.is_some_and(|usage| usage.digital_signature()) {
        return Err(VerifyError::KeyUsage { position, needed: "digitalSignature" });
    }
    Ok(key)
}

/// ecdsa-with-SHA384 below, a P-384 key above: nothing else is negotiated. Returns the key's point.
fn check_algorithms(certificate: &Certificate, position: Position) -> Result<Vec<u8>, VerifyError> {
    let signature = certificate.signature_algorithm();
    if signature.oid != ECDSA_WITH_SHA384 || signature.parameters.is_some() {
        return Err(VerifyError::CertificateAlgorithm { position, actual: signature.oid.to_string() });
    }
    let key = certificate.tbs_certificate().subject_public_key_info();
    let parameters = key.algorithm.parameters.as_ref();
    let curve = parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
    match key.subject_public_key.as_bytes() {
        Some(point)
            if key.algorithm.oid == EC_PUBLIC_KEY && curve == Some(P384) && point.len() == POINT_LENGTH =>
        {
            Ok(point.to_vec())
        }
        _ => Err(VerifyError::CertificateKey { position }),
    }
}

fn check_path(leaf: &[u8], root: &[u8], intermediates: &[&[u8]], time: Duration) -> Result<(), VerifyError> {
    let root = CertificateDer::from(root);
    let anchors = [anchor_from_trusted_cert(&root).map_err(|e| chain_error(&e))?];
    let intermediates: Vec<_> = intermediates.iter().map(|&der| CertificateDer::from(der)).collect();
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf).map_err(|e| chain_error(&e))?;
    let path = leaf
        .verify_for_usage(
            &[ECDSA_P384_SHA384],
            &anchors,
            &intermediates,
            UnixTime::since_unix_epoch(time),
            ExtendedKeyUsage::required_if_present(ANY_EXTENDED_KEY_USAGE),
            None,
            None,
        )
        .map_err(|e| chain_error(&e))?;
    check_order(&path, &intermediates)
}

/// The bundle is the path, in order, root first.
fn check_order(path: &VerifiedPath<'_>, intermediates: &[CertificateDer<'_>]) -> Result<(), VerifyError> {
    let used = path.intermediate_certificates().rev().map(Cert::der);
    if used.eq(intermediates.iter().cloned()) {
        return Ok(());
    }
    Err(VerifyError::BundleOrder)
}

fn parse(der: &[u8], position: Position) -> Result<Certificate, VerifyError> {
    Certificate::from_der(der).map_err(|e| VerifyError::BadCertificate { position, reason: e.to_string() })
}

fn key_usage(certificate: &Certificate, position: Position) -> Result<Option<KeyUsage>, VerifyError> {
    let found = certificate.tbs_certificate().get_extension::<KeyUsage>();
    Ok(extension(found, position)?.map(|(_, usage)| usage))
}

fn basic_constraints(
    certificate: &Certificate,
    position: Position,
) -> Result<Option<BasicConstraints>, VerifyError> {
    let found = certificate.tbs_certificate().get_extension::<BasicConstraints>();
    Ok(extension(found, position)?.map(|(_, constraints)| constraints))
}

fn extension<T, E: std::fmt::Display>(found: Result<T, E>, position: Position) -> Result<T, VerifyError> {
    found.map_err(|e| VerifyError::BadCertificate { position, reason: e.to_string() })
}

fn chain_error(error: &WebpkiError) -> VerifyError {
    let reason = error.to_string();
    match error {
        WebpkiError::CertExpired { .. } | WebpkiError::CertNotValidYet { .. } => {
            VerifyError::CertificateTime { reason }
        }
        WebpkiError::PathLenConstraintViolated => VerifyError::PathLength,
        WebpkiError::UnknownIssuer => VerifyError::UnknownIssuer,
        WebpkiError::InvalidSignatureForPublicKey => VerifyError::CertificateSignature,
        WebpkiError::UnsupportedCriticalExtension => VerifyError::CriticalExtension,
        WebpkiError::RequiredEkuNotFoundContext(_) => VerifyError::ExtendedKeyUsage,
        _ => VerifyError::Chain { reason },
    }
}
