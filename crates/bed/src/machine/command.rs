//! Programs that run inside the machine, and files that go in and out.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::channel::{Answer, Channel, OFF, Reply};
use super::{Machine, NAME, Power};

/// How long a command may take unless it is told otherwise.
const LIMIT: Duration = Duration::from_secs(120);

/// A file goes in by pieces of this size.
const PIECE: usize = 1 << 20;

/// What a program left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; of one that a signal ended, 128 and the signal's number.
    pub status: i32,
    /// What it said.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// A program whose end is not known, or that was killed when its time was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// One line.
    pub why: String,
    /// What it had said until then, as far as it came through.
    pub stdout: String,
    /// What it had complained of.
    pub stderr: String,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}\n{}{}", self.why, self.stdout, self.stderr)
    }
}

/// A program to run inside a machine, as root, in `/`.
pub struct Command<'a> {
    machine: &'a Machine,
    arguments: Vec<String>,
    input: Vec<u8>,
    limit: Duration,
}

impl Command<'_> {
    /// Gives it something to read; otherwise it reads an end.
    pub fn stdin(&mut self, input: impl Into<Vec<u8>>) -> &mut Self {
        self.input = input.into();
        self
    }

    /// Gives it another time than two minutes, in whole seconds. When that is over it is killed with its group.
    pub fn limit(&mut self, limit: Duration) -> &mut Self {
        self.limit = limit;
        self
    }

    /// Runs it as somebody else, with his home and his groups but without a login.
    pub fn user(&mut self, name: &str) -> &mut Self {
        let before = ["runuser", "-u", name, "--"].map(String::from);
        self.arguments.splice(0..0, before);
        self
    }

    /// Runs it and waits for its end.
    ///
    /// # Errors
    /// Where its time is over, the machine went off, or all ports are taken.
    pub fn try_run(&mut self) -> Result<Output, Unfinished> {
        let asked = self.ask().map_err(|why| Unfinished { why, stdout: String::new(), stderr: String::new() });
        let (mut channel, boot) = asked?;
        let reply = channel.answer(self.limit);
        finish(&self.machine.power, channel, boot, &self.arguments, self.limit, reply)
    }

    /// Runs it and waits for its end.
    ///
    /// # Panics
    /// Where its time is over, the machine went off, or all ports are taken.
    pub fn run(&mut self) -> Output {
        self.try_run().unwrap_or_else(|why| panic!("{NAME}: {why}"))
    }

    /// Starts it and goes on. Four commands can run at a time, with the waiting ones.
    ///
    /// # Panics
    /// Where the machine is off, or all ports are taken.
    pub fn start(&mut self) -> Running {
        let (mut channel, boot) = self.ask().unwrap_or_else(|why| panic!("{NAME}: {why}"));
        let (power, arguments, limit) = (Arc::clone(&self.machine.power), self.arguments.clone(), self.limit);
        let thread = std::thread::spawn(move || {
            let reply = channel.answer(limit);
            finish(&power, channel, boot, &arguments, limit, reply)
        });
        Running { thread }
    }

    fn ask(&self) -> Result<(Channel, u32), String> {
        let (mut channel, boot) = self.machine.power.take()?;
        let texts: Vec<&[u8]> =
            std::iter::once(self.input.as_slice()).chain(self.arguments.iter().map(String::as_bytes)).collect();
        let asked = channel.ask(b'r', self.limit, &texts);
        asked.map_err(|why| format!("{}: {why}", self.arguments.join(" ")))?;
        Ok((channel, boot))
    }
}

/// A program that runs while the test does something else.
pub struct Running {
    thread: JoinHandle<Result<Output, Unfinished>>,
}

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// Where its time is over, or the machine went off.
    pub fn wait(self) -> Result<Output, Unfinished> {
        self.thread.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))
    }

    /// Whether it has ended, or its machine.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }
}

fn finish(
    power: &Power,
    channel: Channel,
    boot: u32,
    arguments: &[String],
    limit: Duration,
    reply: Reply,
) -> Result<Output, Unfinished> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(reply.stdout), text(reply.stderr));
    let why = match reply.answer {
        Answer::Ended(status) => {
            power.give(channel, boot);
            let (signal, code) = (status & 0x7f, status >> 8 & 0xff);
            let status = if signal == 0 { code } else { 128 + signal };
            return Ok(Output { status: status.cast_signed(), stdout, stderr });
        }
        Answer::Late => {
            power.give(channel, boot);
            format!("not over after {} s", limit.as_secs())
        }
        Answer::Refused(why) => {
            power.give(channel, boot);
            why
        }
        Answer::Lost(why) => why,
    };
    Err(Unfinished { why: format!("{}: {why}", arguments.join(" ")), stdout, stderr })
}

impl Power {
    fn take(&self) -> Result<(Channel, u32), String> {
        let mut state = self.state();
        if state.qemu.is_none() {
            return Err(OFF.into());
        }
        let channel = state.channels.pop().ok_or("all ports are taken by commands that run")?;
        Ok((channel, state.boot))
    }

    fn give(&self, channel: Channel, boot: u32) {
        let mut state = self.state();
        if state.boot == boot && state.qemu.is_some() {
            state.channels.push(channel);
        }
    }
}

impl Machine {
    /// A program to run inside, with its arguments; no shell comes near them.
    pub fn command(&self, arguments: &[&str]) -> Command<'_> {
        let arguments = arguments.iter().map(|&text| text.to_owned()).collect();
        Command { machine: self, arguments, input: Vec::new(), limit: LIMIT }
    }

    /// Runs a program inside and waits for its end, for two minutes at most.
    ///
    /// # Panics
    /// Where its time is over, or the machine went off.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).run()
    }

    /// Runs a program that must succeed; what it said.
    ///
    /// # Panics
    /// Where it fails, its time is over, or the machine went off.
    pub fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status == 0, "{}: {}\n{}{}", arguments.join(" "), output.status, output.stdout, output.stderr);
        output.stdout
    }

    /// Writes a file of root's and syncs it: a power cut does not take it away. Its folder must be there.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn put(&self, path: &str, bytes: &[u8], mode: u32) {
        let written = self.put_from(path, bytes, mode);
        written.unwrap_or_else(|why| panic!("{NAME}: put {path}: {why}"));
    }

    /// Copies a program of this host's into `/usr/local/bin`, under its name. It runs there if its libraries are there:
    /// the machine's are Debian 12's.
    ///
    /// # Panics
    /// Where it cannot be read or written.
    pub fn install_program(&self, program: &Path) {
        let name = program.file_name().and_then(|name| name.to_str()).expect("a program's name");
        let file = File::open(program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mode = file.metadata().map_or(0o755, |about| about.permissions().mode() & 0o7777);
        let written = self.put_from(&format!("/usr/local/bin/{name}"), file, mode);
        written.unwrap_or_else(|why| panic!("{NAME}: install {}: {why}", program.display()));
    }

    /// The content of a file.
    ///
    /// # Panics
    /// Where it cannot be read.
    pub fn get(&self, path: &str) -> Vec<u8> {
        let reply = self.ask(b'g', &[path.as_bytes()]);
        reply.unwrap_or_else(|why| panic!("{NAME}: get: {why}")).stdout
    }

    fn put_from(&self, path: &str, mut from: impl Read, mode: u32) -> Result<(), String> {
        let fresh = format!("{path}.{NAME}-put");
        let mut piece = vec![0; PIECE];
        self.ask(b'u', &[fresh.as_bytes()])?;
        loop {
            let read = match from.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.map_err(|error| error.to_string())?,
            };
            self.ask(b'a', &[fresh.as_bytes(), &piece[..read]])?;
            if read == 0 {
                break;
            }
        }
        self.ask(b'm', &[fresh.as_bytes(), path.as_bytes(), format!("{mode:o}").as_bytes()]).map(drop)
    }

    fn ask(&self, letter: u8, texts: &[&[u8]]) -> Result<Reply, String> {
        let (mut channel, boot) = self.power.take()?;
        channel.ask(letter, LIMIT, texts)?;
        let reply = channel.answer(LIMIT);
        match reply.answer {
            Answer::Lost(why) => return Err(why),
            _ => self.power.give(channel, boot),
        }
        match reply.answer {
            Answer::Refused(why) => Err(why),
            Answer::Late => Err("it took too long".into()),
            _ => Ok(reply),
        }
    }
}
