//! Every decision that the document shows.

use std::{collections::HashSet, fs, path::Path};

use signer_rules::policy::Policy;
use signer_tests::policy::compare::{bundle_of, by_reading, by_the_enclave};
use signer_tests::policy::naive::Verdict;
use signer_tests::policy::worked::{Worked, read};

fn document() -> Vec<Worked> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy.md");
    read(&fs::read_to_string(path).expect("docs/policy.md"))
}

#[test]
fn the_worked_policies_decide_as_shown() {
    let all = document();
    assert!(all.len() >= 20, "{}", all.len());
    for worked in all {
        let title = &worked.title;
        let bundle = bundle_of(&worked.bundle).unwrap_or_else(|error| panic!("{title}: {error}"));
        let policy = Policy::new(&bundle);
        for case in &worked.cases {
            let about = &case.about;
            let enclave = first(by_the_enclave(&policy, &case.request));
            assert_eq!(enclave, case.expected, "{title}, {about}: by the enclave");
            let reading = first(by_reading(&worked.bundle, &case.request));
            assert_eq!(reading, case.expected, "{title}, {about}: by reading");
        }
    }
}

/// A rule that no case shows at work is not explained.
#[test]
fn every_rule_of_the_worked_policies_decides_a_case() {
    for worked in document() {
        let mut idle: HashSet<&str> = worked.bundle["rules"]
            .as_array()
            .expect("rules")
            .iter()
            .filter_map(|rule| rule["id"].as_str())
            .collect();
        for case in &worked.cases {
            match &case.expected {
                Verdict::Candidates(rules) => idle.remove(rules[0].as_str()),
                Verdict::DeniedBy(rule) => idle.remove(rule.as_str()),
                _ => false,
            };
        }
        assert!(idle.is_empty(), "{}: {idle:?}", worked.title);
        let denied = worked.cases.iter().filter(|case| !matches!(case.expected, Verdict::Candidates(_)));
        assert!(denied.count() > 0, "{}: nothing is denied", worked.title);
    }
}

fn first(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Candidates(rules) => Verdict::Candidates(rules.into_iter().take(1).collect()),
        other => other,
    }
}
