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

/// Builds an image with these options more, large enough to need more than 1 MiB of memory.
pub(crate) fn build(folder: &Path, enclave: &str, output: &Path, more: &[&str]) {
    let kernel = "a kernel".repeat(40_000);
    for (name, content) in [("kernel", kernel.as_str()), ("init", "an init"), ("enclave", enclave)] {
        fs::write(folder.join(name), format!("\x7fELF {content}")).unwrap();
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

/// An image and its manifest.
pub(crate) struct Image {
    folder: Folder,
}

impl Image {
    pub(crate) fn new() -> Self {
        Self::with(Folder::new(), &[])
    }

    /// One that brings KMS roots of its own.
    pub(crate) fn development() -> Self {
        let folder = Folder::new();
        let root = rcgen::generate_simple_self_signed(Vec::new()).unwrap().cert.pem();
        fs::write(folder.path().join("roots.pem"), root).unwrap();
        Self::with(folder, &["--kms-roots", "roots.pem"])
    }

    fn with(folder: Folder, options: &[&str]) -> Self {
        let image = Self { folder };
        build(image.folder(), "one", &image.eif(), options);
        let commit = "c".repeat(40);
        let created = Command::new(SIGNER_EIF)
            .args(["manifest", "create", "--commit", &commit, "--toolchain", "t", "--build-command", "b"])
            .arg("--image")
            .arg(image.eif())
            .arg("--output")
            .arg(image.manifest())
            .output()
            .unwrap();
        assert!(created.status.success(), "{created:?}");
        std::os::unix::fs::symlink(SIGNER_EIF, image.folder().join("bin/signer-eif")).unwrap();
        image
    }

    /// Where both are, and `bin` beside them with the real `signer-eif`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn eif(&self) -> PathBuf {
        self.folder().join("image.eif")
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.folder().join("manifest.json")
    }

    /// Builds the image anew with another enclave, and leaves the manifest as it is.
    pub(crate) fn change_enclave(&self) {
        fs::remove_file(self.eif()).unwrap();
        build(self.folder(), "two", &self.eif(), &[]);
    }
}
