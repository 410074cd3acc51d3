//! Signatures of requests and answers, as their headers come: no panic, and what is read has one spelling.
//!
//! The first line of an input is `signature-input`, the second `signature`, the third `content-digest`, and what follows the
//! body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signer_rules::http_signature::{
    Signing, base, check_content_digest, content_digest, read, response, signature_header,
};

fuzz_target!(init: signer_fuzz::write_if_asked(seeds), |data: &[u8]| {
    let mut parts = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || parts.next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let (input, signature, digest) = (line(), line(), line());
    let body = parts.next().unwrap_or_default();
    if check_content_digest(digest, body) {
        assert_eq!(digest, content_digest(body));
    }
    if let Ok(presented) = read(input, signature) {
        let signed = base(&presented, "POST", "/v1/wallets/a/sign", None, digest);
        let with_query = base(&presented, "POST", "/v1/wallets/a/sign", Some("x=1"), digest);
        // A query is covered if and only if there is one.
        assert!(signed.is_err() || with_query.is_err());
        if let Ok(signed) = signed {
            // What was read is in what is verified, to the letter.
            let own = input.split_once('=').map_or("", |(_, value)| value);
            assert!(signed.ends_with(&format!("\"@signature-params\": {own}")), "{signed:?}");
        }
    }
    if let Ok(presented) = response::read(input, signature) {
        let request = response::Request { method: "GET", path: "/v1/a", query: None, content_digest: None, signature: None };
        let answer = response::Answer { status: 200, content_digest: digest, receipt: None };
        let _ = presented.base(&request, &answer);
    }
});

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let digest = content_digest(b"{}");
    let signing = Signing {
        created: 1_790_000_000,
        expires: Some(1_790_000_060),
        keyid: "payroll-1",
        nonce: "n-1",
        tag: &"0a".repeat(32),
        alg: Some("ed25519"),
    };
    let unsigned = signing.prepare("POST", "/v1/wallets/a/sign", None, &digest).expect("plain parameters");
    let request = format!("{}\n{}\n{digest}\n{{}}", unsigned.signature_input, signature_header(&[7; 64]));
    let boot = "0b".repeat(16);
    let tag = "0a".repeat(32);
    let answer = response::Signing { created: 1_790_000_000, keyid: &boot, tag: &tag };
    let asked = response::Request {
        method: "GET",
        path: "/v1/a",
        query: None,
        content_digest: None,
        signature: None,
    };
    let given = response::Answer { status: 200, content_digest: &digest, receipt: None };
    let unsigned = answer.prepare(&asked, &given).expect("plain parameters");
    let answer =
        format!("{}\n{}\n{digest}\n{{}}", unsigned.signature_input, response::signature_header(&[7; 64]));
    vec![("request", request.into_bytes()), ("answer", answer.into_bytes())]
}
