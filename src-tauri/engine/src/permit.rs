//! Asking the person at the screen before programs may do more.
//!
//! Whatever runs as the person can speak to the control socket. So what lets programs do more than before waits
//! for a click where the tray runs: in its menu, in the notification, or in the window. A client that is the
//! desktop itself was clicked at. This stops what does not expect it, and shows the person what happens; it is
//! no wall, for such a program can also edit `config.toml`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::model::{AccountName, ToolName};
use crate::proxy::Program;

/// More questions nobody answers.
const MOST_OPEN: usize = 8;

/// What would let programs do more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// `signbell token` prints this account's token from then on.
    PrintTokens(AccountName),
    /// A tool may use these services too.
    Widen {
        /// Which tool.
        tool: ToolName,
        /// Which ones, and what they lead to.
        services: Vec<Offered>,
    },
    /// Tools may go through the forward proxy.
    Forward,
    /// A command may do so while it is off, with a key of this tool.
    ForwardOnce(ToolName),
    /// The person is no longer asked about the programs that use this tool.
    StopAsking(ToolName),
}

/// A service that a tool would get. Its name alone says little: whoever asks may have chosen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// Where requests go. Nothing where there is no such service.
    pub host: Option<String>,
    /// Whose tokens they get. Nothing where the account has no name yet.
    pub account: Option<AccountName>,
}

/// A question that is open.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its number; another question is another number.
    pub id: u64,
    /// What it is about.
    pub act: Act,
    /// The program that asked.
    pub program: Option<Arc<Program>>,
}

/// Every question. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Permits {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    book: Mutex<Book>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Book {
    last: u64,
    open: BTreeMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    question: Question,
    answer: oneshot::Sender<bool>,
}

/// One who waits for the answer; the question is taken back when this is dropped.
#[derive(Debug)]
pub struct Asked {
    permits: Permits,
    id: u64,
    answer: oneshot::Receiver<bool>,
}

impl Permits {
    /// Asks. Nothing where too many questions are open.
    #[must_use]
    pub fn ask(&self, act: Act, program: Option<Arc<Program>>) -> Option<Asked> {
        let mut book = self.book();
        if book.open.len() >= MOST_OPEN {
            return None;
        }
        book.last += 1;
        let id = book.last;
        let (answer, answered) = oneshot::channel();
        book.open.insert(id, Open { question: Question { id, act, program }, answer });
        drop(book);
        self.inner.changed.notify_one();
        Some(Asked { permits: self.clone(), id, answer: answered })
    }

    /// The person answers; what it was about, where it is still open.
    #[must_use]
    pub fn answer(&self, id: u64, allow: bool) -> Option<Question> {
        let Open { question, answer } = self.book().open.remove(&id)?;
        self.inner.changed.notify_one();
        // Who asked may have left just now; nothing happens then.
        answer.send(allow).ok().map(|()| question)
    }

    /// What is open, the first one first.
    #[must_use]
    pub fn open(&self) -> Vec<Question> {
        self.book().open.values().map(|open| open.question.clone()).collect()
    }

    /// Waits until something changed that the snapshot shows.
    pub async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.inner.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// The answer. Never, where there is none.
    pub async fn answered(&mut self) -> bool {
        match (&mut self.answer).await {
            Ok(allow) => allow,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.permits.book().open.remove(&self.id).is_some() {
            self.permits.inner.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn each_is_asked_for_itself_and_taken_back_with_who_asked() {
        let permits = Permits::default();
        let tokens = Act::PrintTokens("ada".parse().unwrap());
        let mut first = permits.ask(tokens.clone(), None).unwrap();
        let second = permits.ask(tokens.clone(), None).unwrap();
        let open = permits.open();
        assert_eq!(open.iter().map(|q| (q.id, &q.act)).collect::<Vec<_>>(), [(1, &tokens), (2, &tokens)]);
        assert_eq!(permits.answer(1, true).unwrap().act, tokens);
        assert!(first.answered().await);
        assert!(permits.answer(1, true).is_none(), "it was answered");
        // A yes is for the one who asked, and for once.
        assert_eq!(permits.open().len(), 1);
        drop(second);
        assert!(permits.open().is_empty() && permits.answer(2, true).is_none());
        let mut third = permits.ask(Act::Forward, None).unwrap();
        assert!(permits.answer(3, false).is_some() && !third.answered().await);
    }

    #[test]
    fn not_more_are_open_than_anybody_answers() {
        let permits = Permits::default();
        let held: Vec<_> = (0..MOST_OPEN).map(|_| permits.ask(Act::Forward, None).unwrap()).collect();
        assert!(permits.ask(Act::Forward, None).is_none());
        drop(held);
        assert!(permits.ask(Act::Forward, None).is_some());
    }
}
