//! The whole appliance on one machine, shown step by step: what works, and what is refused.
//!
//! Every program is the real one, run as a process; only the NSM and KMS are emulated. What an
//! operator would do is done with `signerctl`. Each step checks what it shows, and the demo fails
//! with the first that is not as it must be.

mod appliance;
mod attacks;
mod audit;
mod authentication;
mod backend;
mod denied;
pub(crate) mod evm;
mod guest;
mod instance_role;
mod kms;
mod operator;
mod policy;
mod proof;
pub mod qemu;
mod report;
mod setup;
mod signing;
mod site;
pub(crate) mod solana;

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use tokio::time::sleep;

pub(crate) use evm::{Item, rlp_list_header};
pub use report::{Failed, Report};
pub use site::Site;

use crate::stack::binary;
use appliance::Appliance;
use guest::Guest;
use kms::Documents;
use signing::Wallet;

/// Any reason why a step is not as it must be.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// As systemd's `RestartSec`, whose default is this.
const RESTART_DELAY: Duration = Duration::from_millis(100);

/// Whether requests without a signature are anybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every client has a key.
    Keys,
    /// In the end there is a client without one, for the demo's wallet.
    Open,
}

/// Runs every step. Returns what then runs, until it is dropped.
pub async fn run(
    site: &Site,
    report: &mut Report,
    listen: SocketAddr,
    access: Access,
) -> Result<Running, Failed> {
    let program = binary("emulated-enclave");
    let kms = report
        .step("kms", async { setup::kms(site, &setup::measurements(&program)?, Documents::Signed).await });
    let kms = kms.await?;
    let guest = Guest::process(site, program);
    let mut appliance = report.step("enclave", setup::enclave(site, &kms, guest, listen)).await?;
    let keyring = report.step("keyring", setup::keyring(site, &appliance)).await?;

    report.step("refused_unattested", attacks::unattested(site, &kms, &appliance)).await?;
    report.step("refused_image", attacks::changed_image(site, &kms)).await?;
    report.step("refused_configuration", attacks::configuration(site, &kms, &keyring)).await?;

    let wallet = report.step("wallet", signing::wallet(site, &appliance)).await?;
    report.step("evm", signing::evm(site, &appliance, &wallet)).await?;
    report.step("solana", signing::solana(site, &appliance, &wallet)).await?;
    report.step("denied", denied::denied(site, &appliance, &wallet)).await?;
    report.step("forged", authentication::forged(site, &appliance)).await?;
    report.step("session", authentication::session(site, &appliance, &wallet)).await?;
    report.step("restart", signing::restart(site, &mut appliance, &wallet)).await?;
    report.step("audit", audit::audit(site, &kms, &appliance)).await?;
    report.step("attest", proof::attest(site, &appliance)).await?;

    if access == Access::Open {
        report.step("open", setup::open(site, &appliance, &wallet, &keyring)).await?;
    }
    report.step("ready", proof::ready(site, &appliance, &wallet, access)).await?;
    Ok(Running { appliance, wallet, _kms: kms })
}

/// An appliance that serves.
#[derive(Debug)]
pub struct Running {
    appliance: Appliance,
    wallet: Wallet,
    _kms: kms::Kms,
}

impl Running {
    /// Starts the enclave again whenever it ends, as systemd would. Returns only when
    /// the host ends.
    pub async fn supervise(&mut self, report: &Report) -> Error {
        loop {
            let status = match self.appliance.ended().await {
                Ok(status) => status,
                Err(error) => return error,
            };
            report.note(
                "enclave_ended",
                &format!("the enclave ended ({status}); starting it again"),
                &json!({}),
            );
            sleep(RESTART_DELAY).await;
            self.appliance.start_enclave();
            match self.appliance.wait_for_phase("ready").await {
                Ok(status) => {
                    let text = format!("the enclave is ready again; the address is {}", self.wallet.evm);
                    report.note("enclave_ready", &text, &json!({"boot_id": status["enclave"]["boot_id"]}));
                }
                // If it ended again, that is found next.
                Err(error) => report.note("enclave_not_ready", &error.to_string(), &json!({})),
            }
        }
    }

    /// Stops the host as systemd would, then everything else.
    pub async fn stop(self) {
        self.appliance.stop().await;
    }
}
