//! `signerctl audit`: the audit logs of an appliance's boots, as a host stored them.
//!
//! Nothing that a host stored is believed: a boot's attestation is judged as `signerctl attest` does,
//! at the time when it was made, its log by the identity key of that attestation, and the ends of all
//! logs by what AWS's CloudTrail has of them.

mod judge;
mod show;
mod store;
mod trail;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use signer_eif::options::RootArgs;
use signer_rules::{audit::Receipt, configuration::SignedConfiguration, hex_bytes::HexBytes};
use signer_terminal::{
    EXIT_FAILED, EXIT_USAGE, Failure, Report, Style, Terminal,
    files::{Access, OutputArgs},
};

use crate::{
    config,
    measurements::{self, Measurements},
};
use judge::{BootReport, Judge, Verdict};
use store::Store;
use trail::Trail;

/// The id of a boot.
type BootId = HexBytes<16>;

/// Check, read and export the audit logs that hosts store.
#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that the logs of a store are whole, and the enclaves' own.
    Verify(VerifyArgs),
    /// Print records, one a line. Nothing of them is proven: see `verify`.
    Show(ShowArgs),
    /// Write one boot's attestation and log to one file, which `verify --store` takes too.
    Export(ExportArgs),
}

/// Check that the logs of a store are whole, and the enclaves' own.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    signerctl audit verify --store /var/lib/signer/store --config config.json \\\n      \
        --measurements eif.json --cloudtrail trail.json\n\n\
    Without --cloudtrail a log whose end was cut off, or a boot of which nothing was stored, is not found:\n\
    no log that a host keeps can show that. What was decided after a boot's last witness is proven by\n\
    nobody but the log.\n\n\
    Exit status: 0 everything holds; 1 something is wrong; 2 something could not be checked.")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The configuration that the boots must have run. Repeatable.
    #[arg(long, value_name = "FILE", required = true)]
    config: Vec<PathBuf>,
    /// An image that the boots may have run: what nitro-cli build-enclave or signer-eif measure printed. Repeatable.
    #[arg(long, value_name = "FILE", required = true)]
    measurements: Vec<PathBuf>,
    /// What CloudTrail has of every KMS key of the configuration, all Regions and accounts: files as it delivers them,
    /// decompressed, or one event a line. Repeatable.
    #[arg(long, value_name = "FILE")]
    cloudtrail: Vec<PathBuf>,
    /// A receipt that an answer carried, which must be in the log. Repeatable.
    #[arg(long, value_name = "BOOT:SEQUENCE:DIGEST")]
    receipt: Vec<Receipt>,
    #[command(flatten)]
    root: RootArgs,
}

/// Print records, one a line.
#[derive(Args)]
#[command(after_help = "Example:\n  signerctl audit show --store /var/lib/signer/store")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    store: StoreArgs,
}

/// Write one boot's attestation and log to one file.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    signerctl audit export --store /var/lib/signer/store --boot 5f1c0a9b8d7e6f504132231405f6e7d8 --output boot.jsonl")]
pub(crate) struct ExportArgs {
    /// A host's store.
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// The boot.
    #[arg(long, value_name = "ID")]
    boot: BootId,
    #[command(flatten)]
    output: OutputArgs,
}

/// Where logs are.
#[derive(Args)]
struct StoreArgs {
    /// A host's store (its folders audit and boot), or a file that `audit export` wrote.
    #[arg(long, value_name = "DIR|FILE")]
    store: PathBuf,
    /// This boot only.
    #[arg(long, value_name = "ID")]
    boot: Option<BootId>,
}

pub(crate) fn run(command: &AuditCommand, terminal: &Terminal) -> Result<Report, Failure> {
    match command {
        AuditCommand::Verify(args) => verify(args, terminal).map_err(|failure| failure.with_exit(EXIT_USAGE)),
        AuditCommand::Show(args) => show::run(&Store::open(&args.store.store)?, args.store.boot),
        AuditCommand::Export(args) => export(args),
    }
}

fn verify(args: &VerifyArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let configurations =
        args.config.iter().map(|path| config::read_signed(path)).collect::<Result<Vec<_>, _>>()?;
    let images =
        args.measurements.iter().map(|path| measurements::read(path)).collect::<Result<Vec<_>, _>>()?;
    let authority = one_authority(&configurations)?;
    let root = args.root.read(terminal)?;
    let store = Store::open(&args.store.store)?;
    let trail = (!args.cloudtrail.is_empty())
        .then(|| {
            Trail::read(
                &args.cloudtrail,
                authority,
                &images.iter().map(|image| image.pcr0).collect::<Vec<_>>(),
            )
        })
        .transpose()?;
    let judge = Judge { configurations, images, root, trail: trail.as_ref(), receipts: &args.receipt };
    let wanted = |boot: &BootId| args.store.boot.is_none_or(|only| only == *boot);

    let mut boots = Vec::new();
    for boot in store.boots().filter(wanted) {
        boots.push(judge.boot(&store, boot)?);
    }
    boots.extend(judge.hidden(&store).into_iter().filter(|report| wanted(&report.boot_id)));
    if boots.is_empty() {
        return Err(
            Failure::new("there is no log to check").hint("name the store of a host that ran an enclave")
        );
    }
    let strange = trail.as_ref().map_or(&[][..], |trail| &trail.strange);
    // Of one boot alone nobody can say what the others opened.
    let unclaimed = trail.as_ref().filter(|_| args.store.boot.is_none()).map(|trail| {
        let openings = boots.iter().flat_map(|boot| &boot.openings);
        trail.unclaimed(&openings.filter_map(|opening| opening.request_id.clone()).collect())
    });
    let found = Found { strange, unclaimed: &unclaimed.unwrap_or_default(), trail: trail.is_some() };
    Ok(report(&boots, &found, terminal.style()))
}

fn one_authority(configurations: &[SignedConfiguration]) -> Result<HexBytes<32>, Failure> {
    let mut authorities = configurations.iter().map(|signed| signed.authority);
    let first = authorities.next().ok_or_else(|| Failure::usage("give --config FILE"))?;
    if authorities.all(|authority| authority == first) {
        Ok(first)
    } else {
        Err(Failure::usage("the configurations are of different authorities")
            .hint("check one appliance at a time"))
    }
}

/// What the trail shows beyond single boots.
struct Found<'a> {
    strange: &'a [String],
    unclaimed: &'a [String],
    trail: bool,
}

fn report(boots: &[BootReport], found: &Found<'_>, style: Style) -> Report {
    let Found { strange, unclaimed, trail } = *found;
    let has = |verdict| boots.iter().any(|boot| boot.verdict == verdict);
    let (line, outcome, exit) = if has(Verdict::Wrong) || !strange.is_empty() {
        (style.bad("SOMETHING IS WRONG: do not rely on these logs."), "wrong", EXIT_FAILED)
    } else if has(Verdict::NotChecked) || !unclaimed.is_empty() {
        (
            style.caution("INCOMPLETE: something could not be checked, or not be explained."),
            "incomplete",
            EXIT_USAGE,
        )
    } else if trail {
        (style.good("Every log is whole, as far as the trail reaches."), "holds", 0)
    } else {
        (
            style.good("Every log holds. Without --cloudtrail, ends that were cut off are not found."),
            "holds",
            0,
        )
    };
    let mut lines: Vec<String> = boots.iter().map(|boot| boot.lines(style)).collect();
    lines.extend(strange.iter().map(|text| format!("{} {text}", style.bad("trail:"))));
    lines.extend(unclaimed.iter().map(|text| format!("{} {text}", style.caution("trail:"))));
    let json = json!({
        "outcome": outcome,
        "trail": trail,
        "boots": boots.iter().map(BootReport::to_json).collect::<Vec<_>>(),
        "trail_problems": strange,
        "unclaimed_openings": unclaimed,
    });
    Report { human: format!("{}\n\n{line}", lines.join("\n")), json, exit }
}

fn export(args: &ExportArgs) -> Result<Report, Failure> {
    let store = Store::open(&args.store)?;
    let content = store.export(args.boot)?;
    args.output.write(&content, Access::Public)?;
    let file = args.output.output.display().to_string();
    let json = json!({ "file": file, "boot_id": args.boot, "bytes": content.len() });
    Ok(Report::new(format!("Written to {file}"), json))
}

#[cfg(test)]
mod tests;
