//! `signbell status`: the snapshot, or a calm table of it.

use signbell_engine::control::Failure;
use signbell_engine::model::AccountName;
use signbell_engine::view::{AccountView, AppView, StateName};

use super::Context;
use crate::output::field;
use crate::table::table;
use crate::when;
use signbell_engine::wording::FORWARDING_ON;
use signbell_engine::wording::cli as words;

pub(super) async fn run(context: &Context, only: Option<AccountName>) -> Result<(), Failure> {
    let mut view = context.view().await?;
    if let Some(only) = &only {
        view.accounts.retain(|account| account.account == *only);
        if view.accounts.is_empty() {
            let service = view.services.iter().find(|service| service.service.as_str() == only.as_str());
            return Err(match service {
                Some(service) => signbell_engine::wording::slips::is_a_service(only, &service.account),
                None => words::unknown_account(only),
            });
        }
    }
    context.out.result(&view, || {
        let now = when::now();
        if only.is_some() { accounts(&view.accounts, now) } else { overview(&view, now) }
    })
}

fn overview(view: &AppView, now: u64) -> String {
    let proxy = &view.proxy;
    let mut parts = vec![field(&words::proxy(&proxy.address, proxy.running, proxy.paused, &proxy.vault))];
    if proxy.forward {
        parts.push(FORWARDING_ON.to_owned());
    }
    parts.extend(view.banners.iter().map(|banner| field(banner)));
    let accounts = if view.accounts.is_empty() { words::NO_ACCOUNTS.to_owned() } else { accounts(&view.accounts, now) };
    format!("{}\n\n{accounts}", parts.join("\n"))
}

/// The table, and below it why the person is needed and what to type.
fn accounts(accounts: &[AccountView], now: u64) -> String {
    let rows: Vec<_> = accounts.iter().map(|account| row(account, now)).collect();
    let mut text = table(["NAME", "ACCOUNT", "STATE", "EXPIRES IN", "USED BY"], &rows);
    let notes: Vec<_> = accounts.iter().filter_map(note).collect();
    if !notes.is_empty() {
        text.push_str("\n\n");
        text.push_str(&notes.join("\n"));
    }
    text
}

fn row(account: &AccountView, now: u64) -> [String; 5] {
    let has_token = matches!(account.state, StateName::Active | StateName::Refreshing);
    let left = account.expires_at.filter(|_| has_token).map(|at| when::left(at, now));
    [
        account.account.to_string(),
        account.title.clone(),
        account.state_words.clone(),
        left.unwrap_or_default(),
        account.last_used_by.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}

fn note(account: &AccountView) -> Option<String> {
    let said = [account.reason_words.as_deref(), account.waiting_words.as_deref()];
    let mut note: Vec<String> = said.into_iter().flatten().map(words::sentence).collect();
    if account.state == StateName::NeedsSignIn {
        note.push(words::sign_in_next(&account.account));
    }
    (!note.is_empty()).then(|| field(&format!("{}: {}", account.account, note.join(" "))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn account(change: serde_json::Value) -> AccountView {
        let mut account = json!({
            "account": "linear-work", "title": "ada@example.com · Linear, work",
            "short_title": "Linear (work)", "provider": "Linear", "state": "active",
            "state_words": "Signed in", "scopes": [], "refreshable": true, "services": ["linear"],
            "waiting": 0, "signing_in": false, "allow_token": false, "ephemeral": false, "grants": [],
            "expires_at": 2880 + 1000, "last_used_by": "claude-code",
        });
        for (name, value) in change.as_object().unwrap() {
            account[name] = value.clone();
        }
        serde_json::from_value(account).unwrap()
    }

    #[test]
    fn a_calm_table() {
        let mut view = AppView::default();
        view.proxy.address = "http://127.0.0.1:8401".into();
        view.proxy.running = true;
        view.proxy.vault = "keyring".into();
        view.accounts = vec![
            account(json!({
                "account": "google", "title": "Google", "state": "needs_sign_in",
                "state_words": "Needs you", "reason_words": "Google ended this session",
                "waiting_words": "2 requests from claude-code are waiting", "last_used_by": null,
            })),
            account(json!({})),
        ];
        assert_eq!(
            overview(&view, 1000),
            "Proxy http://127.0.0.1:8401, running. Tokens: keyring.\n\n\
             NAME         ACCOUNT                         STATE      EXPIRES IN  USED BY\n\
             google       Google                          Needs you\n\
             linear-work  ada@example.com · Linear, work  Signed in  48 min      claude-code\n\n\
             google: Google ended this session. 2 requests from claude-code are waiting. \
             Next: signbell sign-in google"
        );
        view.accounts.clear();
        view.proxy.forward = true;
        view.banners = vec!["No keyring\x1b[0m.".into()];
        assert_eq!(
            overview(&view, 0),
            "Proxy http://127.0.0.1:8401, running. Tokens: keyring.\n\
             The forward proxy is on (`signbell forward status`).\nNo keyring\\u{1b}[0m.\n\n\
             No accounts yet. Add one with `signbell add URL`."
        );
    }
}
