//! The values that conditions compare with.

use std::{collections::BTreeMap, fmt, str::FromStr};

use ruint::aliases::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::check::{Check, Problem, bounded, present, short};
use crate::{
    abi::{AbiError, FieldPath, Leaf},
    chain::evm::EvmAddress,
};

/// The most values of a [`Test`].
pub const MAX_TEST_VALUES: usize = 10_000;
/// The most bytes of a text in a condition.
pub const MAX_TEXT: usize = 256;
/// The most paths of a [`Fields`].
pub const MAX_FIELDS: usize = 64;

/// An integer from 0 to 2^256 - 1. JSON: a string, decimal or `0x` and hexadecimal digits; written
/// in decimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Int(pub U256);

/// Integers between two bounds, of which at least one is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The least.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub min: Option<Int>,
    /// The most.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub max: Option<Int>,
}

/// What a value of call data or typed data must be. JSON: an object with exactly one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// One of these.
    In(Vec<TestValue>),
    /// None of these.
    NotIn(Vec<TestValue>),
    /// An integer in this range.
    Range(Range),
}

/// A value in its one spelling: addresses `0x` and hexadecimal digits, integers in decimal, bytes as
/// `0x` and lower-case hexadecimal digits, strings as they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TestValue {
    /// `true` or `false`.
    Bool(bool),
    /// Anything else. `self` is the signing account's address where the value is an address.
    Text(String),
}

/// Tests of values by their path: names of members joined by `.`, with `[]` after an array for each
/// of its elements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fields(pub BTreeMap<String, Test>);

/// An address, or the signing account's own, which JSON calls `self`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party<A> {
    /// The signing account.
    Own,
    /// This account.
    Address(A),
}

/// The first four bytes of call data, which choose the function. JSON: `0x` and eight hexadecimal
/// digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Selector(pub [u8; 4]);

impl Range {
    /// Whether `value` is between the bounds, themselves included.
    pub fn contains(&self, value: U256) -> bool {
        self.min.is_none_or(|min| min.0 <= value) && self.max.is_none_or(|max| value <= max.0)
    }

    pub(super) fn validate(&self) -> Check {
        match (self.min, self.max) {
            (None, None) => Err(Problem::at("", "needs min, max or both")),
            (Some(min), Some(max)) if min > max => {
                Err(Problem::at("", "has a min above its max, so the rule could never match"))
            }
            _ => Ok(()),
        }
    }
}

impl Test {
    pub(super) fn validate(&self) -> Check {
        let (name, values) = match self {
            Self::In(values) => ("in", values),
            Self::NotIn(values) => ("not_in", values),
            Self::Range(range) => return range.validate().map_err(|problem| problem.within("range")),
        };
        if values.is_empty() {
            return Err(Problem::at(name, "is empty, so it tells no value from another"));
        }
        bounded(name, values.len(), MAX_TEST_VALUES)?;
        values.iter().try_for_each(|value| match value {
            TestValue::Bool(_) => Ok(()),
            TestValue::Text(text) => short(name, text, MAX_TEXT),
        })
    }

    /// Values are compared as text: one that is spelled otherwise than every value of this kind equals none of them, so
    /// that a rule would never deny by it, or always allow.
    fn suits(&self, leaf: Leaf) -> Check {
        let (name, values) = match self {
            Self::In(values) => ("in", values),
            Self::NotIn(values) => ("not_in", values),
            Self::Range(_) => return Ok(()),
        };
        match values.iter().find(|value| !is_spelled(leaf, value)) {
            None => Ok(()),
            Some(odd) => {
                let start: String = odd.to_string().chars().take(64).collect();
                Err(Problem::at(name, format!("has {start:?}, which equals nothing: {}", spelling(leaf))))
            }
        }
    }
}

/// Whether a value of this kind can be spelled so.
fn is_spelled(leaf: Leaf, value: &TestValue) -> bool {
    let TestValue::Text(text) = value else { return matches!(leaf, Leaf::Bool | Leaf::String) };
    match leaf {
        Leaf::Uint(bits) => decimal(text).is_some_and(|number| number.bit_len() <= bits),
        Leaf::Int(bits) => {
            // -128 to 127.
            let fits = |magnitude: U256| magnitude.bit_len() < bits;
            match text.strip_prefix('-') {
                Some(digits) => {
                    decimal(digits).is_some_and(|number| number.checked_sub(U256::from(1)).is_some_and(fits))
                }
                None => decimal(text).is_some_and(fits),
            }
        }
        Leaf::Bool => text == "true" || text == "false",
        Leaf::Address => text == "self" || text.parse::<EvmAddress>().is_ok(),
        Leaf::Bytes => byte_count(text).is_some(),
        Leaf::FixedBytes(bytes) => byte_count(text) == Some(bytes),
        Leaf::String => true,
    }
}

fn decimal(text: &str) -> Option<U256> {
    text.parse::<Int>().ok().filter(|number| number.to_string() == text).map(|number| number.0)
}

/// How many bytes the digits are, if they are spelled as those of facts.
fn byte_count(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("0x")?;
    let lower = |digit: char| digit.is_ascii_digit() || ('a'..='f').contains(&digit);
    (digits.len().is_multiple_of(2) && digits.chars().all(lower)).then_some(digits.len() / 2)
}

fn spelling(leaf: Leaf) -> &'static str {
    match leaf {
        Leaf::Uint(_) | Leaf::Int(_) => "write integers of its size in decimal, without leading zeros",
        Leaf::Bool => "write true or false",
        Leaf::Address => "write an address, or \"self\"",
        Leaf::Bytes | Leaf::FixedBytes(_) => "write as many bytes as 0x and lower-case hexadecimal digits",
        Leaf::String => "write a string",
    }
}

impl Fields {
    /// Paths must be ones, and lead somewhere as `leads` has it; if it knows to what, values must be of that kind.
    pub(super) fn validate(&self, leads: impl Fn(&FieldPath) -> Result<Option<Leaf>, AbiError>) -> Check {
        if self.0.is_empty() {
            return Err(Problem::at("", "is empty; leave it out to match everything"));
        }
        bounded("", self.0.len(), MAX_FIELDS)?;
        self.0.iter().try_for_each(|(path, test)| {
            short("", path, MAX_TEXT)?;
            let wrong = |error: AbiError| Problem::at(format!("{path:?}"), error.to_string());
            let leaf = leads(&FieldPath::parse(path).map_err(wrong)?).map_err(wrong)?;
            let suits = || leaf.map_or(Ok(()), |leaf| test.suits(leaf));
            test.validate().and_then(|()| suits()).map_err(|problem| problem.within(format_args!("{path:?}")))
        })
    }
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Int {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "write an integer from 0 to 2^256 - 1 as a string, decimal or 0x-hexadecimal";
        let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
        // ruint passes over underscores and takes an empty text for zero.
        if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
            return Err(WRONG);
        }
        U256::from_str_radix(digits, u64::from(radix)).map(Self).map_err(|_| WRONG)
    }
}

impl Serialize for Int {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for TestValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for TestValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for TestValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = TestValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string (also for numbers) or a boolean")
            }

            fn visit_bool<E>(self, value: bool) -> Result<TestValue, E> {
                Ok(TestValue::Bool(value))
            }

            fn visit_str<E>(self, text: &str) -> Result<TestValue, E> {
                Ok(TestValue::Text(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tests by path")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((path, test)) = map.next_entry::<String, Test>()? {
                    // The last one would win, and nobody could see it.
                    if fields.contains_key(&path) {
                        return Err(de::Error::custom(format_args!("duplicate field `{path}`")));
                    }
                    fields.insert(path, test);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

impl<A: fmt::Display> fmt::Display for Party<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("self"),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

impl<A: fmt::Display> Serialize for Party<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, A: FromStr<Err: fmt::Display>> Deserialize<'de> for Party<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "self" {
            Ok(Self::Own)
        } else {
            text.parse().map(Self::Address).map_err(de::Error::custom)
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut selector = [0; 4];
        let digits = text.strip_prefix("0x").unwrap_or_default();
        match hex::decode_to_slice(digits, &mut selector) {
            Ok(()) => Ok(Self(selector)),
            Err(_) => Err(de::Error::custom("write a selector as 0x and eight hexadecimal digits")),
        }
    }
}
