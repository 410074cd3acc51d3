//! Facts of EIP-712 typed data.

use std::fmt;

use ruint::aliases::U256;
use serde::{Serialize, Serializer};

use crate::chain::evm::EvmAddress;
use crate::chain::signed::{hex_bytes, prefixed};

/// EIP-712 typed data: what `eth_signTypedData_v4` signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvmTypedDataFacts {
    /// The domain's chain, never 0; `None` if the domain names none, so the signature is good on every chain.
    pub chain_id: Option<u64>,
    /// Who the message is for.
    pub domain: TypedDataDomain,
    /// The type of the message.
    pub primary_type: String,
    /// `encodeType` of the message's type: its definition, then those of the types it refers to, by name.
    pub encode_type: String,
    /// The message, its members in the order of the type's definition.
    pub message: Vec<TypedField>,
    /// `hashStruct` of the domain.
    #[serde(serialize_with = "hex_bytes")]
    pub domain_separator: [u8; 32],
    /// `hashStruct` of the message.
    #[serde(serialize_with = "hex_bytes")]
    pub message_hash: [u8; 32],
}

impl EvmTypedDataFacts {
    /// The value at `path`: names of members from the message inwards. Does not lead into arrays.
    pub fn field(&self, path: &[&str]) -> Option<&TypedValue> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(member(&self.message, first)?, |value, name| match value {
            TypedValue::Struct(fields) => member(fields, name),
            _ => None,
        })
    }
}

fn member<'a>(fields: &'a [TypedField], name: &str) -> Option<&'a TypedValue> {
    fields.iter().find(|field| field.name == name).map(|field| &field.value)
}

/// The members of `EIP712Domain`; `None` is not part of this domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TypedDataDomain {
    /// The name of the application or protocol.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The chain it runs on, never 0.
    pub chain_id: Option<u64>,
    /// The contract that will verify the signature.
    pub verifying_contract: Option<EvmAddress>,
    /// What tells this domain from others that are alike.
    #[serde(serialize_with = "optional_word")]
    pub salt: Option<[u8; 32]>,
}

/// A member of a struct.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypedField {
    /// Its name.
    pub name: String,
    /// Its type as the definition has it, such as `uint256` or `Person[2][]`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its value.
    pub value: TypedValue,
}

/// A value of a type of EIP-712.
///
/// JSON: integers are decimal strings, bytes `0x`-hex, addresses have their checksum, and a struct is the array of its
/// members `{"name","type","value"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypedValue {
    /// `bool`
    Bool(bool),
    /// `uint8` to `uint256`
    Uint(U256),
    /// `int8` to `int256`
    Int(TypedInt),
    /// `address`
    Address(EvmAddress),
    /// `string`
    String(String),
    /// `bytes`
    Bytes(Vec<u8>),
    /// `bytes1` to `bytes32`
    FixedBytes(Vec<u8>),
    /// `T[]` or `T[n]`
    Array(Vec<TypedValue>),
    /// A struct, its members in the order of its definition.
    Struct(Vec<TypedField>),
}

/// A signed integer of up to 256 bits. Zero is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypedInt {
    /// Whether it is below zero.
    pub negative: bool,
    /// The number without its sign, at most 2^255.
    pub magnitude: U256,
}

impl fmt::Display for TypedInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", self.magnitude)
    }
}

impl Serialize for TypedValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Uint(value) => serializer.collect_str(value),
            Self::Int(value) => serializer.collect_str(value),
            Self::Address(address) => address.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) | Self::FixedBytes(bytes) => serializer.serialize_str(&prefixed(bytes)),
            Self::Array(items) => items.serialize(serializer),
            Self::Struct(fields) => fields.serialize(serializer),
        }
    }
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn optional_word<S: Serializer>(word: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
    word.map(|word| prefixed(&word)).serialize(serializer)
}
