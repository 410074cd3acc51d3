//! The scripts that run other people's programs: `scripts/deploy/nitro-signer-enclave` and the
//! nitro-cli part of `scripts/build-eif`, with a nitro-cli and a docker of the tests' own. What the
//! real ones do has been read, not run.

mod image;
mod nitro_cli;
mod units;
mod watcher;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Writes a program for `sh`.
fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
