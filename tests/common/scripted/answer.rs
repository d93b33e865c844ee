//! The words for what a scripted HTTP server answers: right, slow, in pieces, wrong, or not at all.
//!
//! Owns: the bytes of an answer and when they go out. `http` owns the connections.

#![forbid(unsafe_code)]

use std::io::Write;
use std::time::Duration;

use super::bell::Gate;
use super::script::Script;

/// What is done about one request.
pub struct Answer {
    pub(super) steps: Vec<Step>,
    pub(super) end: AnswerEnd,
}

pub(super) enum Step {
    Bytes(Vec<u8>),
    Pause(Duration),
    Wait(Gate),
    /// Goes on with what this gives, as soon as it gives something.
    Later(Box<dyn FnMut() -> Option<Answer> + Send>),
}

/// What becomes of the connection behind the answer.
pub(super) enum AnswerEnd {
    Keep,
    Close,
    Reset,
    /// It stays, and nothing more is answered on it.
    Silence,
    /// It is a websocket's, or whatever the script makes of it.
    Script(Script),
}

impl Answer {
    /// Status 200 with a text and its length.
    pub fn ok(body: impl Into<Vec<u8>>) -> Answer {
        Answer::status("200 OK", body)
    }

    /// A status such as "400 Bad Request", and a body with its length.
    pub fn status(status: &str, body: impl Into<Vec<u8>>) -> Answer {
        Head::new(status).header("Content-Type: text/plain; charset=UTF-8").body(body)
    }

    /// An error as Engine.IO servers tell it.
    pub fn error(code: u32, message: &str) -> Answer {
        let body = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        Head::new("400 Bad Request").header("Content-Type: application/json").body(body)
    }

    /// The start of one with headers of its own.
    pub fn head(status: &str) -> Head {
        Head::new(status)
    }

    /// These bytes, whatever they are; the connection stays.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Answer {
        Answer { steps: vec![Step::Bytes(bytes.into())], end: AnswerEnd::Keep }
    }

    /// None, and the connection is closed.
    pub fn none() -> Answer {
        Answer::raw("").then_close()
    }

    /// None, and the connection stays.
    pub fn silence() -> Answer {
        Answer { steps: Vec::new(), end: AnswerEnd::Silence }
    }

    /// The connection follows a script, of which the request was read already.
    pub fn script(script: Script) -> Answer {
        Answer { steps: Vec::new(), end: AnswerEnd::Script(script) }
    }

    /// The one that `find` gives as soon as it gives one.
    pub fn later(find: impl FnMut() -> Option<Answer> + Send + 'static) -> Answer {
        Answer { steps: vec![Step::Later(Box::new(find))], end: AnswerEnd::Keep }
    }

    // ---- time ----

    /// The same after that time.
    pub fn after(mut self, pause: Duration) -> Answer {
        self.steps.insert(0, Step::Pause(pause));
        self
    }

    /// The same when the gate is open.
    pub fn when(mut self, gate: &Gate) -> Answer {
        self.steps.insert(0, Step::Wait(gate.clone()));
        self
    }

    /// The same a few bytes at a time, with a pause after each piece.
    pub fn dripped(mut self, piece: usize, pause: Duration) -> Answer {
        let steps = std::mem::take(&mut self.steps).into_iter().flat_map(|step| match step {
            Step::Bytes(bytes) => bytes
                .chunks(piece.max(1))
                .flat_map(|piece| [Step::Bytes(piece.to_vec()), Step::Pause(pause)])
                .collect(),
            other => vec![other],
        });
        self.steps = steps.collect();
        self
    }

    /// Holds the bytes from this one on back until the gate is open.
    pub fn held_from(mut self, byte: usize, gate: &Gate) -> Answer {
        if let Some(Step::Bytes(bytes)) = self.steps.pop() {
            let (first, rest) = bytes.split_at(byte.min(bytes.len()));
            self.steps.push(Step::Bytes(first.to_vec()));
            self.steps.push(Step::Wait(gate.clone()));
            self.steps.push(Step::Bytes(rest.to_vec()));
        }
        self
    }

    // ---- ends ----

    /// Only the first bytes of it, and then the connection is closed.
    pub fn cut(mut self, bytes: usize) -> Answer {
        if let Some(Step::Bytes(all)) = self.steps.last_mut() {
            all.truncate(bytes);
        }
        self.then_close()
    }

    /// The same without its last bytes, and then the connection is closed.
    pub fn cut_short(self, by: usize) -> Answer {
        let length = match self.steps.last() {
            Some(Step::Bytes(all)) => all.len(),
            _ => 0,
        };
        self.cut(length.saturating_sub(by))
    }

    /// The connection is closed behind it, though the client was not told.
    pub fn then_close(mut self) -> Answer {
        self.end = AnswerEnd::Close;
        self
    }

    /// The connection is reset behind it.
    pub fn then_reset(mut self) -> Answer {
        self.end = AnswerEnd::Reset;
        self
    }

    /// Nothing more is answered on the connection.
    pub fn then_silence(mut self) -> Answer {
        self.end = AnswerEnd::Silence;
        self
    }
}

/// Status line and headers, before the body makes an answer of them.
pub struct Head {
    text: String,
}

impl Head {
    fn new(status: &str) -> Head {
        Head { text: format!("HTTP/1.1 {status}\r\n") }
    }

    /// One more header, such as "Set-Cookie: a=b".
    pub fn header(mut self, line: &str) -> Head {
        self.text.push_str(line);
        self.text.push_str("\r\n");
        self
    }

    /// An answer of HTTP/1.0.
    pub fn http_1_0(mut self) -> Head {
        self.text = self.text.replacen("HTTP/1.1", "HTTP/1.0", 1);
        self
    }

    /// The body with its length.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let head = format!("{}Content-Length: {}\r\n\r\n", self.text, body.len());
        Answer::raw([head.as_bytes(), &body].concat())
    }

    /// A body of which another length is told.
    pub fn body_of_length(self, length: usize, body: impl Into<Vec<u8>>) -> Answer {
        let head = format!("{}Content-Length: {length}\r\n\r\n", self.text);
        Answer::raw([head.as_bytes(), &body.into()].concat())
    }

    /// The body in chunks of that size.
    pub fn chunked(self, body: impl Into<Vec<u8>>, size: usize) -> Answer {
        let mut bytes = format!("{}Transfer-Encoding: chunked\r\n\r\n", self.text).into_bytes();
        for chunk in body.into().chunks(size.max(1)) {
            bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            bytes.extend([chunk, b"\r\n"].concat());
        }
        bytes.extend(b"0\r\n\r\n");
        Answer::raw(bytes)
    }

    /// A body without a length, which ends with the connection.
    pub fn until_close(self, body: impl Into<Vec<u8>>) -> Answer {
        let head = format!("{}\r\n", self.text);
        Answer::raw([head.as_bytes(), &body.into()].concat()).then_close()
    }

    /// The body compressed, with its length.
    pub fn gzip(self, body: impl AsRef<[u8]>) -> Answer {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body.as_ref()).expect("a vector takes everything");
        let packed = encoder.finish().expect("a vector takes everything");
        self.header("Content-Encoding: gzip").body(packed)
    }

    /// The same as zlib does it, which HTTP calls "deflate".
    pub fn deflate(self, body: impl AsRef<[u8]>) -> Answer {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body.as_ref()).expect("a vector takes everything");
        let packed = encoder.finish().expect("a vector takes everything");
        self.header("Content-Encoding: deflate").body(packed)
    }
}
