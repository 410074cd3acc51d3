use std::fs;

use signer_terminal::{EXIT_FAILED, envelope::SignArgs, files::OutputArgs};

use super::{
    init::{InitArgs, parse_client, parse_keyring, parse_time, run as init},
    sign::{ShowArgs, SignPolicyArgs, show, sign},
    *,
};
use crate::config::tests::{signed_configuration, test_directory};

pub(super) fn init_args(config: &Path, rules: &str) -> InitArgs {
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
        client_file: None,
        approvers: None,
        abis: None,
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
    let signed = sign(&sign_args, &terminal).unwrap();
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

/// A bare bundle with what each test adds.
pub(super) fn bundle_file(change: impl FnOnce(&mut Value)) -> std::path::PathBuf {
    let mut bundle = json!({
        "format": "nitro-signer/policy/v1", "authority": "00".repeat(32), "version": 1, "previous": null,
        "not_before": "2026-01-01T00:00:00Z", "expires": "2026-01-31T00:00:00Z",
        "least_configuration_epoch": 0, "keyrings": [],
        "clients": [{"id": "backend", "auth": "none", "roles": ["trader"]}],
        "approvers": [{"id": "alice", "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"}],
        "wallet_groups": [{"id": "hot", "wallets": [format!("w_{}", "11".repeat(16))]}],
        "rules": [
            {"id": "pay", "effect": "allow", "operations": ["evm.transaction"], "wallets": ["@hot"],
             "limits": [{"window_s": 60, "most": {"count": 3}}]},
            {"id": "large", "effect": "allow", "operations": ["evm.transaction"],
             "approvals": {"threshold": 1, "of": ["alice"]}},
        ],
    });
    change(&mut bundle);
    let path = test_directory().join("policy.json");
    fs::write(&path, bundle.to_string()).unwrap();
    path
}

#[test]
fn a_bundle_is_checked_and_its_faults_are_named() {
    let style = Terminal::plain().style();
    let check = |file: std::path::PathBuf, config| check::run(&check::CheckArgs { file, config }, style);
    let report = check(bundle_file(|_| {}), None).unwrap();
    assert_eq!((report.exit, &report.json["rules"][1]["id"]), (0, &json!("large")));
    assert!(report.human.contains("\n1. ") && report.human.contains("\n2. "), "{}", report.human);
    let wrong = bundle_file(|bundle| bundle["rules"][0]["limits"][0]["window_s"] = json!(0));
    assert!(check(wrong, None).err().unwrap().to_string().contains("rules[0].limits[0].window_s"));
    let (config, _) = signed_configuration();
    let foreign = check(bundle_file(|_| {}), Some(config)).err().unwrap();
    assert!(foreign.to_string().contains("belongs to authority"), "{foreign}");
}

#[test]
fn a_bundle_is_compared_with_the_one_before() {
    let old = bundle_file(|_| {});
    let differences = |change: fn(&mut Value)| {
        let args = diff::DiffArgs { old: old.clone(), new: bundle_file(change) };
        diff::run(&args, Terminal::plain().style()).unwrap()
    };
    assert_eq!(differences(|_| {}).json["same"], true);
    let report = differences(|bundle| {
        bundle["version"] = json!(2);
        bundle["clients"][0]["roles"] = json!(["reader"]);
        bundle["approvers"][0]["id"] = json!("bob");
        bundle["rules"][1]["approvals"]["of"] = json!(["bob"]);
        bundle["rules"][0]["limits"][0]["most"] = json!({"count": 4});
        bundle["rules"].as_array_mut().unwrap().swap(0, 1);
        bundle["rules"]
            .as_array_mut()
            .unwrap()
            .push(json!({"id": "see", "effect": "allow", "operations": ["wallet.read"]}));
    });
    assert_eq!(report.exit, 0);
    let changes = &report.json["changes"];
    let kinds = |section: &str| -> Vec<String> {
        let changes = changes[section].as_array().unwrap().iter();
        changes.map(|change| change["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds("bundle"), ["changed", "care"], "version, and another bundle before");
    assert_eq!(changes["clients"][0]["text"], "backend: gains role reader\nloses role trader");
    assert_eq!(kinds("approvers"), ["added", "removed"]);
    assert_eq!(kinds("rules"), ["changed", "changed", "added", "care"]);
    assert!(changes["limits"][0]["text"].as_str().unwrap().contains("allows nothing for 60 s"));
}

#[test]
fn one_rule_is_explained_at_length() {
    let explain = |rule: &str| {
        let args = explain::ExplainArgs { file: bundle_file(|_| {}), rule: rule.parse().unwrap() };
        explain::run(&args, Terminal::plain().style())
    };
    let human = explain("pay").unwrap().human;
    for line in ["place       1 of 2", "@hot: 1 wallets", "every client", "window_s"] {
        assert!(human.contains(line), "{line}: {human}");
    }
    assert!(explain("large").unwrap().human.contains("alice  d75a98"));
    assert!(explain("none").err().unwrap().advice().unwrap().contains("policy check"));
}
