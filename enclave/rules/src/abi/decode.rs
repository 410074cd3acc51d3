//! Canonical call data to values: heads in order, and each tail exactly where the one before ends.

use ruint::aliases::U256;

use super::kind::{Kind, Parameter, Type, WORD};
use super::{AbiError, MAX_ARGUMENTS, MAX_VALUES};
use crate::chain::evm::EvmAddress;
use crate::chain::facts::{TypedField, TypedInt, TypedValue};

/// All arguments of a function; `data` has nothing else.
pub(super) fn arguments(
    parameters: &[Parameter],
    head_words: usize,
    data: &[u8],
) -> Result<Vec<TypedField>, AbiError> {
    if data.len() > MAX_ARGUMENTS {
        return Err(AbiError::Arguments("it is longer than 1 MiB"));
    }
    let mut decoder = Decoder { data, values_left: MAX_VALUES };
    let (fields, end) = decoder.fields(parameters, head_words, 0)?;
    if end != data.len() {
        return Err(AbiError::Arguments("bytes are left over"));
    }
    Ok(fields)
}

struct Decoder<'a> {
    data: &'a [u8],
    values_left: usize,
}

/// Where the members of a tuple, or the elements of an array, are read.
struct Cursor {
    /// What offsets count from.
    base: usize,
    /// Of the next member.
    head: usize,
    /// Where the next dynamic member has to be.
    tail: usize,
}

impl Decoder<'_> {
    /// A value that begins at `at`, and where it ends.
    fn value(&mut self, of: &Type, at: usize) -> Result<(TypedValue, usize), AbiError> {
        self.values_left = self
            .values_left
            .checked_sub(1)
            .ok_or(AbiError::Arguments("it has more values than are decoded at once"))?;
        let value = match &of.kind {
            Kind::Tuple(members) => {
                let words =
                    members.iter().fold(0, |sum: usize, member| sum.saturating_add(member.kind.head_words));
                let (fields, end) = self.fields(members, words, at)?;
                return Ok((TypedValue::Struct(fields), end));
            }
            Kind::Array(item, Some(length)) => return self.array(item, *length, at),
            Kind::Array(item, None) => {
                let length = self.size(at)?;
                return self.array(item, length, after(at, WORD)?);
            }
            Kind::Bytes => {
                let (bytes, end) = self.bytes(at)?;
                return Ok((TypedValue::Bytes(bytes.to_vec()), end));
            }
            Kind::String => {
                let (bytes, end) = self.bytes(at)?;
                let text = str::from_utf8(bytes).map_err(|_| AbiError::Arguments("a string is not UTF-8"))?;
                return Ok((TypedValue::String(text.to_owned()), end));
            }
            Kind::Bool => boolean(self.word(at)?)?,
            Kind::Address => address(self.word(at)?)?,
            Kind::FixedBytes(size) => fixed_bytes(self.word(at)?, *size)?,
            Kind::Uint(bits) => unsigned(self.word(at)?, *bits)?,
            Kind::Int(bits) => signed(self.word(at)?, *bits)?,
        };
        Ok((value, after(at, WORD)?))
    }

    fn fields(
        &mut self,
        members: &[Parameter],
        head_words: usize,
        at: usize,
    ) -> Result<(Vec<TypedField>, usize), AbiError> {
        let mut cursor = self.cursor(at, head_words)?;
        let mut fields = Vec::with_capacity(members.len());
        for member in members {
            let value = self.next(&member.kind, &mut cursor)?;
            fields.push(TypedField { name: member.name.clone(), type_name: member.kind.name.clone(), value });
        }
        Ok((fields, cursor.tail))
    }

    fn array(&mut self, item: &Type, length: usize, at: usize) -> Result<(TypedValue, usize), AbiError> {
        // Every element has a head, so there is no length that the data does not pay for.
        let mut cursor = self.cursor(at, item.head_words.saturating_mul(length))?;
        let mut items = Vec::with_capacity(length.min(self.values_left));
        for _ in 0..length {
            items.push(self.next(item, &mut cursor)?);
        }
        Ok((TypedValue::Array(items), cursor.tail))
    }

    fn cursor(&self, base: usize, head_words: usize) -> Result<Cursor, AbiError> {
        let tail = after(base, head_words.saturating_mul(WORD))?;
        if tail > self.data.len() {
            return Err(AbiError::Arguments("it ends too early"));
        }
        Ok(Cursor { base, head: base, tail })
    }

    fn next(&mut self, of: &Type, cursor: &mut Cursor) -> Result<TypedValue, AbiError> {
        let (value, end) = if of.dynamic {
            if cursor.base.checked_add(self.size(cursor.head)?) != Some(cursor.tail) {
                return Err(AbiError::Arguments("an offset leads elsewhere than an encoder puts the value"));
            }
            self.value(of, cursor.tail)?
        } else {
            self.value(of, cursor.head)?
        };
        cursor.head = after(cursor.head, of.head_words.saturating_mul(WORD))?;
        if of.dynamic {
            cursor.tail = end;
        }
        Ok(value)
    }

    /// The bytes of `bytes` or `string`: their length, themselves, and zeros to the end of a word.
    fn bytes(&self, at: usize) -> Result<(&[u8], usize), AbiError> {
        let length = self.size(at)?;
        let start = after(at, WORD)?;
        let end = after(start, length)?;
        let padded = after(start, length.checked_next_multiple_of(WORD).ok_or(TOO_SHORT)?)?;
        let bytes = self.data.get(start..end).ok_or(TOO_SHORT)?;
        zero(self.data.get(end..padded).ok_or(TOO_SHORT)?)?;
        Ok((bytes, padded))
    }

    /// An offset or a length.
    fn size(&self, at: usize) -> Result<usize, AbiError> {
        usize::try_from(U256::from_be_bytes(*self.word(at)?)).map_err(|_| TOO_SHORT)
    }

    fn word(&self, at: usize) -> Result<&[u8; WORD], AbiError> {
        self.data.get(at..).and_then(<[u8]>::first_chunk).ok_or(TOO_SHORT)
    }
}

const TOO_SHORT: AbiError = AbiError::Arguments("it ends too early");

fn after(at: usize, bytes: usize) -> Result<usize, AbiError> {
    at.checked_add(bytes).ok_or(TOO_SHORT)
}

fn zero(padding: &[u8]) -> Result<(), AbiError> {
    if padding.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err(AbiError::Arguments("padding is not zero"))
    }
}

fn boolean(word: &[u8; WORD]) -> Result<TypedValue, AbiError> {
    match word {
        [start @ .., flag @ (0 | 1)] if start.iter().all(|byte| *byte == 0) => {
            Ok(TypedValue::Bool(*flag == 1))
        }
        _ => Err(AbiError::Arguments("a bool is neither 0 nor 1")),
    }
}

fn address(word: &[u8; WORD]) -> Result<TypedValue, AbiError> {
    let (padding, address) = word.split_last_chunk().ok_or(TOO_SHORT)?;
    zero(padding)?;
    Ok(TypedValue::Address(EvmAddress::new(*address)))
}

fn fixed_bytes(word: &[u8; WORD], size: usize) -> Result<TypedValue, AbiError> {
    let (bytes, padding) = word.split_at_checked(size).ok_or(TOO_SHORT)?;
    zero(padding)?;
    Ok(TypedValue::FixedBytes(bytes.to_vec()))
}

fn unsigned(word: &[u8; WORD], bits: usize) -> Result<TypedValue, AbiError> {
    let number = U256::from_be_bytes(*word);
    if number.bit_len() > bits {
        return Err(AbiError::Arguments("an unsigned integer is too large for its type"));
    }
    Ok(TypedValue::Uint(number))
}

/// Two's complement, with the sign in all bits above the type's.
fn signed(word: &[u8; WORD], bits: usize) -> Result<TypedValue, AbiError> {
    let number = U256::from_be_bytes(*word);
    let negative = number.bit(255);
    // All bits that do not repeat the sign; one of the type's bits is the sign.
    let digits = if negative { !number } else { number };
    if digits.bit_len() >= bits {
        return Err(AbiError::Arguments("a signed integer is too large for its type"));
    }
    let magnitude = if negative { number.wrapping_neg() } else { number };
    Ok(TypedValue::Int(TypedInt { negative, magnitude }))
}
