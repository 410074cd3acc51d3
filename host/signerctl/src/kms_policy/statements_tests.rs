use serde_json::Value;
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

/// The whole policy: the enclave's tests judge this very text.
#[test]
fn the_enclave_knows_this_policy() {
    let known = include_str!("../../../../enclave/src/kms/key_policy/printed.json");
    assert_eq!(policy(&pins()), serde_json::from_str::<Value>(known).unwrap());
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
