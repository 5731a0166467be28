//! One port to the agent inside the machine (`machine/agent.pl` tells the protocol).

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a program may say at most, and how large a file may be that is read.
const MOST: usize = 512 << 20;

/// How long an answer may be late beyond the limit that the agent itself holds.
const GRACE: Duration = Duration::from_secs(60);

/// How a request ended.
pub(super) enum Answer {
    /// With a wait status.
    Ended(u32),
    /// The agent killed the program when its time was over.
    Late,
    /// The agent could not do it, and says why.
    Refused(String),
    /// No end came through, and why.
    Lost(String),
}

/// What came of a request.
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

pub(super) struct Channel {
    stream: UnixStream,
    last: u32,
}

impl Channel {
    pub(super) fn open(socket: &Path) -> io::Result<Self> {
        Ok(Self { stream: UnixStream::connect(socket)?, last: 0 })
    }

    /// Sends a request without waiting for its answer.
    pub(super) fn ask(&mut self, letter: u8, limit: Duration, texts: &[&[u8]]) -> Result<(), String> {
        self.last += 1;
        let seconds = u32::try_from(limit.as_secs().max(1)).unwrap_or(u32::MAX);
        let mut body = [self.last.to_be_bytes(), seconds.to_be_bytes()].concat();
        body.push(letter);
        for text in texts {
            let length = u32::try_from(text.len()).map_err(|_| "a request of more than 4 GiB".to_owned())?;
            body.extend(length.to_be_bytes());
            body.extend_from_slice(text);
        }
        let length = u32::try_from(body.len()).map_err(|_| "a request of more than 4 GiB".to_owned())?;
        self.stream.set_write_timeout(Some(limit + GRACE)).map_err(|error| error.to_string())?;
        let sent = self.stream.write_all(&length.to_be_bytes()).and_then(|()| self.stream.write_all(&body));
        sent.map_err(|error| said(&error))
    }

    /// Waits for the end of the last request.
    pub(super) fn answer(&mut self, limit: Duration) -> Reply {
        let deadline = Instant::now() + limit + GRACE;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let answer = loop {
            match self.frame(deadline) {
                Err(why) => break Answer::Lost(why),
                Ok((id, ..)) if id != self.last => {}
                Ok((.., bytes)) if stdout.len() + stderr.len() + bytes.len() > MOST => {
                    break Answer::Lost(format!("more than {MOST} bytes of output"));
                }
                Ok((_, b'o', bytes)) => stdout.extend(bytes),
                Ok((_, b'e', bytes)) => stderr.extend(bytes),
                Ok((_, letter, bytes)) => break end(letter, &bytes),
            }
        };
        Reply { answer, stdout, stderr }
    }

    /// Whether the agent answered the last request, a ping, within `patience`.
    pub(super) fn pong(&mut self, patience: Duration) -> Result<bool, String> {
        self.stream.set_read_timeout(Some(patience)).map_err(|error| error.to_string())?;
        let mut first = [0];
        match rustix::net::recv(&self.stream, &mut first, rustix::net::RecvFlags::PEEK) {
            Ok((0, _)) => Err(OFF.into()),
            Ok(_) => match self.answer(Duration::ZERO).answer {
                Answer::Ended(_) | Answer::Late => Ok(true),
                Answer::Refused(why) | Answer::Lost(why) => Err(why),
            },
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(said(&error.into())),
        }
    }

    fn frame(&mut self, deadline: Instant) -> Result<(u32, u8, Vec<u8>), String> {
        let mut head = [0; 9];
        self.fill(&mut head, deadline)?;
        let (Some(id), Some(length)) = (number(&head[..4]), number(&head[5..])) else { return Err("no frame".into()) };
        if length as usize > MOST {
            return Err(format!("a frame of {length} bytes"));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes, deadline)?;
        Ok((id, head[4], bytes))
    }

    fn fill(&mut self, bytes: &mut [u8], deadline: Instant) -> Result<(), String> {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
        self.stream.read_exact(bytes).map_err(|error| said(&error))
    }
}

fn end(letter: u8, bytes: &[u8]) -> Answer {
    match (letter, number(bytes)) {
        (b'x', Some(status)) => Answer::Ended(status),
        (b't', _) => Answer::Late,
        (b'p', _) => Answer::Ended(0),
        (b'f', _) => Answer::Refused(String::from_utf8_lossy(bytes).trim().to_owned()),
        _ => Answer::Lost(format!("an answer that is none: {:?}", char::from(letter))),
    }
}

/// What the errors of a machine that is not there begin with.
pub(super) const OFF: &str = "the machine is off";

fn said(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => OFF.into(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "the machine does not answer".into(),
        _ => format!("the machine's port: {error}"),
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
