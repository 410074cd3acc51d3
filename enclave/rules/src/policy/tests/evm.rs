//! Conditions on transactions, authorizations and messages.

use super::*;

const ZERO: &str = "0x0000000000000000000000000000000000000000";

fn when(condition: &Value) -> Value {
    json!({"evm_transaction": condition})
}

fn check_each(facts: &Facts, cases: &[(Value, Effects)]) {
    let cases: Vec<_> = cases.iter().map(|(condition, expected)| (when(condition), *expected)).collect();
    check(facts, &cases);
}

#[test]
fn what_a_transaction_shows_is_compared() {
    check_each(
        &transaction(&json!({})),
        &[
            (json!({}), Both),
            (json!({"types": ["eip1559"]}), Both),
            (json!({"types": ["legacy", "eip2930", "eip4844", "eip7702"]}), Neither),
            (json!({"recipients": [BOB, TOKEN]}), Both),
            (json!({"recipients": [BOB, "self"]}), Neither),
            (json!({"contract_creation": false}), Both),
            (json!({"contract_creation": true}), Neither),
            (json!({"value": {"min": "7", "max": "7"}}), Both),
            (json!({"value": {"min": "0x8"}}), Neither),
            (json!({"value": {"max": "6"}}), Neither),
            (json!({"max_fee": {"min": "42000", "max": "42000"}}), Both),
            (json!({"max_fee": {"max": "41999"}}), Neither),
            (json!({"empty_input": true}), Both),
            (json!({"empty_input": false}), Neither),
            (json!({"selectors": ["0x00000000"]}), Neither),
            (json!({"delegates": [TOKEN]}), Neither),
            (json!({"token": {"amount": {"min": "0"}}}), Neither),
            (json!({"types": ["eip1559"], "value": {"max": "6"}}), Neither),
            (json!({"types": ["eip1559"], "value": {"max": "7"}}), Both),
        ],
    );
    check_each(
        &transaction(&json!({"to": OWN})),
        &[(json!({"recipients": ["self"]}), Both), (json!({"recipients": [BOB]}), Neither)],
    );
    let selector = transaction(&json!({"input": "0xa9059cbb"}));
    check_each(
        &selector,
        &[
            (json!({"selectors": ["0xA9059CBB"]}), Both),
            (json!({"selectors": ["0xa9059cbc"]}), Neither),
            (json!({"empty_input": false}), Both),
        ],
    );
}

#[test]
fn a_contract_creation_has_no_recipient_and_calls_nothing() {
    let creation = transaction(&json!({"to": null, "input": "0xa9059cbb00"}));
    check_each(
        &creation,
        &[
            (json!({"contract_creation": true}), Both),
            (json!({"recipients": [TOKEN, "self", ZERO]}), Neither),
            (json!({"selectors": ["0xa9059cbb"]}), Neither),
            (json!({"calls": [{"abi": "erc20", "function": "transfer"}]}), Neither),
            (json!({"token": {"contracts": [TOKEN]}}), Neither),
        ],
    );
}

#[test]
fn blobs_cost_fees_too() {
    let blobs = transaction(&json!({
        "maxFeePerBlobGas": 3, "blobVersionedHashes": [format!("0x01{}", "00".repeat(31))], "accessList": [],
    }));
    let fee = 42_000 + 3 * 131_072;
    check_each(
        &blobs,
        &[
            (json!({"types": ["eip4844"]}), Both),
            (json!({"max_fee": {"max": fee.to_string()}}), Both),
            (json!({"max_fee": {"max": (fee - 1).to_string()}}), Neither),
        ],
    );
}

#[test]
fn a_fee_that_overflows_is_unknown() {
    let Facts::Evm(mut facts) = transaction(&json!({})) else { panic!("other facts") };
    facts.fees = crate::chain::facts::EvmFees::GasPrice { gas_price: ruint::aliases::U256::MAX };
    check_each(&Facts::Evm(facts), &[(json!({"max_fee": {"min": "0"}}), DeniesOnly)]);
}

#[test]
fn whoever_allows_a_delegate_vouches_for_all() {
    let Facts::Evm(mut facts) = transaction(&json!({})) else { panic!("other facts") };
    let entry = |address: &str| crate::chain::facts::EvmSignedAuthorization {
        authorization: crate::chain::facts::EvmAuthorizationFacts {
            chain_id: Some(1),
            delegate: address.parse().unwrap(),
            revokes: false,
            nonce: 0,
        },
        y_parity: false,
        r: ruint::aliases::U256::ONE,
        s: ruint::aliases::U256::ONE,
    };
    facts.authorization_list = vec![entry(BOB), entry(TOKEN)];
    check_each(
        &Facts::Evm(facts),
        &[
            (json!({"delegates": [BOB, TOKEN]}), Both),
            (json!({"delegates": [BOB]}), DeniesOnly),
            (json!({"delegates": [OWN]}), Neither),
        ],
    );
}

#[test]
fn the_accounts_own_address_may_be_unknown() {
    let facts = transaction(&json!({"to": OWN}));
    let rule = |effect: &str, recipients: Value| {
        json!({"id": "a", "effect": effect, "operations": ["evm.transaction"],
            "when": when(&json!({"recipients": recipients}))})
    };
    let nobody = Query { account: None, ..about(&facts) };
    assert_eq!(policy(&json!([rule("allow", json!(["self"]))])).decide(&nobody), Decision::NotAllowed);
    assert!(policy(&json!([rule("allow", json!(["self", OWN]))])).decide(&nobody).is_allowed());
    let denied = policy(&json!([rule("deny", json!(["self"]))])).decide(&nobody);
    assert_eq!(denied, Decision::DeniedBy("a".parse().unwrap()));
}

#[test]
fn calls_are_judged_by_their_arguments() {
    let transfer = |arguments: Value| json!({"calls": [{"abi": "erc20", "function": "transfer", "arguments": arguments}]});
    let facts = call("0xa9059cbb", &[BOB, "64"]);
    check_each(
        &facts,
        &[
            (json!({"calls": [{"abi": "erc20", "function": "transfer"}]}), Both),
            (json!({"calls": [{"abi": "erc20", "function": "transfer(address,uint256)"}]}), Both),
            (json!({"calls": [{"abi": "erc20", "function": "approve"}]}), Neither),
            (
                json!({"calls": [{"abi": "erc20", "function": "approve"}, {"abi": "erc20", "function": "transfer"}]}),
                Both,
            ),
            (transfer(json!({"to": {"in": [BOB, "self"]}})), Both),
            (transfer(json!({"to": {"in": ["self"]}})), Neither),
            (transfer(json!({"to": {"not_in": ["self"]}})), Both),
            (transfer(json!({"to": {"not_in": [BOB]}})), Neither),
            (transfer(json!({"amount": {"range": {"min": "100", "max": "100"}}})), Both),
            (transfer(json!({"amount": {"range": {"max": "99"}}})), Neither),
            (transfer(json!({"amount": {"in": ["100"]}})), Both),
            (transfer(json!({"amount": {"in": ["10"]}})), Neither),
            (transfer(json!({"to": {"in": [BOB]}, "amount": {"range": {"max": "99"}}})), Neither),
            (transfer(json!({"to": {"range": {"max": "99"}}})), DeniesOnly),
            (transfer(json!({"to": {"range": {"max": "99"}}, "amount": {"in": ["1"]}})), Neither),
        ],
    );
    let to_self = call("0xa9059cbb", &[OWN, "64"]);
    check_each(&to_self, &[(transfer(json!({"to": {"in": ["self"]}})), Both)]);
}

#[test]
fn what_no_encoder_writes_is_unknown() {
    let condition = |function: &str| json!({"calls": [{"abi": "erc20", "function": function}]});
    for malformed in [
        call("0xa9059cbb", &[BOB]),
        call("0xa9059cbb", &[BOB, "1", "2"]),
        call("0xa9059cbb", &[&format!("ff{}", BOB.trim_start_matches("0x")), "1"]),
        transaction(&json!({"input": "0xa9059cbb"})),
    ] {
        check_each(&malformed, &[(condition("transfer"), DeniesOnly), (condition("approve"), Neither)]);
        check_each(&malformed, &[(json!({"token": {"contracts": [TOKEN]}}), DeniesOnly)]);
    }
}

#[test]
fn every_element_of_an_array_is_judged() {
    // pay((address to, int256 amount)[] legs, bool now, string memo, bytes4 tag)
    let pay = |legs: &[(&str, &str)]| {
        let function = crate::abi::Function::parse(
            "pay((address to, int256 amount)[] legs, bool now, string memo, bytes4 tag)",
        );
        let selector = format!("0x{}", hex::encode(function.unwrap().selector()));
        let memo_at = 0x80 + 0x20 + legs.len() * 0x40;
        let mut words = vec!["80".to_owned(), "1".to_owned(), format!("{memo_at:x}")];
        words.push(format!("abcdef01{}", "0".repeat(56)));
        words.push(format!("{:x}", legs.len()));
        words.extend(legs.iter().flat_map(|(to, amount)| [(*to).to_owned(), (*amount).to_owned()]));
        words.extend(["2".to_owned(), format!("6869{}", "0".repeat(60))]);
        call(&selector, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let minus_one = "f".repeat(64);
    let with =
        |arguments: Value| json!({"calls": [{"abi": "shop", "function": "pay", "arguments": arguments}]});
    check_each(
        &pay(&[(BOB, "5"), (TOKEN, &minus_one)]),
        &[
            (with(json!({"legs[].to": {"in": [BOB, TOKEN]}})), Both),
            (with(json!({"legs[].to": {"in": [BOB]}})), DeniesOnly),
            (with(json!({"legs[].to": {"in": [OWN]}})), Neither),
            (with(json!({"legs[].to": {"not_in": [OWN]}})), Both),
            (with(json!({"legs[].amount": {"range": {"max": "5"}}})), Both),
            (with(json!({"legs[].amount": {"range": {"min": "0"}}})), DeniesOnly),
            (with(json!({"legs[].amount": {"in": ["5", "-1"]}})), Both),
            (with(json!({"now": {"in": [true]}})), Both),
            (with(json!({"now": {"in": ["true"]}})), Both),
            (with(json!({"now": {"not_in": [true]}})), Neither),
            (with(json!({"memo": {"in": ["hi"]}})), Both),
            (with(json!({"memo": {"in": ["ho"]}})), Neither),
            (with(json!({"tag": {"in": ["0xabcdef01"]}})), Both),
        ],
    );
    let nobody =
        [(with(json!({"legs[].to": {"in": [BOB]}})), Neither), (with(json!({"now": {"in": [true]}})), Both)];
    check_each(&pay(&[]), &nobody);
}

#[test]
fn recognised_movements_of_tokens_are_compared() {
    let token = |condition: Value| json!({"token": condition});
    check_each(
        &call("0xa9059cbb", &[BOB, "64"]),
        &[
            (token(json!({"kinds": ["transfer"]})), Both),
            (token(json!({"kinds": ["approve"]})), Neither),
            (token(json!({"contracts": [TOKEN]})), Both),
            (token(json!({"contracts": [BOB]})), Neither),
            (token(json!({"recipients": [BOB]})), Both),
            (token(json!({"recipients": ["self"]})), Neither),
            (token(json!({"amount": {"max": "100"}})), Both),
            (token(json!({"amount": {"max": "99"}})), Neither),
            (token(json!({"kinds": ["transfer"], "recipients": [BOB], "amount": {"max": "99"}})), Neither),
        ],
    );
    check_each(
        &call("0x095ea7b3", &[OWN, &"f".repeat(64)]),
        &[
            (token(json!({"kinds": ["approve"], "recipients": ["self"]})), Both),
            (token(json!({"amount": {"max": "1"}})), Neither),
        ],
    );
    check_each(&call("0x12345678", &[BOB, "64"]), &[(token(json!({"contracts": [TOKEN]})), Neither)]);
}

#[test]
fn authorizations_are_judged_by_their_delegate() {
    let authorization = |address: &str| {
        let raw =
            serde_json::value::to_raw_value(&json!({"chainId": 1, "address": address, "nonce": 0})).unwrap();
        describe("evm.authorization", &SignBody { authorization: Some(&raw), ..SignBody::default() }).unwrap()
    };
    let to = |delegates: Value| json!({"evm_authorization": {"delegates": delegates}});
    check(
        &authorization(BOB),
        &[
            (json!({"evm_authorization": {}}), Both),
            (to(json!([BOB, ZERO])), Both),
            (to(json!([ZERO])), Neither),
        ],
    );
    check(&authorization(ZERO), &[(to(json!([ZERO])), Both), (to(json!([BOB])), Neither)]);
}

#[test]
fn messages_are_judged_by_their_start_and_length() {
    let text =
        describe("evm.message", &SignBody { text: Some("login: bob"), ..SignBody::default() }).unwrap();
    let bytes =
        describe("evm.message", &SignBody { message: Some("0x6cff"), ..SignBody::default() }).unwrap();
    let message = |condition: Value| json!({"evm_message": condition});
    check(
        &text,
        &[
            (message(json!({})), Both),
            (message(json!({"text_prefixes": ["logout", "login: "]})), Both),
            (message(json!({"text_prefixes": ["Login"]})), Neither),
            (message(json!({"max_bytes": 10})), Both),
            (message(json!({"max_bytes": 9})), Neither),
            (message(json!({"text_prefixes": ["login"], "max_bytes": 9})), Neither),
        ],
    );
    check(
        &bytes,
        &[(message(json!({"text_prefixes": ["l"]})), Neither), (message(json!({"max_bytes": 2})), Both)],
    );
}
