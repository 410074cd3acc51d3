//! A host calls KMS itself, with its role's credentials, to get at what the enclave has there.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeySize, PrivateDecryptingKey},
};
use aws_nitro_enclaves_nsm_api::api::{Request, Response};
use aws_sdk_kms::{
    primitives::Blob,
    types::{DataKeySpec, GrantOperation, KeyEncryptionMechanism, RecipientInfo},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use signer_tests::{
    kms::KeySpec,
    measurements::Measurements,
    nsm::{NsmOptions, Pcr, SoftwareNsm},
    pki::AttestationAuthority,
    stack::{KEYRING, ROLE, Store, binary},
};

use crate::{
    forgery::encryption_context,
    kms_client::{code, of_the_role},
    world::World,
};

const DENIED: &str = "AccessDeniedException";

/// A data key's ciphertext from the store.
fn ciphertext(store: &Store) -> Blob {
    let object: Value = serde_json::from_slice(&store["keyring/default"]).expect("JSON");
    let data_key = object["shares"][0]["copies"][0]["data_key"].as_str().expect("base64");
    Blob::new(STANDARD.decode(data_key).expect("base64"))
}

/// Attack: `Decrypt` and `GenerateDataKey` without an attestation document. Defence: the key policy that
/// `signerctl kms-policy` prints denies both without one.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_use_of_the_kms_key_without_attestation() {
    let (world, host) = World::ready().await;
    let (client, arn) = (of_the_role(&world.stack), &world.kms_keys()[0][0]);
    let context = || Some(encryption_context(&world.stack.configuration.authority.to_string(), KEYRING));
    let decrypt = client.decrypt().ciphertext_blob(ciphertext(&host.store)).set_encryption_context(context());
    assert_eq!(code(&decrypt.key_id(arn).send().await.expect_err("no document")), DENIED);
    let generate = client.generate_data_key().key_id(arn).key_spec(DataKeySpec::Aes256);
    let generate = generate.set_encryption_context(context()).send().await;
    assert_eq!(code(&generate.expect_err("no document")), DENIED);
    let encrypt = client.encrypt().key_id(arn).plaintext(Blob::new([1; 32]));
    let encrypt = encrypt.set_encryption_context(context()).send().await;
    assert_eq!(code(&encrypt.expect_err("forbidden to all")), DENIED);
}

/// Attack: re-encrypt the data key to a key of the host's, or grant oneself its use, or change the key's
/// policy: none of these takes an attestation document. Defence: denied to everyone, and to the role.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_ways_around_the_kms_key_policy() {
    let (world, host) = World::ready().await;
    let (client, arn) = (of_the_role(&world.stack), &world.kms_keys()[0][0]);
    let context = Some(encryption_context(&world.stack.configuration.authority.to_string(), KEYRING));
    let own_key = world.stack.kms.create_key(&KeySpec::default()).expect("a key with an open policy");
    let moved = client
        .re_encrypt()
        .ciphertext_blob(ciphertext(&host.store))
        .set_source_encryption_context(context)
        .destination_key_id(own_key)
        .send()
        .await;
    assert_eq!(code(&moved.expect_err("denied")), DENIED);
    let grant = client.create_grant().key_id(arn).grantee_principal(ROLE);
    let grant = grant.operations(GrantOperation::Decrypt).send().await;
    assert_eq!(code(&grant.expect_err("denied")), DENIED);
    let policy = client.put_key_policy().key_id(arn).policy("{}").send().await;
    assert_eq!(code(&policy.expect_err("denied")), DENIED);
}

/// Attack: `Decrypt` with a genuine document of another image, of our image without our configuration,
/// and of an enclave in debug mode. Defence: the key policy names PCR0 and PCR16.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_enclaves_get_no_data_key() {
    let (world, host) = World::ready().await;
    let image = image();
    let other = NsmOptions { pcr0: Pcr::measuring(b"another image"), ..image.clone() };
    let debug = NsmOptions { debug_mode: true, ..image.clone() };
    let configured = |nsm: &SoftwareNsm, digest: &[u8]| {
        nsm.process(Request::ExtendPCR { index: 16, data: digest.to_vec() });
        nsm.process(Request::LockPCR { index: 16 });
    };
    let own = world.stack.configuration.digest.0;
    let tried: [(&str, NsmOptions, Option<&[u8]>, bool); 6] = [
        ("another image", other, Some(&own), false),
        ("debug mode", debug, Some(&own), false),
        ("no configuration", image.clone(), None, false),
        ("another configuration", image.clone(), Some(&[1; 48]), false),
        ("late", NsmOptions { clock_offset_ms: -400_000, ..image.clone() }, Some(&own), false),
        ("all is right", image, Some(&own), true),
    ];
    let authority = AttestationAuthority::load_or_create(&world.stack.path("")).expect("the authority");
    let authority = Arc::new(authority);
    for (what, options, digest, opens) in tried {
        let nsm = SoftwareNsm::new(authority.clone(), options);
        if let Some(digest) = digest {
            configured(&nsm, digest);
        }
        let authority_id = world.stack.configuration.authority.to_string();
        let request = of_the_role(&world.stack).decrypt().ciphertext_blob(ciphertext(&host.store));
        let request = request.set_encryption_context(Some(encryption_context(&authority_id, KEYRING)));
        let answer = request.recipient(recipient(&nsm)).send().await;
        assert_eq!(answer.is_ok(), opens, "{what}: {answer:?}");
    }
}

/// The registers of the emulated enclave's image.
fn image() -> NsmOptions {
    let executable = std::fs::read(binary("emulated-enclave")).expect("it was built");
    let Measurements { pcr0, pcr1, pcr2 } = Measurements::of_image(&executable);
    NsmOptions { pcr0, pcr1, pcr2, ..NsmOptions::default() }
}

fn recipient(nsm: &SoftwareNsm) -> RecipientInfo {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("an RSA key");
    let public_key = key.public_key().as_der().expect("DER").as_ref().to_vec();
    let request = Request::Attestation { user_data: None, nonce: None, public_key: Some(public_key.into()) };
    let Response::Attestation { document } = nsm.process(request) else { panic!("no document") };
    RecipientInfo::builder()
        .key_encryption_algorithm(KeyEncryptionMechanism::RsaesOaepSha256)
        .attestation_document(Blob::new(document))
        .build()
}
