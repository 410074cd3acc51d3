//! Why a document is refused.

use std::fmt;

/// Where a certificate stands in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// `certificate`, the one whose key signs.
    Leaf,
    /// `cabundle[n]`; 0 is the root.
    Bundle(usize),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf => f.write_str("certificate"),
            Self::Bundle(number) => write!(f, "cabundle[{number}]"),
        }
    }
}

/// Why a document is refused. Texts quoted from a document are cut to 64 characters and escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    // The caller's root.
    /// The text or bytes given as root are not one certificate.
    #[error("the given root is not usable: {reason}")]
    UnusableRoot {
        /// What the parser says.
        reason: String,
    },

    // The envelope.
    /// The document is longer than [`MAX_DOCUMENT`](super::MAX_DOCUMENT).
    #[error("the document has {actual} bytes, more than {}", super::MAX_DOCUMENT)]
    DocumentTooLarge {
        /// Bytes given.
        actual: usize,
    },
    /// Not valid CBOR, or a value of another type than the format says.
    #[error("{place}: malformed CBOR: {reason}")]
    Malformed {
        /// The part of the document.
        place: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// The document is not an array of four items.
    #[error("not a COSE_Sign1 array of four items: {reason}")]
    NotCoseSign1 {
        /// What was found.
        reason: String,
    },
    /// The document starts with a CBOR tag, such as 18 for `COSE_Sign1`.
    #[error("the document has a CBOR tag; AWS's documents have none")]
    Tagged,
    /// The protected header says something else than ES384.
    #[error("the protected header is {actual}, not a1013822 (ES384)")]
    ProtectedHeader {
        /// The header in hex.
        actual: String,
    },
    /// The unprotected header is not an empty map.
    #[error("the unprotected header is not an empty map")]
    UnprotectedHeader,
    /// The signature does not have 96 bytes.
    #[error("the signature has {actual} bytes, not 96")]
    SignatureLength {
        /// Bytes found.
        actual: usize,
    },
    /// Bytes follow the document.
    #[error("{count} bytes follow the document")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A length in the envelope is written in more bytes than it needs.
    #[error("the envelope is not in CBOR's shortest form")]
    NotShortestForm,

    // The payload.
    /// Bytes follow the map in the payload.
    #[error("{count} bytes follow the map in the payload")]
    TrailingPayloadBytes {
        /// How many.
        count: usize,
    },
    /// A key that the format does not have.
    #[error("unknown key {key:?}")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A key occurs twice.
    #[error("key {key:?} occurs twice")]
    KeyTwice {
        /// The key.
        key: &'static str,
    },
    /// A required key is absent.
    #[error("key {key:?} is absent")]
    KeyAbsent {
        /// The key.
        key: &'static str,
    },
    /// The document comes from a `NitroTPM`, not from an enclave.
    #[error("this is a NitroTPM document (nitrotpm_pcrs), not an enclave's")]
    NitroTpm,
    /// `module_id` does not name an enclave.
    #[error("module_id {actual:?} does not contain \"-enc\": not an enclave's document")]
    ModuleId {
        /// The value.
        actual: String,
    },
    /// `digest` is not SHA384.
    #[error("digest is {actual:?}, not \"SHA384\"")]
    Digest {
        /// The value.
        actual: String,
    },
    /// `timestamp` is zero or after the year 9999.
    #[error("timestamp {actual} is not a number of milliseconds from 1970 to 9999")]
    Timestamp {
        /// The value.
        actual: u64,
    },
    /// A byte string is too short or too long.
    #[error("{key} has {actual} bytes, not {min} to {max}")]
    FieldLength {
        /// The key.
        key: &'static str,
        /// Fewest bytes.
        min: usize,
        /// Most bytes.
        max: usize,
        /// Bytes found.
        actual: usize,
    },
    /// A PCR number above 31.
    #[error("there is no PCR {index}")]
    PcrIndex {
        /// The number.
        index: u64,
    },
    /// A PCR that is not a SHA-384 digest.
    #[error("PCR {index} has {actual} bytes, not 48")]
    PcrLength {
        /// The number.
        index: u8,
        /// Bytes found.
        actual: usize,
    },
    /// A PCR occurs twice.
    #[error("PCR {index} occurs twice")]
    PcrTwice {
        /// The number.
        index: u8,
    },
    /// A PCR that must be there is not.
    #[error("PCR {index} is absent")]
    PcrAbsent {
        /// The number.
        index: u8,
    },
    /// `cabundle` is empty.
    #[error("cabundle is empty")]
    BundleEmpty,
    /// `cabundle` has too many certificates.
    #[error("cabundle has more than {max} certificates")]
    BundleTooLong {
        /// Most certificates.
        max: usize,
    },

    // The chain.
    /// `cabundle[0]` is not the trusted root.
    #[error("cabundle[0] has SHA-256 {actual}, not the trusted root's {expected}")]
    WrongRoot {
        /// The trusted root's digest in hex.
        expected: String,
        /// The digest found, in hex.
        actual: String,
    },
    /// A certificate cannot be read.
    #[error("{position}: not a usable certificate: {reason}")]
    BadCertificate {
        /// Which.
        position: Position,
        /// What the parser says.
        reason: String,
    },
    /// A certificate is signed with something else than ECDSA and SHA-384.
    #[error("{position}: signed with {actual}, not ecdsa-with-SHA384")]
    CertificateAlgorithm {
        /// Which.
        position: Position,
        /// The algorithm's object identifier.
        actual: String,
    },
    /// A certificate's key is not an uncompressed point on P-384.
    #[error("{position}: its key is not an uncompressed point on P-384")]
    CertificateKey {
        /// Which.
        position: Position,
    },
    /// A certificate may not be used for what it is used for.
    #[error("{position}: key usage lacks {needed}")]
    KeyUsage {
        /// Which.
        position: Position,
        /// The missing use.
        needed: &'static str,
    },
    /// A certificate is restricted to some other use.
    #[error("a certificate's extended key usage restricts it to another use")]
    ExtendedKeyUsage,
    /// A certificate of the bundle is not a CA's.
    #[error("{position}: not a CA certificate")]
    NotCa {
        /// Which.
        position: Position,
    },
    /// The signing certificate is a CA's.
    #[error("certificate: a CA certificate signs the document")]
    LeafIsCa,
    /// A certificate was expired or not valid yet when the document was made.
    #[error("a certificate was not valid at the document's timestamp: {reason}")]
    CertificateTime {
        /// Which times differ.
        reason: String,
    },
    /// More certificates follow a CA than it allows.
    #[error("the chain is longer than a CA's path length allows")]
    PathLength,
    /// No chain leads to the root.
    #[error("no issuer in the bundle leads from the signing certificate to the root")]
    UnknownIssuer,
    /// A certificate's signature is wrong.
    #[error("a certificate's signature is wrong")]
    CertificateSignature,
    /// A certificate has a critical extension that nobody here understands.
    #[error("a certificate has an unknown critical extension")]
    CriticalExtension,
    /// A certificate of the bundle is unused or out of order.
    #[error("cabundle is not the chain in order, root first")]
    BundleOrder,
    /// Any other rule of X.509.
    #[error("the chain is not valid: {reason}")]
    Chain {
        /// What the verifier says.
        reason: String,
    },

    // The signature.
    /// The document's signature is wrong.
    #[error("the document's signature is wrong")]
    BadSignature,

    // What the caller wants.
    /// The enclave ran in debug mode.
    #[error("PCR {index} is zero: the enclave runs in debug mode")]
    DebugMode {
        /// The first PCR that is zero.
        index: u8,
    },
    /// A PCR has another value.
    #[error("PCR {index} is {actual}, not {expected}")]
    PcrMismatch {
        /// The number.
        index: u8,
        /// The caller's value in hex.
        expected: String,
        /// The document's value in hex.
        actual: String,
    },
    /// The nonce is absent or another one.
    #[error("nonce is {actual}, not {expected}")]
    NonceMismatch {
        /// The caller's nonce in hex.
        expected: String,
        /// The document's nonce in hex, or `none`.
        actual: String,
    },
    /// The document is too old.
    #[error("the document is {age_ms} ms old, more than {max_age_ms} ms")]
    TooOld {
        /// Its age.
        age_ms: u64,
        /// The caller's limit.
        max_age_ms: u64,
    },
    /// The document is from the future.
    #[error("the document is {ahead_ms} ms ahead of the clock, more than {} ms", super::FUTURE_TOLERANCE_MS)]
    FromFuture {
        /// How far ahead.
        ahead_ms: u64,
    },
    /// `user_data` is not the digest of the statement.
    #[error("user_data is {actual}, not the statement's digest {expected}")]
    StatementMismatch {
        /// The statement's digest in hex.
        expected: String,
        /// The document's `user_data` in hex, or `none`.
        actual: String,
    },
}

impl VerifyError {
    /// A stable name for programs to compare; messages may change, codes do not.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnusableRoot { .. } => "unusable_root",
            Self::DocumentTooLarge { .. } => "document_too_large",
            Self::Malformed { .. } => "malformed_cbor",
            Self::NotCoseSign1 { .. } => "not_cose_sign1",
            Self::Tagged => "cose_tagged",
            Self::ProtectedHeader { .. } => "protected_header",
            Self::UnprotectedHeader => "unprotected_header",
            Self::SignatureLength { .. } => "signature_length",
            Self::TrailingBytes { .. } => "trailing_bytes",
            Self::NotShortestForm => "not_shortest_form",
            Self::TrailingPayloadBytes { .. } => "trailing_payload_bytes",
            Self::UnknownKey { .. } => "unknown_key",
            Self::KeyTwice { .. } => "key_twice",
            Self::KeyAbsent { .. } => "key_absent",
            Self::NitroTpm => "nitrotpm_document",
            Self::ModuleId { .. } => "module_id",
            Self::Digest { .. } => "digest",
            Self::Timestamp { .. } => "timestamp",
            Self::FieldLength { .. } => "field_length",
            Self::PcrIndex { .. } => "pcr_index",
            Self::PcrLength { .. } => "pcr_length",
            Self::PcrTwice { .. } => "pcr_twice",
            Self::PcrAbsent { .. } => "pcr_absent",
            Self::BundleEmpty => "bundle_empty",
            Self::BundleTooLong { .. } => "bundle_too_long",
            Self::WrongRoot { .. } => "wrong_root",
            Self::BadCertificate { .. } => "bad_certificate",
            Self::CertificateAlgorithm { .. } => "certificate_algorithm",
            Self::CertificateKey { .. } => "certificate_key",
            Self::KeyUsage { .. } => "key_usage",
            Self::ExtendedKeyUsage => "extended_key_usage",
            Self::NotCa { .. } => "not_ca",
            Self::LeafIsCa => "leaf_is_ca",
            Self::CertificateTime { .. } => "certificate_time",
            Self::PathLength => "path_length",
            Self::UnknownIssuer => "unknown_issuer",
            Self::CertificateSignature => "certificate_signature",
            Self::CriticalExtension => "critical_extension",
            Self::BundleOrder => "bundle_order",
            Self::Chain { .. } => "chain",
            Self::BadSignature => "bad_signature",
            Self::DebugMode { .. } => "debug_mode",
            Self::PcrMismatch { .. } => "pcr_mismatch",
            Self::NonceMismatch { .. } => "nonce_mismatch",
            Self::TooOld { .. } => "too_old",
            Self::FromFuture { .. } => "from_future",
            Self::StatementMismatch { .. } => "statement_mismatch",
        }
    }
}
