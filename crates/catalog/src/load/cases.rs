//! Cases: small components written in TOML.

use seaworthy_core::check::{Case, Check};
use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::predicate::not_given;
use seaworthy_core::schema::Type;
use seaworthy_core::value::Value;

use super::LoadError;

/// The component that a Case describes.
///
/// # Errors
/// With the file and line, when a fact does not exist or has another type.
pub fn component(check: &Check, case: &Case) -> Result<Component, LoadError> {
    let error = |message: String| LoadError { file: check.file.clone(), line: case.line, column: 1, message };
    let table: toml::Table =
        toml::from_str(&case.facts).map_err(|e| error(e.message().lines().next().unwrap_or("not TOML").to_owned()))?;
    let kind = check.kind();
    let mut component = Component::new(kind, "case", "case");
    let source = || Source::place("case");
    for (name, value) in table {
        if name == "null" {
            for fact in value.as_array().into_iter().flatten().filter_map(toml::Value::as_str) {
                match kind.fact(fact).map(|f| f.ty) {
                    Some(Type::Optional(_)) => component.set(fact, Value::Null, source()),
                    Some(_) => return Err(error(format!("`{fact}` is never null"))),
                    None => return Err(error(format!("{} has no fact `{fact}`", kind.name))),
                }
            }
            continue;
        }
        let Some(spec) = kind.fact(&name) else {
            return Err(error(format!("{} has no fact `{name}`", kind.name)));
        };
        let value = convert(&value, &spec.ty).map_err(|why| error(format!("`{name}`: {why}")))?;
        component.set(&name, value, source());
    }
    Ok(component)
}

fn convert(value: &toml::Value, ty: &Type) -> Result<Value, String> {
    match (ty, value) {
        (Type::Bool, toml::Value::Boolean(b)) => Ok(Value::Bool(*b)),
        (Type::Int, toml::Value::Integer(i)) => Ok(Value::Int(*i)),
        (Type::Str, toml::Value::String(s)) => Ok(s.as_str().into()),
        (Type::Optional(inner), value) => convert(value, inner),
        (Type::List(inner), toml::Value::Array(items)) => {
            Ok(Value::List(items.iter().map(|item| convert(item, inner)).collect::<Result<_, _>>()?))
        }
        (Type::Object(fields), toml::Value::Table(table)) => {
            if let Some(extra) = table.keys().find(|k| fields.iter().all(|f| f.name != k.as_str())) {
                return Err(format!("there is no field `{extra}`"));
            }
            let field = |f: &seaworthy_core::schema::Field| {
                let value = table.get(f.name).map_or_else(|| Ok(not_given()), |v| convert(v, &f.ty))?;
                Ok((f.name, value))
            };
            Ok(Value::Object(fields.iter().map(field).collect::<Result<_, String>>()?))
        }
        (expected, found) => Err(format!("expected {expected}, found a {}", found.type_str())),
    }
}
