//! Going on with a sign-in that another program began.

use toml_edit::value;

use super::core::{Core, grant_of};
use super::document::set;
use crate::control::{Adopt, Failure, SignedIn};
use crate::model::Scopes;
use crate::signin::{self, Place, SignIn};
use crate::wording;

impl Core {
    /// Uses another program's refresh token for the service's account, which must not be signed in: no token
    /// of its own is ever put at risk for one from elsewhere.
    pub(crate) async fn adopt(&self, adopt: Adopt) -> Result<SignedIn, Failure> {
        let config = self.config();
        let service = config.services.get(&adopt.service).ok_or_else(|| wording::unknown_service(&adopt.service))?;
        let (grant, account) = (grant_of(service), &service.account);
        let title = self.titles(&config, account).1;
        let session = self.sessions_of(account).remove(&grant);
        let session = session.ok_or_else(|| wording::account_without_service(account))?;
        if !self.needs_sign_in(&session).await? {
            return Err(wording::import::signed_in_already(account));
        }
        let unknown = || wording::unknown_account(account);
        let settings = config.accounts.get(account).ok_or_else(unknown)?;
        let what = SignIn {
            provider: self.provider(&config, account).ok_or_else(unknown)?,
            scopes: settings.scopes.clone(),
            claims: None,
            expected: self.known.identity(account),
            title: title.clone(),
            place: Place::Here,
            port: None,
            ask_first: false,
            bound: false,
            grant,
        };
        let scopes: Scopes = adopt.scopes.into();
        self.wipe_what_was_left(&what.grant).await;
        let result = signin::adopt::run(&what, &session, adopt.refresh_token, scopes).await;
        self.sign_in_ended(&what, &result);
        result.map_err(|error| wording::sign_in_failed(&title, account, &error))?;
        if adopt.registered {
            self.edit(|_, document| {
                set(document, ["providers", settings.provider.as_str(), "registered"], value(true));
                Ok(())
            })?;
        }
        Ok(self.signed_in(account))
    }
}
