//! Taking over from other programs, in the window.

/// In English.
pub(super) const ENGLISH: &[(&str, &str)] = &[
    ("import.open", "Take over from other programs…"),
    ("import.title", "Found on this machine"),
    (
        "import.about",
        "Services that other programs here already reach. What you tick is added; their own files stay as they are.",
    ),
    ("import.looking", "Looking…"),
    (
        "import.none",
        "Nothing was found. Signbell looks at MCP clients, mcp-remote, gh, gcloud, oidc-agent and email-oauth2-proxy.",
    ),
    ("import.for", "For {who}. You sign in once."),
    ("import.anew", "You sign in once."),
    ("import.here", "Here already, as {service}"),
    ("import.taken", "Taken over, as {service}"),
    ("import.not_adopted", "Taken over, as {service}; its sign-in could not be used, so sign in there"),
    ("import.lacks.address", "Its address is not written there. Paste it under Add."),
    ("import.lacks.client_id", "Its provider wants a client ID of your own. Add it by its address."),
    ("import.lacks.person", "Nobody signs in there: it acts for itself."),
    ("import.lacks.value", "A value there is still the sample’s."),
    ("import.tokens", "Go on with its sign-in"),
    ("import.tokens.shared", "Both programs stay signed in."),
    ("import.tokens.moves", "The other program will have to sign in again: most providers take its token once."),
    ("import.submit", "Take over"),
    ("import.done.one", "{n} service was taken over"),
    ("import.done.other", "{n} services were taken over"),
];
