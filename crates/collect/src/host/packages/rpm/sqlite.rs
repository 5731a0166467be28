//! Reading tables of an SQLite 3 file, as its published format has them: `https://www.sqlite.org/fileformat2.html`.
//!
//! Only what the databases of rpm need: rows of a table by number or all of them, and rows by a text in an index. The
//! file may be anybody's, so every size is bounded and every number checked; what a writer left in the write-ahead log
//! counts, as it does for SQLite itself.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The most bytes of one row: 32 MiB, more than the largest package's header.
const ROW: usize = 32 << 20;
/// The most bytes that are read of one database: 256 MiB.
const MOST: usize = 256 << 20;
/// The most bytes of a write-ahead log.
const LOG: u64 = 256 << 20;
/// The deepest tree; a file of the largest size has fewer levels.
const DEEPEST: usize = 20;

/// Why a database cannot be read.
pub(super) type Refused = String;

/// A database, opened for reading.
pub(super) struct Database {
    file: File,
    page_size: usize,
    /// What of a page holds data.
    usable: usize,
    /// The pages that the log holds newer, with their place in it.
    newer: HashMap<u32, u64>,
    log: Option<File>,
    /// The bytes that may still be read.
    left: Cell<usize>,
}

/// A value of a row, as far as it is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column<'a> {
    Null,
    Int(i64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
    Other,
}

impl Database {
    /// Opens a database with its write-ahead log, where there is one.
    pub(super) fn open(file: File, log: Option<File>) -> Result<Self, Refused> {
        let mut head = [0; 100];
        file.read_exact_at(&mut head, 0).map_err(|_| "it is cut short".to_owned())?;
        if !head.starts_with(b"SQLite format 3\0") {
            return Err("it is no SQLite database".to_owned());
        }
        let page_size = match u16::from_be_bytes([head[16], head[17]]) {
            1 => 65536,
            size if size >= 512 && size.is_power_of_two() => usize::from(size),
            _ => return Err("its page size makes no sense".to_owned()),
        };
        // 0 is what a database says to which nothing was written yet.
        if !matches!(big(&head, 56), Some(0 | 1)) {
            return Err("its text is not UTF-8".to_owned());
        }
        let usable = page_size - usize::from(head[20]);
        if usable < 480 {
            return Err("its page size makes no sense".to_owned());
        }
        let mut database = Self { file, page_size, usable, newer: HashMap::new(), log: None, left: Cell::new(MOST) };
        if let Some(log) = log {
            database.newer = database.read_log(&log)?;
            database.log = Some(log);
        }
        Ok(database)
    }

    /// The pages of the log's whole transactions, each with the place of its newest copy.
    fn read_log(&self, log: &File) -> Result<HashMap<u32, u64>, Refused> {
        let length = log.metadata().map_err(|why| why.to_string())?.len();
        let mut head = [0; 32];
        if length < 32 || log.read_exact_at(&mut head, 0).is_err() {
            return Ok(HashMap::new());
        }
        if length > LOG {
            return Err("its write-ahead log is larger than 256 MiB".to_owned());
        }
        let number = |at: usize| big(&head, at).unwrap_or_default();
        let magic = number(0);
        if magic & !1 != 0x377f_0682 || number(8) as usize != self.page_size {
            return Ok(HashMap::new());
        }
        let is_big = magic & 1 == 1;
        let mut sums = checksum((0, 0), &head[..24], is_big);
        // A log that was begun and not written to counts for nothing.
        if sums != (number(24), number(28)) {
            return Ok(HashMap::new());
        }
        let (mut whole, mut pending) = (HashMap::new(), Vec::new());
        let mut frame = vec![0; 24 + self.page_size];
        let mut at = 32;
        while log.read_exact_at(&mut frame, at).is_ok() {
            let field = |at: usize| big(&frame, at).unwrap_or_default();
            sums = checksum(checksum(sums, &frame[..8], is_big), &frame[24..], is_big);
            if frame[8..16] != head[16..24] || sums != (field(16), field(20)) {
                break;
            }
            pending.push((field(0), at + 24));
            // The last page of a transaction names the size of the database after it.
            if field(4) != 0 {
                whole.extend(pending.drain(..));
            }
            at += frame.len() as u64;
        }
        Ok(whole)
    }

    fn page(&self, number: u32) -> Result<Vec<u8>, Refused> {
        let left = self.left.get().checked_sub(self.page_size);
        self.left.set(left.ok_or("more of it would have to be read than 256 MiB")?);
        let mut page = vec![0; self.page_size];
        let place = u64::from(number.checked_sub(1).ok_or("it is damaged")?) * self.page_size as u64;
        let read = match (self.newer.get(&number), &self.log) {
            (Some(at), Some(log)) => log.read_exact_at(&mut page, *at),
            _ => self.file.read_exact_at(&mut page, place),
        };
        read.map_err(|_| "it is cut short".to_owned())?;
        Ok(page)
    }

    /// The first page of a table or an index of a name, where there is one.
    pub(super) fn root(&self, kind: &str, name: &str) -> Result<Option<u32>, Refused> {
        let mut found = None;
        self.rows(1, &mut |row| {
            let columns = columns(row);
            if let [Column::Text(k), Column::Text(n), _, Column::Int(root), ..] = columns.as_slice()
                && *k == kind.as_bytes()
                && *n == name.as_bytes()
            {
                found = u32::try_from(*root).ok();
            }
        })?;
        Ok(found)
    }

    /// Hands every row of a table to `take`.
    pub(super) fn rows(&self, root: u32, take: &mut dyn FnMut(&[u8])) -> Result<(), Refused> {
        self.walk(root, DEEPEST, take)
    }

    fn walk(&self, number: u32, deeper: usize, take: &mut dyn FnMut(&[u8])) -> Result<(), Refused> {
        let page = self.page(number)?;
        let node = Node::of(&page, number)?;
        match node.kind {
            Kind::TableLeaf => {
                for cell in node.cells() {
                    take(&self.table_row(Leaf::of(cell)?)?);
                }
                Ok(())
            }
            Kind::TableInner => {
                let deeper = deeper.checked_sub(1).ok_or("it is damaged")?;
                let children = node.cells().map(|cell| big(cell, 0)).chain([node.last]);
                for child in children {
                    self.walk(child.ok_or("it is damaged")?, deeper, take)?;
                }
                Ok(())
            }
            _ => Err("it is damaged".to_owned()),
        }
    }

    /// One row of a table.
    pub(super) fn row(&self, root: u32, wanted: i64) -> Result<Option<Vec<u8>>, Refused> {
        let mut number = root;
        for _ in 0..DEEPEST {
            let page = self.page(number)?;
            let node = Node::of(&page, number)?;
            match node.kind {
                Kind::TableLeaf => {
                    for cell in node.cells() {
                        let leaf = Leaf::of(cell)?;
                        if leaf.row == wanted {
                            return self.table_row(leaf).map(Some);
                        }
                    }
                    return Ok(None);
                }
                Kind::TableInner => {
                    let holds = |cell: &&[u8]| {
                        varint(cell.get(4..).unwrap_or_default()).is_some_and(|(key, _)| wanted <= key.cast_signed())
                    };
                    let child = node.cells().find(holds).map_or(node.last, |cell| big(cell, 0));
                    number = child.ok_or("it is damaged")?;
                }
                _ => break,
            }
        }
        Err("it is damaged".to_owned())
    }

    /// The numbers of the rows of which an index on one column has the text.
    pub(super) fn find(&self, root: u32, text: &str) -> Result<Vec<i64>, Refused> {
        let mut found = Vec::new();
        self.search(root, text.as_bytes(), DEEPEST, &mut found)?;
        Ok(found)
    }

    fn search(&self, number: u32, text: &[u8], deeper: usize, found: &mut Vec<i64>) -> Result<(), Refused> {
        let page = self.page(number)?;
        let node = Node::of(&page, number)?;
        let inner = match node.kind {
            Kind::IndexLeaf => 0,
            Kind::IndexInner => 4,
            _ => return Err("it is damaged".to_owned()),
        };
        let most = (self.usable - 12) * 64 / 255 - 23;
        // Entries of one text lie beside each other, and between those of an inner page are its children's.
        for cell in node.cells() {
            let (length, rest) = varint(cell.get(inner..).unwrap_or_default()).ok_or("it is damaged")?;
            let entry = self.payload(length, rest, most)?;
            let columns = columns(&entry);
            let key: &[u8] = match columns.first() {
                Some(Column::Text(key) | Column::Blob(key)) => key,
                _ => b"",
            };
            if key >= text && inner > 0 {
                let child = big(cell, 0).ok_or("it is damaged")?;
                self.search(child, text, deeper.checked_sub(1).ok_or("it is damaged")?, found)?;
            }
            if key > text {
                return Ok(());
            }
            if key == text
                && let Some(Column::Int(row)) = columns.last()
            {
                found.push(*row);
            }
        }
        match node.last {
            Some(last) if inner > 0 => self.search(last, text, deeper.checked_sub(1).ok_or("it is damaged")?, found),
            _ => Ok(()),
        }
    }

    /// What a cell of a table's leaf holds.
    fn table_row(&self, leaf: Leaf<'_>) -> Result<Vec<u8>, Refused> {
        self.payload(leaf.length, leaf.rest, self.usable - 35)
    }

    /// A cell's payload, with what of it lies on pages of its own; `most` lies on this page at most.
    fn payload(&self, length: u64, rest: &[u8], most: usize) -> Result<Vec<u8>, Refused> {
        let length = usize::try_from(length).ok().filter(|length| *length <= ROW).ok_or("a row of it is too large")?;
        let least = (self.usable - 12) * 32 / 255 - 23;
        let here = if length <= most {
            length
        } else {
            let here = least + (length - least) % (self.usable - 4);
            if here <= most { here } else { least }
        };
        let mut out = rest.get(..here).ok_or("it is damaged")?.to_vec();
        let mut next = if here < length { big(rest, here).ok_or("it is damaged")? } else { 0 };
        while out.len() < length {
            let page = self.page(next)?;
            let take = (length - out.len()).min(self.usable - 4);
            out.extend_from_slice(page.get(4..4 + take).ok_or("it is damaged")?);
            next = big(&page, 0).ok_or("it is damaged")?;
        }
        Ok(out)
    }
}

/// A cell of a table's leaf.
struct Leaf<'a> {
    /// The number of its row.
    row: i64,
    /// The length of its payload, and what of that lies here.
    length: u64,
    rest: &'a [u8],
}

impl<'a> Leaf<'a> {
    fn of(cell: &'a [u8]) -> Result<Self, Refused> {
        let (length, rest) = varint(cell).ok_or("it is damaged")?;
        let (row, rest) = varint(rest).ok_or("it is damaged")?;
        Ok(Self { row: row.cast_signed(), length, rest })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    IndexInner,
    TableInner,
    IndexLeaf,
    TableLeaf,
}

/// A page of a tree.
struct Node<'a> {
    page: &'a [u8],
    kind: Kind,
    cells: &'a [u8],
    /// The child behind the last cell, of an inner page.
    last: Option<u32>,
}

impl<'a> Node<'a> {
    fn of(page: &'a [u8], number: u32) -> Result<Self, Refused> {
        // The first page begins with the file's own header.
        let at = if number == 1 { 100 } else { 0 };
        let head = page.get(at..).unwrap_or_default();
        let kind = match head.first() {
            Some(2) => Kind::IndexInner,
            Some(5) => Kind::TableInner,
            Some(10) => Kind::IndexLeaf,
            Some(13) => Kind::TableLeaf,
            _ => return Err("it is damaged".to_owned()),
        };
        let is_inner = matches!(kind, Kind::IndexInner | Kind::TableInner);
        let count = head.get(3..5).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]]))).ok_or("it is damaged")?;
        let begin = if is_inner { 12 } else { 8 };
        let cells = head.get(begin..begin + 2 * count).ok_or("it is damaged")?;
        Ok(Self { page, kind, cells, last: is_inner.then(|| big(head, 8)).flatten() })
    }

    /// What begins at each cell's place.
    fn cells(&self) -> impl Iterator<Item = &'a [u8]> {
        let page = self.page;
        let (places, _) = self.cells.as_chunks::<2>();
        places.iter().map(move |place| page.get(usize::from(u16::from_be_bytes(*place))..).unwrap_or_default())
    }
}

/// The columns of a row; those that do not fit into it are left out.
pub(super) fn columns(row: &[u8]) -> Vec<Column<'_>> {
    let mut out = Vec::new();
    let Some((length, _)) = varint(row) else { return out };
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= row.len()) else { return out };
    let (mut types, mut body) = (row.get(..length).unwrap_or_default(), row.get(length..).unwrap_or_default());
    types = varint(types).map_or(&[], |(_, rest)| rest);
    while let Some((kind, rest)) = varint(types) {
        types = rest;
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return out,
            other => usize::try_from((other - 12) / 2).unwrap_or(usize::MAX),
        };
        let Some((value, rest)) = body.split_at_checked(size) else { return out };
        body = rest;
        out.push(match kind {
            0 => Column::Null,
            8 => Column::Int(0),
            9 => Column::Int(1),
            1..=6 => Column::Int(integer(value)),
            7 => Column::Other,
            other if other % 2 == 0 => Column::Blob(value),
            _ => Column::Text(value),
        });
    }
    out
}

fn integer(bytes: &[u8]) -> i64 {
    let first = if bytes.first().is_some_and(|b| b & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(first, |number, byte| (number << 8) | i64::from(*byte))
}

/// A number of up to nine bytes, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (i, byte) in bytes.iter().take(9).enumerate() {
        if i == 8 {
            return Some(((number << 8) | u64::from(*byte), &bytes[9..]));
        }
        number = (number << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[i + 1..]));
        }
    }
    None
}

/// Four bytes at a place.
fn big(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// The sums of a log, over pairs of words.
fn checksum((mut a, mut b): (u32, u32), bytes: &[u8], is_big: bool) -> (u32, u32) {
    let (words, _) = bytes.as_chunks::<4>();
    let (pairs, _) = words.as_chunks::<2>();
    let word = |bytes: [u8; 4]| if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
    for [first, second] in pairs {
        a = a.wrapping_add(word(*first)).wrapping_add(b);
        b = b.wrapping_add(word(*second)).wrapping_add(a);
    }
    (a, b)
}
