//! What our own images hold, and where.
//!
//! The first ramdisk boots: `/init` (package `signer-init`), the kernel modules that it loads, in the order of their names,
//! and empty directories for what it mounts. The second is the application: the enclave's program and, in development
//! images, the roots of an emulated KMS. Under `nitro-cli`'s own init the first ramdisk is Amazon's, and the application's
//! files are below `/rootfs`.

use serde::{Deserialize, Serialize};

use crate::{
    image::Image,
    ramdisk::{self, Found, Ramdisk, RamdiskError},
};

/// The command line of our images. `random.trust_cpu` seeds the kernel's random numbers at once; `reboot=k` and `panic=30`
/// end an enclave that cannot go on.
pub const DEFAULT_CMDLINE: &str = "reboot=k panic=30 pci=off console=ttyS0 random.trust_cpu=on";

/// PID 1.
pub const INIT: &str = "/init";
/// Kernel modules.
pub const MODULES: &str = "/modules";
/// The enclave's program.
pub const ENCLAVE: &str = "/bin/signer-enclave";
/// The roots that the enclave trusts for KMS in place of Amazon's.
pub const KMS_ROOTS: &str = "/etc/nitro-signer/kms-roots.pem";

/// Where init mounts something, and where programs expect directories.
const DIRECTORIES: [&str; 5] = ["/dev", "/proc", "/run", "/sys", "/tmp"];
/// Modules, at most: their numbers have two digits.
const MAX_MODULES: usize = 100;

/// Whom an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// KMS is whoever has a certificate of Amazon's roots.
    Production,
    /// KMS is whoever has a certificate of roots that are in the image.
    Development,
}

impl Kind {
    /// As it stands in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
        }
    }
}

/// Why a ramdisk cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// A kernel module that init could not load.
    #[error("{name} is no kernel module for init: {reason}")]
    Module {
        /// The file's name.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Too many modules.
    #[error("{0} modules are too many; at most {MAX_MODULES} fit the numbers in their names")]
    TooManyModules(usize),
    /// A program that Linux would not start.
    #[error("{0} is no ELF program")]
    NotElf(&'static str),
    /// See [`RamdiskError`].
    #[error(transparent)]
    Ramdisk(#[from] RamdiskError),
}

/// The first ramdisk: PID 1 and kernel modules, with their files' names, in the order in which they are loaded.
pub fn boot_ramdisk(init: Vec<u8>, modules: Vec<(String, Vec<u8>)>) -> Result<Ramdisk, ContentsError> {
    if modules.len() > MAX_MODULES {
        return Err(ContentsError::TooManyModules(modules.len()));
    }
    check_elf("the init", &init)?;
    let mut ramdisk = Ramdisk::new();
    for directory in DIRECTORIES {
        ramdisk.directory(directory)?;
    }
    // Before init mounts /dev, the kernel opens this for its standard streams.
    ramdisk.character_device("/dev/console", 5, 1)?;
    ramdisk.file(INIT, 0o755, init)?;
    for (number, (name, content)) in modules.into_iter().enumerate() {
        check_module(&name, &content)?;
        ramdisk.file(&format!("{MODULES}/{number:02}-{name}"), 0o644, content)?;
    }
    Ok(ramdisk)
}

/// The second ramdisk: the enclave's program and, in development images, the roots of KMS.
pub fn application_ramdisk(enclave: Vec<u8>, kms_roots: Option<Vec<u8>>) -> Result<Ramdisk, ContentsError> {
    check_elf("the enclave", &enclave)?;
    let mut ramdisk = Ramdisk::new();
    ramdisk.file(ENCLAVE, 0o755, enclave)?;
    if let Some(roots) = kms_roots {
        ramdisk.file(KMS_ROOTS, 0o644, roots)?;
    }
    Ok(ramdisk)
}

/// Whom an image is for, as its ramdisks show it; `Err` says why they do not.
///
/// This reads what an honest build put there. An image that was made to deceive can hide its roots (in a program, say):
/// against that, compare PCRs with a manifest that people whom you trust signed.
pub fn kind(image: &Image<'_>) -> Result<Kind, String> {
    let mut kind = Kind::Production;
    let mut any = false;
    for (index, ramdisk) in image.ramdisks().enumerate() {
        let listing =
            ramdisk::list(ramdisk).map_err(|error| format!("ramdisk {index} cannot be listed: {error}"))?;
        any = any || listing.entries.iter().any(|entry| is_at(entry, ENCLAVE));
        if listing.entries.iter().any(|entry| is_at(entry, KMS_ROOTS)) {
            kind = Kind::Development;
        }
    }
    if any { Ok(kind) } else { Err(format!("no ramdisk has {ENCLAVE}: it is no image of this appliance")) }
}

/// Whether an entry is at this path, in our ramdisks or in those of `nitro-cli`.
fn is_at(entry: &Found, path: &str) -> bool {
    let (found, path) = (names(&entry.path), names(path));
    found == path || found.strip_prefix(&["rootfs"]) == Some(path.as_slice())
}

/// The names on a path as the kernel walks it: `a//b`, `./a/b` and `a/x/../b` are the same file.
fn names(path: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names
}

fn check_elf(what: &'static str, content: &[u8]) -> Result<(), ContentsError> {
    if content.starts_with(b"\x7fELF") { Ok(()) } else { Err(ContentsError::NotElf(what)) }
}

fn check_module(name: &str, content: &[u8]) -> Result<(), ContentsError> {
    const SUFFIX: &str = ".ko";
    let refused = |reason| Err(ContentsError::Module { name: name.to_owned(), reason });
    let compressed = [&b"\xfd7zXZ\0"[..], b"\x28\xb5\x2f\xfd", b"\x1f\x8b"];
    if compressed.iter().any(|magic| content.starts_with(magic)) {
        return refused(
            "it is compressed, and init loads plain modules; decompress it (unxz, zstd -d, gunzip)",
        );
    }
    if !content.starts_with(b"\x7fELF") {
        return refused("it is no ELF object");
    }
    if !name.ends_with(SUFFIX) {
        return refused("its name does not end in .ko");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELF: &[u8] = b"\x7fELF";

    #[test]
    fn modules_keep_their_order() {
        let modules = vec![("z.ko".to_owned(), ELF.to_vec()), ("a.ko".to_owned(), ELF.to_vec())];
        let ramdisk = boot_ramdisk(ELF.to_vec(), modules).unwrap();
        let listing = ramdisk::list(&ramdisk.to_gzip().unwrap()).unwrap();
        let paths: Vec<&str> = listing.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "dev",
                "dev/console",
                "init",
                "modules",
                "modules/00-z.ko",
                "modules/01-a.ko",
                "proc",
                "run",
                "sys",
                "tmp"
            ]
        );
    }

    #[test]
    fn what_could_not_run_is_refused() {
        let refused = |name: &str, content: &[u8]| {
            boot_ramdisk(ELF.to_vec(), vec![(name.to_owned(), content.to_vec())]).unwrap_err().to_string()
        };
        for compressed in [&b"\xfd7zXZ\0..."[..], b"\x28\xb5\x2f\xfd...", b"\x1f\x8b..."] {
            assert!(refused("nsm.ko.xz", compressed).contains("decompress it"));
        }
        assert!(refused("nsm.ko", b"text").contains("no ELF"));
        assert!(refused("nsm", ELF).contains(".ko"));
        let many = vec![("a.ko".to_owned(), ELF.to_vec()); MAX_MODULES + 1];
        assert!(matches!(boot_ramdisk(ELF.to_vec(), many), Err(ContentsError::TooManyModules(101))));
        assert!(matches!(
            boot_ramdisk(b"#!/bin/sh".to_vec(), Vec::new()),
            Err(ContentsError::NotElf("the init"))
        ));
        assert!(matches!(application_ramdisk(Vec::new(), None), Err(ContentsError::NotElf("the enclave"))));
    }

    #[test]
    fn files_are_found_where_nitro_cli_puts_them() {
        let at = |path: &str| Found { path: path.to_owned(), mode: 0, size: 0, sha256: None };
        assert!(is_at(&at("etc/nitro-signer/kms-roots.pem"), KMS_ROOTS));
        assert!(is_at(&at("rootfs/etc/nitro-signer/kms-roots.pem"), KMS_ROOTS));
        assert!(!is_at(&at("other/etc/nitro-signer/kms-roots.pem"), KMS_ROOTS));
        for other_spelling in [
            "etc//nitro-signer/kms-roots.pem",
            "etc/./nitro-signer/./kms-roots.pem",
            "bin/../etc/nitro-signer/kms-roots.pem",
            "../etc/nitro-signer/x/../kms-roots.pem",
            "rootfs//etc/nitro-signer/kms-roots.pem",
        ] {
            assert!(is_at(&at(other_spelling), KMS_ROOTS), "{other_spelling}");
        }
        assert!(!is_at(&at("etc/nitro-signer/../kms-roots.pem"), KMS_ROOTS));
    }
}
