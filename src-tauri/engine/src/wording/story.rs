//! How things stand, and what happened.

use url::Url;

use super::language::Language;
use super::states;
use crate::model::{AccountName, Identity, ProviderName, Scopes, ServiceName, ToolName};
use crate::proxy::Decision;
use crate::rules::{Again, Found, Rule, Verdict};
use crate::session::failure::{Reason, Transient};
use crate::signin::{CallbackError, SignInError, page};
use crate::vault::VaultError;

/// Why a provider could not be asked, as it is written down.
pub(super) fn cause(cause: &Transient) -> String {
    states::cause(Language::En, cause)
}

/// Why only the person can help, as it is written down.
pub(super) fn reason(reason: Reason) -> &'static str {
    states::reason(Language::En, reason)
}

/// An account's heading: `ada@example.com · Linear, work`.
#[must_use]
pub fn account_title(identity: Option<&str>, provider: &str, label: Option<&str>) -> String {
    let place = label.map_or_else(|| provider.to_owned(), |label| format!("{provider}, {label}"));
    identity.map_or_else(|| place.clone(), |who| format!("{who} · {place}"))
}

/// An account in a sentence: `Linear (work)`.
#[must_use]
pub fn account_short_title(provider: &str, label: Option<&str>) -> String {
    label.map_or_else(|| provider.to_owned(), |label| format!("{provider} ({label})"))
}

/// `linear` as a provider's title.
#[must_use]
pub fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The names in a sentence about a request.
pub trait Names {
    /// The tool's.
    fn tool(&self) -> &str;
    /// The service's.
    fn service(&self) -> &str;
    /// The account's, as in a sentence.
    fn account(&self) -> &str;
}

/// A tool used a service, for the first time in a while.
#[must_use]
pub fn used(names: &impl Names) -> String {
    format!("{} used {}", names.tool(), names.service())
}

/// A request was rescued.
#[must_use]
pub fn recovered(names: &impl Names) -> String {
    format!("{} refused the token; it was renewed and {}'s request went through", names.service(), names.tool())
}

/// A request waited for the person, and went through.
#[must_use]
pub fn waited(names: &impl Names) -> String {
    format!("{}'s request waited for you and went through", names.tool())
}

/// A request waits.
#[must_use]
pub fn held(who: &str, names: &impl Names) -> String {
    format!("{who} waits for you to sign in to {}", names.account())
}

/// A request waits no more.
#[must_use]
pub fn hold_over(who: &str, names: &impl Names) -> String {
    format!("{who} stopped waiting for {}", names.account())
}

/// A refusal was recognised and could not be mended.
#[must_use]
pub fn passed_on(names: &impl Names, why: &str) -> String {
    format!("{}'s request to {} was refused: {why}", names.tool(), names.service())
}

/// A server says something that only the person can act on.
#[must_use]
pub fn hinted(names: &impl Names, hint: &str) -> String {
    format!("{} for {}: {hint}", names.service(), names.tool())
}

/// A server wants more scopes.
#[must_use]
pub fn scopes_asked(names: &impl Names, scopes: &Scopes) -> String {
    format!("{} wants more permissions of {} for {}: {scopes}", names.service(), names.account(), names.tool())
}

/// A server wants a scope that it does not name.
#[must_use]
pub fn unnamed_scopes(names: &impl Names, account: &AccountName) -> String {
    format!(
        "{} wants a permission of {} for {} that the sign-in does not have, and does not say which. If you know it: `signbell sign-in {account} --scope SCOPE`",
        names.service(),
        names.account(),
        names.tool(),
    )
}

/// A server wants a new sign-in.
#[must_use]
pub fn sign_in_asked(names: &impl Names) -> String {
    format!("{} wants you to sign in to {} again, for {}", names.service(), names.account(), names.tool())
}

/// How a refusal that was recovered from was, in a few words.
#[must_use]
pub fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Replay => "sent the request again with a newer token",
        Decision::ClaimsAndReplay => "asked for a token with the wanted claims and sent the request again",
        Decision::Ask => "asked you and sent the request again",
        Decision::RefreshAndReplay => "renewed the token and sent the request again",
        Decision::Relay | Decision::RefreshOnly | Decision::ClaimsOnly | Decision::AskOnly => END_NOTHING,
    }
}

/// A refusal stands: there was nothing to do about it.
pub const END_NOTHING: &str = "passed on";
/// Renewed, but this request may not be sent twice.
pub const END_RENEWED: &str = "renewed the token; passed on, since the request may not be sent twice";
/// A new token was refused as well.
pub const END_USELESS: &str = "a renewed token was refused too; passed on";
/// The person is asked.
pub const END_ASKED: &str = "asked you; passed on";
/// The session is over.
pub const END_OVER: &str = "the session is over; passed on";
/// The provider or the keyring could not be asked.
pub const END_UNAVAILABLE: &str = "the token could not be renewed now";

/// What a response that no rule recognises means.
pub const PASSES: &str = "pass: no rule matches";

/// What is done about a response that a rule recognised.
#[must_use]
pub fn rule_action(found: &Found) -> String {
    rule_does(&found.rule, found.nothing_done)
}

/// What a rule does, in a few words.
#[must_use]
pub fn rule_does(rule: &Rule, nothing_done: bool) -> String {
    let mut text = match (rule.verdict, nothing_done) {
        (Verdict::Expired, true) => "refresh, replay",
        (Verdict::Expired, false) => "refresh",
        (Verdict::NeedsScope, _) => "ask for scopes",
        (Verdict::NeedsClaims, _) => "refresh with the claims, replay",
        (Verdict::NeedsPerson, _) => "ask to sign in",
        (Verdict::NotOurs, _) => "pass",
    }
    .to_owned();
    if rule.only_if_stale {
        text += ", only if the local clock agrees";
    }
    match rule.again {
        Some(Again::NeedsPerson) => text += "; again: ask to sign in",
        Some(Again::NeedsScope) => text += "; again: ask for scopes",
        Some(Again::NotOurs) => text += "; again: pass",
        None => {}
    }
    if let Some(status) = rule.pass_as {
        text += &format!(" as {}", status.as_u16());
    }
    if rule.hint.is_some() {
        text += ", and tell the person";
    }
    text
}

/// The sentence of a rule's hint; nothing for a key that there is not.
#[must_use]
pub fn hint(key: &str, link: Option<&Url>) -> Option<String> {
    let at = |text: &str| link.map_or_else(|| format!("{text}."), |link| format!("{text}: open {link}"));
    Some(match key {
        "github-sso" => at("The organisation wants you to allow this sign-in by its single sign-on"),
        "github-scopes" => "GitHub hides this because the sign-in lacks a permission.".into(),
        "wrong-tenant" => "The request names no organisation, or one that this sign-in does not cover.".into(),
        "mcp-session-lost" => "The MCP session is lost, not the sign-in: reconnect the tool.".into(),
        "needs-plan" => "The service wants a paid plan for this; signing in again changes nothing.".into(),
        "app-scopes" => {
            "The app itself lacks a permission; its owner must add it in the provider's developer console.".into()
        }
        "wrong-path" => "The gateway knows no such path or method; the sign-in is not the trouble.".into(),
        _ => return None,
    })
}

/// Renewed.
#[must_use]
pub fn refreshed(title: &str) -> String {
    format!("{title} was renewed")
}

/// Renewing failed for now.
#[must_use]
pub fn refresh_failed(title: &str, why: &Transient) -> String {
    format!("{title} could not be renewed: {}. You are still signed in; it is tried again", cause(why))
}

/// A session ended.
#[must_use]
pub fn ended(title: &str, why: Reason) -> String {
    format!("{title} needs you. {}", reason(why))
}

/// Tokens are in memory only.
#[must_use]
pub fn unsaved(title: &str, why: &VaultError) -> String {
    format!("{title}'s new tokens could not be saved: {}", super::vault_banner(why))
}

/// Somebody signed in.
#[must_use]
pub fn signed_in(title: &str, who: Option<&Identity>) -> String {
    match who {
        Some(who) => format!("Signed in to {title} as {}", who.display),
        None => format!("Signed in to {title}; identity unknown"),
    }
}

/// A token left through `signbell token`.
#[must_use]
pub fn token_printed(title: &str) -> String {
    format!("`signbell token` printed a token of {title}")
}

/// The person added a service.
#[must_use]
pub fn service_added(service: &ServiceName, account: &AccountName) -> String {
    format!("Service {service} was added, with the account {account}")
}

/// The person changed a service.
#[must_use]
pub fn service_changed(service: &ServiceName) -> String {
    format!("Service {service} was changed")
}

/// The person removed a service.
#[must_use]
pub fn service_removed(service: &ServiceName) -> String {
    format!("Service {service} was removed")
}

/// The person changed an account.
#[must_use]
pub fn account_changed(account: &AccountName, allow_token: Option<bool>, label: Option<&str>) -> String {
    let mut what = Vec::new();
    match allow_token {
        Some(true) => what.push("printing its token is now allowed".to_owned()),
        Some(false) => what.push("printing its token is no longer allowed".to_owned()),
        None => {}
    }
    what.extend(label.map(|label| format!("it is now called {label}")));
    format!("Account {account}: {}", what.join(", "))
}

/// A server had forgotten us, and knows us again.
#[must_use]
pub fn registered_anew(provider: &ProviderName) -> String {
    format!("{provider} had forgotten Signbell's registration, so Signbell registered anew")
}

/// The person said no to what services asked for.
#[must_use]
pub fn asks_declined(account: &AccountName) -> String {
    format!("What services asked of {account} was not given")
}

/// The person removed an account.
#[must_use]
pub fn account_removed(account: &AccountName) -> String {
    format!("Account {account} was forgotten, with its services")
}

/// The person registered or widened a tool.
#[must_use]
pub fn tool_added(tool: &ToolName, services: &[ServiceName], new: bool) -> String {
    let services: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
    let what = if new { "was registered" } else { "may use more" };
    format!("Tool {tool} {what}: {}", services.join(", "))
}

/// What a provider knows us by was changed.
#[must_use]
pub fn provider_changed(provider: &ProviderName) -> String {
    format!("What {provider} knows Signbell by was changed.")
}

/// A program has a key of a tool for as long as it runs; `forwarding`: it may use the forward proxy, which is
/// off.
#[must_use]
pub fn key_lent(tool: &ToolName, forwarding: bool) -> String {
    match forwarding {
        true => format!("A key of {tool} was lent to a program, with the forward proxy for it alone."),
        false => format!("A key of {tool} was lent to a program."),
    }
}

/// The person gave a tool a new key.
#[must_use]
pub fn tool_rotated(tool: &ToolName) -> String {
    format!("Tool {tool} got a new key")
}

/// The person removed a tool.
#[must_use]
pub fn tool_removed(tool: &ToolName) -> String {
    format!("Tool {tool} was removed")
}

/// The person took a service from a tool.
#[must_use]
pub fn tool_narrowed(tool: &ToolName, service: &ServiceName) -> String {
    format!("Tool {tool} may no longer use {service}")
}

/// The proxy was paused or resumed.
#[must_use]
pub fn paused(paused: bool) -> String {
    if paused { "Signbell was paused".into() } else { "Signbell was resumed".into() }
}

/// The browser's last page after a sign-in.
#[must_use]
pub fn signed_in_page(title: &str, who: Option<&Identity>) -> page::Words {
    let name = who.map_or_else(|| title.to_owned(), |who| format!("{} · {title}", who.display));
    page::Words { good: true, heading: "Signed in. You can close this tab.".into(), text: name }
}

/// The browser's last page when it came to nothing.
#[must_use]
pub fn refused_page(title: &str, error: &SignInError) -> page::Words {
    let what = match error {
        SignInError::OtherIdentity { expected, found } => {
            format!("You signed in as {found}, but {title} belongs to {expected}.")
        }
        SignInError::Callback(CallbackError::Refused(_)) => format!("{title} did not let you in, or you declined."),
        SignInError::Callback(_) => format!("The answer is not one of {title}, or does not say so."),
        _ => format!("Signing in to {title} did not work: {error}."),
    };
    page::Words {
        good: false,
        heading: "Not signed in".into(),
        text: format!("{what} What was there before still stands."),
    }
}

/// A page for whatever else reaches the loopback port.
#[must_use]
pub fn stray_redirect() -> page::Words {
    page::Words {
        good: false,
        heading: "This is not a sign-in".into(),
        text: "Signbell waits for another page here. Go back and finish signing in there.".into(),
    }
}
