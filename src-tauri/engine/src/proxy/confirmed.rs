//! Where the tool wants it: whether the person lets this program use this service.

use std::time::Instant;

use super::identify::Program;
use super::respond::Refusal;
use super::{Call, Exchange, millis};
use crate::activity::Kind;
use crate::confirm::{Answer, Wish};
use crate::wording;
use crate::wording::language::Language;

impl Exchange<'_> {
    /// Returns once the person has said yes, now or before.
    ///
    /// # Errors
    /// [`Refusal::NotConfirmed`] where they said no, [`Refusal::ConfirmationNeeded`] where they did not come.
    pub(super) async fn confirmed(&self, call: &mut Call) -> Result<(), Refusal> {
        if !self.tool.confirm {
            return Ok(());
        }
        let program = self.program().await;
        let mut allowed = self.tool.allowed.get(&self.route.name).into_iter().flatten();
        // An interpreter without its script is nobody, also where an older Signbell wrote one down.
        if program.as_deref().and_then(Program::remembered).is_some_and(|path| allowed.any(|allowed| allowed == path)) {
            return Ok(());
        }
        let path = program.as_deref().map(|program| program.asker.path.clone()).unwrap_or_default();
        let wish = Wish { tool: self.tool.name.clone(), service: self.route.name.clone(), path };
        let name = wording::asker(Language::En, program.as_deref()).to_owned();
        let refused = || Refusal::NotConfirmed { program: name.clone(), wish: wish.clone() };
        let needed = || Refusal::ConfirmationNeeded { program: name.clone(), wish: wish.clone() };
        match self.proxy.confirms.said(&wish) {
            Some(Answer::Always | Answer::Hour) => return Ok(()),
            Some(Answer::No) => return Err(refused()),
            None => {}
        }
        let mut asked = self.proxy.confirms.ask(&wish, program).ok_or_else(needed)?;
        if asked.is_new {
            self.record(Kind::Held, &wording::confirm_asked(&name, &wish), |_| ());
        }
        let is_rpc = self.is_rpc(call).await;
        let limit = if is_rpc { self.route.limits.hold_json_rpc } else { self.route.limits.hold };
        let began = Instant::now();
        let answer = tokio::select! {
            answer = asked.answered() => Some(answer),
            () = tokio::time::sleep(limit) => None,
            () = call.body.keep_reading(&self.proxy.budget) => None,
        };
        match answer {
            Some(Answer::Always | Answer::Hour) => Ok(()),
            Some(Answer::No) => Err(refused()),
            None => {
                self.record(Kind::HoldOver, &wording::confirm_over(&name, &wish), |record| {
                    record.took_ms = millis(began.elapsed());
                });
                Err(needed())
            }
        }
    }
}
