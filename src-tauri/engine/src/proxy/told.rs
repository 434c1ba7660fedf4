//! What is known of refusals that come again and again: what the person was told already, and what was
//! renewed for them in vain.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{self, Now};
use crate::model::{Generation, ServiceName};

/// How long the same is not told again.
const A_WHILE: Duration = Duration::from_secs(600);

/// By service and rule.
#[derive(Debug, Default)]
pub(super) struct Told {
    told: Mutex<HashMap<(ServiceName, String), Now>>,
    renewed: Mutex<HashMap<(ServiceName, String), Generation>>,
}

impl Told {
    /// Whether this rule's refusal by this service was not told lately. It is from now on.
    pub(super) fn is_news(&self, service: &ServiceName, rule: &str) -> bool {
        let now = clock::now();
        let mut told = lock(&self.told);
        told.retain(|_, at| now.since(*at) < A_WHILE);
        told.insert((service.clone(), rule.to_owned()), now).is_none()
    }

    /// Which generation was last brought because of this rule, by requests that could not be sent again.
    pub(super) fn renewed_for(&self, service: &ServiceName, rule: &str) -> Option<Generation> {
        lock(&self.renewed).get(&(service.clone(), rule.to_owned())).copied()
    }

    pub(super) fn note_renewed(&self, service: ServiceName, rule: String, generation: Generation) {
        lock(&self.renewed).insert((service, rule), generation);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
