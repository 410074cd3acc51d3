//! Sealed objects: immutable, put if absent, listed by name.
//!
//! The host cannot read or change what it keeps here; it can only lose it. So the one duty is
//! durability: [`ObjectStore::put`] answers after the object would survive a crash, because the
//! client is told about a wallet on the strength of it. Every backend keeps this interface.

use std::{io, path::Path, sync::Arc};

use signer_shared::object_name;

mod directory;

use directory::Directory;

/// The largest object.
pub const MAX_OBJECT: usize = 1024 * 1024;

/// Where sealed objects are kept.
#[derive(Clone, Debug)]
pub struct ObjectStore {
    backend: Arc<Backend>,
}

#[derive(Debug)]
enum Backend {
    Directory(Directory),
}

/// What became of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// The store has exactly these bytes under this name, from now or from before.
    Stored,
    /// The name belongs to these other bytes.
    Taken(Vec<u8>),
}

/// Names, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The names.
    pub names: Vec<String>,
    /// Whether there are more behind the last.
    pub more: bool,
}

/// Why the store did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not a name or prefix of `signer_shared::object_name`.
    #[error("{0:?} is not an object name")]
    Name(String),
    /// More than [`MAX_OBJECT`] bytes.
    #[error("{0:?} is larger than {MAX_OBJECT} bytes")]
    TooLarge(String),
    /// The backend failed.
    #[error("cannot {action} {name:?}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which object.
        name: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl ObjectStore {
    /// Opens a directory, creating it if needed, and removes what a crash left behind.
    pub async fn directory(root: &Path) -> Result<Self, StoreError> {
        let directory = Directory::open(root.to_owned()).await?;
        Ok(Self { backend: Arc::new(Backend::Directory(directory)) })
    }

    /// An object's bytes, if there is one of this name.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        check_name(name)?;
        match &*self.backend {
            Backend::Directory(directory) => directory.get(name).await,
        }
    }

    /// Stores an object unless its name is taken. Returns once that is certain to last.
    pub async fn put(&self, name: &str, content: &[u8]) -> Result<Put, StoreError> {
        check_name(name)?;
        if content.len() > MAX_OBJECT {
            return Err(StoreError::TooLarge(name.to_owned()));
        }
        match &*self.backend {
            Backend::Directory(directory) => directory.put(name, content).await,
        }
    }

    /// The first `limit` names that start with `prefix` and come after `after`, in byte order.
    pub async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        if !object_name::is_valid_prefix(prefix) {
            return Err(StoreError::Name(prefix.to_owned()));
        }
        match &*self.backend {
            Backend::Directory(directory) => directory.list(prefix, after, limit).await,
        }
    }
}

impl StoreError {
    fn io(action: &'static str, name: &str, source: io::Error) -> Self {
        Self::Io { action, name: name.to_owned(), source }
    }
}

fn check_name(name: &str) -> Result<(), StoreError> {
    if object_name::is_valid(name) { Ok(()) } else { Err(StoreError::Name(name.to_owned())) }
}

#[cfg(test)]
mod tests;
