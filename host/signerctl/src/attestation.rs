//! Whether an enclave's proof holds: each check with what was expected, what was found, and a verdict.

use std::{collections::BTreeMap, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use signer_eif::verify::{self, Document, FUTURE_TOLERANCE_MS, Root, pcr_after_extend, statement_digest};
use signer_rules::{
    authority::AuthorityId,
    bundle::Keyring,
    configuration::SignedConfiguration,
    hex_bytes::HexBytes,
    statement::{FORMAT, KmsTrust, Statement},
};
use signer_terminal::{Failure, Style, Terminal, clean, files};

use crate::measurements::{Measurements, Pcr};

/// The oldest document that counts as fresh.
pub(crate) const MAX_AGE_MS: u64 = 5 * 60 * 1000;

/// Whose hardware is believed.
#[derive(Args)]
pub(crate) struct RootArgs {
    /// Trust documents under this root certificate (PEM) instead of AWS's: for emulators only.
    #[arg(long = "root", value_name = "FILE")]
    root: Option<PathBuf>,
}

/// An answer that carries a proof.
#[derive(Deserialize)]
pub(crate) struct Answer {
    /// Which boot answers.
    pub(crate) boot_id: HexBytes<16>,
    /// The attestation document in base64.
    document: String,
    /// The exact bytes of the statement in base64.
    statement: String,
}

/// What the caller knows beforehand. What is not known is not checked, and the table says so.
pub(crate) struct Expected<'a> {
    pub(crate) now_ms: u64,
    pub(crate) nonce: &'a [u8],
    pub(crate) image: Image<'a>,
    pub(crate) authority: Option<AuthorityId>,
    pub(crate) configuration: Option<&'a SignedConfiguration>,
    /// The keyring that the answer says it created.
    pub(crate) created: Option<&'a Keyring>,
}

/// Which image is expected.
#[derive(Clone, Copy)]
pub(crate) enum Image<'a> {
    /// This one.
    Measured(&'a Measurements),
    /// The caller did not say: the outcome is incomplete.
    NotGiven,
    /// The caller accepts any.
    Any,
}

/// What a genuine document says.
pub(crate) struct Facts {
    timestamp_ms: u64,
    pcrs: BTreeMap<u8, [u8; 48]>,
    nonce: Option<Vec<u8>>,
    user_data: Option<Vec<u8>>,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Check {
    name: &'static str,
    expected: String,
    actual: String,
    verdict: Verdict,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Fail,
    /// It matters, and there was nothing to compare with.
    NotChecked,
    /// Shown, not judged.
    Shown,
}

/// What came of all checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything that matters was checked and holds.
    Match,
    /// Something does not hold.
    Mismatch,
    /// Nothing is wrong, and something was not checked.
    Incomplete,
}

/// All checks of one answer.
pub(crate) struct Examination {
    pub(crate) checks: Vec<Check>,
    /// What the enclave says of itself, if it could be read. Believe it only if the outcome allows.
    pub(crate) statement: Option<Statement>,
    root: Root,
}

impl RootArgs {
    /// AWS's root, or the given one with a warning that nobody can miss.
    pub(crate) fn read(&self, terminal: &Terminal) -> Result<Root, Failure> {
        let Some(path) = &self.root else { return Ok(Root::aws()) };
        let pem = String::from_utf8(files::read(path)?).unwrap_or_default();
        let root =
            Root::from_pem(&pem).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        if root != Root::aws() {
            terminal.warn(&format!(
                "NOT AWS'S ROOT: documents are believed that {} vouches for. This proves nothing about AWS \
                 hardware; use it with emulators only.",
                path.display()
            ));
        }
        Ok(root)
    }
}

impl Examination {
    /// Verifies the document, then compares it with what is expected.
    pub(crate) fn of(answer: &Answer, root: Root, expected: &Expected<'_>) -> Self {
        let (Ok(document), Ok(statement)) =
            (STANDARD.decode(&answer.document), STANDARD.decode(&answer.statement))
        else {
            let check = Check::fail("document", "base64".into(), "not base64".into());
            return Self { checks: vec![check], statement: None, root };
        };
        let expected_root =
            if root == Root::aws() { "AWS Nitro Enclaves" } else { "the given root, not AWS's" };
        let expected_root = format!("signed under {expected_root} {}", hex::encode(root.fingerprint()));
        match verify::verify(&document, &root) {
            Ok(document) => {
                let genuine = Check::pass("document", expected_root);
                let (mut rest, statement) = judge(&document.into(), &statement, answer.boot_id, expected);
                rest.extend(statement.as_ref().map(|statement| check_trust(&root, statement.kms_trust)));
                Self { checks: std::iter::once(genuine).chain(rest).collect(), statement, root }
            }
            Err(error) => {
                let check = Check::fail("document", expected_root, clean(&error.to_string()));
                Self { checks: vec![check], statement: None, root }
            }
        }
    }

    /// The verdict over all checks.
    pub(crate) fn outcome(&self) -> Outcome {
        outcome(&self.checks)
    }

    /// The names of checks that need something to compare with.
    pub(crate) fn not_checked(&self) -> Vec<&'static str> {
        let open = self.checks.iter().filter(|check| check.verdict == Verdict::NotChecked);
        open.map(|check| check.name).collect()
    }

    /// The table. Equal values are written once.
    pub(crate) fn table(&self, style: Style) -> String {
        self.checks.iter().map(|check| check.lines(style)).collect::<Vec<_>>().join("\n")
    }

    /// The same for programs.
    pub(crate) fn to_json(&self) -> Value {
        let checks: Vec<Value> = self.checks.iter().map(Check::to_json).collect();
        json!({
            "verdict": self.outcome().as_str(),
            "root": if self.root == Root::aws() { "aws" } else { "other" },
            "root_sha256": hex::encode(self.root.fingerprint()),
            "checks": checks,
            "statement": self.statement,
        })
    }
}

/// Compares a genuine document and its statement with what is expected.
fn judge(
    facts: &Facts,
    statement_bytes: &[u8],
    boot_id: HexBytes<16>,
    expected: &Expected<'_>,
) -> (Vec<Check>, Option<Statement>) {
    let mut checks = vec![
        Check::equal("nonce", hex::encode(expected.nonce), optional_hex(facts.nonce.as_deref())),
        check_age(facts.timestamp_ms, expected.now_ms),
        check_debug(&facts.pcrs),
    ];
    checks.extend(check_image(&facts.pcrs, expected.image));
    let digest = hex::encode(statement_digest(statement_bytes));
    checks.push(Check::equal("statement digest", digest, optional_hex(facts.user_data.as_deref())));
    let statement: Statement = match serde_json::from_slice(statement_bytes) {
        Ok(statement) => statement,
        Err(error) => {
            checks.push(Check::fail("statement", FORMAT.to_owned(), clean(&error.to_string())));
            return (checks, None);
        }
    };
    checks.push(Check::equal("statement", FORMAT.to_owned(), clean(&statement.format)));
    checks.push(Check::equal("boot", boot_id.to_string(), statement.boot_id.to_string()));
    checks.extend(check_authority(facts, &statement, expected));
    if let Some(created) = expected.created {
        let found = statement.created_keyring.as_ref().map_or_else(|| "none".to_owned(), keyring_text);
        checks.push(Check::equal("created keyring", keyring_text(created), found));
    }
    checks.extend(shown(&statement));
    (checks, Some(statement))
}

fn check_age(timestamp_ms: u64, now_ms: u64) -> Check {
    let expected = format!("at most {} s", MAX_AGE_MS / 1000);
    let (age, ahead) = (now_ms.saturating_sub(timestamp_ms), timestamp_ms.saturating_sub(now_ms));
    let actual = if ahead > 0 {
        format!("{}.{:03} s ahead of this machine's clock", ahead / 1000, ahead % 1000)
    } else {
        format!("{}.{:03} s", age / 1000, age % 1000)
    };
    let verdict = if age > MAX_AGE_MS || ahead > FUTURE_TOLERANCE_MS { Verdict::Fail } else { Verdict::Pass };
    Check { name: "age", expected, actual, verdict }
}

/// The hypervisor zeroes PCR0 to PCR2 in debug mode.
fn check_debug(pcrs: &BTreeMap<u8, [u8; 48]>) -> Check {
    let debug = (0..=2).any(|index| pcrs.get(&index).is_none_or(|value| *value == [0; 48]));
    let actual = if debug { "on: console and memory can be read" } else { "off" };
    Check::equal("debug mode", "off".into(), actual.into())
}

fn check_image(pcrs: &BTreeMap<u8, [u8; 48]>, image: Image<'_>) -> Vec<Check> {
    let compare = |index, name, expected: Option<Pcr>, otherwise| {
        let actual = optional_hex(pcrs.get(&index).map(<[u8; 48]>::as_slice));
        match expected {
            Some(expected) => Check::equal(name, expected.to_string(), actual),
            None => Check { name, expected: "not given".into(), actual, verdict: otherwise },
        }
    };
    let (measurements, otherwise) = match image {
        Image::Measured(measurements) => (Some(measurements), Verdict::Shown),
        Image::NotGiven => (None, Verdict::NotChecked),
        Image::Any => (None, Verdict::Shown),
    };
    // PCR0 covers the whole image: without the other two, nothing is missing.
    vec![
        compare(0, "PCR0", measurements.map(|measured| measured.pcr0), otherwise),
        compare(1, "PCR1", measurements.and_then(|measured| measured.pcr1), Verdict::Shown),
        compare(2, "PCR2", measurements.and_then(|measured| measured.pcr2), Verdict::Shown),
    ]
}

/// Whose appliance it is. PCR16 is what KMS sees, so the statement must agree with it.
fn check_authority(facts: &Facts, statement: &Statement, expected: &Expected<'_>) -> Vec<Check> {
    let digest = expected.configuration.map_or(statement.configuration_digest, |signed| signed.digest);
    let pcr16 = optional_hex(facts.pcrs.get(&16).map(<[u8; 48]>::as_slice));
    let mut checks = vec![Check::equal("PCR16", hex::encode(pcr_after_extend(&digest.0)), pcr16)];
    checks.push(match expected.configuration {
        Some(signed) => Check::equal(
            "configuration",
            signed.digest.to_string(),
            statement.configuration_digest.to_string(),
        ),
        None => Check::shown("configuration", statement.configuration_digest.to_string()),
    });
    let authority = expected.authority.or(expected.configuration.map(|signed| signed.authority));
    let actual = statement.authority.to_string();
    checks.push(match authority {
        Some(authority) => Check::equal("authority", authority.to_string(), actual),
        None => {
            Check { name: "authority", expected: "not given".into(), actual, verdict: Verdict::NotChecked }
        }
    });
    checks
}

/// Whom the enclave believes to be KMS. On AWS that is Amazon's KMS: an image with roots of its own
/// would take its keys from whoever holds those.
fn check_trust(root: &Root, trust: KmsTrust) -> Check {
    const AMAZON: &str = "Amazon's roots";
    const IMAGE: &str = "roots of its own image: a development image";
    match (trust, *root == Root::aws()) {
        (KmsTrust::Amazon, _) => Check::pass("KMS trust", AMAZON.into()),
        (KmsTrust::Image, true) => Check::fail("KMS trust", AMAZON.into(), IMAGE.into()),
        (KmsTrust::Image, false) => Check::shown("KMS trust", IMAGE.into()),
    }
}

fn shown(statement: &Statement) -> Vec<Check> {
    let mut checks = vec![
        Check::shown("policy", format!("version {}, {}", statement.policy_version, statement.policy_digest)),
        Check::shown("identity key", statement.identity_key.to_string()),
    ];
    checks.extend(statement.keyrings.iter().map(|keyring| Check::shown("keyring", keyring_text(keyring))));
    checks
}

fn outcome(checks: &[Check]) -> Outcome {
    let any = |verdict| checks.iter().any(|check| check.verdict == verdict);
    match (any(Verdict::Fail), any(Verdict::NotChecked)) {
        (true, _) => Outcome::Mismatch,
        (false, true) => Outcome::Incomplete,
        (false, false) => Outcome::Match,
    }
}

impl Check {
    fn equal(name: &'static str, expected: String, actual: String) -> Self {
        let verdict = if expected == actual { Verdict::Pass } else { Verdict::Fail };
        Self { name, expected, actual, verdict }
    }

    fn pass(name: &'static str, value: String) -> Self {
        Self::equal(name, value.clone(), value)
    }

    fn fail(name: &'static str, expected: String, actual: String) -> Self {
        Self { name, expected, actual, verdict: Verdict::Fail }
    }

    fn shown(name: &'static str, actual: String) -> Self {
        Self { name, expected: "-".into(), actual, verdict: Verdict::Shown }
    }

    fn lines(&self, style: Style) -> String {
        let name = format!("{:16}", self.name);
        match self.verdict {
            Verdict::Pass if self.expected == self.actual => {
                format!("{}    {name}  {}", style.good("ok"), self.actual)
            }
            Verdict::Pass => format!("{}    {name}  {} ({})", style.good("ok"), self.actual, self.expected),
            Verdict::Fail => format!(
                "{}  {}  expected {}\n      {:16}  actual   {}",
                style.bad("FAIL"),
                style.bad(&name),
                self.expected,
                "",
                self.actual
            ),
            Verdict::NotChecked => {
                format!("{}     {name}  {} (expected: {})", style.caution("?"), self.actual, self.expected)
            }
            Verdict::Shown => format!("-     {name}  {}", self.actual),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "check": self.name,
            "expected": self.expected,
            "actual": self.actual,
            "verdict": match self.verdict {
                Verdict::Pass => "pass",
                Verdict::Fail => "fail",
                Verdict::NotChecked => "not_checked",
                Verdict::Shown => "shown",
            },
        })
    }
}

impl Outcome {
    /// The name that programs see.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Mismatch => "mismatch",
            Self::Incomplete => "incomplete",
        }
    }
}

impl From<Document> for Facts {
    fn from(document: Document) -> Self {
        Self {
            timestamp_ms: document.timestamp_ms,
            pcrs: document.pcrs,
            nonce: document.nonce,
            user_data: document.user_data,
        }
    }
}

fn keyring_text(keyring: &Keyring) -> String {
    format!("{}={}", keyring.id, keyring.fingerprint)
}

fn optional_hex(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "none".to_owned(), hex::encode)
}

#[cfg(test)]
#[path = "attestation_tests.rs"]
mod tests;
