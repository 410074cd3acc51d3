//! A genuine enclave, everything that an auditor knows about it, and places to bend one thing.

use std::{
    cell::OnceCell,
    env, fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use signer_eif::verify::{pcr_after_extend, statement_digest};
use signer_rules::{
    bundle::PAYLOAD_TYPE as POLICY, configuration::PAYLOAD_TYPE as CONFIGURATION, dsse::Envelope,
};

use crate::builder::{self, Builder, Level, bstr, issue, levels, pcr_map};

pub(crate) const NONCE: [u8; 32] = [9; 32];
pub(crate) const BOOT: &str = "04040404040404040404040404040404";
/// When the document is judged: a second after it was made.
pub(crate) const AT: &str = "2026-01-01T00:00:01Z";

/// What a test may change before or after the document is signed.
pub(crate) struct Scene {
    /// The certificates, root first, leaf last.
    pub(crate) levels: Vec<Level>,
    /// The configuration's payload.
    pub(crate) configuration: Value,
    /// The bundle's payload.
    pub(crate) policy: Value,
    pub(crate) statement: Value,
    /// What comes after the statement's JSON, and is attested with it.
    pub(crate) statement_tail: &'static str,
    /// The PCRs; 16 is added from the configuration unless it is here.
    pub(crate) pcrs: Vec<(u64, Vec<u8>)>,
    /// Bends the document before it is signed.
    pub(crate) document: fn(&mut Builder),
    /// Bends the document after it is signed.
    pub(crate) bytes: fn(&mut Vec<u8>),
    /// Bends the bundle of certificates.
    pub(crate) bundle: fn(&mut Vec<Vec<u8>>),
    /// Bends the answer.
    pub(crate) answer: fn(&mut Value),
    /// Options of the command that are not the usual ones: an option and its value, or its absence.
    pub(crate) options: Vec<(&'static str, Option<String>)>,
    /// Issued once: ECDSA signatures are random, and the root is pinned by its bytes.
    chain: OnceCell<Vec<Vec<u8>>>,
}

/// The files of a scene, removed with it.
pub(crate) struct Files {
    folder: PathBuf,
    /// The arguments that name and compare everything.
    pub(crate) arguments: Vec<String>,
}

impl Scene {
    /// Everything as it should be.
    pub(crate) fn new() -> Self {
        let admin = hex::encode(admin().verifying_key().to_bytes());
        let keyring = json!({ "id": "default", "fingerprint": "08".repeat(32) });
        let configuration = json!({
            "format": "nitro-signer/configuration/v1",
            "epoch": 0,
            "genesis": { "appliance_id": "02".repeat(32), "admins": [admin], "threshold": 1 },
            "kms": { "shares": [{ "keys": [{
                "arn": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "endpoint": "kms.us-east-1.amazonaws.com",
            }] }] },
            "longest_bundle_lifetime_days": 90,
            "clock": { "resynchronise_s": 60, "longest_drift_ms": 1000 },
            "audit": { "longest_unstored_s": 60, "witness_s": 60, "longest_unwitnessed_s": 3600 },
        });
        let authority = signed_configuration(&configuration).authority.to_string();
        let policy = json!({
            "format": "nitro-signer/policy/v1", "authority": authority, "version": 3, "previous": null,
            "not_before": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z",
            "least_configuration_epoch": 0, "keyrings": [keyring], "clients": [], "wallet_groups": [],
            "rules": [],
        });
        let statement = json!({
            "format": "nitro-signer/statement/v1",
            "boot_id": BOOT,
            "authority": authority,
            "configuration_digest": signed_configuration(&configuration).digest,
            "policy_version": 3,
            "policy_digest": signer_rules::bundle::digest(&serde_json::to_vec(&policy).unwrap()),
            "identity_key": hex::encode(SigningKey::from_bytes(&[6; 32]).verifying_key().to_bytes()),
            "keyrings": [keyring],
            "created_keyring": null,
            "kms_trust": "amazon",
            "kms_policy_digest": null,
            "audit_sequence": 0,
            "audit_head": "07".repeat(32),
        });
        Self {
            levels: levels(),
            configuration,
            policy,
            statement,
            statement_tail: "",
            pcrs: vec![(0, vec![1; 48]), (1, vec![2; 48]), (2, vec![3; 48]), (4, vec![5; 48])],
            document: |_| (),
            bytes: |_| (),
            bundle: |_| (),
            answer: |_| (),
            options: Vec::new(),
            chain: OnceCell::new(),
        }
    }

    /// Another value for an option; an option without a value.
    pub(crate) fn option(&mut self, name: &'static str, value: impl Into<String>) {
        self.options.push((name, Some(value.into())));
    }

    /// Options that are left out.
    pub(crate) fn without(&mut self, names: &[&'static str]) {
        self.options.extend(names.iter().map(|name| (*name, None)));
    }

    /// Nothing to compare with, and nobody asks for it.
    pub(crate) fn signature_only(&mut self) {
        self.without(&["--config", "--policy", "--pcr0", "--pcr1", "--pcr2", "--nonce", "--at"]);
        self.option("--signature-only", "");
    }

    /// The answer of `GET /v1/attestation` with this nonce.
    pub(crate) fn answer(&self, nonce: &[u8]) -> Value {
        let statement = [serde_json::to_vec(&self.statement).unwrap(), self.statement_tail.into()].concat();
        let chain = self.chain();
        let mut bundle = chain[..chain.len() - 1].to_vec();
        (self.bundle)(&mut bundle);
        let mut builder = Builder::with_chain(chain, self.levels.last().unwrap().key.serialize_der());
        builder.set("cabundle", builder::array(&bundle));
        builder.set("nonce", bstr(nonce));
        builder.set("user_data", bstr(&statement_digest(&statement)));
        let mut pcrs = self.pcrs.clone();
        if !pcrs.iter().any(|(index, _)| *index == 16) {
            let digest = signed_configuration(&self.configuration).digest;
            pcrs.push((16, pcr_after_extend(&digest.0).to_vec()));
        }
        builder.set("pcrs", pcr_map(&pcrs));
        (self.document)(&mut builder);
        let mut document = builder.build();
        (self.bytes)(&mut document);
        let mut answer = json!({
            "boot_id": BOOT, "document": STANDARD.encode(document), "statement": STANDARD.encode(statement),
        });
        (self.answer)(&mut answer);
        answer
    }

    fn chain(&self) -> &[Vec<u8>] {
        self.chain.get_or_init(|| issue(&self.levels))
    }

    /// Writes everything, and says how to judge it.
    pub(crate) fn write(&self) -> Files {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("signer-eif-verify-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, content: &[u8]| {
            fs::write(folder.join(name), content).unwrap();
            folder.join(name).display().to_string()
        };
        let root = pem(&self.chain()[0]);
        let mut options: Vec<(&str, String)> = vec![
            ("--document", file("answer.json", self.answer(&NONCE).to_string().as_bytes())),
            ("--root", file("root.pem", root.as_bytes())),
            ("--config", file("config.json", signed(CONFIGURATION, &self.configuration).as_bytes())),
            ("--policy", file("policy.json", signed(POLICY, &self.policy).as_bytes())),
            ("--pcr0", "01".repeat(48)),
            ("--pcr1", "02".repeat(48)),
            ("--pcr2", "03".repeat(48)),
            ("--nonce", hex::encode(NONCE)),
            ("--at", AT.to_owned()),
        ];
        for (name, value) in &self.options {
            options.retain(|(existing, _)| {
                existing != name || matches!(*name, "--keyring" | "--manifest-signer")
            });
            options.extend(value.clone().map(|value| (*name, value)));
        }
        let mut arguments = Vec::new();
        for (name, value) in options {
            arguments.push(name.to_owned());
            arguments.extend((!value.is_empty()).then_some(value));
        }
        Files { folder, arguments }
    }
}

impl Files {
    /// A file beside the others.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The only admin.
pub(crate) fn admin() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

/// A payload in an envelope that the admin signed.
pub(crate) fn signed(kind: &str, payload: &Value) -> String {
    let mut envelope = Envelope::unsigned(kind, &serde_json::to_vec(payload).unwrap());
    envelope.sign(&admin()).unwrap();
    envelope.to_json().unwrap()
}

fn signed_configuration(payload: &Value) -> signer_rules::configuration::SignedConfiguration {
    let envelope = signed(CONFIGURATION, payload);
    signer_rules::configuration::SignedConfiguration::verify(envelope.as_bytes()).unwrap()
}

fn pem(der: &[u8]) -> String {
    let digits = STANDARD.encode(der);
    let lines: Vec<&str> = digits.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// The authority of a configuration, in hexadecimal.
pub(crate) fn authority_of(payload: &Value) -> String {
    signed_configuration(payload).authority.to_string()
}

/// A folder with AWS's own samples, or `None` and a word about it.
#[expect(clippy::print_stdout, reason = "whoever reads the log learns what was skipped")]
pub(crate) fn samples() -> Option<PathBuf> {
    let named = env::var_os("NITRO_SIGNER_VECTORS").map(PathBuf::from);
    let folder =
        named.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"));
    if !folder.is_dir() {
        assert!(named.is_none(), "{} is not there", folder.display());
        println!("skipped: no folder with real samples (set NITRO_SIGNER_VECTORS)");
        return None;
    }
    Some(folder.join("attestation"))
}
