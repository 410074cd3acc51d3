use serde_json::{Value, json};

use super::*;

fn line(rule: Value) -> String {
    describe(&serde_json::from_value(rule).unwrap())
}

const TOKEN: &str = "0x1111111111111111111111111111111111111111";
const MINT: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";

#[test]
fn every_part_of_a_rule_is_said() {
    let when = |about: &str, condition: Value| {
        line(
            json!({"id": "a", "effect": "allow", "operations": ["evm.transaction"], "when": {about: condition}}),
        )
    };
    for (text, expected) in [
        (
            line(json!({"id": "all", "effect": "deny", "operations": ["raw.digest", "raw.message"]})),
            "all: denies raw.digest or raw.message to every client with every wallet".to_owned(),
        ),
        (
            line(json!({
                "id": "pay", "effect": "allow", "operations": ["evm.transaction"], "clients": ["backend"],
                "roles": ["payer"], "wallets": ["@hot"], "origins": ["hd"], "chain_ids": [1, 10],
                "limits": [
                    {"window_s": 3600, "most": {"count": 1}},
                    {"window_s": 90, "per": "account", "most": {"native": "7"}, "after_restart": "open"},
                    {"window_s": 172_800, "most": {"token": {"id": TOKEN, "amount": "9"}}}
                ],
                "approvals": {"threshold": 2, "of": ["alice", "bob"]}, "nonce": "replaceable"
            })),
            format!(
                "pay: allows evm.transaction to backend with role payer with wallet @hot of origin hd on chain 1 or 10; \
                 at most 1 signature in 1 hour; \
                 at most 7 wei or lamports in 90 seconds for each account (anew after a restart); \
                 at most 9 of token {TOKEN} in 2 days; approved by 2 of alice and bob, for 1 hour at most; \
                 a transaction can be replaced by one that pays other fees"
            ),
        ),
        (
            when(
                "evm_transaction",
                json!({
                    "types": ["eip1559"], "recipients": ["self", TOKEN], "contract_creation": false,
                    "value": {"max": "0"}, "selectors": ["0xa9059cbb"], "empty_input": false, "delegates": [TOKEN],
                    "calls": [{"abi": "erc20", "function": "transfer", "arguments": {
                        "legs[].to": {"in": ["self"]}, "now": {"not_in": [true]}
                    }}],
                    "token": {"kinds": ["safe_transfer_from"], "recipients": ["self"], "amount": {"min": "1", "max": "2"}}
                }),
            ),
            format!(
                "a: allows evm.transaction to every client with every wallet on every EVM chain, if its type is eip1559, \
                 and it goes to the signing account or {TOKEN}, and it creates no contract, and it sends at most 0 wei, \
                 and its selector is 0xa9059cbb, and its input is not empty, \
                 and it calls transfer of erc20 where every legs[].to is self and now is not true, \
                 and it moves tokens and every movement is by safe_transfer_from to the signing account of from 1 to 2 units, \
                 and every delegate is {TOKEN}"
            ),
        ),
        (
            line(json!({
                "id": "a", "effect": "deny", "operations": ["solana.transaction"], "when": {"solana_transaction": {
                    "programs": [MINT], "instructions": ["memo"], "recipients": ["self"], "lamports": {"min": "5", "max": "5"},
                    "lookup_tables": true
                }}
            })),
            format!(
                "a: denies solana.transaction to every client with every wallet, if some program is {MINT}, \
                 and some instruction is memo, and some recipient is the signing account, \
                 and it moves exactly 5 lamports, and it looks up accounts, or if that cannot be known"
            ),
        ),
        (
            when("evm_message", json!({"text_prefixes": ["a\n"], "max_bytes": 5})),
            "a: allows evm.transaction to every client with every wallet on every EVM chain, \
             if it begins with \"a\\n\", and it has at most 5 bytes"
                .to_owned(),
        ),
        (
            when(
                "evm_typed_data",
                json!({"names": ["X"], "primary_types": ["Y"], "fields": {"z": {"range": {"min": "1"}}}}),
            ),
            "a: allows evm.transaction to every client with every wallet on every EVM chain, \
             if its domain is named \"X\", and its type is \"Y\", and z is at least 1"
                .to_owned(),
        ),
    ] {
        assert_eq!(text, expected);
    }
}

#[test]
fn long_lists_are_cut_and_lines_stay_one() {
    assert_eq!(either(1..=4), "1, 2, 3 or 4");
    assert_eq!(either(1..=10), "1, 2, 3, 4 or 6 more");
    assert_eq!(either(1..=1), "1");
    let text = line(json!({
        "id": "a", "effect": "allow", "operations": ["evm.message"],
        "when": {"evm_message": {"text_prefixes": ["first\nsecond"]}}
    }));
    assert_eq!(text.lines().count(), 1);
}
