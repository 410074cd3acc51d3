use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "0x6B175474E89094C44Da98b954EedeAC495271d0F";
const MINT: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
/// RFC 8032's first test key.
const ED25519: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn p256(byte: &str) -> String {
    format!("04{}", byte.repeat(64))
}

fn sample() -> Value {
    json!({
        "format": FORMAT, "authority": "00".repeat(32), "version": 1, "previous": null,
        "not_before": "2026-01-01T00:00:00Z", "expires": "2026-03-01T00:00:00Z",
        "least_configuration_epoch": 0, "keyrings": [],
        "clients": [
            {"id": "anybody", "auth": "none"},
            {"id": "backend", "auth": {"keys": [
                {"id": "backend-1", "algorithm": "ed25519", "public_key": ED25519},
                {"id": "backend-2", "algorithm": "ecdsa-p256-sha256", "public_key": p256("ab")}
            ]}, "roles": ["payer"], "sessions": {"longest_s": 3600}}
        ],
        "approvers": [{"id": "alice", "public_key": ED25519}],
        "abis": [{"id": "erc20", "functions": ["transfer(address to, uint256 amount)"]}],
        "wallet_groups": [],
        "rules": rules()
    })
}

fn rules() -> Value {
    json!([
        {
            "id": "pay", "effect": "allow", "operations": ["evm.transaction"], "clients": ["backend"],
            "roles": ["payer"], "origins": ["hd"], "chain_ids": [1],
            "when": {"evm_transaction": {
                "types": ["legacy", "eip1559"], "recipients": [TOKEN, "self"], "contract_creation": false,
                "value": {"max": "0"}, "max_fee": {"min": "1", "max": "1000000000000000000"},
                "selectors": ["0xa9059cbb"], "empty_input": false,
                "calls": [{"abi": "erc20", "function": "transfer", "arguments": {
                    "to": {"in": ["self", TOKEN.to_lowercase()]}, "amount": {"range": {"max": "5"}}
                }}],
                "token": {"kinds": ["transfer"], "contracts": [TOKEN], "recipients": ["self"],
                    "amount": {"max": "5"}},
                "delegates": [TOKEN]
            }},
            "limits": [
                {"window_s": 60, "most": {"count": 3}},
                {"window_s": 86400, "per": "account", "most": {"native": "7"}, "after_restart": "open"},
                {"window_s": 60, "most": {"fee": "7"}},
                {"window_s": 60, "most": {"token": {"id": TOKEN.to_lowercase(), "amount": "9"}}}
            ],
            "approvals": {"threshold": 1, "of": ["alice"]}, "nonce": "replaceable"
        },
        {"id": "revoke", "effect": "allow", "operations": ["evm.authorization"],
            "when": {"evm_authorization": {"delegates": ["0x0000000000000000000000000000000000000000"]}}},
        {"id": "login", "effect": "deny", "operations": ["evm.message"],
            "when": {"evm_message": {"text_prefixes": ["example.org wants"], "max_bytes": 100}}},
        {"id": "orders", "effect": "allow", "operations": ["evm.typed_data"],
            "when": {"evm_typed_data": {
                "names": ["Exchange"], "versions": ["1"], "verifying_contracts": [TOKEN],
                "primary_types": ["Order"],
                "fields": {"legs[].open": {"not_in": [true]}, "maker": {"in": ["self"]}},
                "token": {"amount": {"max": "1"}}
            }}},
        {"id": "sol", "effect": "allow", "operations": ["solana.transaction"],
            "when": {"solana_transaction": {
                "programs": [MINT], "instructions": ["system.transfer", "memo"], "accounts": ["self"],
                "recipients": [MINT], "lamports": {"max": "1"}, "mints": [MINT],
                "token_amount": {"max": "1"}, "max_fee": {"max": "1"}, "fee_payers": ["self"],
                "lookup_tables": false
            }},
            "limits": [{"window_s": 60, "most": {"token": {"id": MINT, "amount": "9"}}}]}
    ])
}

fn read(bundle: &Value) -> Result<Bundle, BundleError> {
    Bundle::from_json(bundle.to_string().as_bytes())
}

#[test]
fn every_member_is_written_as_it_was_read() {
    let bundle = read(&sample()).unwrap();
    assert_eq!(serde_json::to_value(&bundle).unwrap(), sample());
}

#[test]
fn values_that_cannot_be_are_named() {
    let when = "/rules/0/when/evm_transaction";
    let cases = [
        ("/clients/1/auth/keys", json!([]), "clients[1].auth.keys"),
        ("/clients/1/auth/keys/0/public_key", json!("00"), "clients[1].auth.keys[0].public_key"),
        // The identity: a weak key.
        (
            "/clients/1/auth/keys/0/public_key",
            json!(format!("01{}", "00".repeat(31))),
            "clients[1].auth.keys[0].public_key",
        ),
        (
            "/clients/1/auth/keys/1/public_key",
            json!(format!("02{}", "ab".repeat(64))),
            "clients[1].auth.keys[1].public_key",
        ),
        ("/clients/1/auth/keys/1/id", json!("backend-1"), "clients"),
        ("/abis/0/functions", json!([]), "abis[0].functions"),
        ("/abis/0/functions/0", json!("transfer(address)"), "abis[0].functions[0]"),
        (
            "/abis/0/functions",
            json!(["transfer(address to, uint256 amount)", "transfer(address a, uint256 b)"]),
            "abis[0].functions[1]",
        ),
        (
            "/abis/0/functions",
            json!(["transfer(address to, uint256 amount)", "transfer(address to)"]),
            "rules[0].when.evm_transaction.calls[0].function",
        ),
        (
            &format!("{when}/calls/0/function"),
            json!("transfer(address, uint256)"),
            "rules[0].when.evm_transaction.calls[0].function",
        ),
        (
            &format!("{when}/calls/0/arguments"),
            json!({"who": {"in": ["self"]}}),
            "rules[0].when.evm_transaction.calls[0].arguments.\"who\"",
        ),
        (
            &format!("{when}/calls/0/arguments/amount"),
            json!({"in": ["100", "0x64"]}),
            "rules[0].when.evm_transaction.calls[0].arguments.\"amount\".in",
        ),
        (
            &format!("{when}/calls/0/arguments/to"),
            json!({"not_in": ["0x6b175474E89094C44Da98b954EedeAC495271d0F"]}),
            "rules[0].when.evm_transaction.calls[0].arguments.\"to\".not_in",
        ),
        (
            "/rules/3/when/evm_typed_data/fields",
            json!({"legs[0]": {"in": ["self"]}}),
            "rules[3].when.evm_typed_data.fields.\"legs[0]\"",
        ),
        ("/clients/1/roles", json!(["a", "a"]), "clients[1].roles"),
        ("/clients/1/sessions/longest_s", json!(59), "clients[1].sessions.longest_s"),
        ("/clients/1/auth", json!("none"), "clients"),
        ("/rules/0/roles", json!(["nobody"]), "rules[0].roles"),
        ("/rules/0/roles", json!([]), "rules[0].roles"),
        ("/rules/0/origins", json!([]), "rules[0].origins"),
        ("/rules/0/operations", json!(["evm.message"]), "rules[0].chain_ids"),
        ("/rules/1/operations", json!(["evm.authorization", "evm.message"]), "rules[1].when"),
        (&format!("{when}/value"), json!({}), "rules[0].when.evm_transaction.value"),
        (&format!("{when}/value"), json!({"min": "2", "max": "1"}), "rules[0].when.evm_transaction.value"),
        (&format!("{when}/recipients"), json!([]), "rules[0].when.evm_transaction.recipients"),
        (&format!("{when}/token"), json!({}), "rules[0].when.evm_transaction.token"),
        (&format!("{when}/token/kinds"), json!([]), "rules[0].when.evm_transaction.token.kinds"),
        (&format!("{when}/calls/0/abi"), json!("x"), "rules[0].when.evm_transaction.calls[0].abi"),
        (
            &format!("{when}/calls/0/arguments/to/in"),
            json!([]),
            "rules[0].when.evm_transaction.calls[0].arguments.\"to\".in",
        ),
        ("/rules/2/when/evm_message/text_prefixes/0", json!(""), "rules[2].when.evm_message.text_prefixes"),
        (
            "/rules/3/when/evm_typed_data/names/0",
            json!("x".repeat(257)),
            "rules[3].when.evm_typed_data.names",
        ),
        (
            "/rules/4/when/solana_transaction/instructions/0",
            json!("system.steal"),
            "rules[4].when.solana_transaction.instructions",
        ),
        ("/rules/0/limits/0/window_s", json!(0), "rules[0].limits[0].window_s"),
        ("/rules/0/approvals/threshold", json!(2), "rules[0].approvals.threshold"),
        ("/rules/0/approvals/threshold", json!(0), "rules[0].approvals.threshold"),
        ("/rules/0/approvals/of", json!(["mallory"]), "rules[0].approvals.of"),
        ("/rules/0/effect", json!("deny"), "rules[0].limits"),
    ];
    for (pointer, value, expected) in cases {
        let mut bundle = sample();
        *bundle.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        match read(&bundle) {
            Err(BundleError::Field { field, .. }) => assert_eq!(field, expected, "{pointer}"),
            other => panic!("{pointer}: {other:?}"),
        }
    }
}

#[test]
fn a_limit_needs_something_to_measure() {
    let with = |operations: &[&str], most: Value| {
        let rule = json!({"id": "a", "effect": "allow", "operations": operations,
            "limits": [{"window_s": 60, "most": most}]});
        let mut bundle = sample();
        bundle["rules"] = json!([rule]);
        read(&bundle)
    };
    assert!(with(&["raw.digest", "evm.message"], json!({"count": 1})).is_ok());
    assert!(with(&["wallet.create"], json!({"count": 1})).is_err());
    assert!(with(&["evm.transaction", "solana.transaction"], json!({"native": "1"})).is_ok());
    assert!(with(&["evm.typed_data"], json!({"native": "1"})).is_err());
    assert!(with(&["evm.typed_data"], json!({"token": {"id": TOKEN, "amount": "1"}})).is_ok());
    assert!(with(&["evm.message"], json!({"token": {"id": TOKEN, "amount": "1"}})).is_err());
}

#[test]
fn the_new_members_are_closed_and_never_null() {
    let text = sample().to_string();
    for (from, to) in [
        ("\"kinds\":[", "\"kindz\":["),
        ("\"window_s\":60", "\"window_s\":60,\"extra\":1"),
        ("\"nonce\":\"replaceable\"", "\"nonce\":null"),
        ("\"origins\":[\"hd\"]", "\"origins\":null"),
        ("\"clients\":[\"backend\"]", "\"clients\":null"),
        ("\"effect\":\"allow\"", "\"effect\":\"allow\",\"wallets\":null"),
        ("\"chain_ids\":[1]", "\"chain_ids\":null"),
        ("\"max\":\"0\"", "\"max\":0"),
        ("\"max\":\"0\"", "\"max\":\"1_0\""),
        ("\"max\":\"0\"", "\"max\":\"0x\""),
        ("\"max\":\"0\"", "\"max\":\"-1\""),
        ("\"maker\":{", "\"maker\":{\"in\":[\"a\"]},\"maker\":{"),
        ("\"in\":[\"self\"]", "\"in\":[\"self\"],\"not_in\":[\"a\"]"),
        ("\"in\":[\"self\"]", "\"in\":[1]"),
        ("\"0xa9059cbb\"", "\"0xa9059c\""),
        ("\"evm_authorization\":{", "\"evm_message\":{},\"evm_authorization\":{"),
        ("ecdsa-p256-sha256", "rsa-pss-sha512"),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text, "{from}");
        assert!(matches!(Bundle::from_json(bad.as_bytes()), Err(BundleError::Malformed(_))), "{bad}");
    }
}

#[test]
fn keys_are_the_only_ones_of_their_name_and_bytes() {
    let with = |id: &str, byte: &str| {
        let mut bundle = sample();
        let key = json!({"id": id, "algorithm": "ecdsa-p256-sha256", "public_key": p256(byte)});
        bundle["clients"].as_array_mut().unwrap().push(json!({"id": "other", "auth": {"keys": [key]}}));
        read(&bundle)
    };
    assert!(with("other-1", "cd").is_ok());
    assert!(with("backend-1", "cd").is_err());
    assert!(with("other-1", "ab").is_err());
    let mut bundle = sample();
    bundle["approvers"] = json!([{"id": "a", "public_key": ED25519}, {"id": "b", "public_key": ED25519}]);
    assert!(read(&bundle).is_err());
}

#[test]
fn values_of_arguments_are_spelled_as_arguments_are() {
    let with = |path: &str, test: Value| {
        let mut bundle = sample();
        bundle["abis"][0]["functions"] =
            json!(["transfer(address to, uint256 amount, bytes data, int8 i, bool b, bytes4 four, uint8 u)"]);
        bundle["rules"][0]["when"]["evm_transaction"]["calls"][0]["arguments"] = json!({path: test});
        match read(&bundle) {
            Ok(_) => String::new(),
            Err(BundleError::Field { problem, .. }) => problem,
            Err(other) => panic!("{other}"),
        }
    };
    for (path, test) in [
        ("to", json!({"in": ["self", TOKEN, TOKEN.to_lowercase()]})),
        ("amount", json!({"in": ["0", "10"]})),
        ("i", json!({"not_in": ["0", "10", "-10", "127", "-128"]})),
        ("u", json!({"in": ["255"]})),
        ("four", json!({"in": ["0x00000000"]})),
        ("b", json!({"in": [true, "false"]})),
        ("data", json!({"in": ["0x", "0x0a"]})),
    ] {
        assert_eq!(with(path, test.clone()), "", "{path} {test}");
    }
    for (path, test, part) in [
        ("to", json!({"in": ["me"]}), "write an address"),
        ("to", json!({"in": ["self", "0x6b175474E89094C44Da98b954EedeAC495271d0F"]}), "write an address"),
        ("amount", json!({"not_in": ["0x10"]}), "in decimal"),
        ("amount", json!({"in": ["-1"]}), "in decimal"),
        ("amount", json!({"in": ["05"]}), "in decimal"),
        ("amount", json!({"in": [true]}), "in decimal"),
        ("i", json!({"in": ["-01"]}), "in decimal"),
        ("i", json!({"in": ["-0"]}), "in decimal"),
        ("i", json!({"in": ["128"]}), "of its size"),
        ("i", json!({"in": ["-129"]}), "of its size"),
        ("u", json!({"not_in": ["256"]}), "of its size"),
        ("four", json!({"in": ["0x00"]}), "as many bytes"),
        ("four", json!({"in": ["0x0000000000"]}), "as many bytes"),
        ("data", json!({"in": ["0xAB"]}), "lower-case"),
        ("b", json!({"in": ["1"]}), "true or false"),
    ] {
        let problem = with(path, test.clone());
        assert!(problem.contains(part), "{path} {test}: {problem}");
    }
}

#[test]
fn integers_have_two_spellings_and_one_value() {
    let most = format!("0x{}", "f".repeat(64));
    for (text, decimal) in [("0x10", "16"), ("007", "7"), ("0xFf", "255"), ("0", "0")] {
        let int: Int = text.parse().unwrap();
        assert_eq!(int.to_string(), decimal);
        assert_eq!(serde_json::to_string(&int).unwrap(), format!("\"{decimal}\""));
    }
    assert_eq!(most.parse::<Int>().unwrap().0, ruint::aliases::U256::MAX);
    for text in ["", "0x", "0X1", "+1", "-1", "1.0", " 1", "1e3", "0b1", &format!("{most}f"), &"9".repeat(78)]
    {
        assert!(text.parse::<Int>().is_err(), "{text}");
    }
}
