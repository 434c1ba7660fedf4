//! Tokens without the person at a page: the client in its own name (RFC 6749 section 4.4), an assertion of
//! its own (RFC 7523), or an employer's sign-in that vouches for the person (RFC 8693, then RFC 7523).

use std::pin::Pin;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::call::Call;
use super::{Issued, TokenAsk, TokenError};
use crate::clock::Anchor;
use crate::provider::jws::unique;
use crate::provider::{Grant, Provider};
use crate::secret::Secret;

/// RFC 7523 section 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// RFC 8693 section 2.1.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// RFC 8693 section 3.
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// Identity assertion authorization grant (draft-ietf-oauth-identity-assertion-authz-grant), which MCP's
/// enterprise-managed authorization uses.
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// How long our own assertions are good for.
const ASSERTION_SECONDS: u64 = 300;

/// Who vouches for the person: the account at their employer, asked each time.
pub type Employer = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Vouched, TokenError>> + Send>> + Send + Sync>;

/// The employer's word.
pub struct Vouched {
    /// The employer's server, with our registration there.
    pub provider: Provider,
    /// Who the person is there.
    pub id_token: Secret,
}

/// RFC 8693 section 2.2.1. The token type is `N_A`: it is nothing to call an API with.
#[derive(Deserialize)]
struct Exchanged {
    access_token: Secret,
    issued_token_type: String,
}

impl Provider {
    /// Asks for tokens by the right that the registration has, without the person. `anchor`: when the
    /// provider's time was last known.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) async fn obtain(&self, ask: &TokenAsk<'_>, anchor: Option<&Anchor>) -> Result<Issued, TokenError> {
        let metadata = self.known_metadata().await?;
        let call = Call::new(self, metadata, ask.dpop.cloned(), anchor).await?;
        let scopes = ask.scopes.to_string();
        let assertion = match self.registration().grant {
            Grant::AuthorizationCode => {
                return Err(TokenError::NotSent("this provider wants to see the person".into()));
            }
            Grant::ClientCredentials => None,
            Grant::JwtBearer => Some(self.own_assertion(&call, &scopes).await?),
            Grant::IdentityAssertion => Some(self.vouched_for(ask).await?),
        };
        let mut form = match &assertion {
            None => vec![("grant_type", "client_credentials")],
            Some(assertion) => vec![("grant_type", JWT_BEARER), ("assertion", assertion.expose())],
        };
        if !ask.scopes.is_empty() {
            form.push(("scope", &scopes));
        }
        if let Some(resource) = ask.resource {
            form.push(("resource", resource));
        }
        let mut issued = call.redeem(form, ask.scopes).await?;
        tracing::debug!(endpoint = %metadata.token_endpoint, "tokens obtained without the person");
        issued.tokens.unattended = true;
        // RFC 6749 section 4.4.3 has none; whoever sends one all the same is asked by the same right again.
        issued.tokens.refresh = None;
        Ok(issued)
    }

    /// A JWT that we sign for ourselves. Google reads the scopes from it, others from the form.
    async fn own_assertion(&self, call: &Call, scopes: &str) -> Result<Secret, TokenError> {
        let (unix, audience) = call.now_and_audience();
        let registration = self.registration();
        let subject = registration.subject.as_ref().unwrap_or(&registration.client_id);
        let mut claims = json!({
            "iss": registration.client_id,
            "sub": subject,
            "aud": audience,
            "jti": unique(),
            "iat": unix,
            "exp": unix + ASSERTION_SECONDS,
        });
        if !scopes.is_empty() {
            claims["scope"] = scopes.into();
        }
        Ok(call.signed(claims).await?)
    }

    /// The employer's server turns its id_token into an assertion for this one.
    async fn vouched_for(&self, ask: &TokenAsk<'_>) -> Result<Secret, TokenError> {
        let Some(employer) = &self.inner.employer else {
            return Err(TokenError::NotSent("no account vouches for this one".into()));
        };
        let Vouched { provider, id_token } = employer().await?;
        let own = self.known_metadata().await?;
        let metadata = provider.known_metadata().await?;
        let scopes = ask.scopes.to_string();
        let mut form = vec![
            ("grant_type", TOKEN_EXCHANGE),
            ("requested_token_type", ID_JAG),
            ("audience", own.issuer.as_str()),
            ("subject_token", id_token.expose()),
            ("subject_token_type", ID_TOKEN),
        ];
        if let Some(resource) = ask.resource {
            form.push(("resource", resource));
        }
        if !ask.scopes.is_empty() {
            form.push(("scope", &scopes));
        }
        let call = Call::new(&provider, metadata, None, None).await?;
        let response = call.post(&metadata.token_endpoint, form).await?;
        let exchanged: Result<Exchanged, _> = serde_json::from_slice(response.body());
        match exchanged {
            Ok(exchanged) if response.status().is_success() && exchanged.issued_token_type == ID_JAG => {
                Ok(exchanged.access_token)
            }
            _ if response.status().is_success() => {
                Err(TokenError::Nonsense("the employer's server gave no assertion".into()))
            }
            _ => {
                // That is the other account's trouble, never this session's end.
                let status = response.status().as_u16();
                let error: Option<serde_json::Value> = serde_json::from_slice(response.body()).ok();
                let code = error.and_then(|body| body["error"].as_str().map(str::to_owned));
                match code.as_deref() {
                    Some("invalid_grant" | "interaction_required" | "login_required") => {
                        Err(TokenError::VoucherNeedsPerson)
                    }
                    _ => {
                        let code = code.map(|code| format!(" {}", code.chars().take(60).collect::<String>()));
                        let code = code.unwrap_or_default();
                        Err(TokenError::NotSent(format!("the employer's server answered {status}{code}")))
                    }
                }
            }
        }
    }
}
