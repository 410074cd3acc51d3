//! A host chooses which policy bundle an enclave gets, and when.

use serde_json::{Value, json};
use signer_rules::{bundle, configuration};
use signer_shared::message::{RefusalCode, Response};
use signer_tests::stack::{Host, KEYRING, allow_everything, in_seconds, seal};

use crate::{
    configurations::{payload_of, signed_twice_by_one, with_payload},
    world::{World, api, create_wallet, problem, refusal, sign, status},
};

/// Offers a bundle both ways: by provisioning, and as a push. Returns what became of it.
async fn offer(world: &World, host: &mut Host, envelope: &str) -> (RefusalCode, (u16, String)) {
    let before = status(host).await;
    let provisioned = refusal(world.provision(host, envelope).await);
    let pushed = problem(&api(host, "POST", "/v1/policy", envelope).await);
    let after = status(host).await;
    assert_eq!((before.policy_digest, before.phase), (after.policy_digest, after.phase));
    (provisioned, pushed)
}

/// A ready enclave at version 2, its host, and the keyring's fingerprint.
async fn at_version_two() -> (World, Host, String) {
    let world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    (world, host, fingerprint)
}

/// A bundle that would follow the one in force.
async fn successor(world: &World, host: &mut Host, fingerprint: &str) -> Value {
    let digest = status(host).await.policy_digest.expect("configured");
    world.stack.bundle(3, Some(&digest), &[(KEYRING, fingerprint)], &allow_everything())
}

fn invalid() -> (RefusalCode, (u16, String)) {
    (RefusalCode::PolicyInvalid, (422, "policy_invalid".into()))
}

fn conflict() -> (RefusalCode, (u16, String)) {
    (RefusalCode::PolicyRollback, (409, "policy_conflict".into()))
}

/// Attack: a bundle that another quorum signed, for itself or in our name, and one of our admins for
/// another appliance. Defence: our quorum's signatures, and the authority inside the bundle.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_bundle_of_another_authority_is_refused() {
    let (world, mut host, fingerprint) = at_version_two().await;
    let ours = successor(&world, &mut host, &fingerprint).await;
    let (admins, foreign, _) = world.foreign_authority();
    let mut theirs = ours.clone();
    theirs["authority"] = json!(foreign.authority);
    let [first, second, _] = &admins;
    let sign_foreign =
        |bundle: &Value| seal(bundle::PAYLOAD_TYPE, bundle.to_string().as_bytes(), &[first, second]);
    for envelope in [sign_foreign(&theirs), sign_foreign(&ours), world.stack.sign_bundle(&theirs)] {
        assert_eq!(offer(&world, &mut host, &envelope).await, invalid());
    }
    let answer = world.provision(&mut host, &world.stack.sign_bundle(&ours)).await;
    assert!(matches!(answer, Response::Provisioned { .. }), "{answer:?}");
}

/// Attack: a bundle with one signature of two, that one twice, or one with a stranger's. Defence:
/// signatures are counted by distinct admin key.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_bundle_below_quorum_is_refused() {
    let (world, mut host, fingerprint) = at_version_two().await;
    let bundle = successor(&world, &mut host, &fingerprint).await.to_string();
    let ([stranger, _, _], _, _) = world.foreign_authority();
    let [first, _, _] = &world.stack.admins;
    let once = seal(bundle::PAYLOAD_TYPE, bundle.as_bytes(), &[first]);
    let with_a_stranger = seal(bundle::PAYLOAD_TYPE, bundle.as_bytes(), &[first, &stranger]);
    for envelope in [&once, &signed_twice_by_one(&once), &with_a_stranger] {
        assert_eq!(offer(&world, &mut host, envelope).await, invalid());
    }
}

/// Attack: a signed bundle with a rule added, or signed as another kind of statement. Defence:
/// signatures cover the bytes and the kind.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_change_of_a_signed_bundle_is_refused() {
    let (world, mut host, fingerprint) = at_version_two().await;
    let bundle = successor(&world, &mut host, &fingerprint).await;
    let envelope = world.stack.sign_bundle(&bundle);
    let mut changed = bundle.clone();
    changed["rules"][0]["effect"] = json!("deny");
    let other_kind = world.stack.sign(configuration::PAYLOAD_TYPE, &payload_of(&envelope));
    for envelope in [with_payload(&envelope, changed.to_string().as_bytes()), other_kind] {
        assert_eq!(offer(&world, &mut host, &envelope).await, invalid());
    }
}

/// Attack: an older bundle with looser rules. Defence: versions only rise while an enclave runs.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_rollback_is_refused() {
    let (world, mut host, _) = at_version_two().await;
    assert_eq!(offer(&world, &mut host, &world.first_bundle()).await, conflict());
    let another_first = world.stack.bundle(1, None, &[], &allow_everything());
    assert_eq!(offer(&world, &mut host, &world.stack.sign_bundle(&another_first)).await, conflict());
}

/// Attack: two bundles of one version, or a next version that was not made from the one in force.
/// Defence: a rival is refused, and the next version must name the digest of its previous.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_rival_is_refused() {
    let (world, mut host, fingerprint) = at_version_two().await;
    let mut rival = world.stack.bundle(2, None, &[(KEYRING, &fingerprint)], &json!([]));
    rival["clients"] = json!([]);
    assert_eq!(offer(&world, &mut host, &world.stack.sign_bundle(&rival)).await, conflict());
    let mut beside = successor(&world, &mut host, &fingerprint).await;
    beside["previous"] = json!("ab".repeat(32));
    assert_eq!(offer(&world, &mut host, &world.stack.sign_bundle(&beside)).await, conflict());
}

/// Attack: give a keyring's name to another key, so that its wallets become others. Defence: while an
/// enclave runs, a name stays with its fingerprint, whoever signs.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_exchange_of_a_keyring_is_refused() {
    let (world, mut host, fingerprint) = at_version_two().await;
    let mut other = successor(&world, &mut host, &fingerprint).await;
    other["keyrings"][0]["fingerprint"] = json!("66".repeat(32));
    assert_eq!(offer(&world, &mut host, &world.stack.sign_bundle(&other)).await, conflict());
    // Nor by way of a bundle without it.
    let mut without = successor(&world, &mut host, &fingerprint).await;
    without["keyrings"] = json!([]);
    world.provision(&mut host, &world.stack.sign_bundle(&without)).await;
    other["version"] = json!(4);
    other["previous"] = json!(status(&mut host).await.policy_digest);
    assert_eq!(offer(&world, &mut host, &world.stack.sign_bundle(&other)).await, conflict());
}

/// Attack: a pushed bundle is judged and then lost in the store. Defence: a push puts nothing in force;
/// the bundle that is stored does, when it is provisioned.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_loss_of_a_pushed_bundle() {
    let (world, mut host, fingerprint) = at_version_two().await;
    let bundle = successor(&world, &mut host, &fingerprint).await;
    let pushed = api(&mut host, "POST", "/v1/policy", &world.stack.sign_bundle(&bundle)).await;
    assert_eq!((pushed.status, pushed.writes.len()), (202, 1));
    assert_eq!(status(&mut host).await.policy_version, Some(2));
    let mut other = bundle.clone();
    other["rules"] = json!([]);
    world.provision(&mut host, &world.stack.sign_bundle(&other)).await;
    assert_eq!(status(&mut host).await.policy_version, Some(3));
    assert_eq!(offer(&world, &mut host, &world.stack.sign_bundle(&bundle)).await, conflict());
}

/// Attack: a bundle that has expired, is not yet in force, or is for longer than the configuration
/// allows. Defence: the enclave's own clock, and the longest lifetime.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_bundle_out_of_its_time_is_refused() {
    let (world, mut host, fingerprint) = at_version_two().await;
    let bundle = successor(&world, &mut host, &fingerprint).await;
    for (not_before, expires) in [(-60, -1), (600, 900), (-60, 91 * 86_400)] {
        let mut bundle = bundle.clone();
        bundle["not_before"] = json!(in_seconds(not_before));
        bundle["expires"] = json!(in_seconds(expires));
        assert_eq!(offer(&world, &mut host, &world.stack.sign_bundle(&bundle)).await, invalid());
    }
}

/// Attack: keep the newest bundle from an enclave until the one in force has expired. Defence: expiry is
/// checked on every decision.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_withholding_ends_with_the_bundle() {
    let (world, mut host, fingerprint) = at_version_two().await;
    create_wallet(&mut host, "treasury").await;
    let mut short = successor(&world, &mut host, &fingerprint).await;
    short["expires"] = json!(in_seconds(2));
    world.provision(&mut host, &world.stack.sign_bundle(&short)).await;
    assert_eq!(sign(&mut host, "treasury").await.status, 200);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(problem(&sign(&mut host, "treasury").await), (403, "policy_denied".into()));
    let wallet = api(&mut host, "GET", "/v1/wallets/treasury", "").await;
    assert_eq!(problem(&wallet), (403, "policy_denied".into()));
}

/// Attack: restart an enclave and give it a bundle that has expired. Defence: it decides nothing by it;
/// and it takes the admins' next bundle, so that nobody is locked out.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_restart_with_an_expired_bundle() {
    let (mut world, mut host, fingerprint) = at_version_two().await;
    create_wallet(&mut host, "treasury").await;
    let store = std::mem::take(&mut host.store);
    world.stack.kill_enclave();
    world.stack.start_enclave();
    let mut host = world.host().await;
    host.store = store;
    let mut expired = world.stack.bundle(2, None, &[(KEYRING, &fingerprint)], &allow_everything());
    expired["expires"] = json!(in_seconds(-1));
    let answer = world.provision(&mut host, &world.stack.sign_bundle(&expired)).await;
    assert!(matches!(answer, Response::Provisioned { .. }), "{answer:?}");
    assert_eq!(problem(&sign(&mut host, "treasury").await), (403, "policy_denied".into()));
    let next = successor(&world, &mut host, &fingerprint).await;
    world.provision(&mut host, &world.stack.sign_bundle(&next)).await;
    assert_eq!(sign(&mut host, "treasury").await.status, 200);
}

/// Attack: lie about the stored bundles, to make an enclave refuse or adopt one. Defence: what is
/// stored is judged like what is pushed, and a stored rival stops the push.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_store_of_bundles_changes_nothing() {
    let (world, mut host, fingerprint) = at_version_two().await;
    let bundle = successor(&world, &mut host, &fingerprint).await;
    let envelope = world.stack.sign_bundle(&bundle);
    let mut rival = bundle.clone();
    rival["rules"] = json!([]);
    let name = "policy/00000000000000000003";
    for stored in [world.stack.sign_bundle(&rival), "{}".into(), with_payload(&envelope, b"{}")] {
        host.store.insert(name.into(), stored.into_bytes());
        let answer = api(&mut host, "POST", "/v1/policy", &envelope).await;
        assert_eq!(problem(&answer), (409, "policy_conflict".into()));
        assert_eq!(status(&mut host).await.policy_version, Some(2));
    }
    host.store.insert(name.into(), envelope.clone().into_bytes());
    let answer = api(&mut host, "POST", "/v1/policy", &envelope).await;
    assert_eq!((answer.status, answer.writes.len()), (202, 0));
}
