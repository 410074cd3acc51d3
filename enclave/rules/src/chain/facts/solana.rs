//! Facts of what Solana understands.

use serde::Serialize;

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
    /// The accounts named in the message itself, without duplicates.
    pub account_keys: Vec<SolanaAccountKey>,
    /// The instructions, executed in order.
    pub instructions: Vec<SolanaInstruction>,
    /// Accounts that the chain will look up; empty for legacy.
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

/// A Solana off-chain message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SolanaOffchainMessageFacts {
    /// 0 or 1.
    pub version: u8,
    /// All required signers in order.
    pub signers: Vec<SolanaAddress>,
    /// What is signed.
    pub text: String,
}
