//! What the window's page may call: one line each. Whatever fails comes out as `{kind, code, message}`.
//!
//! U4: there is no command whose answer could hold a token. A tool's key is our own, for our own
//! address, and is shown this once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use signbell_engine::activity::Record;
use signbell_engine::choices::{self, Choice};
use signbell_engine::confirm::Answer as ConfirmAnswer;
use signbell_engine::connect::ClientView;
use signbell_engine::control::{
    AddService, AddTool, Added, Failure, FirstCall, Found, Judged, Reply, Request, SettingView, SignedIn, ToolKey,
};
use signbell_engine::model::{AccountName, ExpiredAnswer, ServiceName, ToolName};
use signbell_engine::paths::Paths;
use signbell_engine::view::{AccountView, AppView};
use signbell_engine::{browser, rules, wording};
use tauri::{State, Url};
use tokio::sync::watch;

use crate::ask;
use crate::clipboard::Clipboard;
use crate::connect::{Connecting, PlanView, Wished};
use crate::demo::Demo;
use crate::import::{FoundView, Importing, TakenView};
use crate::watch::{Seen, usual_language};

type Answer<T> = Result<T, Failure>;
type Window<'a> = State<'a, Desk>;

/// What the commands work with.
pub(crate) struct Desk {
    /// Where the engine is looked for.
    pub(crate) paths: Paths,
    /// The newest view.
    pub(crate) seen: watch::Receiver<Seen>,
    /// What was copied.
    pub(crate) clipboard: Clipboard,
    /// The demo, while it runs.
    pub(crate) demo: Demo,
    /// The change of a client's file that was shown last.
    pub(crate) connecting: Connecting,
    /// What other programs have.
    pub(crate) importing: Importing,
}

impl Desk {
    /// Where the engine is spoken to now: another process may have taken it over since.
    fn socket(&self) -> PathBuf {
        self.paths.engine_socket()
    }
}

/// The newest view; where nothing is known yet, the first one.
#[tauri::command]
pub(crate) async fn snapshot(desk: Window<'_>) -> Answer<Arc<AppView>> {
    let mut seen = desk.seen.clone();
    let known = seen.wait_for(|seen| !matches!(seen, Seen::Starting)).await;
    match known.as_deref() {
        Ok(Seen::View(view)) => Ok(Arc::clone(view)),
        _ => Err(wording::not_running()),
    }
}

#[tauri::command]
pub(crate) async fn sign_in(
    desk: Window<'_>,
    account: AccountName,
    force: Option<bool>,
    scopes: Option<Vec<String>>,
    device: Option<bool>,
) -> Answer<SignedIn> {
    let (force, device) = (force.unwrap_or(false), device.unwrap_or(false));
    ask::sign_in(&desk.socket(), account, force, scopes.unwrap_or_default(), device).await
}

#[tauri::command]
pub(crate) async fn refresh(desk: Window<'_>, account: AccountName) -> Answer<SignedIn> {
    ask::answer(&desk.socket(), &Request::Refresh { account }, signed_in).await
}

#[tauri::command]
pub(crate) async fn sign_out(desk: Window<'_>, account: AccountName, forget: bool) -> Answer<()> {
    ask::done(&desk.socket(), &Request::SignOut { account, forget }).await
}

#[tauri::command]
pub(crate) async fn decline(desk: Window<'_>, account: AccountName) -> Answer<()> {
    ask::done(&desk.socket(), &Request::Decline { account }).await
}

#[tauri::command]
pub(crate) async fn later(desk: Window<'_>, account: AccountName) -> Answer<()> {
    ask::done(&desk.socket(), &Request::Later { account }).await
}

#[tauri::command]
pub(crate) async fn pause(desk: Window<'_>, paused: bool) -> Answer<()> {
    ask::done(&desk.socket(), &Request::Pause { paused }).await
}

#[tauri::command]
pub(crate) async fn cancel_sign_in(desk: Window<'_>, account: AccountName) -> Answer<()> {
    ask::done(&desk.socket(), &Request::CancelSignIn { account }).await
}

#[tauri::command]
pub(crate) async fn choices() -> Answer<Vec<Choice>> {
    Ok(choices::all())
}

#[tauri::command]
pub(crate) async fn look(desk: Window<'_>, service: AddService) -> Answer<Found> {
    ask::answer(&desk.socket(), &Request::Look(service), found).await
}

#[tauri::command]
pub(crate) async fn first_call(desk: Window<'_>, service: ServiceName) -> Answer<FirstCall> {
    ask::answer(&desk.socket(), &Request::FirstCall { service }, called).await
}

/// Opens the page of the account's device sign-in. Which that is, the engine says and not the page.
#[tauri::command]
pub(crate) async fn open_device_page(desk: Window<'_>, account: AccountName) -> Answer<()> {
    let page = match &*desk.seen.borrow() {
        Seen::View(view) => view.accounts.iter().find(|one| one.account == account).and_then(device_page),
        _ => None,
    };
    let page = page.ok_or_else(|| wording::unknown_account(&account))?;
    browser::open(&page).map_err(|e| wording::tray::browser_failed(&e))
}

#[tauri::command]
pub(crate) async fn add(desk: Window<'_>, service: AddService) -> Answer<Added> {
    ask::answer(&desk.socket(), &Request::Add(service), added).await
}

#[tauri::command]
pub(crate) async fn account_set(
    desk: Window<'_>,
    account: AccountName,
    allow_token: Option<bool>,
    label: Option<String>,
) -> Answer<()> {
    ask::done(&desk.socket(), &Request::AccountSet { account, allow_token, label }).await
}

#[tauri::command]
pub(crate) async fn service_remove(desk: Window<'_>, service: ServiceName) -> Answer<()> {
    ask::done(&desk.socket(), &Request::ServiceRemove { service }).await
}

#[tauri::command]
pub(crate) async fn service_set(
    desk: Window<'_>,
    service: ServiceName,
    hold_seconds: Option<u64>,
    replay_unsafe: Option<bool>,
    expired: Option<ExpiredAnswer>,
    preset: Option<String>,
) -> Answer<()> {
    let request =
        Request::ServiceSet { service, hold_seconds, replay_unsafe, expired, preset, rewrite_addresses: None };
    ask::done(&desk.socket(), &request).await
}

#[tauri::command]
pub(crate) async fn service_usual_hold(desk: Window<'_>, service: ServiceName) -> Answer<()> {
    ask::done(&desk.socket(), &Request::ServiceUsualHold { service }).await
}

#[tauri::command]
pub(crate) async fn service_test(desk: Window<'_>, service: ServiceName, response: String) -> Answer<Judged> {
    ask::answer(&desk.socket(), &Request::ServiceTest { service, response }, judged).await
}

#[tauri::command]
pub(crate) async fn tool_narrow(desk: Window<'_>, tool: ToolName, service: ServiceName) -> Answer<()> {
    ask::done(&desk.socket(), &Request::ToolNarrow { tool, service }).await
}

#[tauri::command]
pub(crate) async fn settings(desk: Window<'_>) -> Answer<Vec<SettingView>> {
    ask::answer(&desk.socket(), &Request::Settings, all_settings).await
}

#[tauri::command]
pub(crate) async fn settings_set(desk: Window<'_>, key: String, value: String) -> Answer<SettingView> {
    ask::answer(&desk.socket(), &Request::SettingsSet { key, value, passphrase: None }, one_setting).await
}

#[tauri::command]
pub(crate) async fn confirm(desk: Window<'_>, id: u64, answer: ConfirmAnswer) -> Answer<()> {
    ask::done(&desk.socket(), &Request::Confirm { id, answer }).await
}

#[tauri::command]
pub(crate) async fn permit(desk: Window<'_>, id: u64, allow: bool) -> Answer<()> {
    ask::done(&desk.socket(), &Request::Permit { id, allow }).await
}

#[tauri::command]
pub(crate) async fn tool_set(desk: Window<'_>, tool: ToolName, confirm: bool) -> Answer<()> {
    ask::done(&desk.socket(), &Request::ToolSet { tool, confirm: Some(confirm) }).await
}

#[tauri::command]
pub(crate) async fn tool_add(desk: Window<'_>, tool: AddTool) -> Answer<ToolKey> {
    ask::answer(&desk.socket(), &Request::ToolAdd(tool), tool_key).await
}

#[tauri::command]
pub(crate) async fn tool_rotate(desk: Window<'_>, tool: ToolName) -> Answer<ToolKey> {
    ask::answer(&desk.socket(), &Request::ToolRotate { tool }, tool_key).await
}

#[tauri::command]
pub(crate) async fn tool_remove(desk: Window<'_>, tool: ToolName) -> Answer<()> {
    ask::done(&desk.socket(), &Request::ToolRemove { tool }).await
}

#[tauri::command]
pub(crate) async fn activity(desk: Window<'_>, limit: usize) -> Answer<Vec<Record>> {
    ask::activity(&desk.socket(), limit).await
}

#[tauri::command]
pub(crate) fn labels(desk: Window<'_>) -> BTreeMap<&'static str, &'static str> {
    let language = match &*desk.seen.borrow() {
        Seen::View(view) => view.language,
        _ => None,
    };
    wording::labels::all(language.unwrap_or_else(usual_language))
}

/// A preset that a service can be given.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PresetView {
    /// Its name.
    preset: &'static str,
    /// As shown to people.
    title: String,
    /// The hosts for which it is chosen by itself.
    hosts: Vec<String>,
}

#[tauri::command]
pub(crate) async fn presets() -> Answer<Vec<PresetView>> {
    let view = |preset: &'static str| {
        let known = rules::named(preset)?;
        Some(PresetView { preset, title: known.title.clone(), hosts: known.hosts.clone() })
    };
    Ok(rules::names().filter_map(view).collect())
}

#[tauri::command]
pub(crate) async fn copy(desk: Window<'_>, text: String) -> Answer<()> {
    desk.clipboard.copy(&text)
}

/// Shows the page larger or smaller; 1 is as it is.
#[tauri::command]
pub(crate) async fn zoom(window: tauri::WebviewWindow, factor: f64) -> Answer<()> {
    window.set_zoom(factor.clamp(0.5, 3.0)).map_err(|e| wording::tray::toolkit_failed(&e.to_string()))
}

/// The clients whose files can be written.
#[tauri::command]
pub(crate) async fn connect_clients(desk: Window<'_>) -> Answer<Vec<ClientView>> {
    desk.connecting.clients().await
}

/// What would change, for the person to look at. Nothing is written.
#[tauri::command]
pub(crate) async fn connect_plan(desk: Window<'_>, wish: Wished) -> Answer<PlanView> {
    desk.connecting.plan(wish).await
}

/// Does what was shown last.
#[tauri::command]
pub(crate) async fn connect_apply(desk: Window<'_>) -> Answer<String> {
    desk.connecting.apply().await
}

/// What other programs on this machine have.
#[tauri::command]
pub(crate) async fn import_found(desk: Window<'_>) -> Answer<FoundView> {
    desk.importing.found().await
}

/// Takes one of them over.
#[tauri::command]
pub(crate) async fn import_take(desk: Window<'_>, id: String, with_tokens: bool) -> Answer<TakenView> {
    desk.importing.take(&id, with_tokens).await
}

#[tauri::command]
pub(crate) async fn demo(desk: Window<'_>, start: bool) -> Answer<()> {
    if start { desk.demo.start(&desk.socket()).await } else { desk.demo.stop().await }
}

fn signed_in(reply: Reply) -> Option<SignedIn> {
    if let Reply::SignedIn(signed_in) = reply { Some(signed_in) } else { None }
}

fn device_page(account: &AccountView) -> Option<Url> {
    let device = account.device.as_ref()?;
    device.verification_uri_complete.as_ref().unwrap_or(&device.verification_uri).parse().ok()
}

fn found(reply: Reply) -> Option<Found> {
    if let Reply::Found(found) = reply { Some(*found) } else { None }
}

fn called(reply: Reply) -> Option<FirstCall> {
    if let Reply::FirstCall(call) = reply { Some(call) } else { None }
}

fn added(reply: Reply) -> Option<Added> {
    if let Reply::Added(added) = reply { Some(added) } else { None }
}

fn judged(reply: Reply) -> Option<Judged> {
    if let Reply::Judged(judged) = reply { Some(judged) } else { None }
}

fn all_settings(reply: Reply) -> Option<Vec<SettingView>> {
    if let Reply::Settings { settings } = reply { Some(settings) } else { None }
}

fn one_setting(reply: Reply) -> Option<SettingView> {
    all_settings(reply)?.pop()
}

fn tool_key(reply: Reply) -> Option<ToolKey> {
    if let Reply::ToolKey(key) = reply { Some(key) } else { None }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Everything between `start` and `end` in this file's own text, cut at `mark`.
    fn names<'a>(text: &'a str, before: &str, after: char) -> BTreeSet<&'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
    }

    #[test]
    fn the_page_may_call_every_command_and_nothing_else() {
        let code = include_str!("commands.rs").split("#[cfg(test)]").next().unwrap_or_default();
        let code = code.replace("async fn", "fn");
        let written = names(&code, "#[tauri::command]\npub(crate) fn ", '(');
        let permissions = include_str!("../permissions/page.toml");
        let allowed = names(permissions, "    \"", '"');
        let handled = include_str!("window.rs");
        let handled = names(handled, "            commands::", ',');
        assert_eq!(written, allowed);
        assert_eq!(written, handled);
        assert!(written.contains("snapshot"));
    }

    #[test]
    fn every_preset_has_a_title() {
        let presets = tauri::async_runtime::block_on(super::presets()).unwrap_or_default();
        assert_eq!(presets.len(), signbell_engine::rules::names().count());
        assert!(presets.iter().all(|preset| !preset.title.is_empty() && preset.preset != "standard"), "{presets:?}");
        assert!(presets.iter().any(|p| p.preset == "slack" && p.title == "Slack" && p.hosts[0] == "slack.com"));
    }

    #[test]
    fn u4_no_command_asks_for_a_token() {
        for code in [include_str!("commands.rs"), include_str!("ask.rs"), include_str!("window.rs")] {
            let code = code.split("#[cfg(test)]").next().unwrap_or_default();
            assert!(!code.contains("Request::Token") && !code.contains("Reply::Token"));
        }
    }
}
