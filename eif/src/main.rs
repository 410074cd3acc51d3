//! `signer-eif`: builds and measures enclave images, and checks them.
//!
//! It needs no enclave, no AWS account and no Docker.

mod command;

use std::process::ExitCode;

use clap::Parser as _;
use signer_terminal::Terminal;

fn main() -> ExitCode {
    let cli = command::Cli::parse();
    let terminal = Terminal::new(cli.json);
    let result = cli.run(&terminal);
    terminal.finish(result)
}
