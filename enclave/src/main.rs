//! The enclave's program: the real NSM, the real vsock, and nothing to switch.

use std::{fs, io::ErrorKind, process::ExitCode, sync::Arc};

use signer_enclave::{Platform, attestation::NitroNsm, kms::Trust, last_words};
use signer_shared::address::parent_cid;

/// Roots for KMS that the image holds instead of Amazon's. Only development images have this file:
/// it is measured, and the attested statement says so.
const IMAGE_ROOTS: &str = "/etc/nitro-signer/kms-roots.pem";

#[tokio::main]
async fn main() -> ExitCode {
    last_words::quiet_panics();
    match platform() {
        Ok(platform) => drop(last_words::run_and_tell(platform).await),
        Err(error) => last_words::on_console(&error),
    }
    // Not by returning: a hung call to the NSM must not keep a dying enclave alive.
    std::process::exit(1)
}

fn platform() -> Result<Platform, Box<dyn std::error::Error>> {
    let trust = match fs::read(IMAGE_ROOTS) {
        Ok(pem) => Trust::of_image(&pem)?,
        Err(error) if error.kind() == ErrorKind::NotFound => Trust::amazon()?,
        Err(error) => return Err(error.into()),
    };
    let parent_cid = parent_cid(&fs::read_to_string("/proc/cmdline")?)?;
    Ok(Platform::vsock(Arc::new(NitroNsm::open()?), parent_cid, trust))
}
