//! From bytes to parts (RFC 2046, section 5.1), without waiting for any.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use protocol::limits;

use super::{Part, disposition};

/// Takes bytes as they come.
#[derive(Debug)]
pub(super) struct Parser {
    /// A line break, two hyphens and the boundary.
    delimiter: Vec<u8>,
    /// What has come and was not given on yet.
    buffer: BytesMut,
    state: State,
    n_bytes: u64,
    n_parts: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first delimiter.
    Preamble,
    /// Behind a delimiter, which may have been the last.
    Delimiter,
    /// Within the headers of a part.
    Headers,
    /// Within a part.
    Content,
    /// Behind the last delimiter. What follows is not looked at.
    End,
}

/// What the parser has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A part begins.
    Part(Part),
    /// Bytes of it.
    Data(Bytes),
    /// It ends.
    PartEnd,
    /// The last part has ended.
    End,
}

/// Why the parser goes no further.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Objection {
    Ended,
    Malformed(&'static str),
    /// Too much before the first part.
    Preamble,
    /// Too long headers.
    Headers,
    /// Too many parts.
    Parts,
    /// Too much of everything together.
    Whole,
}

const LINE_BREAK: &[u8] = b"\r\n";
const END_OF_HEADERS: &[u8] = b"\r\n\r\n";

impl Parser {
    pub(super) fn new(boundary: &str) -> Self {
        Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first delimiter may stand at the very beginning, where no line ends.
            buffer: LINE_BREAK.into(),
            state: State::Preamble,
            n_bytes: 0,
            n_parts: 0,
        }
    }

    /// Takes more bytes, after [`Parser::next`] has said that it needs them.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Objection> {
        self.n_bytes += bytes.len() as u64;
        if self.n_bytes > limits::MAX_UPLOAD_BYTES {
            return Err(Objection::Whole);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// What comes next; `None` when that takes more bytes.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Objection> {
        loop {
            let state = self.state;
            let event = match state {
                State::Preamble => self.preamble().map(|()| None),
                State::Delimiter => self.delimiter(),
                State::Headers => self.headers(),
                State::Content => Ok(self.content()),
                State::End => Ok(Some(Event::End)),
            }?;
            if event.is_some() || self.state == state {
                return Ok(event);
            }
        }
    }

    fn preamble(&mut self) -> Result<(), Objection> {
        let found = memmem::find(&self.buffer, &self.delimiter);
        let n_bytes = found.unwrap_or(self.buffer.len().saturating_sub(self.delimiter.len()));
        if n_bytes > limits::MAX_UPLOAD_PREAMBLE_BYTES {
            return Err(Objection::Preamble);
        }
        if let Some(at) = found {
            let _ = self.buffer.split_to(at + self.delimiter.len());
            self.state = State::Delimiter;
        }
        Ok(())
    }

    fn delimiter(&mut self) -> Result<Option<Event>, Objection> {
        // Section 5.1.1: hyphens behind the last one; else white space, which nobody sends, and a line break.
        if self.buffer.starts_with(b"--") {
            self.state = State::End;
            self.buffer.clear();
            return Ok(Some(Event::End));
        }
        let n_spaces = self
            .buffer
            .iter()
            .take_while(|&&byte| byte == b' ' || byte == b'\t')
            .count();
        if n_spaces > limits::MAX_PART_HEADER_BYTES {
            return Err(Objection::Headers);
        }
        match &self.buffer[n_spaces..] {
            [b'\r', b'\n', ..] => {
                let _ = self.buffer.split_to(n_spaces);
                self.state = State::Headers;
                Ok(None)
            }
            [] | [b'\r'] => Ok(None),
            [b'-'] if n_spaces == 0 => Ok(None),
            _ => Err(Objection::Malformed(
                "a boundary is followed by neither a line break nor `--`",
            )),
        }
    }

    fn headers(&mut self) -> Result<Option<Event>, Objection> {
        // The line break behind the delimiter is still there, so that a part without headers is none of a kind.
        let found = memmem::find(&self.buffer, END_OF_HEADERS);
        if found.unwrap_or(self.buffer.len().saturating_sub(END_OF_HEADERS.len()))
            > limits::MAX_PART_HEADER_BYTES
        {
            return Err(Objection::Headers);
        }
        let Some(at) = found else { return Ok(None) };
        self.n_parts += 1;
        if self.n_parts > limits::MAX_UPLOAD_PARTS {
            return Err(Objection::Parts);
        }
        let headers = self.buffer.split_to(at + END_OF_HEADERS.len());
        self.state = State::Content;
        Ok(Some(Event::Part(disposition::part(&headers))))
    }

    fn content(&mut self) -> Option<Event> {
        match memmem::find(&self.buffer, &self.delimiter) {
            Some(0) => {
                let _ = self.buffer.split_to(self.delimiter.len());
                self.state = State::Delimiter;
                Some(Event::PartEnd)
            }
            Some(at) => Some(Event::Data(self.buffer.split_to(at).freeze())),
            None => {
                // The beginning of a delimiter may be all that has come of it.
                let sure = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
                (sure > 0).then(|| Event::Data(self.buffer.split_to(sure).freeze()))
            }
        }
    }

    /// As if so many bytes had come before.
    #[cfg(test)]
    pub(super) fn after(self, n_bytes: u64) -> Self {
        Self { n_bytes, ..self }
    }

    #[cfg(test)]
    pub(super) fn n_kept(&self) -> usize {
        self.buffer.len()
    }
}
