//! Attestation documents, and the answers they come in: no panic, and nothing a stranger made is ever believed.
//!
//! An input is taken as it is for an answer and for a document. If it starts like a CBOR map, it is also taken for a
//! payload and signed under a root of our own, so that mutations reach what lies behind the signature.
#![no_main]

#[path = "../../../eif/tests/support/builder.rs"]
#[allow(dead_code)]
mod builder;

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;
use minicbor::Decoder;
use signer_eif::{
    examine::{Answer, Development, Examination, Expected, Image, MAX_AGE_MS, Outcome},
    verify::{Root, verify},
};

use builder::Builder;

static OURS: LazyLock<Root> = LazyLock::new(|| Builder::new().root());

fuzz_target!(init: signer_fuzz::write_if_asked(seeds), |data: &[u8]| {
    let own = own_root(data);
    for root in [Root::aws(), own.unwrap_or(*OURS)] {
        if let Ok(document) = verify(data, &root) {
            // What `verify` promises of every document that it returns.
            assert!((0..=2).all(|index| document.pcrs.contains_key(&index)));
            assert!(document.pcrs.keys().all(|&index| index < 32));
            let _ = (document.check_not_debug(), document.check_age(0, 0), document.check_statement(data));
        }
    }
    if data.first().is_some_and(|byte| byte >> 5 == 5) {
        let _ = verify(&Builder::new().build_with(data), &OURS);
    }
    if let Ok(answer) = Answer::from_bytes(data) {
        examine(&answer);
    }
});

/// Nobody gave an authority, so whatever is examined does not match.
fn examine(answer: &Answer) {
    let expected = Expected {
        now_ms: builder::TIME_MS,
        max_age_ms: MAX_AGE_MS,
        nonce: None,
        image: Image::Any,
        authority: None,
        configuration: None,
        configurations: &[],
        policy: None,
        keyrings: &[],
        created: None,
        development: Development::Allowed,
    };
    for root in [Root::aws(), own_root(&answer.document).unwrap_or(*OURS)] {
        let examination = Examination::of(answer, root, &expected);
        assert_ne!(examination.outcome(), Outcome::Match);
        let _ = (examination.to_json(), Examination::of_signature(answer, root).outcome());
    }
}

/// The root that a document brings along, so that its chain is followed and not refused at its start.
fn own_root(document: &[u8]) -> Option<Root> {
    let mut envelope = Decoder::new(document);
    envelope.array().ok()?;
    envelope.bytes().ok()?;
    envelope.skip().ok()?;
    let mut payload = Decoder::new(envelope.bytes().ok()?);
    payload.map().ok()?;
    while payload.str().ok()? != "cabundle" {
        payload.skip().ok()?;
    }
    payload.array().ok()?;
    Root::from_der(payload.bytes().ok()?).ok()
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let good = Builder::new();
    let mut indefinite = Builder::new();
    indefinite.indefinite = true;
    let mut bare = Builder::new();
    ["public_key", "user_data", "nonce"].into_iter().for_each(|key| bare.remove(key));
    let statement = serde_json::json!({
        "format": "nitro-signer/statement/v1", "boot_id": "04".repeat(16), "authority": "01".repeat(32),
        "configuration_digest": "02".repeat(48), "policy_version": 1, "policy_digest": "03".repeat(32),
        "identity_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "keyrings": [{ "id": "default", "fingerprint": "08".repeat(32) }], "created_keyring": null,
        "kms_trust": "amazon", "kms_policy_digest": null, "audit_sequence": 0, "audit_head": "07".repeat(32),
    });
    let statement = statement.to_string();
    let mut attested = Builder::new();
    attested.set("user_data", builder::bstr(&signer_eif::verify::statement_digest(statement.as_bytes())));
    let answer = serde_json::json!({
        "boot_id": "04".repeat(16), "document": STANDARD.encode(attested.build()),
        "statement": STANDARD.encode(statement),
    });
    vec![
        ("document", good.build()),
        ("document-indefinite", indefinite.build()),
        ("document-bare", bare.build()),
        ("document-base64", STANDARD.encode(good.build()).into_bytes()),
        ("payload", good.payload()),
        ("payload-indefinite", indefinite.payload()),
        ("answer", answer.to_string().into_bytes()),
    ]
}
