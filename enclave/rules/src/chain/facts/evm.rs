//! Facts of what EVM chains understand.

use ruint::aliases::U256;
use serde::Serialize;

use crate::chain::evm::EvmAddress;
use crate::chain::signed::{decimal, hex_bytes, hex_words, optional_hex};

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

/// An EIP-7702 authorization: the account's code becomes the delegate's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvmAuthorizationFacts {
    /// The chain it is good for; `None`: it says 0, which is every chain.
    pub chain_id: Option<u64>,
    /// Whose code the account gets. The zero address removes it.
    #[serde(rename = "address")]
    pub delegate: EvmAddress,
    /// Whether the account's code is removed.
    pub revokes: bool,
    /// The account's transaction count when it takes effect, at most 2^64 - 2 (EIP-2681).
    pub nonce: u64,
}

/// An EIP-191 message, version 0x45: what `personal_sign` signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvmMessageFacts {
    /// The message without its prefix.
    #[serde(serialize_with = "hex_bytes")]
    pub message: Vec<u8>,
    /// The message, if it is UTF-8.
    pub text: Option<String>,
}
