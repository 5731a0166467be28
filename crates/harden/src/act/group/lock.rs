//! The lock of the host's own tools on its accounts.
//!
//! `lckpwdf(3)` locks `/etc/.pwd.lock` as a whole by a POSIX record lock; useradd, gpasswd, passwd and systemd-sysusers
//! take it before they touch passwd, group or their shadows. It goes with the descriptor, or the process.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, fcntl_lock};

use crate::{At as _, Failure, Host};

const FILE: &str = "/etc/.pwd.lock";
/// As long as `lckpwdf` itself waits.
const PATIENCE: Duration = Duration::from_secs(15);

/// Takes the lock; dropping the file gives it back.
pub(super) fn take(host: &Host) -> Result<File, Failure> {
    let path = host.path(FILE);
    let doing = || format!("lock {}", path.display());
    let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits();
    let mut options = File::options();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(flags as i32)
        .open(&path)
        .at(doing)?;
    let began = Instant::now();
    loop {
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) if began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
                let why = "another program is changing accounts; try again when it is done";
                return Err(Failure(format!("{}: {why}", doing())));
            }
            Err(error) => return Err(error).at(doing),
        }
    }
}
