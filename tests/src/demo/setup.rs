//! What an operator does once: admins, configuration, KMS, enclave, keyring, policy.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use serde_json::{Value, json};

use super::{
    Error, Site,
    appliance::{Appliance, Plan},
    guest::Guest,
    instance_role::{ACCOUNT, ROLE},
    kms::{Documents, Kms, key_arn},
    operator::{read_json, text},
    policy::{self, APPROVERS, CHAIN, KEY_FILE, KEY_ID, OPEN},
    report::Shown,
    signing::{self, Wallet},
};

/// The keyring's name.
pub(super) const KEYRING: &str = "default";
/// The root of attestation documents, as the operator's folder has it.
pub(super) const ROOT: &str = "../aws/attestation-root.pem";

/// Three admins, a configuration that two of them signed, and a KMS whose key is for it alone.
///
/// The key is for the enclave that `measured` tells of, in nitro-cli's form.
pub(super) async fn kms(site: &Site, measured: &Value, documents: Documents) -> Result<(Kms, Shown), Error> {
    let operator = site.operator()?;
    for admin in 1..=3 {
        operator.run(&format!("keygen --output admin-{admin}.pem")).await?;
    }
    let arn = key_arn();
    let admins = "--admin admin-1.pem --admin admin-2.pem --admin admin-3.pem";
    operator.run(&format!("config init {admins} --threshold 2 --share {arn} --output config.json")).await?;
    for admin in 1..=2 {
        operator.run(&format!("config sign config.json --key admin-{admin}.pem")).await?;
    }
    let configuration = operator.run("config digest config.json").await?;
    operator.write("eif.json", &measured.to_string())?;
    let measured = "--config config.json --measurements eif.json";
    operator
        .run(&format!("kms-policy {measured} --account {ACCOUNT} --role {ROLE} --output key-policy.json"))
        .await?;

    let kms = Kms::start(site, &read_json(&operator.path("key-policy.json"))?, documents).await?;
    let policy = kms.client_of_instance()?.get_key_policy().key_id(&arn).send().await?;
    let policy: Value = serde_json::from_str(policy.policy().ok_or("KMS shows no policy")?)?;
    let pinned = pinned(&policy)?;
    let eif = read_json(&operator.path("eif.json"))?;
    for (index, pcr) in ["PCR0", "PCR1", "PCR2"].into_iter().enumerate() {
        if pinned[index] != text(&eif, &format!("/Measurements/{pcr}"))? {
            return Err(format!("the key policy does not pin {pcr}: {policy}").into());
        }
    }
    if pinned[3] != text(&configuration, "/pcr16")? {
        return Err(format!("the key policy does not pin PCR16: {policy}").into());
    }
    let shown = Shown::new(
        "one key, for this image (PCR0-2) under this configuration (PCR16) of 2 of 3 admins only",
        json!({
            "key_arn": arn, "address": kms.address.to_string(), "authority": configuration["authority"],
            "pinned": {"PCR0": pinned[0], "PCR1": pinned[1], "PCR2": pinned[2], "PCR16": pinned[3]},
        }),
    );
    Ok((kms, shown))
}

/// An enclave that is configured, and has no keyring yet.
pub(super) async fn enclave(
    site: &Site,
    kms: &Kms,
    guest: Guest,
    listen: SocketAddr,
) -> Result<(Appliance, Shown), Error> {
    let operator = site.operator()?;
    operator.run("policy init --config config.json --version 1 --output policy-1.json").await?;
    for admin in 1..=2 {
        operator
            .run(&format!("policy sign policy-1.json --key admin-{admin}.pem --config config.json"))
            .await?;
    }
    let plan = Plan {
        name: "genuine",
        guest,
        configuration: operator.path("config.json"),
        policy: operator.path("policy-1.json"),
        store: site.store(),
        listen,
    };
    let appliance = Appliance::start(site, kms, plan).await?;
    appliance.wait_for_phase("configured").await?;
    let status = operator.run(&format!("status --url {}", appliance.url())).await?;
    let configuration = operator.run("config digest config.json").await?;
    if status["enclave"]["configuration_digest"] != configuration["digest"] {
        return Err(format!("another configuration than the admins': {status}").into());
    }
    let boot_id = text(&status, "/enclave/boot_id")?;
    let eif = read_json(&operator.path("eif.json"))?;
    let (pcr0, pcr16) = (text(&eif, "/Measurements/PCR0")?, text(&configuration, "/pcr16")?);
    let shown = Shown::new(
        format!("boot {}, PCR0 {}, configured: PCR16 {} is fixed", short(boot_id), short(pcr0), short(pcr16)),
        json!({"boot_id": boot_id, "pcr0": pcr0, "pcr16": pcr16, "url": appliance.url(), "phase": "configured"}),
    );
    Ok((appliance, shown))
}

/// A keyring whose proof holds, and a policy that names it: returns its fingerprint.
pub(super) async fn keyring(site: &Site, appliance: &Appliance) -> Result<(String, Shown), Error> {
    let operator = site.operator()?;
    let url = appliance.url();
    let created = operator
        .run(&format!(
            "keyring create --url {url} --config config.json --keyring {KEYRING} --key admin-1.pem \
             --key admin-2.pem --measurements eif.json --root {ROOT}"
        ))
        .await?;
    let fingerprint = text(&created, "/keyring/fingerprint")?.to_owned();
    adopt(site, appliance, &fingerprint).await?;
    let status = appliance.wait_for_phase("ready").await?;
    let version = &status["enclave"]["policy_version"];
    let shown = Shown::new(
        format!(
            "{} made inside, proof verified; policy 2 names it: opened by attestation",
            short(&fingerprint)
        ),
        json!({"fingerprint": fingerprint, "verdict": created["verdict"], "policy_version": version, "phase": "ready"}),
    );
    if created["verdict"] != "match" || *version != 2 {
        return Err(format!("not as pushed: {created} {status}").into());
    }
    Ok((fingerprint, shown))
}

/// The keys of the client and of those who approve, and a policy that names them and the keyring, signed and pushed.
pub(super) async fn adopt(site: &Site, appliance: &Appliance, fingerprint: &str) -> Result<(), Error> {
    let operator = site.operator()?;
    let key = operator.run(&format!("policy keygen --id {KEY_ID} --output {KEY_FILE}")).await?;
    let mut approvers = Vec::new();
    for name in APPROVERS {
        let key = operator.run(&format!("policy keygen --approver --id {name} --output {name}.pem")).await?;
        approvers.push(key["entry"].clone());
    }
    operator.write("clients.json", &format!("{:#}", policy::clients(&key["entry"])))?;
    operator.write("approvers.json", &format!("{:#}", Value::from(approvers)))?;
    push(site, appliance, 2, fingerprint, &policy::rules(), "").await
}

/// Lets whoever reaches the appliance use the demo's wallet, for clients that sign no requests.
pub(super) async fn open(
    site: &Site,
    appliance: &Appliance,
    wallet: &Wallet,
    fingerprint: &str,
) -> Result<((), Shown), Error> {
    let mut rules = policy::rules();
    rules.as_array_mut().ok_or("no rules")?.push(policy::open_rule(&wallet.id));
    push(site, appliance, 3, fingerprint, &rules, &format!("--client {OPEN}:none")).await?;
    appliance.wait_for("policy 3", |status| status["enclave"]["policy_version"] == 3).await?;
    let reply = appliance.post(signing::PATH, &signing::evm_request(CHAIN)).await?;
    if reply.status != 200 || reply.json["address"] != json!(wallet.evm) {
        return Err(format!("{} instead of a signature: {}", reply.status, reply.json).into());
    }
    let shown = Shown::new(
        format!(
            "policy 3 lets requests without a signature use the wallet {}, as client {OPEN}",
            signing::NAME
        ),
        json!({"policy_version": 3, "client": OPEN, "wallet": wallet.id}),
    );
    Ok(((), shown))
}

/// Has two admins sign a policy, and pushes it.
async fn push(
    site: &Site,
    appliance: &Appliance,
    version: u32,
    fingerprint: &str,
    rules: &Value,
    more: &str,
) -> Result<(), Error> {
    let operator = site.operator()?;
    let (policy, previous) = (format!("policy-{version}.json"), format!("policy-{}.json", version - 1));
    operator.write("rules.json", &format!("{rules:#}"))?;
    operator
        .run(&format!(
            "policy init --config config.json --version {version} --previous {previous} --keyring \
             {KEYRING}={fingerprint} --clients clients.json --approvers approvers.json --rules rules.json {more} \
             --output {policy}"
        ))
        .await?;
    for admin in 1..=2 {
        operator.run(&format!("policy sign {policy} --key admin-{admin}.pem --config config.json")).await?;
    }
    operator.run(&format!("policy push {policy} --url {}", appliance.url())).await?;
    Ok(())
}

/// The measurements that the operator has.
pub(super) fn read_measurements(site: &Site) -> Result<Value, Error> {
    read_json(&site.operator()?.path("eif.json"))
}

/// Measurements of an executable, by itself.
pub(super) fn measurements(image: &Path) -> Result<Value, Error> {
    let output = Command::new(image)
        .arg("--measurements")
        .output()
        .map_err(|error| format!("{} does not run: {error}", image.display()))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("{}: {}", image.display(), String::from_utf8_lossy(&output.stderr)).into())
}

/// The first digits of something long.
pub(super) fn short(digits: &str) -> String {
    format!("{}…", digits.get(..8).unwrap_or(digits))
}

/// A sealed object of the genuine appliance.
pub(super) fn keyring_object(site: &Site) -> Result<Value, Error> {
    let path = site.store().join("keyring").join(KEYRING);
    let content = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_slice(&content)?)
}

/// PCR0, PCR1, PCR2 and PCR16 of the statement that allows use.
fn pinned(policy: &Value) -> Result<[String; 4], Error> {
    let statements = policy["Statement"].as_array().ok_or("the key policy has no statements")?;
    let uses = |statement: &&Value| {
        let actions = statement["Action"].as_array();
        statement["Effect"] == "Allow"
            && actions.is_some_and(|actions| actions.contains(&json!("kms:Decrypt")))
    };
    let mut allowing = statements.iter().filter(uses);
    let (Some(statement), None) = (allowing.next(), allowing.next()) else {
        return Err(format!("not exactly one statement allows Decrypt: {policy}").into());
    };
    let value = |name: &str| {
        let pointer = format!("/Condition/StringEqualsIgnoreCase/kms:RecipientAttestation:{name}/0");
        text(statement, &pointer).map(str::to_owned)
    };
    Ok([value("ImageSha384")?, value("PCR1")?, value("PCR2")?, value("PCR16")?])
}
