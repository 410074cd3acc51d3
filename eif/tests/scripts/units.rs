//! The units, as systemd reads them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::image::Folder;
use crate::program;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/deploy");

/// systemd finds nothing to say about the units, once what they start is there.
#[test]
fn systemd_understands_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("SKIPPED: systemd-analyze is not on this machine");
        return;
    }
    let folder = Folder::new();
    program(&folder.path().join("started"), "exit 0");
    let started = folder.path().join("started").display().to_string();
    let unit = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    // Amazon's, in short.
    unit("nitro-enclaves-allocator.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
    let names = ["nitro-signer-host.service", "nitro-signer-enclave.service"];
    for name in names {
        let text = fs::read_to_string(Path::new(DEPLOY).join(name)).unwrap();
        for program in ["/usr/bin/signer-host", "/usr/lib/nitro-signer/nitro-signer-enclave"] {
            let text = text.replace(program, &started);
            if text != fs::read_to_string(Path::new(DEPLOY).join(name)).unwrap() {
                unit(name, &text);
            }
        }
    }
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .args(names.map(|name| folder.path().join(name)))
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.path().display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // Manual pages are not installed on every machine; units of the machine may have faults of their own.
    let about_ours: Vec<&str> = said.lines().filter(|line| line.contains("nitro-signer")).collect();
    assert!(about_ours.is_empty(), "{said}");
}

/// Neither unit can become another user, gain a capability, or write where it has no business.
#[test]
fn the_units_are_locked_down() {
    for name in ["nitro-signer-host.service", "nitro-signer-enclave.service"] {
        let text = fs::read_to_string(Path::new(DEPLOY).join(name)).unwrap();
        for line in [
            "DynamicUser=yes",
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=",
            "ProtectSystem=strict",
            "ProtectHome=yes",
            "MemoryDenyWriteExecute=yes",
            "Restart=always",
        ] {
            assert!(text.lines().any(|found| found == line), "{name} does not say {line}");
        }
    }
}
