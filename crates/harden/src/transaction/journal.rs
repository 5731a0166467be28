//! The journal: lines of JSON, each on disk before what it announces is done.
//!
//! Each line ends with a sum over itself and the line before it, so that a disk that forgets or changes something is
//! found out, and nothing is undone by what was never written. The last sum stands in a file of its own as well
//! ([`LAST`]), written once the line is on disk: a journal without it has lost its end.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::event::{Event, Line};
use crate::files::digest;
use crate::{At as _, Failure};

/// The largest journal that is read, in bytes.
const LARGEST: u64 = 64 << 20;
/// What stands before a line's sum, which ends the line.
const SUM: &str = ",\"sum\":\"";
/// The name of the file beside the journal that holds the last line's sum.
pub const LAST: &str = "last";
/// How long a sum is, in hexadecimal digits.
const SUM_LENGTH: usize = 16;

/// A journal that is written.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: String,
    /// The sum of the last line.
    last: String,
    /// Where it stands as well; none where that cannot be opened, which costs no more than that proof.
    beside: Option<File>,
}

impl Journal {
    /// Opens a journal for writing behind its last whole line; it is made where there is none.
    ///
    /// # Errors
    /// Where it cannot be opened or read, or is damaged.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let doing = || format!("open {}", path.display());
        let file = File::options().read(true).append(true).create(true).mode(0o600).open(path).at(doing)?;
        let mut text = Vec::new();
        (&file).take(LARGEST).read_to_end(&mut text).at(doing)?;
        // A line that was cut short by a crash announced nothing: it never was on disk as a whole.
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let last = proven(&text[..whole], path, true)?.1;
        if whole < text.len() {
            file.set_len(whole as u64).at(doing)?;
        }
        let beside =
            File::options().write(true).create(true).truncate(false).mode(0o600).open(path.with_file_name(LAST));
        Ok(Self { file, path: path.display().to_string(), last, beside: beside.ok() })
    }

    /// Writes a line; it is on disk when this returns.
    ///
    /// # Errors
    /// Where it cannot be written: what it announces must not be done then.
    pub fn write(&mut self, event: Event) -> Result<(), Failure> {
        let doing = || format!("write {}", self.path);
        let line = Line { at: super::now_ms(), event };
        let bare = serde_json::to_string(&line).at(doing)?;
        let sum = sum(&self.last, &bare);
        let whole = format!("{}{SUM}{sum}\"}}\n", bare.strip_suffix('}').unwrap_or(&bare));
        self.file.write_all(whole.as_bytes()).at(doing)?;
        rustix::fs::fdatasync(&self.file).at(doing)?;
        // Not synced: it may fall behind the journal in a power cut, and never be ahead of it.
        let _ = self.beside.as_ref().map(|file| file.write_all_at(sum.as_bytes(), 0));
        self.last = sum;
        Ok(())
    }
}

/// The sum of a line without it.
fn sum(before: &str, bare: &str) -> String {
    digest(format!("{before}{bare}").as_bytes())
}

/// The lines of a journal, without one that was cut short.
///
/// # Errors
/// Where it cannot be read, or a line before the last is damaged.
pub fn lines(path: &Path) -> Result<Vec<Line>, Failure> {
    let mut text = Vec::new();
    File::open(path).and_then(|f| f.take(LARGEST).read_to_end(&mut text)).at(|| format!("read {}", path.display()))?;
    let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    proven(&text[..whole], path, true).map(|(lines, _)| lines)
}

/// When a journal began, in milliseconds since 1970-01-01 UTC, by its first line alone; none where that cannot be read.
pub fn begun(path: &Path) -> Option<i64> {
    let mut line = Vec::new();
    BufReader::new(File::open(path).ok()?.take(LARGEST)).read_until(b'\n', &mut line).ok()?;
    Some(proven(&line, path, false).ok()?.0.first()?.at)
}

/// Whole lines that prove themselves, and the last one's sum. `to_its_end`: they are all, and the last that was written is
/// among them.
fn proven(text: &[u8], path: &Path, to_its_end: bool) -> Result<(Vec<Line>, String), Failure> {
    let (mut lines, mut last) = (Vec::new(), String::new());
    let mut wanted = std::fs::read_to_string(path.with_file_name(LAST)).ok();
    wanted = wanted.filter(|sum| to_its_end && sum.len() == SUM_LENGTH && sum.bytes().all(|b| b.is_ascii_hexdigit()));
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let each = text.split(|b| *b == b'\n').take(if text.is_empty() { 0 } else { usize::MAX });
    for (number, line) in each.enumerate() {
        let damaged = || Failure(format!("{}: line {} is damaged", path.display(), number + 1));
        let line = std::str::from_utf8(line).map_err(|_| damaged())?;
        let (bare, end) = line.rsplit_once(SUM).ok_or_else(damaged)?;
        let said = end.strip_suffix("\"}").filter(|said| said.len() == SUM_LENGTH).ok_or_else(damaged)?;
        let bare = format!("{bare}}}");
        if said != sum(&last, &bare) {
            return Err(damaged());
        }
        said.clone_into(&mut last);
        wanted = wanted.filter(|wanted| wanted != said);
        // What proves itself and is not understood was written by a newer version.
        let unknown = || format!("{}: line {} is not understood by this version", path.display(), number + 1);
        lines.push(serde_json::from_str(&bare).at(unknown)?);
    }
    if wanted.is_some() {
        return Err(Failure(format!("{}: its last lines are lost", path.display())));
    }
    Ok((lines, last))
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
            std::fs::remove_file(dir.path().join(LAST)).unwrap();
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

    #[test]
    fn whatever_a_disk_changes_or_forgets_before_the_end_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        for change in 0..3 {
            let undo = serde_json::json!({ "mode": 420, "sum": "0123456789abcdef", "text": "\"}\n" });
            journal.write(Event::Intent { change, undo }).unwrap();
        }
        drop(journal);
        let last = dir.path().join(LAST);
        let whole = std::fs::read(&path).unwrap();
        // Its end alone: by the sum that stands beside it, where that came to the disk.
        let begin = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
        for cut in [0, begin] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(lines(&path).unwrap_err().0.contains("its last lines are lost"), "{cut}");
            assert!(Journal::open(&path).unwrap_err().0.contains("its last lines are lost"), "{cut}");
            assert_eq!(begun(&path).is_some(), cut > 0);
        }
        std::fs::write(&path, &whole).unwrap();
        // It fell behind, or was never written: nothing is held against the journal.
        let sums: Vec<String> = String::from_utf8(whole.clone())
            .unwrap()
            .lines()
            .map(|l| l[l.len() - 18..l.len() - 2].to_owned())
            .collect();
        for behind in [sums[0].as_str(), "", "\0\0\0"] {
            std::fs::write(&last, behind).unwrap();
            assert_eq!(lines(&path).unwrap().len(), 3, "{behind:?}");
        }
        std::fs::remove_file(&last).unwrap();
        assert_eq!((lines(&path).unwrap().len(), begun(&path).is_some()), (3, true));
        for byte in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[byte] ^= 1 << bit;
                std::fs::write(&path, &flipped).unwrap();
                let _ = std::fs::remove_file(&last);
                // The last line's own end makes it a line that was cut short, which announces nothing.
                let expected = if byte == whole.len() - 1 { Ok(2) } else { Err(()) };
                assert_eq!(lines(&path).map(|l| l.len()).map_err(drop), expected, "byte {byte}, bit {bit}");
                assert_eq!(Journal::open(&path).map(drop).map_err(drop), expected.map(drop), "byte {byte}, bit {bit}");
            }
        }
        // A line that is gone, from the front or from between.
        let each: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
        for left in [[each[1], each[2]], [each[0], each[2]], [each[1], each[0]]] {
            std::fs::write(&path, left.concat()).unwrap();
            assert!(lines(&path).unwrap_err().0.contains("is damaged"));
        }
    }
}
