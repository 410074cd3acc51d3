//! What holds for all rules.

use proptest::prelude::*;

use super::*;

const ADDRESSES: [&str; 3] = [OWN, TOKEN, BOB];

fn some<T: std::fmt::Debug + Clone + 'static>(of: &'static [T]) -> BoxedStrategy<Vec<T>> {
    prop::sample::subsequence(of.to_vec(), 1..=of.len()).boxed()
}

fn parties() -> BoxedStrategy<Value> {
    some(&["self", TOKEN, BOB, OWN]).prop_map(|list| json!(list)).boxed()
}

fn range() -> BoxedStrategy<Value> {
    prop_oneof![
        (0..10u8).prop_map(|min| json!({"min": min.to_string()})),
        (0..10u8).prop_map(|max| json!({"max": max.to_string()})),
        (0..5u8, 5..10u8).prop_map(|(min, max)| json!({"min": min.to_string(), "max": max.to_string()})),
    ]
    .boxed()
}

/// Some of these members.
fn members(all: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let count = all.len();
    let (names, values): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    (values, prop::sample::subsequence(names.clone(), 1..=count.min(3)))
        .prop_map(move |(values, chosen)| {
            let members = names.iter().zip(values).filter(|(name, _)| chosen.contains(name));
            Value::Object(members.map(|(name, value)| ((*name).to_owned(), value)).collect())
        })
        .boxed()
}

fn test(values: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop_oneof![
        some(values).prop_map(|list| json!({"in": list})),
        some(values).prop_map(|list| json!({"not_in": list})),
        range().prop_map(|range| json!({"range": range})),
    ]
    .boxed()
}

fn when() -> BoxedStrategy<Value> {
    let arguments = members(vec![("to", test(&["self", TOKEN, BOB])), ("amount", test(&["1", "5"]))]);
    let calls = prop_oneof![
        Just(json!([{"abi": "erc20", "function": "approve"}])),
        arguments
            .prop_map(|arguments| json!([{"abi": "erc20", "function": "transfer", "arguments": arguments}])),
    ];
    let token = members(vec![
        ("kinds", some(&["transfer", "approve"]).prop_map(|list| json!(list)).boxed()),
        ("contracts", some(&ADDRESSES).prop_map(|list| json!(list)).boxed()),
        ("recipients", parties()),
        ("amount", range()),
    ]);
    members(vec![
        ("types", some(&["legacy", "eip1559"]).prop_map(|list| json!(list)).boxed()),
        ("recipients", parties()),
        ("contract_creation", any::<bool>().prop_map(Value::from).boxed()),
        ("value", range()),
        ("max_fee", range()),
        ("selectors", some(&["0xa9059cbb", "0x095ea7b3"]).prop_map(|list| json!(list)).boxed()),
        ("empty_input", any::<bool>().prop_map(Value::from).boxed()),
        ("calls", calls.boxed()),
        ("token", token),
    ])
    .prop_map(|condition| json!({"evm_transaction": condition}))
    .boxed()
}

fn rule(effect: BoxedStrategy<&'static str>) -> BoxedStrategy<Value> {
    let members = members(vec![
        ("when", when()),
        ("chain_ids", some(&[1u64, 5]).prop_map(|list| json!(list)).boxed()),
        ("origins", some(&["hd", "imported"]).prop_map(|list| json!(list)).boxed()),
        (
            "wallets",
            some(&["@hot", "w_02020202020202020202020202020202"]).prop_map(|list| json!(list)).boxed(),
        ),
    ]);
    (effect, members)
        .prop_map(|(effect, mut rule)| {
            rule["effect"] = json!(effect);
            rule["operations"] = json!(["evm.transaction"]);
            rule
        })
        .boxed()
}

fn rules() -> impl Strategy<Value = Vec<Value>> {
    let either = prop_oneof![3 => Just("allow"), 1 => Just("deny")].boxed();
    prop::collection::vec(rule(either), 1..6).prop_map(|mut rules| {
        for (number, rule) in rules.iter_mut().enumerate() {
            rule["id"] = json!(format!("r{number}"));
        }
        rules
    })
}

fn request() -> impl Strategy<Value = Facts> {
    let word = prop_oneof![
        Just(TOKEN.to_owned()),
        Just(BOB.to_owned()),
        Just(OWN.to_owned()),
        Just("1".to_owned()),
        Just("5".to_owned()),
        Just("f".repeat(64)),
    ];
    let selector = prop::sample::select(vec!["0xa9059cbb", "0x095ea7b3", "0x12345678"]);
    let called = (selector, prop::collection::vec(word, 0..4))
        .prop_map(|(selector, words)| call(selector, &words.iter().map(String::as_str).collect::<Vec<_>>()));
    let sent = (0..10u8, prop::sample::select(ADDRESSES.to_vec()))
        .prop_map(|(value, to)| transaction(&json!({"value": value.to_string(), "to": to})));
    let created = Just(transaction(&json!({"to": null, "input": "0xa9059cbb"})));
    prop_oneof![called, sent, created]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn another_rule_that_denies_never_allows_more(
        rules in rules(),
        denial in rule(Just("deny").boxed()),
        place in 0..6usize,
        facts in request(),
    ) {
        let before = policy(&json!(rules)).decide(&about(&facts));
        let mut more = rules.clone();
        let mut denial = denial;
        denial["id"] = json!("more");
        more.insert(place.min(rules.len()), denial);
        let after = policy(&json!(more)).decide(&about(&facts));
        prop_assert!(!after.is_allowed() || before == after, "{} {:?}", json!(more), after);
        if before.is_allowed() {
            prop_assert!(after == before || after == Decision::DeniedBy("more".parse().unwrap()));
        } else {
            prop_assert!(!after.is_allowed());
        }
    }

    #[test]
    fn one_rule_less_that_allows_never_allows_more(rules in rules(), place in 0..6usize, facts in request()) {
        let place = place.min(rules.len() - 1);
        let mut less = rules.clone();
        if less[place]["effect"] == "allow" {
            less.remove(place);
            let before = policy(&json!(rules)).decide(&about(&facts));
            let after = policy(&json!(less)).decide(&about(&facts));
            prop_assert!(before.is_allowed() || !after.is_allowed());
        }
    }

    #[test]
    fn whoever_allows_on_a_condition_would_deny_on_it(when in when(), facts in request()) {
        // `effects` panics where a condition allows without denying.
        let effects = effects(&when, &facts);
        prop_assert!([Both, DeniesOnly, Neither].contains(&effects));
    }

    #[test]
    fn bundles_survive_being_written(rules in rules()) {
        let text = bundle(&json!(rules)).to_string();
        let read = Bundle::from_json(text.as_bytes()).unwrap();
        let again = Bundle::from_json(&serde_json::to_vec(&read).unwrap()).unwrap();
        prop_assert_eq!(&read, &again);
    }
}
