//! Byte strings of a fixed length that JSON shows as lower-case hexadecimal.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// `N` bytes, written as exactly `2 * N` lower-case hexadecimal digits: one spelling for each value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexBytes<const N: usize>(pub [u8; N]);

/// Lower-case hexadecimal. `hex::encode` appends one character at a time, which shows in every signature.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut digits = vec![0; bytes.len().saturating_mul(2)];
    // Digits are ASCII, and there is room for exactly as many as there are.
    hex::encode_to_slice(bytes, &mut digits).unwrap_or_default();
    String::from_utf8(digits).unwrap_or_default()
}

/// Why a text is not [`HexBytes`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write {expected} lower-case hexadecimal digits without a prefix")]
pub struct HexError {
    expected: usize,
}

impl<const N: usize> FromStr for HexBytes<N> {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        let mut bytes = [0; N];
        let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if lower => Ok(Self(bytes)),
            _ => Err(HexError { expected: N.saturating_mul(2) }),
        }
    }
}

impl<const N: usize> fmt::Display for HexBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl<const N: usize> fmt::Debug for HexBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for HexBytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for HexBytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_bytes() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(encode(&bytes), hex::encode(&bytes));
        assert_eq!(encode(&[]), "");
        assert_eq!(HexBytes([0, 0xff]).to_string(), "00ff");
    }

    #[test]
    fn one_spelling_only() {
        assert_eq!("00ff".parse::<HexBytes<2>>().unwrap(), HexBytes([0, 0xff]));
        for text in ["00FF", "0x00ff", "00f", "00ff00", "", "00fg"] {
            assert!(text.parse::<HexBytes<2>>().is_err(), "{text}");
        }
    }
}
