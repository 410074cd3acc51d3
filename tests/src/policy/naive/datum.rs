//! A value inside call data or typed data, and the tests on it.

use ruint::aliases::U256;
use serde_json::Value;

use super::{Asked, Truth, list, text, truth};

/// A value with the type that decides how it is compared.
#[derive(Clone, Debug)]
pub(super) enum Datum {
    /// In lower case.
    Address(String),
    /// Whether it is below zero, and how far it is from zero.
    Integer(bool, U256),
    Bool(bool),
    /// `0x` and digits in lower case.
    Bytes(String),
    Text(String),
    /// Has parts: nothing is equal to it.
    Composite,
}

/// Whether `found` passes `{"in"}`, `{"not_in"}` or `{"range"}`.
pub(super) fn passes(test: &Value, found: &Datum, asked: &Asked<'_>) -> Truth {
    let (kind, wanted) = test.as_object().and_then(|test| test.iter().next()).expect("one member");
    match (kind.as_str(), found) {
        (_, Datum::Composite) => Truth::Unknown,
        ("in", _) => truth(is_one_of(wanted, found, asked)),
        ("not_in", _) => truth(!is_one_of(wanted, found, asked)),
        ("range", Datum::Integer(negative, size)) => within(wanted, *negative, *size),
        ("range", _) => Truth::Unknown,
        (other, _) => panic!("{other} is no test"),
    }
}

fn is_one_of(wanted: &Value, found: &Datum, asked: &Asked<'_>) -> bool {
    list(wanted).iter().any(|value| equals(value, found, asked))
}

/// Each value has one spelling, but for the case of an address.
fn equals(wanted: &Value, found: &Datum, asked: &Asked<'_>) -> bool {
    let wanted = match wanted.as_bool() {
        Some(flag) => flag.to_string(),
        None => text(wanted).to_owned(),
    };
    match found {
        Datum::Address(address) if wanted == "self" => asked.ask.evm_account == Some(address.as_str()),
        Datum::Address(address) => wanted.to_lowercase() == *address,
        Datum::Integer(negative, size) => wanted == format!("{}{size}", if *negative { "-" } else { "" }),
        Datum::Bool(flag) => wanted == flag.to_string(),
        Datum::Bytes(bytes) => wanted == *bytes,
        Datum::Text(found) => wanted == *found,
        Datum::Composite => false,
    }
}

/// Ends are never below zero.
fn within(range: &Value, negative: bool, size: U256) -> Truth {
    if negative { truth(range.get("min").is_none()) } else { super::in_range(range, size) }
}
