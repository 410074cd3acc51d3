//! Small images, and folders that go away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The real one.
pub(crate) const SIGNER_EIF: &str = env!("CARGO_BIN_EXE_signer-eif");

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("signer-scripts-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("bin")).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Builds an image of a few bytes with these options more.
pub(crate) fn build(folder: &Path, enclave: &str, output: &Path, more: &[&str]) {
    for (name, content) in [("kernel", "a kernel"), ("init", "an init"), ("enclave", enclave)] {
        fs::write(folder.join(name), content).unwrap();
    }
    let built = Command::new(SIGNER_EIF)
        .current_dir(folder)
        .args(["build", "--kernel", "kernel", "--init", "init", "--enclave", "enclave", "--output"])
        .arg(output)
        .args(more)
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
}
