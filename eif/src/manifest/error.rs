//! Why a manifest cannot be made or believed.

use signer_rules::dsse::DsseError;

use super::MAX_TEXT;
use crate::{image::ImageError, sign::CheckError};

/// Why a manifest cannot be made or believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The envelope is not one, or not signed by enough of the signers.
    #[error(transparent)]
    Envelope(#[from] DsseError),
    /// The threshold cannot be met, or is zero.
    #[error(
        "{threshold} of {signers} distinct signers cannot be required; the threshold is from 1 to their number"
    )]
    Threshold {
        /// The number that was asked for.
        threshold: usize,
        /// Distinct public keys.
        signers: usize,
    },
    /// Not the JSON of a manifest.
    #[error("not an image manifest: {0}")]
    Malformed(String),
    /// The same manifest in other bytes than ours.
    #[error("the manifest is not spelt as signer-eif writes it")]
    Spelling,
    /// Another format.
    #[error("the manifest's format is {actual:?}, not \"{}\"", super::FORMAT)]
    Format {
        /// What it says.
        actual: String,
    },
    /// A PCR of an enclave in debug mode.
    #[error("a PCR is all zeros: that is an enclave in debug mode, whose memory can be read")]
    ZeroPcr,
    /// The source's commit is not one.
    #[error("source_commit must be the full commit, 40 or 64 lower-case hexadecimal digits")]
    Commit,
    /// A list is too long.
    #[error("more than {max} {what}")]
    TooMany {
        /// The list.
        what: &'static str,
        /// Its bound.
        max: usize,
    },
    /// A text is empty, too long, or would disturb a terminal.
    #[error("{member} must be text on one line, not empty, of at most {MAX_TEXT} bytes")]
    Text {
        /// The member.
        member: &'static str,
    },
    /// The file is no image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image is damaged.
    #[error("the image is damaged: its CRC does not hold")]
    Crc,
    /// The image is signed, and the signature does not hold: its PCR8 would say nothing.
    #[error("the image's signature does not hold: {0}")]
    Signature(#[from] CheckError),
    /// The image's command line is not text.
    #[error("the image's command line is not UTF-8")]
    CommandLine,
    /// The image holds KMS roots, so it is none for production.
    #[error(
        "the image holds KMS roots of its own: it is a development image, whatever the manifest would say"
    )]
    DevelopmentImage,
    /// Whether the image is for development cannot be seen.
    #[error("whether the image is for production cannot be told, so it must be said: {reason}")]
    Kind {
        /// Why not.
        reason: String,
    },
}
