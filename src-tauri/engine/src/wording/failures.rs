//! Why a command was not carried out.

use std::io;

use url::Url;

use super::{came_fetch, came_metadata, came_register, came_resource, failure};
use crate::config::ConfigError;
use crate::control::{Failure, FailureKind, Step};
use crate::engine::StartError;
use crate::model::{AccountName, BadName, ProviderName, Scopes, ServiceName, ToolName};
use crate::provider::jws::KeyError;
use crate::provider::preset::Preset;
use crate::provider::register::RegisterError;
use crate::provider::resource::ResourceError;
use crate::provider::{FetchError, MetadataError};
use crate::rules::saved::BadSaved;
use crate::session::state::Unready;
use crate::vault::VaultError;

/// No engine listens on the control socket.
#[must_use]
pub fn not_running() -> Failure {
    failure(
        FailureKind::NotRunning,
        "not_running",
        "Signbell is not running. Start it with `signbell app`, or with `signbell serve` on a machine without a screen.",
    )
}

/// The control socket broke.
#[must_use]
pub fn socket_failed(error: &io::Error) -> Failure {
    failure(
        FailureKind::Failed,
        "control_socket",
        format!("The connection to the running Signbell failed: {error}. `signbell doctor` says more."),
    )
}

/// The request can't be read.
#[must_use]
pub fn bad_request(error: &serde_json::Error) -> Failure {
    failure(
        FailureKind::Usage,
        "bad_request",
        format!("The running Signbell does not understand this request ({error}). Is it of the same version?"),
    )
}

/// Why the engine did not start.
#[must_use]
pub fn start_failure(error: &StartError) -> Failure {
    match error {
        StartError::AlreadyRunning => failure(FailureKind::Failed, "already_running", "Signbell is already running."),
        StartError::PortTaken { address, holder } => {
            let by = holder.as_deref().map_or_else(|| "another program".to_owned(), str::to_owned);
            failure(
                FailureKind::Failed,
                "port_taken",
                format!(
                    "Port {} is taken by {by}. End it, or choose another port with `port` below `[proxy]` in config.toml or with SIGNBELL_PORT.",
                    address.port()
                ),
            )
        }
        StartError::Config(what) => failure(
            FailureKind::Failed,
            "bad_config",
            format!("{what}\nMend the file and start Signbell again; nothing was changed."),
        ),
        StartError::Newer(path) => failure(
            FailureKind::Failed,
            "newer_format",
            format!(
                "{} was written by a newer Signbell. Update this one, or start that one; nothing was changed.",
                path.display()
            ),
        ),
        StartError::TrustStore(why) => failure(
            FailureKind::Unavailable,
            "no_trust_store",
            format!(
                "This machine trusts no certificate authority, so Signbell could not tell one server from another ({why}). Install the package ca-certificates, or name a PEM file as `extra_ca` below `[network]` in config.toml."
            ),
        ),
        StartError::Environment { name, value, expected } => {
            failure(FailureKind::Usage, "bad_environment", format!("{name} is {value:?}; it must be {expected}."))
        }
        StartError::PassphraseMissing => failure(
            FailureKind::Unavailable,
            "passphrase_missing",
            "The sealed file needs its passphrase. Set SIGNBELL_PASSPHRASE, or start `signbell serve` in a terminal, which asks for it.",
        ),
        StartError::Vault(why) => vault_failure(why),
        StartError::Io { what, source } => {
            failure(FailureKind::Failed, "start_failed", format!("Signbell could not start: {what}: {source}."))
        }
    }
}

/// The vault can't be read or written.
#[must_use]
pub fn vault_failure(why: &VaultError) -> Failure {
    failure(FailureKind::Unavailable, vault_code(why), vault_banner(why))
}

/// The stable code of a vault that can't be used.
#[must_use]
pub fn vault_code(why: &VaultError) -> &'static str {
    match why {
        VaultError::Locked => "keyring_locked",
        VaultError::Absent => "keyring_absent",
        VaultError::Denied => "keyring_denied",
        VaultError::Timeout => "keyring_silent",
        VaultError::WrongPassphrase => "wrong_passphrase",
        VaultError::NewerFormat => "newer_format",
        VaultError::DamagedFile => "damaged_file",
        VaultError::FileGone => "file_gone",
        VaultError::Busy => "vault_busy",
        VaultError::Full(_) => "disk_full",
        VaultError::ReadOnly(_) => "read_only",
        VaultError::UnsafeFile(_) => "unsafe_file",
        _ => "vault_failed",
    }
}

/// A vault's trouble as a sentence.
#[must_use]
pub fn vault_banner(why: &VaultError) -> String {
    super::states::vault_trouble(super::language::Language::En, why)
}

/// No account of this name.
#[must_use]
pub fn unknown_account(account: &AccountName) -> Failure {
    failure(
        FailureKind::Failed,
        "unknown_account",
        format!("There is no account {account}. `signbell account list` shows those there are."),
    )
}

/// No service of this name.
#[must_use]
pub fn unknown_service(service: &ServiceName) -> Failure {
    failure(
        FailureKind::Failed,
        "unknown_service",
        format!("There is no service {service}. `signbell service list` shows those there are."),
    )
}

/// No tool of this name.
#[must_use]
pub fn unknown_tool(tool: &ToolName) -> Failure {
    failure(
        FailureKind::Failed,
        "unknown_tool",
        format!("There is no tool {tool}. `signbell tool list` shows those there are."),
    )
}

/// A name that is no name.
#[must_use]
pub fn bad_name(error: &BadName) -> Failure {
    failure(FailureKind::Usage, "bad_name", format!("{error}. Give one with --name."))
}

/// The name is in use.
#[must_use]
pub fn name_taken(what: &str, name: &str) -> Failure {
    failure(FailureKind::Usage, "name_taken", format!("There is a {what} named {name} already. Choose another name."))
}

/// No upstream address.
#[must_use]
pub fn bad_address(why: &str) -> Failure {
    failure(FailureKind::Usage, "bad_address", format!("This can't be a service's address: {why}.")).at(Step::Address)
}

/// The authorization server must be named.
#[must_use]
pub fn issuer_needed(url: &Url) -> Failure {
    failure(
        FailureKind::Usage,
        "issuer_needed",
        format!(
            "Who signs you in at {}? Name the authorization server with --issuer and our registration there with --client-id.",
            url.host_str().unwrap_or("this address")
        ),
    )
    .at(Step::Server)
}

/// A service does not say, or says wrongly, who signs people in there.
#[must_use]
pub fn service_not_understood(url: &Url, error: &ResourceError) -> Failure {
    let host = url.host_str().unwrap_or("this address");
    let by_hand = "Name the authorization server with --issuer, and our registration there with --client-id.";
    match error {
        // A status comes so far only where it is an outage.
        ResourceError::Fetch(FetchError::NotSent { .. } | FetchError::NoAnswer { .. } | FetchError::Status { .. }) => failure(
            FailureKind::Unavailable,
            "service_unreachable",
            format!(
                "{host} could not be asked who signs you in there: {error}. Check the address and the network. {by_hand}"
            ),
        ),
        ResourceError::OtherResource { named, .. } => failure(
            FailureKind::Refused,
            "other_resource",
            format!("{host} describes itself as {named}, which is somebody else. Nothing was added."),
        ),
        other => failure(
            FailureKind::Failed,
            "bad_resource_metadata",
            format!("What {host} says of its sign-in can't be used: {other}. {by_hand}"),
        ),
    }
    .at(Step::Service)
    .came(came_resource(error))
}

/// A service belongs to another authorization server than the account.
#[must_use]
pub fn other_server(url: &Url, issuer: &Url, account: &AccountName) -> Failure {
    failure(
        FailureKind::Refused,
        "other_server",
        format!(
            "{} signs people in at {}, and {account} is an account elsewhere. Nothing of it goes there; leave --account out to make an account for this service.",
            url.host_str().unwrap_or("This service"),
            issuer.host_str().unwrap_or("another server"),
        ),
    )
    .at(Step::Server)
}

/// A server did not register us.
#[must_use]
pub fn not_registered(issuer: &Url, known: Option<&Preset>, error: &RegisterError) -> Failure {
    if let (Some(known), RegisterError::NotOffered(_) | RegisterError::Refused { .. }) = (known, error) {
        return super::client_id_needed(known);
    }
    let host = issuer.host_str().unwrap_or("The authorization server");
    let by_hand = "Register Signbell in its developer console, with the redirect http://127.0.0.1/callback, and give the client id with --client-id.";
    match error {
        RegisterError::NotOffered(_) => {
            failure(FailureKind::Usage, "client_id_needed", format!("{host} registers no program by itself. {by_hand}"))
        }
        RegisterError::Fetch(e) => failure(
            FailureKind::Unavailable,
            "provider_unreachable",
            format!("{host} could not be asked to register Signbell: {e}. Try again."),
        ),
        other => failure(
            FailureKind::Refused,
            "registration_refused",
            format!("{host} did not register Signbell: {other}. {by_hand}"),
        ),
    }
    .at(Step::Registration)
    .came(came_register(error))
}

/// A client key can't be used.
#[must_use]
pub fn bad_client_key(error: &KeyError) -> Failure {
    let what = match error {
        KeyError::Encrypted => "The client key is encrypted. `openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW` writes one that is not; Signbell keeps it in the vault.".to_owned(),
        KeyError::OldEcForm => {
            "It is in the old EC form: `openssl pkcs8 -topk8 -nocrypt -in KEY` writes the one that is read here."
                .to_owned()
        }
        other => format!("The client key can't be used: {other}. Give an unencrypted PEM file with an RSA key, or an EC key on P-256 or P-384."),
    };
    failure(FailureKind::Usage, "bad_client_key", what)
}

/// A service account signs for itself.
#[must_use]
pub fn grant_needs_key() -> Failure {
    failure(
        FailureKind::Usage,
        "key_needed",
        "A service account signs with its key: give it with --client-key-file.".to_owned(),
    )
}

/// A client that asks in its own name has to show something.
#[must_use]
pub fn grant_needs_secret() -> Failure {
    failure(
        FailureKind::Usage,
        "secret_needed",
        "A client that asks in its own name shows a secret or a key: --client-secret-stdin or --client-key-file."
            .to_owned(),
    )
}

/// An account that vouches elsewhere can't be forgotten first.
#[must_use]
pub fn vouches_for(account: &AccountName, provider: &ProviderName) -> Failure {
    failure(
        FailureKind::Failed,
        "vouches",
        format!("{account} vouches for you at {provider}, so it stays. Remove the account at {provider} first."),
    )
}

/// An account without a service has nothing to sign in to.
#[must_use]
pub fn account_without_service(account: &AccountName) -> Failure {
    failure(
        FailureKind::Usage,
        "no_service",
        format!("The account {account} has no service yet. Add one with `signbell add URL --account {account}`."),
    )
}

/// The configuration was not changed.
#[must_use]
pub fn config_failure(error: &ConfigError) -> Failure {
    failure(
        FailureKind::Failed,
        "bad_config",
        format!("{error}\nNothing was changed; the last good settings stay in force."),
    )
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        config_failure(&error)
    }
}

/// What a service wants is not given by a click.
#[must_use]
pub fn scopes_need_typing(title: &str, account: &AccountName, scopes: &Scopes) -> Failure {
    // A person may paste it: what a shell reads as more than a word is quoted. A scope has no quote in it.
    let plain = |scope: &str| scope.bytes().all(|b| b.is_ascii_alphanumeric() || b":/._".contains(&b));
    let word = |scope: &str| if plain(scope) { scope.to_owned() } else { format!("'{}'", scope.replace('\'', "")) };
    let options: Vec<String> = scopes.iter().map(|scope| format!("--scope={}", word(scope))).collect();
    failure(
        FailureKind::NotAllowed,
        "scopes_need_typing",
        format!(
            "A service of {title} asks for permissions that none of Signbell's lists names: {scopes}. If you know them and want to give them, run `signbell sign-in {account} {}`.",
            options.join(" ")
        ),
    )
}

/// There is no such preset.
#[must_use]
pub fn unknown_preset(name: &str) -> Failure {
    failure(
        FailureKind::Failed,
        "unknown_preset",
        format!("There is no preset {name:?}. `signbell service presets` lists those there are."),
    )
}

/// An address is not of the service.
#[must_use]
pub fn not_of_service(service: &ServiceName, url: &Url, base: &Url) -> Failure {
    failure(
        FailureKind::Usage,
        "not_of_service",
        format!("{url} is no address of {service}, whose addresses begin with {base}. Its token goes nowhere else."),
    )
}

/// A service could not be asked.
#[must_use]
pub fn not_asked(service: &ServiceName, error: &FetchError) -> Failure {
    failure(FailureKind::Unavailable, "service_unreachable", format!("{service} could not be asked: {error}."))
        .at(Step::FirstCall)
        .came(came_fetch(error))
}

/// A file is no saved response.
#[must_use]
pub fn bad_saved(error: &BadSaved) -> Failure {
    failure(
        FailureKind::Failed,
        "bad_saved_response",
        format!("That is no saved response: {error}. `curl -si` prints one."),
    )
}

/// The authorization server's metadata can't be used.
#[must_use]
pub fn discovery_failed(error: &MetadataError) -> Failure {
    match error {
        MetadataError::Fetch(FetchError::NotSent { .. } | FetchError::NoAnswer { .. }) => failure(
            FailureKind::Unavailable,
            "provider_unreachable",
            format!("The provider can't be reached: {error}. Check the network and try again."),
        ),
        MetadataError::Absent(issuer) => failure(
            FailureKind::Failed,
            "no_metadata",
            format!(
                "{issuer} does not describe itself as an authorization server. If you sign in elsewhere, name that address with --issuer, to the letter."
            ),
        ),
        MetadataError::NoPkce(issuer) => failure(
            FailureKind::Failed,
            "no_pkce",
            format!(
                "{issuer} does not announce PKCE with S256, without which a sign-in can be intercepted. Signbell does not sign in there. If you know that it does PKCE all the same, add it with --allow-missing-pkce, or set `allow_missing_pkce = true` for that provider in config.toml."
            ),
        ),
        other => failure(
            FailureKind::Failed,
            "bad_metadata",
            format!("The provider's own description can't be trusted: {other}."),
        ),
    }
    .at(Step::Server)
    .came(came_metadata(error))
}

/// A session has no token to give.
#[must_use]
pub fn unready(title: &str, account: &AccountName, unready: &Unready) -> Failure {
    match unready {
        Unready::NeedsPerson(reason) => failure(
            FailureKind::SignInNeeded,
            reason.code(),
            format!("{title} needs you: {} Run `signbell sign-in {account}`.", super::story::reason(*reason)),
        ),
        Unready::SignedOut => failure(
            FailureKind::SignInNeeded,
            "signed_out",
            format!("{title} is signed out. Run `signbell sign-in {account}`."),
        ),
        Unready::Vault(why) => vault_failure(why),
        Unready::Provider { cause, retry_after } => failure(
            FailureKind::Unavailable,
            "provider_unavailable",
            format!(
                "{title} can't be renewed now: {}. The next try is in {} s.",
                super::story::cause(cause),
                retry_after.as_secs().max(1)
            ),
        ),
        Unready::RefreshDidNotHelp => failure(
            FailureKind::Refused,
            "token_refused",
            format!("{title} keeps refusing tokens that were just renewed."),
        ),
    }
}

/// The token is good only with a key that does not leave us.
#[must_use]
pub fn token_is_bound(title: &str) -> Failure {
    failure(
        FailureKind::NotAllowed,
        "token_is_bound",
        format!(
            "The token of {title} is bound to a key (DPoP), so it is of no use by itself. Use the service's address at the proxy."
        ),
    )
}

/// `signbell token` is off for this account.
#[must_use]
pub fn token_not_allowed(title: &str, account: &AccountName) -> Failure {
    failure(
        FailureKind::NotAllowed,
        "token_not_allowed",
        format!(
            "Printing tokens of {title} is not allowed. Allow it with `signbell account set {account} --allow-token`."
        ),
    )
}
