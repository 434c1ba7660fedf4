//! Text and what is wanted -> new text, by client.

use crate::servers::{Shape, entry, key_of, name, service_of};
use crate::{Client, Key, Problem, Wanted, git, npm, own, pip};

/// A file as it is to be.
#[derive(Clone)]
pub struct Edited {
    /// What it says.
    pub text: String,
    /// Whether the part that holds our entries was not there before.
    pub made: bool,
    /// Services whose name somebody else's entry has already, and what ours is called instead.
    pub renamed: Vec<(String, String)>,
}

impl std::fmt::Debug for Edited {
    /// The text may hold anybody's secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edited").field("made", &self.made).field("renamed", &self.renamed).finish_non_exhaustive()
    }
}

/// Puts the services into the client's file, or changes what is there of them.
///
/// # Errors
/// [`Problem`]: the file is to be left alone.
pub fn connect(client: Client, text: &str, wanted: &Wanted) -> Result<Edited, Problem> {
    let plain = |text| Edited { text, made: false, renamed: vec![] };
    match client {
        Client::Git => return git::put(text, wanted).map(plain),
        Client::Npm => return npm::put(text, wanted).map(plain),
        Client::Pip => {
            return pip::put(text, wanted).map(|(text, made)| Edited { text, made, renamed: vec![] });
        }
        Client::Curl | Client::Kubectl => return own::put(client, text, wanted).map(plain),
        _ => {}
    }
    let mut edited = plain(text.to_owned());
    for target in &wanted.services {
        let Some(shape) = Shape::of(client, &edited.text) else { return Err(Problem::NoSuchForm) };
        let entries = shape.entries(&edited.text)?;
        let ours = |entry: (&String, &serde_json::Value)| {
            service_of(client, entry.0, entry.1, &wanted.proxy).as_ref() == Some(&target.name)
        };
        let plain = name(client, target);
        let known = entries.iter().find(|entry| ours(*entry)).map(|(name, _)| name.clone());
        let called = match known {
            Some(known) => known,
            None if entries.contains_key(&plain) => {
                let other = format!("signbell-{plain}");
                edited.renamed.push((plain, other.clone()));
                other
            }
            None => plain,
        };
        let new = entry(client, target, wanted)?;
        if entries.get(&called) == Some(&new) {
            continue;
        }
        let (text, made) = shape.put(&edited.text, &called, &new)?;
        edited.text = text;
        edited.made |= made;
    }
    Ok(edited)
}

/// Takes these services out again, or all of ours; `made` says that the part that held them was made by us.
///
/// # Errors
/// [`Problem`]: the file is to be left alone.
pub fn undo(client: Client, text: &str, proxy: &str, only: Option<&[String]>, made: bool) -> Result<String, Problem> {
    match client {
        Client::Git => return git::take(text, proxy, only),
        Client::Npm => return Ok(npm::take(text, proxy, only)),
        Client::Pip => return pip::take(text, proxy, only, made),
        Client::Curl | Client::Kubectl => return own::take(client, text, only),
        _ => {}
    }
    let Some(shape) = Shape::of(client, text) else { return Ok(text.to_owned()) };
    let mut text = text.to_owned();
    for (name, entry) in shape.entries(&text)? {
        let service = service_of(client, &name, &entry, proxy);
        if service.is_some_and(|service| only.is_none_or(|only| only.contains(&service))) {
            text = shape.take(&text, &name, made)?;
        }
    }
    Ok(text)
}

/// The services that the client's file leads to.
///
/// # Errors
/// [`Problem`] where it can't be read.
pub fn connected(client: Client, text: &str, proxy: &str) -> Result<Vec<String>, Problem> {
    match client {
        Client::Git => return Ok(git::services(text, proxy)),
        Client::Npm => return Ok(npm::services(text, proxy)),
        Client::Pip => return Ok(pip::services(text, proxy)),
        Client::Curl | Client::Kubectl => return Ok(own::services(text)),
        _ => {}
    }
    let Some(shape) = Shape::of(client, text) else { return Ok(vec![]) };
    let entries = shape.entries(text)?;
    let mut names: Vec<_> = entries.iter().filter_map(|(name, entry)| service_of(client, name, entry, proxy)).collect();
    names.sort();
    Ok(names)
}

/// The key of ours that stands in the client's file.
#[must_use]
pub fn key(client: Client, text: &str, proxy: &str) -> Option<Key> {
    match client {
        Client::Npm => return npm::key(text, proxy),
        Client::Pip => return pip::key(text, proxy),
        Client::Curl => return own::key(text),
        _ => {}
    }
    let entries = Shape::of(client, text)?.entries(text).ok()?;
    let mut ours = entries.iter().filter(|(name, entry)| service_of(client, name, entry, proxy).is_some());
    ours.find_map(|(_, entry)| key_of(entry))
}

/// Whether a file that we made says nothing any more.
pub(crate) fn is_empty(client: Client, text: &str) -> bool {
    Shape::of(client, text).map_or_else(|| text.trim().is_empty(), |shape| shape.is_empty(text))
}

#[cfg(test)]
mod tests;
