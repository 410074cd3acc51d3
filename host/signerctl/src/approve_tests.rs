//! Approvals are of what was seen, by those whose approval counts.

use std::fs;

use signer_rules::approval::{Approver as Counted, Expected};

use super::*;
use crate::config::tests::{signed_configuration, test_directory};

/// A configuration, a policy that its admin signed, a request, and keys of alice and bob.
struct Scene {
    directory: PathBuf,
    config: PathBuf,
    keys: Vec<AdminSecret>,
}

fn scene() -> Scene {
    let (config, admin) = signed_configuration();
    let directory = test_directory();
    let keys: Vec<AdminSecret> = ["alice", "bob", "mallory"]
        .iter()
        .map(|name| {
            let key = AdminSecret::generate().unwrap();
            key.write(&OutputArgs { output: directory.join(format!("{name}.pem")), force: false }).unwrap();
            key
        })
        .collect();
    let approver = |index: usize, name: &str| json!({"id": name, "public_key": signer_terminal::keys::public_hex(&keys[index].public())});
    let authority = config::read_signed(&config).unwrap().authority;
    let bundle = json!({
        "format": "nitro-signer/policy/v1", "authority": authority, "version": 1, "previous": null,
        "not_before": "2026-01-01T00:00:00Z", "expires": "2026-01-31T00:00:00Z",
        "least_configuration_epoch": 0, "keyrings": [], "clients": [{"id": "backend", "auth": "none"}],
        "approvers": [approver(0, "alice"), approver(1, "bob")], "wallet_groups": [],
        "rules": [{"id": "large", "effect": "allow", "operations": ["evm.message"],
            "approvals": {"threshold": 2, "of": ["alice", "bob"], "longest_s": 600}}],
    });
    let mut envelope = Envelope::unsigned(signer_rules::bundle::PAYLOAD_TYPE, bundle.to_string().as_bytes());
    AdminSecret::read(&admin).ok().unwrap().sign(&mut envelope).unwrap();
    fs::write(directory.join("policy.json"), envelope::json(&envelope).unwrap()).unwrap();
    fs::write(directory.join("request.json"), r#"{"type": "evm.message", "text": "pay me"}"#).unwrap();
    Scene { directory, config, keys }
}

impl Scene {
    fn args(&self, who: &str) -> ApproveArgs {
        let file = |name: &str| self.directory.join(name);
        ApproveArgs {
            request: file("request.json"),
            wallet: Some("treasury".into()),
            path: None,
            method: "POST".into(),
            client: "backend".parse().unwrap(),
            rule: "large".parse().unwrap(),
            policy: file("policy.json"),
            config: self.config.clone(),
            key: file(&format!("{who}.pem")),
            expires_in: None,
            output: Some(file("approval.json")),
            force: false,
            add_to: None,
            yes: true,
        }
    }
}

#[test]
fn two_approvers_sign_what_the_enclave_accepts() {
    let scene = scene();
    let first = run(&scene.args("alice"), &Terminal::plain()).unwrap();
    assert_eq!((&first.json["approvals"], &first.json["complete"]), (&json!(1), &json!(false)));
    let file = scene.directory.join("approval.json");
    let second = ApproveArgs { add_to: Some(file.clone()), output: None, ..scene.args("bob") };
    let second = run(&second, &Terminal::plain()).unwrap();
    assert_eq!((&second.json["approvals"], &second.json["complete"]), (&json!(2), &json!(true)));

    let header = headers(Some(&file)).unwrap();
    assert_eq!(
        (header[0].0, json!(header[0].1)),
        ("signer-approval", second.json["header"]["value"].clone())
    );
    let body = fs::read(scene.directory.join("request.json")).unwrap();
    let signed = config::read_signed(&scene.config).unwrap();
    let policy =
        SignedBundle::verify(&fs::read(scene.directory.join("policy.json")).unwrap(), &signed).unwrap();
    let approvers: Vec<Counted> = ["alice", "bob"]
        .iter()
        .zip(&scene.keys)
        .map(|(name, key)| Counted { id: name.parse().unwrap(), key: key.public() })
        .collect();
    let expected = Expected {
        authority: signed.authority,
        client: &"backend".parse().unwrap(),
        request_digest: request_digest("POST", "/v1/wallets/treasury/sign", None, &body),
        rule: &"large".parse().unwrap(),
        policy_digest: policy.digest,
        now: Timestamp::from_millis(now_ms()),
        longest_s: 600,
    };
    let envelope = STANDARD.decode(&header[0].1).unwrap();
    assert_eq!(Approval::verify(&envelope, &approvers, 2, &expected).unwrap().len(), 2);
}

#[test]
fn what_is_not_approved_is_said() {
    let scene = scene();
    let refused = |args: ApproveArgs| run(&args, &Terminal::plain()).err().unwrap().to_string();
    assert!(refused(scene.args("mallory")).contains("nobody whose approval"));
    let rule = ApproveArgs { rule: "other".parse().unwrap(), ..scene.args("alice") };
    assert!(refused(rule).contains("no rule other"));
    let long = ApproveArgs { expires_in: Some(601), ..scene.args("alice") };
    assert!(refused(long).contains("600 s at most"));
    assert!(!scene.directory.join("approval.json").exists());

    run(&scene.args("alice"), &Terminal::plain()).unwrap();
    let other = ApproveArgs {
        wallet: Some("savings".into()),
        add_to: Some(scene.directory.join("approval.json")),
        output: None,
        ..scene.args("bob")
    };
    assert!(refused(other).contains("of another request"));
}
