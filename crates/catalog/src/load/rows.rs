//! The rows of the lists of threats that the catalogue must tell.

use seaworthy_core::threat::{Row, Stride, Surface};
use serde::Deserialize;
use toml::Spanned;

use super::{LoadError, Position, toml_error};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    row: Vec<Spanned<Written>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    letters: String,
    surface: Option<Surface>,
}

/// Parses the rows, each with its place.
///
/// # Errors
/// Everything that is wrong with them.
pub fn parse(file: &str, text: &str) -> Result<Vec<(Row, Position)>, Vec<LoadError>> {
    let parsed: File = toml::from_str(text).map_err(|e| vec![toml_error(file, text, 0, &e)])?;
    let mut errors = Vec::new();
    let mut rows: Vec<(Row, Position)> = Vec::new();
    for row in parsed.row {
        let at = Position::of(file, text, row.span().start);
        let Written { id, letters, surface } = row.into_inner();
        let found: Option<Vec<Stride>> =
            letters.chars().map(|c| Stride::ALL.into_iter().find(|s| s.letter() == c)).collect();
        match found {
            Some(found) if !found.is_empty() => {
                if rows.iter().any(|(other, _)| other.id == id) {
                    errors.push(at.error(format!("the row `{id}` is there twice")));
                }
                rows.push((Row { id, letters: found, surface }, at));
            }
            _ => errors
                .push(at.error(format!("the row `{id}` needs letters of STRIDE, as in \"SE\", not \"{letters}\""))),
        }
    }
    if errors.is_empty() { Ok(rows) } else { Err(errors) }
}
