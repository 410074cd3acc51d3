//! Many rules, of which few are looked at.

use proptest::prelude::*;

use super::*;

const RULES: usize = 10_000;

fn looked_at(policy: &Policy, query: &Query<'_>) -> usize {
    policy.index.candidates(query, &policy.index.asker(query)).len()
}

fn with_clients(count: usize, role: impl Fn(usize) -> String, rules: Vec<Value>) -> Policy {
    let mut bundle = bundle(&Value::Null);
    let client = |number: usize| {
        let key = json!({"id": format!("k{number}"), "algorithm": "ecdsa-p256-sha256",
            "public_key": format!("04{number:0128x}")});
        json!({"id": format!("c{number}"), "auth": {"keys": [key]}, "roles": [role(number)]})
    };
    bundle["clients"] = (0..count).map(client).collect();
    bundle["rules"] = Value::Array(rules);
    compiled(&bundle)
}

fn rule(number: usize, with: &Value) -> Value {
    let mut rule = json!({"id": format!("r{number}"), "effect": "allow", "operations": ["evm.message"]});
    rule.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    rule
}

fn wallet_of(number: usize) -> WalletId {
    format!("w_{number:032x}").parse().unwrap()
}

#[test]
fn rules_of_other_clients_cost_nothing() {
    let rules = (0..RULES).map(|number| rule(number, &json!({"clients": [format!("c{}", number % 1000)]})));
    let policy = with_clients(1000, |_| "all".to_owned(), rules.collect());
    let client = "c7".parse().unwrap();
    let query = Query { client: &client, ..query(Operation::EvmMessage) };
    assert_eq!(looked_at(&policy, &query), RULES / 1000);
    assert_eq!(policy.decide(&query), Decision::Allowed("r7".parse().unwrap()));
    assert_eq!(looked_at(&policy, &Query { operation: Operation::RawDigest, ..query }), 0);
}

#[test]
fn rules_of_other_roles_cost_nothing() {
    let rules = (0..RULES).map(|number| rule(number, &json!({"roles": [format!("role{}", number % 1000)]})));
    let policy = with_clients(1000, |number| format!("role{number}"), rules.collect());
    let client = "c7".parse().unwrap();
    let query = Query { client: &client, ..query(Operation::EvmMessage) };
    assert_eq!(looked_at(&policy, &query), RULES / 1000);
    assert!(policy.decide(&query).is_allowed());
}

#[test]
fn rules_about_other_wallets_cost_nothing() {
    // All of them name the one client, and every tenth no wallet.
    let rules = (0..RULES).map(|number| match number % 10 {
        0 if number < 100 => rule(number, &json!({"clients": ["c0"]})),
        _ => rule(number, &json!({"clients": ["c0"], "wallets": [wallet_of(number).to_string()]})),
    });
    let policy = with_clients(1, |_| "all".to_owned(), rules.collect());
    let client = "c0".parse().unwrap();
    let query = Query { client: &client, wallet: wallet_of(7777), ..query(Operation::EvmMessage) };
    assert_eq!(looked_at(&policy, &query), 11);
    let Judgement::Candidates(rules) = policy.judge(&query) else { panic!("denied") };
    assert_eq!(rules.last().unwrap().id().as_str(), "r7777");
}

#[test]
fn a_rule_under_several_names_is_looked_at_once() {
    let named = json!({"roles": ["a", "b"], "wallets": ["@hot", wallet(1).to_string()]});
    let mut bundle = bundle(&json!([rule(0, &named)]));
    bundle["clients"] = json!([{"id": "backend", "auth": "none", "roles": ["a", "b"]}]);
    let policy = compiled(&bundle);
    assert_eq!(looked_at(&policy, &query(Operation::EvmMessage)), 1);
    let Judgement::Candidates(rules) = policy.judge(&query(Operation::EvmMessage)) else { panic!("denied") };
    assert_eq!(rules.len(), 1);
}

fn some_of(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::option::weighted(0.6, prop::sample::subsequence(names, 1..=names.len()))
        .prop_map(|list| json!(list))
}

proptest! {
    #[test]
    fn the_index_passes_over_no_rule(
        rules in prop::collection::vec(
            (
                some_of(&["a", "b", "c"]), some_of(&["r", "s"]),
                some_of(&["@g", "@h", "w_01010101010101010101010101010101", "w_02020202020202020202020202020202"]),
                prop::sample::subsequence(vec!["evm.message", "raw.digest"], 1..=2),
            ),
            0..12,
        ),
        client in prop::sample::select(vec!["a", "b", "c", "nobody"]),
        byte in 1..4u8,
    ) {
        let written = rules.iter().enumerate().map(|(number, (clients, roles, wallets, operations))| {
            let mut rule = rule(number, &json!({"operations": operations}));
            for (name, value) in [("clients", clients), ("roles", roles), ("wallets", wallets)] {
                if !value.is_null() {
                    rule[name] = value.clone();
                }
            }
            rule
        });
        let mut bundle = bundle(&Value::Array(written.collect()));
        let key = |id: &str, byte: &str| json!({"keys": [{"id": id, "algorithm": "ecdsa-p256-sha256",
            "public_key": format!("04{}", byte.repeat(64))}]});
        bundle["clients"] = json!([
            {"id": "a", "auth": "none", "roles": ["r", "s"]},
            {"id": "b", "auth": key("kb", "bb"), "roles": ["s"]}, {"id": "c", "auth": key("kc", "cc")}
        ]);
        bundle["wallet_groups"] = json!([
            {"id": "g", "wallets": [wallet(1).to_string(), wallet(3).to_string()]},
            {"id": "h", "wallets": [wallet(1).to_string()]}
        ]);
        let policy = compiled(&bundle);
        let client = client.parse().unwrap();
        let query = Query { client: &client, wallet: wallet(byte), ..query(Operation::EvmMessage) };
        let asker = policy.index.asker(&query);
        let found: Vec<&Name> = policy.concerning(&query, &asker).map(CompiledRule::id).collect();
        let all = policy.rules.iter().filter(|rule| rule.concerns(&query, &asker));
        prop_assert_eq!(found, all.map(CompiledRule::id).collect::<Vec<_>>());
    }
}
