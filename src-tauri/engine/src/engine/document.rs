//! Edits of `config.toml` as a document: comments and order survive.

use toml_edit::{DocumentMut, Item, Table, value};

use crate::config::{ProviderConfig, ToolConfig, put};
use crate::model::{ExpiredAnswer, ServiceName, ToolName};
use crate::provider::Grant;

pub(super) fn expired_text(expired: ExpiredAnswer) -> &'static str {
    match expired {
        ExpiredAnswer::Automatic => "automatic",
        ExpiredAnswer::Unauthorized => "401",
        ExpiredAnswer::Unavailable => "503",
    }
}

pub(super) fn write_tool(document: &mut DocumentMut, name: &ToolName, tool: &ToolConfig) {
    let name = name.as_str();
    let services: toml_edit::Array = tool.services.iter().map(ServiceName::as_str).collect();
    set(document, ["tools", name, "key_sha256"], value(tool.key_sha256.to_string()));
    set(document, ["tools", name, "services"], value(services));
    if tool.expired != ExpiredAnswer::Automatic {
        set(document, ["tools", name, "expired"], value(expired_text(tool.expired)));
    }
    if tool.key_in_path {
        set(document, ["tools", name, "key_in_path"], value(true));
    }
}

/// What a registration brought besides the client id.
pub(super) fn write_registration(document: &mut DocumentMut, name: &str, provider: &ProviderConfig) {
    let mut put = |key, item| set(document, ["providers", name, key], item);
    if let Some(preset) = &provider.preset {
        put("preset", value(preset.as_str()));
    }
    if provider.registered {
        put("registered", value(true));
    }
    if provider.client_key_in_vault {
        put("client_key_in_vault", value(true));
    }
    if let Some(id) = &provider.client_key_id {
        put("client_key_id", value(id));
    }
    if provider.grant != Grant::AuthorizationCode {
        put("grant", value(provider.grant.as_str()));
    }
    if let Some(subject) = &provider.subject {
        put("subject", value(subject));
    }
    if let Some(via) = &provider.via {
        put("via", value(via.as_str()));
    }
    if let Some(method) = provider.token_auth {
        put("token_auth", value(method.as_str()));
    }
    if let Some(port) = provider.redirect_port {
        put("redirect_port", value(i64::from(port)));
    }
    for (key, set) in [
        ("only_public", provider.only_public),
        ("allow_missing_pkce", provider.allow_missing_pkce),
        ("default_endpoints", provider.default_endpoints),
    ] {
        if set {
            put(key, value(true));
        }
    }
}

/// Sets `[section.name] key = item`, making the tables where they are not there.
pub(super) fn set(document: &mut DocumentMut, [section, name, key]: [&str; 3], item: Item) {
    let outer = document.entry(section).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let Some(outer) = outer.as_table_like_mut() else { return };
    let inner = outer.entry(name).or_insert_with(toml_edit::table);
    if let Some(inner) = inner.as_table_like_mut() {
        put(inner, key, item);
    }
}

/// Sets `[tools.tool.allowed] service = paths`.
pub(super) fn allow(document: &mut DocumentMut, tool: &ToolName, service: &ServiceName, paths: toml_edit::Array) {
    set(document, ["tools", tool.as_str(), "allowed"], allowed(document, tool));
    let Some(tool) = document.get_mut("tools").and_then(|tools| tools.get_mut(tool.as_str())) else { return };
    if let Some(allowed) = tool.get_mut("allowed").and_then(Item::as_table_like_mut) {
        put(allowed, service.as_str(), value(paths));
    }
}

/// The table as it is, or a new one.
fn allowed(document: &DocumentMut, tool: &ToolName) -> Item {
    let known = document.get("tools").and_then(|tools| tools.get(tool.as_str())?.get("allowed"));
    known.cloned().unwrap_or_else(toml_edit::table)
}

/// Removes `key` of `[section.name]`.
pub(super) fn unset(document: &mut DocumentMut, [section, name, key]: [&str; 3]) {
    let inner = document.get_mut(section).and_then(|outer| outer.get_mut(name));
    if let Some(table) = inner.and_then(Item::as_table_like_mut) {
        table.remove(key);
    }
}

/// Removes `[section.name]`.
pub(super) fn remove(document: &mut DocumentMut, section: &str, name: &str) {
    if let Some(table) = document.get_mut(section).and_then(Item::as_table_like_mut) {
        table.remove(name);
    }
}

/// Removes a service, and from every tool's list.
pub(super) fn remove_service(document: &mut DocumentMut, service: &ServiceName) {
    remove(document, "services", service.as_str());
    let Some(tools) = document.get_mut("tools").and_then(Item::as_table_like_mut) else { return };
    for (_, tool) in tools.iter_mut() {
        let list = tool.get_mut("services").and_then(Item::as_array_mut);
        if let Some(list) = list {
            list.retain(|entry| entry.as_str() != Some(service.as_str()));
        }
        // Another service of this name is not what was allowed.
        if let Some(allowed) = tool.get_mut("allowed").and_then(Item::as_table_like_mut) {
            allowed.remove(service.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_removed_service_leaves_every_tool() {
        let mut document: DocumentMut =
            "[services.a]\nurl = 1\n[tools.t]\nservices = [\"a\", \"b\"]\n".parse().unwrap();
        remove_service(&mut document, &"a".parse().unwrap());
        assert_eq!(document.to_string(), "[tools.t]\nservices = [ \"b\"]\n");
    }
}
