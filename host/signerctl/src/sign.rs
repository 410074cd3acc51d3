//! `signerctl sign`: ask for a signature.

use std::path::PathBuf;

use clap::Args;
use signer_terminal::{Failure, Report, Terminal, files};

use crate::{
    approve,
    client::{AFTER_HELP, ClientArgs},
    status,
    wallet::parse_wallet,
};

/// Ask a wallet for a signature.
#[derive(Args)]
#[command(after_help = format!("Example:\n  signerctl sign treasury request.json --url URL \\\n      \
    --client-key backend.pem --key-id backend-1 --config config.json --measurements eif.json\n\n{AFTER_HELP}"))]
pub(crate) struct SignArgs {
    /// The wallet's name, or its id (w_...).
    #[arg(value_name = "WALLET", value_parser = parse_wallet)]
    wallet: String,
    /// The body of the request, sent as it is: {"type": "evm.transaction", "transaction": {...}}. See it
    /// first with signerctl explain. - reads standard input.
    #[arg(value_name = "REQUEST.json|-")]
    request: PathBuf,
    /// Approvals of this very request: what signerctl approve wrote.
    #[arg(long, value_name = "FILE")]
    approval: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) fn run(args: &SignArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let body = files::read_or_stdin(&args.request)?;
    let appliance = args.client.connect_with(approve::headers(args.approval.as_deref())?, terminal)?;
    let answer = appliance.post(&format!("/v1/wallets/{}/sign", args.wallet), body)?;
    Ok(appliance.annotate(Report::new(status::pretty(&answer), answer)))
}
