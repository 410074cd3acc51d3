//! Records as lines of text. They are shown as they are: `verify` says whether they are the enclave's.

use serde_json::{Value, json};
use signer_rules::audit::Record;
use signer_terminal::{Failure, Report, clean};

use super::{BootId, Store};

/// Prints the records of all boots, or of one.
pub(super) fn run(store: &Store, only: Option<BootId>) -> Result<Report, Failure> {
    let (mut lines, mut boots) = (Vec::new(), Vec::new());
    for boot in store.boots().filter(|boot| only.is_none_or(|only| only == *boot)) {
        lines.push(format!("boot {boot}"));
        let mut records = Vec::new();
        for segment in store.segments(boot) {
            let segment = segment?;
            let text = String::from_utf8_lossy(&segment);
            for line in text.lines().filter(|line| !line.starts_with("{\"checkpoint\":")) {
                match Record::parse(line) {
                    Ok(record) => {
                        lines.push(shown(&record));
                        records.push(serde_json::from_str::<Value>(line).unwrap_or_default());
                    }
                    Err(error) => lines.push(format!("  not a record: {}", clean(&error))),
                }
            }
        }
        boots.push(json!({ "boot_id": boot, "records": records }));
    }
    if boots.is_empty() {
        return Err(Failure::new("the store has no such log"));
    }
    Ok(Report::new(lines.join("\n"), json!({ "boots": boots })))
}

/// Time, sequence number, and for a decision: client, operation, wallet, rule, and whether it was allowed.
fn shown(record: &Record) -> String {
    let entry: Value = serde_json::from_str(record.entry.get()).unwrap_or_default();
    let text = match record.kind.as_str() {
        "decision" => {
            let of = |name: &str| text(&entry[name]);
            let verdict = match entry["allowed"].as_bool() {
                Some(true) => "allowed",
                Some(false) => "DENIED",
                None => "-",
            };
            format!(
                "{} {} wallet {} rule {} {verdict}",
                of("client"),
                of("operation"),
                of("wallet"),
                of("rule")
            )
        }
        kind => format!("{} {}", clean(kind), brief(&entry)),
    };
    format!("  {}  {:>6}  {text}", record.time, record.sequence)
}

fn brief(entry: &Value) -> String {
    let members = entry.as_object().into_iter().flatten();
    members.map(|(name, value)| format!("{} {}", clean(name), text(value))).collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text),
        Value::Null => "-".to_owned(),
        other => clean(&other.to_string()),
    }
}
