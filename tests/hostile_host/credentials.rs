//! A host supplies the credentials that KMS is called with.

use signer_shared::service::Credentials;
use signer_tests::{
    kms::PrincipalSpec,
    stack::{Host, KEYRING},
};

use crate::{
    services::{now_ms, role},
    world::{World, api, problem},
};

/// Asks for a keyring under these credentials, and then under the role's own.
async fn are_refused(world: &World, host: &mut Host, credentials: Credentials) {
    world.services.give(credentials);
    let answer = api(host, "POST", "/v1/keyrings", &world.stack.keyring_request(KEYRING)).await;
    assert_eq!((problem(&answer), answer.writes.len()), ((503, "kms_failed".into()), 0));
}

/// Attack: credentials of another account or another role, to have the calls made (and logged) elsewhere.
/// Defence: the key policy names the role; the enclave gains nothing and gives nothing.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_credentials_of_somebody_else() {
    let (world, mut host) = World::configured().await;
    for arn in ["arn:aws:iam::999922223333:role/signer-instance", "arn:aws:iam::111122223333:role/other"] {
        world.stack.kms.set_principal(PrincipalSpec::permanent("AKIAOTHER", "other-secret", arn));
        let other = Credentials {
            access_key_id: "AKIAOTHER".into(),
            secret_access_key: "other-secret".into(),
            ..role()
        };
        are_refused(&world, &mut host, other).await;
    }
    assert_eq!(world.kms_errors(), ["AccessDenied", "AccessDenied"]);
    world.services.give(role());
    world.create_keyring(&mut host).await;
}

/// Attack: credentials that have expired, never expire, or would break out of a header. Defence: they
/// are bounded before they are used; KMS is not even called.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_credentials_that_are_none() {
    let (world, mut host) = World::configured().await;
    let bad: [fn(&mut Credentials); 5] = [
        |it| it.expires_at_ms = now_ms() - 1000,
        |it| it.expires_at_ms = 0,
        |it| it.session_token = Some("a\r\nx-amz-target: TrentService.Decrypt".into()),
        |it| it.access_key_id.clear(),
        |it| it.secret_access_key = "x".repeat(9000),
    ];
    for change in bad {
        let mut credentials = role();
        change(&mut credentials);
        are_refused(&world, &mut host, credentials).await;
    }
    assert!(world.stack.kms.trail().is_empty());
    world.services.give(Credentials { expires_at_ms: u64::MAX, ..role() });
    world.create_keyring(&mut host).await;
}
