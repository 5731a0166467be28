//! `ssh://`: the system's `ssh` runs `docker system dial-stdio` at the other end, as the docker CLI
//! has it do.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::endpoint::Ssh;
use super::failure::Failure;
use super::text::{PEER_TEXT_LIMIT, sanitize};

/// The time that `ssh` gets for connecting and logging in, as the CLI's `ConnectTimeout`.
pub(crate) const CONNECT: Duration = Duration::from_secs(30);
/// The most of `ssh`'s standard error that is kept, in bytes: its end, where the reason stands.
const COMPLAINTS: usize = 8 << 10;

/// The process and its pipes as one stream; the process is killed when the stream is dropped.
pub(super) struct Pipe {
    _child: Child,
    out: ChildStdout,
    input: ChildStdin,
}

/// What `ssh` writes on its standard error.
pub(crate) struct Complaints {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Complaints {
    pub(crate) fn of(mut stderr: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&text);
        let reader = tokio::spawn(async move {
            let mut chunk = [0u8; 1024];
            // Reads on past the bound, so that a wordy peer does not block.
            while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&chunk[..count]);
                let excess = kept.len().saturating_sub(COMPLAINTS);
                kept.drain(..excess);
            }
        });
        Self { text, reader }
    }

    /// Its last words, once it has ended or after a moment; `None` if it said nothing.
    pub(crate) async fn reason(&mut self) -> Option<String> {
        let _ = timeout(Duration::from_millis(500), &mut self.reader).await;
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&text);
        let mut lines: Vec<&str> = text
            .lines()
            .rev()
            .map(|line| line.trim().trim_start_matches("ssh: "))
            .filter(|line| !line.is_empty())
            .take(2)
            .collect();
        lines.reverse();
        (!lines.is_empty()).then(|| sanitize(&lines.join("; "), PEER_TEXT_LIMIT))
    }
}

impl Drop for Complaints {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Starts `ssh`.
pub(super) fn open(ssh: &Ssh, at: &str) -> Result<(Pipe, Complaints), Failure> {
    let mut child = start(ssh, dial_stdio(ssh), at)?;
    match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
        (Some(input), Some(out), Some(stderr)) => Ok((Pipe { _child: child, out, input }, Complaints::of(stderr))),
        _ => Err(Failure::Ssh { at: at.to_owned(), why: "has no standard streams".into() }),
    }
}

/// The command that connects to the engine at the other end.
fn dial_stdio(ssh: &Ssh) -> String {
    match &ssh.socket {
        Some(path) => format!("docker {} system dial-stdio", quote(&format!("--host=unix://{path}"))),
        None => "docker system dial-stdio".to_owned(),
    }
}

/// Starts `ssh` with a command for the shell at the other end, its three streams piped. The process is killed when the
/// child is dropped.
///
/// # Errors
/// Where there is no `ssh` or it does not start.
pub(crate) fn start(ssh: &Ssh, command: String, at: &str) -> Result<Child, Failure> {
    let failed = |why: String| Failure::Ssh { at: at.to_owned(), why };
    let program =
        ssh.program.as_ref().ok_or_else(|| failed("no ssh program is in PATH; install an OpenSSH client".into()))?;
    Command::new(program)
        .args(arguments(ssh, command))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Its own group: an interrupt at our terminal is ours to handle.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("{} does not start: {error}", program.display())))
}

/// The arguments of `ssh`, in the CLI's order. No shell on this side sees them.
fn arguments(ssh: &Ssh, command: String) -> Vec<String> {
    let mut args = Vec::new();
    if let Some(user) = &ssh.user {
        args.extend(["-l".to_owned(), user.clone()]);
    }
    if let Some(port) = ssh.port {
        args.extend(["-p".to_owned(), port.to_string()]);
    }
    args.extend(["-o", "ConnectTimeout=30"].map(str::to_owned));
    // The CLI starts ssh without a terminal, so that it cannot ask; ours would keep one.
    args.extend(["-o", "BatchMode=yes", "-T", "--"].map(str::to_owned));
    args.push(ssh.host.clone());
    args.push(command);
    args
}

/// Quotes a word for the POSIX shell at the other end.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+:,./@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

mod stream {
    //! [`Pipe`](super::Pipe) as a stream of bytes.

    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::Pipe;

    impl AsyncRead for Pipe {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.out).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.input).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.input).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.input).poll_shutdown(cx)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(ssh: &Ssh) -> Vec<String> {
        super::arguments(ssh, dial_stdio(ssh))
    }

    fn plain(host: &str) -> Ssh {
        Ssh { program: None, user: None, host: host.into(), port: None, socket: None }
    }

    #[test]
    fn calls_ssh_as_the_cli_does() {
        assert_eq!(
            arguments(&plain("h")),
            ["-o", "ConnectTimeout=30", "-o", "BatchMode=yes", "-T", "--", "h", "docker system dial-stdio"]
        );
        let all = Ssh {
            user: Some("me".into()),
            port: Some(2222),
            socket: Some("/run/user/1000/docker.sock".into()),
            ..plain("h")
        };
        assert_eq!(arguments(&all)[..4], ["-l", "me", "-p", "2222"]);
        assert_eq!(
            arguments(&all).last().unwrap(),
            "docker --host=unix:///run/user/1000/docker.sock system dial-stdio"
        );
    }

    #[test]
    fn quotes_for_the_other_shell() {
        assert_eq!(quote("a b;$(id)"), "'a b;$(id)'");
        assert_eq!(quote("it's"), "'it'\\''s'");
        assert_eq!(quote(""), "''");
        let odd = Ssh { socket: Some("/a'; reboot '".into()), ..plain("h") };
        assert_eq!(arguments(&odd).last().unwrap(), "docker '--host=unix:///a'\\''; reboot '\\''' system dial-stdio");
    }
}
