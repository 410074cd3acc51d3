//! A host keeps the keyrings' objects, and carries the admins' requests for them.

use serde_json::{Value, json};
use signer_rules::keyring_request;
use signer_shared::message::{RefusalCode, Response};
use signer_tests::stack::{KEYRING, StackOptions, Store, in_seconds, seal};

use crate::{
    configurations::{payload_of, signed_twice_by_one, with_payload},
    forgery, kms_client,
    world::{World, api, json_of, problem, refusal, status},
};

const OBJECT: &str = "keyring/default";

/// Attack: a keyring of the host's own, under a data key that it got from the right KMS key with the
/// right encryption context. Defence: the fingerprint that the admins signed.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_data_key_of_the_hosts_own_is_refused() {
    let mut world = World::with_careless_key_policy().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let authority = world.stack.configuration.authority;
    let client = kms_client::of_the_role(&world.stack);
    let arn = &world.kms_keys()[0][0];
    let forged = forgery::keyring(&client, arn, authority, KEYRING, [0x66; 32]).await;

    let mut host = world.reboot(Store::from([(OBJECT.to_owned(), forged.object)])).await;
    let answer = world.provision(&mut host, &world.second_bundle(&fingerprint)).await;
    assert_eq!(refusal(answer), RefusalCode::KeyringInvalid);
    let now = status(&mut host).await;
    assert_eq!((now.phase.as_str(), now.problem.is_some()), ("configured", true));
    assert_eq!(world.kms_errors(), Vec::<String>::new(), "KMS released the host's data key");

    // The forgery is perfect but for its fingerprint: admins who signed that would make it ready.
    let signed_away = world.stack.bundle(2, None, &[(KEYRING, &forged.fingerprint)], &json!([]));
    let mut host = world.reboot(host.store).await;
    world.provision(&mut host, &world.stack.sign_bundle(&signed_away)).await;
    assert_eq!(status(&mut host).await.phase.as_str(), "ready");
}

/// Attack: a keyring object cut, changed, relabelled, of another name, or with its copies moved. Defence:
/// its parts are bound to authority, name, place and KMS key.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_keyring_object_does_not_open() {
    let mut world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let mut host = world.reboot(host.store).await;
    let bundle = world.second_bundle(&fingerprint);
    let honest = host.store[OBJECT].clone();
    let change = |pointer: &str, value: Value| {
        let mut object: Value = serde_json::from_slice(&honest).expect("JSON");
        *object.pointer_mut(pointer).expect("a member") = value;
        object.to_string().into_bytes()
    };
    let share = change("/shares/0/copies/0/share", json!("AAAA"));
    let copies = serde_json::from_slice::<Value>(&honest).expect("JSON")["shares"][0].clone();
    let bad = [
        (Vec::new(), RefusalCode::KeyringInvalid),
        (honest[..honest.len() - 1].to_vec(), RefusalCode::KeyringInvalid),
        (share, RefusalCode::KeyringInvalid),
        (change("/keyring", json!("other")), RefusalCode::KeyringInvalid),
        (change("/authority", json!("00".repeat(32))), RefusalCode::KeyringInvalid),
        (change("/shares", json!([])), RefusalCode::KeyringInvalid),
        (change("/shares", json!([copies, copies])), RefusalCode::KeyringInvalid),
        (change("/shares/0/copies/0/key_arn", json!("arn:aws:kms:x")), RefusalCode::KeyringInvalid),
        (change("/shares/0/copies/0/data_key", json!("AAAA")), RefusalCode::KmsFailed),
        ([&honest[..], " ".repeat(70_000).as_bytes()].concat(), RefusalCode::KeyringInvalid),
    ];
    for (object, code) in bad {
        let shown = String::from_utf8_lossy(&object).into_owned();
        host.store.insert(OBJECT.into(), object);
        assert_eq!(refusal(world.provision(&mut host, &bundle).await), code, "{shown}");
    }
    host.store.insert(OBJECT.into(), honest);
    world.provision(&mut host, &bundle).await;
    assert_eq!(status(&mut host).await.phase.as_str(), "ready");
}

/// Attack: open a keyring of two shares with one of them, twice or in the other's place. Defence: each
/// share is bound to its place, and the fingerprint is of all.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_use_of_one_share_for_two() {
    let mut world = World::of(StackOptions { shares: 2, ..StackOptions::default() }).await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let mut host = world.reboot(host.store).await;
    let bundle = world.second_bundle(&fingerprint);
    let honest: Value = serde_json::from_slice(&host.store[OBJECT]).expect("JSON");
    for order in [vec![0, 0], vec![1, 0], vec![1, 1], vec![0], vec![1], vec![0, 1, 0]] {
        let mut object = honest.clone();
        object["shares"] = order.iter().map(|share| honest["shares"][*share].clone()).collect();
        host.store.insert(OBJECT.into(), object.to_string().into_bytes());
        let answer = world.provision(&mut host, &bundle).await;
        assert_eq!(refusal(answer), RefusalCode::KeyringInvalid, "{order:?}");
    }
    host.store.insert(OBJECT.into(), honest.to_string().into_bytes());
    world.provision(&mut host, &bundle).await;
    assert_eq!(status(&mut host).await.phase.as_str(), "ready");
}

/// Attack: requests for a keyring that too few admins signed, or that have expired, or are another
/// authority's, or are changed. Defence: quorum, time and authority; KMS is not asked.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_keyring_requests_are_refused() {
    let (world, mut host) = World::configured().await;
    let good = world.stack.keyring_request(KEYRING);
    let payload: Value = serde_json::from_slice(&payload_of(&good)).expect("JSON");
    let with = |member: &str, value: Value| {
        let mut payload = payload.clone();
        payload[member] = value;
        payload.to_string().into_bytes()
    };
    let kind = keyring_request::PAYLOAD_TYPE;
    let [first, _, _] = &world.stack.admins;
    let (strangers, foreign, _) = world.foreign_authority();
    let once = seal(kind, &payload_of(&good), &[first]);
    let bad = [
        once.clone(),
        signed_twice_by_one(&once),
        seal(kind, &payload_of(&good), &[]),
        seal(kind, &payload_of(&good), &[&strangers[0], &strangers[1]]),
        world.stack.sign(kind, &with("expires", json!(in_seconds(-1)))),
        world.stack.sign(kind, &with("authority", json!(foreign.authority))),
        with_payload(&good, &with("keyring", json!("other"))),
        world.first_bundle(),
    ];
    for request in bad {
        let answer = api(&mut host, "POST", "/v1/keyrings", &request).await;
        assert_eq!((problem(&answer), answer.writes.len()), ((422, "policy_invalid".into()), 0), "{request}");
    }
    assert!(world.stack.kms.trail().is_empty());
}

/// Attack: hide a keyring. Defence: nothing is made in its place; the enclave says that it is missing.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_hiding_of_a_keyring_is_told() {
    let mut world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let mut hiding = world.reboot(Store::new()).await;
    let answer = world.provision(&mut hiding, &world.second_bundle(&fingerprint)).await;
    let Response::Provisioned { phase, missing_keyrings } = answer else { panic!("{answer:?}") };
    assert_eq!((phase.as_str(), missing_keyrings), ("configured", vec![KEYRING.to_owned()]));
    let answer = api(&mut hiding, "GET", "/v1/wallets", "").await;
    assert_eq!(problem(&answer), (503, "keyring_missing".into()));
}

/// Attack: have a keyring made again, over the one that exists, or hide it and replay the admins' request.
/// Defence: a name that is taken is refused; what a replay makes has another fingerprint and opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_replay_of_a_keyring_request_opens_nothing() {
    let mut world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let request = world.stack.keyring_request(KEYRING);
    let again = api(&mut host, "POST", "/v1/keyrings", &request).await;
    assert_eq!((problem(&again), again.writes.len()), ((409, "keyring_exists".into()), 0));

    host.store.remove(OBJECT);
    let hidden = api(&mut host, "POST", "/v1/keyrings", &request).await;
    assert_eq!((problem(&hidden), hidden.writes.len()), ((409, "keyring_exists".into()), 0));

    // A boot whose bundle does not name it yet cannot know of it.
    let mut host = world.reboot(Store::new()).await;
    world.configure(&mut host).await;
    let another = api(&mut host, "POST", "/v1/keyrings", &request).await;
    assert_eq!(another.status, 201);
    assert_ne!(json_of(&another)["keyring"]["fingerprint"], json!(fingerprint));
    let store = Store::from([(OBJECT.to_owned(), another.writes[0].content.to_vec())]);
    let mut host = world.reboot(store).await;
    let answer = world.provision(&mut host, &world.second_bundle(&fingerprint)).await;
    assert_eq!(refusal(answer), RefusalCode::KeyringInvalid);
}
