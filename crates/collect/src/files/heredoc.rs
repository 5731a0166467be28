//! Here-documents of RUN, wherever they stand in its line: taken out before the file is parsed.
//!
//! `parse-dockerfile` knows one that begins the line. Of `RUN bash <<EOF` it would read the document's lines as
//! instructions: a `USER` in a script would count as the image's. Here each line of a document becomes a comment of the
//! same length, so that every place in the file stays where it is.

use std::ops::Range;

/// A file without the here-documents of its RUN instructions.
#[derive(Debug)]
pub(super) struct Masked {
    /// The file, each byte at its place.
    pub(super) text: String,
    /// The instruction's lines, and the documents that follow it, as ranges of the file.
    docs: Vec<(Range<usize>, Vec<Range<usize>>)>,
}

impl Masked {
    /// The documents of the instruction that begins here.
    pub(super) fn of(&self, at: usize) -> &[Range<usize>] {
        let next = self.docs.partition_point(|(lines, _)| lines.end <= at);
        self.docs.get(next).filter(|(lines, _)| lines.contains(&at)).map_or(&[], |(_, docs)| docs)
    }
}

/// Takes the here-documents of RUN out.
///
/// # Errors
/// In one line: the document that does not end.
pub(super) fn mask(text: &str) -> Result<Masked, String> {
    let escape = escape(text);
    let mut bytes = text.as_bytes().to_vec();
    let mut docs = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let start = at;
        let (line, end) = line(text, at);
        at = end;
        let begins = line.trim_start();
        if begins.is_empty() || begins.starts_with('#') {
            continue;
        }
        // The rest of the instruction: the lines that it continues on, comments and empty ones among them.
        let mut continues = continued(line, escape);
        while continues && at < text.len() {
            let (next, end) = self::line(text, at);
            at = end;
            let is_nothing = next.trim().is_empty() || next.trim_start().starts_with('#');
            continues = is_nothing || continued(next, escape);
        }
        let lines = start..at;
        let Some(begin) = here_documents_of(begins) else { continue };
        let markers = markers(text, lines.start..lines.end);
        let mut found = Vec::new();
        for marker in &markers {
            let doc = document(text, &mut at, marker).ok_or_else(|| {
                format!("it is no Dockerfile: the here-document of line {} does not end", row(text, start))
            })?;
            found.push(doc);
        }
        // Those of COPY and ADD are read by the parser.
        if begin && !markers.is_empty() {
            for marker in &markers {
                bytes[marker.at..marker.at + 2].copy_from_slice(b"##");
            }
            comment(&mut bytes, lines.end..at);
            docs.push((lines, found));
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok(Masked { text, docs })
}

/// The line that begins here, without its end, and where the next one begins.
fn line(text: &str, at: usize) -> (&str, usize) {
    let end = memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |end| at + end + 1);
    (text[at..end].trim_end_matches(['\n', '\r']), end)
}

fn row(text: &str, at: usize) -> usize {
    memchr::memchr_iter(b'\n', &text.as_bytes()[..at]).count() + 1
}

fn continued(line: &str, escape: char) -> bool {
    line.trim_end().ends_with(escape)
}

/// The `# escape=` directive, which stands before everything else.
fn escape(text: &str) -> char {
    for line in text.lines() {
        let Some((name, value)) = line.trim_start().strip_prefix('#').and_then(|rest| rest.split_once('=')) else {
            break;
        };
        let name = name.trim().to_ascii_lowercase();
        if !matches!(name.as_str(), "escape" | "syntax" | "check") {
            break;
        }
        if name == "escape" {
            return if value.trim() == "`" { '`' } else { '\\' };
        }
    }
    '\\'
}

/// Whether an instruction may have here-documents: true for RUN, false for COPY and ADD, none for the others.
fn here_documents_of(line: &str) -> Option<bool> {
    let mut words = line.split_whitespace().map(str::to_ascii_uppercase);
    let first = words.next()?;
    let word = if first == "ONBUILD" { words.next()? } else { first };
    match word.as_str() {
        "RUN" => Some(true),
        "COPY" | "ADD" => Some(false),
        _ => None,
    }
}

/// `<<-EOF`.
struct Marker {
    /// Where its `<<` stands.
    at: usize,
    end: String,
    strips_tabs: bool,
}

/// The words of an instruction that open a here-document: `<<` at the beginning of a word, after digits, and no `<<<`.
fn markers(text: &str, lines: Range<usize>) -> Vec<Marker> {
    let mut found = Vec::new();
    let mut word: Option<usize> = None;
    let mut quote = None;
    let mut characters = text[lines.clone()].char_indices().chain(std::iter::once((lines.len(), ' ')));
    while let Some((at, c)) = characters.next() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c.is_whitespace() => {
                if let Some(start) = word.take() {
                    found.extend(marker(text, lines.start + start..lines.start + at));
                }
                continue;
            }
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => {}
        }
        word.get_or_insert(at);
        if c == '\\' && quote != Some('\'') {
            characters.next();
        }
    }
    found
}

fn marker(text: &str, word: Range<usize>) -> Option<Marker> {
    let rest = text[word.clone()].trim_start_matches(|c: char| c.is_ascii_digit());
    let name = rest.strip_prefix("<<")?;
    let (name, strips_tabs) = name.strip_prefix('-').map_or((name, false), |name| (name, true));
    let end: String = name.chars().filter(|c| !matches!(c, '"' | '\'' | '\\')).collect();
    (!name.contains('<') && !end.is_empty()).then(|| Marker { at: word.end - rest.len(), end, strips_tabs })
}

/// The document from `at` on, which moves behind its end.
fn document(text: &str, at: &mut usize, marker: &Marker) -> Option<Range<usize>> {
    let start = *at;
    while *at < text.len() {
        let begin = *at;
        let (line, end) = line(text, begin);
        *at = end;
        let line = if marker.strips_tabs { line.trim_start_matches('\t') } else { line };
        if line == marker.end {
            return Some(start..begin);
        }
    }
    None
}

/// Makes every line of a range a comment of the same length.
fn comment(bytes: &mut [u8], range: Range<usize>) {
    for byte in bytes[range].iter_mut().filter(|byte| !matches!(**byte, b'\n' | b'\r')) {
        *byte = b'#';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_taken_out_and_everything_else_stays() {
        let text = "FROM a\nRUN --mount=x bash -e <<-'EOF' \\\n  && cat <<B > /x\nUSER 1\n\tEOF\né\r\nB\nCOPY <<C /y\nUSER 2\nC\nRUN echo '<<D' a<<E $((1<<2)) <<<F\nUSER 3\n";
        let masked = mask(text).unwrap();
        assert_eq!(masked.text.len(), text.len());
        assert!(!masked.text.contains("USER 1") && masked.text.contains("USER 2") && masked.text.contains("USER 3"));
        let docs: Vec<&str> = masked.of(text.find("RUN").unwrap()).iter().map(|doc| &text[doc.clone()]).collect();
        assert_eq!(docs, ["USER 1\n", "é\r\n"]);
        assert!(masked.of(0).is_empty() && masked.of(text.len()).is_empty());
        assert!(masked.of(text.rfind("RUN").unwrap()).is_empty());
    }

    #[test]
    fn what_does_not_end_is_no_dockerfile() {
        assert!(mask("FROM a\nRUN bash <<EOF\nx\n").unwrap_err().contains("line 2 does not end"));
        assert!(mask("FROM a\nRUN cat <<EOF").is_err());
        assert!(mask("# escape=`\nFROM a\nRUN x `\n <<EOF\nEOF\n").is_ok());
        assert!(mask("FROM a\nCMD cat <<EOF\n").is_ok(), "a command has none");
    }
}
