//! Images, assembled by `signer-eif` from the parts that `scripts/build-eif` made.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::process::Command;

use crate::{
    demo::{Error, Site, operator::text},
    stack::binary,
};

/// The files that an image is made of: `kernel`, `cmdline`, `init`, `modules/NN-name.ko` in the order of loading, and
/// `signer-enclave`.
#[derive(Clone, Debug)]
pub struct Parts {
    folder: PathBuf,
}

/// An image, and what it measures.
#[derive(Debug)]
pub(in crate::demo) struct Image {
    /// The file.
    pub(in crate::demo) eif: PathBuf,
    /// What `signer-eif measure` says of it.
    pub(in crate::demo) measured: Value,
}

impl Parts {
    /// In a folder.
    pub fn new(folder: &Path) -> Result<Self, String> {
        for part in ["kernel", "cmdline", "init", "modules", "signer-enclave"] {
            let path = folder.join(part);
            if !path.exists() {
                return Err(format!("{} is missing: see scripts/build-eif --help", path.display()));
            }
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The program that the image starts.
    pub(super) fn enclave(&self) -> PathBuf {
        self.folder.join("signer-enclave")
    }

    /// A development image whose enclave believes the KMS of a site.
    pub(super) async fn assemble(&self, site: &Site, name: &str, enclave: &Path) -> Result<Image, Error> {
        let eif = site.folder("images")?.join(format!("{name}.eif"));
        let mut build = Command::new(binary("signer-eif"));
        build.arg("build").arg("--kernel").arg(self.folder.join("kernel"));
        build.arg("--cmdline").arg(format!("@{}", self.folder.join("cmdline").display()));
        build.arg("--init").arg(self.folder.join("init")).arg("--enclave").arg(enclave);
        for module in self.modules(&site.folder("images/modules")?)? {
            build.arg("--module").arg(module);
        }
        build.arg("--kms-roots").arg(site.kms_roots()).arg("--output").arg(&eif);
        output(build).await?;
        let mut measure = Command::new(binary("signer-eif"));
        measure.arg("--json").arg("measure").arg(&eif);
        let measured: Value = serde_json::from_slice(&output(measure).await?)?;
        text(&measured, "/Measurements/PCR0")?;
        Ok(Image { eif, measured })
    }
}

impl Parts {
    /// Kernel modules in the order of loading, copied to a folder by the names that they have in production's image: the
    /// numbers of these parts would be part of PCR1.
    fn modules(&self, to: &Path) -> Result<Vec<PathBuf>, Error> {
        let entries = fs::read_dir(self.folder.join("modules"))?.collect::<Result<Vec<_>, _>>()?;
        let mut numbered: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
        numbered.sort();
        let mut modules = Vec::new();
        for path in numbered {
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('-'));
            let (_, name) = name.ok_or_else(|| format!("{} is not NN-NAME.ko", path.display()))?;
            fs::copy(&path, to.join(name))?;
            modules.push(to.join(name));
        }
        Ok(modules)
    }
}

async fn output(mut command: Command) -> Result<Vec<u8>, Error> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("signer-eif: {}: {}", output.status, said.trim_end()).into());
    }
    Ok(output.stdout)
}
