//! Files: bounded reading, and writing that never overwrites by surprise.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use clap::Args;

use crate::Failure;

/// The largest file that is read, in bytes.
pub const MAX_FILE: usize = 2 * 1024 * 1024;

/// Where a result goes.
#[derive(Args)]
pub struct OutputArgs {
    /// The file to write.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Overwrite the file if it is there.
    #[arg(long)]
    pub force: bool,
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone, as the umask says.
    Public,
    /// The owner: mode 0600.
    Owner,
}

impl OutputArgs {
    /// Writes the file, or refuses to overwrite one.
    pub fn write(&self, content: &[u8], access: Access) -> Result<(), Failure> {
        if self.force {
            return replace(&self.output, content, access);
        }
        create(&self.output, content, access).map_err(|error| {
            let failure = Failure::new(format!("cannot write {}: {error}", self.output.display()));
            match error.kind() {
                io::ErrorKind::AlreadyExists => failure.hint("choose another --output, or add --force"),
                _ => failure,
            }
        })
    }
}

/// Reads a file of at most [`MAX_FILE`] bytes.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    read_into(path, MAX_FILE, &mut content)?;
    Ok(content)
}

/// Reads a file of at most [`MAX_FILE`] bytes, or, named `-`, standard input.
pub fn read_or_stdin(path: &Path) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return read(path);
    }
    let mut content = Vec::new();
    let most = u64::try_from(MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
    io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut content)
        .map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
    if content.len() > MAX_FILE {
        return Err(Failure::new(format!("standard input has more than {MAX_FILE} bytes")));
    }
    Ok(content)
}

/// Reads a file of at most `limit` bytes into a buffer of the caller, who may want it wiped.
pub fn read_into(path: &Path, limit: usize, content: &mut Vec<u8>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(content).map_err(failed)?;
    if content.len() > limit {
        return Err(Failure::new(format!("{} has more than {limit} bytes", path.display())));
    }
    Ok(())
}

/// Replaces a file in one step: whoever reads it sees the old content or the new.
pub fn replace(path: &Path, content: &[u8], access: Access) -> Result<(), Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let result = create(&beside, content, access).and_then(|()| fs::rename(&beside, path));
    result.map_err(|error| {
        // Only ours: create() leaves a file that was there before alone.
        if error.kind() != io::ErrorKind::AlreadyExists {
            let _ = fs::remove_file(&beside);
        }
        Failure::new(format!("cannot write {}: {error}", path.display()))
    })
}

/// Whether others than the owner can read a file.
pub fn others_can_read(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

fn create(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let mode = match access {
        Access::Public => 0o644,
        Access::Owner => 0o600,
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file that is not there, in a new directory for one test.
    pub(crate) fn new_file(test: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("signer-terminal-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        directory.join("file")
    }

    #[test]
    fn nothing_is_overwritten_unless_forced() {
        let path = new_file("overwrite");
        let output = |force| OutputArgs { output: path.clone(), force };
        output(false).write(b"one", Access::Public).unwrap();
        let refused = output(false).write(b"two", Access::Public).unwrap_err();
        assert!(refused.advice().unwrap().contains("--force"));
        assert_eq!(read(&path).unwrap(), b"one");
        output(true).write(b"two", Access::Owner).unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert!(!others_can_read(&path));
    }

    #[test]
    fn reading_is_bounded() {
        let path = new_file("bounds");
        create(&path, b"12345", Access::Public).unwrap();
        assert!(read_into(&path, 5, &mut Vec::new()).is_ok());
        assert!(read_into(&path, 4, &mut Vec::new()).is_err());
    }
}
