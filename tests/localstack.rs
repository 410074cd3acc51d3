//! LocalStack's KMS as a second opinion on what the enclave asks of KMS and believes of its answers, because our own
//! emulator could share a misunderstanding with the enclave. `scripts/test-localstack` starts it and runs these.
//!
//! LocalStack verifies no attestation document and no signature: who gets a key is not tested here.

// Shared with the tests of a hostile host, which use all of it.
#[allow(dead_code, reason = "used elsewhere")]
#[path = "hostile_host/kms_client.rs"]
mod kms_client;
#[allow(dead_code, reason = "used elsewhere")]
#[path = "hostile_host/services.rs"]
mod services;
#[allow(dead_code, reason = "used elsewhere")]
#[path = "hostile_host/world.rs"]
mod world;

#[path = "localstack/second_opinion.rs"]
mod second_opinion;

use signer_enclave::kms::{EnvelopeError, KmsError, Purpose};
use signer_rules::name::Name;
use signer_tests::{
    localstack::{Answer, Change},
    stack::KEYRING,
};

use crate::{
    second_opinion::SecondOpinion,
    world::{api, create_wallet, problem, sign, status},
};

fn keyring() -> Name {
    KEYRING.parse().expect("a name")
}

fn answered(operation: &str, plaintext: bool, envelope: bool) -> Vec<Answer> {
    vec![Answer { operation: operation.to_owned(), status: 200, plaintext, envelope }]
}

/// The enclave opens its keyring with what LocalStack decrypts to it, and gets the key that the admins signed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "SKIPPED, needs LocalStack: run scripts/test-localstack"]
async fn a_keyring_opens_through_decrypt_of_localstack() {
    let mut opinion = SecondOpinion::on_a_keyring().await;
    let emulator_calls = opinion.world.stack.kms.trail().len();
    opinion.forwarder.set(Change::EnvelopeForm);
    opinion.provision().await;
    let status = status(&mut opinion.host).await;
    assert_eq!((status.phase.as_str(), status.problem), ("ready", None));
    assert_eq!(opinion.forwarder.take_answers(), answered("Decrypt", false, true));
    assert_eq!(opinion.world.stack.kms.trail().len(), emulator_calls, "the emulator had no part in it");
    create_wallet(&mut opinion.host, "treasury").await;
    assert_eq!(sign(&mut opinion.host, "treasury").await.status, 200);
}

/// The enclave's client gets exactly the bytes that LocalStack wrapped, and only for the purpose they were wrapped for.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "SKIPPED, needs LocalStack: run scripts/test-localstack"]
async fn a_data_key_opens_for_its_own_purpose_only() {
    let opinion = SecondOpinion::on_a_keyring().await;
    opinion.forwarder.set(Change::EnvelopeForm);
    let (kms, authority) = (opinion.client(), opinion.world.stack.configuration.authority);
    let data_key: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).expect("below 32"));
    let ciphertext = opinion.wrap(&data_key).await;
    let decrypt = async |keyring: &Name| {
        let recipient = kms.recipient().await.expect("a recipient");
        let purpose = Purpose { authority, keyring };
        kms.decrypt(&recipient, &opinion.key, purpose, (ciphertext.clone(), 1), &mut Vec::new()).await
    };
    assert_eq!(decrypt(&keyring()).await.expect("the data key").expose(), &data_key);
    let other = "other".parse().expect("a name");
    match decrypt(&other).await.err().expect("the encryption context is another") {
        KmsError::Refused { code, .. } => assert_eq!(code, "InvalidCiphertextException"),
        error => panic!("not refused by LocalStack: {error}"),
    }
}

/// LocalStack's envelope, which holds the right key and is not of KMS's form, does not open anything.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "SKIPPED, needs LocalStack: run scripts/test-localstack"]
async fn the_envelope_of_localstack_is_refused_as_it_is() {
    let mut opinion = SecondOpinion::on_a_keyring().await;
    let expected = EnvelopeError::Malformed.to_string();
    opinion.is_refused_with(&expected).await;
    assert_eq!(opinion.forwarder.take_answers(), answered("Decrypt", false, true));
    opinion.opens_with_the_form_of_kms().await;
}

/// LocalStack cannot read the document, and answers with the data key in the clear.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "SKIPPED, needs LocalStack: run scripts/test-localstack"]
async fn a_plaintext_for_an_unreadable_document_is_refused() {
    plaintext_of_decrypt_is_refused(Change::CutDocument).await;
}

/// LocalStack sees no recipient, and answers with the data key in the clear.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "SKIPPED, needs LocalStack: run scripts/test-localstack"]
async fn a_plaintext_for_no_recipient_is_refused() {
    plaintext_of_decrypt_is_refused(Change::NoRecipient).await;
}

async fn plaintext_of_decrypt_is_refused(change: Change) {
    let mut opinion = SecondOpinion::on_a_keyring().await;
    opinion.forwarder.set(change);
    let expected = KmsError::PlaintextPresent("Decrypt").to_string();
    opinion.is_refused_with(&expected).await;
    assert_eq!(opinion.forwarder.take_answers(), answered("Decrypt", true, false));
    opinion.opens_with_the_form_of_kms().await;
}

/// LocalStack ignores the recipient of `GenerateDataKey`: no keyring is made from what it answers.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "SKIPPED, needs LocalStack: run scripts/test-localstack"]
async fn a_plaintext_of_generate_data_key_is_refused() {
    let mut opinion = SecondOpinion::on_a_keyring().await;
    let kms = opinion.client();
    let recipient = kms.recipient().await.expect("a recipient");
    let keyring = keyring();
    let purpose = Purpose { authority: opinion.world.stack.configuration.authority, keyring: &keyring };
    let error = kms.generate_data_key(&recipient, &opinion.key, purpose).await.err();
    let error = error.expect("a plaintext is no answer");
    assert!(matches!(error, KmsError::PlaintextPresent("GenerateDataKey")), "{error}");
    assert_eq!(opinion.forwarder.take_answers(), answered("GenerateDataKey", true, false));

    let (world, host) = (&opinion.world, &mut opinion.host);
    world.configure(host).await;
    host.store.clear();
    let answer = api(host, "POST", "/v1/keyrings", &world.stack.keyring_request(KEYRING)).await;
    assert_eq!((problem(&answer), answer.writes.len()), ((503, "kms_failed".into()), 0));
    assert_eq!(opinion.forwarder.take_answers(), answered("GenerateDataKey", true, false));
}
