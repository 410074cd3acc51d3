//! `signer-host`: flags, configuration, start, exit code.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use signer_host::{config::Config, lifecycle::Host, logging, random};
use tokio::signal::unix::{SignalKind, signal};
use tracing::error;

/// The untrusted front of a signing enclave: HTTP in front of it, its tunnel to KMS, its store.
///
/// Exit codes: 0 stopped as told (SIGTERM, SIGINT) or the configuration is good; 1 a failure while
/// running; 2 a mistake in the flags or the configuration.
#[derive(Parser)]
#[command(name = "signer-host", version)]
struct Flags {
    /// The configuration, in TOML; example.toml explains every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration, print what is wrong with it, and exit
    #[arg(long)]
    check_config: bool,
    /// Once listening, write the HTTP address to this file (useful with port 0)
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

const FAILED: u8 = 1;
const MISUSED: u8 = 2;

/// For blocking file operations that hang when everything else has ended.
const LAST_WAIT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let flags = Flags::parse();
    let config = match Config::read(&flags.config) {
        Ok(config) => config,
        Err(error) => {
            say(&format!("signer-host: {}: {error}", flags.config.display()));
            return MISUSED.into();
        }
    };
    if flags.check_config {
        say(&format!("signer-host: {} is good", flags.config.display()));
        return ExitCode::SUCCESS;
    }
    logging::start(&config.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(code = "start_failed", "cannot start the runtime: {error}");
            return FAILED.into();
        }
    };
    let outcome = runtime.block_on(run(config, flags.ready_file));
    runtime.shutdown_timeout(LAST_WAIT);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(code = "failed", "{error}");
            FAILED.into()
        }
    }
}

async fn run(config: Config, ready_file: Option<PathBuf>) -> Result<(), Box<dyn std::error::Error>> {
    // Before anything else, so that no signal is lost between the start and the wait.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let host = Host::start(config).await?;
    if let Some(path) = ready_file {
        write_whole(&path, &format!("{}\n", host.address()))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
    };
    Ok(host.run(stop).await?)
}

/// Whoever waits for the file never sees half of it.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", random::hex()));
    let temporary = PathBuf::from(name);
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// To standard error, before there is a log. Where that is closed there is nobody to tell.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn the_ready_file_appears_whole_and_replaces_an_old_one() {
        let path = std::env::temp_dir().join(format!("signer-ready-{}", random::hex()));
        write_whole(&path, "old").unwrap();
        write_whole(&path, "127.0.0.1:1\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "127.0.0.1:1\n");
        std::fs::remove_file(path).unwrap();
        assert!(write_whole(Path::new("/nowhere/ready"), "x").is_err());
    }
}
