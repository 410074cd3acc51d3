//! The complete description of what would be signed, for policy, audit and people.
//!
//! JSON members are in snake case; amounts are decimal strings, bytes `0x`-hex, addresses in their chain's own text form.

mod abridged;
mod evm;
mod solana;
mod typed_data;

use serde::Serialize;

pub use evm::{
    AccessListItem, EvmAuthorizationFacts, EvmBlobs, EvmFees, EvmMessageFacts, EvmSignedAuthorization,
    EvmTransactionFacts, EvmTransactionKind,
};
pub use solana::{
    AssociatedTokenInstruction, ComputeBudgetInstruction, MemoInstruction, MemoVersion, SOLANA_INSTRUCTIONS,
    SolanaAccount, SolanaAccountKey, SolanaDecodedInstruction, SolanaFees, SolanaInstruction,
    SolanaMessageVersion, SolanaOffchainFormat, SolanaOffchainMessageFacts, SolanaTableLookup,
    SolanaTransactionFacts, SystemInstruction, TokenAuthority, TokenInstruction,
};
pub use typed_data::{EvmTypedDataFacts, TypedDataDomain, TypedField, TypedInt, TypedValue};

use super::signed::hex_bytes;

/// The operation name of EVM transactions.
pub const EVM_TRANSACTION: &str = "evm.transaction";
/// The operation name of EIP-7702 authorizations.
pub const EVM_AUTHORIZATION: &str = "evm.authorization";
/// The operation name of EIP-191 messages.
pub const EVM_MESSAGE: &str = "evm.message";
/// The operation name of EIP-712 typed data.
pub const EVM_TYPED_DATA: &str = "evm.typed_data";
/// The operation name of Solana transactions.
pub const SOLANA_TRANSACTION: &str = "solana.transaction";
/// The operation name of Solana off-chain messages.
pub const SOLANA_OFFCHAIN_MESSAGE: &str = "solana.offchain_message";
/// The operation name of digests that are signed unseen, on secp256k1.
pub const RAW_DIGEST: &str = "raw.digest";
/// The operation name of messages that are signed unseen, on Ed25519.
pub const RAW_MESSAGE: &str = "raw.message";

/// What would be signed. JSON: `type`, the operation's name, beside the members of the variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum Facts {
    /// `evm.transaction`
    #[serde(rename = "evm.transaction")]
    Evm(EvmTransactionFacts),
    /// `evm.authorization`
    #[serde(rename = "evm.authorization")]
    EvmAuthorization(EvmAuthorizationFacts),
    /// `evm.message`
    #[serde(rename = "evm.message")]
    EvmMessage(EvmMessageFacts),
    /// `evm.typed_data`
    #[serde(rename = "evm.typed_data")]
    EvmTypedData(EvmTypedDataFacts),
    /// `solana.transaction`
    #[serde(rename = "solana.transaction")]
    Solana(SolanaTransactionFacts),
    /// `solana.offchain_message`
    #[serde(rename = "solana.offchain_message")]
    SolanaOffchainMessage(SolanaOffchainMessageFacts),
    /// `raw.digest`
    #[serde(rename = "raw.digest")]
    RawDigest(RawDigestFacts),
    /// `raw.message`
    #[serde(rename = "raw.message")]
    RawMessage(RawMessageFacts),
}

/// The chains that a signature is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainScope {
    /// Not about EVM chains.
    None,
    /// One EVM chain.
    Evm(u64),
    /// Every EVM chain: nothing in what is signed names one.
    EveryEvm,
}

impl Facts {
    /// The kind of operation, as requests and rules name it.
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::Evm(_) => EVM_TRANSACTION,
            Self::EvmAuthorization(_) => EVM_AUTHORIZATION,
            Self::EvmMessage(_) => EVM_MESSAGE,
            Self::EvmTypedData(_) => EVM_TYPED_DATA,
            Self::Solana(_) => SOLANA_TRANSACTION,
            Self::SolanaOffchainMessage(_) => SOLANA_OFFCHAIN_MESSAGE,
            Self::RawDigest(_) => RAW_DIGEST,
            Self::RawMessage(_) => RAW_MESSAGE,
        }
    }

    /// The chains that the signature is good for. Messages and raw digests are about no chain by themselves.
    pub fn chain(&self) -> ChainScope {
        let of = |chain_id: Option<u64>| chain_id.map_or(ChainScope::EveryEvm, ChainScope::Evm);
        match self {
            Self::Evm(facts) => of(facts.chain_id),
            Self::EvmAuthorization(facts) => of(facts.chain_id),
            Self::EvmTypedData(facts) => of(facts.chain_id),
            Self::EvmMessage(_)
            | Self::Solana(_)
            | Self::SolanaOffchainMessage(_)
            | Self::RawDigest(_)
            | Self::RawMessage(_) => ChainScope::None,
        }
    }
}

/// A digest of something that nobody shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RawDigestFacts {
    /// What is signed.
    #[serde(serialize_with = "hex_bytes")]
    pub digest: [u8; 32],
}

/// Bytes whose meaning nobody judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RawMessageFacts {
    /// What is signed.
    #[serde(serialize_with = "hex_bytes")]
    pub message: Vec<u8>,
}
