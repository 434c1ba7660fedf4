//! What waits for a click where there is a screen, and which clients are the screen.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use toml_edit::DocumentMut;

use super::core::{Core, lock};
use super::naming::{free_name, name_of_host};
use crate::activity::Kind;
use crate::config::{self, Config};
use crate::control::{AddService, Answer, Failure, Request, Through};
use crate::model::ServiceName;
use crate::permit::{Act, Asked, Offered, Question};
use crate::proxy::{Program, program_of};
use crate::wording;

/// Who asked waits no longer for the person.
const PATIENCE: Duration = Duration::from_secs(120);

/// The desktop's processes that watch us now, and over how many connections.
pub(super) type Screens = HashMap<u32, usize>;

/// A desktop that watches; it is gone when this is dropped.
pub(crate) struct Screen {
    process: u32,
    core: Weak<Core>,
}

/// A request that waits for the person.
pub(crate) struct Waiting {
    asked: Asked,
    act: Act,
    program: Option<Arc<Program>>,
    since: Instant,
}

impl Core {
    /// A client watches for the desktop. Nothing, where it is not our own desktop program.
    pub(crate) fn screen(&self, process: Option<u32>) -> Option<Screen> {
        let process = process.filter(|process| is_desktop(*process))?;
        *lock(&self.screens).entry(process).or_default() += 1;
        Some(Screen { process, core: self.this.clone() })
    }

    fn is_screen(&self, process: Option<u32>) -> bool {
        process.is_some_and(|process| lock(&self.screens).contains_key(&process))
    }

    fn has_screen(&self) -> bool {
        is_desktop_here() || !lock(&self.screens).is_empty()
    }

    /// Whether an answer to a program that waits counts, which may come from that very program: a "no" always
    /// does; a "yes" from the screen alone, where there is one.
    ///
    /// # Errors
    /// Where it takes a click.
    pub(super) fn must_be_clicked(&self, answer: Answer, process: Option<u32>) -> Result<(), Failure> {
        if answer == Answer::No || !self.has_screen() || self.is_screen(process) {
            Ok(())
        } else {
            Err(wording::click_needed())
        }
    }

    /// Asks the person, where this request of that process needs their click. Nothing, where it does not: it
    /// lets nobody do more, there is no screen, or it comes from there.
    ///
    /// # Errors
    /// Where too many questions are open.
    pub(crate) async fn needs_click(
        &self,
        request: &Request,
        process: Option<u32>,
    ) -> Result<Option<Waiting>, Failure> {
        let Some(act) = self.act_of(request) else { return Ok(None) };
        if !self.has_screen() || self.is_screen(process) {
            return Ok(None);
        }
        let program = match process {
            Some(process) => program_of(process).await,
            None => None,
        };
        let asked = self.permits.ask(act.clone(), program.clone()).ok_or_else(wording::too_many_questions)?;
        self.activity.record(Kind::Held, |record| {
            record.text = wording::permit_asked(program.as_deref(), &act);
            record.program = program.as_deref().map(|program| program.name.clone());
            record.pid = program.as_deref().map(|program| program.pid);
            record.parent = program.as_deref().and_then(|program| program.parent.clone());
        });
        Ok(Some(Waiting { asked, act, program, since: Instant::now() }))
    }

    /// Returns once the person said yes.
    ///
    /// # Errors
    /// [`crate::control::FailureKind::NotAllowed`] where they said no, or did not come.
    pub(crate) async fn clicked(&self, waiting: &mut Waiting) -> Result<(), Failure> {
        let answer = tokio::time::timeout(PATIENCE, waiting.asked.answered()).await;
        let (who, act) = (waiting.program.as_deref(), &waiting.act);
        let (kind, text, outcome) = match answer {
            Ok(true) => (Kind::Changed, wording::permit_given(who, act), Ok(())),
            Ok(false) => (Kind::Refused, wording::permit_refused(who, act), Err(wording::not_permitted())),
            Err(_) => (Kind::HoldOver, wording::permit_over(who, act), Err(wording::nobody_clicked())),
        };
        self.activity.record(kind, |record| {
            record.text = text;
            record.by_person = answer.is_ok();
            record.took_ms = u64::try_from(waiting.since.elapsed().as_millis()).ok();
        });
        outcome
    }

    /// The person answers at the screen.
    ///
    /// # Errors
    /// Where it does not come from there, or nobody waits for it any more.
    pub(crate) fn permit(&self, id: u64, allow: bool, process: Option<u32>) -> Result<Question, Failure> {
        if !self.is_screen(process) {
            return Err(wording::click_needed());
        }
        self.permits.answer(id, allow).ok_or_else(wording::not_asked_any_more)
    }

    /// What of a request lets programs do more than they can now.
    fn act_of(&self, request: &Request) -> Option<Act> {
        let config = self.config();
        match request {
            Request::AccountSet { account, allow_token: Some(true), .. } => {
                let account = config.accounts.get_key_value(account).filter(|(_, settings)| !settings.allow_token);
                account.map(|(name, _)| Act::PrintTokens(name.clone()))
            }
            Request::ToolAdd(add) => {
                let tool = config.tools.get(&add.tool)?;
                let new = add.services.iter().filter(|service| !tool.services.contains(service));
                let services: Vec<Offered> = new.map(|service| offered(&config, service)).collect();
                (!services.is_empty()).then(|| Act::Widen { tool: add.tool.clone(), services })
            }
            Request::Add(add) => {
                let tool = add.tool.as_ref().filter(|tool| config.tools.contains_key(*tool))?;
                Some(Act::Widen { tool: tool.clone(), services: vec![offered_anew(&config, add)] })
            }
            Request::Lend { tool, forward: Through::Anyway, .. } => {
                let opens = !config.proxy.forward && config.tools.contains_key(tool);
                opens.then(|| Act::ForwardOnce(tool.clone()))
            }
            Request::Forward { on: Some(true) } => (!config.proxy.forward).then_some(Act::Forward),
            Request::SettingsSet { key, value, .. } if key == "proxy.forward" => {
                let mut alone = DocumentMut::new();
                // What can't be written is refused where it would be.
                config::setting(key)?.write(&mut alone, value).ok()?;
                let wanted: Config = toml_edit::de::from_str(&alone.to_string()).ok()?;
                (wanted.proxy.forward && !config.proxy.forward).then_some(Act::Forward)
            }
            Request::ToolSet { tool, confirm: Some(false) } => {
                config.tools.get(tool).filter(|settings| settings.confirm).map(|_| Act::StopAsking(tool.clone()))
            }
            _ => None,
        }
    }
}

fn offered(config: &Config, name: &ServiceName) -> Offered {
    let service = config.services.get(name);
    Offered {
        name: name.to_string(),
        host: service.and_then(|service| service.url.host_str().map(str::to_owned)),
        account: service.map(|service| service.account.clone()),
    }
}

/// A service that is added, by the name that it is given where the request names none.
fn offered_anew(config: &Config, add: &AddService) -> Offered {
    let taken = |name: &ServiceName| config.services.contains_key(name);
    let host = add.url.host_str().unwrap_or_default();
    let name = add.name.clone().or_else(|| free_name(&name_of_host(&add.url), taken).ok());
    Offered {
        name: name.map_or_else(|| host.to_owned(), |name| name.to_string()),
        host: Some(host.to_owned()),
        account: add.account.clone(),
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let Some(core) = self.core.upgrade() else { return };
        let mut screens = lock(&core.screens);
        if let Some(connections) = screens.get_mut(&self.process) {
            *connections -= 1;
            if *connections == 0 {
                screens.remove(&self.process);
            }
        }
    }
}

/// How the desktop program's file is called.
const NAME: &str = "signbell-desktop";

/// Whether the engine runs in the tray's own process, which may not watch yet.
fn is_desktop_here() -> bool {
    std::env::current_exe().is_ok_and(|here| here.file_stem().is_some_and(|name| name == NAME))
}

/// Whether the process runs our desktop program, which lies beside the one that we are.
#[cfg(target_os = "linux")]
fn is_desktop(process: u32) -> bool {
    let Ok(runs) = std::fs::read_link(format!("/proc/{process}/exe")) else { return false };
    // After an update the old file is gone, and still runs.
    let runs = runs.display().to_string();
    let runs = std::path::Path::new(runs.trim_end_matches(" (deleted)")).to_owned();
    let here = std::env::current_exe().ok();
    runs.file_name().is_some_and(|name| name == NAME)
        && here.as_deref().and_then(std::path::Path::parent) == runs.parent()
}

/// The system does not tell: whoever watches for the desktop is taken for it.
#[cfg(not(target_os = "linux"))]
fn is_desktop(_: u32) -> bool {
    true
}
