//! HTTP message signatures (RFC 9421), in one profile and one spelling.
//!
//! A client signs method, path, query and the digest of the body; the enclave signs its answers with the request that
//! they belong to. Everything else of the standard is refused: what is not understood completely proves nothing.
//! Structured fields (RFC 8941) must be written as a serialiser writes them, so that the text which was signed is the text
//! in the header. No keys here: whoever uses this signs or verifies the [signature base](https://www.rfc-editor.org/rfc/rfc9421#section-2.5).

mod fields;
mod request;
pub mod response;
pub mod session;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

pub use request::{Component, Presented, Signing, base, read, signature_header};

/// The longest header that is read, in bytes.
pub const MAX_HEADER: usize = 8 * 1024;
/// The longest nonce, in bytes.
pub const MAX_NONCE: usize = 128;

/// A signature that this profile does not have. Says what to change; never shown to strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(crate) &'static str);

/// What is to be signed, and the header that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// The value of `signature-input`.
    pub signature_input: String,
    /// The signature base: the bytes to sign.
    pub base: String,
}

/// The value of `content-digest` for a body (RFC 9530): exactly one digest, SHA-256.
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

/// Whether a `content-digest` is this body's, in the one spelling.
pub fn check_content_digest(header: &str, body: &[u8]) -> bool {
    header == content_digest(body)
}

/// Lines of a signature base; the last one repeats the covered components and the parameters.
fn assemble<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>, parameters: &str) -> String {
    let mut base = String::with_capacity(512);
    for (component, value) in lines {
        for part in [component, ": ", value, "\n"] {
            base.push_str(part);
        }
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    base
}

/// A line's value: printed ASCII without spaces around it, so that no value makes a line of its own.
fn printable<'a>(value: &'a str, problem: &'static str) -> Result<&'a str, Malformed> {
    let plain = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if plain && value.trim_matches(' ') == value { Ok(value) } else { Err(Malformed(problem)) }
}

#[cfg(test)]
mod tests;
