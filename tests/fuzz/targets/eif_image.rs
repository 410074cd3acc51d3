//! Images, their ramdisks and their signatures: no panic, and every reader says the same of one file.
//!
//! An input is taken as it is for an image. What starts like a ramdisk or like a signature section is also taken for one,
//! so that mutations reach those readers without the lengths that an image's header repeats.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384};
use signer_eif::{
    contents::{self, application_ramdisk, boot_ramdisk},
    image::{Architecture, Image, MAX_SECTIONS, NewImage, SectionKind},
    measure::{Measurements, Pcr, certificate_pcr},
    metadata::Metadata,
    ramdisk,
    sign::{self, ImageSigner},
};

fuzz_target!(init: signer_fuzz::write_if_asked(seeds), |data: &[u8]| {
    if let Ok(image) = Image::parse(data) {
        examine(&image, data.len());
    }
    if data.starts_with(&[0x1f, 0x8b]) || data.starts_with(b"0707") {
        list(data);
    }
    if data.first().is_some_and(|byte| byte >> 5 == 4) {
        check(data, &Measurements::of(&unsigned_image()).pcr0);
    }
});

fn examine(image: &Image<'_>, size: usize) {
    // What `Image::parse` promises of every image that it returns.
    assert!(image.size == size && image.sections.len() <= MAX_SECTIONS);
    assert!(image.sections.iter().all(|section| section.offset + section.data.len() <= size));
    let count = |kind| image.sections.iter().filter(|section| section.kind == kind).count();
    assert!(count(SectionKind::Kernel) == 1 && count(SectionKind::Cmdline) == 1);

    let measured = Measurements::of(image);
    match image.signature() {
        Some(section) => {
            // Whoever believes a signature and whoever shows PCR8 mean the same certificate.
            let signed_by = check(section, &measured.pcr0);
            assert!(signed_by.is_none() || signed_by == measured.pcr8);
        }
        None => assert_eq!(measured.pcr8, None),
    }
    let listed = image.ramdisks().filter(|ramdisk| list(ramdisk)).count();
    // Whom an image is for is told only by one that can be listed as a whole.
    assert!(contents::kind(image).is_err() || listed == image.ramdisks().count());
    let _ = image.metadata().map(Metadata::from_json);
}

/// Whether it can be listed.
fn list(ramdisk: &[u8]) -> bool {
    let Ok(listing) = ramdisk::list(ramdisk) else { return false };
    assert!(listing.entries.iter().all(|entry| !entry.path.starts_with('/') && !entry.path.contains('\0')));
    true
}

/// The PCR8 of a signature that holds.
fn check(section: &[u8], pcr0: &Pcr) -> Option<Pcr> {
    let signed = sign::check(section, pcr0).ok()?;
    assert_eq!(sign::certificate(section).as_ref(), Ok(&signed.certificate));
    Some(certificate_pcr(&signed.certificate))
}

const PARTS: NewImage<'static> = NewImage {
    architecture: Architecture::X86_64,
    kernel: b"kernel",
    cmdline: b"reboot=k panic=30",
    metadata: b"{}",
    ramdisks: &[],
    signature: None,
};

/// What the signature among the seeds is of.
fn unsigned_image() -> Image<'static> {
    static BYTES: std::sync::LazyLock<Vec<u8>> =
        std::sync::LazyLock::new(|| PARTS.to_bytes().expect("the parts are an image"));
    Image::parse(&BYTES).expect("what was written can be read")
}

fn signature(pcr0: &Pcr) -> Vec<u8> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key can be made");
    let parameters = CertificateParams::new(Vec::new()).expect("no names are good names");
    let certificate = parameters.self_signed(&key).expect("a certificate can be made");
    let signer = ImageSigner::from_pem(key.serialize_pem().as_bytes(), certificate.pem().as_bytes());
    signer.ok().and_then(|signer| signer.section(pcr0).ok()).expect("an image can be signed")
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let elf = || b"\x7fELF".to_vec();
    let boot = boot_ramdisk(elf(), vec![("nsm.ko".to_owned(), elf())]).expect("a ramdisk");
    let application = application_ramdisk(elf(), Some(b"roots".to_vec())).expect("a ramdisk");
    let gzip = [&boot, &application].map(|ramdisk| ramdisk.to_gzip().expect("it can be compressed"));
    let cpio = [&boot, &application].map(|ramdisk| ramdisk.to_cpio().expect("it can be written"));
    let image = |ramdisks: &[Vec<u8>], is_signed: bool| {
        let ramdisks: Vec<&[u8]> = ramdisks.iter().map(Vec::as_slice).collect();
        let mut parts = NewImage { ramdisks: &ramdisks, ..PARTS };
        let bytes = parts.to_bytes().expect("the parts are an image");
        if !is_signed {
            return bytes;
        }
        let pcr0 = Measurements::of(&Image::parse(&bytes).expect("what was written can be read")).pcr0;
        let section = signature(&pcr0);
        parts.signature = Some(&section);
        parts.to_bytes().expect("the parts are an image")
    };
    vec![
        ("image", image(&gzip, false)),
        ("image-signed", image(&gzip, true)),
        ("image-plain", image(&cpio, false)),
        ("image-bare", image(&[], false)),
        ("ramdisk", gzip[0].clone()),
        ("ramdisk-plain", cpio[1].clone()),
        ("ramdisk-twice", [&cpio[0][..], &[0; 512], &cpio[1]].concat()),
        ("signature", signature(&Measurements::of(&unsigned_image()).pcr0)),
    ]
}
