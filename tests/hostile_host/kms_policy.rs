//! A KMS key that is open to others than the enclave: the enclave reads its state before it uses it.

use aws_sdk_kms::types::GrantOperation;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use signer_rules::configuration::PolicyCheck;
use signer_shared::message::RefusalCode;
use signer_tests::{
    kms::Fault,
    pki::TlsAuthority,
    stack::{ACCOUNT, Host, KEYRING, ROLE, Stack, StackOptions},
};

use crate::{
    kms_answers::impostor,
    kms_client::of_the_role,
    world::{World, api, problem, refusal, status},
};

/// What KMS gives a key whose creator says nothing: the account may do all, attested or not.
fn careless() -> Value {
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"},
    ]})
}

/// An enclave that was ready under the right policy, and the bundle that makes it so again.
async fn was_ready() -> (World, Host, String) {
    let world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let bundle = world.second_bundle(&fingerprint);
    (world, host, bundle)
}

fn set_policy(stack: &Stack, policy: &Value) {
    let arn = &stack.configuration.configuration.kms.shares[0].keys[0].arn;
    stack.kms.set_key_policy(arn, policy).expect("a well-formed policy");
}

/// How often KMS was asked to do something.
fn calls(stack: &Stack, operation: &str) -> usize {
    stack.kms.trail().iter().filter(|event| event["eventName"] == operation).count()
}

/// A rebooted enclave opens nothing, says why, and has not asked KMS for the data key.
async fn refused_for(world: &mut World, host: Host, bundle: &str, code: &str) -> Host {
    let asked = calls(&world.stack, "Decrypt");
    let mut host = world.reboot(host.store).await;
    assert_eq!(refusal(world.provision(&mut host, bundle).await), RefusalCode::KmsFailed, "{code}");
    let now = status(&mut host).await;
    let said = now.problem.expect("a problem");
    assert!(said.starts_with("kms_policy_refused: share 1, key 1") && said.contains(code), "{code}: {said}");
    assert!(!said.contains("arn:"), "callers need not know the key: {said}");
    assert_eq!((now.phase.as_str(), calls(&world.stack, "Decrypt")), ("configured", asked), "{code}");
    host
}

/// Attack: open the key to the instances' role, without attestation or with too little of it. Defence: the
/// enclave reads the policy first, and opens no keyring under such a key.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_kms_policy_opens_no_keyring() {
    let (mut world, mut host, bundle) = was_ready().await;
    let right = world.stack.pinned_policy(ACCOUNT);
    let without_denials = |allow: Value| {
        let mut policy = right.clone();
        let statements = policy["Statement"].as_array_mut().expect("statements");
        statements.retain(|statement| statement["Effect"] == "Allow");
        statements.push(allow);
        policy
    };
    let role = |action: &str| json!({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": action, "Resource": "*"});
    let mut image_only = role("kms:Decrypt");
    image_only["Condition"] =
        json!({"StringEquals": {"kms:RecipientAttestation:ImageSha384": "ab".repeat(48)}});
    let mut another = right.clone();
    let key = "kms:RecipientAttestation:PCR16";
    for statement in another["Statement"].as_array_mut().expect("statements") {
        for operator in ["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"] {
            let values = statement.get_mut("Condition").and_then(|all| all.get_mut(operator)?.get_mut(key));
            if let Some(values) = values.and_then(Value::as_array_mut) {
                values.push(json!("ab".repeat(48)));
            }
        }
    }
    let mut unreadable = right.clone();
    let reading =
        json!({"Effect": "Deny", "Principal": {"AWS": ROLE}, "Action": "kms:GetKeyPolicy", "Resource": "*"});
    unreadable["Statement"].as_array_mut().expect("statements").push(reading);
    for (policy, code) in [
        (careless(), "unattested_decrypt"),
        (without_denials(role("kms:Decrypt")), "unattested_decrypt"),
        (without_denials(role("kms:ReEncrypt*")), "re_encrypt"),
        (without_denials(role("kms:CreateGrant")), "create_grant"),
        (without_denials(image_only), "any_configuration"),
        (another, "foreign_configuration"),
        (unreadable, "state_unreadable"),
    ] {
        set_policy(&world.stack, &policy);
        host = refused_for(&mut world, host, &bundle, code).await;
    }
    set_policy(&world.stack, &right);
    world.provision(&mut host, &bundle).await;
    let now = status(&mut host).await;
    assert_eq!((now.phase.as_str(), now.problem), ("ready", None));
}

/// Attack: a grant from before the right policy, which takes no attestation. Defence: grants are read, too.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_kms_policy_beside_a_grant() {
    let (mut world, host, bundle) = was_ready().await;
    let right = world.stack.pinned_policy(ACCOUNT);
    set_policy(&world.stack, &careless());
    let arn = world.kms_keys()[0][0].clone();
    let grant = of_the_role(&world.stack).create_grant().key_id(arn).grantee_principal(ROLE);
    grant.operations(GrantOperation::Decrypt).send().await.expect("a careless policy");
    set_policy(&world.stack, &right);
    refused_for(&mut world, host, &bundle, ": grant,").await;
}

/// Attack: a key whose material somebody imported and knows, or of another kind, or AWS's. Defence: the
/// key's description is read, too.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_kms_policy_of_a_key_that_others_know() {
    let (mut world, mut host, bundle) = was_ready().await;
    for (member, value, code) in [
        ("Origin", "EXTERNAL", "imported_key_material"),
        ("Origin", "AWS_CLOUDHSM", "custom_key_store"),
        ("KeyManager", "AWS", "aws_managed_key"),
        ("KeySpec", "HMAC_256", "key_kind"),
        ("KeyState", "PendingDeletion", "key_disabled"),
        ("Arn", "arn:aws:kms:us-east-1:111122223333:key/other", "state_unreadable"),
    ] {
        world.stack.kms.inject("DescribeKey", Fault::Metadata(member, value));
        host = refused_for(&mut world, host, &bundle, code).await;
        world.stack.kms.clear_faults();
    }
    world.provision(&mut host, &bundle).await;
    assert_eq!(status(&mut host).await.phase.as_str(), "ready");
}

/// Attack: have a keyring made under a key that is open to others. Defence: none is made there.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_kms_policy_makes_no_keyring() {
    let (world, mut host) = World::configured().await;
    let right = world.stack.pinned_policy(ACCOUNT);
    set_policy(&world.stack, &careless());
    let request = world.stack.keyring_request(KEYRING);
    let answer = api(&mut host, "POST", "/v1/keyrings", &request).await;
    assert_eq!((problem(&answer), answer.writes.len()), ((503, "kms_failed".into()), 0));
    assert!(String::from_utf8_lossy(&answer.body).contains("kms_policy_refused"), "the admin is told");
    assert_eq!(calls(&world.stack, "GenerateDataKey"), 0);
    set_policy(&world.stack, &right);
    world.create_keyring(&mut host).await;
}

/// Attack: answer `GetKeyPolicy` in KMS's place, with the policy that should be there. Defence: TLS ends
/// inside: the answer is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_kms_policy_of_a_server_that_is_not_kms() {
    let (mut world, host, bundle) = was_ready().await;
    let right = world.stack.pinned_policy(ACCOUNT);
    let arn = world.kms_keys()[0][0].clone();
    let impostor = impostor(&world.stack, TlsAuthority::generate(), Vec::new()).await;
    impostor.set_key_policy(&arn, &right).expect("the same key id");
    set_policy(&world.stack, &careless());
    let mut host = world.reboot(host.store).await;
    world.services.lead_to(impostor.address());
    assert_eq!(refusal(world.provision(&mut host, &bundle).await), RefusalCode::KmsFailed);
    assert_eq!(status(&mut host).await.phase.as_str(), "configured");
    assert!(impostor.trail().is_empty(), "it was not even asked");
    world.services.lead_to(world.stack.kms.address());
    refused_for(&mut world, host, &bundle, "unattested_decrypt").await;
}

/// Attack: open the key to others where the admins chose reports. Defence: an event for each deviation, and
/// another digest in the attested statement.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_kms_policy_is_reported() {
    let mut stack =
        Stack::start(StackOptions { policy_check: PolicyCheck::Report, ..StackOptions::default() }).await;
    stack.make_ready().await;
    let right = stack.pinned_policy(ACCOUNT);
    let digest = attested_digest(&stack).await;
    assert!(digest.is_string(), "{digest}");
    assert!(!stack.logs().contains("kms_policy_deviation"), "{}", stack.logs());

    set_policy(&stack, &careless());
    restart(&mut stack).await;
    for text in ["kms_policy_deviation", "unattested_decrypt", "create_grant", "wildcard"] {
        stack.wait_for("the events", |_| stack.logs().contains(text)).await;
    }
    assert!(!stack.logs().contains("kms_policy_refused"), "{}", stack.logs());
    assert_ne!(attested_digest(&stack).await, digest);

    set_policy(&stack, &right);
    restart(&mut stack).await;
    assert_eq!(attested_digest(&stack).await, digest, "the same state, the same digest");
}

async fn restart(stack: &mut Stack) {
    let boot = stack.get("/v1/status").await.json["enclave"]["boot_id"].clone();
    stack.kill_enclave();
    stack.start_enclave();
    let ready =
        |status: &Value| status["enclave"]["phase"] == "ready" && status["enclave"]["boot_id"] != boot;
    stack.wait_for("another boot to be ready", ready).await;
}

async fn attested_digest(stack: &Stack) -> Value {
    let reply = stack.get(&format!("/v1/attestation?nonce={}", "ab".repeat(16))).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let statement = STANDARD.decode(reply.json["statement"].as_str().expect("base64")).expect("base64");
    serde_json::from_slice::<Value>(&statement).expect("JSON")["kms_policy_digest"].clone()
}
