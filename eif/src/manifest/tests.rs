//! Manifests of images of ours.

use ed25519_dalek::SigningKey;
use signer_rules::dsse::{DsseError, Envelope};

use super::*;
use crate::{
    contents::{application_ramdisk, boot_ramdisk},
    image::{Architecture, NewImage},
};

fn image(kms_roots: Option<&[u8]>) -> Vec<u8> {
    let elf = b"\x7fELF".to_vec();
    let boot = boot_ramdisk(elf.clone(), vec![("nsm.ko".into(), elf.clone())]).unwrap().to_gzip().unwrap();
    let application = application_ramdisk(elf, kms_roots.map(<[u8]>::to_vec)).unwrap().to_gzip().unwrap();
    NewImage {
        architecture: Architecture::X86_64,
        kernel: b"kernel",
        cmdline: contents::DEFAULT_CMDLINE.as_bytes(),
        metadata: b"{}",
        ramdisks: &[&boot, &application],
        signature: None,
    }
    .to_bytes()
    .unwrap()
}

fn build() -> Build {
    Build {
        kind: None,
        source_commit: "0123456789abcdef0123456789abcdef01234567".into(),
        toolchain: "rustc 1.95.0".into(),
        inputs: vec![Input { name: "linux".into(), version: "6.12".into(), sha256: HexBytes([1; 32]) }],
        build_command: "scripts/build-eif".into(),
        configurations: vec![HexBytes([2; 48])],
        nitro_cli: None,
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seeds: &[u8]) -> Vec<AdminKey> {
    seeds.iter().map(|seed| key(*seed).verifying_key().into()).collect()
}

fn signed(manifest: &Manifest, seeds: &[u8]) -> Envelope {
    let mut envelope = manifest.to_envelope().unwrap();
    for seed in seeds {
        envelope.sign(&key(*seed)).unwrap();
    }
    envelope
}

#[test]
fn a_manifest_says_what_its_image_is() {
    let file = image(None);
    let manifest = Manifest::of(&file, build()).unwrap();
    assert_eq!(manifest.kind, Kind::Production);
    assert_eq!(manifest.pcrs, Measurements::of(&Image::parse(&file).unwrap()).into());
    assert_eq!(manifest.image.size, file.len() as u64);
    assert_eq!(manifest.command_line, contents::DEFAULT_CMDLINE);
    let rows = manifest.compare(&file).unwrap();
    assert_eq!(rows.len(), 10);
    assert!(rows.iter().all(Comparison::holds));

    let other = image(Some(b"roots"));
    let failed: Vec<_> = manifest
        .compare(&other)
        .unwrap()
        .into_iter()
        .filter(|row| !row.holds())
        .map(|row| row.name)
        .collect();
    assert_eq!(failed, ["PCR0", "PCR2", "size", "SHA-256", "SHA-384", "kind"]);
}

#[test]
fn an_image_with_roots_is_for_development() {
    let file = image(Some(b"roots"));
    assert_eq!(Manifest::of(&file, build()).unwrap().kind, Kind::Development);
    let lie = Build { kind: Some(Kind::Production), ..build() };
    assert_eq!(Manifest::of(&file, lie), Err(ManifestError::DevelopmentImage));
    let stricter = Build { kind: Some(Kind::Development), ..build() };
    assert_eq!(Manifest::of(&image(None), stricter).unwrap().kind, Kind::Development);
    // An image that shows nothing.
    let opaque = include_bytes!("../../tests/images/unsigned.eif");
    assert!(matches!(Manifest::of(opaque, build()), Err(ManifestError::Kind { .. })));
    let said = Build { kind: Some(Kind::Production), nitro_cli: Some("1.4.2".into()), ..build() };
    let manifest = Manifest::of(opaque, said).unwrap();
    assert!(manifest.compare(opaque).unwrap().iter().all(Comparison::holds));
}

#[test]
fn a_signature_that_does_not_hold_is_refused() {
    let good: &[u8] = include_bytes!("../../tests/images/signed-p384.eif");
    let said = || Build { kind: Some(Kind::Production), ..build() };
    let manifest = Manifest::of(good, said()).unwrap();
    assert!(manifest.pcrs.pcr8.is_some() && manifest.compare(good).unwrap().iter().all(Comparison::holds));

    let image = Image::parse(good).unwrap();
    let with = |signature: Option<&[u8]>| {
        let ramdisks: Vec<&[u8]> = image.ramdisks().collect();
        let (kernel, cmdline, metadata) = (image.kernel(), image.cmdline(), image.metadata().unwrap());
        let architecture = image.architecture;
        NewImage { architecture, kernel, cmdline, metadata, ramdisks: &ramdisks, signature }
            .to_bytes()
            .unwrap()
    };
    let mut forged = image.signature().unwrap().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let unsigned = Manifest::of(&with(None), said()).unwrap();
    // The certificate can be read, so there is a PCR8; and one that cannot, so there is none.
    for bad in [with(Some(&forged)), with(Some(b"no signature"))] {
        assert!(matches!(Manifest::of(&bad, said()), Err(ManifestError::Signature(_))));
        for manifest in [&manifest, &unsigned] {
            let rows = manifest.compare(&bad).unwrap();
            assert!(rows.iter().any(|row| row.name == "signature" && !row.holds()), "{rows:?}");
        }
    }
}

#[test]
fn k_of_n_signers_are_distinct() {
    let manifest = Manifest::of(&image(None), build()).unwrap();
    let verify = |seeds: &[u8], signers: &[u8], threshold| {
        Manifest::verify(&signed(&manifest, seeds), &public(signers), threshold)
    };
    assert_eq!(verify(&[1, 2], &[1, 2, 3], 2), Ok(manifest.clone()));
    let quorum = |required, found| Err(ManifestError::Envelope(DsseError::Quorum { required, found }));
    assert_eq!(verify(&[1], &[1, 2, 3], 2), quorum(2, 1));
    assert_eq!(verify(&[1, 9], &[1, 2, 3], 2), quorum(2, 1));
    assert_eq!(verify(&[], &[1], 1), quorum(1, 0));
    // One key named twice is one signer.
    assert_eq!(verify(&[1], &[1, 1], 2), Err(ManifestError::Threshold { threshold: 2, signers: 1 }));
    assert_eq!(verify(&[1], &[1], 0), Err(ManifestError::Threshold { threshold: 0, signers: 1 }));
    assert_eq!(verify(&[1], &[], 1), Err(ManifestError::Threshold { threshold: 1, signers: 0 }));
}

#[test]
fn a_statement_of_another_kind_is_no_manifest() {
    let manifest = Manifest::of(&image(None), build()).unwrap();
    let mut other =
        Envelope::unsigned("application/vnd.nitro-signer.policy.v1+json", &manifest.to_json().unwrap());
    other.sign(&key(1)).unwrap();
    let wrong = |result: Result<Manifest, ManifestError>| {
        matches!(result, Err(ManifestError::Envelope(DsseError::WrongType { .. })))
    };
    assert!(wrong(Manifest::verify(&other, &public(&[1]), 1)));
    assert!(wrong(Manifest::unverified(&other)));
}

#[test]
fn there_is_one_spelling() {
    let manifest = Manifest::of(&image(None), build()).unwrap();
    let json = String::from_utf8(manifest.to_json().unwrap()).unwrap();
    assert_eq!(Manifest::from_json(json.as_bytes()), Ok(manifest.clone()));
    let read = |text: &str| Manifest::from_json(text.as_bytes()).unwrap_err();
    assert_eq!(read(json.trim_end()), ManifestError::Spelling);
    assert_eq!(read(&json.replacen("  ", "   ", 1)), ManifestError::Spelling);
    for bad in [
        json.replacen('{', "{\"extra\":1,", 1),
        json.replacen('{', "{\"format\":\"nitro-signer/image-manifest/v1\",", 1),
        json.replacen("\"kind\": \"production\"", "\"kind\": \"test\"", 1),
        json.replacen("PCR0", "PCR9", 1),
        json.clone() + "{}",
    ] {
        assert!(matches!(read(&bad), ManifestError::Malformed(_)), "{bad}");
    }
    assert!(matches!(read(&json.replacen("manifest/v1", "manifest/v2", 1)), ManifestError::Format { .. }));
    let pcr0 = manifest.pcrs.pcr0.to_string();
    assert_eq!(read(&json.replace(&pcr0, &"0".repeat(96))), ManifestError::ZeroPcr);
    assert_eq!(read(&json.replace("0123456789abcdef", "0123456789ABCDEF")), ManifestError::Commit);
}

#[test]
fn what_says_nothing_is_refused() {
    let of = |build| Manifest::of(&image(None), build).unwrap_err();
    assert_eq!(of(Build { source_commit: "main".into(), ..build() }), ManifestError::Commit);
    assert_eq!(
        of(Build { toolchain: String::new(), ..build() }),
        ManifestError::Text { member: "toolchain" }
    );
    let painted = Build { build_command: "\x1b[2J".into(), ..build() };
    assert_eq!(of(painted), ManifestError::Text { member: "build_command" });
    let many = Build { configurations: vec![HexBytes([0; 48]); MAX_CONFIGURATIONS + 1], ..build() };
    assert!(matches!(of(many), ManifestError::TooMany { .. }));
    let mut damaged = image(None);
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(Manifest::of(&damaged, build()), Err(ManifestError::Crc));
    assert!(matches!(Manifest::of(b"", build()), Err(ManifestError::Image(_))));
}
