//! A host carries attestation documents and their statements.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use signer_eif::verify::{Document, Root, verify};
use signer_rules::statement::Statement;
use signer_shared::message::{RefusalCode, Request, Response};
use signer_tests::{
    measurements::Measurements,
    nsm::Pcr,
    stack::{Host, KEYRING, Stack, binary},
};

use crate::world::{World, api, create_wallet, json_of, refusal, status};

const HOUR_MS: u64 = 3_600_000;

/// Asks for a document.
async fn attest(host: &mut Host, nonce: Option<&[u8]>) -> (Vec<u8>, Vec<u8>) {
    let request = Request::Attest { nonce: nonce.map(|nonce| nonce.to_vec().into()) };
    match host.ask(request).await.expect("an answer") {
        Response::Attestation { document, statement, .. } => (document.into_vec(), statement.into_vec()),
        other => panic!("no document: {other:?}"),
    }
}

fn genuine(stack: &Stack, document: &[u8]) -> Document {
    let root = std::fs::read_to_string(stack.path("attestation-root.pem")).expect("the root");
    verify(document, &Root::from_pem(&root).expect("a root")).expect("a genuine document")
}

fn measured() -> Measurements {
    Measurements::of_image(&std::fs::read(binary("emulated-enclave")).expect("it was built"))
}

fn bytes(pcr: &Pcr) -> [u8; 48] {
    hex::decode(pcr.to_hex()).expect("hexadecimal").try_into().expect("48 bytes")
}

/// Attack: an old document for a new nonce, another statement for a document, another boot's for this
/// one. Defence: the document carries nonce, statement digest, image and configuration.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_statement_does_not_fit_the_document() {
    let (world, mut host) = World::ready().await;
    let (first, _) = attest(&mut host, Some(&[1; 32])).await;
    let (document, statement) = attest(&mut host, Some(&[2; 32])).await;
    let replayed = genuine(&world.stack, &first);
    assert!(replayed.check_nonce(&[1; 32]).is_ok() && replayed.check_nonce(&[2; 32]).is_err());

    let document = genuine(&world.stack, &document);
    document.check_nonce(&[2; 32]).expect("our nonce");
    document.check_not_debug().expect("not in debug mode");
    document.check_age(crate::services::now_ms(), HOUR_MS).expect("just made");
    document.check_pcr(0, &bytes(&measured().pcr0)).expect("the image");
    document.check_pcr(2, &bytes(&measured().pcr2)).expect("the application");
    document.check_pcr(16, &world.stack.configuration.pcr16()).expect("the configuration, locked");
    document.check_statement(&statement).expect("the statement");

    let content: Statement = serde_json::from_slice(&statement).expect("a statement");
    let now = status(&mut host).await;
    assert_eq!(content.authority, world.stack.configuration.authority);
    assert_eq!(content.configuration_digest, world.stack.configuration.digest);
    assert_eq!(Some(content.policy_digest.to_string()), now.policy_digest);
    assert_eq!(content.keyrings.len(), 1);
    assert_eq!(content.boot_id.to_string(), now.boot_id);
    assert!(content.created_keyring.is_none());

    let mut forged: Value = serde_json::from_slice(&statement).expect("JSON");
    forged["keyrings"][0]["fingerprint"] = json!("00".repeat(32));
    assert!(document.check_statement(forged.to_string().as_bytes()).is_err());
    assert!(document.check_statement(&[&statement[..], b" "].concat()).is_err());
}

/// Attack: get a document that vouches for an enclave that has no keys yet, to show it later. Defence:
/// there is none before the enclave is ready.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_attestation_before_the_enclave_is_ready() {
    let world = World::booting().await;
    let mut host = world.host().await;
    for nonce in [None, Some(vec![1; 32].into())] {
        let answer = host.ask(Request::Attest { nonce }).await.expect("an answer");
        assert_eq!(refusal(answer), RefusalCode::WrongPhase);
    }
    world.configure(&mut host).await;
    let answer = host.ask(Request::Attest { nonce: Some(vec![1; 32].into()) }).await.expect("an answer");
    assert_eq!(refusal(answer), RefusalCode::WrongPhase);
}

/// Attack: nonces of any length, to have the enclave sign what the host likes. Defence: 16 to 64 bytes.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_nonces_are_bounded() {
    let (_world, mut host) = World::ready().await;
    for length in [0, 15, 65, 512, 100_000] {
        let nonce = Some(vec![1; length].into());
        let answer = host.ask(Request::Attest { nonce }).await.expect("an answer");
        assert_eq!(refusal(answer), RefusalCode::Malformed, "{length}");
    }
    attest(&mut host, Some(&[1; 16])).await;
    attest(&mut host, Some(&[1; 64])).await;
}

/// Attack: name another fingerprint in the answer to the admins' request, so that they sign the host's.
/// Defence: the attested statement names the one that was made, with the request's nonce.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_fingerprint_in_a_creations_answer() {
    let (world, mut host) = World::configured().await;
    let request = world.stack.keyring_request(KEYRING);
    let answer = json_of(&api(&mut host, "POST", "/v1/keyrings", &request).await);
    let bytes = |name: &str| STANDARD.decode(answer[name].as_str().expect("base64")).expect("base64");
    let document = genuine(&world.stack, &bytes("document"));
    document.check_nonce(&[3; 32]).expect("the nonce of the admins' request");
    document.check_pcr(16, &world.stack.configuration.pcr16()).expect("the configuration");
    document.check_statement(&bytes("statement")).expect("the statement");
    let statement: Value = serde_json::from_slice(&bytes("statement")).expect("JSON");
    assert_eq!(statement["created_keyring"], answer["keyring"]);
    assert_eq!(statement["keyrings"], json!([]), "made is not opened");
    let mut forged = statement.clone();
    forged["created_keyring"]["fingerprint"] = json!("66".repeat(32));
    assert!(document.check_statement(forged.to_string().as_bytes()).is_err());
}

/// Attack: pass off another boot's document as this one's. Defence: each boot has an identity of its own,
/// named in the statement.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_boots_are_told_apart() {
    let mut world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    create_wallet(&mut host, "treasury").await;
    let (_, before) = attest(&mut host, None).await;
    let mut host = world.reboot(host.store).await;
    world.provision(&mut host, &world.second_bundle(&fingerprint)).await;
    let (_, after) = attest(&mut host, None).await;
    let statement = |bytes: &[u8]| serde_json::from_slice::<Statement>(bytes).expect("a statement");
    let (before, after) = (statement(&before), statement(&after));
    assert!(before.boot_id != after.boot_id && before.identity_key != after.identity_key);
    assert_eq!(before.keyrings, after.keyrings);
}
