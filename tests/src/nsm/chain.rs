//! The certificates between the attestation root and the key that signs documents.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use rcgen::{CertificateParams, CustomExtension, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::pki::{AttestationAuthority, authority, name, p384_key, valid_for};

/// How long before "now" the authorities were issued.
const AUTHORITIES_BACKDATED: Duration = Duration::from_hours(1);
/// Real validity of each level.
const REGIONAL: Duration = Duration::from_hours(20 * 24);
const ZONAL: Duration = Duration::from_hours(6 * 24);
const INSTANCE: Duration = Duration::from_hours(24);
const LEAF: Duration = Duration::from_hours(3);
/// The service's leaf starts a moment before the document that it signs.
const LEAF_BACKDATED: Duration = Duration::from_secs(3);
/// What is left of a leaf when it is renewed.
const RENEWED_BEFORE: Duration = Duration::from_mins(10);
/// OID 2.5.29.19, basicConstraints.
const BASIC_CONSTRAINTS: [u64; 4] = [2, 5, 29, 19];

/// One leaf key with its certificates.
#[derive(Debug)]
pub(super) struct Chain {
    key: EcdsaKeyPair,
    leaf: CertificateDer<'static>,
    /// Root first, the leaf's issuer last.
    bundle: Vec<CertificateDer<'static>>,
    not_before: Duration,
}

impl Chain {
    /// Certificates for the enclave `module_id`, as a hypervisor has them at `now`.
    pub(super) fn issue(root: &AttestationAuthority, module_id: &str, now: Duration) -> Self {
        let issued = now.saturating_sub(AUTHORITIES_BACKDATED);
        let instance_id = module_id.split("-enc").next().unwrap_or(module_id);
        let (regional, regional_issuer) =
            intermediate("a1b2c3d4e5f60718.emulated.aws.nitro-enclaves", 2, root.issuer(), issued, REGIONAL);
        let (zonal, zonal_issuer) = intermediate(
            "8f7e6d5c4b3a2918.zonal.emulated.aws.nitro-enclaves",
            1,
            &regional_issuer,
            issued,
            ZONAL,
        );
        let name_of_instance = format!("{instance_id}.emulated.aws.nitro-enclaves");
        let (instance, instance_issuer) = intermediate(&name_of_instance, 0, &zonal_issuer, issued, INSTANCE);

        let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
            .expect("key generation needs randomness");
        let not_before = now.saturating_sub(LEAF_BACKDATED);
        let leaf = leaf(module_id, &key, &instance_issuer, not_before);
        Self { key, leaf, bundle: vec![root.root_der().clone(), regional, zonal, instance], not_before }
    }

    /// Whether the leaf is valid at `now` and for some time after.
    pub(super) fn serves(&self, now: Duration) -> bool {
        now >= self.not_before && now + RENEWED_BEFORE < self.not_before + LEAF
    }

    pub(super) fn leaf(&self) -> &[u8] {
        &self.leaf
    }

    pub(super) fn bundle(&self) -> &[CertificateDer<'static>] {
        &self.bundle
    }

    /// ECDSA over SHA-384 of `message`, as COSE has it: r and s, 48 bytes each.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(&SystemRandom::new(), message).expect("the key is valid");
        signature.as_ref().to_vec()
    }
}

fn intermediate(
    common_name: &str,
    path_length: u8,
    parent: &Issuer<'_, KeyPair>,
    not_before: Duration,
    length: Duration,
) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let key = p384_key();
    let mut parameters = authority(common_name, Some(path_length));
    parameters.use_authority_key_identifier_extension = true;
    valid_for(&mut parameters, not_before, length);
    let certificate = parameters.signed_by(&key, parent).expect("the parameters are complete");
    (certificate.into(), Issuer::new(parameters, key))
}

/// CA false, digitalSignature, no key identifiers: as the real ones.
fn leaf(
    module_id: &str,
    key: &EcdsaKeyPair,
    issuer: &Issuer<'_, KeyPair>,
    not_before: Duration,
) -> CertificateDer<'static> {
    let pkcs8 = key.to_pkcs8v1().expect("the key is exportable");
    let key = KeyPair::from_pkcs8_der_and_sign_algo(
        &PrivatePkcs8KeyDer::from(pkcs8.as_ref()),
        &PKCS_ECDSA_P384_SHA384,
    )
    .expect("the key is P-384");
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = name(&format!("{module_id}.emulated.aws"));
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // `IsCa::ExplicitNoCa` would add a subject key identifier.
    let mut not_a_ca = CustomExtension::from_oid_content(&BASIC_CONSTRAINTS, vec![0x30, 0x00]);
    not_a_ca.set_criticality(true);
    parameters.custom_extensions.push(not_a_ca);
    valid_for(&mut parameters, not_before, LEAF);
    parameters.signed_by(&key, issuer).expect("the parameters are complete").into()
}
