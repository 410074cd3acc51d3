//! The one place that names `serde_cbor`.
//!
//! The crate is unmaintained (RUSTSEC-2021-0127), and it is what the NSM crate speaks: keeping it
//! here keeps a single CBOR parser in the measured image. It is used in the narrowest way: input is
//! bounded by its caller, packed structs and legacy enums are off, nothing may follow the value,
//! and encoding the value again must give the input back. That last rule refuses every second
//! spelling (long integers, indefinite lengths, other key orders, tags) without naming them.

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
    serde_cbor::to_vec(value).map_err(CborError::Encode)
}

/// Decodes a value, refusing every encoding but the one that [`to_vec`] makes.
pub fn from_slice<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, CborError> {
    let mut deserializer =
        serde_cbor::Deserializer::from_slice(bytes).disable_packed_format().disable_legacy_enums();
    let value = T::deserialize(&mut deserializer).map_err(CborError::Malformed)?;
    deserializer.end().map_err(CborError::Malformed)?;
    if to_vec(&value)? != bytes {
        return Err(CborError::NotCanonical);
    }
    Ok(value)
}
