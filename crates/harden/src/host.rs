//! The host that is hardened, as actions see it.

use std::path::{Path, PathBuf};

use crate::engine::Engine;

/// The host that is hardened.
#[derive(Debug)]
pub struct Host {
    /// The root of its file system; `/` but in tests.
    pub root: PathBuf,
    /// Its engine; none where what is done needs none, or where it is down.
    pub engine: Option<Engine>,
    /// The engine's process, where it is known.
    pub daemon: Option<Daemon>,
    /// Names the transaction: 12 hexadecimal digits. Part of the names of what is made on the way.
    pub transaction: String,
}

/// The engine's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Its number.
    pub pid: u32,
}

impl Host {
    /// An absolute path of the host, beneath its root.
    #[must_use]
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// Whether systemd runs this host, as `sd_booted(3)` tells it.
    #[must_use]
    pub fn has_systemd(&self) -> bool {
        self.path("/run/systemd/system").is_dir()
    }

    /// Whether it is the real root: programs act on that alone.
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }
}
