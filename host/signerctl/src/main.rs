//! `signerctl`: the command line of those who run and audit an appliance.
//!
//! Everything it believes is checked here, on the operator's machine: signatures against the admins'
//! keys, attestation documents against AWS's root. What a server says beyond that is only shown.

mod approve;
mod attest;
mod audit;
mod cli;
mod client;
mod config;
mod explain;
mod keygen;
mod keyring;
mod kms_policy;
mod measurements;
mod policy;
mod session;
mod sign;
mod status;
mod wallet;

use std::process::ExitCode;

use clap::Parser as _;
use signer_terminal::Terminal;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let terminal = Terminal::new(cli.json);
    let result = cli.run(&terminal);
    terminal.finish(result)
}
