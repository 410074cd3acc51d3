//! The file systems that the enclave's program and this one read, and nothing that can be executed.

use std::{fs, io, path::Path};

use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
};

/// A file system that could not be mounted.
#[derive(Debug, thiserror::Error)]
#[error("cannot mount {kind} on {place}: {cause}")]
pub struct MountError {
    kind: &'static str,
    place: &'static str,
    cause: io::Error,
}

struct FileSystem {
    kind: &'static str,
    place: &'static str,
    flags: MsFlags,
    options: &'static str,
}

/// Nothing here is a program, and nothing gains privileges.
const PLAIN: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC);
const NO_DEVICES: MsFlags = PLAIN.union(MsFlags::MS_NODEV);

const FILE_SYSTEMS: [FileSystem; 5] = [
    FileSystem { kind: "devtmpfs", place: "/dev", flags: PLAIN, options: "mode=0755" },
    FileSystem { kind: "proc", place: "/proc", flags: NO_DEVICES, options: "" },
    FileSystem { kind: "sysfs", place: "/sys", flags: NO_DEVICES.union(MsFlags::MS_RDONLY), options: "" },
    // Nothing is written there; what a defect would write must not fill the memory.
    FileSystem { kind: "tmpfs", place: "/run", flags: NO_DEVICES, options: "mode=0755,size=1m" },
    FileSystem { kind: "tmpfs", place: "/tmp", flags: NO_DEVICES, options: "mode=1777,size=1m" },
];

/// Mounts them all.
pub fn mount_all() -> Result<(), MountError> {
    for FileSystem { kind, place, flags, options } in FILE_SYSTEMS {
        let failed = |cause| MountError { kind, place, cause };
        make_folder(place.as_ref()).map_err(failed)?;
        match mount(Some(kind), place, Some(kind), flags, Some(options)) {
            // The kernel mounts devtmpfs itself if it is built so.
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
    Ok(())
}

fn make_folder(place: &Path) -> io::Result<()> {
    match fs::create_dir(place) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}
