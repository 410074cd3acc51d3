//! One deviation each, through the command: it fails by its own rule, for its own reason, and nothing else fails.

use std::{thread, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd};
use serde_json::json;

use crate::{
    builder::{bstr, issue, levels, null, pcr_map, text, uint},
    scene::Scene,
    verify,
};

/// A name, the rule that fails, a part of its reason, and what is bent.
type Case = (&'static str, &'static str, &'static str, fn(&mut Scene));

/// Rules of a genuine document: behind one that fails, the others are not reached.
const GENUINE: &[Case] = &[
    ("a tagged envelope", "COSE envelope", "tag", |s| s.bytes = |b| b.insert(0, 0xd2)),
    ("another algorithm", "COSE envelope", "a1013826", |s| {
        s.document = |b| b.protected = vec![0xa1, 0x01, 0x38, 0x26];
    }),
    ("an unprotected header", "COSE envelope", "unprotected", |s| {
        s.document = |b| b.unprotected = vec![0xa1, 0x01, 0x02];
    }),
    ("a byte behind the envelope", "COSE envelope", "1 byte", |s| s.bytes = |b| b.push(0)),
    ("a cut envelope", "COSE envelope", "malformed CBOR", |s| s.bytes = |b| b.truncate(b.len() - 1)),
    ("a document of NitroTPM", "payload", "NitroTPM", |s| {
        s.document = |b| b.push("nitrotpm_pcrs", pcr_map(&[]));
    }),
    ("no enclave's module", "payload", "-enc", |s| {
        s.document = |b| b.set("module_id", text("i-0123456789abcdef0"));
    }),
    ("no time", "payload", "timestamp", |s| s.document = |b| b.remove("timestamp")),
    ("an unknown field", "payload", "unknown key \"extra\"", |s| s.document = |b| b.push("extra", null())),
    ("a field twice", "payload", "twice", |s| s.document = |b| b.push("timestamp", uint(1))),
    ("a nonce beyond AWS's bound", "payload", "nonce has 1025 bytes", |s| {
        s.document = |b| b.set("nonce", bstr(&[0; 1025]));
    }),
    ("another digest", "digest", "SHA256", |s| s.document = |b| b.set("digest", text("SHA256"))),
    ("a short PCR", "PCR shapes", "PCR 3 has 32 bytes", |s| s.pcrs.push((3, vec![1; 32]))),
    ("a PCR twice", "PCR shapes", "PCR 0 occurs twice", |s| s.pcrs.push((0, vec![1; 48]))),
    ("a PCR too many", "PCR shapes", "no PCR 32", |s| s.pcrs.push((32, vec![1; 48]))),
    ("no PCR2", "PCR shapes", "PCR 2 is absent", |s| s.pcrs.retain(|(index, _)| *index != 2)),
    ("another root", "root", "not the trusted root", |s| {
        s.bundle = |b| b[0].clone_from(&issue(&levels())[0]);
    }),
    ("AWS's root", "root", "641a0321", |s| s.without(&["--root"])),
    ("a chain with a gap", "chain", "leads from the signing certificate", |s| {
        s.bundle = |b| drop(b.remove(1));
    }),
    ("a chain out of order", "chain", "not the chain in order", |s| s.bundle = |b| b.swap(1, 2)),
    ("a forged certificate", "chain", "signature is wrong", |s| {
        s.bundle = |b| *b[3].last_mut().unwrap() ^= 1;
    }),
    ("a leaf that is a CA", "chain", "a CA certificate signs", |s| {
        s.levels[4].params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    }),
    ("a CA that may not certify", "chain", "keyCertSign", |s| {
        s.levels[2].params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    }),
    ("a chain that is too long", "chain", "path length", |s| {
        s.levels[1].params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    }),
    ("a CA on another curve", "chain", "P-384", |s| {
        s.levels[2].key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    }),
    ("a leaf that had expired", "validity", "timestamp", |s| {
        s.levels[4].params.not_after = date_time_ymd(2026, 1, 1) - Duration::from_secs(1);
    }),
    ("a CA that was not valid yet", "validity", "timestamp", |s| {
        s.levels[1].params.not_before = date_time_ymd(2026, 1, 1) + Duration::from_mins(1);
    }),
    ("a forged signature", "signature", "signature is wrong", |s| {
        s.bytes = |b| *b.last_mut().unwrap() ^= 1;
    }),
    ("a changed payload", "signature", "signature is wrong", |s| {
        s.bytes = |b| {
            let found = b.windows(7).position(|part| part == b"-enc012").unwrap();
            b[found + 4] = b'1';
        };
    }),
];

/// What a genuine document says, and what it should say: everything is judged, and one rule fails.
const COMPARED: &[Case] = &[
    ("no nonce", "nonce", "none", |s| s.document = |b| b.set("nonce", null())),
    ("another nonce", "nonce", "0909", |s| s.option("--nonce", "aa".repeat(32))),
    ("an old document", "age", "301 s", |s| s.option("--at", "2026-01-01T00:05:01Z")),
    ("older than --max-age", "age", "2 s", |s| {
        s.option("--max-age", "1");
        s.option("--at", "2026-01-01T00:00:02Z");
    }),
    ("a document from the future", "age", "ahead", |s| s.option("--at", "2025-12-31T23:54:59Z")),
    ("this machine's clock", "age", "made at 2026-01-01T00:00:00Z", |s| s.without(&["--at"])),
    ("another image", "PCR0", "01", |s| s.option("--pcr0", "aa".repeat(48))),
    ("another kernel", "PCR1", "02", |s| s.option("--pcr1", "aa".repeat(48))),
    ("another program", "PCR2", "03", |s| s.option("--pcr2", "aa".repeat(48))),
    ("no configuration measured", "PCR16", "00", |s| s.pcrs.push((16, vec![0; 48]))),
    ("another configuration measured", "PCR16", "0b0b", |s| s.pcrs.push((16, vec![11; 48]))),
    ("another statement", "statement digest", "", |s| s.document = |b| b.set("user_data", bstr(&[1; 48]))),
    ("no statement attested", "statement digest", "none", |s| s.document = |b| b.set("user_data", null())),
    ("a statement of another kind", "statement", "other/v1", |s| s.statement["format"] = json!("other/v1")),
    ("an unknown member", "statement", "unknown field `extra`", |s| s.statement["extra"] = json!(1)),
    ("JSON behind the statement", "statement", "trailing", |s| s.statement_tail = "{}"),
    ("another boot", "boot", "0404", |s| s.answer = |a| a["boot_id"] = json!("00".repeat(16))),
    ("a statement of another configuration", "configuration", "0c0c", |s| {
        s.statement["configuration_digest"] = json!("0c".repeat(48));
    }),
    ("another authority", "authority", "0d0d", |s| s.statement["authority"] = json!("0d".repeat(32))),
    ("another authority than --authority", "authority", "", |s| {
        s.without(&["--config", "--policy"]);
        s.option("--authority", "aa".repeat(32));
    }),
    ("roots of the image", "KMS trust", "development", |s| s.statement["kms_trust"] = json!("image")),
    ("no key", "identity key", "0000", |s| s.statement["identity_key"] = json!("00".repeat(32))),
    ("an older policy", "policy", "version 2", |s| s.statement["policy_version"] = json!(2)),
    ("another policy of that version", "policy", "0e0e", |s| {
        s.statement["policy_digest"] = json!("0e".repeat(32));
    }),
    ("another key under the keyring's name", "keyring", "default=0f0f", |s| {
        s.statement["keyrings"][0]["fingerprint"] = json!("0f".repeat(32));
    }),
    ("a keyring that is not open", "keyring", "not open", |s| s.statement["keyrings"] = json!([])),
    ("a keyring beyond the policy's", "keyring", "extra=0f0f", |s| {
        let extra = json!({ "id": "extra", "fingerprint": "0f".repeat(32) });
        s.statement["keyrings"].as_array_mut().unwrap().push(extra);
    }),
    ("another keyring than --keyring", "keyring", "not open", |s| {
        s.option("--keyring", format!("other={}", "0f".repeat(32)));
    }),
];

#[test]
fn each_deviation_fails_by_its_own_rule() {
    assert!(GENUINE.len() + COMPARED.len() >= 30);
    let run = |cases: &'static [Case], compared: bool| {
        let parts = cases.chunks(cases.len().div_ceil(4));
        let workers: Vec<_> = parts
            .map(|part| thread::spawn(move || part.iter().for_each(|case| check(case, compared))))
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
    };
    run(GENUINE, false);
    run(COMPARED, true);
}

fn check(case: &Case, compared: bool) {
    let (name, rule, reason, bend) = case;
    let mut scene = Scene::new();
    bend(&mut scene);
    let files = scene.write();
    let run = verify(&files.arguments);
    assert_eq!(run.exit, 1, "{name}: {}\n{}", run.json, run.stderr);
    assert_eq!(run.json["verdict"], "mismatch", "{name}");
    assert_eq!(run.with_verdict("fail"), [*rule], "{name}");
    let actual = run.actual(rule);
    assert!(actual.contains(reason), "{name}: {actual:?} does not say {reason:?}");
    let open = run.with_verdict("not_checked");
    if compared {
        // Everything else was judged, and holds.
        assert_eq!(open, [""; 0], "{name}");
        assert!(run.with_verdict("pass").len() >= 15, "{name}: {}", run.json);
    } else {
        assert!(open.iter().all(|check| run.actual(check) == "not reached"), "{name}: {open:?}");
        assert_eq!(run.with_verdict("pass").len() + open.len(), 7, "{name}");
    }
}

#[test]
fn debug_mode_fails_whatever_is_expected() {
    for index in 0..3 {
        let mut scene = Scene::new();
        scene.pcrs[index].1 = vec![0; 48];
        let run = verify(&scene.write().arguments);
        assert_eq!(run.exit, 1);
        // A zero PCR is also not the published one: both are said.
        assert_eq!(run.with_verdict("fail"), ["debug mode".to_owned(), format!("PCR{index}")]);
    }
    // Without anything to compare with, the mode alone is refused.
    let mut scene = Scene::new();
    scene.pcrs[0].1 = vec![0; 48];
    scene.signature_only();
    let run = verify(&scene.write().arguments);
    assert_eq!((run.exit, run.with_verdict("fail")), (1, vec!["debug mode"]));
}

#[test]
fn a_statement_that_was_not_attested_is_refused() {
    let mut scene = Scene::new();
    scene.answer = |answer| {
        let statement = STANDARD.decode(answer["statement"].as_str().unwrap()).unwrap();
        answer["statement"] = json!(STANDARD.encode([&statement[..], b" "].concat()));
    };
    let run = verify(&scene.write().arguments);
    assert_eq!((run.exit, run.with_verdict("fail")), (1, vec!["statement digest"]));
}
