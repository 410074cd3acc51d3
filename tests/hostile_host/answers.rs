//! A host carries answers to clients: it can change, exchange, keep and make up whatever it hands them.

use serde_json::{Value, json};
use signer_rules::http_signature::content_digest;
use signer_shared::message::{ApiResponse, Header, Request, Response};
use signer_tests::stack::{Client, Exchanged, Host};

use crate::{
    appliance::{Appliance, SIGN, allow, authority, message},
    session::{Agreement, session_request},
    wire::header,
    world::{json_of, wallet_request},
};

/// Who the enclave is, as its attested statement says.
struct Identity {
    key: [u8; 32],
    boot: String,
}

/// A request and the answer to it.
struct Exchange {
    method: &'static str,
    path: String,
    headers: Vec<Header>,
    answer: ApiResponse,
}

impl Identity {
    async fn of(host: &mut Host) -> Self {
        let request = Request::Attest { nonce: Some(vec![1; 32].into()) };
        let Response::Attestation { statement, .. } = host.ask(request).await.expect("an answer") else {
            panic!("no document")
        };
        let statement: Value = serde_json::from_slice(&statement).expect("JSON");
        let text = |name: &str| statement[name].as_str().expect("hexadecimal").to_owned();
        let key = hex::decode(text("identity_key")).expect("hexadecimal").try_into().expect("32 bytes");
        Self { key, boot: text("boot_id") }
    }

    fn believes(&self, exchange: &Exchange) -> bool {
        Exchanged {
            method: exchange.method,
            path: &exchange.path,
            request: &exchange.headers,
            status: exchange.answer.status,
            answer: &exchange.answer.headers,
            body: &exchange.answer.body,
        }
        .verify(&self.key, &self.boot, &authority())
        .is_ok()
    }

    /// Whether the client would believe this answer in place of the one it got.
    fn believes_instead(&self, exchange: &Exchange, change: impl FnOnce(&mut ApiResponse)) -> bool {
        let mut answer = exchange.answer.clone();
        change(&mut answer);
        assert_ne!(answer, exchange.answer, "it was changed");
        self.believes(&Exchange {
            method: exchange.method,
            path: exchange.path.clone(),
            headers: exchange.headers.clone(),
            answer,
        })
    }
}

async fn exchange(
    appliance: &mut Appliance,
    client: &Client,
    method: &'static str,
    path: &str,
    body: &str,
) -> Exchange {
    let headers = client.sign(method, path, body.as_bytes());
    let answer = appliance.answer(method, path, &headers, body).await;
    Exchange { method, path: path.to_owned(), headers, answer }
}

fn header_of<'a>(answer: &'a mut ApiResponse, name: &str) -> &'a mut String {
    &mut answer.headers.iter_mut().find(|header| header.name == name).expect("the header").value
}

/// Attack: show a client an address of the host's in the answer to a wallet's creation, another status, or
/// nothing. Defence: the answer is signed with the boot's attested key.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_cannot_be_changed() {
    let (mut appliance, client) = Appliance::with_client().await;
    let identity = Identity::of(&mut appliance.host).await;
    let created = exchange(&mut appliance, &client, "POST", "/v1/wallets", &wallet_request("payroll")).await;
    assert_eq!(created.answer.status, 201);
    assert!(identity.believes(&created));
    let genuine = json_of(&created.answer);
    let mut forged = genuine.clone();
    forged["accounts"][0]["addresses"]["evm"] = json!("0x3535353535353535353535353535353535353535");
    let body = forged.to_string().into_bytes();
    assert!(!identity.believes_instead(&created, |answer| answer.body = body.clone().into()));
    // Nor with a digest that fits.
    assert!(!identity.believes_instead(&created, |answer| {
        *header_of(answer, "content-digest") = content_digest(&body);
        answer.body = body.into();
    }));
    assert!(!identity.believes_instead(&created, |answer| answer.body = Vec::new().into()));
    assert!(!identity.believes_instead(&created, |answer| answer.status = 200));
    assert!(!identity.believes_instead(&created, |answer| answer.status = 409));
}

/// Attack: take the signature from an answer, or one of its parts. Defence: a client that knows the enclave signs
/// believes nothing without.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_without_its_signature() {
    let (mut appliance, client) = Appliance::with_client().await;
    let identity = Identity::of(&mut appliance.host).await;
    let shown = exchange(&mut appliance, &client, "GET", "/v1/wallets/treasury", "").await;
    assert!(identity.believes(&shown));
    for name in ["signature", "signature-input", "content-digest"] {
        assert!(
            !identity.believes_instead(&shown, |answer| answer.headers.retain(|header| header.name != name)),
            "{name}"
        );
    }
    for (from, to) in
        [("\"@status\" ", ""), ("\"content-digest\" ", ""), (";req", ""), ("ed25519", "hmac-sha256")]
    {
        assert!(
            !identity.believes_instead(&shown, |answer| {
                let input = header_of(answer, "signature-input");
                *input = input.replacen(from, to, 1);
            }),
            "{from}"
        );
    }
}

/// Attack: give an old answer to a new request, or another request's answer. Defence: an answer names the request
/// that it is for: method, path, digest and signature.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_of_another_request() {
    let (mut appliance, client) = Appliance::with_client().await;
    let identity = Identity::of(&mut appliance.host).await;
    let old = exchange(&mut appliance, &client, "GET", "/v1/wallets/treasury", "").await;
    let new = exchange(&mut appliance, &client, "GET", "/v1/wallets/treasury", "").await;
    let missing = exchange(&mut appliance, &client, "GET", "/v1/wallets/payroll", "").await;
    let page = exchange(&mut appliance, &client, "GET", "/v1/wallets?limit=1", "").await;
    let other_page = exchange(&mut appliance, &client, "GET", "/v1/wallets?limit=2", "").await;
    let signature = exchange(&mut appliance, &client, "POST", SIGN, &message("x")).await;
    let all = [&old, &new, &missing, &page, &other_page, &signature];
    for (place, asked) in all.iter().enumerate() {
        for (other, given) in all.iter().enumerate() {
            let exchange = Exchange {
                method: asked.method,
                path: asked.path.clone(),
                headers: asked.headers.clone(),
                answer: given.answer.clone(),
            };
            assert_eq!(identity.believes(&exchange), place == other, "{} {}", asked.path, given.path);
        }
    }
}

/// Attack: an answer of another boot, whose keys or rules may have been others. Defence: the key id is the boot's, and
/// its key is in that boot's statement only.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_of_another_boot() {
    let (mut appliance, client) = Appliance::with_client().await;
    let before = Identity::of(&mut appliance.host).await;
    let old = exchange(&mut appliance, &client, "GET", "/v1/wallets/treasury", "").await;
    appliance.restart().await;
    let after = Identity::of(&mut appliance.host).await;
    let new = exchange(&mut appliance, &client, "GET", "/v1/wallets/treasury", "").await;
    assert!(before.believes(&old) && after.believes(&new));
    assert!(!after.believes(&old) && !before.believes(&new));
    let renamed = |answer: &mut ApiResponse| {
        let input = header_of(answer, "signature-input");
        *input = input.replace(&before.boot, &after.boot);
    };
    assert!(!after.believes_instead(&old, renamed));
}

/// Attack: refuse in the enclave's name: denied, not found, conflict. Defence: refusals are signed like everything else.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_that_refuses() {
    let (mut appliance, client) = Appliance::with_client().await;
    let identity = Identity::of(&mut appliance.host).await;
    let stranger = Client::ed25519("stranger-1", &authority(), 99);
    appliance
        .adopt(|bundle| {
            bundle["rules"] = allow("reads", &json!({"operations": ["wallet.read"], "nonce": null}));
        })
        .await;
    for (client, method, path, body, status) in [
        (&client, "POST", SIGN, message("x"), 403),
        (&client, "GET", "/v1/wallets/payroll", String::new(), 404),
        (&client, "GET", "/v1/nothing", String::new(), 404),
        (&client, "POST", SIGN, "{".to_owned(), 400),
        (&stranger, "GET", "/v1/wallets", String::new(), 401),
        (&client, "DELETE", "/v1/wallets", String::new(), 405),
    ] {
        let refused = exchange(&mut appliance, client, method, path, &body).await;
        assert_eq!(refused.answer.status, status, "{path}");
        assert!(identity.believes(&refused), "{method} {path}: {:?}", refused.answer.headers);
        assert!(!identity.believes_instead(&refused, |answer| answer.status = 200), "{path}");
    }
}

/// Attack: change the receipt of the audit record in an answer, so that the client cannot find its record, or take it
/// away. Defence: the receipt is signed with the answer.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_with_another_receipt() {
    let (mut appliance, client) = Appliance::with_client().await;
    let identity = Identity::of(&mut appliance.host).await;
    let read = exchange(&mut appliance, &client, "POST", SIGN, &message("x")).await;
    assert!(identity.believes(&read));
    let receipt = "signer-receipt";
    let has_receipt = read.answer.headers.iter().any(|header| header.name == receipt);
    assert!(has_receipt, "{:?}", read.answer.headers);
    assert!(
        !identity.believes_instead(&read, |answer| answer.headers.retain(|header| header.name != receipt))
    );
    assert!(!identity.believes_instead(&read, |answer| {
        let value = header_of(answer, receipt);
        *value = value.replacen(':', ":1", 1);
    }));
    // None is added to an answer that has none.
    let without = exchange(&mut appliance, &client, "GET", "/v1/nothing", "").await;
    if !without.answer.headers.iter().any(|header| header.name == receipt) {
        let other =
            read.answer.headers.iter().find(|header| header.name == receipt).expect("a receipt").clone();
        assert!(!identity.believes_instead(&without, |answer| answer.headers.push(other)));
    }
}

/// Attack: a session's answer with the host's own X25519 key or ticket. Defence: it is signed, and the attested statement
/// names the key.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_to_the_opening_of_a_session() {
    let (mut appliance, client) = Appliance::with_client().await;
    appliance.adopt(|bundle| bundle["clients"][0]["sessions"] = json!({"longest_s": 600})).await;
    let identity = Identity::of(&mut appliance.host).await;
    let agreement = Agreement::new();
    let body = session_request(&agreement, &json!({}));
    let opened = exchange(&mut appliance, &client, "POST", "/v1/sessions", &body).await;
    assert_eq!(opened.answer.status, 201);
    assert!(identity.believes(&opened));
    let mut forged = json_of(&opened.answer);
    let request = Request::Attest { nonce: None };
    let Response::Attestation { statement, .. } = appliance.host.ask(request).await.expect("an answer")
    else {
        panic!("no document")
    };
    let statement: Value = serde_json::from_slice(&statement).expect("JSON");
    assert_eq!(statement["session_key"], forged["public_key"]);
    forged["public_key"] = json!(Agreement::new().public_key());
    assert!(
        !identity.believes_instead(&opened, |answer| answer.body = forged.to_string().into_bytes().into())
    );
}

/// Attack: answer a listing for the enclave: fewer wallets, others, none. Defence: listings are signed for anonymous clients,
/// too; a listing shows what the host gave the enclave, and may lack what the host kept back.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_with_a_listing() {
    let (mut appliance, _) = Appliance::with_client().await;
    appliance.adopt(|bundle| bundle["clients"] = json!([{"id": "backend", "auth": "none"}])).await;
    let identity = Identity::of(&mut appliance.host).await;
    // What the host in these tests adds to every request is not signed.
    let asked = vec![header("content-type", "application/json")];
    let answer = appliance.answer("GET", "/v1/wallets", &asked, "").await;
    let listed = Exchange { method: "GET", path: "/v1/wallets".into(), headers: asked, answer };
    assert!(identity.believes(&listed), "{:?}", listed.answer.headers);
    let empty = json!({"wallets": [], "next": null}).to_string().into_bytes();
    assert!(!identity.believes_instead(&listed, |answer| answer.body = empty.into()));
}

/// Attack: forward another body than an anonymous client sent, under that client's digest, and hand back the enclave's
/// answer to it. Defence: an answer that is signed is to the body of the digest in it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_to_another_body() {
    let (mut appliance, _) = Appliance::with_client().await;
    appliance.adopt(|bundle| bundle["clients"] = json!([{"id": "backend", "auth": "none"}])).await;
    let identity = Identity::of(&mut appliance.host).await;
    let path = "/v1/wallets";
    let (sent, forwarded) = (wallet_request("payroll"), wallet_request("another"));
    let asked = vec![header("content-digest", &content_digest(sent.as_bytes()))];
    for (body, believed) in [(&forwarded, false), (&sent, true)] {
        let answer = appliance.answer("POST", path, &asked, body).await;
        let exchange = Exchange { method: "POST", path: path.into(), headers: asked.clone(), answer };
        assert_eq!(identity.believes(&exchange), believed, "{}", json_of(&exchange.answer));
    }
}

/// Attack: have a request signed, keep the answer, send the request again, and hand the client the refusal of the second.
/// Defence: none: the refusal is genuine, and belongs to the request. SECURITY.md says what a 401 does not prove; this test
/// holds it to that.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_to_a_replay_is_genuine() {
    let (mut appliance, client) = Appliance::with_client().await;
    let identity = Identity::of(&mut appliance.host).await;
    let body = message("x");
    let kept = exchange(&mut appliance, &client, "POST", SIGN, &body).await;
    let answer = appliance.answer("POST", SIGN, &kept.headers, &body).await;
    let given = Exchange { method: "POST", path: SIGN.into(), headers: kept.headers.clone(), answer };
    assert_eq!((kept.answer.status, given.answer.status), (200, 401));
    assert!(identity.believes(&kept) && identity.believes(&given));
    assert_eq!(appliance.signatures().await, 1);
}
