//! The times at which a session looks at itself again.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::model::Generation;

/// What is still to come, all of one generation. An earlier one's would find nothing to do any more; where a
/// server refuses tokens long before the end that was stated, they would gather by the thousand until then. All
/// end when this is dropped.
#[derive(Default)]
pub(super) struct Wakes {
    generation: Generation,
    tasks: JoinSet<()>,
}

impl Wakes {
    /// Calls `wake` after so long, unless a later generation asks for anything before.
    pub(super) fn after(&mut self, wait: Duration, generation: Generation, wake: impl FnOnce() + Send + 'static) {
        if generation != self.generation {
            *self = Self { generation, tasks: JoinSet::new() };
        }
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            tokio::time::sleep(wait).await;
            wake();
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn of_each_generation_before_nothing_is_left() {
        let mut wakes = Wakes::default();
        for generation in 0..100 {
            wakes.after(HOUR, Generation(generation), || ());
        }
        assert_eq!(wakes.tasks.len(), 1);
    }

    #[tokio::test]
    async fn of_one_generation_each_comes() {
        let (sender, mut woken) = mpsc::unbounded_channel();
        let mut wakes = Wakes::default();
        for (number, wait) in [(1, HOUR), (2, Duration::from_millis(1)), (3, Duration::ZERO)] {
            let sender = sender.clone();
            wakes.after(wait, Generation(7), move || assert!(sender.send(number).is_ok()));
        }
        let mut came = [woken.recv().await, woken.recv().await];
        came.sort_unstable();
        assert_eq!(came, [Some(2), Some(3)]);
        wakes.after(HOUR, Generation(7), || ());
        assert_eq!(wakes.tasks.len(), 2, "those that came are still kept");
    }
}
