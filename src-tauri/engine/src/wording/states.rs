//! How things stand now: states, reasons, who waits, what the bell says. In the person's language, as
//! rows, the tray and notifications show them; what is written down of them is told by [`super::story`].

use std::collections::BTreeMap;

use super::labels::{count, fill, say};
use super::language::Language;
use crate::ask::Ask;
use crate::session::failure::{Reason, Transient};
use crate::vault::{StoreKind, VaultError};

/// A state of an account, without what may be wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// A session that is good.
    SignedIn,
    /// A renewal is under way.
    Renewing,
    /// Only the person can help.
    NeedsYou,
    /// The person signed out.
    SignedOut,
    /// A session that is good and asked for more.
    Asked,
    /// The tokens live, and no service is left that uses them.
    WithoutService,
}

/// The state in words.
#[must_use]
pub fn state(language: Language, said: Said) -> &'static str {
    say(
        language,
        match said {
            Said::SignedIn => "said.signed_in",
            Said::Renewing => "said.renewing",
            Said::NeedsYou => "said.needs_you",
            Said::SignedOut => "said.signed_out",
            Said::Asked => "said.asked",
            Said::WithoutService => "said.without_service",
        },
    )
}

/// An account whose store can't be read.
#[must_use]
pub fn vault_state(language: Language, why: &VaultError) -> &'static str {
    say(
        language,
        match why {
            VaultError::Locked => "said.keyring.locked",
            VaultError::Absent => "said.keyring.absent",
            VaultError::Denied => "said.keyring.denied",
            VaultError::Timeout => "said.keyring.silent",
            VaultError::NewerFormat => "said.vault.newer",
            VaultError::Corrupt => "said.vault.corrupt",
            VaultError::DamagedFile => "said.vault.damaged_file",
            VaultError::FileGone => "said.vault.file_gone",
            VaultError::UnsafeFile(_) => "said.vault.unsafe_file",
            _ => "said.vault.failed",
        },
    )
}

/// Where secrets are kept.
#[must_use]
pub fn vault_kind(language: Language, kind: StoreKind) -> &'static str {
    say(
        language,
        match kind {
            StoreKind::Keyring => "vault.keyring",
            StoreKind::SealedFile => "vault.sealed_file",
            StoreKind::Memory => "vault.memory",
        },
    )
}

/// A vault's trouble as a sentence.
#[must_use]
pub fn vault_trouble(language: Language, why: &VaultError) -> String {
    let key = match why {
        VaultError::Locked => "banner.locked",
        VaultError::Absent => "banner.absent",
        VaultError::Denied => "banner.denied",
        VaultError::Timeout => "banner.silent",
        VaultError::WrongPassphrase => "banner.passphrase",
        VaultError::NewerFormat => "banner.newer",
        VaultError::Corrupt => "banner.corrupt",
        VaultError::DamagedFile => "banner.damaged_file",
        VaultError::FileGone => "banner.file_gone",
        VaultError::Busy => "banner.busy",
        VaultError::Full(what) => return fill(language, "banner.full", &[("file", what)]),
        VaultError::ReadOnly(what) => return fill(language, "banner.read_only", &[("file", what)]),
        VaultError::UnsafeFile(_) => "banner.unsafe_file",
        VaultError::ReadBackDiffers => "banner.differs",
        VaultError::TooLarge { bytes, limit } => {
            let values = [("bytes", &*bytes.to_string()), ("limit", &*limit.to_string())];
            return fill(language, "banner.too_large", &values);
        }
        other => return fill(language, "banner.other", &[("error", &other.to_string())]),
    };
    say(language, key).to_owned()
}

/// A failed renewal, never told better than it is.
#[must_use]
pub fn renewing_fails(language: Language, expires_at: Option<u64>, dead: bool, why: &Transient) -> String {
    let cause = cause(language, why);
    match expires_at.filter(|_| !dead) {
        Some(at) => {
            let time = clock_time(language, at);
            fill(language, "said.renewing_fails.until", &[("time", &time), ("cause", &cause)])
        }
        None if dead => fill(language, "said.renewing_fails.dead", &[("cause", &cause)]),
        None => fill(language, "said.renewing_fails", &[("cause", &cause)]),
    }
}

/// A time of day on this machine: `14:05`.
fn clock_time(language: Language, unix: u64) -> String {
    use chrono::TimeZone as _;
    i64::try_from(unix)
        .ok()
        .and_then(|seconds| chrono::Local.timestamp_opt(seconds, 0).single())
        .map_or_else(|| say(language, "said.later").to_owned(), |time| time.format("%H:%M").to_string())
}

/// Why a provider could not be asked.
#[must_use]
pub fn cause(language: Language, cause: &Transient) -> String {
    let key = match cause {
        Transient::Unreachable(_) => "cause.unreachable",
        Transient::NoAnswer(_) => "cause.no_answer",
        Transient::Busy(_) => "cause.busy",
        Transient::Status(status) => return fill(language, "cause.status", &[("status", &status.to_string())]),
        Transient::Blank => "cause.blank",
        Transient::Nonsense(_) => "cause.nonsense",
    };
    say(language, key).to_owned()
}

/// Every service of a session says that only a new sign-in helps.
#[must_use]
pub fn rejected_by_service(language: Language) -> &'static str {
    say(language, "reason.rejected")
}

/// Why only the person can help.
#[must_use]
pub fn reason(language: Language, reason: Reason) -> &'static str {
    say(
        language,
        match reason {
            Reason::NotYet => "reason.not_yet",
            Reason::EndedByProvider => "reason.ended",
            Reason::InteractionRequired => "reason.interaction",
            Reason::NoRefreshToken => "reason.no_refresh",
            Reason::AnswerLost => "reason.answer_lost",
            Reason::ClientRejected => "reason.client",
        },
    )
}

/// `2 requests from claude-code are waiting`.
#[must_use]
pub fn waiting<Name: ToString>(language: Language, waiting: &BTreeMap<Name, usize>) -> Option<String> {
    let mut names: Vec<String> = waiting.keys().map(Name::to_string).collect();
    let last = names.pop()?;
    let who = match names.is_empty() {
        true => last,
        false => fill(language, "waiting.and", &[("names", &names.join(", ")), ("last", &last)]),
    };
    Some(count(language, "waiting", waiting.values().sum(), &[("who", &who)]))
}

/// The title of a notification.
#[must_use]
pub fn ring_title(language: Language, short_title: &str) -> String {
    fill(language, "ring.title", &[("name", short_title)])
}

/// The body of a notification: why, and who waits.
#[must_use]
pub fn ring_body(language: Language, reason: Option<&str>, waiting: Option<&str>) -> String {
    match (reason, waiting) {
        (Some(reason), Some(waiting)) => fill(language, "ring.both", &[("reason", reason), ("waiting", waiting)]),
        (Some(reason), None) => reason.to_owned(),
        (None, Some(waiting)) => fill(language, "ring.waiting", &[("waiting", waiting)]),
        (None, None) => say(language, "ring.neither").to_owned(),
    }
}

/// What an account is asked for, in its own line and in the notification.
#[must_use]
pub fn ask(language: Language, ask: &Ask) -> String {
    let scopes = ask.scopes();
    let wanted = scopes.to_string();
    let who = match &ask.by {
        Some((tool, service)) => {
            let values = [("tool", tool.as_str()), ("service", service.as_str()), ("scopes", wanted.as_str())];
            fill(language, if scopes.is_empty() { "asked.sign_in" } else { "asked.scopes" }, &values)
        }
        None => fill(language, "asked.nobody", &[("scopes", &wanted)]),
    };
    match ask.unlisted.is_empty() {
        true => who,
        false => {
            let unlisted = fill(language, "asked.unlisted", &[("scopes", &ask.unlisted.to_string())]);
            format!("{who} {unlisted}")
        }
    }
}
