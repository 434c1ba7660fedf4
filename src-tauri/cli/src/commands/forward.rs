//! `signbell forward`: the forward proxy, on or off, and what trusts it.

use signbell_engine::control::{Failure, Forwarding, Reply, Request};
use signbell_engine::wording;

use super::Context;
use crate::args::Forward;
use signbell_engine::wording::cli as words;

pub(super) async fn run(context: &Context, command: Forward) -> Result<(), Failure> {
    let trust = matches!(command, Forward::Trust);
    let on = match command {
        Forward::On { yes } => {
            if !ask(context, None).await?.on {
                confirm(context, yes)?;
            }
            Some(true)
        }
        Forward::Off => Some(false),
        Forward::Status | Forward::Trust => None,
    };
    let forwarding = ask(context, on).await?;
    context.out.result(&forwarding, || match trust {
        true => wording::trust_forwarding(&forwarding),
        false => wording::forwarding_stands(&forwarding),
    })
}

async fn ask(context: &Context, on: Option<bool>) -> Result<Forwarding, Failure> {
    match context.call(&Request::Forward { on }).await? {
        Reply::Forwarding(forwarding) => Ok(forwarding),
        _ => Err(words::odd_reply()),
    }
}

/// Turning it on widens what tools can do: somebody has to say so.
pub(super) fn confirm(context: &Context, yes: bool) -> Result<(), Failure> {
    context.confirm(wording::TURN_FORWARDING_ON, yes, wording::forwarding_unconfirmed())
}
