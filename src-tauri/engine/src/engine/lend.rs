//! Keys for a while: a program that `signbell run` starts, or git, gets a key of its own that ends with it.

use std::sync::Weak;
use std::time::Duration;

use super::core::{Core, lock};
use super::settings::{digest, new_key};
use crate::config::KeyDigest;
use crate::control::{Failure, Through, ToolKey};
use crate::model::ToolName;
use crate::wording;

/// A lent key; it stops working when this is dropped.
pub(crate) struct Loan {
    key: KeyDigest,
    core: Weak<Core>,
}

impl Core {
    /// Lends a key of this tool, for what the tool may use; with what a program needs to reach that through the
    /// forward proxy, where it is wanted.
    pub(crate) fn lend(&self, name: &ToolName, forward: Through) -> Result<(ToolKey, Loan), Failure> {
        let config = self.config();
        let tool = config.tools.get(name).ok_or_else(|| wording::unknown_tool(name))?;
        let key = new_key();
        let loan = Loan { key: digest(Some(&key)), core: self.this.clone() };
        lock(&self.lent).insert(loan.key, name.clone());
        let forwarded = self.forwarded(&config, tool, loan.key, forward)?;
        self.apply();
        let alone = forward == Through::Anyway && !config.proxy.forward;
        self.changed_by_person(&wording::key_lent(name, alone), |record| record.tool = Some(name.clone()));
        Ok((ToolKey { forward: forwarded, ..self.tool_key(name, tool, Some(key)) }, loan))
    }
}

impl Loan {
    /// Keeps it good for so long, whoever has gone meanwhile.
    pub(crate) fn expire_after(self, time: Duration) {
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            drop(self);
        });
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            lock(&core.lent).remove(&self.key);
            core.proxy.forwarding.end_run(&self.key);
            core.apply();
        }
    }
}
