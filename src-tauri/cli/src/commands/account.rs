//! `signbell account`, `signbell sign-out`.

use signbell_engine::control::{Failure, Reply, Request, SignedOut};
use signbell_engine::model::AccountName;
use signbell_engine::view::AccountView;

use super::Context;
use crate::args::Account;
use crate::table::table;
use signbell_engine::wording::cli as words;

pub(super) async fn run(context: &Context, command: Account) -> Result<(), Failure> {
    match command {
        Account::List => list(context).await,
        Account::Set { account, settings } => {
            let name = account.to_string();
            let request = Request::AccountSet { account, allow_token: settings.allow_token, label: settings.name };
            context.done(&request, "account", &name, words::changed(&name)).await
        }
        Account::Remove { account } => {
            let signed_out = ended(context, account, true).await?;
            let removed = signed_out.removed.clone().unwrap_or_default();
            context.out.result(&signed_out, || {
                format!("{} {}", words::forgotten(&signed_out.account, &removed), signed_out.provider_words)
            })
        }
    }
}

pub(super) async fn sign_out(context: &Context, account: AccountName, forget: bool) -> Result<(), Failure> {
    let signed_out = ended(context, account, forget).await?;
    context.out.result(&signed_out, || {
        let mut lines = vec![words::signed_out(&signed_out.account, &signed_out.provider_words)];
        lines.extend(signed_out.removed.as_ref().map(|removed| words::forgotten(&signed_out.account, removed)));
        lines.join("\n")
    })
}

async fn ended(context: &Context, account: AccountName, forget: bool) -> Result<SignedOut, Failure> {
    match context.call(&Request::SignOut { account, forget }).await? {
        Reply::SignedOut(signed_out) => Ok(signed_out),
        _ => Err(words::odd_reply()),
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let accounts = context.view().await?.accounts;
    if context.out.is_json() {
        return accounts.iter().try_for_each(|account| context.out.result(account, String::new));
    }
    if accounts.is_empty() {
        context.out.say(words::NO_ACCOUNTS);
    } else {
        let rows: Vec<_> = accounts.iter().map(row).collect();
        context.out.text(&table(["NAME", "ACCOUNT", "STATE", "SERVICES", "TOKEN"], &rows))?;
    }
    Ok(())
}

fn row(account: &AccountView) -> [String; 5] {
    let services: Vec<_> = account.services.iter().map(|s| s.as_str()).collect();
    [
        account.account.to_string(),
        account.title.clone(),
        account.state_words.clone(),
        services.join(", "),
        words::token_may_be_printed(account.allow_token).to_owned(),
    ]
}
