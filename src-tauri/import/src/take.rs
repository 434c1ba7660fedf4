//! Taking over what the person ticked.

use std::path::Path;

use serde::Serialize;
use signbell_engine::control::client::call_and_hear;
use signbell_engine::control::{AddService, Added, Adopt, Failure, Reply, Request};
use signbell_engine::model::{ServiceName, ToolName};
use signbell_engine::secret::Secret;
use signbell_engine::view::AppView;
use signbell_engine::wording::{cli, import as words, slips};
use url::Url;

use crate::listed::here;
use crate::{Item, Tokens};

/// What the person says besides.
#[derive(Debug, Default)]
pub struct Terms {
    /// The address, where the item has none.
    pub url: Option<Url>,
    /// A client id of the person's own, with its secret.
    pub client: Option<(String, Option<Secret>)>,
    /// The tool that may use it.
    pub tool: Option<ToolName>,
    /// Whether to go on with the other program's refresh token.
    pub with_tokens: bool,
}

/// What was taken over.
#[derive(Debug, Serialize)]
pub struct Taken {
    /// What [`Item::id`] says.
    pub id: String,
    /// What it is here.
    #[serde(flatten)]
    pub added: Added,
    /// Whether the other program's sign-in is ours now.
    pub with_tokens: bool,
    /// Why it is not, where it was wanted.
    #[serde(skip)]
    pub not_adopted: Option<Failure>,
}

/// Asks the engine at `socket` to add the item. `view` says what is there already;
/// `say` hears what there is to tell the person meanwhile.
///
/// # Errors
/// The engine's own; an address that is here already, or that is not known.
pub async fn take(
    socket: &Path,
    item: &Item,
    terms: &Terms,
    view: &AppView,
    say: impl Fn(&str),
) -> Result<Taken, Failure> {
    // Two of one address are for two accounts, which `signbell add --account` is for.
    let known = here(item, Some(view)).and_then(|name| view.services.iter().find(|service| service.service == name));
    if let Some(known) = known {
        return Err(slips::here_already_failure(&known.service, &known.account));
    }
    let adopts = match &item.tokens {
        Tokens::Refresh { token, .. } if terms.with_tokens => Some(token),
        _ => None,
    };
    let add = request(item, terms, adopts.is_some(), view)?;
    let Reply::Added(added) = call_and_hear(socket, &Request::Add(add), &say).await? else {
        return Err(cli::odd_reply());
    };
    let mut taken = Taken { id: item.id(), added, with_tokens: false, not_adopted: None };
    if let Some(token) = adopts {
        let adopt = Adopt {
            service: taken.added.service.clone(),
            refresh_token: token.clone(),
            scopes: item.scopes.clone(),
            registered: item.client_is_registered,
        };
        match call_and_hear(socket, &Request::Adopt(adopt), &say).await {
            Ok(Reply::SignedIn(signed_in)) => (taken.added.state, taken.with_tokens) = (signed_in.state, true),
            Ok(_) => return Err(cli::odd_reply()),
            Err(why) => taken.not_adopted = Some(why),
        }
    }
    Ok(taken)
}

fn request(item: &Item, terms: &Terms, adopts: bool, view: &AppView) -> Result<AddService, Failure> {
    let url = item.url.clone().or_else(|| terms.url.clone());
    let mut add = AddService::of_url(url.ok_or_else(|| words::not_whole(&item.id(), words::UNKNOWN_ADDRESS))?);
    // A name that is taken, or is none: then one is made from the host.
    let taken = |name: &ServiceName| view.services.iter().any(|service| service.service == *name);
    add.name = item.service_name().and_then(|name| name.parse().ok()).filter(|name| !taken(name));
    add.resource.clone_from(&item.resource);
    add.issuer.clone_from(&item.issuer);
    add.provider_preset = item.provider_preset.map(str::to_owned);
    add.tool.clone_from(&terms.tool);
    // A client that another program registered for itself is good for its tokens and for nothing else.
    if !item.client_is_registered || adopts {
        add.client_id.clone_from(&item.client_id);
        add.client_secret.clone_from(&item.client_secret);
    }
    if let Some((id, secret)) = &terms.client {
        (add.client_id, add.client_secret) = (Some(id.clone()), secret.clone());
    }
    if !item.client_is_registered {
        add.scopes.clone_from(&item.scopes);
    }
    Ok(add)
}
