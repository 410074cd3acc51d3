//! `signer-eif verify`: is this the enclave that was published, under the authority that is expected?

mod given;
mod published;
mod report;

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args};
use signer_eif::{
    examine::{Answer, Examination, Pcr, parse_pcr},
    options::{Nonce, RootArgs},
    verify::Root,
};
use signer_rules::{authority::AuthorityId, bundle::Keyring, timestamp::Timestamp};
use signer_terminal::{EXIT_USAGE, Failure, Report, Terminal, clean, files, http, http::Server};

use given::Given;
use report::Claim;

const PROGRAM: &str = concat!("signer-eif/", env!("CARGO_PKG_VERSION"));

const EXAMPLES: &str = "\
Examples:
  signer-eif verify --url https://signer.example.com --manifest manifest.json \\
      --manifest-signer HEX --manifest-threshold 1 --config config.json
  signer-eif verify --document answer.json --nonce HEX --at 2026-01-31T12:00:00Z \\
      --pcr0 HEX --pcr1 HEX --pcr2 HEX --authority HEX
  signer-eif verify --document document.bin --signature-only

Exit status:
  0  measurements and authority (or configuration) were given, and everything matches; the last line says
     whose measurements they were, and if the hardware is not AWS's
  1  something does not match: do not trust this enclave
  2  could not be checked: wrong usage, no answer, a file that cannot be read, nothing to compare with,
     a manifest that nobody was named to have signed
  3  --signature-only: chain, signature, shape and mode hold, and nothing was compared";

/// Compare a running enclave, or a document it made, with a published build and an authority.
#[derive(Args)]
#[command(after_help = EXAMPLES, group(ArgGroup::new("source").required(true).args(["url", "document"])))]
pub(crate) struct VerifyArgs {
    #[arg(
        long,
        value_name = "URL",
        help = "Ask this appliance, such as https://signer.example.com, with a new nonce"
    )]
    url: Option<String>,
    /// Judge a file (- for standard input): an answer of GET /v1/attestation, or an attestation document,
    /// as it is or in base64.
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// Seconds to wait for the appliance.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    #[command(flatten)]
    image: ImageArgs,
    /// The authority that the enclave must obey, under whichever configuration.
    #[arg(long, value_name = "HEX", conflicts_with = "config")]
    authority: Option<AuthorityId>,
    /// The configuration that the enclave must run, signed by its admins.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The policy bundle that must be in force, with its keyrings, signed by the configuration's admins.
    #[arg(long, value_name = "FILE", requires = "config")]
    policy: Option<PathBuf>,
    /// A keyring that must be open. Repeatable.
    #[arg(long = "keyring", value_name = "ID=FINGERPRINT", value_parser = parse_keyring)]
    keyrings: Vec<Keyring>,
    /// The challenge that the document must contain, 16 to 64 bytes. With --url random if not given.
    #[arg(long, value_name = "HEX")]
    nonce: Option<Nonce>,
    #[command(flatten)]
    root: RootArgs,
    /// Judge the age at this time instead of this machine's clock.
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
    /// The oldest document that counts as fresh.
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    max_age: u64,
    /// Check chain, signature, shape and debug mode of any Nitro document, and compare nothing.
    #[arg(long, conflicts_with_all = ["manifest", "unsigned_manifest", "pcr0", "authority", "config", "keyrings", "nonce", "at", "max_age", "allow_development"])]
    signature_only: bool,
    /// Accept images and manifests that are for development: their keys are not AWS KMS's to guard.
    #[arg(long)]
    allow_development: bool,
}

/// The image that must run.
#[derive(Args)]
struct ImageArgs {
    /// The published manifest of the image that must run.
    #[arg(long, value_name = "FILE", conflicts_with = "pcr0")]
    manifest: Option<PathBuf>,
    /// Who may sign the manifest: a public key of 64 hexadecimal digits, or a PEM file. Repeatable.
    #[arg(long = "manifest-signer", value_name = "HEX|FILE", requires = "manifest")]
    manifest_signers: Vec<String>,
    /// How many of them must have signed it. All, if not given.
    #[arg(long, value_name = "K", requires = "manifest_signers")]
    manifest_threshold: Option<usize>,
    /// Compare with a manifest whoever signed it, if anybody did. A match then does not say that the image
    /// is a published one.
    #[arg(long, requires = "manifest", conflicts_with = "manifest_signers")]
    unsigned_manifest: bool,
    /// The image's PCR0, 96 hexadecimal digits.
    #[arg(long, value_name = "HEX", value_parser = parse_pcr, requires_all = ["pcr1", "pcr2"])]
    pcr0: Option<Pcr>,
    /// The image's PCR1.
    #[arg(long, value_name = "HEX", value_parser = parse_pcr, requires = "pcr0")]
    pcr1: Option<Pcr>,
    /// The image's PCR2.
    #[arg(long, value_name = "HEX", value_parser = parse_pcr, requires = "pcr0")]
    pcr2: Option<Pcr>,
}

/// Whatever goes wrong before there is a verdict means: not checked.
pub(crate) fn run(args: &VerifyArgs, terminal: &Terminal) -> Result<Report, Failure> {
    examine(args, terminal).map_err(|failure| failure.with_exit(EXIT_USAGE))
}

fn examine(args: &VerifyArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let root = args.root.read(terminal)?;
    let given = Given::read(args, terminal)?;
    let (answer, nonce) = ask(args)?;
    if args.signature_only {
        let examination = Examination::of_signature(&answer, root);
        return Ok(report::signature_only(&examination, terminal.style()));
    }
    let mut examination = Examination::of(&answer, root, &given.expected(args, nonce.as_ref()));
    examination.checks.splice(0..0, given.manifest_checks(args.allow_development));
    let claim = Claim { measurements: given.source(), is_aws: root == Root::aws() };
    Ok(report::full(&answer, &examination, claim, terminal.style()))
}

/// The answer, and the nonce that it must contain.
fn ask(args: &VerifyArgs) -> Result<(Answer, Option<Nonce>), Failure> {
    if let Some(url) = &args.url {
        let server = Server::new(url, Duration::from_secs(args.timeout), PROGRAM)?;
        let nonce = args.nonce.clone().map_or_else(Nonce::random, Ok)?;
        let answer = server.get(&nonce.attestation_path())?;
        return Ok((http::read(&answer, "GET /v1/attestation")?, Some(nonce)));
    }
    let Some(path) = &args.document else { return Err(Failure::usage("give --url or --document")) };
    let answer = Answer::from_bytes(&files::read_or_stdin(path)?)
        .map_err(|error| Failure::new(format!("{}: {}", path.display(), clean(&error.to_string()))))?;
    Ok((answer, args.nonce.clone()))
}

fn parse_keyring(text: &str) -> Result<Keyring, String> {
    let (id, fingerprint) = text.split_once('=').ok_or("write ID=FINGERPRINT")?;
    let id = id.parse().map_err(|error| format!("{id}: {error}"))?;
    let fingerprint = fingerprint.parse().map_err(|error| format!("{fingerprint}: {error}"))?;
    Ok(Keyring { id, fingerprint })
}
