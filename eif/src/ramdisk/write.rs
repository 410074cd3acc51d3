//! Files to an archive.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use flate2::{Compression, GzBuilder};

use super::{ENTRY_HEADER, MAGIC, TRAILER, TYPE_CHARACTER_DEVICE, TYPE_DIRECTORY, TYPE_FILE, TYPE_MASK};

/// Everything that is unpacked from one ramdisk.
#[derive(Debug, Default)]
pub struct Ramdisk {
    /// By path, without a slash at the start. Sorted: a directory precedes what is in it.
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    mode: u32,
    device: Device,
    content: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Device {
    major: u32,
    minor: u32,
}

/// Why a file cannot be put into a ramdisk.
#[derive(Debug, thiserror::Error)]
pub enum RamdiskError {
    /// Not an absolute path of plain names.
    #[error("{0:?} is no path for a ramdisk: write /name/name, without empty names, \".\" and \"..\"")]
    Path(String),
    /// The path is there already.
    #[error("{0} is in the ramdisk already")]
    Twice(String),
    /// Something below a path that is no directory.
    #[error("{0} is no directory, so nothing can be below it")]
    NotADirectory(String),
    /// More than the format can say: 32 bits.
    #[error("{0} is too large for a cpio archive (4 GiB)")]
    TooLarge(String),
    /// Compression failed.
    #[error("compression failed: {0}")]
    Compression(#[from] io::Error),
}

impl Ramdisk {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory with permissions 0755, and those above it. One that is there already stays.
    pub fn directory(&mut self, path: &str) -> Result<(), RamdiskError> {
        let name = checked(path)?;
        self.parents(name)?;
        match self.entries.get(name) {
            Some(entry) if entry.is_directory() => Ok(()),
            Some(_) => Err(RamdiskError::NotADirectory(path.to_owned())),
            None => self.add(name, TYPE_DIRECTORY | 0o755, Device::default(), Vec::new()),
        }
    }

    /// Adds a file with these permissions, and the directories above it.
    pub fn file(&mut self, path: &str, permissions: u32, content: Vec<u8>) -> Result<(), RamdiskError> {
        let name = checked(path)?;
        self.parents(name)?;
        self.add(name, TYPE_FILE | (permissions & 0o7777), Device::default(), content)
    }

    /// Adds a character device with permissions 0600, and the directories above it.
    pub fn character_device(&mut self, path: &str, major: u32, minor: u32) -> Result<(), RamdiskError> {
        let name = checked(path)?;
        self.parents(name)?;
        self.add(name, TYPE_CHARACTER_DEVICE | 0o600, Device { major, minor }, Vec::new())
    }

    /// The archive, compressed: what goes into an image.
    pub fn to_gzip(&self) -> Result<Vec<u8>, RamdiskError> {
        // No name, no time; system 255 is "unknown".
        let header = GzBuilder::new().mtime(0).operating_system(255);
        let mut encoder = header.write(Vec::new(), Compression::best());
        encoder.write_all(&self.to_cpio()?)?;
        Ok(encoder.finish()?)
    }

    /// The archive.
    pub fn to_cpio(&self) -> Result<Vec<u8>, RamdiskError> {
        let mut archive = Vec::new();
        for (inode, (name, entry)) in (1_u32..).zip(&self.entries) {
            entry.write(&mut archive, name, inode)?;
        }
        let trailer = Entry { mode: 0, device: Device::default(), content: Vec::new() };
        trailer.write(&mut archive, TRAILER, 0)?;
        Ok(archive)
    }

    fn parents(&mut self, name: &str) -> Result<(), RamdiskError> {
        for (end, _) in name.match_indices('/') {
            let parent = name.get(..end).unwrap_or_default();
            match self.entries.get(parent) {
                Some(entry) if entry.is_directory() => {}
                Some(_) => return Err(RamdiskError::NotADirectory(format!("/{parent}"))),
                None => self.add(parent, TYPE_DIRECTORY | 0o755, Device::default(), Vec::new())?,
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, mode: u32, device: Device, content: Vec<u8>) -> Result<(), RamdiskError> {
        if self.entries.contains_key(name) {
            return Err(RamdiskError::Twice(format!("/{name}")));
        }
        self.entries.insert(name.to_owned(), Entry { mode, device, content });
        Ok(())
    }
}

impl Entry {
    fn is_directory(&self) -> bool {
        self.mode & TYPE_MASK == TYPE_DIRECTORY
    }

    /// Appends header, name and content, each padded to a multiple of four bytes.
    fn write(&self, archive: &mut Vec<u8>, name: &str, inode: u32) -> Result<(), RamdiskError> {
        let too_large = || RamdiskError::TooLarge(format!("/{name}"));
        let size = u32::try_from(self.content.len()).map_err(|_| too_large())?;
        // With the zero byte at its end.
        let name_size =
            u32::try_from(name.len()).ok().and_then(|n| n.checked_add(1)).ok_or_else(too_large)?;
        let links = if self.is_directory() { 2 } else { 1 };
        // Inode, mode, owner, group, links, time, size, device of the archive (2), device (2), name, checksum.
        let Device { major, minor } = self.device;
        let fields = [inode, self.mode, 0, 0, links, 0, size, 0, 0, major, minor, name_size, 0];
        archive.reserve(ENTRY_HEADER.saturating_add(name.len()).saturating_add(self.content.len()));
        archive.extend_from_slice(MAGIC);
        for field in fields {
            archive.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        archive.extend_from_slice(name.as_bytes());
        archive.push(0);
        pad(archive);
        archive.extend_from_slice(&self.content);
        pad(archive);
        Ok(())
    }
}

fn pad(archive: &mut Vec<u8>) {
    let padded = archive.len().next_multiple_of(4);
    archive.resize(padded, 0);
}

/// A path without the slash at its start.
fn checked(path: &str) -> Result<&str, RamdiskError> {
    let wrong = || RamdiskError::Path(path.to_owned());
    let name = path.strip_prefix('/').ok_or_else(wrong)?;
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if name == TRAILER || !name.split('/').all(plain) {
        return Err(wrong());
    }
    Ok(name)
}
