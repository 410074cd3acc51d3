//! Facts of off-chain messages.

use serde::Serialize;

use crate::chain::solana::SolanaAddress;

/// A Solana off-chain message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SolanaOffchainMessageFacts {
    /// 0 or 1.
    pub version: u8,
    /// 32 bytes that name the application, shown in base58; version 0 only.
    pub application_domain: Option<SolanaAddress>,
    /// What the text promises to be; version 0 only.
    pub format: Option<SolanaOffchainFormat>,
    /// All required signers in order, none twice.
    pub signers: Vec<SolanaAddress>,
    /// What is signed.
    pub text: String,
}

/// The format of the text in an off-chain message of version 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SolanaOffchainFormat {
    /// Printable ASCII without line breaks, at most 1,232 bytes: a hardware wallet can show it.
    RestrictedAscii,
    /// UTF-8, at most 1,232 bytes.
    LimitedUtf8,
    /// UTF-8, at most 65,535 bytes.
    ExtendedUtf8,
}
