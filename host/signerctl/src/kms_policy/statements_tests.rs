use serde_json::{Value, json};
use signer_rules::hex_bytes::HexBytes;

use super::*;
use crate::kms_policy::document::Policy;

const ROLE: &str = "arn:aws:iam::111122223333:role/signer";

fn pins() -> Pins {
    let image = |byte| Measurements {
        pcr0: HexBytes([byte; 48]),
        pcr1: Some(HexBytes([byte + 1; 48])),
        pcr2: Some(HexBytes([byte + 2; 48])),
        pcr8: None,
    };
    Pins {
        role: ROLE.into(),
        administrators: vec!["arn:aws:iam::111122223333:root".into()],
        images: vec![image(0x10), image(0x20)],
        pcr16: HexBytes([0x16; 48]),
        pcr3: Some(HexBytes([0x03; 48])),
        authority: HexBytes([0xaa; 32]),
    }
}

fn policy(pins: &Pins) -> Value {
    serde_json::to_value(Policy::new(&all(pins))).unwrap()
}

fn hex48(byte: &str) -> String {
    byte.repeat(48)
}

fn attested(number: u8, pcr0: &str, pcr1: &str, pcr2: &str) -> Value {
    json!({
        "Sid": format!("AllowAttestedUse{number}"), "Effect": "Allow", "Principal": {"AWS": [ROLE]},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*",
        "Condition": {
            "StringEqualsIgnoreCase": {
                "kms:RecipientAttestation:ImageSha384": [hex48(pcr0)],
                "kms:RecipientAttestation:PCR1": [hex48(pcr1)],
                "kms:RecipientAttestation:PCR2": [hex48(pcr2)],
                "kms:RecipientAttestation:PCR3": [hex48("03")],
                "kms:RecipientAttestation:PCR16": [hex48("16")]
            },
            "StringEquals": {"kms:EncryptionContext:nitro-signer:authority": ["aa".repeat(32)]}
        }
    })
}

fn denied_use(sid: &str, operator: &str, key: &str, values: &[String]) -> Value {
    json!({
        "Sid": sid, "Effect": "Deny", "Principal": {"AWS": ["*"]},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*",
        "Condition": {operator: {key: values}}
    })
}

#[test]
fn the_whole_policy() {
    let yes = ["true".to_owned()];
    let administration = [&STATE[..], &CHANGES].concat();
    let expected = json!({
        "Version": "2012-10-17",
        "Id": "nitro-signer",
        "Statement": [
            {
                "Sid": "AllowAdministration", "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam::111122223333:root"]},
                "Action": administration, "Resource": "*"
            },
            {
                "Sid": "AllowReadingKeyState", "Effect": "Allow", "Principal": {"AWS": [ROLE]},
                "Action": ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"], "Resource": "*"
            },
            attested(1, "10", "11", "12"),
            attested(2, "20", "21", "22"),
            denied_use("DenyUseWithoutAttestation", "Null", "kms:RecipientAttestation:ImageSha384", &yes),
            denied_use("DenyUseWithoutConfiguration", "Null", "kms:RecipientAttestation:PCR16", &yes),
            denied_use("DenyOtherImages", "StringNotEqualsIgnoreCase", "kms:RecipientAttestation:ImageSha384",
                &[hex48("10"), hex48("20")]),
            denied_use("DenyOtherConfigurations", "StringNotEqualsIgnoreCase", "kms:RecipientAttestation:PCR16",
                &[hex48("16")]),
            denied_use("DenyOtherParentRoles", "StringNotEqualsIgnoreCase", "kms:RecipientAttestation:PCR3",
                &[hex48("03")]),
            denied_use("DenyOtherAuthorities", "StringNotEquals", "kms:EncryptionContext:nitro-signer:authority",
                &["aa".repeat(32)]),
            {
                "Sid": "DenyAdministrationByInstances", "Effect": "Deny", "Principal": {"AWS": [ROLE]},
                "Action": CHANGES, "Resource": "*"
            },
            {
                "Sid": "DenyForbiddenOperations", "Effect": "Deny", "Principal": {"AWS": ["*"]},
                "Action": FORBIDDEN, "Resource": "*"
            }
        ]
    });
    assert_eq!(policy(&pins()), expected);
}

#[test]
fn nobody_is_allowed_use_without_conditions() {
    let touches_data =
        |action: &str| action.contains('*') || USE.contains(&action) || FORBIDDEN.contains(&action);
    for one in all(&pins()) {
        let Statement { sid, effect, action, condition, .. } = one.statement;
        if matches!(effect, super::super::document::Effect::Allow)
            && action.iter().any(|action| touches_data(action))
        {
            assert!(sid.starts_with("AllowAttestedUse") && condition.contains_key(EQUALS), "{sid}");
        }
    }
}

#[test]
fn what_is_not_pinned_is_not_mentioned() {
    let mut pins = pins();
    pins.pcr3 = None;
    pins.images.truncate(1);
    pins.images[0].pcr1 = None;
    let text = policy(&pins).to_string();
    assert!(!text.contains("PCR3") && !text.contains("PCR1\"") && text.contains("PCR2"));
}

#[test]
fn a_rollout_of_many_images_fits_into_a_key_policy() {
    let mut pins = pins();
    pins.images = (0..16).map(|byte| Measurements { pcr0: HexBytes([byte; 48]), ..pins.images[0] }).collect();
    // KMS takes 32 KiB.
    assert!(serde_json::to_string_pretty(&policy(&pins)).unwrap().len() < 32 * 1024);
}
