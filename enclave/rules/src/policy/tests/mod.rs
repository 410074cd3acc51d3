use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;
use crate::{
    chain::{SignBody, describe},
    hex_bytes::HexBytes,
};

mod amounts;
mod chains;
mod evm;
mod properties;
mod scale;
mod solana;
mod typed_data;
mod who;

/// The signing account.
const OWN: &str = "0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const TOKEN: &str = "0x1111111111111111111111111111111111111111";
const BOB: &str = "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// What a rule with a condition does, when it allows and when it denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effects {
    /// Allows, and denies: the condition holds.
    Both,
    /// Denies only: the condition is unknown, or holds for some of several values.
    DeniesOnly,
    /// Neither: the condition does not hold.
    Neither,
}
use Effects::{Both, DeniesOnly, Neither};

/// The client that asks.
static BACKEND: LazyLock<Name> = LazyLock::new(|| "backend".parse().unwrap());

/// A bundle of January 2026 with these rules; wallet 1 is in the group `hot`.
fn bundle(rules: &Value) -> Value {
    json!({
        "format": crate::bundle::FORMAT, "authority": "00".repeat(32), "version": 1, "previous": null,
        "not_before": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z",
        "least_configuration_epoch": 0, "keyrings": [],
        "clients": [{"id": "backend", "auth": "none"}],
        "abis": [
            {"id": "erc20", "functions": [
                "transfer(address to, uint256 amount)", "approve(address spender, uint256 amount)"
            ]},
            {"id": "shop", "functions": [
                "pay((address to, int256 amount)[] legs, bool now, string memo, bytes4 tag)",
                "set(uint256 value)", "set(bytes value)"
            ]}
        ],
        "wallet_groups": [{"id": "hot", "wallets": [wallet(1).to_string()]}],
        "rules": rules
    })
}

fn compiled(bundle: &Value) -> Policy {
    Policy::new(&Bundle::from_json(bundle.to_string().as_bytes()).unwrap())
}

fn policy(rules: &Value) -> Policy {
    compiled(&bundle(rules))
}

/// What a rule with the condition `when` does about `facts`.
fn effects(when: &Value, facts: &Facts) -> Effects {
    let query = about(facts);
    let operation = facts.operation();
    let all = json!({"id": "all", "effect": "allow", "operations": [operation]});
    let rule = |effect| json!({"id": "when", "effect": effect, "operations": [operation], "when": when});
    let allows = policy(&json!([rule("allow")])).decide(&query);
    let denies = policy(&json!([all, rule("deny")])).decide(&query);
    match (allows, denies) {
        (Decision::Allowed(_), Decision::DeniedBy(_)) => Both,
        (Decision::NotAllowed, Decision::DeniedBy(_)) => DeniesOnly,
        (Decision::NotAllowed, Decision::Allowed(_)) => Neither,
        other => panic!("{other:?}"),
    }
}

/// Each condition and what it does about `facts`.
fn check(facts: &Facts, cases: &[(Value, Effects)]) {
    for (when, expected) in cases {
        assert_eq!(effects(when, facts), *expected, "{when}");
    }
}

/// Backend asks to sign this with an account of wallet 1.
fn about(facts: &Facts) -> Query<'_> {
    Query {
        chain: facts.chain(),
        facts: Some(facts),
        account: OWN.parse().ok(),
        solana_account: Some(SolanaAddress::new([0x0f; 32])),
        ..query(Operation::from_name(facts.operation()).unwrap())
    }
}

/// A type 2 transaction to the token, with these members instead.
fn transaction(with: &Value) -> Facts {
    let mut members = json!({
        "chainId": 1, "nonce": 0, "to": TOKEN, "value": "7", "gas": 21000, "maxFeePerGas": 2,
        "maxPriorityFeePerGas": 1, "input": "0x",
    });
    for (name, value) in with.as_object().unwrap() {
        match value {
            Value::Null => drop(members.as_object_mut().unwrap().remove(name)),
            value => members[name] = value.clone(),
        }
    }
    let raw = serde_json::value::to_raw_value(&members).unwrap();
    describe("evm.transaction", &SignBody { transaction: Some(&raw), ..SignBody::default() }).unwrap()
}

/// A call of the token with a selector and words.
fn call(selector: &str, words: &[&str]) -> Facts {
    let word = |word: &&str| format!("{:0>64}", word.trim_start_matches("0x"));
    let words = words.iter().map(word).collect::<Vec<_>>().concat();
    transaction(&json!({"input": format!("{selector}{words}"), "value": "0"}))
}

fn wallet(byte: u8) -> WalletId {
    WalletId(HexBytes([byte; 16]))
}

/// Backend asks for something with wallet 1, in the middle of January.
fn query(operation: Operation) -> Query<'static> {
    Query {
        now: "2026-01-15T00:00:00Z".parse().unwrap(),
        client: &BACKEND,
        role: None,
        operation,
        wallet: wallet(1),
        origin: Origin::Hd,
        chain: ChainScope::None,
        facts: None,
        account: None,
        solana_account: None,
    }
}
