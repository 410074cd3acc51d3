//! What an auditor does, and what is there to try.

use serde_json::json;

use super::{
    Error, Site,
    appliance::Appliance,
    report::Shown,
    setup::CHAIN,
    signing::{NAME, Wallet, evm_request},
};

/// Verifies the running enclave. Everything is as on AWS but the root.
pub(super) async fn attest(site: &Site, appliance: &Appliance) -> Result<((), Shown), Error> {
    let answer = site
        .operator()?
        .run(&format!(
            "attest --url {} --config config.json --measurements eif.json --root ../aws/attestation-root.pem",
            appliance.url()
        ))
        .await?;
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
pub(super) async fn ready(appliance: &Appliance, wallet: &Wallet) -> Result<((), Shown), Error> {
    if appliance.get("/readyz").await?.status != 200 {
        return Err("the host is not ready".into());
    }
    let url = appliance.url();
    let mut nonce = [0; 32];
    aws_lc_rs::rand::fill(&mut nonce)?;
    let curl = [
        format!("curl -sS {url}/v1/wallets"),
        format!(
            "curl -sS {url}/v1/wallets/{NAME}/sign -H 'content-type: application/json' -d '{}'",
            evm_request(CHAIN)
        ),
        format!("curl -sS '{url}/v1/attestation?nonce={}'", hex::encode(nonce)),
    ];
    let shown = Shown::new(
        format!("{url}  wallet {} ({NAME})  address {}", wallet.id, wallet.evm),
        json!({"url": url, "wallet": wallet.id, "name": NAME, "address": wallet.evm, "curl": curl}),
    );
    Ok(((), shown.with(curl.to_vec())))
}
