//! Renderings of a report: text, JSON, SARIF, JUnit, Markdown, CSV.
