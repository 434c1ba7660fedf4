//! `docs/config.md`: every key of `config.toml`, made from the code by `make docs`.

use super::Config;
use super::setting::{Kind, SETTINGS, Setting, Unit};
use crate::wording;

/// A table of the file that there is one of for each name: its heading, what it is, its keys.
struct Named {
    heading: &'static str,
    about: &'static str,
    keys: &'static [(&'static str, &'static str)],
}

const NAMED: &[Named] = &[
    Named {
        heading: "providers.NAME",
        about: "An authorization server, and what it knows Signbell by. `signbell add` writes it.",
        keys: &[
            ("issuer", "The issuer identifier (RFC 8414)."),
            ("client_id", "Signbell's client id there."),
            (
                "client_secret_in_vault",
                "Whether its client secret lies in the vault. The secret itself is never in this file.",
            ),
            ("title", "As shown to people: `Linear`."),
            ("registered", "Whether Signbell registered itself there (RFC 7591), and may do so again."),
            ("client_key_in_vault", "Whether a private key of the client lies in the vault."),
            ("client_key_id", "What the provider calls that key, if not by its thumbprint."),
            (
                "grant",
                "By what right tokens are asked for: `authorization_code`, `client_credentials`, `jwt_bearer` or `identity_assertion`.",
            ),
            ("subject", "Whom the client's own assertions speak for."),
            ("via", "The account, at your employer, that vouches for you here."),
            ("token_auth", "How the token endpoint wants to see Signbell, where the server said so."),
            ("redirect_port", "The port of the redirect that was registered."),
            (
                "only_public",
                "A public service named the issuer: it leads to no address of this machine or its network.",
            ),
            (
                "allow_missing_pkce",
                "Sign in there although it does not announce PKCE with S256; PKCE is sent all the same.",
            ),
            ("default_endpoints", "It describes itself nowhere, so its endpoints are those of MCP 2025-03-26."),
            ("preset", "What is known of such a server: `signbell provider presets`."),
            (
                "authorization_endpoint",
                "Where the browser goes, if not where the preset or the server's metadata says.",
            ),
            ("token_endpoint", "Where codes and refresh tokens are redeemed, likewise."),
            ("revocation_endpoint", "Where tokens are revoked (RFC 7009), likewise."),
            ("identity_endpoint", "Who signed in, likewise."),
        ],
    },
    Named {
        heading: "accounts.NAME",
        about: "One identity at one provider.",
        keys: &[
            ("provider", "Where: the NAME of a provider."),
            ("scopes", "What to ask for when it signs in."),
            ("label", "What you call it besides its identity: `work`."),
            ("allow_token", "Whether `signbell token` may print its token."),
        ],
    },
    Named {
        heading: "services.NAME",
        about: "An upstream that tools reach through Signbell; its NAME is the first part of its address there.",
        keys: &[
            ("url", "The upstream base URL: `https`, or `http` on this machine."),
            ("account", "Whose tokens it gets: the NAME of an account."),
            ("resource", "The RFC 8707 resource that its tokens are for."),
            ("dpop", "Whether its tokens are bound to a key (DPoP, RFC 9449)."),
            ("authorization_server", "The server that its own metadata named; where that changes, you are asked."),
            ("hold_seconds", "How long a request waits for you, in seconds; overrides `[proxy]`."),
            ("replay_unsafe", "Whether POST and other unsafe methods are sent again after a 401."),
            ("expired", "What its tools get when you did not come: `automatic`, `401` or `503`."),
            ("preset", "What is known of such a service: `signbell service presets`."),
            ("scopes", "Scopes that a click may add when the service asks for more."),
            (
                "token_variables",
                "Variables in which a client wants some token before it calls, if not the preset's; `signbell run` puts a placeholder there.",
            ),
            (
                "rewrite_addresses",
                "Whether its own addresses in what it answers become the tool's: what a package registry needs.",
            ),
            ("inject", "How the token is put in, if not as the preset says."),
            ("rules", "How it says that a token is no good: `[[services.NAME.rules]]`, see rules.md."),
        ],
    },
    Named {
        heading: "tools.NAME",
        about: "A registered local program. `signbell tool add` writes it.",
        keys: &[
            ("key_sha256", "SHA-256 of its key, in hexadecimal. The key itself is kept nowhere."),
            ("services", "What it may use."),
            ("expired", "What it gets when you did not come: `automatic`, `401` or `503`."),
            ("key_in_path", "Whether its key is part of its addresses."),
            ("confirm", "Whether you are asked once for each program that uses it and each service."),
            (
                "allowed",
                "What you answered with Always: `[tools.NAME.allowed]`, `SERVICE = [\"/path/of/program\", \"/path/of/interpreter /path/of/script\"]`. A path proves little: a process of yours can run any file of yours.",
            ),
        ],
    },
];

/// `docs/config.md`.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# config.toml\n\n\
         Made from the code by `make docs`. The file lies in `~/.config/signbell` (`$XDG_CONFIG_HOME/signbell`, or\n\
         `$SIGNBELL_HOME`), and is meant to be edited by hand: a change counts as soon as the file is saved, comments\n\
         survive Signbell's own changes, and a mistake is named with its line while the last good settings stay in\n\
         force. The settings of the program itself are also in the window, and in `signbell settings`.\n",
    );
    let mut section = "";
    let defaults = Config::default();
    for one in SETTINGS {
        if one.section != section {
            section = one.section;
            text += &format!("\n## [{section}]\n\n| key | can be | default | what it is |\n|---|---|---|---|\n");
        }
        text += &row(one, &defaults);
    }
    for named in NAMED {
        text += &format!("\n## [{}]\n\n{}\n\n| key | what it is |\n|---|---|\n", named.heading, named.about);
        for (key, about) in named.keys {
            text += &format!("| `{key}` | {about} |\n");
        }
    }
    text
}

fn row(one: &Setting, defaults: &Config) -> String {
    let default = match one.read(defaults) {
        serde_json::Value::Null => "none".to_owned(),
        value => format!("`{value}`"),
    };
    let about = wording::setting(&one.key()).about;
    format!("| `{}` | {} | {default} | {about} |\n", one.name, can_be(one.kind))
}

fn can_be(kind: Kind) -> String {
    match kind {
        Kind::Switch => "`true`, `false`".into(),
        Kind::Number { least, most, unit } => {
            let unit = match unit {
                Unit::None => "",
                Unit::Seconds => " seconds",
                Unit::Bytes => " bytes",
            };
            format!("{least} to {most}{unit}")
        }
        Kind::Minutes => "minutes: `[10, 30]`".into(),
        Kind::Choice(choices) => choices.iter().map(|c| format!("`\"{c}\"`")).collect::<Vec<_>>().join(", "),
        Kind::Address => "an address".into(),
        Kind::File => "an absolute path".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::super::setting;
    use super::*;

    #[test]
    fn the_document_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");
        assert!(std::fs::read_to_string(path).unwrap_or_default() == document(), "run `make docs`");
    }

    /// What the parser itself says that it knows in this table.
    fn known(table: &str) -> BTreeSet<String> {
        let error = toml_edit::de::from_str::<Config>(&format!("[{table}]\nno_such_key = 1\n")).unwrap_err();
        let (_, expected) = error.message().split_once("expected ").unwrap();
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_key_is_told() {
        let sections: BTreeSet<_> = SETTINGS.iter().map(|one| one.section).collect();
        for section in &sections {
            let told: BTreeSet<_> =
                SETTINGS.iter().filter(|s| s.section == *section).map(|s| s.name.to_owned()).collect();
            assert_eq!(told, known(section), "[{section}]");
        }
        for named in NAMED {
            let told: BTreeSet<_> = named.keys.iter().map(|(key, _)| (*key).to_owned()).collect();
            assert_eq!(told, known(&named.heading.replace("NAME", "x")), "[{}]", named.heading);
        }
        let named = NAMED.iter().filter_map(|named| named.heading.split('.').next());
        let told: BTreeSet<_> = sections.iter().copied().chain(named).map(str::to_owned).collect();
        let error = toml_edit::de::from_str::<Config>("no_such_table = 1\n").unwrap_err();
        let (_, expected) = error.message().split_once("expected ").unwrap();
        assert_eq!(told, expected.split('`').skip(1).step_by(2).map(str::to_owned).collect());
    }

    #[test]
    fn every_setting_has_words() {
        for one in SETTINGS {
            let words = wording::setting(&one.key());
            assert!(!words.title.is_empty() && words.about.ends_with('.'), "{}", one.key());
            assert!(setting(&one.key()).is_some());
        }
    }
}
