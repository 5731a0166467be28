//! Starting a program in the surroundings of one that ends.

use std::io::{PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Signal, chroot, fchdir, pidfd_send_signal, setsid, umask};
use rustix::thread::move_into_link_name_space;

use crate::process::Limits;
use crate::{At as _, Failure};

/// What a program is started in.
pub(super) struct Launch {
    /// The namespaces that it enters, in this order.
    pub(super) namespaces: Vec<OwnedFd>,
    /// Its root directory; none is ours.
    pub(super) root: Option<OwnedFd>,
    /// Its working directory; none is `/`.
    pub(super) directory: Option<OwnedFd>,
    /// Its standard input, output and error.
    pub(super) stdio: [Stdio; 3],
    /// What it may use.
    pub(super) limits: Limits,
    /// The permission bits that its new files do not get.
    pub(super) mask: u32,
    /// The process that it follows, and how long that may take to end.
    pub(super) after: Option<(OwnedFd, Duration)>,
}

impl Launch {
    /// Starts the program, detached, once the one before has ended.
    ///
    /// The new process is made first and waits, in its surroundings, for the end of the old one, which is only then asked
    /// to end (SIGTERM): whatever happens to us meanwhile, the engine comes back. What does not end in time is killed, as
    /// systemd would do it; `deaf` is told before. `surround` is given the new process while it waits.
    ///
    /// # Errors
    /// Where the new one cannot be made ready: the old one was left alone then; or the program does not start.
    pub(super) fn run(mut self, mut command: Command, surround: &dyn Fn(u32), deaf: &dyn Fn()) -> Result<(), Failure> {
        let name = format!("start {}", command.get_program().to_string_lossy());
        let (mut told, ready) = std::io::pipe().at(|| name.clone())?;
        let after = match &self.after {
            Some((process, limit)) => Some((process.try_clone().at(|| name.clone())?, *limit)),
            None => None,
        };
        let [input, output, error] = std::mem::replace(&mut self.stdio, [Stdio::null(), Stdio::null(), Stdio::null()]);
        command.stdin(input).stdout(output).stderr(error);
        self.prepare(&mut command, ready);
        // Its fork is over when the program runs, and that is when the old one has ended.
        let started = std::thread::spawn(move || {
            // What is waited for is the process between, which has ended by then.
            let between = command.spawn().and_then(|mut between| between.wait());
            drop(command);
            between
        });
        let mut pid = [0; 4];
        if told.read_exact(&mut pid).is_ok() {
            surround(u32::from_le_bytes(pid));
            if let Some((process, limit)) = &after {
                let _ = pidfd_send_signal(process, Signal::TERM);
                if !ends(process, *limit) {
                    deaf();
                    let _ = pidfd_send_signal(process, Signal::KILL);
                }
            }
        }
        started.join().map_err(|_| Failure(format!("{name}: a thread is gone")))?.map(drop).at(|| name)
    }

    #[allow(unsafe_code, reason = "the new process must enter its surroundings between fork and exec")]
    fn prepare(self, command: &mut Command, mut ready: PipeWriter) {
        let prepare = move || {
            setsid()?;
            // A child of a child belongs to nobody: init waits for its end, as for every daemon's. As a child of ours it
            // would stay a number in the process table, and the next start would take that for a running engine.
            between()?;
            for namespace in &self.namespaces {
                move_into_link_name_space(namespace.as_fd(), None)?;
            }
            if let Some(root) = &self.root {
                fchdir(root)?;
                chroot(c".")?;
            }
            match &self.directory {
                Some(directory) => fchdir(directory)?,
                None => rustix::process::chdir(c"/")?,
            }
            self.limits.set();
            umask(Mode::from_raw_mode(self.mask));
            ready.write_all(&std::process::id().to_le_bytes())?;
            match &self.after {
                // A little longer than the one that would kill it waits; where that one is gone, nothing is started
                // beside an engine that does not end.
                Some((process, limit)) if !ends(process, *limit + Duration::from_secs(60)) => {
                    Err(Errno::TIMEDOUT.into())
                }
                _ => Ok(()),
            }
        };
        // SAFETY: system calls on what is there already, without allocation or lock: descriptors, constant paths, a
        // write to a pipe, getpid.
        unsafe { command.pre_exec(prepare) };
    }
}

/// Forks, and ends in the parent.
#[allow(unsafe_code, reason = "neither std nor rustix can fork")]
fn between() -> std::io::Result<()> {
    // SAFETY: without flags and a stack of its own this is fork, without what glibc does around it, which is for other
    // threads; there are none here, between fork and exec. The parent ends at once and runs no destructor.
    match unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } {
        0 => Ok(()),
        -1 => Err(std::io::Error::last_os_error()),
        _ => unsafe { libc::_exit(0) },
    }
}

/// Waits for the end of a process. Neither allocates nor locks.
fn ends(process: &OwnedFd, limit: Duration) -> bool {
    let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: 0 };
    let mut waited = [PollFd::new(process, PollFlags::IN)];
    loop {
        match poll(&mut waited, Some(&limit)) {
            Ok(ready) => return ready > 0,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::process::ExitStatusExt as _;

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    fn launch(after: Option<(OwnedFd, Duration)>, log: &std::path::Path) -> Launch {
        let log = File::options().create(true).append(true).open(log).unwrap();
        Launch {
            namespaces: Vec::new(),
            root: None,
            directory: None,
            stdio: [Stdio::null(), log.into(), Stdio::null()],
            limits: Limits::default(),
            mask: 0o077,
            after,
        }
    }

    fn handle(pid: u32) -> OwnedFd {
        pidfd_open(Pid::from_raw(pid as i32).unwrap(), PidfdFlags::empty()).unwrap()
    }

    fn said(log: &std::path::Path) -> String {
        (0..1000)
            .find_map(|_| {
                std::thread::sleep(Duration::from_millis(10));
                std::fs::read_to_string(log).ok().filter(|text| text.ends_with('\n'))
            })
            .unwrap_or_default()
    }

    #[test]
    fn the_new_one_starts_when_the_old_one_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut old = Command::new("sleep").arg("600").spawn().unwrap();
        let after = Some((handle(old.id()), Duration::from_secs(60)));
        let mut command = Command::new("sh");
        command.args(["-c", "umask; pwd; echo $A"]).env_clear().env("A", "b").env("PATH", crate::program::PATH);
        launch(after, &log).run(command, &|pid| assert!(pid > 0), &|| panic!("it ends")).unwrap();
        assert_eq!(old.try_wait().unwrap().and_then(|s| s.signal()), Some(15));
        assert_eq!(said(&log), "0077\n/\nb\n");
    }

    #[test]
    fn an_old_one_that_does_not_end_is_killed_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let deaf = "trap '' TERM; echo; while :; do sleep 1; done";
        let said_by_old = dir.path().join("old");
        let mut old = Command::new("sh");
        let mut old = old.args(["-c", deaf]).stdout(File::create(&said_by_old).unwrap()).spawn().unwrap();
        assert_eq!(said(&said_by_old), "\n");
        let after = Some((handle(old.id()), Duration::from_secs(1)));
        let mut command = Command::new("echo");
        command.arg("up");
        let told = std::cell::Cell::new(false);
        launch(after, &log).run(command, &|_| {}, &|| told.set(true)).unwrap();
        assert!(told.get());
        assert_eq!(old.wait().unwrap().signal(), Some(9));
        assert_eq!(said(&log), "up\n");
    }

    #[test]
    fn where_the_new_one_cannot_be_made_ready_the_old_one_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut old = Command::new("sleep").arg("600").spawn().unwrap();
        let after = Some((handle(old.id()), Duration::from_secs(60)));
        let mut bad = launch(after, &dir.path().join("log"));
        // No namespace at all.
        bad.namespaces.push(File::open("/dev/null").unwrap().into());
        let run = bad.run(Command::new("true"), &|_| panic!("it is not ready"), &|| {});
        assert!(run.unwrap_err().0.contains("start true"));
        assert!(old.try_wait().unwrap().is_none());
        old.kill().unwrap();
        old.wait().unwrap();
    }
}
