//! Lists and tests of a bundle, made ready to be looked into.

use std::{borrow::Borrow, collections::HashSet};

use super::truth::Truth;
use crate::{
    bundle::{MAX_TEXT, Party, Range, Test, TestValue},
    chain::{
        evm::EvmAddress,
        facts::{TypedInt, TypedValue},
    },
    hex_bytes,
};

/// Values in ascending order: half the memory of a hash set, and found as fast in lists like ours.
#[derive(Debug)]
pub(super) struct Set<T>(Box<[T]>);

impl<T: Ord> Set<T> {
    pub(super) fn contains<Q: Ord + ?Sized>(&self, value: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.binary_search_by(|one| one.borrow().cmp(value)).is_ok()
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut values: Vec<T> = values.into_iter().collect();
        values.sort_unstable();
        values.dedup();
        Self(values.into_boxed_slice())
    }
}

/// Addresses, and maybe the signing account's.
#[derive(Debug)]
pub(super) struct Parties<A> {
    own: bool,
    addresses: Set<A>,
}

impl<A: Ord + Copy> Parties<A> {
    pub(super) fn new(parties: &[Party<A>]) -> Self {
        let address = |party: &Party<A>| match party {
            Party::Own => None,
            Party::Address(address) => Some(*address),
        };
        Self {
            own: parties.iter().any(|party| matches!(party, Party::Own)),
            addresses: parties.iter().filter_map(address).collect(),
        }
    }

    /// Whether `address` is one of them, where `own` is the signing account's, if it is known.
    pub(super) fn judge(&self, address: &A, own: Option<A>) -> Truth {
        if self.addresses.contains(address) {
            return Truth::True;
        }
        match own {
            _ if !self.own => Truth::False,
            Some(own) => (own == *address).into(),
            None => Truth::Unknown,
        }
    }
}

/// What a value must be.
#[derive(Debug)]
pub(super) enum ValueTest {
    In(Values),
    NotIn(Values),
    Range(Range),
}

/// Values in their canonical spelling.
#[derive(Debug)]
pub(super) struct Values {
    texts: HashSet<String>,
    /// Those that are addresses, whose spelling may differ.
    parties: Parties<EvmAddress>,
}

impl ValueTest {
    pub(super) fn new(test: &Test) -> Self {
        match test {
            Test::In(values) => Self::In(Values::new(values)),
            Test::NotIn(values) => Self::NotIn(Values::new(values)),
            Test::Range(range) => Self::Range(*range),
        }
    }

    /// Whether `value` passes, where `own` is the signing account's address, if it is known.
    pub(super) fn judge(&self, value: &TypedValue, own: Option<EvmAddress>) -> Truth {
        match self {
            Self::In(values) => values.judge(value, own),
            Self::NotIn(values) => values.judge(value, own).negated(),
            Self::Range(range) => match value {
                TypedValue::Uint(number) => range.contains(*number).into(),
                TypedValue::Int(number) => contains_int(range, number).into(),
                _ => Truth::Unknown,
            },
        }
    }
}

impl Values {
    fn new(values: &[TestValue]) -> Self {
        let party = |value: &TestValue| match value {
            TestValue::Text(text) if text == "self" => Some(Party::Own),
            TestValue::Text(text) => text.parse().ok().map(Party::Address),
            TestValue::Bool(_) => None,
        };
        let parties: Vec<_> = values.iter().filter_map(party).collect();
        Self { texts: values.iter().map(ToString::to_string).collect(), parties: Parties::new(&parties) }
    }

    fn judge(&self, value: &TypedValue, own: Option<EvmAddress>) -> Truth {
        match value {
            TypedValue::Address(address) => self.parties.judge(address, own),
            TypedValue::Bool(value) => self.texts.contains(if *value { "true" } else { "false" }).into(),
            TypedValue::Uint(number) => self.texts.contains(&number.to_string()).into(),
            TypedValue::Int(number) => self.texts.contains(&number.to_string()).into(),
            TypedValue::String(text) => self.texts.contains(text).into(),
            TypedValue::Bytes(bytes) | TypedValue::FixedBytes(bytes) => self.judge_bytes(bytes).into(),
            // No text is spelled so.
            TypedValue::Array(_) | TypedValue::Struct(_) => Truth::Unknown,
        }
    }

    fn judge_bytes(&self, bytes: &[u8]) -> bool {
        // Longer ones cannot be in a bundle, so they need not be spelled.
        bytes.len() <= MAX_TEXT / 2 && self.texts.contains(&format!("0x{}", hex_bytes::encode(bytes)))
    }
}

/// The bounds are never negative.
fn contains_int(range: &Range, number: &TypedInt) -> bool {
    if number.negative { range.min.is_none() } else { range.contains(number.magnitude) }
}
