//! Two evaluators, one meaning.

use std::env;

use serde_json::Value;
use signer_rules::chain::Facts;
use signer_rules::policy::{self, Policy, TokenAmounts};
use signer_tests::policy::compare::{
    Accounts, Request, at_once, bundle_of, by_reading, by_the_enclave, refused_beforehand,
};
use signer_tests::policy::generate::{Pair, pair};
use signer_tests::policy::naive::{self, Amounts, Verdict};

use crate::coverage::Coverage;

const PAIRS: u64 = 10_000;

/// The first seed; `NITRO_SIGNER_POLICY_SEED` asks for others, and shows a single one again.
fn first_seed() -> u64 {
    env::var("NITRO_SIGNER_POLICY_SEED").map_or(1, |text| text.parse().expect("a number"))
}

#[test]
fn ten_thousand_random_policies_mean_the_same_to_both_evaluators() {
    let mut coverage = Coverage::default();
    for seed in (0..PAIRS).map(|index| first_seed().wrapping_add(index)) {
        let pair = pair(seed);
        let bundle =
            bundle_of(&pair.bundle).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", pair.bundle));
        let policy = Policy::new(&bundle);
        let (enclave, reading) =
            (by_the_enclave(&policy, &pair.request), by_reading(&pair.bundle, &pair.request));
        assert!(enclave == reading, "{}", difference(seed, pair.bundle, &pair.request));
        assert_eq!(at_once(&policy, &pair.request), first(&enclave), "seed {seed}");
        if let Some(refusal) = refused_beforehand(&policy, &pair.request) {
            let allowed = matches!(enclave, Verdict::Candidates(_));
            assert!(!allowed, "seed {seed}: {refusal:?} beforehand, and then {enclave:?}");
        }
        let (facts, accounts) = (pair.request.facts_json(), Accounts::of(&pair.request.signer));
        if let (Some(facts), Some(json)) = (&pair.request.facts, &facts) {
            assert_eq!(measured(facts), naive::amounts(json), "seed {seed}: {json:#}");
        }
        let readings = naive::read(&pair.bundle, &pair.request.ask(facts.as_ref(), &accounts));
        coverage.note(&pair.request.operation, &readings, &reading);
    }
    coverage.check();
}

/// Rules are found by client, operation and wallet. In a crowd none may be overlooked, and their order must stay.
#[test]
fn a_crowd_of_rules_means_the_same_to_both_evaluators() {
    let (mut several, mut denied) = (0, 0);
    for start in [10_000, 20_000, 30_000] {
        let pairs: Vec<Pair> =
            (start..start + 120).map(|seed| pair(first_seed().wrapping_add(seed))).collect();
        let mut bundle = pairs[0].bundle.clone();
        bundle["rules"] = crowd(&pairs);
        let policy = Policy::new(&bundle_of(&bundle).expect("a bundle"));
        for Pair { request, .. } in &pairs {
            let enclave = by_the_enclave(&policy, request);
            assert_eq!(enclave, by_reading(&bundle, request), "{start}: {request:#?}");
            match enclave {
                Verdict::Candidates(rules) if rules.len() > 1 => several += 1,
                Verdict::DeniedBy(_) => denied += 1,
                _ => {}
            }
        }
    }
    assert!(several >= 50 && denied >= 50, "{several} {denied}");
}

/// The rules of all pairs, but few of those that deny, or nothing would be left to allow.
fn crowd(pairs: &[Pair]) -> Value {
    let rules = pairs.iter().flat_map(|pair| pair.bundle["rules"].as_array().expect("rules").clone());
    let kept = rules.enumerate().filter(|(index, rule)| rule["effect"] == "allow" || index % 12 == 0);
    kept.map(|(index, mut rule)| {
        rule["id"] = format!("r{index}").into();
        rule
    })
    .collect()
}

fn first(verdict: &Verdict) -> Verdict {
    match verdict {
        Verdict::Candidates(rules) => Verdict::Candidates(rules[..1].to_vec()),
        other => other.clone(),
    }
}

/// What limits count, as the enclave does.
fn measured(facts: &Facts) -> Amounts {
    let found = policy::amounts(facts);
    let tokens = match found.tokens {
        TokenAmounts::Known(tokens) => {
            Some(tokens.into_iter().map(|(token, amount)| (token.to_string(), amount)).collect())
        }
        TokenAmounts::Unknown => None,
    };
    Amounts { native: found.native, fee: found.fee, tokens }
}

/// The smallest part of the bundle on which they differ.
fn difference(seed: u64, bundle: Value, request: &Request) -> String {
    let mut smallest = bundle;
    while let Some(smaller) = smaller(&smallest).into_iter().find(|smaller| differs(smaller, request)) {
        smallest = smaller;
    }
    let policy = Policy::new(&bundle_of(&smallest).expect("a bundle"));
    format!(
        "seed {seed}\nrules: {:#}\nrequest: {:#?}\nfacts: {:#}\nthe enclave: {:?}\nby reading: {:?}\n{:?}",
        smallest["rules"],
        request.body,
        request.facts_json().unwrap_or_default(),
        by_the_enclave(&policy, request),
        by_reading(&smallest, request),
        (&request.now, &request.client, &request.operation, &request.wallet, &request.origin),
    )
}

fn differs(bundle: &Value, request: &Request) -> bool {
    bundle_of(bundle)
        .is_ok_and(|read| by_the_enclave(&Policy::new(&read), request) != by_reading(bundle, request))
}

/// The bundle without a rule, or with one member less, or one entry of a list less, in a rule.
fn smaller(bundle: &Value) -> Vec<Value> {
    let rules = bundle["rules"].as_array().expect("rules");
    let mut found = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let mut fewer = bundle.clone();
        fewer["rules"].as_array_mut().expect("rules").remove(index);
        found.push(fewer);
        for smaller in without_a_part(rule) {
            let mut changed = bundle.clone();
            changed["rules"][index] = smaller;
            found.push(changed);
        }
    }
    found
}

fn without_a_part(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                let mut fewer = members.clone();
                fewer.remove(name);
                found.push(Value::Object(fewer));
                for smaller in without_a_part(inner) {
                    let mut changed = members.clone();
                    changed.insert(name.clone(), smaller);
                    found.push(Value::Object(changed));
                }
            }
        }
        Value::Array(entries) => {
            for (index, inner) in entries.iter().enumerate() {
                let mut fewer = entries.clone();
                fewer.remove(index);
                found.push(Value::Array(fewer));
                for smaller in without_a_part(inner) {
                    let mut changed = entries.clone();
                    changed[index] = smaller;
                    found.push(Value::Array(changed));
                }
            }
        }
        _ => {}
    }
    found
}
