//! Conditions on what is to be signed, one kind for each operation that can have them.

use serde::{Deserialize, Serialize};

use super::{
    abi::Abis,
    check::{Check, listed, short},
    evm::{EvmAuthorizationWhen, EvmMessageWhen, EvmTransactionWhen, EvmTypedDataWhen},
    operation::Operation,
    solana::SolanaTransactionWhen,
    value::{MAX_TEXT, Range},
};

/// The most addresses of a list in a condition.
pub const MAX_ADDRESSES: usize = 10_000;
/// The most entries of any other list in a condition.
pub const MAX_LIST: usize = 1_000;

/// Conditions on what is to be signed. JSON: an object with exactly one member, which must be of the
/// rule's one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// `evm.transaction`
    EvmTransaction(Box<EvmTransactionWhen>),
    /// `evm.authorization`
    EvmAuthorization(EvmAuthorizationWhen),
    /// `evm.typed_data`
    EvmTypedData(Box<EvmTypedDataWhen>),
    /// `evm.message`
    EvmMessage(EvmMessageWhen),
    /// `solana.transaction`
    SolanaTransaction(Box<SolanaTransactionWhen>),
}

impl When {
    /// The operation that it is about.
    pub fn operation(&self) -> Operation {
        match self {
            Self::EvmTransaction(_) => Operation::EvmTransaction,
            Self::EvmAuthorization(_) => Operation::EvmAuthorization,
            Self::EvmTypedData(_) => Operation::EvmTypedData,
            Self::EvmMessage(_) => Operation::EvmMessage,
            Self::SolanaTransaction(_) => Operation::SolanaTransaction,
        }
    }

    pub(super) fn validate(&self, abis: &Abis<'_>) -> Check {
        let (member, check) = match self {
            Self::EvmTransaction(when) => ("evm_transaction", when.validate(abis)),
            Self::EvmAuthorization(when) => ("evm_authorization", when.validate()),
            Self::EvmTypedData(when) => ("evm_typed_data", when.validate()),
            Self::EvmMessage(when) => ("evm_message", when.validate()),
            Self::SolanaTransaction(when) => ("solana_transaction", when.validate()),
        };
        check.map_err(|problem| problem.within(member))
    }
}

/// A range under a name, if it is there.
pub(super) fn ranged(name: &str, range: Option<&Range>) -> Check {
    range.map_or(Ok(()), |range| range.validate().map_err(|problem| problem.within(name)))
}

/// Texts under a name, if they are there.
pub(super) fn texts(name: &str, list: Option<&Vec<String>>) -> Check {
    listed(name, list, MAX_LIST)?;
    list.into_iter().flatten().try_for_each(|text| short(name, text, MAX_TEXT))
}
