//! What a response says of the token.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Response, StatusCode};

use super::challenge;

/// What a response says of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is wrong with it.
    Accepted,
    /// It is no good; another may be.
    Expired,
    /// The refusal is not about our token.
    NotOurs,
}

/// Reads status and headers; no body is looked into.
pub(super) fn verdict<B>(response: &Response<B>) -> Verdict {
    of(response.status(), response.headers())
}

fn of(status: StatusCode, headers: &HeaderMap) -> Verdict {
    if status != StatusCode::UNAUTHORIZED {
        return Verdict::Accepted;
    }
    let challenges: Vec<_> = headers.get_all(WWW_AUTHENTICATE).iter().flat_map(challenge::parse).collect();
    // RFC 9110 section 11.6.1 requires a challenge; servers that forget it mean the bearer too.
    let about_bearer = challenges.is_empty() || challenges.iter().any(|c| c.is("bearer") || c.is("dpop"));
    if about_bearer { Verdict::Expired } else { Verdict::NotOurs }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn by_status_and_scheme() {
        for (status, challenges, expected) in [
            (200, &[][..], Verdict::Accepted),
            (403, &["Bearer error=\"insufficient_scope\""], Verdict::Accepted),
            (401, &[], Verdict::Expired),
            (401, &["Bearer"], Verdict::Expired),
            (401, &["bearer realm=\"x\", error=\"invalid_token\""], Verdict::Expired),
            (401, &["Basic realm=\"Bearer\""], Verdict::NotOurs),
            (401, &["Negotiate", "Digest nonce=\"x\""], Verdict::NotOurs),
            (401, &["Basic realm=\"x\", Bearer"], Verdict::Expired),
            (401, &["Basic realm=\"x\"", "DPoP algs=\"ES256\""], Verdict::Expired),
        ] {
            let mut headers = HeaderMap::new();
            for challenge in challenges {
                headers.append(WWW_AUTHENTICATE, challenge.parse().unwrap());
            }
            assert_eq!(of(StatusCode::from_u16(status).unwrap(), &headers), expected, "{status} {challenges:?}");
        }
    }
}
