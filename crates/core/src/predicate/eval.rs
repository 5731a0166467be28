//! Three-valued evaluation that remembers which facts decided.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Expr, FactSet, Order, Quantifier, TextTest, path_is_under};
use crate::component::Component;
use crate::value::Value;

/// A truth value of Kleene's logic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Proven.
    True,
    /// Disproven.
    False,
    /// A fact that decides could not be read; the first reason met.
    Unknown(Arc<str>),
}

/// What a predicate says of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The truth.
    pub truth: Truth,
    /// The facts that decided it: the false side of a false `&&`, the unknown side of an unknown one, both sides of
    /// a true one.
    pub facts: FactSet,
}

/// A value under evaluation with the facts that it rests on.
#[derive(Clone)]
struct Val<'a> {
    value: Cow<'a, Value>,
    facts: FactSet,
}

impl<'a> Val<'a> {
    fn own(value: Value, facts: FactSet) -> Self {
        Self { value: Cow::Owned(value), facts }
    }

    fn bool(value: bool, facts: FactSet) -> Self {
        Self::own(Value::Bool(value), facts)
    }

    fn unknown(reason: &Arc<str>, facts: FactSet) -> Self {
        Self::own(Value::Unknown(Arc::clone(reason)), facts)
    }

    fn truth(&self) -> Truth {
        match &*self.value {
            Value::Bool(true) => Truth::True,
            Value::Bool(false) => Truth::False,
            Value::Unknown(reason) => Truth::Unknown(Arc::clone(reason)),
            _ => Truth::Unknown("a defect of the check: not a truth value".into()),
        }
    }
}

pub(super) fn evaluate(root: &Expr, component: &Component) -> Answer {
    let val = Eval { component, vars: Vec::new() }.eval(root);
    Answer { truth: val.truth(), facts: val.facts }
}

/// What a condition on an element of a list says of one.
pub(super) fn evaluate_over(body: &Expr, component: &Component, element: &Value) -> Truth {
    let vars = vec![Val { value: Cow::Borrowed(element), facts: FactSet::default() }];
    Eval { component, vars }.eval(body).truth()
}

struct Eval<'a> {
    component: &'a Component,
    vars: Vec<Val<'a>>,
}

impl<'a> Eval<'a> {
    fn eval(&mut self, expr: &Expr) -> Val<'a> {
        let none = FactSet::default();
        match expr {
            Expr::Null => Val::own(Value::Null, none),
            Expr::Bool(b) => Val::bool(*b, none),
            Expr::Int(i) => Val::own(Value::Int(*i), none),
            Expr::Str(s) => Val::own(Value::Str(s.clone()), none),
            Expr::List(items) => self.list(items),
            Expr::Fact(i) => {
                let i = usize::from(*i);
                Val { value: Cow::Borrowed(&self.component.fact_at(i).value), facts: FactSet::one(i) }
            }
            Expr::Var(i) => self.vars[usize::from(*i)].clone(),
            Expr::Field(operand, name) => self.field(operand, name),
            Expr::Not(operand) => {
                let val = self.eval(operand);
                match val.truth() {
                    Truth::True => Val::bool(false, val.facts),
                    Truth::False => Val::bool(true, val.facts),
                    Truth::Unknown(reason) => Val::unknown(&reason, val.facts),
                }
            }
            Expr::And(a, b) => self.both(a, b, false),
            Expr::Or(a, b) => self.both(a, b, true),
            Expr::If(c, a, b) => self.conditional(c, a, b),
            Expr::Equal(a, b) => match (&**a, &**b) {
                (Expr::Size(list), Expr::Int(n)) | (Expr::Int(n), Expr::Size(list)) => {
                    self.size_against(None, list, *n)
                }
                _ => self.with_two(a, b, |a, b| Some(Value::Bool(a == b))),
            },
            Expr::Compare(order, a, b) => match (&**a, &**b) {
                (Expr::Size(list), Expr::Int(n)) => self.size_against(Some(*order), list, *n),
                _ => self.with_two(a, b, |a, b| compare(*order, a, b)),
            },
            Expr::In(a, b) => self.membership(a, b),
            Expr::Add(a, b) => self.with_two(a, b, |a, b| Some(Value::Int(a.as_int()?.checked_add(b.as_int()?)?))),
            Expr::Size(operand) => self.with_shape(operand, |v| match v {
                Value::List(items) => Some(match items.iter().find_map(Value::reason) {
                    Some(reason) => Value::Unknown(Arc::clone(reason)),
                    None => Value::Int(items.len() as i64),
                }),
                Value::Str(s) => Some(Value::Int(s.chars().count() as i64)),
                _ => None,
            }),
            Expr::Text(test, a, b) => self.with_two(a, b, |a, b| text(*test, a, b)),
            Expr::Matches(operand, pattern) => {
                self.with_shape(operand, |v| pattern.is_match(v.as_str()?).map(Value::Bool))
            }
            Expr::Lower(operand) => self.with_shape(operand, |v| Some(v.as_str()?.to_lowercase().into())),
            Expr::Within(operand, bits) => {
                self.with_shape(operand, |v| Some(Value::Bool(v.as_int()? & !i64::from(*bits) == 0)))
            }
            Expr::Quantified(quantifier, range, body) => self.quantified(*quantifier, range, body),
        }
    }

    fn list(&mut self, items: &[Expr]) -> Val<'a> {
        let mut facts = FactSet::default();
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let val = self.eval(item);
            facts = facts.union(val.facts);
            values.push(val.value.into_owned());
        }
        Val::own(Value::List(values), facts)
    }

    fn field(&mut self, operand: &Expr, name: &str) -> Val<'a> {
        let val = self.eval(operand);
        let facts = val.facts;
        match val.value {
            Cow::Borrowed(Value::Unknown(reason)) => Val::unknown(reason, facts),
            Cow::Owned(Value::Unknown(reason)) => Val::unknown(&reason, facts),
            Cow::Borrowed(object) => match object.field(name) {
                Some(value) => Val { value: Cow::Borrowed(value), facts },
                None => defect(facts),
            },
            Cow::Owned(object) => match object.field(name) {
                Some(value) => Val::own(value.clone(), facts),
                None => defect(facts),
            },
        }
    }

    /// `&&` (absorbed by false) and `||` (absorbed by true).
    fn both(&mut self, a: &Expr, b: &Expr, absorbing: bool) -> Val<'a> {
        let absorbs = |v: &Val<'_>| v.value.as_bool() == Some(absorbing);
        let left = self.eval(a);
        if absorbs(&left) {
            return left;
        }
        let right = self.eval(b);
        if absorbs(&right) {
            return right;
        }
        match (left.truth(), right.truth()) {
            (Truth::Unknown(reason), Truth::Unknown(_)) => Val::unknown(&reason, left.facts.union(right.facts)),
            (Truth::Unknown(reason), _) => Val::unknown(&reason, left.facts),
            (_, Truth::Unknown(reason)) => Val::unknown(&reason, right.facts),
            _ => Val::bool(!absorbing, left.facts.union(right.facts)),
        }
    }

    /// An unknown condition still answers when both branches agree.
    fn conditional(&mut self, c: &Expr, a: &Expr, b: &Expr) -> Val<'a> {
        let condition = self.eval(c);
        match condition.truth() {
            Truth::True => with_facts(self.eval(a), condition.facts),
            Truth::False => with_facts(self.eval(b), condition.facts),
            Truth::Unknown(reason) => {
                let (yes, no) = (self.eval(a), self.eval(b));
                if !holds_unknown(&yes.value) && yes.value == no.value {
                    let facts = yes.facts.union(no.facts);
                    return with_facts(yes, facts);
                }
                Val::unknown(&reason, condition.facts)
            }
        }
    }

    /// An operation on one value of which only the outermost shape must be known.
    fn with_shape(&mut self, operand: &Expr, f: impl Fn(&Value) -> Option<Value>) -> Val<'a> {
        let val = self.eval(operand);
        match &*val.value {
            Value::Unknown(reason) => Val::unknown(reason, val.facts),
            value => f(value).map_or_else(|| defect(val.facts), |v| Val::own(v, val.facts)),
        }
    }

    /// An operation on two values that must be known throughout.
    fn with_two(&mut self, a: &Expr, b: &Expr, f: impl Fn(&Value, &Value) -> Option<Value>) -> Val<'a> {
        let (a, b) = (self.eval(a), self.eval(b));
        if let Some(reason) = first_unknown(&a.value) {
            return Val::unknown(&reason, a.facts);
        }
        if let Some(reason) = first_unknown(&b.value) {
            return Val::unknown(&reason, b.facts);
        }
        let facts = a.facts.union(b.facts);
        f(&a.value, &b.value).map_or_else(|| defect(facts), |v| Val::own(v, facts))
    }

    /// The size of a list against a number. An unknown element says that there may be more, so those that are known
    /// are the least that there are: enough to tell that a list is not empty, never that it is.
    fn size_against(&mut self, order: Option<Order>, list: &Expr, number: i64) -> Val<'a> {
        let val = self.eval(list);
        let (size, reason) = match &*val.value {
            Value::Unknown(reason) => return Val::unknown(reason, val.facts),
            Value::List(items) => {
                let known = items.iter().filter(|i| !i.is_unknown()).count();
                (known as i64, items.iter().find_map(Value::reason))
            }
            Value::Str(s) => (s.chars().count() as i64, None),
            _ => return defect(val.facts),
        };
        let answer = match order {
            None => size == number,
            Some(order) => compare(order, &Value::Int(size), &Value::Int(number)) == Some(Value::Bool(true)),
        };
        let settled = match order {
            None | Some(Order::Less | Order::LessOrEqual) => !answer && size >= number,
            Some(Order::Greater | Order::GreaterOrEqual) => answer,
        };
        match reason {
            Some(reason) if !settled => Val::unknown(reason, val.facts),
            _ => Val::bool(answer, val.facts),
        }
    }

    fn membership(&mut self, a: &Expr, b: &Expr) -> Val<'a> {
        let (item, list) = (self.eval(a), self.eval(b));
        let facts = item.facts.union(list.facts);
        let items = match &*list.value {
            Value::Unknown(reason) => return Val::unknown(reason, list.facts),
            Value::List(items) => items,
            _ => return defect(facts),
        };
        if items.is_empty() {
            return Val::bool(false, facts);
        }
        if let Some(reason) = first_unknown(&item.value) {
            return Val::unknown(&reason, item.facts);
        }
        if items.iter().any(|i| i == &*item.value) {
            return Val::bool(true, facts);
        }
        match items.iter().find_map(first_unknown) {
            Some(reason) => Val::unknown(&reason, list.facts),
            None => Val::bool(false, facts),
        }
    }

    fn quantified(&mut self, quantifier: Quantifier, range: &Expr, body: &Expr) -> Val<'a> {
        let list = self.eval(range);
        let elements: Vec<Val<'a>> = match list.value {
            Cow::Borrowed(Value::List(items)) => {
                items.iter().map(|v| Val { value: Cow::Borrowed(v), facts: list.facts }).collect()
            }
            Cow::Owned(Value::List(items)) => items.into_iter().map(|v| Val::own(v, list.facts)).collect(),
            Cow::Borrowed(Value::Unknown(reason)) => return Val::unknown(reason, list.facts),
            Cow::Owned(Value::Unknown(reason)) => return Val::unknown(&reason, list.facts),
            _ => return defect(list.facts),
        };
        let mut results = Vec::with_capacity(elements.len());
        for element in elements {
            self.vars.push(element.clone());
            let result = self.eval(body);
            self.vars.pop();
            match (quantifier, result.value.as_bool()) {
                (Quantifier::All, Some(false)) | (Quantifier::Exists, Some(true)) => return result,
                _ => results.push((element, result)),
            }
        }
        conclude(quantifier, list.facts, results)
    }
}

/// What a quantifier says when no single element has decided.
fn conclude<'a>(quantifier: Quantifier, range: FactSet, results: Vec<(Val<'a>, Val<'a>)>) -> Val<'a> {
    let facts = results.iter().fold(range, |facts, (_, r)| facts.union(r.facts));
    let unknown = results.iter().find_map(|(_, r)| r.value.reason().map(|reason| (Arc::clone(reason), r.facts)));
    let held = |r: &Val<'_>| r.value.as_bool() == Some(true);
    match quantifier {
        Quantifier::Map => {
            Val::own(Value::List(results.into_iter().map(|(_, r)| r.value.into_owned()).collect()), facts)
        }
        Quantifier::ExistsOne if results.iter().filter(|(_, r)| held(r)).count() > 1 => Val::bool(false, facts),
        _ => match (unknown, quantifier) {
            (Some((reason, facts)), _) => Val::unknown(&reason, facts.union(range)),
            (None, Quantifier::All) => Val::bool(true, facts),
            (None, Quantifier::Exists) => Val::bool(false, facts),
            (None, Quantifier::ExistsOne) => Val::bool(results.iter().any(|(_, r)| held(r)), facts),
            (None, Quantifier::Filter | Quantifier::Map) => {
                let kept = results.into_iter().filter(|(_, r)| held(r)).map(|(e, _)| e.value.into_owned()).collect();
                Val::own(Value::List(kept), facts)
            }
        },
    }
}

fn with_facts<'a>(val: Val<'a>, facts: FactSet) -> Val<'a> {
    Val { facts: val.facts.union(facts), value: val.value }
}

/// Never met by a check that compiled, short of an overflow; reported as unknown, not as an answer.
fn defect<'a>(facts: FactSet) -> Val<'a> {
    Val::own(Value::unknown("a defect of the check: the operation has no result"), facts)
}

/// The first unknown in a value, however deep.
fn first_unknown(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::Unknown(reason) => Some(Arc::clone(reason)),
        Value::List(items) => items.iter().find_map(first_unknown),
        Value::Object(fields) => fields.iter().find_map(|(_, v)| first_unknown(v)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Str(_) => None,
    }
}

fn holds_unknown(value: &Value) -> bool {
    first_unknown(value).is_some()
}

fn compare(order: Order, a: &Value, b: &Value) -> Option<Value> {
    let (a, b) = (a.as_int()?, b.as_int()?);
    Some(Value::Bool(match order {
        Order::Less => a < b,
        Order::LessOrEqual => a <= b,
        Order::Greater => a > b,
        Order::GreaterOrEqual => a >= b,
    }))
}

fn text(test: TextTest, a: &Value, b: &Value) -> Option<Value> {
    let (a, b) = (a.as_str()?, b.as_str()?);
    Some(Value::Bool(match test {
        TextTest::StartsWith => a.starts_with(b),
        TextTest::EndsWith => a.ends_with(b),
        TextTest::Contains => a.contains(b),
        TextTest::Under => path_is_under(a, b),
    }))
}
