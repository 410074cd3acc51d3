//! Verification of AWS Nitro Enclaves attestation documents.
//!
//! Two questions, kept apart. [`verify`] answers *is it genuine?*: shape, bounds, certificate chain, signature. The
//! `check_` methods of [`Document`] answer *is it the one I want?*: debug mode, PCRs, nonce, age, statement. Only
//! [`verify`] makes a [`Document`], so whoever holds one holds a genuine one.
//!
//! ```no_run
//! use signer_eif::verify::{Root, VerifyError, verify};
//!
//! fn accept(bytes: &[u8], pcr0: &[u8; 48], nonce: &[u8], now_ms: u64) -> Result<(), VerifyError> {
//!     let document = verify(bytes, &Root::aws())?;
//!     document.check_not_debug()?;
//!     document.check_pcr(0, pcr0)?;
//!     document.check_nonce(nonce)?;
//!     document.check_age(now_ms, 60_000)
//! }
//! ```
//!
//! Formats: [RFC 9052](https://www.rfc-editor.org/rfc/rfc9052) (`COSE_Sign1`), [RFC
//! 8949](https://www.rfc-editor.org/rfc/rfc8949) (CBOR), [RFC 5280](https://www.rfc-editor.org/rfc/rfc5280) (the chain), and AWS's
//! [attestation process](https://github.com/aws/aws-nitro-enclaves-nsm-api/blob/main/docs/attestation_process.md).

mod chain;
mod check;
mod cose;
mod document;
mod error;
mod root;
#[cfg(test)]
mod tests;

pub(crate) use cose::ENVELOPE;

pub use check::{FUTURE_TOLERANCE_MS, pcr_after_extend, statement_digest};
pub use document::Document;
pub use error::{Position, VerifyError};
pub use root::Root;

/// The largest document that is looked at, in bytes. Real ones are about 5 KiB.
pub const MAX_DOCUMENT: usize = 16 * 1024;

/// Verifies that `document` was made by a Nitro hypervisor under `root`: its shape and bounds, the chain from `root` to
/// the signing certificate (valid at the document's own timestamp), and the signature.
///
/// Whether it is fresh, answers a nonce, comes from the right image, or from an enclave in debug mode is **not** judged:
/// call the `check_` methods of the returned [`Document`].
pub fn verify(document: &[u8], root: &Root) -> Result<Document, VerifyError> {
    if document.len() > MAX_DOCUMENT {
        return Err(VerifyError::DocumentTooLarge { actual: document.len() });
    }
    let message = cose::parse(document)?;
    let payload = document::parse(message.payload)?;
    let key = chain::verify(&payload, root)?;
    cose::verify_signature(&message, &key)?;
    Ok(payload.document)
}
