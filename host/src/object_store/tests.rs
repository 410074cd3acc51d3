use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;

use super::*;
use crate::random;

/// A folder that is gone after the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("signer-store-{}", random::hex())))
    }

    async fn store(&self) -> ObjectStore {
        ObjectStore::directory(&self.0).await.unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_first_put_stays() {
    let folder = Folder::new();
    let store = folder.store().await;
    assert_eq!(store.get("wallet/a").await.unwrap(), None);
    assert_eq!(store.put("wallet/a", b"one").await.unwrap(), Put::Stored);
    assert_eq!(store.put("wallet/a", b"one").await.unwrap(), Put::Stored);
    assert_eq!(store.put("wallet/a", b"two").await.unwrap(), Put::Taken(b"one".to_vec()));
    let again = folder.store().await;
    assert_eq!(again.get("wallet/a").await.unwrap().unwrap(), b"one");
    assert_eq!(fs::read_dir(folder.0.join(".tmp")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_of_one_name_exactly_one_wins() {
    let folder = Folder::new();
    let stores = [folder.store().await, folder.store().await];
    for round in 0..8 {
        let name = format!("address/evm/{round}");
        let writers = (0u8..16).map(|writer| {
            let (store, name) = (stores[usize::from(writer) % 2].clone(), name.clone());
            tokio::spawn(async move { (writer, store.put(&name, &[writer]).await.unwrap()) })
        });
        let mut winners = Vec::new();
        let mut existing = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                (writer, Put::Stored) => winners.push(writer),
                (_, Put::Taken(bytes)) => existing.push(bytes),
            }
        }
        assert_eq!(winners.len(), 1);
        assert!(existing.iter().all(|bytes| *bytes == winners));
    }
}

#[tokio::test]
async fn listings_are_in_order_and_paged() {
    let folder = Folder::new();
    let store = folder.store().await;
    assert_eq!(store.list("wallet/", None, 2).await.unwrap(), Page::default());
    for name in ["wallet/c", "wallet/a", "wallet/b", "address/evm/1", "address/evm.x", "address/solana/1"] {
        store.put(name, b"x").await.unwrap();
    }
    let page = store.list("wallet/", None, 2).await.unwrap();
    assert_eq!((page.names, page.more), (vec!["wallet/a".to_owned(), "wallet/b".to_owned()], true));
    let page = store.list("wallet/", Some("wallet/b"), 2).await.unwrap();
    assert_eq!((page.names, page.more), (vec!["wallet/c".to_owned()], false));
    let page = store.list("address/", None, 9).await.unwrap();
    assert_eq!(page.names, ["address/evm.x", "address/evm/1", "address/solana/1"]);
}

#[tokio::test]
async fn what_is_no_object_is_not_listed_or_read() {
    let folder = Folder::new();
    let store = folder.store().await;
    store.put("wallet/a", b"x").await.unwrap();
    fs::write(folder.0.join("wallet/.hidden"), "x").unwrap();
    fs::write(folder.0.join("wallet/not a name"), "x").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.0.join("wallet/link")).unwrap();
    assert_eq!(store.list("wallet/", None, 9).await.unwrap().names, ["wallet/a"]);
    assert_eq!(store.get("wallet/a/below").await.unwrap(), None);
    store.put("address/evm/1", b"x").await.unwrap();
    assert_eq!(store.get("address/evm").await.unwrap(), None);
    for name in ["wallet/../a", "/etc/passwd", ".tmp/a", "wallet"] {
        assert!(matches!(store.get(name).await, Err(StoreError::Name(_))), "{name}");
        assert!(matches!(store.put(name, b"x").await, Err(StoreError::Name(_))), "{name}");
    }
}

#[tokio::test]
async fn sizes_are_bounded_both_ways() {
    let folder = Folder::new();
    let store = folder.store().await;
    let largest = vec![7; MAX_OBJECT];
    store.put("wallet/large", &largest).await.unwrap();
    assert_eq!(store.get("wallet/large").await.unwrap().unwrap().len(), MAX_OBJECT);
    let error = store.put("wallet/larger", &vec![7; MAX_OBJECT + 1]).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge(_)));
    fs::write(folder.0.join("wallet/larger"), vec![7; MAX_OBJECT + 1]).unwrap();
    assert!(matches!(store.get("wallet/larger").await, Err(StoreError::Io { .. })));
}

#[tokio::test]
async fn leftovers_are_removed_at_the_start_and_files_under_way_are_not() {
    let folder = Folder::new();
    folder.store().await;
    let (old, young) = (folder.0.join(".tmp/old"), folder.0.join(".tmp/young"));
    fs::write(&young, "x").unwrap();
    let file = File::create(&old).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
    folder.store().await;
    assert!(!old.exists() && young.exists());
}

#[tokio::test]
async fn a_broken_store_is_an_error_not_an_absence() {
    let folder = Folder::new();
    let store = folder.store().await;
    fs::remove_dir_all(folder.0.join(".tmp")).unwrap();
    assert!(matches!(store.put("wallet/a", b"x").await, Err(StoreError::Io { .. })));
    assert_eq!(store.get("wallet/a").await.unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_together_are_the_sorted_names(
        names in prop::collection::btree_set("[a-z0-9._-]{0,3}[a-z0-9]", 0..24),
        limit in 1usize..7,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = Folder::new();
            let store = folder.store().await;
            let mut expected = Vec::new();
            for name in names.iter().map(|name| format!("wallet/{name}")) {
                if store.put(&name, name.as_bytes()).await.is_ok() {
                    expected.push(name);
                }
            }
            let (mut listed, mut after) = (Vec::new(), None);
            loop {
                let page = store.list("wallet/", after.as_deref(), limit).await.unwrap();
                assert!(page.names.len() <= limit);
                listed.extend(page.names);
                if !page.more { break }
                after = listed.last().cloned();
            }
            assert_eq!(listed, expected);
        });
    }
}
