//! The published manifest in place of typed measurements: who signed it, whom its image is for, under which configurations.

use std::fs;

use serde_json::{Value, json};
use signer_eif::manifest::{FORMAT, Manifest, PAYLOAD_TYPE};
use signer_rules::dsse::Envelope;

use crate::{
    Run,
    scene::{Scene, admin},
    verify,
};

fn manifest() -> Value {
    json!({
        "format": FORMAT, "kind": "production",
        "pcrs": { "PCR0": "01".repeat(48), "PCR1": "02".repeat(48), "PCR2": "03".repeat(48) },
        "image": { "sha256": "00".repeat(32), "sha384": "00".repeat(48), "size": 1 },
        "command_line": "quiet", "source_commit": "ab".repeat(20), "toolchain": "rustc 1.95.0", "inputs": [],
        "build_command": "scripts/build-eif", "configurations": [],
    })
}

/// Judges a good enclave by a manifest, signed by the scene's admin or by nobody, with more options.
fn judge(manifest: &Value, signed: bool, options: &[(&'static str, String)]) -> Run {
    let manifest: Manifest = serde_json::from_value(manifest.clone()).unwrap();
    let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, &manifest.to_json().unwrap());
    if signed {
        envelope.sign(&admin()).unwrap();
    }
    let mut scene = Scene::new();
    scene.without(&["--pcr0", "--pcr1", "--pcr2"]);
    for (name, value) in options {
        scene.option(name, value.clone());
    }
    let files = scene.write();
    let path = files.path("manifest.json");
    fs::write(&path, envelope.to_json().unwrap()).unwrap();
    let mut arguments = files.arguments.clone();
    arguments.extend(["--manifest".to_owned(), path.display().to_string()]);
    verify(&arguments)
}

fn signer() -> (&'static str, String) {
    ("--manifest-signer", hex::encode(admin().verifying_key().to_bytes()))
}

/// Of RFC 8410: somebody who signed nothing here.
fn stranger() -> (&'static str, String) {
    ("--manifest-signer", "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1".to_owned())
}

#[test]
fn a_signed_manifest_stands_in_for_measurements() {
    let run = judge(&manifest(), true, &[signer()]);
    assert_eq!(run.exit, 0, "{}\n{}", run.json, run.stderr);
    for check in ["manifest signers", "manifest kind", "PCR0", "PCR1", "PCR2"] {
        assert!(run.with_verdict("pass").contains(&check), "{check}: {}", run.json);
    }
    let one_of_two = [signer(), stranger(), ("--manifest-threshold", "1".to_owned())];
    assert_eq!(judge(&manifest(), true, &one_of_two).exit, 0);
}

#[test]
fn a_manifest_that_too_few_signed_is_1() {
    for options in [
        &[stranger()][..],
        // Without a threshold, all of them.
        &[signer(), stranger()],
        &[signer(), stranger(), ("--manifest-threshold", "2".to_owned())],
    ] {
        let run = judge(&manifest(), true, options);
        assert_eq!((run.exit, run.with_verdict("fail")), (1, vec!["manifest signers"]), "{}", run.stderr);
    }
    let run = judge(&manifest(), false, &[signer()]);
    assert_eq!((run.exit, run.with_verdict("fail")), (1, vec!["manifest signers"]));
}

#[test]
fn a_threshold_that_cannot_be_met_is_2() {
    for threshold in ["0", "2"] {
        let run = judge(&manifest(), true, &[signer(), ("--manifest-threshold", threshold.to_owned())]);
        assert_eq!(run.exit, 2, "{threshold}: {}", run.json);
    }
}

#[test]
fn nobodys_manifest_is_said_loudly() {
    for signed in [true, false] {
        let run = judge(&manifest(), signed, &[]);
        assert_eq!((run.exit, &run.json["verdict"]), (2, &json!("incomplete")), "{}", run.json);
        assert!(run.stderr.contains("NOBODY'S MANIFEST"), "{}", run.stderr);
        assert_eq!(run.with_verdict("not_checked"), ["manifest signers"]);
        assert!(run.json["missing"][0].as_str().unwrap().contains("--manifest-signer"), "{}", run.json);

        let accept = ("--unsigned-manifest", String::new());
        let run = judge(&manifest(), signed, std::slice::from_ref(&accept));
        assert_eq!(run.exit, 0, "{}", run.json);
        assert!(run.stderr.contains("NOBODY'S MANIFEST"), "{}", run.stderr);
        assert!(run.with_verdict("shown").contains(&"manifest signers"));
        // Either somebody vouches for it, or nobody does.
        assert_eq!(judge(&manifest(), signed, &[signer(), accept]).exit, 2);
    }
}

#[test]
fn what_a_manifest_holds_does_not_reach_the_terminal() {
    let mut scene = Scene::new();
    scene.without(&["--pcr0", "--pcr1", "--pcr2"]);
    let files = scene.write();
    let path = files.path("manifest.json");
    let hostile = br#"{"\u001b[2J\u009b1mMATCH\u202e": 1}"#;
    fs::write(&path, Envelope::unsigned(PAYLOAD_TYPE, hostile).to_json().unwrap()).unwrap();
    let mut arguments = files.arguments.clone();
    arguments.extend(["--manifest".to_owned(), path.display().to_string()]);
    let run = verify(&arguments);
    assert_eq!(run.exit, 2, "{}", run.stderr);
    assert!(run.stderr.contains("not an image manifest"), "{}", run.stderr);
    assert!(!run.stderr.contains(['\x1b', '\u{9b}', '\u{202e}']), "{:?}", run.stderr);
}

#[test]
fn a_development_manifest_needs_leave() {
    let mut development = manifest();
    development["kind"] = json!("development");
    let run = judge(&development, true, &[signer()]);
    assert_eq!((run.exit, run.with_verdict("fail")), (1, vec!["manifest kind"]));
    let run = judge(&development, true, &[signer(), ("--allow-development", String::new())]);
    assert_eq!(run.exit, 0, "{}", run.json);
}

#[test]
fn what_the_manifest_says_is_compared() {
    type Case = (&'static str, fn(&mut Value));
    let cases: [Case; 5] = [
        ("PCR0", |m| m["pcrs"]["PCR0"] = json!("aa".repeat(48))),
        ("PCR1", |m| m["pcrs"]["PCR1"] = json!("aa".repeat(48))),
        ("PCR2", |m| m["pcrs"]["PCR2"] = json!("aa".repeat(48))),
        ("PCR8", |m| m["pcrs"]["PCR8"] = json!("aa".repeat(48))),
        ("accepted config", |m| m["configurations"] = json!(["aa".repeat(48)])),
    ];
    for (rule, change) in cases {
        let mut other = manifest();
        change(&mut other);
        let run = judge(&other, true, &[signer()]);
        assert_eq!((run.exit, run.with_verdict("fail")), (1, vec![rule]), "{rule}: {}", run.json);
    }
    let mut listed = manifest();
    listed["configurations"] = json!([Scene::new().statement["configuration_digest"]]);
    let run = judge(&listed, true, &[signer()]);
    assert_eq!(run.exit, 0, "{}", run.json);
    assert!(run.with_verdict("pass").contains(&"accepted config"));
}
