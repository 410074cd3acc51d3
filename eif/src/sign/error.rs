//! Why an image cannot be signed, and why a signature does not hold.

/// Why an image cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The private key cannot be used.
    #[error("the signing key cannot be used: {reason}")]
    Key {
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate cannot be used.
    #[error("the signing certificate cannot be used: {reason}")]
    Certificate {
        /// What is wrong with it.
        reason: String,
    },
    /// Key and certificate do not belong together.
    #[error("the signing certificate is of another key than the signing key")]
    OtherKey,
    /// The signature cannot be made.
    #[error("the signature cannot be made")]
    Signing,
}

/// Why a signature section does not show that its signer approved the image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The section is longer than any real one.
    #[error("the signature section has {actual} bytes, more than {}", super::check::MAX_SECTION)]
    TooLarge {
        /// Bytes found.
        actual: usize,
    },
    /// Not the CBOR that the format says.
    #[error("the signature section is malformed: {reason}")]
    Malformed {
        /// What the parser says.
        reason: String,
    },
    /// There is not exactly one signature.
    #[error("the signature section has {actual} signatures, not one")]
    Count {
        /// How many, if the array says.
        actual: u64,
    },
    /// The certificate cannot be read.
    #[error("the signing certificate cannot be read: {reason}")]
    Certificate {
        /// What is wrong with it.
        reason: String,
    },
    /// A key that is not on P-256, P-384 or P-521.
    #[error("the signing certificate has no key on P-256, P-384 or P-521")]
    KeyType,
    /// The message names another algorithm than its key's.
    #[error(
        "the signature's protected header is {actual}, which is not the algorithm of the certificate's key"
    )]
    Algorithm {
        /// The header in hex.
        actual: String,
    },
    /// What was signed is not this image's PCR0.
    #[error("the signature is of another image: it signs {actual}")]
    OtherImage {
        /// What was signed, in hex.
        actual: String,
    },
    /// The signature was not made by the certificate's key, or not over this.
    #[error("the signature does not verify")]
    BadSignature,
}
