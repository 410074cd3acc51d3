//! Values: from JSON to the facts, and to the word that stands for them in the hash.

use ruint::aliases::U256;

use super::MAX_DEPTH;
use super::encode::{self, Word};
use super::types::{Kind, MAX_FIELDS, StructType, Types};
use crate::chain::Rejection;
use crate::chain::evm::{EvmAddress, EvmAddressError};
use crate::chain::facts::{TypedField, TypedInt, TypedValue};
use crate::chain::json::Value;

/// The most values in a message, arrays and structs included.
const MAX_VALUES: usize = 4096;

/// Reads values of `types` within bounds of depth and number.
pub(super) struct Reader<'t> {
    types: &'t Types,
    values_left: usize,
    depth_left: usize,
}

impl<'t> Reader<'t> {
    pub(super) const fn new(types: &'t Types) -> Self {
        Self { types, values_left: MAX_VALUES, depth_left: MAX_DEPTH }
    }

    /// The members of a struct, in the order of its definition, and `hashStruct`.
    pub(super) fn structure(
        &mut self,
        one: &StructType,
        value: Value<'_>,
    ) -> Result<(Vec<TypedField>, Word), Rejection> {
        let mut members = value.object_of(MAX_FIELDS)?;
        let (mut fields, mut words) = (Vec::new(), Vec::new());
        for field in &one.fields {
            let value = members.take_nullable(&field.name).ok_or_else(|| members.missing(&field.name))?;
            let (value, word) = self.value(&field.kind, value)?;
            fields.push(TypedField { name: field.name.clone(), type_name: field.type_name.clone(), value });
            words.push(word);
        }
        members.finish()?;
        Ok((fields, encode::structure(one, &words)))
    }

    fn value(&mut self, kind: &Kind, value: Value<'_>) -> Result<(TypedValue, Word), Rejection> {
        self.values_left = self.values_left.checked_sub(1).ok_or_else(|| {
            value.reject(format!("is one value too many: at most {MAX_VALUES} are signed at once"))
        })?;
        if value.is_null() {
            return Err(value.reject("must not be null: EIP-712 has no value for it"));
        }
        match kind {
            Kind::Array(item, length) => {
                self.nested(value, |reader, value| reader.array(item, *length, value))
            }
            Kind::Struct(name) => {
                let one = self.types.get(name).ok_or_else(|| value.reject("has no definition"))?;
                self.nested(value, |reader, value| {
                    let (fields, word) = reader.structure(one, value)?;
                    Ok((TypedValue::Struct(fields), word))
                })
            }
            _ => atom(kind, &value),
        }
    }

    fn nested<'v, T>(
        &mut self,
        value: Value<'v>,
        read: impl FnOnce(&mut Self, Value<'v>) -> Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        let outside = self.depth_left;
        self.depth_left = outside.checked_sub(1).ok_or_else(|| {
            value.reject(format!("is nested too deep: at most {MAX_DEPTH} arrays and structs in each other"))
        })?;
        let read = read(self, value);
        self.depth_left = outside;
        read
    }

    fn array(
        &mut self,
        item: &Kind,
        length: Option<usize>,
        value: Value<'_>,
    ) -> Result<(TypedValue, Word), Rejection> {
        let wrong_length = length.map(|n| (n, value.reject(format!("must have exactly {n} items"))));
        let given = value.array()?;
        if let Some((_, rejection)) = wrong_length.filter(|(length, _)| *length != given.len()) {
            return Err(rejection);
        }
        let (mut items, mut words) = (Vec::new(), Vec::new());
        for value in given {
            let (value, word) = self.value(item, value)?;
            items.push(value);
            words.push(word);
        }
        Ok((TypedValue::Array(items), encode::array(&words)))
    }
}

/// A value without parts.
fn atom(kind: &Kind, value: &Value<'_>) -> Result<(TypedValue, Word), Rejection> {
    Ok(match kind {
        Kind::Bool => {
            let flag = boolean(value)?;
            (TypedValue::Bool(flag), encode::boolean(flag))
        }
        Kind::Address => {
            let address: EvmAddress =
                value.string()?.parse().map_err(|error: EvmAddressError| value.reject(error.to_string()))?;
            (TypedValue::Address(address), encode::address(&address))
        }
        Kind::String => {
            let text = value.string()?;
            let word = encode::dynamic(text.as_bytes());
            (TypedValue::String(text), word)
        }
        Kind::Bytes => {
            let bytes = value.bytes()?;
            let word = encode::dynamic(&bytes);
            (TypedValue::Bytes(bytes), word)
        }
        Kind::FixedBytes(size) => {
            let bytes = value.bytes()?;
            if bytes.len() != *size {
                return Err(value.reject(format!("must be exactly {size} bytes")));
            }
            let word = encode::fixed_bytes(&bytes);
            (TypedValue::FixedBytes(bytes), word)
        }
        Kind::Uint(bits) => {
            let number = integer(value)?;
            if number.negative || number.magnitude.bit_len() > *bits {
                return Err(value.reject(format!("must be from 0 to 2^{bits} - 1")));
            }
            (TypedValue::Uint(number.magnitude), encode::unsigned(number.magnitude))
        }
        Kind::Int(bits) => {
            let number = integer(value)?;
            if !fits(number, *bits) {
                let exponent = bits.saturating_sub(1);
                return Err(value.reject(format!("must be from -2^{exponent} to 2^{exponent} - 1")));
            }
            (TypedValue::Int(number), encode::signed(number))
        }
        Kind::Struct(_) | Kind::Array(..) => return Err(value.reject("has parts")),
    })
}

fn boolean(value: &Value<'_>) -> Result<bool, Rejection> {
    match value.text() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(value.reject("must be true or false")),
    }
}

/// An integer below 2^256 with its sign: as a JSON number of any length, or as a string, in decimal digits without
/// leading zeros; or as a string of `0x` and up to 64 hex digits, which has no sign. Hex may have leading zeros: clients
/// pad it to the width of the type. It is never two's complement.
fn integer(value: &Value<'_>) -> Result<TypedInt, Rejection> {
    const EXPECTED: &str =
        "must be an integer: decimal digits, as a JSON number or a string, or a string of 0x and hex digits";
    let text = value.text();
    let text = if text.starts_with('"') { value.string()? } else { text.to_owned() };
    let (negative, digits, radix, max_digits) = match (text.strip_prefix("0x"), text.strip_prefix('-')) {
        (Some(digits), _) => (false, digits, 16, 64),
        (_, Some(digits)) => (true, digits, 10, 78),
        _ => (false, text.as_str(), 10, 78),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(value.reject(EXPECTED));
    }
    if radix == 10 && digits.starts_with('0') && (negative || digits.len() > 1) {
        return Err(value.reject("must not have leading zeros, nor zero a sign"));
    }
    let magnitude = Some(digits)
        .filter(|digits| digits.len() <= max_digits)
        .and_then(|digits| U256::from_str_radix(digits, u64::from(radix)).ok())
        .ok_or_else(|| value.reject("must be below 2^256"))?;
    Ok(TypedInt { negative, magnitude })
}

/// Whether `number` is one of two's complement in so many bits.
fn fits(number: TypedInt, bits: usize) -> bool {
    let largest = U256::MAX.wrapping_shr(257_usize.saturating_sub(bits));
    let limit = if number.negative { largest.wrapping_add(U256::ONE) } else { largest };
    number.magnitude <= limit
}
