//! An unsigned transaction of any type: its fields, and how they are decoded, judged, and encoded.

mod check;
mod decode;
mod encode;

use std::borrow::Cow;

use ruint::aliases::U256;

use super::EvmAddress;
use super::rlp::RlpError;
use crate::chain::facts::{AccessListItem, EvmBlobs, EvmFees, EvmSignedAuthorization, EvmTransactionKind};

/// The largest chain id whose EIP-155 `v` (35 + 2 x id + parity) fits 64 bits. The same bound for every type.
pub(super) const MAX_CHAIN_ID: u64 = (u64::MAX - 36) / 2;

/// The fields of an unsigned transaction, before they were checked.
///
/// [`Payload::decode`] sets what the type has and leaves the rest empty; the encoder writes only what the type has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) kind: EvmTransactionKind,
    /// `None`: legacy without EIP-155.
    pub(super) chain_id: Option<u64>,
    pub(super) nonce: u64,
    /// A gas price for legacy and EIP-2930, else dynamic.
    pub(super) fees: EvmFees,
    pub(super) gas: u64,
    pub(super) to: Option<EvmAddress>,
    pub(super) value: U256,
    pub(super) input: Vec<u8>,
    /// Empty for legacy.
    pub(super) access_list: Vec<AccessListItem>,
    /// EIP-4844 only.
    pub(super) blobs: Option<EvmBlobs>,
    /// EIP-7702 only.
    pub(super) authorization_list: Vec<EvmSignedAuthorization>,
}

/// What is wrong with which field (JSON-RPC name; empty for the whole).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    pub(super) field: Cow<'static, str>,
    pub(super) message: String,
}

impl FieldError {
    pub(super) fn new(field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The types that have a type byte (EIP-2718), and theirs. Legacy transactions have none.
const TYPES: [(u8, EvmTransactionKind); 4] = [
    (1, EvmTransactionKind::Eip2930),
    (2, EvmTransactionKind::Eip1559),
    (3, EvmTransactionKind::Eip4844),
    (4, EvmTransactionKind::Eip7702),
];

/// The type with this type byte.
pub(super) fn kind_of(byte: u8) -> Option<EvmTransactionKind> {
    TYPES.iter().find(|(known, _)| *known == byte).map(|(_, kind)| *kind)
}

/// The type byte of a type, if it has one.
fn type_byte(kind: EvmTransactionKind) -> Option<u8> {
    TYPES.iter().find(|(_, known)| *known == kind).map(|(byte, _)| *byte)
}

fn in_field<T>(field: &'static str, result: Result<T, RlpError>) -> Result<T, FieldError> {
    result.map_err(|cause| FieldError::new(field, cause.to_string()))
}
