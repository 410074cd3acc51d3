//! Boots the programs that ship, in a development image, in QEMU. `scripts/qemu` makes what it needs, and runs it.

#![allow(clippy::print_stderr, reason = "what stops it before its first step is said on standard error")]

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use signer_tests::demo::{
    Error, Report, Site,
    qemu::{self, LIMIT, Parts, Tools},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};

/// What a shell says of a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// Boots the programs that ship, in a development image, in QEMU's machine `nitro-enclave`, behind the real host, with an
/// emulated KMS whose key is for this very image. Exit status 0: every step was as it must be.
#[derive(Debug, Parser)]
#[command(name = "qemu", max_term_width = 100)]
struct Arguments {
    /// What scripts/qemu-tools made.
    #[arg(long, value_name = "FOLDER")]
    tools: PathBuf,
    /// The image's parts, as scripts/build-eif made them.
    #[arg(long, value_name = "FOLDER")]
    parts: PathBuf,
    /// One JSON object a step on standard output, for programs.
    #[arg(long)]
    json: bool,
    /// Show the signerctl commands of each step.
    #[arg(long, conflicts_with = "json")]
    verbose: bool,
    /// Keep the folder with keys, images, consoles and logs.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let (tools, parts) = (Tools::new(&arguments.tools)?, Parts::new(&arguments.parts)?);
    let (mut interrupted, mut terminated) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut site = Site::create(arguments.verbose, arguments.keep)?;
    let mut report = Report::new(arguments.json);
    report.say("The programs that ship, in a development image, in QEMU's nitro-enclave machine, emulated.");
    report.say("Emulated, too: KMS. QEMU signs no attestation document: only this KMS believes them.\n");
    let outcome = tokio::select! {
        outcome = timeout(LIMIT, qemu::run(&site, &mut report, &tools, &parts)) => outcome,
        _ = interrupted.recv() => return Ok(INTERRUPTED.into()),
        _ = terminated.recv() => return Ok(INTERRUPTED.into()),
    };
    if !matches!(outcome, Ok(Ok(()))) {
        site.keep();
        let why = if outcome.is_err() { "It took too long." } else { "A step failed." };
        eprintln!("{why} Consoles and logs are in {}", site.root().display());
        return Ok(ExitCode::FAILURE);
    }
    if site.is_kept() {
        report.say(&format!("\nKept: {}", site.root().display()));
    }
    Ok(ExitCode::SUCCESS)
}
