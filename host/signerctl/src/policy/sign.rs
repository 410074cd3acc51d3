//! `signerctl policy sign` and `show`: who signed a bundle.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use signer_rules::bundle::{PAYLOAD_TYPE, SignedBundle};
use signer_terminal::{
    EXIT_FAILED, Failure, Report, Style, Terminal,
    envelope::{EnvelopeFile, SignArgs},
    fields,
    keys::{self, AdminSecret},
};

use super::{parse, require_authority, rows, to_json};
use crate::config::{self, KEY_NOT_CHECKED, require_admin, signatures};

/// Add an admin's signature to a bundle.
#[derive(Args)]
pub(crate) struct SignPolicyArgs {
    #[command(flatten)]
    pub(super) sign: SignArgs,
    /// The configuration, to check the bundle against it and to count signatures.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// Show a bundle and who signed it.
#[derive(Args)]
pub(crate) struct ShowArgs {
    /// The bundle.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The configuration, to check who signed: the exit status is 1 unless an enclave would accept the bundle.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

pub(super) fn sign(args: &SignPolicyArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let style = terminal.style();
    let SignArgs { file: path, key } = &args.sign;
    let mut file = EnvelopeFile::read(path, PAYLOAD_TYPE)?;
    let bundle = parse(&file, path)?;
    let configuration = args.config.as_deref().map(config::read_signed).transpose()?;
    let key = AdminSecret::read(key)?;
    if let Some(configuration) = &configuration {
        require_admin(&key, &configuration.quorum)?;
        require_authority(&bundle, configuration)?;
    } else {
        terminal.warn(KEY_NOT_CHECKED);
    }
    file.sign(&key)?;
    let name = path.display().to_string();
    let public = keys::public_hex(&key.public());
    let mut rows = rows(&name, &bundle, file.unverified_payload());
    let mut json = to_json(&name, &bundle, file.unverified_payload());
    json["signed_by"] = json!({ "public_key": public, "key_id": key.public().id() });
    if let Some(configuration) = &configuration {
        let signatures = signatures(file.envelope(), PAYLOAD_TYPE, &configuration.quorum);
        rows.push(("signatures", signatures.summary(style)));
        json["signatures"] = signatures.to_json();
    }
    let human = format!("{} with key {public}\n\n{}", style.bold("Signed"), fields(&rows));
    Ok(Report::new(human, json))
}

pub(super) fn show(args: &ShowArgs, style: Style) -> Result<Report, Failure> {
    let file = EnvelopeFile::read(&args.file, PAYLOAD_TYPE)?;
    let bundle = parse(&file, &args.file)?;
    let name = args.file.display().to_string();
    let mut rows = rows(&name, &bundle, file.unverified_payload());
    let mut json = to_json(&name, &bundle, file.unverified_payload());
    json["bundle"] = json!(bundle);
    let Some(path) = &args.config else { return Ok(Report::new(fields(&rows), json)) };
    let configuration = config::read_signed(path)?;
    let signatures = signatures(file.envelope(), PAYLOAD_TYPE, &configuration.quorum);
    let accepted = SignedBundle::verify(file.to_json()?.as_bytes(), &configuration);
    let verdict = match &accepted {
        Ok(_) => style.good("an enclave of this configuration accepts it"),
        Err(error) => style.bad(&format!("not acceptable: {error}")),
    };
    rows.extend([("signatures", signatures.summary(style)), ("verdict", verdict)]);
    json["signatures"] = signatures.to_json();
    json["acceptable"] = json!(accepted.is_ok());
    let human = format!("{}\n{}", fields(&rows), signatures.lines(style));
    Ok(Report { human, json, exit: if accepted.is_ok() { 0 } else { EXIT_FAILED } })
}
