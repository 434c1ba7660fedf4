//! What the engine answers: lines of JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Checkup, Failure, FirstCall, Forwarded, Forwarding, Found, Merged, SettingView, expose, expose_one};
use crate::activity::Record;
use crate::model::{AccountName, ProviderName, ServiceName, ToolName};
use crate::provider::Revocation;
use crate::secret::Secret;
use crate::view::{AppView, StateName};

/// What the engine answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// The snapshot.
    View(Box<AppView>),
    /// Something that must be said once.
    Notice(Notice),
    /// The page that the person's browser must open. The client opens it: it is where the person is.
    AuthorizeUrl {
        /// Which account.
        account: AccountName,
        /// At the provider.
        url: Url,
    },
    /// What the person enters on another device, and where.
    DeviceCode(DeviceCode),
    /// What adding a service would come to.
    Found(Box<Found>),
    /// A service was added.
    Added(Added),
    /// What a service said to the first request.
    FirstCall(FirstCall),
    /// How the account stands after a sign-in or a renewal.
    SignedIn(SignedIn),
    /// How the engine itself stands.
    Checkup(Checkup),
    /// What of an export is in force now.
    Merged(Box<Merged>),
    /// An account was signed out.
    SignedOut(SignedOut),
    /// What a provider knows us by was changed.
    ProviderChanged(ProviderChanged),
    /// A tool, and its key where it is new.
    ToolKey(ToolKey),
    /// An access token.
    Token {
        /// For `Authorization: Bearer`.
        #[serde(serialize_with = "expose_one")]
        token: Secret,
        /// When it ends, in Unix seconds.
        expires_at: Option<u64>,
    },
    /// How the forward proxy stands.
    Forwarding(Forwarding),
    /// What a saved response means.
    Judged(Judged),
    /// One thing that happened.
    Activity(Record),
    /// Settings of the program itself.
    Settings {
        /// As a person reads them.
        settings: Vec<SettingView>,
    },
    /// It is done and there is nothing to tell.
    Done,
    /// It is not done.
    Failed(Failure),
}

impl Reply {
    /// Whether the engine sends nothing after this, for any request that is not a stream.
    #[must_use]
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::AuthorizeUrl { .. } | Self::DeviceCode(_) | Self::Notice(_))
    }
}

/// A sign-in on another device (RFC 8628 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCode {
    /// Which account.
    pub account: AccountName,
    /// What to enter.
    pub user_code: String,
    /// Where.
    pub verification_uri: Url,
    /// The same with the code in it: what a QR code holds.
    pub verification_uri_complete: Option<Url>,
    /// How long it is good for, in seconds.
    pub expires_in: u64,
}

/// Something to say once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "kebab-case")]
pub enum Notice {
    /// The person asked for the window (a second launch, the menu).
    OpenWindow,
    /// A sentence for the person.
    Say {
        /// The sentence.
        text: String,
    },
}

/// What a saved response means to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Which service.
    pub service: ServiceName,
    /// The response's status.
    pub status: u16,
    /// The rule that matches, if one does.
    pub rule: Option<String>,
    /// What it says: `expired`, `needs-scope`, `needs-claims`, `needs-person`, `not-ours`.
    pub verdict: Option<String>,
    /// The same in a sentence.
    pub why: Option<String>,
    /// Where a server was seen to say it.
    pub source: Option<String>,
    /// What Signbell does about it, in a few words.
    pub action: String,
    /// The scopes that it asks for.
    pub scopes: Vec<String>,
}

/// A service was added.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Added {
    /// Its name.
    pub service: ServiceName,
    /// Whose tokens it gets.
    pub account: AccountName,
    /// Where tools reach it.
    pub url: String,
    /// The account's state.
    pub state: StateName,
    /// The tool, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// Its key, if it is new. Shown this once.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose", default)]
    pub key: Option<Secret>,
    /// The preset that it was given, if one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preset: Option<String>,
}

/// How an account stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignedIn {
    /// Which account.
    pub account: AccountName,
    /// Who it is.
    pub identity: Option<String>,
    /// Its state.
    pub state: StateName,
    /// What its tokens may do.
    pub scopes: Vec<String>,
    /// When the access token ends, in Unix seconds.
    pub expires_at: Option<u64>,
    /// What was asked for and not granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_granted: Vec<String>,
}

/// An account was signed out: its tokens are wiped here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOut {
    /// Which account.
    pub account: AccountName,
    /// Always so; scripts look for it.
    pub done: bool,
    /// What became of the session at the provider.
    pub provider: Revocation,
    /// The same in a sentence.
    pub provider_words: String,
    /// What went with it, if it was forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
}

/// What went with an account that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Removed {
    /// Its services.
    pub services: Vec<ServiceName>,
    /// Tools that could use them. They keep their keys.
    pub tools: Vec<ToolName>,
    /// How many sign-ins were wiped: an account has one for each resource.
    pub sign_ins: usize,
    /// Its provider, where nobody is left there.
    pub provider: Option<ProviderName>,
    /// Whether a client secret was wiped with that.
    pub client_secret: bool,
    /// Whether a client's private key was.
    pub client_key: bool,
}

/// What an account's provider knows us by was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderChanged {
    /// Which account.
    pub account: AccountName,
    /// Always so; scripts look for it.
    pub done: bool,
    /// Accounts that were signed in there with the client before, and must sign in again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<AccountName>,
}

/// A tool with its addresses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToolKey {
    /// Its name.
    pub tool: ToolName,
    /// Its key, if it is new. Shown this once.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose", default)]
    pub key: Option<Secret>,
    /// Where it reaches each of its services.
    pub urls: BTreeMap<ServiceName, String>,
    /// Whether the key is part of its addresses: the tool sends it nowhere else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key_in_path: bool,
    /// For the forward proxy, where that was asked for and is on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub forward: Option<Forwarded>,
}
