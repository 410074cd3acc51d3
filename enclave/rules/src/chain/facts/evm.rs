//! Facts of what EVM chains understand.

use ruint::aliases::U256;
use serde::{Deserialize, Serialize, Serializer};

use crate::chain::evm::EvmAddress;
use crate::chain::signed::{decimal, hex_bytes, hex_words, optional_hex, prefixed};

/// An EVM transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvmTransactionFacts {
    /// The transaction's type.
    pub kind: EvmTransactionKind,
    /// 0, which no chain has, in types 1 and 2 only. `None`: a legacy transaction without EIP-155, valid on every chain.
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
    /// EIP-4844 only: what is published beside the chain.
    #[serde(flatten)]
    pub blobs: Option<EvmBlobs>,
    /// EIP-7702 only, never empty there: accounts that get code. JSON: absent when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_list: Vec<EvmSignedAuthorization>,
    /// Whether `to` is absent. Never in EIP-4844 and EIP-7702.
    pub creates_contract: bool,
    /// The most wei the sender can lose: gas x fee cap + blob gas x its fee cap + value. Does not overflow.
    #[serde(serialize_with = "decimal")]
    pub max_cost: U256,
}

/// The type of an EVM transaction (EIP-2718).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvmTransactionKind {
    /// Untyped, with or without EIP-155.
    Legacy,
    /// Type 1, EIP-2930: a gas price and an access list.
    Eip2930,
    /// Type 2, EIP-1559.
    Eip1559,
    /// Type 3, EIP-4844: carries blobs.
    Eip4844,
    /// Type 4, EIP-7702: gives accounts code.
    Eip7702,
}

/// What an EVM transaction offers per gas, in wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum EvmFees {
    /// Legacy and EIP-2930.
    GasPrice {
        /// The price.
        #[serde(serialize_with = "decimal")]
        gas_price: U256,
    },
    /// EIP-1559, EIP-4844, EIP-7702.
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

/// The blobs of an EIP-4844 transaction, as far as they are signed: the blobs themselves travel in a sidecar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvmBlobs {
    /// The most to pay for a unit of blob gas, in wei.
    #[serde(serialize_with = "decimal")]
    pub max_fee_per_blob_gas: U256,
    /// One for each blob, 1 to 6: 0x01 and the last 31 bytes of the SHA-256 of its KZG commitment.
    #[serde(serialize_with = "hex_words")]
    pub blob_versioned_hashes: Vec<[u8; 32]>,
}

impl EvmBlobs {
    /// The blob gas that one blob uses (`GAS_PER_BLOB` of EIP-4844).
    pub const GAS_PER_BLOB: u64 = 1 << 17;

    /// The blob gas that all of them use.
    pub fn gas(&self) -> u64 {
        let blobs = u64::try_from(self.blob_versioned_hashes.len()).unwrap_or(u64::MAX);
        blobs.saturating_mul(Self::GAS_PER_BLOB)
    }
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

impl EvmAuthorizationFacts {
    /// The facts of the tuple that is signed; chain id 0 is every chain.
    pub(in crate::chain) fn new(chain_id: u64, delegate: EvmAddress, nonce: u64) -> Self {
        let revokes = delegate.as_bytes().iter().all(|byte| *byte == 0);
        Self { chain_id: Some(chain_id).filter(|id| *id != 0), delegate, revokes, nonce }
    }

    /// The tuple's chain id.
    pub(in crate::chain) fn chain_id_or_0(&self) -> u64 {
        self.chain_id.unwrap_or_default()
    }
}

/// An entry of an EIP-7702 transaction's authorization list.
///
/// Somebody signed it, and whoever that is gets the delegate's code: the transaction's sender need not be the one. The
/// entry does not name that account. It is recovered from the signature on chain; here it stays unknown, and so does
/// whether the entry will take effect (an account with another nonce or with code of its own is passed over).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvmSignedAuthorization {
    /// What was authorized.
    #[serde(flatten)]
    pub authorization: EvmAuthorizationFacts,
    /// Parity of the nonce point's y coordinate. JSON: 0 or 1.
    #[serde(serialize_with = "parity")]
    pub y_parity: bool,
    /// Above 0, below the order of secp256k1. JSON: 32 bytes.
    #[serde(serialize_with = "hex_word")]
    pub r: U256,
    /// Above 0, at most half the order (EIP-2). JSON: 32 bytes.
    #[serde(serialize_with = "hex_word")]
    pub s: U256,
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn parity<S: Serializer>(odd: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(u8::from(*odd))
}

fn hex_word<S: Serializer>(word: &U256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&prefixed(&word.to_be_bytes::<32>()))
}
