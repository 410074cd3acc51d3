//! `signerctl attest`: proof of what runs.

use std::{path::PathBuf, time::SystemTime};

use clap::Args;
use serde_json::json;
use signer_rules::authority::AuthorityId;
use signer_terminal::{EXIT_FAILED, EXIT_USAGE, Failure, Report, Style, Terminal, http};

use crate::{
    attestation::{Answer, Examination, Expected, Image, Outcome, RootArgs},
    cli::ServerArgs,
    config,
    measurements::MeasurementArgs,
};

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
    #[arg(long, value_name = "HEX", value_parser = parse_nonce)]
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

#[derive(Clone)]
struct Nonce(Vec<u8>);

pub(crate) fn run(args: &AttestArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let server = args.server.connect()?;
    let root = args.root.read(terminal)?;
    let configuration = args.config.as_deref().map(config::read_signed).transpose()?;
    let measurements = args.measurements.read()?;
    let nonce = args.nonce.clone().map_or_else(random_nonce, Ok)?;

    let path = format!("/v1/attestation?nonce={}", hex::encode(&nonce.0));
    let answer = server.get(&path).and_then(|answer| http::read::<Answer>(&answer, "GET /v1/attestation"));
    let answer = answer.map_err(|failure| failure.with_exit(EXIT_USAGE))?;
    let expected = Expected {
        now_ms: now_ms(),
        nonce: &nonce.0,
        image: measurements.as_ref().map_or(Image::NotGiven, Image::Measured),
        authority: args.authority,
        configuration: configuration.as_ref(),
        created: None,
    };
    Ok(report(&answer, &Examination::of(&answer, root, &expected), terminal.style()))
}

/// Milliseconds since 1970 by this machine's clock.
pub(crate) fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
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

fn random_nonce() -> Result<Nonce, Failure> {
    let mut nonce = vec![0; 32];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Failure::new("the system gives no randomness"))?;
    Ok(Nonce(nonce))
}

fn parse_nonce(text: &str) -> Result<Nonce, &'static str> {
    match hex::decode(text) {
        Ok(nonce) if (16..=64).contains(&nonce.len()) => Ok(Nonce(nonce)),
        _ => Err("write 16 to 64 bytes as hexadecimal digits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_have_16_to_64_bytes() {
        assert!(parse_nonce(&"ab".repeat(16)).is_ok() && parse_nonce(&"ab".repeat(64)).is_ok());
        for text in ["ab".repeat(15), "ab".repeat(65), "xy".repeat(20), String::new()] {
            assert!(parse_nonce(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_asked_for() {
        let text = incomplete(&["PCR0", "authority"], Terminal::plain().style());
        assert!(text.contains("--measurements") && text.contains("--config"), "{text}");
    }
}
