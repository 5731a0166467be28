//! Starting the shadow and ending it.

use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, mount};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::candidate::{HOME, Part};
use super::{Real, canary, stage, words};
use crate::engine::Engine;
use crate::process::{Limits, Process};

/// The most that is kept of what the engine logs, in bytes: its end.
const LOG: usize = 256 << 10;

/// Why no shadow passed.
pub(super) enum Why {
    /// This host allows none.
    Impossible(String),
    /// It failed, with the cause.
    Failed(String),
}

/// Starts the shadow, runs the canary in it and ends it.
pub(super) fn boot(real: &Real, part: &Part, limit: Duration) -> Result<(), Why> {
    let shadow = Shadow::start(real, part)?;
    let engine = Engine::at(&shadow.socket()).map_err(|f| Why::Impossible(f.0))?;
    let began = Instant::now();
    while !engine.is_up() {
        if shadow.has_ended() {
            return Err(Why::Failed(shadow.cause().unwrap_or_else(|| "the engine ends without a word".into())));
        }
        if began.elapsed() > limit {
            let last = shadow.cause().map(|line| format!("; its last word: {line}")).unwrap_or_default();
            return Err(Why::Failed(format!("the engine does not answer within {} s{last}", limit.as_secs())));
        }
        sleep(Duration::from_millis(25));
    }
    canary::sing(&engine, part).map_err(Why::Failed)
}

/// A shadow that ends, with all that it started, when dropped.
struct Shadow {
    pid: u32,
    /// Tells the thread that holds the namespaces to end it.
    end: Option<mpsc::Sender<()>>,
    holder: Option<JoinHandle<()>>,
    reader: Option<JoinHandle<()>>,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Shadow {
    fn start(real: &Real, part: &Part) -> Result<Self, Why> {
        let command = command(real, part)?;
        let (file, limits) = (part.file.clone(), real.limits.clone());
        let (end, ended) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        // The namespaces are this thread's alone; it ends the shadow when it is told to, or when we are gone.
        let holder = thread::Builder::new().name("shadow".into()).spawn(move || {
            let started = stage::set().and_then(|()| start(command, &file, limits));
            match started {
                Ok(mut child) => {
                    let _ = tell.send(Ok((child.id(), child.stderr.take())));
                    let _ = ended.recv();
                    let _ = child.kill();
                    let _ = child.wait();
                }
                Err(why) => {
                    let _ = tell.send(Err(why));
                }
            }
        });
        let holder = holder.map_err(|e| Why::Impossible(format!("start a thread: {e}")))?;
        let gone = |_| Why::Impossible("the thread that holds the shadow is gone".into());
        let (pid, stderr) = told.recv().map_err(gone)?.map_err(Why::Impossible)?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        let reader = stderr.map(|stream| thread::spawn(move || follow(stream, &kept)));
        Ok(Self { pid, end: Some(end), holder: Some(holder), reader, log })
    }

    /// Its socket, seen through its own root directory.
    fn socket(&self) -> PathBuf {
        format!("/proc/{}/root{HOME}/docker.sock", self.pid).into()
    }

    fn has_ended(&self) -> bool {
        Process::of(self.pid).is_none()
    }

    /// What its log gives as the cause; waits for the end of the log where the engine has ended.
    fn cause(&self) -> Option<String> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.has_ended() && self.reader.as_ref().is_some_and(|r| !r.is_finished()) && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
        }
        words::cause(&String::from_utf8_lossy(&self.log.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        self.end = None;
        for thread in [self.holder.take(), self.reader.take()].into_iter().flatten() {
            let _ = thread.join();
        }
    }
}

/// The engine's program with the shadow's arguments and the real one's environment, but for what leads out.
fn command(real: &Real, part: &Part) -> Result<Command, Why> {
    let mut command = Command::new(&real.program);
    command.arg0(real.arguments.first().map_or("dockerd", String::as_str)).args(&part.arguments).env_clear();
    let leads_out = ["NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "DOCKER_TMPDIR", "TMPDIR", "DOCKER_HOST"];
    let mut has_path = false;
    for variable in &real.environment {
        let Some(at) = variable.iter().position(|b| *b == b'=') else { continue };
        let (name, value) = (&variable[..at], &variable[at + 1..]);
        let text = String::from_utf8_lossy(name);
        if leads_out.contains(&text.as_ref()) || text.starts_with("LISTEN_") || text.starts_with("DBUS_") {
            continue;
        }
        has_path |= text == "PATH";
        command.env(os(name), os(value));
    }
    if !has_path {
        command.env("PATH", crate::program::PATH);
    }
    command.env("TMPDIR", format!("{HOME}/tmp")).current_dir("/");
    Ok(command)
}

fn os(bytes: &[u8]) -> std::ffi::OsString {
    std::ffi::OsString::from_vec(bytes.to_vec())
}

#[allow(unsafe_code, reason = "the process must do some things between fork and exec that std has no words for")]
fn start(mut command: Command, file: &[u8], limits: Limits) -> Result<Child, String> {
    std::fs::write(format!("{HOME}/daemon.json"), file).map_err(|e| format!("write the candidate: {e}"))?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let prepare = move || {
        limits.set();
        // It ends with us; and it sees the processes of its own namespace, which only one of them can mount.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount(c"proc", c"/proc", c"proc", flags, None)?;
        rustix::process::setsid()?;
        Ok(())
    };
    // SAFETY: system calls on what is there already: nothing is allocated or freed, and no lock is taken.
    unsafe { command.pre_exec(prepare) };
    command.spawn().map_err(|e| format!("start {}: {e}", command.get_program().to_string_lossy()))
}

/// Keeps the end of a log until its writers have ended.
fn follow(mut stream: impl std::io::Read, log: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 8192];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(&buffer[..n]);
        let over = log.len().saturating_sub(LOG);
        log.drain(..over);
    }
}
