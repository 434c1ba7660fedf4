//! `signbell tool`: registered local programs and their keys.

use serde_json::json;
use signbell_engine::control::{AddTool, Answer, Failure, Reply, Request, ToolKey};
use signbell_engine::model::{ExpiredAnswer, ServiceName, ToolName};
use signbell_engine::secret::Secret;
use signbell_engine::view::{AppView, ConfirmView, ToolView};
use signbell_engine::wording::{self, slips};

use super::Context;
use crate::args::Tool;
use crate::table::table;
use crate::when;
use signbell_engine::wording::cli as words;
use signbell_engine::wording::language::Language;

pub(super) async fn run(context: &Context, command: Tool) -> Result<(), Failure> {
    match command {
        Tool::Add { name, services, expired, key_in_path } => {
            let tool = AddTool { tool: name, services, expired, key_in_path };
            key(context, &Request::ToolAdd(tool)).await
        }
        Tool::List => list(context).await,
        Tool::Set { name, confirm } => {
            let text = wording::tool_set(&name, confirm);
            let request = Request::ToolSet { tool: name.clone(), confirm };
            context.done(&request, "tool", name.as_str(), text).await
        }
        Tool::Allow { name, service, hour } => {
            answer(context, &name, &service, if hour { Answer::Hour } else { Answer::Always }).await
        }
        Tool::Deny { name, service } => answer(context, &name, &service, Answer::No).await,
        Tool::Rotate { name } => key(context, &Request::ToolRotate { tool: name }).await,
        Tool::Remove { name } => {
            let text = words::removed(name.as_str());
            let request = Request::ToolRemove { tool: name.clone() };
            context.done(&request, "tool", name.as_str(), text).await
        }
    }
}

/// What to tell of a tool's key, which a tool that was there already keeps to itself.
pub(super) fn key_lines(tool: &ToolName, key: Option<&Secret>) -> Vec<String> {
    match key {
        Some(key) => {
            vec![words::tool_key(tool.as_str(), key.expose()), words::KEY_ONCE.to_owned()]
        }
        None => vec![words::tool_widened(tool.as_str())],
    }
}

async fn key(context: &Context, request: &Request) -> Result<(), Failure> {
    let Reply::ToolKey(tool) = context.call(request).await? else { return Err(words::odd_reply()) };
    context.out.result(&tool, || {
        let ToolKey { tool, key, urls, key_in_path, forward: _ } = &tool;
        let mut lines = match (key, key_in_path) {
            (key, false) => key_lines(tool, key.as_ref()),
            (Some(_), true) => vec![],
            (None, true) => vec![words::tool_keeps_its_path(tool.as_str())],
        };
        let address = |url: &str| match (key, key_in_path, url.rsplit_once('/')) {
            // Only its digest is known here.
            (None, true, Some((base, service))) => format!("{base}/k/KEY/{service}"),
            _ => url.to_owned(),
        };
        lines.extend(urls.iter().map(|(service, url)| words::tool_address(service.as_str(), &address(url))));
        if key.is_some() && *key_in_path {
            lines.push(words::KEY_IN_PATH_ONCE.to_owned());
        }
        lines.join("\n")
    })
}

/// Answers everything that waits for it. Without a tray there is no click, and whoever types is the person.
async fn answer(context: &Context, tool: &ToolName, service: &ServiceName, answer: Answer) -> Result<(), Failure> {
    let view = context.view().await?;
    let asked = |open: &&ConfirmView| open.tool == *tool && open.service == *service;
    let open: Vec<&ConfirmView> = view.confirms.iter().filter(asked).collect();
    if open.is_empty() {
        return Err(why_nothing_waits(&view, tool, service));
    }
    for question in open {
        match context.call(&Request::Confirm { id: question.id, answer }).await {
            Ok(Reply::Done) => {}
            Ok(_) => return Err(words::odd_reply()),
            Err(failure) if failure.code == wording::click_needed().code => {
                return Err(slips::allowed_by_click(tool, service));
            }
            Err(failure) => return Err(failure),
        }
        let program = question.program.as_deref().unwrap_or_else(|| wording::asker(Language::En, None));
        let told =
            json!({ "tool": tool, "service": service, "program": question.path, "answer": answer, "done": true });
        context.out.result(&told, || words::confirmed(program, service.as_str(), answer))?;
    }
    Ok(())
}

/// Why there is nothing to answer: mostly a name that is not quite right.
fn why_nothing_waits(view: &AppView, tool: &ToolName, service: &ServiceName) -> Failure {
    let Some(known) = view.tools.iter().find(|known| known.tool == *tool) else {
        let names = view.tools.iter().map(|known| known.tool.as_str());
        return slips::did_you_mean(wording::unknown_tool(tool), nearest(tool.as_str(), names));
    };
    if !view.services.iter().any(|known| known.service == *service) {
        let names = view.services.iter().map(|known| known.service.as_str());
        return slips::did_you_mean(wording::unknown_service(service), nearest(service.as_str(), names));
    }
    if !known.services.contains(service) {
        return slips::nothing_asked_not_granted(tool, service);
    }
    if !known.confirm {
        return slips::nothing_asked_of(tool);
    }
    wording::not_asked_any_more()
}

/// The name that was most likely meant: one typing slip away, or two in a long one.
fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let slips = if typed.len() < 8 { 1 } else { 2 };
    let away = |name: &str| strsim::damerau_levenshtein(typed, name);
    names.map(|name| (away(name), name)).filter(|(away, _)| *away <= slips).min().map(|(_, name)| name)
}

async fn list(context: &Context) -> Result<(), Failure> {
    let tools = context.view().await?.tools;
    if context.out.is_json() {
        return tools.iter().try_for_each(|tool| context.out.result(tool, String::new));
    }
    if tools.is_empty() {
        context.out.say(words::NO_TOOLS);
    } else {
        let rows: Vec<_> = tools.iter().map(row).collect();
        context
            .out
            .text(&table(["NAME", "SERVICES", "LAST SEEN", "WHEN YOU DON'T COME", "KEY IN PATH", "ASK ONCE"], &rows))?;
    }
    Ok(())
}

fn row(tool: &ToolView) -> [String; 6] {
    let services: Vec<_> = tool.services.iter().map(|s| s.as_str()).collect();
    let expired = match tool.expired {
        ExpiredAnswer::Automatic => "automatic",
        ExpiredAnswer::Unauthorized => "401",
        ExpiredAnswer::Unavailable => "503",
    };
    [
        tool.tool.to_string(),
        services.join(", "),
        tool.last_seen.map_or_else(|| words::NEVER.to_owned(), when::clock),
        expired.to_owned(),
        words::yes_no(tool.key_in_path).to_owned(),
        words::yes_no(tool.confirm).to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant() {
        let names = ["claude-code", "script", "git", "gitea"];
        for (typed, meant) in [
            ("scrpt", Some("script")),
            ("scirpt", Some("script")),
            ("claud-cod", Some("claude-code")),
            ("gti", Some("git")),
            ("gite", Some("git")),
            ("notes", None),
            ("sc", None),
        ] {
            assert_eq!(nearest(typed, names.into_iter()), meant, "{typed}");
        }
    }
}
