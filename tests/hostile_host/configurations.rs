//! A host chooses which configuration an enclave gets.

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use signer_rules::{
    authority::AdminKey,
    bundle,
    configuration::{self, PolicyCheck},
    dsse::Envelope,
    transition::{self, Transition},
};
use signer_shared::message::{RefusalCode, Response};
use signer_tests::stack::{ACCOUNT, KEYRING, PATIENT_AUDIT, in_seconds, seal, sign_configuration};

use crate::world::{World, api, problem, refusal, status};

/// A bundle of another authority, with a keyring of a given fingerprint.
fn foreign_bundle(world: &World, fingerprint: &str) -> String {
    let (admins, foreign, _) = world.foreign_authority();
    let mut bundle = world.stack.bundle(1, None, &[(KEYRING, fingerprint)], &json!([]));
    bundle["authority"] = json!(foreign.authority);
    let [first, second, _] = &admins;
    seal(bundle::PAYLOAD_TYPE, bundle.to_string().as_bytes(), &[first, second])
}

/// A keyring object that says that it belongs to another authority.
fn relabelled(object: &[u8], authority: impl serde::Serialize) -> Vec<u8> {
    let mut object: Value = serde_json::from_slice(object).expect("a keyring object");
    object["authority"] = json!(authority);
    object.to_string().into_bytes()
}

/// Attack: configure a genuine enclave as the attacker's own appliance over our KMS key, and feed it
/// our keyring. Defence: PCR16 holds the other configuration, and the key policy refuses it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_authority_is_refused_by_kms_for_its_pcr16() {
    let mut world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let mut host = world.reboot(host.store).await;
    let (_, foreign, envelope) = world.foreign_authority();
    let bundle = foreign_bundle(&world, &fingerprint);

    let as_it_is = host.provision(&envelope, &bundle).await.expect("an answer");
    assert_eq!(refusal(as_it_is), RefusalCode::KeyringInvalid);
    assert_eq!(world.kms_errors(), Vec::<String>::new(), "KMS is not asked for another authority's keyring");

    let object = host.store.get_mut("keyring/default").expect("the keyring");
    *object = relabelled(object, foreign.authority);
    let relabelled = host.provision(&envelope, &bundle).await.expect("an answer");
    assert_eq!(refusal(relabelled), RefusalCode::KmsFailed);
    assert_eq!(world.kms_errors(), ["AccessDenied"]);
    assert_eq!(status(&mut host).await.phase.as_str(), "configured");
}

/// Attack: the same, where the key policy does not pin PCR16. Defence: the encryption context names the
/// authority, so the ciphertext does not open.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_authority_is_refused_for_its_encryption_context() {
    let mut world = World::with_careless_key_policy().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let mut host = world.reboot(host.store).await;
    let (_, foreign, envelope) = world.foreign_authority();
    let object = host.store.get_mut("keyring/default").expect("the keyring");
    *object = relabelled(object, foreign.authority);
    let answer = host.provision(&envelope, &foreign_bundle(&world, &fingerprint)).await.expect("an answer");
    assert_eq!(refusal(answer), RefusalCode::KmsFailed);
    assert_eq!(world.kms_errors(), ["InvalidCiphertextException"]);
    assert_eq!(status(&mut host).await.phase.as_str(), "configured");
}

/// Attack: another configuration after the first, from a configured and from a ready enclave. Defence:
/// PCR16 is locked and the configuration fixed; the same one is taken again.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_second_configuration_is_refused() {
    let (world, mut host) = World::configured().await;
    let (_, _, foreign) = world.foreign_authority();
    let (_, ours_of_another_appliance) =
        sign_configuration(&world.stack.admins, &world.kms_keys(), 8, PATIENT_AUDIT, PolicyCheck::Enforce);
    for _ in 0..2 {
        for other in [&foreign, &ours_of_another_appliance] {
            let answer = host.provision(other, &world.first_bundle()).await.expect("an answer");
            assert_eq!(refusal(answer), RefusalCode::ConfigurationFixed);
        }
        if status(&mut host).await.phase.as_str() == "configured" {
            let again = world.provision(&mut host, &world.first_bundle()).await;
            assert!(matches!(again, Response::Provisioned { .. }), "{again:?}");
            let fingerprint = world.create_keyring(&mut host).await;
            world.provision(&mut host, &world.second_bundle(&fingerprint)).await;
        }
    }
    let authority = status(&mut host).await.authority;
    assert_eq!(authority, Some(world.stack.configuration.authority.to_string()));
}

/// Attack: configurations that one admin of two signed, or signed twice, or nobody signed. Defence: the
/// quorum is of distinct keys. None of them uses up PCR16.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_configuration_below_quorum_is_refused() {
    let world = World::booting().await;
    let mut host = world.host().await;
    let payload = payload_of(&world.stack.configuration_envelope);
    let [first, _, _] = &world.stack.admins;
    let once = seal(configuration::PAYLOAD_TYPE, &payload, &[first]);
    let nobody = seal(configuration::PAYLOAD_TYPE, &payload, &[]);
    for envelope in [&once, &signed_twice_by_one(&once), &nobody] {
        let answer = host.provision(envelope, &world.first_bundle()).await.expect("an answer");
        assert_eq!(refusal(answer), RefusalCode::ConfigurationInvalid);
        assert_eq!(status(&mut host).await.phase.as_str(), "booting");
    }
    world.configure(&mut host).await;
}

/// Attack: a signed configuration with one thing changed: a KMS key, the threshold, one byte, its kind.
/// Defence: signatures cover the bytes and the kind of statement.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_change_of_a_signed_configuration_is_refused() {
    let world = World::booting().await;
    let mut host = world.host().await;
    let envelope = &world.stack.configuration_envelope;
    let payload = String::from_utf8(payload_of(envelope)).expect("JSON");
    let changes = [
        payload.replacen("\"threshold\":2", "\"threshold\":1", 1),
        payload.replacen("key/", "key/0", 1),
        payload.replacen("\"epoch\":0", "\"epoch\":1", 1),
        format!("{payload} "),
    ];
    for changed in &changes {
        assert_ne!(*changed, payload);
        let answer = host.provision(&with_payload(envelope, changed.as_bytes()), &world.first_bundle()).await;
        assert_eq!(refusal(answer.expect("an answer")), RefusalCode::ConfigurationInvalid, "{changed}");
    }
    // What the admins signed as something else is no configuration.
    let other_kind = world.stack.sign(bundle::PAYLOAD_TYPE, payload.as_bytes());
    let answer = host.provision(&other_kind, &world.first_bundle()).await.expect("an answer");
    assert_eq!(refusal(answer), RefusalCode::ConfigurationInvalid);
    assert_eq!(status(&mut host).await.phase.as_str(), "booting");
    world.configure(&mut host).await;
}

/// The configuration after a change to one new admin, with the signatures that are given.
fn after_a_change(world: &World, changed_by: &[&SigningKey], signed_by: &[&SigningKey]) -> String {
    let mut configuration = world.stack.configuration.configuration.clone();
    let authority = world.stack.configuration.authority;
    let transition = Transition {
        format: transition::FORMAT.into(),
        authority,
        number: 1,
        previous: authority,
        admins: vec![AdminKey::from(new_admin().verifying_key())],
        threshold: 1,
    };
    let transition =
        seal(transition::PAYLOAD_TYPE, &serde_json::to_vec(&transition).expect("JSON"), changed_by);
    configuration.epoch += 1;
    configuration.transitions.push(Envelope::from_json(transition.as_bytes()).expect("an envelope"));
    seal(configuration::PAYLOAD_TYPE, &serde_json::to_vec(&configuration).expect("JSON"), signed_by)
}

fn new_admin() -> SigningKey {
    SigningKey::from_bytes(&[21; 32])
}

/// Attack: a change of admins that the quorum before or the admin after did not sign, and a good one whose
/// configuration the former admins signed. Defence: both sides sign a change, and only those after it the
/// configuration and its bundles.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_change_of_admins_is_refused() {
    let world = World::booting().await;
    let mut host = world.host().await;
    let (new, [first, second, third]) = (new_admin(), &world.stack.admins);
    let refused: [(&[&SigningKey], &[&SigningKey]); 4] = [
        (&[first, &new], &[&new]),
        (&[&new], &[&new]),
        (&[first, second], &[&new]),
        (&[first, second, &new], &[first, second, third]),
    ];
    for (changed_by, signed_by) in refused {
        let envelope = after_a_change(&world, changed_by, signed_by);
        let answer = host.provision(&envelope, &world.first_bundle()).await.expect("an answer");
        assert_eq!(refusal(answer), RefusalCode::ConfigurationInvalid);
        assert_eq!(status(&mut host).await.phase.as_str(), "booting");
    }
    let good = after_a_change(&world, &[first, second, &new], &[&new]);
    let former = host.provision(&good, &world.first_bundle()).await.expect("an answer");
    assert_eq!(refusal(former), RefusalCode::PolicyInvalid);
    let bundle = world.stack.bundle(1, None, &[], &json!([])).to_string();
    let bundle = seal(bundle::PAYLOAD_TYPE, bundle.as_bytes(), &[&new]);
    let answer = host.provision(&good, &bundle).await.expect("an answer");
    assert!(matches!(answer, Response::Provisioned { .. }), "{answer:?}");
    let authority = status(&mut host).await.authority;
    assert_eq!(authority, Some(world.stack.configuration.authority.to_string()));
}

/// Attack: the configuration from before a change of admins, with the keyring. Defence: the key policy names
/// the PCR16 of the one after it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_configuration_of_former_admins_gets_no_key() {
    let mut world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let (new, [first, second, _]) = (new_admin(), &world.stack.admins);
    let changed = after_a_change(&world, &[first, second, &new], &[&new]);
    std::fs::write(world.stack.path("configuration.dsse.json"), &changed).expect("written");
    let arn = world.kms_keys().remove(0).remove(0);
    world.stack.kms.set_key_policy(&arn, &world.stack.pinned_policy(ACCOUNT)).expect("a policy");

    let mut host = world.reboot(host.store).await;
    let answer = world.provision(&mut host, &world.second_bundle(&fingerprint)).await;
    refusal(answer);
    assert_eq!(status(&mut host).await.phase.as_str(), "configured");

    let mut host = world.reboot(host.store).await;
    let bundle = world.stack.bundle(2, None, &[(KEYRING, &fingerprint)], &json!([])).to_string();
    let bundle = seal(bundle::PAYLOAD_TYPE, bundle.as_bytes(), &[&new]);
    let answer = host.provision(&changed, &bundle).await.expect("an answer");
    assert!(matches!(answer, Response::Provisioned { .. }), "{answer:?}");
    assert_eq!(status(&mut host).await.phase.as_str(), "ready");
}

/// Attack: use up PCR16 with a right configuration and a bundle that is none. Defence: the bundle is
/// judged first, and the enclave stays as it was.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_bundle_does_not_use_up_the_configuration_register() {
    let world = World::booting().await;
    let mut host = world.host().await;
    let foreign = foreign_bundle(&world, &"00".repeat(32));
    let mut early = world.stack.bundle(1, None, &[], &json!([]));
    early["not_before"] = json!(in_seconds(600));
    for bundle in [foreign.as_str(), &world.stack.sign_bundle(&early), "{}", ""] {
        let answer = world.provision(&mut host, bundle).await;
        assert_eq!(refusal(answer), RefusalCode::PolicyInvalid);
        assert_eq!(status(&mut host).await.phase.as_str(), "booting");
    }
    let answer = api(&mut host, "GET", "/v1/wallets", "").await;
    assert_eq!(problem(&answer), (503, "not_ready".into()));
    world.configure(&mut host).await;
}

/// The signed bytes of an envelope.
pub(crate) fn payload_of(envelope: &str) -> Vec<u8> {
    let envelope = Envelope::from_json(envelope.as_bytes()).expect("an envelope");
    envelope.unverified_payload().expect("base64")
}

/// An envelope with other bytes under the same signatures.
pub(crate) fn with_payload(envelope: &str, payload: &[u8]) -> String {
    let mut envelope: Value = serde_json::from_str(envelope).expect("JSON");
    envelope["payload"] = json!(STANDARD.encode(payload));
    envelope.to_string()
}

/// An envelope that lists its one signature twice.
pub(crate) fn signed_twice_by_one(envelope: &str) -> String {
    let mut envelope: Value = serde_json::from_str(envelope).expect("JSON");
    let signatures = envelope["signatures"].as_array_mut().expect("a list");
    signatures.push(signatures[0].clone());
    envelope.to_string()
}
