//! `types`: the definitions of structs.
//!
//! All are judged, used or not: a definition that is wrong somewhere is not understood.

use super::{DOMAIN_TYPE, MAX_DEPTH, encode};
use crate::chain::Rejection;
use crate::chain::evm::keccak256;
use crate::chain::json::Value;

/// The longest JSON text of `types`, in bytes. Each type's hash covers the types it refers to: at most
/// [`MAX_TYPES`] times this is hashed.
const MAX_LEN: usize = 16 * 1024;
/// The most types, [`DOMAIN_TYPE`] included.
const MAX_TYPES: usize = 32;
/// The most members of a struct.
pub(super) const MAX_FIELDS: usize = 64;
/// The longest name of a type or member, in bytes.
const MAX_NAME: usize = 64;
/// The longest type of a member with its array dimensions, in bytes.
const MAX_FIELD_TYPE: usize = 192;

/// All definitions.
pub(super) struct Types(Vec<StructType>);

/// The definition of a struct.
pub(super) struct StructType {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    /// `encodeType`: this definition and those it refers to.
    pub(super) encoded: String,
    /// `typeHash`.
    pub(super) hash: [u8; 32],
}

/// A member of a struct.
pub(super) struct Field {
    pub(super) name: String,
    /// The type as it was written, which is how it is hashed.
    pub(super) type_name: String,
    pub(super) kind: Kind,
}

/// The type of a value.
pub(super) enum Kind {
    Bool,
    Address,
    String,
    Bytes,
    /// Of so many bytes, 1 to 32.
    FixedBytes(usize),
    /// Of so many bits, 8 to 256.
    Uint(usize),
    /// Of so many bits, 8 to 256.
    Int(usize),
    /// By its name, which is defined.
    Struct(String),
    /// Of any length, or of exactly so many items.
    Array(Box<Kind>, Option<usize>),
}

impl Types {
    /// Reads `types`, where every type that is used must be defined.
    pub(super) fn parse(value: Value<'_>) -> Result<Self, Rejection> {
        if value.text().len() > MAX_LEN {
            return Err(value.reject(format!("is longer than {MAX_LEN} bytes of JSON")));
        }
        let entries = value.object_of(MAX_TYPES)?.entries()?;
        let names: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
        let mut types = Vec::new();
        for (name, fields) in entries {
            if !is_identifier(&name) || Kind::atomic(&name).is_some() || is_reserved(&name) {
                return Err(fields.reject(
                    "is not a name for a struct: use a letter, _ or $ and then also digits, and no name of a \
                     Solidity type",
                ));
            }
            let fields = read_fields(fields, &names)?;
            types.push(StructType { name, fields, encoded: String::new(), hash: [0; 32] });
        }
        let mut types = Self(types);
        let encoded: Vec<String> = types.0.iter().map(|one| encode::encode_type(&types, one)).collect();
        for (one, encoded) in types.0.iter_mut().zip(encoded) {
            one.hash = keccak256(encoded.as_bytes());
            one.encoded = encoded;
        }
        Ok(types)
    }

    /// The definition of the struct `name`.
    pub(super) fn get(&self, name: &str) -> Option<&StructType> {
        self.0.iter().find(|one| one.name == name)
    }

    /// The definition of the domain.
    pub(super) fn domain(&self) -> Result<&StructType, Rejection> {
        self.get(DOMAIN_TYPE)
            .ok_or_else(|| Rejection::new(format!("typed_data.types.{DOMAIN_TYPE}"), "is missing"))
    }

    /// The definition that `primaryType` names.
    pub(super) fn primary(&self, value: &Value<'_>) -> Result<&StructType, Rejection> {
        let name = value.string()?;
        if name == DOMAIN_TYPE {
            return Err(value.reject("is the domain: a message needs a type of its own"));
        }
        self.get(&name).ok_or_else(|| value.reject("is not one of the types"))
    }
}

fn read_fields(value: Value<'_>, names: &[String]) -> Result<Vec<Field>, Rejection> {
    let too_many = value.reject(format!("has more than {MAX_FIELDS} members"));
    let items = value.array()?;
    if items.len() > MAX_FIELDS {
        return Err(too_many);
    }
    let mut fields: Vec<Field> = Vec::new();
    for item in items {
        let mut members = item.object()?;
        let (name, kind) = (members.require("name")?, members.require("type")?);
        members.finish()?;
        let field = Field {
            name: field_name(&name, &fields)?,
            type_name: kind.string()?,
            kind: kind_of(&kind, names)?,
        };
        fields.push(field);
    }
    Ok(fields)
}

fn field_name(value: &Value<'_>, before: &[Field]) -> Result<String, Rejection> {
    let name = value.string()?;
    if !is_identifier(&name) {
        return Err(value.reject(format!(
            "must be an identifier of at most {MAX_NAME} characters: a letter, _ or $, and then also digits"
        )));
    }
    if before.iter().any(|field| field.name == name) {
        return Err(value.reject("is the name of another member"));
    }
    Ok(name)
}

fn kind_of(value: &Value<'_>, names: &[String]) -> Result<Kind, Rejection> {
    let text = value.string()?;
    if text.len() > MAX_FIELD_TYPE {
        return Err(value.reject(format!("must be at most {MAX_FIELD_TYPE} characters")));
    }
    let (base, dimensions) = text.split_at(text.find('[').unwrap_or(text.len()));
    let mut kind = match Kind::atomic(base) {
        Some(kind) => kind,
        None if base == DOMAIN_TYPE => return Err(value.reject("must not be the domain's type")),
        None if names.iter().any(|name| name == base) => Kind::Struct(base.to_owned()),
        None => {
            return Err(value.reject(
                "is neither one of the types nor bool, address, string, bytes, bytes1 to bytes32, uint8 to uint256 or \
                 int8 to int256 (EIP-712 has no uint or int: write uint256 or int256)",
            ));
        }
    };
    let lengths = array_lengths(dimensions).ok_or_else(|| {
        value.reject("has a wrong array dimension: [] or [n], n from 1, without leading zeros")
    })?;
    if lengths.len() > MAX_DEPTH {
        return Err(value.reject(format!("has more than {MAX_DEPTH} array dimensions")));
    }
    // The last dimension is the outermost: `T[2][]` is any number of pairs.
    for length in lengths {
        kind = Kind::Array(Box::new(kind), length);
    }
    Ok(kind)
}

/// The lengths in `[2][]`, from left to right.
fn array_lengths(mut dimensions: &str) -> Option<Vec<Option<usize>>> {
    let mut lengths = Vec::new();
    while !dimensions.is_empty() {
        let (length, rest) = dimensions.strip_prefix('[')?.split_once(']')?;
        lengths.push(if length.is_empty() { None } else { Some(canonical_number(length)?) });
        dimensions = rest;
    }
    Some(lengths)
}

impl Kind {
    /// The atomic or dynamic type `name`.
    fn atomic(name: &str) -> Option<Self> {
        match name {
            "bool" => return Some(Self::Bool),
            "address" => return Some(Self::Address),
            "string" => return Some(Self::String),
            "bytes" => return Some(Self::Bytes),
            _ => {}
        }
        let bits = |digits| canonical_number(digits).filter(|bits| *bits <= 256 && bits.is_multiple_of(8));
        if let Some(digits) = name.strip_prefix("uint") {
            bits(digits).map(Self::Uint)
        } else if let Some(digits) = name.strip_prefix("int") {
            bits(digits).map(Self::Int)
        } else {
            canonical_number(name.strip_prefix("bytes")?).filter(|size| *size <= 32).map(Self::FixedBytes)
        }
    }
}

/// A positive number in decimal digits, its only spelling.
fn canonical_number(digits: &str) -> Option<usize> {
    let canonical = digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| canonical)
}

fn is_identifier(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$');
    name.len() <= MAX_NAME
        && name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// Names that Solidity, or one of the libraries, takes for a type of its own, so that a struct of this name would be
/// hashed differently by somebody: `uint`, `bytes33`, `int7`, `fixed128x18`.
fn is_reserved(name: &str) -> bool {
    const EXACTLY: [&str; 4] = ["function", "tuple", "byte", "mapping"];
    const WITH_NUMBERS: [&str; 7] = ["uint", "int", "bytes", "ufixed", "fixed", "bool", "string"];
    let number = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'x');
    EXACTLY.contains(&name) || WITH_NUMBERS.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(number))
}
