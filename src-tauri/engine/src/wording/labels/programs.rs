//! Questions on programs, and which program waits: what [`super::super::confirm_title`] and its neighbours say.

/// In English.
pub(super) const ENGLISH: &[(&str, &str)] = &[
    ("confirm.open", "Programs that wait for your answer"),
    ("confirm.always", "Always"),
    ("confirm.hour", "This hour"),
    ("confirm.no", "No"),
    ("confirm.proof", "A program’s path proves little: whatever runs as you can run any file of yours."),
    ("tools.once", "Ask me once for each program that uses this key"),
    ("confirm.title", "{program} wants to use {service}"),
    ("confirm.body", "It shows the key of {tool}. It is {program}: {path}."),
    (
        "confirm.body.through",
        "It shows the key of {tool}, through a signbell that it started (process {pid}). It is {program}: {path}.",
    ),
    (
        "confirm.body.unknown",
        "It shows the key of {tool}. The system does not say which program it is, so it can’t be allowed for good.",
    ),
    ("confirm.kept", "“Always” is kept for this path, whoever starts it."),
    ("confirm.not_kept", "That runs whatever it is given, so it can’t be allowed for good."),
    ("program.unknown", "A program"),
    ("program.another", "another program"),
    ("program.process", "{name} (process {pid})"),
    ("program.parent", "{name} (started by {parent})"),
    ("program.process_parent", "{name} (process {pid}, started by {parent})"),
    ("permit.allow", "Allow"),
    ("permit.proof", "Whatever runs as you can ask for this. A yes counts once."),
    ("permit.title", "{program} wants to {what}"),
    ("permit.body", "It is {program}: {path}. If you did not start this yourself, say no."),
    ("permit.body.unknown", "The system does not say which program it is. If you did not start this yourself, say no."),
    ("permit.print_tokens", "print the tokens of {account}"),
    ("permit.widen", "let {tool} use {services} too"),
    ("permit.forward", "turn the forward proxy on"),
    ("permit.stop_asking", "no longer ask you about the programs that use {tool}"),
    ("waiting.by", "{program}, as {tool}, for {service}"),
    ("waiting.tool", "{tool}, for {service}"),
];
