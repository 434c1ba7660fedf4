//! Room for many requests at once: each has a socket to its tool and one to its upstream.

/// As many as anybody's tools will want, and few enough for a program below us that closes each number that
/// it might have inherited.
const ENOUGH: u64 = 16 * 1024;

/// Raises how many files this process may have open. Most systems begin with 1,024, a limit for programs that
/// use select(2), and let each program raise it.
pub(super) fn make_room() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    if limit.current.is_none_or(|now| now >= enough) {
        return;
    }
    if let Err(e) = setrlimit(Resource::Nofile, Rlimit { current: Some(enough), ..limit }) {
        tracing::debug!(%e, "the limit of open files can't be raised");
    }
}
