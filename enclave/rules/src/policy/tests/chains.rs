//! Clients, wallets, chains and time; nothing of what is signed.

use serde_json::json;

use super::*;

fn ask(policy: &Policy, wallet: WalletId, chain: ChainScope) -> Decision {
    ask_at(policy, "2026-01-15T00:00:00Z", wallet, chain)
}

fn ask_at(policy: &Policy, now: &str, wallet: WalletId, chain: ChainScope) -> Decision {
    let query = Query { now: now.parse().unwrap(), wallet, chain, ..query(Operation::EvmTransaction) };
    policy.decide(&query)
}

#[test]
fn nothing_is_allowed_by_default() {
    assert_eq!(ask(&policy(&json!([])), wallet(1), ChainScope::Evm(1)), Decision::NotAllowed);
}

#[test]
fn atoms_must_all_match() {
    let policy = policy(&json!([
        {"id": "pay", "effect": "allow", "operations": ["evm.transaction"], "wallets": ["@hot"], "chain_ids": [1, 10]}
    ]));
    assert_eq!(ask(&policy, wallet(1), ChainScope::Evm(10)), Decision::Allowed("pay".parse().unwrap()));
    assert_eq!(ask(&policy, wallet(2), ChainScope::Evm(10)), Decision::NotAllowed);
    assert_eq!(ask(&policy, wallet(1), ChainScope::Evm(5)), Decision::NotAllowed);
    assert_eq!(ask(&policy, wallet(1), ChainScope::EveryEvm), Decision::NotAllowed);
    assert_eq!(ask(&policy, wallet(1), ChainScope::None), Decision::NotAllowed);
}

#[test]
fn a_rule_that_denies_wins() {
    let policy = policy(&json!([
        {"id": "all", "effect": "allow", "operations": ["evm.transaction"]},
        {"id": "not-mainnet", "effect": "deny", "operations": ["evm.transaction"], "chain_ids": [1]}
    ]));
    assert_eq!(
        ask(&policy, wallet(1), ChainScope::Evm(1)),
        Decision::DeniedBy("not-mainnet".parse().unwrap())
    );
    assert_eq!(ask(&policy, wallet(1), ChainScope::Evm(2)), Decision::Allowed("all".parse().unwrap()));
    // Sendable on mainnet too, so the denial covers it.
    assert_eq!(
        ask(&policy, wallet(1), ChainScope::EveryEvm),
        Decision::DeniedBy("not-mainnet".parse().unwrap())
    );
}

#[test]
fn what_no_chain_allows_is_refused_beforehand() {
    let policy = policy(&json!([
        {"id": "pay", "effect": "allow", "operations": ["evm.transaction"], "wallets": ["@hot"], "chain_ids": [1]}
    ]));
    let refusal = |now: &str, byte| {
        policy.refusal(&Query {
            now: now.parse().unwrap(),
            wallet: wallet(byte),
            ..query(Operation::EvmTransaction)
        })
    };
    assert_eq!(refusal("2026-01-15T00:00:00Z", 1), None);
    assert_eq!(refusal("2026-01-15T00:00:00Z", 2), Some(Decision::NotAllowed));
    assert_eq!(refusal("2026-03-15T00:00:00Z", 1), Some(Decision::Expired));
    let denied = self::policy(&json!([
        {"id": "pay", "effect": "allow", "operations": ["evm.transaction"]},
        {"id": "stop", "effect": "deny", "operations": ["evm.transaction"]}
    ]));
    let query = query(Operation::EvmTransaction);
    assert_eq!(denied.refusal(&query), Some(Decision::DeniedBy("stop".parse().unwrap())));
}

#[test]
fn an_authorization_for_every_chain_is_allowed_by_name_only() {
    let decide = |rules: serde_json::Value, chain| {
        policy(&rules).decide(&Query { chain, ..query(Operation::EvmAuthorization) })
    };
    let rule = |chain_ids: Option<&[u64]>| {
        let mut rule = json!({"id": "a", "effect": "allow", "operations": ["evm.authorization"]});
        if let Some(ids) = chain_ids {
            rule["chain_ids"] = json!(ids);
        }
        json!([rule])
    };
    assert_eq!(decide(rule(None), ChainScope::EveryEvm), Decision::NotAllowed);
    assert_eq!(decide(rule(Some(&[1])), ChainScope::EveryEvm), Decision::NotAllowed);
    assert!(decide(rule(Some(&[0])), ChainScope::EveryEvm).is_allowed());
    assert!(decide(rule(None), ChainScope::Evm(1)).is_allowed());
    assert_eq!(decide(rule(Some(&[0])), ChainScope::Evm(1)), Decision::NotAllowed);
}

#[test]
fn time_decides_first() {
    let policy = policy(&json!([{"id": "all", "effect": "allow", "operations": ["evm.transaction"]}]));
    let at = |now| ask_at(&policy, now, wallet(1), ChainScope::Evm(1));
    assert_eq!(at("2025-12-31T23:59:59Z"), Decision::NotYetInForce);
    assert!(at("2026-01-01T00:00:00Z").is_allowed() && at("2026-01-31T23:59:59Z").is_allowed());
    assert_eq!(at("2026-02-01T00:00:00Z"), Decision::Expired);
}
