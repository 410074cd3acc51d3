//! Genuine documents that are not the wanted one.

use super::{
    super::{Document, FUTURE_TOLERANCE_MS, VerifyError, pcr_after_extend, statement_digest},
    Builder, builder,
    builder::{bstr, null, pcr_map},
    verify,
};

fn document(change: impl FnOnce(&mut Builder)) -> Document {
    let mut builder = Builder::new();
    change(&mut builder);
    verify(&builder.build(), &builder.root()).unwrap()
}

#[test]
fn debug_mode_is_any_zero_among_the_first_three() {
    document(|_| ()).check_not_debug().unwrap();
    for zero in 0..3 {
        let entries: Vec<_> = (0..5).map(|n| (n, vec![u8::from(n != zero); 48])).collect();
        let refused = document(|b| b.set("pcrs", pcr_map(&entries))).check_not_debug();
        assert_eq!(refused.unwrap_err().code(), "debug_mode");
    }
}

#[test]
fn pcr_is_there_and_equal() {
    let document = document(|_| ());
    document.check_pcr(4, &[5; 48]).unwrap();
    let refused = document.check_pcr(4, &[6; 48]).unwrap_err();
    assert_eq!(refused.to_string(), format!("PCR 4 is {}, not {}", "05".repeat(48), "06".repeat(48)));
    let refused = document.check_pcr(16, &[0; 48]).unwrap_err();
    assert_eq!(refused, VerifyError::PcrAbsent { index: 16 });
}

#[test]
fn nonce_is_exactly_the_expected_one() {
    let with = document(|_| ());
    with.check_nonce(b"nonce").unwrap();
    for other in [&b""[..], b"nonc", b"nonce0", b"Nonce"] {
        assert_eq!(with.check_nonce(other).unwrap_err().code(), "nonce_mismatch");
    }
    let without = document(|b| b.set("nonce", null()));
    for any in [&b""[..], b"nonce"] {
        assert_eq!(without.check_nonce(any).unwrap_err().code(), "nonce_mismatch");
    }
}

#[test]
fn age_has_two_limits() {
    let document = document(|_| ());
    let made = builder::TIME_MS;
    document.check_age(made, 0).unwrap();
    document.check_age(made + 1000, 1000).unwrap();
    document.check_age(made - FUTURE_TOLERANCE_MS, 0).unwrap();
    let refused = document.check_age(made + 1001, 1000).unwrap_err();
    assert_eq!(refused.code(), "too_old");
    for now in [made - FUTURE_TOLERANCE_MS - 1, 0] {
        let refused = document.check_age(now, u64::MAX).unwrap_err();
        assert_eq!(refused.code(), "from_future");
    }
}

#[test]
fn statement_is_bound_by_its_digest() {
    let statement = br#"{"version":1}"#;
    let with = document(|b| b.set("user_data", bstr(&statement_digest(statement))));
    with.check_statement(statement).unwrap();
    let refused = with.check_statement(br#"{"version":2}"#).unwrap_err();
    assert_eq!(refused.code(), "statement_mismatch");
    for user_data in [null(), bstr(statement), bstr(&[])] {
        let without = document(|b| b.set("user_data", user_data));
        let refused = without.check_statement(statement).unwrap_err();
        assert_eq!(refused.code(), "statement_mismatch");
    }
}

/// Computed with `sha384sum` of coreutils.
#[test]
fn digests_are_the_documented_ones() {
    assert_eq!(
        hex::encode(statement_digest(b"{}")),
        "67cbbe028a7d4ffc6d3813a5037db203200106ed27805691d70db395866c42b304fe963e3cf76d3e678b90c129fbf444"
    );
    assert_eq!(
        hex::encode(pcr_after_extend(b"abc")),
        "b1c16eb7634112b7c9d5ebd27e62a2d4528bbfcfd68b62d3afd9ecf98e0f413a84314acce78317fb69fd895155343e09"
    );
    // PCR2 of every image with one ramdisk: the measurement of no data.
    let nothing = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA384, b"");
    assert_eq!(
        hex::encode(pcr_after_extend(nothing.as_ref())),
        "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"
    );
}
