//! Conditions on typed data.

use super::*;

fn document(domain: &Value, members: &Value, primary_type: &str, message: &Value) -> Facts {
    let kinds =
        [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")];
    let domain_type: Vec<Value> = kinds
        .iter()
        .filter(|(name, _)| domain.get(*name).is_some())
        .map(|(name, kind)| json!({"name": name, "type": kind}))
        .collect();
    let mut types = members.clone();
    types["EIP712Domain"] = json!(domain_type);
    let document = json!({"types": types, "primaryType": primary_type, "domain": domain, "message": message});
    let raw = serde_json::value::to_raw_value(&document).unwrap();
    describe("evm.typed_data", &SignBody { typed_data: Some(&raw), ..SignBody::default() }).unwrap()
}

/// Sells to Bob and to the token.
fn order() -> Facts {
    document(
        &json!({"name": "Exchange", "version": "2", "chainId": 1, "verifyingContract": TOKEN}),
        &json!({
            "Order": [
                {"name": "maker", "type": "address"}, {"name": "legs", "type": "Leg[]"},
                {"name": "note", "type": "string"}, {"name": "hash", "type": "bytes32"}
            ],
            "Leg": [{"name": "to", "type": "address"}, {"name": "amount", "type": "uint256"}]
        }),
        "Order",
        &json!({
            "maker": OWN, "note": "self", "hash": format!("0x{}", "ab".repeat(32)),
            "legs": [{"to": BOB, "amount": "5"}, {"to": TOKEN, "amount": "6"}]
        }),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "the cases read better")]
fn when(condition: Value) -> Value {
    json!({"evm_typed_data": condition})
}

#[test]
fn domain_and_type_are_compared() {
    check(
        &order(),
        &[
            (when(json!({})), Both),
            (when(json!({"names": ["Exchange"]})), Both),
            (when(json!({"names": ["exchange"]})), Neither),
            (when(json!({"versions": ["1", "2"]})), Both),
            (when(json!({"versions": ["1"]})), Neither),
            (when(json!({"verifying_contracts": [TOKEN]})), Both),
            (when(json!({"verifying_contracts": [BOB]})), Neither),
            (when(json!({"primary_types": ["Order"]})), Both),
            (when(json!({"primary_types": ["Permit"]})), Neither),
            (when(json!({"token": {"amount": {"min": "0"}}})), Neither),
        ],
    );
    let bare = document(
        &json!({"chainId": 1}),
        &json!({"A": [{"name": "a", "type": "bool"}]}),
        "A",
        &json!({"a": true}),
    );
    check(
        &bare,
        &[
            (when(json!({"names": [""]})), Neither),
            (when(json!({"versions": [""]})), Neither),
            (when(json!({"verifying_contracts": [OWN]})), Neither),
            (when(json!({"fields": {"a": {"in": [true]}}})), Both),
            (when(json!({"fields": {"a": {"in": [false, "true"]}}})), Both),
            (when(json!({"fields": {"a": {"in": [false]}}})), Neither),
        ],
    );
}

#[test]
fn members_are_found_by_their_path() {
    let fields = |path: &str, test: Value| when(json!({"fields": {path: test}}));
    check(
        &order(),
        &[
            (fields("maker", json!({"in": ["self"]})), Both),
            (fields("maker", json!({"in": [OWN]})), Both),
            (fields("maker", json!({"not_in": ["self"]})), Neither),
            // As the text that it is.
            (fields("note", json!({"in": ["self"]})), Both),
            (fields("note", json!({"in": [OWN]})), Neither),
            (fields("hash", json!({"in": [format!("0x{}", "ab".repeat(32))]})), Both),
            (fields("legs[].to", json!({"in": [BOB, TOKEN]})), Both),
            (fields("legs[].to", json!({"in": [BOB]})), DeniesOnly),
            (fields("legs[].to", json!({"in": [OWN]})), Neither),
            (fields("legs[].amount", json!({"range": {"min": "5", "max": "6"}})), Both),
            (fields("legs[].amount", json!({"range": {"max": "5"}})), DeniesOnly),
            (fields("legs[].amount", json!({"range": {"max": "4"}})), Neither),
            // Not there, no value, and no integer.
            (fields("taker", json!({"in": [BOB]})), DeniesOnly),
            (fields("taker", json!({"not_in": [BOB]})), DeniesOnly),
            (fields("legs", json!({"in": [BOB]})), DeniesOnly),
            (fields("legs[].from", json!({"not_in": [BOB]})), DeniesOnly),
            (fields("maker[]", json!({"in": ["self"]})), DeniesOnly),
            (fields("note", json!({"range": {"max": "1"}})), DeniesOnly),
            // What is unknown does not matter where something else does not hold.
            (when(json!({"names": ["x"], "fields": {"taker": {"in": [BOB]}}})), Neither),
        ],
    );
}

#[test]
fn permits_are_movements() {
    let types = |value: &str| {
        let member = |name: &str, kind: &str| json!({"name": name, "type": kind});
        json!({"Permit": [
            member("owner", "address"), member("spender", "address"), member("value", value),
            member("nonce", "uint256"), member("deadline", "uint256")
        ]})
    };
    let domain = json!({"name": "Coin", "version": "1", "chainId": 1, "verifyingContract": TOKEN});
    let message = json!({"owner": OWN, "spender": BOB, "value": "9", "nonce": "0", "deadline": "1"});
    check(
        &document(&domain, &types("uint256"), "Permit", &message),
        &[
            (when(json!({"token": {"kinds": ["permit"], "contracts": [TOKEN], "recipients": [BOB]}})), Both),
            (when(json!({"token": {"amount": {"max": "9"}}})), Both),
            (when(json!({"token": {"amount": {"max": "8"}}})), Neither),
            (when(json!({"token": {"recipients": ["self"]}})), Neither),
        ],
    );
    let odd = document(&domain, &types("uint128"), "Permit", &message);
    check(&odd, &[(when(json!({"token": {"contracts": [TOKEN]}})), DeniesOnly)]);
}

#[test]
fn a_batch_is_judged_token_by_token() {
    let member = |name: &str, kind: &str| json!({"name": name, "type": kind});
    let types = json!({
        "PermitDetails": [member("token", "address"), member("amount", "uint160"), member("expiration", "uint48"),
            member("nonce", "uint48")],
        "PermitBatch": [member("details", "PermitDetails[]"), member("spender", "address"),
            member("sigDeadline", "uint256")]
    });
    let domain = json!({"name": "Permit2", "chainId": 1, "verifyingContract": BOB});
    let detail = |token: &str, amount: &str| json!({"token": token, "amount": amount, "expiration": "1", "nonce": "0"});
    let batch = |details: Value| {
        document(
            &domain,
            &types,
            "PermitBatch",
            &json!({"details": details, "spender": BOB, "sigDeadline": "1"}),
        )
    };
    let token = |condition: Value| when(json!({"token": condition}));
    check(
        &batch(json!([detail(TOKEN, "5"), detail(OWN, "50")])),
        &[
            (token(json!({"kinds": ["permit2"], "recipients": [BOB]})), Both),
            (token(json!({"contracts": [TOKEN, OWN]})), Both),
            (token(json!({"contracts": [TOKEN]})), DeniesOnly),
            (token(json!({"amount": {"max": "5"}})), DeniesOnly),
            // One movement has the one, another the other.
            (token(json!({"contracts": [TOKEN], "amount": {"min": "50"}})), Neither),
            (token(json!({"amount": {"max": "4"}})), Neither),
        ],
    );
    check(&batch(json!([])), &[(token(json!({"recipients": [BOB]})), Neither)]);
}
