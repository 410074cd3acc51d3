//! Options that `signerctl` and `signer-eif` share.

use std::{path::PathBuf, str::FromStr, time::SystemTime};

use clap::Args;
use signer_terminal::{Failure, Terminal, files};

use crate::verify::Root;

/// Whose hardware is believed.
#[derive(Args, Default)]
pub struct RootArgs {
    /// Trust documents under this root certificate (PEM) instead of AWS's: for emulators only.
    #[arg(long = "root", value_name = "FILE")]
    root: Option<PathBuf>,
}

impl RootArgs {
    /// AWS's root, or the given one with a warning that nobody can miss.
    pub fn read(&self, terminal: &Terminal) -> Result<Root, Failure> {
        let Some(path) = &self.root else { return Ok(Root::aws()) };
        let pem = String::from_utf8(files::read(path)?).unwrap_or_default();
        let root =
            Root::from_pem(&pem).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        if root != Root::aws() {
            terminal.warn(&format!(
                "NOT AWS'S ROOT: documents are believed that {} vouches for. This proves nothing about AWS \
                 hardware; use it with emulators only.",
                path.display()
            ));
        }
        Ok(root)
    }
}

/// A challenge of 16 to 64 bytes, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(Vec<u8>);

/// Why a text is no [`Nonce`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write 16 to 64 bytes as hexadecimal digits")]
pub struct NonceError;

impl Nonce {
    /// 32 random bytes.
    pub fn random() -> Result<Self, Failure> {
        let mut nonce = vec![0; 32];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Failure::new("the system gives no randomness"))?;
        Ok(Self(nonce))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path of the API that answers this challenge.
    pub fn attestation_path(&self) -> String {
        format!("/v1/attestation?nonce={}", hex::encode(&self.0))
    }
}

impl FromStr for Nonce {
    type Err = NonceError;

    fn from_str(text: &str) -> Result<Self, NonceError> {
        match hex::decode(text) {
            Ok(nonce) if (16..=64).contains(&nonce.len()) => Ok(Self(nonce)),
            _ => Err(NonceError),
        }
    }
}

/// Milliseconds since 1970 by this machine's clock.
pub fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_have_16_to_64_bytes() {
        assert!("ab".repeat(16).parse::<Nonce>().is_ok() && "ab".repeat(64).parse::<Nonce>().is_ok());
        for text in ["ab".repeat(15), "ab".repeat(65), "xy".repeat(20), String::new()] {
            assert_eq!(text.parse::<Nonce>(), Err(NonceError), "{text}");
        }
    }
}
