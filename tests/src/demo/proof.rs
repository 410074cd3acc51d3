//! What an auditor does, and what is there to try.

use serde_json::json;

use super::{
    Access, Error, Site,
    appliance::Appliance,
    policy::{CHAIN, KEY_FILE, KEY_ID},
    report::Shown,
    signing::{NAME, PATH, Wallet, evm_request},
};
use crate::stack::binary;

/// Verifies the running enclave. Everything is as on AWS but the root.
pub(super) async fn attest(site: &Site, appliance: &Appliance) -> Result<((), Shown), Error> {
    let answer =
        site.operator()?.run(&format!("attest --url {} {}", appliance.url(), appliance.proof())).await?;
    let checks = answer["checks"].as_array().ok_or("no checks")?;
    let passed = checks.iter().filter(|check| check["verdict"] == "pass").count();
    if answer["verdict"] != "match" || answer["root"] != "other" || passed == 0 {
        return Err(format!("not as it must be: {answer}").into());
    }
    let shown = Shown::new(
        format!("{passed} checks, all match; EMULATED: signed by this demo's root, not by AWS"),
        json!({
            "verdict": "match", "emulated": true, "root": answer["root"], "passed": passed, "checks": checks,
            "boot_id": answer["boot_id"],
        }),
    );
    Ok(((), shown))
}

/// What can be tried from a shell.
pub(super) async fn ready(
    site: &Site,
    appliance: &Appliance,
    wallet: &Wallet,
    access: Access,
) -> Result<((), Shown), Error> {
    if appliance.get("/readyz").await?.status != 200 {
        return Err("the host is not ready".into());
    }
    let url = appliance.url();
    let mut nonce = [0; 32];
    aws_lc_rs::rand::fill(&mut nonce)?;
    let attestation = format!("curl -sS '{url}/v1/attestation?nonce={}'", hex::encode(nonce));
    let commands = match access {
        Access::Open => vec![
            format!("curl -sS {url}/v1/wallets"),
            format!("curl -sS {url}{PATH} -H 'content-type: application/json' -d '{}'", evm_request(CHAIN)),
            attestation,
        ],
        Access::Keys => {
            let mut commands = by_signerctl(site, appliance)?;
            commands.extend([attestation, format!("curl -sS {url}/v1/status")]);
            commands
        }
    };
    let shown = Shown::new(
        format!("{url}  wallet {} ({NAME})  address {}", wallet.id, wallet.evm),
        json!({"url": url, "wallet": wallet.id, "name": NAME, "address": wallet.evm, "commands": commands}),
    );
    Ok(((), shown.with(commands)))
}

/// The first line is for all that follow.
fn by_signerctl(site: &Site, appliance: &Appliance) -> Result<Vec<String>, Error> {
    let operator = site.operator()?;
    operator.write("payout.json", &evm_request(CHAIN).to_string())?;
    let programs = binary("signerctl");
    let programs = programs.parent().ok_or("no folder of programs")?;
    let client = format!("--client-key {KEY_FILE} --key-id {KEY_ID} {}", appliance.proof());
    Ok(vec![
        format!(
            "cd {} && export SIGNERCTL_URL={} PATH=\"{}:$PATH\"",
            site.folder("operator")?.display(),
            appliance.url(),
            programs.display()
        ),
        format!("signerctl wallet show {NAME} {client}"),
        format!("signerctl sign {NAME} payout.json {client}"),
        format!("signerctl attest {}", appliance.proof()),
    ])
}
