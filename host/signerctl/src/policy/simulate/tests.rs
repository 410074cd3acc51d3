//! Decisions, and the reasons for them.

use std::fs;

use super::*;
use crate::config::tests::test_directory;

const ALICE: &str = "0x3535353535353535353535353535353535353535";

fn scene(rules: &Value, request: &Value) -> SimulateArgs {
    let directory = test_directory();
    let bundle = json!({
        "format": "nitro-signer/policy/v1", "authority": "00".repeat(32), "version": 1, "previous": null,
        "not_before": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z",
        "least_configuration_epoch": 0, "keyrings": [],
        "clients": [{"id": "backend", "auth": "none", "roles": ["trader", "reader"]}],
        "wallet_groups": [], "rules": rules,
    });
    fs::write(directory.join("policy.json"), bundle.to_string()).unwrap();
    fs::write(directory.join("request.json"), request.to_string()).unwrap();
    SimulateArgs {
        file: directory.join("policy.json"),
        client: "backend".parse().unwrap(),
        request: Some(directory.join("request.json")),
        kind: None,
        operation: None,
        wallet: None,
        origin: Origin::Hd,
        address: None,
        solana_address: None,
        role: None,
        at: "2026-01-15T00:00:00Z".parse().unwrap(),
        http: HttpArgs { path: None, method: "POST".into() },
    }
}

fn payment(to: &str, value: &str) -> Value {
    json!({"type": "evm.transaction", "transaction": {
        "chainId": 1, "nonce": 0, "gas": 21000, "gasPrice": 1, "to": to, "value": value,
    }})
}

fn simulated(rules: &Value, request: &Value) -> Report {
    run(&scene(rules, request), &Terminal::plain()).unwrap()
}

fn pay(most: &str) -> Value {
    json!([{
        "id": "pay", "effect": "allow", "operations": ["evm.transaction"], "roles": ["trader"], "chain_ids": [1],
        "when": {"evm_transaction": {"recipients": [ALICE], "value": {"max": "1000"}}},
        "limits": [{"window_s": 3600, "most": {"native": most}}],
    }])
}

#[test]
fn the_deciding_rule_and_its_demands_are_named() {
    let report = simulated(&pay("5000"), &payment(ALICE, "7"));
    assert_eq!((report.exit, &report.json["requests"][0]["rule"]), (0, &json!("pay")));
    let candidate = &report.json["requests"][0]["candidates"][0];
    assert_eq!((&candidate["limits"][0]["request"], &candidate["nonce"]), (&json!("7"), &json!("guarded")));
    assert!(report.human.contains("ALLOWED by rule pay, if its demands are met"), "{}", report.human);
}

#[test]
fn what_stands_in_the_way_is_named() {
    let report = simulated(&pay("5000"), &payment("0x0000000000000000000000000000000000000001", "1001"));
    assert_eq!((report.exit, &report.json["requests"][0]["reason"]), (EXIT_FAILED, &json!("no_rule_allows")));
    let missing: Vec<&Value> = report.json["requests"][0]["rules"][0]["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| &part["condition"])
        .collect();
    assert_eq!(missing, ["when.evm_transaction.recipients", "when.evm_transaction.value"]);

    let mut args = scene(&pay("5000"), &payment(ALICE, "7"));
    args.role = Some("reader".parse().unwrap());
    let report = run(&args, &Terminal::plain()).unwrap();
    assert_eq!(report.json["requests"][0]["rules"][0]["missing"][0]["condition"], "roles");
    args.at = "2026-03-01T00:00:00Z".parse().unwrap();
    assert_eq!(run(&args, &Terminal::plain()).unwrap().json["requests"][0]["reason"], "expired");
}

#[test]
fn a_limit_that_the_request_breaks_alone_denies() {
    let report = simulated(&pay("6"), &payment(ALICE, "7"));
    assert_eq!((report.exit, &report.json["requests"][0]["reason"]), (EXIT_FAILED, &json!("limit")));
}

#[test]
fn a_rule_that_denies_is_named_and_a_batch_is_as_good_as_its_worst_item() {
    let mut rules = pay("5000");
    rules.as_array_mut().unwrap().push(json!({
        "id": "no-sevens", "effect": "deny", "operations": ["evm.transaction"],
        "when": {"evm_transaction": {"value": {"min": "7", "max": "7"}}},
    }));
    let report = simulated(&rules, &json!({"items": [payment(ALICE, "6"), payment(ALICE, "7")]}));
    let requests = &report.json["requests"];
    assert_eq!((&requests[0]["rule"], &requests[1]["rule"]), (&json!("pay"), &json!("no-sevens")));
    assert_eq!((report.exit, &requests[1]["reason"]), (EXIT_FAILED, &json!("denied_by_rule")));
}

#[test]
fn operations_without_anything_to_sign() {
    let rules = json!([{"id": "make", "effect": "allow", "operations": ["wallet.create"]}]);
    let mut args = scene(&rules, &json!({}));
    (args.request, args.operation) = (None, Some(Operation::WalletCreate));
    assert_eq!(run(&args, &Terminal::plain()).unwrap().exit, 0);
    args.operation = Some(Operation::WalletRead);
    assert_eq!(run(&args, &Terminal::plain()).unwrap().exit, EXIT_FAILED);
    args.operation = Some(Operation::RawDigest);
    assert!(run(&args, &Terminal::plain()).is_err());
    args.client = "stranger".parse().unwrap();
    assert!(run(&args, &Terminal::plain()).err().unwrap().advice().unwrap().contains("backend"));
}
