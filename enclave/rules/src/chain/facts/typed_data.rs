//! Facts of EIP-712 typed data.

use serde::Serialize;

/// EIP-712 typed data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvmTypedDataFacts {
    /// The domain's chain; `None` if the domain names none, so the signature is good on every chain.
    pub chain_id: Option<u64>,
    /// The type of the message.
    pub primary_type: String,
}
