//! Why the forward proxy itself answers.

use http::StatusCode;

use super::AuthorityError;
use crate::proxy::UpstreamError;
use crate::proxy::respond::{Refusal, upstream_code, upstream_status};

/// What only the forward proxy refuses with.
#[derive(Debug, Clone)]
pub enum ForwardRefusal {
    /// No tool key.
    NoKey,
    /// A key that nobody has.
    UnknownKey,
    /// It is asked to lead to itself.
    Loop,
    /// The person turned it off.
    Off,
    /// A request in a tunnel is for another host than the tunnel.
    OtherHost,
    /// There is no authority to open a tunnel with.
    NoAuthority(AuthorityError),
    /// A host that is no service's gives no answer.
    Outside {
        /// Which.
        host: String,
        /// Why.
        trouble: UpstreamError,
    },
}

impl ForwardRefusal {
    /// The stable code of the answer.
    pub(in crate::proxy) fn code(&self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::UnknownKey => "unknown_key",
            Self::Loop => "loop",
            Self::Off => "forwarding_off",
            Self::OtherHost => "other_host",
            Self::NoAuthority(_) => "no_authority",
            Self::Outside { trouble, .. } => upstream_code(trouble),
        }
    }

    pub(in crate::proxy) fn status(&self) -> StatusCode {
        match self {
            Self::NoKey | Self::UnknownKey => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::Off => StatusCode::FORBIDDEN,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::NoAuthority(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Outside { trouble, .. } => upstream_status(trouble),
        }
    }
}

impl From<ForwardRefusal> for Refusal {
    fn from(why: ForwardRefusal) -> Self {
        Self::Forward(why)
    }
}
