//! `signbell token`: an access token, where the person allowed it.

use std::time::Duration;

use serde_json::json;
use signbell_engine::control::{Failure, Reply, Request};
use signbell_engine::model::AccountName;

use super::Context;
use crate::when;
use signbell_engine::wording::cli as words;

pub(super) async fn run(context: &Context, account: AccountName, min_valid: Duration) -> Result<(), Failure> {
    let request = Request::Token { account: account.clone(), min_valid_seconds: min_valid.as_secs() };
    let Reply::Token { token, expires_at } = context.call(&request).await? else {
        return Err(words::odd_reply());
    };
    // The engine refuses where the provider could do better; else its tokens never live so long.
    if let Some(left) = expires_at.map(|at| at.saturating_sub(when::now())).filter(|left| *left < min_valid.as_secs()) {
        context.out.say(&signbell_engine::wording::slips::always_shorter(&account, left));
    }
    let line = json!({ "account": account, "access_token": token.expose(), "expires_at": expires_at });
    context.out.result(&line, || token.expose().to_owned())
}
