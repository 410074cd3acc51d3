//! A folder with the parts of an image.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_signer-eif");

/// What a run printed.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The same, if the exit status was 0.
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.status, 0, "{}{}", self.out, self.err);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("one JSON object")
    }
}

pub(crate) fn run(arguments: &[&str]) -> Ran {
    finish(Command::new(PROGRAM).env_remove("SOURCE_DATE_EPOCH").args(arguments))
}

pub(crate) struct Scene(PathBuf);

impl Scene {
    pub(crate) fn new(test: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("command-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let scene = Self(folder);
        scene.write("kernel", b"a kernel");
        for name in ["init", "enclave", "a.ko", "b.ko"] {
            scene.write(name, format!("\x7fELF {name}").as_bytes());
        }
        scene
    }

    /// Builds `image.eif`.
    pub(crate) fn build(&self, options: &[&str]) -> Ran {
        self.build_at(None, options)
    }

    /// The same with this value of `SOURCE_DATE_EPOCH`.
    pub(crate) fn build_at(&self, epoch: Option<&str>, options: &[&str]) -> Ran {
        let mut command = Command::new(PROGRAM);
        command.arg("build").env_remove("SOURCE_DATE_EPOCH");
        for (option, name) in [
            ("--kernel", "kernel"),
            ("--init", "init"),
            ("--module", "b.ko"),
            ("--module", "a.ko"),
            ("--enclave", "enclave"),
            ("--output", "image.eif"),
        ] {
            command.arg(option).arg(self.path(name));
        }
        if let Some(epoch) = epoch {
            command.env("SOURCE_DATE_EPOCH", epoch);
        }
        finish(command.args(options))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    /// A file that only its owner reads.
    pub(crate) fn write_secret(&self, name: &str, content: &[u8]) {
        self.write(name, content);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes a signer's key as `signerctl keygen` does, and gives the public half in hexadecimal.
    pub(crate) fn key(&self, name: &str, seed: u8) -> String {
        const PREFIX: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let key = SigningKey::from_bytes(&[seed; 32]);
        let body = STANDARD.encode([PREFIX, key.as_bytes()].concat());
        self.write_secret(
            name,
            format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n").as_bytes(),
        );
        hex::encode(key.verifying_key().as_bytes())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn finish(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}
