//! A KMS whose answers are not KMS's, and servers that are not KMS.

use std::sync::Arc;

use signer_shared::message::RefusalCode;
use signer_tests::{
    kms::{Fault, KeySpec, KmsEmulator, KmsHandle, KmsOptions, PrincipalSpec},
    pki::{AttestationAuthority, TlsAuthority},
    stack::{Host, KEYRING, ROLE, Stack},
};

use crate::world::{World, api, commit, problem, refusal, status};

/// A KMS key that is not of the configuration.
const OTHER_KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000";

/// An enclave that has rebooted, with the keyring in the store and a bundle to open it with.
async fn about_to_open() -> (World, Host, String) {
    let mut world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let host = world.reboot(host.store).await;
    let bundle = world.second_bundle(&fingerprint);
    (world, host, bundle)
}

/// A KMS answer with one fault is refused, says why, and loses nothing: the next one opens the keyring.
async fn refused_until_cleared(fault: Fault, code: RefusalCode) {
    let (world, mut host, bundle) = about_to_open().await;
    world.stack.kms.inject("Decrypt", fault.clone());
    for _ in 0..2 {
        assert_eq!(refusal(world.provision(&mut host, &bundle).await), code, "{fault:?}");
        let status = status(&mut host).await;
        assert_eq!((status.phase.as_str(), status.problem.is_some()), ("configured", true), "{fault:?}");
    }
    let answer = api(&mut host, "GET", "/v1/wallets", "").await;
    assert_eq!(problem(&answer).0, 503);
    world.stack.kms.clear_faults();
    world.provision(&mut host, &bundle).await;
    let status = status(&mut host).await;
    assert_eq!((status.phase.as_str(), status.problem), ("ready", None));
}

/// Attack: an answer with the data key in the clear beside the envelope. Defence: a plaintext is refused.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_plaintext_beside_the_envelope() {
    refused_until_cleared(Fault::PlaintextBesideEnvelope, RefusalCode::KmsFailed).await;
}

/// Attack: a data key in the clear and no envelope. Defence: a plaintext is refused, never a fallback.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_plaintext_instead_of_the_envelope() {
    refused_until_cleared(Fault::PlaintextInsteadOfEnvelope, RefusalCode::KmsFailed).await;
}

/// Attack: an answer of another KMS key. Defence: `KeyId` must be the one asked for.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answer_of_another_kms_key() {
    refused_until_cleared(Fault::WrongKeyId(OTHER_KEY.into()), RefusalCode::KmsFailed).await;
}

/// Attack: an envelope that was made for another recipient. Defence: its key does not open it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_envelope_for_another_recipient() {
    refused_until_cleared(Fault::EnvelopeForAnotherKey, RefusalCode::KmsFailed).await;
}

/// Attack: an envelope that opens with our key and says that it is another recipient's. Defence: the key
/// identifier must be our key's.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_envelope_that_names_another_recipient() {
    refused_until_cleared(Fault::ForeignKeyIdentifier, RefusalCode::KmsFailed).await;
}

/// Attack: an envelope for us with a data key of the attacker's. Defence: the share does not open.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_data_key_in_a_right_envelope() {
    refused_until_cleared(Fault::WrongDataKey, RefusalCode::KeyringInvalid).await;
}

/// Attack: no envelope, a garbage one, or one with garbage inside. Defence: only KMS's own shape is read,
/// and every failure to decrypt is one error.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_envelopes_that_are_none() {
    let (world, mut host, bundle) = about_to_open().await;
    for fault in [Fault::OmitEnvelope, Fault::GarbageEnvelope, Fault::GarbageContent] {
        world.stack.kms.inject("Decrypt", fault.clone());
        let code = refusal(world.provision(&mut host, &bundle).await);
        assert_eq!(code, RefusalCode::KmsFailed, "{fault:?}");
        assert!(status(&mut host).await.problem.is_some());
        world.stack.kms.clear_faults();
    }
    world.provision(&mut host, &bundle).await;
    assert_eq!(status(&mut host).await.phase.as_str(), "ready");
}

/// Attack: any of these while a keyring is made, so that it is made under a key the attacker knows.
/// Defence: the same checks; no object comes out. (A wrong data key in a right envelope needs KMS itself.)
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_make_no_keyring() {
    let (world, mut host) = World::configured().await;
    let request = world.stack.keyring_request(KEYRING);
    for fault in [
        Fault::PlaintextBesideEnvelope,
        Fault::PlaintextInsteadOfEnvelope,
        Fault::OmitEnvelope,
        Fault::WrongKeyId(OTHER_KEY.into()),
        Fault::EnvelopeForAnotherKey,
        Fault::ForeignKeyIdentifier,
        Fault::GarbageEnvelope,
        Fault::GarbageContent,
    ] {
        world.stack.kms.inject("GenerateDataKey", fault.clone());
        let answer = api(&mut host, "POST", "/v1/keyrings", &request).await;
        assert_eq!(problem(&answer), (503, "kms_failed".into()), "{fault:?}");
        assert!(answer.writes.is_empty());
        world.stack.kms.clear_faults();
    }
    let answer = api(&mut host, "POST", "/v1/keyrings", &request).await;
    assert_eq!(answer.status, 201);
    commit(&mut host, &answer);
}

/// Attack: the same in front of the real host. Defence: `/v1/status` says what is wrong, nobody is told
/// that the appliance is ready, and it becomes so by itself when KMS is itself again.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_are_seen_in_the_hosts_status() {
    let mut stack = Stack::start_ready().await;
    stack.kms.inject("Decrypt", Fault::PlaintextInsteadOfEnvelope);
    stack.kill_enclave();
    stack.start_enclave();
    let seen = stack.wait_for("a problem", |status| !status["enclave"]["problem"].is_null()).await;
    assert_eq!(seen["enclave"]["phase"], "configured");
    assert_eq!(
        (seen["host"]["ready"].as_bool(), seen["problem"]["code"].as_str()),
        (Some(false), Some("kms_failed"))
    );
    assert_eq!(stack.get("/readyz").await.status, 503);
    stack.kms.clear_faults();
    stack.wait_for_phase("ready").await;
}

/// Another server that does all that KMS does, with the same key id and principals.
pub(crate) async fn impostor(stack: &Stack, tls: TlsAuthority, dns_names: Vec<String>) -> KmsHandle {
    let attestation = AttestationAuthority::load_or_create(&stack.path("")).expect("the authority");
    let mut options = KmsOptions::new(attestation.root_der().clone(), Arc::new(tls));
    let arn = &stack.configuration.configuration.kms.shares[0].keys[0].arn;
    let key_id = arn.rsplit('/').next().map(str::to_owned);
    options.keys = vec![KeySpec { key_id, ..KeySpec::default() }];
    options.principals = vec![PrincipalSpec::permanent("AKIAROLE", "role-secret", ROLE)];
    options.dns_names = dns_names;
    KmsEmulator::start(options).await.expect("an impostor")
}

async fn is_not_believed(impostor: KmsHandle, world: &World, host: &mut Host) {
    world.services.lead_to(impostor.address());
    let request = world.stack.keyring_request(KEYRING);
    let answer = api(host, "POST", "/v1/keyrings", &request).await;
    assert_eq!((problem(&answer), answer.writes.len()), ((503, "kms_failed".into()), 0));
    assert!(impostor.trail().is_empty(), "not one request, and no attestation document, reached it");
    world.services.lead_to(world.stack.kms.address());
    world.create_keyring(host).await;
}

/// Attack: lead the tunnel to a server with a certificate of another root. Defence: TLS ends inside,
/// against the roots of the measured image.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_server_with_another_root_is_not_kms() {
    let (world, mut host) = World::configured().await;
    let impostor = impostor(&world.stack, TlsAuthority::generate(), Vec::new()).await;
    is_not_believed(impostor, &world, &mut host).await;
}

/// Attack: lead the tunnel to a server with a certificate of the right root for another name. Defence:
/// the certificate must be for the endpoint of the configuration.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_server_with_another_name_is_not_kms() {
    let (world, mut host) = World::configured().await;
    let tls = TlsAuthority::load_or_create(&world.stack.path("")).expect("the same root");
    let names = vec!["kms.eu-west-1.amazonaws.com".to_owned(), "s3.us-east-1.amazonaws.com".to_owned()];
    let impostor = impostor(&world.stack, tls, names).await;
    is_not_believed(impostor, &world, &mut host).await;
}
