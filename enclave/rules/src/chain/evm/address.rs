//! EVM addresses: EIP-55 text, and derivation from a public key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::keccak256;
use crate::hex_bytes;

/// A 20-byte EVM address.
///
/// Text and JSON: `0x` and 40 hex digits, written with the EIP-55 checksum. Reading accepts all-lower and all-upper
/// digits; mixed case must satisfy the checksum, which catches most typing errors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EvmAddress([u8; 20]);

/// Why something is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvmAddressError {
    /// Not `0x` and 40 hex digits.
    #[error("must be an address: 0x and 40 hex digits")]
    Format,
    /// Mixed case that does not satisfy EIP-55.
    #[error("has a wrong EIP-55 checksum: check the address, or send it in lower case")]
    Checksum,
    /// Not an uncompressed SEC 1 point.
    #[error("must be an uncompressed public key: 0x04 and 64 bytes")]
    PublicKey,
}

/// The address of the account with this public key (SEC 1 uncompressed: `04`, x, y): the last 20 bytes of
/// Keccak-256(x ‖ y). The point is not checked to be on the curve.
pub fn address_from_uncompressed(public_key: &[u8; 65]) -> Result<EvmAddress, EvmAddressError> {
    let [4, point @ ..] = public_key else { return Err(EvmAddressError::PublicKey) };
    let digest = keccak256(point);
    digest.last_chunk().copied().map(EvmAddress).ok_or(EvmAddressError::PublicKey)
}

impl EvmAddress {
    /// The address with these bytes.
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The 40 digits of the EIP-55 form.
    fn checksummed(&self) -> String {
        let lower = hex_bytes::encode(&self.0);
        let digest = hex_bytes::encode(&keccak256(lower.as_bytes()));
        let digit =
            |(digit, nibble): (char, char)| if nibble >= '8' { digit.to_ascii_uppercase() } else { digit };
        lower.chars().zip(digest.chars()).map(digit).collect()
    }
}

impl fmt::Display for EvmAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", self.checksummed())
    }
}

impl fmt::Debug for EvmAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EvmAddress {
    type Err = EvmAddressError;

    fn from_str(text: &str) -> Result<Self, EvmAddressError> {
        let digits = text.strip_prefix("0x").ok_or(EvmAddressError::Format)?;
        let mut bytes = [0; 20];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| EvmAddressError::Format)?;
        let address = Self(bytes);
        let mixed =
            digits.bytes().any(|c| c.is_ascii_lowercase()) && digits.bytes().any(|c| c.is_ascii_uppercase());
        if mixed && digits != address.checksummed() {
            return Err(EvmAddressError::Checksum);
        }
        Ok(address)
    }
}

impl Serialize for EvmAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EvmAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From EIP-55 itself.
    const EIP_55: [&str; 8] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn eip_55_vectors_survive_a_round_trip() {
        for text in EIP_55 {
            let address: EvmAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(text.to_lowercase().parse(), Ok(address));
            assert_eq!(format!("0x{}", text[2..].to_uppercase()).parse(), Ok(address));
            let json = format!("\"{text}\"");
            assert_eq!(serde_json::to_string(&address).unwrap(), json);
            assert_eq!(serde_json::from_str::<EvmAddress>(&json).unwrap(), address);
        }
    }

    #[test]
    fn wrong_texts_are_refused() {
        let wrong_case = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed";
        assert_eq!(wrong_case.parse::<EvmAddress>(), Err(EvmAddressError::Checksum));
        assert!(serde_json::from_str::<EvmAddress>(&format!("\"{wrong_case}\"")).is_err());
        let lower = EIP_55[2];
        for text in [
            "",
            "0x",
            &lower[2..],
            &lower[..41],
            &format!("{lower}0"),
            &lower.replace("0x", "0X"),
            &format!(" {lower}"),
        ] {
            assert_eq!(text.parse::<EvmAddress>(), Err(EvmAddressError::Format), "{text}");
        }
    }

    #[test]
    fn the_address_of_private_key_one() {
        let point = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798\
                     483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
        let mut key: [u8; 65] = hex::decode(point).unwrap().try_into().unwrap();
        let address = address_from_uncompressed(&key).unwrap();
        assert_eq!(address.to_string(), "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
        key[0] = 2;
        assert_eq!(address_from_uncompressed(&key), Err(EvmAddressError::PublicKey));
    }
}
