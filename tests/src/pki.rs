//! The emulators' certificate authorities: one for attestation documents, one for TLS.
//!
//! Both are real X.509 with real validity checks against them; only their roots are ours. A root can be kept in a
//! directory, so that an NSM emulator in one process and a KMS emulator in another trust the same one.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, SerialNumber,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Length of a root's validity, as Amazon's attestation root: 30 years.
const ROOT_VALIDITY: Duration = Duration::from_hours(30 * 365 * 24);
/// Length of a server certificate's validity.
const SERVER_VALIDITY: Duration = Duration::from_hours(395 * 24);
/// How far before "now" a certificate's validity starts, so that clock hooks of some days still find it valid.
const BACKDATED: Duration = Duration::from_hours(30 * 24);

/// The root that signs the chains of emulated Nitro hypervisors.
#[derive(Debug)]
pub struct AttestationAuthority(Root);

impl AttestationAuthority {
    /// A new root that lives in memory only.
    pub fn generate() -> Self {
        Self(Root::generate("emulated.nitro-enclaves"))
    }

    /// The root kept in `directory` (`attestation-authority.pem`, certificate and key; made if missing). The certificate
    /// alone is in `attestation-root.pem`, for verifiers. Processes that race to make it end up with the same root.
    pub fn load_or_create(directory: &Path) -> io::Result<Self> {
        Root::load_or_create(directory, "attestation", "emulated.nitro-enclaves").map(Self)
    }

    /// The root certificate, DER.
    pub fn root_der(&self) -> &CertificateDer<'static> {
        &self.0.certificate
    }

    /// The root certificate, PEM.
    pub fn root_pem(&self) -> String {
        pem("CERTIFICATE", &self.0.certificate)
    }

    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.0.issuer
    }
}

/// The root that signs the TLS certificates of emulated AWS endpoints.
#[derive(Debug)]
pub struct TlsAuthority(Root);

impl TlsAuthority {
    /// A new root that lives in memory only.
    pub fn generate() -> Self {
        Self(Root::generate("Emulated TLS root"))
    }

    /// The root kept in `directory` (`tls-authority.pem`, made if missing; the certificate alone in `tls-root.pem`).
    pub fn load_or_create(directory: &Path) -> io::Result<Self> {
        Root::load_or_create(directory, "tls", "Emulated TLS root").map(Self)
    }

    /// The root certificate, DER.
    pub fn root_der(&self) -> &CertificateDer<'static> {
        &self.0.certificate
    }

    /// The root certificate, PEM.
    pub fn root_pem(&self) -> String {
        pem("CERTIFICATE", &self.0.certificate)
    }

    /// A server certificate for `names` (DNS names or IP addresses), with its key.
    pub fn issue(&self, names: &[String]) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().expect("P-256 key generation needs only randomness");
        let mut parameters = CertificateParams::new(names).expect("the caller gives valid DNS names");
        parameters.distinguished_name = name("Emulated endpoint");
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        valid_for(&mut parameters, backdated_now(), SERVER_VALIDITY);
        let certificate = parameters.signed_by(&key, &self.0.issuer).expect("the parameters are complete");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        (certificate.into(), key.into())
    }

    /// TLS 1.2 and 1.3 server configuration with a certificate for `names`; X25519MLKEM768 is the preferred group.
    pub fn server_config(&self, names: &[String]) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(names);
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("the key was made for the certificate");
        Arc::new(config)
    }
}

/// Time since the Unix epoch, by this machine's clock.
pub(crate) fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970")
}

/// Sets `parameters` valid from `not_before` (since the epoch) for `length`.
pub(crate) fn valid_for(parameters: &mut CertificateParams, not_before: Duration, length: Duration) {
    // rcgen's date type comes from a crate that we don't otherwise need: reach it by arithmetic.
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    parameters.not_before = epoch + Duration::from_secs(not_before.as_secs());
    parameters.not_after = parameters.not_before + length;
    let mut serial = [0; 16];
    ::aws_lc_rs::rand::fill(&mut serial).expect("the system has randomness");
    serial[0] &= 0x7f;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial));
}

/// A distinguished name in the form that Nitro certificates have.
pub(crate) fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "US");
    name.push(DnType::OrganizationName, "Emulated");
    name.push(DnType::CommonName, common_name);
    name
}

/// Parameters of a P-384 certificate authority that may have `path_length` authorities below it.
pub(crate) fn authority(common_name: &str, path_length: Option<u8>) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = name(common_name);
    parameters.is_ca =
        IsCa::Ca(path_length.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
    parameters.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

/// A P-384 key for certificates.
pub(crate) fn p384_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("P-384 key generation needs only randomness")
}

#[derive(Debug)]
struct Root {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Root {
    fn generate(common_name: &str) -> Self {
        let key = p384_key();
        let mut parameters = authority(common_name, None);
        valid_for(&mut parameters, backdated_now(), ROOT_VALIDITY);
        let certificate = parameters.self_signed(&key).expect("the parameters are complete");
        Self { certificate: certificate.into(), issuer: Issuer::new(parameters, key) }
    }

    fn load_or_create(directory: &Path, prefix: &str, common_name: &str) -> io::Result<Self> {
        let path = directory.join(format!("{prefix}-authority.pem"));
        if !path.exists() {
            fs::create_dir_all(directory)?;
            let new = Self::generate(common_name);
            let text = pem("CERTIFICATE", &new.certificate) + &new.issuer.key().serialize_pem();
            publish(&path, &text)?;
        }
        let text = fs::read_to_string(&path)?;
        let invalid =
            |what: &str| io::Error::new(ErrorKind::InvalidData, format!("{}: {what}", path.display()));
        let certificate =
            CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| invalid("no certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| invalid("no private key"))?;
        let key = KeyPair::from_der_and_sign_algo(&key, &PKCS_ECDSA_P384_SHA384)
            .map_err(|_| invalid("not P-384"))?;
        fs::write(directory.join(format!("{prefix}-root.pem")), pem("CERTIFICATE", &certificate))?;
        // Only the issuer's name and key go into what it signs: the rest of its parameters need not be read back.
        Ok(Self { certificate, issuer: Issuer::new(authority(common_name, None), key) })
    }
}

fn backdated_now() -> Duration {
    unix_now().saturating_sub(BACKDATED)
}

/// Writes `text` to `path`, for its owner only, unless another process was faster. A hard link appears whole or not at all.
fn publish(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_root_is_the_same_for_every_process() {
        let directory = std::env::temp_dir().join(format!("signer-pki-{}", std::process::id()));
        let first = AttestationAuthority::load_or_create(&directory).expect("a writable temporary directory");
        let second = AttestationAuthority::load_or_create(&directory).expect("the root just written");
        assert_eq!(first.root_der(), second.root_der());
        assert_eq!(first.issuer().key().serialized_der(), second.issuer().key().serialized_der());
        let alone =
            CertificateDer::from_pem_file(directory.join("attestation-root.pem")).expect("the root alone");
        assert_eq!(&alone, first.root_der());
        fs::remove_dir_all(&directory).expect("our own directory");
    }
}
