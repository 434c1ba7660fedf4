//! The catalogue of what the desktop shows, by key: the window's own labels, states and reasons, the tray.
//! The page asks for them once, so that it holds no words.
//!
//! English is here and in the modules named after what they are for; each other language is a module of its
//! own ([`de`]). `{name}` and its like are filled in; `.one` and `.other` are plural forms (CLDR's names).

mod de;
mod desk;
mod desktop;
mod import;
mod programs;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::language::Language;
use crate::control::Failure;

type Labels = &'static [(&'static str, &'static str)];

/// Every table of English.
const ENGLISH: &[Labels] =
    &[LABELS, desk::ENGLISH, desktop::ENGLISH, import::ENGLISH, programs::ENGLISH, settings::ENGLISH];

fn tables(language: Language) -> &'static [Labels] {
    match language {
        Language::En => ENGLISH,
        Language::De => de::GERMAN,
    }
}

/// Failures by their codes, in languages other than English: there [`Failure::message`] is the sentence.
fn failures(language: Language) -> Labels {
    match language {
        Language::En => &[],
        Language::De => de::FAILURES,
    }
}

/// Every label in this language; in English where it has none.
#[must_use]
pub fn all(language: Language) -> BTreeMap<&'static str, &'static str> {
    let tables = ENGLISH.iter().chain(tables(language)).copied().chain([failures(language)]);
    tables.flat_map(|table| table.iter().copied()).collect()
}

/// What failed, in this language.
#[must_use]
pub fn failure(language: Language, failure: &Failure) -> String {
    let own = find(&[failures(language)], &format!("failure.{}", failure.code));
    own.map_or_else(|| failure.message.clone(), str::to_owned)
}

/// The English label of this key.
#[must_use]
pub fn of(key: &str) -> Option<&'static str> {
    find(ENGLISH, key)
}

/// The label of this key, in English where the language has none.
#[must_use]
pub fn say(language: Language, key: &str) -> &'static str {
    find(tables(language), key).or_else(|| of(key)).unwrap_or_default()
}

/// The same with its places filled in. What is filled in is not looked into for further places.
#[must_use]
pub fn fill(language: Language, key: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = say(language, key);
    while let Some((before, after)) = rest.split_once('{') {
        text += before;
        let (place, after) = after.split_once('}').unwrap_or((after, ""));
        text += values.iter().find(|(name, _)| *name == place).map_or("", |(_, value)| value);
        rest = after;
    }
    text + rest
}

/// The same for a number of things: `{n}`. Both languages have the two forms of English.
#[must_use]
pub fn count(language: Language, key: &str, n: usize, values: &[(&str, &str)]) -> String {
    let n_text = n.to_string();
    let form = if n == 1 { "one" } else { "other" };
    let values: Vec<_> = values.iter().copied().chain([("n", n_text.as_str())]).collect();
    fill(language, &format!("{key}.{form}"), &values)
}

fn find(tables: &[Labels], key: &str) -> Option<&'static str> {
    tables.iter().flat_map(|table| table.iter()).find(|(known, _)| *known == key).map(|(_, text)| *text)
}

const LABELS: &[(&str, &str)] = &[
    ("language", "en"),
    ("app.name", "Signbell"),
    ("nav", "Views"),
    ("nav.sessions", "Sessions"),
    ("nav.tools", "Tools"),
    ("nav.activity", "Activity"),
    ("nav.settings", "Settings"),
    ("nav.needing.one", "{n} account needs you"),
    ("nav.needing.other", "{n} accounts need you"),
    ("proxy", "How tools reach Signbell"),
    ("proxy.running", "Tools can reach Signbell"),
    ("proxy.paused", "Paused"),
    ("proxy.stopped", "Not running"),
    ("proxy.address", "Signbell’s address"),
    ("proxy.pause", "Pause"),
    ("proxy.resume", "Resume"),
    ("copy", "Copy"),
    ("copied", "Copied"),
    ("cancel", "Cancel"),
    ("close", "Close"),
    ("dismiss", "Dismiss"),
    ("done", "Done"),
    ("save", "Save"),
    ("remove", "Remove"),
    ("or", "or"),
    ("again", "Try again"),
    ("question", "Are you sure?"),
    ("address_of", "Address of {name}"),
    ("told.state", "{name}: {state}"),
    ("failure.details", "Details"),
    ("failure.unexpected", "Something went wrong inside Signbell. The details say what."),
    ("headline.fine", "Everything is signed in"),
    ("headline.nothing", "Nothing needs you"),
    ("headline.some", "{n} of {all} signed in"),
    ("headline.needs.one", "{name} needs you"),
    ("headline.needs.other", "{n} accounts need you"),
    ("sessions.last", "{tool} used {name}, {when}"),
    ("sessions.unused", "No tool has used a session yet"),
    ("sessions.needing", "Accounts that need you"),
    ("sessions.others", "Other accounts"),
    ("sessions.vault", "Where tokens are kept: {vault}"),
    ("account.used", "used by {tool}, {when}"),
    ("account.sign_in", "Sign in"),
    ("account.sign_in_again", "Sign in again"),
    ("account.later", "Later"),
    ("account.retry", "Try again"),
    ("account.browser", "Waiting for the browser…"),
    ("ask", "More permissions for {name}"),
    ("ask.new", "New"),
    ("ask.more", "What a click adds"),
    ("ask.typed", "Only if you type it"),
    ("ask.typed.done", "Typed"),
    ("ask.type.one", "Type the permission to allow it"),
    ("ask.type.other", "Type the permissions to allow them"),
    ("ask.type.hint.one", "Letter by letter, as above. No list of Signbell’s names it, only the service does."),
    (
        "ask.type.hint.other",
        "Letter by letter, as above, set apart by spaces. No list of Signbell’s names them, only the service does.",
    ),
    ("ask.type.unknown", "Nothing above is written like this: {what}"),
    ("ask.allow", "Allow more"),
    ("ask.decline", "Don’t allow"),
    ("life.left", "{time} left"),
    ("life.renews", "Renews when used"),
    ("life.over", "Over"),
    ("state.active", "Signed in"),
    ("state.refreshing", "Renewing…"),
    ("state.needs_sign_in", "Needs you"),
    ("state.signed_out", "Signed out"),
    ("state.unavailable", "Unavailable"),
    ("inside.reason", "Technical reason"),
    ("inside.services", "Services"),
    ("inside.no_services", "No service uses this account."),
    ("inside.tools", "Used by"),
    ("inside.may", "Permissions"),
    ("inside.no_scopes", "The provider did not say what this session may do."),
    ("inside.no_resource", "Everywhere at this provider"),
    ("inside.until", "until {time}"),
    ("inside.times", "Session"),
    ("inside.issued", "Issued {time}"),
    ("inside.ends", "Ends {time}"),
    ("inside.endless", "Has no end that the provider told"),
    ("inside.no_token", "No session is kept."),
    ("inside.renews", "Renews itself without you."),
    ("inside.renews_not", "Cannot renew itself: the provider gave nothing to renew it with."),
    ("inside.history", "History"),
    ("inside.no_history", "Nothing has happened yet."),
    ("inside.all_history", "All of its activity"),
    ("inside.name", "Label"),
    ("inside.name_example", "work, personal"),
    ("inside.token", "Token"),
    ("inside.token_about", "Let “signbell token” print it"),
    ("inside.renew", "Renew now"),
    ("inside.sign_out", "Sign out"),
    ("inside.sign_out.question", "Sign out of {name}? Its tools get no answer until you sign in again."),
    ("inside.forget", "Sign out and forget"),
    ("inside.forget_only", "Forget"),
    ("inside.forget.question", "Forget {name}? Its services and their addresses go with it."),
    ("service.remove.question", "Remove {name}? Tools that use its address stop working."),
    ("scope.openid", "Know who you are"),
    ("scope.profile", "See your name and picture"),
    ("scope.email", "See your e-mail address"),
    ("scope.address", "See your postal address"),
    ("scope.phone", "See your phone number"),
    ("scope.offline_access", "Renew without you"),
    ("scope.verb.read", "Read {what}"),
    ("scope.verb.write", "Write {what}"),
    ("scope.verb.readwrite", "Read and write {what}"),
    ("scope.verb.create", "Create {what}"),
    ("scope.verb.delete", "Delete {what}"),
    ("scope.verb.admin", "Manage {what}"),
    ("scope.any.read", "Read"),
    ("scope.any.write", "Write"),
    ("scope.any.readwrite", "Read and write"),
    ("scope.any.create", "Create"),
    ("scope.any.delete", "Delete"),
    ("scope.any.admin", "Manage"),
    ("demo.name", "Demo."),
    ("demo.about", "A pretend provider on this machine; nothing of it is kept."),
    ("demo.end", "End the demo"),
    ("empty.title", "Sign in once, for every tool"),
    (
        "empty.about",
        "Signbell keeps your sign-ins alive for the tools on this machine, and rings when only you can help.",
    ),
    ("empty.add", "Continue"),
    ("empty.demo", "Try it with the demo account"),
    ("add.open", "Add"),
    ("add.title", "Add a service"),
    ("add.url", "Paste an address"),
    ("add.url.example", "https://mcp.example.com/mcp"),
    ("add.url.hint", "The service that your tools should reach."),
    ("add.url.pattern", "Its addresses look like {example}."),
    ("add.pick", "Pick a provider"),
    ("add.pick.none", "None by this name. Paste its address instead."),
    ("add.more", "More"),
    ("add.issuer", "Issuer"),
    ("add.issuer.hint", "Where you sign in, if it is another place than the service."),
    ("add.client_id", "Client ID"),
    ("add.client_secret", "Client secret"),
    ("add.client_secret.hint", "If the provider gave you one. It goes into the keyring."),
    ("add.scopes", "Scopes"),
    ("add.scopes.hint", "What to ask for, set apart by spaces."),
    ("add.preset", "Answers as"),
    ("add.preset.hint", "By its address if left empty, or “none”."),
    ("add.preset.example", "slack"),
    ("add.preset.none", "Nothing special"),
    ("add.account", "Account name"),
    ("add.account.hint", "As in linear-work."),
    ("add.tool", "Tool name"),
    ("add.tool.hint", "Gets a key for this service."),
    ("add.look", "Continue"),
    ("add.looking", "Asking {host} who signs you in…"),
    ("add.submit", "Add and sign in"),
    ("add.busy", "Adding…"),
    ("add.change", "Change"),
    ("add.bad_url", "That is no address. One looks like https://mcp.example.com/mcp."),
    ("add.bad_issuer", "The issuer is no address. One looks like https://login.example.com."),
    ("add.no_client_id", "Enter the client ID that the provider gave you."),
    ("steps", "Steps"),
    ("steps.done", "done"),
    ("steps.failed", "failed"),
    ("steps.address", "Address"),
    ("steps.found", "Found"),
    ("steps.sign_in", "Sign in"),
    ("steps.works", "Works"),
    ("found.server", "You sign in at"),
    ("found.scopes", "It asks to"),
    ("found.no_scopes", "Nothing in particular"),
    ("found.registration", "Registration"),
    ("found.account", "Account"),
    ("found.account.new", "A new account, {name}"),
    ("found.account.another", "A new account"),
    ("found.preset", "Answers as"),
    ("found.redirect", "Redirect to enter there"),
    ("found.brief", "{server}, as {name}"),
    ("signin.page", "Sign in at {server}, on the page that your browser shows."),
    ("signin.stuck", "Does the page show an error instead? Then cancel, and change what you entered."),
    ("signin.again", "Open the page again"),
    ("signin.cancelled", "You cancelled. {name} is added and waits for you to sign in."),
    ("signin.device", "Use another device"),
    ("signin.code", "Enter this code at {address}"),
    ("signin.code.open", "Open the page"),
    ("signin.code.copy", "The code"),
    ("signin.qr", "The page’s address as a QR code"),
    ("signin.qr.hint", "Or scan this with your phone."),
    ("works.asking", "Asking {name} for the first time…"),
    ("works.yes", "It works"),
    ("works.answers", "It answers"),
    ("works.refused", "It refused"),
    ("works.unreachable", "It can’t be reached"),
    ("works.again", "Ask again"),
    ("works.tool", "Give it to a tool"),
    ("works.tool.submit", "Make a key"),
    ("works.tool.given", "{tool} may use it now, with the key that it has."),
    ("step", "Step"),
    ("step.came", "Came back"),
    ("step.address", "The address"),
    ("step.service", "Asking the service"),
    ("step.server", "Asking the sign-in server"),
    ("step.registration", "Registering Signbell"),
    ("step.sign-in-page", "The sign-in page"),
    ("step.callback", "The way back from the browser"),
    ("step.token", "Fetching the tokens"),
    ("step.identity", "Finding out who you are"),
    ("step.saving", "Saving"),
    ("step.first-call", "The first call"),
    ("failed.service_unreachable", "{host} could not be asked. Check the address and the network, then try again."),
    (
        "failed.no_metadata",
        "{host} does not say where to sign in. If that is at another address, enter it as the issuer below.",
    ),
    ("failed.bad_metadata", "What the sign-in server says of itself can’t be trusted, so nothing was added."),
    (
        "failed.bad_resource_metadata",
        "What {host} says of its sign-in can’t be used. If you know the sign-in server, enter it as the issuer below.",
    ),
    ("failed.provider_unreachable", "The sign-in server could not be reached. Check the network, then try again."),
    (
        "failed.already_added",
        "This address is here already, as {service}. For a second account there, give the account a name below.",
    ),
    ("failed.issuer_needed", "Who signs you in at {host}? Enter the sign-in server as the issuer below."),
    (
        "failed.registration_refused",
        "The sign-in server did not register Signbell. Register it in the provider’s console by hand, and enter the client ID below.",
    ),
    ("failed.access_denied", "You declined in the browser, so nothing was given. Sign in again if that was not meant."),
    (
        "failed.exchange_failed",
        "You signed in, but no tokens came for it. If you entered a client ID or a secret, look whether they are right; else try again.",
    ),
    ("added.signed_in", "Signed in as {name}"),
    ("added.anonymous", "Signed in; the provider does not say as whom"),
    ("added.unsigned", "{name} waits for you to sign in"),
    ("added.address", "Address of {name}"),
    ("added.address.hint", "Give this to your tool in place of the service’s own."),
    ("key.of", "Key for {tool}"),
    ("key.once", "Shown this once: Signbell keeps no copy that could be read. Put it where the tool reads its key."),
    (
        "key.once.path",
        "Shown this once: the key is part of the address, and Signbell keeps no copy that could be read.",
    ),
    ("key.try", "Try it in a terminal"),
    ("key.away", "I have put it away"),
    ("tools.title", "Tools"),
    ("tools.about", "Programs on this machine, and what they may use"),
    ("tools.add", "Add a tool"),
    ("tools.add.submit", "Add tool"),
    ("tools.none", "No tool yet. A tool gets a key of its own, and an address for each service that it may use."),
    ("tools.seen", "Last seen {when}"),
    ("tools.unseen", "Not seen yet"),
    ("tools.no_services", "May use nothing yet."),
    ("tools.addresses", "What {tool} may use"),
    ("tools.in_path", "Its key is part of its addresses, so they were shown once only."),
    ("tools.widen", "More services"),
    ("tools.widen.title", "What {tool} may use"),
    ("tools.widen.submit", "Allow"),
    ("tools.rotate", "New key"),
    ("tools.rotate.question", "Make a new key for {tool}? The old one stops working at once."),
    ("tools.remove.question", "Remove {tool}? Its key stops working at once."),
    ("tool.name", "Name"),
    ("tool.name.hint", "Small letters, digits and hyphens."),
    ("tool.name.example", "claude-code"),
    ("tool.services", "May use"),
    ("tool.no_services", "There is no service yet. One can be allowed later."),
    ("tool.expired", "When you are needed and not there"),
    ("tool.expired.automatic", "Answer as the tool expects"),
    ("tool.expired.401", "Always 401"),
    ("tool.expired.503", "Always 503, try again later"),
    ("tool.in_path", "Put the key in the address"),
    ("tool.in_path.hint", "For tools that can set nothing but an address."),
    ("tool.bad_name", "A tool’s name needs a letter or a digit."),
    ("tool.exists", "There is a tool named {tool} already."),
    ("connect.open", "Connect a client…"),
    ("connect.title", "Connect a client"),
    ("connect.client", "Client"),
    ("connect.client.hint", "Signbell writes its configuration, and shows what changes first."),
    ("connect.client.absent", "{name} (not found here)"),
    ("connect.client.choose", "Choose…"),
    ("connect.services", "Services it reaches"),
    ("connect.looking", "Reading its file…"),
    ("connect.change", "What changes in {file}"),
    ("connect.nothing", "Nothing changes: the file says it already."),
    ("connect.submit", "Write it"),
    ("connect.rotate", "Make a new key"),
    ("connect.undo", "Undo"),
    ("connect.undo.submit", "Take it out"),
    ("connect.done", "Done"),
    ("failed.key_unknown", "The tool {tool} is there already, and its key was shown once. A new key ends the old one."),
    ("activity.title", "Activity"),
    ("activity.about", "Sign-ins, renewals and rescued requests"),
    ("activity.none", "Nothing has happened yet."),
    ("activity.filtered", "Nothing here with this filter."),
    ("activity.all", "Show all"),
    ("activity.filter", "Filter"),
    ("activity.by.account", "Account"),
    ("activity.by.tool", "Tool"),
    ("activity.by.kind", "Kind"),
    ("activity.any.account", "All accounts"),
    ("activity.any.tool", "All tools"),
    ("activity.any.kind", "Everything"),
    ("activity.shown.one", "{n} line"),
    ("activity.shown.other", "{n} lines"),
    ("refusal", "{status} {rule}: why"),
    ("refusal.came", "Came"),
    ("refusal.status", "Status {status}, recognised by"),
    ("refusal.why", "Means"),
    ("refusal.decision", "Decided"),
    ("refusal.took", "Took"),
    ("kind.signed_in", "Signed in"),
    ("kind.sign_in_failed", "Sign-in failed"),
    ("kind.signed_out", "Signed out"),
    ("kind.refreshed", "Renewed"),
    ("kind.refresh_failed", "Renewal failed"),
    ("kind.ended", "Session ended"),
    ("kind.recovered", "Rescued"),
    ("kind.held", "Waiting for you"),
    ("kind.hold_over", "Answered without you"),
    ("kind.passed_on", "Passed on"),
    ("kind.scopes_asked", "Permissions asked for"),
    ("kind.hint", "For you to know"),
    ("kind.refused", "Refused"),
    ("kind.used", "Used"),
    ("kind.changed", "Changed by you"),
    ("chart.caption", "{things} in the last 24 hours"),
    ("chart.things.one", "{n} event"),
    ("chart.things.other", "{n} events"),
    ("chart.rescued.one", "{n} rescued"),
    ("chart.rescued.other", "{n} rescued"),
    ("chart.spoken", "Activity by hour over the last 24 hours: {things}, {rescued}."),
    ("chart.busiest", "The busiest hour began at {time}, with {things}."),
    ("chart.now", "now"),
];
