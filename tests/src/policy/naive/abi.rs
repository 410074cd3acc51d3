//! Call data, decoded by alloy.

use alloy_dyn_abi::{DynSolType, DynSolValue, JsonAbiExt};
use alloy_json_abi::{Function, Param, StateMutability};
use ruint::aliases::U256;
use serde_json::Value;

use super::datum::{Datum, passes};
use super::{Asked, Truth, all, any, list, text};

/// Whether the call data is one of `calls`.
pub(super) fn one_of(calls: &Value, asked: &Asked<'_>) -> Truth {
    any(list(calls).iter().map(|call| is_call(call, asked)))
}

fn is_call(call: &Value, asked: &Asked<'_>) -> Truth {
    let function = find(asked.bundle, text(&call["abi"]), text(&call["function"]));
    let Some(arguments) = arguments_of(asked.facts, function.selector().0) else { return Truth::False };
    let Some(values) = decode(&function, &arguments) else { return Truth::Unknown };
    let tests = call["arguments"].as_object().into_iter().flatten();
    all(tests.map(|(path, test)| {
        let many = path.contains("[]");
        let mut found = Vec::new();
        let names = path.replace("[]", ".[]");
        let steps: Vec<&str> = names.split('.').filter(|step| !step.is_empty()).collect();
        walk_members(&function.inputs, &values, &steps, &mut found);
        let results = found.iter().map(|datum| passes(test, datum, asked));
        if many { asked.each(results) } else { all(results) }
    }))
}

/// The function that a bundle's ABI has under this name or signature.
fn find(bundle: &Value, abi: &str, name: &str) -> Function {
    let abi = list(&bundle["abis"]).iter().find(|one| one["id"] == abi).expect("an ABI of this name");
    let parsed = list(&abi["functions"]).iter().map(|one| function(text(one)));
    parsed
        .into_iter()
        .find(|one| one.name == name || one.signature() == name)
        .expect("a function of this name")
}

/// What follows `selector` in the call data, if it starts so and there is something to call.
pub(super) fn arguments_of(facts: &Value, selector: [u8; 4]) -> Option<Vec<u8>> {
    if facts["to"].is_null() {
        return None;
    }
    let input = hex::decode(&text(&facts["input"])[2..]).expect("digits");
    input.strip_prefix(&selector).map(<[u8]>::to_vec)
}

/// The arguments, if these are the bytes that Solidity would have made of them, and no others.
pub(super) fn decode(function: &Function, arguments: &[u8]) -> Option<Vec<DynSolValue>> {
    if function.inputs.is_empty() {
        return arguments.is_empty().then(Vec::new);
    }
    let values = function.abi_decode_input(arguments).ok()?;
    let again = function.abi_encode_input_raw(&values).ok()?;
    (again == arguments && values.iter().all(is_clean)).then_some(values)
}

/// alloy keeps a word as it is, also where the type has no room for all of it.
fn is_clean(value: &DynSolValue) -> bool {
    match value {
        DynSolValue::Uint(number, bits) => number.bit_len() <= *bits,
        DynSolValue::Int(number, bits) => {
            let unused = 256 - bits;
            (number.into_raw() << unused).arithmetic_shr(unused) == number.into_raw()
        }
        DynSolValue::FixedBytes(word, size) => word[*size..].iter().all(|byte| *byte == 0),
        DynSolValue::Array(items) | DynSolValue::FixedArray(items) | DynSolValue::Tuple(items) => {
            items.iter().all(is_clean)
        }
        _ => true,
    }
}

fn walk_members(params: &[Param], values: &[DynSolValue], steps: &[&str], found: &mut Vec<Datum>) {
    let (name, rest) = steps.split_first().expect("a name");
    let at = params.iter().position(|param| param.name == *name).expect("a parameter of this name");
    walk(&params[at], &values[at], rest, found);
}

fn walk(param: &Param, value: &DynSolValue, steps: &[&str], found: &mut Vec<Datum>) {
    match (value, steps) {
        (_, []) => found.push(datum(value)),
        (DynSolValue::Array(items) | DynSolValue::FixedArray(items), ["[]", rest @ ..]) => {
            for item in items {
                walk(param, item, rest, found);
            }
        }
        (DynSolValue::Tuple(values), _) => walk_members(&param.components, values, steps, found),
        _ => panic!("{steps:?} leads nowhere"),
    }
}

fn datum(value: &DynSolValue) -> Datum {
    match value {
        DynSolValue::Address(address) => Datum::Address(format!("0x{}", hex::encode(address))),
        DynSolValue::Uint(number, _) => Datum::Integer(false, *number),
        DynSolValue::Int(number, _) => Datum::Integer(number.is_negative(), number.unsigned_abs()),
        DynSolValue::Bool(flag) => Datum::Bool(*flag),
        DynSolValue::Bytes(bytes) => Datum::Bytes(format!("0x{}", hex::encode(bytes))),
        DynSolValue::FixedBytes(word, size) => Datum::Bytes(format!("0x{}", hex::encode(&word[..*size]))),
        DynSolValue::String(found) => Datum::Text(found.clone()),
        _ => Datum::Composite,
    }
}

/// What call data is of a function whose arguments are all of one word, such as those of ERC-20.
pub(super) enum Words {
    /// A call of another function.
    Other,
    /// A call whose arguments cannot be.
    Malformed,
    /// The arguments.
    Known(Vec<DynSolValue>),
}

/// The words of a call.
pub(super) fn words(facts: &Value, signature: &str) -> Words {
    let function = function(signature);
    match arguments_of(facts, function.selector().0) {
        None => Words::Other,
        Some(arguments) => decode(&function, &arguments).map_or(Words::Malformed, Words::Known),
    }
}

/// An address among decoded arguments.
pub(super) fn address(values: &[DynSolValue], index: usize) -> String {
    format!("0x{}", hex::encode(values[index].as_address().expect("an address")))
}

/// A number among decoded arguments.
pub(super) fn uint(values: &[DynSolValue], index: usize) -> U256 {
    values[index].as_uint().expect("a number").0
}

/// The type of a parameter, for who makes values of it.
pub(in crate::policy) fn type_of(param: &Param) -> DynSolType {
    alloy_dyn_abi::Specifier::resolve(param).expect("a type")
}

/// Reads `name(type name, (type name, type name)[] name)`.
pub(in crate::policy) fn function(signature: &str) -> Function {
    let (name, rest) = signature.split_once('(').expect("parameters");
    Function {
        name: name.to_owned(),
        inputs: params(rest.strip_suffix(')').expect("the end of the parameters")),
        outputs: Vec::new(),
        state_mutability: StateMutability::NonPayable,
    }
}

fn params(list: &str) -> Vec<Param> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in list.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(param).collect()
}

fn param(text: &str) -> Param {
    let (kind, name) = text.rsplit_once(' ').expect("type and name");
    let (kind, components) = match kind.strip_prefix('(') {
        None => (kind.to_owned(), Vec::new()),
        Some(tuple) => {
            let (members, dimensions) = tuple.rsplit_once(')').expect("the end of a tuple");
            (format!("tuple{dimensions}"), params(members))
        }
    };
    Param { ty: kind, name: name.to_owned(), components, internal_type: None }
}
