//! What the person takes back: a service from a tool, a setting from a service.

use toml_edit::Item;

use super::core::{Core, lock};
use super::document::{unset, write_tool};
use crate::control::Failure;
use crate::model::{ServiceName, ToolName};
use crate::wording;

impl Core {
    /// A tool may no longer use a service; its key stays good for the others.
    pub(crate) fn tool_narrow(&self, name: &ToolName, service: &ServiceName) -> Result<(), Failure> {
        if lock(&self.settings).ephemeral.tools.contains_key(name) {
            self.edit_ephemeral(|_, ephemeral| {
                if let Some(tool) = ephemeral.tools.get_mut(name) {
                    tool.services.retain(|allowed| allowed != service);
                }
                Ok(())
            })?;
        } else {
            self.edit(|config, document| {
                let mut tool = config.tools.get(name).cloned().ok_or_else(|| wording::unknown_tool(name))?;
                tool.services.retain(|allowed| allowed != service);
                write_tool(document, name, &tool);
                let tool = document.get_mut("tools").and_then(|tools| tools.get_mut(name.as_str()));
                let allowed = tool.and_then(|tool| tool.get_mut("allowed")).and_then(Item::as_table_like_mut);
                if let Some(allowed) = allowed {
                    allowed.remove(service.as_str());
                }
                Ok(())
            })?;
        }
        self.changed_by_person(&wording::tool_narrowed(name, service), |record| {
            record.tool = Some(name.clone());
            record.service = Some(service.clone());
        });
        Ok(())
    }

    /// A service holds requests for as long as all others do.
    pub(crate) fn service_usual_hold(&self, service: &ServiceName) -> Result<(), Failure> {
        self.must_have_service(service)?;
        self.edit(|_, document| {
            unset(document, ["services", service.as_str(), "hold_seconds"]);
            Ok(())
        })?;
        self.changed_by_person(&wording::service_changed(service), |record| record.service = Some(service.clone()));
        Ok(())
    }
}
