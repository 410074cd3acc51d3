//! Objects as files: `ROOT/wallet/treasury` is the object `wallet/treasury`.
//!
//! An object appears whole or not at all: it is written and synced under `ROOT/.tmp`, then linked to
//! its name, which fails if the name exists, then the folder is synced. Several hosts may share a
//! root, because the file system decides who was first. All of it blocks, so all of it runs on
//! Tokio's blocking threads, a bounded number at a time.

use std::{
    collections::{BinaryHeap, HashSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{MAX_OBJECT, Page, Put, StoreError};
use crate::random;

/// No object name starts with a dot, so this folder can never be an object's.
const TEMPORARY: &str = ".tmp";

/// Files being written by another host of the same root are younger than this.
const LEFT_BEHIND: Duration = Duration::from_mins(10);

/// Operations at once; more wait for their turn, as long as their caller has time.
const MAX_OPERATIONS: usize = 64;

#[derive(Debug)]
pub(super) struct Directory {
    tree: Arc<Tree>,
    operations: Arc<Semaphore>,
}

/// The root, and the folders in it that are known to survive a crash.
#[derive(Debug)]
struct Tree {
    root: PathBuf,
    durable: Mutex<HashSet<PathBuf>>,
}

impl Directory {
    pub(super) async fn open(root: PathBuf) -> Result<Self, StoreError> {
        let name = root.display().to_string();
        let tree = Arc::new(Tree { root, durable: Mutex::default() });
        let directory = Self { tree, operations: Arc::new(Semaphore::new(MAX_OPERATIONS)) };
        directory.run("open", &name, Tree::prepare).await?;
        Ok(directory)
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.tree.root.join(name);
        self.run("read", name, move |_| read(&path)).await
    }

    pub(super) async fn put(&self, name: &str, content: &[u8]) -> Result<Put, StoreError> {
        let (path, content) = (self.tree.root.join(name), content.to_vec());
        self.run("store", name, move |tree| tree.put(&path, &content)).await
    }

    pub(super) async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let (start, after) = (prefix.to_owned(), after.unwrap_or_default().to_owned());
        self.run("list", prefix, move |tree| {
            let mut first = First { after, limit, names: BinaryHeap::new(), more: false };
            tree.visit(&start, &mut first)?;
            Ok(Page { names: first.names.into_sorted_vec(), more: first.more })
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        name: &str,
        work: impl FnOnce(&Tree) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let failed = |source| StoreError::io(action, name, source);
        let turn =
            self.operations.clone().acquire_owned().await.map_err(|_| failed(ErrorKind::Other.into()))?;
        let tree = self.tree.clone();
        let done = spawn_blocking(move || {
            let result = work(&tree);
            drop(turn); // held by the work itself: a caller that gives up does not free a thread
            result
        });
        match done.await {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(failed(io::Error::other("the operation was interrupted"))),
        }
    }
}

impl Tree {
    fn prepare(&self) -> io::Result<()> {
        fs::create_dir_all(&self.root)?;
        let folder = self.root.join(TEMPORARY);
        create_private(&folder)?;
        let now = SystemTime::now();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let written = entry.metadata()?.modified()?;
            if now.duration_since(written).is_ok_and(|age| age > LEFT_BEHIND) {
                fs::remove_file(entry.path())?;
            }
        }
        sync_folder(&self.root)
    }

    fn put(&self, path: &Path, content: &[u8]) -> io::Result<Put> {
        let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
        if let Some(existing) = read(path)? {
            return compare(existing, content, folder);
        }
        self.make_durable(folder)?;
        let temporary = Temporary::write(&self.root.join(TEMPORARY), content)?;
        match fs::hard_link(&temporary.path, path) {
            Ok(()) => sync_folder(folder).map(|()| Put::Stored),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                compare(read(path)?.ok_or(error)?, content, folder)
            }
            Err(error) => Err(error),
        }
    }

    /// Creates a folder below the root, and those above it. One that exists is synced too, the first
    /// time: its creator may not have got that far.
    fn make_durable(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root || self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
        {
            return Ok(());
        }
        let above = folder.parent().ok_or(ErrorKind::InvalidInput)?;
        self.make_durable(above)?;
        create_private(folder)?;
        sync_folder(above)?;
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        Ok(())
    }

    fn visit(&self, prefix: &str, first: &mut First) -> io::Result<()> {
        let entries = match fs::read_dir(self.root.join(prefix)) {
            Err(error) if is_absence(&error) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(segment) = entry.file_name().into_string() else { continue };
            let (name, kind) = (format!("{prefix}{segment}"), entry.file_type()?);
            if kind.is_dir() && !segment.starts_with('.') {
                self.visit(&format!("{name}/"), first)?;
            } else if kind.is_file() && signer_shared::object_name::is_valid(&name) {
                first.offer(name);
            }
        }
        Ok(())
    }
}

/// The first names after one, in memory that does not grow with the folder.
struct First {
    after: String,
    limit: usize,
    names: BinaryHeap<String>,
    more: bool,
}

impl First {
    fn offer(&mut self, name: String) {
        if name <= self.after {
            return;
        }
        self.names.push(name);
        if self.names.len() > self.limit {
            self.names.pop();
            self.more = true;
        }
    }
}

/// A synced file that is removed when it goes out of scope; a link to it stays.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn write(folder: &Path, content: &[u8]) -> io::Result<Self> {
        let path = folder.join(random::hex());
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let temporary = Self { path };
        file.write_all(content)?;
        file.sync_all()?;
        Ok(temporary)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // A leftover costs a little space until the next start, and nothing else.
        let _ = fs::remove_file(&self.path);
    }
}

fn compare(existing: Vec<u8>, content: &[u8], folder: &Path) -> io::Result<Put> {
    if existing != content {
        return Ok(Put::Taken(existing));
    }
    // Another writer may have linked it and not yet synced the folder.
    sync_folder(folder)?;
    Ok(Put::Stored)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if is_absence(&error) => return Ok(None),
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut content = Vec::new();
    let most = u64::try_from(MAX_OBJECT).unwrap_or(u64::MAX);
    file.take(most.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() > MAX_OBJECT {
        return Err(io::Error::new(ErrorKind::InvalidData, "the file is larger than any object"));
    }
    Ok(Some(content))
}

/// `NotADirectory`: the name goes on below another object, so nothing is there either.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn create_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
