//! Atoms about typed data.

use serde_json::Value;

use super::datum::{Datum, passes};
use super::{Asked, Truth, all, amount, list, names, text, token, truth};

pub(super) fn atom(name: &str, wanted: &Value, asked: &Asked<'_>) -> Truth {
    let domain = &asked.facts["domain"];
    match name {
        "names" => domain["name"].as_str().map_or(Truth::False, |found| truth(names(wanted, found))),
        "versions" => domain["version"].as_str().map_or(Truth::False, |found| truth(names(wanted, found))),
        "verifying_contracts" => {
            domain["verifying_contract"].as_str().map_or(Truth::False, |found| asked.lists_evm(wanted, found))
        }
        "primary_types" => truth(names(wanted, text(&asked.facts["primary_type"]))),
        "fields" => {
            let tests = wanted.as_object().expect("an object");
            all(tests.iter().map(|(path, test)| field(path, test, asked)))
        }
        "token" => token::of_typed_data(wanted, asked),
        other => panic!("{other} is no atom of typed data"),
    }
}

fn field(path: &str, test: &Value, asked: &Asked<'_>) -> Truth {
    let names = path.replace("[]", ".[]");
    let steps: Vec<&str> = names.split('.').filter(|step| !step.is_empty()).collect();
    let mut found = Vec::new();
    walk_members(&asked.facts["message"], &steps, &mut found);
    let results = found.iter().map(|datum| match datum {
        Some(datum) => passes(test, datum, asked),
        None => Truth::Unknown,
    });
    if path.contains("[]") { asked.each(results) } else { all(results) }
}

/// What is at the end of the path; `None` where there is nothing.
fn walk_members(members: &Value, steps: &[&str], found: &mut Vec<Option<Datum>>) {
    let (name, rest) = steps.split_first().expect("a name");
    match list(members).iter().find(|member| member["name"] == *name) {
        Some(member) => walk(text(&member["type"]), &member["value"], rest, found),
        None => found.push(None),
    }
}

fn walk(kind: &str, value: &Value, steps: &[&str], found: &mut Vec<Option<Datum>>) {
    let item = kind.strip_suffix(']').and_then(|kind| kind.rfind('[').map(|at| &kind[..at]));
    match (item, steps) {
        (_, []) => found.push(Some(datum(kind, value))),
        (Some(item), ["[]", rest @ ..]) => {
            for value in list(value) {
                walk(item, value, rest, found);
            }
        }
        (None, [name, ..]) if *name != "[]" && value.is_array() => walk_members(value, steps, found),
        _ => found.push(None),
    }
}

fn datum(kind: &str, value: &Value) -> Datum {
    let digits = |prefix: &str| kind.strip_prefix(prefix).is_some_and(|rest| rest.parse::<u16>().is_ok());
    match value {
        Value::Bool(flag) => Datum::Bool(*flag),
        Value::String(found) if kind == "address" => Datum::Address(found.to_lowercase()),
        Value::String(found) if kind == "string" => Datum::Text(found.clone()),
        Value::String(found) if kind == "bytes" || digits("bytes") => Datum::Bytes(found.clone()),
        Value::String(found) if digits("uint") => Datum::Integer(false, amount(&found.as_str().into())),
        Value::String(found) if digits("int") => match found.strip_prefix('-') {
            Some(size) => Datum::Integer(true, amount(&size.into())),
            None => Datum::Integer(false, amount(&found.as_str().into())),
        },
        _ => Datum::Composite,
    }
}
