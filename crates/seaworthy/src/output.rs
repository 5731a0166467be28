//! Where renderings go: standard output, or files that are whole or not there.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use seaworthy_report::Format;

/// The pairs of `-f` and `-o`. One format without a file goes to standard output; files without a format are told by
/// their ending.
pub fn pairs(formats: &[Format], outputs: &[PathBuf]) -> Result<Vec<(Format, Option<PathBuf>)>> {
    let stdout = |p: &PathBuf| (p.as_os_str() != "-").then(|| p.clone());
    match (formats, outputs) {
        ([], []) => Ok(vec![(Format::Text, None)]),
        ([format], []) => Ok(vec![(*format, None)]),
        ([], outputs) => outputs.iter().map(|o| Ok((by_ending(o)?, stdout(o)))).collect(),
        (formats, outputs) if formats.len() == outputs.len() => {
            Ok(formats.iter().copied().zip(outputs.iter().map(stdout)).collect())
        }
        (formats, outputs) if formats.len() == outputs.len() + 1 => {
            let mut all: Vec<_> = formats.iter().copied().zip(outputs.iter().map(stdout)).collect();
            all.extend(formats.last().map(|f| (*f, None)));
            Ok(all)
        }
        (formats, outputs) => bail!(
            "{} formats and {} outputs do not pair: give each -f its -o (one -f may be left for standard output)",
            formats.len(),
            outputs.len()
        ),
    }
}

fn by_ending(path: &Path) -> Result<Format> {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    match ending {
        "json" => Ok(Format::Json),
        "sarif" => Ok(Format::Sarif),
        "xml" => Ok(Format::Junit),
        "md" => Ok(Format::Markdown),
        "csv" => Ok(Format::Csv),
        "txt" => Ok(Format::Text),
        "html" => Ok(Format::Html),
        "svg" => Ok(Format::Svg),
        "mmd" => Ok(Format::Mermaid),
        "otm" => Ok(Format::Otm),
        _ => bail!("{}: which format? give it by -f", path.display()),
    }
}

/// Writes to a file through a temporary one beside it, so that a full disk or an interruption leaves no half file
/// (a device such as /dev/null is written directly); or to standard output.
pub fn write(path: Option<&Path>, render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let Some(path) = path else {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        return match render(&mut out).and_then(|()| out.flush()) {
            // The reader has seen enough, as `head` has. What was judged stays judged: a gate does not open for it.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done.context("standard output"),
        };
    };
    let context = || format!("writing {}", path.display());
    if std::fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path).with_context(context)?);
        return render(&mut out).and_then(|()| out.flush()).with_context(context);
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let result = write_through(&temporary, path, render);
    if result.is_err() {
        // Best effort: the error that matters is already on its way.
        drop(std::fs::remove_file(&temporary));
    }
    result.with_context(context)
}

fn write_through(
    temporary: &Path,
    path: &Path,
    render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(temporary)?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    render(&mut out)?;
    out.flush()?;
    out.get_ref().sync_data()?;
    std::fs::rename(temporary, path)
}

/// Whether standard output takes colour.
pub fn colour(no_color: bool) -> bool {
    let asked_not = no_color || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    !asked_not && io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// The width to write in: the terminal's, COLUMNS, or 100 in a pipe.
pub fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let terminal = || io::stdout().is_terminal().then(terminal_width).flatten();
    columns.or_else(terminal).unwrap_or(100).clamp(40, 400)
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}
