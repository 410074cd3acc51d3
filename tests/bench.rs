//! The benchmark still measures: every stage signs, and the report has its shape. Never how fast.

use std::process::Command;

use serde_json::Value;
use signer_tests::stack::binary;

#[test]
fn every_stage_signs_and_is_reported() {
    let bench =
        Command::new(binary("bench")).args(["--json", "--seconds", "0.2"]).output().expect("bench runs");
    let said = String::from_utf8_lossy(&bench.stderr);
    assert!(bench.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&bench.stdout).expect("one JSON document");
    assert!(report["processors"].as_u64().is_some_and(|count| count > 0));
    assert_eq!(report["load_average"].as_array().map(Vec::len), Some(2));
    let stages = report["stages"].as_array().expect("stages");
    let named = |kind: &str| -> Vec<(String, String, u64)> {
        let of_kind = stages.iter().filter(|stage| stage["kind"] == kind);
        of_kind
            .map(|stage| {
                (
                    stage["auth"].as_str().unwrap_or_default().to_owned(),
                    stage["name"].as_str().unwrap_or_default().to_owned(),
                    stage["connections"].as_u64().unwrap_or(99),
                )
            })
            .collect()
    };
    let mut expected: Vec<(String, String, u64)> = [
        ("bare", 0),
        ("in process", 0),
        ("unix socket", 1),
        ("unix socket", 16),
        ("http", 1),
        ("http", 8),
        ("http", 64),
        ("http half load", 64),
        ("http batch", 1),
        ("http json-rpc", 8),
    ]
    .map(|(name, connections)| ("none".to_owned(), name.to_owned(), connections))
    .into();
    let solana = expected[..9].to_vec();
    for auth in ["session", "ed25519", "p-256"] {
        let signed = [("unix socket", 1), ("http", 1), ("http", 64)];
        expected.extend(signed.map(|(name, connections)| (auth.to_owned(), name.to_owned(), connections)));
    }
    assert_eq!(named("evm.transaction"), expected);
    assert_eq!(named("solana.transaction"), solana);
    for stage in stages {
        let count = |name: &str| stage[name].as_u64().unwrap_or_else(|| panic!("{name}: {stage}"));
        assert!(count("signatures") > 0 && count("verified") > 0 && count("errors") == 0, "{stage}");
        assert!(stage["ratio"].is_number() || stage["ratio"].is_null(), "{stage}");
        for percentile in ["p50", "p90", "p99", "p99_9"] {
            assert!(stage["latency_us"][percentile].is_number(), "{stage}");
        }
        let separate = stage["connections"] != 0;
        assert_eq!(stage["cpu_us"]["host"].is_number(), separate, "{stage}");
        assert_eq!(stage["cpu_us"]["client"].is_number(), separate, "{stage}");
        assert!(stage["cpu_us"]["enclave"].is_number(), "{stage}");
    }
    assert_eq!(report["summary"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_mistake_in_the_flags_is_told() {
    for flags in [["--seconds", "0"], ["--kind", "bitcoin"]] {
        let bench = Command::new(binary("bench")).args(flags).output().expect("bench runs");
        assert_eq!(bench.status.code(), Some(2), "{flags:?}");
    }
}
