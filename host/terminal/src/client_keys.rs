//! Keys with which clients sign their requests: Ed25519 or ECDSA on P-256, in plain PKCS#8 PEM files, as
//! `openssl genpkey` writes them too.

use std::{fmt, path::Path, str};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::ValueEnum;
use zeroize::Zeroizing;

use crate::{
    Failure,
    files::{Access, OutputArgs},
    keys::{self, AdminSecret, KeyError, read_secret_file},
};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// Digits of base64 on a line of PEM (RFC 7468).
const LINE: usize = 64;

/// The algorithm of a client's key, as policy bundles name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClientAlgorithm {
    /// Ed25519 (RFC 8032).
    #[value(name = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 with SHA-256.
    #[value(name = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
}

/// A client's private key. No `Debug`, no `Clone`, no `Serialize`; wiped when dropped.
pub enum ClientSecret {
    /// Ed25519: in the same files as an admin's.
    Ed25519(Box<AdminSecret>),
    /// ECDSA on P-256.
    EcdsaP256Sha256(Box<EcdsaKeyPair>),
}

impl ClientAlgorithm {
    /// The name that bundles and signatures use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
        }
    }
}

impl fmt::Display for ClientAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ClientSecret {
    /// A new key, from the system's randomness.
    pub fn generate(algorithm: ClientAlgorithm) -> Result<Self, Failure> {
        match algorithm {
            ClientAlgorithm::Ed25519 => AdminSecret::generate().map(|key| Self::Ed25519(Box::new(key))),
            ClientAlgorithm::EcdsaP256Sha256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .map(|key| Self::EcdsaP256Sha256(Box::new(key)))
                .map_err(|_| Failure::new("the system gives no randomness")),
        }
    }

    /// Reads a key from a PEM file that nobody else can read.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_secret_file(path)?;
        Self::from_pem(&text).ok_or_else(|| {
            // The reason of the more usual kind.
            let reason = AdminSecret::from_pem(&text).err().unwrap_or(KeyError::Encoding);
            match reason {
                KeyError::Encoding => Failure::new(format!(
                    "{}: neither an Ed25519 nor a P-256 key in plain PKCS#8",
                    path.display()
                ))
                .hint("write one with signerctl policy keygen"),
                other => Failure::new(format!("{}: {other}", path.display())),
            }
        })
    }

    /// Writes the key to a PEM file that only its owner can read.
    pub fn write(&self, output: &OutputArgs) -> Result<(), Failure> {
        match self {
            Self::Ed25519(key) => key.write(output),
            Self::EcdsaP256Sha256(key) => {
                let der = key.to_pkcs8v1().map_err(|_| Failure::new("the key cannot be written"))?;
                output.write(&pem(der.as_ref())?, Access::Owner)
            }
        }
    }

    /// Its algorithm.
    pub const fn algorithm(&self) -> ClientAlgorithm {
        match self {
            Self::Ed25519(_) => ClientAlgorithm::Ed25519,
            Self::EcdsaP256Sha256(_) => ClientAlgorithm::EcdsaP256Sha256,
        }
    }

    /// The public key in hexadecimal digits, as bundles write it: 32 bytes, or an uncompressed point (SEC 1) of 65.
    pub fn public_hex(&self) -> String {
        match self {
            Self::Ed25519(key) => keys::public_hex(&key.public()),
            Self::EcdsaP256Sha256(key) => hex::encode(key.public_key().as_ref()),
        }
    }

    /// The signature of a request: 64 bytes, of ECDSA r and s.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Ed25519(key) => Ok(key.sign_bytes(message).to_vec()),
            Self::EcdsaP256Sha256(key) => key
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| Failure::new("the key does not sign")),
        }
    }

    fn from_pem(text: &[u8]) -> Option<Self> {
        if let Ok(key) = AdminSecret::from_pem(text) {
            return Some(Self::Ed25519(Box::new(key)));
        }
        let der = der(text)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok()?;
        Some(Self::EcdsaP256Sha256(Box::new(key)))
    }
}

/// The one block of a PEM text.
fn der(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let body = str::from_utf8(text).ok()?.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let mut digits = Zeroizing::new(Vec::with_capacity(body.len()));
    digits.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; digits.len()]);
    let length = STANDARD.decode_slice(digits.as_slice(), &mut der).ok()?;
    der.truncate(length);
    Some(der)
}

fn pem(der: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut digits = Zeroizing::new(vec![0; der.len().div_ceil(3) * 4]);
    STANDARD.encode_slice(der, &mut digits).map_err(Failure::new)?;
    // With room for all of it, so that no copy is left behind when the buffer grows.
    let mut pem = Zeroizing::new(Vec::with_capacity(2 * digits.len() + BEGIN.len() + END.len()));
    for line in [BEGIN.as_bytes()].into_iter().chain(digits.chunks(LINE)).chain([END.as_bytes()]) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;
    use crate::files;

    /// Written by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSKxN2IUMndLVQm5U\n\
        RI7pg9Q2YQbM1QrSGzuYD4RMYJ+hRANCAAQHEFIoQGJGI+PM3MjCU3araF78K3IU\n\
        oP9OzeEoZM0THRazJPk9fME2OzHN+BH7fPBG4ak0XCOSvBQEk0fp6o8U\n-----END PRIVATE KEY-----\n";

    #[test]
    fn a_key_survives_its_file_and_signs() {
        for algorithm in [ClientAlgorithm::Ed25519, ClientAlgorithm::EcdsaP256Sha256] {
            let path = files::tests::new_file(&format!("client-{algorithm}"));
            let key = ClientSecret::generate(algorithm).unwrap();
            key.write(&OutputArgs { output: path.clone(), force: false }).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let read = ClientSecret::read(&path).ok().unwrap();
            assert_eq!((read.algorithm(), read.public_hex()), (algorithm, key.public_hex()));
            let signature = read.sign(b"request").unwrap();
            assert_eq!(signature.len(), 64);
            if algorithm == ClientAlgorithm::EcdsaP256Sha256 {
                let public = hex::decode(key.public_hex()).unwrap();
                assert!(public.len() == 65 && public[0] == 4);
                let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
                assert!(public.verify(b"request", &signature).is_ok());
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(ClientSecret::read(&path).err().unwrap().advice().unwrap().contains("chmod 600"));
        }
    }

    #[test]
    fn keys_of_openssl_are_read_and_others_refused() {
        let key = ClientSecret::from_pem(OPENSSL.as_bytes()).unwrap();
        assert_eq!(key.algorithm(), ClientAlgorithm::EcdsaP256Sha256);
        for other in ["", BEGIN, &OPENSSL.replace("BEGIN PRIVATE", "BEGIN EC PRIVATE"), &OPENSSL.repeat(2)] {
            assert!(ClientSecret::from_pem(other.as_bytes()).is_none(), "{other}");
        }
    }
}
