//! Calls of contracts: functions written as people write them, and arguments decoded from call data.
//!
//! What a contract makes of bytes that no encoder would produce depends on the contract: offsets that overlap, dirty
//! padding, bytes left over. So only the canonical encoding of the contract ABI specification is understood: encoding the
//! decoded values again gives the same bytes. This also bounds the work, as every byte is read once.

mod decode;
mod kind;
mod path;
#[cfg(test)]
mod tests;

pub use path::{FieldPath, MAX_PATH};

use crate::chain::evm::keccak256;
use crate::chain::facts::TypedField;
use kind::{Kind, Parameter, Type};
use path::Step;

/// The longest text of a function's signature, in bytes.
pub const MAX_SIGNATURE: usize = 2048;
/// The deepest nesting of arrays and tuples.
pub const MAX_DEPTH: usize = 8;
/// The most values, arrays and tuples included, that are decoded at once. Any call data of [`MAX_ARGUMENTS`] / 8 bytes,
/// which is what a transaction can carry, has no more.
pub const MAX_VALUES: usize = 32_768;
/// The longest arguments that are decoded, in bytes.
pub const MAX_ARGUMENTS: usize = 1024 * 1024;

/// Why a signature, a path or call data is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AbiError {
    /// Not a function's signature.
    #[error("is not a function such as `transfer(address to, uint256 amount)`: {0}")]
    Signature(&'static str),
    /// Not a path, or not one of the function.
    #[error("is not a path such as `orders[].recipient`: {0}")]
    Path(&'static str),
    /// Not the canonical encoding of the function's arguments.
    #[error("the call data is not the canonical encoding of the function's arguments: {0}")]
    Arguments(&'static str),
}

/// A function of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    name: String,
    parameters: Vec<Parameter>,
    /// Words that the heads of all arguments take.
    head_words: usize,
}

/// What kind of value a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// `uint8` to `uint256`, by the number of bits
    Uint(usize),
    /// `int8` to `int256`, by the number of bits
    Int(usize),
    /// `bool`
    Bool,
    /// `address`
    Address,
    /// `bytes`
    Bytes,
    /// `bytes1` to `bytes32`, by the number of bytes
    FixedBytes(usize),
    /// `string`
    String,
}

impl Function {
    /// Reads `name(type name, (type name, …)[] name)`: every parameter has a name of its own among its neighbours. Types
    /// are spelled in full (`uint256`, not `uint`), tuples without the word.
    pub fn parse(signature: &str) -> Result<Self, AbiError> {
        kind::parse(signature)
    }

    /// The name alone.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name and the types, without spaces and parameters' names: `transfer(address,uint256)`.
    pub fn canonical(&self) -> String {
        let types: Vec<&str> = self.parameters.iter().map(|parameter| parameter.kind.name.as_str()).collect();
        format!("{}({})", self.name, types.join(","))
    }

    /// The first four bytes of the Keccak-256 of [`Self::canonical`]: those that call data begins with.
    pub fn selector(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = keccak256(self.canonical().as_bytes());
        [a, b, c, d]
    }

    /// The arguments, from call data without its selector. Fields' types are canonical: a tuple's is `(address,uint256)`.
    ///
    /// Linear in time and memory. Refused: anything but the canonical encoding, text that is not UTF-8, and more than
    /// [`MAX_ARGUMENTS`] bytes or [`MAX_VALUES`] values.
    pub fn decode(&self, arguments: &[u8]) -> Result<Vec<TypedField>, AbiError> {
        decode::arguments(&self.parameters, self.head_words, arguments)
    }

    /// The kind of values that `path` leads to. Refused: a path that leads nowhere, or to an array or a tuple.
    pub fn check_path(&self, path: &FieldPath) -> Result<Leaf, AbiError> {
        let (mut members, mut at): (&[Parameter], Option<&Type>) = (&self.parameters, None);
        for step in path.steps() {
            let next = match (step, at.map(|kind| &kind.kind)) {
                (Step::Member(name), None) => find(members, name),
                (Step::Member(name), Some(Kind::Tuple(parameters))) => {
                    members = parameters;
                    find(members, name)
                }
                (Step::Each, Some(Kind::Array(item, _))) => Some(item.as_ref()),
                (Step::Each, _) => return Err(AbiError::Path("`[]` follows something that is no array")),
                (Step::Member(_), Some(Kind::Array(..))) => {
                    return Err(AbiError::Path("write `[]` after the array, for each of its elements"));
                }
                (Step::Member(_), Some(_)) => None,
            };
            at = Some(next.ok_or(AbiError::Path("the function has no parameter or member of this name"))?);
        }
        at.and_then(|kind| kind.kind.leaf())
            .ok_or(AbiError::Path("it leads to an array or a tuple: name a value inside"))
    }
}

fn find<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a Type> {
    parameters.iter().find(|parameter| parameter.name == name).map(|parameter| &parameter.kind)
}
