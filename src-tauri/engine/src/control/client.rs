//! The client side of the control socket.

use std::io;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::protocol::{Said, check_reply};
use super::{Failure, FailureKind, Notice, Reply, Request};
use crate::wording;

/// One conversation with a running engine: a request, and its replies as they come.
pub struct Conversation {
    replies: BufReader<OwnedReadHalf>,
    input: OwnedWriteHalf,
    /// What has come of the next line, so that a caller may stop waiting in the middle of it.
    line: Vec<u8>,
}

impl Conversation {
    /// Sends `request` to the engine whose socket is at `socket`.
    ///
    /// # Errors
    /// [`FailureKind::NotRunning`] where nobody listens there; [`FailureKind::Failed`] for any other
    /// trouble with the socket.
    pub async fn open(socket: &Path, request: &Request) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket).await.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => wording::not_running(),
            _ => wording::socket_failed(&e),
        })?;
        let (read, input) = stream.into_split();
        let mut conversation = Self { replies: BufReader::new(read), input, line: Vec::new() };
        let line = serde_json::to_string(&Said::now(request)).map_err(|e| wording::socket_failed(&e.into()))?;
        conversation.send_line(&line).await?;
        Ok(conversation)
    }

    /// Sends a further line: the redirect that a person pasted.
    ///
    /// # Errors
    /// [`FailureKind::Failed`] where the engine is gone.
    pub async fn send_line(&mut self, line: &str) -> Result<(), Failure> {
        let line = format!("{line}\n");
        self.input.write_all(line.as_bytes()).await.map_err(|e| wording::socket_failed(&e))
    }

    /// The next reply; nothing at the end. A [`Reply::Failed`] comes as the error.
    ///
    /// # Errors
    /// The engine's own [`Failure`], or [`FailureKind::Failed`] where the engine went away or is of another
    /// version.
    pub async fn next(&mut self) -> Result<Option<Reply>, Failure> {
        match self.replies.read_until(b'\n', &mut self.line).await {
            Ok(0) => Ok(None),
            Ok(_) => {
                let line = std::mem::take(&mut self.line);
                check_reply(&line)?;
                match serde_json::from_slice(&line) {
                    Ok(Reply::Failed(failure)) => Err(failure),
                    Ok(reply) => Ok(Some(reply)),
                    // Cut short: the engine was killed in the middle of it.
                    Err(_) if !line.ends_with(b"\n") => Ok(None),
                    Err(e) => Err(wording::unreadable_reply(&e)),
                }
            }
            Err(e) => Err(wording::socket_failed(&e)),
        }
    }

    /// The last reply; `say` hears what there is to tell the person meanwhile. The conversation stays open.
    ///
    /// # Errors
    /// As [`Self::next`]; an engine that ends before it is [`FailureKind::NotRunning`].
    pub async fn answer(&mut self, say: impl Fn(&str)) -> Result<Reply, Failure> {
        while let Some(reply) = self.next().await? {
            match reply {
                Reply::Notice(Notice::Say { text }) => say(&text),
                reply if reply.is_last() => return Ok(reply),
                _ => {}
            }
        }
        Err(Failure { kind: FailureKind::NotRunning, ..wording::not_running() })
    }
}

/// Sends `request` and returns its last reply.
///
/// # Errors
/// As [`Conversation::open`] and [`Conversation::next`]; an engine that ends in the middle is
/// [`FailureKind::NotRunning`].
pub async fn call(socket: &Path, request: &Request) -> Result<Reply, Failure> {
    call_and_hear(socket, request, |_| ()).await
}

/// The same; `say` hears what there is to tell the person meanwhile.
///
/// # Errors
/// As [`call`].
pub async fn call_and_hear(socket: &Path, request: &Request, say: impl Fn(&str)) -> Result<Reply, Failure> {
    Conversation::open(socket, request).await?.answer(say).await
}
