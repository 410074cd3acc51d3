//! Archives of ours, and of others.

use std::io::Read as _;

use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::*;

fn example() -> Ramdisk {
    let mut ramdisk = Ramdisk::new();
    ramdisk.file("/modules/00-a.ko", 0o644, b"module".to_vec()).unwrap();
    ramdisk.character_device("/dev/console", 5, 1).unwrap();
    ramdisk.file("/init", 0o755, b"#!init".to_vec()).unwrap();
    ramdisk.directory("/proc").unwrap();
    ramdisk
}

#[test]
fn an_entry_is_as_the_kernel_documents_it() {
    let mut ramdisk = Ramdisk::new();
    ramdisk.file("/init", 0o755, b"12345".to_vec()).unwrap();
    // Magic; inode, mode, owner, group, links, time, size; four numbers of devices; size of the name, checksum.
    let entry = [
        "070701",
        "00000001 000081ed 00000000 00000000 00000001 00000000 00000005",
        "00000000 00000000 00000000 00000000",
        "00000005 00000000",
    ];
    let trailer = [
        "070701",
        "00000000 00000000 00000000 00000000 00000001 00000000 00000000",
        "00000000 00000000 00000000 00000000",
        "0000000b 00000000",
    ];
    let [entry, trailer] = [entry, trailer].map(|lines| lines.concat().replace(' ', ""));
    let expected = format!("{entry}init\0\012345\0\0\0{trailer}TRAILER!!!\0\0\0\0");
    assert_eq!(String::from_utf8(ramdisk.to_cpio().unwrap()).unwrap(), expected);
}

#[test]
fn names_are_sorted_and_directories_come_first() {
    let listing = list(&example().to_gzip().unwrap()).unwrap();
    let found: Vec<_> =
        listing.entries.iter().map(|entry| (entry.path.as_str(), entry.mode, entry.size)).collect();
    assert_eq!(
        found,
        [
            ("dev", 0o040_755, 0),
            ("dev/console", 0o020_600, 0),
            ("init", 0o100_755, 6),
            ("modules", 0o040_755, 0),
            ("modules/00-a.ko", 0o100_644, 6),
            ("proc", 0o040_755, 0),
        ]
    );
    assert_eq!(
        listing.entries[4].sha256.unwrap().to_string(),
        // printf module | sha256sum
        "120970d812836f19888625587a4606a5ad23cef31c8684e601771552548fc6b9"
    );
}

#[test]
fn the_same_files_give_the_same_bytes_in_any_order() {
    let mut other = Ramdisk::new();
    other.directory("/proc").unwrap();
    other.directory("/proc").unwrap();
    other.file("/init", 0o755, b"#!init".to_vec()).unwrap();
    other.character_device("/dev/console", 5, 1).unwrap();
    other.file("/modules/00-a.ko", 0o644, b"module".to_vec()).unwrap();
    let bytes = example().to_gzip().unwrap();
    assert_eq!(bytes, other.to_gzip().unwrap());
    // Deflate, no flags (so no name), no time, best compression, unknown system.
    assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    let mut archive = Vec::new();
    GzDecoder::new(&bytes[..]).read_to_end(&mut archive).unwrap();
    assert_eq!(archive, other.to_cpio().unwrap());
}

#[test]
fn paths_that_mean_something_else_are_refused() {
    let mut ramdisk = example();
    for path in ["", "/", "init", "/a//b", "/a/", "/./a", "/a/..", "/a\0b", "/TRAILER!!!"] {
        assert!(matches!(ramdisk.file(path, 0o644, Vec::new()), Err(RamdiskError::Path(_))), "{path:?}");
    }
    assert!(matches!(ramdisk.file("/init", 0o644, Vec::new()), Err(RamdiskError::Twice(_))));
    assert!(matches!(ramdisk.file("/init/x", 0o644, Vec::new()), Err(RamdiskError::NotADirectory(_))));
    assert!(matches!(ramdisk.directory("/init"), Err(RamdiskError::NotADirectory(_))));
}

#[test]
fn archives_of_others_are_listed() {
    let cpio = example().to_cpio().unwrap();
    let plain = list(&cpio).unwrap();
    assert_eq!(plain, list(&example().to_gzip().unwrap()).unwrap());
    // Several archives, with zeros between them, plain or each in gzip of its own.
    let twice = [&cpio[..], &[0; 512], &cpio].concat();
    assert_eq!(list(&twice).unwrap().entries.len(), 2 * plain.entries.len());
    let gzip = example().to_gzip().unwrap();
    assert_eq!(list(&[&gzip[..], &gzip].concat()).unwrap(), list(&twice).unwrap());
    // Names as find(1) writes them.
    let mut dotted = Ramdisk::new();
    dotted.file("/xxinit", 0o755, Vec::new()).unwrap();
    let dotted = String::from_utf8(dotted.to_cpio().unwrap()).unwrap().replace("xxinit", "./init");
    assert_eq!(list(dotted.as_bytes()).unwrap().entries[0].path, "init");
    assert_eq!(list(dotted.replace("./init", ".init1").as_bytes()).unwrap().entries[0].path, ".init1");
}

#[test]
fn what_lies_behind_the_limit_is_not_passed_over() {
    let cpio = example().to_cpio().unwrap();
    let hidden = [&cpio[..], &[0; 512], &cpio].concat();
    let length = u64::try_from(cpio.len()).unwrap();
    for limit in [length, length + 100, length + 512] {
        assert!(matches!(read::list_below(&hidden, limit), Err(ReadError::TooLarge(_))), "{limit}");
    }
    assert!(read::list_below(&hidden, length + 600).is_err());
    assert_eq!(read::list_below(&cpio, length + 1).unwrap(), list(&cpio).unwrap());
}

#[test]
fn damage_is_an_error() {
    let gzip = example().to_gzip().unwrap();
    let cpio = example().to_cpio().unwrap();
    assert!(matches!(list(b"\x28\xb5\x2f\xfd"), Err(ReadError::Form)));
    assert!(matches!(list(b""), Err(ReadError::Form)));
    for length in 2..gzip.len() {
        assert!(list(&gzip[..length]).is_err(), "{length} bytes of gzip");
    }
    // What follows the trailer's name is padding.
    for length in 6..cpio.len() - 3 {
        assert!(list(&cpio[..length]).is_err(), "{length} bytes of cpio");
    }
    let mut signed = cpio.clone();
    signed[54..62].copy_from_slice(b"+0000006");
    assert!(matches!(list(&signed), Err(ReadError::Entry(0))));
    let mut long = cpio;
    long[94..102].copy_from_slice(b"ffffffff");
    assert!(matches!(list(&long), Err(ReadError::Entry(0))));
}

proptest! {
    #[test]
    fn what_is_written_is_listed(files in prop::collection::btree_map("[a-z]{1,8}(/[a-z]{1,8}){0,3}", prop::collection::vec(any::<u8>(), 0..50), 0..12)) {
        let mut ramdisk = Ramdisk::new();
        let mut added = Vec::new();
        for (path, content) in &files {
            // A name may be another's directory.
            if ramdisk.file(&format!("/{path}"), 0o600, content.clone()).is_ok() {
                added.push((path.clone(), content.len()));
            }
        }
        let listing = list(&ramdisk.to_gzip().unwrap()).unwrap();
        let found: Vec<_> = listing.entries.iter().filter(|entry| entry.sha256.is_some()).map(|entry| (entry.path.clone(), entry.size as usize)).collect();
        added.sort();
        prop_assert_eq!(found, added);
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..400), digits in "[0-9a-f]{104}") {
        let _ = list(&noise);
        let _ = list(&[b"070701", digits.as_bytes(), &noise].concat());
    }
}
