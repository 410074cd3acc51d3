//! Envelopes and payloads that break one rule each, otherwise good and signed.

use super::{
    Builder,
    builder::{array, bstr, null, pcr_map, pcrs, text, uint},
    verify,
};
use crate::verify::{MAX_DOCUMENT, Root};

fn code(bytes: &[u8], root: &Root) -> &'static str {
    verify(bytes, root).map_or_else(|e| e.code(), |_| "verified")
}

#[test]
fn every_rule_of_the_envelope() {
    type Case = (&'static str, &'static str, fn(&mut Builder) -> Vec<u8>);
    let cases: &[Case] = &[
        ("empty", "malformed_cbor", |_| Vec::new()),
        ("too large", "document_too_large", |_| vec![0x84; MAX_DOCUMENT + 1]),
        ("a text", "not_cose_sign1", |_| text("document")),
        ("three items", "not_cose_sign1", |b| patched(b, 0, 0x83)),
        ("five items", "not_cose_sign1", |b| patched(b, 0, 0x85)),
        ("indefinite array", "not_cose_sign1", |b| [&patched(b, 0, 0x9f)[..], &[0xff]].concat()),
        ("tag 18", "cose_tagged", |b| [&[0xd2], &b.build()[..]].concat()),
        ("algorithm ES256", "protected_header", |b| {
            b.protected = vec![0xa1, 0x01, 0x26];
            b.build()
        }),
        ("algorithm ES512", "protected_header", |b| {
            b.protected = vec![0xa1, 0x01, 0x38, 0x23];
            b.build()
        }),
        ("empty protected header", "protected_header", |b| {
            b.protected = Vec::new();
            b.build()
        }),
        ("one more protected header", "protected_header", |b| {
            b.protected = vec![0xa2, 0x01, 0x38, 0x22, 0x04, 0x40];
            b.build()
        }),
        ("unprotected header", "unprotected_header", |b| {
            b.unprotected = vec![0xa1, 0x04, 0x40];
            b.build()
        }),
        ("unprotected header, indefinite", "unprotected_header", |b| {
            b.unprotected = vec![0xbf, 0xff];
            b.build()
        }),
        ("signature truncated", "signature_length", |b| {
            let payload = b.payload();
            b.frame(&payload, &b.sign(&payload)[..95])
        }),
        ("signature too long", "signature_length", |b| {
            let payload = b.payload();
            b.frame(&payload, &[b.sign(&payload), vec![0]].concat())
        }),
        ("document truncated", "malformed_cbor", |b| {
            let mut bytes = b.build();
            bytes.pop();
            bytes
        }),
        ("trailing byte", "trailing_bytes", |b| [&b.build()[..], &[0]].concat()),
        ("long form of a length", "not_shortest_form", |b| {
            // The protected header's length, 4, in two bytes instead of one.
            [&[0x84, 0x58, 0x04], &b.build()[2..]].concat()
        }),
        ("payload swapped", "bad_signature", |b| {
            let signature = b.sign(&b.payload());
            b.set("nonce", bstr(b"other"));
            b.frame(&b.payload(), &signature)
        }),
        ("signature of zeros", "bad_signature", |b| b.frame(&b.payload(), &[0; 96])),
        ("halves of the signature swapped", "bad_signature", |b| {
            let payload = b.payload();
            let signature = b.sign(&payload);
            b.frame(&payload, &[&signature[48..], &signature[..48]].concat())
        }),
    ];
    for (name, expected, make) in cases {
        let mut builder = Builder::new();
        let bytes = make(&mut builder);
        assert_eq!(code(&bytes, &builder.root()), *expected, "{name}");
    }
}

#[test]
fn every_rule_of_the_payload() {
    type Case = (&'static str, &'static str, fn(&mut Builder));
    let cases: &[Case] = &[
        ("unknown key", "unknown_key", |b| b.push("extra", null())),
        ("key of another case", "unknown_key", |b| b.push("Nonce", null())),
        ("nonce twice", "key_twice", |b| b.push("nonce", null())),
        ("module_id twice", "key_twice", |b| {
            b.push("module_id", text("i-1-enc1"));
        }),
        ("certificate twice", "key_twice", |b| {
            b.push("certificate", bstr(&[1]));
        }),
        ("no module_id", "key_absent", |b| b.remove("module_id")),
        ("no digest", "key_absent", |b| b.remove("digest")),
        ("no timestamp", "key_absent", |b| b.remove("timestamp")),
        ("no pcrs", "key_absent", |b| b.remove("pcrs")),
        ("no certificate", "key_absent", |b| b.remove("certificate")),
        ("no cabundle", "key_absent", |b| b.remove("cabundle")),
        ("NitroTPM", "nitrotpm_document", |b| {
            b.remove("pcrs");
            b.push("nitrotpm_pcrs", pcrs(0..16));
        }),
        ("an instance", "module_id", |b| b.set("module_id", text("i-0123"))),
        ("empty module_id", "module_id", |b| b.set("module_id", text(""))),
        ("SHA256", "digest", |b| b.set("digest", text("SHA256"))),
        ("sha384", "digest", |b| b.set("digest", text("sha384"))),
        ("timestamp 0", "timestamp", |b| b.set("timestamp", uint(0))),
        ("timestamp beyond 9999", "timestamp", |b| {
            b.set("timestamp", uint(u64::MAX));
        }),
        ("timestamp negative", "malformed_cbor", |b| b.set("timestamp", vec![0x20])),
        ("no PCR at all", "pcr_absent", |b| b.set("pcrs", pcrs(0..0))),
        ("no PCR 0", "pcr_absent", |b| b.set("pcrs", pcrs(1..16))),
        ("no PCR 2", "pcr_absent", |b| b.set("pcrs", pcrs(0..2))),
        ("PCR 32", "pcr_index", |b| b.set("pcrs", pcrs(0..33))),
        ("PCR 256", "pcr_index", |b| {
            b.set("pcrs", pcr_map(&[(256, vec![1; 48])]));
        }),
        ("short PCR", "pcr_length", |b| {
            b.set("pcrs", pcr_map(&[(0, vec![1; 32])]));
        }),
        ("long PCR", "pcr_length", |b| {
            b.set("pcrs", pcr_map(&[(0, vec![1; 64])]));
        }),
        ("PCR twice", "pcr_twice", |b| {
            b.set("pcrs", pcr_map(&[(0, vec![1; 48]), (0, vec![1; 48])]));
        }),
        ("empty cabundle", "bundle_empty", |b| b.set("cabundle", array(&[]))),
        ("nine in cabundle", "bundle_too_long", |b| {
            b.set("cabundle", array(&vec![vec![1]; 9]));
        }),
        ("empty one in cabundle", "field_length", |b| {
            b.set("cabundle", array(&[Vec::new()]));
        }),
        ("long one in cabundle", "field_length", |b| {
            b.set("cabundle", array(&[vec![1; 1025]]));
        }),
        ("empty certificate", "field_length", |b| b.set("certificate", bstr(&[]))),
        ("long certificate", "field_length", |b| {
            b.set("certificate", bstr(&[1; 1025]));
        }),
        ("empty public_key", "field_length", |b| b.set("public_key", bstr(&[]))),
        ("long public_key", "field_length", |b| {
            b.set("public_key", bstr(&[1; 1025]));
        }),
        ("long user_data", "field_length", |b| {
            b.set("user_data", bstr(&[1; 1025]));
        }),
        ("long nonce", "field_length", |b| b.set("nonce", bstr(&[1; 1025]))),
        ("nonce is a text", "malformed_cbor", |b| b.set("nonce", text("nonce"))),
        ("nonce in pieces", "malformed_cbor", |b| {
            b.set("nonce", vec![0x5f, 0x41, 0x01, 0xff]);
        }),
        ("nonce undefined", "malformed_cbor", |b| b.set("nonce", vec![0xf7])),
        ("certificate null", "malformed_cbor", |b| b.set("certificate", null())),
    ];
    for (name, expected, change) in cases {
        let mut builder = Builder::new();
        change(&mut builder);
        assert_eq!(code(&builder.build(), &builder.root()), *expected, "{name}");
    }
}

#[test]
fn a_payload_that_is_not_one_map() {
    let builder = Builder::new();
    let root = builder.root();
    let good = builder.payload();
    let trailing = [&good[..], &[0xf6]].concat();
    let missing = &good[..good.len() - 1];
    let mut endless = Builder::new();
    endless.indefinite = true;
    let mut endless = endless.payload();
    endless.pop();
    // A map that claims 2^64 - 1 entries costs nothing.
    let claims = [&[0xbb], &[0xff; 8][..]].concat();

    let cases = [
        ("trailing byte", &trailing[..], "trailing_payload_bytes"),
        ("cut", missing, "malformed_cbor"),
        ("no break", &endless, "malformed_cbor"),
        ("huge claim", &claims, "malformed_cbor"),
        ("empty", &[], "malformed_cbor"),
        ("array", &[0x80], "malformed_cbor"),
        ("number as key", &[0xa1, 0x01, 0x01], "malformed_cbor"),
    ];
    for (name, payload, expected) in cases {
        let bytes = builder.build_with(payload);
        assert_eq!(code(&bytes, &root), expected, "{name}");
    }
}

#[test]
fn quoted_texts_are_cut() {
    let mut builder = Builder::new();
    builder.set("digest", text(&"\n".repeat(4000)));
    let message = verify(&builder.build(), &builder.root()).unwrap_err().to_string();
    assert!(message.len() < 200 && !message.contains('\n'), "{message}");
}

/// A good document with one byte replaced.
fn patched(builder: &Builder, position: usize, byte: u8) -> Vec<u8> {
    let mut bytes = builder.build();
    bytes[position] = byte;
    bytes
}
