//! From CEL's syntax tree to a typed expression.

use std::fmt;

use cel::common::ast::{self, IdedExpr, LiteralValue, SourceInfo, operators};

use super::reserved::Masks;
use super::{Expr, LONGEST, Order, Pattern, Quantifier, TextTest};
use crate::schema::{Field, Kind, Type};

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredicateError {
    /// The byte in the expression, from 0.
    pub offset: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for PredicateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PredicateError {}

/// The type of an expression.
#[derive(Clone, Debug, PartialEq)]
enum Ty {
    Null,
    Bool,
    Int,
    Str,
    List(Box<Ty>),
    Object(&'static [Field]),
    Optional(Box<Ty>),
    /// The element of an empty list literal.
    Any,
}

impl From<Type> for Ty {
    fn from(ty: Type) -> Self {
        match ty {
            Type::Bool => Self::Bool,
            Type::Int => Self::Int,
            Type::Str => Self::Str,
            Type::List(inner) => Self::List(Box::new((*inner).into())),
            Type::Object(fields) => Self::Object(fields),
            Type::Optional(inner) => Self::Optional(Box::new((*inner).into())),
        }
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Str => f.write_str("string"),
            Self::List(inner) => write!(f, "list of {inner}"),
            Self::Object(_) => f.write_str("object"),
            Self::Optional(inner) => write!(f, "{inner} or null"),
            Self::Any => f.write_str("anything"),
        }
    }
}

/// Whether values of the two types can be equal.
fn comparable(a: &Ty, b: &Ty) -> bool {
    match (a, b) {
        (Ty::Any, _) | (_, Ty::Any) | (Ty::Null, Ty::Null | Ty::Optional(_)) | (Ty::Optional(_), Ty::Null) => true,
        (Ty::Optional(a), Ty::Optional(b)) => comparable(a, b),
        (Ty::Optional(a), b) | (b, Ty::Optional(a)) => comparable(a, b),
        (Ty::List(a), Ty::List(b)) => comparable(a, b),
        (a, b) => a == b,
    }
}

struct Lowering<'a> {
    kind: &'static Kind,
    masks: Masks,
    source: &'a SourceInfo,
    vars: Vec<(String, Ty)>,
    /// Facts that a guard to the left has proven not to be null.
    present: Vec<usize>,
}

pub(super) fn compile(text: &str, kind: &'static Kind) -> Result<Expr, PredicateError> {
    if text.len() > LONGEST {
        let message = format!("the expression has {} bytes, the most is {LONGEST}", text.len());
        return Err(PredicateError { offset: 0, message });
    }
    if let Some(offset) = too_deep(text) {
        let message = format!("nested deeper than {DEEPEST}");
        return Err(PredicateError { offset, message });
    }
    let (masked, masks) = Masks::of(text, kind);
    let (tree, source) = parse(&masked).map_err(|error| masks.in_words(error))?;
    let mut lowering = Lowering { kind, masks, source: &source, vars: Vec::new(), present: Vec::new() };
    let (expr, ty) = lowering.lower(&tree)?;
    if ty != Ty::Bool {
        return Err(lowering.error(&tree, format!("the expression is a {ty}, not a truth value")));
    }
    Ok(expr)
}

/// The deepest nesting of brackets, and the longest run of `!` and `-`.
const DEEPEST: usize = 24;

/// Where brackets or signs are nested too deep; what stands in texts counts as well, which only errs on the safe side.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut signs) = (0usize, 0usize);
    text.bytes().position(|b| {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        signs = if matches!(b, b'!' | b'-') { signs + 1 } else { 0 };
        depth > DEEPEST || signs > DEEPEST
    })
}

/// Parses on a stack of its own: the generated parser takes tens of kilobytes for every level of nesting, and an
/// author's expression must never end the program.
fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), PredicateError> {
    let failed = |why: String| PredicateError { offset: 0, message: why };
    std::thread::scope(|scope| {
        let work = || {
            let parser = cel::parser::Parser::new().max_recursion_depth(64);
            parser.parse_with_source_info(text).map_err(|e| syntax_error(text, &e))
        };
        let parsing = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, work);
        let parsing = parsing.map_err(|e| failed(format!("no thread to parse it: {e}")))?;
        parsing.join().unwrap_or_else(|_| Err(failed("the parser gave up on it".into())))
    })
}

fn syntax_error(text: &str, errors: &cel::ParseErrors) -> PredicateError {
    let Some(first) = errors.errors.first() else {
        return PredicateError { offset: 0, message: "it does not parse".into() };
    };
    let line = usize::try_from(first.pos.0).unwrap_or(1).max(1);
    let column = usize::try_from(first.pos.1).unwrap_or(1).max(1);
    let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let message = first.msg.lines().next().unwrap_or("it does not parse").to_owned();
    PredicateError { offset: (before + column - 1).min(text.len()), message }
}

type Lowered = Result<(Expr, Ty), PredicateError>;

impl Lowering<'_> {
    fn error(&self, at: &IdedExpr, message: impl Into<String>) -> PredicateError {
        let offset = self.source.offset_for(at.id).map_or(0, |(start, _)| start as usize);
        PredicateError { offset, message: message.into() }
    }

    fn lower(&mut self, tree: &IdedExpr) -> Lowered {
        match &tree.expr {
            ast::Expr::Literal(literal) => self.literal(tree, literal),
            ast::Expr::Ident(name) => self.ident(tree, name),
            ast::Expr::Select(select) if select.test => {
                Err(self.error(tree, "`has` would turn unknown into an answer; compare an optional fact with null"))
            }
            ast::Expr::Select(select) => self.select(tree, &select.operand, &select.field),
            ast::Expr::List(list) => self.list(tree, list),
            ast::Expr::Call(call) => self.call(tree, call),
            ast::Expr::Comprehension(c) => self.comprehension(tree, c),
            ast::Expr::Map(_) | ast::Expr::Struct(_) | ast::Expr::Unspecified => {
                Err(self.error(tree, "map and struct literals have no use here"))
            }
        }
    }

    fn literal(&self, tree: &IdedExpr, literal: &LiteralValue) -> Lowered {
        Ok(match literal {
            LiteralValue::Null => (Expr::Null, Ty::Null),
            LiteralValue::Boolean(b) => (Expr::Bool(*b.inner()), Ty::Bool),
            LiteralValue::Int(i) => (Expr::Int(*i.inner()), Ty::Int),
            LiteralValue::UInt(i) => {
                let value = i64::try_from(*i.inner()).map_err(|_| self.error(tree, "the number is too large"))?;
                (Expr::Int(value), Ty::Int)
            }
            LiteralValue::String(s) => (Expr::Str(s.inner().into()), Ty::Str),
            LiteralValue::Double(_) | LiteralValue::Bytes(_) => {
                return Err(self.error(tree, "facts are truth values, whole numbers, texts, lists and objects"));
            }
        })
    }

    fn ident(&self, tree: &IdedExpr, name: &str) -> Lowered {
        let name = self.masks.meant(name);
        if let Some(i) = self.vars.iter().rposition(|(n, _)| n == name) {
            let var = u8::try_from(i).map_err(|_| self.error(tree, "quantifiers are nested too deep"))?;
            return Ok((Expr::Var(var), self.vars[i].1.clone()));
        }
        let Some(index) = self.kind.index(name) else {
            return Err(self.error(tree, format!("{} has no fact `{name}`{}", self.kind.name, self.nearest(name))));
        };
        let mut ty = Ty::from(self.kind.facts[index].ty);
        if let Ty::Optional(inner) = &ty
            && self.present.contains(&index)
        {
            ty = (**inner).clone();
        }
        let index = u16::try_from(index).map_err(|_| self.error(tree, "the kind has too many facts"))?;
        Ok((Expr::Fact(index), ty))
    }

    fn nearest(&self, name: &str) -> String {
        let close = self.kind.facts.iter().map(|f| f.name).find(|f| {
            f.contains(name)
                || name.contains(f)
                || f.len() == name.len() && f.bytes().zip(name.bytes()).filter(|(a, b)| a != b).count() <= 2
        });
        close.map_or_else(String::new, |f| format!("; there is `{f}`"))
    }

    fn select(&mut self, tree: &IdedExpr, operand: &IdedExpr, name: &str) -> Lowered {
        let (expr, ty) = self.lower(operand)?;
        let Ty::Object(fields) = ty else {
            return Err(self.error(tree, format!("a {ty} has no field `{name}`")));
        };
        let Some(field) = fields.iter().find(|f| f.name == name) else {
            let names: Vec<_> = fields.iter().map(|f| f.name).collect();
            return Err(self.error(tree, format!("no field `{name}`; there are {}", names.join(", "))));
        };
        Ok((Expr::Field(Box::new(expr), name.into()), field.ty.into()))
    }

    fn list(&mut self, tree: &IdedExpr, list: &ast::ListExpr) -> Lowered {
        let mut element = Ty::Any;
        let mut items = Vec::with_capacity(list.elements.len());
        for item in &list.elements {
            let (expr, ty) = self.lower(item)?;
            if !comparable(&element, &ty) {
                return Err(self.error(tree, format!("the list mixes {element} and {ty}")));
            }
            element = ty;
            items.push(expr);
        }
        Ok((Expr::List(items), Ty::List(Box::new(element))))
    }

    fn expect(&mut self, tree: &IdedExpr, wanted: &Ty) -> Result<Box<Expr>, PredicateError> {
        let (expr, ty) = self.lower(tree)?;
        if ty == *wanted {
            return Ok(Box::new(expr));
        }
        let hint = match &ty {
            Ty::Optional(inner) if **inner == *wanted => "; guard it: `fact != null && …`",
            _ => "",
        };
        Err(self.error(tree, format!("expected a {wanted}, found a {ty}{hint}")))
    }

    fn call(&mut self, tree: &IdedExpr, call: &ast::CallExpr) -> Lowered {
        let args: Vec<&IdedExpr> = call.target.iter().map(|t| &**t).chain(&call.args).collect();
        match (call.func_name.as_str(), args.as_slice()) {
            (operators::LOGICAL_NOT, [a]) => Ok((Expr::Not(self.expect(a, &Ty::Bool)?), Ty::Bool)),
            (operators::LOGICAL_AND, [a, b]) => {
                let (a, b) = self.guarded(a, b, true)?;
                Ok((Expr::And(a, b), Ty::Bool))
            }
            (operators::LOGICAL_OR, [a, b]) => {
                let (a, b) = self.guarded(a, b, false)?;
                Ok((Expr::Or(a, b), Ty::Bool))
            }
            (operators::CONDITIONAL, [c, a, b]) => self.conditional(tree, c, a, b),
            (operators::EQUALS, [a, b]) => self.equality(tree, a, b),
            (operators::NOT_EQUALS, [a, b]) => {
                let (equal, ty) = self.equality(tree, a, b)?;
                Ok((Expr::Not(Box::new(equal)), ty))
            }
            (operators::LESS, [a, b]) => self.order(Order::Less, a, b),
            (operators::LESS_EQUALS, [a, b]) => self.order(Order::LessOrEqual, a, b),
            (operators::GREATER, [a, b]) => self.order(Order::Greater, a, b),
            (operators::GREATER_EQUALS, [a, b]) => self.order(Order::GreaterOrEqual, a, b),
            (operators::IN, [a, b]) => self.membership(tree, a, b),
            (operators::ADD, [a, b]) => {
                let (a, b) = (self.expect(a, &Ty::Int)?, self.expect(b, &Ty::Int)?);
                Ok((Expr::Add(a, b), Ty::Int))
            }
            (operators::NEGATE, [a]) => match self.lower(a)? {
                (Expr::Int(i), _) => Ok((Expr::Int(i.saturating_neg()), Ty::Int)),
                _ => Err(self.error(tree, "only a literal can be negative")),
            },
            ("size", [a]) => match self.lower(a)? {
                (expr, Ty::List(_) | Ty::Str) => Ok((Expr::Size(Box::new(expr)), Ty::Int)),
                (_, ty) => Err(self.error(a, format!("a {ty} has no size"))),
            },
            ("startsWith", [a, b]) => self.text(TextTest::StartsWith, a, b),
            ("endsWith", [a, b]) => self.text(TextTest::EndsWith, a, b),
            ("contains", [a, b]) => self.text(TextTest::Contains, a, b),
            ("under", [a, b]) => self.text(TextTest::Under, a, b),
            ("lower", [a]) => Ok((Expr::Lower(self.expect(a, &Ty::Str)?), Ty::Str)),
            ("matches", [a, b]) => self.matches(a, b),
            ("within", [a, b]) => self.within(a, b),
            (operators::INDEX, _) => Err(self.error(tree, "lists are asked with all, exists and filter, not by index")),
            (operators::OPT_SELECT | operators::OPT_INDEX | "orValue", _) => {
                Err(self.error(tree, "optional access would turn unknown into an answer; compare with null"))
            }
            (name, args) => {
                Err(self.error(tree, format!("there is no function `{name}` with {} arguments", args.len())))
            }
        }
    }

    /// Both sides of `&&` or `||`; what the left proves not to be null counts on the right.
    fn guarded(&mut self, a: &IdedExpr, b: &IdedExpr, and: bool) -> Result<(Box<Expr>, Box<Expr>), PredicateError> {
        let left = self.expect(a, &Ty::Bool)?;
        let depth = self.present.len();
        proven_present(&left, and, &mut self.present);
        let right = self.expect(b, &Ty::Bool);
        self.present.truncate(depth);
        Ok((left, right?))
    }

    fn conditional(&mut self, tree: &IdedExpr, c: &IdedExpr, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let condition = self.expect(c, &Ty::Bool)?;
        let depth = self.present.len();
        proven_present(&condition, true, &mut self.present);
        let yes = self.lower(a);
        self.present.truncate(depth);
        proven_present(&condition, false, &mut self.present);
        let no = self.lower(b);
        self.present.truncate(depth);
        let ((yes, yes_ty), (no, no_ty)) = (yes?, no?);
        if yes_ty != no_ty {
            return Err(self.error(tree, format!("one branch is a {yes_ty}, the other a {no_ty}")));
        }
        Ok((Expr::If(condition, Box::new(yes), Box::new(no)), yes_ty))
    }

    fn equality(&mut self, tree: &IdedExpr, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let ((a, a_ty), (b, b_ty)) = (self.lower(a)?, self.lower(b)?);
        if !comparable(&a_ty, &b_ty) {
            return Err(self.error(tree, format!("a {a_ty} is never equal to a {b_ty}")));
        }
        Ok((Expr::Equal(Box::new(a), Box::new(b)), Ty::Bool))
    }

    fn order(&mut self, order: Order, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let (a, b) = (self.expect(a, &Ty::Int)?, self.expect(b, &Ty::Int)?);
        Ok((Expr::Compare(order, a, b), Ty::Bool))
    }

    fn membership(&mut self, tree: &IdedExpr, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let ((item, item_ty), (list, list_ty)) = (self.lower(a)?, self.lower(b)?);
        match list_ty {
            Ty::List(element) if comparable(&element, &item_ty) => {
                Ok((Expr::In(Box::new(item), Box::new(list)), Ty::Bool))
            }
            other => Err(self.error(tree, format!("a {item_ty} is never in a {other}"))),
        }
    }

    fn text(&mut self, test: TextTest, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let (a, b) = (self.expect(a, &Ty::Str)?, self.expect(b, &Ty::Str)?);
        Ok((Expr::Text(test, a, b), Ty::Bool))
    }

    fn matches(&mut self, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let subject = self.expect(a, &Ty::Str)?;
        let Expr::Str(pattern) = *self.expect(b, &Ty::Str)? else {
            return Err(self.error(b, "a pattern must be a literal"));
        };
        let pattern = Pattern::new(&pattern).map_err(|why| self.error(b, format!("not a pattern: {why}")))?;
        Ok((Expr::Matches(subject, pattern), Ty::Bool))
    }

    fn within(&mut self, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let mode = self.expect(a, &Ty::Int)?;
        let Expr::Str(bits) = *self.expect(b, &Ty::Str)? else {
            return Err(self.error(b, "the bits must be a literal such as \"0644\""));
        };
        let bits = u32::from_str_radix(&bits, 8).map_err(|_| self.error(b, "not octal; write \"0644\""))?;
        Ok((Expr::Within(mode, bits), Ty::Bool))
    }

    fn comprehension(&mut self, tree: &IdedExpr, c: &ast::ComprehensionExpr) -> Lowered {
        let Some((quantifier, body)) = quantifier(c) else {
            return Err(self.error(tree, "only all, exists, exists_one, filter and map ask about lists"));
        };
        let (range, range_ty) = self.lower(&c.iter_range)?;
        let Ty::List(element) = range_ty else {
            return Err(self.error(&c.iter_range, format!("a {range_ty} is no list")));
        };
        self.vars.push((self.masks.meant(&c.iter_var).to_owned(), (*element).clone()));
        let lowered = match quantifier {
            Quantifier::Map => self.lower(body),
            _ => self.expect(body, &Ty::Bool).map(|e| (*e, Ty::Bool)),
        };
        self.vars.pop();
        let (body, body_ty) = lowered?;
        let ty = match quantifier {
            Quantifier::Map => Ty::List(Box::new(body_ty)),
            Quantifier::Filter => Ty::List(element),
            Quantifier::All | Quantifier::Exists | Quantifier::ExistsOne => Ty::Bool,
        };
        Ok((Expr::Quantified(quantifier, Box::new(range), Box::new(body)), ty))
    }
}

/// The facts that are not null when `expr` is `truth`.
fn proven_present(expr: &Expr, truth: bool, out: &mut Vec<usize>) {
    match expr {
        Expr::Not(inner) => proven_present(inner, !truth, out),
        Expr::And(a, b) if truth => {
            proven_present(a, true, out);
            proven_present(b, true, out);
        }
        Expr::Or(a, b) if !truth => {
            proven_present(a, false, out);
            proven_present(b, false, out);
        }
        Expr::Equal(a, b) => match (&**a, &**b) {
            (Expr::Fact(i), Expr::Null) | (Expr::Null, Expr::Fact(i)) if !truth => out.push(usize::from(*i)),
            (Expr::Fact(i), Expr::Bool(_) | Expr::Int(_) | Expr::Str(_)) if truth => out.push(usize::from(*i)),
            _ => {}
        },
        _ => {}
    }
}

/// Which macro a comprehension was, and the expression that was given to it.
fn quantifier(c: &ast::ComprehensionExpr) -> Option<(Quantifier, &IdedExpr)> {
    let ast::Expr::Call(step) = &c.loop_step.expr else { return None };
    match (&c.accu_init.expr, step.func_name.as_str(), step.args.as_slice()) {
        (ast::Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_AND, [_, body]) => {
            Some((Quantifier::All, body))
        }
        (ast::Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_OR, [_, body]) => {
            Some((Quantifier::Exists, body))
        }
        (ast::Expr::Literal(LiteralValue::Int(_)), operators::CONDITIONAL, [body, _, _]) => {
            Some((Quantifier::ExistsOne, body))
        }
        (ast::Expr::List(_), operators::CONDITIONAL, [body, _, _]) => Some((Quantifier::Filter, body)),
        (ast::Expr::List(_), operators::ADD, [_, list]) => match &list.expr {
            ast::Expr::List(list) => list.elements.first().map(|body| (Quantifier::Map, body)),
            _ => None,
        },
        _ => None,
    }
}
