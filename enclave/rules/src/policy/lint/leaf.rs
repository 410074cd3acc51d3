//! Tests that no value of their type can pass.

use super::Lints;
use crate::{
    abi::{FieldPath, Function, Leaf},
    bundle::{Call, Fields, Int, Rule, Test, TestValue, When},
    chain::evm::{EvmAddress, EvmAddressError},
};

pub(super) fn check(rule: &Rule, lints: &mut Lints<'_>) {
    match &rule.when {
        Some(When::EvmTransaction(when)) => {
            for call in when.calls.iter().flatten() {
                check_call(call, lints);
            }
        }
        Some(When::EvmTypedData(when)) => {
            when.fields.iter().for_each(|fields| check_addresses(fields, lints));
        }
        _ => {}
    }
}

fn check_call(call: &Call, lints: &mut Lints<'_>) {
    let (Some(function), Some(arguments)) = (function_of(call, lints), &call.arguments) else { return };
    for (path, test) in &arguments.0 {
        let leaf = FieldPath::parse(path).and_then(|path| function.check_path(&path));
        let Ok(leaf) = leaf else { continue };
        let values = match test {
            Test::In(values) | Test::NotIn(values) => values,
            Test::Range(_) if matches!(leaf, Leaf::Uint | Leaf::Int) => continue,
            Test::Range(_) => {
                lints.error(format!(
                    "tests the range of {path}, which is no integer, so that it is never known"
                ));
                continue;
            }
        };
        if let Some(odd) = values.iter().find(|value| !is_spelled(leaf, value)) {
            lints.error(format!("compares {path} with {odd:?}: {}", spelling(leaf)));
        }
    }
}

fn function_of(call: &Call, lints: &Lints<'_>) -> Option<Function> {
    let abi = lints.bundle.abis.iter().find(|abi| abi.id == call.abi)?;
    let functions = abi.functions.iter().filter_map(|text| Function::parse(text).ok());
    functions.into_iter().find(|one| one.name() == call.function || one.canonical() == call.function)
}

/// Whether a value of this kind can be spelled so.
fn is_spelled(leaf: Leaf, value: &TestValue) -> bool {
    let TestValue::Text(text) = value else { return matches!(leaf, Leaf::Bool | Leaf::String) };
    match leaf {
        Leaf::Uint => is_decimal(text),
        Leaf::Int => match text.strip_prefix('-') {
            Some(digits) => digits != "0" && is_decimal(digits),
            None => is_decimal(text),
        },
        Leaf::Bool => text == "true" || text == "false",
        Leaf::Address => text == "self" || text.parse::<EvmAddress>().is_ok(),
        Leaf::Bytes | Leaf::FixedBytes => {
            let lower = |digit: char| digit.is_ascii_digit() || ('a'..='f').contains(&digit);
            text.strip_prefix("0x")
                .is_some_and(|digits| digits.len().is_multiple_of(2) && digits.chars().all(lower))
        }
        Leaf::String => true,
    }
}

fn is_decimal(text: &str) -> bool {
    text.parse::<Int>().is_ok_and(|number| number.to_string() == text)
}

fn spelling(leaf: Leaf) -> &'static str {
    match leaf {
        Leaf::Uint | Leaf::Int => "write integers in decimal, without leading zeros",
        Leaf::Bool => "write true or false",
        Leaf::Address => "write an address, or \"self\"",
        Leaf::Bytes | Leaf::FixedBytes => "write bytes as 0x and lower-case hexadecimal digits",
        Leaf::String => "write a string",
    }
}

/// Types of typed data are not known here, but what was to be an address can be told.
fn check_addresses(fields: &Fields, lints: &mut Lints<'_>) {
    for (path, test) in &fields.0 {
        let (Test::In(values) | Test::NotIn(values)) = test else { continue };
        for value in values {
            if let TestValue::Text(text) = value
                && text.parse::<EvmAddress>() == Err(EvmAddressError::Checksum)
            {
                lints.warn(format!("compares {path} with {text}, an address with a wrong checksum"));
            }
        }
    }
}
