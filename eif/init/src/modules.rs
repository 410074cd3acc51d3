//! The kernel modules that the image carries: `NN-name.ko`, loaded in the order of their numbers.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    path::Path,
};

use nix::{
    errno::Errno,
    kmod::{ModuleInitFlags, finit_module},
};

/// Why the modules are not all loaded.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The folder cannot be read.
    #[error("cannot read the modules: {0}")]
    Folder(io::Error),
    /// Something else is among them.
    #[error("{0:?} is no module's name: it must be NN-name.ko")]
    Name(OsString),
    /// Two have the same number.
    #[error("the modules {0:?} and {1:?} have the same number")]
    Number(String, String),
    /// The kernel refuses one.
    #[error("cannot load {0}: {1}")]
    Load(String, io::Error),
}

/// Loads all modules of a folder and says how many. Kernels that need none have no folder.
pub fn load_all(folder: &Path) -> Result<usize, ModuleError> {
    let names = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(ModuleError::Folder(error)),
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>(),
    };
    let names = in_order(names.map_err(ModuleError::Folder)?)?;
    for name in &names {
        load(&folder.join(name)).map_err(|error| ModuleError::Load(name.clone(), error))?;
    }
    Ok(names.len())
}

fn in_order(names: Vec<OsString>) -> Result<Vec<String>, ModuleError> {
    let mut modules = Vec::with_capacity(names.len());
    for name in names {
        let Some(module) = number(&name).and_then(|_| name.to_str()) else {
            return Err(ModuleError::Name(name));
        };
        modules.push(module.to_owned());
    }
    // Two digits each, so that the order of the names is the order of the numbers.
    modules.sort_unstable();
    for (first, second) in modules.iter().zip(modules.iter().skip(1)) {
        if number(first.as_ref()) == number(second.as_ref()) {
            return Err(ModuleError::Number(first.clone(), second.clone()));
        }
    }
    Ok(modules)
}

/// The number of `NN-name.ko`.
fn number(name: &OsStr) -> Option<u8> {
    let (number, rest) = name.to_str()?.split_once('-')?;
    let name = rest.strip_suffix(".ko")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(())
        .filter(|()| !name.is_empty() && name.bytes().all(is_plain))
        .and(number.parse().ok())
}

fn load(path: &Path) -> io::Result<()> {
    match finit_module(File::open(path)?, c"", ModuleInitFlags::empty()) {
        // Already there, or built in.
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(names: &[&str]) -> Result<Vec<String>, ModuleError> {
        in_order(names.iter().map(OsString::from).collect())
    }

    #[test]
    fn modules_are_loaded_in_the_order_of_their_numbers() {
        assert_eq!(
            ordered(&["10-nsm.ko", "02-vmw_vsock_virtio_transport_common.ko", "01-vsock.ko"]).unwrap(),
            ["01-vsock.ko", "02-vmw_vsock_virtio_transport_common.ko", "10-nsm.ko"]
        );
        assert!(ordered(&[]).unwrap().is_empty());
    }

    #[test]
    fn other_files_are_an_error() {
        for bad in [
            "nsm.ko",
            "1-nsm.ko",
            "001-nsm.ko",
            "0x-nsm.ko",
            "+1-nsm.ko",
            "01-nsm.ko.xz",
            "01-.ko",
            "01-a b.ko",
            "01nsm.ko",
            ".01-nsm.ko",
            "",
        ] {
            let result = ordered(&["01-vsock.ko", bad]);
            assert!(matches!(result, Err(ModuleError::Name(name)) if name == bad), "{bad:?}");
        }
    }

    #[test]
    fn an_order_that_is_none_is_an_error() {
        let result = ordered(&["01-vsock.ko", "02-nsm.ko", "01-virtio_mmio.ko"]);
        assert!(matches!(result, Err(ModuleError::Number(..))));
    }

    #[test]
    fn what_the_kernel_refuses_is_named() {
        assert_eq!(load_all("/nowhere/modules".as_ref()).unwrap(), 0);
        let folder = std::env::temp_dir().join(format!("signer-init-modules-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("01-none.ko"), b"no module").unwrap();
        let result = load_all(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(result, Err(ModuleError::Load(name, _)) if name == "01-none.ko"));
    }
}
