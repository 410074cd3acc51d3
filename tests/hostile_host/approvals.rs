//! A host carries approvals to the enclave: it can lose, repeat, move and change them.

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signer_shared::message::Header;
use signer_tests::stack::{Client, in_seconds, seal};

use crate::{
    appliance::{Appliance, SIGN, authority, entry, merged, payment, rule, signed},
    wire::header,
    world::{json_of, problem},
};

const PAYLOAD_TYPE: &str = "application/vnd.nitro-signer.approval.v1+json";

/// Refused without, or with another approval than the rule demands.
fn required() -> (u16, String) {
    (403, "approval_required".into())
}

/// The approvers in the bundle, and one who is in none.
fn approver(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[60 + number; 32])
}

/// SHA-256 of method, path, query and body, each after its length.
fn request_digest(method: &str, path: &str, body: &str) -> String {
    let (path, query) =
        path.split_once('?').map_or((path, String::new()), |(path, query)| (path, format!("?{query}")));
    let mut digest = Sha256::new();
    for part in [method, path, &query, body] {
        digest.update(u64::try_from(part.len()).expect("short").to_be_bytes());
        digest.update(part);
    }
    hex::encode(digest.finalize())
}

/// Two clients, three approvers, and one rule for each client that demands two approvals.
async fn with_approvers() -> (Appliance, Client, Client) {
    let authority = authority();
    let (one, other) = (Client::ed25519("one-1", &authority, 41), Client::ed25519("other-1", &authority, 42));
    let clients = json!([entry(&one, "one"), entry(&other, "other")]);
    let demanded = json!({"threshold": 2, "of": ["alice", "bob", "carol"], "longest_s": 600});
    let rules = json!([
        rule(
            "one-pays",
            &json!({"operations": ["evm.transaction"], "clients": ["one"], "nonce": "unguarded", "approvals": demanded})
        ),
        rule(
            "other-pays",
            &json!({"operations": ["evm.transaction"], "clients": ["other"], "nonce": "unguarded", "approvals": demanded})
        ),
    ]);
    let mut appliance = Appliance::new(clients, json!([])).await;
    let key = |number: u8| hex::encode(approver(number).verifying_key().to_bytes());
    appliance
        .adopt(|bundle| {
            bundle["approvers"] = json!([
                {"id": "alice", "public_key": key(0)}, {"id": "bob", "public_key": key(1)},
                {"id": "carol", "public_key": key(2)}, {"id": "dave", "public_key": key(3)},
            ]);
            bundle["rules"] = rules;
        })
        .await;
    (appliance, one, other)
}

impl Appliance {
    /// What approvers of the first client's rule would sign for a body, changed by these members.
    async fn approval(&mut self, body: &str, changes: &Value) -> Value {
        let base = json!({
            "format": "nitro-signer/approval/v1", "authority": authority(), "client": "one",
            "request_digest": request_digest("POST", SIGN, body), "rule": "one-pays",
            "policy_digest": self.policy_digest().await, "not_after": in_seconds(300),
        });
        merged(&base, changes)
    }

    /// A payment of a client with an approval's header.
    async fn pay(&mut self, client: &Client, body: &str, approval: Option<&str>) -> (u16, String) {
        let mut headers: Vec<Header> = client.sign("POST", SIGN, body.as_bytes());
        headers.extend(approval.map(|value| header("signer-approval", value)));
        self.send("POST", SIGN, &headers, body).await
    }
}

/// The header for an approval that these approvers signed.
fn approved(approval: &Value, approvers: &[u8]) -> String {
    let keys: Vec<SigningKey> = approvers.iter().map(|number| approver(*number)).collect();
    let keys: Vec<&SigningKey> = keys.iter().collect();
    STANDARD.encode(seal(PAYLOAD_TYPE, approval.to_string().as_bytes(), &keys))
}

/// Attack: leave out or strip the approval. Defence: the rule does not allow without, and says which rule it is.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_approval_cannot_be_left_out() {
    let (mut appliance, client, _) = with_approvers().await;
    let body = payment(&json!({}));
    let headers = client.sign("POST", SIGN, body.as_bytes());
    let answer = appliance.answer("POST", SIGN, &headers, &body).await;
    assert_eq!(problem(&answer), required());
    assert_eq!(json_of(&answer)["rule"], "one-pays");
    assert_eq!(appliance.pay(&client, &body, Some("")).await, required());
    assert_eq!(appliance.signatures().await, 0);
    let approval = approved(&appliance.approval(&body, &json!({})).await, &[0, 1]);
    assert_eq!(appliance.pay(&client, &body, Some(&approval)).await, signed());
}

/// Attack: one approver, the same one twice, a stranger, an approver of other rules, more signatures of whom
/// nobody asked. Defence: distinct approvers of this rule, as many as it says.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_approval_needs_enough_of_its_approvers() {
    let (mut appliance, client, _) = with_approvers().await;
    let body = payment(&json!({}));
    let approval = appliance.approval(&body, &json!({})).await;
    let once = approved(&approval, &[0]);
    let envelope = STANDARD.decode(&once).expect("base64");
    let twice = crate::configurations::signed_twice_by_one(std::str::from_utf8(&envelope).expect("JSON"));
    let headers = [
        once,
        STANDARD.encode(twice),
        approved(&approval, &[]),
        approved(&approval, &[0, 3]),
        approved(&approval, &[0, 9]),
        approved(&approval, &[3, 8, 9]),
    ];
    for header in headers {
        assert_eq!(appliance.pay(&client, &body, Some(&header)).await, required(), "{header}");
    }
    for approvers in [&[0, 1][..], &[1, 2], &[2, 0], &[0, 1, 2]] {
        let approval = approved(&approval, approvers);
        assert_eq!(appliance.pay(&client, &body, Some(&approval)).await, signed(), "{approvers:?}");
    }
}

/// Attack: use an approval for something else: another request, path, client, rule, appliance, or kind of
/// statement. Defence: it names all of these.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_approval_is_for_one_request() {
    let (mut appliance, client, other) = with_approvers().await;
    let body = payment(&json!({}));
    let dearer = payment(&json!({"value": "2"}));
    let approval = appliance.approval(&body, &json!({})).await;
    let good = approved(&approval, &[0, 1]);
    assert_eq!(appliance.pay(&client, &dearer, Some(&good)).await, required());
    assert_eq!(appliance.pay(&client, &format!("{body} "), Some(&good)).await, required());
    assert_eq!(appliance.pay(&other, &body, Some(&good)).await, required());
    for changes in [
        json!({"request_digest": request_digest("POST", "/v1/batch", &body)}),
        json!({"request_digest": request_digest("GET", SIGN, &body)}),
        json!({"client": "other"}),
        json!({"rule": "other-pays"}),
        json!({"rule": "no-such-rule"}),
        json!({"authority": "ab".repeat(32)}),
        json!({"policy_digest": "ab".repeat(32)}),
        json!({"format": "nitro-signer/approval/v2"}),
        json!({"also": 1}),
        json!({"rule": null}),
    ] {
        let approval = approved(&appliance.approval(&body, &changes).await, &[0, 1]);
        assert_eq!(appliance.pay(&client, &body, Some(&approval)).await, required(), "{changes}");
    }
    let keys = [approver(0), approver(1)];
    let keys: Vec<&SigningKey> = keys.iter().collect();
    for kind in ["application/vnd.nitro-signer.policy.v1+json", ""] {
        let header = STANDARD.encode(seal(kind, approval.to_string().as_bytes(), &keys));
        assert_eq!(appliance.pay(&client, &body, Some(&header)).await, required(), "{kind}");
    }
    assert_eq!(appliance.signatures().await, 0);
    assert_eq!(appliance.pay(&client, &body, Some(&good)).await, signed());
}

/// Attack: keep an approval until the admins have changed the rules, or until it has expired; or make one that
/// holds for ever. Defence: it is for one bundle, and not for long.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_approval_does_not_last() {
    let (mut appliance, client, _) = with_approvers().await;
    let body = payment(&json!({}));
    for seconds in [-1, 0, 660, 86_400] {
        let changes = json!({"not_after": in_seconds(seconds)});
        let approval = approved(&appliance.approval(&body, &changes).await, &[0, 1]);
        assert_eq!(appliance.pay(&client, &body, Some(&approval)).await, required(), "{seconds}");
    }
    let short = json!({"not_after": in_seconds(2)});
    let short = approved(&appliance.approval(&body, &short).await, &[0, 1]);
    let kept = approved(&appliance.approval(&body, &json!({})).await, &[0, 1]);
    assert_eq!(appliance.pay(&client, &body, Some(&kept)).await, signed());
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(appliance.pay(&client, &body, Some(&short)).await, required());
    appliance.adopt(|_| ()).await;
    assert_eq!(appliance.pay(&client, &body, Some(&kept)).await, required());
    let anew = approved(&appliance.approval(&body, &json!({})).await, &[0, 1]);
    assert_eq!(appliance.pay(&client, &body, Some(&anew)).await, signed());
}

/// Attack: change the approval's bytes, or spell them otherwise. Defence: signatures cover payload and type, and what
/// is not understood is none.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_approval_cannot_be_changed() {
    let (mut appliance, client, _) = with_approvers().await;
    let body = payment(&json!({}));
    let dearer = payment(&json!({"value": "2"}));
    let approval = appliance.approval(&body, &json!({})).await;
    let good = approved(&approval, &[0, 1]);
    let envelope = String::from_utf8(STANDARD.decode(&good).expect("base64")).expect("JSON");
    let moved = appliance.approval(&dearer, &json!({})).await.to_string();
    let moved = crate::configurations::with_payload(&envelope, moved.as_bytes());
    assert_eq!(appliance.pay(&client, &dearer, Some(&STANDARD.encode(moved))).await, required());
    for header in [
        envelope.clone(),
        STANDARD.encode(approval.to_string()),
        STANDARD.encode(format!("{envelope} {{}}")),
        format!("{good}{good}"),
        good.trim_end_matches('=').trim_end_matches(char::is_alphanumeric).to_owned(),
        "AAAA".to_owned(),
        STANDARD.encode("[".repeat(5_000)),
    ] {
        assert_eq!(appliance.pay(&client, &body, Some(&header)).await, required(), "{header}");
    }
    assert_eq!(appliance.signatures().await, 0);
}

/// Attack: a request of several items, of which one was approved. Defence: an approval is for the whole request's
/// bytes, so its approvers saw all of it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_approval_is_for_the_whole_batch() {
    let (mut appliance, client, _) = with_approvers().await;
    let path = "/v1/batch";
    let item = |value: &str| {
        let mut item: Value = serde_json::from_str(&payment(&json!({"value": value}))).expect("JSON");
        item["wallet"] = json!("treasury");
        item
    };
    let one = json!({"items": [item("1")]}).to_string();
    let two = json!({"items": [item("1"), item("2")]}).to_string();
    let changes = json!({"request_digest": request_digest("POST", path, &one)});
    let approval = approved(&appliance.approval(&one, &changes).await, &[0, 1]);
    for (body, statuses) in [(&two, vec![403, 403]), (&one, vec![200])] {
        let mut headers = client.sign("POST", path, body.as_bytes());
        headers.push(header("signer-approval", &approval));
        let answer = json_of(&appliance.answer("POST", path, &headers, body).await);
        let found: Vec<u64> = answer["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|item| item["status"].as_u64())
            .collect();
        assert_eq!(found, statuses, "{answer}");
    }
}
