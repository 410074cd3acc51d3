//! The audit log, as an auditor reads it, and as somebody edits it.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Error, Site, appliance::Appliance, kms::Kms, report::Shown, setup::ROOT};

/// What an editor of the log would make of a signature.
const SIGNED: &str = "\"allowed\":true";
const HIDDEN: &str = "\"allowed\":false";

/// The log of all boots verified against what KMS's own log has of them; and a copy with one word changed.
pub(super) async fn audit(site: &Site, kms: &Kms, appliance: &Appliance) -> Result<((), Shown), Error> {
    let stored = appliance
        .wait_for("a log that is stored and witnessed", |status| {
            let (host, enclave) = (&status["audit"], &status["enclave"]["audit"]);
            host["stored"].is_u64()
                && host["stored"] == host["head"]
                && host["stored"] == enclave["stored"]
                && enclave["witnessed"].is_u64()
        })
        .await?;
    attestation_is_stored(appliance, &stored).await?;

    let operator = site.operator()?;
    let verify = |store: &str| {
        format!(
            "audit verify --store {store} --config config.json --measurements eif.json --root {ROOT} \
             --cloudtrail {}",
            kms.trail().display()
        )
    };
    let report = operator.run(&verify("../store")).await?;
    let boots = report["boots"].as_array().ok_or("no boots")?;
    let records: u64 = boots.iter().filter_map(|boot| boot["records"].as_u64()).sum();
    if report["outcome"] != "holds" || report["trail"] != true || boots.len() < 2 {
        return Err(format!("the log of two boots does not hold: {report}").into());
    }

    let copy = site.copy_of_store("edited")?;
    edit(&copy)?;
    let (exit, found) = operator.attempt(&verify("../edited/store")).await?;
    let problems: Vec<&Value> = found["boots"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|boot| boot["problems"].as_array().into_iter().flatten())
        .collect();
    let (Some(1), Some(problem), "wrong") =
        (exit, problems.first(), found["outcome"].as_str().unwrap_or_default())
    else {
        return Err(format!("an edited record is not found: {exit:?} {found}").into());
    };
    let shown = Shown::new(
        format!(
            "{records} records of {} boots hold, against KMS's log; one word edited in a copy: found",
            boots.len()
        ),
        json!({"outcome": "holds", "boots": boots.len(), "records": records, "edited": "wrong", "problem": problem}),
    );
    Ok(((), shown))
}

/// The host stores it once, soon after the boot is ready.
async fn attestation_is_stored(appliance: &Appliance, status: &Value) -> Result<(), Error> {
    let path = format!("/v1/boots/{}", status["enclave"]["boot_id"].as_str().unwrap_or_default());
    let deadline = Instant::now() + appliance.patience();
    while appliance.get(&path).await?.status != 200 {
        if Instant::now() >= deadline {
            return Err("the boot's attestation is not stored".into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Says of one thing that was allowed that it was not.
fn edit(store: &Path) -> Result<(), Error> {
    let mut folders = vec![store.join("audit")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path)?;
            if text.contains(SIGNED) {
                return Ok(fs::write(path, text.replacen(SIGNED, HIDDEN, 1))?);
            }
        }
    }
    Err("the log has no signature".into())
}
