//! Answers are believed if an attested enclave signed them, for the request that was made.

use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use signer_rules::{
    http_signature::response::Signing,
    statement::{FORMAT, KmsTrust},
};
use signer_terminal::http::Server;

use super::*;

const BOOT: HexBytes<16> = HexBytes([0xab; 16]);
const ASKED: Asked<'_> = Asked { method: "GET", path: "/v1/wallets", query: Some("limit=1"), body: b"" };

fn key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

/// One that knows one enclave, and can ask nobody for another.
fn checker() -> Checker {
    let statement = Statement {
        format: FORMAT.to_owned(),
        boot_id: BOOT,
        authority: HexBytes([1; 32]),
        configuration_digest: HexBytes([0; 48]),
        policy_version: 1,
        policy_digest: HexBytes([0; 32]),
        identity_key: HexBytes(key().verifying_key().to_bytes()),
        session_key: None,
        keyrings: Vec::new(),
        created_keyring: None,
        kms_trust: KmsTrust::Amazon,
        kms_policy_digest: None,
        audit_sequence: 0,
        audit_head: HexBytes([0; 32]),
    };
    let nobody = Server::new("http://127.0.0.1:1", Duration::from_millis(100), "test/0").unwrap();
    let known = RefCell::new(vec![statement]);
    Checker { attestor: Attestor::of_nothing(nobody), known, terminal: Terminal::plain() }
}

/// The headers of an answer, as the enclave writes them.
fn signed(request: &Request<'_>, status: u16, body: &[u8], created: u64, receipt: Option<&str>) -> Headers {
    let digest = http_signature::content_digest(body);
    let (keyid, tag) = (BOOT.to_string(), HexBytes([1; 32]).to_string());
    let answer = Answer { status, content_digest: &digest, receipt };
    let unsigned = Signing { created, keyid: &keyid, tag: &tag }.prepare(request, &answer).unwrap();
    let signature = key().sign(unsigned.base.as_bytes());
    let mut headers = vec![
        ("signature-input", unsigned.signature_input),
        ("signature", response::signature_header(&signature.to_bytes())),
        ("content-digest", digest),
    ];
    headers.extend(receipt.map(|receipt| (RECEIPT, receipt.to_owned())));
    headers
}

fn request(path: &str) -> Request<'_> {
    Request { method: "GET", path, query: Some("limit=1"), content_digest: None, signature: None }
}

fn now() -> u64 {
    now_ms() / 1000
}

fn receipt() -> String {
    Receipt { boot_id: BOOT, sequence: 7, digest: HexBytes([3; 32]) }.to_string()
}

#[test]
fn an_answer_to_this_request_is_believed_and_no_other() {
    let check = |headers: &Headers, status: u16, body: &'static [u8]| {
        checker().check(&ASKED, &Headers::new(), &Answered::new(status, headers, body))
    };
    let good = signed(&request("/v1/wallets"), 200, b"{}", now(), None);
    assert!(check(&good, 200, b"{}").is_ok());
    assert!(check(&signed(&request("/v1/wallets"), 200, b"{}", now(), Some(&receipt())), 200, b"{}").is_ok());
    let refused = |headers: &Headers, status, body| check(headers, status, body).unwrap_err().to_string();
    assert!(refused(&good, 201, b"{}").contains("not that of the enclave"));
    assert!(refused(&good, 200, b"{ }").contains("content-digest"));
    let elsewhere = signed(&request("/v1/wallet"), 200, b"{}", now(), None);
    assert!(refused(&elsewhere, 200, b"{}").contains("not that of the enclave"));
    let old = signed(&request("/v1/wallets"), 200, b"{}", now() - 301, None);
    assert!(refused(&old, 200, b"{}").contains("just now"));
    let mut cut = signed(&request("/v1/wallets"), 200, b"{}", now(), Some(&receipt()));
    cut.pop();
    assert!(check(&cut, 200, b"{}").is_err(), "a receipt is not taken away unseen");
    let mut stranger = good.clone();
    stranger[0].1 = stranger[0].1.replace("abab", "cdcd");
    assert!(check(&stranger, 200, b"{}").is_err(), "an enclave that nobody attested");
}

#[test]
fn unsigned_answers_are_refused_but_for_refusals_and_bare_signatures() {
    let answered = |status| Answered::new(status, &[], "{}");
    let check = |asked: &Asked<'_>, sent: &Headers, status| checker().check(asked, sent, &answered(status));
    assert!(check(&ASKED, &Headers::new(), 200).unwrap_err().to_string().contains("not signed"));
    assert!(check(&ASKED, &Headers::new(), 503).is_ok());
    let sign = Asked { method: "POST", path: "/v1/wallets/treasury/sign", query: None, body: b"{}" };
    let by_key = vec![("signature", "sig1=:AA==:".to_owned())];
    let mut in_session = by_key.clone();
    in_session.push((session::TICKET, "ticket".to_owned()));
    assert!(check(&sign, &Headers::new(), 200).is_ok() && check(&sign, &in_session, 200).is_ok());
    assert!(check(&sign, &by_key, 200).is_err());
}

#[test]
fn receipts_are_this_boots() {
    let good = receipt();
    assert_eq!(read_receipt(&good, BOOT).unwrap().sequence, 7);
    for (from, to) in [("ab", "ba"), (":7:", ":07:"), (":7:", ":"), ("03", "3")] {
        assert!(read_receipt(&good.replacen(from, to, 1), BOOT).is_err(), "{from} {to}");
    }
}
