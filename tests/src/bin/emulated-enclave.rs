//! The second `main`: the enclave's library over a software NSM and Unix sockets.
//!
//! It measures its own executable, so changing one byte of the file changes PCR0 and PCR2, as it
//! would for an image.

#![allow(clippy::print_stdout, reason = "measurements are printed for whoever asks")]

use std::{error::Error, fs, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use signer_enclave::{Platform, kms::Trust, last_words};
use signer_tests::{
    measurements::Measurements,
    nsm::{NsmOptions, SoftwareNsm},
    pki::AttestationAuthority,
};
use tokio::time::sleep;

/// An enclave for development: genuine but for its NSM, which signs with a root of its own.
#[derive(Debug, Parser)]
struct Arguments {
    /// The executable to measure, itself unless another is named.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Prints the measurements in nitro-cli's form and ends.
    #[arg(long)]
    measurements: bool,
    /// Keeps the root that signs attestation documents.
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    authority_dir: PathBuf,
    /// Roots for KMS, as an image would hold them.
    #[arg(long, value_name = "FILE", default_value = "kms-roots.pem")]
    kms_roots: PathBuf,
    /// Sockets: enclave.sock, and the host's kms.sock, credentials.sock and events.sock.
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    sockets: PathBuf,
    /// Starts as in debug mode, with PCR0 to PCR2 zero.
    #[arg(long)]
    debug_mode: bool,
    /// Starts with something in PCR16.
    #[arg(long)]
    touched: bool,
    /// Panics once this file exists.
    #[arg(long, value_name = "FILE")]
    panic_at: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    last_words::quiet_panics();
    let arguments = Arguments::parse();
    match platform(&arguments) {
        Ok(Some(platform)) => {
            if let Some(file) = arguments.panic_at {
                tokio::spawn(panic_at(file));
            }
            drop(last_words::run_and_tell(platform).await);
            ExitCode::FAILURE
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            last_words::on_console(&error);
            ExitCode::FAILURE
        }
    }
}

async fn panic_at(file: PathBuf) {
    while !file.exists() {
        sleep(Duration::from_millis(20)).await;
    }
    panic!("a message that could hold anything");
}

/// What to run on, or none if only measurements were asked for.
fn platform(arguments: &Arguments) -> Result<Option<Platform>, Box<dyn Error>> {
    let image = arguments.image.clone().map_or_else(std::env::current_exe, Ok)?;
    let measurements = Measurements::of_image(&fs::read(image)?);
    if arguments.measurements {
        println!("{}", measurements.to_nitro_cli_json());
        return Ok(None);
    }
    let authority = Arc::new(AttestationAuthority::load_or_create(&arguments.authority_dir)?);
    let nsm = SoftwareNsm::new(
        authority,
        NsmOptions {
            pcr0: measurements.pcr0,
            pcr1: measurements.pcr1,
            pcr2: measurements.pcr2,
            debug_mode: arguments.debug_mode,
            pcr16_touched_with: arguments.touched.then(|| b"something".to_vec()),
            ..NsmOptions::default()
        },
    );
    let socket = |name: &str| signer_shared::address::Address::Unix(arguments.sockets.join(name));
    Ok(Some(Platform {
        nsm: Arc::new(nsm),
        listen: socket("enclave.sock"),
        kms_tunnel: socket("kms.sock"),
        credentials: socket("credentials.sock"),
        events: socket("events.sock"),
        trust: Trust::of_image(&fs::read(&arguments.kms_roots)?)?,
    }))
}
