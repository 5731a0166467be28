//! Room on a disk, taken before it is needed.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FallocateFlags, Mode, OFlags, fallocate, openat, statvfs};
use rustix::io::Errno;

use super::facts::why;
use crate::{At as _, Failure};

/// What a file takes beside its content (its own and its directory's blocks), in bytes.
const BESIDE: u64 = 16 << 10;

/// Room that is held in a file system until it is dropped; nothing of it is seen there, and a crash gives it back.
#[derive(Debug)]
pub struct Room {
    /// None where the file system has no such files: then there was room, and nothing holds it.
    _file: Option<File>,
}

impl Room {
    /// Holds room for so many bytes where a file lies or will lie.
    ///
    /// # Errors
    /// Where there is not as much, or no file may be made there.
    pub fn beside(path: &Path, bytes: u64) -> Result<Self, Failure> {
        let directory = nearest(path);
        let doing = || format!("reserve {bytes} bytes for {}", path.display());
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        match openat(CWD, &directory, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                let file = File::from(file);
                take(&file, bytes).map_err(why).at(doing)?;
                Ok(Self { _file: Some(file) })
            }
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let is = statvfs(&directory).map_err(why).at(doing)?;
                let free = is.f_bavail.saturating_mul(is.f_frsize);
                if free < bytes.saturating_add(BESIDE) {
                    Err(why(Errno::NOSPC)).at(doing)
                } else {
                    Ok(Self { _file: None })
                }
            }
            Err(error) => Err(why(error)).at(doing),
        }
    }
}

/// The nearest directory that is there: the others will be made in it.
fn nearest(path: &Path) -> PathBuf {
    let found = path.ancestors().skip(1).find(|p| p.is_dir());
    found.unwrap_or(Path::new(".")).to_owned()
}

/// Takes room by a file, which stays over a crash.
pub(super) fn reserve(path: &Path, bytes: u64) -> Result<(), Failure> {
    let doing = || format!("reserve {bytes} bytes in {}", path.display());
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(CWD, path, flags, Mode::RUSR | Mode::WUSR).map_err(why).at(doing)?);
    let taken = take(&file, bytes).map_err(why).and_then(|()| file.sync_all().map_err(why));
    if taken.is_err() {
        let _ = std::fs::remove_file(path);
    }
    taken.at(doing)
}

fn take(file: &File, bytes: u64) -> Result<(), std::io::Error> {
    let bytes = bytes.saturating_add(BESIDE);
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        // Then by writing it.
        Err(Errno::OPNOTSUPP) => std::io::copy(&mut std::io::Read::take(std::io::repeat(0), bytes), &mut &*file)
            .and_then(|_| file.sync_all()),
        done => Ok(done?),
    }
}
