//! A Key Management Service for tests: KMS's protocol over HTTPS, with the parts that protect a key done for real.
//!
//! Requests are authenticated (Signature Version 4), attestation documents verified, key policies evaluated,
//! ciphertexts bound to their encryption context, answers to enclaves sealed in KMS's own envelope, and all of it logged
//! as CloudTrail does. What is missing is what no key policy protects: identity policies, key rotation, asymmetric keys.
//!
//! One request passes, in order: `http`, `service`, `sigv4`, `operations`, `recipient`, `policy`, `blob`, `envelope`,
//! `trail`.

mod ber;
mod blob;
mod emulator;
mod envelope;
mod error;
mod fault;
mod http;
mod operations;
mod policy;
mod principal;
mod recipient;
mod sdk_client;
mod service;
mod sigv4;
mod store;
#[cfg(test)]
mod tests;
mod time;
mod trail;
mod unsigned;

pub use self::blob::EncryptionContext;
pub use self::emulator::{KmsEmulator, KmsHandle, KmsOptions, StartError};
pub use self::envelope::EnvelopeForm;
pub(crate) use self::envelope::{Parts as EnvelopeParts, encode as encode_envelope};
pub use self::error::KmsError;
pub use self::fault::Fault;
pub use self::principal::PrincipalSpec;
pub use self::sdk_client::sdk_client;
pub use self::store::KeySpec;

/// The PCRs in a document of QEMU's NSM, which nobody signed; `None` for any other document.
pub fn unsigned_pcrs(document: &[u8]) -> Option<std::collections::BTreeMap<u8, [u8; 48]>> {
    unsigned::read(document).map(|attested| attested.pcrs)
}
