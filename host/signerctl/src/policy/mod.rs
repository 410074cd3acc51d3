//! `signerctl policy`: policy bundles.

mod check;
mod diff;
mod english;
mod explain;
mod init;
mod keygen;
mod push;
mod sign;
mod simulate;
#[cfg(test)]
mod tests;

use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};
use signer_rules::{
    bundle::{self, Bundle, Client, ClientAuth, PAYLOAD_TYPE, Rule},
    configuration::SignedConfiguration,
    dsse::Envelope,
    hex_bytes::HexBytes,
};
use signer_terminal::{Failure, Report, Terminal, clean, envelope::EnvelopeFile, files};

/// Make, sign, check, try and push policy bundles.
#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Make a client's or an approver's key, and print its entry for a bundle.
    Keygen(keygen::KeygenArgs),
    /// Write a new bundle that nobody has signed yet.
    Init(init::InitArgs),
    /// Check a bundle as an enclave would, state its rules in words, and warn of what is easily overlooked.
    Check(check::CheckArgs),
    /// State in words what one bundle changes in another.
    Diff(diff::DiffArgs),
    /// State one rule of a bundle at length.
    Explain(explain::ExplainArgs),
    /// Try a request on a bundle: would it be allowed, and by which rule? Needs no appliance.
    Simulate(Box<simulate::SimulateArgs>),
    /// Add an admin's signature to a bundle.
    Sign(sign::SignPolicyArgs),
    /// Show a bundle and who signed it.
    Show(sign::ShowArgs),
    /// Send a bundle to a running enclave.
    Push(push::PushArgs),
}

pub(crate) fn run(command: &PolicyCommand, terminal: &Terminal) -> Result<Report, Failure> {
    let style = terminal.style();
    match command {
        PolicyCommand::Keygen(args) => keygen::run(args),
        PolicyCommand::Init(args) => init::run(args, terminal),
        PolicyCommand::Check(args) => check::run(args, style),
        PolicyCommand::Diff(args) => diff::run(args, style),
        PolicyCommand::Explain(args) => explain::run(args, style),
        PolicyCommand::Simulate(args) => simulate::run(args, terminal),
        PolicyCommand::Sign(args) => sign::sign(args, terminal),
        PolicyCommand::Show(args) => sign::show(args, style),
        PolicyCommand::Push(args) => push::run(args, style),
    }
}

/// A bundle that was read from a file, signed or not.
pub(crate) struct BundleFile {
    /// Checked as an enclave checks it.
    pub(crate) bundle: Bundle,
    /// SHA-256 of its bytes.
    pub(crate) digest: HexBytes<32>,
    payload: Vec<u8>,
    /// What it came in; without one it is the bare JSON.
    envelope: Option<Envelope>,
}

impl BundleFile {
    /// Reads an envelope with a bundle, or the bundle alone. Nobody's signature is checked.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error: String| Failure::new(format!("{}: {}", path.display(), clean(&error)));
        let content = files::read(path)?;
        // A bundle has a format, an envelope has none.
        let bare = serde_json::from_slice::<Value>(&content).is_ok_and(|json| json.get("format").is_some());
        let (payload, envelope) = if bare {
            (content, None)
        } else {
            let file = EnvelopeFile::read(path, PAYLOAD_TYPE)?;
            (file.unverified_payload().to_vec(), Some(file.envelope().clone()))
        };
        let bundle = Bundle::from_json(&payload).map_err(|error| {
            failed(error.to_string()).hint("correct the field that is named; an enclave would refuse it too")
        })?;
        Ok(Self { bundle, digest: bundle::digest(&payload), payload, envelope })
    }
}

fn require_authority(bundle: &Bundle, configuration: &SignedConfiguration) -> Result<(), Failure> {
    if bundle.authority == configuration.authority {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the bundle belongs to authority {}, and the configuration to {}",
        bundle.authority, configuration.authority
    )))
}

fn parse(file: &EnvelopeFile, path: &Path) -> Result<Bundle, Failure> {
    Bundle::from_json(file.unverified_payload())
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn rows(file: &str, bundle: &Bundle, payload: &[u8]) -> Vec<(&'static str, String)> {
    let mut rows = head(file, bundle, payload);
    rows.extend(bundle.clients.iter().map(|client| ("client", client_text(client))));
    for approver in &bundle.approvers {
        rows.push((
            "approver",
            format!("{}, {}", approver.id, signer_terminal::keys::public_hex(&approver.public_key)),
        ));
    }
    for abi in &bundle.abis {
        rows.push(("ABI", format!("{}: {} functions", abi.id, abi.functions.len())));
    }
    for group in &bundle.wallet_groups {
        rows.push(("group", format!("@{}: {} wallets", group.id, group.wallets.len())));
    }
    rows.extend(bundle.rules.iter().map(|rule| ("rule", rule_text(rule))));
    rows
}

/// A rule on one line, in words.
pub(crate) fn line(rule: &Rule) -> String {
    english::line(rule)
}

/// What a bundle is, without what it says.
fn head(file: &str, bundle: &Bundle, payload: &[u8]) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("file", file.to_owned()),
        ("authority", bundle.authority.to_string()),
        ("version", bundle.version.to_string()),
        ("digest", bundle::digest(payload).to_string()),
        ("previous", bundle.previous.map_or_else(|| "none".to_owned(), |digest| digest.to_string())),
        ("in force", format!("{} to {}", bundle.not_before, bundle.expires)),
    ];
    for keyring in &bundle.keyrings {
        rows.push(("keyring", format!("{}={}", keyring.id, keyring.fingerprint)));
    }
    rows
}

/// A client on one line.
fn client_text(client: &Client) -> String {
    let proof = match &client.auth {
        ClientAuth::None => "without any proof of who it is".to_owned(),
        ClientAuth::Keys(keys) => {
            let keys: Vec<String> =
                keys.iter().map(|key| format!("{} ({})", key.id, key.algorithm.as_str())).collect();
            format!("with {} {}", if keys.len() == 1 { "key" } else { "keys" }, keys.join(", "))
        }
    };
    let mut text = format!("{}, {proof}", client.id);
    if !client.roles.is_empty() {
        let roles: Vec<&str> = client.roles.iter().map(signer_rules::name::Name::as_str).collect();
        text = format!("{text}, as {}", roles.join(" and "));
    }
    if let Some(sessions) = client.sessions {
        text = format!("{text}, in sessions of up to {} s", sessions.longest_s);
    }
    text
}

/// A rule on one line: its members as they are written.
fn rule_text(rule: &Rule) -> String {
    serde_json::to_string(rule).unwrap_or_else(|_| rule.id.to_string())
}

fn to_json(file: &str, bundle: &Bundle, payload: &[u8]) -> Value {
    json!({
        "file": file, "authority": bundle.authority, "version": bundle.version, "digest": bundle::digest(payload),
        "previous": bundle.previous, "not_before": bundle.not_before, "expires": bundle.expires,
    })
}
