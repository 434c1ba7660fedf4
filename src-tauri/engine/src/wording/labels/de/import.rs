//! Taking over from other programs, in German.

use super::Labels;

pub(super) const GERMAN: Labels = &[
    ("import.open", "Aus anderen Programmen übernehmen…"),
    ("import.title", "Auf diesem Rechner gefunden"),
    (
        "import.about",
        "Dienste, die andere Programme hier schon erreichen. Was du ankreuzt, kommt dazu; deren Dateien bleiben, wie sie sind.",
    ),
    ("import.looking", "Es wird nachgesehen…"),
    (
        "import.none",
        "Nichts gefunden. Signbell sieht bei MCP-Programmen, mcp-remote, gh, gcloud, oidc-agent und email-oauth2-proxy nach.",
    ),
    ("import.for", "Für {who}. Du meldest dich einmal an."),
    ("import.anew", "Du meldest dich einmal an."),
    ("import.here", "Schon hier, als {service}"),
    ("import.taken", "Übernommen, als {service}"),
    ("import.not_adopted", "Übernommen, als {service}; die Anmeldung dort war nicht zu gebrauchen, also neu anmelden"),
    ("import.lacks.address", "Die Adresse steht dort nicht. Unter „Hinzufügen“ einfügen."),
    ("import.lacks.client_id", "Der Anbieter verlangt eine eigene Client-ID. Über die Adresse hinzufügen."),
    ("import.lacks.person", "Dort meldet sich niemand an: Es handelt für sich selbst."),
    ("import.lacks.value", "Ein Wert ist dort noch der des Musters."),
    ("import.tokens", "Mit der Anmeldung von dort weitermachen"),
    ("import.tokens.shared", "Beide Programme bleiben angemeldet."),
    (
        "import.tokens.moves",
        "Das andere Programm muss sich dann neu anmelden: Die meisten Anbieter nehmen das Token einmal.",
    ),
    ("import.submit", "Übernehmen"),
    ("import.done.one", "{n} Dienst wurde übernommen"),
    ("import.done.other", "{n} Dienste wurden übernommen"),
];
