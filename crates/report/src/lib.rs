//! Renderings of a report: text, JSON, SARIF, JUnit, Markdown, CSV; of an assessment: the page, SVG, Mermaid.
//!
//! Every rendering reads an [`Audit`] and writes as it goes, so that a report of tens of thousands of findings is
//! never held as one text. Names, values and sources come from the audited host and are hostile: each format makes
//! them harmless in its own way. The same audit gives the same bytes.

mod baseline;
mod clean;
mod csv;
mod diff;
mod export;
mod group;
pub mod html;
mod json;
mod junit;
mod layout;
mod markdown;
mod matrix;
pub mod mermaid;
mod plan;
mod proposal;
mod sarif;
mod shell;
mod since;
pub mod svg;
mod text;
mod words;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod testing_model;

use std::fmt;
use std::io;
use std::str::FromStr;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;

pub use baseline::{Baseline, BaselineError, baseline};
pub use clean::one_line;
pub use diff::{moment, render_diff};
pub use plan::{edits_of, render_plan};

/// A format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person at a terminal or behind a pipe.
    Text,
    /// Everything, in the shape of `schemas/report-2.json`.
    Json,
    /// SARIF 2.1.0, for code scanning services.
    Sarif,
    /// JUnit XML, for the test views of CI.
    Junit,
    /// For a merge request or a wiki.
    Markdown,
    /// One row per finding, for a spreadsheet.
    Csv,
    /// The Open Threat Model, 0.2.0.
    Otm,
    /// OWASP Threat Dragon's model, version 2.
    ThreatDragon,
    /// The OWASP Threat Model Library's format, 1.0.2.
    TmBom,
    /// A layer of the ATT&CK Navigator, 4.5.
    Navigator,
    /// One page for a browser, offline.
    Html,
    /// The data-flow diagram as a picture.
    Svg,
    /// The data-flow diagram as a Mermaid flowchart.
    Mermaid,
}

impl Format {
    /// All of them with their names, in the order in which they are listed.
    pub const ALL: [(&'static str, Self); 13] = [
        ("text", Self::Text),
        ("json", Self::Json),
        ("sarif", Self::Sarif),
        ("junit", Self::Junit),
        ("markdown", Self::Markdown),
        ("csv", Self::Csv),
        ("otm", Self::Otm),
        ("threat-dragon", Self::ThreatDragon),
        ("tm-bom", Self::TmBom),
        ("navigator", Self::Navigator),
        ("html", Self::Html),
        ("svg", Self::Svg),
        ("mermaid", Self::Mermaid),
    ];

    /// Whether it tells the threat model alone, so that a report without one cannot be rendered in it.
    pub fn needs_model(self) -> bool {
        matches!(
            self,
            Self::Otm | Self::ThreatDragon | Self::TmBom | Self::Navigator | Self::Html | Self::Svg | Self::Mermaid
        )
    }

    /// Its name, as it is asked for.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }
}

/// A name that is no format's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat(String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Format::ALL.iter().map(|(name, _)| *name).collect();
        write!(f, "there is no format `{}`; there are {}", one_line(&self.0), names.join(", "))
    }
}

impl std::error::Error for UnknownFormat {}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|(name, _)| *name == text);
        known.map(|(_, format)| *format).ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

/// What a rendering reads.
#[derive(Clone, Copy, Debug)]
pub struct Report<'r> {
    /// The findings.
    pub audit: &'r Audit<'r>,
    /// The threat model over them, where the command makes one.
    pub model: Option<&'r Assessment<'r>>,
    /// The threat model of an earlier snapshot of the same targets, to tell before from after.
    pub since: Option<&'r Assessment<'r>>,
    /// By what the user had something left out: `--check`, `--baseline`. A report that was narrowed cannot be compared with
    /// another, since what it does not hold may be there.
    pub narrowed: &'r [&'static str],
}

/// What of a report a text shows; JSON shows the same in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The benchmark, control by control.
    Audit,
    /// The summary, and what to harden first.
    Assess,
    /// The threats by surface and letter.
    Threats,
    /// The attack paths.
    Paths,
}

impl View {
    /// The command that shows it.
    pub fn command(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Assess => "assess",
            Self::Threats => "threats",
            Self::Paths => "paths",
        }
    }
}

/// How a report is shown.
#[derive(Clone, Debug)]
pub struct Options {
    /// Columns of the terminal; text only.
    pub width: usize,
    /// Whether text is coloured.
    pub colour: bool,
    /// Passes and what is not applicable too (JSON, JUnit and CSV always hold them).
    pub all: bool,
    /// Everything that could not be read, instead of its count; text only.
    pub gaps: bool,
    /// How many to harden first; text only.
    pub top: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 100, colour: false, all: false, gaps: false, top: 3 }
    }
}

/// Writes a report.
///
/// # Errors
/// Those of the writer; [`io::ErrorKind::InvalidInput`] where the format needs a model and there is none.
pub fn render(
    format: Format,
    view: View,
    report: Report<'_>,
    options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let audit = report.audit;
    match format {
        Format::Text => text::render(view, report, options, out),
        Format::Json => json::render(report, out),
        Format::Sarif => sarif::render(report, options, out),
        Format::Junit => junit::render(audit, out),
        Format::Markdown => markdown::render(report, options, out),
        Format::Csv => csv::render(audit, out),
        Format::Otm => export::otm::render(needed(format, report)?, out),
        Format::ThreatDragon => export::threat_dragon::render(needed(format, report)?, out),
        Format::TmBom => export::tm_bom::render(needed(format, report)?, out),
        Format::Html => {
            let page = html::Options { top: options.top, ..html::Options::default() };
            html::render(needed(format, report)?, report.since, &page, out)
        }
        Format::Svg => svg::render(needed(format, report)?, &svg::Options::default(), out),
        Format::Mermaid => mermaid::render(needed(format, report)?, out),
        Format::Navigator => export::navigator::render(needed(format, report)?, out),
    }
}

/// The model that a format tells.
fn needed<'r>(format: Format, report: Report<'r>) -> io::Result<&'r Assessment<'r>> {
    report.model.ok_or_else(|| {
        let name = format.name();
        let why = format!(
            "`{name}` tells the threat model, which this command does not make; ask `seaworthy assess -f {name}`"
        );
        io::Error::new(io::ErrorKind::InvalidInput, why)
    })
}
