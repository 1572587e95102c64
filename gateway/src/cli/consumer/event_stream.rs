//! Server-Sent Events (WHATWG HTML section 9.2), with comments kept: they say what was missed and what has lapsed.
//!
//! Lines and messages are bounded. A stream knows the last id that it saw, to be taken up again from there.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{Method, Uri, body::Incoming};

use super::{Answer, Asked, Consumer, Exit, Failure, Line};

/// Media type of a stream.
const EVENT_STREAM: &str = "text/event-stream";
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Longest data of one message, in bytes.
const DATA_BYTES_MAX: usize = 4 << 20;
/// A gateway sends a sign of life every 15 s: one that is silent for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest refusal that is read.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// What comes out of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Item {
    /// `event:`, `data:` and `id:`.
    Message { event: String, data: String, id: Option<String> },
    /// A comment that says something.
    Comment(String),
}

/// An open stream.
#[derive(Debug)]
pub(in crate::cli) struct EventStream {
    body: Incoming,
    reader: Reader,
    _line: Line,
}

/// Bytes into items.
#[derive(Debug, Default)]
struct Reader {
    pending: Vec<u8>,
    event: String,
    data: Option<String>,
    id: Option<String>,
}

impl Consumer {
    /// Opens the stream at `url`, after the message `last_id` if there was one.
    pub(in crate::cli) async fn observe(&self, url: &Uri, last_id: Option<&str>) -> Result<EventStream, Failure> {
        let beginning =
            self.begin(Asked { method: Method::GET, url, accept: EVENT_STREAM, body: None, last_event_id: last_id });
        let (response, line) =
            tokio::time::timeout(self.timeout, beginning).await.unwrap_or_else(|_| Err(self.too_slow(url)))?;
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            let body = http_body_util::Limited::new(body, REFUSAL_BYTES_MAX).collect();
            let read = tokio::time::timeout(self.timeout, body).await;
            let body = read.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
            return Err(self.refusal(url, &Answer { status: head.status, headers: head.headers, body }));
        }
        let media = head.headers.get(hyper::header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
        if !media.is_some_and(|media| media.starts_with(EVENT_STREAM)) {
            let what = format!("{url} did not answer with a stream of events");
            return Err(Failure::new(Exit::Failed, what).with_hint("is there another program at this address?"));
        }
        Ok(EventStream { body, reader: Reader::default(), _line: line })
    }
}

impl EventStream {
    /// The next item; nothing when the stream has ended, was broken off, or is silent for too long.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<Item>, Failure> {
        loop {
            if let Some(item) = self.reader.next()? {
                return Ok(Some(item));
            }
            let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame()).await;
            let Ok(Some(Ok(frame))) = frame else { return Ok(None) };
            if let Ok(bytes) = frame.into_data() {
                self.reader.take(&bytes);
            }
        }
    }
}

impl Reader {
    fn take(&mut self, bytes: &Bytes) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next item that is whole.
    fn next(&mut self) -> Result<Option<Item>, Failure> {
        loop {
            let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') else {
                return match self.pending.len() > LINE_BYTES_MAX {
                    true => Err(too_large("line")),
                    false => Ok(None),
                };
            };
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if let Some(data) = self.data.take() {
                    return Ok(Some(Item::Message { event, data, id: self.id.clone() }));
                }
                continue;
            }
            match line.split_once(':').map_or((line, ""), |(name, rest)| (name, rest.strip_prefix(' ').unwrap_or(rest)))
            {
                ("", comment) if !comment.is_empty() => return Ok(Some(Item::Comment(comment.to_owned()))),
                ("event", name) => name.clone_into(&mut self.event),
                ("id", id) if !id.contains('\0') => self.id = Some(id.to_owned()),
                ("data", text) => self.add(text)?,
                _ => {}
            }
        }
    }

    fn add(&mut self, text: &str) -> Result<(), Failure> {
        let data = match self.data.take() {
            Some(data) => data + "\n" + text,
            None => text.to_owned(),
        };
        if data.len() > DATA_BYTES_MAX {
            return Err(too_large("message"));
        }
        self.data = Some(data);
        Ok(())
    }
}

fn too_large(what: &str) -> Failure {
    Failure::new(Exit::Failed, format!("the stream of events holds a {what} that is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(chunks: &[&str]) -> Vec<Item> {
        let mut reader = Reader::default();
        let mut items = Vec::new();
        for chunk in chunks {
            reader.take(&Bytes::from((*chunk).to_owned()));
            while let Some(item) = reader.next().unwrap() {
                items.push(item);
            }
        }
        items
    }

    #[test]
    fn messages_and_comments_come_out_wherever_the_bytes_were_cut() {
        let text =
            ":\n\nevent: on\ndata: true\nid: 7\n\n: gap 3\n\ndata: [1,\r\ndata: 2]\n\nretry: 5\n\n: lapsed on\n\n";
        let message = |event: &str, data: &str| Item::Message {
            event: event.to_owned(),
            data: data.to_owned(),
            id: Some("7".to_owned()),
        };
        let expected = [
            message("on", "true"),
            Item::Comment("gap 3".into()),
            message("", "[1,\n2]"),
            Item::Comment("lapsed on".into()),
        ];
        assert_eq!(items(&[text]), expected);
        let letters: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(items(&letters.iter().map(String::as_str).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_line_or_a_message_without_end_is_refused() {
        let mut reader = Reader::default();
        reader.take(&Bytes::from(vec![b'x'; LINE_BYTES_MAX + 1]));
        assert_eq!(reader.next().unwrap_err().exit, Exit::Failed);
        let mut reader = Reader::default();
        let line = Bytes::from(format!("data: {}\n", "x".repeat(LINE_BYTES_MAX / 2)));
        let mut refused = false;
        for _ in 0..10 {
            reader.take(&line);
            refused |= reader.next().is_err();
        }
        assert!(refused);
    }
}
