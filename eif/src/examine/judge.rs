//! Whether a genuine document, and the statement it vouches for, are what the caller wants.

use signer_rules::{
    authority::AdminKey,
    bundle::Keyring,
    statement::{FORMAT, KmsTrust, Statement},
    timestamp::Timestamp,
};

use super::{Answer, Check, Development, Expected, Image, Pcr, Verdict};
use crate::verify::{Document, FUTURE_TOLERANCE_MS, Root, pcr_after_extend, statement_digest};

/// Extended with the configuration, then locked, by the enclave itself.
const CONFIGURATION_PCR: u8 = 16;

/// PCRs of the machine: nothing here knows what they should be.
const MACHINE_PCRS: [(u8, &str); 2] = [(3, "PCR3 (role)"), (4, "PCR4 (instance)")];

/// Compares a genuine document and its statement with what is expected.
pub(super) fn judge(
    document: &Document,
    answer: &Answer,
    root: &Root,
    expected: &Expected<'_>,
) -> (Vec<Check>, Option<Statement>) {
    let mut checks = vec![nonce(document, expected.nonce), age(document, expected), debug_mode(document)];
    checks.extend(image(document, expected.image));
    checks.extend(MACHINE_PCRS.iter().filter_map(|&(index, name)| if_set(document, index, name)));
    let Some(bytes) = &answer.statement else {
        checks.extend(without_statement(document, expected));
        return (checks, None);
    };
    let digest = hex::encode(statement_digest(bytes));
    checks.push(Check::equal("statement digest", digest, optional_hex(document.user_data.as_deref())));
    let statement = match read_statement(bytes) {
        Ok(statement) => statement,
        Err(check) => {
            checks.push(check);
            return (checks, None);
        }
    };
    checks.push(Check::pass("statement", FORMAT));
    if let Some(boot_id) = answer.boot_id {
        checks.push(Check::equal("boot", boot_id.to_string(), statement.boot_id.to_string()));
    }
    checks.extend(authority(document, &statement, expected));
    checks.push(trust(root, statement.kms_trust, expected.development));
    checks.push(identity_key(&statement));
    checks.extend(policy(&statement, expected));
    if let Some(created) = expected.created {
        let found = statement.created_keyring.as_ref().map_or_else(|| "none".to_owned(), keyring_text);
        checks.push(Check::equal("created keyring", keyring_text(created), found));
    }
    (checks, Some(statement))
}

/// The hypervisor zeroes PCR0 to PCR2 in debug mode.
pub(super) fn debug_mode(document: &Document) -> Check {
    let debug = document.check_not_debug().is_err();
    let actual = if debug { "on: console and memory can be read" } else { "off" };
    Check::equal("debug mode", "off", actual)
}

/// What `--signature-only` leaves open, said one by one.
pub(super) fn nothing_compared(document: &Document) -> Vec<Check> {
    let made = Timestamp::from_millis(document.timestamp_ms);
    let mut rows =
        vec![open("nonce", optional_hex(document.nonce.as_deref())), open("age", format!("made at {made}"))];
    for (index, name) in [(0, "PCR0"), (1, "PCR1"), (2, "PCR2"), (CONFIGURATION_PCR, "PCR16")] {
        rows.push(open(name, pcr_hex(document, index)));
    }
    rows.push(open("statement", optional_hex(document.user_data.as_deref())));
    rows.push(open("authority", "unknown".to_owned()));
    rows
}

fn open(name: &'static str, actual: String) -> Check {
    Check::not_checked(name, "not compared", actual)
}

fn nonce(document: &Document, expected: Option<&[u8]>) -> Check {
    let actual = optional_hex(document.nonce.as_deref());
    match expected {
        Some(nonce) => Check::equal("nonce", hex::encode(nonce), actual),
        None => Check::shown("nonce", format!("{actual} (nobody says which was sent)")),
    }
}

fn age(document: &Document, expected: &Expected<'_>) -> Check {
    let (made, now) = (document.timestamp_ms, expected.now_ms);
    let (age, ahead) = (now.saturating_sub(made), made.saturating_sub(now));
    let actual = if ahead > 0 {
        format!("{} ahead of the clock", seconds(ahead))
    } else {
        format!("{}, made at {}", seconds(age), Timestamp::from_millis(made))
    };
    let fresh = document.check_age(now, expected.max_age_ms).is_ok();
    let verdict = if fresh { Verdict::Pass } else { Verdict::Fail };
    let most = format!("at most {}, or {} ahead", seconds(expected.max_age_ms), seconds(FUTURE_TOLERANCE_MS));
    Check::new("age", most, actual, verdict)
}

fn seconds(ms: u64) -> String {
    match ms % 1000 {
        0 => format!("{} s", ms / 1000),
        rest => format!("{}.{rest:03} s", ms / 1000),
    }
}

fn image(document: &Document, image: Image<'_>) -> Vec<Check> {
    let compare = |index, name, expected: Option<Pcr>, otherwise| {
        let actual = pcr_hex(document, index);
        match expected {
            Some(expected) => Check::equal(name, expected.to_string(), actual),
            None => Check::new(name, "not given", actual, otherwise),
        }
    };
    let (measurements, otherwise) = match image {
        Image::Measured(measurements) => (Some(measurements), Verdict::Shown),
        Image::NotGiven => (None, Verdict::NotChecked),
        Image::Any => (None, Verdict::Shown),
    };
    // PCR0 covers the whole image: without the others, nothing is missing.
    let mut checks = vec![
        compare(0, "PCR0", measurements.map(|measured| measured.pcr0), otherwise),
        compare(1, "PCR1", measurements.and_then(|measured| measured.pcr1), Verdict::Shown),
        compare(2, "PCR2", measurements.and_then(|measured| measured.pcr2), Verdict::Shown),
    ];
    checks.extend(match measurements.and_then(|measured| measured.pcr8) {
        Some(expected) => Some(compare(8, "PCR8", Some(expected), Verdict::Shown)),
        None => if_set(document, 8, "PCR8"),
    });
    checks
}

fn if_set(document: &Document, index: u8, name: &'static str) -> Option<Check> {
    let value = document.pcrs.get(&index)?;
    (*value != [0; 48]).then(|| Check::shown(name, hex::encode(value)))
}

/// A document alone: PCR16 still ties it to a configuration, but nobody says who else is behind it.
fn without_statement(document: &Document, expected: &Expected<'_>) -> Vec<Check> {
    let actual = pcr_hex(document, CONFIGURATION_PCR);
    let pcr16 = match expected.configuration {
        Some(signed) => Check::equal("PCR16", hex::encode(signed.pcr16()), actual),
        None => Check::not_checked("PCR16", "a configuration's", actual),
    };
    let digest = optional_hex(document.user_data.as_deref());
    let whose = expected.authority.or(expected.configuration.map(|signed| signed.authority));
    let whose = whose.map_or_else(|| "not given".to_owned(), |authority| authority.to_string());
    vec![
        pcr16,
        Check::not_checked("statement digest", "a statement's", digest),
        Check::not_checked("authority", whose, "there is no statement"),
    ]
}

fn read_statement(bytes: &[u8]) -> Result<Statement, Check> {
    let refused = |actual: &str| Check::fail("statement", FORMAT, actual);
    let statement: Statement = serde_json::from_slice(bytes).map_err(|error| refused(&error.to_string()))?;
    if statement.format == FORMAT { Ok(statement) } else { Err(refused(&statement.format)) }
}

/// Whose appliance it is. PCR16 is what KMS sees, so the statement must agree with it.
fn authority(document: &Document, statement: &Statement, expected: &Expected<'_>) -> Vec<Check> {
    let digest = expected.configuration.map_or(statement.configuration_digest, |signed| signed.digest);
    let pcr16 = pcr_hex(document, CONFIGURATION_PCR);
    let mut checks = vec![Check::equal("PCR16", hex::encode(pcr_after_extend(&digest.0)), pcr16)];
    let actual = statement.configuration_digest.to_string();
    checks.push(match expected.configuration {
        Some(signed) => Check::equal("configuration", signed.digest.to_string(), actual),
        None => Check::shown("configuration", actual),
    });
    if !expected.configurations.is_empty() {
        let listed = expected.configurations.contains(&statement.configuration_digest);
        let verdict = if listed { Verdict::Pass } else { Verdict::Fail };
        let all: Vec<String> = expected.configurations.iter().map(ToString::to_string).collect();
        let (one_of, actual) =
            (format!("one of {}", all.join(", ")), statement.configuration_digest.to_string());
        checks.push(Check::new("accepted config", one_of, actual, verdict));
    }
    let authority = expected.authority.or(expected.configuration.map(|signed| signed.authority));
    let actual = statement.authority.to_string();
    checks.push(match authority {
        Some(authority) => Check::equal("authority", authority.to_string(), actual),
        None => Check::not_checked("authority", "not given", actual),
    });
    checks
}

/// Whom the enclave believes to be KMS. On AWS that is Amazon's KMS: an image with roots of its own
/// would take its keys from whoever holds those.
fn trust(root: &Root, trust: KmsTrust, development: Development) -> Check {
    const AMAZON: &str = "Amazon's roots";
    const IMAGE: &str = "roots of its own image: a development image";
    let accepted = match development {
        Development::Refused => false,
        Development::Emulated => *root != Root::aws(),
        Development::Allowed => true,
    };
    match (trust, accepted) {
        (KmsTrust::Amazon, _) => Check::pass("KMS trust", AMAZON),
        (KmsTrust::Image, false) => Check::fail("KMS trust", AMAZON, IMAGE),
        (KmsTrust::Image, true) => Check::shown("KMS trust", IMAGE),
    }
}

/// The key is new at each boot, so there is nothing to compare it with; but it must be one.
fn identity_key(statement: &Statement) -> Check {
    let shown = statement.identity_key.to_string();
    let key: Result<AdminKey, _> = serde_json::from_value(shown.clone().into());
    let verdict = if key.is_ok() { Verdict::Pass } else { Verdict::Fail };
    Check::new("identity key", "an Ed25519 public key of this boot", shown, verdict)
}

fn policy(statement: &Statement, expected: &Expected<'_>) -> Vec<Check> {
    let text = |version, digest| format!("version {version}, {digest}");
    let actual = text(statement.policy_version, statement.policy_digest);
    let mut checks = vec![match expected.policy {
        Some(signed) => Check::equal("policy", text(signed.bundle.version, signed.digest), actual),
        None => Check::shown("policy", actual),
    }];
    let from_policy = expected.policy.map_or(&[][..], |signed| &signed.bundle.keyrings);
    let wanted: Vec<&Keyring> = from_policy.iter().chain(expected.keyrings).collect();
    for keyring in &wanted {
        let open = statement.keyrings.iter().find(|found| found.id == keyring.id);
        let found = open.map_or_else(|| "not open".to_owned(), keyring_text);
        checks.push(Check::equal("keyring", keyring_text(keyring), found));
    }
    for keyring in &statement.keyrings {
        if wanted.iter().any(|wanted| wanted.id == keyring.id) {
            continue;
        }
        checks.push(match expected.policy {
            Some(_) => Check::fail("keyring", "only the policy's", keyring_text(keyring)),
            None => Check::shown("keyring", keyring_text(keyring)),
        });
    }
    checks
}

fn keyring_text(keyring: &Keyring) -> String {
    format!("{}={}", keyring.id, keyring.fingerprint)
}

fn pcr_hex(document: &Document, index: u8) -> String {
    optional_hex(document.pcrs.get(&index).map(<[u8; 48]>::as_slice))
}

fn optional_hex(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "none".to_owned(), hex::encode)
}
