//! What was found, as it is shown: no secret of it is.

use serde::Serialize;
use signbell_engine::checkup::KEY_PREFIX;
use signbell_engine::model::ServiceName;
use signbell_engine::view::AppView;
use signbell_engine::wording::import as words;
use url::Url;

use crate::{Item, Note, ReadError, Tokens};

/// An item as it is shown; no secret of it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// What [`Item::id`] says.
    pub id: String,
    /// Whose it is.
    pub source: &'static str,
    /// Where it was read.
    pub places: Vec<String>,
    /// Who it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who signs the person in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What the program is known by there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Whether there is a client secret.
    pub client_secret: bool,
    /// What it asks for.
    pub scopes: Vec<String>,
    /// `none`, `refresh`, `theirs`, `sealed`.
    pub tokens: &'static str,
    /// Whether it can be taken over as it is.
    pub complete: bool,
    /// The service that has this address already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub here: Option<ServiceName>,
    /// What a person has to know of it, in sentences.
    pub notes: Vec<String>,
}

impl Listed {
    /// As `view` shows what is here already.
    #[must_use]
    pub fn of(item: &Item, view: Option<&AppView>) -> Self {
        let here = here(item, view);
        let mut notes: Vec<String> = here.iter().map(words::here_already).collect();
        if here.is_none() {
            notes.extend(item.notes.iter().map(note_words));
            notes.extend(tokens_words(item).map(str::to_owned));
        }
        Self {
            id: item.id(),
            source: item.source.as_str(),
            places: item.places.iter().map(|place| place.display().to_string()).collect(),
            who: item.who.clone(),
            url: item.url.as_ref().map(shown),
            issuer: item.issuer.as_ref().map(shown),
            client_id: item.client_id.clone(),
            client_secret: item.client_secret.is_some(),
            scopes: item.scopes.clone(),
            tokens: match item.tokens {
                Tokens::None => "none",
                Tokens::Refresh { .. } => "refresh",
                Tokens::Theirs => "theirs",
                Tokens::Sealed => "sealed",
            },
            complete: item.is_whole(),
            here,
            notes,
        }
    }
}

/// The service that has the item's address already.
pub(crate) fn here(item: &Item, view: Option<&AppView>) -> Option<ServiceName> {
    let url = item.url.as_ref()?.as_str().trim_end_matches('/');
    let ours = |address: &str| address.trim_end_matches('/') == url || url.starts_with(&format!("{address}/"));
    let view = view?;
    let known = view.services.iter().find(|s| s.url.trim_end_matches('/') == url || ours(&s.address));
    known.map(|service| service.service.clone())
}

/// An address without what may be a secret in it: the user's name and password, the query, and a tool's key in
/// the path.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // Only an address without a host has no place for these.
    let _ = (shown.set_username(""), shown.set_password(None));
    shown.set_query(None);
    shown.set_fragment(None);
    let path: Vec<&str> =
        url.path().split('/').map(|part| if part.starts_with(KEY_PREFIX) { "…" } else { part }).collect();
    let origin = shown.as_str().strip_suffix(shown.path()).unwrap_or_default();
    let mut text = format!("{origin}{}", path.join("/"));
    if url.query().is_some() {
        text.push_str("?…");
    }
    text
}

/// What becomes of the other program's sign-in.
fn tokens_words(item: &Item) -> Option<&'static str> {
    match item.tokens {
        Tokens::None => None,
        Tokens::Refresh { shared: true, .. } => Some(words::TOKENS_SHARED),
        Tokens::Refresh { shared: false, .. } => Some(words::TOKENS_MOVE),
        Tokens::Theirs => Some(words::TOKENS_STAY),
        Tokens::Sealed => Some(words::TOKENS_SEALED),
    }
}

/// A note in words.
#[must_use]
pub fn note_words(note: &Note) -> String {
    match note {
        Note::UnknownAddress => words::UNKNOWN_ADDRESS.to_owned(),
        Note::NoService => words::NO_SERVICE.to_owned(),
        Note::OwnHeader => words::OWN_HEADER.to_owned(),
        Note::ClientIdNeeded => words::CLIENT_ID_NEEDED.to_owned(),
        Note::ProgramsClient(program) => words::programs_client(program),
        Note::Sealed(by) => words::sealed(by),
        Note::NoPerson(kind) => words::no_person(kind),
        Note::Placeholder(key) => words::placeholder(key),
    }
}

/// Why a file is not used, in words.
#[must_use]
pub fn why(error: &ReadError) -> String {
    match error {
        ReadError::Io(why) => why.clone(),
        ReadError::NotAFile => words::NOT_A_FILE.to_owned(),
        ReadError::ForeignOwner => words::FOREIGN_OWNER.to_owned(),
        ReadError::WritableByAll => words::WRITABLE_BY_ALL.to_owned(),
        ReadError::TooLarge => words::TOO_LARGE.to_owned(),
        ReadError::NotText => words::NOT_TEXT.to_owned(),
        ReadError::NotUnderstood(why) => words::not_understood(why),
    }
}

/// A path with `~` for the person's home, as they write it.
#[must_use]
pub fn shortened(place: &str) -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    match place.strip_prefix(&home).filter(|rest| !home.is_empty() && rest.starts_with('/')) {
        Some(rest) => format!("~{rest}"),
        None => place.to_owned(),
    }
}
