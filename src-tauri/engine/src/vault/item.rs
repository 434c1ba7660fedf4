//! How one item lies in a store whose entries are smaller than our secrets.
//!
//! Windows keeps 2,560 bytes an entry, and a token set can be longer. A secret
//! that fits is the entry's plain content. A longer one is cut into parts, kept
//! as `<name>#<slot>.<n>` in one of two slots, and the entry itself becomes a
//! header that says which slot, how many parts, and what they hash to.
//!
//! The header is written last and decides alone. A write goes to the slot that
//! the present header does not name, so that a process killed at any step leaves
//! all of the old secret or all of the new one. What it leaves beside that is
//! swept by the next write: parts are removed from the last to the first, so that
//! those left over always begin at nought and are found without a list.

use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

use super::{ItemName, MAX_SECRET_BYTES, VaultError};
use crate::secret::Secret;

/// What an entry that is a header begins with. No token does; one that did would
/// be kept in parts.
const MAGIC: &[u8] = b"signbell-parts ";
const FORMAT: u32 = 1;

/// Entries with a name and some bytes, as a platform keeps them. A `put` replaces
/// one entry whole or not at all.
pub(super) trait RawStore {
    /// The entry's bytes, or `None` if there is no such entry.
    fn get(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError>;
    /// Sets the entry's bytes.
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), VaultError>;
    /// Removes the entry. One that isn't there is no error.
    fn remove(&self, key: &str) -> Result<(), VaultError>;
}

/// Items laid out in a raw store. Without a limit each is one plain entry.
pub(super) struct Items<'a, R> {
    pub(super) raw: &'a R,
    /// The longest entry that the store keeps, if it is too short for secrets.
    pub(super) limit: Option<usize>,
}

impl<R: RawStore> Items<'_, R> {
    pub(super) fn read(&self, item: &ItemName) -> Result<Option<Secret>, VaultError> {
        let Some(entry) = self.raw.get(item.as_str())? else {
            return Ok(None);
        };
        if self.limit.is_none() || !entry.starts_with(MAGIC) {
            return into_secret(&entry).map(Some);
        }
        let first = self.join(item, &Header::parse(&entry)?);
        if first != Err(VaultError::Corrupt) {
            return first.map(Some);
        }
        // Another process may have written between our header and our parts: only a
        // header that still says the same is damaged.
        match self.raw.get(item.as_str())? {
            None => Ok(None),
            Some(again) if *again == *entry => Err(VaultError::Corrupt),
            Some(again) if again.starts_with(MAGIC) => self.join(item, &Header::parse(&again)?).map(Some),
            Some(again) => into_secret(&again).map(Some),
        }
    }

    pub(super) fn write(&self, item: &ItemName, secret: &Secret) -> Result<(), VaultError> {
        let bytes = secret.expose().as_bytes();
        let Some(limit) = self.limit else {
            return self.raw.put(item.as_str(), bytes);
        };
        if bytes.len() > MAX_SECRET_BYTES {
            let (bytes, limit) = (bytes.len(), MAX_SECRET_BYTES);
            return Err(VaultError::TooLarge { bytes, limit });
        }
        if bytes.len() <= limit && !bytes.starts_with(MAGIC) {
            self.raw.put(item.as_str(), bytes)?;
            self.sweep(item, Slot::A, 0)?;
            return self.sweep(item, Slot::B, 0);
        }
        let present = self.raw.get(item.as_str())?;
        let slot = match present.as_deref().map(|entry| Header::parse(entry)) {
            Some(Ok(header)) => header.slot.other(),
            Some(Err(VaultError::NewerFormat)) => return Err(VaultError::NewerFormat),
            _ => Slot::A,
        };
        let parts = bytes.chunks(limit);
        let header = Header { slot, parts: parts.len(), sha256: hex_digest(bytes) };
        for (n, part) in parts.enumerate() {
            self.raw.put(&part_key(item, slot, n), part)?;
        }
        self.raw.put(item.as_str(), header.text().as_bytes())?;
        self.sweep(item, slot, header.parts)?;
        self.sweep(item, slot.other(), 0)
    }

    pub(super) fn delete(&self, item: &ItemName) -> Result<(), VaultError> {
        self.raw.remove(item.as_str())?;
        if self.limit.is_some() {
            self.sweep(item, Slot::A, 0)?;
            self.sweep(item, Slot::B, 0)?;
        }
        Ok(())
    }

    fn join(&self, item: &ItemName, header: &Header) -> Result<Secret, VaultError> {
        let mut whole = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES));
        for n in 0..header.parts {
            let part = self.raw.get(&part_key(item, header.slot, n))?;
            let part = part.ok_or(VaultError::Corrupt)?;
            if whole.len() + part.len() > MAX_SECRET_BYTES {
                return Err(VaultError::Corrupt);
            }
            whole.extend_from_slice(&part);
        }
        if hex_digest(&whole) == header.sha256 { into_secret(&whole) } else { Err(VaultError::Corrupt) }
    }

    /// Removes the slot's parts from number `keep` on, the last one first.
    fn sweep(&self, item: &ItemName, slot: Slot, keep: usize) -> Result<(), VaultError> {
        let mut end = keep;
        while self.raw.get(&part_key(item, slot, end))?.is_some() {
            end += 1;
        }
        for n in (keep..end).rev() {
            self.raw.remove(&part_key(item, slot, n))?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    A,
    B,
}

impl Slot {
    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
        }
    }
}

/// `signbell-parts <format> <slot> <parts> <sha256 of the whole>`
struct Header {
    slot: Slot,
    parts: usize,
    sha256: String,
}

impl Header {
    fn text(&self) -> String {
        let Self { slot, parts, sha256 } = self;
        let magic = String::from_utf8_lossy(MAGIC);
        format!("{magic}{FORMAT} {} {parts} {sha256}", slot.letter())
    }

    fn parse(entry: &[u8]) -> Result<Self, VaultError> {
        let fields = entry.strip_prefix(MAGIC).ok_or(VaultError::Corrupt)?;
        let fields = std::str::from_utf8(fields).map_err(|_| VaultError::Corrupt)?;
        let mut fields = fields.split(' ');
        let format = fields.next().and_then(|f| f.parse::<u32>().ok());
        if format.is_some_and(|f| f > FORMAT) {
            return Err(VaultError::NewerFormat);
        }
        let slot = fields.next();
        let parts = fields.next().and_then(|f| f.parse().ok());
        let (Some(FORMAT), Some(slot), Some(parts), Some(sha256), None) =
            (format, slot, parts, fields.next(), fields.next())
        else {
            return Err(VaultError::Corrupt);
        };
        let slot = match slot {
            "a" => Slot::A,
            "b" => Slot::B,
            _ => return Err(VaultError::Corrupt),
        };
        let sha256 = sha256.to_owned();
        Ok(Self { slot, parts, sha256 })
    }
}

/// `#` can't be in an item's name, so a part never has an item's key.
fn part_key(item: &ItemName, slot: Slot, n: usize) -> String {
    format!("{item}#{}.{n}", slot.letter())
}

fn hex_digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn into_secret(bytes: &[u8]) -> Result<Secret, VaultError> {
    let text = std::str::from_utf8(bytes).map_err(|_| VaultError::Corrupt)?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    use super::*;

    const LIMIT: usize = 100;

    /// Refuses long entries as Windows does, and "is killed" before its nth change.
    #[derive(Default)]
    struct Raw {
        entries: RefCell<BTreeMap<String, Vec<u8>>>,
        changes_left: Cell<Option<usize>>,
    }

    impl Raw {
        fn change(&self) -> Result<(), VaultError> {
            match self.changes_left.get() {
                Some(0) => Err(VaultError::Platform("killed".into())),
                left => {
                    self.changes_left.set(left.map(|n| n - 1));
                    Ok(())
                }
            }
        }

        fn items(&self) -> Items<'_, Self> {
            let limit = Some(LIMIT);
            Items { raw: self, limit }
        }

        fn keys(&self) -> Vec<String> {
            self.entries.borrow().keys().cloned().collect()
        }
    }

    impl RawStore for Raw {
        fn get(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
            Ok(self.entries.borrow().get(key).cloned().map(Zeroizing::new))
        }

        fn put(&self, key: &str, bytes: &[u8]) -> Result<(), VaultError> {
            assert!(bytes.len() <= LIMIT, "{} bytes", bytes.len());
            self.change()?;
            self.entries.borrow_mut().insert(key.into(), bytes.into());
            Ok(())
        }

        fn remove(&self, key: &str) -> Result<(), VaultError> {
            self.change()?;
            self.entries.borrow_mut().remove(key);
            Ok(())
        }
    }

    fn item() -> ItemName {
        ItemName::new("grant:1").unwrap()
    }

    /// Multi-byte characters fall across the parts' borders.
    fn secret(length: usize, salt: &str) -> Secret {
        let text = "é€x".repeat(length / 6 + 1);
        Secret::new(format!("{salt}{text}"))
    }

    #[test]
    fn t5_any_length_comes_back() {
        let raw = Raw::default();
        let lengths = [0, 1, 99, 100, 101, 102, 200, 201, 2560, 10_000, 64 * 1024];
        for length in lengths.into_iter().chain(lengths.into_iter().rev()) {
            let secret = Secret::new("x".repeat(length));
            raw.items().write(&item(), &secret).unwrap();
            assert_eq!(raw.items().read(&item()), Ok(Some(secret)), "{length}");
            let parts = if length > LIMIT { length.div_ceil(LIMIT) } else { 0 };
            assert_eq!(raw.keys().len(), 1 + parts, "{length}: {:?}", raw.keys());
        }
        raw.items().delete(&item()).unwrap();
        assert_eq!(raw.items().read(&item()), Ok(None));
        assert!(raw.keys().is_empty());
    }

    #[test]
    fn t5_above_the_most_is_refused() {
        let raw = Raw::default();
        let long = Secret::new("x".repeat(MAX_SECRET_BYTES + 1));
        let refused = raw.items().write(&item(), &long);
        assert!(matches!(refused, Err(VaultError::TooLarge { .. })), "{refused:?}");
        assert!(raw.keys().is_empty());
    }

    #[test]
    fn t6_killed_at_any_step_is_all_old_or_all_new() {
        let secrets = [secret(20, "o"), secret(250, "o"), secret(900, "o")];
        for old in &secrets {
            for new in [secret(30, "n"), secret(260, "n"), secret(500, "n")] {
                for steps in 0.. {
                    let raw = Raw::default();
                    raw.items().write(&item(), &old.clone()).unwrap();
                    raw.changes_left.set(Some(steps));
                    let written = raw.items().write(&item(), &new);
                    raw.changes_left.set(None);

                    let found = raw.items().read(&item()).unwrap().unwrap();
                    assert!(found == *old || found == new, "{steps}");
                    if written.is_ok() {
                        assert_eq!(found, new);
                        break;
                    }
                    // A second kill, further on, must not touch what the first left.
                    raw.changes_left.set(Some(steps / 2));
                    let _ = raw.items().write(&item(), &secret(700, "m"));
                    raw.changes_left.set(None);
                    let again = raw.items().read(&item()).unwrap().unwrap();
                    assert!(again == found || again == secret(700, "m"), "{steps}");
                    // And the next whole write leaves nothing behind.
                    let last = secret(150, "l");
                    raw.items().write(&item(), &last).unwrap();
                    assert_eq!(raw.items().read(&item()), Ok(Some(last.clone())));
                    assert_eq!(raw.keys().len(), 1 + last.len().div_ceil(LIMIT));
                }
            }
        }
    }

    #[test]
    fn t6_killed_while_deleting_is_gone_and_swept_later() {
        for steps in 1..5 {
            let raw = Raw::default();
            raw.items().write(&item(), &secret(350, "o")).unwrap();
            raw.changes_left.set(Some(steps));
            let _ = raw.items().delete(&item());
            raw.changes_left.set(None);
            assert_eq!(raw.items().read(&item()), Ok(None), "{steps}");
            raw.items().delete(&item()).unwrap();
            assert!(raw.keys().is_empty(), "{:?}", raw.keys());
        }
    }

    #[test]
    fn damage_is_told() {
        let damages: [(&str, Option<&[u8]>, VaultError); 6] = [
            ("grant:1#a.1", None, VaultError::Corrupt),
            ("grant:1#a.1", Some(b"other"), VaultError::Corrupt),
            ("grant:1", Some(b"signbell-parts 1 a 99"), VaultError::Corrupt),
            ("grant:1", Some(b"signbell-parts x"), VaultError::Corrupt),
            ("grant:1", Some(b"\xff"), VaultError::Corrupt),
            ("grant:1", Some(b"signbell-parts 2 z"), VaultError::NewerFormat),
        ];
        for (key, bytes, error) in damages {
            let raw = Raw::default();
            raw.items().write(&item(), &secret(350, "o")).unwrap();
            match bytes {
                Some(bytes) => raw.put(key, bytes).unwrap(),
                None => raw.remove(key).unwrap(),
            }
            assert_eq!(raw.items().read(&item()), Err(error), "{key} {bytes:?}");
        }
    }

    #[test]
    fn a_secret_like_a_header_is_no_header() {
        let raw = Raw::default();
        let sly = Secret::new("signbell-parts 1 a 1 00");
        raw.items().write(&item(), &sly).unwrap();
        assert_eq!(raw.items().read(&item()), Ok(Some(sly)));
    }

    #[test]
    fn without_a_limit_an_item_is_one_plain_entry() {
        let raw = Raw::default();
        let items = Items { raw: &raw, limit: None };
        let sly = Secret::new("signbell-parts 2");
        items.write(&item(), &sly).unwrap();
        assert_eq!(items.read(&item()), Ok(Some(sly)));
        items.delete(&item()).unwrap();
        assert!(raw.keys().is_empty());
    }
}
