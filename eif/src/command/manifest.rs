//! `signer-eif manifest`: statements about images.

mod create;
mod verify;

use clap::Subcommand;
use serde_json::{Value, json};
use signer_eif::manifest::{Manifest, PAYLOAD_TYPE};
use signer_rules::dsse::Envelope;
use signer_terminal::{
    Failure, Report, Terminal, clean,
    envelope::{EnvelopeFile, SignArgs},
    fields,
    keys::{self, AdminSecret},
};

/// State what an image is and how it was built, sign that, and check who signed it.
#[derive(Subcommand)]
pub(crate) enum ManifestCommand {
    /// Write a manifest of an image that nobody has signed yet.
    Create(create::CreateArgs),
    /// Add a signature to a manifest, with a key that signerctl keygen made.
    #[command(after_help = "Example:\n  signer-eif manifest sign manifest.json --key release-1.pem\n\n\
        Build the image yourself and compare it (manifest verify --image) before you sign.")]
    Sign(SignArgs),
    /// Check who signed a manifest, and compare it with an image.
    Verify(verify::VerifyArgs),
}

pub(crate) fn run(command: &ManifestCommand, terminal: &Terminal) -> Result<Report, Failure> {
    match command {
        ManifestCommand::Create(args) => create::run(args),
        ManifestCommand::Sign(args) => sign(args),
        ManifestCommand::Verify(args) => verify::run(args, terminal),
    }
}

fn sign(args: &SignArgs) -> Result<Report, Failure> {
    let mut file = EnvelopeFile::read(&args.file, PAYLOAD_TYPE)?;
    // Nobody signs what no verifier would read.
    let manifest = unverified(&args.file, file.envelope())?;
    let key = AdminSecret::read(&args.key)?;
    file.sign(&key)?;
    let public = keys::public_hex(&key.public());
    let mut rows = vec![("signed", args.file.display().to_string()), ("with key", public.clone())];
    rows.extend(rows_of(&manifest));
    let json = json!({
        "file": args.file.display().to_string(), "public_key": public,
        "signatures": file.envelope().signature_count(), "manifest": json_of(&manifest),
    });
    Ok(Report::new(fields(&rows), json))
}

/// What the manifest in an envelope says; who signed it is another question.
fn unverified(path: &std::path::Path, envelope: &Envelope) -> Result<Manifest, Failure> {
    Manifest::unverified(envelope).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// A manifest for people.
fn rows_of(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("kind", manifest.kind.as_str().to_owned()),
        ("PCR0", manifest.pcrs.pcr0.to_string()),
        ("PCR1", manifest.pcrs.pcr1.to_string()),
        ("PCR2", manifest.pcrs.pcr2.to_string()),
    ];
    rows.extend(manifest.pcrs.pcr8.map(|pcr8| ("PCR8", pcr8.to_string())));
    rows.extend([
        ("image SHA-256", manifest.image.sha256.to_string()),
        ("size", format!("{} bytes", manifest.image.size)),
        ("command line", clean(&manifest.command_line)),
        ("source commit", manifest.source_commit.clone()),
        ("toolchain", clean(&manifest.toolchain)),
        ("built by", clean(&manifest.build_command)),
    ]);
    rows.extend(manifest.nitro_cli.iter().map(|version| ("nitro-cli", clean(version))));
    rows.push(("inputs", manifest.inputs.len().to_string()));
    rows.extend(manifest.configurations.iter().map(|digest| ("configuration", digest.to_string())));
    rows
}

/// A manifest for programs.
fn json_of(manifest: &Manifest) -> Value {
    json!(manifest)
}
