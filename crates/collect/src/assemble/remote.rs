//! An engine over `ssh://`: Seaworthy at the other end reads it together with its host.
//!
//! It is the installed one, or with `--copy` this very program, put into a private temporary directory there and taken
//! away again by the same shell that runs it, also where it fails or the connection breaks.

use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use seaworthy_core::snapshot::Target;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::Options;
use crate::engine::ssh::{CONNECT, Complaints, quote, start};
use crate::engine::{Failure, PEER_TEXT_LIMIT, Ssh, sanitize};
use crate::packed::read_snapshot;

/// The most bytes that are read of what the other end prints: 64 MiB, compressed where it is large.
const MOST: u64 = 64 << 20;
/// The most bytes of this program that are copied: 1 GiB.
const MOST_COPIED: u64 = 1 << 30;
/// The time for copying this program, beyond that for connecting.
const COPYING: Duration = Duration::from_secs(300);
/// How many requests' time the whole may take; an engine that answers slowly is told by Seaworthy there.
const REQUESTS: u32 = 30;

/// What the shell exits with where there is no such program.
const NO_PROGRAM: i32 = 127;
/// What the copying shell exits with where it could not keep the program.
const NOT_KEPT: i32 = 125;
/// What the copying shell exits with where the machine is of another kind.
const OTHER_MACHINE: i32 = 124;

/// Why there is no target from the other end.
pub(super) enum Refused {
    /// `ssh` itself failed: the engine cannot be reached either.
    Ssh(Failure),
    /// Seaworthy could not be run there, or said nothing that can be used.
    Seaworthy(String),
}

/// What Seaworthy there collected: one target, with its own gaps.
pub(super) async fn collect(ssh: &Ssh, at: &str, options: &Options) -> Result<Target, Refused> {
    let installed = run(ssh, at, &with_arguments("seaworthy", ssh, options), None, options).await?;
    let why = match installed.target() {
        Ok(target) => return Ok(target),
        Err(why) if !options.copy && installed.status == Some(NO_PROGRAM) => {
            drop(why);
            return Err(Refused::Seaworthy("Seaworthy is not installed there: install it, or use --copy".into()));
        }
        Err(why) => why,
    };
    if !options.copy {
        return Err(Refused::Seaworthy(format!("Seaworthy there did not collect: {why}; update it, or use --copy")));
    }
    let program = own_program().map_err(|why| Refused::Seaworthy(format!("this program cannot be copied: {why}")))?;
    let script = copying(&with_arguments("\"$d/seaworthy\"", ssh, options), program.len());
    let copied = run(ssh, at, &format!("exec sh -c {}", quote(&script)), Some(&program), options).await?;
    copied.target().map_err(|why| Refused::Seaworthy(format!("the copy of Seaworthy did not collect there: {why}")))
}

/// This program, compressed as quickly as can be: the way to the other end is longer.
fn own_program() -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open("/proc/self/exe")?.take(MOST_COPIED + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_COPIED {
        return Err(std::io::Error::other("it is larger than 1 GiB"));
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut packer, &bytes)?;
    packer.finish()
}

/// The command line of `collect`; everything in it that came from an address is quoted.
fn with_arguments(program: &str, ssh: &Ssh, options: &Options) -> String {
    let mut line = format!("{program} collect --quiet --timeout {} -o -", options.timeout.as_secs().max(1));
    if options.deep {
        line.push_str(" --deep");
    }
    if let Some(socket) = &ssh.socket {
        line.push_str(" --docker ");
        line.push_str(&quote(&format!("unix://{socket}")));
    }
    line
}

/// A script that takes a packed program of `length` bytes from its input, runs `command` and removes what it made,
/// whatever happens. Nothing in it but `command` depends on an address.
fn copying(command: &str, length: usize) -> String {
    let machine = format!("Linux {}", std::env::consts::ARCH);
    format!(
        "[ \"$(uname -sm)\" = \"{machine}\" ] || {{ echo \"the machine there is $(uname -sm), this program is for {machine}\" >&2; exit {OTHER_MACHINE}; }}; \
         umask 077; d=$(mktemp -d) || exit {NOT_KEPT}; \
         trap 'rm -rf -- \"$d\"' EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM; trap 'exit 141' PIPE; \
         cat > \"$d/seaworthy.gz\" || exit {NOT_KEPT}; \
         [ \"$(wc -c < \"$d/seaworthy.gz\")\" -eq {length} ] || exit {NOT_KEPT}; \
         gzip -dc \"$d/seaworthy.gz\" > \"$d/seaworthy\" || exit {NOT_KEPT}; \
         rm -f -- \"$d/seaworthy.gz\"; chmod 700 \"$d/seaworthy\" || exit {NOT_KEPT}; {command}",
    )
}

/// What a command at the other end did.
struct Done {
    status: Option<i32>,
    out: Vec<u8>,
    too_long: bool,
    complaint: Option<String>,
}

impl Done {
    /// The one target of the snapshot that it printed; whatever it exited with, for an engine that could not be read is
    /// a target too.
    fn target(&self) -> Result<Target, String> {
        if self.too_long {
            return Err(format!("it printed more than {} MiB", MOST >> 20));
        }
        if self.out.is_empty() {
            return Err(self.silence());
        }
        let mut snapshot = read_snapshot(&self.out).map_err(|why| sanitize(&why, PEER_TEXT_LIMIT))?;
        match (snapshot.targets.pop(), snapshot.targets.len()) {
            (Some(target), 0) if target.platform == "docker" => Ok(target),
            _ => Err("its snapshot is not of one engine".into()),
        }
    }

    fn silence(&self) -> String {
        let said = self.complaint.as_ref().map_or_else(String::new, |c| format!(" ({c})"));
        match self.status {
            Some(OTHER_MACHINE) => self.complaint.clone().unwrap_or_else(|| "the machine is of another kind".into()),
            Some(NOT_KEPT) => format!("it could not be put into a temporary directory there{said}"),
            Some(126) => format!("it may not be executed there: the temporary directory may be mounted noexec{said}"),
            Some(status) => format!("it printed nothing and exited with {status}{said}"),
            None => format!("it was killed{said}"),
        }
    }
}

/// Runs a command at the other end with `input` as its standard input.
async fn run(ssh: &Ssh, at: &str, command: &str, input: Option<&[u8]>, options: &Options) -> Result<Done, Refused> {
    let most = CONNECT + options.timeout * REQUESTS + input.map_or(Duration::ZERO, |_| COPYING);
    let mut child = start(ssh, command.to_owned(), at).map_err(Refused::Ssh)?;
    let (Some(mut to), Some(from), Some(complaints)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Refused::Ssh(Failure::Ssh { at: at.to_owned(), why: "has no standard streams".into() }));
    };
    let mut complaints = Complaints::of(complaints);
    let work = async {
        let send = async {
            if let Some(input) = input {
                // A command that ends before it has read everything says why by itself.
                let _ = to.write_all(input).await;
            }
            drop(to);
        };
        let ((), out) = tokio::join!(send, bounded(from));
        let (out, too_long) = out?;
        if too_long {
            // It may be waiting to print the rest.
            child.start_kill()?;
        }
        let status = child.wait().await?;
        std::io::Result::Ok((out, too_long, status))
    };
    match tokio::time::timeout(most, work).await {
        Err(_) => Err(Refused::Seaworthy(format!("nothing came within {} s", most.as_secs()))),
        Ok(Err(error)) => Err(Refused::Ssh(Failure::Ssh { at: at.to_owned(), why: error.to_string() })),
        Ok(Ok((out, too_long, status))) => {
            let complaint = complaints.reason().await;
            // What ssh itself exits with.
            if status.code() == Some(255) && out.is_empty() {
                let why = complaint.unwrap_or_else(|| "ended without a reason".into());
                return Err(Refused::Ssh(Failure::Ssh { at: at.to_owned(), why }));
            }
            Ok(Done { status: status.code(), out, too_long, complaint })
        }
    }
}

/// At most [`MOST`] bytes of a stream, and whether there were more.
async fn bounded(from: impl AsyncRead + Unpin) -> std::io::Result<(Vec<u8>, bool)> {
    let mut out = Vec::new();
    from.take(MOST + 1).read_to_end(&mut out).await?;
    let too_long = out.len() as u64 > MOST;
    Ok((out, too_long))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(copy: bool) -> Options {
        Options { hosts: Vec::new(), context: None, root: None, deep: false, copy, timeout: Duration::from_secs(5) }
    }

    fn address(program: Option<std::path::PathBuf>, socket: Option<&str>) -> Ssh {
        Ssh { program, user: None, host: "h".into(), port: None, socket: socket.map(str::to_owned) }
    }

    /// An `ssh` that runs a script of the test's with the remote command as its last argument.
    fn ssh(script: &str) -> (tempfile::TempDir, Ssh) {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("ssh");
        std::fs::write(&program, format!("#!/bin/sh\nfor last; do :; done\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        (dir, address(Some(program), None))
    }

    async fn refusal(script: &str, copy: bool) -> String {
        let (_dir, ssh) = ssh(script);
        match collect(&ssh, "ssh://h", &options(copy)).await {
            Ok(target) => panic!("collected {target:?}"),
            Err(Refused::Ssh(failure)) => failure.to_string(),
            Err(Refused::Seaworthy(why)) => why,
        }
    }

    const EMPTY: &str = r#"{"schema":1,"tool":"0","collected_at":1,"targets":[{"name":"local","platform":"docker","address":"unix:///x","about":"","took_ms":1,"incomplete":{},"gaps":[],"components":[],"places":[]}]}"#;

    #[test]
    fn sockets_are_quoted_for_the_other_shell() {
        let line = with_arguments("seaworthy", &address(None, Some("/a b'; reboot")), &options(false));
        assert!(line.ends_with(" --docker 'unix:///a b'\\''; reboot'"), "{line}");
    }

    #[tokio::test]
    async fn what_is_printed_there_is_the_target() {
        let (_dir, ssh) = ssh(&format!("printf '%s' '{EMPTY}'; exit 2"));
        let Ok(target) = collect(&ssh, "ssh://h", &options(false)).await else { panic!("refused") };
        assert_eq!(target.address, "unix:///x");
    }

    #[tokio::test]
    async fn refusals_say_what_to_do() {
        let line = refusal("exit 127", false).await;
        assert!(line.contains("install it, or use --copy"), "{line}");
        let line = refusal("printf '\\033[31mHost key verification failed.\\n' >&2; exit 255", false).await;
        assert_eq!(line, "ssh://h: ssh: \\u{1b}[31mHost key verification failed.");
        for printed in ["{}", "HTTP/1.1 400", "{\\\"schema\\\":99}", "\\037\\213xx"] {
            let line = refusal(&format!("printf \"{printed}\""), false).await;
            assert!(line.starts_with("Seaworthy there did not collect: ") && !line.contains('\n'), "{line}");
        }
        let line = refusal(&format!("printf '%s' '{}'", EMPTY.replace("docker", "boat")), false).await;
        assert!(line.contains("not of one engine"), "{line}");
        let line = refusal("cat /dev/zero", false).await;
        assert!(line.contains("more than 64 MiB"), "{line}");
    }

    #[tokio::test]
    async fn a_copy_is_taken_away_also_where_it_fails() {
        let tmp = tempfile::tempdir().unwrap();
        let at = tmp.path().display();
        // The test's own program takes no such arguments and fails; the shell there is this machine's.
        let run = format!("case $last in seaworthy*) exit 127;; esac; export TMPDIR={at}; exec sh -c \"$last\"");
        let line = refusal(&run, true).await;
        assert!(line.starts_with("the copy of Seaworthy did not collect there: it printed nothing"), "{line}");
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
        // Torn on the way: never executed.
        let torn =
            format!("case $last in seaworthy*) exit 127;; esac; export TMPDIR={at}; head -c 1000 | sh -c \"$last\"");
        let line = refusal(&torn, true).await;
        assert!(line.contains("could not be put into a temporary directory"), "{line}");
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
    }
}
