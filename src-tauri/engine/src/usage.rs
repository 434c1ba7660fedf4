//! Who used which service when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{ServiceName, ToolName};

/// A tool that was silent for so long is news when it comes back.
const NEWS_SECONDS: u64 = 3600;

/// How old the shown time of a last use may be.
const SHOWN_SECONDS: u64 = 10;

/// What a use tells that was not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// The tool was not seen for long: worth a line in the activity.
    News,
    /// The shown time is old: worth a new snapshot.
    Later,
    /// Nothing.
    Known,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: u64,
    shown: u64,
}

/// Last uses, in Unix seconds. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    last: Arc<Mutex<HashMap<ServiceName, HashMap<ToolName, Seen>>>>,
}

impl Usage {
    /// Notes a use.
    #[must_use]
    pub fn note(&self, service: &ServiceName, tool: &ToolName, at: u64) -> Novelty {
        let mut last = self.lock();
        // The usual case finds both entries and makes no new names.
        let Some(seen) = last.get_mut(service).and_then(|tools| tools.get_mut(tool)) else {
            last.entry(service.clone()).or_default().insert(tool.clone(), Seen { at, shown: at });
            return Novelty::News;
        };
        let silent = at.saturating_sub(seen.at);
        seen.at = at;
        if silent < NEWS_SECONDS && at.saturating_sub(seen.shown) < SHOWN_SECONDS {
            return Novelty::Known;
        }
        seen.shown = at;
        if silent >= NEWS_SECONDS { Novelty::News } else { Novelty::Later }
    }

    /// What is remembered from before.
    pub fn restore(&self, service: ServiceName, tool: ToolName, at: u64) {
        self.lock().entry(service).or_default().entry(tool).or_insert(Seen { at, shown: at });
    }

    /// Everything, to be remembered.
    #[must_use]
    pub fn all(&self) -> Vec<(ServiceName, ToolName, u64)> {
        let last = self.lock();
        let mut all: Vec<_> = last
            .iter()
            .flat_map(|(service, tools)| tools.iter().map(|(tool, seen)| (service.clone(), tool.clone(), seen.at)))
            .collect();
        all.sort();
        all
    }

    /// Who used `service` last, and when.
    #[must_use]
    pub fn of_service(&self, service: &ServiceName) -> Option<(ToolName, u64)> {
        let last = self.lock();
        last.get(service)?.iter().max_by_key(|(_, seen)| seen.at).map(|(tool, seen)| (tool.clone(), seen.at))
    }

    /// When `tool` was last seen at any service.
    #[must_use]
    pub fn of_tool(&self, tool: &ToolName) -> Option<u64> {
        self.lock().values().filter_map(|tools| tools.get(tool)).map(|seen| seen.at).max()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServiceName, HashMap<ToolName, Seen>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn first_and_long_silent_uses_are_news() {
        use Novelty::{Known, Later, News};
        let (service, tool) = ("s".parse().unwrap(), "t".parse().unwrap());
        let usage = Usage::default();
        let told: Vec<_> =
            [100, 101, 109, 110, 119, 3719, 3720].iter().map(|at| usage.note(&service, &tool, *at)).collect();
        assert_eq!(told, [News, Known, Known, Later, Known, News, Known]);
        assert_eq!(usage.of_service(&service), Some((tool.clone(), 3720)));
        assert_eq!(usage.of_tool(&tool), Some(3720));
    }
}
