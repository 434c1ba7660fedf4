//! Who used which service when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{ServiceName, ToolName};

/// A tool that was silent for so long is news when it comes back.
const NEWS_SECONDS: u64 = 3600;

/// Last uses, in Unix seconds. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    last: Arc<Mutex<HashMap<ServiceName, HashMap<ToolName, u64>>>>,
}

impl Usage {
    /// Notes a use; tells whether it is news.
    #[must_use]
    pub fn note(&self, service: &ServiceName, tool: &ToolName, at: u64) -> bool {
        let mut last = self.lock();
        // The usual case finds both entries and makes no new names.
        if let Some(seen) = last.get_mut(service).and_then(|tools| tools.get_mut(tool)) {
            let news = at.saturating_sub(*seen) >= NEWS_SECONDS;
            *seen = at;
            return news;
        }
        last.entry(service.clone()).or_default().insert(tool.clone(), at);
        true
    }

    /// What is remembered from before.
    pub fn restore(&self, service: ServiceName, tool: ToolName, at: u64) {
        self.lock().entry(service).or_default().entry(tool).or_insert(at);
    }

    /// Everything, to be remembered.
    #[must_use]
    pub fn all(&self) -> Vec<(ServiceName, ToolName, u64)> {
        let last = self.lock();
        let mut all: Vec<_> = last
            .iter()
            .flat_map(|(service, tools)| tools.iter().map(|(tool, at)| (service.clone(), tool.clone(), *at)))
            .collect();
        all.sort();
        all
    }

    /// Who used `service` last, and when.
    #[must_use]
    pub fn of_service(&self, service: &ServiceName) -> Option<(ToolName, u64)> {
        let last = self.lock();
        last.get(service)?.iter().max_by_key(|(_, at)| **at).map(|(tool, at)| (tool.clone(), *at))
    }

    /// When `tool` was last seen at any service.
    #[must_use]
    pub fn of_tool(&self, tool: &ToolName) -> Option<u64> {
        self.lock().values().filter_map(|tools| tools.get(tool)).copied().max()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServiceName, HashMap<ToolName, u64>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn first_and_long_silent_uses_are_news() {
        let (service, tool) = ("s".parse().unwrap(), "t".parse().unwrap());
        let usage = Usage::default();
        let news: Vec<bool> =
            [100, 101, 3700, 7299, 10_899].iter().map(|at| usage.note(&service, &tool, *at)).collect();
        assert_eq!(news, [true, false, false, false, true]);
        assert_eq!(usage.of_service(&service), Some((tool.clone(), 10_899)));
        assert_eq!(usage.of_tool(&tool), Some(10_899));
    }
}
