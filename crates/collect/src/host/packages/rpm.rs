//! rpm's database where it is one of SQLite (Fedora from 33, Red Hat and its kin from 9, Amazon Linux 2023): the names of
//! packages, and of the ones that matter their headers. Those of Berkeley DB and NDB are recognised, and unknown.

mod sqlite;

use std::fs::File;

use self::sqlite::{Column, Database, columns};
use super::{Found, Manager, Owner, Package, Wanted};
use crate::host::gap::Place;
use crate::host::root::{Root, Unread};

/// Where the database lies, by its formats; newer systems keep it below `/usr`.
const SQLITE: [&str; 2] = ["/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite"];
const OTHERS: [&str; 4] = [
    "/var/lib/rpm/Packages.db",
    "/var/lib/rpm/Packages",
    "/usr/lib/sysimage/rpm/Packages.db",
    "/usr/lib/sysimage/rpm/Packages",
];

/// Tags of a header.
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const SOURCE: u32 = 1044;
const DIRECTORY_OF: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORIES: u32 = 1118;

/// The most entries of one header.
const MOST_ENTRIES: usize = 4096;
/// The most packages that have files of one base name, of those that are looked at.
const MOST_SAME: usize = 4096;

/// The wanted packages that are installed; none where the host has no rpm.
pub(super) fn read(root: &Root, wanted: Wanted<'_>) -> Found {
    let Some(Open { path, database, before }) = open(root)? else { return Ok(None) };
    let failed = |why: String| (path.to_owned(), Unread::Other(why));
    let found = installed(&database, path, wanted).map_err(failed)?;
    before.holds(root, path).map_err(failed)?;
    Ok(Some(found))
}

/// Who owns each of the asked files, each given in its possible spellings.
pub(super) fn owners(root: &Root, asked: &[Vec<String>]) -> Vec<Owner> {
    let (path, found) = match open(root) {
        Ok(Some(Open { path, database, before })) => {
            (path, owners_in(&database, asked).and_then(|found| before.holds(root, path).map(|()| found)))
        }
        Ok(None) => return vec![Owner::Nobody; asked.len()],
        Err((path, unread)) => return vec![Owner::Unknown(format!("{path}: {unread}")); asked.len()],
    };
    found.unwrap_or_else(|why| vec![Owner::Unknown(format!("{path}: {why}")); asked.len()])
}

/// A database, and what it was like when it was opened.
struct Open {
    path: &'static str,
    database: Database,
    before: Marks,
}

fn open(root: &Root) -> Result<Option<Open>, (String, Unread)> {
    for path in SQLITE {
        let failed = |unread: Unread| (path.to_owned(), unread);
        let before = match Marks::of(root, path) {
            Err(Unread::Absent) => continue,
            other => other.map_err(failed)?,
        };
        let file = root.open_file(path).map_err(failed)?;
        let log: Option<File> = match root.open_file(log_of(path)) {
            Ok(log) => Some(log),
            Err(Unread::Absent) => None,
            Err(unread) => return Err((log_of(path), unread)),
        };
        let database = Database::open(file, log).map_err(|why| failed(Unread::Other(why)))?;
        return Ok(Some(Open { path, database, before }));
    }
    match OTHERS.iter().find(|path| !matches!(root.stat(path), Err(Unread::Absent))) {
        Some(path) => {
            let why = "a database of Berkeley DB or NDB, which is not read";
            Err(((*path).to_owned(), Unread::Other(why.into())))
        }
        None => Ok(None),
    }
}

fn log_of(path: &str) -> String {
    format!("{path}-wal")
}

/// By what it shows that a database was written to: size and time of it and of its log.
#[derive(PartialEq, Eq)]
struct Marks(Mark, Option<Mark>);
type Mark = (i64, i64, u64);

impl Marks {
    fn of(root: &Root, path: &str) -> Result<Self, Unread> {
        let mark = |stat: rustix::fs::Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
        Ok(Self(root.stat(path).map(mark)?, root.stat(log_of(path)).ok().map(mark)))
    }

    /// Whether nobody has written since: pages of two moments tell nothing.
    fn holds(&self, root: &Root, path: &str) -> Result<(), String> {
        match Self::of(root, path) {
            Ok(now) if now == *self => Ok(()),
            _ => Err("it was written to while it was read; try again".to_owned()),
        }
    }
}

fn installed(database: &Database, path: &str, wanted: Wanted<'_>) -> Result<Vec<Package>, String> {
    let names = table(database, "table", "Name")?;
    let packages = table(database, "table", "Packages")?;
    let mut numbers = Vec::new();
    database.rows(names, &mut |row| {
        if let [Column::Text(name) | Column::Blob(name), Column::Int(package), ..] = columns(row).as_slice()
            && std::str::from_utf8(name).is_ok_and(wanted)
        {
            numbers.push(*package);
        }
    })?;
    let mut found = Vec::new();
    for number in numbers {
        let Some(row) = database.row(packages, number)? else { continue };
        let header = header(&row)?;
        let (Some(name), Some(version)) = (header.text(NAME), header.version()) else { continue };
        // `docker-ce-29.1.3-1.el9.src.rpm`: the name ends before version and release.
        let source = header.text(SOURCE).and_then(|file| {
            let mut parts = file.rsplitn(3, '-');
            parts.nth(2).filter(|source| *source != name).map(str::to_owned)
        });
        let at = Place::new(path, usize::try_from(number).unwrap_or(0));
        found.push(Package { name: name.to_owned(), version, source, manager: Manager::Rpm, at });
    }
    Ok(found)
}

fn owners_in(database: &Database, asked: &[Vec<String>]) -> Result<Vec<Owner>, String> {
    let files = table(database, "table", "Basenames")?;
    let packages = table(database, "table", "Packages")?;
    let index = table(database, "index", "Basenames_key_idx")?;
    asked.iter().map(|names| owner(database, (files, packages, index), names)).collect()
}

/// Who owns the file of these names; by the first pages of the files, of the packages, and of the files' index.
fn owner(database: &Database, (files, packages, index): (u32, u32, u32), names: &[String]) -> Result<Owner, String> {
    for name in names {
        let Some((directory, base)) = name.rsplit_once('/') else { continue };
        for row in database.find(index, base)?.into_iter().take(MOST_SAME) {
            let Some(row) = database.row(files, row)? else { continue };
            let columns = columns(&row);
            let [_, Column::Int(package), Column::Int(file), ..] = columns.as_slice() else { continue };
            let Some(row) = database.row(packages, *package)? else { continue };
            let header = header(&row)?;
            if usize::try_from(*file).is_ok_and(|file| header.is_file(file, directory, base))
                && let Some(name) = header.text(NAME)
            {
                return Ok(Owner::Package { name: name.to_owned(), version: header.version() });
            }
        }
    }
    Ok(Owner::Nobody)
}

fn table(database: &Database, kind: &str, name: &str) -> Result<u32, String> {
    database.root(kind, name)?.ok_or_else(|| format!("it has no {kind} {name}"))
}

/// A package's header, as rpm writes it: entries that say where in the data behind them each tag's value lies.
struct Header<'a> {
    entries: &'a [[u8; 16]],
    data: &'a [u8],
}

/// The header in a row of the packages.
fn header(row: &[u8]) -> Result<Header<'_>, String> {
    header_in(row).ok_or_else(|| "a package's header is damaged".to_owned())
}

fn header_in(row: &[u8]) -> Option<Header<'_>> {
    let columns = columns(row);
    let [_, Column::Blob(blob), ..] = columns.as_slice() else { return None };
    let number = |at: usize| blob.get(at..at + 4).and_then(|b| usize::try_from(word(b)).ok());
    let (count, length) = (number(0)?, number(4)?);
    let entries = blob.get(8..8 + 16 * count.min(MOST_ENTRIES))?;
    let begin = 8 + 16 * count;
    Some(Header { entries: entries.as_chunks().0, data: blob.get(begin..begin.checked_add(length)?)? })
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

impl<'a> Header<'a> {
    /// The data of a tag from its beginning, and how many values it has.
    fn of(&self, tag: u32) -> Option<(&'a [u8], usize)> {
        let entry = self.entries.iter().find(|entry| word(&entry[..4]) == tag)?;
        let (at, count) = (usize::try_from(word(&entry[8..12])).ok()?, usize::try_from(word(&entry[12..])).ok()?);
        Some((self.data.get(at..)?, count))
    }

    fn texts(&self, tag: u32) -> impl Iterator<Item = &'a str> {
        let (data, count) = self.of(tag).unwrap_or_default();
        // What is not UTF-8 is nobody's name here.
        data.split(|byte| *byte == 0).take(count).map(|text| std::str::from_utf8(text).unwrap_or(""))
    }

    fn text(&self, tag: u32) -> Option<&'a str> {
        self.texts(tag).next().filter(|text| !text.is_empty() && text.len() <= 256)
    }

    fn number(&self, tag: u32, index: usize) -> Option<u32> {
        let (data, count) = self.of(tag)?;
        (index < count).then(|| data.get(4 * index..4 * index + 4).map(word)).flatten()
    }

    /// `epoch:version-release`, the epoch only where there is one.
    fn version(&self) -> Option<String> {
        let (version, release) = (self.text(VERSION)?, self.text(RELEASE)?);
        Some(match self.number(EPOCH, 0) {
            Some(epoch) => format!("{epoch}:{version}-{release}"),
            None => format!("{version}-{release}"),
        })
    }

    /// Whether one of its files is of this name.
    fn is_file(&self, file: usize, directory: &str, base: &str) -> bool {
        let directory_of = self.number(DIRECTORY_OF, file).and_then(|index| usize::try_from(index).ok());
        self.texts(BASE_NAMES).nth(file) == Some(base)
            && directory_of.and_then(|index| self.texts(DIRECTORIES).nth(index)).map(|d| d.trim_end_matches('/'))
                == Some(directory)
    }
}
