//! Images of AWS's own builder (see `eif/tests/images/README.md`), images of ours, damaged images, and noise.

use proptest::prelude::*;

use super::*;
use crate::{measure::Measurements, sign};

const UNSIGNED: &[u8] = include_bytes!("../../tests/images/unsigned.eif");
const ONE_RAMDISK: &[u8] = include_bytes!("../../tests/images/one-ramdisk.eif");
const SIGNED_P256: &[u8] = include_bytes!("../../tests/images/signed-p256.eif");
const SIGNED_P384: &[u8] = include_bytes!("../../tests/images/signed-p384.eif");
const SIGNED_P521: &[u8] = include_bytes!("../../tests/images/signed-p521.eif");

/// PCR2 of every image with one ramdisk: nothing, extended once.
const NOTHING: &str =
    "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a";

fn new<'a>(ramdisks: &'a [&'a [u8]]) -> NewImage<'a> {
    NewImage {
        architecture: Architecture::X86_64,
        kernel: b"kernel",
        cmdline: b"reboot=k panic=30",
        metadata: b"{}",
        ramdisks,
        signature: None,
    }
}

fn kinds(image: &Image<'_>) -> Vec<SectionKind> {
    image.sections.iter().map(|section| section.kind).collect()
}

#[test]
fn images_of_awss_builder_measure_as_it_says() {
    use SectionKind::{Cmdline, Kernel, Metadata, Ramdisk, Signature};

    let image = Image::parse(UNSIGNED).unwrap();
    assert!(image.crc_holds());
    assert_eq!((image.version, image.architecture), (4, Architecture::X86_64));
    assert_eq!(kinds(&image), [Kernel, Cmdline, Metadata, Ramdisk, Ramdisk, Ramdisk]);
    assert_eq!((image.kernel(), image.cmdline()), (&b"kernel"[..], &b"reboot=k panic=30"[..]));
    assert!(image.ramdisks().eq([&b"first ramdisk"[..], b"second ramdisk", b"third"]));
    let measured = Measurements::of(&image);
    assert_eq!(
        measured.pcr0.to_string(),
        "126cc11f2005e8c98cf30c40cff8db5b76fdb31504550dfc1c89cc754cbca6dfa14761cb84a4b5aa7895aabe33808446"
    );
    assert_eq!(
        measured.pcr1.to_string(),
        "3c1aea2dba7b8ef906251bbc45fec21ca142957fdeb94c267a301f8752c7aa059d5daed9cbf315a13cd050e8fea7dad3"
    );
    assert_eq!(
        measured.pcr2.to_string(),
        "6dbbca867c3702045c87f814ad9b90e97b7c74322b91b5139a192d74b9fe60198c709321fb2f339460199290d2e58894"
    );
    assert_eq!(measured.pcr8, None);

    let one = Measurements::of(&Image::parse(ONE_RAMDISK).unwrap());
    assert_eq!((one.pcr0, one.pcr1), (measured.pcr1, measured.pcr1));
    assert_eq!(one.pcr2.to_string(), NOTHING);

    let image = Image::parse(SIGNED_P384).unwrap();
    assert!(image.crc_holds());
    assert_eq!(kinds(&image).last(), Some(&Signature));
    assert_eq!(
        Measurements::of(&image).pcr8.unwrap().to_string(),
        "f68ab82f80f4d05da43ad275dd2f9bd7a203e18e66902b3455350d16f288e8f4ad8bc637b675adf72c56d158050883b6"
    );
}

#[test]
fn signatures_of_awss_builder_verify() {
    for (file, name) in [
        (SIGNED_P256, "CN=p256"),
        (SIGNED_P384, "O=Nitro Signer tests,CN=image test"),
        (SIGNED_P521, "CN=p521"),
    ] {
        let image = Image::parse(file).unwrap();
        assert!(image.crc_holds(), "{name}");
        let signed = sign::check(image.signature().unwrap(), &Measurements::of(&image).pcr0).unwrap();
        assert_eq!(signed.subject, name);
    }
}

#[test]
fn the_writer_writes_what_awss_builder_writes() {
    for file in [UNSIGNED, ONE_RAMDISK, SIGNED_P256, SIGNED_P384, SIGNED_P521] {
        let image = Image::parse(file).unwrap();
        let ramdisks: Vec<&[u8]> = image.ramdisks().collect();
        let again = NewImage {
            architecture: image.architecture,
            kernel: image.kernel(),
            cmdline: image.cmdline(),
            metadata: image.metadata().unwrap(),
            ramdisks: &ramdisks,
            signature: image.signature(),
        };
        assert_eq!(again.to_bytes().unwrap(), file);
    }
}

#[test]
fn what_the_format_leaves_open_is_accepted() {
    let arm = NewImage { architecture: Architecture::Aarch64, ..new(&[]) }.to_bytes().unwrap();
    assert_eq!(Image::parse(&arm).unwrap().architecture, Architecture::Aarch64);
    // Older versions, which have no metadata.
    for version in [2, 3] {
        let old = raw(version, &[(1, b"kernel"), (2, b"cmdline"), (3, b"ramdisk")]);
        assert_eq!(Image::parse(&old).unwrap().version, version);
    }
    let order = raw(4, &[(5, b"{}"), (2, b"cmdline"), (1, b"kernel"), (3, b""), (4, b"x")]);
    let image = Image::parse(&order).unwrap();
    assert_eq!((image.metadata(), image.signature()), (Some(&b"{}"[..]), Some(&b"x"[..])));
    // What precedes the tables but for flags and version has no meaning: memory, processors, reserved.
    let mut other = new(&[]).to_bytes().unwrap();
    other[8..26].fill(7);
    assert!(Image::parse(&other).is_ok_and(|image| !image.crc_holds()));
}

#[test]
fn every_damage_shows() {
    let file = new(&[b"first", b"second"]).to_bytes().unwrap();
    assert!(Image::parse(&file).unwrap().crc_holds());
    for index in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[index] ^= 1 << bit;
            assert!(
                !Image::parse(&damaged).is_ok_and(|image| image.crc_holds()),
                "bit {bit} of byte {index}"
            );
        }
    }
    for length in 0..file.len() {
        assert!(Image::parse(&file[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn bad_files_are_refused_for_what_they_are() {
    type Change = fn(&mut Vec<u8>);
    use ImageError as E;
    // Two ramdisks: five sections, at 548, 566, 595, 609 and 626; 644 bytes.
    let cases: &[(&str, Change, E)] = &[
        ("empty", Vec::clear, E::HeaderCutOff { actual: 0 }),
        ("one byte", |f| f.truncate(1), E::HeaderCutOff { actual: 1 }),
        ("cut in the header", |f| f.truncate(547), E::HeaderCutOff { actual: 547 }),
        ("header alone", |f| f.truncate(548), E::Outside { index: 0, offset: 548, size: 6, file: 548 }),
        ("cut in the kernel", |f| f.truncate(565), E::Outside { index: 0, offset: 548, size: 6, file: 565 }),
        ("cut in the last", |f| f.truncate(643), E::Outside { index: 4, offset: 626, size: 6, file: 643 }),
        ("magic", |f| f[0] = b'E', E::Magic { actual: "45656966".into() }),
        ("a program", |f| f[..4].copy_from_slice(b"\x7fELF"), E::Magic { actual: "7f454c46".into() }),
        ("version 1", |f| f[5] = 1, E::Version { actual: 1 }),
        ("version 5", |f| f[5] = 5, E::Version { actual: 5 }),
        ("version 1024", |f| f[4..6].copy_from_slice(&[4, 0]), E::Version { actual: 1024 }),
        ("flags", |f| f[7] = 2, E::Flags { actual: 2 }),
        ("no section", |f| f[27] = 0, E::SectionCount { actual: 0 }),
        ("one section", |f| f[27] = 1, E::SectionCount { actual: 1 }),
        ("too many sections", |f| f[27] = 33, E::SectionCount { actual: 33 }),
        ("far too many", |f| f[26] = 0xff, E::SectionCount { actual: 0xff05 }),
        ("a section uncounted", |f| f[27] = 4, E::UnusedRow { count: 4, row: 4 }),
        ("a section too much", |f| f[27] = 6, E::Overlap { index: 5, offset: 0, previous_end: 644 }),
        ("unused offset", |f| set(f, offset(20), 9), E::UnusedRow { count: 5, row: 20 }),
        ("unused size", |f| set(f, size(31), 9), E::UnusedRow { count: 5, row: 31 }),
        ("offset too large", |f| set(f, offset(0), u64::MAX), outside(0, u64::MAX, 6)),
        ("size too large", |f| set(f, size(0), u64::MAX), outside(0, 548, u64::MAX)),
        ("sum too large", |f| set(f, size(4), u64::MAX - 637), outside(4, 626, u64::MAX - 637)),
        ("past the end", |f| set(f, offset(4), 627), outside(4, 627, 6)),
        ("in the header", |f| set(f, offset(0), 8), E::Overlap { index: 0, offset: 8, previous_end: 548 }),
        ("onto another", |f| set(f, offset(1), 548), E::Overlap { index: 1, offset: 548, previous_end: 566 }),
        ("a gap", |f| set(f, offset(1), 567), E::Gap { index: 1, offset: 567, previous_end: 566 }),
        ("type 0", |f| f[549] = 0, E::SectionType { index: 0, actual: 0 }),
        ("type 6", |f| f[549] = 6, E::SectionType { index: 0, actual: 6 }),
        ("section flags", |f| f[551] = 1, E::SectionFlags { index: 0, actual: 1 }),
        ("sizes", |f| set(f, 552, 5), E::SizesDisagree { index: 0, table: 6, own: 5 }),
        ("trailing", |f| f.extend([0; 3]), E::TrailingBytes { count: 3 }),
        ("two kernels", |f| f[567] = 1, E::Twice { kind: SectionKind::Kernel }),
        ("two command lines", |f| f[596] = 2, E::Twice { kind: SectionKind::Cmdline }),
        ("ramdisk first", |f| f[549] = 3, E::RamdiskBeforeKernel { index: 0 }),
        ("no command line", |f| f[567] = 4, E::Absent { kind: SectionKind::Cmdline }),
        ("no metadata", |f| f[596] = 4, E::Absent { kind: SectionKind::Metadata }),
    ];
    let good = new(&[b"first", b"second"]).to_bytes().unwrap();
    assert_eq!(good.len(), 644);
    for (name, change, expected) in cases {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(Image::parse(&bad).unwrap_err(), *expected, "{name}");
    }
    let absent = raw(4, &[(5, b"{}"), (2, b"cmdline")]);
    assert_eq!(Image::parse(&absent).unwrap_err(), E::Absent { kind: SectionKind::Kernel });
}

#[test]
fn what_cannot_be_written_is_refused() {
    let many: Vec<&[u8]> = vec![b"ramdisk"; 30];
    assert_eq!(new(&many).to_bytes(), Err(WriteError::TooManySections { actual: 33 }));
    assert_eq!(Image::parse(&new(&many[..29]).to_bytes().unwrap()).unwrap().sections.len(), 32);
    assert_eq!(NewImage { kernel: b"", ..new(&[]) }.to_bytes(), Err(WriteError::EmptyKernel));
    assert_eq!(NewImage { cmdline: b"a\0b", ..new(&[]) }.to_bytes(), Err(WriteError::ZeroInCmdline));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        kernel in prop::collection::vec(any::<u8>(), 1..200),
        cmdline in "[ -~]{0,60}",
        metadata in prop::collection::vec(any::<u8>(), 0..100),
        ramdisks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..6),
        signature in prop::option::of(prop::collection::vec(any::<u8>(), 0..100)),
    ) {
        let ramdisks: Vec<&[u8]> = ramdisks.iter().map(Vec::as_slice).collect();
        let new = NewImage {
            architecture: Architecture::X86_64,
            kernel: &kernel,
            cmdline: cmdline.as_bytes(),
            metadata: &metadata,
            ramdisks: &ramdisks,
            signature: signature.as_deref(),
        };
        let file = new.to_bytes().unwrap();
        prop_assert_eq!(&file, &new.to_bytes().unwrap());
        let image = Image::parse(&file).unwrap();
        prop_assert!(image.crc_holds());
        prop_assert_eq!(image.kernel(), &kernel[..]);
        prop_assert_eq!(image.cmdline(), cmdline.as_bytes());
        prop_assert_eq!(image.metadata(), Some(&metadata[..]));
        prop_assert_eq!(image.signature(), signature.as_deref());
        prop_assert!(image.ramdisks().eq(ramdisks.iter().copied()));
    }

    #[test]
    fn noise_never_panics(
        mut bytes in prop::collection::vec(any::<u8>(), 0..1200),
        count in 0_u8..40,
        rows in prop::collection::vec((0_u64..1300, 0_u64..700), 0..32),
    ) {
        let _ = Image::parse(&bytes).map(|image| Measurements::of(&image));
        // Further in: a plausible header before the noise.
        if bytes.len() > HEADER {
            bytes[..6].copy_from_slice(&[b'.', b'e', b'i', b'f', 0, 4]);
            bytes[6..28].fill(0);
            bytes[27] = count;
            bytes[28..544].fill(0);
            for (index, (at, length)) in rows.into_iter().enumerate() {
                set(&mut bytes, offset(index), at);
                set(&mut bytes, size(index), length);
            }
            let _ = Image::parse(&bytes).map(|image| Measurements::of(&image));
        }
    }
}

/// An image of these section types, right in all but perhaps their choice.
fn raw(version: u16, sections: &[(u16, &[u8])]) -> Vec<u8> {
    let mut file = vec![0; HEADER];
    file[..4].copy_from_slice(&MAGIC);
    file[4..6].copy_from_slice(&version.to_be_bytes());
    file[26..28].copy_from_slice(&u16::try_from(sections.len()).unwrap().to_be_bytes());
    for (index, (kind, data)) in sections.iter().enumerate() {
        let length = data.len() as u64;
        let start = file.len() as u64;
        set(&mut file, offset(index), start);
        set(&mut file, size(index), length);
        file.extend(kind.to_be_bytes());
        file.extend([0; 2]);
        file.extend(length.to_be_bytes());
        file.extend(*data);
    }
    file
}

fn offset(row: usize) -> usize {
    HEADER_BEFORE_TABLES + 8 * row
}

fn size(row: usize) -> usize {
    offset(row) + 8 * MAX_SECTIONS
}

fn set(file: &mut [u8], at: usize, value: u64) {
    file[at..at + 8].copy_from_slice(&value.to_be_bytes());
}

fn outside(index: usize, offset: u64, size: u64) -> ImageError {
    ImageError::Outside { index, offset, size, file: 644 }
}
