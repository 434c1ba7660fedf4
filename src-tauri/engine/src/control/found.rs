//! What is found out of a service before anything is written or registered, and what it says to the
//! first request.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::{AccountName, ServiceName};

/// What adding a service would come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What the service would be called.
    pub service: ServiceName,
    /// Its base URL.
    pub url: Url,
    /// The authorization server's issuer identifier.
    pub issuer: Url,
    /// The server as shown to people.
    pub server: String,
    /// How the server was found.
    pub by: FoundBy,
    /// The same in a sentence.
    pub by_words: String,
    /// What would be asked for.
    pub scopes: Vec<ScopeFound>,
    /// How Signbell would become known to the server.
    pub registration: RegistrationFound,
    /// The same in a sentence, with what to do where that is the person's to do.
    pub registration_words: String,
    /// The redirect to enter where the person registers Signbell by hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redirect: Option<Url>,
    /// Whether the person can sign in on another device (RFC 8628).
    #[serde(default)]
    pub device: bool,
    /// The preset of rules that it would get.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preset: Option<String>,
    /// The same as shown to people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preset_title: Option<String>,
    /// Whose tokens it would get.
    pub account: AccountName,
    /// Whether that account is there already.
    pub joins: bool,
    /// The same in a sentence.
    pub account_words: String,
    /// The accounts at this server that it could join.
    pub accounts: Vec<AccountChoice>,
}

/// How the authorization server of a service was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// The service's 401 named its metadata (RFC 9728 section 5.1).
    Challenge,
    /// The service's metadata lay at the well-known place (RFC 9728 section 3).
    WellKnown,
    /// The service says nothing; its own origin is taken.
    Root,
    /// The service is one of a server that is known beforehand.
    Preset,
    /// The person named it.
    Given,
    /// It is the account's.
    Account,
}

/// How Signbell is or becomes known to an authorization server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistrationFound {
    /// It is known there already.
    Known,
    /// By the client id that the person entered.
    Given,
    /// By a client ID metadata document of ours.
    Document,
    /// The server registers it by itself (RFC 7591).
    Registers,
    /// Not by itself: the person has to register it and to enter the client id.
    NeedsClientId,
}

/// A scope and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeFound {
    /// Its own name.
    pub scope: String,
    /// What it means, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub words: Option<String>,
}

/// An account that a service can join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountChoice {
    /// Its name.
    pub account: AccountName,
    /// Its heading.
    pub title: String,
}

/// What a service said to the first request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstCall {
    /// Which service.
    pub service: ServiceName,
    /// What it comes to.
    pub outcome: Outcome,
    /// The response's status, if one came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// What was asked: `GET`, or the JSON-RPC method.
    pub asked: String,
    /// The rule that recognised a refusal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// The same in a sentence or two, with what to do.
    pub words: String,
}

/// What a first request comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was answered as asked.
    Works,
    /// There is an answer, which is about something else than the sign-in.
    Answers,
    /// The token was refused.
    Refused,
    /// Nothing came.
    Unreachable,
}
