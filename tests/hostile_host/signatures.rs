//! A host changes, repeats, holds back or makes up the signed requests of clients.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use signer_rules::http_signature::{content_digest, signature_header};
use signer_shared::message::{ApiRequest, Header, Object, Response};
use signer_tests::stack::{Client, Host};

use crate::{
    appliance::{
        Appliance, SIGN, WALLET, allow, authority, denied, entry, message, payment, rule, signed,
        unauthenticated,
    },
    services::now_ms,
    wire::{header, request},
    world::{commit, json_of, problem, status, wallet_request},
};

/// A signature written by hand: it is right for what it says, whatever that is.
struct Draft<'a> {
    client: &'a Client,
    label: &'static str,
    covered: Vec<&'static str>,
    parameters: String,
    digest: String,
}

impl<'a> Draft<'a> {
    /// With one parameter more.
    fn add(&mut self, parameter: &str) {
        self.parameters.push_str(parameter);
    }

    /// As the profile wants it, but for what is changed afterwards.
    fn new(client: &'a Client, nonce: &str, body: &str) -> Self {
        let parameters = format!(
            ";created={};keyid=\"{}\";nonce=\"{nonce}\";tag=\"{}\"",
            now_ms() / 1000,
            client.key_id,
            client.authority
        );
        Self {
            client,
            label: "sig1",
            covered: vec!["\"@method\"", "\"@path\"", "\"content-digest\""],
            parameters,
            digest: content_digest(body.as_bytes()),
        }
    }

    /// The bytes that RFC 9421 has signed.
    fn base(&self, method: &str, path: &str) -> String {
        let (plain, query) = path.split_once('?').map_or((path, ""), |(plain, query)| (plain, query));
        let value = |component: &str| match component {
            "\"@method\"" => method.to_owned(),
            "\"@path\"" => plain.to_owned(),
            "\"@query\"" => format!("?{query}"),
            "\"content-digest\"" | "\"content-digest\";sf" => self.digest.clone(),
            "\"content-type\"" => "application/json".to_owned(),
            _ => "example.com".to_owned(),
        };
        let lines: String = self
            .covered
            .iter()
            .map(|component| format!("{component}: {}", value(component)))
            .collect::<Vec<_>>()
            .join("\n")
            + "\n";
        format!("{lines}\"@signature-params\": {}", self.input())
    }

    fn input(&self) -> String {
        format!("({}){}", self.covered.join(" "), self.parameters)
    }

    fn headers(&self, method: &str, path: &str) -> Vec<Header> {
        let signature = STANDARD.encode(self.client.signature(self.base(method, path).as_bytes()));
        vec![
            header("content-type", "application/json"),
            header("content-digest", &self.digest),
            header("signature-input", &format!("{}={}", self.label, self.input())),
            header("signature", &format!("{}=:{signature}:", self.label)),
        ]
    }
}

/// The headers with one of them changed, or taken away.
fn with(headers: &[Header], name: &str, value: Option<&str>) -> Vec<Header> {
    let mut changed: Vec<Header> = headers.iter().filter(|header| header.name != name).cloned().collect();
    changed.extend(value.map(|value| header(name, value)));
    changed
}

fn value<'a>(headers: &'a [Header], name: &str) -> &'a str {
    headers.iter().find(|header| header.name == name).map_or("", |header| header.value.as_str())
}

/// A request as the wire has it, in its first round.
fn wire(headers: &[Header], body: &str) -> ApiRequest {
    ApiRequest { headers: headers.to_vec(), ..request("POST", SIGN, body) }
}

/// Attack: ask without a signature where every client has a key. Defence: nobody is anonymous unless the
/// quorum wrote such a client.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_clients_must_sign() {
    let (mut appliance, client) = Appliance::with_client().await;
    assert_eq!(appliance.try_sign(&client, &message("x")).await, signed());
    let before = appliance.signatures().await;
    for (method, path) in [
        ("POST", SIGN),
        ("GET", "/v1/wallets"),
        ("POST", "/v1/batch"),
        ("POST", "/rpc/1"),
        ("POST", "/v1/sessions"),
    ] {
        assert_eq!(appliance.send(method, path, &[], &message("x")).await, unauthenticated(), "{path}");
    }
    assert_eq!(appliance.signatures().await, before);
}

/// Attack: a key that the bundle does not have, one client's key under another's key id, a client's name as
/// key id. Defence: the key id chooses the one key that can verify.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_by_another_key_is_refused() {
    let authority = authority();
    let (one, other) = (Client::ed25519("one-1", &authority, 41), Client::ed25519("other-1", &authority, 42));
    let clients = json!([entry(&one, "one"), entry(&other, "other")]);
    let mut appliance = Appliance::new(clients, allow("everything", &json!({}))).await;
    assert_eq!(appliance.try_sign(&one, &message("x")).await, signed());
    for (key_id, seed) in
        [("stranger-1", 43), ("one-1", 43), ("one-1", 42), ("other-1", 41), ("one", 41), ("session:00", 41)]
    {
        let forger = Client::ed25519(key_id, &authority, seed);
        assert_eq!(appliance.try_sign(&forger, &message("x")).await, unauthenticated(), "{key_id} {seed}");
    }
}

/// Attack: change method, path, query or body of a signed request, also with a digest that fits the new body.
/// Defence: all of these are signed.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_request_cannot_be_changed() {
    let (mut appliance, client) = Appliance::with_client().await;
    let body = message("pay ten");
    let other = message("pay a million");
    let genuine = client.sign("POST", SIGN, body.as_bytes());
    let fitting = with(&genuine, "content-digest", Some(&content_digest(other.as_bytes())));
    let before = appliance.signatures().await;
    let wallet = "/v1/wallets/treasury";
    for (method, path, headers, body) in [
        ("POST", SIGN, &genuine, &other),
        ("POST", SIGN, &fitting, &other),
        ("POST", SIGN, &genuine, &format!("{body} ")),
        ("POST", "/v1/wallets/treasury/accounts", &genuine, &body),
        ("GET", wallet, &genuine, &body),
    ] {
        assert_eq!(appliance.send(method, path, headers, body).await, unauthenticated(), "{method} {path}");
    }
    let page = "/v1/wallets?limit=1";
    let listing = client.sign("GET", page, b"");
    for path in ["/v1/wallets?limit=2", "/v1/wallets?limit=1&after=a", "/v1/wallets?", "/v1/wallets"] {
        assert_eq!(appliance.send("GET", path, &listing, "").await, unauthenticated(), "{path}");
    }
    let plain = client.sign("GET", "/v1/wallets", b"");
    assert_eq!(appliance.send("GET", "/v1/wallets?limit=1", &plain, "").await, unauthenticated());
    assert_eq!(appliance.signatures().await, before);
    // None of these used up what the client sent.
    assert_eq!(appliance.send("POST", SIGN, &genuine, &body).await, signed());
    assert_eq!(appliance.send("GET", page, &listing, "").await, signed());
}

/// Attack: strip the signature of a client's request, so that it passes as the anonymous client's. Defence: it
/// does, and is bound by that client's rules.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_request_stripped_is_anonymous() {
    let client = Client::ed25519("backend-1", &authority(), 41);
    let clients = json!([entry(&client, "backend"), {"id": "anybody", "auth": "none"}]);
    let rules = json!([
        rule("backend-signs", &json!({"operations": ["evm.message"], "clients": ["backend"]})),
        rule("anybody-reads", &json!({"operations": ["wallet.read"], "clients": ["anybody"]})),
    ]);
    let mut appliance = Appliance::new(clients, rules).await;
    let body = message("x");
    let genuine = client.sign("POST", SIGN, body.as_bytes());
    assert_eq!(appliance.send("POST", SIGN, &[], &body).await, denied());
    for lost in ["signature", "signature-input", "content-digest"] {
        assert_eq!(
            appliance.send("POST", SIGN, &with(&genuine, lost, None), &body).await,
            unauthenticated(),
            "{lost}"
        );
    }
    // Nor does a signature give what the anonymous client may.
    let read = client.sign("GET", "/v1/wallets/treasury", b"");
    assert_eq!(appliance.send("GET", "/v1/wallets/treasury", &read, "").await, denied());
    assert_eq!(appliance.send("POST", SIGN, &genuine, &body).await, signed());
}

/// Attack: send a signed request twice, on this connection and on another, alone, in a batch and by JSON-RPC.
/// Defence: its nonce is used up; nothing more is signed.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_request_is_not_replayed() {
    let (mut appliance, client) = Appliance::with_client().await;
    let batch = json!({"items": [{"wallet": WALLET, "type": "evm.message", "text": "x"}]}).to_string();
    let address = appliance.address();
    let rpc = json!({"jsonrpc": "2.0", "id": 1, "method": "personal_sign", "params": ["0x78", address]})
        .to_string();
    for (method, path, body) in [
        ("POST", SIGN, message("x")),
        ("POST", "/v1/batch", batch),
        ("POST", "/rpc", rpc),
        ("GET", "/v1/wallets", String::new()),
        ("GET", "/v1/wallets/treasury", String::new()),
    ] {
        let headers = client.sign(method, path, body.as_bytes());
        assert_eq!(appliance.answer(method, path, &headers, &body).await.status, 200, "{path}");
        let before = appliance.signatures().await;
        for _ in 0..3 {
            assert_eq!(appliance.send(method, path, &headers, &body).await, unauthenticated(), "{path}");
        }
        let mut elsewhere =
            Host::connect(&appliance.world.stack.enclave_socket()).await.expect("a connection");
        elsewhere.store = appliance.store();
        let again = elsewhere.api_with(method, path, &headers, body.as_bytes()).await.expect("an answer");
        assert_eq!(problem(&again), unauthenticated(), "{path}");
        assert_eq!(appliance.signatures().await, before);
    }
}

/// Attack: another request with a nonce that is used up. Defence: a key's nonce is good once, whatever it
/// comes with; another client's nonces are its own.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_nonce_is_good_once() {
    let authority = authority();
    let (one, other) = (Client::ed25519("one-1", &authority, 41), Client::ed25519("other-1", &authority, 42));
    let clients = json!([entry(&one, "one"), entry(&other, "other")]);
    let mut appliance = Appliance::new(clients, allow("everything", &json!({}))).await;
    let (first, second) = (message("first"), message("second"));
    let send = |client: &Client, body: &str| client.sign_with_nonce("POST", SIGN, body.as_bytes(), "n");
    assert_eq!(appliance.send("POST", SIGN, &send(&one, &first), &first).await, signed());
    assert_eq!(appliance.send("POST", SIGN, &send(&one, &second), &second).await, unauthenticated());
    assert_eq!(appliance.send("POST", SIGN, &send(&other, &second), &second).await, signed());
}

/// Attack: keep signed requests until the enclave that remembers their nonces is gone, and replay them to the
/// next. Defence: what was created before an enclave's boot is refused.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_request_of_before_the_boot_is_refused() {
    let (mut appliance, client) = Appliance::with_client().await;
    let body = message("x");
    let used = client.sign("POST", SIGN, body.as_bytes());
    let unused = client.sign("POST", SIGN, body.as_bytes());
    assert_eq!(appliance.send("POST", SIGN, &used, &body).await, signed());
    appliance.restart().await;
    for kept in [&used, &unused] {
        assert_eq!(appliance.send("POST", SIGN, kept, &body).await, unauthenticated());
    }
    assert_eq!(appliance.signatures().await, 0);
    assert_eq!(appliance.try_sign(&client, &body).await, signed());
}

/// Attack: deliver a request long after it was made, or get one made for later. Defence: 300 seconds, 60
/// seconds ahead, and the client's own `expires`.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_request_out_of_its_time_is_refused() {
    let (mut appliance, mut client) = Appliance::with_client().await;
    for (skew_s, answer) in
        [(-301, unauthenticated()), (30, signed()), (90, unauthenticated()), (1_000_000, unauthenticated())]
    {
        client.skew_s = skew_s;
        assert_eq!(appliance.try_sign(&client, &message("x")).await, answer, "{skew_s}");
    }
    client.skew_s = 0;
    let body = message("x");
    let now_s = now_ms() / 1000;
    let mut draft = Draft::new(&client, "short", &body);
    draft.add(&format!(";expires={}", now_s + 1));
    let kept = draft.headers("POST", SIGN);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(appliance.send("POST", SIGN, &kept, &body).await, unauthenticated());
    let mut draft = Draft::new(&client, "long", &body);
    draft.add(&format!(";expires={}", now_s + 60));
    assert_eq!(appliance.send("POST", SIGN, &draft.headers("POST", SIGN), &body).await, signed());
}

/// Attack: give a request that a client signed for another appliance to this one. Defence: the tag is the
/// authority's id.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_request_for_another_appliance_is_refused() {
    let (mut appliance, client) = Appliance::with_client().await;
    for tag in [&"ab".repeat(32), "nitro-signer", &authority().to_ascii_uppercase()] {
        let elsewhere = Client::ed25519(&client.key_id, tag, 41);
        assert_eq!(appliance.try_sign(&elsewhere, &message("x")).await, unauthenticated(), "{tag}");
    }
}

/// Attack: a signature over a digest that is not the body's: none, another body's, two of them, another
/// algorithm's. Defence: exactly one SHA-256 digest, which must be the body's.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_digest_must_be_the_bodys() {
    let (mut appliance, client) = Appliance::with_client().await;
    let (body, signed_body) = (message("what the host sends"), message("what the client signed"));
    let right = content_digest(body.as_bytes());
    let wrong = content_digest(signed_body.as_bytes());
    for (number, digest) in [
        wrong.clone(),
        format!("{wrong}, {right}"),
        format!("{right}, {wrong}"),
        format!("{right}, sha-512=:AAAA:"),
        right.replace("sha-256", "sha-512"),
        right.replace("sha-256", "SHA-256"),
        right.replace("=:", "=: "),
        right.replace("sha-256=:", "sha-256="),
        String::new(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut draft = Draft::new(&client, &format!("n{number}"), &body);
        draft.digest = digest;
        let headers = draft.headers("POST", SIGN);
        assert_eq!(
            appliance.send("POST", SIGN, &headers, &body).await,
            unauthenticated(),
            "{}",
            draft.digest
        );
    }
    let draft = Draft::new(&client, "right", &body);
    assert_eq!(appliance.send("POST", SIGN, &draft.headers("POST", SIGN), &body).await, signed());
}

/// Attack: signatures that are right, but cover less, more, or say it otherwise than the profile has it.
/// Defence: one profile, in one spelling.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_otherwise_is_refused() {
    let (mut appliance, client) = Appliance::with_client().await;
    let body = message("x");
    let draft = |number: usize| Draft::new(&client, &format!("n{number}"), &body);
    let lists: [&[&'static str]; 9] = [
        &[],
        &["\"@method\"", "\"@path\""],
        &["\"@method\"", "\"content-digest\""],
        &["\"@path\"", "\"content-digest\""],
        &["\"@method\"", "\"@path\"", "\"content-digest\"", "\"content-type\""],
        &["\"@method\"", "\"@path\"", "\"content-digest\"", "\"@authority\""],
        &["\"@method\"", "\"@path\"", "\"@query\"", "\"content-digest\""],
        &["\"@method\"", "\"@path\"", "\"@path\"", "\"content-digest\""],
        &["\"@method\"", "\"@path\"", "\"content-digest\";sf"],
    ];
    for (number, covered) in lists.into_iter().enumerate() {
        let mut draft = draft(number);
        draft.covered = covered.to_vec();
        let headers = draft.headers("POST", SIGN);
        assert_eq!(appliance.send("POST", SIGN, &headers, &body).await, unauthenticated(), "{covered:?}");
    }
    let plain = draft(0).parameters;
    let now_s = now_ms() / 1000;
    let changes = [
        (";created=", ";made="),
        (";keyid=", ";kid="),
        (";nonce=\"n0\"", ""),
        (";nonce=\"n0\"", ";nonce=\"\""),
        (";tag=", ";context="),
        (";nonce=\"n0\"", ";nonce=\"n0\";nonce=\"n1\""),
        (";nonce=\"n0\"", ";nonce=\"n0\";priority=1"),
        (";nonce=\"n0\"", ";nonce=\"n0\";sf"),
        (";nonce=\"n0\"", "; nonce=\"n0\""),
        (";nonce=\"n0\"", ";nonce=n0"),
        (&format!(";created={now_s}"), &format!(";created=\"{now_s}\"")),
        (&format!(";created={now_s}"), &format!(";created=0{now_s}")),
        (&format!(";created={now_s}"), &format!(";created={now_s}.0")),
    ];
    for (from, to) in changes {
        let mut draft = draft(0);
        draft.parameters = plain.replace(from, to);
        if draft.parameters == plain {
            // The clock went on to another second.
            continue;
        }
        let headers = draft.headers("POST", SIGN);
        assert_eq!(appliance.send("POST", SIGN, &headers, &body).await, unauthenticated(), "{to}");
    }
    // What is right remains so in another order of components.
    let mut other_order = draft(100);
    other_order.covered = vec!["\"content-digest\"", "\"@path\"", "\"@method\""];
    assert_eq!(appliance.send("POST", SIGN, &other_order.headers("POST", SIGN), &body).await, signed());
}

/// Attack: two signatures, of which one is right, or labels that differ. Defence: one label, the same in both
/// headers.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_twice_is_refused() {
    let (mut appliance, client) = Appliance::with_client().await;
    let body = message("x");
    let genuine = client.sign("POST", SIGN, body.as_bytes());
    let (input, signature) = (value(&genuine, "signature-input"), value(&genuine, "signature"));
    let second = |text: &str| text.replacen("sig1=", "sig2=", 1);
    let pairs = [
        (format!("{input}, {}", second(input)), format!("{signature}, {}", second(signature))),
        (format!("{input}, {}", second(input)), signature.to_owned()),
        (input.to_owned(), format!("{signature}, {}", second(signature))),
        (second(input), signature.to_owned()),
        (input.to_owned(), format!("{signature};a=1")),
        (input.to_owned(), signature.replace("=:", "=\"").replace(':', "\"")),
        (input.to_owned(), signature_header(&[])),
        (input.to_owned(), signature_header(&[0; 64])),
    ];
    for (input, signature) in pairs {
        let headers = with(&with(&genuine, "signature-input", Some(&input)), "signature", Some(&signature));
        assert_eq!(
            appliance.send("POST", SIGN, &headers, &body).await,
            unauthenticated(),
            "{input} {signature}"
        );
    }
    let headers = [&genuine[..], &[header("authorization", "Bearer x")]].concat();
    assert_eq!(appliance.send("POST", SIGN, &headers, &body).await, unauthenticated());
    assert_eq!(appliance.send("POST", SIGN, &genuine, &body).await, signed());
}

/// Attack: choose the algorithm for the verifier: a MAC whose key is the public key, another algorithm's name,
/// one curve's signature under the other's key. Defence: the key's record alone says how it verifies.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_by_another_algorithm_is_refused() {
    let authority = authority();
    let (edwards, nist) = (Client::ed25519("ed-1", &authority, 41), Client::p256("p256-1", &authority));
    let clients = json!([entry(&edwards, "edwards"), entry(&nist, "nist")]);
    let mut appliance = Appliance::new(clients.clone(), allow("everything", &json!({}))).await;
    let body = message("x");
    for client in [&edwards, &nist] {
        assert_eq!(appliance.try_sign(client, &body).await, signed());
    }
    for (client, place) in [(&edwards, 0), (&nist, 1)] {
        let public = clients[place]["auth"]["keys"][0]["public_key"].as_str().expect("a key");
        let secrets = [hex::decode(public).expect("hexadecimal"), public.as_bytes().to_vec(), Vec::new()];
        for (number, secret) in secrets.into_iter().enumerate() {
            for alg in ["", ";alg=\"hmac-sha256\""] {
                let mut forger = Client::session("00", "", &secret, &authority);
                forger.key_id.clone_from(&client.key_id);
                let mut draft = Draft::new(&forger, &format!("h{number}{}", alg.len()), &body);
                draft.parameters.push_str(alg);
                let headers = draft.headers("POST", SIGN);
                assert_eq!(
                    appliance.send("POST", SIGN, &headers, &body).await,
                    unauthenticated(),
                    "{public} {alg}"
                );
            }
        }
    }
    // One curve's key under the other's name, and right signatures with a wrong name.
    for (key_id, key) in [("p256-1", &edwards), ("ed-1", &nist)] {
        for alg in ["", ";alg=\"ed25519\"", ";alg=\"ecdsa-p256-sha256\""] {
            let mut draft = Draft::new(key, &format!("c{}", alg.len()), &body);
            draft.parameters = draft.parameters.replace(&key.key_id, key_id);
            draft.parameters.push_str(alg);
            assert_eq!(
                appliance.send("POST", SIGN, &draft.headers("POST", SIGN), &body).await,
                unauthenticated(),
                "{alg}"
            );
        }
    }
    for (client, alg) in
        [(&edwards, "ecdsa-p256-sha256"), (&edwards, "none"), (&nist, "ed25519"), (&nist, "hmac-sha256")]
    {
        let mut draft = Draft::new(client, alg, &body);
        draft.add(&format!(";alg=\"{alg}\""));
        assert_eq!(
            appliance.send("POST", SIGN, &draft.headers("POST", SIGN), &body).await,
            unauthenticated(),
            "{alg}"
        );
    }
    for (client, alg) in [(&edwards, "ed25519"), (&nist, "ecdsa-p256-sha256")] {
        let mut draft = Draft::new(client, &format!("right-{alg}"), &body);
        draft.add(&format!(";alg=\"{alg}\""));
        assert_eq!(
            appliance.send("POST", SIGN, &draft.headers("POST", SIGN), &body).await,
            signed(),
            "{alg}"
        );
    }
}

/// Attack: the twin of an ECDSA signature, s to n - s, which verifies as well, as if it were a new request.
/// Defence: it is the nonce that is used up, and not the signature's bytes.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_twin_is_a_replay() {
    // The order of P-256.
    const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let client = Client::p256("p256-1", &authority());
    let mut appliance =
        Appliance::new(json!([entry(&client, "backend")]), allow("everything", &json!({}))).await;
    let twin_of = |headers: &[Header]| {
        let text = value(headers, "signature").trim_start_matches("sig1=:").trim_end_matches(':').to_owned();
        let signature = STANDARD.decode(text).expect("base64");
        let (r, s) = signature.split_at(32);
        let mut order = hex::decode(N).expect("hexadecimal");
        let mut borrow = 0i16;
        for (digit, less) in order.iter_mut().zip(s).rev() {
            let difference = i16::from(*digit) - i16::from(*less) - borrow;
            borrow = i16::from(difference < 0);
            *digit = u8::try_from(difference.rem_euclid(256)).expect("a byte");
        }
        with(headers, "signature", Some(&signature_header(&[r, &order].concat())))
    };
    let body = message("x");
    let genuine = client.sign("POST", SIGN, body.as_bytes());
    assert_eq!(appliance.send("POST", SIGN, &genuine, &body).await, signed());
    assert_eq!(appliance.send("POST", SIGN, &twin_of(&genuine), &body).await, unauthenticated());
    // That the twin verifies is no harm either: it is the same request, once.
    let genuine = client.sign("POST", SIGN, body.as_bytes());
    let before = appliance.signatures().await;
    appliance.send("POST", SIGN, &twin_of(&genuine), &body).await;
    appliance.send("POST", SIGN, &genuine, &body).await;
    assert_eq!(appliance.signatures().await, before + 1);
}

/// Attack: go on with the key of a client that the admins have removed, or whose key they have exchanged.
/// Defence: the bundle in force has the keys.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_by_a_former_client_is_refused() {
    let authority = authority();
    let (mut appliance, client) = Appliance::with_client().await;
    let successor = Client::ed25519("backend-1", &authority, 42);
    let kept = client.sign("POST", SIGN, message("kept").as_bytes());
    assert_eq!(appliance.try_sign(&client, &message("x")).await, signed());
    appliance.adopt(|bundle| bundle["clients"] = json!([entry(&successor, "backend")])).await;
    assert_eq!(appliance.try_sign(&client, &message("x")).await, unauthenticated());
    assert_eq!(appliance.send("POST", SIGN, &kept, &message("kept")).await, unauthenticated());
    assert_eq!(appliance.try_sign(&successor, &message("x")).await, signed());
    appliance.adopt(|bundle| bundle["clients"] = json!([])).await;
    assert_eq!(appliance.try_sign(&successor, &message("x")).await, unauthenticated());
}

/// Attack: ask the first round of a request again and again, and keep back the objects it needs. Defence: it
/// uses up nothing and signs nothing; once complete, it is good once.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_request_in_rounds_is_signed_once() {
    let (mut appliance, client) = Appliance::with_client().await;
    appliance.restart().await;
    let body = message("x");
    let headers = client.sign("POST", SIGN, body.as_bytes());
    let mut wanted = Vec::new();
    for _ in 0..20 {
        match appliance.once(wire(&headers, &body)).await {
            Response::NeedObjects { names } => wanted = names,
            other => panic!("{other:?}"),
        }
    }
    let store = appliance.store();
    let objects: Vec<Object> = wanted
        .iter()
        .map(|name| Object { name: name.clone(), content: store.get(name).cloned().map(Into::into) })
        .collect();
    let absent: Vec<Object> =
        wanted.iter().map(|name| Object { name: name.clone(), content: None }).collect();
    let not_found = match appliance.once(ApiRequest { objects: absent, ..wire(&headers, &body) }).await {
        Response::Api(answer) => problem(&answer),
        other => panic!("{other:?}"),
    };
    assert_eq!(not_found, (404, "wallet_not_found".into()));
    assert_eq!(appliance.signatures().await, 0);
    let complete = ApiRequest { objects, ..wire(&headers, &body) };
    let mut answers = Vec::new();
    for _ in 0..3 {
        match appliance.once(complete.clone()).await {
            Response::Api(answer) => answers.push(problem(&answer)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answers, [signed(), unauthenticated(), unauthenticated()]);
    assert_eq!(appliance.signatures().await, 1);
}

/// Attack: claim again and again that the store refused what a creation wants written, to have more wallets or
/// other keys made. Defence: the very same request may come again, and the wallet is the same; no other
/// request may use its nonce.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_creation_asked_again_gives_the_same_wallet() {
    let (mut appliance, client) = Appliance::with_client().await;
    let path = "/v1/wallets";
    let body = wallet_request("payroll");
    let headers = client.sign_with_nonce("POST", path, body.as_bytes(), "n");
    let first = appliance.answer("POST", path, &headers, &body).await;
    assert_eq!(first.status, 201);
    let shown = |wallet: &Value| (wallet["id"].clone(), wallet["accounts"].clone());
    let again = appliance.answer("POST", path, &headers, &body).await;
    assert_eq!(shown(&json_of(&again)), shown(&json_of(&first)));
    commit(&mut appliance.host, &first);
    let exists = appliance.answer("POST", path, &headers, &body).await;
    assert_eq!(problem(&exists), (409, "wallet_exists".into()));
    assert_eq!(shown(&json_of(&exists)["wallet"]), shown(&json_of(&first)));
    assert!(exists.writes.is_empty());
    for other in [wallet_request("another"), message("x")] {
        let path = if other.contains("another") { path } else { SIGN };
        let headers = client.sign_with_nonce("POST", path, other.as_bytes(), "n");
        assert_eq!(appliance.send("POST", path, &headers, &other).await, unauthenticated());
    }
    assert_eq!(appliance.signatures().await, 0);
}

/// Attack: have a request decided under an older bundle than the one in force, by asking its first round before a
/// push. Defence: each round is authenticated and decided anew.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signed_request_is_decided_when_it_is_complete() {
    let (mut appliance, client) = Appliance::with_client().await;
    appliance.restart().await;
    let body = payment(&json!({}));
    let headers = client.sign("POST", SIGN, body.as_bytes());
    let first = appliance.once(wire(&headers, &body)).await;
    assert!(matches!(first, Response::NeedObjects { .. }), "{first:?}");
    appliance.adopt(|bundle| bundle["rules"] = json!([])).await;
    assert_eq!(appliance.send("POST", SIGN, &headers, &body).await, denied());
    assert_eq!(status(&mut appliance.host).await.signatures, 0);
}
