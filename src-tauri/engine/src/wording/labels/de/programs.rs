//! Questions on programs, and which program waits, in German.

use super::Labels;

pub(super) const GERMAN: Labels = &[
    ("confirm.open", "Programme, die auf deine Antwort warten"),
    ("confirm.always", "Immer"),
    ("confirm.hour", "Diese Stunde"),
    ("confirm.no", "Nein"),
    (
        "confirm.proof",
        "Der Pfad eines Programms beweist wenig: Was unter deinem Namen läuft, kann jede deiner Dateien ausführen.",
    ),
    ("tools.once", "Bei jedem Programm, das diesen Schlüssel nutzt, einmal fragen"),
    ("confirm.title", "{program} möchte {service} nutzen"),
    ("confirm.body", "Es zeigt den Schlüssel von {tool}. Es ist {program}: {path}."),
    (
        "confirm.body.through",
        "Es zeigt den Schlüssel von {tool}, durch ein signbell, das es gestartet hat (Prozess {pid}). Es ist {program}: {path}.",
    ),
    (
        "confirm.body.unknown",
        "Es zeigt den Schlüssel von {tool}. Das System sagt nicht, welches Programm es ist; darum lässt es sich nicht dauerhaft erlauben.",
    ),
    ("confirm.kept", "„Immer“ gilt für diesen Pfad, wer auch immer ihn startet."),
    ("confirm.not_kept", "Das führt aus, was man ihm gibt; darum lässt es sich nicht dauerhaft erlauben."),
    ("program.unknown", "Ein Programm"),
    ("program.another", "ein anderes Programm"),
    ("program.process", "{name} (Prozess {pid})"),
    ("program.parent", "{name} (gestartet von {parent})"),
    ("program.process_parent", "{name} (Prozess {pid}, gestartet von {parent})"),
    ("permit.allow", "Erlauben"),
    ("permit.proof", "Was unter deinem Namen läuft, kann darum bitten. Ein Ja gilt einmal."),
    ("permit.title", "{program} möchte {what}"),
    ("permit.body", "Es ist {program}: {path}. Wenn du das nicht selbst gestartet hast, sag Nein."),
    (
        "permit.body.unknown",
        "Das System sagt nicht, welches Programm es ist. Wenn du das nicht selbst gestartet hast, sag Nein.",
    ),
    ("permit.print_tokens", "die Tokens von {account} ausgeben"),
    ("permit.widen", "{tool} auch {services} nutzen lassen"),
    ("permit.new_account", "ein neues Konto"),
    ("permit.forward", "den Forward-Proxy einschalten"),
    ("permit.forward_once", "den Forward-Proxy für einen Befehl öffnen, als {tool}"),
    ("permit.stop_asking", "dich nicht mehr nach den Programmen fragen, die {tool} nutzen"),
    ("waiting.by", "{program}, als {tool}, für {service}"),
    ("waiting.tool", "{tool}, für {service}"),
];
