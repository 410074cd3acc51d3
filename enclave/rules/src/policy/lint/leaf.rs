//! Tests that no value of their type can pass.

use super::Lints;
use crate::{
    abi::{FieldPath, Function, Leaf},
    bundle::{Call, Fields, Rule, Test, TestValue, When},
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
        if matches!(test, Test::Range(_)) && !matches!(leaf, Leaf::Uint(_) | Leaf::Int(_)) {
            lints.error(format!("tests the range of {path}, which is no integer, so that it is never known"));
        }
    }
}

fn function_of(call: &Call, lints: &Lints<'_>) -> Option<Function> {
    let abi = lints.bundle.abis.iter().find(|abi| abi.id == call.abi)?;
    let functions = abi.functions.iter().filter_map(|text| Function::parse(text).ok());
    functions.into_iter().find(|one| one.name() == call.function || one.canonical() == call.function)
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
