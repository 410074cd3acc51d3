//! Solana addresses: Ed25519 public keys or program-derived, in base58.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest base58 text of 32 bytes.
const MAX_TEXT_LEN: usize = 44;

/// A 32-byte Solana account address. Text and JSON: base58 (Bitcoin alphabet).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SolanaAddress([u8; 32]);

/// A text that is no Solana address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a Solana address: 32 bytes in base58")]
pub struct SolanaAddressError;

impl SolanaAddress {
    /// The address with these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for SolanaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(self.0).into_string())
    }
}

impl fmt::Debug for SolanaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SolanaAddress {
    type Err = SolanaAddressError;

    fn from_str(text: &str) -> Result<Self, SolanaAddressError> {
        if text.len() > MAX_TEXT_LEN {
            return Err(SolanaAddressError);
        }
        let bytes = bs58::decode(text).into_vec().map_err(|_| SolanaAddressError)?;
        bytes.try_into().map(Self).map_err(|_| SolanaAddressError)
    }
}

impl Serialize for SolanaAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SolanaAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_addresses_round_trip() {
        let system = "11111111111111111111111111111111";
        assert_eq!(system.parse(), Ok(SolanaAddress::new([0; 32])));
        for text in [
            system,
            "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
            "ComputeBudget111111111111111111111111111111",
        ] {
            let address: SolanaAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(serde_json::from_str::<SolanaAddress>(&format!("\"{text}\"")).unwrap(), address);
        }
    }

    #[test]
    fn wrong_texts_are_refused() {
        let long = "1".repeat(33);
        let huge = "z".repeat(44);
        for text in
            ["", "1111111111111111111111111111111", &long, &huge, "0OIl", " 11111111111111111111111111111111"]
        {
            assert_eq!(text.parse::<SolanaAddress>(), Err(SolanaAddressError), "{text}");
        }
    }
}
