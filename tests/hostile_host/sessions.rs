//! A host with the tickets of sessions: it sees them all, and has none of their keys.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use signer_tests::stack::{Client, Host};

use crate::{
    appliance::{
        Appliance, SIGN, allow, authority, denied, entry, merged, message, rule, signed, unauthenticated,
    },
    audit_log,
    session::{Agreement, SESSIONS, Session, session_request},
    world::{json_of, problem},
};

/// The client that opens sessions, as its bundle has it.
fn opener() -> (Client, Value) {
    let client = Client::ed25519("backend-1", &authority(), 41);
    let entry = merged(
        &entry(&client, "backend"),
        &json!({"sessions": {"longest_s": 3600}, "roles": ["trader", "reader"]}),
    );
    (client, entry)
}

/// An appliance with one session.
async fn with_session() -> (Appliance, Client, Session) {
    let (client, entry) = opener();
    let mut appliance = Appliance::new(json!([entry]), allow("everything", &json!({}))).await;
    let session = appliance.open_session(&client, "backend", &json!({})).await;
    assert_eq!(appliance.try_sign(&session.client, &message("first")).await, signed());
    (appliance, client, session)
}

/// A client with a ticket and a MAC key that need not belong together.
fn holder(id: &str, ticket: &str, mac_key: &[u8]) -> Client {
    Client::session(id, ticket, mac_key, &authority())
}

/// Attack: change a ticket, by any bit, cut it, lengthen it, or spell it otherwise. Defence: it is sealed, and has
/// one spelling.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_ticket_cannot_be_changed() {
    let (mut appliance, _, session) = with_session().await;
    let bytes = URL_SAFE_NO_PAD.decode(&session.ticket).expect("base64url");
    let mut tickets: Vec<String> = (0..bytes.len())
        .map(|place| {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << (place % 8);
            URL_SAFE_NO_PAD.encode(changed)
        })
        .collect();
    let shorter = &bytes[..bytes.len() - 1];
    tickets.extend(
        [shorter, &[], &bytes[..16], &[&bytes[..], &[0]].concat()].map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
    );
    tickets.extend([format!("{}=", session.ticket), format!(" {}", session.ticket), "a".repeat(20_000)]);
    for ticket in tickets {
        let client = holder(&session.id, &ticket, &session.mac_key);
        assert_eq!(appliance.try_sign(&client, &message("x")).await, unauthenticated(), "{ticket}");
    }
    assert_eq!(appliance.try_sign(&session.client, &message("x")).await, signed());
}

/// Attack: one session's ticket with another's key or id, or with no key. Defence: the MAC key is sealed in the
/// ticket, and the id is bound to it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_of_another_is_refused() {
    let (mut appliance, client, one) = with_session().await;
    let other = appliance.open_session(&client, "backend", &json!({})).await;
    let mixed = [
        holder(&one.id, &one.ticket, &other.mac_key),
        holder(&one.id, &other.ticket, &one.mac_key),
        holder(&other.id, &one.ticket, &one.mac_key),
        holder(&one.id, &one.ticket, &[]),
        holder(&one.id, &one.ticket, &[0; 32]),
        holder(&one.id, &one.ticket, one.ticket.as_bytes()),
        holder(&one.id.to_ascii_uppercase(), &one.ticket, &one.mac_key),
    ];
    for client in mixed {
        assert_eq!(appliance.try_sign(&client, &message("x")).await, unauthenticated(), "{}", client.key_id);
    }
    for session in [one, other] {
        assert_eq!(appliance.try_sign(&session.client, &message("x")).await, signed());
    }
}

/// Attack: a ticket that another appliance sealed, of the same name, for a client of the same name. Defence:
/// tickets are sealed under the keyring's key.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_of_another_appliance_is_refused() {
    let (mut appliance, client, _) = with_session().await;
    let (mut elsewhere, _, foreign) = with_session().await;
    assert_eq!(appliance.try_sign(&foreign.client, &message("x")).await, unauthenticated());
    // Not even if it is told of as opened here.
    let agreement = Agreement::new();
    let body = session_request(&agreement, &json!({}));
    let mut told = json_of(&appliance.ask_for_session(&client, &body).await);
    told["ticket"] = json!(foreign.ticket);
    told["id"] = json!(foreign.id);
    let fooled = agreement.session("backend", &told);
    assert_eq!(appliance.try_sign(&fooled.client, &message("x")).await, unauthenticated());
    assert_eq!(elsewhere.try_sign(&foreign.client, &message("x")).await, signed());
}

/// Attack: change a session's request, send it twice, or move its MAC to another. Defence: the MAC covers what a
/// signature covers, and its nonces are good once.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_request_cannot_be_changed_or_replayed() {
    let (mut appliance, _, session) = with_session().await;
    let (body, other) = (message("pay ten"), message("pay a million"));
    let genuine = session.client.sign("POST", SIGN, body.as_bytes());
    let mut fitting = session.client.sign("POST", SIGN, other.as_bytes());
    for header in &mut fitting {
        if let Some(of) =
            genuine.iter().find(|of| of.name == header.name && header.name.starts_with("signature"))
        {
            header.value.clone_from(&of.value);
        }
    }
    assert_eq!(appliance.send("POST", SIGN, &genuine, &other).await, unauthenticated());
    assert_eq!(appliance.send("POST", SIGN, &fitting, &other).await, unauthenticated());
    assert_eq!(appliance.send("POST", "/v1/batch", &genuine, &body).await, unauthenticated());
    let without_ticket: Vec<_> =
        genuine.iter().filter(|header| header.name != "signer-session").cloned().collect();
    assert_eq!(appliance.send("POST", SIGN, &without_ticket, &body).await, unauthenticated());
    let before = appliance.signatures().await;
    assert_eq!(appliance.send("POST", SIGN, &genuine, &body).await, signed());
    for _ in 0..3 {
        assert_eq!(appliance.send("POST", SIGN, &genuine, &body).await, unauthenticated());
    }
    assert_eq!(appliance.signatures().await, before + 1);
}

/// Attack: add a ticket to a request that a key signed. Defence: a request with a ticket is the session's or
/// nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_beside_a_signature_is_refused() {
    let (mut appliance, client, session) = with_session().await;
    let body = message("x");
    let mut headers = client.sign("POST", SIGN, body.as_bytes());
    headers.extend(session.client.headers.iter().cloned());
    assert_eq!(appliance.send("POST", SIGN, &headers, &body).await, unauthenticated());
    assert_eq!(appliance.send("POST", SIGN, &session.client.headers, &body).await, unauthenticated());
}

/// Attack: use a session for longer than the admins now allow, after its client may have none, after the client
/// or its key is gone. Defence: each request is judged by the bundle in force.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_ends_with_what_allowed_it() {
    let (client, full) = opener();
    let exchanged = Client::ed25519("backend-1", &authority(), 42);
    let other = Client::ed25519("other-1", &authority(), 43);
    let shorter = merged(&full, &json!({"sessions": {"longest_s": 300}}));
    let without = merged(&full, &json!({"sessions": null}));
    let other_key = merged(&full, &json!({"auth": entry(&exchanged, "backend")["auth"]}));
    let other_client = json!([entry(&other, "other")]);
    let renamed = json!([merged(&full, &json!({"id": "former"}))]);
    for clients in [json!([shorter]), json!([without]), json!([other_key]), other_client, renamed] {
        let mut appliance = Appliance::new(json!([full]), allow("everything", &json!({}))).await;
        let session = appliance.open_session(&client, "backend", &json!({})).await;
        assert_eq!(appliance.try_sign(&session.client, &message("x")).await, signed());
        appliance.adopt(|bundle| bundle["clients"] = clients.clone()).await;
        assert_eq!(appliance.try_sign(&session.client, &message("x")).await, unauthenticated(), "{clients}");
        appliance.adopt(|bundle| bundle["clients"] = json!([full])).await;
        assert_eq!(appliance.try_sign(&session.client, &message("x")).await, signed());
    }
}

/// Attack: ask for more than the client may have: a longer session, a role that it does not have, a role in a
/// session that has another. Defence: bounds at the opening, and the ticket's only role.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_has_no_more_than_its_client() {
    let (client, full) = opener();
    let other =
        merged(&entry(&Client::ed25519("other-1", &authority(), 43), "other"), &json!({"roles": ["admin"]}));
    let rules = json!([
        rule("trade", &json!({"operations": ["evm.message"], "roles": ["trader"]})),
        rule("read", &json!({"operations": ["wallet.read"], "roles": ["reader"]})),
    ]);
    let mut appliance = Appliance::new(json!([full, other]), rules).await;
    let agreement = Agreement::new();
    for (more, answer) in [
        (json!({"lifetime_s": 3601}), (400, "malformed_request")),
        (json!({"lifetime_s": 59}), (400, "malformed_request")),
        (json!({"lifetime_s": u64::MAX}), (400, "malformed_request")),
        (json!({"role": "admin"}), (403, "policy_denied")),
        (json!({"public_key": "00".repeat(32)}), (400, "malformed_request")),
    ] {
        let body = session_request(&agreement, &more);
        let refused = problem(&appliance.ask_for_session(&client, &body).await);
        assert_eq!(refused, (answer.0, answer.1.to_owned()), "{more}");
    }
    let read = |session: &Session| session.client.sign("GET", "/v1/wallets/treasury", b"");
    let trader = appliance.open_session(&client, "backend", &json!({"role": "trader"})).await;
    let reader = appliance.open_session(&client, "backend", &json!({"role": "reader"})).await;
    let both = appliance.open_session(&client, "backend", &json!({})).await;
    for (session, trades, reads) in
        [(&trader, signed(), denied()), (&reader, denied(), signed()), (&both, signed(), signed())]
    {
        assert_eq!(appliance.try_sign(&session.client, &message("x")).await, trades);
        assert_eq!(appliance.send("GET", "/v1/wallets/treasury", &read(session), "").await, reads);
    }
    // A role that the client loses is lost to its sessions, too.
    let lesser = merged(&full, &json!({"roles": ["reader"]}));
    appliance
        .adopt(|bundle| {
            bundle["clients"] = json!([lesser]);
            bundle["rules"] = json!([rule("all", &json!({"operations": ["evm.message"]}))]);
        })
        .await;
    assert_eq!(appliance.try_sign(&trader.client, &message("x")).await, unauthenticated());
    assert_eq!(appliance.try_sign(&reader.client, &message("x")).await, signed());
}

/// Attack: open a session from a session, and so for ever. Defence: only a key opens sessions.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_opens_no_session() {
    let (mut appliance, _, session) = with_session().await;
    let body = session_request(&Agreement::new(), &json!({}));
    let answer = appliance.ask_for_session(&session.client, &body).await;
    assert_eq!(problem(&answer), denied());
}

/// Attack: a client that may have no sessions, or nobody, opens one. Defence: the bundle says who may.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_for_whoever_may_not() {
    let client = Client::ed25519("backend-1", &authority(), 41);
    let clients = json!([entry(&client, "backend"), {"id": "anybody", "auth": "none"}]);
    let mut appliance = Appliance::new(clients, allow("everything", &json!({}))).await;
    let body = session_request(&Agreement::new(), &json!({}));
    assert_eq!(problem(&appliance.ask_for_session(&client, &body).await), denied());
    assert_eq!(appliance.send("POST", SESSIONS, &[], &body).await, denied());
    let records = audit_log::records(&mut appliance.host, "session").await;
    let told: Vec<_> = records.iter().map(|it| (&it["client"], &it["key"], &it["allowed"])).collect();
    let (no, nobody) = (json!(false), Value::Null);
    assert_eq!(
        told,
        [(&json!("backend"), &json!("backend-1"), &no), (&json!("anybody"), &nobody, &no)],
        "what was refused is on record"
    );
}

/// Attack: put an X25519 key of the host's into the client's request, or into the answer, to know the session's
/// key. Defence: the request is signed; a key that the answer names and the attested statement does not is the
/// host's, and the enclave's ticket does not go with it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_key_of_the_hosts_own() {
    let (mut appliance, client, _) = with_session().await;
    let (clients_own, hosts_own) = (Agreement::new(), Agreement::new());
    let body = session_request(&clients_own, &json!({}));
    let headers = client.sign("POST", SESSIONS, body.as_bytes());
    let exchanged = session_request(&hosts_own, &json!({}));
    assert_eq!(appliance.send("POST", SESSIONS, &headers, &exchanged).await, unauthenticated());
    let genuine = json_of(&appliance.answer("POST", SESSIONS, &headers, &body).await);
    let mut changed = genuine.clone();
    changed["public_key"] = json!(hosts_own.public_key());
    let fooled = clients_own.session("backend", &changed);
    assert_eq!(appliance.try_sign(&fooled.client, &message("x")).await, unauthenticated());
    let session = clients_own.session("backend", &genuine);
    assert_eq!(appliance.try_sign(&session.client, &message("x")).await, signed());
    // What the host sees of it does not make its key: neither public key has the other's secret.
    let guessed = hosts_own.session("backend", &genuine);
    assert_ne!(guessed.mac_key, session.mac_key);
    // The same request gives no second session.
    assert_eq!(appliance.send("POST", SESSIONS, &headers, &body).await, unauthenticated());
}

/// Attack: play one session's request to two enclaves of a fleet, each of which takes the ticket. Defence: none
/// between enclaves: what they know of nonces is each boot's own. Both sign the same bytes; a limit counts
/// once in each. SECURITY.md says so; this test holds it to that.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_session_request_is_good_once_on_each_enclave() {
    let (mut appliance, client, session) = with_session().await;
    let mut second = appliance.second_enclave().await;
    let body = message("x");
    for headers in
        [session.client.sign("POST", SIGN, body.as_bytes()), client.sign("POST", SIGN, body.as_bytes())]
    {
        let first = appliance.answer("POST", SIGN, &headers, &body).await;
        let there = second.host.api_with("POST", SIGN, &headers, body.as_bytes()).await.expect("an answer");
        assert_eq!((first.status, there.status), (200, 200));
        assert_eq!(json_of(&first), json_of(&there));
        assert_eq!(appliance.send("POST", SIGN, &headers, &body).await, unauthenticated());
        let again: &mut Host = &mut second.host;
        let again = again.api_with("POST", SIGN, &headers, body.as_bytes()).await.expect("an answer");
        assert_eq!(problem(&again), unauthenticated());
    }
}
