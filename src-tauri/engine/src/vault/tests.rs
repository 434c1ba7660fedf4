#![allow(clippy::unwrap_used)]

use super::memory::FaultyStore;
use super::*;

const SHORT: Duration = Duration::from_millis(500);

fn name(text: &str) -> ItemName {
    ItemName::new(text).unwrap()
}

fn vault(store: &Arc<FaultyStore>) -> Vault {
    Vault::with_deadline(Arc::clone(store), SHORT)
}

#[test]
fn names_are_checked() {
    for good in ["grant:1", "client-secret:linear.app", "a", "G:ada@example.com_2"] {
        assert_eq!(name(good).as_str(), good);
    }
    let long = "a".repeat(201);
    for bad in ["", ":a", "-a", "a b", "a/b", "a#0", "a\0", "ä", "a\n", "..", &long] {
        assert_eq!(ItemName::new(bad), Err(VaultError::BadName), "{bad:?}");
    }
}

#[tokio::test]
async fn keeps_reads_and_deletes() {
    let vault = Vault::open(MemoryStore::new());
    let item = name("grant:1");
    assert_eq!(vault.kind(), StoreKind::Memory);
    assert_eq!(vault.check().await, Ok(()));
    assert_eq!(vault.read(&item).await, Ok(None));
    vault.write(&item, &Secret::new("a")).await.unwrap();
    vault.clone().write(&item, &Secret::new("b")).await.unwrap();
    assert_eq!(vault.read(&item).await, Ok(Some(Secret::new("b"))));
    assert_eq!(vault.delete(&item).await, Ok(()));
    assert_eq!(vault.delete(&item).await, Ok(()));
    assert_eq!(vault.read(&item).await, Ok(None));
}

#[tokio::test]
async fn everything_moves_or_nothing_does() {
    let items = || [name("grant:1"), name("grant:2"), name("grant:none")];
    let (old, new) = (Arc::new(FaultyStore::default()), Arc::new(FaultyStore::default()));
    let vault = vault(&old);
    for (item, secret) in [("grant:1", "a"), ("grant:2", "b")] {
        vault.write(&name(item), &Secret::new(secret)).await.unwrap();
    }
    // A store that keeps nothing, and a choice that can't be written down.
    new.lose_writes(true);
    let failed = vault.move_to(Box::new(Arc::clone(&new)), items(), Box::new(|| Ok(()))).await;
    assert_eq!(failed, Err(MoveError::Store(VaultError::ReadBackDiffers)));
    new.lose_writes(false);
    let failed = vault.move_to(Box::new(Arc::clone(&new)), items(), Box::new(|| Err("no".into()))).await;
    assert_eq!(failed, Err(MoveError::Choice("no".into())));
    assert_eq!(new.read(&name("grant:1")), Ok(None));
    assert_eq!(vault.read(&name("grant:2")).await, Ok(Some(Secret::new("b"))));
    assert_eq!(old.read(&name("grant:1")), Ok(Some(Secret::new("a"))));

    let clone = vault.clone();
    let moved = vault.move_to(Box::new(Arc::clone(&new)), items(), Box::new(|| Ok(()))).await;
    assert_eq!(moved, Ok(Moved { items: 2, left_behind: 0 }));
    assert_eq!(clone.read(&name("grant:1")).await, Ok(Some(Secret::new("a"))));
    assert_eq!(old.read(&name("grant:1")), Ok(None));
    clone.write(&name("grant:1"), &Secret::new("c")).await.unwrap();
    assert_eq!(new.read(&name("grant:1")), Ok(Some(Secret::new("c"))));
}

#[tokio::test]
async fn a_move_that_panics_leaves_the_vault_as_it_was() {
    let (old, new) = (Arc::new(FaultyStore::default()), Arc::new(FaultyStore::default()));
    let vault = vault(&old);
    vault.write(&name("grant:1"), &Secret::new("a")).await.unwrap();
    let failed = vault.move_to(Box::new(new), [name("grant:1")], Box::new(|| panic!("on purpose"))).await;
    assert!(matches!(failed, Err(MoveError::Store(VaultError::Platform(_)))), "{failed:?}");
    assert_eq!(vault.read(&name("grant:1")).await, Ok(Some(Secret::new("a"))));
}

#[tokio::test]
async fn what_is_written_after_the_list_was_made_moves_too() {
    let (old, new) = (Arc::new(FaultyStore::default()), Arc::new(FaultyStore::default()));
    let vault = vault(&old);
    // The list is empty: this item's writer was faster than whoever is told of it.
    vault.write(&name("client-secret:new"), &Secret::new("a")).await.unwrap();
    vault.write(&name("grant:gone"), &Secret::new("b")).await.unwrap();
    vault.delete(&name("grant:gone")).await.unwrap();
    let moved = vault.move_to(Box::new(Arc::clone(&new)), [], Box::new(|| Ok(()))).await;
    assert_eq!(moved, Ok(Moved { items: 1, left_behind: 0 }));
    assert_eq!(new.read(&name("client-secret:new")), Ok(Some(Secret::new("a"))));
    assert_eq!(old.read(&name("client-secret:new")), Ok(None));
}

#[tokio::test]
async fn t3_a_hanging_store_times_out_and_still_writes_in_order() {
    let store = Arc::new(FaultyStore::default());
    let vault = vault(&store);
    let item = name("grant:1");
    store.hang(true);
    let secrets = ["one", "two"].map(Secret::new);
    let (one, two, read) =
        tokio::join!(vault.write(&item, &secrets[0]), vault.write(&item, &secrets[1]), vault.read(&item),);
    assert_eq!((one, two), (Err(VaultError::Timeout), Err(VaultError::Timeout)));
    assert_eq!(read, Err(VaultError::Timeout));

    store.hang(false);
    assert_eq!(vault.read(&item).await, Ok(Some(Secret::new("two"))));
    // The read whose caller was gone did not happen: two read-backs and ours did.
    assert_eq!(store.log(), ["write one", "read", "write two", "read", "read"]);
}

#[tokio::test]
async fn t4_reads_work_writes_hang() {
    let store = Arc::new(FaultyStore::default());
    store.hang_writes(true);
    let vault = vault(&store);
    assert_eq!(vault.probe().await, Ok(()));
    assert_eq!(vault.read(&name("grant:1")).await, Ok(None));
    assert_eq!(vault.check().await, Err(VaultError::Timeout));
    store.hang_writes(false);
}

#[tokio::test]
async fn a_store_that_keeps_nothing_is_found_out() {
    let store = Arc::new(FaultyStore::default());
    store.lose_writes(true);
    let vault = vault(&store);
    let differs = Err(VaultError::ReadBackDiffers);
    assert_eq!(vault.check().await, differs);
    assert_eq!(vault.write(&name("grant:1"), &Secret::new("x")).await, differs);
}

#[tokio::test]
async fn p5_a_panicking_store_serves_the_next() {
    let store = Arc::new(FaultyStore::default());
    // Printing a backtrace takes its time.
    let vault = Vault::open(Arc::clone(&store));
    store.panic_once();
    let failed = vault.read(&name("grant:1")).await;
    assert!(matches!(failed, Err(VaultError::Platform(_))), "{failed:?}");
    assert_eq!(vault.read(&name("grant:1")).await, Ok(None));
}

#[tokio::test]
async fn t5_too_large_is_refused_unsent() {
    let store = Arc::new(FaultyStore::default());
    let vault = vault(&store);
    let secret = Secret::new("x".repeat(MAX_SECRET_BYTES + 1));
    let refused = vault.write(&name("grant:1"), &secret).await;
    let limit = MAX_SECRET_BYTES;
    let bytes = limit + 1;
    assert_eq!(refused, Err(VaultError::TooLarge { bytes, limit }));
    assert!(store.log().is_empty());
}

#[tokio::test]
async fn the_last_handle_ends_the_thread_after_what_is_queued() {
    let store = Arc::new(FaultyStore::default());
    let vault = vault(&store);
    store.hang(true);
    let wrote = vault.write(&name("grant:1"), &Secret::new("late")).await;
    assert_eq!(wrote, Err(VaultError::Timeout));
    // Would never return if it waited for the store, which hangs until the next line.
    drop(vault);
    store.hang(false);
    // The thread's own share of the store goes when the thread does.
    for _ in 0..200 {
        if Arc::strong_count(&store) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(Arc::strong_count(&store), 1);
    assert_eq!(store.log(), ["write late", "read"]);
}
