//! A host forwards clients' requests, or makes them up.

use serde_json::{Value, json};
use signer_shared::message::{ApiRequest, Header, MAX_OBJECTS, Object, RefusalCode, Request, Response};
use signer_tests::stack::{Host, KEYRING};

use crate::{
    wire::{Raw, header, request},
    world::{
        World, api, create_wallet, json_of, problem, refusal, sign, sign_request, status, wallet_object,
    },
};

/// The answer to a request as it is, without a second round.
async fn once(host: &mut Host, request: ApiRequest) -> (u16, String) {
    match host.ask(Request::Api(request)).await.expect("an answer") {
        Response::Api(answer) => problem(&answer),
        other => panic!("{other:?}"),
    }
}

fn malformed() -> (u16, String) {
    (400, "malformed_request".into())
}

/// A ready enclave with a wallet that it has opened, so that one round suffices.
async fn with_wallet() -> (World, Host) {
    let (world, mut host) = World::ready().await;
    create_wallet(&mut host, "treasury").await;
    assert_eq!(sign(&mut host, "treasury").await.status, 200);
    (world, host)
}

fn signing() -> ApiRequest {
    request("POST", "/v1/wallets/treasury/sign", &sign_request())
}

/// Attack: strip, break or forge a client's proof, so that the request passes as the anonymous client's.
/// Defence: a request that carries any proof is never anonymous.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_proof_is_not_passed_over() {
    let (_world, mut host) = with_wallet().await;
    let proofs: [&[Header]; 4] = [
        &[header("authorization", "Bearer x")],
        &[header("signature", "sig=:AAAA:")],
        &[header("signature-input", "sig=()")],
        &[header("signature", ""), header("signature-input", "")],
    ];
    for headers in proofs {
        for path in ["/v1/wallets/treasury/sign", "/v1/wallets/none/sign", "/v1/wallets"] {
            let mut asked = request("POST", path, &sign_request());
            asked.headers = headers.to_vec();
            assert_eq!(once(&mut host, asked).await, (401, "unauthenticated".into()), "{path} {headers:?}");
        }
    }
}

/// Attack: ask where the quorum wrote no client, no rule, or a rule that denies. Defence: no anonymous
/// client unless written, default deny, deny wins.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_request_is_bound_by_the_rules() {
    let world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    create_wallet(&mut host, "treasury").await;
    assert_eq!(sign(&mut host, "treasury").await.status, 200);
    let everything = signer_tests::stack::allow_everything();
    let deny = json!({"id": "none-on-mainnet", "effect": "deny", "operations": ["evm.transaction"], "chain_ids": [1]});
    let elsewhere =
        json!({"id": "elsewhere", "effect": "allow", "operations": ["evm.transaction"], "chain_ids": [10]});
    let changes: [(Value, Value, (u16, &str)); 4] = [
        (json!([{"id": "backend", "auth": "none"}]), json!([]), (403, "policy_denied")),
        (json!([{"id": "backend", "auth": "none"}]), json!([everything[0], deny]), (403, "policy_denied")),
        (json!([{"id": "backend", "auth": "none"}]), json!([elsewhere]), (403, "policy_denied")),
        (json!([]), everything.clone(), (401, "unauthenticated")),
    ];
    let before = status(&mut host).await.signatures;
    for (version, (clients, rules, (code, name))) in (3..).zip(changes) {
        let digest = status(&mut host).await.policy_digest.expect("configured");
        let mut bundle = world.stack.bundle(version, Some(&digest), &[(KEYRING, &fingerprint)], &rules);
        bundle["clients"] = clients;
        world.provision(&mut host, &world.stack.sign_bundle(&bundle)).await;
        assert_eq!(status(&mut host).await.policy_version, Some(version));
        assert_eq!(once(&mut host, signing()).await, (code, name.into()), "version {version}");
    }
    assert_eq!(status(&mut host).await.signatures, before);
}

/// Attack: headers that no host forwards, one header twice, an encoded body. Defence: an allow-list,
/// each once, no content encoding; and this is judged before who asks.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_headers_are_refused() {
    let (_world, mut host) = with_wallet().await;
    let lists: [&[Header]; 7] = [
        &[header("cookie", "a=b")],
        &[header("host", "example.com")],
        &[header("x-forwarded-for", "127.0.0.1")],
        &[header("Content-Type", "application/json")],
        &[header("", "")],
        &[header("content-type", "application/json"), header("content-type", "text/plain")],
        &[header("content-encoding", "identity")],
    ];
    for headers in lists {
        let mut asked = signing();
        asked.headers = headers.to_vec();
        assert_eq!(once(&mut host, asked).await, malformed(), "{headers:?}");
    }
    let mut asked = signing();
    asked.headers = vec![header("x-request-id", "\"},\r\n{\""), header("content-type", "anything")];
    assert_eq!(once(&mut host, asked).await.0, 200);
}

/// Attack: paths with a second spelling or without end, bodies too large, nested or followed by more.
/// Defence: one spelling, bounds, and strict JSON.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_paths_and_bodies_are_refused() {
    let (_world, mut host) = with_wallet().await;
    let long = format!("/v1/wallets/{}", "a".repeat(2048));
    let paths = [
        "",
        "v1/wallets",
        "/v1//wallets",
        "/v1/./wallets",
        "/v1/x/../wallets",
        "/v1/%77allets",
        "/v1/wallets/",
        &long,
    ];
    for path in paths {
        assert_eq!(once(&mut host, request("GET", path, "")).await, malformed(), "{path}");
    }
    let deep = "[".repeat(100_000);
    let twice = sign_request().replacen('{', "{\"type\":\"evm.transaction\",", 1);
    let unknown = sign_request().replacen('{', "{\"also\":1,", 1);
    let more = format!("{} {{}}", sign_request());
    let large = format!("{}{}", sign_request(), " ".repeat(1024 * 1024));
    for body in ["", "null", &deep, &twice, &unknown, &more, &large] {
        let asked = request("POST", "/v1/wallets/treasury/sign", body);
        assert_eq!(once(&mut host, asked).await, malformed(), "{}", &body[..body.len().min(60)]);
    }
    let escaped = request("GET", "/v1/wallets/..%2f..%2fkeyring", "");
    assert_eq!(once(&mut host, escaped).await, malformed());
    assert_eq!(
        once(&mut host, request("GET", "/v1/wallets/Treasury", "")).await,
        (404, "wallet_not_found".into())
    );
    assert_eq!(
        once(&mut host, request("DELETE", "/v1/wallets/treasury", "")).await,
        (405, "method_not_allowed".into())
    );
}

/// Attack: objects that were not asked for, one twice, more than a request may carry, or with names that
/// none has. Defence: bounds and names first; what was not asked for is not looked at, and not kept.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_objects_beside_a_request() {
    let (_world, mut host) = with_wallet().await;
    let object = |name: &str| Object { name: name.into(), content: Some(b"x".to_vec().into()) };
    let many: Vec<Object> = (0..=MAX_OBJECTS).map(|index| object(&format!("wallet/w{index}"))).collect();
    let treasury = wallet_object("treasury");
    let bad = [
        vec![object(&treasury), object(&treasury)],
        vec![object("wallet/../keyring/default")],
        vec![object("")],
        vec![object("wallet")],
        many,
    ];
    for objects in bad {
        let asked = ApiRequest { objects, ..signing() };
        assert_eq!(once(&mut host, asked).await, (500, "sealed_object_invalid".into()));
    }
    let objects = vec![
        object(&wallet_object("other")),
        object("keyring/default"),
        object("policy/00000000000000000009"),
    ];
    assert_eq!(once(&mut host, ApiRequest { objects, ..signing() }).await.0, 200);
    let asked = host.ask(Request::Api(request("GET", "/v1/wallets/other", ""))).await.expect("an answer");
    assert_eq!(asked, Response::NeedObjects { names: vec![wallet_object("other")] });
}

/// Attack: objects with a provisioning that are too many or have impossible names. Defence: the same.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_objects_beside_a_provisioning() {
    let world = World::booting().await;
    let mut host = world.host().await;
    let object = |name: &str| Object { name: name.into(), content: None };
    for objects in [vec![object("keyring/a"); 2], vec![object("../x")], vec![object("a/b"); MAX_OBJECTS + 1]]
    {
        let asked = Request::Provision {
            configuration: world.stack.configuration_envelope.clone().into_bytes().into(),
            policy_bundle: world.first_bundle().into_bytes().into(),
            objects,
        };
        assert_eq!(refusal(host.ask(asked).await.expect("an answer")), RefusalCode::Malformed);
    }
    assert_eq!(status(&mut host).await.phase.as_str(), "booting");
}

/// Attack: give a request no time, and take the signature all the same. Defence: a request without time
/// is refused before it is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_request_without_time_is_not_signed() {
    let (world, mut host) = with_wallet().await;
    let before = status(&mut host).await.signatures;
    let mut raw = Raw::greeted(&world.stack.enclave_socket()).await;
    raw.ask(2, 0, Request::Api(signing())).await;
    let answer = raw.answer().await.expect("an answer").response;
    assert_eq!(refusal(answer), RefusalCode::DeadlineExceeded);
    assert_eq!(status(&mut host).await.signatures, before);
    raw.ask(3, 60_000, Request::Api(signing())).await;
    assert!(matches!(raw.answer().await.expect("an answer").response, Response::Api(_)));
}

/// Attack: replay a request until two of its signatures tell something about the key. Defence: nonces
/// follow from key and message; a replay gives the same bytes.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_replay_of_a_request_gives_the_same_bytes() {
    let (_world, mut host) = with_wallet().await;
    let first = json_of(&sign(&mut host, "treasury").await);
    for _ in 0..3 {
        assert_eq!(json_of(&sign(&mut host, "treasury").await), first);
    }
    let listed = api(&mut host, "GET", "/v1/wallets/treasury", "").await;
    assert_eq!(json_of(&listed)["accounts"][0]["addresses"]["evm"], first["address"]);
}

/// Attack: use the API before the enclave is ready, or ask for what the host may not. Defence: one table
/// of phases.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_before_the_enclave_is_ready() {
    let world = World::booting().await;
    let mut host = world.host().await;
    let paths = [("POST", "/v1/wallets"), ("GET", "/v1/wallets"), ("POST", "/v1/wallets/a/sign")];
    for (method, path) in [&paths[..], &[("POST", "/v1/policy"), ("POST", "/v1/keyrings")]].concat() {
        assert_eq!(once(&mut host, request(method, path, "{}")).await, (503, "not_ready".into()), "{path}");
    }
    let audit = host.ask(Request::Audit { after: None }).await.expect("an answer");
    assert_eq!(refusal(audit), RefusalCode::WrongPhase);
    world.configure(&mut host).await;
    for (method, path) in paths {
        assert_eq!(once(&mut host, request(method, path, "{}")).await, (503, "not_ready".into()), "{path}");
    }
}
