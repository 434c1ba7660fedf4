//! `signbell activity`: what happened, a line a thing.

use std::collections::HashMap;

use signbell_engine::activity::Record;
use signbell_engine::control::client::Conversation;
use signbell_engine::control::{Failure, Reply, Request};
use signbell_engine::model::AccountName;
use signbell_engine::wording;

use super::Context;
use crate::output::field;
use crate::when;
use signbell_engine::wording::cli as words;
use signbell_engine::wording::language::Language;

/// As many as a person scrolls through.
const LIMIT: usize = 200;

pub(super) async fn run(context: &Context, follow: bool) -> Result<(), Failure> {
    let titles: HashMap<AccountName, String> =
        context.view().await?.accounts.into_iter().map(|a| (a.account, a.short_title)).collect();
    let request = Request::Activity { limit: LIMIT, follow };
    let mut conversation = Conversation::open(&context.socket(), &request).await?;
    let mut any = false;
    loop {
        match conversation.next().await? {
            Some(Reply::Activity(record)) => {
                any = true;
                context.out.result(&record, || line(&record, &when::clock(record.at), &titles))?;
            }
            Some(Reply::Notice(_)) => {}
            None if follow => return Err(wording::not_running()),
            None | Some(Reply::Done) => break,
            Some(_) => return Err(words::odd_reply()),
        }
    }
    if !any {
        context.out.say(words::NO_ACTIVITY);
    }
    Ok(())
}

/// `14:05  Linear (work)  renewed`.
fn line(record: &Record, time: &str, titles: &HashMap<AccountName, String>) -> String {
    let about = match (&record.account, &record.service, &record.tool) {
        (Some(account), ..) => titles.get(account).map_or(account.as_str(), String::as_str),
        (None, Some(service), _) => service.as_str(),
        (None, None, Some(tool)) => tool.as_str(),
        (None, None, None) => "Signbell",
    };
    let mut line = format!("{time}  {}  {}", field(about), field(&record.text));
    if let Some(program) = &record.program {
        let by = wording::program(Language::En, program, record.pid, record.parent.as_deref());
        line.push_str(&words::by_program(&field(&by)));
    }
    match &record.refusal {
        Some(refusal) => {
            let took = record.took_ms.map(|ms| format!(", {ms} ms")).unwrap_or_default();
            format!("{line} ({} by {}: {}{took})", refusal.status, field(&refusal.rule), field(&refusal.decision))
        }
        None => line,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use signbell_engine::activity::Kind;

    #[test]
    fn g2_a_record_is_one_line() {
        let account: AccountName = "linear".parse().unwrap();
        let mut record = Record {
            by_person: false,
            at: 0,
            kind: Kind::Refreshed,
            account: Some(account.clone()),
            service: None,
            tool: None,
            program: None,
            pid: None,
            parent: None,
            text: "renewed".into(),
            took_ms: None,
            refusal: None,
        };
        let titles = HashMap::from([(account, "Linear (work)".to_owned())]);
        assert_eq!(line(&record, "14:05", &titles), "14:05  Linear (work)  renewed");
        assert_eq!(line(&record, "14:05", &HashMap::new()), "14:05  linear  renewed");
        record.account = None;
        record.text = "GET /x\r\n14:06  Linear  signed in\x1b[2K".into();
        assert_eq!(
            line(&record, "14:05", &titles),
            "14:05  Signbell  GET /x\\u{d}\\u{a}14:06  Linear  signed in\\u{1b}[2K"
        );
    }
}
