//! The audit log, from a decision to the auditor's verdict.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signer_rules::configuration::Audit;
use signer_tests::stack::{PATIENT_AUDIT, Stack, StackOptions, binary, read_store};
use tokio::time::sleep;

fn transfer(nonce: u64) -> Value {
    json!({"type": "evm.transaction", "transaction": {
        "chainId": 1, "nonce": nonce, "to": "0x3535353535353535353535353535353535353535", "value": "1",
        "gas": "0x5208", "maxFeePerGas": "20000000000", "maxPriorityFeePerGas": "1000000000"
    }})
}

async fn sign(stack: &Stack, times: u64) {
    for nonce in 0..times {
        let reply = stack.post("/v1/wallets/treasury/sign", &transfer(nonce)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

/// Waits until the store has the whole log of a boot with so many records; returns the boot.
async fn stored(stack: &Stack, records: u64) -> String {
    let newest = json!(records - 1);
    let status = stack
        .wait_for("a stored log", |status| {
            status["audit"]["stored"] == newest && status["enclave"]["audit"]["stored"] == newest
        })
        .await;
    assert_eq!(status["audit"]["problem"], Value::Null, "{status}");
    status["enclave"]["boot_id"].as_str().unwrap().to_owned()
}

async fn attestation_of(stack: &Stack, boot: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let reply = stack.get(&format!("/v1/boots/{boot}")).await;
        if reply.status == 200 {
            return reply.json;
        }
        assert!(Instant::now() < deadline, "{reply:?}\n{}", stack.logs());
        sleep(Duration::from_millis(50)).await;
    }
}

async fn witness_of(stack: &Stack, boot: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = stack.kms.trail().into_iter().find(|event| {
            let context = &event["requestParameters"]["encryptionContext"];
            context["nitro-signer:purpose"] == "witness" && context["nitro-signer:boot"] == boot
        });
        if let Some(event) = found {
            assert_eq!(event["errorCode"], Value::Null, "the printed key policy allows it: {event}");
            return event;
        }
        assert!(Instant::now() < deadline, "no witness of {boot}\n{}", stack.logs());
        sleep(Duration::from_millis(50)).await;
    }
}

/// A store as an attacker would have it.
#[derive(Clone)]
struct Copy {
    objects: BTreeMap<String, Vec<u8>>,
    folder: PathBuf,
}

impl Copy {
    fn of(stack: &Stack, name: &str) -> Self {
        Self { objects: read_store(&stack.path("store")), folder: stack.path(name) }
    }

    /// The lines of a boot's log, each with the name of its segment.
    fn lines(&self, boot: &str) -> Vec<(String, String)> {
        let prefix = format!("audit/{boot}/");
        let segments = self.objects.iter().filter(|(name, _)| name.starts_with(&prefix));
        segments
            .flat_map(|(name, content)| {
                let text = String::from_utf8(content.clone()).unwrap();
                text.lines().map(|line| (name.clone(), line.to_owned())).collect::<Vec<_>>()
            })
            .collect()
    }

    fn set_lines(&mut self, boot: &str, lines: &[(String, String)]) {
        let prefix = format!("audit/{boot}/");
        self.objects.retain(|name, _| !name.starts_with(&prefix));
        for (name, line) in lines {
            let segment = self.objects.entry(name.clone()).or_default();
            segment.extend_from_slice(format!("{line}\n").as_bytes());
        }
    }

    fn write(&self) -> &Path {
        drop(fs::remove_dir_all(&self.folder));
        for (name, content) in &self.objects {
            let path = self.folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        &self.folder
    }
}

/// What `signerctl audit verify` says: exit status and JSON.
fn verify(stack: &Stack, store: &Path, more: &[&str]) -> (i32, Value) {
    let output = Command::new(binary("signerctl"))
        .args(["audit", "verify", "--json", "--store"])
        .arg(store)
        .arg("--config")
        .arg(stack.path("configuration.dsse.json"))
        .arg("--measurements")
        .arg(stack.path("measurements.json"))
        .arg("--root")
        .arg(stack.path("attestation-root.pem"))
        .args(more)
        .output()
        .expect("signerctl runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let json = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), json)
}

fn run(arguments: &[&str]) -> String {
    let output = Command::new(binary("signerctl")).args(arguments).output().expect("signerctl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_to_the_log_is_found() {
    let mut stack = Stack::start(StackOptions::default()).await;
    // So that the log has three segments at least.
    stored(&stack, 1).await;
    stack.make_ready().await;
    stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    sign(&stack, 3).await;
    // Boot, keyring made and opened, policy, wallet.
    let first = stored(&stack, 5 + 3).await;
    let attested = attestation_of(&stack, &first).await;
    assert_eq!(attested["boot_id"], first.as_str());
    witness_of(&stack, &first).await;
    assert_eq!(stack.get(&format!("/v1/boots/{}", "00".repeat(16))).await.status, 404);

    // Another host goes on where the first one stopped.
    stack.stop_host().await;
    stack.start_host();
    stack.wait_for_phase("ready").await;
    sign(&stack, 4).await;
    stored(&stack, 5 + 7).await;
    stack.kill_enclave();
    stack.start_enclave();
    stack
        .wait_for("another boot", |status| {
            status["enclave"]["phase"] == "ready" && status["enclave"]["boot_id"] != first.as_str()
        })
        .await;
    sign(&stack, 2).await;
    let second = stored(&stack, 2 + 2).await;
    attestation_of(&stack, &second).await;
    let later = witness_of(&stack, &second).await;

    let good = Copy::of(&stack, "copy");
    let lines = good.lines(&first);
    let records: Vec<&str> = lines
        .iter()
        .map(|(_, line)| line.as_str())
        .filter(|line| line.starts_with("{\"sequence\""))
        .collect();
    assert_eq!(records.len(), 12);
    // The minute after which the enclave would leave its next witness, passed at once.
    let newest = hex::encode(Sha256::digest(records[11]));
    let mut last = stack.kms.trail();
    let mut next = witness_of(&stack, &first).await;
    next["requestParameters"]["encryptionContext"]["nitro-signer:sequence"] = json!("11");
    next["requestParameters"]["encryptionContext"]["nitro-signer:head"] = json!(newest);
    last.push(next);
    let trail = stack.path("trail.json");
    fs::write(&trail, last.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")).unwrap();
    let trail = ["--cloudtrail", trail.to_str().unwrap()];

    for more in [&[][..], &trail] {
        let (exit, report) = verify(&stack, good.write(), more);
        assert_eq!((exit, report["boots"].as_array().unwrap().len()), (0, 2), "{report:#}");
    }
    assert_eq!(later["requestParameters"]["encryptionContext"]["nitro-signer:boot"], second.as_str());

    is_found(&stack, &good, &first, &second, &trail);
    last.retain(|event| {
        event["requestParameters"]["encryptionContext"]["nitro-signer:boot"] != second.as_str()
    });
    an_opening_without_a_log_is_found(&stack, &good, &second, &last);
    cuts_are_found_by_the_trail(&stack, &good, &first, &second, &trail);

    let receipt = format!("{first}:11:{newest}");
    assert_eq!(verify(&stack, good.write(), &["--receipt", &receipt]).0, 0);
    assert_eq!(verify(&stack, good.write(), &["--receipt", &receipt.replace(":11:", ":9:")]).0, 1);
    // Cut to its first record, without an attestation, it says that it was never ready. A receipt says otherwise.
    let mut beginning = good.clone();
    beginning.objects.remove(&format!("boot/{first}"));
    let mut lines = good.lines(&first);
    let segment = lines[0].0.clone();
    lines.retain(|(name, _)| *name == segment);
    beginning.set_lines(&first, &lines);
    assert_eq!(verify(&stack, beginning.write(), &["--receipt", &receipt]).0, 1);

    let (store, exported) = (good.write().to_str().unwrap(), stack.path("boot.jsonl"));
    run(&["audit", "export", "--store", store, "--boot", &first, "--output", exported.to_str().unwrap()]);
    assert_eq!(verify(&stack, &exported, &trail[..0]).0, 0);
    let shown = run(&["audit", "show", "--store", store, "--boot", &first]);
    let signatures = shown.lines().filter(|line| line.contains("backend evm.transaction")).count();
    assert_eq!((signatures, shown.lines().count()), (7, 13), "{shown}");
}

/// What the log shows by itself.
fn is_found(stack: &Stack, good: &Copy, first: &str, second: &str, trail: &[&str]) {
    type Change = fn(&mut Vec<(String, String)>);
    let changes: [(&str, Change); 5] = [
        ("edited", |lines| {
            let signed = lines.iter_mut().rfind(|(_, line)| line.contains("\"allowed\":true")).unwrap();
            signed.1 = signed.1.replace("\"allowed\":true", "\"allowed\":false");
        }),
        ("dropped", |lines| {
            let place = lines.iter().position(|(_, line)| line.contains("evm.transaction")).unwrap();
            lines.remove(place);
        }),
        ("reordered", |lines| {
            let places: Vec<usize> =
                (0..lines.len()).filter(|place| lines[*place].1.contains("evm.transaction")).collect();
            let (one, two) = (lines[places[0]].1.clone(), lines[places[1]].1.clone());
            lines[places[0]].1 = two;
            lines[places[1]].1 = one;
        }),
        ("a segment dropped", |lines| {
            let segment = lines[0].0.clone();
            let place = lines.iter().position(|(name, _)| *name != segment).unwrap();
            let middle = lines[place].0.clone();
            lines.retain(|(name, _)| *name != middle);
        }),
        ("its checkpoint dropped", |lines| drop(lines.pop())),
    ];
    for (what, change) in changes {
        let mut copy = good.clone();
        let mut lines = copy.lines(first);
        change(&mut lines);
        copy.set_lines(first, &lines);
        let (exit, report) = verify(stack, copy.write(), &[]);
        assert_eq!((exit, &report["outcome"]), (1, &json!("wrong")), "{what}: {report:#}");
    }
    let mut swapped = good.clone();
    let other = good.objects[&format!("boot/{second}")].clone();
    swapped.objects.insert(format!("boot/{first}"), other);
    assert_eq!(verify(stack, swapped.write(), &[]).0, 1);
    let mut without = good.clone();
    without.objects.remove(&format!("boot/{first}"));
    assert_eq!(verify(stack, without.write(), trail).0, 1);
}

/// What no log that a host keeps shows by itself.
fn cuts_are_found_by_the_trail(stack: &Stack, good: &Copy, first: &str, second: &str, trail: &[&str]) {
    let mut cut = good.clone();
    let mut lines = cut.lines(first);
    let segment = lines.last().unwrap().0.clone();
    lines.retain(|(name, _)| *name != segment);
    cut.set_lines(first, &lines);
    let mut hidden = good.clone();
    hidden.objects.retain(|name, _| !name.contains(second));
    for (what, copy, word) in [("cut", cut, "cut off"), ("hidden", hidden, "hidden")] {
        let (exit, report) = verify(stack, copy.write(), &[]);
        assert_eq!(exit, 0, "{what}: {report:#}");
        let (exit, report) = verify(stack, copy.write(), trail);
        assert_eq!(exit, 1, "{what}: {report:#}");
        assert!(report["boots"].to_string().contains(word), "{what}: {report:#}");
    }
}

/// A host that let an enclave open its keyring, and carried nothing more to KMS: no witness, and no log.
fn an_opening_without_a_log_is_found(stack: &Stack, good: &Copy, second: &str, events: &[Value]) {
    let trail = stack.path("unwitnessed.json");
    fs::write(&trail, json!({ "Records": events }).to_string()).unwrap();
    let trail = ["--cloudtrail", trail.to_str().unwrap()];
    let (exit, report) = verify(stack, good.write(), &trail);
    assert_eq!((exit, &report["unclaimed_openings"]), (2, &json!([])), "{report:#}");
    assert!(report["boots"].to_string().contains("no witness of it"), "{report:#}");
    let mut hidden = good.clone();
    hidden.objects.retain(|name, _| !name.contains(second));
    let (exit, report) = verify(stack, hidden.write(), &trail);
    assert_eq!((exit, &report["outcome"]), (2, &json!("incomplete")), "{report:#}");
    let unclaimed = report["unclaimed_openings"].as_array().unwrap();
    assert_eq!(unclaimed.len(), 1, "{report:#}");
    assert!(unclaimed[0].as_str().unwrap().contains("keyring default"), "{report:#}");

    // A trail of another time or key shows nothing, and says so.
    let empty = stack.path("empty.json");
    fs::write(&empty, json!({ "Records": [] }).to_string()).unwrap();
    let (exit, report) = verify(stack, good.write(), &["--cloudtrail", empty.to_str().unwrap()]);
    assert_eq!((exit, &report["outcome"]), (2, &json!("incomplete")), "{report:#}");
    assert!(report["boots"].to_string().contains("give the trail of every key"), "{report:#}");

    // Nor does a log claim it that nobody vouches for.
    let mut unattested = good.clone();
    unattested.objects.remove(&format!("boot/{second}"));
    let (_, report) = verify(stack, unattested.write(), &trail);
    assert_eq!(report["unclaimed_openings"].as_array().map(Vec::len), Some(1), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_store_for_the_log_nothing_is_signed() {
    let audit = Audit { longest_unstored_s: 10, ..PATIENT_AUDIT };
    let stack = Stack::start(StackOptions { audit, ..StackOptions::default() }).await;
    stack.make_ready().await;
    stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    stored(&stack, 5).await;

    // Objects are written there before they get their names.
    let (working, broken) = (stack.path("store/.tmp"), stack.path("store/.broken"));
    fs::rename(&working, &broken).unwrap();
    sign(&stack, 1).await;
    let status = stack.wait_for("a problem", |status| !status["audit"]["problem"].is_null()).await;
    assert_eq!((&status["audit"]["stored"], &status["enclave"]["phase"]), (&json!(4), &json!("ready")));
    let status = stack
        .wait_for("the enclave's patience", |status| !status["enclave"]["audit"]["problem"].is_null())
        .await;
    assert!(status["enclave"]["audit"]["problem"].as_str().unwrap().contains("not stored"), "{status}");
    for path in ["/v1/wallets/treasury/sign", "/v1/wallets"] {
        let refused = stack.post(path, &transfer(0)).await;
        assert_eq!((refused.status, &refused.json["code"]), (503, &json!("audit_not_stored")), "{refused:?}");
        assert_eq!(refused.json["retryable"], true);
    }

    fs::rename(&broken, &working).unwrap();
    stack.wait_for("a stored log", |status| status["audit"]["problem"].is_null()).await;
    stack.wait_for("a content enclave", |status| status["enclave"]["audit"]["problem"].is_null()).await;
    sign(&stack, 1).await;
    // Boot, keyring made and opened, policy, wallet, and two signatures: what was refused is no record.
    stored(&stack, 5 + 2).await;
    let (exit, report) = verify(&stack, &stack.path("store"), &[]);
    assert_eq!((exit, &report["boots"][0]["records"]), (0, &json!(7)), "{report:#}");
}
