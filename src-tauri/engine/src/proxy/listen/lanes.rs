//! Threads on which connections are served, each with a runtime of its own.
//!
//! A request and its upstream connection hand every piece of a body to each other. On one thread that is
//! a look at a queue; between two it is a wake-up through the kernel, which cost more than all the rest
//! of a small request. So a connection stays where it was put, and so do the upstream connections that
//! it uses.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// More cores than this no person's tools keep busy.
const MOST: usize = 8;

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// The number of the lane that this thread is; 0 where it is none.
pub(in crate::proxy) fn current() -> usize {
    CURRENT.get()
}

/// How many there are.
pub(in crate::proxy) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MOST)
}

/// The running threads.
pub(super) struct Lanes {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

impl Lanes {
    /// Starts them; they end with `end`.
    pub(super) fn start(end: &CancellationToken) -> io::Result<Self> {
        let handles = (0..count()).map(|number| lane(number, end.clone())).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { handles, next: AtomicUsize::new(0) })
    }

    /// The next in turn.
    pub(super) fn next(&self) -> &Handle {
        let number = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        &self.handles[number]
    }
}

fn lane(number: usize, end: CancellationToken) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new().name(format!("lane-{number}")).spawn(move || {
        CURRENT.set(number);
        runtime.block_on(end.cancelled());
    })?;
    Ok(handle)
}
