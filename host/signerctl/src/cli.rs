//! The tree of commands.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use signer_terminal::{Failure, Report, Terminal, http::Server};

use crate::{
    approve, attest, audit, config, explain, keygen, keyring, kms_policy, policy, session, sign, status,
    wallet,
};

const FIRST_STEPS: &str = "\
First steps:
  signerctl keygen --output admin-1.pem
  signerctl config init --admin admin-1.pem --threshold 1 --share KMS-KEY-ARN --output config.json
  signerctl config sign config.json --key admin-1.pem
  signerctl config digest config.json
  signerctl kms-policy --config config.json --account ACCOUNT --role ROLE-ARN \\
      --measurements eif.json
  signerctl policy init --config config.json --version 1 --output policy-1.json
  signerctl policy sign policy-1.json --key admin-1.pem --config config.json
Start the enclave, and the host with config.json and policy-1.json, until this says configured:
  signerctl status --url URL
  signerctl keyring create --url URL --config config.json --keyring default --key admin-1.pem \\
      --measurements eif.json
  signerctl policy keygen --id backend-1 --output backend.pem
Write what it printed into clients.json, and rules into rules.json: signerctl policy init --help
  signerctl policy init --config config.json --version 2 --previous policy-1.json \\
      --keyring default=FINGERPRINT --clients clients.json --rules rules.json --output policy-2.json
  signerctl policy check policy-2.json --config config.json
  signerctl policy sign policy-2.json --key admin-1.pem --config config.json
  signerctl policy push policy-2.json --url URL
  signerctl attest --url URL --config config.json --measurements eif.json
  signerctl wallet create treasury --url URL --client-key backend.pem --key-id backend-1 \\
      --config config.json --measurements eif.json
  signerctl audit verify --store STORE --config config.json --measurements eif.json

Exit status: 0 done and every check held; 1 failed, a check did not hold, or (policy simulate) denied;
2 wrong usage, or (attest, audit verify) something could not be checked.";

/// Run and audit a Nitro Signer appliance.
#[derive(Parser)]
#[command(name = "signerctl", version, after_help = FIRST_STEPS, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print one JSON object on standard output, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make an admin key, or show the public half of one.
    Keygen(keygen::KeygenArgs),
    /// Make, sign and check the appliance configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Make, sign, check and push policy bundles.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Create keyrings, with a proof of where their key was made.
    #[command(subcommand)]
    Keyring(keyring::KeyringCommand),
    /// Print the key policy for the KMS keys of one account.
    KmsPolicy(kms_policy::KmsPolicyArgs),
    /// Create and look at wallets.
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    /// Ask a wallet for a signature.
    Sign(Box<sign::SignArgs>),
    /// Agree to one request that a rule demands approval for, after having seen it.
    Approve(Box<approve::ApproveArgs>),
    /// Prove who asks once, and sign the next requests for less.
    #[command(subcommand)]
    Session(Box<session::SessionCommand>),
    /// Show what something would have a wallet sign, before anybody signs it. Needs no appliance.
    Explain(explain::ExplainArgs),
    /// Ask a running enclave for proof of what it is, and check every part of it.
    Attest(attest::AttestArgs),
    /// Check, read and export the audit logs that hosts store.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Show what a host says about itself and its enclave. Nothing of it is proven: see `attest`.
    Status(status::StatusArgs),
}

/// Where the appliance is.
#[derive(Args)]
pub(crate) struct ServerArgs {
    #[arg(
        long,
        value_name = "URL",
        env = "SIGNERCTL_URL",
        help = "Address of the appliance, such as http://127.0.0.1:8080 or https://signer.example.com"
    )]
    pub(crate) url: String,
    /// Seconds to wait for each answer.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

impl ServerArgs {
    /// The appliance, if the address is one.
    pub(crate) fn connect(&self) -> Result<Server, Failure> {
        const PROGRAM: &str = concat!("signerctl/", env!("CARGO_PKG_VERSION"));
        Server::new(&self.url, Duration::from_secs(self.timeout), PROGRAM)
    }
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Report, Failure> {
        match self.command {
            Command::Keygen(args) => keygen::run(&args),
            Command::Config(command) => config::run(&command, terminal),
            Command::Policy(command) => policy::run(&command, terminal),
            Command::Keyring(command) => keyring::run(&command, terminal),
            Command::KmsPolicy(args) => kms_policy::run(&args, terminal),
            Command::Wallet(command) => wallet::run(&command, terminal),
            Command::Sign(args) => sign::run(&args, terminal),
            Command::Approve(args) => approve::run(&args, terminal),
            Command::Session(command) => session::run(&command, terminal),
            Command::Explain(args) => explain::run(&args, terminal),
            Command::Attest(args) => attest::run(&args, terminal),
            Command::Audit(command) => audit::run(&command, terminal),
            Command::Status(args) => status::run(&args),
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
        let error = Cli::try_parse_from(["signerctl", "keygen"]).err().unwrap();
        assert_eq!(error.exit_code(), 2);
    }
}
