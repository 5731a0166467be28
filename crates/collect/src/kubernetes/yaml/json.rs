//! Manifests in JSON, one object or several after each other, with lines and columns.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::marks::{Marks, Within};
use super::scalar::shown;
use super::{Broken, DEEPEST, Document, Read};

/// The most doubts of one document that are told.
const MOST_DOUBTS: usize = 8;

/// Hands the documents of a text to `each`.
///
/// # Errors
/// Where the first is no JSON; what follows others is handed over as broken.
pub(super) fn documents(text: &str, each: &mut dyn FnMut(Read)) -> Result<(), Broken> {
    let stream = serde_json::Deserializer::from_str(text).into_iter::<Json>();
    let mut cursor =
        Cursor { text: text.as_bytes(), at: 0, line: 1, counted: (0, 0), keys: HashMap::new(), doubts: Vec::new() };
    let mut is_first = true;
    for read in stream {
        match read {
            Ok(json) => {
                cursor.space();
                let line = cursor.line;
                let marks = Arc::new(cursor.value(0));
                each(Ok(Document { line: line as usize, json, marks, doubts: std::mem::take(&mut cursor.doubts) }));
            }
            Err(why) => {
                let reason = format!("{why}");
                // Its words end with the place.
                let reason = reason.split(" at line ").next().unwrap_or_default();
                let reason = format!("as JSON, {reason} (column {})", why.column());
                let is_template = text.contains("{{") || text.contains("{%");
                let broken = Broken { line: why.line().max(1), reason, is_template };
                if is_first {
                    return Err(broken);
                }
                each(Err(broken));
                return Ok(());
            }
        }
        is_first = false;
    }
    Ok(())
}

/// Walks over a text that is known to be JSON.
struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
    line: u32,
    /// Up to where the characters of the line are counted, and how many: the whole of a text may be one line.
    counted: (usize, u32),
    keys: HashMap<Box<str>, Arc<str>>,
    doubts: Vec<String>,
}

impl<'t> Cursor<'t> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.text.get(self.at) {
            self.at += 1;
            if *byte == b'\n' {
                self.line = self.line.saturating_add(1);
                self.counted = (self.at, 0);
            }
        }
    }

    fn mark(&mut self) -> Marks {
        let (from, count) = self.counted;
        // Continuations of a character are not counted.
        let more = self.text[from..self.at].iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        let count = count.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.counted = (self.at, count);
        Marks { line: self.line, column: count.saturating_add(1), within: Within::Nothing }
    }

    fn value(&mut self, depth: usize) -> Marks {
        self.space();
        let mut marks = self.mark();
        match self.peek() {
            // The parser of the values stops earlier.
            b'{' | b'[' if depth > DEEPEST => self.at = self.text.len(),
            b'{' => marks.within = Within::Fields(self.fields(depth)),
            b'[' => marks.within = Within::Items(self.items(depth)),
            b'"' => {
                self.string();
            }
            _ => {
                let rest = &self.text[self.at..];
                let ends =
                    |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r' | b'{' | b'[' | b'"');
                self.at += rest.iter().position(ends).unwrap_or(rest.len()).max(1);
            }
        }
        marks
    }

    fn items(&mut self, depth: usize) -> Vec<Marks> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                b']' | 0 => break,
                b',' => self.at += 1,
                _ => items.push(self.value(depth + 1)),
            }
        }
        self.at += 1;
        items
    }

    fn fields(&mut self, depth: usize) -> Vec<(Arc<str>, Marks)> {
        let mut fields: Vec<(Arc<str>, Marks)> = Vec::new();
        let mut known: HashMap<Arc<str>, usize> = HashMap::new();
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                b'}' | 0 => break,
                b',' => self.at += 1,
                _ => {
                    let place = self.mark();
                    let key = self.key();
                    self.space();
                    self.at += usize::from(self.peek() == b':');
                    let value = self.value(depth + 1);
                    let marks = Marks { within: value.within, ..place };
                    match known.get(&key) {
                        Some(i) => {
                            self.doubt(&key, marks.line);
                            fields[*i].1 = marks;
                        }
                        None => {
                            known.insert(Arc::clone(&key), fields.len());
                            fields.push((key, marks));
                        }
                    }
                }
            }
        }
        self.at += 1;
        fields
    }

    fn doubt(&mut self, key: &str, line: u32) {
        if self.doubts.len() < MOST_DOUBTS {
            let key = shown(key);
            self.doubts
                .push(format!("`{key}` is given again in line {line}: kubectl takes the last, others refuse it"));
        }
    }

    fn key(&mut self) -> Arc<str> {
        let raw = self.string();
        let text = std::str::from_utf8(raw).unwrap_or_default();
        if let Some(known) = self.keys.get(text) {
            return Arc::clone(known);
        }
        let key: Arc<str> = serde_json::from_str::<String>(text).unwrap_or_default().into();
        self.keys.insert(text.into(), Arc::clone(&key));
        key
    }

    /// A text with its quotes.
    fn string(&mut self) -> &'t [u8] {
        let text = self.text;
        let from = self.at;
        self.at += 1;
        while self.at < self.text.len() {
            match self.text[self.at] {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at = (self.at + 1).min(self.text.len());
        &text[from..self.at]
    }
}
