//! Conditions on what would be signed. `facts` are what the request says, or null: a condition is then about anything.

use alloy_dyn_abi::DynSolType;
use ruint::aliases::U256;
use serde_json::{Map, Value, json};

use super::calls::{functions, leaves};
use super::rules::near;
use super::world::{ADDRESSES, AMOUNTS, PROGRAMS, SELF, TEXTS, solana, solana_pool};
use super::{Random, evm};
use crate::policy::naive::amounts;

/// A condition for rules about `operation`, if there is a kind for it.
pub(super) fn when(random: &mut Random, operation: &str, facts: &Value, denies: bool) -> Option<Value> {
    let (about, atoms): (_, &[(&str, Make)]) = match operation {
        "evm.transaction" => ("evm_transaction", &EVM_TRANSACTION),
        "evm.authorization" => ("evm_authorization", &[("delegates", authorization_delegates)]),
        "evm.message" => ("evm_message", &EVM_MESSAGE),
        "evm.typed_data" => ("evm_typed_data", &EVM_TYPED_DATA),
        "solana.transaction" => ("solana_transaction", &SOLANA_TRANSACTION),
        _ => return None,
    };
    let mut members = Map::new();
    // Few, or they never hold together.
    for _ in 0..=random.below(if denies { 2 } else { 3 }) {
        let (name, make) = random.pick(atoms);
        // One of many is enough to deny, so what is made to fit would never let anything through.
        let facts = if denies && random.percent(50) { &Value::Null } else { facts };
        members.insert((*name).to_owned(), make(random, facts));
    }
    Some(json!({about: members}))
}

type Make = fn(&mut Random, &Value) -> Value;

/// What depends on more than one member of the facts is here more than once.
const EVM_TRANSACTION: [(&str, Make); 13] = [
    ("types", |random, facts| {
        near(random, &texts(&[&facts["kind"]]), &["legacy", "eip2930", "eip1559", "eip4844", "eip7702"])
    }),
    ("recipients", |random, facts| parties(random, &[&facts["to"]])),
    ("contract_creation", |random, facts| json!(facts["to"].is_null() == random.percent(80))),
    ("value", |random, facts| range(random, &facts["value"])),
    ("max_fee", |random, facts| range(random, &json!(amounts(facts).fee.unwrap_or_default().to_string()))),
    ("selectors", |random, facts| {
        near(random, &texts(&[&facts["selector"]]), &["0xa9059cbb", "0x095ea7b3", "0xdeadbeef"])
    }),
    ("empty_input", |random, facts| json!((facts["input"] == "0x") == random.percent(80))),
    ("calls", calls),
    ("calls", calls),
    ("calls", calls),
    ("token", call_token),
    ("token", call_token),
    ("delegates", |random, facts| {
        let list: Vec<&Value> =
            entries(&facts["authorization_list"]).iter().map(|one| &one["address"]).collect();
        addresses(random, &list)
    }),
];

const EVM_MESSAGE: [(&str, Make); 2] = [
    ("text_prefixes", |random, facts| {
        let start: String = facts["text"].as_str().unwrap_or_default().chars().take(5).collect();
        let right = if start.is_empty() { Vec::new() } else { vec![start] };
        near(random, &right, &evm::PREFIXES)
    }),
    ("max_bytes", |random, facts| {
        let length = facts["message"].as_str().map_or(5, |text| text.len() / 2 - 1);
        json!((length + random.below(3)).saturating_sub(1))
    }),
];

const EVM_TYPED_DATA: [(&str, Make); 9] = [
    ("names", |random, facts| {
        near(random, &texts(&[&facts["domain"]["name"]]), &["Orders", "Permit2", "hello"])
    }),
    ("versions", |random, facts| near(random, &texts(&[&facts["domain"]["version"]]), &["1", "2"])),
    ("verifying_contracts", |random, facts| addresses(random, &[&facts["domain"]["verifying_contract"]])),
    ("primary_types", |random, facts| {
        near(random, &texts(&[&facts["primary_type"]]), &["Order", "Permit", "PermitSingle", "PermitBatch"])
    }),
    ("fields", fields),
    ("fields", fields),
    ("fields", fields),
    ("token", typed_token),
    ("token", typed_token),
];

const SOLANA_TRANSACTION: [(&str, Make); 10] = [
    ("programs", |random, facts| {
        let all: Vec<&Value> = entries(&facts["instructions"]).iter().map(|one| &one["program_id"]).collect();
        near(random, &texts(&all), &PROGRAMS)
    }),
    ("instructions", |random, facts| {
        let all = entries(&facts["instructions"]).iter().filter_map(|one| name_of(&one["decoded"]));
        let right: Vec<String> = all.collect();
        near(
            random,
            &right,
            &["system.transfer", "token.transfer_checked", "memo", "compute_budget.set_compute_unit_limit"],
        )
    }),
    ("accounts", |random, facts| {
        let all: Vec<&Value> = entries(&facts["account_keys"]).iter().map(|key| &key["address"]).collect();
        solana_parties(random, &all)
    }),
    ("recipients", |random, facts| {
        let accounts = ["to", "destination", "account", "delegate"];
        let addresses = ["owner", "authority", "new_authority"];
        let all = entries(&facts["instructions"]).iter().map(|one| &one["decoded"]).flat_map(|decoded| {
            let accounts = accounts.into_iter().map(move |name| &decoded[name]["address"]);
            accounts.chain(addresses.into_iter().map(move |name| &decoded[name]))
        });
        let all: Vec<&Value> = all.collect();
        solana_parties(random, &all)
    }),
    ("lamports", |random, facts| {
        range(random, &json!(amounts(facts).native.unwrap_or_default().to_string()))
    }),
    ("mints", |random, facts| {
        let all: Vec<&Value> =
            entries(&facts["instructions"]).iter().map(|one| &one["decoded"]["mint"]["address"]).collect();
        without_self(&solana_parties(random, &all), &solana(0))
    }),
    ("token_amount", |random, facts| {
        let all: Vec<&Value> = entries(&facts["instructions"])
            .iter()
            .map(|one| &one["decoded"]["amount"])
            .filter(|amount| amount.is_string())
            .collect();
        if all.is_empty() {
            return range(random, &Value::Null);
        }
        let one = *random.pick(&all);
        range(random, one)
    }),
    ("max_fee", |random, facts| range(random, &json!(amounts(facts).fee.unwrap_or_default().to_string()))),
    ("fee_payers", |random, facts| solana_parties(random, &[&facts["fee_payer"]])),
    ("lookup_tables", |random, facts| {
        json!(entries(&facts["address_table_lookups"]).is_empty() != random.percent(75))
    }),
];

fn entries(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Those of the values that are texts.
fn texts(values: &[&Value]) -> Vec<String> {
    values.iter().filter_map(|value| value.as_str()).map(str::to_owned).collect()
}

fn name_of(decoded: &Value) -> Option<String> {
    let program = decoded["program"].as_str()?;
    Some(decoded["instruction"].as_str().map_or(program.to_owned(), |name| format!("{program}.{name}")))
}

/// EVM addresses in one spelling or the other.
fn addresses(random: &mut Random, right: &[&Value]) -> Value {
    let mut right = texts(right);
    if random.percent(50) {
        for address in &mut right {
            *address = address.to_lowercase();
        }
    }
    near(random, &right, &ADDRESSES)
}

/// EVM addresses, the signer's own perhaps as `self`.
fn parties(random: &mut Random, right: &[&Value]) -> Value {
    let list = addresses(random, right);
    if random.percent(40) { list } else { with_self(&list, SELF) }
}

/// Solana addresses, the signer's own perhaps as `self`.
fn solana_parties(random: &mut Random, right: &[&Value]) -> Value {
    let pool = solana_pool();
    let pool: Vec<&str> = pool.iter().map(String::as_str).collect();
    let list = near(random, &texts(right), &pool);
    if random.percent(40) { list } else { with_self(&list, &solana(0)) }
}

fn with_self(list: &Value, own: &str) -> Value {
    let name = |entry: &Value| {
        let own = entry.as_str().is_some_and(|entry| entry.eq_ignore_ascii_case(own));
        if own { json!("self") } else { entry.clone() }
    };
    entries(list).iter().map(name).collect()
}

fn without_self(list: &Value, own: &str) -> Value {
    entries(list).iter().map(|entry| if entry == "self" { json!(own) } else { entry.clone() }).collect()
}

/// A range about `value`, which is just in it, just out of it, or far from it.
fn range(random: &mut Random, value: &Value) -> Value {
    let known = value.as_str().and_then(|text| U256::from_str_radix(text, 10).ok());
    let value = match known {
        Some(value) if random.percent(85) => value,
        _ => U256::from_str_radix(random.pick::<&str>(&AMOUNTS), 10).expect("a number"),
    };
    let spell = |random: &mut Random, value: U256| {
        if random.percent(70) { json!(value.to_string()) } else { json!(format!("{value:#x}")) }
    };
    let less = value.saturating_sub(U256::ONE);
    let more = value.saturating_add(U256::ONE);
    match random.below(8) {
        0 | 1 => json!({"max": spell(random, value)}),
        2 => json!({"min": spell(random, value)}),
        3 => json!({"min": spell(random, value), "max": spell(random, value)}),
        4 => json!({"max": spell(random, less)}),
        5 => json!({"min": spell(random, more)}),
        6 => json!({"min": spell(random, less), "max": spell(random, more)}),
        _ => json!({"min": "0", "max": spell(random, more)}),
    }
}

fn calls(random: &mut Random, facts: &Value) -> Value {
    let all = functions();
    let selector = facts["selector"].as_str().unwrap_or_default();
    let count = 1 + random.below(2);
    (0..count)
        .map(|_| {
            let right = all.iter().find(|(_, one)| format!("0x{}", hex::encode(one.selector())) == selector);
            let (abi, function) =
                right.filter(|_| random.percent(85)).unwrap_or_else(|| random.pick(all)).clone();
            let named = all.iter().filter(|(_, one)| one.name == function.name).count();
            let name =
                if named == 1 && random.percent(50) { function.name.clone() } else { function.signature() };
            let mut call = json!({"abi": abi, "function": name});
            let leaves = leaves(&function.inputs);
            if !leaves.is_empty() && random.percent(80) {
                let mut arguments = Map::new();
                for _ in 0..=random.below(2) {
                    let (path, kind) = random.pick(&leaves).clone();
                    arguments.insert(path, test(random, &kind));
                }
                call["arguments"] = Value::Object(arguments);
            }
            call
        })
        .collect()
}

/// A test that makes sense of a value of this type.
fn test(random: &mut Random, kind: &DynSolType) -> Value {
    let values: Value = match kind {
        DynSolType::Address => {
            let list = addresses(random, &[]);
            if random.percent(50) { with_self(&list, SELF) } else { list }
        }
        DynSolType::Uint(bits) => {
            if random.percent(40) {
                return json!({"range": range(random, &Value::Null)});
            }
            let most = U256::MAX >> (256 - bits);
            let numbers = random.some(&AMOUNTS, 1, 4).into_iter();
            let fit = numbers.map(|text| U256::from_str_radix(text, 10).expect("a number").min(most));
            fit.map(|number| json!(number.to_string())).collect()
        }
        DynSolType::Int(_) => {
            if random.percent(40) {
                return json!({"range": range(random, &Value::Null)});
            }
            json!(random.some(&["-5", "-1", "0", "1", "5", "-128"], 1, 4))
        }
        DynSolType::Bool => json!([random.percent(50)]),
        DynSolType::FixedBytes(size) => {
            let byte = *random.pick(&["00", "01", "ff"]);
            json!([format!("0x{}", byte.repeat(*size))])
        }
        DynSolType::Bytes => json!(random.some(&["0x", "0x010203"], 1, 2)),
        _ => json!(random.some(&TEXTS, 1, 3)),
    };
    if random.percent(70) { json!({"in": values}) } else { json!({"not_in": values}) }
}

const KINDS: [&str; 9] = [
    "transfer",
    "transfer_from",
    "approve",
    "increase_allowance",
    "safe_transfer_from",
    "set_approval_for_all",
    "permit",
    "dai_permit",
    "permit2",
];

fn call_token(random: &mut Random, facts: &Value) -> Value {
    let kind = match facts["selector"].as_str().unwrap_or_default() {
        "0xa9059cbb" => "transfer",
        "0x23b872dd" => "transfer_from",
        "0x095ea7b3" => "approve",
        "0x39509351" => "increase_allowance",
        "0xa22cb465" => "set_approval_for_all",
        "0xd505accf" => "permit",
        _ => "safe_transfer_from",
    };
    token(random, kind, &[&facts["to"]])
}

fn typed_token(random: &mut Random, facts: &Value) -> Value {
    let domain = &facts["domain"];
    let kind = if domain["name"] == "Permit2" { "permit2" } else { "permit" };
    token(random, kind, &[&domain["verifying_contract"]])
}

fn token(random: &mut Random, kind: &str, contracts: &[&Value]) -> Value {
    let mut members = Map::new();
    for _ in 0..=random.below(2) {
        let (name, value) = match random.below(4) {
            0 => ("kinds", near(random, &[kind.to_owned()], &KINDS)),
            1 => ("contracts", addresses(random, contracts)),
            2 => ("recipients", {
                let pool: Vec<Value> = random.some(&ADDRESSES, 2, 4).iter().map(|one| json!(one)).collect();
                let pool: Vec<&Value> = pool.iter().collect();
                parties(random, &pool)
            }),
            _ => ("amount", range(random, &Value::Null)),
        };
        members.insert(name.to_owned(), value);
    }
    Value::Object(members)
}

fn authorization_delegates(random: &mut Random, facts: &Value) -> Value {
    addresses(random, &[&facts["address"]])
}

/// Paths into the message, and some that lead nowhere.
fn fields(random: &mut Random, facts: &Value) -> Value {
    let mut paths = Vec::new();
    message_leaves(&facts["message"], "", &mut paths);
    let mut members = Map::new();
    for _ in 0..=random.below(2) {
        let (path, kind) = if !paths.is_empty() && random.percent(85) {
            random.pick(&paths).clone()
        } else {
            let odd = [
                "nosuch",
                "spender",
                "details",
                "details[].token",
                "items",
                "items[]",
                "items.token",
                "maker[]",
                "pair",
                "value.x",
                "maker.wallet",
            ];
            ((*random.pick(&odd)).to_owned(), "address".to_owned())
        };
        let kind = if random.percent(92) { kind } else { "uint256".to_owned() };
        let test = if random.percent(8) { odd_test(random) } else { test_of(random, &kind) };
        members.insert(path, test);
    }
    Value::Object(members)
}

/// Values that are spelled as no value is: what is meant is nobody's guess.
fn odd_test(random: &mut Random) -> Value {
    let odd = [
        "0x5",
        "05",
        "+5",
        "-0",
        "TRUE",
        "0X010203",
        "0x01020",
        "Self",
        "0XFB6916095CA1DF60BB79CE92CE3EA74C37C5D359",
        "0xFB6916095CA1df60bb79ce92ce3ea74c37c5d359",
        "fb6916095ca1df60bb79ce92ce3ea74c37c5d359",
    ];
    json!({*random.pick(&["in", "not_in"]): random.some(&odd, 1, 4)})
}

fn test_of(random: &mut Random, kind: &str) -> Value {
    test(random, &DynSolType::parse(kind).expect("a type without parts"))
}

/// Where values without parts are, and of which type.
fn message_leaves(members: &Value, before: &str, found: &mut Vec<(String, String)>) {
    for member in entries(members) {
        let name = member["name"].as_str().expect("a name");
        let path = if before.is_empty() { name.to_owned() } else { format!("{before}.{name}") };
        value_leaves(member["type"].as_str().expect("a type"), &member["value"], &path, found);
    }
}

fn value_leaves(kind: &str, value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match (kind.rfind('['), value) {
        (Some(at), _) => {
            let first = entries(value).first().unwrap_or(&Value::Null);
            value_leaves(&kind[..at], first, &format!("{path}[]"), found);
        }
        (None, Value::Array(_)) => message_leaves(value, path, found),
        // Of an empty list nobody sees what its items would have been.
        (None, Value::Null) => {}
        (None, _) => found.push((path.to_owned(), kind.to_owned())),
    }
}
