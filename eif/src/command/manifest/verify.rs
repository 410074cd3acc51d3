//! `signer-eif manifest verify`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use signer_eif::{
    contents::Kind,
    manifest::{Comparison, Manifest, PAYLOAD_TYPE},
};
use signer_rules::authority::AdminKey;
use signer_terminal::{
    EXIT_FAILED, Failure, Report, Style, Terminal, clean,
    envelope::{EnvelopeFile, Signatures},
    fields, keys,
};

use super::{json_of, rows_of, unverified};
use crate::command::measure;

const EXAMPLES: &str = "\
Example:
  signer-eif manifest verify --manifest manifest.json --signer release-1.pub.pem --signer HEX \\
      --threshold 2 --image nitro-signer.eif

Exit status: 0 if enough of the signers signed and the image, if it was given, is the one that they mean;
1 otherwise. A manifest says what an image is; signer-eif verify says what a fleet runs.";

/// Check a manifest.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    /// The manifest.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Whom you trust to sign: 64 hexadecimal digits, or a PEM file with a public key. Repeatable.
    #[arg(long = "signer", value_name = "PUBLIC-KEY", required = true)]
    signers: Vec<String>,
    /// How many of them must have signed. All, if not given.
    #[arg(long, value_name = "NUMBER")]
    threshold: Option<usize>,
    /// An image to compare with the manifest.
    #[arg(long, value_name = "IMAGE.eif")]
    image: Option<PathBuf>,
}

pub(super) fn run(args: &VerifyArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let file = EnvelopeFile::read(&args.manifest, PAYLOAD_TYPE)?;
    let (signers, threshold) = signers(args)?;
    let manifest = unverified(&args.manifest, file.envelope())?;
    let signatures = Signatures::of(file.envelope(), PAYLOAD_TYPE, &signers, threshold);
    // The judge is the library; the list above is for reading.
    let verified = Manifest::verify(file.envelope(), &signers, threshold).is_ok_and(|v| v == manifest);
    let comparisons = match &args.image {
        None => Vec::new(),
        Some(path) => manifest
            .compare(&measure::read(path)?)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?,
    };
    let outcome = Outcome { manifest, signatures, verified, comparisons };
    Ok(outcome.report(terminal.style()))
}

/// The keys, each once, and how many of them must have signed.
fn signers(args: &VerifyArgs) -> Result<(Vec<AdminKey>, usize), Failure> {
    let mut signers: Vec<AdminKey> = Vec::new();
    for text in &args.signers {
        let key = keys::read_public(text)?;
        if !signers.contains(&key) {
            signers.push(key);
        }
    }
    let threshold = args.threshold.unwrap_or(signers.len());
    if !(1..=signers.len()).contains(&threshold) {
        return Err(Failure::usage(format!(
            "--threshold {threshold} of {} distinct signers cannot be met",
            signers.len()
        ))
        .hint("write a number from 1 to that of the signers"));
    }
    Ok((signers, threshold))
}

struct Outcome {
    manifest: Manifest,
    signatures: Signatures,
    verified: bool,
    comparisons: Vec<Comparison>,
}

impl Outcome {
    fn holds(&self) -> bool {
        self.verified && self.comparisons.iter().all(Comparison::holds)
    }

    fn report(&self, style: Style) -> Report {
        let exit = if self.holds() { 0 } else { EXIT_FAILED };
        Report { human: self.human(style), json: self.json(), exit }
    }

    fn human(&self, style: Style) -> String {
        let mut parts = Vec::new();
        if self.verified {
            parts.push(fields(&rows_of(&self.manifest)));
        }
        let count = self.signatures.summary(style);
        parts.push(format!("signatures: {count}\n{}", self.signatures.lines(style)));
        if !self.comparisons.is_empty() {
            let lines: Vec<String> = self.comparisons.iter().map(|row| line(row, style)).collect();
            parts.push(format!("compared with the image:\n{}", lines.join("\n")));
        }
        parts.push(self.verdict(style));
        parts.join("\n\n")
    }

    fn verdict(&self, style: Style) -> String {
        if !self.verified {
            return style.bad("NOT signed by enough of the signers: believe nothing in it");
        }
        if !self.holds() {
            return style.bad("The image is NOT the one that the manifest means");
        }
        let of_what =
            if self.comparisons.is_empty() { "the manifest is signed" } else { "manifest and image agree" };
        match self.manifest.kind {
            Kind::Production => style.good(of_what),
            Kind::Development => style.caution(&format!("{of_what}; it is a DEVELOPMENT image")),
        }
    }

    fn json(&self) -> Value {
        let comparisons: Vec<Value> = self
            .comparisons
            .iter()
            .map(|row| {
                json!({
                    "name": row.name, "expected": row.expected, "actual": row.actual,
                    "verdict": if row.holds() { "pass" } else { "fail" },
                })
            })
            .collect();
        json!({
            "verdict": if self.holds() { "pass" } else { "fail" },
            "signatures": self.signatures.to_json(),
            "signed": self.verified,
            "manifest": if self.verified { json_of(&self.manifest) } else { Value::Null },
            "image": comparisons,
        })
    }
}

fn line(row: &Comparison, style: Style) -> String {
    let (expected, actual) = (clean(&row.expected), clean(&row.actual));
    if row.holds() {
        return format!("  {}  {:12}  {actual}", style.good("ok"), row.name);
    }
    format!("  {}  {:12}  expected {expected}\n  {:12}      actual   {actual}", style.bad("NO"), row.name, "")
}
