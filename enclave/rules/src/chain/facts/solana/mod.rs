//! Facts of what Solana understands.

mod instructions;
mod names;
mod offchain;

use std::fmt::Display;

use serde::{Serialize, Serializer};

pub use instructions::{
    AssociatedTokenInstruction, ComputeBudgetInstruction, MemoInstruction, MemoVersion,
    SolanaDecodedInstruction, SystemInstruction, TokenAuthority, TokenInstruction,
};
pub use names::SOLANA_INSTRUCTIONS;
pub use offchain::{SolanaOffchainFormat, SolanaOffchainMessageFacts};

use crate::chain::signed::{base58, hex_bytes};
use crate::chain::solana::SolanaAddress;

/// A Solana transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SolanaTransactionFacts {
    /// The message's version.
    pub version: SolanaMessageVersion,
    /// The first account: pays the fee, and its signature is the transaction's id.
    pub fee_payer: SolanaAddress,
    /// All required signers in order, fee payer first.
    pub signers: Vec<SolanaAddress>,
    /// A recent blockhash, or the value of a durable nonce. JSON: base58.
    #[serde(serialize_with = "base58")]
    pub recent_blockhash: [u8; 32],
    /// What the transaction asks of the compute budget, and what it offers for it.
    pub fees: SolanaFees,
    /// The accounts named in the message itself, without duplicates.
    pub account_keys: Vec<SolanaAccountKey>,
    /// The instructions, executed in order.
    pub instructions: Vec<SolanaInstruction>,
    /// Accounts that the chain will look up; version 0 only.
    pub address_table_lookups: Vec<SolanaTableLookup>,
}

/// The version of a Solana message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SolanaMessageVersion {
    /// Without version prefix.
    Legacy,
    /// Version 0, with address lookup tables.
    V0,
    /// Version 1 (SIMD-0385), with the compute budget in the message and no lookup tables.
    V1,
}

/// The compute budget: from instructions (legacy, version 0) or from the message's own values (version 1, where the
/// chain ignores such instructions). `None`: the message does not say, and the chain's default holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SolanaFees {
    /// Compute units.
    pub compute_unit_limit: Option<u32>,
    /// Micro-lamports for each compute unit of the limit; always `None` in version 1. JSON: decimal string.
    #[serde(serialize_with = "optional_text")]
    pub compute_unit_price: Option<u64>,
    /// The priority fee in lamports: exact in version 1 and where the limit is given, otherwise what the largest possible
    /// limit would cost. The fee for signatures comes on top. JSON: decimal string.
    #[serde(serialize_with = "text")]
    pub max_priority_fee: u64,
    /// Bytes.
    pub loaded_accounts_data_size_limit: Option<u32>,
    /// Bytes.
    pub heap_size: Option<u32>,
}

/// An account named in a Solana message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SolanaAccountKey {
    /// The account.
    pub address: SolanaAddress,
    /// Whether it must sign.
    pub signer: bool,
    /// Whether the message asks for a write lock. (The runtime withholds it from programs and sysvars.)
    pub writable: bool,
}

/// One instruction of a Solana transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SolanaInstruction {
    /// The program that executes it; never looked up, never the fee payer.
    pub program_id: SolanaAddress,
    /// The accounts passed to the program, in order.
    pub accounts: Vec<SolanaAccount>,
    /// The data passed to the program.
    #[serde(serialize_with = "hex_bytes")]
    pub data: Vec<u8>,
    /// What the program will understand; `None` unless all of it is known here.
    pub decoded: Option<SolanaDecodedInstruction>,
}

/// An account as an instruction refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SolanaAccount {
    /// Named in the message.
    Static(SolanaAccountKey),
    /// Looked up on chain: which account it is cannot be known here, and a table's owner may still append to it.
    Lookup {
        /// The lookup table.
        table: SolanaAddress,
        /// The entry in the table.
        index: u8,
        /// Whether the message asks for a write lock.
        writable: bool,
    },
}

/// The entries that a Solana transaction loads from one address lookup table; at least one, no entry twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SolanaTableLookup {
    /// The lookup table's account; each table at most once in a transaction.
    pub table: SolanaAddress,
    /// Entries loaded writable.
    pub writable_indexes: Vec<u8>,
    /// Entries loaded read-only.
    pub readonly_indexes: Vec<u8>,
}

/// A number that may be above 2^53.
fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn optional_text<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(serializer)
}
