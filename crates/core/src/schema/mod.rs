//! The fact schema: for every kind of component its facts, with type, unit, what unknown means and where each is
//! read. Checks are typed against it when they load; `explain` and the documentation print it.

pub mod docker;
pub mod kubernetes;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use crate::value::Value;

/// The type of a fact's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A truth value.
    Bool,
    /// A whole number.
    Int,
    /// Text.
    Str,
    /// A list of one type.
    List(&'static Type),
    /// Fields, each with its type.
    Object(&'static [Field]),
    /// The type, or null where its absence is proven.
    Optional(&'static Type),
}

/// A field of an object type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in predicates.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// What it says.
    pub means: &'static str,
}

impl Type {
    /// Whether a value is of this type; an unknown is of every type.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn conforms(&self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (_, Value::Unknown(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::Int, Value::Int(_))
            | (Self::Str, Value::Str(_))
            | (Self::Optional(_), Value::Null) => Ok(()),
            (Self::Optional(inner), value) => inner.conforms(value),
            (Self::List(inner), Value::List(items)) => items.iter().try_for_each(|item| inner.conforms(item)),
            (Self::Object(fields), Value::Object(values)) => conforms_object(fields, values),
            (expected, found) => Err(format!("expected {expected}, found {found}")),
        }
    }
}

fn conforms_object(fields: &[Field], values: &[(&'static str, Value)]) -> Result<(), String> {
    if fields.len() != values.len() {
        return Err(format!("expected {} fields, found {}", fields.len(), values.len()));
    }
    for field in fields {
        let Some((_, value)) = values.iter().find(|(name, _)| *name == field.name) else {
            return Err(format!("the field `{}` is missing", field.name));
        };
        field.ty.conforms(value).map_err(|why| format!("`{}`: {why}", field.name))?;
    }
    Ok(())
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Str => f.write_str("string"),
            Self::List(inner) => write!(f, "list of {inner}"),
            Self::Object(fields) => {
                f.write_str("{")?;
                for (i, field) in fields.iter().enumerate() {
                    write!(f, "{}{}: {}", if i > 0 { ", " } else { "" }, field.name, field.ty)?;
                }
                f.write_str("}")
            }
            Self::Optional(inner) => write!(f, "{inner} or null"),
        }
    }
}

/// One fact of a kind.
#[derive(Clone, Copy, Debug)]
pub struct FactSpec {
    /// Its name in predicates and reports.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Its unit; empty where it has none.
    pub unit: &'static str,
    /// What it says.
    pub means: &'static str,
    /// When it is unknown.
    pub unknown: &'static str,
    /// Where it is read.
    pub read: &'static str,
    /// Follows from other facts and is computed before judging.
    pub derived: bool,
}

/// A fact without a unit that is read, not derived.
pub(crate) const fn fact(
    name: &'static str,
    ty: Type,
    means: &'static str,
    read: &'static str,
    unknown: &'static str,
) -> FactSpec {
    FactSpec { name, ty, unit: "", means, unknown, read, derived: false }
}

impl FactSpec {
    /// With a unit.
    pub(crate) const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// Computed from other facts.
    pub(crate) const fn derived(mut self) -> Self {
        self.derived = true;
        self
    }
}

/// Types that many facts have.
const STR: Type = Type::Str;
const INT: Type = Type::Int;
const BOOL: Type = Type::Bool;
const STRINGS: Type = Type::List(&Type::Str);
const OPT_STR: Type = Type::Optional(&Type::Str);
const OPT_INT: Type = Type::Optional(&Type::Int);
const OPT_BOOL: Type = Type::Optional(&Type::Bool);

/// A secret that was recognised: its value is never kept.
const SECRET: &[Field] = &[
    field("name", STR, "the variable, label, option or step that holds it"),
    field("class", STR, "what kind of secret it looks like"),
    field("length", STR, "bucket of its length in characters"),
];
const SECRETS: Type = Type::List(&Type::Object(SECRET));

/// An access to a file, as the audit log tells it.
const LOGGED: &[Field] = &[
    field("at", INT, "when, in milliseconds since 1970-01-01 UTC"),
    field(
        "path",
        STR,
        "the file, its directory's links resolved; proven by its inode, so that a file of the same path in a container is not taken for it",
    ),
    field(
        "act",
        STR,
        "attributes (mode, owner, access list), write, create, rename (another file took its name), remove, execute or unknown",
    ),
    field("success", BOOL, "whether it succeeded"),
    field(
        "login_uid",
        OPT_INT,
        "the number of the user who logged in, whoever he became since; null for what no login began",
    ),
    field("login", OPT_STR, "that user's name; null where passwd has none for it"),
    field("uid", OPT_INT, "the number of the user as whom it was done; null where the record does not tell"),
    field("exe", STR, "the executable; empty where the record does not tell"),
    field("key", STR, "the key of the rule that logged it; empty where it has none"),
];
/// Two facts of whatever has an audit log; `core::trail` reads them.
const AUDIT_LOG: FactSpec = fact(
    "audit_log",
    Type::List(&Type::Object(LOGGED)),
    "accesses to files that checks rest on, as far as the audit log has them: of each kind to each path the latest 16, the latest last",
    LOG,
    NO_LOG,
);
const AUDIT_LOG_SINCE: FactSpec = fact(
    "audit_log_since",
    INT,
    "when what was read of the audit log begins: of what was before, nothing is known",
    LOG,
    NO_LOG,
)
.unit("seconds since 1970-01-01 UTC");
/// Where they are read.
const LOG: &str = "/var/log/audit/audit.log and its rotated parts, the last 8 MiB together";
/// When they are unknown.
const NO_LOG: &str = "there is no log, it holds no record, the right to read it is missing (root has it), the daemon or the node has other files than the host, or only the API tells of the node";

/// A field of an object type.
pub(crate) const fn field(name: &'static str, ty: Type, means: &'static str) -> Field {
    Field { name, ty, means }
}

/// A kind of component with its facts.
#[derive(Debug)]
pub struct Kind {
    /// `docker.container`.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub means: &'static str,
    /// Its facts, in the order in which they are shown.
    pub facts: &'static [FactSpec],
    index: LazyLock<HashMap<&'static str, usize>>,
}

impl Kind {
    /// The position of a fact in `facts`.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// A fact by name.
    pub fn fact(&self, name: &str) -> Option<&'static FactSpec> {
        self.index(name).map(|i| &self.facts[i])
    }
}

macro_rules! kind {
    ($(#[$doc:meta])* $ident:ident = $name:literal, $means:literal, $facts:expr) => {
        $(#[$doc])*
        pub static $ident: $crate::schema::Kind = {
            static FACTS: &[$crate::schema::FactSpec] = $facts;
            $crate::schema::Kind {
                name: $name,
                means: $means,
                facts: FACTS,
                index: std::sync::LazyLock::new(|| FACTS.iter().enumerate().map(|(i, f)| (f.name, i)).collect()),
            }
        };
    };
}
pub(crate) use kind;

/// Every kind, in the order in which reports show them.
pub fn kinds() -> &'static [&'static Kind] {
    static ALL: [&Kind; 38] = [
        &docker::HOST,
        &docker::CLIENT,
        &docker::DAEMON,
        &docker::FILE,
        &docker::REGISTRY,
        &docker::DOCKERFILE,
        &docker::IMAGE,
        &docker::CONTAINER,
        &docker::NETWORK,
        &docker::VOLUME,
        &docker::SWARM,
        &docker::NODE,
        &docker::SERVICE,
        &kubernetes::CLUSTER,
        &kubernetes::NODE,
        &kubernetes::APISERVER,
        &kubernetes::ETCD,
        &kubernetes::CONTROLLER_MANAGER,
        &kubernetes::SCHEDULER,
        &kubernetes::KUBELET,
        &kubernetes::PROXY,
        &kubernetes::FILE,
        &kubernetes::NAMESPACE,
        &kubernetes::POD,
        &kubernetes::CONTAINER,
        &kubernetes::SERVICE_ACCOUNT,
        &kubernetes::ROLE,
        &kubernetes::BINDING,
        &kubernetes::SUBJECT,
        &kubernetes::NETWORK_POLICY,
        &kubernetes::SERVICE,
        &kubernetes::INGRESS,
        &kubernetes::ADMISSION,
        &kubernetes::SECRET,
        &kubernetes::CONFIG_MAP,
        &kubernetes::VOLUME,
        &kubernetes::API_SERVICE,
        &kubernetes::CERTIFICATE_REQUEST,
    ];
    &ALL
}

/// A kind by its name.
pub fn kind_named(name: &str) -> Option<&'static Kind> {
    kinds().iter().copied().find(|k| k.name == name)
}

/// The schema's own copy of a field name, for reading snapshots back.
pub fn field_name(name: &str) -> Option<&'static str> {
    static NAMES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
        let mut names = HashMap::new();
        for kind in kinds() {
            for fact in kind.facts {
                collect_names(&fact.ty, &mut names);
            }
        }
        names
    });
    NAMES.get(name).copied()
}

fn collect_names(ty: &Type, names: &mut HashMap<&'static str, &'static str>) {
    match ty {
        Type::Bool | Type::Int | Type::Str => {}
        Type::List(inner) | Type::Optional(inner) => collect_names(inner, names),
        Type::Object(fields) => {
            for field in *fields {
                names.insert(field.name, field.name);
                collect_names(&field.ty, names);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_names_a_fact_twice_and_every_fact_is_described() {
        for kind in kinds() {
            assert_eq!(kind.index.len(), kind.facts.len(), "{} names a fact twice", kind.name);
            for fact in kind.facts {
                assert!(!fact.means.is_empty() && !fact.unknown.is_empty() && !fact.read.is_empty(), "{}", fact.name);
                assert!(fact.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
            }
        }
    }
}
