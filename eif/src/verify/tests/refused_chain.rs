//! Chains that break one rule each; everything else about the document is good.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, date_time_ymd,
};

use super::{
    Builder,
    builder::{self, Level, array, issue, levels, uint},
    verify,
};

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn every_rule_of_the_certificates() {
    type Case = (&'static str, &'static str, fn(&mut Vec<Level>));
    let cases: &[Case] = &[
        ("as it should be", "verified", |_| ()),
        ("no extension for CA false", "verified", |l| {
            l[4].params.is_ca = IsCa::NoCa;
        }),
        ("leaf expired", "certificate_time", |l| {
            l[4].params.not_after = date_time_ymd(2026, 1, 1) - Duration::from_secs(1);
        }),
        ("leaf not valid yet", "certificate_time", |l| {
            l[4].params.not_before = date_time_ymd(2026, 1, 1) + MINUTE;
        }),
        ("instance expired", "certificate_time", |l| {
            l[3].params.not_after = date_time_ymd(2026, 1, 1) - MINUTE;
        }),
        ("regional not valid yet", "certificate_time", |l| {
            l[1].params.not_before = date_time_ymd(2026, 1, 1) + MINUTE;
        }),
        ("root expired", "certificate_time", |l| {
            l[0].params.not_after = date_time_ymd(2025, 1, 1);
        }),
        ("leaf is a CA", "leaf_is_ca", |l| {
            l[4].params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        }),
        ("instance is no CA", "not_ca", |l| {
            l[3].params.is_ca = IsCa::ExplicitNoCa;
        }),
        ("regional does not say", "not_ca", |l| {
            l[1].params.is_ca = IsCa::NoCa;
        }),
        ("root is no CA", "not_ca", |l| {
            l[0].params.is_ca = IsCa::ExplicitNoCa;
        }),
        ("regional allows one CA less", "path_length", |l| {
            l[1].params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        }),
        ("root allows one CA less", "path_length", |l| {
            l[0].params.is_ca = IsCa::Ca(BasicConstraints::Constrained(2));
        }),
        ("one CA more than zonal allows", "path_length", |l| {
            let mut params = builder::named("another");
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            l[3].params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            l.insert(4, builder::level(params));
        }),
        ("leaf may not sign", "key_usage", |l| {
            l[4].params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
        }),
        ("leaf has no key usage", "key_usage", |l| {
            l[4].params.key_usages = Vec::new();
        }),
        ("zonal may not certify", "key_usage", |l| {
            l[2].params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        }),
        ("root has no key usage", "key_usage", |l| {
            l[0].params.key_usages = Vec::new();
        }),
        ("leaf is for servers", "extended_key_usage", |l| {
            l[4].params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
        ("leaf on P-256", "certificate_key", |l| {
            l[4].key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        }),
        ("leaf is Ed25519", "certificate_key", |l| {
            l[4].key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        }),
        ("zonal on P-256", "certificate_key", |l| {
            l[2].key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        }),
        ("root on P-256", "certificate_algorithm", |l| {
            l[0].key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        }),
        ("unknown critical extension", "critical_extension", |l| {
            let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            extension.set_criticality(true);
            l[4].params.custom_extensions = vec![extension];
        }),
    ];
    for (name, expected, change) in cases {
        let mut levels = levels();
        change(&mut levels);
        let chain = issue(&levels);
        // Where the signing key cannot sign ES384, the chain is refused first, whoever signed.
        let key = if levels.last().unwrap().key.is_compatible(&PKCS_ECDSA_P384_SHA384) {
            levels.last().unwrap().key.serialize_der()
        } else {
            levels[3].key.serialize_der()
        };
        assert_eq!(code(&Builder::with_chain(&chain, key)), *expected, "{name}");
    }
}

#[test]
fn every_rule_of_the_bundle() {
    type Case = (&'static str, &'static str, fn(&mut Vec<Vec<u8>>));
    let cases: &[Case] = &[
        ("as it should be", "verified", |_| ()),
        ("no root", "wrong_root", |c| drop(c.remove(0))),
        ("root last", "wrong_root", |c| c.rotate_left(1)),
        ("another root", "wrong_root", |c| c[0].clone_from(&issue(&levels())[0])),
        ("root changed in one bit", "wrong_root", |c| *c[0].last_mut().unwrap() ^= 1),
        ("root only", "unknown_issuer", |c| c.truncate(1)),
        ("no regional", "unknown_issuer", |c| drop(c.remove(1))),
        ("no instance", "unknown_issuer", |c| drop(c.remove(3))),
        ("swapped", "bundle_order", |c| c.swap(1, 2)),
        ("one twice", "bundle_order", |c| c.push(c[3].clone())),
        ("a stranger", "bundle_order", |c| c.push(issue(&levels())[1].clone())),
        ("noise", "bad_certificate", |c| c[2] = vec![0x30; 500]),
        ("trailing byte", "bad_certificate", |c| c[2].push(0)),
        ("forged signature", "certificate_signature", |c| {
            *c[3].last_mut().unwrap() ^= 1;
        }),
        ("same names, other keys", "certificate_signature", |c| {
            c[3].clone_from(&issue(&levels())[3]);
        }),
    ];
    let levels = levels();
    let chain = issue(&levels);
    for (name, expected, change) in cases {
        let mut bundle = chain[..4].to_vec();
        change(&mut bundle);
        let mut builder = Builder::with_chain(&chain, levels[4].key.serialize_der());
        builder.set("cabundle", array(&bundle));
        assert_eq!(code(&builder), *expected, "{name}");
    }
}

#[test]
fn the_chain_is_judged_at_the_documents_time() {
    for (offset, expected) in [(0, "verified"), (3 * 3600, "verified"), (3 * 3600 + 1, "certificate_time")] {
        let mut builder = Builder::new();
        builder.set("timestamp", uint(builder::TIME_MS + offset * 1000));
        assert_eq!(code(&builder), expected, "{offset}");
    }
}

#[test]
fn a_document_signed_by_another_key_of_the_chain_is_refused() {
    let levels = levels();
    let builder = Builder::with_chain(&issue(&levels), levels[3].key.serialize_der());
    assert_eq!(code(&builder), "bad_signature");
}

fn code(builder: &Builder) -> &'static str {
    verify(&builder.build(), &builder.root()).map_or_else(|e| e.code(), |_| "verified")
}
