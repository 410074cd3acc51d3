//! The programs that ship, in a development image, booted in QEMU's machine `nitro-enclave`: enclave and init as they are
//! built for production, a real `/dev/nsm`, real vsock in the guest, a kernel that measures nothing because QEMU did.
//!
//! Beside Nitro, three things are other: QEMU appends `nitro_signer.parent_cid=2` to the kernel's command line, the image
//! holds the roots of an emulated KMS (so it is a development image), and QEMU's attestation documents are unsigned, so
//! that this KMS alone believes them.

mod console;
mod image;
mod machine;

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    Error, Failed, Report, Site,
    appliance::{Appliance, Plan},
    attacks::{DENIED, brief, copy_with_one_byte_changed, refused_by_kms},
    denied,
    guest::Guest,
    kms::{Documents, Kms},
    operator::text,
    report::Shown,
    setup::{self, KEYRING, short},
    signing,
};
use crate::{kms::unsigned_pcrs, stack::binary};

use image::Image;
pub(super) use machine::Machine;
pub use {image::Parts, machine::Tools};

/// The folder of the appliance.
const NAME: &str = "genuine";

/// Runs every step, and switches everything off.
pub async fn run(site: &Site, report: &mut Report, tools: &Tools, parts: &Parts) -> Result<(), Failed> {
    let image = report.step("image", image(site, parts)).await?;
    let kms = report.step("kms", setup::kms(site, &image.measured, Documents::SignedOrNot)).await?;
    let mut appliance = report.step("boot", boot(site, &kms, tools, &image)).await?;
    report.step("keyring", keyring(site, &appliance, &image)).await?;
    let wallet = report.step("wallet", signing::wallet(site, &appliance)).await?;
    report.step("evm", signing::evm(site, &appliance, &wallet)).await?;
    report.step("solana", signing::solana(site, &appliance, &wallet)).await?;
    report.step("denied", denied::denied(site, &appliance, &wallet)).await?;
    report.step("restart", signing::restart(site, &mut appliance, &wallet)).await?;
    report.step("boot_time", boot_time(&mut appliance)).await?;
    report.step("refused_verifier", verifier(site, &appliance)).await?;
    appliance.stop().await;
    report.step("refused_image", changed_image(site, &kms, tools, parts, &image)).await
}

/// An image of this build.
async fn image(site: &Site, parts: &Parts) -> Result<(Image, Shown), Error> {
    let image = parts.assemble(site, NAME, &parts.enclave()).await?;
    let bytes = fs::metadata(&image.eif)?.len();
    let sections = image.measured["Sections"].as_array().ok_or("no sections")?;
    let ramdisks: Vec<_> = sections
        .iter()
        .filter(|section| section["Kind"] == "ramdisk")
        .map(|section| &section["Size"])
        .collect();
    let [boot, application] = ramdisks.as_slice() else {
        return Err(format!("not two ramdisks: {}", image.measured).into());
    };
    let shown = Shown::new(
        format!(
            "{bytes} bytes, ramdisks {boot} and {application}, PCR0 {}",
            short(text(&image.measured, "/Measurements/PCR0")?)
        ),
        json!({"bytes": bytes, "ramdisks": ramdisks, "measured": image.measured}),
    );
    Ok((image, shown))
}

/// A machine that is switched on, and configured by its host.
async fn boot(site: &Site, kms: &Kms, tools: &Tools, image: &Image) -> Result<(Appliance, Shown), Error> {
    let guest = Guest::Image { eif: image.eif.clone(), tools: tools.clone() };
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let (appliance, _) = setup::enclave(site, kms, guest, any_port).await?;
    let status = appliance.get("/v1/status").await?.json;
    let boot_id = text(&status, "/enclave/boot_id")?;
    let shown = Shown::new(
        format!("boot {}, configured over vsock by the host", short(boot_id)),
        json!({"boot_id": boot_id, "phase": status["enclave"]["phase"], "url": appliance.url()}),
    );
    Ok((appliance, shown))
}

/// A keyring that the machine makes. What its document attests are the image's measurements.
///
/// `signerctl keyring create` would refuse the unsigned document; this asks for it as any HTTP client can.
async fn keyring(site: &Site, appliance: &Appliance, image: &Image) -> Result<((), Shown), Error> {
    let operator = site.operator()?;
    let request = "keyring request --config config.json --output request.json";
    operator.run(&format!("{request} --keyring {KEYRING} --key admin-1.pem --key admin-2.pem")).await?;
    let request: Value = serde_json::from_slice(&fs::read(operator.path("request.json"))?)?;
    let reply = appliance.post("/v1/keyrings", &request).await?;
    let fingerprint = text(&reply.json, "/keyring/fingerprint")?.to_owned();
    let document = STANDARD.decode(text(&reply.json, "/document")?)?;
    let attested = unsigned_pcrs(&document).ok_or("the document is not as QEMU makes them")?;
    let mut pcrs = json!({});
    for index in 0..3_u8 {
        let (name, value) = (format!("PCR{index}"), attested.get(&index).map(hex::encode));
        if value.as_deref() != Some(text(&image.measured, &format!("/Measurements/{name}"))?) {
            return Err(format!("attested {name} {value:?}, and measured {}", image.measured).into());
        }
        pcrs[name] = value.into();
    }
    setup::adopt(site, appliance, &fingerprint).await?;
    appliance.wait_for_phase("ready").await?;
    let shown = Shown::new(
        format!("{} made inside; attested PCR0-2 are what signer-eif measures", short(&fingerprint)),
        json!({"fingerprint": fingerprint, "attested": pcrs}),
    );
    Ok(((), shown))
}

/// The machine switched off and on: when which stage is reached.
async fn boot_time(appliance: &mut Appliance) -> Result<((), Shown), Error> {
    appliance.kill_enclave();
    appliance.wait_for("the end of the enclave", |status| status["enclave"]["phase"].is_null()).await?;
    let on = Instant::now();
    appliance.start_enclave();
    let milliseconds = |since: Instant| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    appliance.wait_for("an enclave", |status| status["enclave"]["phase"].is_string()).await?;
    let answers_ms = milliseconds(on);
    appliance.wait_for_phase("ready").await?;
    let ready_ms = milliseconds(on);
    let (stages, console_bytes) = console::read(&appliance.log("console.log"))?;
    let mut data = stages.to_json();
    data["power_on_to_answer_ms"] = answers_ms.into();
    data["power_on_to_ready_ms"] = ready_ms.into();
    data["console_bytes"] = console_bytes.into();
    let shown = Shown::new(
        format!(
            "kernel {} ms, init {} ms; from power-on it answers after {answers_ms} ms, signs after {ready_ms} ms",
            data["kernel_ms"], data["init_ms"]
        ),
        data,
    );
    Ok(((), shown))
}

/// No verifier believes an unsigned document, whatever root it is told to trust.
async fn verifier(site: &Site, appliance: &Appliance) -> Result<((), Shown), Error> {
    let operator = site.operator()?;
    let mut verify = Command::new(binary("signer-eif"));
    verify.args(["--json", "verify", "--url", &appliance.url()]);
    verify.arg("--config").arg(operator.path("config.json")).arg("--root").arg(site.attestation_root());
    let measured = setup::read_measurements(site)?;
    for index in 0..3_u8 {
        verify.arg(format!("--pcr{index}")).arg(text(&measured, &format!("/Measurements/PCR{index}"))?);
    }
    let output = verify.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if output.status.code() != Some(1) {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(
            format!("signer-eif verify says {} to an unsigned document: {said}", output.status).into()
        );
    }
    let shown = Shown::new(
        "the unsigned document refused by signer-eif verify, as it must be",
        json!({"exit_status": 1}),
    );
    Ok(((), shown))
}

/// The same, with one byte of the enclave's program changed.
async fn changed_image(
    site: &Site,
    kms: &Kms,
    tools: &Tools,
    parts: &Parts,
    genuine: &Image,
) -> Result<((), Shown), Error> {
    let program: PathBuf = site.folder("images")?.join("signer-enclave");
    let offset = copy_with_one_byte_changed(&parts.enclave(), &program)?;
    let image = parts.assemble(site, "changed", &program).await?;
    let pcr = |image: &Image, index: u8| {
        text(&image.measured, &format!("/Measurements/PCR{index}")).map(str::to_owned)
    };
    if pcr(&image, 1)? != pcr(genuine, 1)? || pcr(&image, 2)? == pcr(genuine, 2)? {
        return Err("the enclave is measured in PCR2, and not in PCR1".into());
    }
    let operator = site.operator()?;
    let plan = Plan {
        name: "changed",
        guest: Guest::Image { eif: image.eif.clone(), tools: tools.clone() },
        configuration: operator.path("config.json"),
        policy: operator.path("policy-2.json"),
        store: site.copy_of_store("changed")?,
        listen: ([127, 0, 0, 1], 0).into(),
    };
    let refused = refused_by_kms(site, kms, plan).await?;
    let (before, after) = (pcr(genuine, 2)?, pcr(&image, 2)?);
    let shown = Shown::new(
        format!(
            "one byte of the enclave changed: PCR2 {}, not {}: refused, as it must be: {}",
            short(&after),
            short(&before),
            brief(&refused)
        ),
        json!({
            "error": DENIED, "problem": refused, "pcr2": after, "pcr2_genuine": before, "changed_offset": offset,
        }),
    );
    Ok(((), shown))
}

/// The longest run, on a machine that does other things, too.
pub const LIMIT: Duration = Duration::from_mins(20);
