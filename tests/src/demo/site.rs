//! The demo's folder, which goes with it.

use std::{
    env, fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::{Error, operator::Operator};
use crate::pki::{AttestationAuthority, TlsAuthority};

/// The longest path of a socket, the shortest limit there is (macOS) without its final zero.
const SOCKET_PATH: usize = 103;
/// The longest name of a socket below the site.
const LONGEST_SOCKET: &str = "/genuine/credentials.sock";

/// Where everything of one demo is: keys, sockets, stores, logs.
#[derive(Debug)]
pub struct Site {
    root: PathBuf,
    keep: bool,
    verbose: bool,
}

impl Site {
    /// Makes the folder, for its owner only, with the authorities that stand for AWS's.
    pub fn create(verbose: bool, keep: bool) -> Result<Self, Error> {
        let mut random = [0; 4];
        aws_lc_rs::rand::fill(&mut random)?;
        let root = env::temp_dir().join(format!("signer-demo-{}", hex::encode(random)));
        if root.as_os_str().len() + LONGEST_SOCKET.len() > SOCKET_PATH {
            return Err(
                format!("{} is too long for sockets: set TMPDIR to a shorter path", root.display()).into()
            );
        }
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&root)
            .map_err(|error| format!("cannot make {}: {error}; set TMPDIR", root.display()))?;
        let site = Self { root, keep, verbose };
        AttestationAuthority::load_or_create(&site.folder("aws")?)?;
        let tls = TlsAuthority::load_or_create(&site.folder("aws")?)?;
        fs::write(site.kms_roots(), tls.root_pem())?;
        Ok(site)
    }

    /// Keeps the folder when this ends, for its logs.
    pub fn keep(&mut self) {
        self.keep = true;
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the folder outlives the demo.
    pub fn is_kept(&self) -> bool {
        self.keep
    }

    /// Where the operator keeps keys and files.
    pub(super) fn operator(&self) -> Result<Operator, Error> {
        Ok(Operator::new("", self.folder("operator")?, self.verbose))
    }

    /// Where an attacker does.
    pub(super) fn attacker(&self) -> Result<Operator, Error> {
        Ok(Operator::new("attacker", self.folder("attacker")?, self.verbose))
    }

    /// A folder below, made if it is missing.
    pub(super) fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.root.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Holds the roots of attestation documents and of KMS's TLS, in place of AWS's.
    pub(super) fn aws(&self) -> PathBuf {
        self.root.join("aws")
    }

    /// The root certificate of attestation documents.
    pub(super) fn attestation_root(&self) -> PathBuf {
        self.aws().join("attestation-root.pem")
    }

    /// The roots that enclaves believe KMS by.
    pub(super) fn kms_roots(&self) -> PathBuf {
        self.aws().join("kms-roots.pem")
    }

    /// What the genuine appliance stores.
    pub(super) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// A copy of it as it is now, in a folder below.
    pub(super) fn copy_of_store(&self, folder: &str) -> io::Result<PathBuf> {
        let copy = self.folder(folder)?.join("store");
        copy_folder(&self.store(), &copy)?;
        Ok(copy)
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        // The host writes under other names first, which may be gone by now.
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if from.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            fs::copy(from, to)?;
        }
    }
    Ok(())
}

impl Drop for Site {
    fn drop(&mut self) {
        if !self.keep {
            drop(fs::remove_dir_all(&self.root));
        }
    }
}
