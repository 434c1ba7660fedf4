//! Text and what is wanted -> new text, by client.

use crate::servers::{Shape, entry, entry_of, key_of, name, tool_of};
use crate::{Client, Entry, Key, Problem, Wanted, at_port, git, npm, own, pip, port_of};

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
            entry_of(client, entry.0, entry.1, &wanted.proxy).is_some_and(|entry| entry.service == target.name)
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
        let entry = entry_of(client, &name, &entry, proxy);
        if entry.is_some_and(|entry| only.is_none_or(|only| only.contains(&entry.service))) {
            text = shape.take(&text, &name, made)?;
        }
    }
    Ok(text)
}

/// Leads our entries of these services, or all of them, to the port at which we are now; nothing else in them
/// changes.
///
/// # Errors
/// [`Problem`]: the file is to be left alone.
pub fn moved(client: Client, text: &str, proxy: &str, only: Option<&[String]>) -> Result<String, Problem> {
    let Some(to) = port_of(proxy) else { return Ok(text.to_owned()) };
    let goes = |entry: &Entry| entry.is_elsewhere(proxy) && only.is_none_or(|only| only.contains(&entry.service));
    match client {
        Client::Git => return Ok(git::moved(text, proxy, to, goes)),
        Client::Npm => return Ok(npm::moved(text, proxy, to, goes)),
        Client::Pip => return Ok(pip::moved(text, proxy, to, goes)),
        Client::Curl => return Ok(own::moved(text, to, goes)),
        Client::Kubectl => return Ok(text.to_owned()),
        _ => {}
    }
    let Some(shape) = Shape::of(client, text) else { return Ok(text.to_owned()) };
    let mut text = text.to_owned();
    let entries = shape.entries(&text)?;
    for (name, entry) in &entries {
        let found = entry_of(client, name, entry, proxy).filter(goes);
        let Some(from) = found.and_then(|entry| entry.port) else { continue };
        // docker's are named by their address: there may be one at the new port already.
        let new = at_port(name, from, to);
        if new != *name && entries.contains_key(&new) {
            text = shape.take(&text, name, false)?;
            continue;
        }
        let Some(range) = shape.range(&text, name) else { return Err(Problem::ByHand { what: name.clone() }) };
        let moved = at_port(text.get(range.clone()).unwrap_or_default(), from, to);
        text.replace_range(range, &moved);
    }
    Ok(text)
}

/// Our entries in the client's file, by service.
///
/// # Errors
/// [`Problem`] where it can't be read.
pub fn entries(client: Client, text: &str, proxy: &str) -> Result<Vec<Entry>, Problem> {
    let mut all = match client {
        Client::Git => git::entries(text, proxy),
        Client::Npm => npm::entries(text, proxy),
        Client::Pip => pip::entries(text, proxy),
        Client::Curl | Client::Kubectl => own::entries(client, text),
        _ => match Shape::of(client, text) {
            None => vec![],
            Some(shape) => {
                let entries = shape.entries(text)?;
                entries.iter().filter_map(|(name, entry)| entry_of(client, name, entry, proxy)).collect()
            }
        },
    };
    all.sort();
    all.dedup();
    Ok(all)
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
    let mut ours = entries.iter().filter(|(name, entry)| entry_of(client, name, entry, proxy).is_some());
    ours.find_map(|(_, entry)| key_of(entry))
}

/// The tool that the client's file names to a program of ours; where a key stands in it, that tells.
#[must_use]
pub fn tool(client: Client, text: &str, proxy: &str) -> Option<String> {
    if client == Client::Git {
        return git::tool(text, proxy);
    }
    let entries = Shape::of(client, text)?.entries(text).ok()?;
    let mut ours = entries.iter().filter(|(name, entry)| entry_of(client, name, entry, proxy).is_some());
    ours.find_map(|(_, entry)| tool_of(entry))
}

/// Whether a file that we made says nothing any more.
pub(crate) fn is_empty(client: Client, text: &str) -> bool {
    Shape::of(client, text).map_or_else(|| text.trim().is_empty(), |shape| shape.is_empty(text))
}

#[cfg(test)]
mod tests;
