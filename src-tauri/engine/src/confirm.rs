//! Asking the person once whether a program may use a service with a tool's key.
//!
//! For a tool that wants it (`confirm = true`), the first request of a program to a service waits for the
//! person, who says "always", "this hour" or "no". What they said is remembered by tool, service and the
//! path of the program that the question names: for a script with the script's, for our own bridge that of who
//! started it. Where the path says nothing of what runs, "always" is not to be had.
//!
//! A process of the same user can run any file of theirs, and so be any program; it can rewrite its own command
//! line, and bring code of its own into another's start. This stops what does not expect it, and shows the
//! person what happens; it is no wall.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::clock;
use crate::model::{ServiceName, ToolName};
use crate::proxy::Program;

/// "This hour", and as long stands a "no".
const HOUR: Duration = Duration::from_secs(3600);

/// More requests of one tool don't wait.
const HELD_PER_TOOL: usize = 32;

/// More questions nobody answers.
const MOST_OPEN: usize = 20;

/// What the person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It may, from now on.
    Always,
    /// It may, for an hour.
    Hour,
    /// It may not.
    No,
}

/// Who wants what: all that an answer is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wish {
    /// Whose key it shows.
    pub tool: ToolName,
    /// What it wants to use.
    pub service: ServiceName,
    /// The path of whom the question names; empty where the system does not tell.
    pub path: String,
}

/// A question that is open.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its number; another question is another number.
    pub id: u64,
    /// Who wants what.
    pub wish: Wish,
    /// The program that asked first.
    pub program: Option<Arc<Program>>,
    /// So many requests wait for the answer.
    pub waiting: usize,
}

/// Every question and answer. Cheap to clone.
#[derive(Clone, Default)]
pub struct Confirms {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    book: Mutex<Book>,
    changed: Notify,
}

#[derive(Default)]
struct Book {
    last: u64,
    open: BTreeMap<u64, Open>,
    /// What was said, and until when in boot-time milliseconds.
    said: HashMap<Wish, (Answer, u64)>,
}

struct Open {
    wish: Wish,
    program: Option<Arc<Program>>,
    waiting: usize,
    /// When nobody waited any more, in boot-time milliseconds.
    left: u64,
    answer: watch::Sender<Option<Answer>>,
}

/// A request that waits for the answer; it stops waiting when this is dropped.
pub struct Asked {
    confirms: Confirms,
    id: u64,
    /// Whether nobody was asked that before.
    pub is_new: bool,
    answer: watch::Receiver<Option<Answer>>,
}

impl Confirms {
    /// What the person said of this lately.
    #[must_use]
    pub fn said(&self, wish: &Wish) -> Option<Answer> {
        let now = clock::now().boot_ms;
        self.book().said.get(wish).filter(|(_, until)| now < *until).map(|(answer, _)| *answer)
    }

    /// Asks, or waits with those who asked the same. Nothing where too many wait.
    #[must_use]
    pub fn ask(&self, wish: &Wish, program: Option<Arc<Program>>) -> Option<Asked> {
        let mut book = self.book();
        book.tidy();
        let of_tool = book.open.values().filter(|open| open.wish.tool == wish.tool).map(|open| open.waiting);
        if of_tool.sum::<usize>() >= HELD_PER_TOOL {
            return None;
        }
        let known = book.open.iter().find(|(_, open)| open.wish == *wish).map(|(id, _)| *id);
        let id = match known {
            Some(id) => id,
            None if book.open.len() >= MOST_OPEN => return None,
            None => {
                book.last += 1;
                let id = book.last;
                let answer = watch::Sender::new(None);
                book.open.insert(id, Open { wish: wish.clone(), program, waiting: 0, left: 0, answer });
                id
            }
        };
        let open = book.open.get_mut(&id)?;
        open.waiting += 1;
        let answer = open.answer.subscribe();
        drop(book);
        self.inner.changed.notify_one();
        Some(Asked { confirms: self.clone(), id, is_new: known.is_none(), answer })
    }

    /// The person answers; what it was about, where it is still open.
    #[must_use]
    pub fn answer(&self, id: u64, answer: Answer) -> Option<Question> {
        let mut book = self.book();
        let open = book.open.remove(&id)?;
        let until = clock::now().plus(HOUR).boot_ms;
        // "Always" stands in the settings, where it can be taken back.
        if answer != Answer::Always {
            book.said.insert(open.wish.clone(), (answer, until));
        }
        open.answer.send_replace(Some(answer));
        drop(book);
        self.inner.changed.notify_one();
        Some(Question { id, wish: open.wish, program: open.program, waiting: open.waiting })
    }

    /// What is open, the first one first.
    #[must_use]
    pub fn open(&self) -> Vec<Question> {
        let mut book = self.book();
        book.tidy();
        let question = |(id, open): (&u64, &Open)| Question {
            id: *id,
            wish: open.wish.clone(),
            program: open.program.clone(),
            waiting: open.waiting,
        };
        book.open.iter().map(question).collect()
    }

    /// Forgets what concerns tools that are gone, or that no longer want it.
    pub fn keep(&self, wants: impl Fn(&ToolName) -> bool) {
        let mut book = self.book();
        let before = book.open.len();
        book.open.retain(|_, open| wants(&open.wish.tool));
        book.said.retain(|wish, _| wants(&wish.tool));
        if book.open.len() != before {
            self.inner.changed.notify_one();
        }
    }

    /// Waits until something changed that the snapshot shows.
    pub async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.inner.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// A question that nobody waits for any more stands for an hour, for the next request.
    fn tidy(&mut self) {
        let now = clock::now().boot_ms;
        let hour = u64::try_from(HOUR.as_millis()).unwrap_or(u64::MAX);
        self.open.retain(|_, open| open.waiting > 0 || now.saturating_sub(open.left) < hour);
        self.said.retain(|_, (_, until)| now < *until);
    }
}

impl Asked {
    /// The answer. Never, where the question is taken back.
    pub async fn answered(&mut self) -> Answer {
        match self.answer.wait_for(Option::is_some).await.map(|answer| *answer) {
            Ok(Some(answer)) => answer,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(open) = self.confirms.book().open.get_mut(&self.id) {
            open.waiting = open.waiting.saturating_sub(1);
            open.left = clock::now().boot_ms;
        }
        self.confirms.inner.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wish(service: &str, path: &str) -> Wish {
        Wish { tool: "claude".parse().unwrap(), service: service.parse().unwrap(), path: path.into() }
    }

    #[tokio::test]
    async fn one_question_for_many_requests_and_one_answer() {
        let confirms = Confirms::default();
        let (linear, github) = (wish("linear", "/usr/bin/curl"), wish("github", "/usr/bin/curl"));
        let mut first = confirms.ask(&linear, None).unwrap();
        let mut second = confirms.ask(&linear, None).unwrap();
        let other = confirms.ask(&github, None).unwrap();
        assert_eq!((first.is_new, second.is_new, other.is_new), (true, false, true));
        let open = confirms.open();
        assert_eq!(open.iter().map(|q| (q.id, q.waiting)).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
        assert_eq!(confirms.answer(1, Answer::Hour).unwrap().wish, linear);
        assert_eq!((first.answered().await, second.answered().await), (Answer::Hour, Answer::Hour));
        assert!(confirms.answer(1, Answer::No).is_none(), "it was answered");
        assert_eq!((confirms.said(&linear), confirms.said(&github)), (Some(Answer::Hour), None));
        assert_eq!(confirms.said(&wish("linear", "/usr/bin/wget")), None, "another program is another matter");
        // Who gave up leaves the question, so that the next request finds an answer.
        drop(other);
        assert_eq!(confirms.open()[0].waiting, 0);
        confirms.keep(|_| false);
        assert!(confirms.open().is_empty() && confirms.said(&linear).is_none());
    }

    #[test]
    fn not_more_wait_than_anybody_answers() {
        let confirms = Confirms::default();
        let linear = wish("linear", "/usr/bin/curl");
        let held: Vec<_> = (0..HELD_PER_TOOL).map(|_| confirms.ask(&linear, None).unwrap()).collect();
        assert!(confirms.ask(&linear, None).is_none());
        drop(held);
        for n in 0..MOST_OPEN - 1 {
            drop(confirms.ask(&wish("linear", &format!("/bin/{n}")), None).unwrap());
        }
        assert!(confirms.ask(&wish("linear", "/bin/more"), None).is_none());
    }
}
