//! The host's log, to standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging for the whole process. Libraries are heard from `warn` on: the level is for what
/// this program has to say, and for the enclave's own log.
pub fn start(log: &Log) {
    let level = log.level.as_str().to_ascii_lowercase();
    // What the AWS chain tried and why it failed is in this program's own line.
    let filter = EnvFilter::new(format!("warn,aws_config=error,signer_host={level},enclave={level}"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second start in one process is a test's: the first stays.
    let _ = match log.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
