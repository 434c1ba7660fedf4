//! Files that nobody but us writes: curl's, which is named on its command line, and kubectl's, which
//! `KUBECONFIG` names. Each is written anew from the services that it is for.

use crate::{Client, Form, Key, Problem, Target, Wanted};

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
        return Err(Problem::ByHand { what: "one cluster of several".to_owned() });
    }
    // Each service is a paragraph.
    let kept = text.split_inclusive("\n\n").filter(|paragraph| {
        let name = paragraph.lines().find_map(|line| line.strip_prefix(SERVICE)?.split(' ').next());
        name.is_none_or(|name| !goes(name))
    });
    Ok(kept.collect())
}

/// The services that it is for.
pub(crate) fn services(text: &str) -> Vec<String> {
    targets(text).into_iter().map(|service| service.name).collect()
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

fn whole(client: Client, services: &[Target], wanted: &Wanted) -> Result<String, Problem> {
    let about = |service: &Target| {
        let Target { name, address, upstream, account } = service;
        format!("{SERVICE}{name} {address} {upstream} {account}\n")
    };
    let begin = format!("{MARK}; `signbell connect {} --undo` takes it away.\n", client.name());
    match (client, &wanted.form) {
        (Client::Curl, Form::Key(key)) => {
            // curl gives a password to the host of the command line alone, not to where a redirect leads.
            let user = format!("user = \"signbell:{}\"\nnoproxy = \"127.0.0.1,localhost\"\n", key.expose());
            let services: String = services.iter().map(|service| format!("\n{}", about(service))).collect();
            Ok(format!("{begin}# curl --config THIS-FILE ADDRESS/…\n{user}{services}"))
        }
        (Client::Curl, _) => Err(Problem::NoKeyHere),
        (_, Form::Program) => Ok(format!("{begin}{}", kubeconfig(services, about, wanted))),
        _ => Err(Problem::NoSuchForm),
    }
}

/// kubectl sends no token over plain http (client-go reads the credentials only for an address with TLS), so
/// this one leads to the cluster itself, with the account's own token where the person allowed that.
fn kubeconfig(services: &[Target], about: impl Fn(&Target) -> String, wanted: &Wanted) -> String {
    let list = |entry: &dyn Fn(&Target) -> String| -> String { services.iter().map(entry).collect() };
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let clusters =
        list(&|s| format!("{}- name: {n}\n  cluster:\n    server: {}\n", about(s), quoted(&s.upstream), n = s.name));
    let users = list(&|s| {
        format!(
            "- name: {n}\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: {}\n      args: [credential, kubectl, {}]\n      interactiveMode: Never\n",
            quoted(&wanted.program),
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
        assert_eq!((services(&two), key(&two).unwrap().expose()), (vec!["b".into(), "linear".into()], "sbk_1"));
        assert_eq!(put(Client::Curl, &two, &wanted(&["b"], key_form())).unwrap(), two);
        assert_eq!(services(&take(Client::Curl, &two, Some(&["b".into()])).unwrap()), ["linear"]);
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
    }
}
