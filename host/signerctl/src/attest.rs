//! `signerctl attest`: proof of what runs.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use signer_eif::{
    examine::{Answer, Development, Examination, Expected, Image, MAX_AGE_MS, Outcome},
    options::{Nonce, RootArgs, now_ms},
};
use signer_rules::authority::AuthorityId;
use signer_terminal::{EXIT_FAILED, EXIT_USAGE, Failure, Report, Style, Terminal, http};

use crate::{cli::ServerArgs, config, measurements::MeasurementArgs};

/// Ask a running enclave for proof of what it is, and check every part of it.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    signerctl attest --url https://signer.example.com --config config.json --measurements eif.json\n\n\
    Exit status: 0 only if measurements and authority were given and everything matches; 1 if something\n\
    does not match; 2 if something could not be checked.")]
pub(crate) struct AttestArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Challenge of 16 to 64 bytes that the proof must contain; random if not given.
    #[arg(long, value_name = "HEX")]
    nonce: Option<Nonce>,
    /// The configuration that the enclave must run.
    #[arg(long, value_name = "FILE", conflicts_with = "authority")]
    config: Option<PathBuf>,
    /// The authority that the enclave must obey, under whichever configuration.
    #[arg(long, value_name = "HEX")]
    authority: Option<AuthorityId>,
    #[command(flatten)]
    measurements: MeasurementArgs,
    #[command(flatten)]
    root: RootArgs,
}

pub(crate) fn run(args: &AttestArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let server = args.server.connect()?;
    let root = args.root.read(terminal)?;
    let configuration = args.config.as_deref().map(config::read_signed).transpose()?;
    let measurements = args.measurements.read()?;
    let nonce = args.nonce.clone().map_or_else(Nonce::random, Ok)?;

    let answer = server
        .get(&nonce.attestation_path())
        .and_then(|answer| http::read::<Answer>(&answer, "GET /v1/attestation"));
    let answer = answer.map_err(|failure| failure.with_exit(EXIT_USAGE))?;
    let expected = Expected {
        now_ms: now_ms(),
        max_age_ms: MAX_AGE_MS,
        nonce: Some(nonce.as_bytes()),
        image: measurements.as_ref().map_or(Image::NotGiven, Image::Measured),
        authority: args.authority,
        configuration: configuration.as_ref(),
        configurations: &[],
        policy: None,
        keyrings: &[],
        created: None,
        development: Development::Emulated,
    };
    Ok(report(&answer, &Examination::of(&answer, root, &expected), terminal.style()))
}

fn report(answer: &Answer, examination: &Examination, style: Style) -> Report {
    let (verdict, exit) = match examination.outcome() {
        Outcome::Match => (style.good("Everything matches: this is the enclave you expect."), 0),
        Outcome::Mismatch => (style.bad("DOES NOT MATCH: do not trust this enclave."), EXIT_FAILED),
        Outcome::Incomplete => (incomplete(&examination.not_checked(), style), EXIT_USAGE),
    };
    let mut json = examination.to_json();
    json["boot_id"] = json!(answer.boot_id);
    json["not_checked"] = json!(examination.not_checked());
    Report { human: format!("{}\n\n{verdict}", examination.table(style)), json, exit }
}

fn incomplete(open: &[&str], style: Style) -> String {
    let advice = |check: &&str| match *check {
        "PCR0" => "give --measurements FILE or --pcr0 HEX",
        _ => "give --config FILE or --authority HEX",
    };
    let advice: Vec<&str> = open.iter().map(advice).collect();
    format!(
        "{} not compared: {}. To decide, {}.",
        style.caution("INCOMPLETE:"),
        open.join(", "),
        advice.join(", and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_asked_for() {
        let text = incomplete(&["PCR0", "authority"], Terminal::plain().style());
        assert!(text.contains("--measurements") && text.contains("--config"), "{text}");
    }
}
