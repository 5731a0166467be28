//! Predicates over the facts of one component: CEL in syntax, typed against the schema when they are compiled,
//! evaluated three-valued.
//!
//! The `cel` crate parses; typing and evaluation are our own, because the verdict is what this product is about: an
//! unknown must flow through every operator and quantifier as Kleene's logic says, and the evaluator, not the author
//! of a check, must name the facts that decided.

mod eval;
mod lower;
mod mend;
mod reserved;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::schema::Kind;
use crate::value::Value;

pub use eval::{Answer, Truth};
pub use lower::PredicateError;

/// The longest expression, in bytes. Longer ones could exhaust the parser's stack.
pub const LONGEST: usize = 2048;

/// A set of facts of one kind, by their positions in its schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FactSet(u128);

impl FactSet {
    /// The most facts that a kind may have.
    pub const CAPACITY: usize = 128;

    /// A set of one.
    pub fn one(index: usize) -> Self {
        debug_assert!(index < Self::CAPACITY);
        Self(1 << (index % Self::CAPACITY))
    }

    /// Both together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it holds none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it holds a fact.
    pub fn contains(self, index: usize) -> bool {
        index < Self::CAPACITY && self.0 & (1 << index) != 0
    }

    /// The positions, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let next = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(next)
        })
    }
}

/// A compiled predicate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Predicate {
    /// As the author wrote it.
    pub text: String,
    root: Expr,
}

impl Predicate {
    /// Parses an expression and types it against the facts of a kind; the whole must be a truth value.
    ///
    /// # Errors
    /// With the column in `text`, what is wrong, and what would be right.
    pub fn compile(text: &str, kind: &'static Kind) -> Result<Self, PredicateError> {
        lower::compile(text, kind).map(|root| Self { text: text.to_owned(), root })
    }

    /// Evaluates it over a component.
    pub fn evaluate(&self, component: &Component) -> Answer {
        eval::evaluate(&self.root, component)
    }

    /// Changes the facts of a component so that it holds, by the least change, and only where that is plain: false, and
    /// nothing changed, where several would do or something would have to be made up.
    pub fn mend(&self, component: &mut Component) -> bool {
        mend::mend(&self.root, component)
    }

    /// Every fact that it names.
    pub fn facts(&self) -> FactSet {
        let mut set = FactSet::default();
        self.root.visit(&mut |e| {
            if let Expr::Fact(i) = e {
                set = set.union(FactSet::one(usize::from(*i)));
            }
        });
        set
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a test on text asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
    Under,
}

/// What is asked of the elements of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Quantifier {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

/// The expression, after typing. Variables of quantifiers are numbered from the outermost.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Expr {
    Null,
    Bool(bool),
    Int(i64),
    Str(Box<str>),
    List(Vec<Expr>),
    Fact(u16),
    Var(u8),
    Field(Box<Expr>, Box<str>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    Equal(Box<Expr>, Box<Expr>),
    Compare(Order, Box<Expr>, Box<Expr>),
    In(Box<Expr>, Box<Expr>),
    Add(Box<Expr>, Box<Expr>),
    Size(Box<Expr>),
    Text(TextTest, Box<Expr>, Box<Expr>),
    Matches(Box<Expr>, Pattern),
    Lower(Box<Expr>),
    Within(Box<Expr>, u32),
    Quantified(Quantifier, Box<Expr>, Box<Expr>),
}

impl Expr {
    fn visit(&self, f: &mut impl FnMut(&Self)) {
        f(self);
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Str(_) | Self::Fact(_) | Self::Var(_) => {}
            Self::List(items) => items.iter().for_each(|e| e.visit(f)),
            Self::Field(e, _)
            | Self::Not(e)
            | Self::Size(e)
            | Self::Matches(e, _)
            | Self::Lower(e)
            | Self::Within(e, _) => e.visit(f),
            Self::And(a, b)
            | Self::Or(a, b)
            | Self::Equal(a, b)
            | Self::Compare(_, a, b)
            | Self::In(a, b)
            | Self::Add(a, b)
            | Self::Text(_, a, b)
            | Self::Quantified(_, a, b) => {
                a.visit(f);
                b.visit(f);
            }
            Self::If(c, a, b) => {
                c.visit(f);
                a.visit(f);
                b.visit(f);
            }
        }
    }
}

/// A regular expression, compiled on first use: a check that a run does not need costs nothing.
#[derive(Clone, Debug)]
struct Pattern {
    text: Box<str>,
    regex: std::sync::OnceLock<Option<regex::Regex>>,
}

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        let regex = Self::build(text).map_err(|e| e.to_string())?;
        Ok(Self { text: text.into(), regex: std::sync::OnceLock::from(Some(regex)) })
    }

    fn build(text: &str) -> Result<regex::Regex, regex::Error> {
        regex::RegexBuilder::new(text).size_limit(1 << 20).build()
    }

    fn is_match(&self, subject: &str) -> Option<bool> {
        self.regex.get_or_init(|| Self::build(&self.text).ok()).as_ref().map(|r| r.is_match(subject))
    }
}

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { text: Box::deserialize(deserializer)?, regex: std::sync::OnceLock::new() })
    }
}

/// Whether a path is another or lies beneath it, by components: `/run` is under `/run`, `/runner` is not.
pub fn path_is_under(path: &str, base: &str) -> bool {
    let base = base.trim_end_matches('/');
    match path.strip_prefix(base) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// Marks a value of the catalogue's Cases as not given.
pub fn not_given() -> Value {
    Value::unknown("not given in the case")
}
