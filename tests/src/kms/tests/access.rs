//! Who gets a data key: by image, by document, by context, by grant.

use aws_sdk_kms::types::GrantOperation;

use super::*;

#[tokio::test]
async fn the_image_gets_the_same_data_key_twice_and_never_in_the_clear() {
    let world = World::usual().await;
    let (enclave, parent) = (world.enclave(image()), world.parent());
    let made = data_key(&parent, Some(enclave.recipient())).await.expect("attested");
    assert_eq!(made.plaintext, None);
    assert_eq!(made.key_id.as_deref(), Some(KEY_ARN));
    let first = enclave.open(made.ciphertext_for_recipient.as_ref()).expect("sealed to our key");
    assert_eq!(first.len(), 32);
    // Both forms of the envelope come by, one after the other.
    for _ in 0..2 {
        let (plaintext, envelope) = decrypt(&parent, made.ciphertext_blob.clone(), Some(enclave.recipient()))
            .await
            .expect("attested");
        assert_eq!(plaintext, None);
        assert_eq!(enclave.open(envelope.as_ref()).as_ref(), Some(&first));
    }
}

#[tokio::test]
async fn others_get_nothing() {
    let world = World::usual().await;
    let (enclave, parent) = (world.enclave(image()), world.parent());
    let blob = data_key(&parent, Some(enclave.recipient())).await.expect("attested").ciphertext_blob;
    let other = NsmOptions { pcr0: Pcr::measuring(b"other"), ..image() };
    let debug = NsmOptions { debug_mode: true, ..image() };
    let callers = [
        ("no document", &parent, None),
        ("another image", &parent, Some(world.enclave(other).recipient())),
        ("debug mode", &parent, Some(world.enclave(debug).recipient())),
        ("another role", &world.admin(), Some(enclave.recipient())),
    ];
    for (who, client, recipient) in callers {
        let refused = Err("AccessDeniedException".to_owned());
        assert_eq!(data_key(client, recipient.clone()).await.map(|_| ()), refused, "{who}");
        assert_eq!(decrypt(client, blob.clone(), recipient).await.map(|_| ()), refused, "{who}");
    }
}

#[tokio::test]
async fn documents_must_be_genuine_and_recent() {
    let world = World::usual().await;
    let enclave = world.enclave(image());
    let stranger = Enclave::start(Arc::new(AttestationAuthority::generate()), image());
    let mut changed = enclave.document();
    *changed.last_mut().expect("not empty") ^= 1;
    let old = world.enclave(NsmOptions { clock_offset_ms: -301_000, ..image() });
    let no_key =
        match enclave.nsm.process(Request::Attestation { user_data: None, nonce: None, public_key: None }) {
            Response::Attestation { document } => document,
            other => panic!("{other:?}"),
        };
    let documents = [
        ("another root", stranger.document()),
        ("a changed byte", changed),
        ("six minutes old", old.document()),
        ("no public key", no_key),
        ("no document", b"x".to_vec()),
    ];
    for (what, document) in documents {
        let result = data_key(&world.parent(), Some(recipient(document))).await.map(|_| ());
        assert_eq!(result, Err("ValidationException".to_owned()), "{what}");
    }
    world.kms.set_clock_offset_ms(-301_000);
    let client = world.parent();
    let result = data_key(&client, Some(old.recipient())).await.map(|_| ());
    // The document is fresh by KMS's clock now, but the request's signature is not.
    assert_eq!(result, Err("InvalidSignatureException".to_owned()));
}

#[tokio::test]
async fn a_ciphertext_is_bound_to_context_and_key() {
    let world = World::new(open_policy()).await;
    let client = world.admin();
    let other = world.kms.create_key(&KeySpec::default()).expect("a key");
    let made = data_key(&client, None).await.expect("allowed");
    let blob = made.ciphertext_blob.expect("a blob");
    let decrypt = client.decrypt().ciphertext_blob(blob.clone());
    let right = decrypt.clone().encryption_context("ns:purpose", "test");
    let answer = right.clone().key_id(KEY_ARN).send().await.expect("all is right");
    assert_eq!(answer.plaintext, made.plaintext);
    let codes = [
        decrypt.clone().send().await.map_err(|error| code(&error)).expect_err("no context"),
        decrypt
            .encryption_context("ns:purpose", "tess")
            .send()
            .await
            .map_err(|e| code(&e))
            .expect_err("another"),
        right.clone().key_id(other).send().await.map_err(|error| code(&error)).expect_err("another key"),
        right.key_id("alias/none").send().await.map_err(|error| code(&error)).expect_err("no key"),
    ];
    let expected = [
        "InvalidCiphertextException",
        "InvalidCiphertextException",
        "IncorrectKeyException",
        "NotFoundException",
    ];
    assert_eq!(codes, expected);
}

#[tokio::test]
async fn a_grant_needs_no_attestation_unless_a_deny_demands_it() {
    let mut without_deny = strict_policy();
    without_deny["Statement"].as_array_mut().expect("a list").remove(1);
    for (policy, opened) in [(without_deny, true), (strict_policy(), false)] {
        let world = World::new(policy).await;
        let (enclave, parent) = (world.enclave(image()), world.parent());
        let blob = data_key(&parent, Some(enclave.recipient())).await.expect("attested").ciphertext_blob;
        let before = decrypt(&parent, blob.clone(), None).await.map(|_| ());
        assert_eq!(before, Err("AccessDeniedException".to_owned()));
        let grant = world.admin().create_grant().key_id(KEY_ID).operations(GrantOperation::Decrypt);
        grant.grantee_principal("arn:aws:iam::111122223333:role/parent").send().await.expect("admins may");
        let after = decrypt(&parent, blob, None).await;
        assert_eq!(after.is_ok_and(|(plaintext, _)| plaintext.is_some()), opened);
    }
}

#[tokio::test]
async fn re_encryption_carries_a_data_key_away_from_attestation() {
    let mut policy = strict_policy();
    let forgotten =
        json!({"Effect": "Allow", "Principal": {"AWS": PARENT}, "Action": "kms:ReEncrypt*", "Resource": "*"});
    policy["Statement"].as_array_mut().expect("a list").push(forgotten);
    let world = World::new(policy).await;
    let (enclave, parent) = (world.enclave(image()), world.parent());
    let made = data_key(&parent, Some(enclave.recipient())).await.expect("attested");
    let secret = enclave.open(made.ciphertext_for_recipient.as_ref()).expect("sealed to our key");
    let hostile_key = world.kms.create_key(&KeySpec::default()).expect("a key");
    let moved = parent
        .re_encrypt()
        .set_ciphertext_blob(made.ciphertext_blob.clone())
        .source_encryption_context("ns:purpose", "test")
        .destination_key_id(hostile_key)
        .destination_encryption_context("ns:purpose", "test")
        .send()
        .await
        .expect("allowed");
    assert_eq!(
        decrypt(&parent, moved.ciphertext_blob, None).await.expect("the key's policy is open").0,
        Some(secret)
    );
    world.kms.set_key_policy(KEY_ID, &strict_policy()).expect("a policy");
    let refused = parent
        .re_encrypt()
        .set_ciphertext_blob(made.ciphertext_blob)
        .source_encryption_context("ns:purpose", "test")
        .destination_key_id(KEY_ID)
        .send()
        .await;
    assert_eq!(code(&refused.expect_err("not allowed any more")), "AccessDeniedException");
}
