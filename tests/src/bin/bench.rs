//! `scripts/bench`: what a signature costs, and where.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a report, and its progress")]

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use signer_tests::bench::{self, Kind, Options, Report};

/// Measures what a signature costs: bare, in the enclave's service, over its Unix socket, over HTTP.
///
/// Everything is measured in one run on this machine, so compare ratios, not times. Exit codes: 0
/// measured; 1 an answer was no signature, or nothing could be measured; 2 a mistake in the flags.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Flags {
    /// One JSON document on standard output instead of a table
    #[arg(long)]
    json: bool,
    /// How long each of about ten stages is measured, for each kind
    #[arg(long, value_name = "N", default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// What to sign: evm.transaction, solana.transaction or both
    #[arg(long, value_name = "KIND", default_value = "both", value_parser = kinds)]
    kind: Kinds,
}

/// Which kinds are measured.
#[derive(Clone, Debug)]
struct Kinds(Vec<Kind>);

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    if cfg!(debug_assertions) {
        eprintln!("bench: built without optimisation: these figures mean nothing (use scripts/bench)");
    }
    let options = Options { seconds: flags.seconds, kinds: flags.kind.0 };
    let report = match bench::run(&options, |stage| eprintln!("bench: {stage}")).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::FAILURE;
        }
    };
    show(&report, flags.json);
    for stage in report.stages.iter().filter(|stage| stage.errors > 0 || stage.verified == 0) {
        let first = stage.first_error.as_deref().unwrap_or("no signature was verified");
        eprintln!("bench: {} {}: {} errors, the first: {first}", stage.kind, stage.name, stage.errors);
    }
    if report.errors() == 0 && report.is_verified() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(report: &Report, json: bool) {
    if json {
        println!("{}", serde_json::to_string_pretty(report).expect("numbers and texts"));
    } else {
        print!("{}", report.table());
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.1..=600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "write a number from 0.1 to 600".to_owned())
}

fn kinds(text: &str) -> Result<Kinds, String> {
    match text {
        "both" => Ok(Kinds(Kind::ALL.to_vec())),
        one => one.parse().map(|kind| Kinds(vec![kind])).map_err(|error: String| format!("{error}, or both")),
    }
}
