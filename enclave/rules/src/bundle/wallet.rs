//! Wallets as rules name them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{hex_bytes::HexBytes, name::Name};

/// Names a wallet: `w_` and 32 hexadecimal digits, a digest of its root public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WalletId(pub HexBytes<16>);

/// A wallet, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletSelector {
    /// One wallet.
    Wallet(WalletId),
    /// Those of a group: `@name`.
    Group(Name),
}

/// A set of wallets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletGroup {
    /// Its name; rules write `@` before it.
    pub id: Name,
    /// The wallets.
    pub wallets: Vec<WalletId>,
}

/// Where a wallet's keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Derived from the wallet's own seed, which was made inside and never left.
    Hd,
    /// Imported: somebody else may know them.
    Imported,
}

impl Origin {
    /// The name that rules use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hd => "hd",
            Self::Imported => "imported",
        }
    }
}

impl fmt::Display for WalletId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w_{}", self.0)
    }
}

impl FromStr for WalletId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("w_").ok_or("a wallet id starts with w_")?;
        digits.parse().map(Self).map_err(|_| "a wallet id has 32 hexadecimal digits after w_")
    }
}

impl Serialize for WalletId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WalletId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for WalletSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wallet(id) => write!(f, "{id}"),
            Self::Group(name) => write!(f, "@{name}"),
        }
    }
}

impl Serialize for WalletSelector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WalletSelector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix('@') {
            Some(name) => name.parse().map(Self::Group).map_err(de::Error::custom),
            None => text.parse().map(Self::Wallet).map_err(de::Error::custom),
        }
    }
}
