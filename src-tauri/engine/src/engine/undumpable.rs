//! Keeps the memory of a process that holds tokens out of core dumps, and out of reach of the person's
//! other programs (T11). Root can still look: nothing stops root.

/// Turns core dumps off and forbids other processes of the same user to attach or to read our memory,
/// where the system can do that. Where it can't, nothing is told: it is one barrier more, and not a promise
/// that anything else is built on.
pub(super) fn keep_out_of_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let limited = limited.and(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable));
    if let Err(e) = limited {
        tracing::debug!(%e, "core dumps can't be turned off");
    }
}
