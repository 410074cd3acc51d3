//! Authentication, key administration, the log, and what survives a restart.

use aws_sdk_kms::types::{GrantConstraints, GrantOperation};

use super::*;

#[tokio::test]
async fn only_known_credentials_are_accepted() {
    let world = World::new(open_policy()).await;
    let admin = credentials("ADMIN", ADMIN);
    world.kms.set_principal(PrincipalSpec { expires_at: Some(1), ..credentials("OLD", ADMIN) });
    let wrong = [
        (PrincipalSpec { secret_access_key: "x".to_owned(), ..admin.clone() }, "InvalidSignatureException"),
        (credentials("NOBODY", ADMIN), "UnrecognizedClientException"),
        (PrincipalSpec { session_token: Some("x".to_owned()), ..admin }, "UnrecognizedClientException"),
        (credentials("PARENT", PARENT), "UnrecognizedClientException"),
        (credentials("OLD", ADMIN), "ExpiredTokenException"),
    ];
    for (credentials, expected) in wrong {
        let client = world.client(credentials.clone());
        assert_eq!(data_key(&client, None).await.map(|_| ()), Err(expected.to_owned()), "{credentials:?}");
    }
    let elsewhere =
        sdk_client(world.kms.address(), world.tls.root_der(), credentials("ADMIN", ADMIN), "eu-west-1")
            .expect("a root certificate");
    assert_eq!(data_key(&elsewhere, None).await.map(|_| ()), Err("InvalidSignatureException".to_owned()));
    assert_eq!(world.kms.trail(), [] as [Value; 0]);
    data_key(&world.admin(), None).await.expect("the right credentials");
}

#[tokio::test]
async fn policies_are_kept_checked_and_never_lock_their_author_out() {
    let world = World::usual().await;
    let admin = world.admin();
    let got =
        admin.get_key_policy().key_id(KEY_ID).send().await.expect("admins may").policy.expect("a policy");
    assert_eq!(serde_json::from_str::<Value>(&got).expect("JSON"), strict_policy());
    let put = |policy: &Value| admin.put_key_policy().key_id(KEY_ID).policy(policy.to_string());
    put(&open_policy()).send().await.expect("admins may");

    let mut lockout = open_policy();
    lockout["Statement"]["Action"] = "kms:Decrypt".into();
    let mut unknown = open_policy();
    unknown["Statement"]["Condition"] = json!({"NumericEquals": {"kms:CallerAccount": "1"}});
    for policy in [&lockout, &unknown] {
        let error = put(policy).send().await.expect_err("refused");
        assert_eq!(code(&error), "MalformedPolicyDocumentException");
    }
    put(&lockout).bypass_policy_lockout_safety_check(true).send().await.expect("it was asked for");
    assert_eq!(code(&put(&open_policy()).send().await.expect_err("locked out")), "AccessDeniedException");
}

#[tokio::test]
async fn keys_are_made_described_and_encrypt() {
    let world = World::new(open_policy()).await;
    let admin = world.admin();
    let made = admin
        .create_key()
        .description("mine")
        .send()
        .await
        .expect("anyone may")
        .key_metadata
        .expect("metadata");
    let described = admin.describe_key().key_id(&made.key_id).send().await.expect("default policy");
    assert_eq!(described.key_metadata.expect("metadata").arn, made.arn);
    let sealed =
        admin.encrypt().key_id(&made.key_id).plaintext(Blob::new("text")).send().await.expect("allowed");
    let opened = admin.decrypt().set_ciphertext_blob(sealed.ciphertext_blob).send().await.expect("allowed");
    assert_eq!(opened.plaintext, Some(Blob::new("text")));
    assert_eq!(opened.key_id, made.arn);

    let enclave = world.enclave(NsmOptions::default());
    let random = admin.generate_random().number_of_bytes(48).recipient(enclave.recipient()).send().await;
    let random = random.expect("anyone may");
    assert_eq!(random.plaintext, None);
    assert_eq!(enclave.open(random.ciphertext_for_recipient.as_ref()).map(|bytes| bytes.len()), Some(48));
}

#[tokio::test]
async fn grants_come_in_pages() {
    let world = World::usual().await;
    let admin = world.admin();
    for index in 0..5 {
        let grant = admin.create_grant().key_id(KEY_ID).operations(GrantOperation::Decrypt);
        let grant = grant.grantee_principal(format!("arn:aws:iam::111122223333:user/{index}"));
        grant.constraints(only_with_context()).send().await.expect("admins may");
    }
    let (mut marker, mut pages) = (None, Vec::new());
    loop {
        let page =
            admin.list_grants().key_id(KEY_ID).limit(2).set_marker(marker).send().await.expect("admins may");
        pages.push(page.grants().len());
        if !page.truncated {
            break;
        }
        marker = page.next_marker;
    }
    assert_eq!(pages, [2, 2, 1]);
}

fn only_with_context() -> GrantConstraints {
    GrantConstraints::builder().encryption_context_subset("a", "b").build()
}

#[tokio::test]
async fn the_trail_names_caller_context_and_enclave() {
    let world = World::usual().await;
    let enclave = world.enclave(image());
    data_key(&world.parent(), Some(enclave.recipient())).await.expect("attested");
    data_key(&world.parent(), None).await.expect_err("not attested");
    let trail = world.kms.trail();
    let [good, bad] = &trail[..] else { panic!("two events: {trail:?}") };
    assert_eq!(good["eventName"], "GenerateDataKey");
    assert_eq!(good["userIdentity"]["arn"], PARENT);
    assert_eq!(good["requestParameters"]["keyId"], KEY_ID);
    assert_eq!(good["requestParameters"]["encryptionContext"], json!({"ns:purpose": "test"}));
    assert_eq!(good["resources"][0]["ARN"], KEY_ARN);
    let recipient = &good["additionalEventData"]["recipient"];
    assert_eq!(recipient["attestationDocumentModuleId"], enclave.nsm.module_id());
    assert_eq!(recipient["attestationDocumentEnclaveImageDigest"], image().pcr0.to_hex());
    assert_eq!(recipient["attestationDocumentEnclavePCR1"], image().pcr1.to_hex());
    assert_eq!(good.get("errorCode"), None);
    assert_eq!(bad["errorCode"], "AccessDenied");
    assert_eq!(bad.get("additionalEventData"), None);
}

#[tokio::test]
async fn keys_policies_and_grants_survive_a_restart() {
    let directory = std::env::temp_dir().join(format!("signer-kms-{}", std::process::id()));
    let tls = Arc::new(TlsAuthority::generate());
    let options = |policy| KmsOptions {
        keys: vec![KeySpec { key_id: Some(KEY_ID.to_owned()), policy: Some(policy), ..KeySpec::default() }],
        principals: vec![credentials("ADMIN", ADMIN)],
        state_dir: Some(directory.join("state")),
        trail_file: Some(directory.join("state/trail.jsonl")),
        ..KmsOptions::new(AttestationAuthority::generate().root_der().clone(), Arc::clone(&tls))
    };
    let connect = |kms: &KmsHandle| {
        sdk_client(kms.address(), tls.root_der(), credentials("ADMIN", ADMIN), "us-east-1")
            .expect("a root certificate")
    };
    let first = KmsEmulator::start(options(open_policy())).await.expect("a free port");
    let client = connect(&first);
    let made = data_key(&client, None).await.expect("allowed");
    let grant = client.create_grant().key_id(KEY_ID).operations(GrantOperation::Encrypt);
    grant.grantee_principal(PARENT).send().await.expect("allowed");
    first.shutdown().await;

    let second = KmsEmulator::start(options(strict_policy())).await.expect("a free port");
    let client = connect(&second);
    let (plaintext, _) =
        decrypt(&client, made.ciphertext_blob, None).await.expect("the policy is the old one");
    assert_eq!(plaintext.map(Blob::new), made.plaintext);
    let grants = client.list_grants().key_id(KEY_ID).send().await.expect("allowed");
    assert_eq!(grants.grants().len(), 1);
    second.shutdown().await;
    let lines = std::fs::read_to_string(directory.join("state/trail.jsonl")).expect("the log");
    assert_eq!(lines.lines().count(), 4);
    std::fs::remove_dir_all(&directory).expect("our own directory");
}
