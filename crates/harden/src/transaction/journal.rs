//! The journal: lines of JSON, each on disk before what it announces is done.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::event::{Event, Line};
use crate::{At as _, Failure};

/// The largest journal that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// A journal that is written.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: String,
}

impl Journal {
    /// Opens a journal for writing behind its last whole line; it is made where there is none.
    ///
    /// # Errors
    /// Where it cannot be opened or read.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let doing = || format!("open {}", path.display());
        let file = File::options().read(true).append(true).create(true).mode(0o600).open(path).at(doing)?;
        let mut text = Vec::new();
        (&file).take(LARGEST).read_to_end(&mut text).at(doing)?;
        // A line that was cut short by a crash announced nothing: it never was on disk as a whole.
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64).at(doing)?;
        }
        Ok(Self { file, path: path.display().to_string() })
    }

    /// Writes a line; it is on disk when this returns.
    ///
    /// # Errors
    /// Where it cannot be written: what it announces must not be done then.
    pub fn write(&mut self, event: Event) -> Result<(), Failure> {
        let doing = || format!("write {}", self.path);
        let line = Line { at: super::now_ms(), event };
        let mut text = serde_json::to_string(&line).at(doing)?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).at(doing)?;
        rustix::fs::fdatasync(&self.file).at(doing)
    }
}

/// The lines of a journal, without one that was cut short.
///
/// # Errors
/// Where it cannot be read, or a line before the last is damaged.
pub fn lines(path: &Path) -> Result<Vec<Line>, Failure> {
    let doing = || format!("read {}", path.display());
    let mut text = String::new();
    File::open(path).and_then(|f| f.take(LARGEST).read_to_string(&mut text)).at(doing)?;
    let whole = text.rfind('\n').map_or("", |at| &text[..at]);
    let numbered = whole.lines().enumerate().filter(|(_, line)| !line.is_empty());
    numbered.map(|(n, line)| serde_json::from_str(line).at(|| format!("{}, line {}", doing(), n + 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_is_no_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.write(Event::Confirmed).unwrap();
        drop(journal);
        let whole = std::fs::read_to_string(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, format!("{whole}{}", &whole[..cut])).unwrap();
            assert_eq!(lines(&path).unwrap().len(), 1, "{cut}");
            let mut journal = Journal::open(&path).unwrap();
            journal.write(Event::Pruned).unwrap();
            let events: Vec<Event> = lines(&path).unwrap().into_iter().map(|l| l.event).collect();
            assert_eq!(events, [Event::Confirmed, Event::Pruned], "{cut}");
        }
        std::fs::write(&path, format!("{{\n{whole}")).unwrap();
        assert!(lines(&path).unwrap_err().0.contains("line 1"));
    }
}
