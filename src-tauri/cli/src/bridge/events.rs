//! PURE: server-sent events (WHATWG HTML section 9.2.6), as much of them as MCP uses.

use std::time::Duration;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    /// What its stream can be taken up again after.
    pub(super) id: Option<String>,
    /// Its data; lines joined by line feeds.
    pub(super) data: String,
}

/// Reads events from bytes as they come.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    id: Option<String>,
    data: Option<String>,
    after_cr: bool,
    retry: Option<Duration>,
}

impl Events {
    /// The events that these bytes complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut complete = Vec::new();
        for byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, *byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    complete.extend(self.line(&String::from_utf8_lossy(&line)));
                }
                byte => self.line.push(*byte),
            }
        }
        complete
    }

    /// How much of an event that is not complete is kept.
    pub(super) fn pending(&self) -> usize {
        self.line.len() + self.data.as_ref().map_or(0, String::len)
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let data = self.data.take();
            return data.filter(|data| !data.is_empty()).map(|data| Event { id: self.id.clone(), data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "retry" => self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            _ => {}
        }
        None
    }

    /// How long the server wants a client to wait before it comes back.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// The id of the last event, complete or not.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(parts: &[&str]) -> Vec<(Option<String>, String)> {
        let mut events = Events::default();
        parts.iter().flat_map(|part| events.push(part.as_bytes())).map(|event| (event.id, event.data)).collect()
    }

    #[test]
    fn every_shape_of_an_event() {
        let id = |id: &str| Some(id.to_owned());
        for (parts, expected) in [
            (&["data: {}\n\n"][..], vec![(None, "{}")]),
            (&["data:{}\r\n\r\n"], vec![(None, "{}")]),
            (&["data:{}\r", "\r"], vec![(None, "{}")]),
            (&["da", "ta: a", "\n", "\n"], vec![(None, "a")]),
            (&["data: a\ndata: b\n\n"], vec![(None, "a\nb")]),
            (&[": keep-alive\n\n", "event: message\nid: 7\ndata: a\n\n"], vec![(id("7"), "a")]),
            // An event without data is none, and its id counts all the same.
            (&["id: 0\ndata:\n\n", "data: a\n\n"], vec![(id("0"), "a")]),
            (&["data: unfinished\n"], vec![]),
            (&["data: ü\n\n"], vec![(None, "ü")]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(id, data): (_, &str)| (id, data.to_owned())).collect();
            assert_eq!(all(parts), expected, "{parts:?}");
        }
        // A character that is cut in two between reads.
        let mut events = Events::default();
        let bytes = "data: ü\n\n".as_bytes();
        let (first, second) = bytes.split_at(7);
        assert!(events.push(first).is_empty());
        assert_eq!(events.push(second).first().map(|event| event.data.as_str()), Some("ü"));
    }
}
