//! What a client whose credentials were stolen tries against rules: contents that look allowed to one reader and are
//! something else to another.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    appliance::{Appliance, SIGN, denied, merged, over, payment, rule, signed},
    world::{api, json_of, problem},
};

const FRIEND: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
const THIEF: &str = "6666666666666666666666666666666666666666";
const TOKEN: &str = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48";

/// An appliance whose anonymous client has these rules.
async fn under(rules: Value) -> Appliance {
    Appliance::new(json!([{"id": "backend", "auth": "none"}]), rules).await
}

/// Has each body signed or refused; the refused are not signed in any form.
async fn expect(appliance: &mut Appliance, allowed: &[String], refused: &[String]) {
    for body in refused {
        let before = appliance.signatures().await;
        let answer = api(&mut appliance.host, "POST", SIGN, body).await;
        let found = problem(&answer);
        assert!(
            found == denied() || found == (422, "transaction_rejected".into()),
            "{body}: {}",
            json_of(&answer)
        );
        assert_eq!(appliance.signatures().await, before);
    }
    for body in allowed {
        let answer = api(&mut appliance.host, "POST", SIGN, body).await;
        assert_eq!(problem(&answer), signed(), "{body}: {}", json_of(&answer));
    }
}

/// A word of call data: 32 bytes, filled up on the left.
fn word(value: &str) -> String {
    format!("{value:0>64}")
}

/// A rule for EVM transactions.
fn evm_rule(when: &Value) -> Value {
    json!([rule(
        "pay",
        &json!({
            "operations": ["evm.transaction"], "chain_ids": [1], "nonce": "unguarded", "when": {"evm_transaction": when}
        })
    )])
}

fn call(input: &str) -> String {
    payment(&json!({"to": TOKEN, "value": "0", "input": format!("0x{input}")}))
}

/// Attack: call data that a contract reads as a payment to somebody else than the rule's reader: dirt above an address,
/// bytes after the end or missing, a bool that is two, another function. Defence: arguments are what a Solidity
/// encoder makes of them, to the last byte, or unknown.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_call_data_has_one_reading() {
    let token = json!({"value": {"max": "0"}, "token": {
        "kinds": ["transfer"], "contracts": [TOKEN], "recipients": [format!("0x{FRIEND}")], "amount": {"max": "1000"}
    }});
    let mut appliance = under(evm_rule(&token)).await;
    let good = format!("a9059cbb{}{}", word(FRIEND), word("3e8"));
    let refused = [
        format!("a9059cbb{}{}", word(THIEF), word("1")),
        format!("a9059cbb{}{}", word(FRIEND), word("3e9")),
        format!("a9059cbb{}{}", word(&format!("1{FRIEND}")), word("1")),
        format!("a9059cbb{}{FRIEND}{}", "66".repeat(12), word("1")),
        format!("a9059cbb{FRIEND}{}{}", "00".repeat(12), word("1")),
        format!("{good}00"),
        format!("{good}{}", word(THIEF)),
        good[..good.len() - 2].to_owned(),
        good[..8].to_owned(),
        String::new(),
        format!("a9059c{}{}", word(FRIEND), word("1")),
        format!("a9059cbc{}{}", word(FRIEND), word("1")),
        format!("095ea7b3{}{}", word(FRIEND), word("1")),
        format!("23b872dd{}{}{}", word(THIEF), word(FRIEND), word("1")),
    ]
    .map(|input| call(&input));
    expect(&mut appliance, &[call(&good)], &refused).await;
    // Another contract, ether on top, another chain.
    let base: Value = serde_json::from_str(&call(&good)).expect("JSON");
    let others = [
        json!({"to": format!("0x{THIEF}")}),
        json!({"value": "1"}),
        json!({"chainId": 10}),
        json!({"to": null}),
    ]
    .map(|change| {
        json!({"type": "evm.transaction", "transaction": merged(&base["transaction"], &change)}).to_string()
    });
    expect(&mut appliance, &[], &others).await;
}

/// Attack: dynamic arguments whose offsets overlap, point backwards, or skip something that another decoder reads.
/// Defence: offsets and lengths are those of the canonical encoding, or the call is unknown.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_offsets_have_one_reading() {
    let client_rules = evm_rule(&json!({"calls": [{
        "abi": "multisend", "function": "send", "arguments": {"to[]": {"in": [format!("0x{FRIEND}")]}}
    }]}));
    let mut appliance = under(json!([])).await;
    appliance
        .adopt(|bundle| {
            bundle["abis"] = json!([{"id": "multisend", "functions": ["send(address[] to, bytes note)"]}]);
            bundle["rules"] = client_rules;
        })
        .await;
    let selector = {
        use sha3::{Digest, Keccak256};
        hex::encode(&Keccak256::digest(b"send(address[],bytes)")[..4])
    };
    let encode = |words: &[String]| call(&format!("{selector}{}", words.concat()));
    let w = |value: &str| word(value);
    // Heads; then one recipient; then two bytes of note.
    let good = [w("40"), w("80"), w("1"), w(FRIEND), w("2"), format!("abcd{}", "00".repeat(30))];
    let refused = [
        // Both offsets to the list: the note is read from the recipients.
        vec![w("40"), w("40"), w("1"), w(FRIEND)],
        // The list comes last, and a second list that nobody points to is where a lazy reader looks.
        vec![w("c0"), w("80"), w("1"), w(FRIEND), w("0"), w("0"), w("1"), w(THIEF)],
        // The order of the tails exchanged.
        vec![w("80"), w("40"), w("2"), format!("abcd{}", "00".repeat(30)), w("1"), w(FRIEND)],
        // A gap between heads and tails.
        vec![w("60"), w("a0"), w(THIEF), w("1"), w(FRIEND), w("0")],
        // The list begins within the heads: length 0x40, then what follows.
        vec![w("0"), w("80"), w("1"), w(FRIEND), w("0")],
        // Far away, and so far that it wraps around.
        vec![w("ffff"), w("80"), w("1"), w(FRIEND), w("0")],
        vec!["f".repeat(64), w("80"), w("1"), w(FRIEND), w("0")],
        vec![format!("{}20", "f".repeat(62)), w("80"), w("1"), w(FRIEND), w("0")],
        // A length that is more than there is, or more than anything.
        vec![w("40"), w("80"), w("2"), w(FRIEND), w("0")],
        vec![w("40"), w("80"), "f".repeat(64), w(FRIEND), w("0")],
        // Padding that is not zero, too short, too long.
        vec![w("40"), w("80"), w("1"), w(FRIEND), w("2"), format!("abcdef{}", "00".repeat(29))],
        vec![w("40"), w("80"), w("1"), w(FRIEND), w("2"), "abcd".to_owned()],
        vec![w("40"), w("80"), w("1"), w(FRIEND), w("2"), format!("abcd{}", "00".repeat(30)), w("0")],
        // One recipient of two is another; and none at all.
        vec![w("40"), w("a0"), w("2"), w(FRIEND), w(THIEF), w("0")],
        vec![w("40"), w("60"), w("0"), w("0")],
    ]
    .map(|words| encode(&words));
    expect(&mut appliance, &[encode(&good)], &refused).await;
}

/// Attack: say the call twice, as `data` and as `input`, so that the rule reads one and the chain gets the other.
/// Defence: they are one member; two are refused if they differ.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_data_and_input_are_one() {
    let mut appliance = under(evm_rule(&json!({"empty_input": true}))).await;
    let refused = [
        json!({"data": "0x", "input": "0xa9059cbb"}),
        json!({"data": "0xa9059cbb", "input": "0x"}),
        json!({"data": "0xa9059cbb"}),
        json!({"input": "0xa9059cbb"}),
        json!({"gas": "0x5208", "gasLimit": "0x5209"}),
    ]
    .map(|changes| payment(&changes));
    let twice =
        payment(&json!({"input": "0xa9059cbb"})).replacen("\"chainId\"", "\"input\":\"0x\",\"chainId\"", 1);
    assert_eq!(api(&mut appliance.host, "POST", SIGN, &twice).await.status / 100, 4, "a member twice");
    expect(&mut appliance, &[payment(&json!({"data": "0x", "input": "0x"}))], &refused).await;
}

/// Attack: a contract creation, whose init code can do anything, where the rule lists recipients. Defence: a creation
/// goes to nobody, and nobody is in no list; a rule that denies creations sees it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_creation_goes_to_nobody() {
    let friend = format!("0x{FRIEND}");
    let creations =
        [json!({"to": null, "input": "0x6001"}), json!({"to": null, "input": "0x6001", "value": "0"})]
            .map(|changes| payment(&changes));
    let zero = payment(&json!({"to": format!("0x{}", "00".repeat(20)), "input": "0x6001"}));
    let paid = payment(&json!({"to": friend}));
    let mut appliance = under(evm_rule(&json!({"recipients": [friend, "self"]}))).await;
    let refused = [&creations[..], std::slice::from_ref(&zero)].concat();
    let own = payment(&json!({"to": appliance.address()}));
    expect(&mut appliance, &[paid.clone(), own], &refused).await;
    appliance
        .adopt(|bundle| {
            bundle["rules"] = json!([
                rule("all", &json!({"operations": ["evm.transaction"], "nonce": "unguarded"})),
                {"id": "no-creations", "effect": "deny", "operations": ["evm.transaction"],
                 "when": {"evm_transaction": {"contract_creation": true}}},
            ]);
        })
        .await;
    expect(&mut appliance, &[paid, zero], &creations).await;
}

/// Attack: a legacy transaction without a chain id, which every chain takes, where the rule names one chain. Defence: a
/// rule that allows by chain does not allow it; a rule that denies on any chain does.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_transaction_without_a_chain() {
    let legacy = |changes: &Value| {
        let fees = json!({"maxFeePerGas": null, "maxPriorityFeePerGas": null, "gasPrice": "20000000000"});
        payment(&over(&fees, changes))
    };
    let everywhere = legacy(&json!({"chainId": null}));
    let mut appliance = under(evm_rule(&json!({"types": ["legacy", "eip1559"]}))).await;
    expect(&mut appliance, &[legacy(&json!({}))], &[everywhere.clone(), legacy(&json!({"chainId": 10}))])
        .await;
    // Also as the bytes of the unsigned transaction: nonce 0, gas price 1, gas 21000, to, value 1, no data.
    let unsigned = format!("0xdc8001825208{}94{}0180", "", FRIEND);
    let body = json!({"type": "evm.transaction", "unsigned": unsigned}).to_string();
    expect(&mut appliance, &[], std::slice::from_ref(&body)).await;
    appliance
        .adopt(|bundle| {
            bundle["rules"] = json!([
                rule("all", &json!({"operations": ["evm.transaction"], "nonce": "unguarded"})),
                {"id": "not-on-ten", "effect": "deny", "operations": ["evm.transaction"], "chain_ids": [10]},
            ]);
        })
        .await;
    expect(&mut appliance, &[legacy(&json!({}))], &[everywhere, body]).await;
}

/// EIP-712 data of a permit, with its type's members and its message.
fn permit(members: &[(&str, &str)], message: &Value) -> String {
    let members: Vec<Value> =
        members.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    let typed = json!({
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"}],
            "Permit": members,
        },
        "primaryType": "Permit",
        "domain": {"name": "USD Coin", "chainId": 1, "verifyingContract": TOKEN},
        "message": message,
    });
    json!({"type": "evm.typed_data", "typed_data": typed}).to_string()
}

/// Attack: a permit under the name of the standard's type with other members, of which the rule's reader takes one
/// and the contract another. Defence: a recognised name with another definition is unknown: nothing allows it,
/// and what denies permits denies it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_permit_has_the_standards_members() {
    let standard = [
        ("owner", "address"),
        ("spender", "address"),
        ("value", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    ];
    let (friend, thief) = (format!("0x{FRIEND}"), format!("0x{THIEF}"));
    let message =
        json!({"owner": friend, "spender": friend, "value": "1", "nonce": "0", "deadline": "9999999999"});
    let good = permit(&standard, &message);
    let mut renamed = standard;
    renamed[1].0 = "operator";
    let mut wider = standard;
    wider[2].1 = "uint128";
    let mut as_text = standard;
    as_text[1].1 = "string";
    let mut reordered = standard;
    reordered.swap(1, 2);
    let longer = [&standard[..], &[("also", "address")]].concat();
    let with = |changes: Value| merged(&message, &changes);
    let lookalikes = [
        permit(&renamed, &with(json!({"spender": null, "operator": thief}))),
        permit(&wider, &message),
        permit(&as_text, &message),
        permit(&reordered, &message),
        permit(&longer, &with(json!({"also": thief}))),
        permit(&standard[..4], &with(json!({"deadline": null}))),
    ];
    let allow = json!([rule(
        "permits",
        &json!({"operations": ["evm.typed_data"], "when": {"evm_typed_data": {
            "token": {"kinds": ["permit"], "contracts": [TOKEN], "recipients": [friend], "amount": {"max": "10"}}
        }}})
    )]);
    let mut appliance = under(allow).await;
    let refused = [
        &lookalikes[..],
        &[
            permit(&standard, &with(json!({"spender": thief}))),
            permit(&standard, &with(json!({"value": "11"}))),
        ],
    ]
    .concat();
    expect(&mut appliance, std::slice::from_ref(&good), &refused).await;
    appliance
        .adopt(|bundle| {
            bundle["rules"] = json!([
                rule("all", &json!({"operations": ["evm.typed_data"]})),
                {"id": "no-permits", "effect": "deny", "operations": ["evm.typed_data"],
                 "when": {"evm_typed_data": {"token": {"recipients": [thief]}}}},
            ]);
        })
        .await;
    expect(&mut appliance, &[good], &lookalikes).await;
}

/// Attack: an EIP-7702 transaction that pays a friend, and hands an account to the thief in its list. Defence: a rule
/// with delegates looks at every entry, and one without `types` that is meant for payments can name them; the account's
/// own authorization is an operation of its own.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_delegation_beside_an_allowed_one() {
    let (friend, thief) = (format!("0x{FRIEND}"), format!("0x{THIEF}"));
    let entry = |delegate: &str| json!({"chainId": "0x1", "address": delegate, "nonce": "0x1", "yParity": "0x0", "r": "0x1", "s": "0x1"});
    let list = |entries: &[Value]| payment(&json!({"to": friend, "authorizationList": entries}));
    let mut appliance = under(evm_rule(&json!({"delegates": [friend]}))).await;
    let refused = [
        list(&[entry(&friend), entry(&thief)]),
        list(&[entry(&thief), entry(&friend)]),
        list(&[entry(&friend), entry(&format!("0x{}", "00".repeat(20)))]),
        payment(&json!({"to": friend})),
    ];
    expect(&mut appliance, &[list(&[entry(&friend)]), list(&[entry(&friend), entry(&friend)])], &refused)
        .await;
    let authorization = |delegate: &str, chain: u64| {
        let authorization = json!({"chainId": chain, "address": delegate, "nonce": "0x1"});
        json!({"type": "evm.authorization", "authorization": authorization}).to_string()
    };
    expect(&mut appliance, &[], &[authorization(&friend, 1)]).await;
    appliance
        .adopt(|bundle| {
            bundle["rules"] = json!([rule(
                "delegate",
                &json!({
                    "operations": ["evm.authorization"], "chain_ids": [1],
                    "when": {"evm_authorization": {"delegates": [friend]}}
                })
            )]);
        })
        .await;
    let refused = [authorization(&thief, 1), authorization(&friend, 0), authorization(&friend, 10)];
    expect(&mut appliance, &[authorization(&friend, 1)], &refused).await;
}

/// A Solana message: keys after the payer, how many of them are read-only at the end, instructions, and lookups of
/// version 0.
struct Message<'a> {
    payer: [u8; 32],
    keys: &'a [[u8; 32]],
    readonly: u8,
    instructions: &'a [(u8, &'a [u8], Vec<u8>)],
    /// Table, writable indexes.
    lookups: Option<&'a [([u8; 32], &'a [u8])]>,
}

impl Message<'_> {
    fn body(&self) -> String {
        let count = |length: usize| u8::try_from(length).expect("few");
        let mut bytes: Vec<u8> = self.lookups.map(|_| 0x80).into_iter().collect();
        bytes.extend([1, 0, self.readonly, count(self.keys.len() + 1)]);
        bytes.extend([&[self.payer], self.keys].concat().concat());
        bytes.extend([7; 32]);
        bytes.push(count(self.instructions.len()));
        for (program, accounts, data) in self.instructions {
            bytes.extend([*program, count(accounts.len())]);
            bytes.extend(*accounts);
            bytes.push(count(data.len()));
            bytes.extend(data);
        }
        if let Some(lookups) = self.lookups {
            bytes.push(count(lookups.len()));
            for (table, writable) in lookups {
                bytes.extend(table);
                bytes.push(count(writable.len()));
                bytes.extend(*writable);
                bytes.push(0);
            }
        }
        let wire = STANDARD.encode([&[1][..], &[0; 64], &bytes].concat());
        json!({"type": "solana.transaction", "transaction": wire}).to_string()
    }
}

/// `transfer` of the system program.
fn transfer(lamports: u64) -> Vec<u8> {
    [&[2, 0, 0, 0][..], &lamports.to_le_bytes()].concat()
}

const SYSTEM: [u8; 32] = [0; 32];
const FRIENDS_KEY: [u8; 32] = [0x35; 32];
const THIEFS_KEY: [u8; 32] = [0x66; 32];
const PROGRAM: [u8; 32] = [0x77; 32];

fn base58(key: &[u8; 32]) -> String {
    bs58::encode(key).into_string()
}

/// A rule for Solana transactions.
fn solana_rule(when: &Value) -> Value {
    json!([rule("pay", &json!({"operations": ["solana.transaction"], "when": {"solana_transaction": when}}))])
}

/// Attack: a recipient out of a lookup table, whose content is not signed and can be the thief's. Defence: what is looked
/// up is unknown: no list of recipients or accounts has it, and what denies by accounts denies it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_lookup_is_in_no_list() {
    let (friend, system) = (base58(&FRIENDS_KEY), base58(&SYSTEM));
    let mut appliance = under(solana_rule(&json!({"recipients": [friend]}))).await;
    let payer = appliance.solana_key();
    let pay: [(u8, &[u8], Vec<u8>); 1] = [(2, &[0, 1], transfer(1))];
    let plain =
        Message { payer, keys: &[FRIENDS_KEY, SYSTEM], readonly: 1, instructions: &pay, lookups: None };
    // The account of index 3 comes from the table.
    let pay_looked_up: [(u8, &[u8], Vec<u8>); 1] = [(2, &[0, 3], transfer(1))];
    let looked_up = Message { instructions: &pay_looked_up, lookups: Some(&[([9; 32], &[0])]), ..plain };
    let both: [(u8, &[u8], Vec<u8>); 2] = [(2, &[0, 1], transfer(1)), (2, &[0, 3], transfer(1))];
    let both = Message { instructions: &both, lookups: Some(&[([9; 32], &[0])]), ..plain };
    let beside = Message { lookups: Some(&[([9; 32], &[0])]), ..plain };
    expect(&mut appliance, &[plain.body(), beside.body()], &[looked_up.body(), both.body()]).await;
    let accounts = json!({"accounts": [friend, system, "self"]});
    appliance.adopt(|bundle| bundle["rules"] = solana_rule(&accounts)).await;
    expect(&mut appliance, &[plain.body()], &[looked_up.body(), both.body(), beside.body()]).await;
    appliance
        .adopt(|bundle| {
            bundle["rules"] = json!([
                rule("all", &json!({"operations": ["solana.transaction"]})),
                {"id": "not-to-the-thief", "effect": "deny", "operations": ["solana.transaction"],
                 "when": {"solana_transaction": {"accounts": [base58(&THIEFS_KEY)]}}},
            ]);
        })
        .await;
    expect(&mut appliance, &[plain.body()], &[looked_up.body(), beside.body()]).await;
}

/// Attack: an instruction of an unknown program, or one that cannot be decoded, beside an allowed transfer. Defence: it is
/// unknown where the rule needs to know, and a list of programs has it not.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_instruction_beside_an_allowed_one() {
    let (friend, system) = (base58(&FRIENDS_KEY), base58(&SYSTEM));
    let conditions = [
        json!({"recipients": [friend]}),
        json!({"programs": [system], "recipients": [friend]}),
        json!({"instructions": ["system.transfer"]}),
        json!({"lamports": {"max": "10"}}),
    ];
    let mut appliance = under(json!([])).await;
    let payer = appliance.solana_key();
    let keys = [FRIENDS_KEY, THIEFS_KEY, SYSTEM, PROGRAM];
    let message = |instructions: &[(u8, &[u8], Vec<u8>)]| {
        Message { payer, keys: &keys, readonly: 2, instructions, lookups: None }.body()
    };
    let plain = message(&[(3, &[0, 1], transfer(1))]);
    let unknown = [
        message(&[(3, &[0, 1], transfer(1)), (4, &[0, 2], vec![1, 2, 3])]),
        message(&[(4, &[0, 2], vec![1, 2, 3]), (3, &[0, 1], transfer(1))]),
        message(&[(3, &[0, 1], transfer(1)), (3, &[0, 2], vec![99, 0, 0, 0])]),
        message(&[(3, &[0, 1], transfer(1)), (3, &[0, 2], [transfer(1), vec![0]].concat())]),
        message(&[(4, &[0, 2], vec![])]),
    ];
    for condition in conditions {
        appliance.adopt(|bundle| bundle["rules"] = solana_rule(&condition)).await;
        expect(&mut appliance, std::slice::from_ref(&plain), &unknown).await;
    }
    // The sum of many small ones, and another recipient.
    let many = message(&[(3, &[0, 1], transfer(6)), (3, &[0, 1], transfer(5))]);
    let overflowing = message(&[(3, &[0, 1], transfer(u64::MAX)), (3, &[0, 1], transfer(2))]);
    expect(&mut appliance, &[], &[many, overflowing]).await;
    appliance.adopt(|bundle| bundle["rules"] = solana_rule(&json!({"recipients": [friend]}))).await;
    let split = message(&[(3, &[0, 1], transfer(1)), (3, &[0, 2], transfer(1))]);
    expect(&mut appliance, &[], &[split]).await;
}

/// Attack: what cannot be seen, past a rule that denies: call data that is malformed under the selector that the rule
/// names. Defence: a rule that denies applies when it cannot tell.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_doubt_denies() {
    let mut appliance = under(json!([
        rule("all", &json!({"operations": ["evm.transaction"], "nonce": "unguarded"})),
        {"id": "not-to-the-thief", "effect": "deny", "operations": ["evm.transaction"],
         "when": {"evm_transaction": {"token": {"recipients": [format!("0x{THIEF}")]}}}},
    ]))
    .await;
    let good = call(&format!("a9059cbb{}{}", word(FRIEND), word("1")));
    let refused = [
        format!("a9059cbb{}{}", word(THIEF), word("1")),
        format!("a9059cbb{}{}00", word(THIEF), word("1")),
        format!("a9059cbb{}{}", word(&format!("1{THIEF}")), word("1")),
        format!("a9059cbb{}", word(THIEF)),
        "a9059cbb".to_owned(),
    ]
    .map(|input| call(&input));
    expect(&mut appliance, &[good, call("deadbeef")], &refused).await;
}
