//! Whether an enclave's proof holds: each rule with what was expected, what was found, and a verdict.
//!
//! [`verify`](crate::verify) says whether a document is genuine and compares one thing at a time. Here is the judge that
//! `signerctl` and `signer-eif` share: it takes everything that the caller knows beforehand, judges all of it, and leaves
//! no rule out in silence. What could not be compared is [`Verdict::NotChecked`], and then the outcome is never
//! [`Outcome::Match`].

mod answer;
mod check;
mod genuine;
mod judge;
mod measurements;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use signer_rules::{
    authority::AuthorityId,
    bundle::{Keyring, SignedBundle},
    configuration::SignedConfiguration,
    hex_bytes::HexBytes,
    statement::Statement,
};
use signer_terminal::Style;

pub use answer::{Answer, AnswerError, MAX_ANSWER};
pub use check::{Check, Outcome, Verdict};
pub use measurements::{Measurements, MeasurementsError, Pcr, parse_pcr};

use crate::verify::{Document, Root};

/// The age, in milliseconds, up to which a document counts as fresh unless the caller says otherwise.
pub const MAX_AGE_MS: u64 = 5 * 60 * 1000;

/// What the caller knows beforehand. What is not known is not checked, and the table says so.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The caller's clock, in milliseconds since 1970.
    pub now_ms: u64,
    /// The oldest document that counts as fresh, in milliseconds.
    pub max_age_ms: u64,
    /// The challenge that was sent. Without one only the age speaks for freshness.
    pub nonce: Option<&'a [u8]>,
    /// The image.
    pub image: Image<'a>,
    /// The authority, under whichever configuration.
    pub authority: Option<AuthorityId>,
    /// The configuration, and so the authority.
    pub configuration: Option<&'a SignedConfiguration>,
    /// Digests of configurations, one of which must be in force. If there are none, any may be.
    pub configurations: &'a [HexBytes<48>],
    /// The policy bundle that must be in force, and so its keyrings.
    pub policy: Option<&'a SignedBundle>,
    /// Keyrings that must be open.
    pub keyrings: &'a [Keyring],
    /// The keyring that the answer says it created.
    pub created: Option<&'a Keyring>,
    /// What to say of an image that brings its own idea of KMS.
    pub development: Development,
}

/// Which image is expected.
#[derive(Clone, Copy)]
pub enum Image<'a> {
    /// This one.
    Measured(&'a Measurements),
    /// The caller did not say: the outcome is incomplete.
    NotGiven,
    /// The caller accepts any.
    Any,
}

/// Whether a development image is accepted: one that takes its keys from whoever holds the roots in its ramdisk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Development {
    /// Never.
    Refused,
    /// If the hardware is not AWS's either.
    Emulated,
    /// Always: the caller asked for it.
    Allowed,
}

/// All checks of one answer.
pub struct Examination {
    /// In the order of the table.
    pub checks: Vec<Check>,
    /// What the enclave says of itself, if it could be read. Believe it only if the outcome allows.
    pub statement: Option<Statement>,
    /// The document, if it is genuine.
    pub document: Option<Document>,
    root: Root,
}

impl Examination {
    /// Verifies the document, then compares it and its statement with what is expected.
    pub fn of(answer: &Answer, root: Root, expected: &Expected<'_>) -> Self {
        let (mut checks, document) = genuine::check(&answer.document, &root);
        let statement = document.as_ref().and_then(|document| {
            let (judged, statement) = judge::judge(document, answer, &root, expected);
            checks.extend(judged);
            statement
        });
        Self { checks, statement, document, root }
    }

    /// Verifies the document and its mode, as far as that goes for an enclave of anyone, and compares it with nothing.
    pub fn of_signature(answer: &Answer, root: Root) -> Self {
        let (mut checks, document) = genuine::check(&answer.document, &root);
        if let Some(document) = &document {
            checks.push(judge::debug_mode(document));
            checks.extend(judge::nothing_compared(document));
        }
        Self { checks, statement: None, document, root }
    }

    /// The verdict over all checks.
    pub fn outcome(&self) -> Outcome {
        Outcome::of(&self.checks)
    }

    /// The names of checks that need something to compare with.
    pub fn not_checked(&self) -> Vec<&'static str> {
        let open = self.checks.iter().filter(|check| check.verdict == Verdict::NotChecked);
        open.map(|check| check.name).collect()
    }

    /// The table. Equal values are written once.
    pub fn table(&self, style: Style) -> String {
        self.checks.iter().map(|check| check.lines(style)).collect::<Vec<_>>().join("\n")
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
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
