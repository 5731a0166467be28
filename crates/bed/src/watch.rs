//! Which processes a program starts, as the kernel's own events tell it: nothing is traced, and nothing runs slower.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::netlink::{CONNECTOR, SocketAddrNetlink};
use rustix::net::sockopt::{
    Timeout, set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, set_socket_timeout,
};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with};

/// `CN_IDX_PROC` and `CN_VAL_PROC`, as in `linux/connector.h`.
const PROCESSES: [u32; 2] = [1, 1];
/// `PROC_CN_MCAST_LISTEN`, as in `linux/cn_proc.h`.
const LISTEN: u32 = 1;
/// `PROC_EVENT_FORK`, of threads as well.
const FORK: u32 = 1;
/// What stands before an event: `nlmsghdr` and `cn_msg`.
const HEADERS: usize = 16 + 20;
/// What stands before an event's own data: what, the processor, the time.
const EVENT: usize = 16;
/// Room for the events of some ten thousand processes.
const ROOM: usize = 16 << 20;

/// What a program did.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// How it ended.
    pub status: ExitStatus,
    /// How long it ran.
    pub took: Duration,
    /// Processes that it and those started by it started; threads are none.
    pub started: usize,
}

/// Runs a program and counts the processes that it starts.
///
/// # Errors
/// Where the kernel tells nobody of processes, or not this one: it takes root in the first pid namespace. Where the program
/// cannot be started.
pub fn watch(command: &mut Command) -> io::Result<Watched> {
    let socket = listen()?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let forks = scope.spawn(|| forks(&socket, &over));
        let began = Instant::now();
        let ended = command.spawn().and_then(|mut child| Ok((child.id(), child.wait()?)));
        let took = began.elapsed();
        over.store(true, Ordering::Release);
        let forks = forks.join().map_err(|_| io::Error::other("the reader of events ended"))??;
        let (pid, status) = ended?;
        // Those that it started come after it.
        let mut own = HashSet::from([pid]);
        let mut seen = false;
        for [_, parent, child, group] in forks {
            seen |= child == pid && group == pid;
            if own.contains(&parent) && child == group {
                own.insert(child);
            }
        }
        if !seen {
            return Err(io::Error::other(
                "the kernel tells of processes by other numbers: not the first pid namespace",
            ));
        }
        Ok(Watched { status, took, started: own.len() - 1 })
    })
}

fn listen() -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(CONNECTOR))?;
    set_socket_recv_buffer_size_force(&socket, ROOM).or_else(|_| set_socket_recv_buffer_size(&socket, ROOM))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_millis(50)))?;
    bind(&socket, &SocketAddrNetlink::new(0, PROCESSES[0]))?;
    // A length, a kind (NLMSG_DONE), no flags, no sequence, from whoever; the connector's id, sequence, answer, length, flags.
    let mut message = Vec::new();
    message.extend(u32::try_from(HEADERS + 4).unwrap_or_default().to_ne_bytes());
    message.extend(3u16.to_ne_bytes());
    message.extend(0u16.to_ne_bytes());
    [0, 0, PROCESSES[0], PROCESSES[1], 0, 0].into_iter().for_each(|word: u32| message.extend(word.to_ne_bytes()));
    message.extend(4u16.to_ne_bytes());
    message.extend(0u16.to_ne_bytes());
    message.extend(LISTEN.to_ne_bytes());
    send(&socket, &message, SendFlags::empty())?;
    Ok(socket)
}

/// The parent's thread and process, the child's thread and process, of each new thread until all is over and told.
fn forks(socket: &OwnedFd, over: &AtomicBool) -> io::Result<Vec<[u32; 4]>> {
    let mut all = Vec::new();
    let mut buffer = [0u8; 4096];
    loop {
        let last = over.load(Ordering::Acquire);
        match recv(socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((length, _)) => all.extend(fork(&buffer[..length])),
            Err(Errno::AGAIN) if last => return Ok(all),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // Events were lost: no number would be true.
            Err(error) => return Err(error.into()),
        }
    }
}

fn fork(message: &[u8]) -> Option<[u32; 4]> {
    let word = |at: usize| Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?));
    if word(HEADERS)? != FORK {
        return None;
    }
    let at = HEADERS + EVENT;
    Some([word(at)?, word(at + 4)?, word(at + 8)?, word(at + 12)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_counted_and_threads_are_not() {
        let started = |program: &str, arguments: &[&str]| match watch(Command::new(program).args(arguments)) {
            Ok(watched) => Some(watched.started),
            Err(why) => {
                crate::skip("process events", &why.to_string());
                None
            }
        };
        let Some(none) = started("true", &[]) else { return };
        assert_eq!(none, 0);
        assert_eq!(started("sh", &["-c", "true; (sh -c 'true; true'; true); exec true"]), Some(2));
        assert_eq!(started("sh", &["-c", "/bin/true; /bin/true; /bin/true; exit 0"]), Some(3));
    }
}
