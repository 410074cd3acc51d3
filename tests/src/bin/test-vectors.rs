//! Runs published cases through what signs here. `scripts/test-vectors` fetches them and builds this.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use serde_json::json;
use signer_tests::vectors::{self, Error, Tally};

/// Runs published cases through the parsers and verifiers. Exit status 0: every case came out as expected.
#[derive(Debug, Parser)]
#[command(name = "test-vectors", max_term_width = 100)]
struct Arguments {
    /// The folder that scripts/test-vectors made.
    cases: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<ExitCode, Error> {
    let arguments = Arguments::parse();
    let mut out = io::stdout().lock();
    let mut tallies = Vec::new();
    for tally in vectors::run(&arguments.cases) {
        let tally = tally?;
        if !arguments.json {
            writeln!(out, "{}", tally.text())?;
        }
        tallies.push(tally);
    }
    let passed = tallies.iter().all(Tally::passed);
    let sum = |prefix: &str, of: fn(&Tally) -> usize| -> usize {
        tallies.iter().filter(|tally| tally.name().starts_with(prefix)).map(of).sum()
    };
    let (cases, accepted) = (sum("", Tally::cases), sum("", Tally::accepted));
    if arguments.json {
        let suites: Vec<_> = tallies.iter().map(Tally::json).collect();
        let whole = json!({"ok": passed, "cases": cases, "accepted": accepted, "suites": suites});
        writeln!(out, "{whole:#}")?;
    } else {
        let transactions = ["ethers transactions", "ethers typed-transactions"];
        let [of, signed] = [Tally::cases as fn(&Tally) -> usize, Tally::accepted]
            .map(|of| transactions.iter().map(|prefix| sum(prefix, of)).sum::<usize>());
        writeln!(out, "\n{accepted} of {cases} cases are as published")?;
        writeln!(out, "{signed} of {of} of ethers' transactions, each as bytes and as fields")?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
