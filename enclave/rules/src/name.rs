//! Names that people give to wallets, keyrings, clients and rules.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// The longest [`Name`].
pub const MAX_NAME: usize = 63;

/// 1 to 63 of `a-z`, `0-9` and `-`, not starting or ending with `-`.
///
/// Names enter key derivation and object names, so there is one spelling of each and no way to
/// mistake one for a path or for a wallet id (`w_…` has an underscore).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {MAX_NAME} of a-z, 0-9 and '-', and neither starts nor ends with '-'")]
pub struct NameError;

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let edges = !text.starts_with('-') && !text.ends_with('-');
        if plain && edges && (1..=MAX_NAME).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError)
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A wallet's full name: its keyring's and its own, written `keyring.name`, or `name` alone for a
/// wallet of the keyring [`DEFAULT_KEYRING`].
///
/// The keyring is part of the name because it decides which keys the wallet has: were it left to
/// what the store says, the host could choose between two wallets of one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WalletName {
    /// The keyring that the wallet comes from.
    pub keyring: Name,
    /// Its name within the keyring.
    pub name: Name,
}

/// The keyring of wallets whose name does not say.
pub const DEFAULT_KEYRING: &str = "default";

impl FromStr for WalletName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (keyring, name) = text.split_once('.').unwrap_or((DEFAULT_KEYRING, text));
        Ok(Self { keyring: keyring.parse()?, name: name.parse()? })
    }
}

impl fmt::Display for WalletName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.keyring, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        assert!("treasury-2".parse::<Name>().is_ok() && "a".repeat(63).parse::<Name>().is_ok());
        for text in ["", "-a", "a-", "A", "a_b", "a.b", "a/b", "ä", &"a".repeat(64)] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_wallets_name_says_its_keyring() {
        let named = |text: &str| text.parse::<WalletName>().map(|name| name.to_string());
        assert_eq!(named("treasury").unwrap(), "default.treasury");
        assert_eq!(named("cold.treasury").unwrap(), "cold.treasury");
        for text in ["", ".", ".a", "a.", "a.b.c", "w_ab"] {
            assert!(named(text).is_err(), "{text}");
        }
    }
}
