use super::*;
use crate::config;

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
        identity_key: HexBytes([6; 32]),
        keyrings: vec![],
        created_keyring: Some(keyring()),
        kms_trust: KmsTrust::Amazon,
        kms_policy_digest: None,
        audit_sequence: 0,
        audit_head: HexBytes([7; 32]),
    }
}

fn facts(configuration: &SignedConfiguration, statement: &[u8]) -> Facts {
    Facts {
        timestamp_ms: NOW - 1000,
        pcrs: BTreeMap::from([(0, [1; 48]), (1, [2; 48]), (2, [3; 48]), (16, configuration.pcr16())]),
        nonce: Some(NONCE.to_vec()),
        user_data: Some(statement_digest(statement).to_vec()),
    }
}

fn keyring() -> Keyring {
    Keyring { id: "default".parse().unwrap(), fingerprint: HexBytes([8; 32]) }
}

fn measurements() -> Measurements {
    Measurements { pcr0: HexBytes([1; 48]), pcr1: Some(HexBytes([2; 48])), pcr2: Some(HexBytes([3; 48])) }
}

fn expected<'a>(configuration: &'a SignedConfiguration, image: Image<'a>) -> Expected<'a> {
    let configuration = Some(configuration);
    Expected { now_ms: NOW, nonce: NONCE, image, authority: None, configuration, created: None }
}

fn configuration() -> SignedConfiguration {
    config::read_signed(&config::tests::signed_configuration().0).unwrap()
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
    let (checks, read) = judge(&facts(&configuration, &json), &json, BOOT, &expected);
    assert_eq!(outcome(&checks), Outcome::Match, "{checks:?}");
    assert_eq!(read.unwrap(), statement(&configuration));
}

#[test]
fn what_was_not_given_makes_the_outcome_incomplete() {
    let configuration = configuration();
    let json = serde_json::to_vec(&statement(&configuration)).unwrap();
    let facts = facts(&configuration, &json);
    let outcome_of = |expected: &Expected<'_>| outcome(&judge(&facts, &json, BOOT, expected).0);
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
fn a_development_image_does_not_pass_on_aws() {
    assert_eq!(check_trust(&Root::aws(), KmsTrust::Image).verdict, Verdict::Fail);
    assert_eq!(check_trust(&Root::aws(), KmsTrust::Amazon).verdict, Verdict::Pass);
}

#[test]
fn each_deviation_is_named() {
    type Change = fn(&mut Facts);
    let cases: [(&str, Change); 10] = [
        ("nonce", |facts| facts.nonce = None),
        ("nonce", |facts| facts.nonce = Some(vec![0; 32])),
        ("age", |facts| facts.timestamp_ms = NOW - MAX_AGE_MS - 1),
        ("age", |facts| facts.timestamp_ms = NOW + FUTURE_TOLERANCE_MS + 1),
        ("PCR0", |facts| _ = facts.pcrs.insert(0, [9; 48])),
        ("PCR1", |facts| _ = facts.pcrs.insert(1, [9; 48])),
        ("PCR2", |facts| _ = facts.pcrs.insert(2, [9; 48])),
        ("PCR16", |facts| _ = facts.pcrs.insert(16, [9; 48])),
        ("PCR16", |facts| _ = facts.pcrs.remove(&16)),
        ("statement digest", |facts| facts.user_data = None),
    ];
    let (configuration, measured) = (configuration(), measurements());
    let json = serde_json::to_vec(&statement(&configuration)).unwrap();
    for (name, change) in cases {
        let mut facts = facts(&configuration, &json);
        change(&mut facts);
        let (checks, _) = judge(&facts, &json, BOOT, &expected(&configuration, Image::Measured(&measured)));
        assert_eq!(failing(&checks), [name]);
        assert_eq!(outcome(&checks), Outcome::Mismatch);
    }
    let mut debug = facts(&configuration, &json);
    debug.pcrs.extend([(0, [0; 48]), (1, [0; 48]), (2, [0; 48])]);
    // Whoever accepts any image still gets none in debug mode.
    let (checks, _) = judge(&debug, &json, BOOT, &expected(&configuration, Image::Any));
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
        let (checks, _) = judge(&facts(&configuration, &json), &json, BOOT, &expected);
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
    let (checks, _) = judge(&facts(&configuration, &json), &json, BOOT, &expected);
    assert_eq!(failing(&checks), ["PCR16"]);
}

#[test]
fn a_document_that_does_not_verify_ends_the_examination() {
    let configuration = configuration();
    let answer = |document: &[u8]| Answer {
        boot_id: BOOT,
        document: STANDARD.encode(document),
        statement: STANDARD.encode("{}"),
    };
    let examined = Examination::of(&answer(b"junk"), Root::aws(), &expected(&configuration, Image::Any));
    assert_eq!(failing(&examined.checks), ["document"]);
    assert_eq!(examined.outcome(), Outcome::Mismatch);
    assert!(examined.statement.is_none());
    let table = examined.table(Terminal::plain().style());
    assert!(table.starts_with("FAIL  document          expected signed under AWS"), "{table}");
}
