//! `signerctl policy diff`: what one bundle changes in another, in words.

mod changes;
mod order;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use signer_terminal::{Failure, Report, Style, clean};

use super::BundleFile;
use changes::{Change, Mark};

/// State in words what one bundle changes in another.
#[derive(Args)]
#[command(after_help = "Example:\n  signerctl policy diff policy-1.json policy-2.json\n\n\
    + is new, - is gone, ~ is changed, ! needs care. Both files can be signed or not. Nobody's\n\
    signature is checked here: see policy show --config.\n\n\
    Exit status: 0 whether they differ or not; 1 one of them is no bundle; 2 wrong usage.")]
pub(crate) struct DiffArgs {
    /// The bundle before.
    #[arg(value_name = "OLD")]
    pub(super) old: PathBuf,
    /// The bundle after.
    #[arg(value_name = "NEW")]
    pub(super) new: PathBuf,
}

pub(super) fn run(args: &DiffArgs, style: Style) -> Result<Report, Failure> {
    let (old, new) = (BundleFile::read(&args.old)?, BundleFile::read(&args.new)?);
    let sections = changes::between(&old, &new);
    let shown: Vec<String> = sections
        .iter()
        .filter(|(_, changes)| !changes.is_empty())
        .map(|(title, changes)| {
            let lines = changes.iter().map(|change| line(change, style));
            std::iter::once(style.bold(title)).chain(lines).collect::<Vec<_>>().join("\n")
        })
        .collect();
    let human = if shown.is_empty() { "They say the same.".to_owned() } else { shown.join("\n\n") };
    let json: serde_json::Map<String, Value> = sections
        .iter()
        .map(|(title, changes)| ((*title).to_owned(), changes.iter().map(to_json).collect()))
        .collect();
    let versions = json!({ "old": old.bundle.version, "new": new.bundle.version });
    Ok(Report::new(human, json!({ "versions": versions, "same": shown.is_empty(), "changes": json })))
}

fn line(change: &Change, style: Style) -> String {
    let mark = match change.mark {
        Mark::Added => style.good("+"),
        Mark::Removed => style.bad("-"),
        Mark::Changed => style.bold("~"),
        Mark::Care => style.caution("!"),
    };
    format!("  {mark} {}", change.text.lines().map(clean).collect::<Vec<_>>().join("\n      "))
}

fn to_json(change: &Change) -> Value {
    json!({ "kind": change.mark.as_str(), "id": change.id, "text": change.text })
}
