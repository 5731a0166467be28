//! Vulnerabilities, counted while a report is read, so that its size does not matter.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::marker::PhantomData;

use seaworthy_core::value::Value;
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use sha2::{Digest as _, Sha256};

/// The most vulnerabilities that are kept by name: the gravest.
const MOST_KEPT: usize = 200;

/// The most that are counted; the largest images have some ten thousand.
const MOST_COUNTED: usize = 1_000_000;

/// How grave a vulnerability is, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    Critical,
    High,
    /// Nobody has rated it; it may be the gravest.
    Unrated,
    Medium,
    Low,
    Negligible,
}

impl Grade {
    /// From a scanner's word, in letters of either case.
    pub(super) fn of(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" => Self::High,
            "medium" => Self::Medium,
            "low" => Self::Low,
            "negligible" | "none" | "info" => Self::Negligible,
            _ => Self::Unrated,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Unrated => "unrated",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Negligible => "negligible",
        }
    }
}

/// Whether there is a version without it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fix {
    /// There is: this one.
    In(Box<str>),
    /// The report does not say.
    Unsaid,
    /// There is none.
    Nowhere,
}

/// One vulnerability of one package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) grade: Grade,
    pub(super) fix: Fix,
    pub(super) id: Box<str>,
    /// Name and installed version.
    pub(super) package: Box<str>,
}

/// The vulnerabilities of an image.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    gravest: BTreeSet<Found>,
    /// All of them, each once, by a digest of id and package.
    all: HashMap<[u8; 16], (Grade, Fixable)>,
    /// A part of the report said that packages were looked at.
    pub(super) looked: bool,
    /// Those of the distribution among them.
    pub(super) looked_at_os: bool,
    too_many: bool,
}

/// [`Fix`] without the version, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fixable {
    Yes,
    Unsaid,
    No,
}

impl Tally {
    pub(super) fn add(&mut self, found: Found) {
        let mut hasher = Sha256::new();
        hasher.update(found.id.as_bytes());
        hasher.update([0]);
        hasher.update(found.package.as_bytes());
        let digest = hasher.finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        let fixable = match found.fix {
            Fix::In(_) => Fixable::Yes,
            Fix::Unsaid => Fixable::Unsaid,
            Fix::Nowhere => Fixable::No,
        };
        self.count(key, found.grade, fixable);
        self.keep(found);
    }

    /// Adds those of another report; what both name counts once, by the graver word.
    pub(super) fn merge(&mut self, other: Self) {
        self.looked |= other.looked;
        self.looked_at_os |= other.looked_at_os;
        self.too_many |= other.too_many;
        for (key, (grade, fixable)) in other.all {
            self.count(key, grade, fixable);
        }
        for found in other.gravest {
            self.keep(found);
        }
    }

    fn count(&mut self, key: [u8; 16], grade: Grade, fixable: Fixable) {
        if self.all.len() >= MOST_COUNTED {
            self.too_many = true;
            return;
        }
        let known = self.all.entry(key).or_insert((grade, fixable));
        *known = (known.0.min(grade), known.1.min(fixable));
    }

    fn keep(&mut self, found: Found) {
        self.gravest.insert(found);
        if self.gravest.len() > MOST_KEPT {
            self.gravest.pop_last();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many are of this grade.
    pub(super) fn of(&self, wanted: Grade) -> i64 {
        counted(self.all.values().filter(|(grade, _)| *grade == wanted).count())
    }

    /// How many critical and high ones have a fix; unknown where it may be none or some.
    pub(super) fn fixable(&self) -> Value {
        let grave = |grade: Grade| matches!(grade, Grade::Critical | Grade::High);
        let proven = self.all.values().filter(|(grade, fix)| grave(*grade) && *fix == Fixable::Yes).count();
        let open =
            |(grade, fix): &&(Grade, Fixable)| (grave(*grade) || *grade == Grade::Unrated) && *fix != Fixable::No;
        let open = self.all.values().filter(open).count();
        if proven == 0 && open > 0 {
            return Value::unknown(format!(
                "of {open} vulnerabilities the report does not say how grave they are, or whether there is a fix"
            ));
        }
        Value::Int(counted(proven))
    }

    /// The gravest, as a fact's value.
    pub(super) fn listed(&self, clean: impl Fn(&str) -> String) -> Value {
        let one = |found: &Found| {
            let fixed = match &found.fix {
                Fix::In(version) => Value::Str(clean(version).into()),
                Fix::Unsaid => Value::unknown("the report does not say"),
                Fix::Nowhere => Value::Null,
            };
            Value::Object(vec![
                ("id", clean(&found.id).into()),
                ("severity", found.grade.name().into()),
                ("package", clean(&found.package).into()),
                ("fixed", fixed),
            ])
        };
        Value::List(self.gravest.iter().map(one).collect())
    }
}

fn counted(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An element of a report's list.
pub(super) trait Entry {
    /// Adds what it says.
    fn add_to(self, tally: &mut Tally);
}

/// A list of a report, of which only the sum is kept.
#[derive(Clone, Debug)]
pub(super) struct Summed<T> {
    pub(super) tally: Tally,
    element: PhantomData<T>,
}

impl<T> Default for Summed<T> {
    fn default() -> Self {
        Self { tally: Tally::default(), element: PhantomData }
    }
}

impl<'de, T: Entry + Deserialize<'de>> Deserialize<'de> for Summed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sum<T>(PhantomData<T>);

        impl<'de, T: Entry + Deserialize<'de>> Visitor<'de> for Sum<T> {
            type Value = Summed<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_unit<E>(self) -> Result<Summed<T>, E> {
                Ok(Summed::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Summed<T>, A::Error> {
                let mut tally = Tally::default();
                while let Some(element) = list.next_element::<T>()? {
                    element.add_to(&mut tally);
                    if tally.too_many {
                        return Err(A::Error::custom("too many vulnerabilities"));
                    }
                }
                Ok(Summed { tally, element: PhantomData })
            }
        }

        deserializer.deserialize_any(Sum(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(id: &str, grade: Grade, fix: Fix) -> Found {
        Found { grade, fix, id: id.into(), package: "openssl 1.1".into() }
    }

    #[test]
    fn what_may_be_fixable_is_not_none() {
        let mut tally = Tally::default();
        assert_eq!(tally.fixable(), Value::Int(0));
        tally.add(found("CVE-1", Grade::Low, Fix::In("2".into())));
        tally.add(found("CVE-2", Grade::Critical, Fix::Nowhere));
        assert_eq!((tally.fixable(), tally.of(Grade::Critical)), (Value::Int(0), 1));
        for open in [found("CVE-3", Grade::High, Fix::Unsaid), found("CVE-4", Grade::Unrated, Fix::In("2".into()))] {
            let mut tally = tally.clone();
            tally.add(open);
            assert!(tally.fixable().is_unknown());
            tally.add(found("CVE-5", Grade::High, Fix::In("3".into())));
            assert_eq!(tally.fixable(), Value::Int(1), "one proven is one");
        }
    }

    #[test]
    fn the_gravest_are_kept_and_all_are_counted_once() {
        let mut one = Tally::default();
        for number in 0..1000 {
            one.add(found(&format!("CVE-{number}"), Grade::Medium, Fix::Nowhere));
        }
        let mut two = Tally::default();
        two.add(found("CVE-7", Grade::High, Fix::In("2".into())));
        two.add(found("CVE-7", Grade::High, Fix::In("2".into())));
        one.merge(two);
        assert_eq!((one.of(Grade::High), one.of(Grade::Medium)), (1, 999));
        let listed = one.listed(str::to_owned);
        assert_eq!(listed.as_list().unwrap().len(), MOST_KEPT);
        let first = listed.as_list().unwrap()[0].to_string();
        assert_eq!(first, "{id: CVE-7, severity: high, package: openssl 1.1, fixed: 2}");
    }
}
