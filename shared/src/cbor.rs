//! The one place that names `serde_cbor`.
//!
//! The crate is unmaintained (RUSTSEC-2021-0127), and it is what the NSM crate speaks: keeping it
//! here keeps a single CBOR parser in the measured image. It is used in the narrowest way: input is
//! bounded by its caller, packed structs and legacy enums are off, nothing may follow the value,
//! and encoding the value again must give the input back. That last rule refuses every second
//! spelling (long integers, indefinite lengths, other key orders, tags) without naming them.

use std::io::{self, ErrorKind, Write};

use serde::{Serialize, de::DeserializeOwned};

/// Why bytes are not the strict encoding of a value.
#[derive(Debug, thiserror::Error)]
pub enum CborError {
    /// Not CBOR, or not of the expected shape.
    #[error("malformed message: {0}")]
    Malformed(#[source] serde_cbor::Error),
    /// A second spelling of a value that has only one.
    #[error("malformed message: not in canonical form")]
    NotCanonical,
    /// The value cannot be written.
    #[error("message cannot be encoded: {0}")]
    Encode(#[source] serde_cbor::Error),
}

/// Encodes a value in its one form.
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, CborError> {
    let mut bytes = Vec::new();
    append(&mut bytes, value)?;
    Ok(bytes)
}

/// Encodes a value in its one form, after what is in `bytes` already.
pub fn append<T: Serialize>(bytes: &mut Vec<u8>, value: &T) -> Result<(), CborError> {
    serde_cbor::to_writer(bytes, value).map_err(CborError::Encode)
}

/// Decodes a value, refusing every encoding but the one that [`to_vec`] makes.
pub fn from_slice<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, CborError> {
    let mut deserializer =
        serde_cbor::Deserializer::from_slice(bytes).disable_packed_format().disable_legacy_enums();
    let value = T::deserialize(&mut deserializer).map_err(CborError::Malformed)?;
    deserializer.end().map_err(CborError::Malformed)?;
    if !is_encoding(bytes, &value) {
        return Err(CborError::NotCanonical);
    }
    Ok(value)
}

/// Whether `bytes` are what [`to_vec`] makes of a value, found out without making it.
fn is_encoding<T: Serialize>(bytes: &[u8], value: &T) -> bool {
    let mut expected = Expected(bytes);
    serde_cbor::to_writer(&mut expected, value).is_ok() && expected.0.is_empty()
}

/// Takes exactly the bytes that are expected.
struct Expected<'a>(&'a [u8]);

impl Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_every_byte_of_it_and_no_other() {
        let value = vec!["a".to_owned(), "b".repeat(300)];
        let bytes = to_vec(&value).unwrap();
        assert!(is_encoding(&bytes, &value));
        assert!(!is_encoding(&[bytes.as_slice(), &[0]].concat(), &value));
        for index in 0..bytes.len() {
            assert!(!is_encoding(&bytes[..index], &value), "cut at {index}");
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert!(!is_encoding(&changed, &value), "changed at {index}");
        }
    }
}
