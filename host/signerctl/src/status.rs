//! `signerctl status`: what a host says.

use std::fmt::Write as _;

use clap::Args;
use serde_json::Value;
use signer_terminal::{Failure, Report, clean};

use crate::cli::ServerArgs;

/// Show what a host says about itself and its enclave.
#[derive(Args)]
#[command(after_help = "Example:\n  signerctl status --url http://127.0.0.1:8080")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(args: &StatusArgs) -> Result<Report, Failure> {
    let status = args.server.connect()?.get("/v1/status")?;
    Ok(Report::new(pretty(&status), status))
}

/// Any JSON as indented lines of name and value.
pub(crate) fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, 0, value);
    text.truncate(text.trim_end().len());
    text
}

fn write(text: &mut String, depth: usize, value: &Value) {
    let indent = "  ".repeat(depth);
    // Writing to a string does not fail.
    match value {
        Value::Object(members) => {
            let width = members.keys().map(|name| name.chars().count()).max().unwrap_or_default();
            for (name, value) in members {
                let name = clean(name);
                if is_leaf(value) {
                    let _ = writeln!(text, "{indent}{name:width$}  {}", leaf(value));
                } else {
                    let _ = writeln!(text, "{indent}{name}");
                    write(text, depth.saturating_add(1), value);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                if is_leaf(item) {
                    let _ = writeln!(text, "{indent}- {}", leaf(item));
                } else {
                    let _ = writeln!(text, "{indent}-");
                    write(text, depth.saturating_add(1), item);
                }
            }
        }
        _ => {
            let _ = writeln!(text, "{indent}{}", leaf(value));
        }
    }
}

fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn leaf(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text),
        Value::Null => "-".to_owned(),
        Value::Array(_) | Value::Object(_) => "none".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_status_is_readable() {
        let status = json!({"phase": "ready", "enclave": {"boot_id": "ab", "keyrings": ["default"]}, "lost": [], "x": null});
        assert_eq!(
            pretty(&status),
            "enclave\n  boot_id   ab\n  keyrings\n    - default\nlost     none\nphase    ready\nx        -"
        );
    }
}
