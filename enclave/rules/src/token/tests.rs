//! Every form that is known, and forms that look like one.

use proptest::prelude::*;
use serde_json::{Value, json, value::to_raw_value};

use super::*;
use crate::chain::{Facts, SignBody, describe};

const TOKEN: EvmAddress = EvmAddress::new([0x11; 20]);
const BOB: EvmAddress = EvmAddress::new([0xbb; 20]);

fn call(to: Option<EvmAddress>, input: &str) -> Movements {
    let transaction = json!({
        "chainId": 1, "nonce": 0, "to": to, "value": "0", "gas": 21000, "gasPrice": 1, "input": format!("0x{input}"),
    });
    let raw = to_raw_value(&transaction).unwrap();
    let body = SignBody { transaction: Some(&raw), ..SignBody::default() };
    let Facts::Evm(facts) = describe("evm.transaction", &body).unwrap() else { panic!("other facts") };
    of_call(&facts)
}

fn typed(document: &Value) -> Movements {
    let raw = to_raw_value(document).unwrap();
    let body = SignBody { typed_data: Some(&raw), ..SignBody::default() };
    let Facts::EvmTypedData(facts) = describe("evm.typed_data", &body).unwrap() else {
        panic!("other facts")
    };
    of_typed_data(&facts)
}

fn movement(kind: TokenKind, contract: EvmAddress, amount: U256) -> Movement {
    Movement { kind, contract, recipient: BOB, amount }
}

fn word(hex: &str) -> String {
    format!("{hex:0>64}")
}

/// Words with Bob as B and Alice as A.
fn data(selector: &str, words: &str) -> String {
    let expand = |text: &str| match text {
        "A" => word(&"aa".repeat(20)),
        "B" => word(&"bb".repeat(20)),
        hex => word(hex),
    };
    selector.to_owned() + &words.split_whitespace().map(expand).collect::<String>()
}

#[test]
fn every_known_function_has_its_selector() {
    let selectors: Vec<String> = CALLS.iter().map(|call| hex::encode(call.selector)).collect();
    let expected =
        ["a9059cbb", "23b872dd", "095ea7b3", "39509351", "42842e0e", "b88d4fde", "a22cb465", "d505accf"];
    assert_eq!(selectors, expected);
    for ((_, signature, recipient, amount), call) in FUNCTIONS.iter().zip(CALLS.iter()) {
        for member in [recipient, amount] {
            assert!(call.function.check_path(&member.parse().unwrap()).is_ok(), "{signature}");
        }
    }
}

#[test]
fn calls_say_who_gets_how_much() {
    for (selector, words, kind, amount) in [
        ("a9059cbb", "B 7", TokenKind::Transfer, U256::from(7)),
        ("23b872dd", "A B 7", TokenKind::TransferFrom, U256::from(7)),
        ("095ea7b3", &format!("B {}", "f".repeat(64)), TokenKind::Approve, U256::MAX),
        ("39509351", "B 7", TokenKind::IncreaseAllowance, U256::from(7)),
        ("42842e0e", "A B 7", TokenKind::SafeTransferFrom, U256::from(7)),
        ("b88d4fde", "A B 7 80 0", TokenKind::SafeTransferFrom, U256::from(7)),
        ("a22cb465", "B 1", TokenKind::SetApprovalForAll, U256::MAX),
        ("a22cb465", "B 0", TokenKind::SetApprovalForAll, U256::ZERO),
        ("d505accf", "A B 7 9 1b 2 3", TokenKind::Permit, U256::from(7)),
    ] {
        let input = data(selector, words);
        let expected = Movements::Known(vec![movement(kind, TOKEN, amount)]);
        assert_eq!(call(Some(TOKEN), &input), expected, "{selector}");
        for malformed in
            [&input[..input.len() - 2], &input[..8], &format!("{input}00"), &format!("{input}{input}")]
        {
            assert_eq!(call(Some(TOKEN), malformed), Movements::Malformed, "{selector}");
        }
    }
    assert_eq!(call(Some(TOKEN), &data("a22cb465", "B 2")), Movements::Malformed);
    let dirty_address = data("a9059cbb", &format!("1{} 7", "bb".repeat(20)));
    assert_eq!(call(Some(TOKEN), &dirty_address), Movements::Malformed);
    for other in ["", "a9059c", &data("a9059cbc", "B 7")] {
        assert_eq!(call(Some(TOKEN), other), Movements::None);
    }
    assert_eq!(call(None, &data("a9059cbb", "B 7")), Movements::None, "init code");
}

/// A document; definitions are written as `encodeType` has them.
fn document(domain_name: &str, definitions: &[&str], message: &Value) -> Value {
    let member = |text: &str| {
        let (kind, name) = text.split_once(' ').unwrap();
        json!({"name": name, "type": kind})
    };
    let mut types = json!({
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "verifyingContract", "type": "address"}],
    });
    for definition in definitions {
        let (name, members) = definition.trim_end_matches(')').split_once('(').unwrap();
        types[name] = members.split(',').map(member).collect();
    }
    json!({
        "types": types,
        "primaryType": definitions[0].split('(').next().unwrap(),
        "domain": {"name": domain_name, "verifyingContract": TOKEN},
        "message": message,
    })
}

#[test]
fn permits_that_tokens_verify_are_movements() {
    let permit = json!({"owner": TOKEN, "spender": BOB, "value": "7", "nonce": "0", "deadline": "9"});
    let dai = |allowed: bool| json!({"holder": TOKEN, "spender": BOB, "nonce": "0", "expiry": "9", "allowed": allowed});
    let known = |kind, amount| Movements::Known(vec![movement(kind, TOKEN, amount)]);
    assert_eq!(typed(&document("USD", &[PERMIT], &permit)), known(TokenKind::Permit, U256::from(7)));
    assert_eq!(typed(&document("Dai", &[DAI_PERMIT], &dai(true))), known(TokenKind::DaiPermit, U256::MAX));
    assert_eq!(typed(&document("Dai", &[DAI_PERMIT], &dai(false))), known(TokenKind::DaiPermit, U256::ZERO));

    for other in [
        PERMIT.replace("uint256 value", "uint128 value"),
        PERMIT.replace("uint256 value,uint256 nonce", "uint256 nonce,uint256 value"),
    ] {
        assert_eq!(typed(&document("USD", &[&other], &permit)), Movements::Malformed, "{other}");
    }
    let mut nowhere = document("USD", &[PERMIT], &permit);
    nowhere["types"]["EIP712Domain"].as_array_mut().unwrap().pop();
    nowhere["domain"].as_object_mut().unwrap().remove("verifyingContract");
    assert_eq!(typed(&nowhere), Movements::Malformed);
    let other_name = PERMIT.replace("Permit(", "Licence(");
    assert_eq!(typed(&document("USD", &[&other_name], &permit)), Movements::None);
}

#[test]
fn permit2_names_its_tokens() {
    let (one, two) = (EvmAddress::new([1; 20]), EvmAddress::new([2; 20]));
    let details = |token: EvmAddress| json!({"token": token, "amount": "7", "expiration": "0", "nonce": "0"});
    let permissions = |token: EvmAddress| json!({"token": token, "amount": "7"});
    let seven = |token| movement(TokenKind::Permit2, token, U256::from(7));
    let definition = |name: &str, more: &str| {
        let (name, start, end) = PERMIT2.iter().find(|(known, ..)| *known == name).unwrap();
        (format!("{name}({start}{more}"), *end)
    };
    let single = |name: &str, member: &str, value: Value| {
        let (definition, inner) = definition(name, "");
        let mut message = json!({"spender": BOB, "sigDeadline": "9", "nonce": "0", "deadline": "9"});
        message[member] = value;
        let unused = if member == "details" { ["nonce", "deadline"].as_slice() } else { &["sigDeadline"] };
        for name in unused {
            message.as_object_mut().unwrap().remove(*name);
        }
        document("Permit2", &[&definition, inner], &message)
    };
    let both = || vec![seven(one), seven(two)];
    let permits = [
        (single("PermitSingle", "details", details(one)), vec![seven(one)]),
        (single("PermitBatch", "details", json!([details(one), details(two)])), both()),
        (single("PermitBatch", "details", json!([])), vec![]),
        (single("PermitTransferFrom", "permitted", permissions(one)), vec![seven(one)]),
        (single("PermitBatchTransferFrom", "permitted", json!([permissions(one), permissions(two)])), both()),
    ];
    for (document, expected) in permits {
        assert_eq!(typed(&document), Movements::Known(expected), "{document}");
        let mut elsewhere = document.clone();
        elsewhere["domain"]["name"] = json!("Permit3");
        assert_eq!(typed(&elsewhere), Movements::Malformed);
        let wrong = document.to_string().replace("uint160", "uint256").replace("TokenP", "XTokenP");
        assert_eq!(typed(&serde_json::from_str(&wrong).unwrap()), Movements::Malformed);
    }

    for (name, value) in [
        ("PermitWitnessTransferFrom", permissions(one)),
        ("PermitBatchWitnessTransferFrom", json!([permissions(one)])),
    ] {
        for witness in ["Order", "ZOrder"] {
            let (definition, inner) = definition(name, &format!("{witness} witness)"));
            let message = json!({
                "permitted": value, "spender": BOB, "nonce": "0", "deadline": "9", "witness": {"id": "1"},
            });
            let order = format!("{witness}(uint256 id)");
            let document = document("Permit2", &[&definition, inner, &order], &message);
            assert_eq!(typed(&document), Movements::Known(vec![seven(one)]), "{document}");
            let wrong = document.to_string().replace("TokenPermissions", "XTokenPermissions");
            assert_eq!(typed(&serde_json::from_str(&wrong).unwrap()), Movements::Malformed);
        }
    }
}

#[test]
fn kinds_are_named_as_policies_name_them() {
    let names = serde_json::to_string(&[TokenKind::TransferFrom, TokenKind::DaiPermit, TokenKind::Permit2]);
    assert_eq!(names.unwrap(), r#"["transfer_from","dai_permit","permit2"]"#);
}

proptest! {
    #[test]
    fn any_call_data_is_answered(row in 0usize..8, tail in proptest::collection::vec(any::<u8>(), 0..300)) {
        let input = hex::encode(CALLS[row].selector) + &hex::encode(tail);
        prop_assert_ne!(call(Some(TOKEN), &input), Movements::None);
    }
}
