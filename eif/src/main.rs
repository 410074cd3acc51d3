//! `signer-eif`: builds, measures and checks what enclaves are started from.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use signer_terminal::{Failure, Report, Terminal};

/// Build, measure and check enclave images, and whoever claims to run them.
#[derive(Parser)]
#[command(name = "signer-eif", version, max_term_width = 100)]
struct Cli {
    /// Print one JSON object on standard output, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare a running enclave, or a document it made, with a published build and an authority.
    Verify(Box<command::verify::VerifyArgs>),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let terminal = Terminal::new(cli.json);
    let result = cli.run(&terminal);
    terminal.finish(result)
}

impl Cli {
    fn run(self, terminal: &Terminal) -> Result<Report, Failure> {
        match self.command {
            Command::Verify(args) => command::verify::run(&args, terminal),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_tree_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
