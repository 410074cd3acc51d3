//! The KMS emulator as a process, for the demo and for scripts.

#![allow(clippy::print_stdout, reason = "the line that says where it listens is this program's interface")]

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;
use signer_tests::kms::{EnvelopeForm, KeySpec, KmsEmulator, KmsOptions, PrincipalSpec};
use signer_tests::pki::TlsAuthority;
use tokio::signal::unix::{SignalKind, signal};

/// An AWS KMS for development: it verifies signatures, attestation documents and key policies, and seals its answers to
/// enclaves. Prints one line of JSON when it listens, and runs until it is interrupted.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen; port 0 is any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The root certificate of attestation documents, PEM.
    #[arg(long, value_name = "FILE")]
    attestation_root: PathBuf,
    /// Believes the documents of QEMU's NSM, too, which nobody signed: then anyone can say to be any enclave.
    #[arg(long)]
    accept_unsigned_documents: bool,
    /// Keeps the TLS root: made if missing, its certificate in tls-root.pem.
    #[arg(long, value_name = "DIRECTORY")]
    tls_dir: PathBuf,
    /// Region, account, keys with their policies, principals: JSON.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keeps keys, policies and grants across restarts.
    #[arg(long, value_name = "DIRECTORY")]
    state_dir: Option<PathBuf>,
    /// Appends each call in CloudTrail's form, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    trail: Option<PathBuf>,
}

/// The configuration file; every member is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Configuration {
    region: Option<String>,
    account: Option<String>,
    dns_names: Vec<String>,
    keys: Vec<KeySpec>,
    principals: Vec<PrincipalSpec>,
    envelope_form: EnvelopeForm,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut terminated, mut interrupted) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let kms = KmsEmulator::start(options(Arguments::parse())?).await?;
    println!("{}", json!({"ready": true, "address": kms.address().to_string()}));
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    kms.shutdown().await;
    Ok(())
}

fn options(arguments: Arguments) -> Result<KmsOptions, Box<dyn Error>> {
    let Configuration { region, account, dns_names, keys, principals, envelope_form } =
        arguments.config.as_deref().map(read_configuration).transpose()?.unwrap_or_default();
    let root = CertificateDer::from_pem_file(&arguments.attestation_root)
        .map_err(|error| format!("{}: {error}", arguments.attestation_root.display()))?;
    let tls = TlsAuthority::load_or_create(&arguments.tls_dir)?;
    let defaults = KmsOptions::new(root, Arc::new(tls));
    Ok(KmsOptions {
        listen: arguments.listen,
        accept_unsigned_documents: arguments.accept_unsigned_documents,
        region: region.unwrap_or_else(|| defaults.region.clone()),
        account: account.unwrap_or_else(|| defaults.account.clone()),
        dns_names,
        keys,
        principals,
        envelope_form,
        trail_file: arguments.trail,
        state_dir: arguments.state_dir,
        ..defaults
    })
}

fn read_configuration(path: &Path) -> Result<Configuration, Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
}
