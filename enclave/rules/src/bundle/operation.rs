//! What a client can ask for.

use serde::{Deserialize, Serialize};

/// What a client can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Operation {
    /// To create a wallet.
    #[serde(rename = "wallet.create")]
    WalletCreate,
    /// To see a wallet and its accounts.
    #[serde(rename = "wallet.read")]
    WalletRead,
    /// To derive a further account of a wallet.
    #[serde(rename = "wallet.account")]
    WalletAccount,
    /// To sign an EVM transaction.
    #[serde(rename = "evm.transaction")]
    EvmTransaction,
    /// To sign an EIP-7702 authorization, which hands the account to a contract. One for every chain (chain id 0) is
    /// allowed only by a rule whose `chain_ids` has 0.
    #[serde(rename = "evm.authorization")]
    EvmAuthorization,
    /// To sign an EIP-191 message. Some chains take one for a transaction.
    #[serde(rename = "evm.message")]
    EvmMessage,
    /// To sign EIP-712 typed data. On some chains (zkSync Era) that is how transactions are signed.
    #[serde(rename = "evm.typed_data")]
    EvmTypedData,
    /// To sign a Solana transaction.
    #[serde(rename = "solana.transaction")]
    SolanaTransaction,
    /// To sign a Solana off-chain message.
    #[serde(rename = "solana.offchain_message")]
    SolanaOffchainMessage,
    /// To sign 32 bytes unseen, on secp256k1: whoever may, may do everything with the account.
    #[serde(rename = "raw.digest")]
    RawDigest,
    /// To sign bytes unseen, on Ed25519: whoever may, may do everything with the account.
    #[serde(rename = "raw.message")]
    RawMessage,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 11] = [
        Self::WalletCreate,
        Self::WalletRead,
        Self::WalletAccount,
        Self::EvmTransaction,
        Self::EvmAuthorization,
        Self::EvmMessage,
        Self::EvmTypedData,
        Self::SolanaTransaction,
        Self::SolanaOffchainMessage,
        Self::RawDigest,
        Self::RawMessage,
    ];

    /// Whether it makes a signature.
    pub fn signs(self) -> bool {
        !matches!(self, Self::WalletCreate | Self::WalletRead | Self::WalletAccount)
    }

    /// Whether it signs what a chain executes, with a value and a fee.
    pub fn is_transaction(self) -> bool {
        matches!(self, Self::EvmTransaction | Self::SolanaTransaction)
    }

    /// Whether it is about an EVM chain.
    pub fn has_chain_id(self) -> bool {
        matches!(self, Self::EvmTransaction | Self::EvmAuthorization | Self::EvmTypedData)
    }

    /// The operation of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }

    /// The name that requests, rules and records use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WalletCreate => "wallet.create",
            Self::WalletRead => "wallet.read",
            Self::WalletAccount => "wallet.account",
            Self::EvmTransaction => "evm.transaction",
            Self::EvmAuthorization => "evm.authorization",
            Self::EvmMessage => "evm.message",
            Self::EvmTypedData => "evm.typed_data",
            Self::SolanaTransaction => "solana.transaction",
            Self::SolanaOffchainMessage => "solana.offchain_message",
            Self::RawDigest => "raw.digest",
            Self::RawMessage => "raw.message",
        }
    }
}
