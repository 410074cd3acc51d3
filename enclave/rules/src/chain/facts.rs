//! The complete description of what would be signed, for policy, audit and people.
//!
//! JSON members are in snake case; amounts are decimal strings, bytes `0x`-hex, addresses in their chain's own text form.

use ruint::aliases::U256;
use serde::Serialize;

use super::evm::EvmAddress;
use super::signed::{base58, decimal, hex_bytes, hex_words, optional_hex};
use super::solana::SolanaAddress;

/// The operation name of EVM transactions.
pub const EVM_TRANSACTION: &str = "evm.transaction";
/// The operation name of Solana transactions.
pub const SOLANA_TRANSACTION: &str = "solana.transaction";

/// What would be signed. JSON: one member named after the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Facts {
    /// `evm.transaction`
    Evm(EvmTransactionFacts),
    /// `solana.transaction`
    Solana(SolanaTransactionFacts),
}

impl Facts {
    /// The kind of operation, as requests and rules name it.
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::Evm(_) => EVM_TRANSACTION,
            Self::Solana(_) => SOLANA_TRANSACTION,
        }
    }

    /// The EVM chain the signature is good for; `None` if it is good on every chain, and for chains without such an id.
    pub const fn chain_id(&self) -> Option<u64> {
        match self {
            Self::Evm(facts) => facts.chain_id,
            Self::Solana(_) => None,
        }
    }
}

/// An EVM transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvmTransactionFacts {
    /// The transaction's type.
    pub kind: EvmTransactionKind,
    /// Never 0. `None`: a legacy transaction without EIP-155, valid on every chain.
    pub chain_id: Option<u64>,
    /// The sender's transaction count, at most 2^64 - 2 (EIP-2681).
    pub nonce: u64,
    /// The recipient; `None` creates a contract.
    pub to: Option<EvmAddress>,
    /// Wei sent.
    #[serde(serialize_with = "decimal")]
    pub value: U256,
    /// Gas limit.
    pub gas: u64,
    /// What is offered per gas.
    #[serde(flatten)]
    pub fees: EvmFees,
    /// Call data, or init code of a contract creation.
    #[serde(serialize_with = "hex_bytes")]
    pub input: Vec<u8>,
    /// The first four bytes of the call data; `None` if it is shorter, and for contract creations.
    #[serde(serialize_with = "optional_hex")]
    pub selector: Option<[u8; 4]>,
    /// EIP-2930 access list, in the order given; empty for legacy.
    pub access_list: Vec<AccessListItem>,
    /// Whether `to` is absent.
    pub creates_contract: bool,
    /// The most wei the sender can lose: gas x fee cap + value. Does not overflow.
    #[serde(serialize_with = "decimal")]
    pub max_cost: U256,
}

/// The type of an EVM transaction (EIP-2718).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EvmTransactionKind {
    /// Untyped, with or without EIP-155.
    Legacy,
    /// Type 2, EIP-1559.
    Eip1559,
}

/// What an EVM transaction offers per gas, in wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum EvmFees {
    /// Legacy.
    GasPrice {
        /// The price.
        #[serde(serialize_with = "decimal")]
        gas_price: U256,
    },
    /// EIP-1559.
    Dynamic {
        /// The most to pay, base fee included.
        #[serde(serialize_with = "decimal")]
        max_fee_per_gas: U256,
        /// The most to pay to the block's proposer; at most `max_fee_per_gas`.
        #[serde(serialize_with = "decimal")]
        max_priority_fee_per_gas: U256,
    },
}

impl EvmFees {
    /// The most one unit of gas can cost, in wei.
    pub const fn cap(&self) -> U256 {
        match self {
            Self::GasPrice { gas_price } => *gas_price,
            Self::Dynamic { max_fee_per_gas, .. } => *max_fee_per_gas,
        }
    }
}

/// One entry of an EIP-2930 access list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessListItem {
    /// The account.
    pub address: EvmAddress,
    /// Its storage slots.
    #[serde(serialize_with = "hex_words")]
    pub storage_keys: Vec<[u8; 32]>,
}

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
