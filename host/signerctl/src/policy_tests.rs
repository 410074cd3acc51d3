use std::fs;

use super::*;
use crate::config::tests::{signed_configuration, test_directory};

fn init_args(config: &Path, rules: &str) -> InitArgs {
    let directory = test_directory();
    let path = directory.join("rules.json");
    fs::write(&path, rules).unwrap();
    InitArgs {
        config: config.to_owned(),
        number: 1,
        previous: None,
        not_before: parse_time("2026-01-01T00:00:00Z").unwrap(),
        lifetime_days: None,
        keyrings: vec![parse_keyring(&format!("default={}", "ab".repeat(32))).unwrap()],
        clients: vec![parse_client("backend:none").unwrap()],
        rules: Some(path),
        groups: None,
        output: OutputArgs { output: directory.join("policy.json"), force: false },
    }
}

const PAY: &str =
    r#"[{"id": "pay", "effect": "allow", "operations": ["evm.transaction"], "clients": ["backend"]}]"#;

#[test]
fn init_sign_show_and_the_next_version() {
    let (config, key) = signed_configuration();
    let terminal = Terminal::plain();
    let args = init_args(&config, PAY);
    let made = init(&args, &terminal).unwrap();
    assert_eq!(made.json["expires"], "2026-01-31T00:00:00Z");
    let file = args.output.output.clone();
    let shown =
        || show(&ShowArgs { file: file.clone(), config: Some(config.clone()) }, terminal.style()).unwrap();
    assert_eq!((shown().exit, &shown().json["acceptable"]), (EXIT_FAILED, &json!(false)));

    let sign_args =
        SignPolicyArgs { sign: SignArgs { file: file.clone(), key }, config: Some(config.clone()) };
    let signed = sign(&sign_args, terminal.style()).unwrap();
    assert_eq!(signed.json["signatures"]["complete"], true);
    assert_eq!(signed.json["digest"], made.json["digest"]);
    assert_eq!((shown().exit, &shown().json["acceptable"]), (0, &json!(true)));

    let mut next = init_args(&config, PAY);
    next.previous = Some(file.clone());
    assert!(init(&next, &terminal).err().unwrap().advice().unwrap().contains("--version 2"));
    next.number = 2;
    assert_eq!(init(&next, &terminal).unwrap().json["previous"], made.json["digest"]);
}

#[test]
fn bad_rules_are_refused_by_name() {
    let (config, _) = signed_configuration();
    let cases = [
        (PAY.replace(r#"["backend"]"#, r#"["nobody"]"#), "rules[0].clients: no client is named nobody"),
        (PAY.replace("evm.transaction", "evm.everything"), "rules[0]: unknown variant `evm.everything`"),
        (PAY.replace("clients", "client"), "rules[0]: unknown field `client`"),
        (PAY.replace(r#""id": "pay","#, r#""id": "pay", "id": "pay","#), "rules[0]: duplicate field `id`"),
        (PAY.replace(']', ",]"), "not a JSON array"),
        ("{}".to_owned(), "not a JSON array"),
    ];
    for (rules, expected) in cases {
        let args = init_args(&config, &rules);
        let error = init(&args, &Terminal::plain()).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!args.output.output.exists());
    }
}

#[test]
fn lifetimes_are_the_configurations() {
    let (config, _) = signed_configuration();
    let mut args = init_args(&config, PAY);
    args.lifetime_days = Some(91);
    assert!(init(&args, &Terminal::plain()).err().unwrap().to_string().contains("1 to 90"));
}
