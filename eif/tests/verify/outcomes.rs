//! The other exit codes: a match, what could not be checked, and the signature alone.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    scene::{NONCE, Scene, authority_of},
    verify, verify_with_input,
};

fn document(scene: &Scene) -> Vec<u8> {
    STANDARD.decode(scene.answer(&NONCE)["document"].as_str().unwrap()).unwrap()
}

#[test]
fn everything_given_and_everything_right_is_0() {
    let run = verify(&Scene::new().write().arguments);
    assert_eq!(run.exit, 0, "{}\n{}", run.json, run.stderr);
    assert_eq!((&run.json["verdict"], &run.json["exit"]), (&json!("match"), &json!(0)));
    assert!(run.stderr.contains("NOT AWS'S ROOT"), "{}", run.stderr);
    assert_eq!(run.json["root"], "other");
    for check in
        ["signature", "nonce", "age", "PCR0", "PCR16", "authority", "policy", "keyring", "identity key"]
    {
        assert!(run.with_verdict("pass").contains(&check), "{check}: {}", run.json);
    }

    let mut scene = Scene::new();
    scene.without(&["--config", "--policy"]);
    scene.option("--authority", authority_of(&scene.configuration));
    scene.option("--keyring", format!("default={}", "08".repeat(32)));
    assert_eq!(verify(&scene.write().arguments).exit, 0);
}

#[test]
fn only_measurements_or_only_an_authority_is_2() {
    let mut measured = Scene::new();
    measured.without(&["--config", "--policy"]);
    let run = verify(&measured.write().arguments);
    assert_eq!((run.exit, &run.json["verdict"]), (2, &json!("incomplete")));
    assert_eq!(run.with_verdict("not_checked"), ["authority"]);
    assert!(run.json["missing"][0].as_str().unwrap().contains("--config"), "{}", run.json);

    let mut configured = Scene::new();
    configured.without(&["--pcr0", "--pcr1", "--pcr2"]);
    let run = verify(&configured.write().arguments);
    assert_eq!(run.exit, 2);
    assert_eq!(run.with_verdict("not_checked"), ["PCR0"]);
    assert!(run.json["missing"][0].as_str().unwrap().contains("--manifest"), "{}", run.json);
}

#[test]
fn a_document_without_its_statement_is_2() {
    let scene = Scene::new();
    let files = scene.write();
    for (name, content) in
        [("document.bin", document(&scene)), ("document.b64", STANDARD.encode(document(&scene)).into_bytes())]
    {
        fs::write(files.path(name), content).unwrap();
        let mut arguments = files.arguments.clone();
        arguments[1] = files.path(name).display().to_string();
        let run = verify(&arguments);
        assert_eq!(run.exit, 2, "{}", run.json);
        assert_eq!(run.with_verdict("not_checked"), ["statement digest", "authority"]);
        // PCR16 needs no statement.
        assert!(run.with_verdict("pass").contains(&"PCR16"));
    }
}

#[test]
fn a_development_image_needs_leave() {
    let mut scene = Scene::new();
    scene.statement["kms_trust"] = json!("image");
    assert_eq!(verify(&scene.write().arguments).exit, 1);
    scene.option("--allow-development", "");
    let run = verify(&scene.write().arguments);
    assert_eq!(run.exit, 0, "{}", run.json);
    assert!(run.stderr.contains("DEVELOPMENT"), "{}", run.stderr);
}

#[test]
fn the_signature_alone_is_3_and_says_what_was_not_checked() {
    let mut scene = Scene::new();
    scene.signature_only();
    let files = scene.write();
    let run = verify(&files.arguments);
    assert_eq!((run.exit, &run.json["verdict"]), (3, &json!("signature_only")), "{}", run.stderr);
    assert_eq!(
        run.with_verdict("not_checked"),
        ["nonce", "age", "PCR0", "PCR1", "PCR2", "PCR16", "statement", "authority"]
    );

    let mut forged = document(&scene);
    *forged.last_mut().unwrap() ^= 1;
    let mut arguments = files.arguments.clone();
    arguments[1] = "-".to_owned();
    let run = verify_with_input(&arguments, &forged);
    assert_eq!((run.exit, run.with_verdict("fail")), (1, vec!["signature"]));
}

#[test]
fn what_cannot_be_read_or_asked_is_2() {
    let files = Scene::new().write();
    let with = |option: &str, value: &str| {
        let mut arguments = files.arguments.clone();
        let at = arguments.iter().position(|argument| argument == option).unwrap();
        arguments[at + 1] = value.to_owned();
        arguments
    };
    let junk = files.path("junk");
    fs::write(&junk, "junk!").unwrap();
    let large = files.path("large");
    fs::write(&large, vec![0x84; 300 * 1024]).unwrap();
    let (junk, large) = (junk.display().to_string(), large.display().to_string());
    let unsigned = files.path("policy.json").display().to_string();
    for (arguments, reason) in [
        (with("--document", "/nowhere"), "cannot read /nowhere"),
        (with("--document", &junk), "neither an attestation document"),
        (with("--document", &large), "more than the 262144 allowed"),
        (with("--root", &junk), "no certificate"),
        (with("--config", &junk), "not a DSSE envelope"),
        (with("--config", &unsigned), "not a configuration: unknown field"),
        (with("--policy", &junk), "not a DSSE envelope"),
        (with("--pcr0", "00"), "96 hexadecimal digits"),
        (with("--pcr0", &"00".repeat(48)), "debug mode"),
        (with("--nonce", "00"), "16 to 64 bytes"),
        (with("--at", "yesterday"), "2026-01-31T23:59:59Z"),
        (vec![], "--document"),
        (vec!["--url".into(), "ftp://x".into()], "http://"),
        (vec!["--url".into(), "http://127.0.0.1:1".into()], "no connection"),
    ] {
        let run = verify(&arguments);
        assert_eq!(run.exit, 2, "{reason}: {}", run.stderr);
        assert!(run.stderr.contains(reason), "{reason}: {}", run.stderr);
    }
}
