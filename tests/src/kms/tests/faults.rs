//! Each fault does what it says.

use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn each_fault_spoils_the_answer_in_its_way() {
    let world = World::usual().await;
    let (enclave, parent) = (world.enclave(image()), world.parent());
    let made = data_key(&parent, Some(enclave.recipient())).await.expect("attested");
    let secret = enclave.open(made.ciphertext_for_recipient.as_ref());
    // Fault, then whether there is a plaintext, an envelope, and whether that opens to the data key, to another, or not.
    let table = [
        (Fault::PlaintextBesideEnvelope, (true, true, Some(true))),
        (Fault::PlaintextInsteadOfEnvelope, (true, false, None)),
        (Fault::OmitEnvelope, (false, false, None)),
        (Fault::EnvelopeForAnotherKey, (false, true, None)),
        (Fault::GarbageEnvelope, (false, true, None)),
        (Fault::WrongDataKey, (false, true, Some(false))),
    ];
    for (fault, expected) in table {
        world.kms.inject_times("Decrypt", fault.clone(), 1);
        let blob = made.ciphertext_blob.clone();
        let (plaintext, envelope) =
            decrypt(&parent, blob, Some(enclave.recipient())).await.expect("answered");
        let opened = enclave.open(envelope.as_ref()).map(|opened| Some(opened) == secret);
        assert_eq!((plaintext.is_some(), envelope.is_some(), opened), expected, "{fault:?}");
    }
    let (plaintext, envelope) =
        decrypt(&parent, made.ciphertext_blob, Some(enclave.recipient())).await.expect("healthy again");
    assert_eq!((plaintext, enclave.open(envelope.as_ref())), (None, secret));
}

#[tokio::test]
async fn garbage_content_does_not_give_the_data_key() {
    let world = World::usual().await;
    let (enclave, parent) = (world.enclave(image()), world.parent());
    world.kms.inject("GenerateDataKey", Fault::GarbageContent);
    for _ in 0..4 {
        let made = data_key(&parent, Some(enclave.recipient())).await.expect("answered");
        // One block in 256 has valid padding by chance, and then the length is wrong.
        let opened = enclave.open(made.ciphertext_for_recipient.as_ref());
        assert!(opened.is_none_or(|opened| opened.len() != 32));
    }
}

#[tokio::test]
async fn failures_and_delays_come_before_the_operation() {
    let world = World::usual().await;
    let (enclave, parent) = (world.enclave(image()), world.parent());
    for (fault, name) in
        [(Fault::InternalFailure, "KMSInternalException"), (Fault::Throttle, "ThrottlingException")]
    {
        world.kms.inject_times("GenerateDataKey", fault, 1);
        assert_eq!(data_key(&parent, Some(enclave.recipient())).await.map(|_| ()), Err(name.to_owned()));
    }
    let delay = Duration::from_millis(120);
    world.kms.inject("GenerateDataKey", Fault::Delay(delay));
    world
        .kms
        .inject("GenerateDataKey", Fault::WrongKeyId("arn:aws:kms:us-east-1:999922223333:key/x".to_owned()));
    let start = Instant::now();
    let made = data_key(&parent, Some(enclave.recipient())).await.expect("late, but answered");
    assert!(start.elapsed() >= delay);
    assert_eq!(made.key_id.as_deref(), Some("arn:aws:kms:us-east-1:999922223333:key/x"));
    world.kms.clear_faults();
    let made = data_key(&parent, Some(enclave.recipient())).await.expect("healthy again");
    assert_eq!(made.key_id.as_deref(), Some(KEY_ARN));
}
