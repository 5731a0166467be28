//! Where transactions are kept: `/var/lib/seaworthy` unless told otherwise, for root alone.
//!
//! ```text
//! lock              held by whoever changes something
//! tx/ID/plan.json   what is carried out
//! tx/ID/journal     what has happened, a line each
//! tx/ID/last        the sum of the journal's last line
//! tx/ID/keep/       copies of files as they were, and room for the lines of taking back until that begins
//! tx/ID/fuse        renamed to `confirmed` or to `expired`: whoever renames it first has decided
//! tx/ID/guard       held by the guard while it lives
//! ```

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use seaworthy_core::plan::Plan;

use super::event::{Event, Line};
use super::journal::{self, Journal};
use crate::files::{Keep, sync_directory};
use crate::{At as _, Failure};

/// Where transactions are kept unless told otherwise.
pub const DEFAULT: &str = "/var/lib/seaworthy";

/// The room that is reserved for the journal's lines of taking back, in bytes.
const RESERVE: u64 = 1 << 20;

/// The directory in which transactions are kept.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// Held while something is changed; given back when dropped, or when the process ends however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// A transaction on disk.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its id.
    pub id: String,
    /// Its directory.
    pub dir: PathBuf,
}

impl Store {
    /// The store in a directory; nothing is made yet.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the directory where it is not there.
    ///
    /// # Errors
    /// Where it cannot be made, or others than its owner may enter it.
    pub fn make(&self) -> Result<(), Failure> {
        let made = |dir: &Path| -> Result<(), Failure> {
            let doing = || format!("make {}", dir.display());
            match DirBuilder::new().mode(0o700).create(dir) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error).at(doing),
                _ => {}
            }
            let meta = fs::symlink_metadata(dir).at(doing)?;
            let own = rustix::process::geteuid().as_raw();
            if !meta.is_dir() || meta.uid() != own || meta.mode() & 0o077 != 0 {
                let why = "it must be a directory of yours that nobody else may enter (chmod 0700)";
                return Err(Failure(format!("{}: {why}", dir.display())));
            }
            Ok(())
        };
        if let Some(parent) = self.dir.parent() {
            fs::create_dir_all(parent).at(|| format!("make {}", parent.display()))?;
        }
        made(&self.dir)?;
        made(&self.dir.join("tx"))?;
        sync_directory(&self.dir)
    }

    /// Takes the lock, waiting for it at most so long; none where another holds it still.
    ///
    /// # Errors
    /// Where the lock's file cannot be opened.
    pub fn lock(&self, patience: Duration) -> Result<Option<Lock>, Failure> {
        hold(&self.dir.join("lock"), patience)
    }

    /// Whether somebody holds the lock now.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        is_held(&self.dir.join("lock"))
    }

    /// Every transaction, the oldest first.
    ///
    /// # Errors
    /// Where the directory cannot be read; that there is none is no error.
    pub fn places(&self) -> Result<Vec<Place>, Failure> {
        let tx = self.dir.join("tx");
        let doing = || format!("read {}", tx.display());
        let entries = match fs::read_dir(&tx) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).at(doing),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.at(doing)?;
            let Ok(id) = entry.file_name().into_string() else { continue };
            // One without a journal was killed before it began, and there is nothing to undo; unless it has lost it since.
            let dir = entry.path();
            let has = ["journal", journal::LAST].iter().any(|name| dir.join(name).exists());
            if is_id(&id) && has {
                // The first line alone: one that is damaged further on is listed all the same.
                found.push((journal::begun(&dir.join("journal")).unwrap_or(i64::MAX), Place { id, dir }));
            }
        }
        found.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
        Ok(found.into_iter().map(|(_, place)| place).collect())
    }

    /// The transaction that an id, or the beginning of one, names.
    ///
    /// # Errors
    /// Where none or several begin so.
    pub fn find(&self, id: &str) -> Result<Place, Failure> {
        let places = self.places()?;
        let mut fitting = places.iter().filter(|p| !id.is_empty() && p.id.starts_with(id));
        match (fitting.next(), fitting.next()) {
            (Some(place), None) => Ok(place.clone()),
            (Some(_), Some(_)) => {
                Err(Failure(format!("several transactions begin with `{id}`: seaworthy harden history")))
            }
            (None, _) => {
                let at = self.dir.display();
                Err(Failure(format!("there is no transaction `{id}` in {at}: seaworthy harden history")))
            }
        }
    }

    /// Begins a transaction: everything but its first change.
    ///
    /// # Errors
    /// Where something cannot be written: nothing of it is left then.
    pub fn begin(&self, plan: &Plan, event: Event) -> Result<(Place, Journal), Failure> {
        let id = new_id()?;
        let dir = self.dir.join("tx").join(&id);
        DirBuilder::new().mode(0o700).create(&dir).at(|| format!("make {}", dir.display()))?;
        match self.fill(&dir, plan, event) {
            Ok(journal) => Ok((Place { id, dir }, journal)),
            Err(why) => {
                let _ = fs::remove_dir_all(&dir);
                Err(why)
            }
        }
    }

    fn fill(&self, dir: &Path, plan: &Plan, event: Event) -> Result<Journal, Failure> {
        let doing = || format!("make {}", dir.display());
        DirBuilder::new().mode(0o700).create(dir.join("keep")).at(doing)?;
        let write = |name: &str, bytes: &[u8]| {
            let made = File::options().write(true).create_new(true).mode(0o600).open(dir.join(name));
            let written = made.and_then(|mut f| std::io::Write::write_all(&mut f, bytes).and_then(|()| f.sync_all()));
            written.at(|| format!("write {}", dir.join(name).display()))
        };
        write("plan.json", serde_json::to_string_pretty(plan).at(doing)?.as_bytes())?;
        write("fuse", b"")?;
        Keep::at(&dir.join("keep")).reserve(RESERVE)?;
        let mut journal = Journal::open(&dir.join("journal"))?;
        journal.write(event)?;
        sync_directory(dir)?;
        sync_directory(&self.dir.join("tx"))?;
        Ok(journal)
    }
}

impl Place {
    /// The store that it is in.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::at(self.dir.ancestors().nth(2).unwrap_or(Path::new("/")))
    }

    /// Its journal, to be written on.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn journal(&self) -> Result<Journal, Failure> {
        Journal::open(&self.dir.join("journal"))
    }

    /// Its journal's lines.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn lines(&self) -> Result<Vec<Line>, Failure> {
        journal::lines(&self.dir.join("journal"))
    }

    /// Its plan.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn plan(&self) -> Result<Plan, Failure> {
        let path = self.dir.join("plan.json");
        let doing = || path.display().to_string();
        Plan::parse(&fs::read(&path).at(doing)?).map_err(|why| Failure(format!("{}: {why}", doing())))
    }

    /// Its copies of files.
    #[must_use]
    pub fn keep(&self) -> Keep {
        Keep::at(&self.dir.join("keep"))
    }

    /// Gives the reserved room to whoever takes back, or back to the host.
    pub(super) fn release(&self) {
        // What cannot be given back is a megabyte that is missed later at worst.
        let _ = self.keep().release();
    }

    /// Decides whether it stays: whoever comes first. False where the other was decided before, by whomever.
    ///
    /// # Errors
    /// Where the file cannot be renamed or synced.
    pub fn decide(&self, decision: Decision) -> Result<bool, Failure> {
        let doing = || format!("rename {}", self.dir.join("fuse").display());
        match fs::rename(self.dir.join("fuse"), self.dir.join(decision.word())) {
            Ok(()) => sync_directory(&self.dir).map(|()| true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(self.decision() == Some(decision)),
            Err(error) => Err(error).at(doing),
        }
    }

    /// What was decided, if anything.
    #[must_use]
    pub fn decision(&self) -> Option<Decision> {
        [Decision::Confirmed, Decision::Expired].into_iter().find(|d| self.dir.join(d.word()).exists())
    }

    /// Holds the guard's file, which says that a guard lives; none where another does.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn hold_guard(&self) -> Result<Option<Lock>, Failure> {
        hold(&self.dir.join("guard"), Duration::from_secs(1))
    }

    /// Whether a guard lives.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        is_held(&self.dir.join("guard"))
    }
}

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It stays.
    Confirmed,
    /// It is taken back.
    Expired,
}

impl Decision {
    fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Expired => "expired",
        }
    }
}

/// Whether a name is that of a transaction: 8 hexadecimal digits.
fn is_id(name: &str) -> bool {
    name.len() == 8 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn new_id() -> Result<String, Failure> {
    let mut bytes = [0u8; 4];
    let doing = || "read /dev/urandom".to_owned();
    File::open("/dev/urandom").and_then(|mut f| std::io::Read::read_exact(&mut f, &mut bytes)).at(doing)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn hold(path: &Path, patience: Duration) -> Result<Option<Lock>, Failure> {
    let doing = || format!("lock {}", path.display());
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).at(doing)?;
    let began = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(Lock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error).at(doing),
        }
    }
}

fn is_held(path: &Path) -> bool {
    let Ok(file) = File::options().read(true).write(true).open(path) else { return false };
    matches!(flock(&file, FlockOperation::NonBlockingLockShared), Err(rustix::io::Errno::WOULDBLOCK))
}
