use serde_json::{Value, json};

use super::{Severity::*, *};

const TOKEN: &str = "0x1111111111111111111111111111111111111111";
const MINT: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";

fn bundle(rules: &Value) -> Value {
    let key = |byte: &str| {
        json!({"keys": [{"id": format!("key-{byte}"), "algorithm": "ecdsa-p256-sha256",
            "public_key": format!("04{}", byte.repeat(64))}]})
    };
    json!({
        "format": crate::bundle::FORMAT, "authority": "00".repeat(32), "version": 1, "previous": null,
        "not_before": "2026-01-01T00:00:00Z", "expires": "2026-01-02T00:00:00Z",
        "least_configuration_epoch": 0, "keyrings": [],
        "clients": [
            {"id": "backend", "auth": key("aa"), "roles": ["payer"]}, {"id": "audit", "auth": key("bb")}
        ],
        "abis": [{"id": "erc20", "functions": ["transfer(address to, uint256 amount, bytes data, int8 i, bool b)"]}],
        "wallet_groups": [{"id": "hot", "wallets": [format!("w_{}", "01".repeat(16))]}],
        "rules": rules
    })
}

/// What is found in rules, `all` beside them, which keeps clients and names in use.
fn found(rules: &[Value]) -> Vec<(Severity, String, String)> {
    let all = json!({"id": "all", "effect": "allow", "operations": ["wallet.read"]});
    let used = json!({"id": "used", "effect": "deny", "operations": ["wallet.account"], "wallets": ["@hot"],
        "roles": ["payer"], "origins": ["imported"]});
    let calls = json!({"id": "calls", "effect": "deny", "operations": ["evm.transaction"], "origins": ["imported"],
        "when": {"evm_transaction": {"calls": [{"abi": "erc20", "function": "transfer"}]}}});
    let rules: Vec<Value> = rules.iter().cloned().chain([all, used, calls]).collect();
    lints_of(&bundle(&json!(rules)))
}

fn lints_of(bundle: &Value) -> Vec<(Severity, String, String)> {
    let bundle = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
    let rule = |lint: &Lint| lint.rule.as_ref().map(ToString::to_string).unwrap_or_default();
    lint(&bundle).iter().map(|lint| (lint.severity, rule(lint), lint.message.clone())).collect()
}

fn rule(operation: &str, with: &Value) -> Value {
    let mut rule = json!({"id": "a", "effect": "allow", "operations": [operation]});
    rule.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    rule
}

fn when(condition: &Value) -> Value {
    rule("evm.transaction", &json!({"when": {"evm_transaction": condition}}))
}

fn argument(path: &str, test: &Value) -> Value {
    when(&json!({"calls": [{"abi": "erc20", "function": "transfer", "arguments": {path: test}}]}))
}

#[test]
fn sound_rules_are_left_alone() {
    for rule in [
        rule("evm.message", &json!({})),
        rule("wallet.read", &json!({"clients": ["backend"], "roles": ["payer"]})),
        when(&json!({"contract_creation": true, "types": ["eip1559"]})),
        when(&json!({"delegates": [TOKEN], "types": ["eip7702"]})),
        when(&json!({"token": {"kinds": ["permit"]}})),
        argument("to", &json!({"in": ["self", TOKEN]})),
        argument("amount", &json!({"in": ["0", "10"]})),
        argument("i", &json!({"not_in": ["0", "10", "-10"]})),
        argument("b", &json!({"in": [true, "false"]})),
        argument("data", &json!({"in": ["0x", "0x0a"]})),
        rule(
            "solana.transaction",
            &json!({"when": {"solana_transaction": {
            "instructions": ["system.transfer"], "recipients": ["self"]}}}),
        ),
        rule("evm.transaction", &json!({"limits": [{"window_s": 86400, "most": {"count": 1}}]})),
    ] {
        assert_eq!(found(std::slice::from_ref(&rule)), [], "{rule}");
    }
}

#[test]
fn odd_rules_are_named() {
    let limited =
        |operation: &str, most: Value| rule(operation, &json!({"limits": [{"window_s": 60, "most": most}]}));
    let limit = |extra: Value| {
        let mut limit = json!({"window_s": 60, "most": {"count": 1}});
        limit.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        rule("evm.message", &json!({"limits": [limit]}))
    };
    let cases = [
        (
            rule("wallet.read", &json!({"clients": ["audit"], "roles": ["payer"]})),
            Error,
            "has one of its roles",
        ),
        (when(&json!({"contract_creation": true, "recipients": [TOKEN]})), Error, "has no recipients"),
        (when(&json!({"empty_input": true, "selectors": ["0x00000000"]})), Error, "has no selectors"),
        (when(&json!({"contract_creation": true, "types": ["eip4844"]})), Error, "cannot create"),
        (when(&json!({"delegates": [TOKEN], "types": ["legacy"]})), Error, "only type eip7702"),
        (when(&json!({"token": {"kinds": ["permit2"]}})), Error, "in none of its kinds"),
        (
            rule("evm.typed_data", &json!({"when": {"evm_typed_data": {"token": {"kinds": ["transfer"]}}}})),
            Error,
            "in none of its kinds",
        ),
        (argument("to", &json!({"range": {"max": "1"}})), Error, "no integer"),
        (
            rule(
                "evm.typed_data",
                &json!({"when": {"evm_typed_data": {"fields": {
                "to": {"in": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed"]}}}}}),
            ),
            Warning,
            "wrong checksum",
        ),
        (limited("evm.message", json!({"count": 0})), Error, "0 signatures"),
        (limited("evm.transaction", json!({"token": {"id": MINT, "amount": "1"}})), Error, "another chain"),
        (limit(json!({"window_s": 86401})), Warning, "longer than the bundle"),
        (limit(json!({"after_restart": "open"})), Note, "starts anew"),
        (rule("evm.message", &json!({"nonce": "guarded"})), Warning, "evm.transaction only"),
        (rule("evm.transaction", &json!({"nonce": "unguarded"})), Note, "does not guard"),
        (rule("raw.digest", &json!({})), Warning, "allows raw.digest"),
        (when(&json!({})), Note, "looks at nothing"),
        (
            rule("solana.transaction", &json!({"when": {"solana_transaction": {"recipients": ["self"]}}})),
            Warning,
            "name the \"instructions\"",
        ),
        (limited("solana.transaction", json!({"native": "1"})), Warning, "name the \"instructions\""),
    ];
    for (rule, severity, part) in cases {
        let found = found(std::slice::from_ref(&rule));
        let [(found_severity, name, message)] = found.as_slice() else { panic!("{rule}: {found:?}") };
        assert_eq!((*found_severity, name.as_str()), (severity, "a"), "{rule}");
        assert!(message.contains(part), "{message}");
    }
    let mut excluded = when(&json!({"token": {"contracts": ["0x2222222222222222222222222222222222222222"]}}));
    excluded["limits"] = json!([{"window_s": 60, "most": {"token": {"id": TOKEN, "amount": "1"}}}]);
    assert!(found(&[excluded])[0].2.contains("leaves out the token"));
}

#[test]
fn rules_that_others_make_useless_are_named() {
    let allow = |with: Value| rule("evm.transaction", &with);
    let deny = |with: Value| {
        let mut rule = rule("evm.transaction", &with);
        rule["effect"] = json!("deny");
        rule["id"] = json!("d");
        rule
    };
    let wallet = format!("w_{}", "01".repeat(16));
    for (allowing, denying, useless) in [
        (json!({}), json!({}), true),
        (json!({"clients": ["backend"]}), json!({}), true),
        (json!({}), json!({"clients": ["backend"]}), false),
        (json!({"clients": ["backend"]}), json!({"clients": ["audit", "backend"]}), true),
        (json!({"roles": ["payer"]}), json!({"clients": ["backend"]}), false),
        (json!({"wallets": [wallet]}), json!({"wallets": ["@hot"]}), true),
        (json!({"wallets": ["@hot"]}), json!({"wallets": [wallet]}), false),
        (json!({"origins": ["hd"]}), json!({"origins": ["hd"]}), true),
        (json!({}), json!({"origins": ["hd"]}), false),
        (json!({}), json!({"origins": ["hd", "imported"]}), true),
        (json!({"chain_ids": [1]}), json!({"chain_ids": [1, 5]}), true),
        (json!({"chain_ids": [1, 10]}), json!({"chain_ids": [1, 5]}), false),
        (json!({"when": {"evm_transaction": {"empty_input": true}}}), json!({}), true),
        (json!({}), json!({"when": {"evm_transaction": {"empty_input": true}}}), false),
    ] {
        let found = found(&[allow(allowing.clone()), deny(denying.clone())]);
        assert_eq!(
            found.iter().any(|(_, _, text)| text.contains("rule d denies")),
            useless,
            "{allowing} {denying}"
        );
    }
    let mut twin = allow(json!({"chain_ids": [1]}));
    twin["id"] = json!("twin");
    let found = found(&[allow(json!({"chain_ids": [1]})), twin]);
    let expected = (Warning, "twin".to_owned(), "says what rule a says: remove one of them".to_owned());
    assert_eq!(found, [expected]);
}

#[test]
fn what_no_rule_uses_is_named() {
    let found = lints_of(&bundle(&json!([])));
    let texts: Vec<&str> = found.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "no rule allows anything",
            "no rule allows client backend anything",
            "no rule allows client audit anything",
            "no rule names role payer",
            "no rule names wallet group hot",
            "no rule names abi erc20"
        ]
    );
    let one =
        lints_of(&bundle(&json!([rule("evm.message", &json!({"roles": ["payer"], "wallets": ["@hot"]}))])));
    let texts: Vec<&str> = one.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, ["no rule allows client audit anything", "no rule names abi erc20"]);
}

#[test]
fn whoever_needs_no_proof_and_may_sign_is_named() {
    let with = |operation: &str| {
        let mut bundle = bundle(&json!([rule(operation, &json!({}))]));
        bundle["clients"] = json!([{"id": "anybody", "auth": "none"}]);
        lints_of(&bundle)
            .iter()
            .any(|(severity, _, text)| *severity == Warning && text.contains("lets anybody sign"))
    };
    assert!(with("evm.message"));
    assert!(!with("wallet.read"));
}

#[test]
fn a_lint_is_one_line_and_json() {
    let lint = Lint { severity: Error, rule: "a".parse().ok(), message: "is odd".to_owned() };
    assert_eq!(lint.to_string(), "error: rule a is odd");
    assert_eq!(
        serde_json::to_value(&lint).unwrap(),
        json!({"severity": "error", "rule": "a", "message": "is odd"})
    );
}
