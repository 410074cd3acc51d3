//! Signing, and signatures that do not hold. Signatures of AWS's own builder are in `image/tests.rs`.

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SignatureAlgorithm};
use signer_rules::hex_bytes::HexBytes;

use super::*;

const PCR0: Pcr = HexBytes([7; 48]);

struct Pair {
    key: String,
    certificate: String,
    der: Vec<u8>,
}

fn pair(algorithm: &'static SignatureAlgorithm) -> Pair {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    Pair { key: key.serialize_pem(), certificate: certificate.pem(), der: certificate.der().to_vec() }
}

fn p384() -> Pair {
    pair(&PKCS_ECDSA_P384_SHA384)
}

fn signer(pair: &Pair) -> ImageSigner {
    ImageSigner::from_pem(pair.key.as_bytes(), pair.certificate.as_bytes()).ok().unwrap()
}

fn refused(key: &str, certificate: &str) -> SignError {
    ImageSigner::from_pem(key.as_bytes(), certificate.as_bytes()).err().unwrap()
}

#[test]
fn what_is_signed_verifies_and_is_always_the_same() {
    let pair = p384();
    let section = signer(&pair).section(&PCR0).unwrap();
    assert_eq!(section, signer(&pair).section(&PCR0).unwrap());
    let signed = check(&section, &PCR0).unwrap();
    assert_eq!(signed.certificate, pair.der);
    assert_eq!(certificate(&section).unwrap(), pair.der);
    assert_eq!(signer(&pair).certificate(), pair.der);
    // As nitro-cli writes it: an array of one map, and arrays of numbers for byte strings.
    let start = b"\x81\xa2\x73signing_certificate\x99";
    assert_eq!(&section[..start.len()], start);
}

#[test]
fn of_the_certificates_file_only_the_certificate_is_published() {
    let pair = p384();
    let plain = signer(&pair).section(&PCR0).unwrap();
    for text in [
        format!("{}{}", pair.key, pair.certificate),
        format!("{}{}", pair.certificate, pair.key),
        format!("Bag Attributes: mine\n{}", pair.certificate.replace('\n', "\r\n")),
    ] {
        let signer = ImageSigner::from_pem(text.as_bytes(), text.as_bytes()).or_else(|_| {
            // The last text has no key in it.
            ImageSigner::from_pem(pair.key.as_bytes(), text.as_bytes())
        });
        let section = signer.ok().unwrap().section(&PCR0).unwrap();
        assert_eq!(section, plain);
        let pem = published_pem(&section);
        assert!(!pem.contains("PRIVATE") && !pem.contains("Bag"), "{pem}");
        assert!(pem.lines().all(|line| line.len() <= 64), "{pem}");
    }
}

/// The text that the section holds as an array of numbers.
fn published_pem(section: &[u8]) -> String {
    let mut decoder = minicbor::Decoder::new(section);
    assert_eq!((decoder.array().unwrap(), decoder.map().unwrap()), (Some(1), Some(2)));
    assert_eq!(decoder.str().unwrap(), "signing_certificate");
    let bytes: Result<Vec<u8>, _> = decoder.array_iter::<u8>().unwrap().collect();
    String::from_utf8(bytes.unwrap()).unwrap()
}

#[test]
fn the_payload_is_spelt_as_nitro_cli_spells_it() {
    // The test vector of image-format 0.8.1 (PCR_INFO_0_8_0).
    let expected = "a26e72656769737465725f696e646578006e72656769737465725f76616c7565983000010203040506070809\
        0a0b0c0d0e0f101112131415161718181819181a181b181c181d181e181f1820182118221823182418251826182718281829182a182b\
        182c182d182e182f";
    let pcr = HexBytes(std::array::from_fn(|index| u8::try_from(index).unwrap()));
    assert_eq!(hex::encode(section::payload(&pcr)), expected);
}

#[test]
fn keys_and_certificates_that_do_not_fit_are_refused() {
    let (one, other, p256) = (p384(), p384(), pair(&PKCS_ECDSA_P256_SHA256));
    assert_eq!(refused(&one.key, &other.certificate), SignError::OtherKey);
    assert!(matches!(refused(&p256.key, &p256.certificate), SignError::Key { .. }));
    assert!(matches!(refused("", &one.certificate), SignError::Key { .. }));
    assert!(matches!(refused(&one.certificate, &one.certificate), SignError::Key { .. }));
    let encrypted = one.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    assert!(refused(&encrypted, &one.certificate).to_string().contains("decrypt it"));
    assert!(matches!(refused(&one.key, &one.key), SignError::Certificate { .. }));
    let two = format!("{}{}", one.certificate, other.certificate);
    assert!(refused(&one.key, &two).to_string().contains("more than one"));
}

#[test]
fn signatures_that_do_not_hold_are_told_apart() {
    let pair = p384();
    let section = signer(&pair).section(&PCR0).unwrap();
    let other = HexBytes([8; 48]);
    assert!(matches!(check(&section, &other), Err(CheckError::OtherImage { .. })));
    // The last number of the array is of the signature.
    let mut forged = section.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert!(matches!(check(&forged, &PCR0), Err(CheckError::BadSignature | CheckError::Malformed { .. })));
    // Another certificate in front of the same signature.
    let stranger = signer(&p384()).section(&PCR0).unwrap();
    let split = |bytes: &[u8]| bytes.windows(10).position(|window| window == b"\x69signature").unwrap();
    let mixed = [&stranger[..split(&stranger)], &section[split(&section)..]].concat();
    assert_eq!(check(&mixed, &PCR0), Err(CheckError::BadSignature));
    assert_eq!(check(&[0x80], &PCR0), Err(CheckError::Count { actual: 0 }));
    assert_eq!(check(&[0x82], &PCR0), Err(CheckError::Count { actual: 2 }));
    assert!(matches!(check(&[0x81, 0xa0], &PCR0), Err(CheckError::Malformed { .. })));
    assert!(matches!(check(&[], &PCR0), Err(CheckError::Malformed { .. })));
    assert!(matches!(check(&[&section[..], &[0]].concat(), &PCR0), Err(CheckError::Malformed { .. })));
    let large = vec![0x80; check::MAX_SECTION + 1];
    assert_eq!(check(&large, &PCR0), Err(CheckError::TooLarge { actual: large.len() }));
}

#[test]
fn another_algorithm_than_the_keys_is_refused() {
    let pair = p384();
    let message = section::encoded(|e| {
        e.array(4)?.bytes(&[0xa1, 0x01, 0x26])?.map(0)?.bytes(&section::payload(&PCR0))?.bytes(&[1; 96])?.ok()
    });
    let made = section::encoded(|e| {
        e.array(1)?.map(2)?.str("signature")?.bytes(&message)?;
        e.str("signing_certificate")?.bytes(pair.certificate.as_bytes())?.ok()
    });
    assert_eq!(check(&made, &PCR0), Err(CheckError::Algorithm { actual: "a10126".into() }));
}

proptest! {
    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = check(&noise, &PCR0);
        let _ = check(&[b"\x81\xa2\x73signing_certificate", &noise[..]].concat(), &PCR0);
    }

    #[test]
    fn every_damage_to_the_signature_shows(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let section = signer(&p384()).section(&PCR0).unwrap();
        // The certificate before it is not covered: PCR8 is its digest, so another one is another PCR8.
        let start = section.windows(10).position(|window| window == b"\x69signature").unwrap();
        let mut damaged = section.clone();
        let at = start + at.index(damaged.len() - start);
        damaged[at] ^= 1_u8 << bit;
        prop_assert!(check(&damaged, &PCR0).is_err(), "byte {}", at);
    }
}
