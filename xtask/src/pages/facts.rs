//! `docs/facts.md`: the fact schema.

use std::fmt::Write as _;

use seaworthy_core::schema::{self, FactSpec, Field, Type};

use super::markdown::{Table, code, text};

/// The page.
pub fn page() -> String {
    let count: usize = schema::kinds().iter().map(|kind| kind.facts.len()).sum();
    let mut out = String::from("# Facts\n\n");
    let _ = writeln!(
        out,
        "What Seaworthy knows of each kind of component: {count} facts. Each is the setting in effect, with the place where \
         it was read, or unknown with the reason. Checks are typed against this list when the program is built. A \
         derived fact follows from others and is computed before judging; it is unknown where one that decides it is.\n"
    );
    for kind in schema::kinds() {
        let _ = writeln!(out, "- [{}](#{}): {}", kind.name, kind.name.replace('.', ""), text(kind.means));
    }
    for kind in schema::kinds() {
        let _ = writeln!(out, "\n## {}\n\n{}\n", kind.name, text(kind.means));
        let mut table = Table::new(&["fact", "type", "what it says", "read from", "unknown when"]);
        for fact in kind.facts {
            let read = if fact.derived { format!("derived: {}", text(fact.read)) } else { text(fact.read) };
            table.row(&[code(fact.name), type_of(fact), text(fact.means), read, text(fact.unknown)]);
        }
        out.push_str(&table.finish());
        for fact in kind.facts {
            if let Some(fields) = fields(&fact.ty) {
                let _ = writeln!(out, "\nFields of {}:\n", code(fact.name));
                list(fields, 0, &mut out);
            }
        }
    }
    out
}

fn type_of(fact: &FactSpec) -> String {
    let name = short(&fact.ty);
    if fact.unit.is_empty() { name } else { format!("{name}, {}", text(fact.unit)) }
}

/// A type without the fields of its objects, which are listed apart.
fn short(ty: &Type) -> String {
    match ty {
        Type::Bool | Type::Int | Type::Str => ty.to_string(),
        Type::List(inner) => format!("list of {}", short(inner)),
        Type::Object(_) => "object".to_owned(),
        Type::Optional(inner) => format!("{} or null", short(inner)),
    }
}

fn fields(ty: &Type) -> Option<&'static [Field]> {
    match ty {
        Type::Bool | Type::Int | Type::Str => None,
        Type::List(inner) | Type::Optional(inner) => fields(inner),
        Type::Object(fields) => Some(fields),
    }
}

fn list(of: &[Field], depth: usize, out: &mut String) {
    for field in of {
        let indent = "  ".repeat(depth);
        let _ = writeln!(out, "{indent}- {} ({}): {}", code(field.name), short(&field.ty), text(field.means));
        if let Some(deeper) = fields(&field.ty) {
            list(deeper, depth + 1, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::schema;

    #[test]
    fn no_fact_is_left_out() {
        let page = super::page();
        for kind in schema::kinds() {
            let section = page.split(&format!("\n## {}\n", kind.name)).nth(1).unwrap().split("\n## ").next().unwrap();
            for fact in kind.facts {
                assert!(section.contains(&format!("| `{}` |", fact.name)), "{}.{}", kind.name, fact.name);
            }
        }
    }
}
