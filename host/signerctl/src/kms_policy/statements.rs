//! What the policy says, statement by statement.

use signer_rules::authority::AuthorityId;

use super::document::{Explained, Statement};
use crate::measurements::{Measurements, Pcr};

const PCR0: &str = "kms:RecipientAttestation:ImageSha384";
const PCR1: &str = "kms:RecipientAttestation:PCR1";
const PCR2: &str = "kms:RecipientAttestation:PCR2";
const PCR3: &str = "kms:RecipientAttestation:PCR3";
const PCR16: &str = "kms:RecipientAttestation:PCR16";
/// The enclave names its authority in the encryption context of every call.
const AUTHORITY: &str = "kms:EncryptionContext:nitro-signer:authority";

const EQUALS: &str = "StringEqualsIgnoreCase";
const DIFFERS: &str = "StringNotEqualsIgnoreCase";

/// What an enclave does with the key.
const USE: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// What an administrator may look at.
const STATE: [&str; 7] = [
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
];

/// What an administrator may change; nothing of it touches data.
const CHANGES: [&str; 15] = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
];

/// What would move data keys elsewhere, make some that others know, or hand the right to do so on. None of it takes an
/// attestation document, or none of it is needed.
const FORBIDDEN: [&str; 14] = [
    "kms:CreateGrant",
    "kms:DeriveSharedSecret",
    "kms:Encrypt",
    "kms:GenerateDataKeyPair*",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GenerateMac",
    "kms:GetParametersForImport",
    "kms:ImportKeyMaterial",
    "kms:ReEncrypt*",
    "kms:ReplicateKey",
    "kms:Sign",
    "kms:UpdatePrimaryRegion",
    "kms:Verify",
    "kms:VerifyMac",
];

/// What the enclave may read of its keys, to judge them before it unseals.
const READING: [&str; 3] = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"];

/// To what the keys are tied.
pub(super) struct Pins {
    pub(super) role: String,
    pub(super) administrators: Vec<String>,
    pub(super) images: Vec<Measurements>,
    pub(super) pcr16: Pcr,
    pub(super) pcr3: Option<Pcr>,
    pub(super) authority: AuthorityId,
}

/// All statements.
pub(super) fn all(pins: &Pins) -> Vec<Explained> {
    let role = std::slice::from_ref(&pins.role);
    let mut statements = vec![
        Statement::allow("AllowAdministration", &pins.administrators, &[&STATE[..], &CHANGES].concat())
            .meaning("administrators may manage the key, and not use it"),
        Statement::allow("AllowReadingKeyState", role, &READING)
            .meaning("the enclave may read the key's description, policy and grants"),
    ];
    let attested = pins.images.iter().zip(1..).map(|(image, number)| allow_attested(pins, image, number));
    statements.extend(attested);
    statements.extend(deny_other_use(pins));
    statements.push(
        Statement::deny("DenyAdministrationByInstances", &CHANGES)
            .only_for(role)
            .meaning("the instances' role may change nothing, even if an IAM policy lets it"),
    );
    statements.push(Statement::deny("DenyForbiddenOperations", &FORBIDDEN).meaning(
        "nobody may encrypt, re-encrypt, grant, replicate or import: none of it is attested or needed",
    ));
    statements
}

/// One statement for each tuple: lists of values in one statement would allow every combination.
fn allow_attested(pins: &Pins, image: &Measurements, number: usize) -> Explained {
    let mut statement =
        Statement::allow(format!("AllowAttestedUse{number}"), std::slice::from_ref(&pins.role), &USE);
    let pcrs = [
        (PCR0, Some(image.pcr0)),
        (PCR1, image.pcr1),
        (PCR2, image.pcr2),
        (PCR3, pins.pcr3),
        (PCR16, Some(pins.pcr16)),
    ];
    for (key, value) in pcrs {
        if let Some(value) = value {
            statement = statement.when(EQUALS, key, vec![value.to_string()]);
        }
    }
    statement
        .when("StringEquals", AUTHORITY, vec![pins.authority.to_string()])
        .meaning("this image under this configuration may create and open this authority's data keys")
}

/// One statement for each condition: within a statement all must hold, and any of them shall deny.
fn deny_other_use(pins: &Pins) -> Vec<Explained> {
    let mut statements = vec![
        Statement::deny("DenyUseWithoutAttestation", &USE)
            .when("Null", PCR0, vec!["true".into()])
            .meaning("no use without an attestation document, whatever other policies or grants allow"),
        Statement::deny("DenyUseWithoutConfiguration", &USE)
            .when("Null", PCR16, vec!["true".into()])
            .meaning("no use by an enclave that has not locked a configuration into PCR16"),
        Statement::deny("DenyOtherImages", &USE)
            .when(DIFFERS, PCR0, pins.images.iter().map(|image| image.pcr0.to_string()).collect())
            .meaning("no use by any other image"),
        Statement::deny("DenyOtherConfigurations", &USE)
            .when(DIFFERS, PCR16, vec![pins.pcr16.to_string()])
            .meaning("no use under any other configuration"),
    ];
    if let Some(pcr3) = pins.pcr3 {
        statements.push(
            Statement::deny("DenyOtherParentRoles", &USE)
                .when(DIFFERS, PCR3, vec![pcr3.to_string()])
                .meaning("no use by enclaves on instances with another role"),
        );
    }
    statements.push(
        Statement::deny("DenyOtherAuthorities", &USE)
            .when("StringNotEquals", AUTHORITY, vec![pins.authority.to_string()])
            .meaning("no use for another authority's data keys, or for any without an authority"),
    );
    statements
}

#[cfg(test)]
#[path = "statements_tests.rs"]
mod tests;
