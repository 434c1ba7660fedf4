#![allow(clippy::unwrap_used)]
use super::*;

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

#[test]
fn every_file_is_listed_and_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/providers");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".toml", ""))
        .collect();
    files.sort();
    assert_eq!(files, names().collect::<Vec<_>>());
    for (name, text) in SHIPPED {
        let preset: Preset = toml_edit::de::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!preset.sources.is_empty(), "{name} names no source");
        for source in preset.sources.iter().chain([&preset.console]) {
            assert_eq!(source.scheme(), "https", "{name}: {source}");
        }
        for note in &preset.notes {
            assert!(note.ends_with('.'), "{name}: {note}");
        }
        let endpoints = preset.endpoints.iter().flat_map(|e| [&e.authorization, &e.token, &e.revocation, &e.identity]);
        let asked = preset.identity.iter().filter_map(|rule| rule.ask.as_ref()).map(|ask| &ask.url);
        for endpoint in endpoints.flatten().chain(asked).chain(&preset.issuer) {
            assert_eq!(endpoint.scheme(), "https", "{name}: {endpoint}");
        }
        // Without metadata both must be known.
        if let Some(endpoints) = &preset.endpoints {
            assert!(endpoints.authorization.is_some() && endpoints.token.is_some(), "{name}");
            assert!(preset.issuer.is_some(), "{name}");
        }
        assert!(preset.hosts.is_empty() || preset.issuer.is_some(), "{name}: by host, to which issuer?");
        // Such a pattern fits servers of anybody: they must announce what they can themselves.
        let trusted = preset.asserts_s256 || preset.issuer_template.is_some();
        assert!(!trusted || !preset.issuers.iter().any(Pattern::is_any_host), "{name}");
    }
}

#[test]
fn by_the_address_of_the_service() {
    for (service, expected) in [
        ("https://api.github.com", Some("github")),
        ("https://gmail.googleapis.com/gmail/v1", Some("google")),
        ("https://graph.microsoft.com/v1.0", Some("entra")),
        ("https://slack.com/api", Some("slack")),
        ("https://api.atlassian.com/ex/jira/x", Some("atlassian")),
        ("https://acme.my.salesforce.com", Some("salesforce")),
        ("https://content.dropboxapi.com/2", Some("dropbox")),
        ("https://evil-slack.com", None),
        ("https://api.github.com.evil.test", None),
        ("http://127.0.0.1:80", None),
    ] {
        assert_eq!(of_host(&url(service)), expected, "{service}");
    }
}

#[test]
fn by_the_issuer() {
    for (issuer, expected) in [
        ("https://github.com/login/oauth", Some("github")),
        ("https://github.com", Some("github")),
        ("https://accounts.google.com", Some("google")),
        ("https://login.microsoftonline.com/common/v2.0", Some("entra")),
        ("https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0", Some("entra")),
        ("https://login.microsoftonline.com/common", None),
        ("https://acme.okta.com/oauth2/default", Some("okta")),
        ("https://acme.eu.auth0.com/", Some("auth0")),
        ("https://id.acme.test/realms/staff", Some("keycloak")),
        ("https://acme.my.salesforce.com", Some("salesforce")),
        ("http://github.com", None),
        ("https://github.com.evil.test/login/oauth", None),
        ("https://login.microsoftonline.com.evil.test/common/v2.0", None),
        ("https://acme.test", None),
    ] {
        assert_eq!(of_issuer(&url(issuer)), expected, "{issuer}");
    }
}

#[test]
fn what_the_person_set_goes_first() {
    let own = Endpoints { token: Some(url("https://ghe.test/token")), ..Endpoints::default() };
    let preset = named("github").unwrap();
    let both = own.or(preset.endpoints.as_ref());
    assert_eq!(both.token, Some(url("https://ghe.test/token")));
    assert_eq!(both.authorization, Some(url("https://github.com/login/oauth/authorize")));
    assert_eq!(own.or(None), own);
}
