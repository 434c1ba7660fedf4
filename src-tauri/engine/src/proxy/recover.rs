//! Carries out what was decided about a refusal, and says what the tool gets where nothing mends it.

use std::sync::Arc;

use http::StatusCode;
use hyper::Response;

use super::decide::Facts;
use super::respond::{Body, Refusal};
use super::{Attempt, Call, Decision, Exchange, Trail, refused, session_is_good};
use crate::activity::{Kind, Refused};
use crate::ask::Standing;
use crate::control::Notice;
use crate::model::{ExpiredAnswer, Scopes, ServiceName, ToolName};
use crate::rules::{Again, Found, Verdict};
use crate::session::Lease;
use crate::session::state::{self, Unready, Want};
use crate::wording;

impl Exchange<'_> {
    pub(super) fn facts(&self, call: &Call, lease: &Lease, attempt: Attempt, found: &Found) -> Facts {
        let session = &self.route.session;
        Facts {
            verdict: found.rule.verdict,
            again: found.rule.again,
            attempt,
            replayable: found.nothing_done && call.body.is_replayable(),
            safe: call.parts.method.is_safe(),
            replay_unsafe: self.route.replay_unsafe,
            current: state::generation_of(&session.watch().borrow()) == lease.generation,
            claimed: found.claims.as_deref().is_some_and(|claims| lease.was_asked_with(claims)),
            standing: self.standing(found, lease),
        }
    }

    /// The scopes that a server wants; where it does not say which, all that the account asks for. Of
    /// several that would each do, one that is there already, else one that a list names.
    pub(super) fn needed(&self, found: &Found, held: &Scopes) -> Scopes {
        let named = &found.scopes;
        if found.rule.verdict == Verdict::NeedsScope && named.is_empty() {
            return self.route.account_scopes.clone();
        }
        if !found.rule.scopes_any {
            return named.clone();
        }
        let (here, listed) = (named.intersection(held), named.intersection(&self.route.listed_scopes));
        [&here, &listed, named]
            .into_iter()
            .find_map(|scopes| scopes.iter().next())
            .map(Scopes::parse)
            .unwrap_or_default()
    }

    /// How what a server wants stands with the grant.
    pub(super) fn standing(&self, found: &Found, lease: &Lease) -> Standing {
        let (asks, grant) = (&self.proxy.asks, self.route.session.grant());
        match wish(found) {
            Some(Wish::Scopes) => {
                match asks.scopes_standing(grant, &self.needed(found, lease.scopes()), lease.scopes()) {
                    // It does not say which, and all that we know of is granted.
                    Standing::Held if found.scopes.is_empty() => Standing::Unknown,
                    standing => standing,
                }
            }
            Some(Wish::Claims) => {
                found.claims.as_deref().map_or(Standing::Unknown, |claims| asks.claims_standing(grant, claims))
            }
            Some(Wish::SignIn) => asks.sign_in_standing(grant, &self.route.name),
            None => Standing::Unknown,
        }
    }

    /// Does what was decided. A lease says that the request is to be sent again, with that.
    pub(super) async fn recover(
        &self,
        call: &mut Call,
        lease: &Lease,
        attempt: Attempt,
        refusal: &Seen,
        trail: &mut Trail,
    ) -> Result<Lease, End> {
        let session = &self.route.session;
        let found = &refusal.found;
        match refusal.decision {
            Decision::Relay if found.rule.verdict == Verdict::Expired && attempt != Attempt::First => Err(End::Useless),
            Decision::Relay => Err(End::Nothing),
            Decision::RefreshOnly => Err(self.refresh_only(lease, &found.rule.name)),
            Decision::Replay | Decision::RefreshAndReplay => {
                let renewed = session.lease(refused(lease)).await;
                self.renewed(call, lease, renewed, trail).await
            }
            Decision::ClaimsOnly | Decision::ClaimsAndReplay => {
                let Some(claims) = found.claims.clone() else { return Err(End::Nothing) };
                if refusal.decision == Decision::ClaimsOnly {
                    let (session, generation) = (session.clone(), lease.generation);
                    tokio::spawn(async move { session.lease_with_claims(generation, &claims).await.map(drop) });
                    return Err(End::Renewed);
                }
                let renewed = session.lease_with_claims(lease.generation, &claims).await;
                if let Err(Unready::NeedsPerson(_)) = renewed {
                    // The refresh could not bring them, so the sign-in has to.
                    self.proxy.asks.claims(session.grant(), &claims, self.by());
                }
                self.renewed(call, lease, renewed, trail).await
            }
            Decision::Ask => {
                self.ask(found, lease);
                self.hold(call, self.proxy.asks.settled(session.grant()), trail).await;
                let wants_scopes = wish(found) == Some(Wish::Scopes);
                let gives = |newer: &Lease| {
                    newer.generation > lease.generation
                        && (!wants_scopes || newer.scopes().covers(&self.needed(found, newer.scopes())))
                };
                match session.lease(Want::default()).await {
                    Ok(newer) if gives(&newer) => Ok(newer),
                    Ok(_) => Err(End::Asked),
                    Err(why) => Err(End::of(why)),
                }
            }
            Decision::AskOnly => {
                self.ask(found, lease);
                Err(End::Asked)
            }
        }
    }

    /// Renews for the next request: this one may not be sent again. A token that was brought so and is
    /// refused in the same way was no help.
    pub(super) fn refresh_only(&self, lease: &Lease, rule: &str) -> End {
        let told = Arc::clone(&self.proxy.told);
        if told.renewed_for(&self.route.name, rule) == Some(lease.generation) {
            return End::Useless;
        }
        let (session, want) = (self.route.session.clone(), refused(lease));
        let (service, rule) = (self.route.name.clone(), rule.to_owned());
        // On its own, so that a caller that leaves does not end it.
        tokio::spawn(async move {
            if let Ok(newer) = session.lease(want).await {
                told.note_renewed(service, rule, newer.generation);
            }
        });
        End::Renewed
    }

    /// What came of renewing after a server refused `lease`'s token; where only the person can help, the
    /// request waits.
    pub(super) async fn renewed(
        &self,
        call: &mut Call,
        lease: &Lease,
        first: Result<Lease, Unready>,
        trail: &mut Trail,
    ) -> Result<Lease, End> {
        let outcome = match first {
            Err(Unready::NeedsPerson(_)) => {
                self.hold(call, session_is_good(&self.route.session), trail).await;
                self.route.session.lease(refused(lease)).await
            }
            other => other,
        };
        outcome.map_err(End::of)
    }

    /// Our own answer to a refusal that nothing mends; nothing where the upstream's goes to the tool.
    pub(super) async fn answer(&self, call: &mut Call, refusal: &Seen, end: &End) -> Option<Refusal> {
        let found = &refusal.found;
        let needs_person = match end {
            // Who said 401 waits for a token; any other answer stands as it is (gogcli: if the refresh
            // fails, the original 403 stands).
            End::Unavailable(why) => {
                let ours = refusal.status == StatusCode::UNAUTHORIZED
                    || (refusal.invites && !self.relays_refusals(call).await);
                return ours.then(|| self.refusal(why.clone()));
            }
            End::Asked | End::Over(_) => true,
            End::Nothing | End::Renewed | End::Useless => false,
        };
        // What is not about the token, or turned out to be about something else.
        if found.rule.verdict == Verdict::NotOurs
            || (matches!(end, End::Useless) && found.rule.again == Some(Again::NotOurs))
            // What no client takes for an invitation to sign in.
            || (!needs_person && !refusal.invites)
            || self.relays_refusals(call).await
        {
            return None;
        }
        let (account, name, answer) = (self.route.title.clone(), self.route.account.clone(), self.expired_answer());
        Some(match (end, wish(found)) {
            (End::Over(why), _) => self.refusal(why.clone()),
            (End::Renewed, _) => Refusal::Renewed { account },
            (End::Useless, _) => self.refusal(Unready::RefreshDidNotHelp),
            (_, Some(Wish::Scopes)) => Refusal::Scopes { account, name, scopes: found.scopes.clone(), answer },
            _ => Refusal::SignInWanted { account, name, answer },
        })
    }

    /// Whether the upstream's own refusal goes to the tool. MCP clients take a 401 or a 403
    /// `insufficient_scope` for an invitation to sign in by themselves, against us.
    pub(super) async fn relays_refusals(&self, call: &mut Call) -> bool {
        match self.expired_answer() {
            ExpiredAnswer::Automatic => !self.is_rpc(call).await,
            ExpiredAnswer::Unauthorized => true,
            ExpiredAnswer::Unavailable => false,
        }
    }

    /// Asks the person for what a server wants.
    pub(super) fn ask(&self, found: &Found, lease: &Lease) {
        let (asks, grant) = (&self.proxy.asks, self.route.session.grant());
        let news = match wish(found) {
            Some(Wish::Scopes) => {
                let needed = self.needed(found, lease.scopes()).without(lease.scopes());
                let new = asks.scopes(grant, &needed, &self.route.listed_scopes, self.by());
                (!new.is_empty()).then(|| wording::scopes_asked(self, &new))
            }
            Some(Wish::Claims) => found.claims.as_deref().and_then(|claims| {
                let known = asks.claims_standing(grant, claims) == Standing::Asked;
                asks.claims(grant, claims, self.by());
                (!known).then(|| wording::sign_in_asked(self))
            }),
            Some(Wish::SignIn) => {
                let known = asks.sign_in_standing(grant, &self.route.name) == Standing::Asked;
                asks.sign_in(grant, self.by());
                (!known).then(|| wording::sign_in_asked(self))
            }
            None => None,
        };
        self.proxy.bell.needed(&self.route.account);
        if let Some(text) = news
            && self.proxy.told.is_news(&self.route.name, &format!("asked {}", found.rule.name))
        {
            self.record(Kind::ScopesAsked, &text, |_| ());
        }
    }

    pub(super) fn by(&self) -> (ToolName, ServiceName) {
        (self.tool.name.clone(), self.route.name.clone())
    }

    /// A refusal stands. The person is told why, and, where a rule has one, what to do; of many alike the
    /// first in a while.
    pub(super) fn note(&self, lease: &Lease, refusal: &Seen, end: &End) {
        let rule = &refusal.found.rule;
        let useless = matches!(end, End::Useless);
        if useless {
            self.route.session.did_not_help(lease.generation);
            if self.proxy.told.is_news(&self.route.name, "suspect") {
                // Nobody looks into it: the engine is ending.
                let _ = self.proxy.suspects.send(self.route.name.clone());
            }
        }
        let unnamed = wish(&refusal.found) == Some(Wish::Scopes)
            && matches!(end, End::Nothing)
            && self.standing(&refusal.found, lease) == Standing::Unknown;
        // A hint belongs to what is not about the token, from the start or in the end.
        let hint = rule
            .hint
            .as_deref()
            .filter(|_| rule.verdict == Verdict::NotOurs || useless)
            .and_then(|hint| wording::hint(hint, refusal.found.link.as_ref()));
        // A refusal of the common kind that is not about us concerns nobody.
        if (rule.verdict == Verdict::NotOurs && hint.is_none())
            || !self.proxy.told.is_news(&self.route.name, &rule.name)
        {
            return;
        }
        let (kind, text) = match hint {
            Some(hint) => (Kind::Hint, wording::hinted(self, &hint)),
            None if unnamed => (Kind::ScopesAsked, wording::unnamed_scopes(self, &self.route.account)),
            None => (Kind::PassedOn, wording::passed_on(self, &rule.why)),
        };
        self.record(kind, &text, |record| record.refusal = Some(refusal.explained(end.words())));
        if kind != Kind::PassedOn {
            // Nobody listens: fine.
            let _ = self.proxy.notices.send(Notice::Say { text });
        }
    }
}

/// A refusal, and what was decided about it.
pub(super) struct Seen {
    pub(super) status: StatusCode,
    /// An MCP client would take it for an invitation to sign in by itself.
    pub(super) invites: bool,
    pub(super) found: Found,
    pub(super) decision: Decision,
}

impl Seen {
    /// As the activity tells it.
    pub(super) fn explained(&self, decision: &str) -> Refused {
        Refused {
            status: self.status.as_u16(),
            rule: self.found.rule.name.clone(),
            why: self.found.rule.why.clone(),
            decision: decision.to_owned(),
        }
    }
}

/// Why a refused request isn't sent again.
pub(super) enum End {
    /// There is nothing to do about it.
    Nothing,
    /// The token was renewed, or is being; this request may not be sent twice.
    Renewed,
    /// A token that a refresh had just brought was refused as well.
    Useless,
    /// The person is asked, and has given nothing yet.
    Asked,
    /// The session is over.
    Over(Unready),
    /// Nothing can be said of the token now.
    Unavailable(Unready),
}

impl End {
    fn of(why: Unready) -> Self {
        match why {
            Unready::RefreshDidNotHelp => Self::Useless,
            Unready::NeedsPerson(_) | Unready::SignedOut => Self::Over(why),
            Unready::Vault(_) | Unready::Provider { .. } => Self::Unavailable(why),
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Self::Nothing => wording::END_NOTHING,
            Self::Renewed => wording::END_RENEWED,
            Self::Useless => wording::END_USELESS,
            Self::Asked => wording::END_ASKED,
            Self::Over(_) => wording::END_OVER,
            Self::Unavailable(_) => wording::END_UNAVAILABLE,
        }
    }
}

/// What a server wants that only the person can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Scopes,
    Claims,
    SignIn,
}

fn wish(found: &Found) -> Option<Wish> {
    match (found.rule.verdict, found.rule.again) {
        (Verdict::NeedsScope, _) | (Verdict::Expired, Some(Again::NeedsScope)) => Some(Wish::Scopes),
        (Verdict::NeedsClaims, _) => Some(Wish::Claims),
        (Verdict::NeedsPerson, _) | (Verdict::Expired, Some(Again::NeedsPerson)) => Some(Wish::SignIn),
        (Verdict::Expired, _) | (Verdict::NotOurs, _) => None,
    }
}

/// What MCP clients begin a sign-in of their own for.
pub(super) fn invites(status: StatusCode, found: &Found) -> bool {
    status == StatusCode::UNAUTHORIZED || (status == StatusCode::FORBIDDEN && wish(found) == Some(Wish::Scopes))
}

/// A refusal that turned out to be about something else goes on with the status that says so: a client
/// would take a 401 for an invitation to sign in by itself.
pub(super) fn passed_as(mut response: Response<Body>, end: &End, found: &Found) -> Response<Body> {
    if let Some(status) = found.rule.pass_as.filter(|_| matches!(end, End::Useless)) {
        *response.status_mut() = status;
        response.headers_mut().remove(http::header::WWW_AUTHENTICATE);
    }
    response
}
