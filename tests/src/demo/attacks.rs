//! What a hostile host can try, and what KMS says to it.

use std::{collections::HashMap, fs, path::Path};

use aws_sdk_kms::{error::ProvideErrorMetadata as _, primitives::Blob};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Error, Site,
    appliance::{Appliance, Plan},
    guest::Guest,
    kms::{Kms, key_arn},
    operator::text,
    report::Shown,
    setup::{KEYRING, keyring_object, measurements, short},
};
use crate::stack::binary;

pub(super) const DENIED: &str = "AccessDeniedException";
/// What the compiler leaves in an executable, where nothing at run time looks.
const COMPILER: &[u8] = b"rustc version ";

/// The instance's own credentials, the right ciphertext, the right context, and no attestation.
pub(super) async fn unattested(site: &Site, kms: &Kms, appliance: &Appliance) -> Result<((), Shown), Error> {
    let status = appliance.wait_for_phase("ready").await?;
    let object = keyring_object(site)?;
    let ciphertext = STANDARD.decode(text(&object, "/shares/0/copies/0/data_key")?)?;
    let context = HashMap::from([
        ("nitro-signer:authority".to_owned(), text(&status, "/enclave/authority")?.to_owned()),
        ("nitro-signer:keyring".to_owned(), KEYRING.to_owned()),
        ("nitro-signer:purpose".to_owned(), "keyring-share".to_owned()),
        ("nitro-signer:v".to_owned(), "1".to_owned()),
    ]);
    let answer = kms
        .client_of_instance()?
        .decrypt()
        .key_id(key_arn())
        .ciphertext_blob(Blob::new(ciphertext))
        .set_encryption_context(Some(context))
        .send()
        .await;
    let Err(refusal) = answer else { return Err("KMS gave the data key away".into()) };
    let (code, message) =
        (refusal.code().unwrap_or("no code").to_owned(), refusal.message().unwrap_or_default().to_owned());
    if code != DENIED {
        return Err(format!("refused, but not as it must be: {code}: {message} {refusal:?}").into());
    }
    let shown = Shown::new(
        format!(
            "the instance's own credentials on the data key: refused, as it must be: {}",
            brief(&message)
        ),
        json!({"error": code, "message": message, "principal": super::instance_role::credentials().arn}),
    );
    Ok(((), shown))
}

/// Another image, one byte apart, with a copy of everything that the genuine one has.
pub(super) async fn changed_image(site: &Site, kms: &Kms) -> Result<((), Shown), Error> {
    let genuine = binary("emulated-enclave");
    let changed = site.folder("changed")?.join("emulated-enclave");
    let offset = copy_with_one_byte_changed(&genuine, &changed)?;
    let (before, after) = (measurements(&genuine)?, measurements(&changed)?);
    let (before, after) = (text(&before, "/Measurements/PCR0")?, text(&after, "/Measurements/PCR0")?);
    if before == after {
        return Err("the changed image has the same PCR0".into());
    }
    let operator = site.operator()?;
    let plan = Plan {
        name: "changed",
        guest: Guest::process(site, changed),
        configuration: operator.path("config.json"),
        policy: operator.path("policy-2.json"),
        store: site.copy_of_store("changed")?,
        listen: ([127, 0, 0, 1], 0).into(),
    };
    let refused = refused_by_kms(site, kms, plan).await?;
    let shown = Shown::new(
        format!(
            "one byte of the image changed: PCR0 {}, not {}: refused, as it must be: {}",
            short(after),
            short(before),
            brief(&refused)
        ),
        json!({
            "error": DENIED, "problem": refused, "pcr0": after, "pcr0_genuine": before, "changed_offset": offset,
        }),
    );
    Ok(((), shown))
}

/// The genuine image, under admins of the attacker's, who tell the enclave not to judge the key itself.
pub(super) async fn configuration(site: &Site, kms: &Kms, fingerprint: &str) -> Result<((), Shown), Error> {
    let attacker = site.attacker()?;
    attacker.run("keygen --output evil.pem").await?;
    let arn = key_arn();
    attacker
        .run(&format!(
            "config init --admin evil.pem --threshold 1 --kms-policy-check report --share {arn} \
             --output config.json"
        ))
        .await?;
    attacker.run("config sign config.json --key evil.pem").await?;
    attacker.write(
        "rules.json",
        r#"[{"id": "all", "effect": "allow", "operations": ["wallet.create", "evm.transaction"]}]"#,
    )?;
    attacker
        .run(&format!(
            "policy init --config config.json --version 1 --keyring {KEYRING}={fingerprint} \
             --client evil:none --rules rules.json --output policy.json"
        ))
        .await?;
    attacker.run("policy sign policy.json --key evil.pem --config config.json").await?;
    let evil = attacker.run("config digest config.json").await?;
    let genuine = site.operator()?.run("config digest config.json").await?;
    let (pcr16, expected) = (text(&evil, "/pcr16")?, text(&genuine, "/pcr16")?);

    // The keyring's object names its authority, and only KMS guards what is in it: the attacker can
    // write his own name there.
    let mut object = keyring_object(site)?;
    object["authority"] = evil["authority"].clone();
    let store = site.folder("attacker/store/keyring")?;
    fs::write(store.join(KEYRING), object.to_string())?;
    let plan = Plan {
        name: "hostile",
        guest: Guest::process(site, binary("emulated-enclave")),
        configuration: attacker.path("config.json"),
        policy: attacker.path("policy.json"),
        store: attacker.path("store"),
        listen: ([127, 0, 0, 1], 0).into(),
    };
    let refused = refused_by_kms(site, kms, plan).await?;
    let shown = Shown::new(
        format!(
            "the same image under other admins: PCR16 {}, not {}: refused, as it must be: {}",
            short(pcr16),
            short(expected),
            brief(&refused)
        ),
        json!({
            "error": DENIED, "problem": refused, "pcr16": pcr16, "pcr16_genuine": expected,
            "authority": evil["authority"], "authority_genuine": genuine["authority"],
        }),
    );
    Ok(((), shown))
}

/// Starts an appliance that KMS must refuse. Returns what its enclave says about that.
pub(super) async fn refused_by_kms(site: &Site, kms: &Kms, plan: Plan) -> Result<String, Error> {
    let before = kms.refusals().len();
    let appliance = Appliance::start(site, kms, plan).await?;
    let told = |status: &Value| {
        status["enclave"]["phase"] == "ready" || problem(status).is_some_and(|text| text.contains(DENIED))
    };
    let status = appliance.wait_for("KMS's refusal", told).await?;
    let readiness = appliance.get("/readyz").await?.status;
    let wallets = appliance.get("/v1/wallets").await?.status;
    if status["enclave"]["phase"] != "configured" || readiness != 503 || wallets != 503 {
        return Err(format!("it must not become ready: {readiness} {wallets} {status}").into());
    }
    let refusals = kms.refusals();
    let decrypt = |call: &Value| call["eventName"] == "Decrypt" && call["errorCode"] == "AccessDenied";
    if !refusals.iter().skip(before).any(decrypt) {
        return Err(format!("KMS's own log shows no refused Decrypt: {refusals:?}").into());
    }
    appliance.stop().await;
    Ok(problem(&status).unwrap_or_default().to_owned())
}

fn problem(status: &Value) -> Option<&str> {
    status["enclave"]["problem"].as_str().or_else(|| status["problem"].as_str())
}

/// KMS's refusal without the names in it.
pub(super) fn brief(message: &str) -> String {
    let why = message.rfind(" with ").and_then(|start| message.get(start..)).unwrap_or_default();
    format!("{DENIED} …{why}")
}

/// Changes a digit of the compiler's version, which nothing reads. Returns its offset.
pub(super) fn copy_with_one_byte_changed(from: &Path, to: &Path) -> Result<usize, Error> {
    let mut image = fs::read(from)?;
    let found = image.windows(COMPILER.len()).rposition(|window| window == COMPILER);
    let offset = found.ok_or("the executable does not say which compiler made it")? + COMPILER.len();
    image[offset] ^= 1;
    fs::copy(from, to)?;
    fs::write(to, image)?;
    Ok(offset)
}
