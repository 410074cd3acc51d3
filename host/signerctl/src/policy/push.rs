//! `signerctl policy push`: a bundle on its way to the fleet.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use serde_json::json;
use signer_rules::bundle::{self, PAYLOAD_TYPE};
use signer_terminal::{Failure, Report, Style, envelope::EnvelopeFile, http::Server};

use super::parse;
use crate::{cli::ServerArgs, status};

/// How often the status is looked at after a push, five times a second.
const PATIENCE: u32 = 100;

/// Send a bundle to a running enclave.
#[derive(Args)]
#[command(after_help = "Example:\n  signerctl policy push policy.json --url http://127.0.0.1:8080")]
pub(crate) struct PushArgs {
    /// The bundle, signed by the quorum.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &PushArgs, style: Style) -> Result<Report, Failure> {
    let file = EnvelopeFile::read(&args.file, PAYLOAD_TYPE)?;
    let bundle = parse(&file, &args.file)?;
    if file.envelope().signature_count() == 0 {
        return Err(Failure::new(format!("{} is not signed", args.file.display()))
            .hint(format!("signerctl policy sign {} --key FILE.pem", args.file.display())));
    }
    let server = args.server.connect()?;
    let answer = server.post("/v1/policy", file.to_json()?)?;
    let digest = bundle::digest(file.unverified_payload());
    if !wait_until_in_force(&server, bundle.version, &digest.to_string()) {
        return Err(Failure::new(format!(
            "policy version {} is stored, and not in force here yet",
            bundle.version
        ))
        .hint("see the last problem with: signerctl status"));
    }
    let human = format!(
        "{} policy version {}, digest {digest}\n\n{}",
        style.good("In force:"),
        bundle.version,
        status::pretty(&answer)
    );
    let json = json!({ "version": bundle.version, "digest": digest, "in_force": true, "answer": answer });
    Ok(Report::new(human, json))
}

/// A pushed bundle is stored first; every host of the fleet then puts it in force by itself.
fn wait_until_in_force(server: &Server, version: u64, digest: &str) -> bool {
    for _ in 0..PATIENCE {
        let status = server.get("/v1/status").unwrap_or_default();
        let policy = &status["enclave"];
        if policy["policy_digest"] == digest {
            return true;
        }
        if policy["policy_version"].as_u64().is_some_and(|found| found > version) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    false
}
