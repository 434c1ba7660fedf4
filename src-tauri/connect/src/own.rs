//! Files that nobody but us writes: curl's, which is named on its command line, and kubectl's, which
//! `KUBECONFIG` names. Each is written anew from the services that it is for.

use crate::{Client, Entry, Form, Key, Problem, Target, Wanted, at_port, port_of};

/// The first line of each.
const MARK: &str = "# Written by Signbell";

/// Before each service.
const SERVICE: &str = "# service ";

/// The file with these services besides those that it has.
pub(crate) fn put(client: Client, text: &str, wanted: &Wanted) -> Result<String, Problem> {
    check(text)?;
    let mut services = targets(text);
    services.retain(|known| wanted.services.iter().all(|service| service.name != known.name));
    services.extend(wanted.services.iter().cloned());
    services.sort_by(|a, b| a.name.cmp(&b.name));
    whole(client, &services, wanted)
}

/// The file without these services; nothing where none are left.
pub(crate) fn take(client: Client, text: &str, only: Option<&[String]>) -> Result<String, Problem> {
    check(text)?;
    let Some(only) = only else { return Ok(String::new()) };
    let goes = |name: &str| only.iter().any(|one| one == name);
    let services = targets(text);
    if services.iter().all(|service| goes(&service.name)) {
        return Ok(String::new());
    }
    if client == Client::Kubectl {
        let left: Vec<_> = services.into_iter().filter(|service| !goes(&service.name)).collect();
        let program = text.lines().find_map(|line| line.trim().strip_prefix("command: "));
        let program = program.and_then(|quoted| serde_json::from_str::<String>(quoted).ok());
        return Ok(format!(
            "{}{}",
            begin(client),
            kubeconfig(&left, &program.unwrap_or_else(|| "signbell".to_owned()))
        ));
    }
    // Each service is a paragraph.
    let kept = text.split_inclusive("\n\n").filter(|paragraph| {
        let name = paragraph.lines().find_map(|line| line.strip_prefix(SERVICE)?.split(' ').next());
        name.is_none_or(|name| !goes(name))
    });
    Ok(kept.collect())
}

/// Names the services that go at another port. Only what stands there for people does: curl is given the
/// address on its command line.
pub(crate) fn moved(text: &str, to: u16, goes: impl Fn(&Entry) -> bool) -> String {
    targets(text).iter().fold(text.to_owned(), |text, service| {
        let entry = entry(Client::Curl, service);
        let Some(from) = entry.port.filter(|_| goes(&entry)) else { return text };
        let new = Target { address: at_port(&service.address, from, to), ..service.clone() };
        text.replacen(&about(service), &about(&new), 1)
    })
}

/// The services that it is for.
pub(crate) fn entries(client: Client, text: &str) -> Vec<Entry> {
    targets(text).iter().map(|service| entry(client, service)).collect()
}

fn entry(client: Client, service: &Target) -> Entry {
    // kubectl talks to the cluster itself.
    let port = (client == Client::Curl).then(|| port_of(&service.address)).flatten();
    Entry { service: service.name.clone(), port }
}

/// The key that stands in it.
pub(crate) fn key(text: &str) -> Option<Key> {
    let user = text.lines().find_map(|line| line.strip_prefix("user = \"signbell:")?.strip_suffix('"'))?;
    user.starts_with(Key::PREFIX).then(|| Key::new(user))
}

fn check(text: &str) -> Result<(), Problem> {
    if text.is_empty() || text.starts_with(MARK) { Ok(()) } else { Err(Problem::NotOurs) }
}

fn targets(text: &str) -> Vec<Target> {
    let target = |line: &str| {
        let mut words = line.strip_prefix(SERVICE)?.split(' ').map(str::to_owned);
        Some(Target { name: words.next()?, address: words.next()?, upstream: words.next()?, account: words.next()? })
    };
    text.lines().filter_map(target).collect()
}

fn about(service: &Target) -> String {
    let Target { name, address, upstream, account } = service;
    format!("{SERVICE}{name} {address} {upstream} {account}\n")
}

fn begin(client: Client) -> String {
    format!("{MARK}; `signbell connect {} --undo` takes it away.\n", client.name())
}

fn whole(client: Client, services: &[Target], wanted: &Wanted) -> Result<String, Problem> {
    let begin = begin(client);
    match (client, &wanted.form) {
        (Client::Curl, Form::Key(key)) => {
            // curl gives a password to the host of the command line alone, not to where a redirect leads.
            let user = format!("user = \"signbell:{}\"\nnoproxy = \"127.0.0.1,localhost\"\n", key.expose());
            let services: String = services.iter().map(|service| format!("\n{}", about(service))).collect();
            Ok(format!("{begin}# curl --config THIS-FILE ADDRESS/…\n{user}{services}"))
        }
        (Client::Curl, _) => Err(Problem::NoKeyHere),
        (_, Form::Program) => Ok(format!("{begin}{}", kubeconfig(services, &wanted.program))),
        _ => Err(Problem::NoSuchForm),
    }
}

/// kubectl sends no token over plain http (client-go reads the credentials only for an address with TLS), so
/// this one leads to the cluster itself, with the account's own token where the person allowed that.
fn kubeconfig(services: &[Target], program: &str) -> String {
    let list = |entry: &dyn Fn(&Target) -> String| -> String { services.iter().map(entry).collect() };
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let clusters =
        list(&|s| format!("{}- name: {n}\n  cluster:\n    server: {}\n", about(s), quoted(&s.upstream), n = s.name));
    let users = list(&|s| {
        format!(
            "- name: {n}\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: {}\n      args: [credential, kubectl, {}]\n      interactiveMode: Never\n",
            quoted(program),
            s.account,
            n = s.name
        )
    });
    let contexts = list(&|s| format!("- name: {n}\n  context:\n    cluster: {n}\n    user: {n}\n", n = s.name));
    let current = services.first().map_or_else(String::new, |s| format!("current-context: {}\n", s.name));
    format!("apiVersion: v1\nkind: Config\nclusters:\n{clusters}users:\n{users}contexts:\n{contexts}{current}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wanted(names: &[&str], form: Form) -> Wanted {
        let service = |name: &&str| Target {
            name: (*name).into(),
            address: format!("http://127.0.0.1:8401/{name}"),
            upstream: format!("https://{name}.example/"),
            account: "ada".into(),
        };
        let services = names.iter().map(service).collect();
        Wanted { services, proxy: "http://127.0.0.1:8401".into(), tool: "t".into(), program: "signbell".into(), form }
    }

    #[test]
    fn curl_s_file_grows_and_goes() {
        let key_form = || Form::Key(Key::new("sbk_1"));
        let one = put(Client::Curl, "", &wanted(&["linear"], key_form())).unwrap();
        assert!(one.contains("\nuser = \"signbell:sbk_1\"\n"), "{one}");
        let two = put(Client::Curl, &one, &wanted(&["b"], key_form())).unwrap();
        let names =
            |text: &str| -> Vec<_> { entries(Client::Curl, text).into_iter().map(|entry| entry.service).collect() };
        assert_eq!((names(&two), key(&two).unwrap().expose()), (vec!["b".into(), "linear".into()], "sbk_1"));
        assert_eq!(put(Client::Curl, &two, &wanted(&["b"], key_form())).unwrap(), two);
        assert_eq!(names(&take(Client::Curl, &two, Some(&["b".into()])).unwrap()), ["linear"]);
        assert_eq!(take(Client::Curl, &two, None).unwrap(), "");
        assert!(matches!(put(Client::Curl, "user = x\n", &wanted(&["a"], key_form())), Err(Problem::NotOurs)));
        assert!(matches!(put(Client::Curl, "", &wanted(&["a"], Form::Variable)), Err(Problem::NoKeyHere)));
    }

    #[test]
    fn kubectl_s_file_is_yaml_without_a_secret() {
        let text = put(Client::Kubectl, "", &wanted(&["a", "b"], Form::Program)).unwrap();
        let clusters = crate::yaml::entries(&format!("x:\n  y: 1\n{text}"), "x").unwrap();
        assert_eq!(clusters.len(), 1, "{text}");
        assert!(text.contains("args: [credential, kubectl, ada]") && text.contains("server: \"https://b.example/\""));
        let one = put(Client::Kubectl, "", &wanted(&["a"], Form::Program)).unwrap();
        assert_eq!(take(Client::Kubectl, &text, Some(&["b".into()])).unwrap(), one);
    }
}
