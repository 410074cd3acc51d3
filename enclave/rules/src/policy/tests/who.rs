//! Clients, roles, wallets, origins, and who is found by which name.

use super::*;

const ED25519: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// Backend pays, audit reads, and anybody may ask.
fn people(rules: &Value) -> Policy {
    let mut bundle = bundle(rules);
    bundle["clients"] = json!([
        {"id": "backend", "auth": {"keys": [{"id": "backend-1", "algorithm": "ed25519", "public_key": ED25519}]},
            "roles": ["payer", "reader"]},
        {"id": "audit", "auth": {"keys": [
            {"id": "audit-1", "algorithm": "ecdsa-p256-sha256", "public_key": format!("04{}", "ab".repeat(64))}
        ]}, "roles": ["reader"]},
        {"id": "anybody", "auth": "none"}
    ]);
    bundle["approvers"] = json!([{"id": "alice", "public_key": ED25519}]);
    compiled(&bundle)
}

fn allows(rule: &Value, query: &Query<'_>) -> bool {
    people(&json!([rule])).decide(query).is_allowed()
}

#[test]
fn rules_are_about_clients_and_roles() {
    let name = |text: &str| text.parse::<Name>().unwrap();
    let rule = |who: Value| {
        let mut rule = json!({"id": "a", "effect": "allow", "operations": ["wallet.read"]});
        rule.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        rule
    };
    let cases = [
        (json!({}), ["backend", "audit", "anybody", "nobody"].as_slice()),
        (json!({"clients": ["backend"]}), &["backend"]),
        (json!({"roles": ["payer"]}), &["backend"]),
        (json!({"roles": ["reader"]}), &["backend", "audit"]),
        (json!({"roles": ["payer", "reader"]}), &["backend", "audit"]),
        (json!({"clients": ["audit"], "roles": ["payer"]}), &[]),
        (json!({"clients": ["audit", "anybody"], "roles": ["reader"]}), &["audit"]),
    ];
    for (who, expected) in cases {
        for client in ["backend", "audit", "anybody", "nobody"] {
            let client_name = name(client);
            let query = Query { client: &client_name, ..query(Operation::WalletRead) };
            assert_eq!(allows(&rule(who.clone()), &query), expected.contains(&client), "{who} {client}");
        }
    }
}

#[test]
fn a_role_alone_allows_less_and_escapes_no_denial() {
    let (payer, reader, unknown): (Name, Name, Name) =
        ("payer".parse().unwrap(), "reader".parse().unwrap(), "unknown".parse().unwrap());
    let rule = |effect: &str, who: &Value| {
        let mut rule = json!({"id": effect, "effect": effect, "operations": ["wallet.read"]});
        rule.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        rule
    };
    let decide = |rules: &[Value], role| {
        people(&json!(rules)).decide(&Query { role, ..query(Operation::WalletRead) }).is_allowed()
    };
    let paying = [rule("allow", &json!({"roles": ["payer"]}))];
    assert!(decide(&paying, None) && decide(&paying, Some(&payer)));
    assert!(!decide(&paying, Some(&reader)) && !decide(&paying, Some(&unknown)));
    // Rules by name are not about roles.
    assert!(decide(&[rule("allow", &json!({"clients": ["backend"]}))], Some(&reader)));
    let denied = [rule("allow", &json!({})), rule("deny", &json!({"roles": ["payer"]}))];
    assert!(!decide(&denied, None) && !decide(&denied, Some(&payer)) && !decide(&denied, Some(&reader)));
}

#[test]
fn rules_are_about_origins_and_wallets() {
    let rule = |name: &str, value: Value| json!({"id": "a", "effect": "allow", "operations": ["wallet.read"], name: value});
    let imported = Query { origin: Origin::Imported, ..query(Operation::WalletRead) };
    assert!(allows(&rule("origins", json!(["imported"])), &imported));
    assert!(allows(&rule("origins", json!(["hd", "imported"])), &imported));
    assert!(!allows(&rule("origins", json!(["hd"])), &imported));
    let other = Query { wallet: wallet(2), ..query(Operation::WalletRead) };
    assert!(allows(&rule("wallets", json!(["@hot"])), &query(Operation::WalletRead)));
    assert!(!allows(&rule("wallets", json!(["@hot"])), &other));
    assert!(allows(&rule("wallets", json!(["@hot", wallet(2).to_string()])), &other));
    assert!(!allows(&rule("wallets", json!(["@hot"])), &query(Operation::WalletCreate)));
}

#[test]
fn clients_keys_and_approvers_are_found() {
    let policy = people(&json!([]));
    let name = |text: &str| text.parse::<Name>().unwrap();
    assert_eq!(policy.anonymous_client(), Some(&name("anybody")));
    assert_eq!(policy.client(&name("audit")).unwrap().roles, [name("reader")]);
    assert!(policy.client(&name("mallory")).is_none());
    let (client, key) = policy.key("audit-1").unwrap();
    assert_eq!((&client.id, &key.id), (&name("audit"), &name("audit-1")));
    assert!(policy.key("audit").is_none());
    assert_eq!(policy.approver(&name("alice")).unwrap().id, name("alice"));
    assert!(policy.approver(&name("backend")).is_none());
}

#[test]
fn candidates_keep_their_order_and_their_demands() {
    let policy = people(&json!([
        {"id": "small", "effect": "allow", "operations": ["evm.message"], "roles": ["payer"],
            "limits": [{"window_s": 60, "most": {"count": 1}}], "nonce": "unguarded"},
        {"id": "never", "effect": "allow", "operations": ["evm.message"], "clients": ["audit"]},
        {"id": "large", "effect": "allow", "operations": ["evm.message"], "clients": ["backend"],
            "approvals": {"threshold": 1, "of": ["alice"]}},
        {"id": "any", "effect": "allow", "operations": ["evm.message"], "wallets": ["@hot"]}
    ]));
    let Judgement::Candidates(rules) = policy.judge(&query(Operation::EvmMessage)) else { panic!("denied") };
    assert_eq!(rules.iter().map(|rule| rule.id().as_str()).collect::<Vec<_>>(), ["small", "large", "any"]);
    assert_eq!((rules[0].limits().len(), rules[0].nonce()), (1, crate::bundle::NonceUse::Unguarded));
    assert_eq!(
        (rules[1].approvals().unwrap().threshold, rules[1].nonce()),
        (1, crate::bundle::NonceUse::Guarded)
    );
    assert!(matches!(policy.judge(&query(Operation::RawDigest)), Judgement::Denied(Decision::NotAllowed)));
}

#[test]
fn before_anything_is_parsed_conditions_neither_allow_nor_deny() {
    let when = json!({"evm_transaction": {"value": {"max": "1"}}});
    let allow = json!({"id": "a", "effect": "allow", "operations": ["evm.transaction"], "when": when});
    let deny = json!({"id": "d", "effect": "deny", "operations": ["evm.transaction"], "when": when});
    let query = query(Operation::EvmTransaction);
    assert_eq!(policy(&json!([deny])).refusal(&query), Some(Decision::NotAllowed));
    assert_eq!(policy(&json!([allow, deny])).refusal(&query), None);
    // Whoever decides without what is signed gets a no.
    assert_eq!(policy(&json!([allow])).decide(&query), Decision::NotAllowed);
    assert_eq!(policy(&json!([allow, deny])).decide(&query), Decision::DeniedBy("d".parse().unwrap()));
}

#[test]
fn facts_of_another_operation_show_nothing() {
    let facts = transaction(&json!({}));
    let when = json!({"evm_message": {"max_bytes": 9}});
    let rule = json!([{"id": "a", "effect": "allow", "operations": ["evm.message"], "when": when}]);
    let query = Query { operation: Operation::EvmMessage, ..about(&facts) };
    assert_eq!(policy(&rule).decide(&query), Decision::NotAllowed);
}
