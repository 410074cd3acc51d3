//! `encodeType` and `encodeData` of EIP-712: every value is one word of 32 bytes.

use std::collections::BTreeMap;

use ruint::aliases::U256;

use super::types::{Kind, StructType, Types};
use crate::chain::evm::{EvmAddress, keccak256};
use crate::chain::facts::TypedInt;

/// One value in `encodeData`.
pub(super) type Word = [u8; 32];

/// The definition of `primary`, then those that it refers to, directly or not, sorted by name.
pub(super) fn encode_type(types: &Types, primary: &StructType) -> String {
    let mut found: BTreeMap<&str, &StructType> = BTreeMap::new();
    let mut open = vec![primary];
    // A type is opened once, so this ends, whatever refers to what.
    while let Some(next) = open.pop() {
        for name in next.fields.iter().filter_map(|field| struct_name(&field.kind)) {
            if let Some(referred) = types.get(name)
                && name != primary.name
                && found.insert(name, referred).is_none()
            {
                open.push(referred);
            }
        }
    }
    std::iter::once(primary).chain(found.into_values()).map(definition).collect()
}

/// `Mail(Person from,Person to,string contents)`
fn definition(one: &StructType) -> String {
    let members: Vec<String> =
        one.fields.iter().map(|field| format!("{} {}", field.type_name, field.name)).collect();
    format!("{}({})", one.name, members.join(","))
}

/// The struct that the innermost item of `kind` is.
fn struct_name(kind: &Kind) -> Option<&str> {
    match kind {
        Kind::Struct(name) => Some(name),
        Kind::Array(item, _) => struct_name(item),
        _ => None,
    }
}

/// `hashStruct`
pub(super) fn structure(one: &StructType, words: &[Word]) -> Word {
    keccak256(&[one.hash.as_slice(), words.as_flattened()].concat())
}

/// An array, of whatever: the hash of its items' words.
pub(super) fn array(words: &[Word]) -> Word {
    keccak256(words.as_flattened())
}

/// `string` (its UTF-8) and `bytes`.
pub(super) fn dynamic(bytes: &[u8]) -> Word {
    keccak256(bytes)
}

/// `bytes1` to `bytes32`: at the start of the word.
pub(super) fn fixed_bytes(bytes: &[u8]) -> Word {
    let mut word = [0; 32];
    word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    word
}

/// `bool`: 1 or 0.
pub(super) fn boolean(value: bool) -> Word {
    unsigned(U256::from(u8::from(value)))
}

/// `uint8` to `uint256`: big-endian.
pub(super) fn unsigned(value: U256) -> Word {
    value.to_be_bytes()
}

/// `int8` to `int256`: two's complement, with the sign in all bits above the type's.
pub(super) fn signed(value: TypedInt) -> Word {
    if value.negative { unsigned(value.magnitude.wrapping_neg()) } else { unsigned(value.magnitude) }
}

/// `address`: the number that the 20 bytes are.
pub(super) fn address(value: &EvmAddress) -> Word {
    let mut word = [0; 32];
    word.iter_mut().skip(12).zip(value.as_bytes()).for_each(|(to, from)| *to = *from);
    word
}
