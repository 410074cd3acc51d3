//! Real documents, documents of our own that break one rule each, and noise.

#[path = "../../../tests/support/builder.rs"]
mod builder;
mod checks;
mod fuzz;
mod real;
mod refused;
mod refused_chain;

use super::{Root, verify};
use builder::Builder;

#[test]
fn a_document_of_our_own_verifies() {
    let builder = Builder::new();
    let document = verify(&builder.build(), &builder.root()).unwrap();
    assert_eq!(document.module_id, builder::MODULE_ID);
    assert_eq!(document.timestamp_ms, builder::TIME_MS);
    assert_eq!(document.pcrs.len(), 16);
    assert_eq!(document.pcrs[&2], [2 + 1; 48]);
    assert_eq!(document.public_key, None);
    assert_eq!(document.user_data.as_deref(), Some(&b"data"[..]));
    assert_eq!(document.nonce.as_deref(), Some(&b"nonce"[..]));
}

#[test]
fn what_the_format_leaves_open_is_accepted() {
    type Case = (&'static str, fn(&mut Builder));
    let cases: &[Case] = &[
        ("indefinite map", |b| b.indefinite = true),
        ("optional keys absent", |b| {
            b.remove("public_key");
            b.remove("user_data");
            b.remove("nonce");
        }),
        ("empty user_data", |b| b.set("user_data", builder::bstr(&[]))),
        ("longest nonce", |b| b.set("nonce", builder::bstr(&[7; 1024]))),
        ("longest public_key", |b| b.set("public_key", builder::bstr(&[7; 1024]))),
        ("all 32 PCRs", |b| b.set("pcrs", builder::pcrs(0..32))),
        ("three PCRs", |b| b.set("pcrs", builder::pcrs(0..3))),
        ("another order of keys", |b| b.entries.reverse()),
        ("a fraction of a second", |b| b.set("timestamp", builder::uint(builder::TIME_MS + 999))),
    ];
    for (name, change) in cases {
        let mut builder = Builder::new();
        change(&mut builder);
        let result = verify(&builder.build(), &builder.root());
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}

#[test]
fn roots_come_from_pem_and_der() {
    let levels = builder::levels();
    let root = levels[0].params.self_signed(&levels[0].key).unwrap();
    let (pem, der) = (root.pem(), root.der().to_vec());
    let root = Root::from_pem(&pem).unwrap();
    assert_eq!(root, Root::from_der(&der).unwrap());
    assert_ne!(root, Root::aws());

    let two = format!("{pem}{pem}");
    for text in ["", "no certificate", &two] {
        assert_eq!(Root::from_pem(text).unwrap_err().code(), "unusable_root");
    }
    let cut = &der[..der.len() - 1];
    for der in [&[][..], b"0", cut] {
        assert_eq!(Root::from_der(der).unwrap_err().code(), "unusable_root");
    }
}
