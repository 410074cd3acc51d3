//! A keyring of two shares under KMS keys of two accounts: the editor of one account's key policy works
//! with the host, and has what that account's key protects.

use aws_sdk_kms::primitives::Blob;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use signer_rules::configuration::PolicyCheck;
use signer_shared::message::RefusalCode;
use signer_tests::{
    kms::PrincipalSpec,
    stack::{ACCOUNT, Host, KEYRING, StackOptions},
};

use crate::{
    forgery,
    kms_client::{client_of, code},
    world::{World, refusal, status},
};

const OBJECT: &str = "keyring/default";
/// The account of the second share's key.
const SECOND: &str = "444455556667";

/// An enclave that opens the keyring with both accounts' keys, each under the policy that
/// `signerctl kms-policy --account` prints for it.
async fn ready(policy_check: PolicyCheck) -> (World, Host, String) {
    let world = World::of(StackOptions { shares: 2, policy_check, ..StackOptions::default() }).await;
    let accounts: Vec<String> = world.kms_keys().iter().map(|keys| account_of(&keys[0])).collect();
    assert_eq!(accounts, [ACCOUNT, SECOND]);
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    (world, host, fingerprint)
}

fn account_of(arn: &str) -> String {
    arn.split(':').nth(4).expect("an ARN").to_owned()
}

/// Who may do all with an account's keys, and makes use of it.
fn editor(account: &str) -> PrincipalSpec {
    PrincipalSpec::permanent("AKIAEDITOR", "editor-secret", &format!("arn:aws:iam::{account}:user/editor"))
}

/// The account's policy without its denials, and with its account allowed everything.
fn open_to(world: &World, account: &str) -> Value {
    let root = format!("arn:aws:iam::{account}:root");
    let mut policy = world.stack.pinned_policy(account);
    let statements = policy["Statement"].as_array_mut().expect("statements");
    statements.retain(|statement| statement["Effect"] == "Allow");
    statements
        .push(json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}));
    policy
}

/// Calls `Decrypt` for a share's data key, without attestation.
async fn data_key(world: &World, host: &Host, share: usize, who: PrincipalSpec) -> Result<Vec<u8>, String> {
    let object: Value = serde_json::from_slice(&host.store[OBJECT]).expect("JSON");
    let copy = &object["shares"][share]["copies"][0];
    let ciphertext = STANDARD.decode(copy["data_key"].as_str().expect("base64")).expect("base64");
    let authority = world.stack.configuration.authority.to_string();
    let request = client_of(&world.stack, who).decrypt().ciphertext_blob(Blob::new(ciphertext));
    let context = forgery::encryption_context(&authority, KEYRING);
    let answer = request.set_encryption_context(Some(context)).send().await.map_err(|error| code(&error))?;
    Ok(answer.plaintext().expect("asked for without an enclave").as_ref().to_vec())
}

/// Attack: the editor of one account opens its key to itself, and decrypts that account's share. Defence: the
/// keyring takes both: the other account's key gives nothing, and what is known gives no key of the keyring.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_editor_of_one_account_gains_nothing() {
    for (share, account) in [(0, ACCOUNT), (1, SECOND)] {
        let (mut world, host, fingerprint) = ready(PolicyCheck::Report).await;
        let (authority, keys) = (world.stack.configuration.authority, world.kms_keys());
        world.stack.kms.set_principal(editor(account));
        world
            .stack
            .kms
            .set_key_policy(&keys[share][0], &open_to(&world, account))
            .expect("it is the editor's");

        let other = 1 - share;
        let refused = data_key(&world, &host, other, editor(account)).await;
        assert_eq!(refused, Err("AccessDeniedException".into()), "the other account's key");
        let known = data_key(&world, &host, share, editor(account)).await.expect("the editor's own key");
        let object: Value = serde_json::from_slice(&host.store[OBJECT]).expect("JSON");
        let sealed = |share: usize| {
            let text = object["shares"][share]["copies"][0]["share"].as_str().expect("base64").to_owned();
            STANDARD.decode(text).expect("base64")
        };
        let open = |of: usize| {
            let (index, arn) = (of.to_string(), &keys[of][0]);
            forgery::opened_share(&known, &sealed(of), authority, KEYRING, &index, arn)
        };
        let own = open(share).expect("one's own share opens");
        assert_eq!(open(other), None, "the other does not");
        for guess in [vec![own], vec![own, own], vec![own, [0; 32]], vec![[0; 32], own]] {
            assert_ne!(forgery::fingerprint(authority, KEYRING, &guess), fingerprint);
        }

        // Nor does the enclave take a keyring whose other share is the editor's choice.
        let mut host = world.reboot(host.store).await;
        let bundle = world.second_bundle(&fingerprint);
        let mut forged = object.clone();
        forged["shares"][other] = object["shares"][share].clone();
        host.store.insert(OBJECT.into(), forged.to_string().into_bytes());
        assert_eq!(refusal(world.provision(&mut host, &bundle).await), RefusalCode::KeyringInvalid);
        host.store.insert(OBJECT.into(), object.to_string().into_bytes());
        world.provision(&mut host, &bundle).await;
        assert_eq!(status(&mut host).await.phase.as_str(), "ready", "the admins chose reports");
    }
}

/// Attack: the same where the admins chose to enforce. Defence: the enclave also stops opening keyrings under
/// the opened key, and says whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_editor_of_one_account_is_noticed() {
    let (mut world, host, fingerprint) = ready(PolicyCheck::Enforce).await;
    let right = world.stack.pinned_policy(SECOND);
    let arn = world.kms_keys()[1][0].clone();
    world.stack.kms.set_key_policy(&arn, &open_to(&world, SECOND)).expect("it is the editor's");
    let mut host = world.reboot(host.store).await;
    let bundle = world.second_bundle(&fingerprint);
    assert_eq!(refusal(world.provision(&mut host, &bundle).await), RefusalCode::KmsFailed);
    let said = status(&mut host).await.problem.expect("a problem");
    let expected = "kms_policy_refused: share 2, key 1, statement 4: unattested_decrypt";
    assert!(said.starts_with(expected), "{said}");
    world.stack.kms.set_key_policy(&arn, &right).expect("as it was");
    world.provision(&mut host, &bundle).await;
    assert_eq!(status(&mut host).await.phase.as_str(), "ready");
}

/// Attack: one account's editor denies the enclave the key. Defence: none against that; the other account's
/// share alone opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_editor_of_one_account_refuses() {
    for (share, account) in [(0, ACCOUNT), (1, SECOND)] {
        let (mut world, host, fingerprint) = ready(PolicyCheck::Enforce).await;
        let mut policy = world.stack.pinned_policy(account);
        let statements = policy["Statement"].as_array_mut().expect("statements");
        statements.push(
            json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*"}),
        );
        let arn = world.kms_keys()[share][0].clone();
        world.stack.kms.set_key_policy(&arn, &policy).expect("a policy");
        let mut host = world.reboot(host.store).await;
        let answer = world.provision(&mut host, &world.second_bundle(&fingerprint)).await;
        assert_eq!(refusal(answer), RefusalCode::KmsFailed);
        let said = status(&mut host).await.problem.expect("a problem");
        let place = format!("share {} cannot be opened", share + 1);
        assert!(said.contains(&place), "{said}");
    }
}
