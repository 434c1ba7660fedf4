//! What is particular to each provider.

/// What is particular to one provider.
pub struct Case {
    /// Of the preset, and of its folder in `tests/providers`.
    pub name: &'static str,
    /// The path of its issuer; nothing where the preset has the endpoints.
    pub issuer: Option<&'static str>,
    /// Whether it has given us a secret.
    pub secret: bool,
    /// What must be in the authorization request.
    pub authorize: &'static [(&'static str, &'static str)],
    /// What the redirect begins with.
    pub redirect: &'static str,
    /// Who signs in.
    pub identity: &'static str,
    /// What its tokens may do.
    pub scopes: &'static [&'static str],
    /// Answers for which there is a test of its own.
    pub others: &'static [&'static str],
}

const LITERAL: &str = "http://127.0.0.1:";
const LOCALHOST: &str = "http://localhost:";

/// Where nothing is particular.
const PLAIN: Case = Case {
    name: "",
    issuer: None,
    secret: false,
    authorize: &[],
    redirect: LITERAL,
    identity: "",
    scopes: &[],
    others: &[],
};

pub const CASES: &[Case] = &[
    Case {
        name: "atlassian",
        secret: true,
        authorize: &[("audience", "api.atlassian.com"), ("prompt", "consent"), ("scope", "offline_access read:me")],
        identity: "mia@example.com",
        scopes: &["offline_access", "read:me"],
        others: &["refresh-dead-standard"],
        ..PLAIN
    },
    Case {
        name: "auth0",
        issuer: Some("/"),
        authorize: &[("prompt", "consent"), ("scope", "email offline_access openid profile")],
        identity: "janedoe@exampleco.com",
        scopes: &["offline_access", "openid"],
        ..PLAIN
    },
    Case {
        name: "dropbox",
        authorize: &[("token_access_type", "offline")],
        redirect: LOCALHOST,
        identity: "franz@dropbox.com",
        scopes: &["account_info.read", "files.content.read", "files.content.write", "files.metadata.read"],
        ..PLAIN
    },
    Case {
        name: "entra",
        issuer: Some("/common/v2.0"),
        // No `consent`, which would ask an administrator.
        authorize: &[("prompt", "select_account"), ("scope", "User.Read email offline_access openid profile")],
        redirect: LOCALHOST,
        identity: "abeli@microsoft.com",
        scopes: &["User.Read", "email", "openid", "profile"],
        others: &["refresh-person"],
        ..PLAIN
    },
    Case {
        name: "github",
        secret: true,
        authorize: &[("scope", "read:user")],
        identity: "octocat",
        others: &["token-lasting", "token-wrong-secret"],
        ..PLAIN
    },
    Case {
        name: "gitlab",
        issuer: Some(""),
        authorize: &[("scope", "email openid profile")],
        identity: "ada@gitlab.example",
        scopes: &["email", "openid", "profile"],
        ..PLAIN
    },
    Case {
        name: "google",
        issuer: Some(""),
        secret: true,
        authorize: &[("access_type", "offline"), ("prompt", "consent"), ("scope", "email openid profile")],
        identity: "jsmith@example.com",
        scopes: &[
            "https://www.googleapis.com/auth/userinfo.email",
            "https://www.googleapis.com/auth/userinfo.profile",
            "openid",
        ],
        ..PLAIN
    },
    Case {
        name: "keycloak",
        issuer: Some("/realms/acme"),
        authorize: &[("scope", "email offline_access openid profile")],
        identity: "user1",
        scopes: &["email", "offline_access", "openid", "profile"],
        ..PLAIN
    },
    Case {
        name: "linear",
        authorize: &[("scope", "read")],
        redirect: LOCALHOST,
        identity: "ada@example.com",
        scopes: &["read", "write"],
        ..PLAIN
    },
    Case {
        name: "notion",
        secret: true,
        authorize: &[("owner", "user")],
        redirect: LOCALHOST,
        identity: "avo@example.org",
        ..PLAIN
    },
    Case {
        name: "okta",
        issuer: Some("/oauth2/default"),
        authorize: &[("scope", "email offline_access openid profile")],
        identity: "john.doe@okta.example",
        scopes: &["email", "offline_access", "openid", "profile"],
        ..PLAIN
    },
    Case {
        name: "salesforce",
        issuer: Some(""),
        authorize: &[("scope", "api openid refresh_token")],
        redirect: LOCALHOST,
        identity: "admin@mycompany.example",
        scopes: &["api", "openid", "refresh_token"],
        ..PLAIN
    },
    Case {
        name: "slack",
        authorize: &[("user_scope", "users:read")],
        redirect: LOCALHOST,
        identity: "grace",
        scopes: &["chat:write", "users:read"],
        others: &["token-lasting"],
        ..PLAIN
    },
    Case {
        name: "spotify",
        authorize: &[("scope", "user-read-email")],
        identity: "email@example.com",
        scopes: &["user-read-email", "user-read-private"],
        ..PLAIN
    },
];
