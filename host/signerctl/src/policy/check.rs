//! `signerctl policy check`: a bundle as an enclave sees it, in words.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use signer_rules::{
    bundle::{Bundle, PAYLOAD_TYPE},
    configuration::SignedConfiguration,
    policy::Severity,
};
use signer_terminal::{EXIT_FAILED, Failure, Report, Style, fields};

use super::{BundleFile, client_text, english, head, require_authority, to_json};
use crate::config::{self, signatures};

const SECONDS_A_DAY: u64 = 86_400;

/// Check a bundle as an enclave would, state its rules in words, and warn of what is easily overlooked.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    signerctl policy check policy.json\n  \
    signerctl policy check policy.json --config config.json\n\n\
    FILE is what policy init wrote, signed or not, or a bundle's bare JSON. The enclave's own code\n\
    reads it: what is refused here is refused there, with the field that is wrong.\n\n\
    Exit status: 0 the bundle can be signed; 1 it is refused, or a remark is an error; 2 wrong usage.")]
pub(crate) struct CheckArgs {
    /// The bundle.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The configuration, to check that the bundle is for it, and who signed.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

pub(super) fn run(args: &CheckArgs, style: Style) -> Result<Report, Failure> {
    let file = BundleFile::read(&args.file)?;
    let name = args.file.display().to_string();
    let bundle = &file.bundle;
    let mut rows = head(&name, bundle, &file.payload);
    let mut json = to_json(&name, bundle, &file.payload);
    if let Some(path) = &args.config {
        let configuration = config::read_signed(path)?;
        fits(bundle, &configuration)?;
        rows.push(("configuration", "the bundle is for it".to_owned()));
        if let Some(envelope) = &file.envelope {
            let signatures = signatures(envelope, PAYLOAD_TYPE, &configuration.quorum);
            rows.push(("signatures", signatures.summary(style)));
            json["signatures"] = signatures.to_json();
        }
    }
    rows.extend(bundle.clients.iter().map(|client| ("client", client_text(client))));
    let remarks = english::remarks(bundle);
    let mut parts = vec![fields(&rows), rules(bundle, style)];
    if !remarks.is_empty() {
        parts.push(
            remarks.iter().map(|remark| english::remark_line(remark, style)).collect::<Vec<_>>().join("\n"),
        );
    }
    let wrong = remarks.iter().any(|remark| remark.severity == Severity::Error);
    parts.push(if wrong {
        style.bad("Do not sign it: correct the errors first.")
    } else {
        style.good("An enclave reads it without complaint.")
    });
    json["rules"] = bundle
        .rules
        .iter()
        .map(|rule| json!({ "id": rule.id, "text": english::line(rule) }))
        .collect::<Vec<_>>()
        .into();
    json["remarks"] = json!(remarks);
    Ok(Report { human: parts.join("\n\n"), json, exit: if wrong { EXIT_FAILED } else { 0 } })
}

/// Whether an enclave of this configuration would take it, once enough admins signed.
fn fits(bundle: &Bundle, configuration: &SignedConfiguration) -> Result<(), Failure> {
    require_authority(bundle, configuration)?;
    let configuration = &configuration.configuration;
    if bundle.least_configuration_epoch > configuration.epoch {
        return Err(Failure::new(format!(
            "least_configuration_epoch: the bundle needs epoch {}, and the configuration is of epoch {}",
            bundle.least_configuration_epoch, configuration.epoch
        )));
    }
    let longest = u64::from(configuration.longest_bundle_lifetime_days) * SECONDS_A_DAY;
    if bundle.expires.seconds().saturating_sub(bundle.not_before.seconds()) > longest {
        return Err(Failure::new(format!(
            "expires: the configuration allows bundles of {} days at most",
            configuration.longest_bundle_lifetime_days
        )));
    }
    Ok(())
}

fn rules(bundle: &Bundle, style: Style) -> String {
    if bundle.rules.is_empty() {
        return "There are no rules: everything is denied.".to_owned();
    }
    let title = style.bold("What no rule allows is denied; a rule that denies wins. The rules, in order:");
    let width = bundle.rules.len().to_string().len();
    let line = |(number, rule)| format!("{number:>width$}. {}", english::line(rule));
    std::iter::once(title).chain((1..).zip(&bundle.rules).map(line)).collect::<Vec<_>>().join("\n")
}
