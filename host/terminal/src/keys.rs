//! Admin keys: Ed25519, in the PEM files that `openssl genpkey -algorithm ed25519` writes too
//! (RFC 8410; PKCS#8 without attributes and public key).

use std::{path::Path, str};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{
    Deserialize as _,
    de::{IntoDeserializer as _, value::StrDeserializer},
};
use signer_rules::{
    authority::AdminKey,
    dsse::{DsseError, Envelope},
};
use zeroize::Zeroizing;

use crate::{
    Failure,
    files::{self, Access, OutputArgs},
};

/// The largest key file that is read, in bytes.
const MAX_KEY_FILE: usize = 4096;

/// DER before the 32 bytes of a private key: PKCS#8 version 0, id-Ed25519, octet string.
const PRIVATE_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
/// DER before the 32 bytes of a public key: `SubjectPublicKeyInfo`, id-Ed25519, bit string.
const PUBLIC_PREFIX: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// An admin's private key. No `Debug`, no `Clone`, no `Serialize`; wiped when dropped.
pub struct AdminSecret(SigningKey);

/// Why a file is not an admin key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// No PEM block of the kind.
    #[error("not a PEM file with one {0}")]
    Pem(&'static str),
    /// Another key type or another encoding.
    #[error(
        "not an Ed25519 key in plain PKCS#8 (write one with signerctl keygen or openssl genpkey -algorithm ed25519)"
    )]
    Encoding,
    /// Sealed with a passphrase.
    #[error("the key is encrypted; decrypt it with openssl pkey -in FILE -out OTHER")]
    Encrypted,
    /// A public key that is not on the curve, or of small order.
    #[error("not an Ed25519 public key: write 64 lower-case hexadecimal digits, or name a PEM file")]
    Public,
}

impl AdminSecret {
    /// A new key, from the system's randomness.
    pub fn generate() -> Result<Self, Failure> {
        let mut seed = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(seed.as_mut()).map_err(|_| Failure::new("the system gives no randomness"))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads a key from a PEM file that nobody else can read.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_secret_file(path)?;
        Self::from_pem(&text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    }

    /// Writes the key to a PEM file that only its owner can read.
    pub fn write(&self, output: &OutputArgs) -> Result<(), Failure> {
        let mut der = Zeroizing::new([0; 48]);
        let (prefix, seed) = der.split_at_mut(PRIVATE_PREFIX.len());
        prefix.copy_from_slice(&PRIVATE_PREFIX);
        seed.copy_from_slice(self.0.as_bytes());
        let mut body = Zeroizing::new([0; 64]);
        STANDARD
            .encode_slice(der.as_ref(), body.as_mut())
            .map_err(|_| Failure::new("48 bytes are 64 digits of base64"))?;
        let mut pem = Zeroizing::new(Vec::with_capacity(256));
        pem.extend_from_slice(b"-----BEGIN PRIVATE KEY-----\n");
        pem.extend_from_slice(body.as_ref());
        pem.extend_from_slice(b"\n-----END PRIVATE KEY-----\n");
        output.write(&pem, Access::Owner)
    }

    /// The public half.
    pub fn public(&self) -> AdminKey {
        self.0.verifying_key().into()
    }

    /// Adds this key's signature to an envelope.
    pub fn sign(&self, envelope: &mut Envelope) -> Result<(), DsseError> {
        envelope.sign(&self.0)
    }

    /// The signature of bytes that have a meaning of their own, such as a request's.
    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let mut der = Zeroizing::new([0; 48]);
        pem_body(text, PRIVATE, der.as_mut())?;
        let seed = der.strip_prefix(&PRIVATE_PREFIX).ok_or(KeyError::Encoding)?;
        let seed: &[u8; 32] = seed.try_into().map_err(|_| KeyError::Encoding)?;
        Ok(Self(SigningKey::from_bytes(seed)))
    }
}

/// Reads a file with a secret, which nobody but its owner can read. The buffer is wiped when dropped.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if files::others_can_read(path) {
        return Err(Failure::new(format!(
            "{} can be read by others, so what is in it is no secret",
            path.display()
        ))
        .hint(format!("chmod 600 {}, and ask who had access", path.display())));
    }
    // With room for all of it, so that no copy is left behind when the buffer grows.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE + 1));
    files::read_into(path, MAX_KEY_FILE, &mut text)?;
    Ok(text)
}

/// An admin's public key as 64 hexadecimal digits.
pub fn public_hex(key: &AdminKey) -> String {
    hex::encode(key.key().as_bytes())
}

/// A public key from 64 hexadecimal digits, or from a PEM file with a private or a public key.
pub fn read_public(text: &str) -> Result<AdminKey, Failure> {
    let path = Path::new(text);
    if !path.exists() {
        let digits: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
        return AdminKey::deserialize(digits)
            .map_err(|_| Failure::new(format!("{text}: {}", KeyError::Public)));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE + 1));
    files::read_into(path, MAX_KEY_FILE, &mut content)?;
    let key = match public_from_pem(&content) {
        Err(KeyError::Pem(_)) => AdminSecret::from_pem(&content).map(|secret| secret.public()),
        other => other,
    };
    key.map_err(|error| Failure::new(format!("{text}: {error}")))
}

fn public_from_pem(text: &[u8]) -> Result<AdminKey, KeyError> {
    let mut der = [0; 44];
    pem_body(text, PUBLIC, &mut der)?;
    let key = der.strip_prefix(&PUBLIC_PREFIX).ok_or(KeyError::Encoding)?;
    let key: &[u8; 32] = key.try_into().map_err(|_| KeyError::Encoding)?;
    match VerifyingKey::from_bytes(key) {
        Ok(key) if !key.is_weak() => Ok(key.into()),
        _ => Err(KeyError::Public),
    }
}

/// Decodes the one block of a PEM text, of exactly the length of `der`, onto one line of base64.
fn pem_body(text: &[u8], label: &'static str, der: &mut [u8]) -> Result<(), KeyError> {
    let text = str::from_utf8(text).map_err(|_| KeyError::Pem(label))?;
    if text.contains("ENCRYPTED PRIVATE KEY") {
        return Err(KeyError::Encrypted);
    }
    let mut lines = text.trim().lines().map(str::trim_end);
    if lines.next() != Some(&*format!("-----BEGIN {label}-----")) {
        return Err(KeyError::Pem(label));
    }
    let (Some(body), Some(end), None) = (lines.next(), lines.next(), lines.next()) else {
        return Err(KeyError::Encoding);
    };
    if end != format!("-----END {label}-----") {
        return Err(KeyError::Encoding);
    }
    match STANDARD.decode_slice(body, der) {
        Ok(length) if length == der.len() => Ok(()),
        _ => Err(KeyError::Encoding),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    // Of RFC 8410, section 10.3 and 10.1.
    const RFC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const RFC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn a_key_survives_its_file_which_only_the_owner_reads() {
        let path = files::tests::new_file("admin-key");
        let key = AdminSecret::generate().unwrap();
        key.write(&OutputArgs { output: path.clone(), force: false }).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(AdminSecret::read(&path).ok().unwrap().public(), key.public());
        assert_eq!(read_public(path.to_str().unwrap()).unwrap(), key.public());
        assert_eq!(read_public(&public_hex(&key.public())).unwrap(), key.public());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(AdminSecret::read(&path).err().unwrap().advice().unwrap().contains("chmod 600"));
    }

    #[test]
    fn the_encoding_is_rfc_8410s() {
        let private = AdminSecret::from_pem(RFC_PRIVATE.as_bytes()).ok().unwrap();
        assert_eq!(private.public(), public_from_pem(RFC_PUBLIC.as_bytes()).unwrap());
    }

    #[test]
    fn other_files_are_refused() {
        let refused = |text: &str| AdminSecret::from_pem(text.as_bytes()).err().unwrap();
        assert_eq!(refused(""), KeyError::Pem(PRIVATE));
        assert_eq!(refused(RFC_PUBLIC), KeyError::Pem(PRIVATE));
        assert_eq!(refused(&RFC_PRIVATE.replace("MC4C", "MC4D")), KeyError::Encoding);
        assert_eq!(refused(&RFC_PRIVATE.replace("VhC", "Vh")), KeyError::Encoding);
        assert_eq!(refused(&format!("{RFC_PRIVATE}{RFC_PRIVATE}")), KeyError::Encoding);
        assert_eq!(refused(&RFC_PRIVATE.replace("PRIVATE", "ENCRYPTED PRIVATE")), KeyError::Encrypted);
        assert!(read_public(&format!("01{}", "00".repeat(31))).is_err());
    }
}
