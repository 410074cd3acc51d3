//! Bundles whose rules are about a request, or nearly.

use serde_json::{Value, json};

use super::world::{CHAINS, WALLETS, abis, clients};
use super::{Random, conditions};
use crate::policy::compare::Request;

/// Operations that a rule can name beside the request's.
const OTHERS: [&str; 6] = [
    "evm.transaction",
    "evm.typed_data",
    "evm.authorization",
    "solana.transaction",
    "raw.digest",
    "wallet.read",
];

/// A bundle of one to six rules.
pub(super) fn bundle(random: &mut Random, request: &Request) -> Value {
    let facts = request.facts_json().unwrap_or(Value::Null);
    let rules: Vec<Value> = (0..=random.below(6)).map(|index| rule(random, index, request, &facts)).collect();
    json!({
        "format": "nitro-signer/policy/v1", "authority": "00".repeat(32), "version": 1, "previous": null,
        "not_before": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z",
        "least_configuration_epoch": 0, "keyrings": [], "clients": clients(), "abis": abis(),
        "wallet_groups": [{"id": "hot", "wallets": WALLETS[..2]}, {"id": "shared", "wallets": WALLETS[1..]}],
        "rules": rules,
    })
}

fn rule(random: &mut Random, index: usize, request: &Request, facts: &Value) -> Value {
    let denies = random.percent(35);
    let mut rule = json!({"id": format!("r{index}"), "effect": if denies { "deny" } else { "allow" }});
    let operation =
        if random.percent(92) { request.operation.clone() } else { (*random.pick(&OTHERS)).to_owned() };
    // A rule for the same operation is written with this request in mind, another with none.
    let about = if operation == request.operation { facts } else { &Value::Null };
    let when = if random.percent(80) { conditions::when(random, &operation, about, denies) } else { None };
    let mut operations = vec![operation.clone()];
    if when.is_none() && random.percent(40) {
        operations.extend(random.some(&OTHERS, 1, 2).into_iter().map(str::to_owned));
        operations.sort();
        operations.dedup();
    }
    if random.percent(25) {
        rule["clients"] =
            near(random, std::slice::from_ref(&request.client), &["backend", "bot", "desk", "auditor"]);
    }
    if random.percent(15) {
        rule["roles"] = json!(distinct(random.some(&["payer", "trader", "reader"], 1, 2)));
    }
    if random.percent(20) {
        let pool = ["@hot", "@shared", WALLETS[0], WALLETS[2]];
        rule["wallets"] = near(random, std::slice::from_ref(&request.wallet), &pool);
    }
    if random.percent(10) {
        rule["origins"] = near(random, std::slice::from_ref(&request.origin), &["hd", "imported"]);
    }
    let chains = ["evm.transaction", "evm.authorization", "evm.typed_data"];
    let of_chains = operations.iter().all(|operation| chains.contains(&operation.as_str()));
    if of_chains && random.percent(30) {
        let mut ids: Vec<u64> = random.some(&[0, CHAINS[0], CHAINS[1], CHAINS[2]], 1, 3);
        ids.extend(facts["chain_id"].as_u64().filter(|_| random.percent(50)));
        rule["chain_ids"] = json!(ids);
    }
    rule["operations"] = json!(operations);
    if let Some(when) = when {
        rule["when"] = when;
    }
    if !denies && random.percent(10) {
        rule["nonce"] = json!(random.pick(&["guarded", "replaceable", "unguarded"]));
    }
    rule
}

/// A list that has the true values, or nearly, in any order.
pub(super) fn near(random: &mut Random, right: &[String], pool: &[&str]) -> Value {
    let mut list: Vec<String> = match random.below(20) {
        0..=10 => right.to_vec(),
        11..=13 => right.iter().skip(1).cloned().collect(),
        14..=15 => right.iter().take(1).cloned().collect(),
        _ => Vec::new(),
    };
    if list.is_empty() || random.percent(50) {
        list.extend(random.some(pool, 1, 3).into_iter().map(str::to_owned));
    }
    json!(distinct(list))
}

fn distinct<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}
