//! The judge, on documents that nobody signed: `tests/verify` has the signed ones, and the command.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use signer_rules::{
    authority::{AdminKey, Genesis},
    configuration::{
        Audit, Clock, Configuration, FORMAT as CONFIGURATION, Kms, KmsKey, PAYLOAD_TYPE, PolicyCheck, Share,
    },
    dsse::Envelope,
    statement::{FORMAT, KmsTrust},
};

use super::*;
use crate::verify::{FUTURE_TOLERANCE_MS, statement_digest};

const NOW: u64 = 1_800_000_000_000;
const NONCE: &[u8] = &[9; 32];
const BOOT: HexBytes<16> = HexBytes([4; 16]);

/// A genuine enclave of this configuration.
fn statement(configuration: &SignedConfiguration) -> Statement {
    Statement {
        format: FORMAT.into(),
        boot_id: BOOT,
        authority: configuration.authority,
        configuration_digest: configuration.digest,
        policy_version: 3,
        policy_digest: HexBytes([5; 32]),
        identity_key: HexBytes(SigningKey::from_bytes(&[6; 32]).verifying_key().to_bytes()),
        session_key: None,
        keyrings: vec![],
        created_keyring: Some(keyring()),
        kms_trust: KmsTrust::Amazon,
        kms_policy_digest: None,
        audit_sequence: 0,
        audit_head: HexBytes([7; 32]),
    }
}

fn document(configuration: &SignedConfiguration, statement: &[u8]) -> Document {
    Document {
        module_id: "i-1-enc2".into(),
        timestamp_ms: NOW - 1000,
        pcrs: BTreeMap::from([(0, [1; 48]), (1, [2; 48]), (2, [3; 48]), (16, configuration.pcr16())]),
        certificate: vec![],
        public_key: None,
        nonce: Some(NONCE.to_vec()),
        user_data: Some(statement_digest(statement).to_vec()),
    }
}

/// The judgement on a genuine document.
fn judged(document: &Document, statement: &[u8], expected: &Expected<'_>) -> Vec<Check> {
    let answer = Answer { boot_id: Some(BOOT), document: vec![], statement: Some(statement.to_vec()) };
    judge::judge(document, &answer, &Root::aws(), expected).0
}

fn keyring() -> Keyring {
    Keyring { id: "default".parse().unwrap(), fingerprint: HexBytes([8; 32]) }
}

fn measurements() -> Measurements {
    Measurements {
        pcr0: HexBytes([1; 48]),
        pcr1: Some(HexBytes([2; 48])),
        pcr2: Some(HexBytes([3; 48])),
        pcr8: None,
    }
}

fn expected<'a>(configuration: &'a SignedConfiguration, image: Image<'a>) -> Expected<'a> {
    Expected {
        now_ms: NOW,
        max_age_ms: MAX_AGE_MS,
        nonce: Some(NONCE),
        image,
        authority: None,
        configuration: Some(configuration),
        configurations: &[],
        policy: None,
        keyrings: &[],
        created: None,
        development: Development::Refused,
    }
}

fn configuration() -> SignedConfiguration {
    let key = SigningKey::from_bytes(&[1; 32]);
    let arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".to_owned();
    let kms_key = KmsKey { arn, endpoint: "kms.us-east-1.amazonaws.com".into() };
    let configuration = Configuration {
        format: CONFIGURATION.into(),
        epoch: 0,
        genesis: Genesis {
            appliance_id: HexBytes([2; 32]),
            admins: vec![AdminKey::from(key.verifying_key())],
            threshold: 1,
        },
        transitions: Vec::new(),
        kms: Kms { shares: vec![Share { keys: vec![kms_key] }], policy_check: PolicyCheck::Enforce },
        longest_bundle_lifetime_days: 90,
        clock: Clock { resynchronise_s: 60, longest_drift_ms: 1000 },
        audit: Audit { longest_unstored_s: 60, witness_s: 60, longest_unwitnessed_s: 3600 },
    };
    let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, &serde_json::to_vec(&configuration).unwrap());
    envelope.sign(&key).unwrap();
    SignedConfiguration::verify(envelope.to_json().unwrap().as_bytes()).unwrap()
}

/// The names of the checks that fail.
fn failing(checks: &[Check]) -> Vec<&'static str> {
    checks.iter().filter(|check| check.verdict == Verdict::Fail).map(|check| check.name).collect()
}

#[test]
fn all_that_matters_matches() {
    let (configuration, measured) = (configuration(), measurements());
    let json = serde_json::to_vec(&statement(&configuration)).unwrap();
    let mut expected = expected(&configuration, Image::Measured(&measured));
    let created = keyring();
    expected.created = Some(&created);
    let checks = judged(&document(&configuration, &json), &json, &expected);
    assert_eq!(Outcome::of(&checks), Outcome::Match, "{checks:?}");
}

#[test]
fn what_was_not_given_makes_the_outcome_incomplete() {
    let configuration = configuration();
    let json = serde_json::to_vec(&statement(&configuration)).unwrap();
    let document = document(&configuration, &json);
    let outcome_of = |expected: &Expected<'_>| Outcome::of(&judged(&document, &json, expected));
    assert_eq!(outcome_of(&expected(&configuration, Image::NotGiven)), Outcome::Incomplete);
    assert_eq!(outcome_of(&expected(&configuration, Image::Any)), Outcome::Match);
    let measured = measurements();
    let mut nobody = expected(&configuration, Image::Measured(&measured));
    nobody.configuration = None;
    assert_eq!(outcome_of(&nobody), Outcome::Incomplete);
    nobody.authority = Some(configuration.authority);
    assert_eq!(outcome_of(&nobody), Outcome::Match);
    // PCR0 covers the image.
    let only_pcr0 = Measurements { pcr1: None, pcr2: None, ..measurements() };
    assert_eq!(outcome_of(&expected(&configuration, Image::Measured(&only_pcr0))), Outcome::Match);
}

#[test]
fn a_development_image_passes_only_where_the_caller_says_so() {
    let configuration = configuration();
    let mut development = statement(&configuration);
    development.kms_trust = KmsTrust::Image;
    let json = serde_json::to_vec(&development).unwrap();
    let (document, measured) = (document(&configuration, &json), measurements());
    for (accepted, wanted) in [
        (Development::Refused, &["KMS trust"][..]),
        // Under AWS's root there is nothing to emulate.
        (Development::Emulated, &["KMS trust"]),
        (Development::Allowed, &[]),
    ] {
        let mut expected = expected(&configuration, Image::Measured(&measured));
        expected.development = accepted;
        assert_eq!(failing(&judged(&document, &json, &expected)), wanted, "{accepted:?}");
    }
}

#[test]
fn each_deviation_is_named() {
    type Change = fn(&mut Document);
    let cases: [(&str, Change); 10] = [
        ("nonce", |document| document.nonce = None),
        ("nonce", |document| document.nonce = Some(vec![0; 32])),
        ("age", |document| document.timestamp_ms = NOW - MAX_AGE_MS - 1),
        ("age", |document| document.timestamp_ms = NOW + FUTURE_TOLERANCE_MS + 1),
        ("PCR0", |document| _ = document.pcrs.insert(0, [9; 48])),
        ("PCR1", |document| _ = document.pcrs.insert(1, [9; 48])),
        ("PCR2", |document| _ = document.pcrs.insert(2, [9; 48])),
        ("PCR16", |document| _ = document.pcrs.insert(16, [9; 48])),
        ("PCR16", |document| _ = document.pcrs.remove(&16)),
        ("statement digest", |document| document.user_data = None),
    ];
    let (configuration, measured) = (configuration(), measurements());
    let json = serde_json::to_vec(&statement(&configuration)).unwrap();
    for (name, change) in cases {
        let mut document = document(&configuration, &json);
        change(&mut document);
        let checks = judged(&document, &json, &expected(&configuration, Image::Measured(&measured)));
        assert_eq!(failing(&checks), [name]);
        assert_eq!(Outcome::of(&checks), Outcome::Mismatch);
    }
    let mut debug = document(&configuration, &json);
    debug.pcrs.extend([(0, [0; 48]), (1, [0; 48]), (2, [0; 48])]);
    // Whoever accepts any image still gets none in debug mode.
    let checks = judged(&debug, &json, &expected(&configuration, Image::Any));
    assert_eq!(failing(&checks), ["debug mode"]);
}

#[test]
fn each_false_statement_is_named() {
    type Change = fn(&mut Statement);
    let cases: [(&str, Change); 5] = [
        ("statement", |statement| statement.format = "other".into()),
        ("boot", |statement| statement.boot_id = HexBytes([0; 16])),
        ("configuration", |statement| statement.configuration_digest = HexBytes([0; 48])),
        ("authority", |statement| statement.authority = HexBytes([0; 32])),
        ("created keyring", |statement| statement.created_keyring = None),
    ];
    let (configuration, measured, created) = (configuration(), measurements(), keyring());
    for (name, change) in cases {
        let mut statement = statement(&configuration);
        change(&mut statement);
        let json = serde_json::to_vec(&statement).unwrap();
        let mut expected = expected(&configuration, Image::Measured(&measured));
        expected.created = Some(&created);
        let checks = judged(&document(&configuration, &json), &json, &expected);
        assert_eq!(failing(&checks), [name]);
    }
}

#[test]
fn an_authority_alone_still_ties_the_statement_to_pcr16() {
    let (configuration, measured) = (configuration(), measurements());
    let mut lying = statement(&configuration);
    lying.configuration_digest = HexBytes([0; 48]);
    let json = serde_json::to_vec(&lying).unwrap();
    let mut expected = expected(&configuration, Image::Measured(&measured));
    expected.configuration = None;
    expected.authority = Some(configuration.authority);
    let checks = judged(&document(&configuration, &json), &json, &expected);
    assert_eq!(failing(&checks), ["PCR16"]);
}

#[test]
fn a_document_that_does_not_verify_ends_the_examination() {
    let configuration = configuration();
    let answer = Answer { boot_id: Some(BOOT), document: b"junk".to_vec(), statement: Some(b"{}".to_vec()) };
    let examined = Examination::of(&answer, Root::aws(), &expected(&configuration, Image::Any));
    assert_eq!(failing(&examined.checks), ["COSE envelope"]);
    assert_eq!(examined.outcome(), Outcome::Mismatch);
    assert!(examined.statement.is_none() && examined.document.is_none());
    let table = examined.table(signer_terminal::Terminal::plain().style());
    assert!(table.starts_with("FAIL  COSE envelope     expected an untagged COSE_Sign1"), "{table}");
}
