//! Failures in German, by their codes: shorter than the English sentences, which name accounts and commands
//! and stay one click away.

use super::Labels;

pub(crate) const GERMAN: Labels = &[
    (
        "failure.access_denied",
        "Im Browser wurde abgelehnt, also wurde nichts gegeben. War das ein Versehen: neu anmelden.",
    ),
    (
        "failure.already_added",
        "Diese Adresse gibt es hier schon als Dienst. Für ein zweites Konto dort einen anderen Kontonamen angeben.",
    ),
    (
        "failure.anonymous_refusal",
        "Der Anbieter lehnte die Anmeldung ab, ohne zu sagen, dass es um diese geht. Erneut anmelden.",
    ),
    (
        "failure.bad_address",
        "Das kann keine Adresse eines Dienstes sein. Eine sieht so aus: https://mcp.example.com/mcp.",
    ),
    ("failure.bad_client_key", "Der private Schlüssel ist nicht zu gebrauchen. Nichts wurde geändert."),
    (
        "failure.bad_config",
        "config.toml ist nicht zu gebrauchen, wie sie ist. Nichts wurde geändert; zuerst die Datei in Ordnung bringen.",
    ),
    (
        "failure.bad_metadata",
        "Was der Anmeldeserver über sich sagt, ist nicht vertrauenswürdig; nichts wurde hinzugefügt.",
    ),
    ("failure.bad_name", "Das kann kein Name sein: Kleinbuchstaben, Ziffern und Bindestriche gehen."),
    ("failure.bad_network", "So ist das Netz nicht zu erreichen. Nichts wurde geändert; Proxy und PEM-Datei prüfen."),
    (
        "failure.bad_request",
        "Das laufende Signbell versteht diese Bitte nicht. Es beenden und neu starten: Es ist wohl von einer anderen Version.",
    ),
    ("failure.bad_resource", "Das kann keine Adresse einer Ressource sein. Nichts wurde hinzugefügt."),
    (
        "failure.bad_resource_metadata",
        "Was der Dienst über seine Anmeldung sagt, ist unbrauchbar. Den Anmeldeserver als Aussteller angeben.",
    ),
    (
        "failure.bad_saved_response",
        "Das ist keine Antwort, wie `curl -si` sie ausgibt. Statuszeile und Kopfzeilen gehören dazu.",
    ),
    ("failure.bad_value", "Diesen Wert nimmt die Einstellung nicht. Nichts wurde geändert."),
    ("failure.broken_file", "Die Datei des Programms ist nicht in ihrer Form und wurde nicht angefasst."),
    ("failure.browser", "Die Anmeldeseite ließ sich nicht öffnen. BROWSER setzen, oder ein anderes Gerät nutzen."),
    ("failure.by_hand", "Diese Einstellung muss von Hand eingetragen werden; nichts wurde geschrieben."),
    (
        "failure.changed_meanwhile",
        "Die Datei hat sich inzwischen geändert, darum wurde nichts geschrieben. Noch einmal ansehen.",
    ),
    (
        "failure.click_needed",
        "Darauf antwortet nur ein Klick am Bildschirm: im Menü der Leiste, in der Mitteilung oder im Fenster.",
    ),
    (
        "failure.client_forgotten",
        "Der Anbieter kennt die Registrierung von Signbell nicht mehr. Neu anmelden, dann wird neu registriert.",
    ),
    (
        "failure.client_id_needed",
        "Dieser Anbieter verlangt eine eigene Client-ID. In seiner Konsole eine anlegen und hier eingeben.",
    ),
    ("failure.client_secret_needed", "Dieser Anbieter verlangt auch das Client-Geheimnis."),
    ("failure.clipboard", "Die Zwischenablage nahm es nicht an. Erneut kopieren."),
    ("failure.config_gone", "config.toml ist weg. Nichts wurde geändert; zuerst die Datei zurückholen."),
    (
        "failure.control_socket",
        "Die Verbindung zum laufenden Signbell brach ab. Erneut versuchen; `signbell doctor` sagt mehr.",
    ),
    ("failure.demo_failed", "Die Probe ließ sich nicht starten. Die Einzelheiten sagen, warum."),
    ("failure.demo_no_sign_in", "Die Anmeldung am Probekonto gelang nicht. Die Probe beenden und neu starten."),
    ("failure.demo_servers", "Die Server der Probe ließen sich nicht starten. Die Einzelheiten sagen, warum."),
    ("failure.demo_tool_taken", "Ein Werkzeug mit dem Namen der Probe gibt es schon. Es umbenennen oder entfernen."),
    (
        "failure.device_refused",
        "Der Anbieter lässt keine Anmeldung auf einem anderen Gerät zu. Im Browser hier anmelden.",
    ),
    (
        "failure.exchange_failed",
        "Die Anmeldung gelang, aber es kamen keine Tokens. Client-ID und Geheimnis prüfen, dann erneut anmelden.",
    ),
    ("failure.file", "Die Datei ließ sich nicht lesen oder schreiben. Nichts wurde geändert."),
    ("failure.folder", "Ein Ordner von Signbell ist nicht zu gebrauchen. Die Einzelheiten sagen, welcher."),
    ("failure.identity", "Wer sich angemeldet hat, ließ sich nicht prüfen; nichts wurde geändert. Erneut anmelden."),
    ("failure.issuer_needed", "Wo man sich anmeldet, ist nicht bekannt. Den Anmeldeserver als Aussteller angeben."),
    (
        "failure.kept_elsewhere",
        "`signbell serve` hat geendet. Es hatte deine Tokens in einer anderen Ablage; darum übernimmt die Leiste nicht. `signbell serve` erneut starten, oder die Leiste mit demselben SIGNBELL_VAULT.",
    ),
    (
        "failure.key_needed",
        "Dieses Konto braucht einen privaten Schlüssel. `signbell provider set` im Terminal nimmt ihn.",
    ),
    (
        "failure.key_unknown",
        "Das Werkzeug gibt es schon, und sein Schlüssel war einmal zu sehen. Ein neuer Schlüssel beendet den alten.",
    ),
    ("failure.keyring_absent", "Kein Schlüsselbund gefunden. Einen starten, oder die versiegelte Datei wählen."),
    ("failure.keyring_denied", "Der Schlüsselbund verweigert den Zugriff. Signbell in dessen Einstellungen erlauben."),
    ("failure.keyring_locked", "Der Schlüsselbund ist gesperrt. Ihn entsperren, dann erneut versuchen."),
    ("failure.keyring_silent", "Der Schlüsselbund antwortet nicht. Vielleicht wartet er in einem eigenen Fenster."),
    ("failure.name_taken", "Diesen Namen gibt es schon. Einen anderen wählen."),
    (
        "failure.newer_format",
        "Die gespeicherten Tokens stammen von einem neueren Signbell. Dieses aktualisieren; nichts wurde geändert.",
    ),
    ("failure.no_client", "Dieses Programm kennt Signbell nicht."),
    ("failure.no_demo", "Die Probe ist kein Teil dieser Ausgabe von Signbell."),
    ("failure.no_home", "Der persönliche Ordner ist nicht bekannt: HOME ist nicht gesetzt."),
    ("failure.no_loopback", "Für den Rückweg vom Browser war auf diesem Rechner kein Port zu haben. Erneut anmelden."),
    (
        "failure.no_metadata",
        "Der Server sagt nicht, wo man sich anmeldet. Ist das an einer anderen Adresse, diese als Aussteller angeben.",
    ),
    (
        "failure.no_pkce",
        "Der Anmeldeserver kennt kein PKCE mit S256; ohne das wäre die Anmeldung nicht sicher. Nichts wurde hinzugefügt.",
    ),
    ("failure.no_screen", "Hier ist kein Bildschirm. `signbell serve` läuft ohne einen."),
    ("failure.no_service", "Dieses Konto hat keinen Dienst. Zuerst einen hinzufügen."),
    (
        "failure.no_trust_store",
        "Dieser Rechner vertraut keiner Zertifizierungsstelle. Das Paket ca-certificates installieren.",
    ),
    (
        "failure.nobody_clicked",
        "Niemand beantwortete die Frage am Bildschirm. Nichts wurde geändert; erneut versuchen, wenn du da bist.",
    ),
    ("failure.not_asked", "Darauf wartet nichts mehr. Die nächste Anfrage fragt wieder."),
    ("failure.not_granted", "Der Anbieter gab die Rechte nicht, um die gebeten wurde."),
    ("failure.not_moved", "Der Dienst bleibt, wo er ist; nichts wurde geändert."),
    ("failure.not_of_service", "Diese Adresse gehört nicht zum Dienst, darum ging kein Token dorthin."),
    ("failure.not_ours", "In der Datei ist nichts von Signbell; nichts wurde geändert."),
    ("failure.not_permitted", "Du hast am Bildschirm Nein gesagt. Nichts wurde geändert."),
    ("failure.not_running", "Signbell läuft nicht. Es starten: `signbell app`."),
    ("failure.not_understood", "Das wurde nicht verstanden. Die Einzelheiten sagen, was."),
    ("failure.not_written", "Die Datei ließ sich nicht schreiben; nichts wurde geändert."),
    ("failure.odd_reply", "Signbell antwortete wie eine andere Version. Es beenden und neu starten."),
    (
        "failure.other_identity",
        "Es hat sich jemand anders angemeldet als bisher; die alte Sitzung gilt weiter. Mit dem richtigen Konto anmelden.",
    ),
    ("failure.other_issuer", "Die Antwort kam von einem anderen Anmeldeserver als gefragt; nichts wurde geändert."),
    ("failure.other_resource", "Der Dienst beschreibt sich unter einer fremden Adresse. Nichts wurde hinzugefügt."),
    ("failure.other_server", "Der Dienst meldet bei einem anderen Server an als das Konto. Nichts wurde hinzugefügt."),
    ("failure.other_version", "Das laufende Signbell ist von einer anderen Version. Es beenden und neu starten."),
    (
        "failure.overridden",
        "Das ist dort festgelegt, wo Signbell gestartet wurde. Ohne diese Variable starten und dann wählen.",
    ),
    (
        "failure.owner_silent",
        "Ein Signbell läuft schon und antwortet nicht: Es hängt, oder es läuft auf einem anderen Rechner mit demselben Ordner. Es beenden und Signbell neu starten.",
    ),
    (
        "failure.passphrase_missing",
        "Die versiegelte Datei braucht ihre Passphrase, jetzt und bei jedem Start. Nichts wurde geändert.",
    ),
    (
        "failure.port_taken",
        "Diesen Port hat ein anderes Programm. Nichts wurde geändert; jenes beenden oder einen anderen wählen.",
    ),
    ("failure.preset_of_another", "Diese Voreinstellung gehört zu einem anderen Anbieter. Nichts wurde hinzugefügt."),
    (
        "failure.provider_needs_naming",
        "Für diesen Anbieter fehlt noch eine Angabe, etwa der Name der eigenen Domain. Die Einzelheiten sagen, welche.",
    ),
    (
        "failure.provider_unavailable",
        "Der Anbieter kann gerade nicht antworten. Später erneut versuchen; die Sitzung bleibt.",
    ),
    (
        "failure.provider_unreachable",
        "Der Anmeldeserver war nicht zu erreichen. Das Netz prüfen, dann erneut versuchen.",
    ),
    (
        "failure.redirect_port_taken",
        "Den Port, den der Anbieter für den Rückweg kennt, hat ein anderes Programm. Jenes beenden, dann neu anmelden.",
    ),
    (
        "failure.registration_refused",
        "Der Anmeldeserver hat Signbell nicht registriert. Es in seiner Konsole von Hand registrieren und die Client-ID eingeben.",
    ),
    (
        "failure.request_refused",
        "Der Anmeldeserver lehnte die Bitte ab. Client-ID und Rechte prüfen, dann neu anmelden.",
    ),
    ("failure.scopes_need_typing", "Diese Rechte müssen eingetippt werden: Keine Liste von Signbell nennt sie."),
    (
        "failure.secret_needed",
        "Dieser Anbieter verlangt ein Client-Geheimnis. `signbell provider set` im Terminal nimmt es.",
    ),
    (
        "failure.server_moved",
        "Der Dienst nennt jetzt einen anderen Anmeldeserver. Kein Token geht dorthin, bis du zustimmst.",
    ),
    ("failure.server_not_named", "Der Dienst nennt diesen Anmeldeserver nicht. Nichts wurde geändert."),
    (
        "failure.service_unreachable",
        "Der Dienst war nicht zu erreichen. Adresse und Netz prüfen, dann erneut versuchen.",
    ),
    (
        "failure.shared_file",
        "Andere dürfen diese Datei außerhalb deines Ordners lesen; darum kam kein Schlüssel hinein. `chmod 600` macht sie zu deiner allein.",
    ),
    ("failure.sign_in_deadline", "Niemand kam aus dem Browser zurück, darum endete der Versuch. Erneut anmelden."),
    (
        "failure.signed_in_already",
        "Dieses Konto ist schon angemeldet, darum wurde nichts übernommen. Vorher abmelden, falls das gewünscht ist.",
    ),
    ("failure.signed_out", "Dieses Konto ist abgemeldet. Zuerst anmelden."),
    (
        "failure.signed_out_meanwhile",
        "Während der Anmeldung wurde abgemeldet; die Anmeldung gilt nicht. Erneut anmelden.",
    ),
    ("failure.start_failed", "Signbell konnte nicht starten. Die Einzelheiten sagen, warum."),
    ("failure.token_is_bound", "Dieser Token gilt nur mit dem Schlüssel von Signbell und nützt woanders nichts."),
    (
        "failure.token_not_allowed",
        "Für dieses Konto ist das Ausgeben des Tokens nicht erlaubt. Im Fenster lässt es sich erlauben.",
    ),
    ("failure.token_refused", "Der Anbieter gab keinen neuen Token. Neu anmelden."),
    (
        "failure.too_many_questions",
        "Auf dem Bildschirm warten schon zu viele Fragen. Erst diese beantworten, dann erneut versuchen. Nichts wurde geändert.",
    ),
    ("failure.toolkit", "Die Oberfläche des Desktops versagte. Signbell beenden und neu starten."),
    ("failure.unexpected_reply", "Signbell antwortete wie eine andere Version. Es beenden und neu starten."),
    (
        "failure.unexpected_shape",
        "Die Datei des Programms ist anders aufgebaut als erwartet und wurde nicht angefasst.",
    ),
    ("failure.unknown_account", "Dieses Konto gibt es nicht."),
    ("failure.unknown_preset", "Diese Voreinstellung gibt es nicht."),
    ("failure.unknown_program", "Welches Programm es ist, lässt sich nicht sagen; darum geht nur „Diese Stunde“."),
    ("failure.unknown_service", "Diesen Dienst gibt es nicht."),
    ("failure.unknown_setting", "Diese Einstellung gibt es nicht."),
    ("failure.unknown_tool", "Dieses Werkzeug gibt es nicht."),
    (
        "failure.unreadable_reply",
        "Das laufende Signbell antwortete etwas Unverständliches. Wenn es inzwischen aktualisiert wurde, es beenden und neu starten.",
    ),
    (
        "failure.unsaved",
        "Die Anmeldung gelang, ließ sich aber nicht aufbewahren. Den Schlüsselbund prüfen, dann neu anmelden.",
    ),
    ("failure.vault_failed", "Die Ablage der Tokens versagte. `signbell doctor` sagt mehr."),
    ("failure.voucher_needs_person", "Das Konto, das für dieses bürgt, braucht zuerst eine Anmeldung."),
    ("failure.vouches", "Dieses Konto bürgt für ein anderes, darum bleibt es."),
    (
        "failure.wrong_passphrase",
        "Diese Passphrase öffnet die versiegelte Datei nicht. Nichts wurde geändert; erneut versuchen.",
    ),
];
