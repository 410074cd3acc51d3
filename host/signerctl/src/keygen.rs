//! `signerctl keygen`: an admin's key.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde_json::json;
use signer_rules::authority::AdminKey;
use signer_terminal::{
    Failure, Report, fields,
    files::OutputArgs,
    keys::{self, AdminSecret},
};

/// Make an admin key, or show the public half of one.
#[derive(Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["output", "show"]),
    after_help = "Examples:\n  signerctl keygen --output admin-1.pem\n  signerctl keygen --show admin-1.pem\n\n\
        The file is a plain PKCS#8 PEM with mode 0600. Whoever reads it is an admin: keep it offline."
)]
pub(crate) struct KeygenArgs {
    /// Write a new private key to this file, with mode 0600.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file if it is there. The old key is lost.
    #[arg(long, requires = "output")]
    force: bool,
    /// Show the public key of this file, a private or a public key in PEM.
    #[arg(long, value_name = "FILE")]
    show: Option<PathBuf>,
}

pub(crate) fn run(args: &KeygenArgs) -> Result<Report, Failure> {
    let (key, file) = match (&args.output, &args.show) {
        (Some(output), _) => {
            let secret = AdminSecret::generate()?;
            secret.write(&OutputArgs { output: output.clone(), force: args.force })?;
            (secret.public(), output)
        }
        (None, Some(file)) if file.exists() => (keys::read_public(&file.to_string_lossy())?, file),
        (None, Some(file)) => return Err(Failure::new(format!("there is no file {}", file.display()))),
        (None, None) => return Err(Failure::usage("give --output or --show")),
    };
    Ok(report(&key, &file.display().to_string()))
}

fn report(key: &AdminKey, file: &str) -> Report {
    let public = keys::public_hex(key);
    let human = fields(&[
        ("file", file.to_owned()),
        ("public key", public.clone()),
        ("key id", key.id().to_string()),
    ]);
    Report::new(human, json!({ "file": file, "public_key": public, "key_id": key.id() }))
}
