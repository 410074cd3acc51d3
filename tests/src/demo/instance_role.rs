//! Who the demo's instances are to AWS.

use crate::kms::PrincipalSpec;

/// The region of the demo.
pub(super) const REGION: &str = "us-east-1";
/// The account of the instances and of the KMS key.
pub(super) const ACCOUNT: &str = "111122223333";
/// The instances' role.
pub(super) const ROLE: &str = "arn:aws:iam::111122223333:role/signer-instance";

/// The credentials that an instance gets from its metadata service.
pub(super) fn credentials() -> PrincipalSpec {
    PrincipalSpec {
        access_key_id: "ASIADEMOINSTANCEROLE".into(),
        secret_access_key: "secret-of-the-demo".into(),
        session_token: Some("token-of-the-demo".into()),
        expires_at: None,
        arn: "arn:aws:sts::111122223333:assumed-role/signer-instance/i-0123456789abcdef0".into(),
    }
}
