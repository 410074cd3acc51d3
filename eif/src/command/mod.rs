//! The tree of commands.

mod build;
mod manifest;
mod measure;
mod verify;

use clap::{Parser, Subcommand};
use signer_terminal::{Failure, Report, Terminal};

const FIRST_STEPS: &str = "\
First steps:
  signer-eif build --kernel bzImage --init signer-init --module nsm.ko --enclave signer-enclave \\
      --output nitro-signer.eif
  signer-eif measure nitro-signer.eif --json > eif.json
  signerctl kms-policy --measurements eif.json ...
  signer-eif manifest create --image nitro-signer.eif --commit COMMIT --toolchain \"$(rustc --version)\" \\
      --build-command scripts/build-eif --output manifest.json
  signer-eif manifest sign manifest.json --key release-1.pem
  signer-eif verify --url https://signer.example.com --manifest manifest.json ...

Exit status: 0 done and every check held; 1 failed, or a check did not hold; 2 wrong usage, or (verify)
something could not be checked; 3 verify --signature-only.";

/// Build, measure and check the images of Nitro Signer enclaves.
#[derive(Parser)]
#[command(name = "signer-eif", version, after_help = FIRST_STEPS, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print one JSON object on standard output, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build an image from a kernel, an init and the enclave's program. The same inputs give the same file.
    Build(Box<build::BuildArgs>),
    /// Show what an image measures (PCR0, 1, 2, 8), what it is made of, and whether it is intact.
    Measure(measure::MeasureArgs),
    /// State what an image is and how it was built, sign that, and check who signed it.
    #[command(subcommand)]
    Manifest(Box<manifest::ManifestCommand>),
    /// Compare a running enclave, or a document it made, with a published build and an authority.
    Verify(Box<verify::VerifyArgs>),
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Report, Failure> {
        match self.command {
            Command::Build(args) => build::run(&args, terminal),
            Command::Measure(args) => measure::run(&args, terminal),
            Command::Manifest(command) => manifest::run(&command, terminal),
            Command::Verify(args) => verify::run(&args, terminal),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn usage_errors_exit_with_2() {
        let error = Cli::try_parse_from(["signer-eif", "build"]).err().unwrap();
        assert_eq!(error.exit_code(), 2);
    }
}
