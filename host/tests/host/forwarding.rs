//! Requests to the enclave and answers back.

use signer_host::object_store::Put;
use signer_shared::message::Header;

use crate::{
    client::{get, post, request},
    running::ready,
};

#[tokio::test]
async fn a_request_reaches_the_enclave_as_it_was_sent() {
    let (_folder, enclave, host) = ready(|_| ()).await;
    let headers = "Signature: sig1=:YQ==:\r\nX-Forwarded-For: 1.2.3.4\r\nCookie: c\r\nContent-Type: application/json\r\n\
                   X-Request-Id: mine-1\r\n";
    let body = b"{\"a\" : 1}\xff\x00";
    let answer = request(host.address, "PATCH", "/v1/any/%2F//../x?b=1&a=%20", headers, body).await;
    assert_eq!((answer.status, &answer.body[..]), (418, &body[..]));
    assert_eq!(answer.header("signature"), Some("of-the-enclave"));
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    let seen = enclave.requests().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("PATCH", "/v1/any/%2F//../x?b=1&a=%20"));
    assert_eq!(&seen.body[..], body);
    let mut headers = seen.headers;
    headers.sort_by(|one, other| one.name.cmp(&other.name));
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    let expected = [
        header("content-type", "application/json"),
        header("signature", "sig1=:YQ==:"),
        header("x-request-id", "mine-1"),
    ];
    assert_eq!(headers, expected);
    assert_eq!(post(host.address, "/rpc/1", b"rpc").await.text(), "rpc");
    assert_eq!(post(host.address, "/rpc", b"rpc").await.text(), "rpc");
}

#[tokio::test]
async fn host_and_enclave_know_a_request_by_one_id() {
    let (_folder, enclave, host) = ready(|_| ()).await;
    for headers in ["", "X-Request-Id: not one\r\n", "X-Request-Id: a/b\r\nX-Request-Id: second\r\n"] {
        let answer = request(host.address, "POST", "/v1/any", headers, b"").await;
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(id.len(), 32, "{id}");
        let seen = enclave.requests().pop().unwrap().headers;
        assert_eq!(seen, [Header { name: "x-request-id".to_owned(), value: id.to_owned() }]);
    }
}

#[tokio::test]
async fn a_header_that_no_signature_can_cover_is_refused_here() {
    let (_folder, enclave, host) = ready(|_| ()).await;
    let before = enclave.requests().len();
    let answer = request(host.address, "POST", "/v1/any", "Signature: \u{e4}\r\n", b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "malformed_request"));
    assert_eq!(enclave.requests().len(), before);
}

#[tokio::test]
async fn objects_and_listings_are_fetched_in_rounds() {
    let (folder, enclave, host) = ready(|_| ()).await;
    let store = folder.store().await;
    for name in ["a", "b", "c", "d"] {
        store.put(&format!("wallet/{name}"), name.as_bytes()).await.unwrap();
    }
    assert_eq!(get(host.address, "/v1/need").await.text(), "a");
    assert_eq!(enclave.requests().len(), 2);
    assert_eq!(get(host.address, "/v1/list").await.text(), "wallet/b,wallet/c more=true");
}

#[tokio::test]
async fn an_answer_waits_for_its_writes_and_a_taken_name_is_told() {
    let (folder, enclave, host) = ready(|_| ()).await;
    let answer = post(host.address, "/v1/write/x", b"one").await;
    assert_eq!((answer.status, answer.text()), (201, "created"));
    let store = folder.store().await;
    assert_eq!(store.get("wallet/x").await.unwrap().unwrap(), b"one");
    // The same bytes are a retry, and succeed.
    assert_eq!(post(host.address, "/v1/write/x", b"one").await.status, 201);
    assert_eq!(enclave.requests().len(), 2);
    // Other bytes: the enclave is asked again with those that exist.
    let answer = post(host.address, "/v1/write/x", b"two").await;
    assert_eq!((answer.status, answer.text()), (409, "one"));
    assert_eq!(enclave.requests().len(), 4);
    assert_eq!(store.put("wallet/x", b"one").await.unwrap(), Put::Stored);
}

#[tokio::test]
async fn a_broken_store_is_503_and_nothing_is_promised() {
    let (folder, _enclave, host) = ready(|_| ()).await;
    std::fs::remove_dir_all(folder.0.join("store/.tmp")).unwrap();
    let answer = post(host.address, "/v1/write/x", b"one").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "store_unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn an_enclave_that_asks_without_end_or_for_no_name_costs_one_request() {
    let (folder, enclave, host) = ready(|_| ()).await;
    folder.store().await.put("wallet/a", b"a").await.unwrap();
    let answer = get(host.address, "/v1/greedy").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "enclave_failed"));
    assert_eq!(enclave.requests().len(), 9);
    assert_eq!(get(host.address, "/v1/escape").await.status, 503);
    assert_eq!(get(host.address, "/readyz").await.status, 200);
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let (_folder, _enclave, host) = ready(|_| ()).await;
    for (refusal, status, code) in [
        ("wrong_phase", 503, "not_ready"),
        ("overloaded", 429, "overloaded"),
        ("deadline_exceeded", 503, "deadline_exceeded"),
        ("kms_failed", 503, "kms_failed"),
        ("malformed", 400, "malformed_request"),
    ] {
        let answer = get(host.address, &format!("/v1/refuse/{refusal}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        assert!(!answer.text().contains("for the operator"));
    }
}

#[tokio::test]
async fn attestation_is_handed_on_exactly() {
    let (_folder, _enclave, host) = ready(|_| ()).await;
    let answer = get(host.address, &format!("/v1/attestation?nonce={}", "0a".repeat(16))).await;
    let body = answer.json();
    assert_eq!((answer.status, &body["boot_id"]), (200, &"boot-1".into()));
    assert_eq!(body["document"], "CgoKCgoKCgoKCgoKCgoKCg==");
    assert_eq!(body["statement"], "eyJleGFjdCI6ICJieXRlcyJ9");
    assert_eq!(get(host.address, "/v1/attestation").await.json()["document"], "");
    assert_eq!(get(host.address, "/v1/attestation?nonce=0a").await.code(), "malformed_request");
    let refused = get(host.address, &format!("/v1/attestation?nonce={}", "0a".repeat(32))).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "nsm_failed"));
}

#[tokio::test]
async fn the_hosts_own_routes() {
    let (_folder, _enclave, host) = ready(|_| ()).await;
    assert_eq!(get(host.address, "/healthz").await.text(), "ok\n");
    assert_eq!(get(host.address, "/readyz").await.text(), "ready\n");
    assert_eq!(get(host.address, "/else").await.code(), "not_found");
    assert_eq!(get(host.address, "/v1").await.code(), "not_found");
    for path in ["/healthz", "/readyz", "/v1/status", "/v1/attestation"] {
        let answer = post(host.address, path, b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
    let status = get(host.address, "/v1/status").await.json();
    assert_eq!(status["host"]["ready"], true);
    assert_eq!(status["host"]["in_flight"], 0);
    assert_eq!(status["enclave"]["phase"], "ready");
    assert_eq!(status["problem"], serde_json::Value::Null);
}
